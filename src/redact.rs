//! The last gate before anything leaves this program: values of the environment's secret variables and
//! credentials inside addresses become `[redacted]`, whoever wrote the text around them.
//!
//! Secrets are a type that does not print; this is for texts of others (a child's words, a remote's
//! answer, a panic), which may repeat what they were given. Masks too much rather than too little.

use launch_kill::Secret;
use std::sync::OnceLock;

/// A variable whose name contains one of these holds a secret.
const SECRET_WORDS: [&str; 8] = [
    "TOKEN",
    "SECRET",
    "PASSW",
    "PASSPHRASE",
    "PRIVATE",
    "API_KEY",
    "APIKEY",
    "CREDENTIAL",
];
/// Values shorter than this are words and switches (`true`, `none`), not secrets.
const SECRET_MIN_CHARS: usize = 8;
/// What stands in a secret's place.
const REDACTED: &str = "[redacted]";

/// The text without secrets.
pub fn clean(text: &str) -> String {
    static SECRETS: OnceLock<Vec<Secret>> = OnceLock::new();
    let secrets = SECRETS.get_or_init(|| of(std::env::vars_os()));
    clean_of(text, secrets)
}

fn clean_of(text: &str, secrets: &[Secret]) -> String {
    let mut text = if text.contains("://") {
        without_userinfo(text)
    } else {
        text.to_owned()
    };
    for secret in secrets {
        if text.contains(secret.expose()) {
            text = secret.scrub(&text);
        }
    }
    text
}

/// The text with what stands between `://` and `@` replaced; `git@`, which is nobody's secret, stays.
fn without_userinfo(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + "://".len());
        out.push_str(before);
        let ends = |c: char| c.is_whitespace() || matches!(c, '/' | '\'' | '"' | '<' | '>' | '\\');
        let (authority, behind) = after.split_at(after.find(ends).unwrap_or(after.len()));
        match authority.rsplit_once('@') {
            Some((user, host)) if user != "git" => {
                out.push_str(REDACTED);
                out.push('@');
                out.push_str(host);
            }
            _ => out.push_str(authority),
        }
        rest = behind;
    }
    out.push_str(rest);
    out
}

/// Longest first, so that one that contains another goes whole.
fn of(variables: impl Iterator<Item = (std::ffi::OsString, std::ffi::OsString)>) -> Vec<Secret> {
    let mut values: Vec<String> = variables
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, value)| is_secret(name, value))
        .flat_map(|(_, value)| {
            // As it is, and as it stands inside a JSON document.
            let quoted = serde_json::to_string(&value).unwrap_or_default();
            let inside = quoted.trim_matches('"').to_owned();
            [value, inside]
        })
        .collect();
    values.sort_unstable_by_key(|value| std::cmp::Reverse(value.len()));
    values.dedup();
    values
        .iter()
        .filter_map(|value| Secret::new(value))
        .collect()
}

fn is_secret(name: &str, value: &str) -> bool {
    let name = name.to_ascii_uppercase();
    // `…_ENV` names another variable; a path names a file.
    !name.ends_with("_ENV")
        && SECRET_WORDS.iter().any(|word| name.contains(word))
        && value.trim().chars().count() >= SECRET_MIN_CHARS
        && !value.starts_with('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(pairs: &[(&str, &str)]) -> Vec<Secret> {
        of(pairs
            .iter()
            .map(|(name, value)| (name.into(), value.into())))
    }

    #[test]
    fn planted_values_go_and_the_rest_stays() {
        let all = secrets(&[
            ("RAILWAY_TOKEN", "9f0c4b12-aa"),
            ("POLYMARKET_API_SECRET", "quo\"ted-secret"),
            ("CI_JOB_TOKEN", "true"),
            ("TOKEN_FILE", "/run/secrets/token"),
            ("HOME_SWEET_HOME", "not-a-secret-at-all"),
        ]);
        let seen = "said 9f0c4b12-aa, \"quo\\\"ted-secret\", true, /run/secrets/token, not-a-secret-at-all";
        assert_eq!(
            clean_of(seen, &all),
            "said [redacted], \"[redacted]\", true, /run/secrets/token, not-a-secret-at-all"
        );
    }

    #[test]
    fn credentials_inside_addresses_go() {
        let clean = clean_of("push to https://me:hunter2@host/x failed", &[]);
        assert_eq!(clean, "push to https://[redacted]@host/x failed");
        for plain in [
            "ssh://git@github.com/o/r",
            "curl 'https://host/a?b=c@d'",
            "http://127.0.0.1:80/x and me@host",
        ] {
            assert_eq!(clean_of(plain, &[]), plain);
        }
    }

    #[test]
    fn a_secret_inside_another_leaves_no_rest() {
        let all = secrets(&[("A_TOKEN", "abcdefgh"), ("B_TOKEN", "abcdefgh-ijkl")]);
        assert_eq!(clean_of("x abcdefgh-ijkl y", &all), "x [redacted] y");
    }
}
