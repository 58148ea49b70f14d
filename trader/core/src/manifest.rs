//! The launch manifest: what is declared. Every key is required, every key is consumed, no limit can
//! be absent, null, zero or infinite.
//!
//! Pure data: reading files, schema validation and carets live in `launch`. The same type feeds the
//! JSON Schema, the trader and the comparison of declared with effective values.

use crate::digest;
use crate::strategy_file::StrategyFile;
use crate::units::{Asset, DecimalRange, PriceGap, Shares, StrategyId, UsdLimit, decimal_schema};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::num::NonZeroU32;

/// The only manifest version there is.
pub const MANIFEST_SCHEMA_VERSION: u32 = 1;

/// What is done with an order that every safeguard has passed.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Everything but the final send; nothing is filled.
    DryRun,
    /// Fills are simulated against the observed book.
    Paper,
    /// Real orders. Only the `trader` binary knows how, and only production may declare it.
    Live,
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::DryRun => "dry-run",
            Self::Paper => "paper",
            Self::Live => "live",
        })
    }
}

/// A launch manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this format: 1.
    #[schemars(range(min = 1, max = 1))]
    pub schema_version: u32,
    /// What is done with approved orders.
    pub mode: Mode,
    /// Strategy ids (file stems under `strategies/`), in order of priority.
    #[schemars(length(min = 1, max = 10), extend("uniqueItems" = true))]
    pub strategies: Vec<StrategyId>,
    /// Assets whose windows are traded.
    #[schemars(length(min = 1, max = 4), extend("uniqueItems" = true))]
    pub assets: Vec<Asset>,
    /// Budget of one entry in USD; worst-case cost after rounding stays within it.
    pub position_size_usd: UsdLimit,
    /// Most USD at stake at once, in-flight and unknown orders counted as filled.
    pub max_exposure_usd: UsdLimit,
    /// Most USD the whole account may ever put at risk.
    pub max_capital_usd: UsdLimit,
    /// Limits that no strategy can loosen.
    pub safeguards: Safeguards,
    /// Bounds on the edge an entry needs.
    pub edge: EdgeBounds,
    /// Which windows, and which part of a window.
    pub window: WindowRules,
    /// When a position is left.
    pub exit: ExitRules,
}

/// Limits that no strategy can loosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Safeguards {
    /// Most positions open at once over all strategies.
    pub max_open_positions: NonZeroU32,
    /// Least time between two entries of one asset, ms.
    pub min_entry_interval_ms: NonZeroU32,
    /// Most entries that one tick may cause.
    pub max_entries_per_tick: NonZeroU32,
    /// Most entries into one window over all strategies.
    pub max_entries_per_window: NonZeroU32,
    /// Most orders (entries and exits) a minute.
    pub max_orders_per_minute: NonZeroU32,
    /// Most shares in one order.
    #[schemars(schema_with = "positive_shares")]
    pub max_order_shares: Shares,
    /// Loss of one UTC day in USD after which entries stop until a person re-enables.
    pub max_daily_loss_usd: UsdLimit,
    /// Losses in a row after which entries stop until a person re-enables.
    pub max_consecutive_losses: NonZeroU32,
    /// Most an order's price may differ from the book's, USD per share.
    #[schemars(schema_with = "positive_gap")]
    pub price_collar: PriceGap,
    /// Oldest oracle price that may be traded on, ms.
    pub max_oracle_age_ms: NonZeroU32,
    /// Oldest book that may be traded on, ms.
    pub max_book_age_ms: NonZeroU32,
    /// Most our clock may differ from the venue's, ms.
    pub max_clock_offset_ms: NonZeroU32,
}

/// Zero shares would be no limit but a stop in disguise; it is refused as every other zero limit is.
fn positive_shares(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    decimal_schema(
        "a number of shares above 0, like \"40\"",
        DecimalRange::Positive,
    )
}

fn positive_gap(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    decimal_schema(
        "a price difference above 0, at most 1, like \"0.02\"",
        DecimalRange::PositiveUnit,
    )
}

/// Bounds on the edge (model minus token price, after the taker fee) that an entry needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EdgeBounds {
    /// Least edge, USD per share.
    pub min: PriceGap,
    /// Most edge, USD per share: above it the model or the book is wrong.
    pub max: PriceGap,
}

/// Which windows, and which part of a window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WindowRules {
    /// Window lengths traded, minutes: 5 and 15 exist.
    #[schemars(length(min = 1, max = 2), extend("uniqueItems" = true, "items" = { "type": "integer", "enum": [5, 15] }))]
    pub durations_mins: Vec<u32>,
    /// No entry before this many seconds after the open.
    pub min_elapsed_secs: u32,
    /// No entry with fewer seconds left than this.
    pub min_remaining_secs: NonZeroU32,
    /// Seconds of oracle history a component needs before it is ready.
    pub warm_up_secs: NonZeroU32,
}

/// When a position is left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExitRules {
    /// Fall below the entry price that closes a position, USD per share.
    pub stop_loss: PriceGap,
    /// Rise above the entry price that closes a position, USD per share.
    pub take_profit: PriceGap,
    /// Longest that a flatten may keep selling, seconds.
    pub flatten_secs: NonZeroU32,
}

impl Manifest {
    /// `manifest_digest`: the parsed manifest and the strategy files it names, canonical JSON.
    ///
    /// # Errors
    /// Never for values that came through these types; kept as a `Result` so that no panic is
    /// reachable.
    pub fn digest(
        &self,
        strategies: &BTreeMap<StrategyId, StrategyFile>,
    ) -> Result<String, serde_json::Error> {
        digest::of_document(&serde_json::json!({ "manifest": self, "strategies": strategies }))
    }

    /// Every value by its dotted key (`safeguards.max_open_positions`): what `/health` reports as
    /// `effective` and what declared = effective compares, key by key.
    pub fn flattened(&self) -> BTreeMap<String, serde_json::Value> {
        let mut out = BTreeMap::new();
        if let Ok(value) = serde_json::to_value(self) {
            flatten_into("", &value, &mut out);
        }
        out
    }
}

fn flatten_into(
    prefix: &str,
    value: &serde_json::Value,
    out: &mut BTreeMap<String, serde_json::Value>,
) {
    match value.as_object() {
        Some(map) => {
            for (key, inner) in map {
                let path = if prefix.is_empty() {
                    key.clone()
                } else {
                    format!("{prefix}.{key}")
                };
                flatten_into(&path, inner, out);
            }
        }
        None => {
            out.insert(prefix.to_owned(), value.clone());
        }
    }
}
