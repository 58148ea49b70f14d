//! Selling on command: what is lost without its bounds, and that nothing is ever sold twice.

use super::{Commands, Engine};
use crate::event::{
    BookTick, ClockTick, Control, ControlAction, Event, EventKind, FillReport, Finality,
    OrderReport, OrderStatus, WindowTick,
};
use crate::fixtures;
use crate::ledger::{LedgerState, RECORD_VERSION, Record, RecordBody};
use crate::manifest::Manifest;
use crate::order::{Order, Purpose, Side};
use crate::units::{Asset, EpochMs, Outcome, Shares, TokenPrice, Usd};
use crate::window::{SettlementRule, Window, WindowId};
use crate::wire::{FlattenOutcome, FlattenPosition, FlattenState};
use proptest::prelude::*;

const OPEN_MS: i64 = 1_769_949_000_000;
const WINDOW: &str = "btc-5m-1769949000";

/// Milliseconds after the window's open.
const fn at(ms: i64) -> EpochMs {
    EpochMs(OPEN_MS + ms)
}

fn event(ms: i64, kind: EventKind) -> Event {
    Event {
        t: at(ms),
        src: None,
        kind,
    }
}

fn listed(ms: i64) -> Event {
    let window = Window {
        id: WINDOW.parse().unwrap(),
        up: "11".parse().unwrap(),
        down: "12".parse().unwrap(),
        rule: SettlementRule::Spot,
        twap_lookback_secs: 0,
        reference: None,
    };
    let tick = WindowTick {
        window,
        outcome: None,
    };
    event(ms, EventKind::Window(tick))
}

fn book(ms: i64, token: &str, bid: Option<&str>, ask: Option<&str>) -> Event {
    let price = |text: Option<&str>| text.map(|text| text.parse::<TokenPrice>().unwrap());
    let tick = BookTick {
        asset: Asset::Btc,
        token: token.parse().unwrap(),
        bid: price(bid),
        ask: price(ask),
        bid_size: "100".parse().unwrap(),
        ask_size: "100".parse().unwrap(),
    };
    event(ms, EventKind::Book(tick))
}

fn clock(ms: i64) -> Event {
    event(ms, EventKind::Clock(ClockTick { offset_ms: None }))
}

fn command(ms: i64, action: ControlAction) -> Event {
    let control = Control {
        action,
        by: "ann".to_owned(),
        reason: "night".to_owned(),
    };
    event(ms, EventKind::Control(control))
}

fn report(ms: i64, order: &Order, status: OrderStatus) -> Event {
    let report = OrderReport {
        id: order.id.clone(),
        status,
        detail: None,
    };
    event(ms, EventKind::Order(report))
}

fn fill(ms: i64, order: &Order, number: u32, size: Shares) -> Event {
    let report = FillReport {
        id: order.id.clone(),
        fill_id: format!("{}#{number}", order.id),
        price: order.price,
        size,
        fee: Usd::ZERO,
        finality: Finality::Final,
    };
    event(ms, EventKind::Fill(report))
}

/// A ledger that holds 10 up shares of [`WINDOW`], bought at 0.50.
fn holding() -> Vec<Record> {
    let order = Order {
        id: format!("{WINDOW}/probability-model/1").parse().unwrap(),
        token: "11".parse().unwrap(),
        outcome: Outcome::Up,
        side: Side::Buy,
        purpose: Purpose::Entry,
        price: "0.50".parse().unwrap(),
        shares: "10".parse().unwrap(),
        expires_at: at(20_000),
        worst_cost: "5.2".parse().unwrap(),
    };
    let id = order.id.clone();
    let filled = RecordBody::Fill {
        id,
        fill_id: "f".to_owned(),
        price: order.price,
        shares: order.shares,
        fee: "0.2".parse().unwrap(),
        provisional: false,
    };
    let number = |(seq, body)| Record {
        version: RECORD_VERSION,
        seq,
        t_ms: at(10_000),
        body,
    };
    (1..)
        .zip([RecordBody::Intent { order }, filled])
        .map(number)
        .collect()
}

/// A trader under test, with everything it recorded and sent.
struct Rig {
    manifest: Manifest,
    engine: Engine,
    records: Vec<Record>,
    sent: Vec<(EpochMs, Order)>,
    cancels: usize,
}

impl Rig {
    fn new(manifest: Manifest) -> Self {
        Self::with(manifest, None)
    }

    /// A trader that holds a position; perhaps one that lacks a safeguard.
    fn with(manifest: Manifest, without: Option<&str>) -> Self {
        let records = holding();
        let strategies = fixtures::strategies();
        let ledger = LedgerState::replay(&records).unwrap();
        let mut engine = match without {
            None => Engine::new(&manifest, &strategies, ledger.clone()).unwrap(),
            Some(code) => Engine::without(&manifest, &strategies, code).unwrap(),
        };
        engine.ledger = ledger;
        Self {
            manifest,
            engine,
            records,
            sent: Vec::new(),
            cancels: 0,
        }
    }

    fn step(&mut self, event: &Event) {
        let mut out = Commands::default();
        self.engine.step(event, &mut out);
        self.records.append(&mut out.records);
        self.cancels += out.cancels.len();
        for approved in &out.orders {
            if self.engine.may_send(approved, event.t).is_ok() {
                self.sent.push((event.t, approved.get().clone()));
            }
        }
    }

    /// The process ends and another begins with what is on disk.
    fn restart(&mut self) {
        let ledger = LedgerState::replay(&self.records).unwrap();
        assert_eq!(&ledger, self.engine.ledger(), "the fold is the state");
        self.engine = Engine::new(&self.manifest, &fixtures::strategies(), ledger).unwrap();
    }

    /// A flatten at 60 s into the window, over a market with this bid and ask.
    fn flatten_at(&mut self, bid: Option<&str>, ask: Option<&str>) {
        self.step(&listed(59_000));
        self.step(&book(59_500, "11", bid, ask));
        self.step(&command(60_000, ControlAction::Flatten));
    }

    fn state(&self) -> FlattenState {
        self.engine.flatten(self.engine.now()).unwrap().state
    }

    fn only(&self) -> FlattenPosition {
        let told = self.engine.flatten(self.engine.now()).unwrap();
        assert_eq!(told.positions.len(), 1, "{told:?}");
        told.positions.into_iter().next().unwrap()
    }

    fn is_fully_halted(&self) -> bool {
        self.engine.ledger().halt().is_some_and(|h| !h.reduce_only)
    }
}

/// No exit of its own accord.
fn patient() -> Manifest {
    let mut manifest = fixtures::manifest();
    manifest.exit.stop_loss = "1".parse().unwrap();
    manifest.exit.take_profit = "1".parse().unwrap();
    manifest
}

fn shares(text: &str) -> Shares {
    text.parse().unwrap()
}

#[test]
fn what_is_held_is_sold_at_the_bid_and_then_nothing_is_sent_at_all() {
    let mut rig = Rig::new(patient());
    rig.flatten_at(Some("0.48"), Some("0.52"));
    let (_, sale) = rig.sent[0].clone();
    assert_eq!(
        (sale.side, sale.purpose, sale.price, sale.shares),
        (
            Side::Sell,
            Purpose::Exit,
            "0.48".parse().unwrap(),
            shares("10")
        )
    );
    assert_eq!(rig.state(), FlattenState::Selling);
    rig.step(&fill(60_100, &sale, 1, shares("10")));
    assert_eq!(rig.state(), FlattenState::Done);
    assert!(rig.is_fully_halted());
    let told = rig.only();
    assert_eq!(told.result, FlattenOutcome::Sold);
    assert_eq!((told.sold, told.left), (shares("10"), Shares::ZERO));
    assert_eq!(told.proceeds_usd, "4.8".parse().unwrap());
    assert_eq!(rig.sent.len(), 1);
}

#[test]
fn without_the_collar_a_position_is_dumped_at_one_cent_into_an_empty_book() {
    let one_cent: TokenPrice = "0.01".parse().unwrap();
    let mut without = Rig::with(patient(), Some("price_collar"));
    without.flatten_at(Some("0.01"), Some("0.99"));
    assert_eq!(without.sent[0].1.price, one_cent, "10 shares for 10 cents");

    let mut with = Rig::new(patient());
    with.flatten_at(Some("0.01"), Some("0.99"));
    with.step(&clock(90_000));
    assert!(with.sent.is_empty(), "{:?}", with.sent);
    assert_eq!(with.state(), FlattenState::Lapsed);
    assert_eq!(with.only().result, FlattenOutcome::BelowCollar);
    assert_eq!(with.only().worst_loss_usd, "5.2".parse().unwrap());
}

#[test]
fn the_middle_of_the_market_is_what_both_books_say() {
    // (own bid, own ask, the other token's bid, sold?)
    let cases = [
        (Some("0.48"), Some("0.54"), None, true), // 3 cents off the middle
        (Some("0.48"), Some("0.55"), None, false), // 3.5 cents off
        (Some("0.48"), None, Some("0.48"), true), // implied ask 0.52
        (Some("0.48"), Some("0.99"), Some("0.48"), true), // the nearer ask counts
        (Some("0.01"), None, Some("0.45"), false), // implied ask 0.55
        (Some("0.01"), Some("0.02"), None, true), // really worth a cent
        (Some("0.48"), None, None, false),        // nobody knows the price
        (None, Some("0.52"), Some("0.48"), false), // nobody bids
    ];
    for (bid, ask, other, is_sold) in cases {
        let mut rig = Rig::new(patient());
        rig.step(&listed(59_000));
        if let Some(other) = other {
            rig.step(&book(59_400, "12", Some(other), None));
        }
        rig.flatten_at(bid, ask);
        assert_eq!(!rig.sent.is_empty(), is_sold, "{bid:?} {ask:?} {other:?}");
    }
}

#[test]
fn time_ends_it_and_then_not_even_an_exit_is_sent() {
    let mut rig = Rig::new(patient());
    rig.flatten_at(None, Some("0.52"));
    rig.step(&clock(89_999));
    assert_eq!(rig.state(), FlattenState::Selling);
    assert_eq!(rig.only().result, FlattenOutcome::NoBid);
    rig.step(&book(90_000, "11", Some("0.50"), Some("0.52")));
    assert_eq!(rig.state(), FlattenState::Lapsed);
    assert!(rig.is_fully_halted() && rig.sent.is_empty());
    rig.step(&command(90_100, ControlAction::Flatten));
    rig.step(&book(90_200, "11", Some("0.50"), Some("0.52")));
    assert!(rig.sent.is_empty(), "a full halt is not softened");
}

#[test]
fn a_second_order_does_not_move_the_end() {
    let mut rig = Rig::new(patient());
    rig.flatten_at(None, Some("0.52"));
    rig.step(&command(80_000, ControlAction::Flatten));
    assert_eq!(rig.engine.flatten(at(0)).unwrap().ends_at, at(90_000));
}

#[test]
fn a_restart_goes_on_within_the_first_bound_or_finds_it_lapsed() {
    let mut rig = Rig::new(patient());
    rig.flatten_at(None, Some("0.52"));
    rig.manifest.exit.flatten_secs = 600.try_into().unwrap();
    rig.restart();
    rig.step(&listed(70_000));
    rig.step(&book(70_100, "11", Some("0.50"), Some("0.52")));
    assert_eq!(rig.sent.len(), 1, "it goes on selling");
    let (_, sale) = rig.sent[0].clone();
    rig.step(&report(70_200, &sale, OrderStatus::Cancelled));
    rig.restart();
    rig.step(&listed(95_000));
    rig.step(&book(95_100, "11", Some("0.50"), Some("0.52")));
    assert_eq!(rig.sent.len(), 1, "the bound is the first one's");
    assert_eq!(rig.state(), FlattenState::Lapsed);
    assert!(rig.is_fully_halted());
}

#[test]
fn a_sale_of_unknown_fate_is_in_flight_until_it_is_looked_up() {
    let mut rig = Rig::new(patient());
    rig.flatten_at(Some("0.50"), Some("0.52"));
    let (_, sale) = rig.sent[0].clone();
    rig.step(&report(60_100, &sale, OrderStatus::Unknown));
    for ms in [62_000, 64_000, 66_000] {
        rig.step(&book(ms, "11", Some("0.50"), Some("0.52")));
    }
    rig.restart();
    rig.step(&listed(67_000));
    rig.step(&book(67_100, "11", Some("0.50"), Some("0.52")));
    assert_eq!(rig.sent.len(), 1, "perhaps sold, so not sold again");
    assert_eq!(rig.only().result, FlattenOutcome::Unknown);
    // Four were sold after all; the rest never will.
    rig.step(&fill(68_000, &sale, 1, shares("4")));
    rig.step(&report(68_100, &sale, OrderStatus::Cancelled));
    assert_eq!(rig.sent.len(), 2);
    assert_eq!(rig.sent[1].1.shares, shares("6"));
    assert_eq!(rig.only().result, FlattenOutcome::Unknown, "in flight");
    rig.step(&report(
        68_200,
        &rig.sent[1].1.clone(),
        OrderStatus::Cancelled,
    ));
    assert_eq!(rig.only().result, FlattenOutcome::Partly);
}

#[test]
fn a_stop_loss_at_the_same_time_is_one_sale() {
    let manifest = fixtures::manifest(); // stop-loss 0.25 below 0.50
    for flatten_first in [false, true] {
        let mut rig = Rig::new(manifest.clone());
        rig.step(&listed(59_000));
        rig.step(&book(59_100, "11", Some("0.50"), Some("0.52")));
        if flatten_first {
            rig.step(&command(59_200, ControlAction::Flatten));
            rig.step(&book(59_300, "11", Some("0.20"), Some("0.22")));
        } else {
            rig.step(&book(59_200, "11", Some("0.20"), Some("0.22")));
            rig.step(&command(59_300, ControlAction::Flatten));
        }
        for ms in [61_000, 62_500, 64_000] {
            rig.step(&book(ms, "11", Some("0.20"), Some("0.22")));
        }
        let sold: Vec<&Order> = rig.sent.iter().map(|(_, order)| order).collect();
        assert_eq!(sold.len(), 1, "flatten first: {flatten_first}: {sold:?}");
    }
}

#[test]
fn what_cannot_be_sold_is_told_and_not_waited_for() {
    // Not declared any more.
    let mut manifest = patient();
    manifest.assets = vec![Asset::Eth];
    let mut rig = Rig::new(manifest);
    rig.flatten_at(Some("0.50"), Some("0.52"));
    assert_eq!(rig.state(), FlattenState::Done);
    assert_eq!(rig.only().result, FlattenOutcome::NotDeclared);
    // Its window has closed.
    let mut rig = Rig::new(patient());
    rig.step(&listed(1_000));
    rig.step(&command(301_000, ControlAction::Flatten));
    assert_eq!(rig.state(), FlattenState::Done);
    assert_eq!(rig.only().result, FlattenOutcome::WindowClosed);
    assert_eq!(rig.only().seconds_to_settlement, -1);
    assert!(rig.is_fully_halted() && rig.sent.is_empty());
}

#[test]
fn entries_of_unknown_fate_keep_it_selling() {
    let mut rig = Rig::new(patient());
    let RecordBody::Intent { order } = rig.records[0].body.clone() else {
        panic!("{:?}", rig.records[0]);
    };
    let (mut order, next) = (order, rig.engine.ledger().next_seq());
    order.id.sequence = 2;
    let record = Record {
        version: RECORD_VERSION,
        seq: next,
        t_ms: at(11_000),
        body: RecordBody::Intent {
            order: order.clone(),
        },
    };
    rig.records.push(record.clone());
    rig.engine.ledger.apply(&record).unwrap();
    rig.flatten_at(Some("0.50"), Some("0.52"));
    assert!(rig.cancels > 0, "entry orders are cancelled");
    let (_, sale) = rig.sent[0].clone();
    rig.step(&fill(60_100, &sale, 1, shares("10")));
    assert_eq!(rig.state(), FlattenState::Selling, "the entry may yet fill");
    rig.step(&fill(60_200, &order, 1, shares("10")));
    rig.step(&book(62_000, "11", Some("0.50"), Some("0.52")));
    assert_eq!(rig.sent.len(), 2, "and what it brought is sold too");
}

#[test]
fn only_a_person_clears_it() {
    let mut rig = Rig::new(patient());
    rig.flatten_at(None, None);
    rig.step(&clock(90_000));
    let freeze_id = "f".to_owned();
    rig.step(&command(91_000, ControlAction::Reenable { freeze_id }));
    assert!(rig.engine.flatten(at(91_000)).is_none() && rig.engine.halted().is_none());
    rig.restart();
    assert!(rig.engine.flatten(at(91_000)).is_none());
    rig.step(&listed(92_000));
    rig.step(&book(92_100, "11", Some("0.50"), Some("0.52")));
    assert!(rig.sent.is_empty(), "nothing is sold unasked");
}

#[test]
fn a_full_halt_ends_the_selling_at_once() {
    let mut rig = Rig::new(patient());
    rig.flatten_at(Some("0.50"), Some("0.52"));
    rig.step(&command(61_000, ControlAction::Halt));
    assert_eq!(rig.state(), FlattenState::Lapsed);
    assert!(rig.cancels > 0, "the sale in flight is cancelled");
    rig.step(&report(
        61_100,
        &rig.sent[0].1.clone(),
        OrderStatus::Cancelled,
    ));
    rig.step(&book(65_000, "11", Some("0.50"), Some("0.52")));
    assert_eq!(rig.sent.len(), 1);
}

/// What a venue, a market and an operator may do next.
#[derive(Debug, Clone)]
enum Move {
    Book(u32, u32),
    Empty,
    Fill(u32),
    Report(OrderStatus),
    Restart,
    Reduce,
    Again,
}

fn any_move() -> impl Strategy<Value = Move> {
    prop_oneof![
        4 => (1_u32..98, 1_u32..8).prop_map(|(bid, gap)| Move::Book(bid, gap)),
        1 => Just(Move::Empty),
        3 => (1_u32..12).prop_map(Move::Fill),
        3 => prop_oneof![
            Just(OrderStatus::Accepted),
            Just(OrderStatus::Cancelled),
            Just(OrderStatus::Rejected),
            Just(OrderStatus::Unknown),
        ]
        .prop_map(Move::Report),
        1 => Just(Move::Restart),
        1 => Just(Move::Reduce),
        1 => Just(Move::Again),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// An honest venue in any mood: partial fills, refusals, silence, restarts.
    #[test]
    fn it_never_sells_more_than_is_held_nor_after_the_end(
        moves in proptest::collection::vec((any_move(), 1_i64..3_000), 1..60)
    ) {
        let mut rig = Rig::new(patient());
        rig.flatten_at(Some("0.50"), Some("0.52"));
        let (mut ms, mut fills) = (60_000, 0);
        for (step, pause) in moves {
            ms += pause;
            let id: WindowId = WINDOW.parse().unwrap();
            let live = rig.engine.ledger().live_orders().next().map(|s| (s.order.clone(), s.unfilled()));
            match step {
                Move::Book(bid, gap) => {
                    let (bid, ask) = (format!("0.{bid:02}"), format!("0.{:02}", (bid + gap).min(99)));
                    rig.step(&book(ms, "11", Some(&bid), Some(&ask)));
                }
                Move::Empty => rig.step(&book(ms, "11", None, None)),
                Move::Fill(size) => if let Some((order, unfilled)) = live {
                    fills += 1;
                    let size = shares(&size.to_string()).min(unfilled);
                    rig.step(&fill(ms, &order, fills, size));
                },
                Move::Report(status) => if let Some((order, _)) = live {
                    rig.step(&report(ms, &order, status));
                },
                Move::Restart => {
                    rig.restart();
                    rig.step(&listed(ms));
                }
                Move::Reduce => rig.step(&command(ms, ControlAction::ReduceOnly)),
                Move::Again => rig.step(&command(ms, ControlAction::Flatten)),
            }
            let ledger = rig.engine.ledger();
            let in_flight: Vec<Shares> = ledger.live_orders().map(crate::ledger::OrderState::unfilled).collect();
            let held: Shares = ledger.held_in(id).map(|(_, _, p)| p.held()).next().unwrap_or(Shares::ZERO);
            prop_assert!(in_flight.len() <= 1, "one sale at a time");
            prop_assert!(in_flight.iter().all(|unfilled| *unfilled <= held), "{in_flight:?} of {held}");
        }
        let end = rig.engine.flatten(at(ms)).unwrap();
        prop_assert_eq!(end.ends_at, at(90_000));
        for (t, order) in &rig.sent {
            prop_assert!(*t < at(90_000) && order.expires_at <= at(90_000));
            prop_assert_eq!(order.purpose, Purpose::Exit);
        }
        rig.step(&clock(ms.max(90_000) + 1));
        prop_assert!(rig.is_fully_halted());
    }
}
