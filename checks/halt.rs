//! LC-404 halt: a halt and a lapsed lease stop entries, cancel what rests, and keep exits; a restart changes
//! nothing of it.
//!
//! A strategy that always speaks holds a position and a resting entry when it is stopped: by a full halt, by
//! reduce-only, and by a lease that nobody renews. Then the market slumps, so that it must leave. A trader
//! that is not stopped plays the same market, to show that it would have gone on. Incident 2: a kill switch
//! that skipped the tick also skipped the exits, and a restart armed it again.

use crate::facts::{Facts, known};
use crate::outcome::{Finding, Outcome};
use crate::parts;
use crate::stage::{
    Desk, Maker, Market, Quote, Sent, Strategies, eager, honest, normal_ask, text, unbound, ungated,
};
use rust_decimal::Decimal;
use std::num::NonZeroU32;
use trader_core::event::ControlAction;
use trader_core::manifest::Manifest;
use trader_core::order::Purpose;
use trader_core::sim::scripted::{Act, Script};
use trader_core::units::{EpochMs, PriceGap};

/// Seconds of trading before the stop, between stop and restart, and of slump after it.
const BEFORE_SECS: i64 = 3;
const AFTER_SECS: i64 = 20;
const SLUMP_SECS: i64 = 25;
/// Between two entries, ms; how long an order rests before it fills, ms: the program lets it live for 10 s.
const ENTRY_EVERY_MS: u32 = 3_000;
const RESTS_MS: i64 = 9_000;
/// Orders that rest; far more than there are.
const SCRIPTS: usize = 200;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// Nothing stops it: the counter-proof.
    Nothing,
    Full,
    ReduceOnly,
    Lapse,
}

impl Stop {
    const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "no stop",
            Self::Full => "full halt",
            Self::ReduceOnly => "reduce-only",
            Self::Lapse => "lapsed lease",
        }
    }
}

const STOPS: [(Stop, bool); 6] = [
    (Stop::Nothing, false),
    (Stop::Full, false),
    (Stop::Full, true),
    (Stop::ReduceOnly, false),
    (Stop::ReduceOnly, true),
    (Stop::Lapse, false),
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
    let (mut entries, mut exits) = (0, 0);
    for (stop, is_restarted) in STOPS {
        let played = play(stop, is_restarted, declared, strategies, make);
        let place = if is_restarted { ", restarted" } else { "" };
        match played {
            Err(why) => {
                return Finding::new("the rehearsal cannot be played, so nothing is known")
                    .seen([format!("{}{place}: {why}", stop.name())])
                    .help("LC-203 and LC-204 show whether a trader can be built")
                    .unknown();
            }
            Ok(played) if stop == Stop::Nothing => {
                entries = played.entries_after;
                exits = played.exits_after;
                if entries == 0 || exits == 0 || !played.was_resting {
                    return Finding::new(
                        "an unstopped trader does not trade here, so a stop shows nothing",
                    )
                    .seen([format!("{entries} entries, {exits} exits")])
                    .help("the declared edge or window leaves no trade on the rehearsal's market")
                    .unknown();
                }
            }
            Ok(played) => {
                let line = |what| format!("{}{place}: {what}", stop.name());
                faults.extend(played.faults(stop).into_iter().map(line));
            }
        }
    }
    if faults.is_empty() {
        return Finding::new(format!(
            "halt, reduce-only and a lapsed lease: 0 entries (unstopped {entries}), resting orders cancelled, exits as they must be"
        ))
        .evidence("unstopped_entries", entries)
        .evidence("unstopped_exits", exits)
        .pass();
    }
    Finding::new(format!("a stop did not hold in {} ways", faults.len()))
        .seen(faults)
        .help("a fault of the program: do not deploy with it")
        .fail()
}

/// What came after the stop.
struct Played {
    entries_after: usize,
    exits_after: usize,
    /// Whether an entry rested when the stop came, and whether it was cancelled.
    was_resting: bool,
    was_cancelled: bool,
    /// What the trader refused, and how often.
    refusals: String,
    /// Shares still held at the end.
    held: Decimal,
}

impl Played {
    fn faults(&self, stop: Stop) -> Vec<String> {
        let mut faults = Vec::new();
        if self.entries_after > 0 {
            faults.push(format!("{} entries after it", self.entries_after));
        }
        if !self.was_resting {
            faults.push(format!(
                "no entry rested when it came (refusals: {})",
                self.refusals
            ));
        } else if !self.was_cancelled {
            faults.push("an entry that rested was not cancelled".to_owned());
        }
        match stop {
            Stop::Full if self.exits_after > 0 => {
                faults.push(format!("{} orders after a full halt", self.exits_after));
            }
            Stop::ReduceOnly | Stop::Lapse if self.exits_after == 0 => {
                faults.push(format!("{} shares held, and no exit in a slump", self.held));
            }
            Stop::ReduceOnly | Stop::Lapse if self.held > Decimal::ZERO => {
                faults.push(format!("{} shares were not sold", self.held));
            }
            Stop::Nothing | Stop::Full | Stop::ReduceOnly | Stop::Lapse => {}
        }
        faults
    }
}

fn play(
    stop: Stop,
    is_restarted: bool,
    declared: &Manifest,
    strategies: &Strategies,
    make: Maker<'_>,
) -> Result<Played, String> {
    let mut manifest = unbound(declared).map_err(text)?;
    manifest.assets.truncate(1);
    manifest.window.durations_mins.truncate(1);
    let strategies = ungated(&eager(strategies));
    let mut quote = Quote::at(normal_ask(declared).map_err(text)?).map_err(text)?;
    // An oracle that stands still: the trader stays on one side and goes on entering.
    quote.has_swing = false;
    // Far enough below the price paid that the spread alone makes nobody leave, whatever is declared.
    let half = (quote.ask.get() / Decimal::TWO).min(Decimal::new(20, 2));
    manifest.exit.stop_loss = PriceGap::try_new(half).map_err(text)?;
    let interval = NonZeroU32::new(ENTRY_EVERY_MS).unwrap_or(NonZeroU32::MIN);
    manifest.safeguards.min_entry_interval_ms = interval;
    // The first entry is filled in part; its rest, and every order after it, rests nearly to its end.
    let first: Script = vec![(0, Act::Accept), (0, Act::Fill(60))];
    let resting: Script = vec![(0, Act::Accept), (RESTS_MS, Act::Fill(100))];
    let mut scripts = vec![first];
    scripts.extend(std::iter::repeat_n(resting, SCRIPTS));
    let mut desk = Desk::new(make(&manifest, &strategies), scripts)?;
    let market = Market::declared(&manifest).map_err(text)?;
    let slump = quote.slumped().map_err(text)?;
    let from = i64::from(declared.window.min_elapsed_secs);
    desk.play(market.warm_up(&manifest, from).map_err(text)?);
    let mut sec = from;
    let mut seconds = |desk: &mut Desk, count: i64, quote: &Quote| -> Result<(), String> {
        for _ in 0..count {
            desk.play(market.second(sec, quote).map_err(text)?);
            sec += 1;
        }
        Ok(())
    };
    seconds(&mut desk, BEFORE_SECS, &quote)?;
    let since = match stop {
        Stop::Nothing => desk.now(),
        Stop::Full => {
            desk.command(ControlAction::Halt);
            desk.now()
        }
        Stop::ReduceOnly => {
            desk.command(ControlAction::ReduceOnly);
            desk.now()
        }
        Stop::Lapse => {
            desk.is_leased = false;
            let left = desk.engine().lease(desk.now());
            let left = left.map_or(0, |lease| lease.expires_in_ms);
            desk.now().plus_ms(i64::try_from(left).unwrap_or(i64::MAX))
        }
    };
    if is_restarted {
        desk.restart(0)?;
    }
    seconds(&mut desk, AFTER_SECS, &quote)?;
    seconds(&mut desk, SLUMP_SECS, &slump)?;
    Ok(after(&desk, since))
}

fn after(desk: &Desk, since: EpochMs) -> Played {
    // What was sent so shortly before had neither filled nor expired.
    let rested = |sent: &&Sent| sent.is_entry() && sent.at <= since && since - sent.at < RESTS_MS;
    let resting: Vec<&Sent> = desk.sent().iter().filter(rested).collect();
    let exits = desk
        .sent()
        .iter()
        .filter(|sent| sent.order.purpose == Purpose::Exit && sent.at > since);
    Played {
        entries_after: desk.entries_since(since).count(),
        exits_after: exits.count(),
        was_resting: !resting.is_empty(),
        was_cancelled: resting
            .iter()
            .all(|sent| desk.was_cancelled(&sent.order.id)),
        refusals: format!("{:?}", desk.engine().tally().refusals),
        held: desk.venue().held().into_values().sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Fact, Missing};
    use crate::fixtures::{check, declared, facts, manifest_mut};
    use crate::report::Status;
    use crate::stage::{Trader, built};
    use trader_core::event::{Event, EventKind};
    use trader_core::ledger::LedgerState;

    #[test]
    fn passing() {
        let said = "halt, reduce-only and a lapsed lease: 0 entries";
        let result = check("LC-404", &facts(), Status::Pass, said);
        assert!(
            result.evidence["unstopped_entries"].as_u64().unwrap() > 3,
            "{result:?}"
        );
    }

    fn seen(planted: Maker<'_>) -> Vec<String> {
        let (manifest, strategies) = declared(&facts());
        match judge(&manifest, &strategies, planted) {
            Outcome::Fail(finding) => finding.seen,
            Outcome::Pass(_) | Outcome::Warn(_) | Outcome::Unknown(_) => Vec::new(),
        }
    }

    #[track_caller]
    fn red(planted: Maker<'_>, said: &str) {
        let seen = seen(planted);
        assert!(
            seen.iter().any(|line| line.contains(said)),
            "{said}: {seen:#?}"
        );
    }

    #[test]
    fn failing() {
        // A command under a key that nobody reads.
        let deaf = |event: Event| {
            let is_command = matches!(event.kind, EventKind::Control(_));
            if is_command { Vec::new() } else { vec![event] }
        };
        let deaf = |manifest: &Manifest, strategies: &Strategies| Trader {
            hears: Box::new(deaf),
            ..honest(manifest, strategies)
        };
        red(&deaf, "full halt: ");
        red(&deaf, "reduce-only: ");
        // Cancels that never leave the house.
        let keeps = |manifest: &Manifest, strategies: &Strategies| Trader {
            cancels: false,
            ..honest(manifest, strategies)
        };
        red(&keeps, "full halt: an entry that rested was not cancelled");
        red(
            &keeps,
            "lapsed lease: an entry that rested was not cancelled",
        );
        // A restart that arms it again.
        let forgets = |manifest: &Manifest, strategies: &Strategies| {
            let (m, s) = (manifest.clone(), strategies.clone());
            Trader {
                build: Box::new(move |_| built(&m, &s, LedgerState::default())),
                ..honest(manifest, strategies)
            }
        };
        red(&forgets, "reduce-only, restarted: ");
        // Exits that the stop takes with it.
        let numb = |event: Event| {
            let mut event = event;
            if let EventKind::Control(control) = &mut event.kind
                && control.action == ControlAction::ReduceOnly
            {
                control.action = ControlAction::Halt;
            }
            vec![event]
        };
        let numb = |manifest: &Manifest, strategies: &Strategies| Trader {
            hears: Box::new(numb),
            ..honest(manifest, strategies)
        };
        red(&numb, "held, and no exit in a slump");
        // It renews its own lease.
        let selfish = |event: Event| {
            if let EventKind::Clock(_) | EventKind::Oracle(_) = &event.kind {
                return vec![crate::stage::lease(event.t), event];
            }
            vec![event]
        };
        let selfish = |manifest: &Manifest, strategies: &Strategies| Trader {
            hears: Box::new(selfish),
            ..honest(manifest, strategies)
        };
        red(&selfish, "lapsed lease: ");
    }

    #[test]
    fn just_inside() {
        // From the very open, and with a stop-loss so tight that the spread alone would set it off.
        let mut facts = facts();
        let manifest = manifest_mut(&mut facts);
        manifest.exit.stop_loss = "0.03".parse().unwrap();
        manifest.window.min_elapsed_secs = 0;
        check("LC-404", &facts, Status::Pass, "0 entries");
    }

    /// The merge gate declares mode dry-run: what is rehearsed is the sending all the same.
    #[test]
    fn a_manifest_that_sends_nothing_is_rehearsed_as_if_it_did() {
        let mut facts = facts();
        manifest_mut(&mut facts).mode = trader_core::manifest::Mode::DryRun;
        for code in ["LC-308", "LC-401", "LC-402", "LC-403", "LC-404"] {
            check(code, &facts, Status::Pass, "");
        }
    }

    #[test]
    fn fact_missing() {
        let mut facts = facts();
        facts.manifest = Fact::missing(Missing::new("HEAD cannot be read"), "HEAD", 0);
        check("LC-404", &facts, Status::Unknown, "HEAD cannot be read");
    }
}
