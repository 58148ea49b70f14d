//! The journal: what was decided and why, one JSON object per line, only when it changes.
//!
//! Keys stand in a fixed order and absent values are left out, so that the same events give the same
//! bytes in every build; the digest of a run is the digest of these lines.

use crate::order::OrderId;
use crate::refusal::{Figure, Refusal};
use crate::units::{EpochMs, Outcome, Shares, TokenPrice, Usd};
use crate::window::WindowId;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// Most lines are shorter: room for one is asked for once.
const USUAL_BYTES: usize = 320;

/// One line.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Line<'a> {
    pub(crate) t_ms: EpochMs,
    /// `decision`, `order`, `fill`, `settled`, `control`, `lease`, `latch`, `ready`, `unexplained`.
    pub(crate) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) strategy: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) window: Option<WindowId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) order: Option<&'a OrderId>,
    /// `refused`, `enter`, `exit`, or what happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) what: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<&'a str>,
    #[serde(skip_serializing_if = "is_none")]
    pub(crate) seen: Figure,
    #[serde(skip_serializing_if = "is_none")]
    pub(crate) limit: Figure,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) outcome: Option<Outcome>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p_up: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) edge: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) price: Option<TokenPrice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) shares: Option<Shares>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) usd: Option<Usd>,
}

fn is_none(figure: &Figure) -> bool {
    matches!(figure, Figure::None)
}

impl Line<'_> {
    /// With the refusal's code and numbers.
    pub(crate) fn refused(mut self, refusal: &Refusal) -> Self {
        self.what = Some("refused");
        self.by = Some(refusal.by.as_str());
        self.reason = Some(refusal.code);
        self.seen = refusal.seen;
        self.limit = refusal.limit;
        self
    }

    pub(crate) fn text(&self) -> String {
        let mut bytes = Vec::with_capacity(USUAL_BYTES);
        // These types always serialise; an empty line would show in the digest.
        let written = serde_json::to_writer(&mut bytes, self);
        let text = written.ok().and_then(|()| String::from_utf8(bytes).ok());
        text.unwrap_or_default()
    }
}

/// sha256 over journal lines, each with a line feed: `journal_digest`.
#[derive(Debug, Clone, Default)]
pub struct JournalDigest(Sha256);

impl JournalDigest {
    /// Takes a line without its line end.
    pub fn line(&mut self, line: &str) {
        self.0.update(line.as_bytes());
        self.0.update(b"\n");
    }

    /// The digest of the lines so far.
    pub fn text(&self) -> String {
        crate::digest::hex(self.0.clone().finalize().as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_the_file() {
        let mut digest = JournalDigest::default();
        assert_eq!(digest.text(), crate::digest::sha256(b""));
        digest.line("{}");
        digest.line("{\"a\":1}");
        assert_eq!(digest.text(), crate::digest::sha256(b"{}\n{\"a\":1}\n"));
    }
}
