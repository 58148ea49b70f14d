//! The text of an approval, appended to what is there: comments and other environments stay as they are.
//!
//! Pure. Values are written by the TOML writer, never pasted.

use super::Loosened;
use serde_json::Value;
use std::fmt::Write as _;

/// Who answers, why and when.
pub(super) struct Signed {
    pub(super) who: String,
    pub(super) why: String,
    pub(super) at: String,
}

const HEAD: &str = "\
#:schema ../schemas/approved-limits.schema.json
# The limits that somebody has answered for. launch approve writes this file: the first approval of an
# environment holds all of its limits, each later one a single key, from, to, who, why and when.
# A manifest may be tighter than this, never looser (LC-205).

schema_version = 1
";

/// The file's new text.
pub(super) fn with(
    before: Option<&[u8]>,
    env: &str,
    first: bool,
    chosen: &[Loosened],
    signed: &Signed,
) -> String {
    let mut text = before.map_or_else(
        || HEAD.to_owned(),
        |bytes| String::from_utf8_lossy(bytes).into_owned(),
    );
    if !text.ends_with('\n') {
        text.push('\n');
    }
    let by = format!(
        "who = {}\nwhy = {}\nat = {}\n",
        quoted(&signed.who),
        quoted(&signed.why),
        quoted(&signed.at)
    );
    // Writing into a text cannot fail.
    if first {
        let _infallible = write!(text, "\n[env.{env}]\n{by}\n[env.{env}.limits]\n");
        for one in chosen {
            let _infallible = writeln!(text, "{} = {}", key(&one.key), toml_of(&one.to));
        }
        return text;
    }
    for one in chosen {
        let from = one
            .from
            .as_ref()
            .map_or_else(String::new, |from| format!("from = {}\n", toml_of(from)));
        let _infallible = write!(
            text,
            "\n[[approval]]\nenv = {}\nkey = {}\n{from}to = {}\n{by}",
            quoted(env),
            quoted(&one.key),
            toml_of(&one.to)
        );
    }
    text
}

/// A dotted key is one key here, not a path.
fn key(key: &str) -> String {
    if key.contains('.') {
        quoted(key)
    } else {
        key.to_owned()
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A limit's value. JSON's texts, whole numbers and lists of them are TOML's, but for escapes.
fn toml_of(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(toml_of).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}
