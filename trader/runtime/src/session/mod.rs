//! One event and everything it causes, in the only order that loses nothing: step → records on disk →
//! last question → wire → what the wire says is the next event.
//!
//! The same session runs in paper and dry run; time is an argument. Must not catch an error and go on:
//! a ledger that cannot be written ends the session before anything is sent.

use crate::gate::{Gate, Sending};
use crate::ledger_store::{Fence, LedgerStore, StoreError};
use crate::recorder::{RecordError, Recorder};
use crate::wire::Wire;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};
use trader_core::engine::{Commands, Engine, EngineError};
use trader_core::event::Event;
use trader_core::ledger::{LedgerError, LedgerState, RECORD_VERSION, Record, RecordBody};
use trader_core::order::{Order, Purpose};
use trader_core::run::not_sent;
use trader_core::safeguards::Approved;
use trader_core::units::EpochMs;

/// Most events that one event may cause, the wire's reports included. More is a loop, not trading.
pub const CASCADE_MAX: usize = 10_000;

/// Most orders of unknown fate that are looked up at one time.
pub const LOOK_UPS_MAX: usize = 16;

/// Why a session ends.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The ledger cannot be written or read: nothing may be sent any more.
    #[error("{0}")]
    Ledger(#[from] StoreError),
    /// The ledger's records contradict themselves.
    #[error("cannot believe the ledger: {0}")]
    Fold(#[from] LedgerError),
    /// The engine cannot be built from what is declared.
    #[error("cannot build the trader: {0}")]
    Engine(#[from] EngineError),
    /// One event caused more than [`CASCADE_MAX`] others.
    #[error("one event caused more than {CASCADE_MAX} others: a loop between engine and wire")]
    Cascade,
}

/// Counts of one session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events that the engine has seen.
    pub events: u64,
    /// Orders that went over the wire.
    pub sent: u64,
    /// Orders that the last question stopped.
    pub stopped: u64,
    /// Orders that a dry run did not send.
    pub withheld: u64,
    /// Lines of journal or tape that could not be written.
    pub recording_errors: u64,
}

/// Where orders are allowed to go.
#[derive(Debug)]
pub enum Way {
    /// To a wire, through the gate.
    Open(Arc<Gate>, Box<dyn Wire>),
    /// Nowhere: a dry run withholds every order.
    Shut,
}

/// Engine, ledger and wire of one run.
#[derive(Debug)]
pub struct Session {
    engine: Engine,
    store: LedgerStore,
    fence: Fence,
    way: Way,
    recorder: Recorder,
    commands: Commands,
    /// What the wire has said and the engine has not seen yet.
    answers: Vec<Event>,
    counts: Counts,
}

impl Session {
    /// Puts the parts together.
    pub fn new(
        engine: Engine,
        store: LedgerStore,
        fence: Fence,
        way: Way,
        recorder: Recorder,
    ) -> Self {
        Self {
            engine,
            store,
            fence,
            way,
            recorder,
            commands: Commands::default(),
            answers: Vec::new(),
            counts: Counts::default(),
        }
    }

    /// Takes one event and carries out everything it causes.
    ///
    /// # Errors
    /// See [`SessionError`]: the session must not be used afterwards.
    pub fn take(&mut self, event: Event) -> Result<(), SessionError> {
        self.take_all(VecDeque::from([event]))
    }

    fn take_all(&mut self, mut queue: VecDeque<Event>) -> Result<(), SessionError> {
        let mut taken = 0_usize;
        while let Some(mut event) = queue.pop_front() {
            taken += 1;
            if taken > CASCADE_MAX {
                return Err(SessionError::Cascade);
            }
            // Sources are not in step with each other; the trader's time never runs backwards.
            event.t = event.t.max(self.engine.now());
            self.one(&event)?;
            queue.extend(self.answers.drain(..));
        }
        Ok(())
    }

    fn one(&mut self, event: &Event) -> Result<(), SessionError> {
        let begun = Instant::now();
        self.counts.events += 1;
        let recorded = self.recorder.event(event);
        self.note(recorded.is_err());
        let mut commands = std::mem::take(&mut self.commands);
        commands.clear();
        self.engine.step(event, &mut commands);
        // Durable before anything they announce is done.
        self.store.append(self.fence, &commands.records)?;
        for line in &commands.journal {
            let recorded = self.recorder.journal(line);
            self.note(recorded.is_err());
        }
        // Fills that this event brings come before reports on orders that it caused.
        if let Way::Open(_, wire) = &mut self.way {
            wire.observe(event, &mut self.answers);
        }
        for order in commands.orders.drain(..) {
            self.dispatch(&order, event.t, begun.elapsed());
        }
        for id in commands.cancels.drain(..) {
            if let Way::Open(_, wire) = &mut self.way {
                wire.cancel(&id, event.t, &mut self.answers);
            }
        }
        self.commands = commands;
        Ok(())
    }

    /// The last question, then the wire. A refusal is proof that the order never left. `waited` is what
    /// the event has taken since it was decided: a slow disk must not let an order outlive its window.
    fn dispatch(&mut self, order: &Approved<Order>, decided: EpochMs, waited: Duration) {
        let Way::Open(gate, wire) = &mut self.way else {
            self.counts.withheld += 1;
            return;
        };
        let what = match order.get().purpose {
            Purpose::Entry => Sending::Entry,
            Purpose::Exit => Sending::Exit,
        };
        let waited_ms = i64::try_from(waited.as_millis()).unwrap_or(i64::MAX);
        let engine = self
            .engine
            .may_send(order, decided.plus_ms(waited_ms))
            .map_err(|refusal| refusal.to_string());
        let gate = gate
            .may_send(what, Instant::now())
            .map_err(|refusal| refusal.name().to_owned());
        match engine.and(gate) {
            Ok(()) => {
                self.counts.sent += 1;
                wire.send(order, decided, &mut self.answers);
            }
            Err(why) => {
                self.counts.stopped += 1;
                self.answers.push(not_sent(&order.get().id, &why, decided));
            }
        }
    }

    fn note(&mut self, failed: bool) {
        if failed {
            self.counts.recording_errors += 1;
        }
    }

    /// Asks the wire what became of every order of an earlier run; each answer is an event. Returns
    /// how many were asked for.
    ///
    /// # Errors
    /// See [`SessionError`].
    pub fn reconcile(&mut self, now: EpochMs) -> Result<usize, SessionError> {
        let unresolved = self.engine.unresolved();
        let mut answers = Vec::new();
        if let Way::Open(_, wire) = &mut self.way {
            for id in &unresolved {
                wire.look_up(id, now, &mut answers);
            }
        }
        self.take_all(answers.into())?;
        Ok(unresolved.len())
    }

    /// Asks the wire again what became of orders whose fate is not known, or that should have ended by
    /// now: one of them blocks the exits of its position until it is settled. At most [`LOOK_UPS_MAX`]
    /// at a time.
    ///
    /// # Errors
    /// See [`SessionError`].
    pub fn look_up_unknown(&mut self, now: EpochMs) -> Result<(), SessionError> {
        let mut answers = Vec::new();
        if let Way::Open(_, wire) = &mut self.way {
            for id in self.engine.look_ups_due(now).take(LOOK_UPS_MAX) {
                wire.look_up(id, now, &mut answers);
            }
        }
        self.take_all(answers.into())
    }

    /// Cancels every order that may still fill: the last act of a process that ends.
    ///
    /// # Errors
    /// See [`SessionError`].
    pub fn cancel_all(&mut self, now: EpochMs) -> Result<(), SessionError> {
        let mut answers = Vec::new();
        if let Way::Open(_, wire) = &mut self.way {
            for state in self.engine.ledger().live_orders() {
                wire.cancel(&state.order.id, now, &mut answers);
            }
        }
        self.take_all(answers.into())
    }

    /// Appends records that no event caused (a rehearsal's planted fault) and builds the engine anew
    /// from the ledger. What the old engine had seen of the market is gone.
    ///
    /// # Errors
    /// See [`SessionError`].
    pub fn adopt(
        &mut self,
        bodies: impl IntoIterator<Item = RecordBody>,
        now: EpochMs,
        build: impl FnOnce(LedgerState) -> Result<Engine, EngineError>,
    ) -> Result<(), SessionError> {
        let records: Vec<Record> = bodies
            .into_iter()
            .zip(self.engine.ledger().next_seq()..)
            .map(|(body, seq)| Record {
                version: RECORD_VERSION,
                seq,
                t_ms: now,
                body,
            })
            .collect();
        self.store.append(self.fence, &records)?;
        self.engine = build(LedgerState::replay(&self.store.replay()?)?)?;
        Ok(())
    }

    /// Brings journal and tape to the system.
    pub fn flush(&mut self) {
        let flushed = self.recorder.flush();
        self.note(flushed.is_err());
    }

    /// Ends the recording; a run whose tape matters asks whether all of it was written.
    ///
    /// # Errors
    /// The write error, or that there was one.
    pub fn close(&mut self) -> Result<(), RecordError> {
        self.recorder.close()
    }

    /// The engine.
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The ledger on disk.
    pub const fn store(&self) -> &LedgerStore {
        &self.store
    }

    /// The ledger on disk, for halt notes.
    pub const fn store_mut(&mut self) -> &mut LedgerStore {
        &mut self.store
    }

    /// The fencing number that this session writes with.
    pub const fn fence(&self) -> Fence {
        self.fence
    }

    /// Counts so far.
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Journal and tape.
    pub const fn recorder(&self) -> &Recorder {
        &self.recorder
    }
}

#[cfg(test)]
mod tests;
