//! What a kill is tried against, as tables: one row a fault, one table an axis.
//!
//! Only names and what is planted. What may be expected of a kill stands in `expectation`, how much of
//! the product is run in `plan`.

use super::stand_in::Behaviour;
use crate::loopback::{Faults, NetworkFault, NetworkKind, OnCommand, Revive, Reviver};

/// Where the deployment stands when the kill begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// SUCCESS, its trader runs.
    Active,
    /// In the middle of a deploy: the platform builds, no trader runs yet.
    Building,
}

/// A row of the platform's axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PlatformRow {
    pub(super) slug: &'static str,
    pub(super) phase: Phase,
    pub(super) stop: OnCommand,
    pub(super) remove: OnCommand,
    pub(super) cancel: OnCommand,
    pub(super) builds_hang: bool,
    pub(super) revive: Option<(Reviver, Option<u32>)>,
    pub(super) draining_ignored: bool,
    pub(super) report_delay_ms: u64,
    pub(super) second_deployment: bool,
}

use OnCommand::{AcknowledgedOnly, Real, Refused, ReportedOnly, Stuck, Unreported};
use Phase::{Active, Building};

/// A platform that does what it is told.
const TRUTHFUL: PlatformRow = PlatformRow {
    slug: "truthful",
    phase: Active,
    stop: Real,
    remove: Real,
    cancel: Real,
    builds_hang: false,
    revive: None,
    draining_ignored: false,
    report_delay_ms: 0,
    second_deployment: false,
};

const fn stop(slug: &'static str, stop: OnCommand, remove: OnCommand) -> PlatformRow {
    PlatformRow {
        slug,
        stop,
        remove,
        ..TRUTHFUL
    }
}

const fn build(slug: &'static str, cancel: OnCommand, builds_hang: bool) -> PlatformRow {
    PlatformRow {
        slug,
        phase: Building,
        cancel,
        builds_hang,
        ..TRUTHFUL
    }
}

const fn revive(slug: &'static str, by: Reviver, times: Option<u32>) -> PlatformRow {
    PlatformRow {
        slug,
        revive: Some((by, times)),
        ..TRUTHFUL
    }
}

/// How the platform itself behaves.
pub(super) const PLATFORM: &[PlatformRow] = &[
    TRUTHFUL,
    stop("stop-acknowledged", AcknowledgedOnly, Real),
    stop("stop-unreported", Unreported, Real),
    stop("stop-reported", ReportedOnly, Real),
    stop("stop-stuck", Stuck, Real),
    stop("stop-refused", Refused, Real),
    stop("remove-acknowledged", AcknowledgedOnly, AcknowledgedOnly),
    stop("remove-unreported", AcknowledgedOnly, Unreported),
    stop("remove-zombie", AcknowledgedOnly, ReportedOnly),
    stop("remove-stuck", AcknowledgedOnly, Stuck),
    stop("remove-refused", AcknowledgedOnly, Refused),
    stop("both-refused", Refused, Refused),
    stop("unreported-then-zombie", Unreported, ReportedOnly),
    stop("unreported-then-refused", Unreported, Refused),
    stop("both-reported", ReportedOnly, ReportedOnly),
    stop("refused-then-unreported", Refused, Unreported),
    build("build", Real, true),
    build("build-goes-on", Real, false),
    build("cancel-acknowledged", AcknowledgedOnly, true),
    build("cancel-acknowledged-goes-on", AcknowledgedOnly, false),
    build("cancel-unreported", Unreported, true),
    build("cancel-reported-goes-on", ReportedOnly, false),
    build("cancel-stuck", Stuck, true),
    build("cancel-refused", Refused, true),
    build("cancel-refused-goes-on", Refused, false),
    revive("autodeploy-once", Reviver::AutoDeploy, Some(1)),
    revive("autodeploy-3", Reviver::AutoDeploy, Some(3)),
    revive("autodeploy-for-ever", Reviver::AutoDeploy, None),
    revive("platform-once", Reviver::Platform, Some(1)),
    revive("platform-3", Reviver::Platform, Some(3)),
    revive("platform-for-ever", Reviver::Platform, None),
    revive("restart-once", Reviver::Restart, Some(1)),
    revive("restart-3", Reviver::Restart, Some(3)),
    revive("restart-for-ever", Reviver::Restart, None),
    PlatformRow {
        slug: "draining-ignored",
        draining_ignored: true,
        ..TRUTHFUL
    },
    PlatformRow {
        slug: "report-late",
        report_delay_ms: 15_000,
        ..TRUTHFUL
    },
    PlatformRow {
        slug: "second-deployment",
        second_deployment: true,
        ..TRUTHFUL
    },
];

impl PlatformRow {
    /// As the loopback platform takes it.
    pub(super) fn faults(&self) -> Faults {
        Faults {
            stop: self.stop,
            remove: self.remove,
            cancel: self.cancel,
            builds_hang: self.builds_hang,
            revive: self.revive.map(|(by, times)| Revive { by, times }),
            draining_ignored: self.draining_ignored,
            report_delay_ms: self.report_delay_ms,
            second_deployment: self.second_deployment,
            ..Faults::default()
        }
    }
}

/// A row of the network's axis: one fault, of which requests, how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NetworkRow {
    pub(super) slug: &'static str,
    pub(super) fault: Option<Fault>,
    /// GraphQL operations that it befalls; none = all.
    pub(super) operations: &'static [&'static str],
    /// How many requests; `None` = every one.
    pub(super) times: Option<u32>,
}

/// What befalls a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Hang,
    Slow,
    Drop,
    Reset,
    Status(u16),
    /// With `Retry-After`, seconds.
    RateLimited(u64),
    Redirect,
    Garbage,
    Empty,
    Truncated,
    /// Milliseconds a byte.
    SlowBody(u64),
    HugeBody,
    NoData,
    PartialErrors,
    UnknownStatus,
    UnknownFields,
    NotAuthorized,
    TokenNotFound,
    ProblemProcessing,
    ClockSkew,
}

/// A fault of a few requests: more than one retry deals with, less than a deadline has.
const FEW: Option<u32> = Some(3);
const EVER: Option<u32> = None;
/// The slow network of the benches (milliseconds).
const SLOW_MS: u64 = 50;
/// A clock that is wrong by a day (seconds).
const DAY_SECS: i64 = 86_400;

const fn all(slug: &'static str, fault: Fault, times: Option<u32>) -> NetworkRow {
    NetworkRow {
        slug,
        fault: Some(fault),
        operations: &[],
        times,
    }
}

const fn only(
    slug: &'static str,
    fault: Fault,
    operations: &'static [&'static str],
    times: Option<u32>,
) -> NetworkRow {
    NetworkRow {
        slug,
        fault: Some(fault),
        operations,
        times,
    }
}

/// What lies between the kill and the platform.
pub(super) const NETWORK: &[NetworkRow] = &[
    NetworkRow {
        slug: "clean",
        fault: None,
        operations: &[],
        times: EVER,
    },
    all("slow", Fault::Slow, EVER),
    all("clock-wrong", Fault::ClockSkew, EVER),
    all("unknown-fields", Fault::UnknownFields, EVER),
    all("hang-few", Fault::Hang, FEW),
    all("drop-few", Fault::Drop, FEW),
    all("reset-few", Fault::Reset, FEW),
    all("status-500-few", Fault::Status(500), FEW),
    all("status-503-few", Fault::Status(503), FEW),
    all("rate-limit-few", Fault::RateLimited(1), FEW),
    all("redirect-few", Fault::Redirect, FEW),
    all("garbage-few", Fault::Garbage, FEW),
    all("empty-few", Fault::Empty, FEW),
    all("truncated-few", Fault::Truncated, FEW),
    all("huge-few", Fault::HugeBody, FEW),
    all("no-data-few", Fault::NoData, FEW),
    all("partial-few", Fault::PartialErrors, FEW),
    all("unknown-status-few", Fault::UnknownStatus, FEW),
    all("problem-few", Fault::ProblemProcessing, FEW),
    all("not-authorized-few", Fault::NotAuthorized, FEW),
    all("hang", Fault::Hang, EVER),
    all("drop", Fault::Drop, EVER),
    all("status-500", Fault::Status(500), EVER),
    all("rate-limit-hour", Fault::RateLimited(3_600), EVER),
    all("redirect", Fault::Redirect, EVER),
    all("garbage", Fault::Garbage, EVER),
    all("slow-body", Fault::SlowBody(200), EVER),
    all("no-data", Fault::NoData, EVER),
    all("partial", Fault::PartialErrors, EVER),
    all("unknown-status", Fault::UnknownStatus, EVER),
    all("not-authorized", Fault::NotAuthorized, EVER),
    all("token-not-found", Fault::TokenNotFound, EVER),
    only("stop-hangs", Fault::Hang, &["deploymentStop"], EVER),
    only(
        "stop-not-authorized",
        Fault::NotAuthorized,
        &["deploymentStop"],
        EVER,
    ),
    only("list-hangs", Fault::Hang, &["deployments"], EVER),
    only("list-hangs-few", Fault::Hang, &["deployments"], FEW),
    only("freeze-dropped", Fault::Drop, &["variableUpsert"], EVER),
    only(
        "autodeploy-problem",
        Fault::ProblemProcessing,
        &["serviceInstanceAutoDeployUpdate"],
        EVER,
    ),
];

impl NetworkRow {
    /// As the loopback platform takes it.
    pub(super) fn faults(&self) -> Vec<NetworkFault> {
        let Some(fault) = self.fault else {
            return Vec::new();
        };
        vec![NetworkFault {
            kind: kind(fault),
            operations: self.operations.iter().map(ToString::to_string).collect(),
            times: self.times,
        }]
    }
}

fn kind(fault: Fault) -> NetworkKind {
    match fault {
        Fault::Hang => NetworkKind::Hang,
        Fault::Slow => NetworkKind::Slow { ms: SLOW_MS },
        Fault::Drop => NetworkKind::DropConnection,
        Fault::Reset => NetworkKind::Reset,
        Fault::Status(code) => NetworkKind::Status {
            code,
            retry_after_secs: None,
        },
        Fault::RateLimited(secs) => NetworkKind::RateLimited {
            retry_after_secs: secs,
        },
        Fault::Redirect => NetworkKind::Redirect {
            location: "https://railway.example/login".to_owned(),
        },
        Fault::Garbage => NetworkKind::Garbage,
        Fault::Empty => NetworkKind::EmptyBody,
        Fault::Truncated => NetworkKind::TruncatedBody,
        Fault::SlowBody(ms_per_byte) => NetworkKind::SlowBody { ms_per_byte },
        Fault::HugeBody => NetworkKind::HugeBody,
        Fault::NoData => NetworkKind::NoData,
        Fault::PartialErrors => NetworkKind::PartialErrors,
        Fault::UnknownStatus => NetworkKind::UnknownStatus,
        Fault::UnknownFields => NetworkKind::UnknownFields,
        Fault::NotAuthorized => NetworkKind::NotAuthorized,
        Fault::TokenNotFound => NetworkKind::TokenNotFound,
        Fault::ProblemProcessing => NetworkKind::ProblemProcessing,
        Fault::ClockSkew => NetworkKind::ClockSkew { secs: DAY_SECS },
    }
}

/// A row of the trader's axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TraderRow {
    pub(super) slug: &'static str,
    pub(super) behaviour: Behaviour,
    /// Whether the kill file tells its address.
    pub(super) is_known: bool,
    /// SIGSTOP before the kill: it lives, its socket is open, nothing answers.
    pub(super) is_hung: bool,
    /// `launch trade --mode paper` instead of a stand-in.
    pub(super) is_real: bool,
}

const fn trader(slug: &'static str, behaviour: Behaviour) -> TraderRow {
    TraderRow {
        slug,
        behaviour,
        is_known: true,
        is_hung: false,
        is_real: false,
    }
}

/// The trader, and what the kill knows of it.
pub(super) const TRADER: &[TraderRow] = &[
    trader("answers", Behaviour::Honest),
    TraderRow {
        is_known: false,
        ..trader("unknown", Behaviour::Honest)
    },
    TraderRow {
        is_hung: true,
        ..trader("hung", Behaviour::Honest)
    },
    trader("stubborn", Behaviour::Stubborn),
    trader("refuses", Behaviour::Refuses),
    trader("foreign", Behaviour::Foreign),
    trader("forgets", Behaviour::Forgets),
    TraderRow {
        is_known: false,
        ..trader("unknown-stubborn", Behaviour::Stubborn)
    },
    TraderRow {
        is_real: true,
        ..trader("real", Behaviour::Honest)
    },
    TraderRow {
        is_real: true,
        is_hung: true,
        ..trader("real-hung", Behaviour::Honest)
    },
];

/// Rows at the ends of the axes of traders, of witnesses and of circumstances that are the real programs:
/// slow, so only chosen combinations have them.
pub(super) const REAL_ROWS: [usize; 3] = [2, 1, 1];

/// A row of the witness's axis: the watchdog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WitnessRow {
    pub(super) slug: &'static str,
    pub(super) watchdog: Watchdog,
}

/// How the watchdog takes a revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Watchdog {
    /// There is none.
    None,
    /// Frozen; its last lease ends soon.
    Revokes,
    /// Answers without saying that it is frozen.
    Vague,
    /// Takes the connection and never answers.
    Hangs,
    /// Refuses the token.
    Refuses,
    /// `launch watchdog` itself.
    Real,
}

/// The witness.
pub(super) const WITNESS: &[WitnessRow] = &[
    WitnessRow {
        slug: "no-watchdog",
        watchdog: Watchdog::None,
    },
    WitnessRow {
        slug: "watchdog",
        watchdog: Watchdog::Revokes,
    },
    WitnessRow {
        slug: "watchdog-vague",
        watchdog: Watchdog::Vague,
    },
    WitnessRow {
        slug: "watchdog-hangs",
        watchdog: Watchdog::Hangs,
    },
    WitnessRow {
        slug: "watchdog-refuses",
        watchdog: Watchdog::Refuses,
    },
    WitnessRow {
        slug: "real-watchdog",
        watchdog: Watchdog::Real,
    },
];

/// A row of the target's axis: what the kill file calls the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TargetRow {
    pub(super) slug: &'static str,
    /// On this machine: the kill may look at processes, and end them.
    pub(super) is_local: bool,
}

/// The target.
pub(super) const TARGET: &[TargetRow] = &[
    TargetRow {
        slug: "railway",
        is_local: false,
    },
    TargetRow {
        slug: "local",
        is_local: true,
    },
];

/// A row of the circumstances' axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MomentRow {
    pub(super) slug: &'static str,
    pub(super) kills: u8,
    /// The platform ends and comes back in the middle of the kill.
    pub(super) restarts: bool,
    /// `--revoke-venue-key`.
    pub(super) revokes_key: bool,
    /// `launch kill` as a process of its own, at its real pace.
    pub(super) is_binary: bool,
}

const ONCE: MomentRow = MomentRow {
    slug: "once",
    kills: 1,
    restarts: false,
    revokes_key: false,
    is_binary: false,
};

/// The circumstances.
pub(super) const MOMENT: &[MomentRow] = &[
    ONCE,
    MomentRow {
        slug: "two-kills",
        kills: 2,
        ..ONCE
    },
    MomentRow {
        slug: "platform-restarts",
        restarts: true,
        ..ONCE
    },
    MomentRow {
        slug: "revokes-key",
        revokes_key: true,
        ..ONCE
    },
    MomentRow {
        slug: "binary",
        is_binary: true,
        ..ONCE
    },
];

/// What the axes are called, in their order.
pub(super) const AXIS_NAMES: [&str; 7] = [
    "platform", "network", "trader", "witness", "venue", "target", "moment",
];
