//! The parts of a tick: Φ, N(d2) with its types, the gate of all safeguards.

use crate::clock::{Runs, runs, timed};
use crate::market::manifest;
use crate::table::{Limit, Table};
use std::hint::black_box;
use trader_core::ledger::{LedgerState, RECORD_VERSION, Record, RecordBody};
use trader_core::manifest::Mode;
use trader_core::model::{ModelInput, Settlement, p_up, phi};
use trader_core::order::{Order, OrderId, Purpose, Side};
use trader_core::safeguards::{Approved, Gate, GateFacts};
use trader_core::sim::rng::Rng;
use trader_core::units::{EpochMs, OraclePrice, Outcome, Probability, Usd, Volatility};
use trader_core::window::WindowId;

const VALUES: usize = 1_024;
const ROUNDS: usize = 200;
const RUNS: usize = 15;
const CALLS: f64 = 1_024.0 * 200.0;

pub(crate) fn measure(table: &mut Table) {
    let mut rng = Rng::new(7);
    let xs: Vec<f64> = (0..VALUES).map(|_| 2.0 * rng.normal()).collect();
    let bare = each(&xs, |x| libm::erfc(*x));
    let whole = each(&xs, |x| phi(*x));
    let what = "bare libm::erfc, standard normal arguments times 2";
    table.nanos(what, bare, Limit::None, "");
    let ratio = whole.fastest / bare.fastest;
    table.nanos(
        "Φ",
        whole,
        Limit::AtMost(1.3 * bare.fastest),
        &format!("{ratio:.2}x erfc"),
    );
    let inputs = inputs(&mut rng);
    let answered = each(&inputs, |input| p_up(input).map(|seen| seen.d));
    let beside = format!("{:.2}x erfc", answered.fastest / bare.fastest);
    table.nanos(
        "N(d2) from typed prices",
        answered,
        Limit::AtMost(40.0),
        &beside,
    );
    let judged = gate();
    let what = "gate: every safeguard judges an entry that passes";
    table.nanos(what, judged, Limit::AtMost(100.0), "");
}

/// Nanoseconds of `work` per value.
fn each<T, R>(values: &[T], work: impl Fn(&T) -> R) -> Runs {
    let all = runs(RUNS, || {
        timed(|| {
            for _ in 0..ROUNDS {
                for value in values {
                    black_box(work(black_box(value)));
                }
            }
        })
        .0
    });
    all.scaled(1.0 / CALLS)
}

fn inputs(rng: &mut Rng) -> Vec<ModelInput> {
    let oracle = |price: f64| {
        let cents = rust_decimal::Decimal::try_from(price).unwrap().round_dp(2);
        OraclePrice::try_new(cents).unwrap()
    };
    (0..VALUES)
        .map(|n| ModelInput {
            oracle: oracle(95_000.0 + 60.0 * rng.normal()),
            reference: "95000.25".parse().unwrap(),
            volatility: Volatility::try_new(0.45).unwrap(),
            remaining_ms: 1_000 + 280 * i64::try_from(n).unwrap(),
            settlement: Settlement::Spot,
        })
        .collect()
}

/// An entry into a window beside two positions and an order of the last minute.
fn gate() -> Runs {
    let manifest = manifest(5, 5);
    let gate = Gate::new(&manifest);
    let open = 1_795_392_000_i64;
    let now = EpochMs((open + 100) * 1_000);
    let order = |asset: &str, at: EpochMs| {
        let window: WindowId = format!("{asset}-5m-{open}").parse().unwrap();
        Order {
            id: OrderId {
                window,
                strategy: "probability-model".parse().unwrap(),
                sequence: 1,
            },
            token: "71321045679252212594626385532706912750332728571942532289631379312455583992563"
                .parse()
                .unwrap(),
            outcome: Outcome::Up,
            side: Side::Buy,
            purpose: Purpose::Entry,
            price: "0.55".parse().unwrap(),
            shares: "9.5".parse().unwrap(),
            expires_at: at.plus_ms(10_000),
            worst_cost: "5.40".parse().unwrap(),
        }
    };
    let mut ledger = LedgerState::default();
    let mut records = Vec::new();
    for (asset, secs_ago) in [("eth", 50), ("sol", 40)] {
        let at = now.plus_ms(-secs_ago * 1_000);
        let order = order(asset, at);
        let id = order.id.clone();
        records.push((at, RecordBody::Intent { order }));
        let fill = RecordBody::Fill {
            id,
            fill_id: asset.to_owned(),
            price: "0.55".parse().unwrap(),
            shares: "9.5".parse().unwrap(),
            fee: Usd::ZERO,
            provisional: false,
        };
        records.push((at, fill));
    }
    for (t_ms, body) in records {
        let seq = ledger.next_seq();
        let version = RECORD_VERSION;
        ledger
            .apply(&Record {
                version,
                seq,
                t_ms,
                body,
            })
            .unwrap();
    }
    let facts = GateFacts {
        now,
        ledger: &ledger,
        oracle_age_ms: Some(150),
        book_age_ms: Some(400),
        book_price: Some("0.55".parse().unwrap()),
        lease_until: Some(now.plus_ms(12_000)),
        entries_this_tick: 0,
        fair: Some(Probability::try_new(0.62).unwrap()),
        clock_offset_ms: Some(3),
        clock_age_ms: Some(4_000),
        unresolved_orders: 0,
        is_followed: true,
        mode: Mode::Paper,
    };
    let asked = order("btc", now);
    let mut approved: Vec<Approved<Order>> = Vec::with_capacity(VALUES);
    let all = runs(RUNS * 10, || {
        approved.clear();
        // The gate takes the order: copies are made before the clock starts.
        let orders: Vec<Order> = std::iter::repeat_n(asked.clone(), VALUES).collect();
        timed(|| {
            for order in orders {
                approved.push(gate.approve(order, black_box(&facts)).unwrap());
            }
        })
        .0
    });
    all.scaled(1.0 / 1_024.0)
}
