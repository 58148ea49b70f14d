//! The table of all components. Adding one = one file and one row here.

use super::options::{OptionError, OptionSpec, Options};
use super::{
    Analysis, Configured, EntryRule, ExitRule, ProbabilityModel, Quantity, Role, SignalSource,
    SizingRule, band, edge, fixed, lag_based, lag_tracker, oracle_edge, oracle_staleness,
    stop_loss, take_profit, threshold, trailing, ui_divergence, update_pattern, window_close,
    window_timing,
};
use crate::manifest::Manifest;
use serde_json::Value;

/// One component.
#[derive(Debug)]
pub struct Row {
    /// The id that strategy files use.
    pub id: &'static str,
    /// What it does, in a line.
    pub doc: &'static str,
    /// What it is given.
    pub needs: &'static [Quantity],
    /// What it gives.
    pub gives: &'static [Quantity],
    /// Manifest keys that it holds.
    pub holds: &'static [&'static str],
    /// Its options.
    pub options: &'static [OptionSpec],
    /// How it is built.
    pub build: Build,
}

/// A component, or the option that it cannot use.
pub type Built<C> = Result<Box<C>, OptionError>;

/// How it is built; the variant is its role.
#[derive(Debug, Clone, Copy)]
pub enum Build {
    /// An analysis.
    Analysis(fn(&Manifest, &Options) -> Built<dyn Analysis>),
    /// A probability model.
    Probability(fn(&Manifest, &Options) -> Built<dyn ProbabilityModel>),
    /// A signal source.
    Signal(fn(&Manifest, &Options) -> Built<dyn SignalSource>),
    /// An entry rule.
    Entry(fn(&Manifest, &Options) -> Built<dyn EntryRule>),
    /// A sizing rule.
    Sizing(fn(&Manifest, &Options) -> Built<dyn SizingRule>),
    /// An exit rule.
    Exit(fn(&Manifest, &Options) -> Built<dyn ExitRule>),
}

/// Every component there is.
pub const TABLE: &[Row] = &[
    Row {
        id: "oracle-staleness",
        doc: "how long the oracle has shown the same price",
        needs: &[Quantity::OraclePrice],
        gives: &[Quantity::Staleness],
        holds: &[],
        options: oracle_staleness::OPTIONS,
        build: Build::Analysis(oracle_staleness::build),
    },
    Row {
        id: "ui-divergence",
        doc: "how far the UI's price is from the oracle's and from the reference",
        needs: &[
            Quantity::UiPrice,
            Quantity::OraclePrice,
            Quantity::ReferencePrice,
        ],
        gives: &[Quantity::Divergence],
        holds: &[],
        options: ui_divergence::OPTIONS,
        build: Build::Analysis(ui_divergence::build),
    },
    Row {
        id: "lag-tracker",
        doc: "by how much the UI's price leads the oracle's: cross-correlation at 0.5, 1, 2, 5, 10 and 30 s, measured once a second",
        needs: &[Quantity::UiPrice, Quantity::OraclePrice],
        gives: &[Quantity::Lag],
        holds: &[],
        options: lag_tracker::OPTIONS,
        build: Build::Analysis(lag_tracker::build),
    },
    Row {
        id: "update-pattern",
        doc: "whether the oracle will change before the close, from the pauses between its changes",
        needs: &[Quantity::OraclePrice, Quantity::Window],
        gives: &[Quantity::UpdateForecast],
        holds: &[],
        options: update_pattern::OPTIONS,
        build: Build::Analysis(update_pattern::build),
    },
    Row {
        id: "window-timing",
        doc: "P(up) from oracle price, reference price, volatility and time left, by the market's own settlement rule",
        needs: &[
            Quantity::OraclePrice,
            Quantity::ReferencePrice,
            Quantity::Volatility,
            Quantity::SettlementAverage,
            Quantity::Window,
        ],
        gives: &[Quantity::Probability],
        holds: &["window.warm_up_secs"],
        options: window_timing::OPTIONS,
        build: Build::Probability(window_timing::build),
    },
    Row {
        id: "edge",
        doc: "probability minus ask minus taker fee, for the better of the two outcomes",
        needs: &[Quantity::Probability, Quantity::Book],
        gives: &[Quantity::Signal],
        holds: &[],
        options: edge::OPTIONS,
        build: Build::Signal(edge::build),
    },
    Row {
        id: "lag-based",
        doc: "the side to which the oracle must still follow the UI, at the probability after that move",
        needs: &[Quantity::Probability, Quantity::Lag, Quantity::Book],
        gives: &[Quantity::Signal],
        holds: &[],
        options: lag_based::OPTIONS,
        build: Build::Signal(lag_based::build),
    },
    Row {
        id: "oracle-edge",
        doc: "against the crowd's side, late, while the oracle stands still and no update is expected",
        needs: &[
            Quantity::Probability,
            Quantity::Staleness,
            Quantity::Divergence,
            Quantity::UpdateForecast,
            Quantity::Book,
            Quantity::Window,
        ],
        gives: &[Quantity::Signal],
        holds: &[],
        options: oracle_edge::OPTIONS,
        build: Build::Signal(oracle_edge::build),
    },
    Row {
        id: "threshold",
        doc: "the outcome whose token costs more than a threshold; only where a strategy names it",
        needs: &[Quantity::Probability, Quantity::Book, Quantity::Window],
        gives: &[Quantity::Signal],
        holds: &[],
        options: threshold::OPTIONS,
        build: Build::Signal(threshold::build),
    },
    Row {
        id: "band",
        doc: "enters only between the least and the most edge, after the window's start and before its end",
        needs: &[Quantity::Signal, Quantity::Window],
        gives: &[Quantity::Leave],
        holds: &[
            "window.min_elapsed_secs",
            "window.min_remaining_secs",
            "edge.min",
            "edge.max",
        ],
        options: band::OPTIONS,
        build: Build::Entry(band::build),
    },
    Row {
        id: "fixed",
        doc: "as many hundredths of a share as the budget pays for, taker fee included",
        needs: &[Quantity::Signal, Quantity::Budget],
        gives: &[Quantity::Shares],
        holds: &["position_size_usd"],
        options: fixed::OPTIONS,
        build: Build::Sizing(fixed::build),
    },
    Row {
        id: "stop-loss",
        doc: "leaves when a sale would bring `exit.stop_loss` less per share than was paid: the bid, less fee and depth",
        needs: &[Quantity::Position, Quantity::Book],
        gives: &[Quantity::ExitReason],
        holds: &["exit.stop_loss"],
        options: stop_loss::OPTIONS,
        build: Build::Exit(stop_loss::build),
    },
    Row {
        id: "take-profit",
        doc: "leaves when the bid has risen above the entry price by `exit.take_profit`",
        needs: &[Quantity::Position, Quantity::Book],
        gives: &[Quantity::ExitReason],
        holds: &["exit.take_profit"],
        options: take_profit::OPTIONS,
        build: Build::Exit(take_profit::build),
    },
    Row {
        id: "trailing",
        doc: "leaves when part of the best gain has been given back",
        needs: &[Quantity::Position, Quantity::Book, Quantity::PeakBid],
        gives: &[Quantity::ExitReason],
        holds: &[],
        options: trailing::OPTIONS,
        build: Build::Exit(trailing::build),
    },
    Row {
        id: "window-close",
        doc: "leaves so many seconds before the close; 0 holds to settlement",
        needs: &[Quantity::Position, Quantity::Window],
        gives: &[Quantity::ExitReason],
        holds: &[],
        options: window_close::OPTIONS,
        build: Build::Exit(window_close::build),
    },
];

impl Row {
    /// What it does in a strategy.
    pub const fn role(&self) -> Role {
        match self.build {
            Build::Analysis(_) => Role::Analysis,
            Build::Probability(_) => Role::Probability,
            Build::Signal(_) => Role::Signal,
            Build::Entry(_) => Role::Entry,
            Build::Sizing(_) => Role::Sizing,
            Build::Exit(_) => Role::Exit,
        }
    }

    /// What it must have seen before it is ready; `None`: it is ready as soon as it is built.
    pub fn warm_up(&self) -> Option<&'static str> {
        match self.id {
            "oracle-staleness" => Some("the first oracle price"),
            "ui-divergence" => Some("the first price of the user interface"),
            "lag-tracker" => Some("both prices over its `history_secs` and 30.5 s more"),
            "update-pattern" => Some("16 pauses between changes of the oracle"),
            "window-timing" => Some(
                "`window.warm_up_secs` of oracle prices, and a volatility: 30 returns over 10 s and 30 over 30 s",
            ),
            _ => None,
        }
    }

    /// JSON Schema of its options.
    pub fn options_schema(&self) -> Value {
        super::options::schema(self.options)
    }
}

/// The row of an id.
pub fn find(id: &str) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.id == id)
}

/// The ids of a role, in table order.
pub fn ids(role: Role) -> impl Iterator<Item = &'static str> {
    TABLE
        .iter()
        .filter(move |row| row.role() == role)
        .map(|row| row.id)
}

/// A built component of any role.
#[derive(Debug)]
pub enum Component {
    /// An analysis.
    Analysis(Configured<dyn Analysis>),
    /// A probability model.
    Probability(Configured<dyn ProbabilityModel>),
    /// A signal source.
    Signal(Configured<dyn SignalSource>),
    /// An entry rule.
    Entry(Configured<dyn EntryRule>),
    /// A sizing rule.
    Sizing(Configured<dyn SizingRule>),
    /// An exit rule.
    Exit(Configured<dyn ExitRule>),
}

impl Row {
    /// Builds the component with its options and the manifest's values.
    ///
    /// # Errors
    /// The first option that cannot be used.
    pub fn build(&self, manifest: &Manifest, options: &Options) -> Result<Component, OptionError> {
        Ok(match self.build {
            Build::Analysis(build) => Component::Analysis(Configured(build(manifest, options)?)),
            Build::Probability(build) => {
                Component::Probability(Configured(build(manifest, options)?))
            }
            Build::Signal(build) => Component::Signal(Configured(build(manifest, options)?)),
            Build::Entry(build) => Component::Entry(Configured(build(manifest, options)?)),
            Build::Sizing(build) => Component::Sizing(Configured(build(manifest, options)?)),
            Build::Exit(build) => Component::Exit(Configured(build(manifest, options)?)),
        })
    }
}
