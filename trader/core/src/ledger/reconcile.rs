//! Reconciliation: what a report adds to what is known of an order. Pure, and the same for a report
//! that comes at once, late, twice, or in answer to a look-up after a restart.
//!
//! Facts are only ever added, so any order and any repetition of the same reports ends in the same
//! state. Must not judge: what is odd about a report is the engine's to tell.

use super::order_state::Word;
use super::{OrderState, RecordBody};
use crate::event::{FillReport, Finality, OrderReport, OrderStatus};

/// What a report says that is not known yet, as the record to write and its name; `None` when it says
/// nothing new.
pub(crate) fn news(state: &OrderState, report: &OrderReport) -> Option<(&'static str, RecordBody)> {
    let id = report.id.clone();
    let reason = report.detail.clone().unwrap_or_default();
    let (word, name, body) = match report.status {
        OrderStatus::Accepted => {
            let detail = report.detail.clone();
            (
                Word::Accepted,
                "accepted",
                RecordBody::Accepted { id, detail },
            )
        }
        OrderStatus::Delayed => {
            let detail = Some(format!("delayed {reason}").trim_end().to_owned());
            (
                Word::Accepted,
                "delayed",
                RecordBody::Accepted { id, detail },
            )
        }
        OrderStatus::Unknown => (Word::Unknown, "unknown", RecordBody::Unknown { id, reason }),
        OrderStatus::Rejected => (
            Word::Rejected,
            "rejected",
            RecordBody::Rejected { id, reason },
        ),
        OrderStatus::Cancelled => (
            Word::Cancelled,
            "cancelled",
            RecordBody::Cancelled { id, reason },
        ),
    };
    (state.said.add(word) != state.said).then_some((name, body))
}

/// What a report of a fill says that is not known yet.
pub(crate) fn fill_news(
    state: &OrderState,
    report: &FillReport,
) -> Option<(&'static str, RecordBody)> {
    let (id, fill_id) = (report.id.clone(), report.fill_id.clone());
    let known = state.finality(&fill_id);
    match report.finality {
        Finality::Failed => (known < Some(Finality::Failed))
            .then_some(("fill_failed", RecordBody::FillFailed { id, fill_id })),
        Finality::Final if state.has_shares_of(&fill_id) => (known < Some(Finality::Final))
            .then_some(("fill_final", RecordBody::FillFinal { id, fill_id })),
        // Also after its failure: then the shares are only noted.
        Finality::Matched if state.has_shares_of(&fill_id) => None,
        finality @ (Finality::Matched | Finality::Final) => Some((
            "fill",
            RecordBody::Fill {
                id,
                fill_id,
                price: report.price,
                shares: report.size,
                fee: report.fee,
                provisional: finality == Finality::Matched,
            },
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, EventKind};
    use crate::ledger::{LedgerState, OrderPhase, RECORD_VERSION, Record};
    use crate::order::{Order, Purpose, Side};
    use crate::units::{EpochMs, Outcome, Shares, Usd};
    use proptest::prelude::*;

    const T: EpochMs = EpochMs(1_769_949_100_000);

    fn order(sequence: u32, purpose: Purpose) -> Order {
        Order {
            id: format!("btc-5m-1769949000/m/{sequence}").parse().unwrap(),
            token: "11".parse().unwrap(),
            outcome: Outcome::Up,
            side: if purpose == Purpose::Entry {
                Side::Buy
            } else {
                Side::Sell
            },
            purpose,
            price: "0.50".parse().unwrap(),
            shares: "10".parse().unwrap(),
            expires_at: T.plus_ms(10_000),
            worst_cost: "5.2".parse().unwrap(),
        }
    }

    fn fill(order: &Order, number: u8, shares: u32, finality: Finality) -> EventKind {
        EventKind::Fill(FillReport {
            id: order.id.clone(),
            fill_id: format!("f{number}"),
            price: order.price,
            size: shares.to_string().parse().unwrap(),
            fee: "0.01".parse().unwrap(),
            finality,
        })
    }

    fn report(order: &Order, status: OrderStatus) -> EventKind {
        EventKind::Order(OrderReport {
            id: order.id.clone(),
            status,
            detail: None,
        })
    }

    /// A ledger in which both orders are intended, and then what these reports add to it.
    fn told(reports: &[EventKind]) -> LedgerState {
        let mut ledger = LedgerState::default();
        let write = |ledger: &mut LedgerState, body| {
            let record = Record {
                version: RECORD_VERSION,
                seq: ledger.next_seq(),
                t_ms: T,
                body,
            };
            ledger.apply(&record).unwrap();
        };
        for order in [order(1, Purpose::Entry), order(2, Purpose::Exit)] {
            write(&mut ledger, RecordBody::Intent { order });
        }
        for kind in reports {
            let event = Event {
                t: T,
                src: None,
                kind: kind.clone(),
            };
            let body = if let EventKind::Order(report) = &event.kind {
                news(ledger.order(&report.id).unwrap(), report)
            } else if let EventKind::Fill(report) = &event.kind {
                fill_news(ledger.order(&report.id).unwrap(), report)
            } else {
                None
            };
            if let Some((_, body)) = body {
                write(&mut ledger, body);
            }
        }
        ledger
    }

    /// All that must not depend on how the reports came. Where a position ended in between is history.
    fn facts(ledger: &LedgerState) -> impl PartialEq + std::fmt::Debug {
        let orders: Vec<_> = [order(1, Purpose::Entry), order(2, Purpose::Exit)]
            .iter()
            .map(|order| ledger.order(&order.id).unwrap().clone())
            .collect();
        let id = orders[0].order.id.clone();
        let key = crate::ledger::PositionKey {
            window: id.window,
            strategy: id.strategy,
            outcome: Outcome::Up,
        };
        let position = ledger
            .position(&key)
            .map_or((Shares::ZERO, Shares::ZERO, Usd::ZERO, Usd::ZERO), |p| {
                (p.bought, p.sold, p.cost, p.proceeds)
            });
        let money = (ledger.exposure(), ledger.pnl_total(), ledger.fees_total());
        (orders, position, money, ledger.position_count())
    }

    fn reports() -> Vec<EventKind> {
        let (buy, sell) = (order(1, Purpose::Entry), order(2, Purpose::Exit));
        let mut all = Vec::new();
        for status in [
            OrderStatus::Unknown,
            OrderStatus::Accepted,
            OrderStatus::Delayed,
            OrderStatus::Cancelled,
            OrderStatus::Rejected,
        ] {
            all.extend([report(&buy, status), report(&sell, status)]);
        }
        for finality in [Finality::Matched, Finality::Failed, Finality::Final] {
            all.extend([
                fill(&buy, 1, 4, finality),
                fill(&buy, 2, 6, finality),
                fill(&sell, 1, 3, finality),
            ]);
        }
        all
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_order_and_any_repetition_of_reports_gives_the_same_state(
            chosen in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
            shuffle in proptest::collection::vec(any::<prop::sample::Index>(), 12),
            again in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let all = reports();
            let first: Vec<EventKind> = chosen.iter().map(|n| all[n.index(all.len())].clone()).collect();
            let mut other = first.clone();
            for (n, with) in shuffle.iter().enumerate().take(other.len()) {
                let with = with.index(other.len());
                other.swap(n, with);
            }
            for n in again.iter().filter(|_| !first.is_empty()) {
                let copy = first[n.index(first.len())].clone();
                other.insert(n.index(other.len()), copy);
            }
            let (one, two) = (told(&first), told(&other));
            prop_assert!(facts(&one) == facts(&two), "{:?}\n{:?}", facts(&one), facts(&two));
        }
    }

    #[test]
    fn a_match_that_fails_takes_its_shares_back_and_stays_failed() {
        let buy = order(1, Purpose::Entry);
        let matched = fill(&buy, 1, 10, Finality::Matched);
        let failed = fill(&buy, 1, 10, Finality::Failed);
        let before = told(std::slice::from_ref(&matched));
        let state = before.order(&buy.id).unwrap();
        assert_eq!(
            (state.phase, state.provisional()),
            (OrderPhase::Filled, 1),
            "it counts at once"
        );
        for reports in [
            vec![matched.clone(), failed.clone()],
            vec![failed.clone(), matched.clone()],
            vec![matched.clone(), failed.clone(), matched.clone()],
        ] {
            let after = told(&reports);
            let state = after.order(&buy.id).unwrap();
            assert_eq!((state.filled, state.provisional()), (Shares::ZERO, 0));
            assert!(state.phase.is_live(), "its reservation is back");
            assert_eq!(after.exposure(), buy.worst_cost);
            assert_eq!(after.fees_total(), Usd::ZERO);
        }
        let proved = told(&[failed, fill(&buy, 1, 10, Finality::Final)]);
        assert_eq!(
            proved.exposure(),
            "5.01".parse().unwrap(),
            "the chain is right"
        );
    }

    #[test]
    fn a_delayed_order_is_in_flight() {
        let buy = order(1, Purpose::Entry);
        let ledger = told(&[report(&buy, OrderStatus::Delayed)]);
        let state = ledger.order(&buy.id).unwrap();
        assert_eq!(state.phase, OrderPhase::Accepted);
        assert_eq!(ledger.exposure(), buy.worst_cost);
    }

    #[test]
    fn a_fill_written_before_finality_was_known_reads_as_final() {
        let old = r#"{"type":"fill","id":"btc-5m-1769949000/m/1","fill_id":"f","price":"0.5","shares":"1","fee":"0"}"#;
        let body: RecordBody = serde_json::from_str(old).unwrap();
        assert!(matches!(
            body,
            RecordBody::Fill {
                provisional: false,
                ..
            }
        ));
        assert_eq!(
            serde_json::to_string(&body).unwrap(),
            old,
            "and is written as before"
        );
    }
}
