//! The board: what the paths of one target have found out so far.
//!
//! The paths run side by side and write here; `assess` reads. When the deadline comes, whatever
//! stands here is the report. Locks are held for a few instructions, never across an await; a
//! poisoned lock is used as it is (a panic of one path must not stop the others).

use super::venue_record::VenueRecord;
use crate::deployment::Deployment;
use crate::process::ProcessId;
use crate::report::{Change, FlattenReport, PathStatus, Position};
use crate::trader::Extent;
use crate::verdict::PlatformSays;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// Set once the first request that stops anything goes out: from then on Ctrl-C is too late.
pub(crate) type Asked = Arc<AtomicBool>;

/// The record of one target, shared by its paths.
#[derive(Debug)]
pub(crate) struct Board {
    pub(crate) start: Instant,
    state: Mutex<State>,
    crew: Mutex<JoinSet<()>>,
    news: Notify,
    asked: Asked,
}

/// How far one path got.
#[derive(Debug, Clone)]
pub(crate) struct PathRecord {
    pub(crate) status: PathStatus,
    pub(crate) requested_ms: Option<u64>,
    pub(crate) acknowledged_ms: Option<u64>,
    pub(crate) confirmed_ms: Option<u64>,
    pub(crate) detail: String,
}

impl PathRecord {
    fn new(detail: &str) -> Self {
        Self {
            status: PathStatus::NotConfigured,
            requested_ms: None,
            acknowledged_ms: None,
            confirmed_ms: None,
            detail: detail.to_owned(),
        }
    }

    pub(crate) fn requested(&mut self, at: u64) {
        self.requested_ms.get_or_insert(at);
        // What failed stays so until something better is heard: asking again is no news.
        if self.status == PathStatus::NotConfigured {
            self.status = PathStatus::Requested;
        }
    }

    pub(crate) fn acknowledged(&mut self, at: u64) {
        self.acknowledged_ms.get_or_insert(at);
        self.status = self.status.max(PathStatus::Acknowledged);
    }

    pub(crate) fn confirmed(&mut self, at: u64) {
        self.confirmed_ms.get_or_insert(at);
        self.status = PathStatus::Confirmed;
    }

    /// Something that was confirmed is not so any more (it came back).
    pub(crate) fn unconfirmed(&mut self) {
        self.confirmed_ms = None;
        self.status = self.status.min(PathStatus::Acknowledged);
    }

    /// A refusal counts only while nothing better has been heard.
    pub(crate) fn failed(&mut self, why: String) {
        if self.status <= PathStatus::Requested {
            self.status = PathStatus::Failed;
            self.detail = why;
        }
    }
}

/// What the platform can be asked to do with a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Action {
    Cancel,
    Stop,
    Remove,
}

impl Action {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Stop => "stop",
            Self::Remove => "remove",
        }
    }
}

/// One request about a deployment.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) at: Instant,
    /// When it was asked for the first time.
    pub(crate) first_at: Instant,
    pub(crate) outcome: Outcome,
    /// Whether any attempt was carried out or, its answer lost, may have been.
    pub(crate) may_have_acted: bool,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Pending,
    Accepted,
    Refused(String),
}

/// One deployment under the kill.
#[derive(Debug, Clone, Default)]
pub(crate) struct Track {
    /// The sweep that found it.
    pub(crate) owner: String,
    pub(crate) status_seen: Option<String>,
    pub(crate) last: Option<Deployment>,
    pub(crate) final_status: Option<String>,
    pub(crate) is_live: bool,
    /// Read as live at least once.
    pub(crate) was_live: bool,
    /// Seen in a state in which a process may be there (not merely queued, building or being placed).
    pub(crate) has_run: bool,
    pub(crate) sent: BTreeMap<Action, Sent>,
    pub(crate) last_action: Option<Action>,
    pub(crate) acknowledged_ms: Option<u64>,
    pub(crate) confirmed_ms: Option<u64>,
    pub(crate) times_back: u32,
}

/// What one service of the platform says (a target has one, or two when ids disagree).
#[derive(Debug, Clone)]
pub(crate) struct SweepRecord {
    pub(crate) says: PlatformSays,
    pub(crate) dead_at: Option<Instant>,
    pub(crate) service_proved: bool,
    pub(crate) is_exhausted: bool,
}

/// A question to a trader's address and what came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Probe {
    Alive {
        nonce: Option<String>,
        deployment_id: Option<String>,
    },
    Refused,
    /// Answered by somebody who is no trader: an edge before nobody.
    Nobody(String),
    Silent(String),
}

/// What an instance said when asked back after its halt.
#[derive(Debug, Clone)]
pub(crate) struct ReadBack {
    pub(crate) extent: Extent,
    pub(crate) deployment_id: Option<String>,
    pub(crate) open_orders: Option<u64>,
}

/// One address of a trader.
#[derive(Debug, Clone, Default)]
pub(crate) struct TraderRecord {
    /// A refused connection there is evidence: no proxy stands in between.
    pub(crate) is_direct: bool,
    /// The instance that was verified there at deploy.
    pub(crate) expected_nonce: Option<String>,
    /// Instances that answered there during this run.
    pub(crate) seen_nonces: BTreeSet<String>,
    /// Instances that acknowledged the halt.
    pub(crate) halted: BTreeSet<String>,
    /// Instances that were asked back.
    pub(crate) read_back: BTreeMap<String, ReadBack>,
    /// The newest question: when it was asked, and its answer.
    pub(crate) last: Option<(Instant, Probe)>,
    /// Silent or refused answers in a row.
    pub(crate) quiet: u32,
    pub(crate) error: Option<String>,
    /// Every token that is known was refused there.
    pub(crate) is_token_refused: bool,
}

/// The watchdog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WatchdogRecord {
    NotConfigured,
    Asked,
    Failed(String),
    /// Nothing more is granted; the last lease ends then.
    Revoked {
        expires_at: Instant,
    },
    /// Answered, but without saying that it grants nothing more, or until when.
    Vague(String),
}

/// Whether the service carries a freeze.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ServiceFreeze {
    /// No, and why not.
    NotSet(Option<String>),
    /// An earlier one, or one that could not be read before: not this run's to lift.
    Earlier,
    /// Set by this run.
    Ours,
}

/// Everything that is known about one target.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) trader_path: PathRecord,
    pub(crate) platform_path: PathRecord,
    pub(crate) venue_path: PathRecord,
    pub(crate) venue: VenueRecord,
    pub(crate) tracks: BTreeMap<String, Track>,
    pub(crate) sweeps: BTreeMap<String, SweepRecord>,
    pub(crate) traders: BTreeMap<String, TraderRecord>,
    pub(crate) watchdog: WatchdogRecord,
    pub(crate) processes: BTreeMap<u32, ProcessId>,
    /// Deployment ids whose process is in `processes`.
    pub(crate) process_of: BTreeMap<String, u32>,
    /// Deployment ids of which this machine was searched for a process after the platform said dead,
    /// and none was there.
    pub(crate) without_process: BTreeSet<String>,
    /// Whether this machine is searched for such processes, and when that was last done.
    pub(crate) is_searched: bool,
    pub(crate) searched_at: Option<Instant>,
    pub(crate) was_running: bool,
    /// When the loopback platform itself was proved gone.
    pub(crate) platform_gone_at: Option<Instant>,
    pub(crate) doubts: Vec<String>,
    pub(crate) changed: Vec<Change>,
    pub(crate) may_restart: BTreeSet<String>,
    pub(crate) positions: Option<Vec<Position>>,
    /// How the selling went, when it was asked for.
    pub(crate) flatten: Option<FlattenReport>,
    /// Pieces of work beside the paths that are not done yet: on this machine (freeze) …
    pub(crate) chores_here: usize,
    /// … and on the platform (freeze, auto-deploy, token scope).
    pub(crate) chores_platform: usize,
    /// Whether this run set the freeze of this machine.
    pub(crate) froze_locally: bool,
    /// The freeze of the service.
    pub(crate) service_freeze: ServiceFreeze,
    pub(crate) bugs: u32,
}

impl Board {
    pub(crate) fn new(start: Instant, asked: Asked) -> Arc<Self> {
        Arc::new(Self {
            start,
            state: Mutex::new(State {
                trader_path: PathRecord::new("no trader address or no halt token is known"),
                platform_path: PathRecord::new("no platform token or no service id is known"),
                venue_path: PathRecord::new("no access to the venue is known"),
                venue: VenueRecord::default(),
                tracks: BTreeMap::new(),
                sweeps: BTreeMap::new(),
                traders: BTreeMap::new(),
                watchdog: WatchdogRecord::NotConfigured,
                processes: BTreeMap::new(),
                process_of: BTreeMap::new(),
                without_process: BTreeSet::new(),
                is_searched: false,
                searched_at: None,
                was_running: false,
                platform_gone_at: None,
                doubts: Vec::new(),
                changed: Vec::new(),
                may_restart: BTreeSet::new(),
                positions: None,
                flatten: None,
                chores_here: 0,
                chores_platform: 0,
                froze_locally: false,
                service_freeze: ServiceFreeze::NotSet(None),
                bugs: 0,
            }),
            crew: Mutex::new(JoinSet::new()),
            news: Notify::new(),
            asked,
        })
    }

    /// Milliseconds since the start.
    pub(crate) fn ms(&self) -> u64 {
        ms(self.start.elapsed())
    }

    /// Looks at the state.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.lock())
    }

    /// Changes the state and wakes whoever waits for news.
    pub(crate) fn write<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.lock());
        self.news.notify_one();
        result
    }

    /// Waits for the next change.
    pub(crate) async fn news(&self) {
        self.news.notified().await;
    }

    /// Notes that a request that stops something goes out now.
    pub(crate) fn asking(&self) {
        self.asked.store(true, Ordering::SeqCst);
    }

    /// Starts a path. It ends with [`Board::dismiss`] at the latest.
    pub(crate) fn spawn(&self, path: impl Future<Output = ()> + Send + 'static) {
        self.crew
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .spawn(path);
    }

    /// Starts a chore: a piece of work that the report waits for.
    pub(crate) fn chore(
        self: &Arc<Self>,
        place: Place,
        work: impl Future<Output = ()> + Send + 'static,
    ) {
        self.write(|state| {
            let count = place.count(state);
            *count = count.saturating_add(1);
        });
        let guard = ChoreGuard(Arc::clone(self), place);
        self.spawn(async move {
            let _done = guard;
            work.await;
        });
    }

    /// Collects the paths that have ended; one that panicked is counted.
    pub(crate) fn muster(&self) {
        let mut crew = self.crew.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bugs = 0_u32;
        while let Some(ended) = crew.try_join_next() {
            if ended.is_err_and(|error| error.is_panic()) {
                bugs = bugs.saturating_add(1);
            }
        }
        drop(crew);
        if bugs > 0 {
            let mut state = self.lock();
            state.bugs = state.bugs.saturating_add(bugs);
        }
    }

    /// Ends every path.
    pub(crate) fn dismiss(&self) {
        self.crew
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .abort_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a chore works: one on the platform is not waited for when the platform is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Here,
    Platform,
}

impl Place {
    fn count(self, state: &mut State) -> &mut usize {
        match self {
            Self::Here => &mut state.chores_here,
            Self::Platform => &mut state.chores_platform,
        }
    }
}

/// Counts a chore as done however it ends.
struct ChoreGuard(Arc<Board>, Place);

impl Drop for ChoreGuard {
    fn drop(&mut self) {
        self.0.write(|state| {
            let count = self.1.count(state);
            *count = count.saturating_sub(1);
        });
    }
}

/// Whole milliseconds of a span.
pub(crate) fn ms(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
