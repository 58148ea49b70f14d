//! Why a deploy did not begin, or did not succeed, and the exit code of each.

use crate::exit::Exit;
use crate::plan::gather::GatherError;

/// A deploy that ended before the deploy mutation was sent: nothing of it runs.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// No plan could be made.
    #[error(transparent)]
    Gather(#[from] GatherError),
    /// A check failed, or the state of things does not allow a deploy (exit 1).
    #[error("{0}")]
    Failed(String),
    /// Something could not be seen (exit 3).
    #[error("{0}")]
    Unknown(String),
    /// Wrong usage (exit 2).
    #[error("{0}")]
    Usage(String),
    /// Lock held or environment frozen (exit 4).
    #[error("{0}")]
    Locked(String),
    /// The plan is stale, used or changed (exit 5).
    #[error("{0}")]
    Stale(String),
}

impl Refusal {
    /// The documented exit code.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Gather(error) => error.exit(),
            Self::Failed(_) => Exit::CheckFailed,
            Self::Unknown(_) => Exit::Unknown,
            Self::Usage(_) => Exit::Usage,
            Self::Locked(_) => Exit::Locked,
            Self::Stale(_) => Exit::PlanStale,
        }
    }
}

/// A deploy that was sent and did not get as far as verified.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The platform refused the deploy itself.
    #[error("the platform refused the deploy: {0}")]
    NotAccepted(String),
    /// The answer to the deploy was lost and no deployment of this commit can be found.
    #[error(
        "the answer to the deploy was lost ({0}), and no new deployment of this commit appeared"
    )]
    NeverAppeared(String),
    /// Somebody froze the environment meanwhile.
    #[error("frozen while it was being deployed: {0}")]
    Frozen(String),
    /// A step did not come to its end.
    #[error("{step}: {why}")]
    Step {
        /// Which step.
        step: &'static str,
        /// Why not.
        why: String,
    },
    /// The operator or the machine ended the command.
    #[error("interrupted ({0})")]
    Interrupted(&'static str),
}

/// A failure of a step, for `map_err`.
pub fn at<E: ToString>(step: &'static str) -> impl Fn(E) -> Failure {
    move |why| Failure::Step {
        step,
        why: why.to_string(),
    }
}
