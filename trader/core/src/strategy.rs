//! A strategy instance: registered components composed from a strategy file, for one asset.
//!
//! There is no fallback: an unknown component, option or combination, or a manifest value that no
//! component of the strategy would enforce, is an error with its place in the file.

use crate::aggregation;
use crate::components::options::{OptionError, Options, hint};
use crate::components::registry::{self, Component as Built};
use crate::components::{
    Analysis, Component, Configured, EntryRule, ExitRule, Observation, ProbabilityModel, Quantity,
    Readings, Ready, Role, Signal, SignalSource, Size, SizingRule, WarmUp,
};
use crate::manifest::Manifest;
use crate::model::Estimate;
use crate::near_miss::near_miss;
use crate::refusal::Refusal;
use crate::strategy_file::{Aggregation, ComponentUse, STRATEGY_SCHEMA_VERSION, StrategyFile};
use crate::units::{Asset, Outcome, Probability, StrategyId, TokenPrice};
use crate::view::{ExitView, MarketView};
use crate::wire::ComponentHealth;
use serde_json::Value;
use std::collections::BTreeMap;

/// Manifest keys that the components of every strategy must hold between them: a declared value that
/// nothing enforces would be a lie.
pub const HELD_KEYS: [&str; 8] = [
    "position_size_usd",
    "edge.min",
    "edge.max",
    "window.min_elapsed_secs",
    "window.min_remaining_secs",
    "window.warm_up_secs",
    "exit.stop_loss",
    "exit.take_profit",
];

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

/// A component on its way from configured to ready.
#[derive(Debug)]
struct Part<C: ?Sized> {
    id: &'static str,
    slot: Slot<C>,
}

#[derive(Debug)]
enum Slot<C: ?Sized> {
    Configured(Configured<C>),
    Ready(Ready<C>),
    /// Only while it is being moved from one state to the other.
    Moving,
}

impl<C: Component + ?Sized> Part<C> {
    const fn new(id: &'static str, component: Configured<C>) -> Self {
        Self {
            id,
            slot: Slot::Configured(component),
        }
    }

    fn warm_up(&mut self, facts: &WarmUp) -> Result<(), Refusal> {
        match std::mem::replace(&mut self.slot, Slot::Moving) {
            Slot::Configured(component) => match component.warm_up(facts) {
                Ok(ready) => self.slot = Slot::Ready(ready),
                Err((component, refusal)) => {
                    self.slot = Slot::Configured(component);
                    return Err(refusal);
                }
            },
            other @ (Slot::Ready(_) | Slot::Moving) => self.slot = other,
        }
        Ok(())
    }

    const fn ready(&self) -> Option<&Ready<C>> {
        match &self.slot {
            Slot::Ready(ready) => Some(ready),
            Slot::Configured(_) | Slot::Moving => None,
        }
    }

    fn held(&self) -> Vec<(&'static str, Value)> {
        match &self.slot {
            Slot::Configured(component) => component.held(),
            Slot::Ready(component) => component.held(),
            Slot::Moving => Vec::new(),
        }
    }

    const fn state(&self) -> &'static str {
        if self.ready().is_some() {
            "ready"
        } else {
            "configured"
        }
    }
}

impl Part<dyn Analysis> {
    fn observe(&mut self, seen: &Observation) {
        match &mut self.slot {
            Slot::Configured(analysis) => analysis.observe(seen),
            Slot::Ready(analysis) => analysis.observe(seen),
            Slot::Moving => {}
        }
    }
}

/// What a strategy proposes to buy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Proposal {
    /// The model's word.
    pub estimate: Estimate,
    /// Which token, at what price.
    pub signal: Signal,
    /// How much.
    pub size: Size,
}

/// A signal source and its weight, 1 where nothing is weighed.
#[derive(Debug)]
struct WeightedSignal {
    part: Part<dyn SignalSource>,
    weight: f64,
}

/// One strategy for one asset.
#[derive(Debug)]
pub struct StrategyInstance {
    id: StrategyId,
    asset: Asset,
    analyses: Vec<Part<dyn Analysis>>,
    probability: Part<dyn ProbabilityModel>,
    signals: Vec<WeightedSignal>,
    aggregation: Aggregation,
    entry: Part<dyn EntryRule>,
    sizing: Part<dyn SizingRule>,
    exits: Vec<Part<dyn ExitRule>>,
    is_ready: bool,
    /// What the first unready component missed when it was last asked.
    waiting_for: Refusal,
}

impl StrategyInstance {
    /// Composes a strategy from its file.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn compose(
        id: &StrategyId,
        asset: Asset,
        file: &StrategyFile,
        manifest: &Manifest,
    ) -> Result<Self, CompositionError> {
        let at = |pointer: &str, problem: CompositionProblem| CompositionError {
            strategy: id.clone(),
            pointer: pointer.to_owned(),
            problem: Box::new(problem),
        };
        if file.schema_version != STRATEGY_SCHEMA_VERSION {
            return Err(at(
                "/schema_version",
                CompositionProblem::Version(file.schema_version),
            ));
        }
        check_aggregation(file).map_err(|(pointer, problem)| at(&pointer, problem))?;
        let place = |pointer: &str, use_: &ComponentUse, role: Role| {
            build(use_, role, manifest)
                .map_err(|(field, problem)| at(&format!("{pointer}{field}"), problem))
        };
        let mut analyses: Vec<Part<dyn Analysis>> = Vec::with_capacity(file.analyses.len());
        for (n, use_) in file.analyses.iter().enumerate() {
            let pointer = format!("/analyses/{n}");
            if let (name, Built::Analysis(analysis)) = place(&pointer, use_, Role::Analysis)? {
                if analyses.iter().any(|known| known.id == name) {
                    return Err(at(&pointer, CompositionProblem::Twice(name)));
                }
                analyses.push(Part::new(name, analysis));
            }
        }
        let mut signals: Vec<WeightedSignal> = Vec::with_capacity(file.signals.len());
        for (n, use_) in file.signals.iter().enumerate() {
            let pointer = format!("/signals/{n}");
            let built = place(&pointer, &use_.component_use(), Role::Signal)?;
            if let (name, Built::Signal(signal)) = built {
                if signals.iter().any(|known| known.part.id == name) {
                    return Err(at(&pointer, CompositionProblem::Twice(name)));
                }
                signals.push(WeightedSignal {
                    part: Part::new(name, signal),
                    weight: use_.weight.map_or(1.0, f64::from),
                });
            }
        }
        let (probability, entry, sizing) = (
            place("/probability", &file.probability, Role::Probability)?,
            place("/entry", &file.entry, Role::Entry)?,
            place("/sizing", &file.sizing, Role::Sizing)?,
        );
        let mut exits: Vec<Part<dyn ExitRule>> = Vec::with_capacity(file.exits.len());
        for (n, use_) in file.exits.iter().enumerate() {
            let pointer = format!("/exits/{n}");
            if let (name, Built::Exit(exit)) = place(&pointer, use_, Role::Exit)? {
                if exits.iter().any(|known| known.id == name) {
                    return Err(at(&pointer, CompositionProblem::Twice(name)));
                }
                exits.push(Part::new(name, exit));
            }
        }
        if exits.is_empty() {
            return Err(at("/exits", CompositionProblem::NoExit));
        }
        let (
            (probability_id, Built::Probability(probability)),
            (entry_id, Built::Entry(entry)),
            (sizing_id, Built::Sizing(sizing)),
        ) = (probability, entry, sizing)
        else {
            // `build` returns the role it was asked for.
            return Err(at("", CompositionProblem::NoExit));
        };
        let instance = Self {
            id: id.clone(),
            asset,
            analyses,
            probability: Part::new(probability_id, probability),
            signals,
            aggregation: file.aggregation,
            entry: Part::new(entry_id, entry),
            sizing: Part::new(sizing_id, sizing),
            exits,
            is_ready: false,
            waiting_for: NOT_READY,
        };
        instance
            .check_readings()
            .map_err(|(pointer, problem)| at(&pointer, problem))?;
        let held = instance.held();
        match HELD_KEYS.into_iter().find(|key| !held.contains_key(*key)) {
            Some(key) => Err(at(
                "",
                CompositionProblem::Unheld {
                    key,
                    holders: holders(key),
                },
            )),
            None => Ok(instance),
        }
    }

    /// Every reading that a signal needs is given by an analysis, and every analysis is needed.
    fn check_readings(&self) -> Result<(), (String, CompositionProblem)> {
        let rows = |id: &str| registry::find(id);
        for (n, signal) in self.signals.iter().enumerate() {
            let needed = rows(signal.part.id).map_or(&[][..], |row| row.needs);
            for needs in needed.iter().copied().filter(|need| need.is_reading()) {
                let given = self
                    .analyses
                    .iter()
                    .filter_map(|part| rows(part.id))
                    .any(|row| row.gives.contains(&needs));
                if !given {
                    let problem = CompositionProblem::Unmet {
                        component: signal.part.id,
                        needs,
                        givers: givers(needs),
                    };
                    return Err((format!("/signals/{n}"), problem));
                }
            }
        }
        for (n, analysis) in self.analyses.iter().enumerate() {
            let gives = rows(analysis.id).map_or(&[][..], |row| row.gives);
            let is_needed = self
                .signals
                .iter()
                .filter_map(|signal| rows(signal.part.id))
                .any(|row| row.needs.iter().any(|need| gives.contains(need)));
            if !is_needed {
                let problem = CompositionProblem::Unused(analysis.id);
                return Err((format!("/analyses/{n}"), problem));
            }
        }
        Ok(())
    }

    /// Shows its analyses a price of its asset.
    pub fn observe(&mut self, seen: &Observation) {
        for analysis in &mut self.analyses {
            analysis.observe(seen);
        }
    }

    /// Whether prices of the user interface can change its mind.
    pub const fn has_analyses(&self) -> bool {
        !self.analyses.is_empty()
    }

    /// The strategy's id.
    pub const fn id(&self) -> &StrategyId {
        &self.id
    }

    /// The asset it trades.
    pub const fn asset(&self) -> Asset {
        self.asset
    }

    /// Whether every component is ready.
    pub const fn is_ready(&self) -> bool {
        self.is_ready
    }

    /// Warms up what is not ready yet.
    ///
    /// # Errors
    /// What the first unready component still misses.
    pub fn warm_up(&mut self, facts: &WarmUp) -> Result<(), Refusal> {
        let warmed = self.warm_parts(facts);
        match warmed {
            Ok(()) => self.is_ready = true,
            Err(refusal) => self.waiting_for = refusal,
        }
        warmed
    }

    fn warm_parts(&mut self, facts: &WarmUp) -> Result<(), Refusal> {
        // Exits first: a position of an earlier run must be left even while the model warms up.
        for exit in &mut self.exits {
            exit.warm_up(facts)?;
        }
        self.sizing.warm_up(facts)?;
        self.entry.warm_up(facts)?;
        for signal in &mut self.signals {
            signal.part.warm_up(facts)?;
        }
        self.probability.warm_up(facts)?;
        for analysis in &mut self.analyses {
            analysis.warm_up(facts)?;
        }
        Ok(())
    }

    /// What it would buy in this view.
    ///
    /// # Errors
    /// The refusal of the first component that says no.
    pub fn decide(&self, view: &MarketView<'_>) -> Result<Proposal, Refusal> {
        let (true, Some(probability), Some(entry), Some(sizing)) = (
            self.is_ready,
            self.probability.ready(),
            self.entry.ready(),
            self.sizing.ready(),
        ) else {
            return Err(self.waiting_for);
        };
        let readings = self.read(view);
        let view = &view.with_readings(&readings);
        let estimate = probability.evaluate(view)?;
        let signal = self.signal(view, &estimate)?;
        entry.evaluate(view, &signal)?;
        let size = sizing.evaluate(&signal)?;
        Ok(Proposal {
            estimate,
            signal,
            size,
        })
    }

    /// What the analyses read now.
    fn read(&self, view: &MarketView<'_>) -> Readings {
        let mut readings = Readings::NONE;
        for analysis in self.analyses.iter().filter_map(Part::ready) {
            analysis.read(view, &mut readings);
        }
        readings
    }

    /// The word of all signals together.
    fn signal(&self, view: &MarketView<'_>, estimate: &Estimate) -> Result<Signal, Refusal> {
        let vote = |signal: &WeightedSignal| match signal.part.ready() {
            Some(ready) => ready.evaluate(view, estimate),
            None => Err(self.waiting_for),
        };
        match self.aggregation {
            Aggregation::Single => self.signals.first().map_or(Err(self.waiting_for), vote),
            Aggregation::Unanimous => aggregation::unanimous(self.signals.iter().map(vote)),
            Aggregation::Weighted => {
                let votes = self
                    .signals
                    .iter()
                    .map(|signal| (signal.weight, vote(signal)));
                aggregation::weighted(view, votes)
            }
        }
    }

    /// What it would buy at a price: for checks that judge every price. `None` before the sizing rule
    /// is ready.
    pub fn size_at(&self, price: TokenPrice) -> Option<Result<Size, Refusal>> {
        let signal = Signal {
            outcome: Outcome::Up,
            probability: Probability::CERTAIN,
            price,
            edge: 1.0,
        };
        Some(self.sizing.ready()?.evaluate(&signal))
    }

    /// Why a position should be left now; the first exit component that says so wins.
    pub fn exit(&self, view: &ExitView<'_>) -> Option<&'static str> {
        self.exits
            .iter()
            .find_map(|part| part.ready()?.evaluate(view))
    }

    /// The manifest values that its components hold, by dotted key.
    pub fn held(&self) -> BTreeMap<&'static str, Value> {
        let mut held = BTreeMap::new();
        held.extend(self.probability.held());
        for analysis in &self.analyses {
            held.extend(analysis.held());
        }
        for signal in &self.signals {
            held.extend(signal.part.held());
        }
        held.extend(self.entry.held());
        held.extend(self.sizing.held());
        for exit in &self.exits {
            held.extend(exit.held());
        }
        held
    }

    /// Its components and their states.
    pub fn components(&self) -> Vec<ComponentHealth> {
        let row = |role: Role, id: &str, state: &str| ComponentHealth {
            id: format!("{}/{role}/{id}/{}", self.id, self.asset),
            state: state.to_owned(),
        };
        let mut rows = vec![
            row(
                Role::Probability,
                self.probability.id,
                self.probability.state(),
            ),
            row(Role::Entry, self.entry.id, self.entry.state()),
            row(Role::Sizing, self.sizing.id, self.sizing.state()),
        ];
        rows.extend(
            self.analyses
                .iter()
                .map(|analysis| row(Role::Analysis, analysis.id, analysis.state())),
        );
        rows.extend(
            self.signals
                .iter()
                .map(|signal| row(Role::Signal, signal.part.id, signal.part.state())),
        );
        rows.extend(
            self.exits
                .iter()
                .map(|exit| row(Role::Exit, exit.id, exit.state())),
        );
        rows
    }
}

const NOT_READY: Refusal = Refusal::new(
    "not_ready",
    crate::refusal::Refuser::Component,
    crate::refusal::Figure::None,
    crate::refusal::Figure::None,
);

type Placed = Result<(&'static str, Built), (&'static str, CompositionProblem)>;

fn build(use_: &ComponentUse, role: Role, manifest: &Manifest) -> Placed {
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

fn holders(key: &str) -> String {
    registry::TABLE
        .iter()
        .filter(|row| row.holds.contains(&key))
        .map(|row| format!("`{}` ({})", row.id, row.role()))
        .collect::<Vec<_>>()
        .join(" or ")
}
