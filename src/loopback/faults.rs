//! How the platform can be told to misbehave: one value, all off unless somebody with the admin
//! token turns something on.
//!
//! Loaded from no file and no variable: a rehearsal asks for a fault by `POST /loopback/faults`, a
//! fresh platform has none, and one that comes back has none either. What a fault has already done
//! to a deployment (a zombie, a stop that was never reported) is part of the record and stays.
//! Where each takes effect: `command_faults` and `report` (what reads say), `lifecycle` (builds,
//! draining), `revival`, `network` and `wire`.

use serde::{Deserialize, Serialize};

/// The misbehaviour of a platform. Adding one: a field here, its effect where the truthful
/// behaviour stands, a test.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// What `deploymentStop` does.
    pub stop: OnCommand,
    /// What `deploymentRemove` does. The platform's own removal of a superseded deployment is not
    /// touched.
    pub remove: OnCommand,
    /// What `deploymentCancel` does.
    pub cancel: OnCommand,
    /// A deployment that reaches BUILDING stays there until this is off again.
    pub builds_hang: bool,
    /// Something brings a service back some time after a client has read it dead.
    pub revive: Option<Revive>,
    /// After SIGTERM the platform never sends SIGKILL.
    pub draining_ignored: bool,
    /// Every change shows in reads this much later (milliseconds at Railway's pace, scaled; at most
    /// [`LONGEST_REPORT_DELAY_MS`]). Processes are not delayed.
    pub report_delay_ms: u64,
    /// Once, when the next deployment becomes active, the platform starts another one of the same
    /// commit by itself.
    pub second_deployment: bool,
    /// Every GraphQL answer comes this much later (milliseconds, at most [`LONGEST_HANG_MS`], not
    /// scaled). 0 = at once.
    pub hang_ms: u64,
    /// What happens to requests and answers on the way; the first that fits a request wins. At most
    /// [`MOST_NETWORK_FAULTS`].
    pub network: Vec<NetworkFault>,
}

/// What a command on a deployment does. All but `Refused` answer `true` wherever the real command
/// would; what the real command refuses is refused by each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnCommand {
    /// What Railway does. A real command also lifts what an earlier faulty one left in the reads.
    #[default]
    Real,
    /// Answers true and does nothing: the process lives, a build goes on, reads never change.
    AcknowledgedOnly,
    /// Done, but reads stay as they were for ever: the process is gone under SUCCESS, RUNNING.
    Unreported,
    /// Reads say that it happened, and it did not: the process lives on, a build goes on to become a
    /// process. For `remove` and `cancel` the zombie: REMOVED, yet alive. The platform believes
    /// its reads: a zombie is not stoppable any more; a real `remove` ends it.
    ReportedOnly,
    /// Accepted and not carried out for [`STUCK_MS`]: after a stop reads stay as they were, after a
    /// remove or cancel they say REMOVING; the process lives, a build stands still.
    Stuck,
    /// An error (`Problem processing request`); nothing happens.
    Refused,
}

/// Who brings a service back, and how often. It happens [`REVIVE_AFTER_MS`] after a client first
/// read the service's newest deployment as dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revive {
    /// Who.
    pub by: Reviver,
    /// How many times in all; absent or null = for ever.
    #[serde(default)]
    pub times: Option<u32>,
}

/// Who brings a service back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reviver {
    /// A deployment with a new id, only while the service's auto-deploy is on.
    AutoDeploy,
    /// A deployment with a new id, whatever the settings say.
    Platform,
    /// The same deployment is started again, as by `deploymentRestart` in the dashboard; one that
    /// was removed cannot be.
    Restart,
}

/// One fault on the way between client and platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkFault {
    /// What happens.
    pub kind: NetworkKind,
    /// Which requests: root fields (`deploymentStop`) or operation names (`DeploymentStop`), upper
    /// and lower case alike; empty = all.
    #[serde(default)]
    pub operations: Vec<String>,
    /// How many requests; absent or null = all from now on.
    #[serde(default)]
    pub times: Option<u32>,
}

/// What happens to a request or its answer. "Not carried out" means that the platform never sees
/// the request; otherwise it is done, and only the answer suffers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum NetworkKind {
    /// Not carried out, never answered; the connection stays open.
    Hang,
    /// Carried out and answered this much later (milliseconds, at most [`LONGEST_HANG_MS`]).
    Slow {
        /// The delay.
        ms: u64,
    },
    /// Carried out; the connection is closed (FIN) without a byte of an answer.
    DropConnection,
    /// Not carried out; the connection is reset (RST).
    Reset,
    /// Not carried out; this HTTP status (200 to 599) with a line of text.
    Status {
        /// The status.
        code: u16,
        /// The `Retry-After` header, if any.
        #[serde(default)]
        retry_after_secs: Option<u64>,
    },
    /// Not carried out; HTTP 429 with `Retry-After`, as Railway's edge answers.
    RateLimited {
        /// The `Retry-After` header.
        retry_after_secs: u64,
    },
    /// Not carried out; HTTP 307 to this address.
    Redirect {
        /// The `Location` header.
        location: String,
    },
    /// Carried out; HTTP 200 with a web page instead of JSON.
    Garbage,
    /// Carried out; HTTP 200 with no body.
    EmptyBody,
    /// Carried out; the connection is closed in the middle of the body that `Content-Length`
    /// announces.
    TruncatedBody,
    /// Carried out; the body comes byte by byte.
    SlowBody {
        /// Pause before each byte (milliseconds, at most [`LONGEST_HANG_MS`]).
        ms_per_byte: u64,
    },
    /// Carried out; the body is valid JSON of [`HUGE_BODY_BYTES`].
    HugeBody,
    /// Carried out; `{"data": null}` without any error.
    NoData,
    /// Carried out; lists come back empty, with an error beside the data.
    PartialErrors,
    /// Carried out; every `status` in the answer is one that nobody knows.
    UnknownStatus,
    /// Carried out; every object in the answer has fields that nobody asked for.
    UnknownFields,
    /// Not carried out; HTTP 200 with the error `Not Authorized`.
    NotAuthorized,
    /// Not carried out; HTTP 200 with the error `Project Token not found`.
    TokenNotFound,
    /// Not carried out; HTTP 200 with the error `Problem processing request`.
    ProblemProcessing,
    /// Carried out; the `Date` header and all times in the answer are this far off (seconds, ahead
    /// if positive, at most [`LARGEST_SKEW_SECS`] either way).
    ClockSkew {
        /// How far.
        secs: i64,
    },
}

/// The longest delay that any fault can ask for (milliseconds): longer than any deadline of ours,
/// short enough to end.
pub const LONGEST_HANG_MS: u64 = 600_000;
/// The longest `report_delay_ms`: an hour at Railway's pace.
pub const LONGEST_REPORT_DELAY_MS: u64 = 3_600_000;
/// How long a stuck command takes (milliseconds, not scaled): nobody waits for it.
pub const STUCK_MS: u64 = 3_600_000;
/// From the first read that shows a service dead to its revival (milliseconds at Railway's pace,
/// scaled): about what a build takes to start there.
pub const REVIVE_AFTER_MS: u64 = 3_000;
/// Body of [`NetworkKind::HugeBody`]: above what any client of ours reads.
pub const HUGE_BODY_BYTES: usize = 24 << 20;
/// Largest clock skew (seconds): ten years.
pub const LARGEST_SKEW_SECS: i64 = 315_360_000;
/// Most entries in [`Faults::network`].
pub const MOST_NETWORK_FAULTS: usize = 64;
