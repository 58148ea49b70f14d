//! LC-601 secrets present: every secret that the trader needs is in the service, or is written into it by the
//! deploy.
//!
//! Read from the platform, not from the laptop: names and whether they hold anything, never values. Fails on one
//! that is absent or blank; a platform that cannot be asked is unknown. A trader without its halt token cannot
//! be told to stop by anybody.

use crate::facts::{AskFailed, Facts, known};
use crate::outcome::{Finding, Outcome};
use crate::parts;
use trader_core::manifest::Mode;

/// What every trader needs: to be stopped, and to be let in.
const ALWAYS: [&str; 2] = ["LAUNCH_HALT_TOKEN", "LAUNCH_CONTROL_TOKEN"];

/// What a trader of real orders needs beside it. Source: the venue's L2 headers, `docs/kill.md`.
const LIVE: [&str; 4] = [
    "POLYMARKET_ADDRESS",
    "POLYMARKET_API_KEY",
    "POLYMARKET_API_SECRET",
    "POLYMARKET_API_PASSPHRASE",
];

pub(crate) fn run(facts: &Facts) -> Outcome {
    let target = known!(facts.target);
    let document = known!(facts.manifest);
    let files = known!(facts.strategies);
    let manifest = match parts::declared(document, files) {
        Ok((manifest, _)) => manifest,
        Err(outcome) => return outcome,
    };
    let in_service = match &target.variables {
        Ok(names) => names,
        Err(AskFailed::Denied(words) | AskFailed::Unreachable(words)) => {
            return Finding::new(format!("the service's variables cannot be read: {words}"))
                .evidence("endpoint", target.endpoint.as_str())
                .help("see LC-602: the token, and whether the platform answers")
                .unknown();
        }
    };
    let needed: Vec<&str> = if manifest.mode == Mode::Live {
        ALWAYS.iter().chain(&LIVE).copied().collect()
    } else {
        ALWAYS.to_vec()
    };
    let lacking: Vec<String> = needed
        .iter()
        .filter(|name| !target.brought.contains(**name))
        .filter_map(|name| match in_service.get(*name) {
            Some(true) => None,
            Some(false) => Some(format!("{name}: set, and blank")),
            None => Some(format!("{name}: not set")),
        })
        .collect();
    if lacking.is_empty() {
        return Finding::new(format!(
            "{} secrets are in the service or come with the deploy",
            needed.len()
        ))
        .evidence("names", needed)
        .pass();
    }
    Finding::new(format!(
        "{} of {} secrets that the trader needs are not there",
        lacking.len(),
        needed.len()
    ))
    .seen(lacking)
    .help(
        "set them as variables of the service (dashboard, Variables), or here in the environment or the \
         state directory for the deploy to bring along",
    )
    .fail()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Fact, Missing};
    use crate::fixtures::{check, facts, manifest_mut};
    use crate::report::Status;
    use crate::targets::{Class, Platform};

    fn staging() -> Facts {
        let mut facts = facts();
        facts.env.class = Class::Staging;
        facts.env.platform = Platform::Railway;
        facts
    }

    #[test]
    fn passing() {
        check(
            "LC-601",
            &staging(),
            Status::Pass,
            "2 secrets are in the service",
        );
    }

    #[test]
    fn failing() {
        let mut facts = staging();
        let names = facts
            .target
            .value
            .as_mut()
            .unwrap()
            .variables
            .as_mut()
            .unwrap();
        names.remove("LAUNCH_HALT_TOKEN");
        names.insert("LAUNCH_CONTROL_TOKEN".to_owned(), false);
        let result = check("LC-601", &facts, Status::Fail, "LAUNCH_HALT_TOKEN: not set");
        assert!(result.seen().any(|line| line.contains("and blank")));
        // Real orders need the venue's credentials in the service: nothing else can cancel there.
        let mut live = staging();
        manifest_mut(&mut live).mode = Mode::Live;
        check(
            "LC-601",
            &live,
            Status::Fail,
            "POLYMARKET_API_SECRET: not set",
        );
    }

    #[test]
    fn just_inside() {
        // Nothing in the service yet, everything comes with the deploy.
        let mut facts = staging();
        let target = facts.target.value.as_mut().unwrap();
        target.variables = Ok([].into());
        target.brought = ALWAYS.map(str::to_owned).into();
        check("LC-601", &facts, Status::Pass, "come with the deploy");
        let target = facts.target.value.as_mut().unwrap();
        target.brought.remove(ALWAYS[1]);
        check("LC-601", &facts, Status::Fail, "1 of 2");
    }

    #[test]
    fn fact_missing() {
        let mut facts = staging();
        facts.target = Fact::missing(Missing::new("no platform token"), "the platform", 0);
        check("LC-601", &facts, Status::Unknown, "no platform token");
        let mut facts = staging();
        facts.target.value.as_mut().unwrap().variables =
            Err(AskFailed::Unreachable("connection refused".to_owned()));
        check("LC-601", &facts, Status::Unknown, "connection refused");
    }
}
