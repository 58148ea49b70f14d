//! Crash safety: what is on disk, what went out, and what a restart believes.

use super::*;
use crate::gate::{Gate, InstanceId};
use crate::test_support::{declared, lease_event};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use trader_core::event::{EventKind, OrderReport, OrderStatus};
use trader_core::order::OrderId;
use trader_core::sim::generator::Generator;
use trader_core::units::{Asset, Usd};
use trader_core::window::WindowLength;
use trader_core::wire::{Halted, LeaseRequest};

const START: EpochMs = EpochMs(1_767_225_600_000);

/// Market events until a session must have wanted an order, and longer.
const EVENTS: usize = 30_000;

/// A wire that only tells what reached it, and does as the test says.
#[derive(Debug)]
struct TestWire {
    sent: Sender<Order>,
    /// Looked at whenever an order arrives.
    ledger: PathBuf,
    /// The process dies at the wire.
    dies: bool,
}

impl Wire for TestWire {
    fn send(&mut self, order: &Approved<Order>, _: EpochMs, _: &mut Vec<Event>) {
        let records = LedgerStore::open(&self.ledger).unwrap().replay().unwrap();
        let intended = records.iter().any(
            |record| matches!(&record.body, RecordBody::Intent { order: o } if o == order.get()),
        );
        assert!(intended, "the intent is not on disk before the wire");
        assert!(!self.dies, "the process dies here");
        self.sent.send(order.get().clone()).unwrap();
    }
    fn cancel(&mut self, _: &OrderId, _: EpochMs, _: &mut Vec<Event>) {}
    fn observe(&mut self, _: &Event, _: &mut Vec<Event>) {}
    fn look_up(&mut self, _: &OrderId, _: EpochMs, _: &mut Vec<Event>) {}
}

struct Bench {
    session: Session,
    gate: Arc<Gate>,
    sent: Receiver<Order>,
}

fn bench(ledger: &Path, dies: bool) -> Bench {
    let gate = Arc::new(Gate::new(InstanceId {
        deployment_id: Some("d1".to_owned()),
        nonce: "n1".to_owned(),
    }));
    gate.become_ready();
    let (to, sent) = channel();
    let wire = TestWire {
        sent: to,
        ledger: ledger.to_owned(),
        dies,
    };
    let mut store = LedgerStore::open(ledger).unwrap();
    let state = LedgerState::replay(&store.replay().unwrap()).unwrap();
    let declared = declared();
    let engine = Engine::new(&declared.manifest, &declared.strategies, state).unwrap();
    let fence = store.take_fence("n1", START).unwrap();
    let way = Way::Open(Arc::clone(&gate), Box::new(wire));
    let session = Session::new(engine, store, fence, way, Recorder::digest_only());
    Bench {
        session,
        gate,
        sent,
    }
}

impl Bench {
    fn lease(&self) {
        let request = LeaseRequest {
            holder: "test".to_owned(),
            deployment_id: "d1".to_owned(),
            instance_nonce: "n1".to_owned(),
            ttl_ms: 15_000,
        };
        assert!(self.gate.lease(&request, Instant::now()).accepted);
    }

    /// Plays the market until an order was intended.
    fn play_until_intent(&mut self) -> Result<Order, SessionError> {
        let before = self.session.engine().tally().intents;
        for event in market() {
            self.session.take(event)?;
            if self.session.engine().tally().intents > before {
                break;
            }
        }
        let newest = self.session.engine().ledger().live_orders().last();
        Ok(newest.expect("the market brought no order").order.clone())
    }
}

/// The generated market, leased all along.
fn market() -> impl Iterator<Item = Event> {
    Generator::new(7, START, &[Asset::Btc], &[WindowLength::Min5])
        .take(EVENTS)
        .flat_map(|event| [lease_event(event.t), event])
}

#[test]
fn an_intent_is_on_disk_before_its_order_is_on_the_wire() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = bench(&folder.path().join("ledger.sqlite3"), false);
    bench.lease();
    let order = bench.play_until_intent().unwrap();
    assert_eq!(bench.sent.try_recv().unwrap(), order);
    assert_eq!(bench.session.counts().sent, 1);
}

#[test]
fn an_order_of_unknown_fate_counts_as_filled_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("ledger.sqlite3");
    let dying = Mutex::new(bench(&ledger, true));
    dying.lock().unwrap().lease();
    let crash = std::panic::catch_unwind(|| dying.lock().unwrap().play_until_intent().map(drop));
    assert!(crash.is_err(), "the process died between intent and wire");

    let mut again = bench(&ledger, false);
    let state = again.session.engine().ledger();
    let order = state
        .live_orders()
        .next()
        .expect("the intent survived")
        .clone();
    assert_eq!(order.phase, trader_core::ledger::OrderPhase::Intended);
    assert!(order.order.worst_cost > Usd::ZERO);
    assert_eq!(
        state.exposure(),
        order.order.worst_cost,
        "counted as filled"
    );
    assert_eq!(
        again.session.engine().unresolved(),
        std::slice::from_ref(&order.order.id)
    );

    // The same market again: nothing is entered while the fate of that order is not known.
    again.lease();
    for event in market() {
        again.session.take(event).unwrap();
    }
    assert!(again.sent.try_recv().is_err(), "no second order");
    assert_eq!(again.session.engine().tally().intents, 0);
}

#[test]
fn a_ledger_that_refuses_the_write_ends_the_session_and_sends_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("ledger.sqlite3");
    let mut bench = bench(&ledger, false);
    bench.lease();
    LedgerStore::open(&ledger)
        .unwrap()
        .take_fence("other", START)
        .unwrap();
    let error = bench.play_until_intent().unwrap_err();
    assert!(
        matches!(error, SessionError::Ledger(StoreError::Fenced { .. })),
        "{error}"
    );
    assert!(bench.sent.try_recv().is_err());
}

#[test]
fn a_gate_that_shut_after_the_decision_stops_the_order_at_the_wire() {
    let shuts: [fn(&Gate); 3] = [
        |_| {},
        |gate| {
            gate.latch_halt(Halted {
                by: "ann".to_owned(),
                reason: "now".to_owned(),
                reduce_only: true,
                at: START,
            });
        },
        Gate::stop_entering,
    ];
    for shut in shuts {
        let folder = tempfile::tempdir().unwrap();
        let mut bench = bench(&folder.path().join("ledger.sqlite3"), false);
        // The engine believes the lease in the events; the gate holds none, or is shut.
        shut(&bench.gate);
        for event in market() {
            bench.session.take(event).unwrap();
            if bench.session.counts().stopped > 0 {
                break;
            }
        }
        assert!(
            bench.session.counts().stopped > 0,
            "an order came as far as the wire"
        );
        assert_eq!(bench.session.counts().sent, 0);
        assert!(bench.sent.try_recv().is_err());
        let ledger = bench.session.engine().ledger();
        assert_eq!(
            ledger.exposure(),
            Usd::ZERO,
            "a refusal at the wire is proof: released"
        );
    }
}

#[test]
fn an_order_that_expired_while_the_disk_was_slow_is_not_sent() {
    for (waited, sent) in [(Duration::ZERO, 1), (Duration::from_secs(11), 0)] {
        let folder = tempfile::tempdir().unwrap();
        let mut bench = bench(&folder.path().join("ledger.sqlite3"), false);
        bench.lease();
        let mut commands = Commands::default();
        for event in market() {
            commands.clear();
            bench.session.engine.step(&event, &mut commands);
            let fence = bench.session.fence;
            bench
                .session
                .store
                .append(fence, &commands.records)
                .unwrap();
            if let Some(order) = commands.orders.pop() {
                bench.session.dispatch(&order, event.t, waited);
                break;
            }
        }
        assert_eq!(bench.session.counts().sent, sent, "after {waited:?}");
        assert_eq!(bench.session.counts().stopped, 1 - sent);
    }
}

/// A wire that loses its answers, and knows when it is asked again.
#[derive(Debug)]
struct ForgetfulWire {
    asked: Sender<OrderId>,
}

impl Wire for ForgetfulWire {
    fn send(&mut self, order: &Approved<Order>, now: EpochMs, out: &mut Vec<Event>) {
        out.push(told(&order.get().id, OrderStatus::Unknown, now));
    }
    fn cancel(&mut self, _: &OrderId, _: EpochMs, _: &mut Vec<Event>) {}
    fn observe(&mut self, _: &Event, _: &mut Vec<Event>) {}
    fn look_up(&mut self, id: &OrderId, now: EpochMs, out: &mut Vec<Event>) {
        self.asked.send(id.clone()).unwrap();
        out.push(told(id, OrderStatus::Cancelled, now));
    }
}

fn told(id: &OrderId, status: OrderStatus, t: EpochMs) -> Event {
    Event {
        t,
        src: None,
        kind: EventKind::Order(OrderReport {
            id: id.clone(),
            status,
            detail: None,
        }),
    }
}

#[test]
fn an_order_of_unknown_fate_is_looked_up_and_blocks_nothing_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = bench(&folder.path().join("ledger.sqlite3"), false);
    bench.lease();
    let (asked, heard) = channel();
    bench.session.way = Way::Open(Arc::clone(&bench.gate), Box::new(ForgetfulWire { asked }));
    let order = bench.play_until_intent().unwrap();
    let now = bench.session.engine().now();
    assert_eq!(bench.session.engine().open_orders(), 1, "counts as filled");
    bench.session.look_up_unknown(now).unwrap();
    assert_eq!(heard.try_recv().unwrap(), order.id);
    assert_eq!(bench.session.engine().open_orders(), 0);
    bench.session.look_up_unknown(now).unwrap();
    assert!(heard.try_recv().is_err(), "what is known is not asked for");
}
