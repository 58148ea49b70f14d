//! The document as text for people.

use super::document::Document;
use std::fmt::Write as _;
use trader_core::sim::scores::{Interval, Score};

/// The text.
pub(super) fn text(document: &Document) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    let mut line = |name: &str, value: &str| {
        let _infallible = writeln!(out, "{name:<12} {value}");
    };
    line("replay", &document.tape);
    line("source", &document.source);
    for made in &document.synthesised {
        line("made", made);
    }
    if !document.missing.is_empty() {
        line("missing", &document.missing.join(", "));
    }
    line("settlement", &document.settlement);
    line("manifest", &document.manifest);
    line("strategies", &document.strategies.join(", "));
    line(
        "traded",
        &format!(
            "{} windows, {} events, {} entries, {} fills, orders {} ms late",
            document.windows,
            document.events,
            document.entries,
            document.fills,
            document.latency_ms
        ),
    );
    let refusals: Vec<String> = document
        .refusals
        .iter()
        .map(|(reason, count)| format!("{reason} {count}"))
        .collect();
    let refusals = if refusals.is_empty() {
        "nothing".to_owned()
    } else {
        refusals.join(", ")
    };
    line("refused", &refusals);
    for latched in &document.latched {
        line("latched", latched);
    }
    line(
        "result",
        &format!(
            "{} USD after {} USD of fees, {} positions open{}{}",
            document.pnl_usd,
            document.fees_usd,
            document.open_positions,
            per_window(document.intervals.pnl_usd_per_window),
            if document.synthesised.is_empty() || document.fills == 0 {
                ""
            } else {
                "; on made data, which proves nothing about edge"
            }
        ),
    );
    line("model", &score(&document.model));
    line("market", &score(&document.market));
    if document.same_looks.model.n > 0 {
        let same = &document.same_looks;
        let both = format!(
            "model {} | market {}",
            score(&same.model),
            score(&same.market)
        );
        line("  same looks", &both);
    }
    for at in &document.by_horizon {
        line(
            &format!("  T-{} s", at.secs_before_close),
            &format!("model {} | market {}", score(&at.model), score(&at.market)),
        );
    }
    for bucket in document.calibration.iter().filter(|bucket| bucket.n > 0) {
        line(
            &format!("  {:.1}-{:.1}", bucket.from, bucket.to),
            &format!(
                "predicted {:.3}, came {:.3} (90 % {:.3} to {:.3}), n {}",
                bucket.predicted.unwrap_or_default(),
                bucket.observed.unwrap_or_default(),
                bucket.low.unwrap_or_default(),
                bucket.high.unwrap_or_default(),
                bucket.n
            ),
        );
    }
    line("edge", &document.edge_text);
    line("journal", &document.journal_digest);
    for row in &document.evidence {
        let scores: Vec<String> = row
            .scores
            .iter()
            .map(|at| format!("T-{} s {}", at.secs_before_close, score(&at.score)))
            .collect();
        line("evidence", &format!("{} ({})", row.name, row.rule));
        for scores in scores {
            line("", &scores);
        }
    }
    for slot in &document.ui_against_outcome {
        let to = slot
            .to_bps
            .map_or_else(String::new, |to| format!(" to {to}"));
        let words = format!(
            "moved {}{to} bp: in {} of {} windows its direction was not the outcome",
            slot.from_bps, slot.differ, slot.windows
        );
        line("UI price", &words);
    }
    out
}

fn per_window(interval: Option<Interval>) -> String {
    interval.map_or_else(String::new, |i| {
        format!(
            "; {:+.3} USD a traded window (90 % {:+.3} to {:+.3}, n {})",
            i.mean, i.low, i.high, i.n
        )
    })
}

/// `Brier .151, log-loss .463, n 145`.
pub(super) fn score(score: &Score) -> String {
    match (score.brier, score.log_loss) {
        (Some(brier), Some(log_loss)) => {
            format!("Brier {brier:.3}, log-loss {log_loss:.3}, n {}", score.n)
        }
        _ => "n 0".to_owned(),
    }
}
