//! One GraphQL request: parsed, validated and executed against the committed schema, with errors in
//! Railway's form.
//!
//! What does not validate never reaches a resolver: HTTP 400 without a `data` key, as Railway
//! answers. Everything later is HTTP 200. Facts: Railway's answers as recorded in the field report
//! (see `timing`) and its documentation.

use std::sync::{Arc, LazyLock};

use apollo_compiler::resolvers::{Execution, FieldError, ObjectValue, ResolveInfo, ResolvedValue};
use apollo_compiler::response::{GraphQLError, JsonMap};
use apollo_compiler::validation::{DiagnosticList, Valid};
use apollo_compiler::{Schema, ast, request};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::access::Caller;
use super::error::PlatformError;
use super::supervisor::Platform;
use super::{files, mutation, object, query, revival};

/// Railway's schema as far as `launch` uses it.
pub(crate) const SDL: &str = include_str!("../../schemas/railway.graphql");
/// The code of every execution error, `Not Authorized` included: classify by message.
const INTERNAL: &str = "INTERNAL_SERVER_ERROR";
/// What the executor puts before a resolver's own message, and Railway does not.
const RESOLVER_PREFIX: &str = "resolver error: ";

/// The schema, compiled once for all platforms of this process. Errors: a bug in this program.
pub(crate) fn schema() -> Result<&'static Valid<Schema>, PlatformError> {
    static SCHEMA: LazyLock<Result<Valid<Schema>, String>> = LazyLock::new(|| {
        Schema::parse_and_validate(SDL, "schemas/railway.graphql")
            .map_err(|error| error.to_string())
    });
    SCHEMA
        .as_ref()
        .map_err(|error| PlatformError::Schema(error.clone()))
}

/// Names of all fields of `Query` and `Mutation`.
pub(crate) fn root_fields() -> impl Iterator<Item = &'static str> {
    let objects = schema().into_iter().flat_map(|schema| {
        ["Query", "Mutation"]
            .into_iter()
            .filter_map(|name| schema.get_object(name))
    });
    objects.flat_map(|object| object.fields.keys().map(apollo_compiler::Name::as_str))
}

/// The body of a request.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    query: String,
    #[serde(default)]
    variables: Option<JsonMap>,
    #[serde(default)]
    operation_name: Option<String>,
}

/// Answers one request.
pub(crate) fn answer(
    platform: &Arc<Platform>,
    schema: &Valid<Schema>,
    caller: &Result<Caller, &'static str>,
    body: &[u8],
) -> (StatusCode, Value) {
    match run(platform, schema, caller, body) {
        Ok(response) => (StatusCode::OK, response),
        Err((status, errors)) => (status, json!({ "errors": errors })),
    }
}

/// A request that was refused before execution: no `data` key.
type Refused = (StatusCode, Vec<Value>);

fn run(
    platform: &Arc<Platform>,
    schema: &Valid<Schema>,
    caller: &Result<Caller, &'static str>,
    body: &[u8],
) -> Result<Value, Refused> {
    let request: Request = serde_json::from_slice(body).map_err(|error| {
        bad_request(
            "BAD_REQUEST",
            &format!("the body is not a GraphQL request: {error}"),
        )
    })?;
    let document = ast::Document::parse(request.query, "request.graphql")
        .map_err(|error| diagnostics("GRAPHQL_PARSE_FAILED", &error.errors))?
        .to_executable_validate(schema)
        .map_err(|errors| diagnostics("GRAPHQL_VALIDATION_FAILED", &errors.errors))?;
    let operation = document
        .operations
        .get(request.operation_name.as_deref())
        .map_err(|error| {
            bad_request("OPERATION_RESOLUTION_FAILURE", &error.message().to_string())
        })?;
    let variables = request.variables.unwrap_or_default();
    let coerced =
        request::coerce_variable_values(schema, operation, &variables).map_err(|error| {
            let error = error.to_graphql_error(&document.sources);
            // Railway answers 200 here.
            (StatusCode::OK, vec![error_json(&error, "BAD_USER_INPUT")])
        })?;
    let root = Root {
        platform,
        caller,
        is_mutation: operation.is_mutation(),
    };
    let response = Execution::new(schema, &document)
        .operation(operation)
        .coerced_variable_values(&coerced)
        .enable_schema_introspection(true)
        .execute_sync(&root)
        .map_err(|error| bad_request("GRAPHQL_VALIDATION_FAILED", &error.message().to_string()))?;
    let mut fields = operation.root_fields(&document);
    if !root.is_mutation
        && let Ok(caller) = caller
        && fields.any(|field| revival::shows_deployments(&field.name))
    {
        platform.note_dead_reads(caller);
    }
    if response.errors.is_empty() {
        return Ok(json!({ "data": response.data }));
    }
    let errors = response
        .errors
        .iter()
        .map(|error| error_json(error, INTERNAL));
    let errors: Vec<Value> = errors.collect();
    Ok(json!({ "errors": errors, "data": response.data }))
}

fn diagnostics(code: &str, list: &DiagnosticList) -> Refused {
    let errors = list
        .iter()
        .map(|diagnostic| error_json(&diagnostic.to_json(), code))
        .collect();
    (StatusCode::BAD_REQUEST, errors)
}

fn bad_request(code: &str, message: &str) -> Refused {
    let error =
        json!({ "message": message, "extensions": { "code": code }, "traceId": trace_id() });
    (StatusCode::BAD_REQUEST, vec![error])
}

/// Railway's form of an error; its traceId stands beside `extensions`, not in it.
fn error_json(error: &GraphQLError, code: &str) -> Value {
    let message = error
        .message
        .strip_prefix(RESOLVER_PREFIX)
        .unwrap_or(&error.message);
    json!({
        "message": message,
        "locations": error.locations,
        "path": error.path,
        "extensions": { "code": code },
        "traceId": trace_id(),
    })
}

fn trace_id() -> String {
    files::random_hex::<8>().unwrap_or_default()
}

/// The root of a query or a mutation.
struct Root<'p> {
    platform: &'p Arc<Platform>,
    caller: &'p Result<Caller, &'static str>,
    is_mutation: bool,
}

impl ObjectValue for Root<'_> {
    fn type_name(&self) -> &str {
        if self.is_mutation {
            "Mutation"
        } else {
            "Query"
        }
    }

    fn resolve_field<'a>(
        &'a self,
        info: &'a ResolveInfo<'a>,
    ) -> Result<ResolvedValue<'a>, FieldError> {
        let caller = self
            .caller
            .as_ref()
            .map_err(|message| query::refused(*message))?;
        let resolver = if self.is_mutation {
            mutation::field
        } else {
            query::field
        };
        let value = resolver(self.platform, caller, info.field_name(), info.arguments())?;
        object::resolve(self.platform, value, info)
    }
}
