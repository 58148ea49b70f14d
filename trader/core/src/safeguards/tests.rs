//! For each safeguard: the loss happens without it, and is refused with it, by its own code.

use super::{Gate, GateFacts, Guards, TABLE};
use crate::fixtures;
use crate::ledger::{LedgerState, RECORD_VERSION, Record, RecordBody};
use crate::manifest::{Manifest, Mode};
use crate::order::{Order, OrderId, Purpose, Side};
use crate::units::{EpochMs, Outcome, Probability};
use std::collections::BTreeSet;

const OPEN: i64 = 1_769_949_000_000;
const NOW: EpochMs = EpochMs(OPEN + 120_000);

/// Everything that decides about one order; the default passes every safeguard.
struct Scene {
    manifest: Manifest,
    order: Order,
    ledger: LedgerState,
    oracle_age_ms: Option<i64>,
    book_age_ms: Option<i64>,
    book_price: Option<&'static str>,
    lease_until: Option<EpochMs>,
    entries_this_tick: u32,
    fair: Option<f64>,
    clock_offset_ms: Option<i64>,
    clock_age_ms: Option<i64>,
    unresolved_orders: u32,
    is_followed: bool,
    mode: Mode,
}

impl Default for Scene {
    fn default() -> Self {
        Self {
            manifest: fixtures::manifest(),
            order: entry("btc-5m-1769949000/probability-model/1", "0.50", "9", "4.66"),
            ledger: LedgerState::default(),
            oracle_age_ms: Some(100),
            book_age_ms: Some(100),
            book_price: Some("0.50"),
            lease_until: Some(NOW.plus_ms(5_000)),
            entries_this_tick: 0,
            fair: Some(0.6),
            clock_offset_ms: Some(3),
            clock_age_ms: Some(0),
            unresolved_orders: 0,
            is_followed: true,
            mode: Mode::Paper,
        }
    }
}

impl Scene {
    fn write(&mut self, t: EpochMs, body: RecordBody) {
        let seq = self.ledger.next_seq();
        self.ledger
            .apply(&Record {
                version: RECORD_VERSION,
                seq,
                t_ms: t,
                body,
            })
            .unwrap();
    }

    /// An earlier entry, filled in full unless `fill` is false.
    fn traded(&mut self, ago_ms: i64, order: &Order, fill: bool) {
        let t = NOW.plus_ms(-ago_ms);
        self.write(
            t,
            RecordBody::Intent {
                order: order.clone(),
            },
        );
        if fill {
            self.write(
                t,
                RecordBody::Fill {
                    id: order.id.clone(),
                    fill_id: "f".to_owned(),
                    price: order.price,
                    shares: order.shares,
                    fee: "0".parse().unwrap(),
                    provisional: false,
                },
            );
        }
    }

    /// A position of an earlier window that lost all it cost.
    fn lost(&mut self, window: i64, price: &str, shares: &str) {
        let id = format!("eth-5m-{}/probability-model/1", window * 300);
        let order = entry(&id, price, shares, "0");
        self.traded(100_000, &order, true);
        let settled = RecordBody::Settlement {
            window: order.id.window,
            outcome: Outcome::Down,
        };
        self.write(NOW.plus_ms(-90_000), settled);
    }

    fn judge(self, gate: &Gate) -> &'static str {
        let facts = GateFacts {
            now: NOW,
            ledger: &self.ledger,
            oracle_age_ms: self.oracle_age_ms,
            book_age_ms: self.book_age_ms,
            book_price: self.book_price.map(|price| price.parse().unwrap()),
            lease_until: self.lease_until,
            entries_this_tick: self.entries_this_tick,
            fair: self.fair.map(|p| Probability::try_new(p).unwrap()),
            clock_offset_ms: self.clock_offset_ms,
            clock_age_ms: self.clock_age_ms,
            unresolved_orders: self.unresolved_orders,
            is_followed: self.is_followed,
            mode: self.mode,
        };
        match gate.approve(self.order, &facts) {
            Ok(_) => "approved",
            Err(refusal) => refusal.code,
        }
    }
}

fn entry(id: &str, price: &str, shares: &str, worst_cost: &str) -> Order {
    let id: OrderId = id.parse().unwrap();
    Order {
        token: "11".parse().unwrap(),
        outcome: Outcome::Up,
        side: Side::Buy,
        purpose: Purpose::Entry,
        price: price.parse().unwrap(),
        shares: shares.parse().unwrap(),
        expires_at: NOW.plus_ms(10_000).min(id.window.close()),
        worst_cost: worst_cost.parse().unwrap(),
        id,
    }
}

type Change = fn(&mut Scene);

/// For each code: the excess, and the same thing just inside the limit.
#[rustfmt::skip]
const CASES: &[(&str, Change, Change)] = &[
    ("halted",
     |s| s.write(NOW, RecordBody::Halt { by: "a".into(), reason: "b".into(), reduce_only: true }),
     |s| {
         s.write(NOW, RecordBody::Halt { by: "a".into(), reason: "b".into(), reduce_only: false });
         s.write(NOW, RecordBody::Reenable { by: "a".into(), reason: "b".into(), freeze_id: "f".into() });
     }),
    ("window_not_open",
     |s| s.order = entry("btc-5m-1769949300/probability-model/1", "0.50", "9", "4.66"),
     |s| s.order.expires_at = s.order.id.window.close()),
    // Sold twice: the first sale is of unknown fate, and may have filled.
    ("oversell",
     |s| { exit(s, "10"); sale(s, "0.01"); },
     |s| { exit(s, "10"); let id = sale(s, "9"); s.write(NOW, RecordBody::Cancelled { id, reason: "r".into() }); }),
    ("lease", |s| s.lease_until = Some(NOW), |s| s.lease_until = Some(NOW.plus_ms(1))),
    ("unreconciled", |s| s.unresolved_orders = 1, |s| s.unresolved_orders = 0),
    ("quality_gate", |s| shut_out(s, "probability-model"), |s| shut_out(s, "another")),
    ("window_once",
     |s| { s.traded(40_000, &s.order.clone(), true); s.order.id.sequence = 2; },
     |s| {
         s.traded(40_000, &s.order.clone(), false);
         s.write(NOW, RecordBody::Rejected { id: s.order.id.clone(), reason: "r".into() });
         s.order.id.sequence = 2;
     }),
    ("opposite_side",
     |s| {
         s.manifest.safeguards.max_entries_per_window = 2.try_into().unwrap();
         s.traded(40_000, &s.order.clone(), true);
         s.order.id.sequence = 2;
         s.order.outcome = Outcome::Down;
     },
     |s| {
         s.manifest.safeguards.max_entries_per_window = 2.try_into().unwrap();
         s.traded(40_000, &s.order.clone(), true);
         s.order.id.sequence = 2;
     }),
    ("entries_per_tick", |s| s.entries_this_tick = 1, |s| s.entries_this_tick = 0),
    ("entry_interval",
     |s| s.traded(29_999, &entry("btc-5m-1769948700/probability-model/1", "0.5", "1", "1"), true),
     |s| s.traded(30_000, &entry("btc-5m-1769948700/probability-model/1", "0.5", "1", "1"), true)),
    ("orders_per_minute", |s| orders(s, 6), |s| orders(s, 5)),
    ("open_positions", |s| positions(s, 2), |s| positions(s, 1)),
    ("order_shares", |s| cheap(s, "100.01"), |s| cheap(s, "100")),
    // 8.98 shares at 0.50 cost 4.64715 with the fee: 2 USD became 2.94 where nobody multiplied again.
    ("order_usd",
     |s| { s.manifest.position_size_usd = "4.65".parse().unwrap(); },
     |s| { s.manifest.position_size_usd = "4.66".parse().unwrap(); }),
    // In flight, never confirmed: counts as filled.
    ("exposure",
     |s| s.traded(50_000, &entry("eth-5m-1769949000/probability-model/1", "0.5", "30", "15.35"), false),
     |s| s.traded(50_000, &entry("eth-5m-1769949000/probability-model/1", "0.5", "30", "15.34"), false)),
    ("capital",
     |s| { no_loss_limits(s); for n in 0..5 { s.lost(5_000_000 + n, "0.50", "23"); } },
     |s| { no_loss_limits(s); for n in 0..5 { s.lost(5_000_000 + n, "0.50", "22"); } }),
    ("stale_oracle", |s| s.oracle_age_ms = Some(5_001), |s| s.oracle_age_ms = Some(5_000)),
    ("stale_book", |s| s.book_age_ms = None, |s| s.book_age_ms = Some(10_000)),
    ("price_collar", |s| s.book_price = Some("0.46"), |s| s.book_price = Some("0.47")),
    // Dearer than the strategy believes it is worth: a component that reports another edge ends here.
    ("edge_bounds", |s| s.fair = Some(0.5474), |s| s.fair = Some(0.5476)),
    ("clock_offset", |s| s.clock_offset_ms = Some(-1_001), |s| s.clock_offset_ms = Some(-1_000)),
    ("daily_loss",
     |s| { for n in 0..3 { s.lost(5_000_000 + n, "0.50", "10"); } },
     |s| { for n in 0..3 { s.lost(5_000_000 + n, "0.49", "10"); } }),
    ("consecutive_losses",
     |s| { for n in 0..4 { s.lost(5_000_000 + n, "0.10", "1"); } },
     |s| { for n in 0..3 { s.lost(5_000_000 + n, "0.10", "1"); } }),
    ("ceiling",
     |s| { wide_open(s); s.order.worst_cost = "250.01".parse().unwrap(); },
     |s| { wide_open(s); s.order.worst_cost = "250".parse().unwrap(); }),
];

fn shut_out(scene: &mut Scene, strategy: &str) {
    let body = RecordBody::QualityClosed {
        strategy: strategy.parse().unwrap(),
        reason: "quality_accuracy".into(),
        detail: "d".into(),
    };
    scene.write(NOW, body);
}

fn cheap(scene: &mut Scene, shares: &str) {
    scene.order.price = "0.02".parse().unwrap();
    scene.order.shares = shares.parse().unwrap();
    scene.order.worst_cost = "2.20".parse().unwrap();
    scene.book_price = Some("0.02");
    scene.fair = Some(0.2);
}

/// Ten shares are held, and the order sells some of them.
fn exit(scene: &mut Scene, shares: &str) {
    let mut bought = scene.order.clone();
    bought.id.sequence = 50;
    bought.shares = "10".parse().unwrap();
    scene.traded(20_000, &bought, true);
    scene.order.purpose = Purpose::Exit;
    scene.order.side = Side::Sell;
    scene.order.shares = shares.parse().unwrap();
    scene.order.id.sequence = 52;
}

/// An earlier sale of the same position, of unknown fate.
fn sale(scene: &mut Scene, shares: &str) -> OrderId {
    let mut sale = scene.order.clone();
    sale.id.sequence = 51;
    sale.shares = shares.parse().unwrap();
    scene.traded(10_000, &sale, false);
    let id = sale.id.clone();
    scene.write(
        NOW,
        RecordBody::Unknown {
            id,
            reason: "timeout".into(),
        },
    );
    sale.id
}

fn orders(scene: &mut Scene, count: u32) {
    for n in 0..count {
        let order = entry(
            &format!("sol-5m-1769949000/probability-model/{}", n + 1),
            "0.5",
            "1",
            "0.1",
        );
        scene.traded(59_999, &order, false);
        scene.write(
            NOW,
            RecordBody::Rejected {
                id: order.id,
                reason: "r".into(),
            },
        );
    }
}

fn positions(scene: &mut Scene, count: u32) {
    for n in 0..count {
        let window = 1_769_949_000 - i64::from(n) * 300;
        let order = entry(
            &format!("xrp-5m-{window}/probability-model/1"),
            "0.5",
            "1",
            "0.6",
        );
        scene.traded(40_000, &order, n % 2 == 0);
    }
}

fn no_loss_limits(scene: &mut Scene) {
    scene.manifest.safeguards.max_daily_loss_usd = "1000".parse().unwrap();
    scene.manifest.safeguards.max_consecutive_losses = 50.try_into().unwrap();
}

fn wide_open(scene: &mut Scene) {
    scene.manifest.max_exposure_usd = "2500".parse().unwrap();
    scene.manifest.max_capital_usd = "10000".parse().unwrap();
    scene.manifest.position_size_usd = "1000".parse().unwrap();
}

fn scene(change: Change) -> Scene {
    let mut scene = Scene::default();
    change(&mut scene);
    scene
}

#[test]
fn the_default_scene_passes() {
    let scene = Scene::default();
    let gate = Gate::new(&scene.manifest);
    assert_eq!(scene.judge(&gate), "approved");
}

#[test]
fn each_safeguard_alone_prevents_its_loss() {
    for (code, excess, inside) in CASES {
        let (with, without) = (scene(*excess), scene(*excess));
        let gate = Gate::new(&with.manifest);
        assert_eq!(with.judge(&gate), *code);
        let gate = Gate::without(&without.manifest, code);
        assert_eq!(without.judge(&gate), "approved", "without {code}");
        let inside = scene(*inside);
        let gate = Gate::new(&inside.manifest);
        assert_eq!(inside.judge(&gate), "approved", "just inside {code}");
    }
}

#[test]
fn every_safeguard_has_a_case_and_a_code_of_its_own() {
    let cases: Vec<&str> = CASES.iter().map(|(code, ..)| *code).collect();
    let table: Vec<&str> = TABLE.iter().map(|row| row.code).collect();
    assert_eq!(cases, table);
    assert_eq!(table.iter().collect::<BTreeSet<_>>().len(), table.len());
}

#[test]
fn every_limit_is_held_by_the_safeguard_that_its_row_names() {
    let manifest = fixtures::manifest();
    let gate = Gate::new(&manifest);
    for (row, guard) in &gate.guards {
        let held: Vec<&str> = guard.held().into_iter().map(|(key, _)| key).collect();
        assert_eq!(held, row.holds, "{}", row.code);
    }
    let declared = manifest.flattened();
    let held: Vec<(&str, serde_json::Value)> = gate.held();
    for key in declared.keys().filter(|key| key.starts_with("safeguards.")) {
        assert_eq!(
            held.iter().filter(|(held, _)| held == key).count(),
            1,
            "{key}"
        );
    }
    for (key, value) in held {
        assert_eq!(declared.get(key), Some(&value), "{key}");
    }
}

#[test]
fn entry_limits_never_block_an_exit() {
    for (code, excess, _) in CASES {
        let mut scene = scene(*excess);
        if *code != "oversell" {
            let shares = scene.order.shares;
            let mut bought = scene.order.clone();
            bought.id.sequence = 90;
            scene.traded(0, &bought, true);
            exit(&mut scene, &shares.to_string());
        }
        let row = TABLE.iter().find(|row| row.code == *code).unwrap();
        // A reduce-only halt lets exits through; a full one does not.
        let wanted = if row.guards == Guards::Entries || *code == "halted" {
            "approved"
        } else {
            *code
        };
        let gate = Gate::new(&scene.manifest);
        assert_eq!(scene.judge(&gate), wanted, "{code}");
    }
}

#[test]
fn a_full_halt_stops_exits_and_a_softer_one_does_not_loosen_it() {
    let mut scene = Scene::default();
    scene.order.purpose = Purpose::Exit;
    for reduce_only in [false, true] {
        scene.write(
            NOW,
            RecordBody::Halt {
                by: "a".into(),
                reason: "b".into(),
                reduce_only,
            },
        );
    }
    let gate = Gate::new(&scene.manifest);
    assert_eq!(scene.judge(&gate), "halted");
}

#[test]
fn an_unknown_fate_counts_as_filled_until_proved_otherwise() {
    let unknown = |scene: &mut Scene| {
        let order = entry("eth-5m-1769949000/probability-model/1", "0.5", "38", "19");
        scene.traded(50_000, &order, false);
        scene.write(
            NOW,
            RecordBody::Unknown {
                id: order.id.clone(),
                reason: "timeout".into(),
            },
        );
        order.id
    };
    let mut still_unknown = Scene::default();
    unknown(&mut still_unknown);
    let gate = Gate::new(&still_unknown.manifest);
    assert_eq!(still_unknown.judge(&gate), "exposure");
    let mut disproved = Scene::default();
    let id = unknown(&mut disproved);
    disproved.write(
        NOW,
        RecordBody::Rejected {
            id,
            reason: "never reached the venue".into(),
        },
    );
    assert_eq!(disproved.judge(&gate), "approved");
}

#[test]
fn a_latch_outlives_the_day_and_ends_with_a_person() {
    let mut scene = Scene::default();
    scene.write(
        NOW,
        RecordBody::Latch {
            safeguard: "daily_loss".into(),
            detail: "d".into(),
        },
    );
    let next_day = NOW.plus_ms(2 * 86_400_000);
    assert!(scene.ledger.latch("daily_loss").is_some());
    assert_eq!(scene.ledger.loss_day(next_day), crate::units::Usd::ZERO);
    let mut reenabled = Scene::default();
    for n in 0..3 {
        reenabled.lost(5_000_000 + n, "0.50", "10");
    }
    let gate = Gate::new(&scene.manifest);
    assert_eq!(scene.judge(&gate), "daily_loss");
    assert_eq!(gate.trips(&reenabled.ledger, NOW).unwrap().0, "daily_loss");
    reenabled.write(
        NOW,
        RecordBody::Reenable {
            by: "a".into(),
            reason: "b".into(),
            freeze_id: "f".into(),
        },
    );
    assert!(gate.trips(&reenabled.ledger, NOW).is_none());
    assert_eq!(reenabled.judge(&gate), "approved");
}

#[test]
fn declaring_more_than_a_ceiling_is_refused() {
    let mut manifest = fixtures::manifest();
    assert!(super::check_ceilings(&manifest).is_ok());
    manifest.safeguards.max_order_shares = "5000.01".parse().unwrap();
    let error = super::check_ceilings(&manifest).unwrap_err().to_string();
    assert_eq!(
        error,
        "safeguards.max_order_shares is 5000.01, the program's own ceiling is 5000: declare less"
    );
    let keys = fixtures::manifest().flattened();
    for ceiling in super::CEILINGS {
        assert!(keys.contains_key(ceiling.key), "{}", ceiling.key);
    }
}

#[test]
fn an_exit_that_buys_and_an_entry_that_sells_are_refused() {
    for (purpose, side) in [(Purpose::Exit, Side::Buy), (Purpose::Entry, Side::Sell)] {
        let mut scene = Scene::default();
        exit(&mut scene, "9");
        (scene.order.purpose, scene.order.side) = (purpose, side);
        let gate = Gate::new(&scene.manifest);
        assert_eq!(scene.judge(&gate), "oversell");
    }
}

#[test]
fn an_order_that_says_too_little_of_its_cost_is_refused() {
    let mut scene = Scene::default();
    scene.order.worst_cost = "4.65".parse().unwrap();
    let gate = Gate::new(&scene.manifest);
    assert_eq!(scene.judge(&gate), "order_usd", "it costs 4.6575");
}

#[test]
fn no_belief_no_entry_and_too_good_to_be_true_neither() {
    for (fair, wanted) in [
        (None, "edge_bounds"),
        (Some(0.8176), "edge_bounds"),
        (Some(0.8174), "approved"),
    ] {
        let scene = Scene {
            fair,
            ..Scene::default()
        };
        let gate = Gate::new(&scene.manifest);
        assert_eq!(scene.judge(&gate), wanted, "{fair:?}");
    }
}

#[test]
fn with_real_orders_an_old_measurement_of_the_clock_is_none() {
    for (clock_offset_ms, clock_age_ms, wanted) in [
        (None, None, "clock_offset"),
        (Some(0), Some(60_001), "clock_offset"),
        (Some(0), None, "clock_offset"),
        (Some(1_001), Some(0), "clock_offset"),
        (Some(0), Some(60_000), "approved"),
    ] {
        let scene = Scene {
            clock_offset_ms,
            clock_age_ms,
            mode: Mode::Live,
            ..Scene::default()
        };
        let gate = Gate::new(&scene.manifest);
        assert_eq!(scene.judge(&gate), wanted, "{clock_age_ms:?}");
    }
}

#[test]
fn the_third_throttle_in_an_hour_is_a_loop_and_latches() {
    let throttled = |scene: &mut Scene, ago_ms: i64| {
        let id = scene.order.id.clone();
        scene.write(NOW.plus_ms(-ago_ms), RecordBody::Throttled { id });
    };
    let gate = Gate::new(&fixtures::manifest());
    let mut spread = Scene::default();
    for ago_ms in [3_600_000, 1_800_000, 60_000] {
        throttled(&mut spread, ago_ms);
    }
    assert!(gate.trips(&spread.ledger, NOW).is_none(), "two in the hour");
    let mut scene = Scene::default();
    for ago_ms in [3_599_999, 1_800_000, 60_000] {
        throttled(&mut scene, ago_ms);
    }
    let (code, refusal) = gate.trips(&scene.ledger, NOW).unwrap();
    assert_eq!(refusal.to_string(), "orders_per_minute (seen 3, limit 3)");
    let latch = RecordBody::Latch {
        safeguard: code.to_owned(),
        detail: refusal.to_string(),
    };
    scene.write(NOW, latch);
    assert!(gate.trips(&scene.ledger, NOW).is_none(), "latched once");
    let mut reenabled = Scene {
        ledger: scene.ledger.clone(),
        ..Scene::default()
    };
    assert_eq!(
        scene.judge(&gate),
        "orders_per_minute",
        "though no order went out in the last minute"
    );
    reenabled.write(
        NOW,
        RecordBody::Reenable {
            by: "a".into(),
            reason: "b".into(),
            freeze_id: "f".into(),
        },
    );
    assert_eq!(reenabled.judge(&gate), "approved");
}

#[test]
fn a_strategy_that_the_quality_gate_does_not_follow_enters_nothing() {
    let scene = Scene {
        is_followed: false,
        ..Scene::default()
    };
    let gate = Gate::new(&scene.manifest);
    assert_eq!(scene.judge(&gate), "quality_gate");
}
