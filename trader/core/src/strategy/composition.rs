//! What a strategy file may not be: each problem with its place, before anything runs.

use crate::components::options::{OptionError, Options, hint};
use crate::components::registry::{self, Component as Built};
use crate::components::{Quantity, Role};
use crate::manifest::Manifest;
use crate::near_miss::near_miss;
use crate::strategy_file::{Aggregation, ComponentUse, STRATEGY_SCHEMA_VERSION, StrategyFile};
use crate::units::StrategyId;

/// A strategy file that cannot become a strategy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("strategy `{strategy}`, {pointer}: {problem}")]
pub struct CompositionError {
    /// The strategy.
    pub strategy: StrategyId,
    /// JSON pointer into the file.
    pub pointer: String,
    /// What is wrong there.
    pub problem: Box<CompositionProblem>,
}

/// What is wrong with a strategy file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompositionProblem {
    /// A figure of the quality gate outside its range.
    #[error("must be {wanted}")]
    Quality {
        /// The range.
        wanted: &'static str,
    },
    /// Another version of the format.
    #[error("schema_version {0}, this program knows {STRATEGY_SCHEMA_VERSION}")]
    Version(u32),
    /// No such component.
    #[error("unknown component `{seen}`{} (known for {role}: {known})", hint(*near))]
    UnknownComponent {
        /// As written.
        seen: String,
        /// Where it stands.
        role: Role,
        /// The nearest of that role.
        near: Option<&'static str>,
        /// All of that role.
        known: String,
    },
    /// A component in another role's place.
    #[error("component `{seen}` is for {has}, not for {wanted} (known for {wanted}: {known})")]
    WrongRole {
        /// The component.
        seen: &'static str,
        /// What it is for.
        has: Role,
        /// What the place is for.
        wanted: Role,
        /// All components for that place.
        known: String,
    },
    /// A bad option.
    #[error("{0}")]
    Option(#[from] OptionError),
    /// `single` joins nothing, the others join at least two.
    #[error("aggregation `{mode}` takes {wanted}, found {seen}")]
    SignalCount {
        /// The mode.
        mode: &'static str,
        /// How many it takes.
        wanted: &'static str,
        /// How many there are.
        seen: usize,
    },
    /// A weight that would be ignored, or that is missing.
    #[error("aggregation `{mode}` {wanted}")]
    Weight {
        /// The mode.
        mode: &'static str,
        /// What it wants.
        wanted: &'static str,
    },
    /// A component without what it needs.
    #[error("component `{component}` needs {needs}: add an analysis that gives it ({givers})")]
    Unmet {
        /// The component.
        component: &'static str,
        /// What it needs.
        needs: Quantity,
        /// Analyses that give it.
        givers: String,
    },
    /// An analysis that nothing would ask.
    #[error("no component of this strategy needs what `{0}` gives")]
    Unused(&'static str),
    /// A strategy without exits.
    #[error("no exit component")]
    NoExit,
    /// The same component twice in one list.
    #[error("component `{0}` stands here twice")]
    Twice(&'static str),
    /// A manifest value that nothing would enforce.
    #[error("no component holds the manifest's `{key}`: add {holders}")]
    Unheld {
        /// The key.
        key: &'static str,
        /// Components that would hold it.
        holders: String,
    },
}

/// What can be said of a file before anything is built.
///
/// # Errors
/// The first problem, with its place.
pub(super) fn check(file: &StrategyFile) -> Result<(), (String, CompositionProblem)> {
    check_aggregation(file)?;
    check_readings(file)
}

/// Every reading that a signal needs is given by an analysis, and every analysis is needed. Unknown
/// components are found when they are built.
fn check_readings(file: &StrategyFile) -> Result<(), (String, CompositionProblem)> {
    let row = |id: &str| registry::find(id);
    for (n, signal) in file.signals.iter().enumerate() {
        let Some(asks) = row(&signal.component) else {
            continue;
        };
        let mut readings = asks.needs.iter().copied().filter(|need| need.is_reading());
        let given = |needs: &Quantity| {
            let mut givers = file.analyses.iter().filter_map(|part| row(&part.component));
            givers.any(|giver| giver.gives.contains(needs))
        };
        if let Some(needs) = readings.find(|needs| !given(needs)) {
            let problem = CompositionProblem::Unmet {
                component: asks.id,
                needs,
                givers: givers(needs),
            };
            return Err((format!("/signals/{n}"), problem));
        }
    }
    for (n, analysis) in file.analyses.iter().enumerate() {
        let Some(giver) = row(&analysis.component) else {
            continue;
        };
        let mut askers = file.signals.iter().filter_map(|part| row(&part.component));
        let is_needed = askers.any(|asks| asks.needs.iter().any(|need| giver.gives.contains(need)));
        if !is_needed && giver.role() == Role::Analysis {
            let problem = CompositionProblem::Unused(giver.id);
            return Err((format!("/analyses/{n}"), problem));
        }
    }
    Ok(())
}

pub(super) type Placed = Result<(&'static str, Built), (&'static str, CompositionProblem)>;

pub(super) fn build(use_: &ComponentUse, role: Role, manifest: &Manifest) -> Placed {
    let known = || registry::ids(role).collect::<Vec<_>>().join(", ");
    let Some(row) = registry::find(&use_.component) else {
        return Err((
            "/component",
            CompositionProblem::UnknownComponent {
                seen: use_.component.clone(),
                role,
                near: near_miss(&use_.component, registry::ids(role)),
                known: known(),
            },
        ));
    };
    if row.role() != role {
        let problem = CompositionProblem::WrongRole {
            seen: row.id,
            has: row.role(),
            wanted: role,
            known: known(),
        };
        return Err(("/component", problem));
    }
    Options::read(row.options, &use_.options)
        .and_then(|options| row.build(manifest, &options))
        .map(|component| (row.id, component))
        .map_err(|error| ("/options", error.into()))
}

/// How many signals a mode takes, and whether they have weights.
fn check_aggregation(file: &StrategyFile) -> Result<(), (String, CompositionProblem)> {
    let seen = file.signals.len();
    let (mode, wanted, fits) = match file.aggregation {
        Aggregation::Single => ("single", "exactly one signal", seen == 1),
        Aggregation::Unanimous => ("unanimous", "at least two signals", seen >= 2),
        Aggregation::Weighted => ("weighted", "at least two signals", seen >= 2),
    };
    if !fits {
        let problem = CompositionProblem::SignalCount { mode, wanted, seen };
        return Err(("/signals".to_owned(), problem));
    }
    let has_weights = file.aggregation == Aggregation::Weighted;
    let odd = |weight: Option<u32>| match weight {
        None => has_weights,
        Some(weight) => !has_weights || !(1..=100).contains(&weight),
    };
    match file.signals.iter().position(|signal| odd(signal.weight)) {
        Some(n) => {
            let wanted = if has_weights {
                "needs a weight from 1 to 100 for each signal"
            } else {
                "knows no weights"
            };
            let problem = CompositionProblem::Weight { mode, wanted };
            Err((format!("/signals/{n}/weight"), problem))
        }
        None => Ok(()),
    }
}

fn givers(needs: Quantity) -> String {
    registry::TABLE
        .iter()
        .filter(|row| row.gives.contains(&needs))
        .map(|row| format!("`{}`", row.id))
        .collect::<Vec<_>>()
        .join(" or ")
}

/// Whether a component looks at neither its own strategy's readings nor the books: the same prices, window
/// and instant give the same answer.
pub(super) fn needs_prices_only(id: &str) -> bool {
    let reads = |quantity: &Quantity| quantity.is_reading() || *quantity == Quantity::Book;
    let row = registry::TABLE.iter().find(|row| row.id == id);
    row.is_some_and(|row| !row.needs.iter().any(reads))
}

pub(super) fn holders(key: &str) -> String {
    registry::TABLE
        .iter()
        .filter(|row| row.holds.contains(&key))
        .map(|row| format!("`{}` ({})", row.id, row.role()))
        .collect::<Vec<_>>()
        .join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;
    use crate::strategy::StrategyInstance;
    use crate::units::Asset;
    use serde_json::{Value, json};

    /// What composing the fixture's strategy with these keys replaced says.
    fn problem(change: &Value) -> String {
        let mut file = serde_json::to_value(fixtures::strategy()).unwrap();
        for (key, value) in change.as_object().unwrap() {
            file[key] = value.clone();
        }
        let file: StrategyFile = serde_json::from_value(file).unwrap();
        let id = "hybrid".parse().unwrap();
        StrategyInstance::compose(&id, Asset::Btc, &file, &fixtures::manifest())
            .map_or_else(|error| error.to_string(), |_| "composed".to_owned())
    }

    #[test]
    fn no_key_is_without_effect() {
        let edge = json!({ "component": "edge" });
        let edge_3 = json!({ "component": "edge", "weight": 3 });
        let lag = json!({ "component": "lag-based" });
        let lag_2 = json!({ "component": "lag-based", "weight": 2 });
        let tracker = json!([{ "component": "lag-tracker" }]);
        for (change, wanted) in [
            (
                json!({ "signals": [edge], "aggregation": "single" }),
                "composed",
            ),
            (
                json!({ "signals": [edge_3, lag_2], "aggregation": "weighted", "analyses": tracker }),
                "composed",
            ),
            (
                json!({ "signals": [edge, lag], "aggregation": "unanimous", "analyses": tracker }),
                "composed",
            ),
            (
                json!({ "signals": [edge, lag], "analyses": tracker }),
                "/signals: aggregation `single` takes exactly one signal, found 2",
            ),
            (
                json!({ "signals": [edge_3], "aggregation": "weighted" }),
                "/signals: aggregation `weighted` takes at least two signals, found 1",
            ),
            (
                json!({ "signals": [edge_3] }),
                "/signals/0/weight: aggregation `single` knows no weights",
            ),
            (
                json!({ "signals": [edge_3, lag], "aggregation": "weighted", "analyses": tracker }),
                "/signals/1/weight: aggregation `weighted` needs a weight from 1 to 100 for each signal",
            ),
            (
                json!({ "signals": [edge_3, edge_3], "aggregation": "weighted" }),
                "/signals/1: component `edge` stands here twice",
            ),
            (
                json!({ "signals": [lag] }),
                "/signals/0: component `lag-based` needs lag (ms, log-return): add an analysis that gives it (`lag-tracker`)",
            ),
            (
                json!({ "analyses": tracker }),
                "/analyses/0: no component of this strategy needs what `lag-tracker` gives",
            ),
            (
                json!({ "signals": [lag], "analyses": [{ "component": "lag-tracker" }, { "component": "lag-tracker" }] }),
                "/analyses/1: component `lag-tracker` stands here twice",
            ),
            (
                json!({ "signals": [lag], "analyses": [{ "component": "lag-tracker" }, { "component": "edge" }] }),
                "/analyses/1/component: component `edge` is for signal, not for analysis",
            ),
        ] {
            let said = problem(&change);
            assert!(said.contains(wanted), "{change}\n{said}\nwanted {wanted}");
        }
    }
}
