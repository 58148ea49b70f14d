//! What of a file's text may be shown: values of secret-looking keys and passwords in addresses are
//! masked byte for byte, so that carets stay where they belong.
//!
//! Works on the text alone, because a file that does not parse is shown too. Masks too much rather
//! than too little.

/// Longest value repeated in a message, characters.
const SEEN_MAX_CHARS: usize = 120;

/// A key that contains one of these holds a secret, unless it names a variable (`…_env`).
const SECRET_WORDS: [&str; 10] = [
    "token",
    "secret",
    "passw",
    "passphrase",
    "private",
    "api_key",
    "apikey",
    "api-key",
    "credential",
    "authorization",
];

/// The text with secrets replaced by as many `*` as they have bytes.
pub(super) fn masked(text: &str) -> String {
    text.split_inclusive('\n').map(masked_line).collect()
}

fn masked_line(line: &str) -> String {
    let (body, ending) = line
        .find(['\r', '\n'])
        .map_or((line, ""), |at| line.split_at(at));
    let (plain, secret) = body.split_at(secret_starts(body).unwrap_or(body.len()));
    let value = secret.trim_start();
    let mut out = String::with_capacity(line.len());
    push_without_userinfo(plain, &mut out);
    out.push_str(secret.get(..secret.len() - value.len()).unwrap_or_default());
    out.push_str(&"*".repeat(value.len()));
    out.push_str(ending);
    out
}

/// Where the value of the first secret-looking key on the line starts.
fn secret_starts(line: &str) -> Option<usize> {
    let mut at = 0;
    while let Some(step) = line.get(at..)?.find(['=', ':']) {
        let separator = at + step;
        let key = line
            .get(at..separator)?
            .rsplit([',', '{', '[', ';'])
            .next()?
            .trim()
            .trim_matches(['"', '\''])
            .to_ascii_lowercase();
        let is_secret = SECRET_WORDS.iter().any(|word| key.contains(word));
        let names_variable = key.ends_with("_env") && is_variable_name(line.get(separator + 1..)?);
        if is_secret && !names_variable {
            return Some(separator + 1);
        }
        at = separator + 1;
    }
    None
}

/// Whether a value is the name of an environment variable: there a token is sometimes pasted.
fn is_variable_name(value: &str) -> bool {
    let value = value.split([',', '#', '}']).next().unwrap_or_default();
    let name = value.trim().trim_matches(['"', '\'']);
    name.bytes()
        .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
        && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// Copies `text`; the user part of `scheme://user:password@host` becomes `*`.
fn push_without_userinfo(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let end = after
            .find(|c: char| matches!(c, '/' | '"' | '\'') || c.is_whitespace())
            .unwrap_or(after.len());
        let (authority, next) = after.split_at(end);
        let (user, host) = authority.split_at(authority.rfind('@').unwrap_or(0));
        out.push_str(&"*".repeat(user.len()));
        out.push_str(host);
        rest = next;
    }
    out.push_str(rest);
}

/// A value on one line: control characters as escapes, cut to a readable length.
pub(super) fn one_line(value: &str) -> String {
    let mut out = String::new();
    for (count, c) in value.chars().enumerate() {
        if count == SEEN_MAX_CHARS {
            out.push('…');
            break;
        }
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_in_place() {
        let cases = [
            ("api_token = \"abc\"\nx = 1\n", "api_token = *****\nx = 1\n"),
            (
                "token_env = \"RAILWAY_TOKEN_2\" # x",
                "token_env = \"RAILWAY_TOKEN_2\" # x",
            ),
            ("token_env = \"9f0c-4b\"", "token_env = *********"),
            (
                "{\"a\": 1, \"Secret\": \"x\"}\r\n",
                "{\"a\": 1, \"Secret\": ****\r\n",
            ),
            (
                "u = \"https://me:pw@host/x\"",
                "u = \"https://*****@host/x\"",
            ),
            (
                "u = \"http://h/a\" # http://me@b",
                "u = \"http://h/a\" # http://**@b",
            ),
            ("max_order_shares = \"40\"", "max_order_shares = \"40\""),
        ];
        for (text, want) in cases {
            assert_eq!(masked(text), want);
            assert_eq!(masked(text).len(), text.len());
        }
    }

    #[test]
    fn one_line_is_one_short_line() {
        assert_eq!(one_line("a\nb\u{1b}[31m"), "a\\nb\\u{1b}[31m");
        assert_eq!(one_line(&"x".repeat(500)).chars().count(), 121);
    }

    proptest::proptest! {
        #[test]
        fn masking_keeps_every_byte_position(text in "(?s).{0,200}") {
            let shown = masked(&text);
            proptest::prop_assert_eq!(shown.len(), text.len());
            for (a, b) in shown.bytes().zip(text.bytes()) {
                proptest::prop_assert_eq!(a == b'\n', b == b'\n');
            }
        }
    }
}
