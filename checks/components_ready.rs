//! LC-301 components ready: within `window.warm_up_secs` of tape every component of every strategy is
//! ready.
//!
//! Builds the trader and plays a generated market to it; the components' own word counts. Fails when one
//! is still configured when its time is over. Incident 4: components were evaluated before anybody had
//! initialised them.

use crate::facts::{Facts, known};
use crate::outcome::{Finding, Outcome};
use crate::parts;
use trader_core::engine::{Commands, Engine};
use trader_core::ledger::LedgerState;
use trader_core::manifest::Manifest;
use trader_core::sim::generator::Generator;
use trader_core::units::EpochMs;
use trader_core::window::WindowLength;

/// Seed of the market that is played.
const SEED: u64 = 301;
/// When it starts: 2026-01-01T00:00:00Z, so that every run is the same.
const START: EpochMs = EpochMs(1_767_225_600_000);
/// The feed's own delay: the first tick comes, and the last arrives, this much later, ms.
const FEED_DELAY_MS: i64 = 2_000;
/// Longest tape that is played, seconds; a longer warm-up is played this far.
const TAPE_SECS_MAX: u32 = 6 * 60 * 60;

pub(crate) fn run(facts: &Facts) -> Outcome {
    let document = known!(facts.manifest);
    let files = known!(facts.strategies);
    let (manifest, strategies) = match parts::declared(document, files) {
        Ok(declared) => declared,
        Err(outcome) => return outcome,
    };
    let warmed_up = Engine::new(manifest, &strategies, LedgerState::default())
        .map_err(|error| error.to_string())
        .and_then(|engine| warm_up(engine, manifest));
    let (engine, after_ms) = match warmed_up {
        Ok(warmed_up) => warmed_up,
        Err(why) => {
            return Finding::new("no trader can be built, so nothing can warm up")
                .seen([why])
                .help("LC-204 shows why")
                .fail();
        }
    };
    judge(manifest, &engine, after_ms)
}

/// Plays the market until everything is ready or the time is over; also returns how long it took, ms.
fn warm_up(mut engine: Engine, manifest: &Manifest) -> Result<(Engine, i64), String> {
    let lengths = manifest
        .window
        .durations_mins
        .iter()
        .map(|mins| WindowLength::from_mins(*mins).map_err(|error| error.to_string()))
        .collect::<Result<Vec<_>, _>>()?;
    let secs = manifest.window.warm_up_secs.get().min(TAPE_SECS_MAX);
    let last = START.plus_ms(i64::from(secs) * 1_000 + FEED_DELAY_MS);
    let mut commands = Commands::default();
    for event in Generator::new(SEED, START, &manifest.assets, &lengths) {
        if event.t > last || engine.is_ready() {
            break;
        }
        commands.clear();
        engine.step(&event, &mut commands);
    }
    let after_ms = engine.now() - START;
    Ok((engine, after_ms))
}

fn judge(manifest: &Manifest, engine: &Engine, after_ms: i64) -> Outcome {
    let components = engine.components();
    let waiting: Vec<String> = components
        .iter()
        .filter(|part| part.state != "ready")
        .map(|part| format!("{} is {}", part.id, part.state))
        .collect();
    let warm_up_secs = manifest.window.warm_up_secs.get();
    if waiting.is_empty() && engine.is_ready() && !components.is_empty() {
        return Finding::new(format!(
            "{} components are ready after {} of {warm_up_secs} s",
            components.len(),
            after_ms / 1_000
        ))
        .evidence("components", components.len())
        .evidence("after_ms", after_ms)
        .pass();
    }
    let finding = Finding::new(format!(
        "{} of {} components are not ready after {} s of tape",
        waiting.len(),
        components.len(),
        after_ms / 1_000
    ))
    .seen(waiting);
    if warm_up_secs > TAPE_SECS_MAX {
        return finding
            .help(format!("a warm-up above {TAPE_SECS_MAX} s is not played to its end: lower window.warm_up_secs"))
            .unknown();
    }
    finding
        .help("raise window.warm_up_secs to what the slowest component needs")
        .fail()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Fact, Missing};
    use crate::fixtures::{check, facts, manifest_mut};
    use crate::report::Status;

    fn with_warm_up(secs: u32) -> Facts {
        let mut facts = facts();
        manifest_mut(&mut facts).window.warm_up_secs = secs.try_into().unwrap();
        facts
    }

    #[test]
    fn passing() {
        check(
            "LC-301",
            &facts(),
            Status::Pass,
            "7 components are ready after 120 of 120 s",
        );
    }

    #[test]
    fn failing() {
        // Too short for the volatility estimate that the model waits for.
        let result = check(
            "LC-301",
            &with_warm_up(1),
            Status::Fail,
            "1 of 7 components",
        );
        let seen: Vec<&str> = result.seen().collect();
        assert_eq!(
            seen,
            ["probability-edge/probability/window-timing/btc is configured"]
        );
    }

    #[test]
    fn just_inside() {
        let shortest = (1..=120)
            .find(|secs| {
                let facts = with_warm_up(*secs);
                matches!(run(&facts), Outcome::Pass(_))
            })
            .unwrap();
        assert!(shortest > 1, "some history is needed");
        check(
            "LC-301",
            &with_warm_up(shortest - 1),
            Status::Fail,
            "not ready",
        );
    }

    #[test]
    fn fact_missing() {
        let mut facts = facts();
        facts.manifest = Fact::missing(Missing::new("HEAD cannot be read"), "HEAD", 0);
        check("LC-301", &facts, Status::Unknown, "HEAD cannot be read");
    }

    #[test]
    fn a_warm_up_past_the_tape_is_unknown() {
        check(
            "LC-301",
            &with_warm_up(TAPE_SECS_MAX + 60),
            Status::Unknown,
            "not ready",
        );
    }
}
