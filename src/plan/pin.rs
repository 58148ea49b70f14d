//! The release of the trader that a commit pins: two lines of its Dockerfile. Pure: text in, pin out.

use super::intent::Program;

/// Where a project pins its trader.
pub(super) const PIN_PATH: &str = "Dockerfile";

/// What `launch init` writes where nobody has said which program it is.
pub const NO_SHA256: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Reads `ARG TRADER_VERSION=…` and `ARG TRADER_SHA256=…`.
///
/// # Errors
/// What is missing or not a pin, in words.
pub(super) fn read(text: &str) -> Result<Program, String> {
    let version = argument(text, "TRADER_VERSION")?;
    let sha256 = argument(text, "TRADER_SHA256")?;
    let is_version = version.starts_with(|c: char| c.is_ascii_digit())
        && version
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+'));
    if !is_version {
        return Err(format!(
            "TRADER_VERSION is {version:?}, wanted a version like 0.1.0"
        ));
    }
    let is_hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    if sha256.len() != NO_SHA256.len() || !sha256.chars().all(is_hex) {
        return Err(format!(
            "TRADER_SHA256 is {sha256:?}, wanted 64 hex digits in lower case"
        ));
    }
    if sha256 == NO_SHA256 {
        return Err("TRADER_SHA256 is still all zeros: no program is pinned".to_owned());
    }
    Ok(Program::Pinned {
        version: version.to_owned(),
        sha256: format!("sha256:{sha256}"),
    })
}

/// The value of the one `ARG name=value` line.
fn argument<'a>(text: &'a str, name: &str) -> Result<&'a str, String> {
    let mut values = text.lines().filter_map(|line| {
        let rest = line.trim().strip_prefix("ARG ")?.trim_start();
        rest.strip_prefix(name)?.strip_prefix('=')
    });
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(value.trim().trim_matches('"')),
        (None, _) => Err(format!("there is no line ARG {name}=…")),
        (Some(_), Some(_)) => Err(format!("ARG {name} stands there twice")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dockerfile(version: &str, sha256: &str) -> String {
        format!("FROM x\nARG TRADER_VERSION={version}\nARG TRADER_SHA256={sha256}\nRUN y\n")
    }

    #[test]
    fn a_pin_is_read() {
        let sha256 = "a1".repeat(32);
        let wanted = Program::Pinned {
            version: "0.1.0".to_owned(),
            sha256: format!("sha256:{sha256}"),
        };
        assert_eq!(read(&dockerfile("0.1.0", &sha256)), Ok(wanted.clone()));
        assert_eq!(read(&dockerfile("\"0.1.0\"", &sha256)), Ok(wanted));
    }

    #[test]
    fn what_pins_nothing_is_refused() {
        let good = "a1".repeat(32);
        for (text, word) in [
            (String::new(), "no line ARG TRADER_VERSION"),
            (
                "ARG TRADER_VERSION=1".to_owned(),
                "no line ARG TRADER_SHA256",
            ),
            (dockerfile("latest", &good), "wanted a version"),
            (dockerfile("", &good), "wanted a version"),
            (dockerfile("0.1.0", NO_SHA256), "all zeros"),
            (dockerfile("0.1.0", &good[1..]), "64 hex"),
            (dockerfile("0.1.0", &good.to_uppercase()), "64 hex"),
            (dockerfile("0.1.0", &good).repeat(2), "twice"),
        ] {
            let error = read(&text).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }
}
