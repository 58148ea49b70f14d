//! LC-401 entries bounded: a strategy that always speaks, on a hostile market, stays within every limit of the
//! manifest.
//!
//! Three kinds of rehearsal, each counted by what reached the venue: the manifest as declared, with bursts,
//! lost and late fills and a restart; each money limit alone, the others as far as the program lets them, so
//! that it is the one that binds; and market conditions in which nothing may be entered. Incident 9: seven
//! entries into one window, because the books that were to stop them recorded nothing.

use crate::facts::{Facts, known};
use crate::outcome::{Finding, Outcome};
use crate::parts;
use crate::stage::limits::LIMITS;
use crate::stage::{Maker, Strategies, pressure};
use std::collections::BTreeSet;
use trader_core::manifest::Manifest;

pub(crate) fn run(facts: &Facts) -> Outcome {
    let document = known!(facts.manifest);
    let files = known!(facts.strategies);
    match parts::declared(document, files) {
        Ok((manifest, strategies)) => judge(manifest, &strategies, &crate::stage::honest),
        Err(outcome) => outcome,
    }
}

fn judge(declared: &Manifest, strategies: &Strategies, make: Maker<'_>) -> Outcome {
    let ran = match pressure::all(declared, strategies, make) {
        Ok(ran) => ran,
        Err(why) => {
            return Finding::new("the rehearsal cannot be played, so nothing is known")
                .seen([why])
                .help("LC-203 and LC-204 show whether a trader can be built")
                .unknown();
        }
    };
    let faults: Vec<&String> = ran.iter().flat_map(|run| &run.faults).collect();
    let entries: usize = ran.iter().map(|run| run.entries).sum();
    let reached: BTreeSet<&str> = ran.iter().flat_map(|run| run.reached.clone()).collect();
    let wanted = ran.iter().flat_map(|run| run.wanted.clone());
    let unreached: BTreeSet<&str> = wanted.filter(|key| !reached.contains(key)).collect();
    if !faults.is_empty() {
        return Finding::new(format!("{} orders went beyond a limit", faults.len()))
            .evidence("entries", entries)
            .seen(faults)
            .help("a fault of the program: do not deploy with it")
            .fail();
    }
    let idle: Vec<&str> = ran
        .iter()
        .filter(|run| run.entries == 0 && run.reached.is_empty())
        .map(|run| run.name)
        .collect();
    if !idle.is_empty() {
        return Finding::new("nothing was entered, so no limit was tried")
            .seen(idle)
            .help("the declared edge, window or sizes leave no entry on the rehearsal's market")
            .unknown();
    }
    let finding = Finding::new(format!(
        "{entries} entries in {} rehearsals within {} limits; {} were reached and held",
        ran.len(),
        LIMITS.len(),
        reached.len()
    ))
    .evidence("entries", entries)
    .evidence("reached", reached.into_iter().collect::<Vec<_>>())
    .evidence("not_reached", unreached.iter().copied().collect::<Vec<_>>());
    if unreached.is_empty() {
        return finding.pass();
    }
    let lines = unreached
        .iter()
        .map(|key| format!("{key} was never reached"));
    finding
        .seen(lines)
        .help("limits too wide to be reached here are held by their own tests alone: consider tighter ones")
        .warn()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Fact, Missing};
    use crate::fixtures::{check, declared, facts, manifest_mut};
    use crate::report::Status;
    use crate::stage::pressure::Ran;
    use crate::stage::{self, limits};
    use crate::stage::{Trader, built, honest, unbound};
    use trader_core::event::{Event, EventKind};
    use trader_core::ledger::LedgerState;
    use trader_core::units::{Asset, TokenPrice};
    use trader_core::window::WindowLength;

    fn fixture() -> (Manifest, Strategies) {
        let mut facts = facts();
        let manifest = manifest_mut(&mut facts);
        manifest.assets = vec![Asset::Btc, Asset::Eth];
        manifest.window.durations_mins = vec![5];
        manifest.edge.max = "0.25".parse().unwrap();
        declared(&facts)
    }

    #[test]
    fn passing() {
        let mut facts = facts();
        let manifest = manifest_mut(&mut facts);
        manifest.assets = vec![Asset::Btc, Asset::Eth];
        manifest.window.durations_mins = vec![5, 15];
        check("LC-401", &facts, Status::Pass, "were reached and held");
    }

    /// What is said of a trader that was built with one key as wide as the program lets it.
    fn without(key: &str) -> Vec<String> {
        let (manifest, strategies) = fixture();
        let planted = |honest_one: &Manifest, strategies: &Strategies| {
            honest(&loosened(honest_one, key), strategies)
        };
        match judge(&manifest, &strategies, &planted) {
            Outcome::Fail(finding) => finding.seen,
            Outcome::Pass(_) | Outcome::Warn(_) | Outcome::Unknown(_) => Vec::new(),
        }
    }

    fn loosened(manifest: &Manifest, key: &str) -> Manifest {
        let wide = unbound(manifest).unwrap();
        let mut loose = manifest.clone();
        let (limits, all) = (&mut loose.safeguards, &wide.safeguards);
        match key {
            "position_size_usd" => loose.position_size_usd = "12".parse().unwrap(),
            "max_exposure_usd" => loose.max_exposure_usd = wide.max_exposure_usd,
            "max_capital_usd" => loose.max_capital_usd = wide.max_capital_usd,
            "safeguards.max_open_positions" => limits.max_open_positions = all.max_open_positions,
            "safeguards.min_entry_interval_ms" => {
                limits.min_entry_interval_ms = all.min_entry_interval_ms;
            }
            "safeguards.max_entries_per_window" => {
                limits.max_entries_per_window = all.max_entries_per_window;
            }
            "safeguards.max_orders_per_minute" => {
                limits.max_orders_per_minute = all.max_orders_per_minute;
            }
            "safeguards.max_order_shares" => limits.max_order_shares = all.max_order_shares,
            "safeguards.max_daily_loss_usd" => limits.max_daily_loss_usd = all.max_daily_loss_usd,
            "safeguards.max_consecutive_losses" => {
                limits.max_consecutive_losses = all.max_consecutive_losses;
            }
            "safeguards.max_oracle_age_ms" => limits.max_oracle_age_ms = all.max_oracle_age_ms,
            "safeguards.max_book_age_ms" => limits.max_book_age_ms = all.max_book_age_ms,
            "safeguards.max_clock_offset_ms" => {
                limits.max_clock_offset_ms = all.max_clock_offset_ms;
            }
            "edge.min" => loose.edge.min = "0".parse().unwrap(),
            "edge.max" => loose.edge.max = "1".parse().unwrap(),
            "window.min_elapsed_secs" => loose.window.min_elapsed_secs = 0,
            "window.min_remaining_secs" => {
                loose.window.min_remaining_secs = 1.try_into().unwrap();
            }
            "window.warm_up_secs" => loose.window.warm_up_secs = wide.window.warm_up_secs,
            "window.durations_mins" => loose.window.durations_mins = vec![5, 15],
            "assets" => loose.assets = Asset::ALL.into(),
            other => panic!("no such limit: {other}"),
        }
        loose
    }

    #[test]
    fn failing() {
        // Every limit of the table has its planted fault; those of two stand below.
        const BELOW: [&str; 2] = ["safeguards.price_collar", "safeguards.max_entries_per_tick"];
        let mut unseen = Vec::new();
        for limit in LIMITS.iter().filter(|limit| !BELOW.contains(&limit.key)) {
            let seen = without(limit.key);
            if !seen.iter().any(|line| line.contains(limit.key)) {
                unseen.push((limit.key, seen));
            }
        }
        assert!(unseen.is_empty(), "{unseen:#?}");
    }

    #[test]
    fn a_trader_that_sees_other_prices_is_red() {
        let (manifest, strategies) = fixture();
        let dearer = |event: Event| {
            let mut event = event;
            if let EventKind::Book(tick) = &mut event.kind
                && let Some(ask) = tick.ask
            {
                let shown = ask.get() + "0.06".parse::<rust_decimal::Decimal>().unwrap();
                tick.ask = TokenPrice::try_new(shown).ok();
            }
            vec![event]
        };
        let planted = |manifest: &Manifest, strategies: &Strategies| Trader {
            hears: Box::new(dearer),
            ..honest(manifest, strategies)
        };
        let Outcome::Fail(finding) = judge(&manifest, &strategies, &planted) else {
            panic!("it passed")
        };
        let said = |line: &String| line.contains("safeguards.price_collar");
        assert!(finding.seen.iter().any(said), "{:#?}", finding.seen);
    }

    #[test]
    fn two_entries_on_one_event_are_red() {
        // The interval, never below one millisecond, stands before this limit: the fault is put into the count.
        let (manifest, strategies) = fixture();
        let strategies = stage::eager(&strategies);
        let mut desk = stage::Desk::new(honest(&manifest, &strategies), Vec::new()).unwrap();
        let market = stage::Market::new(&manifest.assets, &[WindowLength::Min5]);
        desk.play(market.warm_up(&manifest, 0).unwrap());
        let ask = stage::normal_ask(&manifest).unwrap();
        for sec in 0..70 {
            desk.play(market.second(sec, &stage::Quote::at(ask).unwrap()).unwrap());
        }
        let mut sent = desk.sent()[0].clone();
        assert_eq!(limits::beyond(&manifest, &sent, "x"), [""; 0]);
        sent.entries_this_tick = 2;
        let seen = limits::beyond(&manifest, &sent, "x");
        assert!(
            seen[0].starts_with("safeguards.max_entries_per_tick: 2"),
            "{seen:?}"
        );
    }

    #[test]
    fn a_trader_that_forgets_at_a_restart_is_red() {
        let (manifest, strategies) = fixture();
        let planted = |manifest: &Manifest, strategies: &Strategies| {
            let (manifest, strategies) = (manifest.clone(), strategies.clone());
            Trader {
                build: Box::new(move |_| built(&manifest, &strategies, LedgerState::default())),
                ..honest(&fixture().0, &fixture().1)
            }
        };
        let Outcome::Fail(finding) = judge(&manifest, &strategies, &planted) else {
            panic!("it passed")
        };
        let said = |line: &String| line.contains("sent a second time");
        assert!(finding.seen.iter().any(said), "{:#?}", finding.seen);
    }

    #[test]
    fn just_inside() {
        // The tightest limits that still let one entry through are held like any others.
        let mut facts = facts();
        let manifest = manifest_mut(&mut facts);
        manifest.max_exposure_usd = "5".parse().unwrap();
        manifest.max_capital_usd = "5".parse().unwrap();
        manifest.safeguards.max_open_positions = 1.try_into().unwrap();
        manifest.safeguards.max_consecutive_losses = 1.try_into().unwrap();
        manifest.safeguards.max_orders_per_minute = 1.try_into().unwrap();
        let result = check("LC-401", &facts, Status::Pass, "were reached and held");
        assert_eq!(result.evidence["not_reached"], serde_json::json!([]));
        // One that cannot be reached is said.
        manifest_mut(&mut facts).safeguards.max_consecutive_losses = 5_000.try_into().unwrap();
        let said = "safeguards.max_consecutive_losses was never reached";
        check("LC-401", &facts, Status::Warn, said);
    }

    #[test]
    fn fact_missing() {
        let mut facts = facts();
        facts.manifest = Fact::missing(Missing::new("HEAD cannot be read"), "HEAD", 0);
        check("LC-401", &facts, Status::Unknown, "HEAD cannot be read");
    }

    #[test]
    fn a_market_in_which_nothing_is_entered_proves_nothing() {
        let (mut manifest, strategies) = fixture();
        // A window with no time in it.
        manifest.window.min_elapsed_secs = 280;
        let outcome = judge(&manifest, &strategies, &honest);
        assert!(matches!(outcome, Outcome::Unknown(_)), "{outcome:?}");
    }

    #[test]
    fn one_line_a_run_is_kept() {
        let (manifest, strategies) = fixture();
        let ran: Vec<Ran> = pressure::all(&manifest, &strategies, &honest).unwrap();
        assert!(ran.iter().all(|run| run.faults.is_empty()), "{ran:#?}");
        assert!(ran[0].entries > 3, "{:?}", ran[0]);
    }
}
