//! What a network does to requests: one fault at a time, for ever or for a while.

use super::http::Reply;
use serde_json::{Value, json};

/// What happens to a request on its way or to its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Never answers.
    Hang,
    /// Closes the connection without an answer.
    Drop,
    /// Another status with a body of no use.
    Status(u16, &'static str),
    /// 429 with this `Retry-After`.
    RateLimited { secs: u64 },
    /// 307 to this address.
    Redirect(String),
    /// HTTP 200 with HTML.
    Garbage,
    /// HTTP 200 with nothing.
    EmptyBody,
    /// The answer, cut in half.
    TruncatedBody,
    /// The answer, so slowly that it never ends.
    SlowBody,
    /// HTTP 200 and more than anybody wants to read.
    HugeBody,
    /// HTTP 200 with `{"data": null}`.
    NoData,
    /// The right data, and errors beside it.
    PartialErrors,
    /// HTTP 200 with this error.
    Message(&'static str),
    /// The answer with members that nobody knows, at every depth.
    UnknownFields,
    /// The answer from a server whose clock is a day late.
    ClockSkew,
}

/// One fault.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    /// Operations that it hits; empty = all.
    pub(crate) operations: &'static [&'static str],
    /// How many requests it hits; `None` = for ever.
    pub(crate) left: Option<u32>,
}

impl Fault {
    /// Whether this request is hit; counts it.
    pub(crate) fn hits(&mut self, operation: &str) -> bool {
        if !(self.operations.is_empty() || self.operations.contains(&operation)) {
            return false;
        }
        match &mut self.left {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }
}

impl Kind {
    /// Whether the platform never gets the request.
    pub(crate) fn is_lost(&self) -> bool {
        !matches!(
            self,
            Self::TruncatedBody
                | Self::SlowBody
                | Self::PartialErrors
                | Self::UnknownFields
                | Self::ClockSkew
        )
    }

    /// The answer on the wire. `executed` is the right one, where the platform got the request.
    pub(crate) fn reply(&self, executed: Option<Value>) -> Reply {
        let mut answer = executed.unwrap_or(Value::Null);
        match self {
            Self::Hang => Reply::Hang,
            Self::Drop => Reply::Close,
            Self::Status(code, body) => Reply::Raw(*code, String::new(), (*body).to_owned()),
            Self::RateLimited { secs } => Reply::Raw(
                429,
                format!("retry-after: {secs}\r\n"),
                "error code: 1015".into(),
            ),
            Self::Redirect(to) => Reply::Raw(307, format!("location: {to}\r\n"), String::new()),
            Self::Garbage => Reply::Raw(200, String::new(), "<html>504 Gateway</html>".into()),
            Self::EmptyBody => Reply::Raw(200, String::new(), String::new()),
            Self::TruncatedBody => Reply::Truncated(answer.to_string()),
            Self::SlowBody => Reply::Slow(answer.to_string()),
            Self::HugeBody => Reply::Json(200, json!({"data": "x".repeat(9_000_000)}).to_string()),
            Self::NoData => Reply::Json(200, json!({"data": null}).to_string()),
            Self::PartialErrors => {
                answer["errors"] =
                    json!([{"message": "Problem processing request", "path": ["x"]}]);
                Reply::Json(200, answer.to_string())
            }
            Self::Message(message) => {
                let error =
                    json!({"message": message, "extensions": {"code": "INTERNAL_SERVER_ERROR"}});
                Reply::Json(200, json!({"data": null, "errors": [error]}).to_string())
            }
            Self::UnknownFields => {
                adorn(&mut answer);
                Reply::Json(200, answer.to_string())
            }
            Self::ClockSkew => Reply::Raw(
                200,
                "date: Sun, 22 Nov 2026 00:00:00 GMT\r\n".into(),
                answer
                    .to_string()
                    .replace("2026-11-23T00:00:00Z", "2026-11-24T23:59:59Z"),
            ),
        }
    }
}

/// A new member in every object.
fn adorn(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.values_mut().for_each(adorn);
            members.insert("aMemberToCome".into(), json!({"x": [1, null]}));
        }
        Value::Array(items) => items.iter_mut().for_each(adorn),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
