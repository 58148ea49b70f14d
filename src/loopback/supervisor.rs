//! The platform itself: its state under one lock, and the loop that moves every deployment along
//! and looks after its process.
//!
//! Decisions are `lifecycle`'s; here they are carried out and written down. Must not answer
//! requests (see `query`, `mutation`, `provision`) and must not hold the lock while a commit is
//! exported, so that a stop never waits for a build.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::process::Child;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::access::AdminToken;
use super::child::{self, Seen};
use super::comeback::{self, STATE_FILE};
use super::error::PlatformError;
use super::export::{self, CommitFacts};
use super::faults::Faults;
use super::files;
use super::ground_truth;
use super::lifecycle::{self, Action};
use super::report::{self, Report};
use super::request_log::LoggedRequest;
use super::state::{Deployment, Phase, Running, State};
use super::succession::evict_older;
use super::timing::Timing;

/// Most steps that one deployment takes in one look: more phases than a life has.
const MOST_STEPS: usize = 16;

/// Looks at what SIGKILL has left, and the pause between two: two seconds in all.
const KILL_LOOKS: usize = 1_000;
const KILL_LOOK: Duration = Duration::from_millis(2);

/// How a platform is set up.
#[derive(Debug, Clone)]
pub struct PlatformOptions {
    /// The state directory; the platform lives in `local/platform` below it.
    pub state_dir: PathBuf,
    /// 1 is Railway's pace, 0.02 is fifty times faster.
    pub time_scale: f64,
    /// The program that a start command's `launch` stands for.
    pub trader_bin: PathBuf,
}

/// What the lock protects.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) state: State,
    pub(crate) faults: Faults,
    /// The newest requests, oldest first.
    pub(crate) requests: VecDeque<LoggedRequest>,
    /// Handles of the processes that this platform started; adopted ones have none.
    children: HashMap<String, Child>,
    /// Deployments whose export is under way.
    exporting: HashSet<String>,
    /// Since when a client has read a deployment dead (Unix milliseconds).
    pub(crate) read_dead: HashMap<String, u64>,
    /// The platform has ended: nothing is started and nothing written any more, because another
    /// one may be serving the same folder by now.
    ended: bool,
}

/// A loopback platform.
#[derive(Debug)]
pub(crate) struct Platform {
    pub(crate) dir: PathBuf,
    pub(crate) admin: AdminToken,
    pub(crate) time_scale: f64,
    pub(crate) trader_bin: PathBuf,
    pub(crate) timing: Timing,
    world: Mutex<World>,
}

impl Platform {
    /// Opens the platform's folder and takes up what an earlier platform left there. Errors: folder
    /// or files unusable, scale out of bounds.
    pub(crate) fn open(options: &PlatformOptions) -> Result<Arc<Self>, PlatformError> {
        let timing = Timing::try_new(options.time_scale)
            .ok_or(PlatformError::TimeScale(options.time_scale))?;
        let dir = files::platform_dir(&options.state_dir);
        files::create_private_dir(&dir)?;
        let state = comeback::take_up(&dir, &options.state_dir, now_ms())?;
        Ok(Arc::new(Self {
            admin: AdminToken::load_or_create(&dir)?,
            time_scale: options.time_scale,
            trader_bin: options.trader_bin.clone(),
            timing,
            world: Mutex::new(World {
                state,
                ..World::default()
            }),
            dir,
        }))
    }

    /// Reads the world.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        look(&self.lock())
    }

    /// Changes the world and writes it down before anyone can see an answer. Errors: the state
    /// could not be written; the change stands in memory all the same, so that a stop works on a
    /// full disk.
    pub(crate) fn change<T>(
        &self,
        change: impl FnOnce(&mut World) -> T,
    ) -> Result<T, PlatformError> {
        let mut world = self.lock();
        if world.ended {
            return Err(PlatformError::Ended);
        }
        let before = world.state.clone();
        let answer = change(&mut world);
        let delay_ms = self.timing.scaled(world.faults.report_delay_ms);
        if delay_ms > 0 {
            report_late(&before, &mut world.state, now_ms().saturating_add(delay_ms));
        }
        if world.state != before {
            world.state.save(&self.dir.join(STATE_FILE))?;
        }
        Ok(answer)
    }

    /// Changes what is not written down: faults, marks.
    pub(crate) fn touch<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        change(&mut self.lock())
    }

    /// Ends all supervision at once, as the death of its process would; what runs lives on.
    pub(crate) fn abandon(&self) {
        self.lock().ended = true;
    }

    /// Ends all supervision and every process, at once. Errors: the process table cannot be read.
    pub(crate) fn kill_all(&self) -> std::io::Result<()> {
        let mut world = self.lock();
        world.ended = true;
        world.faults = Faults::default();
        for child in world.children.values_mut() {
            // One that has ended by itself needs no killing.
            drop(child.kill());
            drop(child.wait());
        }
        world.children.clear();
        drop(world);
        // A killed process is gone a moment later, and may have had children until then.
        for _ in 0..KILL_LOOKS {
            let living = ground_truth::living(&self.dir)?;
            if living.is_empty() {
                break;
            }
            for id in living.into_keys() {
                ground_truth::kill_leftovers(&self.dir, &id);
            }
            std::thread::sleep(KILL_LOOK);
        }
        Ok(())
    }

    /// A panic in another request must not take the platform's supervision down with it.
    fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether any deployment runs or may still start by itself.
    pub(crate) fn has_live(&self) -> bool {
        self.read(|world| world.state.deployments.iter().any(Deployment::is_live))
    }

    /// Moves every deployment along, for ever.
    pub(crate) async fn supervise(self: Arc<Self>) {
        let mut look = tokio::time::interval(Duration::from_millis(self.timing.look_ms()));
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            look.tick().await;
            self.look_at_all();
        }
    }

    /// One look at every deployment.
    pub(crate) fn look_at_all(self: &Arc<Self>) {
        let result = self.change(|world| {
            let now_ms = now_ms();
            let ids: Vec<String> = world
                .state
                .deployments
                .iter()
                .filter(|row| row.is_live() || row.report.is_pending())
                .map(|row| row.id.clone())
                .collect();
            for id in ids {
                self.look_at(world, &id, now_ms);
                if let Some(row) = world.state.deployment_mut(&id) {
                    report::step(row, now_ms);
                }
            }
            self.revive(world, now_ms);
        });
        match result {
            Ok(()) | Err(PlatformError::Ended) => {}
            Err(error) => self.note(&format!("{error}")),
        }
    }

    /// One look at one deployment: what its process does, then as many steps as are due.
    fn look_at(self: &Arc<Self>, world: &mut World, id: &str, now_ms: u64) {
        self.observe(world, id, now_ms);
        for _ in 0..MOST_STEPS {
            let Some(row) = world.state.deployment_mut(id) else {
                return;
            };
            let before = row.phase;
            let action = lifecycle::step(row, now_ms, self.timing, &world.faults);
            let after = row.phase;
            if before == Phase::Starting && after == Phase::Active {
                self.became_active(world, id, now_ms);
            }
            if before != after && after == Phase::Removed && !world.exporting.contains(id) {
                self.discard_source(id);
            }
            match action {
                Some(action) => self.act(world, id, action, now_ms),
                None if before == after => return,
                None => {}
            }
            // Everything but a quick start has to be waited for.
            if action.is_some_and(|action| action != Action::Terminate) {
                return;
            }
        }
    }

    fn observe(&self, world: &mut World, id: &str, now_ms: u64) {
        let World {
            state, children, ..
        } = world;
        let Some(row) = state.deployment_mut(id) else {
            return;
        };
        let Some(running) = &row.process else { return };
        if let Seen::Gone(code) = child::look(children.get_mut(id), running) {
            let is_adopted = children.remove(id).is_none();
            if is_adopted {
                // Nobody was there to end its group with it (see `child::look`).
                ground_truth::kill_leftovers(&self.dir, id);
            }
            let status =
                code.map_or_else(|| "by a signal".to_owned(), |code| format!("with {code}"));
            self.append_log(id, &format!("Container ended {status}"));
            if is_adopted {
                lifecycle::ended_unseen(row, now_ms);
            } else {
                lifecycle::exited(row, code, now_ms);
            }
        }
    }

    fn act(self: &Arc<Self>, world: &mut World, id: &str, action: Action, now_ms: u64) {
        match action {
            Action::Export => self.start_export(world, id),
            Action::Start => self.start(world, id, now_ms),
            Action::Terminate => {
                if let Some((child, running)) = process_of(world, id) {
                    child::terminate(child, running);
                    running.terminated_at_ms = Some(now_ms);
                    self.append_log(id, "Stopping Container");
                }
            }
            Action::Kill => {
                if let Some((child, running)) = process_of(world, id) {
                    child::kill(child, running);
                    running.killed = true;
                    self.append_log(id, "Killing Container: draining time is over");
                }
            }
        }
    }

    /// Exports the commit on a thread of its own and notes the result.
    fn start_export(self: &Arc<Self>, world: &mut World, id: &str) {
        let Some(row) = world.state.deployment(id) else {
            return;
        };
        let Some(instance) = world.state.instance(&row.environment_id, &row.service_id) else {
            return;
        };
        let (repo_dir, commit) = (instance.repo_dir.clone(), row.commit.clone());
        if !world.exporting.insert(id.to_owned()) {
            return;
        }
        let (platform, id) = (Arc::clone(self), id.to_owned());
        tokio::task::spawn_blocking(move || {
            let written = export::write(&repo_dir, &commit, &platform.source_dir(&id));
            let text = match &written {
                Ok(files) => format!("exported {files} files of commit {commit}"),
                Err(error) => format!("build failed: {error}"),
            };
            platform.append_build_log(&id, &text);
            let noted = platform.change(|world| {
                world.exporting.remove(&id);
                if let Some(row) = world.state.deployment_mut(&id) {
                    if row.phase == Phase::Removed {
                        platform.discard_source(&id);
                    }
                    match written {
                        Ok(_) => row.exported = true,
                        Err(_) if row.ask.is_none() && row.phase == Phase::Building => {
                            lifecycle::failed(row, now_ms());
                        }
                        // Somebody is taking it down already.
                        Err(_) => {}
                    }
                }
            });
            if let Err(error) = noted {
                platform.note(&format!("{error}"));
            }
        });
    }

    /// Starts the deployment's process, or makes the old ones go first where the service says so.
    fn start(&self, world: &mut World, id: &str, now_ms: u64) {
        let Some(row) = world.state.deployment(id) else {
            return;
        };
        if row.config.old_goes_first
            && row.phase == Phase::Created
            && evict_older(world, id, now_ms)
        {
            return;
        }
        let started = self
            .prepare(world, id)
            .and_then(|launch| child::start(&launch));
        let Some(row) = world.state.deployment_mut(id) else {
            return;
        };
        match started {
            Ok((child, running)) => {
                row.process = Some(running);
                lifecycle::started(row, now_ms);
                world.children.insert(id.to_owned(), child);
                self.append_log(id, "Starting Container");
            }
            Err(why) => {
                lifecycle::failed(row, now_ms);
                self.append_log(id, &format!("cannot start the process: {why}"));
            }
        }
    }

    /// Adds a deployment of a commit of a service; the caller has looked both up. Returns its id.
    pub(crate) fn create(
        &self,
        world: &mut World,
        environment_id: &str,
        service_id: &str,
        commit: &CommitFacts,
        reason: &str,
    ) -> Result<String, PlatformError> {
        let id = files::random_id()?;
        let instance_id = files::random_id()?;
        files::create_private_dir(&self.deployment_dir(&id))?;
        for gone in world.state.prune(environment_id, service_id) {
            drop(std::fs::remove_dir_all(self.deployment_dir(&gone)));
        }
        let Some(instance) = world.state.instance(environment_id, service_id) else {
            return Ok(id);
        };
        let now_ms = now_ms();
        let row = Deployment {
            id: id.clone(),
            instance_id,
            project_id: instance.project_id.clone(),
            environment_id: instance.environment_id.clone(),
            service_id: instance.service_id.clone(),
            commit: commit.id.clone(),
            commit_message: commit.message.clone(),
            commit_author: commit.author.clone(),
            branch: instance.branch.clone(),
            repo: instance.name.clone(),
            reason: reason.to_owned(),
            config: instance.config.clone(),
            created_at_ms: now_ms,
            updated_at_ms: now_ms,
            phase: Phase::Initializing,
            phase_at_ms: now_ms,
            status_at_ms: now_ms,
            exported: false,
            placed: false,
            ask: None,
            port: None,
            process: None,
            ended: None,
            restarts: 0,
            report: Report::default(),
        };
        world.state.deployments.push(row);
        Ok(id)
    }
}

/// What has changed since `before` shows only from `until_ms` on.
fn report_late(before: &State, after: &mut State, until_ms: u64) {
    for row in &mut after.deployments {
        let was = before.deployment(&row.id).map(report::believed);
        if let Some(was) = was.filter(|was| *was != report::believed(row)) {
            report::delay(row, was, until_ms);
        }
    }
}

fn process_of<'a>(world: &'a mut World, id: &str) -> Option<(Option<&'a Child>, &'a mut Running)> {
    let running = world.state.deployment_mut(id)?.process.as_mut()?;
    Some((world.children.get(id), running))
}

/// The wall clock (Unix milliseconds): the platform's records have to make sense to whoever reads
/// them later.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
