//! What can go wrong with one request, sorted by what it means for the caller.
//!
//! Railway answers execution errors with HTTP 200 and gives `Not Authorized` the code
//! `INTERNAL_SERVER_ERROR`, so errors are classified by message, never by code (field report of
//! 2026-10-05, 447 live requests). Holds no secret: texts of the server are scrubbed before.

use std::time::Duration;

/// Longest text of a server that is repeated in a message, in characters.
const TEXT_MAX_CHARS: usize = 300;
/// First pause before a repeat; doubles each time.
const BACKOFF_FIRST: Duration = Duration::from_millis(100);
/// Longest pause before a repeat, unless the server asks for more.
const BACKOFF_MAX: Duration = Duration::from_secs(2);

/// Why a request has no usable answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The address itself cannot be used.
    #[error(transparent)]
    BadEndpoint(#[from] crate::endpoint::BadEndpoint),
    /// The HTTP client could not be made.
    #[error("cannot set up the HTTP client: {0}")]
    Setup(String),
    /// Nobody listens: the connection was refused. The request was never sent.
    #[error("connection refused")]
    Refused,
    /// No connection (name resolution, TLS, unreachable). The request was never sent.
    #[error("no connection: {0}")]
    Connect(String),
    /// Connected, but no whole answer in time.
    #[error("no answer within {0} ms")]
    Timeout(u128),
    /// The deadline had passed before the request could be sent.
    #[error("the deadline has passed")]
    DeadlineOver,
    /// The connection broke before the answer was whole.
    #[error("connection broke: {0}")]
    Network(String),
    /// The server sends us elsewhere; tokens do not follow redirects.
    #[error("HTTP {status} redirects to `{location}`; redirects are not followed with a token")]
    Redirected {
        /// HTTP status.
        status: u16,
        /// Where to, shortened.
        location: String,
    },
    /// The token is missing, expired, or not for this (also said of ids that do not exist).
    #[error("not authorized: {0}")]
    Unauthorized(String),
    /// Cloudflare refused the client before Railway saw it: never "token expired".
    #[error("blocked before the platform: {0}")]
    Blocked(String),
    /// Too many requests.
    #[error("rate limited{}", retry_after.map(|d| format!(", retry after {} s", d.as_secs())).unwrap_or_default())]
    RateLimited {
        /// What `Retry-After` asked for.
        retry_after: Option<Duration>,
    },
    /// The server failed; it may or may not have acted.
    #[error("server error: {0}")]
    Server(String),
    /// The request does not fit the schema (HTTP 400): a bug or a changed API.
    #[error("the request was rejected as invalid: {0}")]
    Invalid(String),
    /// The named thing does not exist.
    #[error("not found: {0}")]
    NotFound(String),
    /// No GraphQL behind this path (HTTP 404 or another unexpected status).
    #[error("HTTP {0} instead of an answer: wrong address?")]
    Unrouted(u16),
    /// The platform understood and refused.
    #[error("refused by the platform: {0}")]
    Denied(String),
    /// An answer that is not what was asked for.
    #[error("unusable answer: {0}")]
    Malformed(String),
}

impl CallError {
    /// Whether the server may have carried the request out although no answer says so.
    ///
    /// After `true`, a request that must not happen twice needs a look at what exists now.
    pub fn may_have_acted(&self) -> bool {
        matches!(
            self,
            Self::Timeout(_)
                | Self::Network(_)
                | Self::Redirected { .. }
                | Self::Server(_)
                | Self::Malformed(_)
        )
    }

    /// Whether somebody may sit at the address although there is no usable answer.
    pub(crate) fn may_have_reached(&self) -> bool {
        !matches!(
            self,
            Self::BadEndpoint(_)
                | Self::Setup(_)
                | Self::Refused
                | Self::Connect(_)
                | Self::DeadlineOver
        )
    }

    /// Whether a trader's address is answered, but not by a trader: Railway's edge before a service
    /// without a living process says 404 or 502. Silence is not that: a hung process is silent.
    pub(crate) fn is_from_nobody(&self) -> bool {
        matches!(
            self,
            Self::Server(_) | Self::NotFound(_) | Self::Unrouted(_)
        )
    }

    /// Whether another token may succeed where this one did not.
    pub fn is_unauthorized(&self) -> bool {
        matches!(self, Self::Unauthorized(_))
    }

    /// Whether trying again later can help at all.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Refused
                | Self::Connect(_)
                | Self::Timeout(_)
                | Self::Network(_)
                | Self::RateLimited { .. }
                | Self::Server(_)
                | Self::Malformed(_)
        )
    }

    /// Whether it says something about the way to the server rather than its decision: another
    /// network (a captive portal), another edge node or a later attempt may answer otherwise.
    /// A kill goes on asking as long as this holds.
    pub(crate) fn may_pass(&self) -> bool {
        self.is_transient()
            || matches!(
                self,
                Self::Redirected { .. } | Self::Blocked(_) | Self::Unrouted(_)
            )
    }

    /// Whether no later read can be answered otherwise: the token, the request or the ids are wrong. A
    /// message that nobody knows is none of these: a read cannot be refused for what it asks.
    pub(crate) fn is_final_for_reads(&self) -> bool {
        !self.may_pass() && !matches!(self, Self::Denied(_) | Self::DeadlineOver)
    }

    /// How long the server asked to be left alone.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        if let Self::RateLimited { retry_after } = self {
            return *retry_after;
        }
        None
    }

    /// The pause before repeat number `attempt` (1 = after the first failure).
    pub(crate) fn pause(&self, attempt: u32) -> Duration {
        let doubled = BACKOFF_FIRST.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1)));
        let backoff = doubled.min(BACKOFF_MAX);
        self.retry_after()
            .map_or(backoff, |asked| asked.max(backoff))
    }
}

/// A GraphQL execution error (HTTP 200 with `errors`) by its message.
pub(crate) fn from_message(message: &str) -> CallError {
    let text = shorten(message);
    let lower = text.to_lowercase();
    let has = |part: &str| lower.contains(part);
    if has("not authorized")
        || has("unauthorized")
        || has("token not found")
        || has("invalid token")
    {
        CallError::Unauthorized(text)
    } else if has("rate limit") || has("too many requests") {
        CallError::RateLimited { retry_after: None }
    } else if has("problem processing request") {
        CallError::Server(text)
    } else if has("not found") {
        CallError::NotFound(text)
    } else {
        CallError::Denied(text)
    }
}

/// The first characters of a server's text, on one line.
pub(crate) fn shorten(text: &str) -> String {
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(TEXT_MAX_CHARS)
        .collect();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_seen_on_the_platform_are_sorted_by_text() {
        let cases = [
            ("Not Authorized", "not authorized: Not Authorized"),
            (
                "Project Token not found",
                "not authorized: Project Token not found",
            ),
            ("Deployment not found", "not found: Deployment not found"),
            (
                "Deployment is not stoppable",
                "refused by the platform: Deployment is not stoppable",
            ),
            (
                "Problem processing request",
                "server error: Problem processing request",
            ),
        ];
        for (message, expected) in cases {
            assert_eq!(from_message(message).to_string(), expected);
        }
    }

    #[test]
    fn pauses_double_up_to_a_bound_and_honour_retry_after() {
        let lost = CallError::Network("x".into());
        assert_eq!(lost.pause(1), Duration::from_millis(100));
        assert_eq!(lost.pause(3), Duration::from_millis(400));
        assert_eq!(lost.pause(u32::MAX), BACKOFF_MAX);
        let limited = CallError::RateLimited {
            retry_after: Some(Duration::from_secs(7)),
        };
        assert_eq!(limited.pause(1), Duration::from_secs(7));
    }

    #[test]
    fn what_may_pass_is_the_way_and_never_a_decision() {
        let redirected = CallError::Redirected {
            status: 302,
            location: String::new(),
        };
        for way in [
            redirected,
            CallError::Blocked("1010".into()),
            CallError::Unrouted(404),
            CallError::Refused,
            CallError::Malformed("html".into()),
        ] {
            assert!(way.may_pass(), "{way}");
        }
        for decision in [
            CallError::Unauthorized("x".into()),
            CallError::Denied("x".into()),
            CallError::NotFound("x".into()),
            CallError::Invalid("x".into()),
        ] {
            assert!(!decision.may_pass(), "{decision}");
        }
        let unheard_of = from_message("Something went wrong on our side");
        assert!(!unheard_of.is_final_for_reads());
        assert!(CallError::Unauthorized("x".into()).is_final_for_reads());
    }

    #[test]
    fn a_servers_text_cannot_move_the_cursor_or_flood() {
        let nasty = format!("a\u{1b}[2J\nb{}", "x".repeat(10_000));
        let text = shorten(&nasty);
        assert!(!text.contains('\u{1b}') && text.chars().count() <= TEXT_MAX_CHARS);
    }
}
