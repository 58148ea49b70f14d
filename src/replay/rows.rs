//! `--evidence`: the model beside plainer ones and beside the market, row by row, on one recording.
//!
//! Rows are scores only; nothing is traded. Pseudo windows open every 30 s on the recorded oracle and
//! settle on the average of 60 s, seen with a newest tick of 2 s ago: many more windows than the venue
//! had, overlapping, so their number overstates what they prove.

use super::played::Played;
use serde::Serialize;
use std::collections::BTreeMap;
use trader_core::event::{Event, EventKind};
use trader_core::sim::evidence::{
    EvidenceCollector, HORIZONS_SECS, PriceEye, Sample, Scored, Variant,
};
use trader_core::sim::scores::{Score, market_score, model_score, score};
use trader_core::units::{Asset, EpochMs, OraclePrice, Outcome, ReferencePrice};

/// A pseudo window opens at every multiple of this, ms.
const STEP_MS: i64 = 30_000;
/// Its length, ms.
const LENGTH_MS: i64 = 900_000;
/// Its look-back, s.
const LOOKBACK_SECS: u32 = 60;
/// Age of the newest tick that is seen, ms.
const SEEN_AFTER_MS: i64 = 2_000;
/// Most steps over one recording: a month.
const STEPS_MAX: i64 = 90_000;

/// One row.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Row {
    pub(super) name: &'static str,
    /// `spot`, or `twap:60`.
    pub(super) rule: &'static str,
    pub(super) scores: Vec<At>,
}

/// A score so many seconds before the close.
#[derive(Debug, Clone, Serialize)]
pub(super) struct At {
    pub(super) secs_before_close: u32,
    #[serde(flatten)]
    pub(super) score: Score,
}

/// How often the UI's direction was not the outcome, by how far the UI moved.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Direction {
    /// Move of the UI price over the window, basis points: from this.
    pub(super) from_bps: f64,
    /// To below this; none for the last.
    pub(super) to_bps: Option<f64>,
    pub(super) windows: u64,
    pub(super) differ: u64,
}

/// All rows that this recording allows.
pub(super) fn rows(played: &Played, settles_on_average: bool) -> Vec<Row> {
    let rule = if settles_on_average { "twap" } else { "spot" };
    let real = |name, variant| Row {
        name,
        rule,
        scores: by_horizon(&collected(&played.events, variant), model_score),
    };
    let mut rows = vec![
        real(
            "windows, N(d2), volatility of 1 s returns",
            Variant::OneSecond,
        ),
        real("windows, N(d2), blended volatility", Variant::LastPrice),
    ];
    if settles_on_average {
        rows.push(real(
            "windows, average-aware, blended volatility",
            Variant::Trader,
        ));
    }
    if played.books_recorded {
        rows.push(Row {
            name: "windows, the market's own mid",
            rule,
            scores: by_horizon(&collected(&played.events, Variant::Trader), market_score),
        });
    }
    for asset in &played.assets {
        let ticks = ticks(&played.events, *asset);
        for (name, variant) in [
            ("pseudo 15 min, N(d2) on the last price", Variant::LastPrice),
            ("pseudo 15 min, average-aware", Variant::Trader),
        ] {
            let scores = pseudo(&ticks, variant);
            rows.push(Row {
                name,
                rule: "twap:60",
                scores,
            });
        }
    }
    rows.retain(|row| row.scores.iter().any(|at| at.score.n > 0));
    rows
}

fn collected(events: &[Event], variant: Variant) -> Vec<Sample> {
    let mut collector = EvidenceCollector::new(variant);
    for event in events {
        collector.observe(event);
    }
    collector.samples().to_vec()
}

fn by_horizon<'a>(
    samples: &'a [Sample],
    score: impl Fn(Box<dyn Iterator<Item = &'a Sample> + 'a>) -> Score,
) -> Vec<At> {
    HORIZONS_SECS
        .into_iter()
        .map(|secs| {
            let at = samples.iter().filter(move |s| s.secs_before_close == secs);
            At {
                secs_before_close: secs,
                score: score(Box::new(at)),
            }
        })
        .collect()
}

/// Oracle ticks of one asset by observation.
fn ticks(events: &[Event], asset: Asset) -> Vec<(EpochMs, OraclePrice)> {
    let mut ticks: Vec<(EpochMs, OraclePrice)> = events
        .iter()
        .filter_map(|event| {
            let EventKind::Oracle(tick) = &event.kind else {
                return None;
            };
            let is_instant = tick.asset == asset && tick.twap_secs.is_none();
            is_instant.then(|| (event.src.unwrap_or(event.t), tick.price))
        })
        .collect();
    ticks.sort_by_key(|(at, _)| *at);
    ticks
}

/// Moves an eye forward to what is observed by `upto`.
fn advance(eye: &mut PriceEye, ticks: &[(EpochMs, OraclePrice)], next: &mut usize, upto: EpochMs) {
    while let Some((at, price)) = ticks.get(*next).filter(|(at, _)| *at <= upto) {
        eye.observe(*at, *price);
        *next += 1;
    }
}

fn pseudo(ticks: &[(EpochMs, OraclePrice)], variant: Variant) -> Vec<At> {
    let (Some((first, _)), Some((last, _))) = (ticks.first(), ticks.last()) else {
        return Vec::new();
    };
    let steps = || {
        let begin = first.0.div_euclid(STEP_MS) + 1;
        let end = last
            .0
            .div_euclid(STEP_MS)
            .min(begin.saturating_add(STEPS_MAX));
        (begin..=end).map(|step| EpochMs(step * STEP_MS))
    };
    let (mut truth, mut next) = (PriceEye::default(), 0);
    let mut averages: BTreeMap<EpochMs, OraclePrice> = BTreeMap::new();
    for at in steps() {
        advance(&mut truth, ticks, &mut next, at);
        if let Some(average) = truth.average(at, LOOKBACK_SECS) {
            averages.insert(at, average);
        }
    }
    let (mut eye, mut next) = (PriceEye::default(), 0);
    let mut said: BTreeMap<u32, Vec<(f64, bool)>> = BTreeMap::new();
    for now in steps() {
        advance(&mut eye, ticks, &mut next, now.plus_ms(-SEEN_AFTER_MS));
        for secs in HORIZONS_SECS {
            let close = now.plus_ms(i64::from(secs) * 1_000);
            let (Some(opening), Some(closing)) = (
                averages.get(&close.plus_ms(-LENGTH_MS)),
                averages.get(&close),
            ) else {
                continue;
            };
            let Ok(reference) = ReferencePrice::try_new(opening.get()) else {
                continue;
            };
            let window = Scored {
                close,
                reference,
                lookback_secs: LOOKBACK_SECS,
            };
            if let Some(estimate) = eye.estimate(&window, now, variant) {
                let up = closing.get() >= opening.get();
                said.entry(secs).or_default().push((estimate.up.get(), up));
            }
        }
    }
    HORIZONS_SECS
        .into_iter()
        .map(|secs| At {
            secs_before_close: secs,
            score: score(said.get(&secs).into_iter().flatten().copied()),
        })
        .collect()
}

/// Buckets of the UI's move, basis points.
const MOVES_BPS: [f64; 6] = [0.0, 0.5, 1.0, 2.0, 3.0, 5.0];

/// The UI's direction against the outcome, over windows whose UI price is known at open and close.
pub(super) fn directions(played: &Played) -> Vec<Direction> {
    use rust_decimal::prelude::ToPrimitive as _;
    let mut spot: BTreeMap<(Asset, EpochMs), f64> = BTreeMap::new();
    for event in &played.events {
        if let EventKind::Spot(tick) = &event.kind
            && let Some(price) = tick.price.get().to_f64()
        {
            spot.insert((tick.asset, event.t), price);
        }
    }
    let mut found: Vec<Direction> = MOVES_BPS
        .iter()
        .zip(MOVES_BPS.iter().skip(1).map(Some).chain([None]))
        .map(|(from, to)| Direction {
            from_bps: *from,
            to_bps: to.copied(),
            windows: 0,
            differ: 0,
        })
        .collect();
    for event in &played.events {
        let EventKind::Window(tick) = &event.kind else {
            continue;
        };
        let (id, Some(outcome)) = (tick.window.id, tick.outcome) else {
            continue;
        };
        let ends = (
            spot.get(&(id.asset(), id.open())),
            spot.get(&(id.asset(), id.close().plus_ms(-1))),
        );
        let (Some(open), Some(close)) = ends else {
            continue;
        };
        let bps = (close / open - 1.0) * 10_000.0;
        let shown = if bps >= 0.0 {
            Outcome::Up
        } else {
            Outcome::Down
        };
        let bucket = found
            .iter_mut()
            .rev()
            .find(|slot| bps.abs() >= slot.from_bps);
        if let Some(bucket) = bucket {
            bucket.windows += 1;
            bucket.differ += u64::from(shown != outcome);
        }
    }
    found.retain(|slot| slot.windows > 0);
    found
}
