//! An answer that a command cannot do without: from its flag, or asked for where a person can answer.
//!
//! Never waits without a terminal: a missing answer is then an error that names the flag.

use crate::context::complain;
use std::io::{BufRead as _, IsTerminal as _};

/// Longest answer, characters.
pub const ANSWER_MAX_CHARS: usize = 400;

/// The answer: `given` by the flag, else asked for on a terminal.
///
/// # Errors
/// No answer, an empty one, or one that no file should carry; each names the flag.
pub fn answer(given: Option<&str>, flag: &str, question: &str) -> Result<String, String> {
    match given {
        Some(text) => checked(text, flag),
        None if std::io::stdin().is_terminal() && std::io::stderr().is_terminal() => {
            complain(&format!("{question} ({flag}):"));
            let mut line = String::new();
            std::io::stdin()
                .lock()
                .read_line(&mut line)
                .map_err(|error| format!("error: no answer could be read: {error}"))?;
            checked(&line, flag)
        }
        None => Err(format!(
            "error: {flag} is missing, and there is no terminal to ask on\nhelp: add {flag} \"…\" ({question})"
        )),
    }
}

fn checked(text: &str, flag: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err(format!("error: {flag} is empty\nhelp: add {flag} \"…\""));
    }
    if text.chars().any(char::is_control) {
        return Err(format!(
            "error: {flag} holds a control character\nhelp: write it on one line"
        ));
    }
    if text.chars().count() > ANSWER_MAX_CHARS {
        return Err(format!(
            "error: {flag} is longer than {ANSWER_MAX_CHARS} characters\nhelp: say it shorter"
        ));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_one_line_of_text() {
        assert_eq!(answer(Some(" Ada "), "--who", "?").as_deref(), Ok("Ada"));
        for bad in ["", "  ", "a\nb", "\u{1b}[31m", &"x".repeat(401)] {
            let error = answer(Some(bad), "--who", "?").unwrap_err();
            assert!(error.contains("--who"), "{error}");
        }
    }
}
