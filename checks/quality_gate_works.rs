//! LC-308 quality gate works: fed losing outcomes it closes, stays closed over a restart, and opens only by a
//! recorded re-enable.
//!
//! Each declared strategy, with a signal that always speaks and its own gate, buys in a market that slumps
//! after every purchase. Counted at the venue: how many positions it may still lose before it stops, that it
//! stays stopped, and that it goes on once a person has re-enabled it. Question 7: the gate of old was asked
//! by nobody, and "not initialised" meant "allow".

use crate::facts::{Facts, known};
use crate::outcome::{Finding, Outcome};
use crate::parts;
use crate::stage::{
    Desk, Maker, Market, Quote, Strategies, eager, honest, normal_ask, text, unbound,
};
use rust_decimal::Decimal;
use std::num::NonZeroU32;
use trader_core::event::ControlAction;
use trader_core::manifest::Manifest;
use trader_core::units::{Asset, PriceGap, StrategyId};
use trader_core::window::WindowLength;

/// Most losses that are played; a gate that wants more results is not judged.
const LOSSES_MAX: u32 = 40;
/// Seconds in which the losses must have come, and those watched after each step.
const LOSING_SECS_MAX: i64 = 150;
const WATCHED_SECS: i64 = 6;
/// Between two entries of one coin, ms: slow enough that no feed's pattern is broken by it.
const ENTRY_EVERY_MS: u32 = 500;

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
    let mut closed_after = Vec::new();
    for (id, file) in strategies {
        let wanted = file.quality.min_entries;
        if wanted > LOSSES_MAX {
            return Finding::new(format!(
                "the gate of strategy `{id}` wants {wanted} results, more than are played here"
            ))
            .help(format!(
                "quality.min_entries of {LOSSES_MAX} or less can be rehearsed"
            ))
            .unknown();
        }
        match play(id, declared, strategies, make) {
            Err(why) => {
                return Finding::new("the rehearsal cannot be played, so nothing is known")
                    .seen([format!("strategy `{id}`: {why}")])
                    .help("LC-203 and LC-204 show whether a trader can be built")
                    .unknown();
            }
            Ok(played) => {
                let line = |what| format!("strategy `{id}`: {what}");
                faults.extend(played.faults(wanted).into_iter().map(line));
                closed_after.push(format!("{id} after {} losses", played.losses));
            }
        }
    }
    if strategies.is_empty() {
        return Finding::new("there is no strategy, so no gate").unknown();
    }
    if faults.is_empty() {
        return Finding::new(format!(
            "closed: {}; shut over a restart, open again only by re-enable",
            closed_after.join(", ")
        ))
        .evidence("closed_after", closed_after)
        .pass();
    }
    Finding::new(format!(
        "a quality gate did not work in {} ways",
        faults.len()
    ))
    .seen(faults)
    .help("a fault of the program: do not deploy with it")
    .fail()
}

/// What reached the venue.
struct Played {
    /// Positions that ended before entries ceased, all with a loss.
    losses: u32,
    /// Entries that were sent although so many losses were known as the gate wants, with their count.
    late: Option<u32>,
    /// Whether the gate says that it is shut.
    says_shut: bool,
    entries_when_shut: usize,
    entries_after_restart: usize,
    entries_after_reenable: usize,
}

impl Played {
    fn faults(&self, wanted: u32) -> Vec<String> {
        let mut faults = Vec::new();
        if let Some(losses) = self.late {
            faults.push(format!(
                "entered after {losses} losses of {losses}, limit {wanted}"
            ));
        }
        if self.losses < wanted {
            faults.push(format!(
                "ceased after {} losses already, wanted {wanted}",
                self.losses
            ));
        }
        if self.entries_when_shut > 0 {
            faults.push(format!(
                "{} entries while it should be shut",
                self.entries_when_shut
            ));
        }
        if !self.says_shut {
            faults.push("nothing is recorded of its being shut".to_owned());
        }
        if self.entries_after_restart > 0 {
            faults.push(format!(
                "{} entries after a restart",
                self.entries_after_restart
            ));
        }
        if self.entries_after_reenable == 0 {
            faults.push("no entry after a re-enable".to_owned());
        }
        faults
    }
}

fn play(
    id: &StrategyId,
    declared: &Manifest,
    strategies: &Strategies,
    make: Maker<'_>,
) -> Result<Played, String> {
    let mut manifest = unbound(declared).map_err(text)?;
    manifest.strategies = vec![id.clone()];
    // The least that buys an order: no limit of money may come before the gate.
    manifest.position_size_usd = "5".parse().map_err(text)?;
    manifest.exit.stop_loss = PriceGap::try_new(Decimal::new(5, 2)).map_err(text)?;
    manifest.assets = Asset::ALL.into();
    manifest.window.durations_mins = vec![5, 15];
    let interval = NonZeroU32::new(ENTRY_EVERY_MS).unwrap_or(NonZeroU32::MIN);
    manifest.safeguards.min_entry_interval_ms = interval;
    let only: Strategies = eager(strategies)
        .into_iter()
        .filter(|(known, _)| known == id)
        .collect();
    let wanted = only
        .values()
        .map(|file| file.quality.min_entries)
        .max()
        .unwrap_or(0);
    let mut desk = Desk::new(make(&manifest, &only), Vec::new())?;
    let market = Market::new(&Asset::ALL, &[WindowLength::Min5, WindowLength::Min15]);
    let quote = Quote::at(normal_ask(declared).map_err(text)?).map_err(text)?;
    let slump = quote.slumped().map_err(text)?;
    let from = i64::from(declared.window.min_elapsed_secs);
    desk.play(market.warm_up(&manifest, from).map_err(text)?);
    let mut sec = from;
    let mut seconds = |desk: &mut Desk, count: i64| -> Result<(), String> {
        for _ in 0..count {
            let now = if sec % 2 == 0 { &quote } else { &slump };
            desk.play(market.second(sec, now).map_err(text)?);
            sec += 1;
        }
        Ok(())
    };
    for _ in 0..LOSING_SECS_MAX {
        if desk.ended() >= wanted {
            break;
        }
        seconds(&mut desk, 1)?;
    }
    // What is held is left first; then nothing may come.
    seconds(&mut desk, 2)?;
    let losses = desk.ended();
    let late = desk
        .sent()
        .iter()
        .filter(|sent| sent.is_entry() && sent.ended >= wanted);
    let late = late.map(|sent| sent.ended).max();
    let shut_at = desk.now();
    seconds(&mut desk, WATCHED_SECS)?;
    let says_shut = desk.engine().ledger().quality_closed(id).is_some();
    let entries_when_shut = desk.entries_since(shut_at).count();
    desk.restart(0)?;
    let restarted_at = desk.now();
    // Its volatility has to be learnt anew before it would enter at all.
    seconds(&mut desk, RELEARN_SECS)?;
    let entries_after_restart = desk.entries_since(restarted_at).count();
    let freeze_id = "rehearsal".to_owned();
    desk.command(ControlAction::Reenable { freeze_id });
    let reenabled_at = desk.now();
    seconds(&mut desk, WATCHED_SECS)?;
    Ok(Played {
        losses,
        late,
        says_shut,
        entries_when_shut,
        entries_after_restart,
        entries_after_reenable: desk.entries_since(reenabled_at).count(),
    })
}

/// Seconds of prices after which a restarted trader has a volatility again.
const RELEARN_SECS: i64 = 75;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Fact, Missing};
    use crate::fixtures::{check, declared, facts, strategy_mut};
    use crate::report::Status;
    use crate::stage::{Trader, built, ungated};
    use trader_core::event::{Control, Event, EventKind};
    use trader_core::ledger::LedgerState;

    #[test]
    fn passing() {
        let said = "closed: probability-edge after 1";
        check("LC-308", &facts(), Status::Pass, said);
    }

    #[track_caller]
    fn red(planted: Maker<'_>, said: &str) {
        let (manifest, strategies) = declared(&facts());
        let Outcome::Fail(finding) = judge(&manifest, &strategies, planted) else {
            panic!("{said}: passed")
        };
        let seen = &finding.seen;
        assert!(
            seen.iter().any(|line| line.contains(said)),
            "{said}: {seen:#?}"
        );
    }

    #[test]
    fn failing() {
        // A gate that nobody asks.
        let open =
            |manifest: &Manifest, strategies: &Strategies| honest(manifest, &ungated(strategies));
        red(&open, "entered after");
        red(&open, "nothing is recorded of its being shut");
        // A gate that a restart opens.
        let forgets = |manifest: &Manifest, strategies: &Strategies| {
            let (m, s) = (manifest.clone(), strategies.clone());
            Trader {
                build: Box::new(move |_| built(&m, &s, LedgerState::default())),
                ..honest(manifest, strategies)
            }
        };
        red(&forgets, "entries after a restart");
        // A gate that opens by itself, as a circuit breaker did.
        let forgives = |manifest: &Manifest, strategies: &Strategies| Trader {
            hears: Box::new(|event| {
                if !matches!(event.kind, EventKind::Clock(_) | EventKind::Lease(_)) {
                    return vec![event];
                }
                let control = Control {
                    action: ControlAction::Reenable {
                        freeze_id: "none".to_owned(),
                    },
                    by: "nobody".to_owned(),
                    reason: "time passed".to_owned(),
                };
                let kind = EventKind::Control(control);
                vec![
                    Event {
                        t: event.t,
                        src: None,
                        kind,
                    },
                    event,
                ]
            }),
            ..honest(manifest, strategies)
        };
        red(&forgives, "entries");
        // A gate that no person can open.
        let deaf = |manifest: &Manifest, strategies: &Strategies| Trader {
            hears: Box::new(|event| {
                let is_command = matches!(event.kind, EventKind::Control(_));
                if is_command { Vec::new() } else { vec![event] }
            }),
            ..honest(manifest, strategies)
        };
        red(&deaf, "no entry after a re-enable");
    }

    #[test]
    fn just_inside() {
        // One result is enough, or as many as can be played; more are not judged.
        let with = |results: u32| {
            let mut facts = facts();
            let quality = &mut strategy_mut(&mut facts).quality;
            quality.min_entries = results;
            quality.rolling_entries = quality.rolling_entries.max(results);
            facts
        };
        check(
            "LC-308",
            &with(1),
            Status::Pass,
            "closed: probability-edge after",
        );
        check(
            "LC-308",
            &with(LOSSES_MAX),
            Status::Pass,
            "closed: probability-edge after",
        );
        check(
            "LC-308",
            &with(LOSSES_MAX + 1),
            Status::Unknown,
            "more than are played here",
        );
    }

    #[test]
    fn fact_missing() {
        let mut facts = facts();
        facts.strategies = Fact::missing(Missing::new("HEAD cannot be read"), "HEAD", 0);
        check("LC-308", &facts, Status::Unknown, "HEAD cannot be read");
    }
}
