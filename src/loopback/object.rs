//! A GraphQL object whose fields are values computed beforehand; other objects are reached through
//! links, resolved when selected.
//!
//! A field that the schema has and the platform does not know is an error that says so: a made-up
//! null or zero would teach the client something false.

use std::sync::Arc;

use apollo_compiler::resolvers::{FieldError, ObjectValue, ResolveInfo, ResolvedValue};
use serde_json::{Map, Value, json};

use super::page;
use super::supervisor::Platform;
use super::view;

/// Key that marks a link; no GraphQL field can be named so.
const LINK: &str = "$link";

/// An object of a GraphQL type.
pub(crate) struct Object {
    platform: Arc<Platform>,
    type_name: String,
    fields: Map<String, Value>,
}

/// Stands for an object of `type_name` with this id until somebody selects it.
pub(crate) fn link(type_name: &str, id: &str) -> Value {
    json!({ LINK: type_name, "id": id })
}

impl ObjectValue for Object {
    fn type_name(&self) -> &str {
        &self.type_name
    }

    fn resolve_field<'a>(
        &'a self,
        info: &'a ResolveInfo<'a>,
    ) -> Result<ResolvedValue<'a>, FieldError> {
        let value = self
            .fields
            .get(info.field_name())
            .ok_or_else(|| FieldError {
                message: format!(
                    "the loopback platform does not model {}.{}",
                    self.type_name,
                    info.field_name()
                ),
            })?;
        resolve(&self.platform, value.clone(), info)
    }
}

/// Turns a computed value into what the selected field's type wants. Errors: a page that does not
/// exist.
pub(crate) fn resolve<'a>(
    platform: &Arc<Platform>,
    value: Value,
    info: &ResolveInfo<'a>,
) -> Result<ResolvedValue<'a>, FieldError> {
    let type_name = info.field_definition().ty.inner_named_type();
    let object = |value| object(platform, type_name, value);
    if info.schema().get_object(type_name).is_none() {
        return Ok(ResolvedValue::leaf(value));
    }
    let is_connection = type_name.ends_with("Connection");
    match value {
        Value::Array(nodes) if is_connection => {
            Ok(object(page::connection(nodes, info.arguments())?))
        }
        Value::Array(items) => Ok(ResolvedValue::list(
            items.into_iter().map(object).collect::<Vec<_>>(),
        )),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            Ok(object(value))
        }
    }
}

fn object<'a>(platform: &Arc<Platform>, type_name: &str, value: Value) -> ResolvedValue<'a> {
    if let Value::Object(fields) = follow(platform, value) {
        ResolvedValue::object(Object {
            platform: Arc::clone(platform),
            type_name: type_name.to_owned(),
            fields,
        })
    } else {
        ResolvedValue::null()
    }
}

/// The object that a link stands for; anything else is itself.
fn follow(platform: &Platform, value: Value) -> Value {
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    match (text(LINK), text("id")) {
        (Some(type_name), Some(id)) => platform
            .read(|world| view::linked(world, type_name, id))
            .unwrap_or(Value::Null),
        _ => value,
    }
}
