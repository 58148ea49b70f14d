//! The wall clock of the commands, and its one spelling in documents. Pure code never calls it.

use jiff::Timestamp;

/// Now.
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// RFC 3339 UTC with three digits of milliseconds.
pub fn text(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// [`text`] of now.
pub fn now_text() -> String {
    text(now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spelling_does_not_depend_on_the_moment() {
        for (ms, wanted) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_500, "1970-01-01T00:00:01.500Z"),
        ] {
            assert_eq!(text(Timestamp::from_millisecond(ms).unwrap()), wanted);
        }
    }
}
