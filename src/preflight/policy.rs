//! The policy that HEAD is judged by, read from blobs: HEAD's own, or on a pull request the base's.

use super::base::{self, Base};
use super::documents::mistakes;
use super::head_files::HeadFiles;
use super::project::Project;
use crate::clock;
use crate::repo::Repo;
use crate::source::{self, Code, Diagnostic, Files as _};
use launch_checks::files::approved_limits::APPROVED_LIMITS_PATH;
use launch_checks::files::check_set::{CHECK_SET_PATH, CheckSet};
use launch_checks::files::waivers::WAIVERS_PATH;
use launch_checks::targets::{TARGETS_PATH, Target};
use launch_checks::{BrokenFile, EnvFacts, Loaded, Missing, Policy};

/// The files of the policy's commit.
struct PolicyFiles<'a> {
    repo: &'a Repo,
    base: &'a Base,
}

impl PolicyFiles<'_> {
    /// The file, read; `NotInCommit` where there is none.
    fn loaded<T>(
        &self,
        path: &str,
        read: impl Fn(&[u8]) -> Result<T, Vec<Diagnostic>>,
    ) -> Loaded<T> {
        let bytes = match self.bytes(path) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => {
                return Loaded::NotInCommit {
                    on_disk: *self.base == Base::Head
                        && self.repo.top().join(path).symlink_metadata().is_ok(),
                };
            }
            Err(problem) => {
                return Loaded::Refused {
                    diagnostics: mistakes(&[problem]),
                };
            }
        };
        match read(&bytes) {
            Ok(value) => Loaded::Valid(value),
            Err(problems) => Loaded::Refused {
                diagnostics: mistakes(&problems),
            },
        }
    }

    fn bytes(&self, path: &str) -> Result<Option<Vec<u8>>, Diagnostic> {
        match self.base {
            Base::Head => match HeadFiles(self.repo).read(path) {
                Ok(bytes) => Ok(Some(bytes)),
                Err(problem) if problem.code == Code::Missing => Ok(None),
                Err(problem) => Err(problem),
            },
            Base::Commit { commit, .. } => self
                .repo
                .blob_at(commit, path)
                .map_err(|error| Diagnostic::error(Code::Unreadable, path, error.to_string())),
        }
    }
}

/// The policy, and the environment as that policy has it.
pub(super) struct SeenPolicy {
    pub(super) policy: Result<Policy, Missing>,
    pub(super) env: EnvFacts,
    /// When it was read, ms since the Unix epoch.
    pub(super) seen_at_ms: i64,
    from_head: bool,
}

impl SeenPolicy {
    /// Whether nothing but HEAD has a say: no base, and no waiver whose time passes.
    pub(super) fn is_heads_alone(&self) -> bool {
        let waived = self.policy.as_ref().is_ok_and(
            |policy| matches!(&policy.waivers, Loaded::Valid(file) if !file.waiver.is_empty()),
        );
        self.from_head && !waived
    }
}

/// Reads it: from HEAD, or from the base that was named or that the event names.
pub(super) fn read(project: &Project, flag: Option<&str>) -> SeenPolicy {
    let seen_at_ms = clock::now().as_millisecond();
    let mut env = project.env_facts();
    let base = match base::of(project, flag) {
        Ok(base) => base,
        Err(missing) => {
            // Nobody can be asked what may only advise here.
            env.advisory.clear();
            return SeenPolicy {
                policy: Err(missing),
                env,
                seen_at_ms,
                from_head: false,
            };
        }
    };
    let files = PolicyFiles {
        repo: &project.repo,
        base: &base,
    };
    if base != Base::Head {
        let target = target_of(&files, &project.env);
        env.advisory = target
            .as_ref()
            .map(|target| target.advisory.clone())
            .unwrap_or_default();
        // A change may make its environment stricter, never laxer.
        if let Some(target) = target {
            env.class = env.class.max(target.class);
        }
    }
    SeenPolicy {
        policy: policy(&files),
        env,
        seen_at_ms,
        from_head: base == Base::Head,
    }
}

fn target_of(files: &PolicyFiles<'_>, env: &str) -> Option<Target> {
    let bytes = files.bytes(TARGETS_PATH).ok()??;
    let targets = source::load_targets(TARGETS_PATH, &bytes).ok()?.value;
    targets.env.get(env).cloned()
}

fn policy(files: &PolicyFiles<'_>) -> Result<Policy, Missing> {
    let check_set = match files.base {
        Base::Head => None,
        Base::Commit { .. } => files
            .bytes(CHECK_SET_PATH)
            .map_err(|problem| Missing::new(problem.one_line()))?
            .map(|bytes| {
                serde_json::from_slice::<CheckSet>(&bytes).map_err(|error| {
                    Missing::new(format!(
                        "{CHECK_SET_PATH} of {} cannot be read: {error}",
                        files.base.shown()
                    ))
                })
            })
            .transpose()?,
    };
    Ok(Policy {
        read_from: files.base.shown(),
        approved: files.loaded(APPROVED_LIMITS_PATH, |bytes| {
            source::load_approved_limits(APPROVED_LIMITS_PATH, bytes).map(|loaded| loaded.value)
        }),
        waivers: files.loaded(WAIVERS_PATH, |bytes| {
            source::load_waivers(WAIVERS_PATH, bytes).map(|loaded| loaded.value)
        }),
        check_set,
    })
}

/// HEAD's own files of policy that are there and not valid.
pub(super) fn broken(project: &Project) -> Vec<BrokenFile> {
    let files = PolicyFiles {
        repo: &project.repo,
        base: &Base::Head,
    };
    let approved = files.loaded(APPROVED_LIMITS_PATH, |bytes| {
        source::load_approved_limits(APPROVED_LIMITS_PATH, bytes).map(drop)
    });
    let waivers = files.loaded(WAIVERS_PATH, |bytes| {
        source::load_waivers(WAIVERS_PATH, bytes).map(drop)
    });
    [(APPROVED_LIMITS_PATH, approved), (WAIVERS_PATH, waivers)]
        .into_iter()
        .filter_map(|(path, loaded)| match loaded {
            Loaded::Refused { diagnostics } => Some(BrokenFile {
                path: path.to_owned(),
                diagnostics,
            }),
            Loaded::NotInCommit { .. } | Loaded::Valid(()) => None,
        })
        .collect()
}
