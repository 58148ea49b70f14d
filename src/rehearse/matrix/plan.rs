//! How much of the product is run: crossings of the axes that matter together, a
//! diagonal through all of them, then a draw of the rest.
//!
//! The real programs (trader, watchdog, `launch kill`) are slow to start: they have a list of their own.
//!
//! Pure and deterministic: the same seed gives the same list, in the same order.

use super::combination::{AXES, Combination, ORDINARY, Places};
use super::expectation::{self, Expectation};
use std::collections::BTreeSet;

/// Combinations drawn from the whole product beside the crossings.
const DRAWN: usize = 120;

const PLATFORM: usize = 0;
const NETWORK: usize = 1;
const TRADER: usize = 2;
const WITNESS: usize = 3;
const VENUE: usize = 4;
const TARGET: usize = 5;
const MOMENT: usize = 6;

/// The crossings: which axes run through all their rows, and where the others stand (place in their
/// tables; the first row of each is the ordinary case, the second of the witnesses is a watchdog).
const CROSSINGS: &[(&[usize], Places)] = &[
    // Every platform fault, with every trader: without a watchdog, and with one.
    (&[PLATFORM, TRADER], [0, 0, 0, 0, 0, 0, 0]),
    (&[PLATFORM, TRADER], [0, 0, 0, 1, 0, 0, 0]),
    // Every network fault: with an answering trader alone, and with a watchdog and an unhelpful one.
    (&[NETWORK], [0, 0, 0, 0, 0, 0, 0]),
    (&[NETWORK], [1, 0, 4, 1, 0, 0, 0]),
    (&[NETWORK], [17, 0, 0, 1, 0, 0, 0]),
    // Every platform fault on this machine, with real money, and while two kill or it restarts.
    (&[PLATFORM], [0, 0, 0, 0, 0, 1, 0]),
    (&[PLATFORM], [0, 0, 2, 0, 0, 1, 0]),
    (&[PLATFORM], [0, 0, 0, 0, 2, 0, 0]),
    (&[PLATFORM], [0, 0, 0, 1, 0, 0, 1]),
    (&[PLATFORM], [0, 0, 0, 1, 0, 0, 2]),
    // Orders with an answering trader and with one that refuses; on this machine, with a silent trader, while two kill, with the key's
    // deletion, while a build is under way, and where the stop is only reported; every watchdog where it
    // is the only witness.
    (&[VENUE], [0, 0, 0, 1, 0, 0, 0]),
    (&[VENUE], [0, 0, 4, 1, 0, 0, 0]),
    (&[VENUE], [0, 0, 2, 0, 0, 1, 0]),
    (&[VENUE], [0, 0, 0, 1, 0, 0, 1]),
    (&[VENUE], [0, 0, 0, 1, 0, 0, 3]),
    (&[VENUE], [16, 0, 0, 1, 0, 0, 0]),
    (&[VENUE], [3, 0, 0, 1, 0, 0, 0]),
    // Every platform fault and every network fault with orders at the exchange, one of them late.
    (&[PLATFORM], [0, 0, 0, 1, 6, 0, 0]),
    (&[NETWORK], [0, 0, 0, 1, 6, 0, 0]),
    (&[WITNESS], [0, 0, 4, 0, 0, 0, 0]),
    // Every network fault before a platform whose reports are lies, and nobody who could tell.
    (&[NETWORK], [14, 0, 1, 0, 0, 0, 0]),
    (&[TARGET, MOMENT], [0, 0, 0, 0, 0, 0, 0]),
];

/// With the real trader, the real kill, the real watchdog, and all three.
pub(super) const REAL: &[&str] = &[
    "truthful.clean.real.watchdog.paper.railway.once",
    "stop-acknowledged.clean.real.watchdog.paper.railway.once",
    "stop-unreported.clean.real.watchdog.paper.railway.once",
    "stop-refused.clean.real.watchdog.paper.railway.once",
    "stop-stuck.clean.real.watchdog.paper.railway.once",
    "remove-zombie.clean.real.watchdog.paper.railway.once",
    "both-refused.clean.real.watchdog.paper.railway.once",
    "both-reported.clean.real.watchdog.paper.railway.once",
    "autodeploy-once.clean.real.watchdog.paper.railway.once",
    "platform-3.clean.real.watchdog.paper.railway.once",
    "restart-3.clean.real.watchdog.paper.railway.once",
    "platform-for-ever.clean.real.watchdog.paper.railway.once",
    "draining-ignored.clean.real.watchdog.paper.railway.once",
    "report-late.clean.real.watchdog.paper.railway.once",
    "second-deployment.clean.real.watchdog.paper.railway.once",
    "truthful.clean.real.watchdog.exchange-late.railway.once",
    "truthful.clean.real.watchdog.exchange-not-canceled.railway.once",
    "truthful.clean.real.no-watchdog.paper.local.once",
    "both-reported.clean.real.no-watchdog.paper.local.once",
    "both-refused.clean.real.no-watchdog.paper.local.once",
    "stop-unreported.reset-few.real.no-watchdog.paper.local.two-kills",
    "truthful.hang.real.watchdog.paper.local.once",
    "truthful.clean.real-hung.watchdog.paper.railway.once",
    "both-reported.clean.real-hung.watchdog.paper.railway.once",
    "truthful.clean.real-hung.no-watchdog.paper.local.once",
    "both-reported.clean.real-hung.no-watchdog.paper.local.once",
    "truthful.clean.answers.no-watchdog.paper.railway.binary",
    "truthful.clean.hung.no-watchdog.paper.local.binary",
    "stop-acknowledged.clean.answers.watchdog.paper.railway.binary",
    "both-refused.clean.answers.no-watchdog.paper.railway.binary",
    "both-reported.clean.hung.watchdog.paper.railway.binary",
    "truthful.garbage.answers.watchdog.paper.railway.binary",
    "truthful.hang.hung.watchdog.paper.local.binary",
    "build.clean.answers.watchdog.paper.railway.binary",
    "truthful.clean.forgets.no-watchdog.paper.railway.binary",
    "truthful.clean.answers.no-watchdog.live-order.local.binary",
    "truthful.clean.answers.no-watchdog.exchange-late.railway.binary",
    "truthful.clean.answers.no-watchdog.exchange-not-canceled.railway.binary",
    "truthful.clean.hung.real-watchdog.paper.railway.once",
    "truthful.clean.refuses.real-watchdog.paper.railway.once",
    "truthful.clean.unknown.real-watchdog.paper.railway.once",
    "stop-unreported.clean.hung.real-watchdog.paper.railway.once",
    "both-reported.clean.hung.real-watchdog.paper.railway.once",
    "both-refused.clean.answers.real-watchdog.paper.local.once",
    "platform-for-ever.clean.refuses.real-watchdog.paper.railway.once",
    "truthful.hang.answers.real-watchdog.paper.railway.once",
    "truthful.clean.stubborn.real-watchdog.exchange-orders.railway.once",
    "truthful.clean.real.real-watchdog.paper.railway.binary",
    "truthful.clean.real.real-watchdog.paper.local.binary",
    "stop-acknowledged.clean.real.real-watchdog.paper.railway.binary",
    "both-refused.clean.real.real-watchdog.paper.railway.binary",
    "truthful.clean.real-hung.real-watchdog.paper.local.binary",
];

/// The combinations with real programs.
pub(super) fn real() -> Vec<Combination> {
    // A test holds that every name is one.
    let all = REAL.iter().map(|slug| Combination::parse(slug));
    all.filter_map(Result::ok).collect()
}

/// The whole list.
pub(super) fn all(seed: u64) -> Vec<Combination> {
    let mut places: Vec<Places> = Vec::new();
    let mut known = BTreeSet::new();
    let mut add = |at: Places, places: &mut Vec<Places>| {
        let is_new = known.insert(at);
        if is_new {
            places.push(at);
        }
        is_new
    };
    for (axes, base) in CROSSINGS {
        for at in crossing(axes, *base) {
            add(at, &mut places);
        }
    }
    for at in diagonal() {
        add(at, &mut places);
    }
    let mut draw = Draw(seed);
    let mut missing = DRAWN;
    while missing > 0 {
        if add(draw.places(), &mut places) {
            missing = missing.saturating_sub(1);
        }
    }
    let ordinary = places.into_iter().filter_map(Combination::at);
    // First: they take longest, and what is long must not begin last.
    real().into_iter().chain(ordinary).collect()
}

fn crossing(axes: &[usize], base: Places) -> Vec<Places> {
    let mut all = vec![base];
    for axis in axes {
        let rows = ORDINARY.get(*axis).copied().unwrap_or(0);
        all = all
            .into_iter()
            .flat_map(|places| {
                (0..rows).map(move |row| {
                    let mut at = places;
                    if let Some(place) = at.get_mut(*axis) {
                        *place = row;
                    }
                    at
                })
            })
            .collect();
    }
    all
}

/// Every row of every axis in as few combinations as the longest axis has rows. What can be verified is
/// paired with what can be verified, so that one fault does not hide another.
fn diagonal() -> Vec<Places> {
    let with_watchdog: Places = [0, 0, 0, 1, 0, 0, 0];
    let sorted = |axis: usize| -> Vec<(bool, usize)> {
        let mut rows: Vec<(bool, usize)> = crossing(&[axis], with_watchdog)
            .into_iter()
            .enumerate()
            .map(|(row, at)| (!is_verifiable(at), row))
            .collect();
        rows.sort_unstable();
        rows
    };
    let (platform, network) = (sorted(PLATFORM), sorted(NETWORK));
    let venues = |is_hard: bool| -> Vec<usize> {
        let rows = sorted(VENUE).into_iter();
        rows.filter(|(hard, _)| *hard == is_hard)
            .map(|(_, row)| row)
            .collect()
    };
    let (easy_venues, hard_venues) = (venues(false), venues(true));
    let longest = platform.len().max(network.len());
    let pairs = platform
        .iter()
        .cycle()
        .zip(network.iter().cycle())
        .take(longest);
    pairs
        .enumerate()
        .map(|(row, ((is_hard, platform), (is_harder, network)))| {
            let nth = |of: usize| row.checked_rem(of).unwrap_or(0);
            let [_, _, traders, witnesses, _, targets, moments] = ORDINARY;
            let venue_of = |rows: &[usize]| rows.get(nth(rows.len())).copied().unwrap_or(0);
            let others = if *is_hard || *is_harder {
                [nth(traders), nth(witnesses), venue_of(&hard_venues)]
            } else {
                // An answering trader or one that ignores SIGTERM, a watchdog, orders that are cancelled.
                [nth(2).saturating_mul(3), 1, venue_of(&easy_venues)]
            };
            let [trader, witness, venue] = others;
            [
                *platform,
                *network,
                trader,
                witness,
                venue,
                nth(targets),
                nth(moments),
            ]
        })
        .collect()
}

fn is_verifiable(at: Places) -> bool {
    Combination::at(at).is_some_and(|one| expectation::of(&one) == Expectation::MustVerify)
}

/// Those whose names fit a pattern: `*` fits every row of its axis.
pub(super) fn fitting(all: &[Combination], pattern: &str) -> Vec<Combination> {
    let parts: Vec<&str> = pattern.split('.').collect();
    let fits = |one: &&Combination| {
        let names = one.names();
        parts.len() == names.len()
            && parts
                .iter()
                .zip(names)
                .all(|(part, name)| *part == "*" || *part == name)
    };
    all.iter().filter(fits).copied().collect()
}

/// `count` of them that show every row of every axis at least once, as far as `count` allows; the rest
/// evenly from the whole list.
pub(super) fn sample(all: &[Combination], count: usize) -> Vec<Combination> {
    let shortest: Vec<Combination> = diagonal().into_iter().filter_map(Combination::at).collect();
    let mut chosen: Vec<usize> = Vec::new();
    if shortest.len() <= count {
        let place = |one: &Combination| all.iter().position(|other| other == one);
        chosen.extend(shortest.iter().filter_map(place));
    }
    let mut covered: BTreeSet<(usize, &str)> = BTreeSet::new();
    let rows = |combination: &Combination| combination.names().into_iter().enumerate();
    covered.extend(chosen.iter().filter_map(|at| all.get(*at)).flat_map(rows));
    while chosen.len() < count {
        let gain = |combination: &Combination| {
            rows(combination)
                .filter(|row| !covered.contains(row))
                .count()
        };
        // The first of the best: `max_by_key` would take the last.
        let best = all
            .iter()
            .enumerate()
            .map(|(at, combination)| (gain(combination), at))
            .reduce(|best, next| if next.0 > best.0 { next } else { best });
        let Some((1.., at)) = best else { break };
        chosen.push(at);
        covered.extend(all.get(at).into_iter().flat_map(rows));
    }
    let missing = count.saturating_sub(chosen.len());
    let others: Vec<usize> = (0..all.len()).filter(|at| !chosen.contains(at)).collect();
    let step = others.len().checked_div(missing).unwrap_or(0).max(1);
    let rest = others.into_iter().step_by(step).take(missing);
    chosen.extend(rest);
    chosen.sort_unstable();
    chosen
        .into_iter()
        .filter_map(|at| all.get(at).copied())
        .collect()
}

/// A reproducible sequence (`SplitMix64`).
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn places(&mut self) -> Places {
        let mut at: Places = [0; AXES];
        for (place, rows) in at.iter_mut().zip(ORDINARY) {
            let rows = u64::try_from(rows).unwrap_or(1).max(1);
            *place = usize::try_from(self.next() % rows).unwrap_or(0);
        }
        // Two faults at once are enough: half of the draws have a network that works.
        if self.next().is_multiple_of(2)
            && let Some(network) = at.get_mut(NETWORK)
        {
            *network = 0;
        }
        at
    }
}
