//! The kill of one target: starts every path at once, then waits for proof or the deadline.
//!
//! Decides nothing by itself: `assess` turns the board into evidence, `verdict` judges it.

use super::Progress;
use super::assess::{self, Frame};
use super::board::{Asked, Board, Place, WatchdogRecord};
use super::chores;
use super::local_path::LocalPath;
use super::positions_path::PositionsPath;
use super::sweep::{Scope, Sweep};
use super::trader_path::{TraderPath, Voice};
use super::venue_path::VenuePath;
use super::watchdog_path;
use crate::client::{Auth, Client};
use crate::deadline::Deadline;
use crate::endpoint::Endpoint;
use crate::freeze::Freeze;
use crate::pace::Pace;
use crate::platform::{self, ServiceIds};
use crate::report::TargetReport;
use crate::state_dir::StateDir;
use crate::targets::Target;
use crate::venue::Venue;
use crate::verdict::{Goal, Verdict, judge};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Longest pause between two looks at the board.
const TICK: Duration = Duration::from_millis(25);
/// Longest time that a chore (freeze, auto-deploy, token scope) may keep the report waiting.
const CHORE_MAX: Duration = Duration::from_secs(10);
/// One target and what is to be done about it.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) target: Target,
    pub(crate) goal: Goal,
    /// Sell first, and say here how it goes.
    pub(crate) flatten: Option<Progress>,
    /// Stop this deployment and no other.
    pub(crate) only: Option<String>,
    pub(crate) voice: Voice,
    /// Frozen here and on the service when given.
    pub(crate) freeze: Option<(Freeze, Option<StateDir>)>,
    /// Whether the venue's API key may be deleted as the last escalation.
    pub(crate) may_revoke_venue_key: bool,
    /// Whether its own freeze is lifted once verified.
    pub(crate) is_drill: bool,
    pub(crate) pace: Pace,
    pub(crate) start: Instant,
    pub(crate) span: Duration,
    pub(crate) asked: Asked,
}

/// The platform client of a target, with every token it has.
pub(crate) fn client(target: &Target, pace: &Pace) -> Option<Client> {
    let (first, rest) = target.auths.split_first()?;
    let client = Client::new(target.endpoint.clone()?, first.clone()).ok()?;
    Some(
        client
            .with_fallbacks(rest.to_vec())
            .with_attempt_timeout(pace.request_timeout)
            .patient(),
    )
}

/// The ids of a target's service, when they are complete.
pub(crate) fn service_ids(target: &Target) -> Option<ServiceIds> {
    Some(ServiceIds {
        project_id: target.project_id.clone(),
        environment_id: target.environment_id.clone()?,
        service_id: target.service_id.clone()?,
    })
}

/// Pursues one target until it is proved, hopeless, or out of time.
pub(crate) async fn pursue(job: Job) -> TargetReport {
    let started_at = jiff::Timestamp::now().to_string();
    let board = Board::new(job.start, Arc::clone(&job.asked));
    let deadline = Deadline::from_start(job.start, job.span);
    let platform = client(&job.target, &job.pace).zip(service_ids(&job.target));
    let frame = Frame {
        goal: job.goal,
        may_be_live: job.target.may_be_live,
        foreign_deployments: job.target.foreign_deployments.clone(),
        has_platform: platform.is_some() && job.goal == Goal::Stop,
        silent_probes: job.pace.silent_probes,
        started: job.start,
        span: job.span,
    };
    board.write(|state| {
        state.doubts.clone_from(&job.target.doubts);
        if job.goal == Goal::ReduceOnly {
            state.platform_path.detail = "not asked: it keeps running".into();
        }
    });
    // From here on something changes: a lease is revoked, a freeze written, a halt sent.
    board.asking();
    start_watchdog(&job, &board, deadline);
    if let Some(progress) = &job.flatten {
        // The freeze and the end of auto-deploys do not wait for the selling.
        start_chores(&job, &board, platform.as_ref(), deadline);
        super::flatten::sell(&job, progress, &board, deadline).await;
        start_paths(&job, &board, platform.as_ref(), deadline);
        // Not before: it would cancel what sells.
        start_venue(&job, &board, &frame, deadline);
    } else {
        start_paths(&job, &board, platform.as_ref(), deadline);
        start_venue(&job, &board, &frame, deadline);
        start_chores(&job, &board, platform.as_ref(), deadline);
    }
    let (verdict, reason) = wait(&job, &board, &frame, deadline).await;
    let elapsed = job.start.elapsed();
    if job.is_drill && verdict == Verdict::Verified {
        super::lift::own_freeze(&job, &board, platform.as_ref(), deadline).await;
    } else {
        super::frozen_still::read_back(&job, &board, platform.as_ref(), deadline).await;
    }
    board.dismiss();
    super::outcome::report(
        &job,
        &board,
        &frame,
        super::outcome::End {
            verdict,
            reason,
            started_at,
            elapsed,
        },
    )
}

fn start_paths(
    job: &Job,
    board: &Arc<Board>,
    platform: Option<&(Client, ServiceIds)>,
    deadline: Deadline,
) {
    if let Some((client, ids)) = platform
        && job.goal == Goal::Stop
    {
        let sweep = Sweep {
            board: Arc::clone(board),
            client: client.clone(),
            ids: ids.clone(),
            scope: job.only.clone().map_or(Scope::Service, Scope::Only),
            is_local: job.target.is_local,
            first: job
                .only
                .clone()
                .or_else(|| job.target.deployment_id.clone()),
            pace: job.pace.clone(),
            deadline,
        };
        sweep.start();
    }
    if let Some(url) = &job.target.trader_url {
        trader_path(
            job,
            board,
            url.clone(),
            job.target.instance_nonce.clone(),
            deadline,
        )
        .start();
    }
    if job.target.is_local && job.goal == Goal::Stop {
        let local = LocalPath {
            board: Arc::clone(board),
            endpoint: job.target.endpoint.clone(),
            platform: job.target.platform_process.clone(),
            trader: job.target.trader_process.clone(),
            deployment_id: job
                .only
                .clone()
                .or_else(|| job.target.deployment_id.clone()),
            pace: job.pace.clone(),
            deadline,
        };
        local.start();
    }
}

/// The lease is revoked at once, whatever else comes first.
fn start_watchdog(job: &Job, board: &Arc<Board>, deadline: Deadline) {
    if let Some(url) = &job.target.watchdog_url {
        board.write(|state| state.watchdog = WatchdogRecord::Asked);
        let work = watchdog_path::revoke(
            Arc::clone(board),
            url.clone(),
            job.target.halt_tokens.clone(),
            job.voice.clone(),
            reenable(job),
            job.pace.clone(),
            deadline,
        );
        board.chore(Place::Here, work);
    }
}

/// The venue: only where real orders may be behind the target. A credential in the environment is
/// somebody's real account; the kill of a paper trader must not empty it.
fn start_venue(job: &Job, board: &Arc<Board>, frame: &Frame, deadline: Deadline) {
    let not_asked = |why: &str| {
        board.write(|state| state.venue_path.detail = format!("not asked: {why}"));
    };
    if !job.target.may_be_live {
        return not_asked("mode paper or dry-run has no order there; no account is touched");
    }
    if job.goal == Goal::ReduceOnly {
        return not_asked("exits go on, and so do their orders");
    }
    if job.only.is_some() {
        return not_asked("one deployment is stopped; the account's other orders are not its own");
    }
    let Some(access) = &job.target.venue else {
        return not_asked("its address is unusable");
    };
    let venue = match Venue::new(access) {
        Ok(venue) => venue,
        Err(error) => return not_asked(&error.to_string()),
    };
    if access.wallet().is_some() {
        let positions = PositionsPath {
            board: Arc::clone(board),
            venue: venue.clone(),
            access: access.clone(),
            pace: job.pace.clone(),
        };
        // Two answers' time: beside the settle window it costs nothing.
        let limit = deadline.at_most(job.pace.request_timeout.saturating_mul(2));
        board.chore(Place::Here, positions.run(limit));
    }
    if let Err(why) = &access.credentials {
        return not_asked(why);
    }
    let path = VenuePath {
        board: Arc::clone(board),
        venue,
        frame: frame.clone(),
        may_revoke: job.may_revoke_venue_key,
        pace: job.pace.clone(),
        deadline,
    };
    path.start();
}

fn trader_path(
    job: &Job,
    board: &Arc<Board>,
    url: Endpoint,
    expected_nonce: Option<String>,
    deadline: Deadline,
) -> TraderPath {
    TraderPath {
        board: Arc::clone(board),
        is_direct: job.target.is_local && url.is_loopback(),
        url,
        tokens: job.target.halt_tokens.clone(),
        expected_nonce,
        goal: job.goal,
        may_be_live: job.target.may_be_live,
        foreign_deployments: job.target.foreign_deployments.clone(),
        voice: job.voice.clone(),
        pace: job.pace.clone(),
        deadline,
    }
}

fn start_chores(
    job: &Job,
    board: &Arc<Board>,
    platform: Option<&(Client, ServiceIds)>,
    deadline: Deadline,
) {
    let limit = deadline.at_most(CHORE_MAX);
    if let Some((client, ids)) = platform {
        for auth in job
            .target
            .auths
            .iter()
            .filter(|auth| matches!(auth, Auth::Project(_)))
        {
            let check = ScopeCheck {
                job: job.clone(),
                board: Arc::clone(board),
                client: client.with_auth(auth.clone()),
                ids: ids.clone(),
                deadline,
            };
            board.chore(Place::Platform, check.run(limit));
        }
        if job.goal == Goal::Stop && job.only.is_none() {
            let work = chores::auto_deploy_off(
                Arc::clone(board),
                client.clone(),
                ids.clone(),
                job.target.dashboard_url.clone(),
                limit,
            );
            board.chore(Place::Platform, work);
        }
    }
    let Some((freeze, dir)) = &job.freeze else {
        return;
    };
    if let (Some(dir), Some(env)) = (dir, &job.target.name) {
        let (dir, env) = (dir.clone(), env.clone());
        let freeze = chores::NewFreeze::of(job, freeze);
        let work = chores::freeze_here(Arc::clone(board), dir, env, freeze, reenable(job));
        board.chore(Place::Here, work);
    }
    if let Some((client, ids)) = platform {
        let work = chores::freeze_service(
            Arc::clone(board),
            client.clone(),
            ids.clone(),
            chores::NewFreeze::of(job, freeze),
            reenable(job),
            limit,
        );
        board.chore(Place::Platform, work);
    }
}

/// A project token belongs to one environment; when that is not the target's, both are stopped.
struct ScopeCheck {
    job: Job,
    board: Arc<Board>,
    client: Client,
    ids: ServiceIds,
    deadline: Deadline,
}

impl ScopeCheck {
    async fn run(self, limit: Deadline) {
        let Ok(scope) = platform::project_token(&self.client, limit).await else {
            return;
        };
        let is_other_project = self
            .ids
            .project_id
            .as_ref()
            .is_some_and(|project| *project != scope.project_id);
        if scope.environment_id == self.ids.environment_id && !is_other_project {
            return;
        }
        self.board.write(|state| {
            state.doubts.push(format!(
                "a token belongs to environment {} of project {}, the target is environment {}",
                scope.environment_id, scope.project_id, self.ids.environment_id
            ));
        });
        if self.job.goal != Goal::Stop || self.job.only.is_some() {
            return;
        }
        let sweep = Sweep {
            board: self.board,
            client: self.client,
            ids: ServiceIds {
                project_id: Some(scope.project_id),
                environment_id: scope.environment_id,
                service_id: self.ids.service_id,
            },
            scope: Scope::Service,
            is_local: self.job.target.is_local,
            first: None,
            pace: self.job.pace,
            deadline: self.deadline,
        };
        sweep.start();
    }
}

/// Looks at the board until the verdict cannot change for the better, or the deadline.
async fn wait(
    job: &Job,
    board: &Arc<Board>,
    frame: &Frame,
    deadline: Deadline,
) -> (Verdict, &'static str) {
    loop {
        board.muster();
        discover_traders(job, board, deadline);
        let now = Instant::now();
        let judged = || board.read(|state| judge(&assess::evidence(state, frame, now)));
        let verdict = judged();
        let is_success = verdict.0.exit_code() == 0;
        let is_settled = board.read(|state| assess::is_settled(state, frame, is_success, now));
        if is_settled && is_success {
            return verdict;
        }
        if is_settled || deadline.is_over() {
            // A process may have ended between the judgement and the end of the waiting.
            return judged();
        }
        tokio::select! {
            () = board.news() => {}
            () = deadline.sleep(TICK) => {}
        }
    }
}

/// Addresses of deployments that the platform told: on this machine all of them, on Railway only
/// where no address is known.
fn discover_traders(job: &Job, board: &Arc<Board>, deadline: Deadline) {
    if job.goal != Goal::Stop || (!job.target.is_local && job.target.trader_url.is_some()) {
        return;
    }
    let told: Vec<String> = board.read(|state| {
        let in_scope = |id: &String| job.only.as_ref().is_none_or(|only| only == id);
        state
            .tracks
            .iter()
            .filter(|(id, track)| in_scope(id) && track.has_run)
            .filter_map(|(_, track)| track.last.as_ref())
            .filter_map(|last| last.static_url.clone().or_else(|| last.url.clone()))
            .collect()
    });
    for text in told {
        let text = if text.contains("://") {
            text
        } else {
            format!("https://{text}")
        };
        let Ok(url) = Endpoint::parse(&text) else {
            continue;
        };
        if board.read(|state| state.traders.contains_key(url.as_str())) {
            continue;
        }
        if job.target.is_local || !url.is_loopback() {
            trader_path(job, board, url, None, deadline).start();
        }
    }
}

/// The command that lifts the freeze.
pub(crate) fn reenable(job: &Job) -> String {
    format!("launch reenable --env {} --reason \"…\"", job.target.env)
}
