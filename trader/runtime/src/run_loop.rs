//! The loop: standby until the writer lock is ours, then replay, reconcile, ready, and one event after
//! the other until told to stop.
//!
//! Runs on a thread of its own, because it waits for the disk. Commands go before market events, so a
//! halt never queues behind ticks. Must not go on after a ledger error or a panic: it returns, and the
//! process ends.

use crate::clock;
use crate::config::Freeze;
use crate::faults::{self, Fault};
use crate::feeds::{self, FEED_QUEUE_MAX, FeedError, FeedSpec};
use crate::gate::Gate;
use crate::health::{self, Program, Snapshot};
use crate::http::Control;
use crate::ledger_store::{HaltNote, LedgerStore, StoreError};
use crate::log::{self, Level};
use crate::manifest_files::Declared;
use crate::recorder::{RecordError, Recorder};
use crate::session::{Session, SessionError, Way};
use crate::wire::PaperWire;
use crate::writer_lock::{STANDBY_RETRY_MS, TryWriter, WriterLock};
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;
use trader_core::engine::Engine;
use trader_core::event::{ClockTick, ControlAction, Event, EventKind, LeaseGrant};
use trader_core::ledger::{LedgerError, LedgerState, Record, RecordBody};
use trader_core::tape::{Header, TAPE_VERSION};
use trader_core::units::{EpochMs, Usd};
use trader_core::wire::{Halted, InstanceState, ReenableRequest};

/// Commands that may wait for the loop.
pub const CONTROL_QUEUE_MAX: usize = 32;

/// How often the health snapshot is renewed, ms.
pub const PUBLISH_MS: u64 = 200;

/// How often the loop looks at the clock, the fencing number and halt notes, ms.
pub const HEARTBEAT_MS: u64 = 1_000;

/// Errors remembered for `errors_last_minute`.
const ERRORS_KEPT_MAX: usize = 1_000;

/// One minute.
const MINUTE: Duration = Duration::from_mins(1);

/// Why the loop ended, other than being told to.
#[derive(Debug, thiserror::Error)]
pub enum LoopError {
    /// The ledger, the fold or the engine.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The feed cannot be opened.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// Journal or tape cannot be begun.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl From<StoreError> for LoopError {
    fn from(error: StoreError) -> Self {
        Self::Session(error.into())
    }
}

impl From<LedgerError> for LoopError {
    fn from(error: LedgerError) -> Self {
        Self::Session(error.into())
    }
}

/// Everything that the loop needs, and its ends of the channels.
#[derive(Debug)]
pub struct Loop {
    /// What is declared.
    pub declared: Declared,
    /// Who this process is.
    pub program: Program,
    /// Where events come from.
    pub feed: FeedSpec,
    /// A freeze in force at start.
    pub freeze: Option<Freeze>,
    /// A planted fault.
    pub fault: Option<Fault>,
    /// The ledger, checked.
    pub store: LedgerStore,
    /// Lease and halt.
    pub gate: Arc<Gate>,
    /// Where health goes.
    pub snapshot: watch::Sender<Snapshot>,
    /// Commands from HTTP.
    pub control: mpsc::Receiver<Control>,
    /// `true` = cancel, flush, end.
    pub stop: watch::Receiver<bool>,
    /// Where the feed runs.
    pub runtime: tokio::runtime::Handle,
}

impl Loop {
    /// Runs until told to stop.
    ///
    /// # Errors
    /// See [`LoopError`]: nothing may be sent afterwards.
    pub async fn run(mut self) -> Result<(), LoopError> {
        let Some(lock) = self.wait_for_lock().await? else {
            return Ok(());
        };
        let desk = self.take_over(&lock)?;
        let result = desk.serve().await;
        // The store is closed by now; only then may the next instance write.
        lock.release();
        result
    }

    /// Standby. `None` when told to stop before the lock was free.
    async fn wait_for_lock(&mut self) -> Result<Option<WriterLock>, LoopError> {
        let nonce = self.program.instance_nonce.clone();
        let mut told = false;
        loop {
            if let TryWriter::Taken(lock) =
                WriterLock::try_take(&mut self.store, &nonce, clock::wall())?
            {
                return Ok(Some(lock));
            }
            if !told {
                log::line(
                    Level::Warn,
                    "standby: another instance holds the writer lock",
                    &[],
                );
                told = true;
            }
            tokio::select! {
                biased;
                () = stopped(&mut self.stop) => return Ok(None),
                Some(control) = self.control.recv() => self.in_standby(control),
                () = tokio::time::sleep(Duration::from_millis(STANDBY_RETRY_MS)) => {}
            }
        }
    }

    /// A standby instance can be halted (noted for whoever writes), never re-enabled.
    fn in_standby(&mut self, control: Control) {
        match control {
            Control::Halt(halt, reply) => {
                answer(
                    reply,
                    self.note_halt(&halt).map_err(|error| error.to_string()),
                );
            }
            Control::Reenable(_, reply) => {
                let why = "standby: ask the instance that holds the writer lock";
                answer(reply, Err(why.to_owned()));
            }
            Control::Leased => {}
        }
    }

    fn note_halt(&mut self, halt: &Halted) -> Result<u32, LoopError> {
        let body = serde_json::to_string(halt).unwrap_or_default();
        self.store.note_halt(&HaltNote { at: halt.at, body })?;
        let ledger = LedgerState::replay(&self.store.replay()?)?;
        Ok(u32::try_from(ledger.live_orders().count()).unwrap_or(u32::MAX))
    }

    /// Replays, reconciles, applies what must be halted, and only then becomes ready.
    fn take_over(mut self, lock: &WriterLock) -> Result<Desk, LoopError> {
        let now = clock::wall();
        let records = self.store.replay()?;
        let ledger = LedgerState::replay(&records)?;
        let engine = Engine::new(&self.declared.manifest, &self.declared.strategies, ledger)
            .map_err(SessionError::from)?;
        let recorder = self.recorder(now)?;
        let freeze = self
            .freeze
            .take()
            .filter(|freeze| !was_lifted(&records, freeze));
        let events = feeds::open(&self.feed, &self.declared.manifest, now)?;
        let events = faults::plant(self.fault.as_ref(), events);
        let (to_loop, feed) = mpsc::channel(FEED_QUEUE_MAX);
        let way = Way::Open(Arc::clone(&self.gate), Box::new(PaperWire::default()));
        let session = Session::new(engine, self.store, lock.fence(), way, recorder);
        let mut desk = Desk {
            session,
            declared: self.declared,
            program: self.program,
            gate: self.gate,
            snapshot: self.snapshot,
            control: self.control,
            stop: self.stop,
            feed,
            feed_is_open: true,
            freeze,
            loss: faults::planted_loss(self.fault.as_ref()),
            errors: VecDeque::new(),
        };
        let asked = desk.session.reconcile(now)?;
        desk.take_halt_notes()?;
        desk.apply_freeze(now)?;
        desk.gate.become_ready();
        desk.publish();
        self.runtime
            .spawn(feeds::pace(events, now, clock::wall, to_loop));
        log::line(
            Level::Info,
            "ready: writer lock held, ledger replayed and reconciled",
            &[
                ("records", records.len().into()),
                ("fence", lock.fence().number().into()),
                ("orders_looked_up", asked.into()),
                ("halted", desk.gate.halted().is_some().into()),
            ],
        );
        Ok(desk)
    }

    fn recorder(&self, now: EpochMs) -> Result<Recorder, RecordError> {
        let folder = self
            .store
            .path()
            .parent()
            .unwrap_or(Path::new(""))
            .to_owned();
        let nonce = self.program.instance_nonce.get(..8).unwrap_or_default();
        let header = Header {
            tape: TAPE_VERSION,
            source: self.program.feed.clone(),
            created_at: jiff::Timestamp::now().to_string(),
            assets: self.declared.manifest.assets.clone(),
        };
        Recorder::beside(&folder, &format!("{}-{nonce}", now.0), &header)
    }
}

/// Whether a person has already lifted this freeze: the variable may lag behind the ledger.
fn was_lifted(records: &[Record], freeze: &Freeze) -> bool {
    records.iter().any(|record| {
        matches!(&record.body, RecordBody::Reenable { freeze_id, .. } if *freeze_id == freeze.id)
    }) && freeze.id != crate::config::UNREADABLE_FREEZE_ID
}

/// A ready instance at work.
#[derive(Debug)]
struct Desk {
    session: Session,
    declared: Declared,
    program: Program,
    gate: Arc<Gate>,
    snapshot: watch::Sender<Snapshot>,
    control: mpsc::Receiver<Control>,
    stop: watch::Receiver<bool>,
    feed: mpsc::Receiver<Result<Event, FeedError>>,
    feed_is_open: bool,
    /// The freeze that halted this instance, until it is lifted.
    freeze: Option<Freeze>,
    /// A planted loss and when it is due.
    loss: Option<faults::PlantedLoss>,
    errors: VecDeque<Instant>,
}

impl Desk {
    async fn serve(mut self) -> Result<(), LoopError> {
        let mut heartbeat = tokio::time::interval(Duration::from_millis(HEARTBEAT_MS));
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut publish = tokio::time::interval(Duration::from_millis(PUBLISH_MS));
        publish.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = stopped(&mut self.stop) => return self.finish(),
                Some(control) = self.control.recv() => self.command(control)?,
                _ = heartbeat.tick() => self.beat()?,
                _ = publish.tick() => self.publish(),
                item = self.feed.recv(), if self.feed_is_open => self.market(item)?,
            }
        }
    }

    fn take(&mut self, kind: EventKind) -> Result<(), LoopError> {
        self.take_event(Event {
            t: clock::wall(),
            src: None,
            kind,
        })
    }

    fn take_event(&mut self, event: Event) -> Result<(), LoopError> {
        let lost_before = self.session.counts().recording_errors;
        self.session.take(event)?;
        if self.session.counts().recording_errors > lost_before {
            self.error("a line of journal or tape could not be written");
        }
        // A latch of a safeguard shuts the gate as well, so that no lease is taken on top of it.
        if self.gate.halted().is_none()
            && let Some(halt) = self.session.engine().halted()
        {
            log::line(
                Level::Warn,
                "halted",
                &[
                    ("by", halt.by.clone().into()),
                    ("reason", halt.reason.clone().into()),
                ],
            );
            self.gate.latch_halt(halt.clone());
        }
        Ok(())
    }

    fn market(&mut self, item: Option<Result<Event, FeedError>>) -> Result<(), LoopError> {
        match item {
            Some(Ok(event)) => return self.take_event(event),
            Some(Err(error)) => self.error(&format!("the feed failed: {error}")),
            None => self.error("the feed ended"),
        }
        // Without a feed everything grows stale and nothing is entered; exits by the clock go on.
        self.feed_is_open = false;
        Ok(())
    }

    fn command(&mut self, control: Control) -> Result<(), LoopError> {
        match control {
            Control::Halt(halt, reply) => {
                self.halt(&halt)?;
                answer(reply, self.halt_read_back());
            }
            Control::Reenable(request, reply) => {
                let result = self.reenable(&request)?;
                answer(reply, result);
            }
            Control::Leased => self.leased()?,
        }
        self.publish();
        Ok(())
    }

    fn halt(&mut self, halt: &Halted) -> Result<(), LoopError> {
        let action = if halt.reduce_only {
            ControlAction::ReduceOnly
        } else {
            ControlAction::Halt
        };
        self.gate.latch_halt(halt.clone());
        self.take(EventKind::Control(trader_core::event::Control {
            action,
            by: halt.by.clone(),
            reason: halt.reason.clone(),
        }))
    }

    /// The engine's own word, from the ledger it folds: only then is a halt acknowledged.
    fn halt_read_back(&self) -> Result<u32, String> {
        let engine = self.session.engine();
        if engine.ledger().halt().is_some() {
            Ok(engine.open_orders())
        } else {
            Err("the engine did not record it".to_owned())
        }
    }

    fn reenable(&mut self, request: &ReenableRequest) -> Result<Result<(), String>, LoopError> {
        if request.freeze_id.trim().is_empty() {
            return Ok(Err("freeze_id is empty".to_owned()));
        }
        if let Some(freeze) = &self.freeze
            && freeze.id != request.freeze_id
        {
            return Ok(Err(format!(
                "this instance is frozen by {:?}; name that freeze",
                freeze.id
            )));
        }
        self.take(EventKind::Control(trader_core::event::Control {
            action: ControlAction::Reenable {
                freeze_id: request.freeze_id.clone(),
            },
            by: request.by.clone(),
            reason: request.reason.clone(),
        }))?;
        if let Some(halt) = self.session.engine().halted() {
            return Ok(Err(format!("still halted by {}: {}", halt.by, halt.reason)));
        }
        self.freeze = None;
        self.gate.lift_halt();
        log::line(
            Level::Warn,
            "re-enabled",
            &[("by", request.by.clone().into())],
        );
        Ok(Ok(()))
    }

    fn leased(&mut self) -> Result<(), LoopError> {
        let Some(lease) = self.gate.lease_at(Instant::now()) else {
            return Ok(());
        };
        let left_ms = i64::try_from(lease.expires_in_ms).unwrap_or(0);
        self.take(EventKind::Lease(LeaseGrant {
            holder: lease.holder,
            expires_at: clock::wall().plus_ms(left_ms),
        }))
    }

    fn beat(&mut self) -> Result<(), LoopError> {
        self.session.store().check_fence(self.session.fence())?;
        self.take_halt_notes()?;
        if let Some(loss) = self.loss.take_if(|loss| loss.due <= Instant::now()) {
            log::line(
                Level::Warn,
                "planted loss",
                &[("usd", loss.usd.to_string().into())],
            );
            self.book(loss.usd)?;
        }
        // The simulated venue runs on our clock, so the offset is known to be 0.
        self.take(EventKind::Clock(ClockTick { offset_ms: Some(0) }))?;
        self.session.flush();
        Ok(())
    }

    /// Books a planted loss as if a position had been bought and had settled worthless.
    fn book(&mut self, usd: Usd) -> Result<(), LoopError> {
        let (now, declared) = (clock::wall(), &self.declared);
        let Some(asset) = declared.manifest.assets.first() else {
            return Ok(());
        };
        match faults::loss_script(*asset, usd, now) {
            Ok(script) => {
                self.session.adopt(script.bought, now, |ledger| {
                    Engine::new(&declared.manifest, &declared.strategies, ledger)
                })?;
                self.session.reconcile(now)?;
                self.take(script.outcome)?;
            }
            Err(error) => self.error(&format!("the planted loss cannot be booked: {error}")),
        }
        Ok(())
    }

    /// Records halts that were asked of a standby instance of the same ledger.
    fn take_halt_notes(&mut self) -> Result<(), LoopError> {
        for (id, note) in self.session.store().open_halt_notes()? {
            // A note that cannot be read is a halt all the same.
            let halt = serde_json::from_str(&note.body).unwrap_or_else(|_| Halted {
                by: "standby".to_owned(),
                reason: "a halt note that cannot be read".to_owned(),
                reduce_only: false,
                at: note.at,
            });
            self.halt(&halt)?;
            self.session.store_mut().close_halt_note(id)?;
        }
        Ok(())
    }

    /// A freeze that the ledger does not know yet halts fully; one that it knows keeps its degree.
    fn apply_freeze(&mut self, now: EpochMs) -> Result<(), LoopError> {
        let Some(freeze) = self.freeze.clone() else {
            return Ok(());
        };
        if let Some(halt) = self.session.engine().ledger().halt() {
            self.gate.latch_halt(halt.clone());
            return Ok(());
        }
        self.halt(&Halted {
            by: freeze.by,
            reason: format!("frozen ({}): {}", freeze.id, freeze.reason),
            reduce_only: false,
            at: now,
        })
    }

    fn error(&mut self, message: &str) {
        log::line(Level::Error, message, &[]);
        if self.errors.len() >= ERRORS_KEPT_MAX {
            self.errors.pop_front();
        }
        self.errors.push_back(Instant::now());
    }

    fn publish(&mut self) {
        let taken = Instant::now();
        while self
            .errors
            .front()
            .is_some_and(|at| taken.duration_since(*at) > MINUTE)
        {
            self.errors.pop_front();
        }
        let errors = u32::try_from(self.errors.len()).unwrap_or(u32::MAX);
        let health = health::describe(
            &self.program,
            self.session.engine(),
            InstanceState::Ready,
            errors,
            clock::wall(),
        );
        // Nobody listening any more is not an error of the loop.
        self.snapshot.send_replace(Snapshot { taken, health });
    }

    /// The clean end: no entry, nothing resting, everything written.
    fn finish(mut self) -> Result<(), LoopError> {
        self.gate.stop_entering();
        self.session.cancel_all(clock::wall())?;
        self.session.flush();
        self.publish();
        let counts = self.session.counts();
        log::line(
            Level::Info,
            "stopped: entries off, orders cancelled, ledger closed",
            &[
                ("events", counts.events.into()),
                ("orders_sent", counts.sent.into()),
                (
                    "open_positions",
                    self.session.engine().positions(clock::wall()).len().into(),
                ),
            ],
        );
        Ok(())
    }
}

/// Returns when told to stop, or when whoever could tell is gone.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}

/// A caller that gave up waiting is not an error of the loop.
fn answer<T>(reply: oneshot::Sender<Result<T, String>>, result: Result<T, String>) {
    drop(reply.send(result));
}
