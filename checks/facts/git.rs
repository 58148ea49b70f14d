//! What was seen of the repository, its disk and its live remote. Pure data; `launch` gathers it.

use crate::targets::Pushed;

/// Disk against HEAD, by content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TreeFacts {
    /// HEAD's commit id, 40 hex digits.
    pub commit: String,
    /// HEAD's tree id.
    pub tree: String,
    /// The checked-out branch; `None` when HEAD is detached.
    pub branch: Option<String>,
    /// Files of HEAD that were compared byte by byte.
    pub compared: usize,
    /// Everything that is not as HEAD says, up to a bound.
    pub differences: Vec<Difference>,
    /// Differences past the bound.
    pub more: usize,
    /// What kept part of the tree from being seen (another git at work, a file that cannot be
    /// read): with any of these and no difference, nothing is proved.
    pub unseen: Vec<String>,
    /// Things worth knowing that are not wrong (stashes, line ends that normalise).
    pub notes: Vec<String>,
}

/// One way in which the disk is not HEAD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What kind.
    pub kind: DifferenceKind,
    /// The path from the top of the work tree; empty where the difference has none.
    pub path: String,
    /// What was seen, beyond the kind.
    pub detail: String,
}

/// How a path differs from HEAD.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DifferenceKind {
    /// A merge, rebase, bisect, cherry-pick or revert is in progress.
    Operation,
    /// The index holds unmerged versions.
    Conflict,
    /// Content differs.
    Modified,
    /// In HEAD, not on disk.
    Missing,
    /// File, symbolic link or directory where HEAD has another of these.
    TypeChanged,
    /// The executable bit differs.
    ModeChanged,
    /// The index differs from HEAD.
    Staged,
    /// On disk, not in HEAD.
    Untracked,
    /// On disk, not in HEAD, and hidden from `git status` by a rule that is not committed.
    Hidden,
    /// A repository inside the repository that HEAD does not know as a submodule.
    EmbeddedRepo,
    /// A submodule that is absent, at another commit, or changed inside.
    Submodule,
}

impl DifferenceKind {
    /// The word before the path.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Operation => "in progress",
            Self::Conflict => "unmerged",
            Self::Modified => "modified",
            Self::Missing => "missing",
            Self::TypeChanged => "type changed",
            Self::ModeChanged => "mode changed",
            Self::Staged => "staged",
            Self::Untracked => "untracked",
            Self::Hidden => "untracked and hidden",
            Self::EmbeddedRepo => "repository inside",
            Self::Submodule => "submodule",
        }
    }
}

/// The deploy remote, asked live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteFacts {
    /// HEAD's commit id.
    pub head: String,
    /// The remote's name in `launch.toml`.
    pub remote: String,
    /// The deploy branch in `launch.toml`.
    pub branch: String,
    /// What "pushed" means for the environment.
    pub pushed: Pushed,
    /// What the remote said.
    pub live: LiveRemote,
    /// A tag of this repository that has the deploy branch's name.
    pub local_tag: bool,
    /// HEAD's submodules and whether their commits are on their own remotes.
    pub submodules: Vec<SubmodulePush>,
}

/// What the remote said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LiveRemote {
    /// This repository has no remote of that name.
    NotConfigured,
    /// The remote is this very repository: it proves nothing.
    Itself {
        /// Where it points, without credentials.
        url: String,
    },
    /// It answered.
    Answered {
        /// Its address, without credentials.
        url: String,
        /// The deploy branch's tip; `None` when it has no such branch.
        tip: Option<String>,
        /// Whether it has a tag of the deploy branch's name.
        tag: bool,
        /// Live pull, merge and queue refs that point at HEAD.
        merge_refs: Vec<String>,
        /// Whether HEAD contains the tip; `None` when that cannot be computed here (the tip is not
        /// in this clone, or history is cut by a shallow clone or a graft).
        contains_tip: Option<bool>,
        /// Commits that HEAD has and the tip has not, and the other way round, where both are here.
        ahead_behind: Option<(usize, usize)>,
    },
}

/// One submodule and its remote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmodulePush {
    /// Its path.
    pub path: String,
    /// Its commit in HEAD.
    pub commit: String,
    /// Its address, without credentials.
    pub url: String,
    /// Whether its remote has that commit, or why that cannot be seen.
    pub on_remote: Result<bool, String>,
}

/// Every path that targets, manifest and strategies name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommitFiles {
    /// The paths, each once, in order.
    pub paths: Vec<NamedPath>,
}

/// One path that must be a file of HEAD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedPath {
    /// The path as it is written.
    pub path: String,
    /// Who names it, like `manifests/launch.toml [env.staging] manifest`.
    pub named_by: String,
    /// What HEAD has there.
    pub found: Found,
}

/// What HEAD has at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A regular file.
    Blob {
        /// Its length in bytes.
        bytes: usize,
    },
    /// Nothing.
    Missing {
        /// Whether the disk has it.
        on_disk: bool,
        /// Whether a committed ignore rule keeps it out.
        ignored: bool,
    },
    /// Something that is not a regular file ("a symbolic link", "a directory", "a submodule",
    /// "a Git LFS pointer").
    NotAFile(&'static str),
    /// The path leads out of the repository.
    Outside,
}
