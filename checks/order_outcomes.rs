//! LC-403 order outcomes: whatever becomes of an order, nothing is bought or sold twice and nothing is forgotten.
//!
//! Each life of an order (accepted, rejected, partial, timed out and filled, delayed, failed on the chain, silent,
//! accepted and not stored) is given to an entry and to its exit; at the end the venue's own truth is held
//! against the trader's ledger. Incident 9's root: an accepted order was recorded as failed, and bought again.

use crate::facts::{Facts, known};
use crate::outcome::{Finding, Outcome};
use crate::parts;
use crate::stage::{
    Desk, Maker, Market, Quote, Strategies, clock, eager, honest, normal_ask, text, unbound,
    ungated,
};
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use trader_core::manifest::Manifest;
use trader_core::order::Purpose;
use trader_core::sim::scripted::{Act, Script};
use trader_core::units::{PriceGap, Shares};
use trader_core::window::WindowId;

/// Seconds of trading, of slump (exits), and of quiet in which fates are settled.
const TRADE_SECS: i64 = 6;
const SLUMP_SECS: i64 = 14;
const QUIET_SECS: i64 = 15;

/// A life of an order, and what the process does meanwhile.
struct Life {
    name: &'static str,
    script: &'static [(i64, Act)],
    /// The process ends right after the first order, and so many of its newest records are not on disk.
    restarts: Option<usize>,
}

const fn life(name: &'static str, script: &'static [(i64, Act)]) -> Life {
    Life {
        name,
        script,
        restarts: None,
    }
}

#[rustfmt::skip] // One row, one line.
const LIVES: &[Life] = &[
    life("accepted and filled", &[(0, Act::Accept), (100, Act::Fill(100))]),
    life("rejected", &[(50, Act::Reject)]),
    life("partly filled, the rest expires", &[(0, Act::Accept), (100, Act::Fill(50)), (200, Act::Fill(10))]),
    life("timed out, then filled", &[(500, Act::TimeOut), (800, Act::FillInSilence(100))]),
    life("timed out, never filled", &[(500, Act::TimeOut)]),
    life("timed out, partly filled", &[(100, Act::FillInSilence(60)), (500, Act::TimeOut)]),
    life("delayed, then filled", &[(0, Act::Delay), (3_000, Act::Fill(100))]),
    life("matched, then failed on the chain", &[(0, Act::Accept), (100, Act::Match(100)), (900, Act::FailMatch)]),
    life("said three times", &[(0, Act::Accept), (100, Act::Match(100)), (200, Act::Repeat), (300, Act::Confirm), (400, Act::Repeat)]),
    life("filled in silence", &[(100, Act::FillInSilence(100))]),
    Life { name: "accepted and not stored", script: &[(0, Act::Accept), (0, Act::Fill(60))], restarts: Some(usize::MAX) },
    Life { name: "unknown at a restart", script: &[(400, Act::TimeOut), (2_000, Act::FillInSilence(100))], restarts: Some(0) },
];

pub(crate) fn run(facts: &Facts) -> Outcome {
    let document = known!(facts.manifest);
    let files = known!(facts.strategies);
    match parts::declared(document, files) {
        Ok((manifest, strategies)) => judge(manifest, &strategies, &honest),
        Err(outcome) => outcome,
    }
}

fn judge(declared: &Manifest, strategies: &Strategies, make: Maker<'_>) -> Outcome {
    let mut faults = Vec::new();
    let (mut orders, mut exits) = (0, 0);
    for life in LIVES {
        match play(life, declared, strategies, make) {
            Ok(played) => {
                orders += played.orders;
                exits += played.exits;
                let line = |what| format!("{}: {what}", life.name);
                faults.extend(played.faults.into_iter().map(line));
            }
            Err(why) => {
                return Finding::new("the rehearsal cannot be played, so nothing is known")
                    .seen([format!("{}: {why}", life.name)])
                    .help("LC-203 and LC-204 show whether a trader can be built")
                    .unknown();
            }
        }
    }
    if !faults.is_empty() {
        return Finding::new(format!(
            "in {} places the ledger does not know what the venue knows, or something was done twice",
            faults.len()
        ))
        .seen(faults)
        .help("a fault of the program: do not deploy with it")
        .fail();
    }
    if exits == 0 {
        return Finding::new("no position was ever left, so half of the lives were not seen")
            .help("the declared edge, window or exits leave no trade on the rehearsal's market")
            .unknown();
    }
    Finding::new(format!(
        "{} lives of an order, {orders} orders ({exits} exits): nothing doubled, nothing lost",
        LIVES.len()
    ))
    .evidence("lives", LIVES.len())
    .evidence("orders", orders)
    .evidence("exits", exits)
    .pass()
}

struct Played {
    orders: usize,
    exits: usize,
    faults: Vec<String>,
}

fn play(
    life: &Life,
    declared: &Manifest,
    strategies: &Strategies,
    make: Maker<'_>,
) -> Result<Played, String> {
    let mut manifest = unbound(declared).map_err(text)?;
    manifest.position_size_usd = declared.position_size_usd;
    // One entry a window as declared: what is beyond it was done twice.
    let limits = &mut manifest.safeguards;
    limits.max_entries_per_window = declared.safeguards.max_entries_per_window;
    limits.min_entry_interval_ms = declared.safeguards.min_entry_interval_ms;
    manifest.exit.stop_loss = PriceGap::try_new(Decimal::new(5, 2)).map_err(text)?;
    manifest.assets.truncate(1);
    manifest.window.durations_mins.truncate(1);
    let strategies = ungated(&eager(strategies));
    let scripts: Vec<Script> = vec![life.script.to_vec(); 2];
    let mut desk = Desk::new(make(&manifest, &strategies), scripts)?;
    let market = Market::declared(&manifest).map_err(text)?;
    let quote = Quote::at(normal_ask(declared).map_err(text)?).map_err(text)?;
    let slump = quote.slumped().map_err(text)?;
    let from = i64::from(declared.window.min_elapsed_secs);
    desk.play(market.warm_up(&manifest, from).map_err(text)?);
    let mut sec = from;
    let mut restarts = life.restarts;
    for now in [
        vec![&quote; secs(TRADE_SECS)],
        vec![&slump; secs(SLUMP_SECS)],
    ]
    .concat()
    {
        desk.play(market.second(sec, now).map_err(text)?);
        if let (Some(lost), Some(_)) = (restarts, desk.sent().first()) {
            restarts = None;
            if let Err(why) = desk.restart(lost) {
                return Ok(ended(
                    &desk,
                    &manifest,
                    vec![format!("after a restart: {why}")],
                ));
            }
        }
        sec += 1;
    }
    for _ in 0..QUIET_SECS {
        // No market: what is still open is settled by looking it up.
        desk.play([clock(Market::at(sec), None)]);
        sec += 1;
    }
    Ok(ended(&desk, &manifest, Vec::new()))
}

fn secs(count: i64) -> usize {
    usize::try_from(count).unwrap_or(0)
}

/// The venue's truth against the ledger.
fn ended(desk: &Desk, manifest: &Manifest, mut faults: Vec<String>) -> Played {
    faults.extend(desk.disagreements());
    if desk.short() > Decimal::ZERO {
        faults.push(format!(
            "{} shares were sold that nobody held",
            desk.short()
        ));
    }
    let repeats = desk.venue().repeats();
    if repeats > 0 {
        faults.push(format!("{repeats} orders were sent a second time"));
    }
    let unresolved = desk.engine().unresolved();
    if !unresolved.is_empty() {
        faults.push(format!(
            "{} orders are still of unknown fate",
            unresolved.len()
        ));
    }
    let unexplained = desk.engine().tally().unexplained;
    if unexplained > 0 {
        faults.push(format!(
            "{unexplained} reports explain nothing that was intended"
        ));
    }
    let mut bought: BTreeMap<WindowId, u32> = BTreeMap::new();
    for sent in desk.sent().iter().filter(|sent| sent.is_entry()) {
        if desk.venue().filled(&sent.order.id) > Shares::ZERO {
            *bought.entry(sent.order.id.window).or_default() += 1;
        }
    }
    let most = manifest.safeguards.max_entries_per_window.get();
    for (window, count) in bought.into_iter().filter(|(_, count)| *count > most) {
        faults.push(format!("{window} was bought {count} times, limit {most}"));
    }
    let exit = |sent: &&crate::stage::Sent| sent.order.purpose == Purpose::Exit;
    Played {
        orders: desk.sent().len(),
        exits: desk.sent().iter().filter(exit).count(),
        faults,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Fact, Missing};
    use crate::fixtures::{check, declared, facts, manifest_mut};
    use crate::report::Status;
    use crate::stage::{Trader, built};
    use trader_core::event::{Event, EventKind, OrderStatus};
    use trader_core::ledger::LedgerState;

    #[test]
    fn passing() {
        let result = check(
            "LC-403",
            &facts(),
            Status::Pass,
            "nothing doubled, nothing lost",
        );
        assert!(result.evidence["exits"].as_u64().unwrap() > 6, "{result:?}");
    }

    fn seen(planted: Maker<'_>) -> Vec<String> {
        let mut facts = facts();
        // Quick to try again, so that what is believed lost is bought at once.
        manifest_mut(&mut facts).safeguards.min_entry_interval_ms = 1_000.try_into().unwrap();
        let (manifest, strategies) = declared(&facts);
        match judge(&manifest, &strategies, planted) {
            Outcome::Fail(finding) => finding.seen,
            Outcome::Pass(_) | Outcome::Warn(_) | Outcome::Unknown(_) => Vec::new(),
        }
    }

    #[track_caller]
    fn red(hears: fn(Event) -> Vec<Event>, said: &[&str]) {
        let seen = seen(&|manifest: &Manifest, strategies: &Strategies| Trader {
            hears: Box::new(hears),
            ..honest(manifest, strategies)
        });
        for said in said {
            assert!(
                seen.iter().any(|line| line.contains(said)),
                "{said}: {seen:#?}"
            );
        }
    }

    #[test]
    fn failing() {
        // An error is taken for a refusal: the order had filled, and is bought again.
        let hasty = |event: Event| {
            let mut event = event;
            if let EventKind::Order(report) = &mut event.kind
                && report.status == OrderStatus::Unknown
            {
                report.status = OrderStatus::Rejected;
            }
            vec![event]
        };
        red(
            hasty,
            &["timed out, then filled: btc-15m-1788220800 was bought"],
        );
        // Fills under another field's name: none is heard.
        let deaf = |event: Event| match event.kind {
            EventKind::Fill(_) => Vec::new(),
            EventKind::Oracle(_)
            | EventKind::Spot(_)
            | EventKind::Book(_)
            | EventKind::Trade(_)
            | EventKind::Window(_)
            | EventKind::Order(_)
            | EventKind::Lease(_)
            | EventKind::Clock(_)
            | EventKind::Control(_) => vec![event],
        };
        red(
            deaf,
            &[
                "accepted and filled: btc-15m-1788220800/probability-edge/1",
                "0 in the ledger",
            ],
        );
    }

    #[test]
    fn a_trader_that_forgets_at_a_restart_is_red() {
        let lines = seen(&|manifest: &Manifest, strategies: &Strategies| {
            let (m, s) = (manifest.clone(), strategies.clone());
            Trader {
                build: Box::new(move |_| built(&m, &s, LedgerState::default())),
                ..honest(manifest, strategies)
            }
        });
        let said = "accepted and not stored: btc-15m";
        assert!(
            lines.iter().any(|line| line.starts_with(said)),
            "{lines:#?}"
        );
    }

    #[test]
    fn just_inside() {
        // The smallest size and the shortest pause that can be declared.
        let mut facts = facts();
        let manifest = manifest_mut(&mut facts);
        manifest.position_size_usd = "2.70".parse().unwrap();
        manifest.safeguards.min_entry_interval_ms = 1.try_into().unwrap();
        check("LC-403", &facts, Status::Pass, "nothing doubled");
    }

    #[test]
    fn fact_missing() {
        let mut facts = facts();
        facts.manifest = Fact::missing(Missing::new("HEAD cannot be read"), "HEAD", 0);
        check("LC-403", &facts, Status::Unknown, "HEAD cannot be read");
    }
}
