//! LC-302 components smoke: each component answers a real-shaped market with numbers that are finite and
//! in range, and says no with a code when something is missing.
//!
//! Asks every component of the listed strategies as they are declared, and every component there is with
//! its default options, both with the manifest's values. Incident 4: components were evaluated before
//! anybody had initialised them, and what was missing became a number.

use crate::facts::{Facts, known};
use crate::outcome::{Finding, Outcome};
use crate::parts;
use std::collections::BTreeMap;
use trader_core::components::options::Options;
use trader_core::components::registry::{Row, TABLE};
use trader_core::components::smoke::{SmokeFault, smoke};
use trader_core::manifest::Manifest;
use trader_core::strategy_file::StrategyFile;
use trader_core::units::StrategyId;

pub(crate) fn run(facts: &Facts) -> Outcome {
    let document = known!(facts.manifest);
    let files = known!(facts.strategies);
    match parts::declared(document, files) {
        Ok((manifest, strategies)) => judge(manifest, &strategies, TABLE),
        Err(outcome) => outcome,
    }
}

fn judge(
    manifest: &Manifest,
    strategies: &BTreeMap<StrategyId, StrategyFile>,
    table: &[Row],
) -> Outcome {
    let mut faults = Vec::new();
    let mut declared = 0_usize;
    let mut apart = Vec::new();
    for (id, file) in strategies {
        for (pointer, part) in parts::uses(file) {
            declared += 1;
            let place = format!("strategy `{id}`, {pointer}: `{}`", part.component);
            let Some(row) = table.iter().find(|row| row.id == part.component) else {
                faults.push(format!("{place} does not exist"));
                continue;
            };
            let is_default = part.options.is_empty();
            match asked(row, &part.options, manifest) {
                Ok(()) => {}
                // Strict options may refuse a market that the default takes, and a declared time before
                // the close may be reached in it: both are answers.
                Err(SmokeFault::Refuses(_) | SmokeFault::AnswersWithout("a move"))
                    if !is_default => {}
                Err(fault) => faults.push(format!("{place}: {fault}")),
            }
        }
    }
    for row in table {
        let is_declared = strategies.values().any(|file| {
            parts::uses(file)
                .iter()
                .any(|(_, part)| part.component == row.id)
        });
        match asked(row, &BTreeMap::new(), manifest) {
            // Its default does not go with this manifest, and no strategy asks for it.
            Err(SmokeFault::NotBuilt(error)) if !is_declared => {
                apart.push(format!(
                    "`{}` does not go with this manifest: {error}",
                    row.id
                ));
            }
            // A declared one was asked as declared.
            Ok(()) | Err(SmokeFault::NotBuilt(_)) => {}
            Err(fault) => faults.push(format!("`{}` with its defaults: {fault}", row.id)),
        }
    }
    if declared == 0 || table.is_empty() {
        return Finding::new("there is no component to ask").unknown();
    }
    let asked = table.len() - apart.len();
    if faults.is_empty() {
        return Finding::new(format!(
            "{declared} declared and all {asked} known components answer, and refuse what is missing"
        ))
        .evidence("declared", declared)
        .evidence("known", asked)
        .evidence("not_asked", apart)
        .pass();
    }
    Finding::new(format!(
        "{} components do not answer as they must",
        faults.len()
    ))
    .evidence("declared", declared)
    .seen(faults)
    .help("a fault of the component: do not trade with it")
    .fail()
}

fn asked(
    row: &Row,
    options: &BTreeMap<String, serde_json::Value>,
    manifest: &Manifest,
) -> Result<(), SmokeFault> {
    let options = Options::read(row.options, options)?;
    smoke(row, &options, manifest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Fact, Missing};
    use crate::fixtures::{check, declared, facts, manifest_mut, strategy_mut};
    use crate::report::Status;
    use serde_json::{Value, json};
    use trader_core::components::registry::{Build, Built};
    use trader_core::components::{Component, Signal, SignalSource, WarmUp};
    use trader_core::model::Estimate;
    use trader_core::refusal::Refusal;
    use trader_core::units::{Outcome as Side, Probability};
    use trader_core::view::MarketView;

    #[test]
    fn passing() {
        let result = check(
            "LC-302",
            &facts(),
            Status::Pass,
            "7 declared and all 14 known components answer",
        );
        assert_eq!(result.evidence["known"], json!(14));
    }

    #[test]
    fn failing() {
        let mut facts = facts();
        strategy_mut(&mut facts).entry.component = "bandit".to_owned();
        check("LC-302", &facts, Status::Fail, "`bandit` does not exist");
    }

    #[test]
    fn just_inside() {
        // The smallest order there is: with one cent more of a price it could not be sized.
        let mut facts = facts();
        manifest_mut(&mut facts).position_size_usd = "2.59".parse().unwrap();
        check("LC-302", &facts, Status::Pass, "answer");
        manifest_mut(&mut facts).position_size_usd = "2.58".parse().unwrap();
        check("LC-302", &facts, Status::Fail, "`fixed`");
        // Late in its window a component may be told to leave; it says so, and is not faulty for that.
        let mut facts = crate::fixtures::facts();
        let close = json!([{ "component": "stop-loss" }, { "component": "take-profit" },
            { "component": "window-close", "options": { "sell_secs_before_close": 30 } }]);
        strategy_mut(&mut facts).exits = serde_json::from_value(close).unwrap();
        check("LC-302", &facts, Status::Pass, "answer");
    }

    #[test]
    fn fact_missing() {
        let mut facts = facts();
        facts.manifest = Fact::missing(Missing::new("HEAD cannot be read"), "HEAD", 0);
        check("LC-302", &facts, Status::Unknown, "HEAD cannot be read");
    }

    /// Says the same whatever it is shown.
    #[derive(Debug)]
    struct Parrot(f64);

    impl Component for Parrot {
        fn warm_up(&self, _: &WarmUp) -> Result<(), Refusal> {
            Ok(())
        }
        fn held(&self) -> Vec<(&'static str, Value)> {
            Vec::new()
        }
    }

    impl SignalSource for Parrot {
        fn signal(&self, _: &MarketView<'_>, _: &Estimate) -> Result<Signal, Refusal> {
            Ok(Signal {
                outcome: Side::Up,
                probability: Probability::CERTAIN,
                price: "0.50".parse().unwrap(),
                edge: self.0,
            })
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "the table's signature")]
    fn parrot(_: &Manifest, _: &Options) -> Built<dyn SignalSource> {
        Ok(Box::new(Parrot(0.1)))
    }

    #[expect(clippy::unnecessary_wraps, reason = "the table's signature")]
    fn mad(_: &Manifest, _: &Options) -> Built<dyn SignalSource> {
        Ok(Box::new(Parrot(f64::NAN)))
    }

    #[test]
    fn a_component_that_answers_without_data_or_with_no_number_is_red() {
        let (manifest, strategies) = declared(&facts());
        for (build, said) in [
            (Build::Signal(parrot), "it answers without an ask"),
            (Build::Signal(mad), "its edge is not finite or out of range"),
        ] {
            let planted: Vec<Row> = TABLE
                .iter()
                .map(|row| Row {
                    build: if row.id == "edge" { build } else { row.build },
                    ..*row
                })
                .collect();
            let Outcome::Fail(finding) = judge(&manifest, &strategies, &planted) else {
                panic!("{said}: passed")
            };
            let wanted = [
                format!("strategy `probability-edge`, /signals/0: `edge`: {said}"),
                format!("`edge` with its defaults: {said}"),
            ];
            assert_eq!(finding.seen, wanted);
        }
        assert!(matches!(
            judge(&manifest, &strategies, &[]),
            Outcome::Fail(_) | Outcome::Unknown(_)
        ));
    }
}
