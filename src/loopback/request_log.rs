//! What was asked of the platform: the newest requests, without a secret among them.
//!
//! For tests and rehearsals: which operations a kill sent, in which order, over how many
//! connections. Must not keep a header's value or a variable's value of a service; what cannot be
//! read as a request is kept as a line without operation.

use std::collections::VecDeque;

use axum::http::HeaderMap;
use axum::http::header::USER_AGENT;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::view;

/// Requests kept; older ones are forgotten.
pub const KEPT_REQUESTS: usize = 10_000;
/// Most bytes of one request's variables (as JSON) that are kept.
const LONGEST_VARIABLES: usize = 4_096;
/// What stands for a hidden value.
const HIDDEN: &str = "[redacted]";
/// What an operation on service variables may show beside names of variables: ids and switches.
const SHOWN_OF_VARIABLES: &[&str] = &[
    "e",
    "environmentId",
    "name",
    "p",
    "projectId",
    "replace",
    "s",
    "serviceId",
    "skipDeploys",
];

/// One request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedRequest {
    /// When it arrived: RFC 3339 UTC.
    pub at: String,
    /// The same (Unix milliseconds).
    pub at_ms: u64,
    /// `operationName`, if any.
    pub operation: Option<String>,
    /// `?query=` of the address, if any.
    pub query_string: Option<String>,
    /// Its variables; values of service variables are hidden.
    pub variables: Value,
    /// Names of its headers, sorted; never their values.
    pub headers: Vec<String>,
    /// Whether it says who it is (a non-empty `User-Agent`).
    pub user_agent: bool,
    /// Which connection it came over: 1 is the first since the platform started.
    pub connection: u64,
    /// The network fault that it met, by name.
    pub fault: Option<String>,
}

impl LoggedRequest {
    /// Reads the line from a request.
    pub(crate) fn of(
        query: &[(String, String)],
        headers: &HeaderMap,
        body: &[u8],
        now_ms: u64,
    ) -> Self {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        let in_query = query.iter().find(|(name, _)| name == "query");
        let mut names: Vec<String> = headers.keys().map(ToString::to_string).collect();
        names.sort_unstable();
        Self {
            at: view::rfc3339(now_ms),
            at_ms: now_ms,
            operation: text("operationName"),
            query_string: in_query.map(|(_, value)| value.clone()),
            variables: shown(
                &text("query").unwrap_or_default(),
                body.get("variables").unwrap_or(&Value::Null),
            ),
            headers: names,
            user_agent: headers
                .get(USER_AGENT)
                .is_some_and(|agent| !agent.is_empty()),
            connection: 0,
            fault: None,
        }
    }
}

/// Adds a line; the oldest goes when there are too many.
pub(crate) fn push(requests: &mut VecDeque<LoggedRequest>, entry: LoggedRequest) {
    if requests.len() >= KEPT_REQUESTS {
        requests.pop_front();
    }
    requests.push_back(entry);
}

/// The variables as they may be shown. Whatever writes variables of a service hides everything but
/// ids and switches: the client chooses the names of its GraphQL variables.
fn shown(document: &str, variables: &Value) -> Value {
    let variables = if document.contains("variable") {
        hidden(variables, "")
    } else {
        variables.clone()
    };
    if variables.to_string().len() > LONGEST_VARIABLES {
        return json!(format!("more than {LONGEST_VARIABLES} bytes"));
    }
    variables
}

fn hidden(value: &Value, key: &str) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(name, value)| (name.clone(), hidden(value, name)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        Value::Null | Value::Bool(_) => value.clone(),
        other if SHOWN_OF_VARIABLES.contains(&key) => other.clone(),
        Value::Array(_) | Value::String(_) | Value::Number(_) => json!(HIDDEN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(body: &Value) -> LoggedRequest {
        let mut headers = HeaderMap::new();
        headers.insert("project-access-token", "token-1".parse().unwrap());
        headers.insert("user-agent", "x".parse().unwrap());
        LoggedRequest::of(&[], &headers, body.to_string().as_bytes(), 0)
    }

    #[test]
    fn ids_are_shown_and_values_of_variables_are_not() {
        let stop = json!({
            "query": "mutation S($id: String!) { deploymentStop(id: $id) }",
            "variables": { "id": "d-1" }, "operationName": "S",
        });
        let seen = line(&stop);
        assert_eq!(seen.variables, json!({ "id": "d-1" }));
        assert_eq!(seen.operation.as_deref(), Some("S"));
        assert_eq!(seen.headers, ["project-access-token", "user-agent"]);
        assert!(!json!(seen).to_string().contains("token-1"));

        for query in [
            "mutation($i: VariableUpsertInput!) { variableUpsert(input: $i) }",
            "mutation($i: VariableCollectionUpsertInput!) { variableCollectionUpsert(input: $i) }",
        ] {
            let write = json!({ "query": query, "variables": { "i": {
                "serviceId": "s-1", "name": "API_KEY", "value": "hunter2",
                "variables": { "OTHER": "hunter3" }, "skipDeploys": true,
            } } });
            let text = json!(line(&write)).to_string();
            assert!(!text.contains("hunter"), "{text}");
            for kept in ["s-1", "API_KEY", "OTHER", "skipDeploys"] {
                assert!(text.contains(kept), "{text}");
            }
        }
    }

    #[test]
    fn the_log_is_bounded_in_length_and_width_and_takes_any_bytes() {
        let long =
            json!({ "query": "{ x }", "variables": { "id": "d".repeat(LONGEST_VARIABLES) } });
        assert!(json!(line(&long)).to_string().len() < LONGEST_VARIABLES);
        let nonsense = LoggedRequest::of(&[], &HeaderMap::new(), b"\xff{", 0);
        assert_eq!(nonsense.operation, None);
        let mut requests = VecDeque::new();
        for _ in 0..KEPT_REQUESTS + 3 {
            push(&mut requests, nonsense.clone());
        }
        assert_eq!(requests.len(), KEPT_REQUESTS);
    }
}
