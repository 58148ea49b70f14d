//! Orders, row by row: who told, what it proves, what is reported, and whether more waiting can help.

use super::assess::{Frame, evidence, is_proved_dead, is_settled, open_orders};
use super::board::{Asked, Board, Probe, ReadBack, State, SweepRecord, TraderRecord};
use super::venue_record::VenueRecord;
use crate::trader::Extent;
use crate::verdict::{Goal, Orders, PlatformSays};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

const LATER: Duration = Duration::from_millis(5);

fn frame(started: Instant) -> Frame {
    Frame {
        goal: Goal::Stop,
        may_be_live: true,
        foreign_deployments: BTreeSet::new(),
        has_platform: true,
        silent_probes: 3,
        started,
        span: Duration::from_mins(1),
    }
}

/// A board on which the platform says dead since `at`, nothing else.
fn dead(at: Instant) -> Arc<Board> {
    let board = Board::new(at, Asked::default());
    let sweep = SweepRecord {
        says: PlatformSays::Dead,
        dead_at: Some(at),
        service_proved: true,
        is_exhausted: false,
    };
    board.write(|state| {
        state.sweeps.insert("s1".into(), sweep);
        state.was_running = true;
        state.platform_path.acknowledged(0);
    });
    board
}

/// An instance that answered after its halt: as `nonce`, with this extent and number of open orders.
fn told(nonce: &str, extent: Extent, open_orders: Option<u64>) -> TraderRecord {
    let back = ReadBack {
        extent,
        deployment_id: None,
        open_orders,
    };
    TraderRecord {
        expected_nonce: Some("n1".into()),
        halted: BTreeSet::from([nonce.to_owned()]),
        read_back: BTreeMap::from([(nonce.to_owned(), back)]),
        ..TraderRecord::default()
    }
}

fn full(open: Option<u64>) -> TraderRecord {
    told("n1", Extent::Full, open)
}

fn asked(venue: VenueRecord) -> VenueRecord {
    VenueRecord {
        is_asked: true,
        ..venue
    }
}

fn read(open: u64, is_zero_proved: bool) -> VenueRecord {
    asked(VenueRecord {
        open: Some(open),
        is_zero_proved,
        ..VenueRecord::default()
    })
}

/// What the rows say of a board.
fn seen(
    venue: VenueRecord,
    traders: Vec<TraderRecord>,
    may_be_live: bool,
) -> (Orders, Option<u64>) {
    let now = Instant::now();
    let board = dead(now);
    board.write(|state| {
        state.venue = venue;
        for (place, trader) in (1..).zip(traders) {
            state.traders.insert(format!("http://t{place}/"), trader);
        }
    });
    let frame = Frame {
        may_be_live,
        ..frame(now)
    };
    board.read(|state| (evidence(state, &frame, now).orders, open_orders(state)))
}

#[test]
fn who_told_of_orders_and_what_it_proves() {
    use Orders::{NotReal, Open, Unknown, Unproved, Zero};
    let silent = || {
        asked(VenueRecord {
            failures: 3,
            ..VenueRecord::default()
        })
    };
    let refused = || {
        asked(VenueRecord {
            is_refused: true,
            ..VenueRecord::default()
        })
    };
    let none = VenueRecord::default;
    let never = TraderRecord::default;
    let half = |open| told("n1", Extent::ReduceOnly, open);
    let stranger = || told("n2", Extent::Full, Some(0));
    let unhalted = TraderRecord {
        halted: BTreeSet::new(),
        ..full(Some(0))
    };
    let rows = [
        ("nobody to ask", none(), vec![], Unknown, None),
        (
            "a trader that never spoke",
            none(),
            vec![never()],
            Unknown,
            None,
        ),
        (
            "a halted trader: none",
            none(),
            vec![full(Some(0))],
            Zero,
            Some(0),
        ),
        (
            "a halted trader: some",
            none(),
            vec![full(Some(2))],
            Open,
            Some(2),
        ),
        (
            "a halted trader that does not say",
            none(),
            vec![full(None)],
            Unknown,
            None,
        ),
        (
            "exits go on: none now",
            none(),
            vec![half(Some(0))],
            Unknown,
            Some(0),
        ),
        (
            "it never took the halt",
            none(),
            vec![unhalted],
            Unknown,
            None,
        ),
        ("a stranger's zero", none(), vec![stranger()], Unknown, None),
        (
            "one of two says none",
            none(),
            vec![full(Some(0)), never()],
            Unknown,
            None,
        ),
        (
            "one of two says some",
            none(),
            vec![never(), full(Some(1))],
            Open,
            Some(1),
        ),
        (
            "both say none",
            none(),
            vec![full(Some(0)), full(Some(0))],
            Zero,
            Some(0),
        ),
        (
            "a venue that has not answered",
            asked(none()),
            vec![],
            Unproved,
            None,
        ),
        (
            "the same, and a trader's zero",
            asked(none()),
            vec![full(Some(0))],
            Unproved,
            None,
        ),
        ("one read of none", read(0, false), vec![], Unproved, None),
        (
            "one read of none, a trader's zero",
            read(0, false),
            vec![full(Some(0))],
            Unproved,
            None,
        ),
        ("two reads of none", read(0, true), vec![], Zero, Some(0)),
        (
            "the venue before the trader",
            read(0, true),
            vec![full(Some(2))],
            Zero,
            Some(0),
        ),
        (
            "orders at the venue",
            read(2, false),
            vec![full(Some(0))],
            Open,
            Some(2),
        ),
        ("a venue that fails", silent(), vec![], Unproved, None),
        ("a venue that refuses", refused(), vec![], Unproved, None),
        (
            "it fails, a trader's zero",
            silent(),
            vec![full(Some(0))],
            Zero,
            Some(0),
        ),
        (
            "it refuses, a trader's two",
            refused(),
            vec![full(Some(2))],
            Open,
            Some(2),
        ),
        (
            "it refuses, a stranger's zero",
            refused(),
            vec![stranger()],
            Unproved,
            None,
        ),
    ];
    for (row, venue, traders, orders, reported) in rows {
        let got = seen(venue.clone(), traders.clone(), true);
        assert_eq!(got, (orders, reported), "{row}");
        assert_eq!(seen(venue, traders, false).0, NotReal, "{row}, on paper");
    }
}

#[test]
fn a_venue_that_answered_once_is_not_replaced_by_the_trader() {
    // The newest requests failed; what it showed before still stands against the trader's word.
    let venue = VenueRecord {
        failures: 9,
        is_refused: true,
        ..read(1, false)
    };
    let got = seen(venue, vec![full(Some(0))], true);
    assert_eq!(got, (Orders::Open, Some(1)));
}

/// The trader is seen to be dead where `is_proved`; else it is silent and nobody tells.
fn stopped(at: Instant, is_proved: bool, change: impl FnOnce(&mut VenueRecord)) -> Arc<Board> {
    let board = dead(at);
    let probe = if is_proved {
        Probe::Refused
    } else {
        Probe::Silent("no answer".into())
    };
    let trader = TraderRecord {
        is_direct: true,
        expected_nonce: Some("n1".into()),
        last: Some((at + LATER, probe)),
        quiet: 3,
        ..TraderRecord::default()
    };
    board.write(|state| {
        state.traders.insert("http://t1/".into(), trader);
        change(&mut state.venue);
    });
    board
}

fn settled(state: &State, started: Instant) -> bool {
    let now = started + LATER * 10;
    is_settled(state, &frame(started), false, now)
}

#[test]
fn a_venue_that_may_still_prove_it_is_waited_for() {
    let at = Instant::now();
    let rows: [(&str, VenueRecord, bool); 6] = [
        ("not asked", VenueRecord::default(), true),
        ("asked", asked(VenueRecord::default()), false),
        (
            "failing, it may come back",
            asked(VenueRecord {
                failures: 9,
                ..VenueRecord::default()
            }),
            false,
        ),
        ("one read of none", read(0, false), false),
        (
            "refused for good",
            asked(VenueRecord {
                is_refused: true,
                ..VenueRecord::default()
            }),
            true,
        ),
        ("proved", read(0, true), true),
    ];
    for (row, venue, is_over) in rows {
        let board = stopped(at, true, |record| *record = venue);
        board.read(|state| {
            assert!(is_proved_dead(state, &frame(at), at + LATER), "{row}");
            assert_eq!(settled(state, at), is_over, "{row}");
        });
    }
}

#[test]
fn without_proof_of_the_end_the_account_is_left_cancelled_and_read() {
    let at = Instant::now();
    let after = |steps: u32| Some(at + LATER * steps);
    // Cancelled, read, open; over?
    let rows = [
        ("nothing heard yet", None, None, None, false),
        ("cancelled, not read", after(1), None, None, false),
        (
            "read before it was cancelled",
            after(2),
            after(1),
            Some(0),
            false,
        ),
        (
            "read after, orders open",
            after(1),
            after(2),
            Some(1),
            false,
        ),
        ("read after, none", after(1), after(2), Some(0), true),
    ];
    for (row, cancelled_at, read_at, open, is_over) in rows {
        let board = stopped(at, false, |venue| {
            venue.is_asked = true;
            (venue.cancelled_at, venue.read_at, venue.open) = (cancelled_at, read_at, open);
        });
        board.read(|state| {
            assert!(!is_proved_dead(state, &frame(at), at + LATER), "{row}");
            assert_eq!(settled(state, at), is_over, "{row}");
        });
    }
    // Cancelled before the platform said dead: what was sent in between may have arrived since.
    let board = stopped(at + LATER * 3, false, |venue| {
        venue.is_asked = true;
        (venue.cancelled_at, venue.read_at, venue.open) = (after(1), after(2), Some(0));
    });
    assert!(!board.read(|state| settled(state, at)));
}
