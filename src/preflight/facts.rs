//! Gathers every fact that the selected checks read, each once and side by side.
//!
//! A fact that was not asked for, or could not be seen, is missing with its reason. The clock is read
//! once, after everything was seen.

use super::documents::{self, Documents};
use super::policy::{self, SeenPolicy};
use super::progress::Progress;
use super::project::{Project, Unusable};
use super::tests_run::{self, NoRun};
use super::{Request, dry_run, model_evidence, target};
use crate::clock;
use crate::repo::{Repo, RepoError, remote_facts};
use launch_checks::targets::{Class, Platform, Pushed};
use launch_checks::{
    CheckResult, Code, EnvFacts, Fact, FactKey, Facts, Missing, Severity, TABLE, TestFacts,
    severity,
};
use launch_kill::StateDir;
use std::collections::BTreeMap;
use std::path::Path;

const TREE_SOURCE: &str = "the disk and HEAD";
const REMOTE_SOURCE: &str = "git ls-remote";
const HEAD_SOURCE: &str = "the blobs of HEAD";
const POLICY_SOURCE: &str = "the blobs of HEAD or of the base branch";
const TESTS_SOURCE: &str = "the evidence kept in the state directory";
const TARGET_SOURCE: &str = "the target's platform";
const RECORDINGS_SOURCE: &str = "the recordings that launch.toml names";
const DRY_RUN_SOURCE: &str = "the trader as a child process on an export of HEAD";

fn now_ms() -> i64 {
    clock::now().as_millisecond()
}

/// Sees a fact: the clock first, so that its age is never understated.
fn see<T>(source: &str, look: impl FnOnce() -> Result<T, Missing>) -> Fact<T> {
    let at = now_ms();
    Fact {
        value: look(),
        source: source.to_owned(),
        observed_at_ms: at,
    }
}

/// All facts of one run. What only known results read is not gathered again.
///
/// # Errors
/// The operator interrupted the tests.
pub(super) fn gather(
    project: &Project,
    request: &Request<'_>,
    known: &BTreeMap<Code, CheckResult>,
    policy: SeenPolicy,
    state: &StateDir,
    progress: &Progress,
) -> Result<Facts, Unusable> {
    let env = policy.env;
    let policy = Fact {
        value: policy.policy,
        source: POLICY_SOURCE.to_owned(),
        observed_at_ms: policy.seen_at_ms,
    };
    let broken_files = see(HEAD_SOURCE, || Ok(policy::broken(project)));
    let asked = |key: FactKey| {
        TABLE.iter().any(|row| {
            request.selection.holds(row.code)
                && !known.contains_key(&row.code)
                && severity(row.code, &env) != Severity::NotApplicable
                && row.reads.contains(&key)
        })
    };
    let not_asked = || Missing::new("not asked for");
    let ask_target = asked(FactKey::Target);
    let ask_recordings = asked(FactKey::ModelEvidence);
    let (ask_tree, ask_remote, ask_dry_run) = (
        asked(FactKey::Tree),
        asked(FactKey::Remote),
        asked(FactKey::DryRun),
    );
    // First, because it may take long: everything else should be as fresh as it can be.
    let tests = tests(project, request, state, progress, asked(FactKey::Tests))?;
    progress.say("comparing the disk with HEAD, asking the remote, rehearsing the trader");

    let read_at = now_ms();
    let documents = documents::read(project);
    // libgit2's handle stays on this thread; the others open the repository for themselves.
    let (top, commit) = (project.repo.top(), project.repo.commit());
    let deploy_from = &project.targets.repo;
    let goes_to = (project.env.as_str(), &project.target);
    let targets = &project.targets;
    let declared = documents::declared(&documents);
    std::thread::scope(|scope| {
        let tree = scope.spawn(|| {
            see(TREE_SOURCE, || {
                if !ask_tree {
                    return Err(not_asked());
                }
                again(top, &commit)?
                    .work_tree()
                    .map_err(|error| error.missing())
            })
        });
        let remote = scope.spawn(|| {
            see(REMOTE_SOURCE, || {
                if !ask_remote {
                    return Err(not_asked());
                }
                if request.offline {
                    return Err(Missing::new("--offline: the live remote was not asked")
                        .help("run it again without --offline"));
                }
                let repo = again(top, &commit)?;
                remote_facts(&repo, &deploy_from.remote, &deploy_from.branch, env.pushed)
            })
        });
        // In a thread of its own: whoever judges may stand in a runtime already.
        let target = scope.spawn(|| {
            see(TARGET_SOURCE, || {
                if !ask_target {
                    return Err(not_asked());
                }
                if request.offline && env.platform == Platform::Railway {
                    return Err(Missing::new("--offline: the platform was not asked")
                        .help("run it again without --offline"));
                }
                target::look(goes_to, top, &deploy_from.branch, state.root())
            })
        });
        let recordings = scope.spawn(|| {
            see(RECORDINGS_SOURCE, || {
                if !ask_recordings {
                    return Err(not_asked());
                }
                model_evidence::read(targets, top)
            })
        });
        let dry_run = see(DRY_RUN_SOURCE, || {
            if !ask_dry_run {
                return Err(not_asked());
            }
            let Some(declared) = &declared else {
                return Err(Missing::new(
                    "manifest or strategies are not valid, so nothing ran",
                ));
            };
            dry_run::run(project, declared)
        });
        let Documents {
            manifest,
            strategies,
            files,
        } = documents;
        let from_head = |at| (HEAD_SOURCE.to_owned(), at);
        let (source, observed_at_ms) = from_head(read_at);
        let tree = tree.join().unwrap_or_else(|_| broke_down(TREE_SOURCE));
        let remote = remote.join().unwrap_or_else(|_| broke_down(REMOTE_SOURCE));
        let target = target.join().unwrap_or_else(|_| broke_down(TARGET_SOURCE));
        let model_evidence = recordings
            .join()
            .unwrap_or_else(|_| broke_down(RECORDINGS_SOURCE));
        Ok(Facts {
            env: env.clone(),
            tree,
            remote,
            files: Fact {
                value: files,
                source: source.clone(),
                observed_at_ms,
            },
            manifest: Fact {
                value: manifest,
                source: source.clone(),
                observed_at_ms,
            },
            strategies: Fact {
                value: strategies,
                source,
                observed_at_ms,
            },
            dry_run,
            policy,
            broken_files,
            tests,
            target,
            model_evidence,
            now_ms: now_ms(),
        })
    })
}

/// Whether the declared tests passed, after running them where that was asked for.
fn tests(
    project: &Project,
    request: &Request<'_>,
    state: &StateDir,
    progress: &Progress,
    asked: bool,
) -> Result<Fact<TestFacts>, Unusable> {
    let missing = |why| Ok(Fact::missing(why, TESTS_SOURCE, now_ms()));
    if !asked {
        return missing(Missing::new("not asked for"));
    }
    if request.run_tests {
        progress.say("running the declared tests on an export of HEAD");
        match tests_run::run(project, state) {
            Ok(()) => {}
            Err(NoRun::Interrupted) => return Err(Unusable::Interrupted),
            Err(NoRun::Missing(why)) => return missing(why),
        }
    }
    Ok(see(TESTS_SOURCE, || tests_run::read(project, state)))
}

/// The repository once more for another thread, which must find the same HEAD.
fn again(top: &Path, commit: &str) -> Result<Repo, Missing> {
    let repo = Repo::discover(top).map_err(|error| error.missing())?;
    if repo.commit() == commit {
        Ok(repo)
    } else {
        Err(Missing::new("HEAD moved while it was judged").help("run it again"))
    }
}

fn broke_down<T>(source: &str) -> Fact<T> {
    let why = Missing::new("gathering it broke down (a bug in launch)");
    Fact::missing(why, source, now_ms())
}

/// Facts of a repository that nothing can be said about.
pub(super) fn nothing_seen(env: &str, error: &RepoError) -> Facts {
    let missing = error.missing();
    let now = now_ms();
    let Documents {
        manifest,
        strategies,
        files,
    } = Documents::unseen(&missing);
    let head = |source: &str| (source.to_owned(), now);
    let (source, observed_at_ms) = head(HEAD_SOURCE);
    Facts {
        now_ms: now,
        // Without launch.toml the class is not known; with every fact missing none of them could
        // pass, whichever it is.
        env: EnvFacts {
            name: env.to_owned(),
            class: Class::Local,
            platform: Platform::Local,
            pushed: Pushed::Tip,
            advisory: Vec::new(),
        },
        tree: Fact::missing(missing.clone(), TREE_SOURCE, now),
        remote: Fact::missing(missing.clone(), REMOTE_SOURCE, now),
        files: Fact {
            value: files,
            source: source.clone(),
            observed_at_ms,
        },
        manifest: Fact {
            value: manifest,
            source: source.clone(),
            observed_at_ms,
        },
        strategies: Fact {
            value: strategies,
            source,
            observed_at_ms,
        },
        dry_run: Fact::missing(missing.clone(), DRY_RUN_SOURCE, now),
        policy: Fact::missing(missing.clone(), POLICY_SOURCE, now),
        broken_files: Fact::missing(missing.clone(), HEAD_SOURCE, now),
        tests: Fact::missing(missing.clone(), TESTS_SOURCE, now),
        target: Fact::missing(missing.clone(), TARGET_SOURCE, now),
        model_evidence: Fact::missing(missing, RECORDINGS_SOURCE, now),
    }
}
