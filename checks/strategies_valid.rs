//! LC-203 strategies valid: every component, option and aggregation mode that a listed strategy names
//! exists, and something reads it.
//!
//! Composes each strategy for each asset, then builds each component once more with one option changed:
//! an option that changes nothing is read by nothing. Incident 3: strategy files carried weights and
//! modes that no code looked at, so that all strategies were the same.

use crate::facts::{Facts, known};
use crate::outcome::{Finding, Outcome};
use crate::parts;
use serde_json::Value;
use std::collections::BTreeMap;
use trader_core::components::options::{OptionKind, OptionSpec, Options};
use trader_core::components::registry::{self, Row};
use trader_core::manifest::Manifest;
use trader_core::strategy::StrategyInstance;
use trader_core::strategy_file::{ComponentUse, StrategyFile};
use trader_core::units::StrategyId;

/// Where components are looked up.
type Registry<'a> = &'a dyn Fn(&str) -> Option<&'a Row>;

pub(crate) fn run(facts: &Facts) -> Outcome {
    let document = known!(facts.manifest);
    let files = known!(facts.strategies);
    match parts::declared(document, files) {
        Ok((manifest, strategies)) => judge(manifest, &strategies, &registry::find),
        Err(outcome) => outcome,
    }
}

fn judge(
    manifest: &Manifest,
    strategies: &BTreeMap<StrategyId, StrategyFile>,
    registry: Registry<'_>,
) -> Outcome {
    let mut faults = Vec::new();
    let mut options = 0_usize;
    for (id, file) in strategies {
        match composed(id, file, manifest) {
            Err(why) => faults.push(why),
            Ok(instance) => {
                faults.extend(unread_weights(id, file, manifest, &instance));
                for (pointer, part) in parts::uses(file) {
                    let unread = unread_options(&part, manifest, registry);
                    let (read, unread) = unread.unwrap_or_else(|why| (0, vec![why]));
                    options += read;
                    let place = |what| format!("strategy `{id}`, {pointer}: {what}");
                    faults.extend(unread.into_iter().map(place));
                }
            }
        }
    }
    if strategies.is_empty() {
        return Finding::new("the manifest lists no strategy, so none can be judged")
            .help("LC-201 shows the place")
            .unknown();
    }
    if faults.is_empty() {
        let assets: Vec<&str> = manifest.assets.iter().map(|asset| asset.as_str()).collect();
        return Finding::new(format!(
            "{} composed for {}; each of {options} options is read",
            strategies
                .keys()
                .map(StrategyId::as_str)
                .collect::<Vec<_>>()
                .join(", "),
            assets.join(", ")
        ))
        .evidence("strategies", strategies.len())
        .evidence("options", options)
        .pass();
    }
    Finding::new(format!(
        "{} of what the strategies name does not exist or does nothing",
        faults.len()
    ))
    .seen(faults)
    .help("correct the places above and commit; `launch components` prints what exists")
    .fail()
}

/// The strategy for the last of its assets, once it composes for all of them.
fn composed(
    id: &StrategyId,
    file: &StrategyFile,
    manifest: &Manifest,
) -> Result<StrategyInstance, String> {
    let mut last = Err(format!("strategy `{id}`: no asset to compose it for"));
    for asset in &manifest.assets {
        let instance = StrategyInstance::compose(id, *asset, file, manifest);
        last = Ok(instance.map_err(|error| error.to_string())?);
    }
    last
}

/// Weights that change nothing.
fn unread_weights(
    id: &StrategyId,
    file: &StrategyFile,
    manifest: &Manifest,
    instance: &StrategyInstance,
) -> Vec<String> {
    let mut faults = Vec::new();
    for (n, signal) in file.signals.iter().enumerate() {
        let Some(weight) = signal.weight else {
            continue;
        };
        let mut changed = file.clone();
        if let Some(signal) = changed.signals.get_mut(n) {
            signal.weight = Some(if weight == 1 { 2 } else { 1 });
        }
        let other = StrategyInstance::compose(id, instance.asset(), &changed, manifest);
        if other.is_ok_and(|other| format!("{other:?}") == format!("{instance:?}")) {
            faults.push(format!(
                "strategy `{id}`, /signals/{n}/weight: read by nothing"
            ));
        }
    }
    faults
}

/// How many options of a component are read, and those that are not. A component keeps what it reads in
/// its own fields, so that two values of an option show as two components, or one of them is refused.
fn unread_options(
    part: &ComponentUse,
    manifest: &Manifest,
    registry: Registry<'_>,
) -> Result<(usize, Vec<String>), String> {
    let row = registry(&part.component)
        .ok_or_else(|| format!("there is no component `{}`", part.component))?;
    let shown = |options: &BTreeMap<String, Value>| {
        let options = Options::read(row.options, options).map_err(|error| error.to_string())?;
        let built = row
            .build(manifest, &options)
            .map_err(|error| error.to_string())?;
        Ok::<String, String>(format!("{built:?}"))
    };
    let as_declared = shown(&part.options)?;
    let mut unread = Vec::new();
    for spec in row.options {
        let is_read = other_values(spec).into_iter().any(|value| {
            let mut options = part.options.clone();
            options.insert(spec.name.to_owned(), value);
            shown(&options).is_ok_and(|other| other != as_declared) || shown(&options).is_err()
        });
        if !is_read {
            unread.push(format!(
                "option `{}` of `{}` is read by nothing",
                spec.name, row.id
            ));
        }
    }
    Ok((row.options.len() - unread.len(), unread))
}

/// The two ends of an option's range: at least one of them is not what is declared.
fn other_values(spec: &OptionSpec) -> [Value; 2] {
    match spec.kind {
        OptionKind::Integer { min, max, .. } => [min.into(), max.into()],
        OptionKind::Number { min, max, .. } => [min.into(), max.into()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Fact, Loaded, Missing};
    use crate::fixtures::{check, facts, strategy_mut};
    use crate::report::Status;
    use serde_json::json;
    use trader_core::components::registry::{Build, Built};
    use trader_core::components::{Component, EntryRule, Signal, WarmUp};
    use trader_core::refusal::Refusal;
    use trader_core::view::MarketView;

    fn with(key: &str, value: Value) -> Facts {
        let mut facts = facts();
        let file = strategy_mut(&mut facts);
        let mut changed = serde_json::to_value(&*file).unwrap();
        changed[key] = value;
        *file = serde_json::from_value(changed).unwrap();
        facts
    }

    fn weighted(weights: [u32; 2]) -> Facts {
        let mut facts = with(
            "signals",
            json!([{ "component": "edge", "weight": weights[0] }, { "component": "threshold", "weight": weights[1] }]),
        );
        strategy_mut(&mut facts).aggregation = trader_core::strategy_file::Aggregation::Weighted;
        facts
    }

    #[test]
    fn passing() {
        let said = "probability-edge composed for btc; each of 4 options is read";
        check("LC-203", &facts(), Status::Pass, said);
        check(
            "LC-203",
            &weighted([60, 40]),
            Status::Pass,
            "each of 6 options",
        );
    }

    #[test]
    fn failing() {
        for (key, value, said) in [
            (
                "entry",
                json!({ "component": "bnd" }),
                "did you mean `band`?",
            ),
            (
                "entry",
                json!({ "component": "edge" }),
                "is for signal, not for entry",
            ),
            (
                "probability",
                json!({ "component": "window-timing", "options": { "plausible_sigma": 6.0 } }),
                "no option `plausible_sigma`, did you mean `plausible_sigmas`?",
            ),
            (
                "aggregation",
                json!("weighted"),
                "takes at least two signals",
            ),
            (
                "analyses",
                json!([{ "component": "lag-tracker" }]),
                "no component of this strategy needs",
            ),
            (
                "exits",
                json!([{ "component": "stop-loss" }]),
                "exit.take_profit",
            ),
        ] {
            check("LC-203", &with(key, value), Status::Fail, said);
        }
    }

    #[test]
    fn just_inside() {
        let sigmas = |sigmas: f64| {
            with(
                "probability",
                json!({ "component": "window-timing", "options": { "plausible_sigmas": sigmas } }),
            )
        };
        check("LC-203", &sigmas(12.0), Status::Pass, "is read");
        check(
            "LC-203",
            &sigmas(12.1),
            Status::Fail,
            "wanted a number from 3 to 12",
        );
    }

    #[test]
    fn fact_missing() {
        let mut facts = facts();
        facts.strategies = Fact::missing(Missing::new("HEAD cannot be read"), "HEAD", 0);
        check("LC-203", &facts, Status::Unknown, "HEAD cannot be read");
    }

    /// An entry rule that takes an option and forgets it.
    #[derive(Debug)]
    struct Forgetful;

    impl Component for Forgetful {
        fn warm_up(&self, _: &WarmUp) -> Result<(), Refusal> {
            Ok(())
        }
        fn held(&self) -> Vec<(&'static str, Value)> {
            Vec::new()
        }
    }

    impl EntryRule for Forgetful {
        fn judge(&self, _: &MarketView<'_>, _: &Signal) -> Result<(), Refusal> {
            Ok(())
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "the table's signature")]
    fn forgetful(_: &Manifest, _: &Options) -> Built<dyn EntryRule> {
        Ok(Box::new(Forgetful))
    }

    #[test]
    fn an_option_that_nothing_reads_is_red() {
        const INERT: &[OptionSpec] = &[OptionSpec {
            name: "patience",
            doc: "how long, seconds",
            kind: OptionKind::Integer {
                min: 1,
                max: 9,
                default: Some(5),
            },
        }];
        static PLANTED: Row = Row {
            id: "band",
            doc: "planted",
            needs: &[],
            gives: &[],
            holds: &[],
            options: INERT,
            build: Build::Entry(forgetful),
        };
        let facts = facts();
        let manifest = facts.manifest.value.as_ref().unwrap();
        let Loaded::Valid(declared) = &manifest.loaded else {
            panic!("the fixture is valid")
        };
        let (_, strategies) =
            parts::declared(manifest, facts.strategies.value.as_ref().unwrap()).unwrap();
        let planted = |id: &str| {
            if id == "band" {
                Some(&PLANTED)
            } else {
                registry::find(id)
            }
        };
        let Outcome::Fail(finding) = judge(declared, &strategies, &planted) else {
            panic!("an inert option passed")
        };
        let said =
            "strategy `probability-edge`, /entry: option `patience` of `band` is read by nothing";
        assert_eq!(finding.seen, [said]);
        assert!(matches!(
            judge(declared, &BTreeMap::new(), &registry::find),
            Outcome::Unknown(_)
        ));
    }
}
