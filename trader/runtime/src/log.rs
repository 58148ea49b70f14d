//! The process's log: one JSON object a line on stderr, `{at, level, message, …}`.
//!
//! The platform reads `level` and `message`. Must never be given a secret; a closed stderr is not an
//! error of the trader.

use serde_json::{Map, Value};
use std::io::Write as _;

/// How grave a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Something happened.
    Info,
    /// Something is not as it should be; trading is restricted or will be.
    Warn,
    /// The process ends, or something was lost.
    Error,
}

impl Level {
    const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// Writes one line to stderr.
pub fn line(level: Level, message: &str, fields: &[(&str, Value)]) {
    let text = format_line(&jiff::Timestamp::now().to_string(), level, message, fields);
    drop(std::io::stderr().lock().write_all(text.as_bytes()));
}

fn format_line(at: &str, level: Level, message: &str, fields: &[(&str, Value)]) -> String {
    let mut object = Map::new();
    object.insert("at".to_owned(), at.into());
    object.insert("level".to_owned(), level.name().into());
    object.insert("message".to_owned(), message.into());
    for (key, value) in fields {
        object
            .entry((*key).to_owned())
            .or_insert_with(|| value.clone());
    }
    format!("{}\n", Value::Object(object))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_json_object_whatever_the_message_holds() {
        let text = format_line(
            "t",
            Level::Warn,
            "two\nlines \"quoted\"",
            &[("n", 3.into())],
        );
        assert_eq!(text.matches('\n').count(), 1);
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["level"], "warn");
        assert_eq!(value["message"], "two\nlines \"quoted\"");
        assert_eq!(value["n"], 3);
    }
}
