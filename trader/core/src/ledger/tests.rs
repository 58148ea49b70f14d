//! Money through the fold: worked examples, and what may come late, twice or in part.

use super::{LedgerError, LedgerState, RECORD_VERSION, Record, RecordBody};
use crate::order::{Order, OrderId, Purpose, Side};
use crate::units::{EpochMs, Outcome, Usd};

const T: EpochMs = EpochMs(1_769_949_100_000);

fn order(sequence: u32, side: Side, price: &str, shares: &str, worst_cost: &str) -> Order {
    Order {
        id: OrderId {
            window: "btc-5m-1769949000".parse().unwrap(),
            strategy: "m".parse().unwrap(),
            sequence,
        },
        token: "11".parse().unwrap(),
        outcome: Outcome::Up,
        side,
        purpose: if side == Side::Buy {
            Purpose::Entry
        } else {
            Purpose::Exit
        },
        price: price.parse().unwrap(),
        shares: shares.parse().unwrap(),
        expires_at: T.plus_ms(10_000),
        worst_cost: worst_cost.parse().unwrap(),
    }
}

fn fill(order: &Order, fill_id: &str, shares: &str, fee: &str) -> RecordBody {
    RecordBody::Fill {
        id: order.id.clone(),
        fill_id: fill_id.to_owned(),
        price: order.price,
        shares: shares.parse().unwrap(),
        fee: fee.parse().unwrap(),
        provisional: false,
    }
}

fn settled(order: &Order, outcome: Outcome) -> RecordBody {
    RecordBody::Settlement {
        window: order.id.window,
        outcome,
    }
}

fn fold(bodies: Vec<RecordBody>) -> LedgerState {
    let records: Vec<Record> = bodies
        .into_iter()
        .zip(1..)
        .map(|(body, seq)| Record {
            version: RECORD_VERSION,
            seq,
            t_ms: T,
            body,
        })
        .collect();
    LedgerState::replay(&records).unwrap()
}

fn usd(text: &str) -> Usd {
    text.parse().unwrap()
}

#[test]
fn a_worked_trade() {
    // 10 shares for 5.00 + 0.20 fee; 4 sold at 0.80 less 0.20 fee; settled Up.
    let buy = order(1, Side::Buy, "0.50", "10", "5.20");
    let sell = order(2, Side::Sell, "0.80", "4", "0");
    let mut bodies = vec![RecordBody::Intent { order: buy.clone() }];
    assert_eq!(
        fold(bodies.clone()).exposure(),
        usd("5.20"),
        "reserved before the wire"
    );
    bodies.push(fill(&buy, "a", "4", "0.08"));
    let part = fold(bodies.clone());
    assert_eq!(
        part.exposure(),
        usd("5.20"),
        "2.08 paid, 3.12 still reserved"
    );
    bodies.push(fill(&buy, "b", "6", "0.12"));
    bodies.push(RecordBody::Intent {
        order: sell.clone(),
    });
    bodies.push(fill(&sell, "c", "4", "0.20"));
    let sold = fold(bodies.clone());
    assert_eq!(sold.exposure(), usd("3.12"));
    assert_eq!(sold.pnl_total(), usd("0.92"), "3.00 − 2.08");
    bodies.push(settled(&buy, Outcome::Up));
    let end = fold(bodies);
    assert_eq!(
        (end.pnl_total(), end.fees_total()),
        (usd("3.80"), usd("0.40"))
    );
    assert_eq!((end.exposure(), end.position_count()), (Usd::ZERO, 0));
}

#[test]
fn a_late_fill_after_settlement_is_realised_at_once() {
    let buy = order(1, Side::Buy, "0.50", "10", "5.20");
    let early = fold(vec![
        RecordBody::Intent { order: buy.clone() },
        fill(&buy, "a", "10", "0.20"),
        settled(&buy, Outcome::Down),
    ]);
    let late = fold(vec![
        RecordBody::Intent { order: buy.clone() },
        settled(&buy, Outcome::Down),
        fill(&buy, "a", "10", "0.20"),
    ]);
    assert_eq!(early.pnl_total(), usd("-5.20"));
    assert_eq!(
        (late.pnl_total(), late.exposure()),
        (early.pnl_total(), early.exposure())
    );
    assert_eq!((late.losses_in_row(), early.losses_in_row()), (1, 1));
}

#[test]
fn an_unsettled_unknown_keeps_its_reservation() {
    let buy = order(1, Side::Buy, "0.50", "10", "5.20");
    let state = fold(vec![
        RecordBody::Intent { order: buy.clone() },
        RecordBody::Unknown {
            id: buy.id.clone(),
            reason: "timeout".to_owned(),
        },
        settled(&buy, Outcome::Up),
    ]);
    assert_eq!((state.exposure(), state.position_count()), (usd("5.20"), 1));
}

#[test]
fn a_fill_beats_a_rejection() {
    let buy = order(1, Side::Buy, "0.50", "10", "5.20");
    let state = fold(vec![
        RecordBody::Intent { order: buy.clone() },
        RecordBody::Rejected {
            id: buy.id.clone(),
            reason: "said so".to_owned(),
        },
        fill(&buy, "a", "10", "0.20"),
    ]);
    assert_eq!(state.exposure(), usd("5.20"));
    assert_eq!(state.entries_in(buy.id.window).count(), 1);
}

#[test]
fn the_same_fill_counts_once_even_under_another_number() {
    let buy = order(1, Side::Buy, "0.50", "10", "5.20");
    let state = fold(vec![
        RecordBody::Intent { order: buy.clone() },
        fill(&buy, "a", "10", "0.20"),
        fill(&buy, "a", "10", "0.20"),
    ]);
    assert_eq!(state.exposure(), usd("5.20"));
}

#[test]
fn a_withheld_entry_frees_the_money_and_keeps_the_place() {
    let buy = order(1, Side::Buy, "0.50", "10", "5.20");
    let state = fold(vec![
        RecordBody::Intent { order: buy.clone() },
        RecordBody::Withheld {
            id: buy.id.clone(),
            reason: "dry_run".to_owned(),
        },
    ]);
    assert_eq!(state.exposure(), Usd::ZERO);
    assert_eq!(state.entries_in(buy.id.window).count(), 1);
}

#[test]
fn losses_in_a_row_count_every_end() {
    // Two losing round trips in one window, then a win at settlement.
    let mut bodies = Vec::new();
    for n in 0..2 {
        let buy = order(2 * n + 1, Side::Buy, "0.50", "10", "5");
        let sell = order(2 * n + 2, Side::Sell, "0.40", "10", "0");
        bodies.push(RecordBody::Intent { order: buy.clone() });
        bodies.push(fill(&buy, &format!("b{n}"), "10", "0"));
        bodies.push(RecordBody::Intent {
            order: sell.clone(),
        });
        bodies.push(fill(&sell, &format!("s{n}"), "10", "0"));
    }
    assert_eq!(fold(bodies.clone()).losses_in_row(), 2);
    let buy = order(5, Side::Buy, "0.50", "10", "5");
    bodies.push(RecordBody::Intent { order: buy.clone() });
    bodies.push(fill(&buy, "b9", "10", "0"));
    bodies.push(settled(&buy, Outcome::Up));
    assert_eq!(fold(bodies).losses_in_row(), 0);
}

#[test]
fn the_day_ends_at_midnight_utc() {
    let buy = order(1, Side::Buy, "0.50", "10", "5.20");
    let state = fold(vec![
        RecordBody::Intent { order: buy.clone() },
        fill(&buy, "a", "10", "0.20"),
        settled(&buy, Outcome::Down),
    ]);
    let next_midnight = EpochMs((T.0 / 86_400_000 + 1) * 86_400_000);
    assert_eq!(state.pnl_day(next_midnight.plus_ms(-1)), usd("-5.20"));
    assert_eq!(state.loss_day(next_midnight.plus_ms(-1)), usd("5.20"));
    assert_eq!(state.pnl_day(next_midnight), Usd::ZERO);
    assert_eq!(state.pnl_total(), usd("-5.20"));
}

#[test]
fn a_record_without_its_intent_is_refused() {
    let buy = order(1, Side::Buy, "0.50", "10", "5.20");
    let record = Record {
        version: RECORD_VERSION,
        seq: 1,
        t_ms: T,
        body: fill(&buy, "a", "1", "0"),
    };
    let error = LedgerState::replay([&record]).unwrap_err();
    assert_eq!(error, LedgerError::NoIntent { seq: 1, id: buy.id });
}
