//! `--sweep`: the same tape under every combination of some values, on all cores.
//!
//! The best of many is partly luck; the table says so. Values stand for keys of the manifest
//! (`edge.min`) or of a strategy's options (`strategy.ID.PATH`); a key that does not exist is refused.

use super::chosen::Chosen;
use super::document::per_window;
use super::played::Played;
use super::{ReplayArgs, ReplayError, play};
use crate::context::{Context, NoState};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use trader_core::engine::Engine;
use trader_core::ledger::LedgerState;
use trader_core::sim::scores::Interval;
use trader_core::units::Usd;

/// Most combinations of one sweep.
const COMBINATIONS_MAX: usize = 2_000;
/// Most threads.
const THREADS_MAX: usize = 64;

/// One key with its values.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    key: String,
    values: Vec<String>,
}

/// `key=a,b,c`.
pub(super) fn axis(text: &str) -> Result<Axis, String> {
    let wanted = || format!("{text:?}: wanted KEY=A,B,C, like edge.min=0.02,0.03");
    let (key, values) = text.split_once('=').ok_or_else(wanted)?;
    let values: Vec<String> = values.split(',').map(str::to_owned).collect();
    if key.is_empty() || values.iter().any(String::is_empty) {
        return Err(wanted());
    }
    Ok(Axis {
        key: key.to_owned(),
        values,
    })
}

/// One combination with its result.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Line {
    /// The values, by key.
    pub(super) values: BTreeMap<String, String>,
    /// Why it could not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
    pub(super) entries: u64,
    pub(super) pnl_usd: Usd,
    pub(super) fees_usd: Usd,
    pub(super) pnl_usd_per_window: Option<Interval>,
    pub(super) journal_digest: String,
}

/// All combinations, best net result first.
#[derive(Debug, Serialize)]
pub(super) struct Table {
    schema_version: u32,
    tape: String,
    synthesised: Vec<String>,
    combinations: usize,
    warning: String,
    rows: Vec<Line>,
}

/// Runs them all.
pub(super) fn run(
    args: &ReplayArgs,
    played: &Played,
    chosen: &Chosen,
    ctx: &Context<NoState>,
) -> Result<Table, ReplayError> {
    let combinations = combinations(&args.sweep)?;
    let bar = ProgressBar::with_draw_target(
        u64::try_from(combinations.len()).ok(),
        if ctx.progress {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        },
    );
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} combinations, {eta} left")
    {
        bar.set_style(style);
    }
    // Every combination is checked before the first one runs.
    let traders = combinations
        .iter()
        .map(|values| changed(chosen, values))
        .collect::<Result<Vec<_>, _>>()?;
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let threads = std::thread::available_parallelism()
        .map_or(1, std::num::NonZero::get)
        .min(THREADS_MAX)
        .min(traders.len());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let (Some(trader), Some(values)) =
                        (traders.get(index), combinations.get(index))
                    else {
                        return;
                    };
                    let line = one(played, trader, values, args.latency_ms);
                    // A poisoned lock still holds the lines that were written.
                    let mut lines = done
                        .lock()
                        .unwrap_or_else(std::sync::PoisonError::into_inner);
                    lines.push((index, line));
                    bar.inc(1);
                }
            });
        }
    });
    bar.finish_and_clear();
    let mut rows = done
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    rows.sort_by(|(a, x), (b, y)| y.pnl_usd.cmp(&x.pnl_usd).then(a.cmp(b)));
    Ok(Table {
        schema_version: 1,
        tape: args.tape.clone(),
        synthesised: played.made.clone(),
        combinations: rows.len(),
        warning: warning(rows.len()),
        rows: rows.into_iter().map(|(_, line)| line).collect(),
    })
}

fn warning(combinations: usize) -> String {
    format!(
        "{combinations} combinations on one tape: the best of them is partly luck. An interval covers 90 % for one \
         combination chosen beforehand, not for the best of many; prove a choice on a tape that it was not chosen on."
    )
}

fn combinations(axes: &[Axis]) -> Result<Vec<BTreeMap<String, String>>, ReplayError> {
    let mut found = vec![BTreeMap::new()];
    for axis in axes {
        if found.iter().any(|values| values.contains_key(&axis.key)) {
            let problem = format!(
                "--sweep names {} twice; put its values in one list",
                axis.key
            );
            return Err(ReplayError::Usage(problem));
        }
        if found.len().saturating_mul(axis.values.len()) > COMBINATIONS_MAX {
            let problem = format!("--sweep has more than {COMBINATIONS_MAX} combinations");
            return Err(ReplayError::Usage(problem));
        }
        found = found
            .iter()
            .flat_map(|values| {
                axis.values.iter().map(|value| {
                    let mut values = values.clone();
                    values.insert(axis.key.clone(), value.clone());
                    values
                })
            })
            .collect();
    }
    Ok(found)
}

/// The trader with these values in their places.
fn changed(chosen: &Chosen, values: &BTreeMap<String, String>) -> Result<Chosen, ReplayError> {
    let mut changed = chosen.clone();
    for (key, value) in values {
        let wrong =
            |problem: String| ReplayError::Usage(format!("--sweep {key}={value}: {problem}"));
        if let Some(rest) = key.strip_prefix("strategy.") {
            let (id, path) = rest
                .split_once('.')
                .ok_or_else(|| wrong("wanted strategy.ID.PATH".to_owned()))?;
            let (id, file) = changed
                .strategies
                .iter()
                .find(|(known, _)| known.as_str() == id)
                .ok_or_else(|| wrong("no such strategy is replayed".to_owned()))?;
            let file = put(file, path, value).map_err(wrong)?;
            let id = id.clone();
            changed.strategies.insert(id, file);
        } else {
            changed.manifest = put(&changed.manifest, key, value).map_err(wrong)?;
        }
    }
    Engine::new(
        &changed.manifest,
        &changed.strategies,
        LedgerState::default(),
    )?;
    Ok(changed)
}

/// A copy of `item` with the value at a dotted path replaced.
fn put<T: Serialize + serde::de::DeserializeOwned>(
    item: &T,
    path: &str,
    value: &str,
) -> Result<T, String> {
    let mut tree = serde_json::to_value(item).map_err(|error| error.to_string())?;
    let pointer = format!("/{}", path.replace('.', "/"));
    let slot = tree
        .pointer_mut(&pointer)
        .ok_or_else(|| "no such key".to_owned())?;
    // Money and prices stand as text in our own documents.
    *slot = if slot.is_string() {
        Value::String(value.to_owned())
    } else {
        serde_json::from_str(value).map_err(|_| "not a number or a word of JSON".to_owned())?
    };
    serde_json::from_value(tree).map_err(|error| error.to_string())
}

fn one(
    played: &Played,
    trader: &Chosen,
    values: &BTreeMap<String, String>,
    latency_ms: u32,
) -> Line {
    match play::play(played, trader, latency_ms, false) {
        Ok(run) => Line {
            values: values.clone(),
            error: None,
            entries: run.entries,
            pnl_usd: run.report.pnl_usd,
            fees_usd: run.report.fees_usd,
            pnl_usd_per_window: per_window(&run),
            journal_digest: run.report.journal_digest,
        },
        Err(error) => Line {
            values: values.clone(),
            error: Some(error.to_string()),
            entries: 0,
            pnl_usd: Usd::ZERO,
            fees_usd: Usd::ZERO,
            pnl_usd_per_window: None,
            journal_digest: String::new(),
        },
    }
}

/// The table as text.
pub(super) fn text(table: &Table) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    let mut line = |text: &str| {
        let _infallible = writeln!(out, "{text}");
    };
    line(&format!("sweep of {}", table.tape));
    for made in &table.synthesised {
        line(&format!("made         {made}"));
    }
    line("     net USD     fees entries   USD a traded window, 90 %     values");
    for row in &table.rows {
        let values: Vec<String> = row
            .values
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let interval = row.pnl_usd_per_window.map_or_else(
            || "-".to_owned(),
            |i| format!("{:+.3} ({:+.3} to {:+.3})", i.mean, i.low, i.high),
        );
        let (net, fees) = (
            row.pnl_usd.get().round_dp(2),
            row.fees_usd.get().round_dp(2),
        );
        let words = row.error.as_ref().map_or_else(
            || values.join(" "),
            |error| format!("{} {error}", values.join(" ")),
        );
        line(&format!(
            "{net:>12} {fees:>8} {:>7}   {interval:<27}   {words}",
            row.entries
        ));
    }
    line(&format!("warning: {}", table.warning));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_multiply_and_are_bounded() {
        let axes = [
            axis("edge.min=0.02,0.03").unwrap(),
            axis("edge.max=0.1,0.2,0.3").unwrap(),
        ];
        assert_eq!(combinations(&axes).unwrap().len(), 6);
        assert!(combinations(&[axes[0].clone(), axes[0].clone()]).is_err());
        let many: Vec<String> = (0..60).map(|n| n.to_string()).collect();
        let wide = |key: &str| axis(&format!("{key}={}", many.join(","))).unwrap();
        assert!(combinations(&[wide("a"), wide("b")]).is_err());
        for bad in ["", "edge.min", "=1", "edge.min=", "edge.min=1,,2"] {
            assert!(axis(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn only_keys_that_exist_are_changed() {
        let tree: Value = serde_json::json!({ "edge": { "min": "0.03", "n": 3 } });
        assert_eq!(
            put(&tree, "edge.min", "0.05").unwrap()["edge"]["min"],
            "0.05"
        );
        assert_eq!(put(&tree, "edge.n", "4").unwrap()["edge"]["n"], 4);
        assert!(put(&tree, "edge.mni", "0.05").is_err());
        assert!(put(&tree, "edge.n", "four").is_err());
    }
}
