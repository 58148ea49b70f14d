//! A strategy instance: registered components composed from a strategy file, for one asset.
//!
//! There is no fallback: an unknown component, option or combination, or a manifest value that no
//! component of the strategy would enforce, is an error with its place in the file.

mod analyses;
mod composition;

pub(crate) use analyses::{Analyses, AnalysisIndex};
pub use composition::{CompositionError, CompositionProblem};

use crate::aggregation;
use crate::components::registry::Component as Built;
use crate::components::{
    Component, Configured, EntryRule, ExitRule, Observation, ProbabilityModel, Readings, Ready,
    Role, Signal, SignalSource, Size, SizingRule, WarmUp,
};
use crate::manifest::Manifest;
use crate::model::Estimate;
use crate::refusal::{Refusal, is_code};
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

impl Part<dyn crate::components::Analysis> {
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

/// What a strategy says to a view.
#[derive(Debug)]
pub(crate) enum Word {
    /// It refuses with the code that it refused with before.
    Same,
    /// It refuses.
    Refused(Refusal),
    /// It would buy.
    Wants(Proposal),
}

impl Word {
    /// A refusal, unless it was said before: most are, and that one is not worth copying.
    fn refused(refusal: &Refusal, said: &'static str) -> Self {
        if is_code(refusal.code, said) {
            Self::Same
        } else {
            Self::Refused(*refusal)
        }
    }
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
    analyses: Vec<(&'static str, AnalysisIndex)>,
    probability: Part<dyn ProbabilityModel>,
    /// How the model was asked for, if it looks at nothing but the prices that all strategies share.
    price_model: Option<ComponentUse>,
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
    /// Composes a strategy from its file, to be looked at: its analyses follow nothing.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn compose(
        id: &StrategyId,
        asset: Asset,
        file: &StrategyFile,
        manifest: &Manifest,
    ) -> Result<Self, CompositionError> {
        Self::compose_sharing(id, asset, file, manifest, &mut Analyses::default())
    }

    /// Composes a strategy from its file; its analyses are among all others'.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub(crate) fn compose_sharing(
        id: &StrategyId,
        asset: Asset,
        file: &StrategyFile,
        manifest: &Manifest,
        shared: &mut Analyses,
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
        if let Some((name, wanted)) = file.quality.out_of_range() {
            let pointer = format!("/quality/{name}");
            return Err(at(&pointer, CompositionProblem::Quality { wanted }));
        }
        composition::check(file).map_err(|(pointer, problem)| at(&pointer, problem))?;
        let place = |pointer: &str, use_: &ComponentUse, role: Role| {
            composition::build(use_, role, manifest)
                .map_err(|(field, problem)| at(&format!("{pointer}{field}"), problem))
        };
        let mut analyses = Vec::with_capacity(file.analyses.len());
        for (n, use_) in file.analyses.iter().enumerate() {
            let pointer = format!("/analyses/{n}");
            if let (name, Built::Analysis(analysis)) = place(&pointer, use_, Role::Analysis)? {
                if analyses.iter().any(|(known, _)| *known == name) {
                    return Err(at(&pointer, CompositionProblem::Twice(name)));
                }
                analyses.push((name, shared.share(asset, use_, name, analysis)));
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
            price_model: composition::needs_prices_only(probability_id)
                .then(|| file.probability.clone()),
            signals,
            aggregation: file.aggregation,
            entry: Part::new(entry_id, entry),
            sizing: Part::new(sizing_id, sizing),
            exits,
            is_ready: false,
            waiting_for: NOT_READY,
        };
        let held = instance.held(shared);
        match HELD_KEYS.into_iter().find(|key| !held.contains_key(*key)) {
            Some(key) => Err(at(
                "",
                CompositionProblem::Unheld {
                    key,
                    holders: composition::holders(key),
                },
            )),
            None => Ok(instance),
        }
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
    pub(crate) fn warm_up(&mut self, facts: &WarmUp, shared: &mut Analyses) -> Result<(), Refusal> {
        let warmed = self.warm_parts(facts, shared);
        match warmed {
            Ok(()) => self.is_ready = true,
            Err(refusal) => self.waiting_for = refusal,
        }
        warmed
    }

    fn warm_parts(&mut self, facts: &WarmUp, shared: &mut Analyses) -> Result<(), Refusal> {
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
        for (_, analysis) in &self.analyses {
            shared.warm_up(*analysis, facts)?;
        }
        Ok(())
    }

    /// Whether both ask the same model of the same asset, so that one answer serves both.
    pub(crate) fn shares_model_with(&self, other: &Self) -> bool {
        self.asset == other.asset
            && self.price_model.is_some()
            && self.price_model == other.price_model
    }

    /// Whether its model answers the same as long as prices, window and instant are the same.
    pub(crate) const fn has_price_model(&self) -> bool {
        self.price_model.is_some()
    }

    /// What it would buy in this view, with the model's answer if it is known already; else it is asked
    /// and kept. `said` is the code of its last refusal, or anything else that is no code.
    pub(crate) fn decide(
        &self,
        view: &MarketView<'_>,
        shared: &Analyses,
        known: &mut Option<Result<Estimate, Refusal>>,
        said: &'static str,
    ) -> Word {
        let (true, Some(probability), Some(entry), Some(sizing)) = (
            self.is_ready,
            self.probability.ready(),
            self.entry.ready(),
            self.sizing.ready(),
        ) else {
            return Word::refused(&self.waiting_for, said);
        };
        let read;
        let with_readings;
        let view = if self.looks(view) {
            read = self.read(view, shared);
            with_readings = view.with_readings(&read);
            &with_readings
        } else {
            view
        };
        let estimate = match known.get_or_insert_with(|| probability.evaluate(view)) {
            Ok(estimate) => estimate,
            Err(refusal) => return Word::refused(refusal, said),
        };
        let signal = match &self.signal(view, estimate) {
            Ok(signal) => *signal,
            Err(refusal) => return Word::refused(refusal, said),
        };
        if let Err(refusal) = &entry.evaluate(view, &signal) {
            return Word::refused(refusal, said);
        }
        match &sizing.evaluate(&signal) {
            Ok(size) => Word::Wants(Proposal {
                estimate: *estimate,
                signal,
                size: *size,
            }),
            Err(refusal) => Word::refused(refusal, said),
        }
    }

    /// Whether any part of it would look at readings of this view.
    fn looks(&self, view: &MarketView<'_>) -> bool {
        let mut signals = self.signals.iter().filter_map(|signal| signal.part.ready());
        !self.analyses.is_empty()
            && (self.price_model.is_none() || signals.any(|signal| signal.looks(view)))
    }

    /// What the analyses read now.
    fn read(&self, view: &MarketView<'_>, shared: &Analyses) -> Readings {
        let mut readings = Readings::NONE;
        for (_, index) in &self.analyses {
            if let Some(analysis) = shared.ready(*index) {
                analysis.read(view, &mut readings);
            }
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
    pub(crate) fn held(&self, shared: &Analyses) -> BTreeMap<&'static str, Value> {
        let mut held = BTreeMap::new();
        held.extend(self.probability.held());
        for (_, analysis) in &self.analyses {
            held.extend(shared.held(*analysis));
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
    pub(crate) fn components(&self, shared: &Analyses) -> Vec<ComponentHealth> {
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
        let analyses = self.analyses.iter();
        rows.extend(
            analyses
                .filter_map(|(_, analysis)| shared.row(*analysis))
                .map(|(id, state)| row(Role::Analysis, id, state)),
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
