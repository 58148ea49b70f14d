//! Relay pagination as Railway does it: `first`/`after`, `last`/`before`, cursors opaque, order as
//! given (newest first).

use apollo_compiler::resolvers::FieldError;
use apollo_compiler::response::{JsonMap, JsonValue};
use serde_json::{Value, json};

use super::files;

/// Cuts a page out of all nodes. The cursor of a node is made of its `id`, so it stays right when
/// newer ones arrive. Errors: an unknown cursor or a negative size (the message is ASSUMED).
pub(crate) fn connection(nodes: Vec<Value>, arguments: &JsonMap) -> Result<Value, FieldError> {
    let cursors: Vec<String> = nodes.iter().map(cursor_of).collect();
    let place = |name: &str| match arguments.get(name).and_then(JsonValue::as_str) {
        None => Ok(None),
        Some(cursor) => match cursors.iter().position(|one| one == cursor) {
            Some(at) => Ok(Some(at)),
            None => Err(invalid(name)),
        },
    };
    let size = |name: &str| match arguments.get(name).and_then(JsonValue::as_i64) {
        None => Ok(None),
        Some(wanted) => usize::try_from(wanted).map(Some).map_err(|_| invalid(name)),
    };
    let mut from = place("after")?.map_or(0, |at| at + 1);
    let mut to = place("before")?.unwrap_or(nodes.len()).max(from);
    if let Some(first) = size("first")? {
        to = to.min(from.saturating_add(first));
    }
    if let Some(last) = size("last")? {
        from = from.max(to.saturating_sub(last));
    }
    let total = nodes.len();
    let edges: Vec<Value> = nodes
        .into_iter()
        .zip(&cursors)
        .skip(from)
        .take(to - from)
        .map(|(node, cursor)| json!({ "cursor": cursor, "node": node }))
        .collect();
    let page_info = json!({
        "startCursor": edges.first().map(|edge| edge["cursor"].clone()),
        "endCursor": edges.last().map(|edge| edge["cursor"].clone()),
        "hasNextPage": to < total,
        "hasPreviousPage": from > 0,
    });
    Ok(json!({ "edges": edges, "pageInfo": page_info }))
}

fn cursor_of(node: &Value) -> String {
    let id = node.get("id").and_then(Value::as_str).unwrap_or_default();
    files::hex(id.bytes().rev())
}

fn invalid(argument: &str) -> FieldError {
    FieldError {
        message: format!("Error in {argument} - Invalid input"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(page: &Value) -> Vec<&str> {
        page["edges"]
            .as_array()
            .unwrap()
            .iter()
            .map(|edge| edge["node"]["id"].as_str().unwrap())
            .collect()
    }

    fn page(arguments: &Value) -> Result<Value, String> {
        let nodes = ["e", "d", "c", "b", "a"]
            .map(|id| json!({ "id": id }))
            .to_vec();
        let arguments: JsonMap = serde_json::from_value(arguments.clone()).unwrap();
        connection(nodes, &arguments).map_err(|error| error.message)
    }

    #[test]
    fn pages_follow_each_other_until_there_is_none() {
        let first = page(&json!({ "first": 2 })).unwrap();
        assert_eq!(ids(&first), ["e", "d"]);
        assert_eq!(first["pageInfo"]["hasNextPage"], true);
        let after = |page: &Value| page["pageInfo"]["endCursor"].clone();
        let second = page(&json!({ "first": 2, "after": after(&first) })).unwrap();
        assert_eq!(ids(&second), ["c", "b"]);
        let third = page(&json!({ "first": 2, "after": after(&second) })).unwrap();
        assert_eq!(ids(&third), ["a"]);
        assert_eq!(third["pageInfo"]["hasNextPage"], false);
        assert_eq!(third["pageInfo"]["hasPreviousPage"], true);
    }

    #[test]
    fn last_before_and_nonsense() {
        let all = page(&json!({})).unwrap();
        assert_eq!(ids(&all).len(), 5);
        let before = all["edges"][3]["cursor"].clone();
        assert_eq!(
            ids(&page(&json!({ "last": 2, "before": before })).unwrap()),
            ["d", "c"]
        );
        assert!(page(&json!({ "after": "elsewhere" })).is_err());
        assert!(page(&json!({ "first": -1 })).is_err());
    }
}
