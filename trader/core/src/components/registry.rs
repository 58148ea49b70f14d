//! The table of all components. Adding one = one file and one row here.

use super::options::{OptionError, OptionSpec, Options};
use super::{
    Configured, EntryRule, ExitRule, ProbabilityModel, Role, SignalSource, SizingRule, band, edge,
    fixed, stop_loss, take_profit, window_close, window_timing,
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
    /// Manifest keys that it holds.
    pub holds: &'static [&'static str],
    /// Its options.
    pub options: &'static [OptionSpec],
    pub(crate) build: Build,
}

type Built<C> = Result<Box<C>, OptionError>;

/// How it is built; the variant is its role.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Build {
    Probability(fn(&Manifest, &Options) -> Built<dyn ProbabilityModel>),
    Signal(fn(&Manifest, &Options) -> Built<dyn SignalSource>),
    Entry(fn(&Manifest, &Options) -> Built<dyn EntryRule>),
    Sizing(fn(&Manifest, &Options) -> Built<dyn SizingRule>),
    Exit(fn(&Manifest, &Options) -> Built<dyn ExitRule>),
}

/// Every component there is.
pub const TABLE: &[Row] = &[
    Row {
        id: "window-timing",
        doc: "P(up) from oracle price, reference price, volatility and time left, by the market's own settlement rule",
        holds: &["window.warm_up_secs"],
        options: window_timing::OPTIONS,
        build: Build::Probability(window_timing::build),
    },
    Row {
        id: "edge",
        doc: "probability minus ask minus taker fee, for the better of the two outcomes",
        holds: &[],
        options: edge::OPTIONS,
        build: Build::Signal(edge::build),
    },
    Row {
        id: "band",
        doc: "enters only between the least and the most edge, after the window's start and before its end",
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
        holds: &["position_size_usd"],
        options: fixed::OPTIONS,
        build: Build::Sizing(fixed::build),
    },
    Row {
        id: "stop-loss",
        doc: "leaves when the bid has fallen below the entry price by `exit.stop_loss`",
        holds: &["exit.stop_loss"],
        options: stop_loss::OPTIONS,
        build: Build::Exit(stop_loss::build),
    },
    Row {
        id: "take-profit",
        doc: "leaves when the bid has risen above the entry price by `exit.take_profit`",
        holds: &["exit.take_profit"],
        options: take_profit::OPTIONS,
        build: Build::Exit(take_profit::build),
    },
    Row {
        id: "window-close",
        doc: "leaves so many seconds before the close; 0 holds to settlement",
        holds: &[],
        options: window_close::OPTIONS,
        build: Build::Exit(window_close::build),
    },
];

impl Row {
    /// What it does in a strategy.
    pub const fn role(&self) -> Role {
        match self.build {
            Build::Probability(_) => Role::Probability,
            Build::Signal(_) => Role::Signal,
            Build::Entry(_) => Role::Entry,
            Build::Sizing(_) => Role::Sizing,
            Build::Exit(_) => Role::Exit,
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
