//! Every safeguard against a plain second reckoning, over 10,000 scenes: it refuses exactly what is
//! beyond its limit, whatever else is wrong, and the gate lets nothing past any of them.
//!
//! The second reckoning counts over a list of what happened; it never asks the ledger's fold.

use super::{Gate, GateFacts, Guards, TABLE};
use crate::fees::taker_fee;
use crate::fixtures;
use crate::ledger::{LedgerState, RECORD_VERSION, Record, RecordBody};
use crate::manifest::{Manifest, Mode};
use crate::order::{Order, OrderId, Purpose, Side};
use crate::sim::rng::Rng;
use crate::units::{EpochMs, Outcome, Probability, Shares, TokenPrice, Usd};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rust_decimal::Decimal;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Scenes that are judged.
const CASES: u32 = 10_000;
/// Of those, at least so many that each safeguard refuses, and as many that it lets pass: a property
/// that never meets its limit proves nothing.
const EACH_WAY_MIN: u32 = 100;

const OPEN: i64 = 1_769_949_000_000;
const NOW: EpochMs = EpochMs(OPEN + 120_000);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    InFlight,
    Unknown,
    Accepted,
    Rejected,
    Cancelled,
    Withheld,
    /// Half of it, the rest may still fill.
    Half,
    Filled,
}

const FATES: [Fate; 8] = [
    Fate::InFlight,
    Fate::Unknown,
    Fate::Accepted,
    Fate::Rejected,
    Fate::Cancelled,
    Fate::Withheld,
    Fate::Half,
    Fate::Filled,
];

impl Fate {
    fn filled(self) -> Decimal {
        match self {
            Self::Half => Decimal::new(5, 1),
            Self::Filled => Decimal::ONE,
            Self::InFlight
            | Self::Unknown
            | Self::Accepted
            | Self::Rejected
            | Self::Cancelled
            | Self::Withheld => Decimal::ZERO,
        }
    }

    fn may_fill(self) -> Decimal {
        match self {
            Self::InFlight | Self::Unknown | Self::Accepted => Decimal::ONE,
            Self::Half => Decimal::new(5, 1),
            Self::Rejected | Self::Cancelled | Self::Withheld | Self::Filled => Decimal::ZERO,
        }
    }
}

#[derive(Debug, Clone)]
struct Past {
    order: Order,
    t: EpochMs,
    fate: Fate,
}

impl Past {
    fn cost(&self) -> Decimal {
        (self.order.shares * self.order.price).get()
    }

    fn is_entry(&self) -> bool {
        self.order.purpose == Purpose::Entry
    }
}

#[derive(Debug)]
struct Scene {
    manifest: Manifest,
    past: Vec<Past>,
    /// Closed windows that settled, oldest first.
    settled: Vec<(OrderId, Outcome)>,
    halt: Option<bool>,
    shut_out: Option<&'static str>,
    order: Order,
    facts: Facts,
}

#[derive(Debug, Clone, Copy)]
struct Facts {
    oracle_age_ms: Option<i64>,
    book_age_ms: Option<i64>,
    book_price: Option<TokenPrice>,
    lease_until: Option<EpochMs>,
    entries_this_tick: u32,
    fair: Option<Probability>,
    clock_offset_ms: Option<i64>,
    clock_age_ms: Option<i64>,
    unresolved_orders: u32,
    is_followed: bool,
    mode: Mode,
}

/// A number near a limit: as often just inside as just beyond.
fn near(rng: &mut Rng, limit: i64) -> i64 {
    match rng.below(4) {
        0 => limit,
        1 => limit + 1,
        2 => i64::from(rng.below(u32::try_from(limit).unwrap_or(1))),
        _ => limit + i64::from(rng.below(1_000)),
    }
}

fn maybe<T>(rng: &mut Rng, value: T) -> Option<T> {
    (rng.below(10) > 0).then_some(value)
}

fn aged(rng: &mut Rng, limit: i64) -> Option<i64> {
    let age = near(rng, limit);
    maybe(rng, age)
}

fn cents(value: u32) -> Decimal {
    Decimal::new(value.into(), 2)
}

fn order(rng: &mut Rng, window: &str, sequence: u32, purpose: Purpose) -> Order {
    let strategy = if rng.below(3) == 0 { "b" } else { "a" };
    let id: OrderId = format!("{window}/{strategy}/{sequence}").parse().unwrap();
    let price = TokenPrice::try_new(cents(1 + rng.below(98))).unwrap();
    let shares = Shares::try_new(cents(100 * (1 + rng.below(30)))).unwrap();
    let (is_up, cost) = (rng.below(4) > 0, shares * price);
    Order {
        token: if is_up { "11" } else { "12" }.parse().unwrap(),
        outcome: if is_up { Outcome::Up } else { Outcome::Down },
        side: if purpose == Purpose::Entry {
            Side::Buy
        } else {
            Side::Sell
        },
        purpose,
        price,
        shares,
        expires_at: id.window.close(),
        worst_cost: if purpose == Purpose::Entry {
            cost
        } else {
            Usd::ZERO
        },
        id,
    }
}

const WINDOWS: [&str; 4] = [
    "btc-5m-1769949000",
    "eth-5m-1769949000",
    "btc-5m-1769948700",
    "eth-5m-1769948400",
];

fn scene(seed: u64) -> Scene {
    let rng = &mut Rng::new(seed);
    let mut manifest = fixtures::manifest();
    let limits = &mut manifest.safeguards;
    limits.max_entries_per_window = (1 + rng.below(2)).try_into().unwrap();
    limits.max_open_positions = (1 + rng.below(3)).try_into().unwrap();
    limits.max_orders_per_minute = (1 + rng.below(4)).try_into().unwrap();
    limits.max_consecutive_losses = (1 + rng.below(2)).try_into().unwrap();
    limits.max_order_shares = Shares::try_new(cents(100 * (5 + rng.below(30)))).unwrap();
    let money = |rng: &mut Rng, most: u32| Decimal::from(1 + rng.below(most));
    limits.max_daily_loss_usd = money(rng, 10).to_string().parse().unwrap();
    let sizes = [5, 20, 2_000];
    let size = sizes[usize::try_from(rng.below(3)).unwrap()];
    manifest.position_size_usd = size.to_string().parse().unwrap();
    manifest.max_exposure_usd = money(rng, 30).to_string().parse().unwrap();
    manifest.max_capital_usd = money(rng, 40).to_string().parse().unwrap();
    let mut past = Vec::new();
    let mut ago_ms = 0;
    for sequence in 1..=rng.below(6) {
        let window = WINDOWS[usize::try_from(rng.below(4)).unwrap()];
        let purpose = if rng.below(6) == 0 {
            Purpose::Exit
        } else {
            Purpose::Entry
        };
        let mut order = order(rng, window, sequence, purpose);
        let mut fate = FATES[usize::try_from(rng.below(8)).unwrap()];
        if purpose == Purpose::Exit && fate.filled() > Decimal::ZERO {
            fate = Fate::Unknown;
        }
        // Sequences are handed out per strategy and window; unique ones serve as well.
        order.id.sequence = sequence;
        ago_ms += i64::from(rng.below(2)) * near(rng, 30_000);
        past.push(Past {
            order,
            t: NOW.plus_ms(-ago_ms.min(110_000)),
            fate,
        });
    }
    past.reverse();
    let mut settled = Vec::new();
    for window in [WINDOWS[3], WINDOWS[2]] {
        if rng.below(3) > 0 {
            let outcome = if rng.below(2) == 0 {
                Outcome::Up
            } else {
                Outcome::Down
            };
            settled.push((format!("{window}/a/1").parse().unwrap(), outcome));
        }
    }
    let windows = [
        WINDOWS[0],
        WINDOWS[0],
        WINDOWS[0],
        WINDOWS[1],
        WINDOWS[2],
        "btc-5m-1769949300",
    ];
    let window = windows[usize::try_from(rng.below(6)).unwrap()];
    let purpose = if rng.below(5) == 0 {
        Purpose::Exit
    } else {
        Purpose::Entry
    };
    let mut order = order(rng, window, 99, purpose);
    if rng.below(20) == 0 {
        order.side = if order.side == Side::Buy {
            Side::Sell
        } else {
            Side::Buy
        };
    }
    if rng.below(50) == 0 {
        order.shares = Shares::try_new(Decimal::from(6_000)).unwrap();
    }
    let fee = taker_fee(order.shares, order.price);
    if purpose == Purpose::Entry && rng.below(10) > 0 {
        order.worst_cost = order.shares * order.price + fee;
    }
    order.expires_at = NOW.plus_ms(near(rng, 180_000) - 100);
    let fair = order.price.get() + Decimal::new(i64::from(rng.below(500)) - 50, 3);
    let fair: f64 = fair.to_string().parse().unwrap();
    let gap = Decimal::new(i64::from(rng.below(9)) - 4, 2);
    let halts = [None, None, None, None, None, None, Some(true), Some(false)];
    let modes = [Mode::Paper, Mode::Live, Mode::DryRun];
    let lease_until = NOW.plus_ms(i64::from(rng.below(4)) - 1);
    let facts = Facts {
        oracle_age_ms: aged(rng, 5_000),
        book_age_ms: aged(rng, 10_000),
        book_price: maybe(rng, ()).and_then(|()| TokenPrice::try_new(order.price.get() + gap).ok()),
        lease_until: maybe(rng, lease_until),
        entries_this_tick: rng.below(3),
        fair: maybe(rng, ()).and_then(|()| Probability::try_new(fair).ok()),
        clock_offset_ms: aged(rng, 1_000).map(|ms| if rng.below(2) == 0 { ms } else { -ms }),
        clock_age_ms: aged(rng, 60_000),
        unresolved_orders: rng.below(8) / 6,
        is_followed: rng.below(10) > 0,
        mode: modes[usize::try_from(rng.below(3)).unwrap()],
    };
    Scene {
        manifest,
        past,
        settled,
        halt: halts[usize::try_from(rng.below(8)).unwrap()],
        shut_out: [None, None, Some("a"), Some("b")][usize::try_from(rng.below(4)).unwrap()],
        order,
        facts,
    }
}

impl Scene {
    fn ledger(&self) -> LedgerState {
        let mut ledger = LedgerState::default();
        let mut write = |t, body| {
            let seq = ledger.next_seq();
            ledger
                .apply(&Record {
                    version: RECORD_VERSION,
                    seq,
                    t_ms: t,
                    body,
                })
                .unwrap();
        };
        for past in &self.past {
            let (id, order) = (past.order.id.clone(), past.order.clone());
            let reason = String::new();
            write(past.t, RecordBody::Intent { order });
            let filled = past.order.shares.get() * past.fate.filled();
            if filled > Decimal::ZERO {
                write(
                    past.t,
                    RecordBody::Fill {
                        id: id.clone(),
                        fill_id: "f".to_owned(),
                        price: past.order.price,
                        shares: Shares::try_new(filled).unwrap(),
                        fee: Usd::ZERO,
                        provisional: false,
                    },
                );
            }
            match past.fate {
                Fate::InFlight | Fate::Filled => {}
                Fate::Unknown => write(past.t, RecordBody::Unknown { id, reason }),
                Fate::Accepted | Fate::Half => {
                    write(past.t, RecordBody::Accepted { id, detail: None });
                }
                Fate::Rejected => write(past.t, RecordBody::Rejected { id, reason }),
                Fate::Cancelled => write(past.t, RecordBody::Cancelled { id, reason }),
                Fate::Withheld => write(past.t, RecordBody::Withheld { id, reason }),
            }
        }
        for (id, outcome) in &self.settled {
            let body = RecordBody::Settlement {
                window: id.window,
                outcome: *outcome,
            };
            write(NOW, body);
        }
        if let Some(strategy) = self.shut_out {
            let body = RecordBody::QualityClosed {
                strategy: strategy.parse().unwrap(),
                reason: String::new(),
                detail: String::new(),
            };
            write(NOW, body);
        }
        if let Some(reduce_only) = self.halt {
            let body = RecordBody::Halt {
                by: String::new(),
                reason: String::new(),
                reduce_only,
            };
            write(NOW, body);
        }
        ledger
    }

    fn outcome(&self, order: &Order) -> Option<Outcome> {
        let window = order.id.window;
        let settled = self.settled.iter().find(|(id, _)| id.window == window);
        settled.map(|(_, outcome)| *outcome)
    }

    /// Entries that hold or may yet hold shares of a window that is not settled.
    fn at_stake(&self) -> Decimal {
        let entries = self.past.iter().filter(|past| past.is_entry());
        entries
            .map(|past| {
                let held = if self.outcome(&past.order).is_none() {
                    past.fate.filled()
                } else {
                    Decimal::ZERO
                };
                past.cost() * (held + past.fate.may_fill())
            })
            .sum()
    }

    /// What each settled position brought, in the order in which positions end.
    fn results(&self) -> Vec<Decimal> {
        let mut results = Vec::new();
        for (id, outcome) in &self.settled {
            let mut positions: BTreeMap<(String, Outcome), Decimal> = BTreeMap::new();
            for past in self.past.iter().filter(|past| past.is_entry()) {
                if past.order.id.window != id.window || past.fate.filled() == Decimal::ZERO {
                    continue;
                }
                let shares = past.order.shares.get() * past.fate.filled();
                let pays = if past.order.outcome == *outcome {
                    shares
                } else {
                    Decimal::ZERO
                };
                let key = (past.order.id.strategy.to_string(), past.order.outcome);
                *positions.entry(key).or_default() += pays - past.cost() * past.fate.filled();
            }
            results.extend(positions.into_values());
        }
        results
    }

    fn sellable(&self) -> Decimal {
        let same = |past: &&Past| {
            past.order.id.window == self.order.id.window
                && past.order.id.strategy == self.order.id.strategy
                && past.order.outcome == self.order.outcome
        };
        let mine = || self.past.iter().filter(same);
        let held: Decimal = mine()
            .filter(|past| past.is_entry())
            .map(|past| past.order.shares.get() * past.fate.filled())
            .sum();
        let on_sale: Decimal = mine()
            .filter(|past| !past.is_entry())
            .map(|past| past.order.shares.get() * past.fate.may_fill())
            .sum();
        (held - on_sale).max(Decimal::ZERO)
    }

    /// Whether the limit of this safeguard is broken.
    fn breaks(&self, code: &str) -> bool {
        let (order, facts, limits) = (&self.order, &self.facts, &self.manifest.safeguards);
        let entries = || self.past.iter().filter(|past| past.is_entry());
        let in_window = || {
            entries()
                .filter(|past| past.order.id.window == order.id.window)
                .filter(|past| past.fate != Fate::Rejected)
        };
        let minute = self.past.iter().filter(|past| NOW - past.t < 60_000);
        let recent = u32::try_from(minute.count()).unwrap();
        let counts = |count: usize, limit: u32| count >= usize::try_from(limit).unwrap();
        let beyond = |age: Option<i64>, limit: u32| age.is_none_or(|age| age > i64::from(limit));
        let after = self.at_stake() + order.worst_cost.get();
        let results = self.results();
        let pnl: Decimal = results.iter().sum();
        let lost = (-pnl).max(Decimal::ZERO);
        match code {
            "halted" => match self.halt {
                None => false,
                Some(reduce_only) => !reduce_only || order.purpose == Purpose::Entry,
            },
            "window_not_open" => {
                let window = order.id.window;
                !(window.open() <= NOW && NOW < window.close())
                    || order.expires_at > window.close()
                    || order.expires_at <= NOW
            }
            "oversell" => match (order.purpose, order.side) {
                (Purpose::Entry, Side::Buy) => false,
                (Purpose::Exit, Side::Sell) => order.shares.get() > self.sellable(),
                _ => true,
            },
            "lease" => facts.lease_until.is_none_or(|until| until <= NOW),
            "unreconciled" => facts.unresolved_orders > 0,
            "quality_gate" => {
                !facts.is_followed || self.shut_out == Some(order.id.strategy.as_str())
            }
            "window_once" => counts(in_window().count(), limits.max_entries_per_window.get()),
            "opposite_side" => in_window().any(|past| past.order.outcome != order.outcome),
            "entries_per_tick" => facts.entries_this_tick >= limits.max_entries_per_tick.get(),
            "entry_interval" => entries()
                .filter(|past| past.order.id.window.asset() == order.id.window.asset())
                .any(|past| NOW - past.t < i64::from(limits.min_entry_interval_ms.get())),
            "orders_per_minute" => recent >= limits.max_orders_per_minute.get(),
            "open_positions" => {
                let open: std::collections::BTreeSet<_> = entries()
                    .filter(|past| {
                        let held = past.fate.filled() > Decimal::ZERO;
                        (held && self.outcome(&past.order).is_none())
                            || past.fate.may_fill() > Decimal::ZERO
                    })
                    .map(|past| {
                        let id = &past.order.id;
                        (id.window, id.strategy.clone(), past.order.outcome)
                    })
                    .collect();
                counts(open.len(), limits.max_open_positions.get())
            }
            "order_shares" => order.shares > limits.max_order_shares,
            "order_usd" => {
                let fee = Decimal::new(7, 2)
                    * order.shares.get()
                    * order.price.get()
                    * (Decimal::ONE - order.price.get());
                let cost = order.shares.get() * order.price.get() + fee;
                cost > order.worst_cost.get()
                    || order.worst_cost > self.manifest.position_size_usd.into()
            }
            "exposure" => after > self.manifest.max_exposure_usd.get(),
            "capital" => lost + after > self.manifest.max_capital_usd.get(),
            "stale_oracle" => beyond(facts.oracle_age_ms, limits.max_oracle_age_ms.get()),
            "stale_book" => beyond(facts.book_age_ms, limits.max_book_age_ms.get()),
            "price_collar" => facts.book_price.is_none_or(|shown| {
                let (low, high) = (
                    shown.get().min(order.price.get()),
                    shown.get().max(order.price.get()),
                );
                high - low > limits.price_collar.get()
            }),
            "edge_bounds" => facts.fair.is_none_or(|fair| {
                let price: f64 = order.price.to_string().parse().unwrap();
                let edge = fair.get() - price - 0.07 * price * (1.0 - price);
                !(0.03..=0.30).contains(&edge)
            }),
            "clock_offset" => {
                let live = facts.mode == Mode::Live;
                facts.clock_offset_ms.map_or(live, |offset| {
                    offset.abs() > 1_000
                        || (live && facts.clock_age_ms.is_none_or(|age| age > 60_000))
                })
            }
            "daily_loss" => lost >= limits.max_daily_loss_usd.get(),
            "consecutive_losses" => {
                let row = results
                    .iter()
                    .rev()
                    .take_while(|result| **result < Decimal::ZERO);
                counts(row.count(), limits.max_consecutive_losses.get())
            }
            "ceiling" => {
                order.worst_cost.get() > Decimal::from(250)
                    || after > Decimal::from(2_500)
                    || order.shares.get() > Decimal::from(5_000)
                    || recent >= 120
            }
            other => panic!("no second reckoning of {other}"),
        }
    }
}

#[test]
fn each_safeguard_refuses_exactly_what_is_beyond_its_limit() {
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        ..Config::default()
    };
    // The same scenes in every run: the counts below must not depend on luck.
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let tally: RefCell<BTreeMap<&str, [u32; 2]>> = RefCell::default();
    let approved = RefCell::new(0_u32);
    TestRunner::new_with_rng(config, rng)
        .run(&any::<u64>(), |seed| {
            let scene = scene(seed);
            let (gate, ledger) = (Gate::new(&scene.manifest), scene.ledger());
            let seen = scene.facts;
            let facts = GateFacts {
                now: NOW,
                ledger: &ledger,
                oracle_age_ms: seen.oracle_age_ms,
                book_age_ms: seen.book_age_ms,
                book_price: seen.book_price,
                lease_until: seen.lease_until,
                entries_this_tick: seen.entries_this_tick,
                fair: seen.fair,
                clock_offset_ms: seen.clock_offset_ms,
                clock_age_ms: seen.clock_age_ms,
                unresolved_orders: seen.unresolved_orders,
                is_followed: seen.is_followed,
                mode: seen.mode,
            };
            let mut first = None;
            for (row, guard) in &gate.guards {
                let broken = scene.breaks(row.code);
                let said = guard.judge(&scene.order, &facts);
                prop_assert_eq!(
                    said.is_err(),
                    broken,
                    "{}: {:?}\n{:?}",
                    row.code,
                    said,
                    scene
                );
                if let Err(refusal) = said {
                    prop_assert_eq!(refusal.code, row.code);
                }
                let mut tally = tally.borrow_mut();
                let [passed, refused] = tally.entry(row.code).or_default();
                *(if broken { refused } else { passed }) += 1;
                let judges =
                    row.guards == Guards::Everything || scene.order.purpose == Purpose::Entry;
                if broken && judges && first.is_none() {
                    first = Some(row.code);
                }
            }
            let said = gate.approve(scene.order.clone(), &facts);
            *approved.borrow_mut() += u32::from(said.is_ok());
            prop_assert_eq!(said.err().map(|refusal| refusal.code), first);
            Ok(())
        })
        .unwrap();
    let tally = tally.into_inner();
    assert_eq!(tally.len(), TABLE.len());
    for (code, each) in tally {
        assert!(each.iter().all(|n| *n >= EACH_WAY_MIN), "{code}: {each:?}");
    }
    assert!(*approved.borrow() > 0, "nothing ever passed");
}
