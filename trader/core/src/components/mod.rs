//! Components: the parts that a strategy is composed of. One file each, one row each in `registry`.
//!
//! A component knows its options, the manifest values it holds, and the view it is given: no feed, no
//! ledger, no other component. It is built as [`Configured`] and can be asked only once it is
//! [`Ready`]; there is no third way, so nothing is ever evaluated before it was initialised.

pub mod options;
pub mod registry;
pub mod smoke;

mod band;
mod edge;
pub(crate) use edge::{better_side, of_outcome};
mod fixed;
pub(crate) use fixed::MIN_SHARES;
mod lag_based;
mod lag_tracker;
mod oracle_edge;
mod oracle_staleness;
mod quantity;
mod readings;
mod stop_loss;
mod take_profit;
mod threshold;
mod trailing;
mod ui_divergence;
mod update_pattern;
mod window_close;
mod window_timing;

pub use quantity::Quantity;
pub use readings::{Divergence, Lag, Observation, Readings, Staleness, UpdateForecast};

use crate::model::Estimate;
use crate::refusal::{Figure, Refusal, Refuser};
use crate::units::{Outcome, Probability, Shares, TokenPrice, Usd, Volatility};
use crate::view::{ExitView, MarketView};
use serde_json::Value;
use std::fmt::Debug;

/// What a component does in a strategy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Prices as they come → a reading that signals may ask for.
    Analysis,
    /// View → probability.
    Probability,
    /// View and probability → signal.
    Signal,
    /// Whether the moment allows an entry.
    Entry,
    /// Signal → shares.
    Sizing,
    /// Whether a position is left.
    Exit,
}

impl Role {
    /// As it is spelled in strategy files and ids.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Analysis => "analysis",
            Self::Probability => "probability",
            Self::Signal => "signal",
            Self::Entry => "entry",
            Self::Sizing => "sizing",
            Self::Exit => "exit",
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// What is known of an asset when its components warm up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WarmUp {
    /// Milliseconds of oracle history seen, long pauses not counted.
    pub history_ms: i64,
    /// Volatility, once there is enough history.
    pub volatility: Option<Volatility>,
}

impl WarmUp {
    /// Nothing is known: for components that only look at their own history.
    pub(crate) const NOTHING: Self = Self {
        history_ms: 0,
        volatility: None,
    };
}

/// What every component has in common.
pub trait Component: Debug + Send {
    /// Whether it can be asked yet.
    ///
    /// # Errors
    /// What is still missing, with numbers.
    fn warm_up(&self, facts: &WarmUp) -> Result<(), Refusal>;

    /// The manifest values that it holds and enforces, by dotted key, from its own fields.
    fn held(&self) -> Vec<(&'static str, Value)>;
}

/// Prices as they come → a reading. It sees them while it warms up too.
pub trait Analysis: Component {
    /// Takes a price of the asset's own series. Allocates nothing once it is warm.
    fn observe(&mut self, seen: &Observation);

    /// Writes its reading, or why there is none, for this view.
    fn read(&self, view: &MarketView<'_>, readings: &mut Readings);
}

/// View → probability of Up.
pub trait ProbabilityModel: Component {
    /// The estimate.
    ///
    /// # Errors
    /// A typed refusal on missing or implausible input.
    fn estimate(&self, view: &MarketView<'_>) -> Result<Estimate, Refusal>;
}

/// View and probability → which token, at what advantage.
pub trait SignalSource: Component {
    /// The signal.
    ///
    /// # Errors
    /// A typed refusal when there is nothing to buy.
    fn signal(&self, view: &MarketView<'_>, estimate: &Estimate) -> Result<Signal, Refusal>;

    /// Whether it would look at the view's readings. Making them costs more than most signals.
    fn looks(&self, _view: &MarketView<'_>) -> bool {
        true
    }
}

/// Whether the moment allows an entry.
pub trait EntryRule: Component {
    /// Nothing, when it does.
    ///
    /// # Errors
    /// Why not, with numbers.
    fn judge(&self, view: &MarketView<'_>, signal: &Signal) -> Result<(), Refusal>;
}

/// Signal → shares.
pub trait SizingRule: Component {
    /// The size.
    ///
    /// # Errors
    /// Why nothing can be bought.
    fn size(&self, signal: &Signal) -> Result<Size, Refusal>;
}

/// Whether a position is left.
pub trait ExitRule: Component {
    /// The reason to leave it now, if there is one.
    fn exit(&self, view: &ExitView<'_>) -> Option<&'static str>;
}

/// What a strategy would like to buy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Signal {
    /// The outcome whose token is cheap.
    pub outcome: Outcome,
    /// The model's probability of that outcome.
    pub probability: Probability,
    /// The price to pay: the token's ask.
    pub price: TokenPrice,
    /// Probability minus price minus taker fee, USD per share.
    pub edge: f64,
}

/// How much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Shares, in hundredths.
    pub shares: Shares,
    /// All of them at the signal's price, plus the taker fee.
    pub worst_cost: Usd,
}

/// A component that is built but may not be asked yet.
#[derive(Debug)]
pub struct Configured<C: ?Sized>(Box<C>);

/// A component that may be asked.
#[derive(Debug)]
pub struct Ready<C: ?Sized>(Box<C>);

impl<C: Component + ?Sized> Configured<C> {
    /// Becomes ready, or says what is missing and stays as it is.
    ///
    /// # Errors
    /// The component itself and what is missing.
    pub fn warm_up(self, facts: &WarmUp) -> Result<Ready<C>, (Self, Refusal)> {
        match self.0.warm_up(facts) {
            Ok(()) => Ok(Ready(self.0)),
            Err(refusal) => Err((self, refusal)),
        }
    }

    /// The manifest values that it holds.
    pub fn held(&self) -> Vec<(&'static str, Value)> {
        self.0.held()
    }
}

impl<C: Component + ?Sized> Ready<C> {
    /// The manifest values that it holds.
    pub fn held(&self) -> Vec<(&'static str, Value)> {
        self.0.held()
    }
}

impl Configured<dyn Analysis> {
    /// See [`Analysis::observe`].
    pub fn observe(&mut self, seen: &Observation) {
        self.0.observe(seen);
    }
}

impl Ready<dyn Analysis> {
    /// See [`Analysis::observe`].
    pub fn observe(&mut self, seen: &Observation) {
        self.0.observe(seen);
    }

    /// See [`Analysis::read`].
    pub fn read(&self, view: &MarketView<'_>, readings: &mut Readings) {
        self.0.read(view, readings);
    }
}

impl Ready<dyn ProbabilityModel> {
    /// See [`ProbabilityModel::estimate`].
    ///
    /// # Errors
    /// The component's refusal.
    pub fn evaluate(&self, view: &MarketView<'_>) -> Result<Estimate, Refusal> {
        self.0.estimate(view)
    }
}

impl Ready<dyn SignalSource> {
    /// See [`SignalSource::signal`].
    ///
    /// # Errors
    /// The component's refusal.
    pub fn evaluate(&self, view: &MarketView<'_>, estimate: &Estimate) -> Result<Signal, Refusal> {
        self.0.signal(view, estimate)
    }

    /// See [`SignalSource::looks`].
    pub fn looks(&self, view: &MarketView<'_>) -> bool {
        self.0.looks(view)
    }
}

impl Ready<dyn EntryRule> {
    /// See [`EntryRule::judge`].
    ///
    /// # Errors
    /// The component's refusal.
    pub fn evaluate(&self, view: &MarketView<'_>, signal: &Signal) -> Result<(), Refusal> {
        self.0.judge(view, signal)
    }
}

impl Ready<dyn SizingRule> {
    /// See [`SizingRule::size`].
    ///
    /// # Errors
    /// The component's refusal.
    pub fn evaluate(&self, signal: &Signal) -> Result<Size, Refusal> {
        self.0.size(signal)
    }
}

impl Ready<dyn ExitRule> {
    /// See [`ExitRule::exit`].
    pub fn evaluate(&self, view: &ExitView<'_>) -> Option<&'static str> {
        self.0.exit(view)
    }
}

/// A component's refusal with its numbers.
const fn refuse(code: &'static str, seen: Figure, limit: Figure) -> Refusal {
    Refusal::new(code, Refuser::Component, seen, limit)
}

/// A typed value as it stands in `effective`.
fn json<T: serde::Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}

#[cfg(test)]
mod tests;
