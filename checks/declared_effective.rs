//! LC-204 declared = effective: the trader built from HEAD's manifest and strategies yields the declared
//! values, key by key, and runs the declared strategies with the declared components and no others.
//!
//! The effective side is read from the built parts, not from the manifest. Fails when a key is consumed
//! by nothing (inert), when a part holds another value, when something runs that nobody declared, and
//! when the trader cannot be built. `mode = "live"` fails in every class: no program of ours sends real
//! orders yet, so nothing could put it into effect. There is no fallback for anything. Incident 3 and 12: a manifest
//! listed three strategies and one other ran; limits were declared that nothing read.

use crate::facts::{Facts, known};
use crate::outcome::{Finding, Outcome};
use crate::parts;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use trader_core::engine::Engine;
use trader_core::ledger::LedgerState;
use trader_core::manifest::{Manifest, Mode};
use trader_core::strategy_file::StrategyFile;
use trader_core::units::StrategyId;

pub(crate) fn run(facts: &Facts) -> Outcome {
    let document = known!(facts.manifest);
    let files = known!(facts.strategies);
    let (manifest, strategies) = match parts::declared(document, files) {
        Ok(declared) => declared,
        Err(outcome) => return outcome,
    };
    if manifest.mode == Mode::Live {
        return Finding::new(format!(
            "{} declares mode live, and there is no program that sends real orders",
            document.path
        ))
        .help("write mode = \"paper\" and commit it; live comes with the program `trader`")
        .fail();
    }
    let engine = match Engine::new(manifest, &strategies, LedgerState::default()) {
        Ok(engine) => engine,
        Err(error) => {
            return Finding::new(format!("the trader cannot be built from {}", document.path))
                .seen([error.to_string()])
                .help("launch components lists every component and its options")
                .fail();
        }
    };
    let effective = Effective {
        values: engine.effective(),
        components: engine
            .components()
            .into_iter()
            .map(|part| part.id)
            .collect(),
    };
    judge(manifest, &strategies, &effective)
}

/// What a built trader says of itself.
struct Effective {
    values: BTreeMap<String, Value>,
    components: BTreeSet<String>,
}

fn judge(
    manifest: &Manifest,
    strategies: &BTreeMap<StrategyId, StrategyFile>,
    effective: &Effective,
) -> Outcome {
    let declared = manifest.flattened();
    let wanted = declared_components(manifest, strategies);
    let mut faults = Vec::new();
    for (key, value) in &declared {
        match effective.values.get(key) {
            Some(seen) if seen == value => {}
            Some(seen) => faults.push(format!("{key} is declared {value}, in effect {seen}")),
            None => faults.push(format!("{key} is declared {value}, and nothing uses it")),
        }
    }
    for (key, value) in &effective.values {
        if !declared.contains_key(key) {
            faults.push(format!(
                "{key} is {value} in effect, and nobody declared it"
            ));
        }
    }
    faults.extend(
        wanted
            .difference(&effective.components)
            .map(|id| format!("{id} is declared, and does not run")),
    );
    faults.extend(
        effective
            .components
            .difference(&wanted)
            .map(|id| format!("{id} runs, and nobody declared it")),
    );
    if faults.is_empty() {
        return Finding::new(format!(
            "{} values and {} components are in effect as declared",
            declared.len(),
            wanted.len()
        ))
        .evidence("keys", declared.len())
        .evidence("components", wanted.len())
        .pass();
    }
    Finding::new(format!(
        "the built trader differs from what is declared in {} places",
        faults.len()
    ))
    .seen(faults)
    .help("this is a fault of the program and not of the manifest: do not deploy with it")
    .fail()
}

/// `strategy/role/component/asset` of everything that the files name.
fn declared_components(
    manifest: &Manifest,
    strategies: &BTreeMap<StrategyId, StrategyFile>,
) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    for id in &manifest.strategies {
        let Some(file) = strategies.get(id) else {
            continue;
        };
        let single = [
            ("probability", &file.probability),
            ("entry", &file.entry),
            ("sizing", &file.sizing),
        ];
        let analyses = file.analyses.iter().map(|part| ("analysis", part));
        let exits = file.exits.iter().map(|part| ("exit", part));
        let parts = single.into_iter().chain(analyses).chain(exits);
        let signals = file.signals.iter();
        let named = parts
            .map(|(role, part)| (role, part.component.as_str()))
            .chain(signals.map(|part| ("signal", part.component.as_str())));
        for (role, component) in named {
            for asset in &manifest.assets {
                ids.insert(format!("{id}/{role}/{component}/{asset}"));
            }
        }
    }
    ids
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Fact, Loaded, Missing};
    use crate::fixtures::{check, facts, manifest_mut};
    use crate::report::Status;
    use crate::targets::Class;

    /// The fixture's declared side and what the real trader makes of it.
    fn built() -> (Manifest, BTreeMap<StrategyId, StrategyFile>, Effective) {
        let mut facts = facts();
        let manifest = manifest_mut(&mut facts).clone();
        let document = facts.manifest.value.as_ref().unwrap();
        let files = facts.strategies.value.as_ref().unwrap();
        let (_, strategies) = parts::declared(document, files).unwrap();
        let engine = Engine::new(&manifest, &strategies, LedgerState::default()).unwrap();
        let effective = Effective {
            values: engine.effective(),
            components: engine
                .components()
                .into_iter()
                .map(|part| part.id)
                .collect(),
        };
        (manifest, strategies, effective)
    }

    #[track_caller]
    fn fails(change: impl FnOnce(&mut Effective), says: &str) {
        let (manifest, strategies, mut effective) = built();
        change(&mut effective);
        let Outcome::Fail(finding) = judge(&manifest, &strategies, &effective) else {
            panic!("{says}: not a failure")
        };
        assert!(
            finding.seen.iter().any(|line| line.contains(says)),
            "{finding:?}"
        );
    }

    #[test]
    fn passing() {
        check(
            "LC-204",
            &facts(),
            Status::Pass,
            "28 values and 7 components",
        );
    }

    #[test]
    fn failing() {
        fails(
            |e| drop(e.values.remove("safeguards.max_open_positions")),
            "safeguards.max_open_positions is declared 2, and nothing uses it",
        );
        fails(
            |e| drop(e.values.insert("position_size_usd".to_owned(), "50".into())),
            "position_size_usd is declared \"5\", in effect \"50\"",
        );
        fails(
            |e| drop(e.values.insert("fallback".to_owned(), true.into())),
            "fallback is true in effect, and nobody declared it",
        );
        fails(
            |e| {
                e.components
                    .insert("simple-threshold/signal/edge/btc".to_owned());
            },
            "runs, and nobody declared it",
        );
        fails(|e| e.components.clear(), "and does not run");
        let mut unknown = facts();
        let Loaded::Valid(file) = &mut unknown.strategies.value.as_mut().unwrap()[0].loaded else {
            panic!("the fixture's strategy is valid")
        };
        file.signals[0].component = "edgy".to_owned();
        check("LC-204", &unknown, Status::Fail, "edgy");
    }

    #[test]
    fn live_is_refused_while_nothing_can_trade_live() {
        for class in [Class::Local, Class::Production] {
            let mut facts = facts();
            facts.env.class = class;
            manifest_mut(&mut facts).mode = Mode::Live;
            check(
                "LC-204",
                &facts,
                Status::Fail,
                "no program that sends real orders",
            );
        }
    }

    #[test]
    fn just_inside() {
        // The same value written another way is the same value.
        let mut facts = facts();
        manifest_mut(&mut facts).window.min_elapsed_secs = 0;
        check("LC-204", &facts, Status::Pass, "in effect as declared");
    }

    #[test]
    fn fact_missing() {
        let mut facts = facts();
        facts.strategies = Fact::missing(Missing::new("HEAD cannot be read"), "HEAD", 0);
        check("LC-204", &facts, Status::Unknown, "HEAD cannot be read");
    }

    #[test]
    fn a_listed_strategy_that_cannot_be_read_fails_with_its_place() {
        let mut facts = facts();
        facts.strategies.value.as_mut().unwrap()[0].loaded = Loaded::Refused {
            diagnostics: vec!["x.json:3:1: unknown key".into()],
        };
        check("LC-204", &facts, Status::Fail, "x.json:3:1");
    }
}
