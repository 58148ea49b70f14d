//! The exit codes: part of the public interface, one table, never reused.
//!
//! Scripts and CI rely on these numbers. Nothing here decides; commands return one of them.

use std::process::ExitCode;

/// How a `launch` command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: the command did what it says.
    Ok,
    /// 1: a check failed.
    CheckFailed,
    /// 2: wrong usage, or `launch.toml` or the environment is unusable.
    Usage,
    /// 3: unknown or unreachable: nothing is proved.
    Unknown,
    /// 4: the deploy lock is held, or the environment is frozen.
    Locked,
    /// 5: the plan is stale, used, or changed.
    PlanStale,
    /// 6: deployed, not verified, stopped again.
    DeployedNotVerified,
    /// 7: the kill is not verified: something may still run.
    KillNotVerified,
    /// 8: deployed, not verified, and the stop is not verified either.
    StopNotVerified,
    /// 70: a bug in `launch`.
    Bug,
    /// 130: interrupted by the operator.
    Interrupted,
}

impl Exit {
    /// The documented number.
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::CheckFailed => 1,
            Self::Usage => 2,
            Self::Unknown => 3,
            Self::Locked => 4,
            Self::PlanStale => 5,
            Self::DeployedNotVerified => 6,
            Self::KillNotVerified => 7,
            Self::StopNotVerified => 8,
            Self::Bug => 70,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
