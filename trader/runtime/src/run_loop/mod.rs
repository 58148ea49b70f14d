//! The loop: standby until the writer lock is ours, then replay, reconcile, ready, and one event after
//! the other until told to stop.
//!
//! Runs on a thread of its own, because it waits for the disk. Commands go before market events, so a
//! halt never queues behind ticks. Must not go on after a ledger error or a panic: it returns, and the
//! process ends.

mod desk;

pub use desk::{HEARTBEAT_MS, PUBLISH_MS};

use crate::clock;
use crate::config::Freeze;
use crate::faults::{self, Fault};
use crate::feeds::{self, FEED_QUEUE_MAX, FeedError, Source};
use crate::gate::Gate;
use crate::health::{Program, Snapshot};
use crate::http::Control;
use crate::ledger_store::{HaltNote, LedgerStore, StoreError};
use crate::log::{self, Level};
use crate::manifest_files::Declared;
use crate::recorder::{RecordError, Recorder};
use crate::session::{Session, SessionError, Way};
use crate::wire::PaperWire;
use crate::writer_lock::{STANDBY_RETRY_MS, TryWriter, WriterLock};
use desk::Desk;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use trader_core::engine::Engine;
use trader_core::ledger::{LedgerError, LedgerState, Record, RecordBody};
use trader_core::tape::{Header, TAPE_VERSION};
use trader_core::units::EpochMs;
use trader_core::wire::Halted;

/// Commands that may wait for the loop.
pub const CONTROL_QUEUE_MAX: usize = 32;

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
    pub feed: Source,
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
            // Entries are off for whoever writes; only the writer can sell.
            Control::Flatten(halt, reply) => {
                let noted = self.note_halt(&halt).map_err(|error| error.to_string());
                let why = "standby: another instance holds the writer lock";
                answer(reply, Err(noted.err().unwrap_or_else(|| why.to_owned())));
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
        let events = self.feed.start(now)?;
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
        desk.shut_gate_if_halted();
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

/// Returns when told to stop, or when whoever could tell is gone.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}

/// A caller that gave up waiting is not an error of the loop.
fn answer<T>(reply: oneshot::Sender<Result<T, String>>, result: Result<T, String>) {
    drop(reply.send(result));
}
