//! Everything that a check may look at, gathered once before any check runs.
//!
//! A fact is a value or the reason why there is none, with where it was seen and when. Must not be
//! filled by checks and must not decide anything: gathering lives in `launch`, judging in the checks.

mod documents;
mod dry_run;
mod git;
mod model_evidence;
mod policy;
mod target;
mod tests;

pub use documents::{Loaded, ManifestDocument, StrategyDocument};
pub use dry_run::{DryRun, DryRunEnd, Replayed};
pub use git::{
    CommitFiles, Difference, DifferenceKind, Found, LiveRemote, NamedPath, RemoteFacts,
    SubmodulePush, TreeFacts,
};
pub use model_evidence::{ModelEvidence, RecordingFact, Unread};
pub use policy::{BrokenFile, Policy};
pub use target::{AskFailed, ServicePlace, TargetFacts, TokenBelongs};
pub use tests::{TestEnd, TestEvidence, TestFacts};

use crate::outcome::{Finding, Outcome};
use crate::targets::{Class, Platform, Pushed};

/// One fact: its value or why it is missing, where it comes from and when it was seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact<T> {
    /// The value, or why there is none.
    pub value: Result<T, Missing>,
    /// Where it comes from, as a person would say it ("disk and HEAD", "git ls-remote origin").
    pub source: String,
    /// When it was seen, ms since the Unix epoch.
    pub observed_at_ms: i64,
}

/// Why a fact is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What was in the way, as a fragment ("git is not installed").
    pub why: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Missing {
    /// Says what was in the way.
    pub fn new(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            help: None,
        }
    }

    /// Says what to do about it.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl<T> Fact<T> {
    /// A fact that was seen.
    pub fn known(value: T, source: impl Into<String>, observed_at_ms: i64) -> Self {
        Self {
            value: Ok(value),
            source: source.into(),
            observed_at_ms,
        }
    }

    /// A fact that could not be seen.
    pub fn missing(why: Missing, source: impl Into<String>, observed_at_ms: i64) -> Self {
        Self {
            value: Err(why),
            source: source.into(),
            observed_at_ms,
        }
    }

    /// The value, or the `unknown` outcome that a check returns without it.
    pub(crate) fn get(&self) -> Result<&T, Outcome> {
        self.value.as_ref().map_err(|missing| {
            let mut finding = Finding::new(&missing.why).evidence("source", self.source.as_str());
            finding.help.clone_from(&missing.help);
            finding.unknown()
        })
    }
}

/// Takes a fact's value or ends the check as unknown.
macro_rules! known {
    ($fact:expr) => {
        match $fact.get() {
            Ok(value) => value,
            Err(unknown) => return unknown,
        }
    };
}
pub(crate) use known;

/// The environment that is judged, from `launch.toml` of HEAD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvFacts {
    /// Its name in `launch.toml`.
    pub name: String,
    /// What stands behind it.
    pub class: Class,
    /// Where the trader's process runs.
    pub platform: Platform,
    /// What "pushed" means here.
    pub pushed: Pushed,
    /// Codes that only advise here, as `launch.toml` writes them.
    pub advisory: Vec<String>,
}

/// Names a fact, so that a row can say what its check reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FactKey {
    /// [`Facts::tree`].
    Tree,
    /// [`Facts::remote`].
    Remote,
    /// [`Facts::files`].
    Files,
    /// [`Facts::manifest`].
    Manifest,
    /// [`Facts::strategies`].
    Strategies,
    /// [`Facts::dry_run`].
    DryRun,
    /// [`Facts::policy`].
    Policy,
    /// [`Facts::tests`].
    Tests,
    /// [`Facts::broken_files`].
    BrokenFiles,
    /// [`Facts::target`].
    Target,
    /// [`Facts::model_evidence`].
    ModelEvidence,
}

impl FactKey {
    /// Whether the fact is the same whenever the same program looks at the same commit for the same
    /// environment. A key that is not named here can change at any time.
    pub const fn is_of_head(self) -> bool {
        matches!(
            self,
            Self::Files | Self::Manifest | Self::Strategies | Self::DryRun | Self::BrokenFiles
        )
    }
}

/// All facts of one run.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The clock, read once after everything was gathered, ms since the Unix epoch.
    pub now_ms: i64,
    /// The environment that is judged.
    pub env: EnvFacts,
    /// Disk against HEAD.
    pub tree: Fact<TreeFacts>,
    /// The live deploy remote.
    pub remote: Fact<RemoteFacts>,
    /// Every path that targets, manifest and strategies name.
    pub files: Fact<CommitFiles>,
    /// The environment's manifest, as HEAD has it.
    pub manifest: Fact<ManifestDocument>,
    /// Every strategy file of HEAD.
    pub strategies: Fact<Vec<StrategyDocument>>,
    /// The trader as a child process on an export of HEAD.
    pub dry_run: Fact<DryRun>,
    /// What people have approved, from HEAD or the base branch.
    pub policy: Fact<Policy>,
    /// Whether the declared tests passed on HEAD's tree.
    pub tests: Fact<TestFacts>,
    /// Files of policy that HEAD has and that are not valid.
    pub broken_files: Fact<Vec<BrokenFile>>,
    /// The place that a deploy goes to.
    pub target: Fact<TargetFacts>,
    /// The recordings that the model is judged on.
    pub model_evidence: Fact<ModelEvidence>,
}

impl Facts {
    /// When the named fact was seen, ms since the Unix epoch.
    pub const fn observed_at_ms(&self, key: FactKey) -> i64 {
        match key {
            FactKey::Tree => self.tree.observed_at_ms,
            FactKey::Remote => self.remote.observed_at_ms,
            FactKey::Files => self.files.observed_at_ms,
            FactKey::Manifest => self.manifest.observed_at_ms,
            FactKey::Strategies => self.strategies.observed_at_ms,
            FactKey::DryRun => self.dry_run.observed_at_ms,
            FactKey::Policy => self.policy.observed_at_ms,
            FactKey::Tests => self.tests.observed_at_ms,
            FactKey::BrokenFiles => self.broken_files.observed_at_ms,
            FactKey::Target => self.target.observed_at_ms,
            FactKey::ModelEvidence => self.model_evidence.observed_at_ms,
        }
    }

    /// Age of the oldest of the named facts, ms; `None` for a check that reads none.
    pub fn age_ms(&self, keys: &[FactKey]) -> Option<u64> {
        keys.iter()
            .map(|key| self.now_ms.saturating_sub(self.observed_at_ms(*key)))
            .max()
            .map(|age| u64::try_from(age).unwrap_or(0))
    }
}
