//! What a replay tells, as one document; human text and page are made from it.
//!
//! Holds no time of day and no duration: the same tape and configuration give the same bytes.

use super::chosen::Chosen;
use super::play::Finished;
use super::played::Played;
use super::rows::{Direction, Row};
use rust_decimal::prelude::ToPrimitive as _;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use trader_core::sim::evidence::Sample;
use trader_core::sim::scores::{
    Bucket, Interval, Score, after_fees, bootstrap, brier_difference, market_score, model_score,
    reliability,
};
use trader_core::units::Usd;

/// Version of this document.
const SCHEMA_VERSION: u32 = 1;

/// Samples below which nothing is concluded.
const SAMPLES_MIN: u64 = 20;

/// Whether money may believe in the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// Better than the market's mid and a gain after fees, both intervals beyond zero.
    Edge,
    /// An interval includes zero.
    NoEdge,
    /// Worse than the market's own mid, the interval beyond zero.
    WorseThanMarket,
    /// No recorded market price, or too few samples.
    NotMeasured,
}

/// Scores at one distance from the close.
#[derive(Debug, Clone, Serialize)]
pub(super) struct AtHorizon {
    pub(super) secs_before_close: u32,
    pub(super) model: Score,
    pub(super) market: Score,
}

/// Model and market on the very same looks.
#[derive(Debug, Clone, Serialize)]
pub(super) struct SameLooks {
    pub(super) model: Score,
    pub(super) market: Score,
}

/// Means with intervals.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Intervals {
    /// Realised USD per window that was traded.
    pub(super) pnl_usd_per_window: Option<Interval>,
    /// Brier of the model minus that of the market's mid; below 0 the model is better.
    pub(super) brier_model_minus_market: Option<Interval>,
    /// USD per share of buying what the model prefers, after the taker fee.
    pub(super) after_fees_usd_per_share: Option<Interval>,
}

/// The document.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Document {
    pub(super) schema_version: u32,
    pub(super) tape: String,
    pub(super) source: String,
    pub(super) synthesised: Vec<String>,
    pub(super) missing: Vec<&'static str>,
    pub(super) settlement: String,
    pub(super) manifest: String,
    pub(super) manifest_digest: String,
    pub(super) strategies: Vec<String>,
    pub(super) latency_ms: u32,
    pub(super) journal_digest: String,
    pub(super) windows: u64,
    pub(super) events: u64,
    pub(super) entries: u64,
    pub(super) refusals: BTreeMap<String, u64>,
    pub(super) fills: u64,
    pub(super) pnl_usd: Usd,
    pub(super) fees_usd: Usd,
    pub(super) open_positions: u64,
    pub(super) unexplained: u64,
    pub(super) latched: Vec<String>,
    pub(super) model: Score,
    pub(super) market: Score,
    /// Only these two may be compared with each other.
    pub(super) same_looks: SameLooks,
    pub(super) calibration: Vec<Bucket>,
    pub(super) by_horizon: Vec<AtHorizon>,
    pub(super) intervals: Intervals,
    pub(super) edge_verdict: Verdict,
    pub(super) edge_text: String,
    /// Rows of `--evidence`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) evidence: Vec<Row>,
    /// How often the UI's direction was not the outcome (`--evidence`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) ui_against_outcome: Vec<Direction>,
}

impl Document {
    /// Puts a run into words and figures.
    pub(super) fn new(
        tape: &str,
        played: &Played,
        chosen: &Chosen,
        run: &Finished,
        latency_ms: u32,
    ) -> Self {
        // A price that we made ourselves is no market.
        let samples = judged(played, &run.samples);
        // The same windows' marked looks would count them twice.
        let standard = || samples.iter().filter(|sample| !sample.marked);
        let intervals = Intervals {
            pnl_usd_per_window: per_window(run),
            brier_model_minus_market: brier_difference(&samples),
            after_fees_usd_per_share: after_fees(&samples),
        };
        let (edge_verdict, edge_text) = verdict(&intervals);
        let manifest = &chosen.manifest;
        let used = chosen
            .strategies
            .iter()
            .filter(|(id, _)| manifest.strategies.contains(id))
            .map(|(id, file)| (id.clone(), file.clone()))
            .collect();
        Self {
            schema_version: SCHEMA_VERSION,
            tape: tape.to_owned(),
            source: played.source.clone(),
            synthesised: played.made.clone(),
            missing: played.lacks.clone(),
            settlement: played.settlement.clone(),
            manifest: chosen.from.clone(),
            manifest_digest: manifest.digest(&used).unwrap_or_default(),
            strategies: manifest
                .strategies
                .iter()
                .map(ToString::to_string)
                .collect(),
            latency_ms,
            journal_digest: run.report.journal_digest.clone(),
            windows: run.report.windows,
            events: u64::try_from(played.events.len()).unwrap_or(u64::MAX),
            entries: run.entries,
            refusals: run.report.refusals.clone(),
            fills: run.report.fills,
            pnl_usd: run.report.pnl_usd,
            fees_usd: run.report.fees_usd,
            open_positions: run.report.open_positions,
            unexplained: run.report.unexplained,
            latched: run
                .latches
                .iter()
                .map(|(at, what)| format!("{} {what}", time(*at)))
                .collect(),
            model: model_score(standard()),
            market: market_score(&samples),
            same_looks: same_looks(&samples),
            calibration: reliability(
                standard().filter_map(|sample| Some((sample.model?, sample.up))),
            ),
            by_horizon: by_horizon(&samples),
            intervals,
            edge_verdict,
            edge_text,
            evidence: Vec::new(),
            ui_against_outcome: Vec::new(),
        }
    }
}

/// `2026-07-24T00:05:00Z`.
pub(super) fn time(at: trader_core::units::EpochMs) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| at.0.to_string(), |at| at.to_string())
}

/// The samples with the market only where a market was recorded.
pub(super) fn judged(played: &Played, samples: &[Sample]) -> Vec<Sample> {
    let is_market = |sample: &Sample| {
        sample
            .market
            .filter(|quote| played.books_recorded || !quote.is_book)
    };
    samples
        .iter()
        .map(|sample| Sample {
            market: is_market(sample),
            ..*sample
        })
        .collect()
}

/// Realised USD per traded window with its interval.
pub(super) fn per_window(run: &Finished) -> Option<Interval> {
    bootstrap(
        run.by_window
            .iter()
            .filter_map(|(window, usd)| Some((window.open().0, usd.get().to_f64()?))),
    )
}

fn same_looks(samples: &[Sample]) -> SameLooks {
    let both = || {
        samples
            .iter()
            .filter(|sample| sample.model.is_some() && sample.market.is_some())
    };
    SameLooks {
        model: model_score(both()),
        market: market_score(both()),
    }
}

fn by_horizon(samples: &[Sample]) -> Vec<AtHorizon> {
    let standard = || samples.iter().filter(|sample| !sample.marked);
    let horizons: BTreeSet<u32> = standard().map(|s| s.secs_before_close).collect();
    horizons
        .into_iter()
        .rev()
        .map(|secs| {
            let at = || standard().filter(move |s| s.secs_before_close == secs);
            AtHorizon {
                secs_before_close: secs,
                model: model_score(at()),
                market: market_score(at()),
            }
        })
        .collect()
}

/// Whether the intervals allow a claim, and the claim in words.
fn verdict(intervals: &Intervals) -> (Verdict, String) {
    let Some(brier) = intervals
        .brier_model_minus_market
        .filter(|i| i.n >= SAMPLES_MIN)
    else {
        let seen = intervals.brier_model_minus_market.map_or(0, |i| i.n);
        let text = format!(
            "not measured: {seen} samples have both the model and a recorded market price, wanted {SAMPLES_MIN}"
        );
        return (Verdict::NotMeasured, text);
    };
    let figures = format!(
        "Brier of the model minus the market's own mid {:+.4} (90 % {:+.4} to {:+.4}, {} samples of {} windows)",
        brier.mean, brier.low, brier.high, brier.n, brier.windows
    );
    let gain = intervals.after_fees_usd_per_share;
    let after = gain.map_or_else(
        || "no look at which it would have bought".to_owned(),
        |gain| {
            format!(
                "after the taker fee {:+.4} USD a share (90 % {:+.4} to {:+.4}, {} looks)",
                gain.mean, gain.low, gain.high, gain.n
            )
        },
    );
    let gains = gain.is_some_and(|gain| gain.low > 0.0 && gain.n >= SAMPLES_MIN);
    if brier.low > 0.0 {
        let text =
            format!("no edge: the model is worse than the market's own mid. {figures}; {after}");
        (Verdict::WorseThanMarket, text)
    } else if brier.high < 0.0 && gains {
        (
            Verdict::Edge,
            format!("edge on this tape: {figures}; {after}"),
        )
    } else {
        let text =
            format!("no edge: nothing here is distinguishable from none. {figures}; {after}");
        (Verdict::NoEdge, text)
    }
}
