//! A ready instance at work: commands first, then the clock, then the market.
//!
//! Must not act on anything before it is durable: a halt or re-enable is answered with the ledger's own
//! word.

use super::{LoopError, answer, stopped};
use crate::clock;
use crate::config::Freeze;
use crate::faults;
use crate::feeds::FeedError;
use crate::gate::Gate;
use crate::health::{self, Program, Snapshot};
use crate::http::{Control, Flattening};
use crate::log::{self, Level};
use crate::manifest_files::Declared;
use crate::session::Session;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;
use trader_core::engine::Engine;
use trader_core::event::{ClockTick, ControlAction, Event, EventKind, LeaseGrant};
use trader_core::units::{EpochMs, Usd};
use trader_core::wire::{Halted, InstanceState, ReenableRequest};

/// How often the health snapshot is renewed, ms.
pub const PUBLISH_MS: u64 = 200;

/// How often the loop looks at the clock, the fencing number and halt notes, ms.
pub const HEARTBEAT_MS: u64 = 1_000;

/// Errors remembered for `errors_last_minute`.
const ERRORS_KEPT_MAX: usize = 1_000;

/// One minute.
const MINUTE: Duration = Duration::from_mins(1);

/// A ready instance at work.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) session: Session,
    pub(super) declared: Declared,
    pub(super) program: Program,
    pub(super) gate: Arc<Gate>,
    pub(super) snapshot: watch::Sender<Snapshot>,
    pub(super) control: mpsc::Receiver<Control>,
    pub(super) stop: watch::Receiver<bool>,
    pub(super) feed: mpsc::Receiver<Result<Event, FeedError>>,
    pub(super) feed_is_open: bool,
    /// The freeze that halted this instance, until it is lifted.
    pub(super) freeze: Option<Freeze>,
    /// A planted loss and when it is due.
    pub(super) loss: Option<faults::PlantedLoss>,
    pub(super) errors: VecDeque<Instant>,
}

impl Desk {
    pub(super) async fn serve(mut self) -> Result<(), LoopError> {
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
        self.shut_gate_if_halted();
        Ok(())
    }

    /// A halt of the ledger or a latch of a safeguard shuts the gate as well, so that no lease is
    /// taken on top of it.
    pub(super) fn shut_gate_if_halted(&self) {
        let known = self.gate.halted();
        if let Some(halt) = self.session.engine().halted()
            && known.is_none_or(|known| known.reduce_only && !halt.reduce_only)
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
            // Published before it is answered: who asks for health next sees what was answered.
            Control::Halt(halt, reply) => {
                self.halt(&halt)?;
                self.publish();
                answer(reply, self.halt_read_back());
            }
            Control::Flatten(order, reply) => {
                self.flatten(&order)?;
                self.publish();
                answer(reply, self.flatten_read_back(order.at));
            }
            Control::Reenable(request, reply) => {
                let result = self.reenable(&request)?;
                self.publish();
                answer(reply, result);
            }
            Control::Leased => {
                self.leased()?;
                self.publish();
            }
        }
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

    fn flatten(&mut self, order: &Halted) -> Result<(), LoopError> {
        self.gate.latch_halt(order.clone());
        self.take(EventKind::Control(trader_core::event::Control {
            action: ControlAction::Flatten,
            by: order.by.clone(),
            reason: order.reason.clone(),
        }))
    }

    /// The ledger's own word. One that a full halt forbids is refused, and so is one after the first
    /// has ended: only a person gives it another go.
    fn flatten_read_back(&self, asked_at: EpochMs) -> Result<Flattening, String> {
        let ledger = self.session.engine().ledger();
        let flatten = ledger
            .flatten()
            .filter(|flatten| flatten.ended.is_none_or(|end| end.at >= asked_at));
        let Some(flatten) = flatten else {
            return Err(match ledger.halt() {
                Some(halt) => format!("fully halted by {}: {}", halt.by, halt.reason),
                None => "the engine did not record it".to_owned(),
            });
        };
        Ok(Flattening {
            ends_at: flatten.ends_at,
            // Some may be sold by now: told is what there was to sell.
            positions: self
                .session
                .engine()
                .flatten(asked_at)
                .and_then(|told| u32::try_from(told.positions.len()).ok())
                .unwrap_or(u32::MAX),
        })
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
        self.session.look_up_unknown(clock::wall())?;
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
    pub(super) fn take_halt_notes(&mut self) -> Result<(), LoopError> {
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
    pub(super) fn apply_freeze(&mut self, now: EpochMs) -> Result<(), LoopError> {
        let Some(freeze) = self.freeze.clone() else {
            return Ok(());
        };
        if self.session.engine().ledger().halt().is_some() {
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

    pub(super) fn publish(&mut self) {
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
