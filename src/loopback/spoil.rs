//! True answers made partial, strange or wrong in time: pure changes of a JSON value.
//!
//! Must not make an answer that GraphQL forbids in its form; its content may be anything.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::{Value, json};

use super::command_faults::PROBLEM;
use super::{files, view};

/// A status that no version of the API has.
pub(crate) const UNKNOWN_STATUS: &str = "HIBERNATING";
/// RFC 9110, section 5.6.7: the form of a `Date` header.
const HTTP_DATE: &str = "%a, %d %b %Y %H:%M:%S GMT";

/// An execution error in Railway's form.
pub(crate) fn error(message: &str) -> Value {
    json!({
        "message": message,
        "extensions": { "code": "INTERNAL_SERVER_ERROR" },
        "traceId": files::random_hex::<8>().unwrap_or_default(),
    })
}

/// Empties every list and says beside the data that something went wrong: whoever reads only the
/// data sees nothing live.
pub(crate) fn make_partial(answer: &mut Value) {
    if let Some(data) = answer.get_mut("data") {
        walk(data, &mut |_, value| {
            if let Value::Array(items) = value {
                items.clear();
            }
        });
    }
    if let Some(fields) = answer.as_object_mut() {
        fields.insert("errors".to_owned(), json!([error(PROBLEM)]));
    }
}

/// Replaces every `status` that is a word.
pub(crate) fn unknown_status(answer: &mut Value) {
    walk(answer, &mut |key, value| {
        if key == "status" && value.is_string() {
            *value = json!(UNKNOWN_STATUS);
        }
    });
}

/// Adds fields to every object of the data, and one beside the data.
pub(crate) fn unknown_fields(answer: &mut Value) {
    if let Some(data) = answer.get_mut("data") {
        walk(data, &mut |_, value| {
            if let Value::Object(fields) = value {
                fields.insert(
                    "newFeature".to_owned(),
                    json!({ "enabled": true, "of": [1, null] }),
                );
                fields.insert("__new".to_owned(), json!("?"));
            }
        });
    }
    if let Some(fields) = answer.as_object_mut() {
        fields.insert("extensions".to_owned(), json!({ "cost": 1 }));
    }
}

/// Shifts every RFC 3339 time.
pub(crate) fn shift_times(answer: &mut Value, secs: i64) {
    walk(answer, &mut |_, value| {
        let at: Option<Timestamp> = value.as_str().and_then(|text| text.parse().ok());
        if let Some(at) = at {
            let shifted = at
                .checked_add(SignedDuration::from_secs(secs))
                .unwrap_or(at);
            let ms = u64::try_from(shifted.as_millisecond()).unwrap_or_default();
            *value = json!(view::rfc3339(ms));
        }
    });
}

/// The `Date` header of a clock that is `secs` off; `None` beyond the calendar.
pub(crate) fn http_date(now_ms: u64, secs: i64) -> Option<String> {
    let now = Timestamp::from_millisecond(i64::try_from(now_ms).ok()?).ok()?;
    let at = now.checked_add(SignedDuration::from_secs(secs)).ok()?;
    Some(at.to_zoned(TimeZone::UTC).strftime(HTTP_DATE).to_string())
}

/// Visits a value and all in it, the inner before the outer (what a visit adds is not visited), with
/// the key that each stands under.
fn walk(value: &mut Value, visit: &mut impl FnMut(&str, &mut Value)) {
    fn inner(key: &str, value: &mut Value, visit: &mut impl FnMut(&str, &mut Value)) {
        match value {
            Value::Object(fields) => {
                for (key, value) in fields {
                    inner(key, value, visit);
                }
            }
            Value::Array(items) => {
                for item in items {
                    inner("", item, visit);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
        visit(key, value);
    }
    inner("", value, visit);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_reaches_what_lies_deep() {
        let true_answer = json!({ "data": { "deployments": { "edges": [
            { "node": { "status": "SUCCESS", "createdAt": "2026-02-01T00:00:00.000Z" } },
        ] } } });
        let node = |answer: &Value| answer["data"]["deployments"]["edges"][0]["node"].clone();

        let mut answer = true_answer.clone();
        unknown_status(&mut answer);
        assert_eq!(node(&answer)["status"], UNKNOWN_STATUS);

        let mut answer = true_answer.clone();
        shift_times(&mut answer, -86_400);
        assert_eq!(node(&answer)["createdAt"], "2026-01-31T00:00:00.000Z");
        assert_eq!(node(&answer)["status"], "SUCCESS");

        let mut answer = true_answer.clone();
        unknown_fields(&mut answer);
        assert!(node(&answer)["newFeature"].is_object());
        assert_eq!(node(&answer)["status"], "SUCCESS");

        let mut answer = true_answer;
        make_partial(&mut answer);
        assert_eq!(answer["data"]["deployments"]["edges"], json!([]));
        assert_eq!(answer["errors"][0]["message"], PROBLEM);
    }

    #[test]
    fn the_date_is_in_the_form_of_its_header() {
        let text = http_date(784_111_777_000, 0).unwrap();
        assert_eq!(
            text, "Sun, 06 Nov 1994 08:49:37 GMT",
            "the RFC's own example"
        );
        let text = http_date(784_111_777_000, 86_400).unwrap();
        assert_eq!(text, "Mon, 07 Nov 1994 08:49:37 GMT");
    }
}
