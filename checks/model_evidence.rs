//! LC-307 model evidence: on recorded windows the model is not worse than the market's own mid, or a person
//! has approved that it is, with a date.
//!
//! Fails when the whole interval of the Brier or the log-loss difference lies above zero, or a recording is
//! not the one that was declared. Says "no edge" plainly where none is shown. Without recordings, or with
//! too few windows, nothing is proved: unknown in production; where this check only warns, a failure that
//! warns, so that a project without recordings can still be rehearsed. The reviews behind it: money went
//! into a plain N(d2) that nobody had compared with the market.

use crate::facts::{Facts, ModelEvidence, Unread};
use crate::outcome::{Finding, Outcome};
use crate::targets::{Class, EvidenceApproval};
use trader_core::sim::evidence::Sample;
use trader_core::sim::scores::{
    Interval, after_fees, brier_difference, log_loss_difference, market_score, model_score,
    reliability,
};

/// Looks that must have both the model and the market before anything is concluded.
const LOOKS_MIN: u64 = 20;
/// Windows that they must come from: looks at one window rise and fall together.
const WINDOWS_MIN: u64 = 20;
/// An approval lapses after so many days.
pub(crate) const APPROVAL_MAX_DAYS: i64 = 90;
const DAY_MS: i64 = 86_400_000;
/// Looks of a bucket below which it is not compared.
const BUCKET_MIN: u64 = 20;
/// Room for the samples of one recording among the clusters.
const CLUSTER_STEP: i64 = 1_000_000_000_000_000;

pub(crate) fn run(facts: &Facts) -> Outcome {
    let evidence = match &facts.model_evidence.value {
        Ok(evidence) => evidence,
        Err(missing) => {
            let mut finding = Finding::new(&missing.why);
            finding.help.clone_from(&missing.help);
            return unproved(finding, facts.env.class);
        }
    };
    judge(evidence, facts.env.class, facts.now_ms)
}

/// Nothing is proved: unknown where it counts, else a failure that warns.
fn unproved(finding: Finding, class: Class) -> Outcome {
    match class {
        Class::Production => finding.unknown(),
        Class::Local | Class::Ci | Class::Staging => finding.fail(),
    }
}

fn judge(evidence: &ModelEvidence, class: Class, now_ms: i64) -> Outcome {
    let (mut samples, mut seen, mut absent, mut changed) = (Vec::new(), Vec::new(), false, false);
    for (recording, step) in evidence.recordings.iter().zip(0_i64..) {
        match &recording.samples {
            Ok(taken) => {
                let of_recording = |sample: &Sample| Sample {
                    cluster: sample
                        .cluster
                        .saturating_add(step.saturating_mul(CLUSTER_STEP)),
                    ..*sample
                };
                samples.extend(taken.iter().map(of_recording));
            }
            Err(Unread::Absent(why)) => {
                absent = true;
                seen.push(format!("{}: {why}", recording.path));
            }
            Err(Unread::Changed { seen: digest }) => {
                changed = true;
                seen.push(format!(
                    "{}: its sha256 is {digest}, wanted {}",
                    recording.path, recording.sha256
                ));
            }
        }
    }
    if changed {
        return Finding::new("a recording is not the one that launch.toml declares")
            .seen(seen)
            .help("restore the recording, or declare the sha256 that was seen after looking at what changed")
            .fail();
    }
    if absent || evidence.recordings.is_empty() {
        let finding = Finding::new("a declared recording cannot be read: nothing is proved")
            .seen(seen)
            .help("fetch it to where launch.toml says, or correct `path`");
        return unproved(finding, class);
    }
    compared(&samples, evidence, class, now_ms)
}

fn compared(samples: &[Sample], evidence: &ModelEvidence, class: Class, now_ms: i64) -> Outcome {
    let both: Vec<Sample> = samples
        .iter()
        .filter(|sample| sample.model.is_some() && sample.market.is_some())
        .copied()
        .collect();
    let (brier, log_loss) = (brier_difference(&both), log_loss_difference(&both));
    let (Some(brier), Some(log_loss)) = (brier, log_loss) else {
        return unproved(
            Finding::new("no look at a recorded window has both the model and a market price")
                .help("declare a recording with oracle prices and recorded books or mids"),
            class,
        );
    };
    if brier.n < LOOKS_MIN || brier.windows < WINDOWS_MIN {
        return unproved(
            Finding::new(format!(
                "{} looks at {} windows have both the model and a market price, wanted {LOOKS_MIN} and {WINDOWS_MIN}",
                brier.n, brier.windows
            ))
            .help("declare longer recordings"),
            class,
        );
    }
    let gain = after_fees(&both);
    let lines = [
        format!("Brier of the model minus the market's {}", words(&brier)),
        format!(
            "log-loss of the model minus the market's {}",
            words(&log_loss)
        ),
        gain.as_ref().map_or_else(
            || "after the taker fee it would have bought nothing".to_owned(),
            |gain| format!("after the taker fee, USD a share {}", words(gain)),
        ),
        calibration(samples),
    ];
    let (model, market) = (model_score(&both), market_score(&both));
    let finding = |message: String| {
        Finding::new(message)
            .seen(lines.clone())
            .evidence("looks", brier.n)
            .evidence("windows", brier.windows)
            .evidence("brier_model", model.brier.unwrap_or_default())
            .evidence("brier_market", market.brier.unwrap_or_default())
            .evidence("brier_difference", triple(&brier))
            .evidence("log_loss_difference", triple(&log_loss))
            .evidence("after_fees_usd_per_share", gain.as_ref().map(triple))
    };
    let has_edge = brier.high < 0.0 && gain.is_some_and(|gain| gain.low > 0.0);
    if brier.low <= 0.0 && log_loss.low <= 0.0 {
        let edge = if has_edge {
            "better than the market's own mid, with a gain after fees"
        } else {
            "not worse than the market's own mid, and no edge over it is shown"
        };
        return finding(format!("the model is {edge}")).pass();
    }
    let worse = "no edge: the model is worse than the market's own mid";
    match approval(evidence.approval.as_ref(), now_ms) {
        Ok(words) => finding(format!("{worse}; {words}")).pass(),
        Err(why) => finding(format!("{worse}; {why}"))
            .help(
                "do not trade on it; or a person takes it on: [evidence] approval = \
                 { by = \"NAME\", reason = \"WHY\", at = \"YYYY-MM-DD\" } in launch.toml",
            )
            .fail(),
    }
}

/// Who approved it, while that counts; else why nobody did.
fn approval(approval: Option<&EvidenceApproval>, now_ms: i64) -> Result<String, String> {
    let Some(approval) = approval else {
        return Err("nobody approved that".to_owned());
    };
    let Some(at_ms) = approval.at_ms() else {
        return Err(format!("its approval has no real date: {:?}", approval.at));
    };
    let age_ms = now_ms - at_ms;
    if age_ms < 0 {
        return Err(format!("its approval is dated {}, after now", approval.at));
    }
    if age_ms > APPROVAL_MAX_DAYS * DAY_MS {
        return Err(format!(
            "its approval of {} has lapsed after {APPROVAL_MAX_DAYS} days",
            approval.at
        ));
    }
    Ok(format!(
        "approved by {} on {}: {}",
        approval.by, approval.at, approval.reason
    ))
}

/// In how many buckets the model's word is outside the interval of what came.
fn calibration(samples: &[Sample]) -> String {
    let told = samples
        .iter()
        .filter(|sample| !sample.marked)
        .filter_map(|sample| Some((sample.model?, sample.up)));
    let buckets: Vec<_> = reliability(told)
        .into_iter()
        .filter(|bucket| bucket.n >= BUCKET_MIN)
        .collect();
    let misses: Vec<String> = buckets
        .iter()
        .filter_map(|bucket| {
            let (predicted, observed) = (bucket.predicted?, bucket.observed?);
            let outside = predicted < bucket.low? || predicted > bucket.high?;
            outside.then(|| format!("said {predicted:.3}, came {observed:.3}"))
        })
        .collect();
    let misses_text = if misses.is_empty() {
        String::new()
    } else {
        format!(" ({})", misses.join("; "))
    };
    format!(
        "calibration: {} of {} buckets outside their 90 % interval{misses_text}",
        misses.len(),
        buckets.len()
    )
}

fn words(interval: &Interval) -> String {
    format!(
        "{:+.4} (90 % {:+.4} to {:+.4}, {} looks at {} windows)",
        interval.mean, interval.low, interval.high, interval.n, interval.windows
    )
}

fn triple(interval: &Interval) -> Vec<f64> {
    vec![interval.mean, interval.low, interval.high]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Fact, Missing, RecordingFact};
    use crate::fixtures::{self, check};
    use crate::report::Status;
    use trader_core::sim::evidence::MarketQuote;

    /// Windows that come Up every second time, of which model and market say so much.
    fn samples(windows: i64, model: f64, market: f64) -> Vec<Sample> {
        (0..windows)
            .map(|n| {
                let up = n % 2 == 0;
                let told = |p: f64| if up { p } else { 1.0 - p };
                let mid = told(market);
                Sample {
                    cluster: n * 300_000,
                    secs_before_close: 60,
                    model: Some(told(model)),
                    market: Some(MarketQuote {
                        bid: mid - 0.01,
                        ask: mid + 0.01,
                        is_book: true,
                    }),
                    up,
                    marked: false,
                }
            })
            .collect()
    }

    fn facts(class: Class, recordings: Vec<RecordingFact>) -> Facts {
        let mut facts = fixtures::facts();
        facts.env.class = class;
        facts.model_evidence = Fact::known(
            ModelEvidence {
                recordings,
                approval: None,
            },
            "the fixture",
            facts.now_ms,
        );
        facts
    }

    fn recording(samples: Vec<Sample>) -> RecordingFact {
        RecordingFact {
            path: "r".to_owned(),
            sha256: "0".repeat(64),
            samples: Ok(samples),
        }
    }

    fn approve(facts: &mut Facts, at: &str) {
        if let Ok(evidence) = &mut facts.model_evidence.value {
            evidence.approval = Some(EvidenceApproval {
                by: "ann".to_owned(),
                reason: "2 USD to learn".to_owned(),
                at: at.to_owned(),
            });
        }
    }

    #[test]
    fn passing() {
        let facts = facts(Class::Production, vec![recording(samples(60, 0.9, 0.6))]);
        check("LC-307", &facts, Status::Pass, "with a gain after fees");
    }

    #[test]
    fn failing() {
        let mut facts = facts(Class::Production, vec![recording(samples(60, 0.6, 0.9))]);
        check(
            "LC-307",
            &facts,
            Status::Fail,
            "no edge: the model is worse",
        );
        check(
            "LC-307",
            &facts,
            Status::Fail,
            "Brier of the model minus the market's +0.15",
        );
        // The fixture's now is 2026-02-01.
        for (at, says) in [
            ("2026-02-03", "after now"),
            ("2025-10-01", "has lapsed"),
            ("2026-02-31", "no real date"),
        ] {
            approve(&mut facts, at);
            check("LC-307", &facts, Status::Fail, says);
        }
        approve(&mut facts, "2026-01-20");
        check(
            "LC-307",
            &facts,
            Status::Pass,
            "approved by ann on 2026-01-20: 2 USD to learn",
        );
    }

    #[test]
    fn failing_on_another_recording() {
        let mut other = recording(samples(60, 0.9, 0.6));
        other.samples = Err(Unread::Changed {
            seen: "f".repeat(64),
        });
        let facts = facts(Class::Production, vec![other]);
        check("LC-307", &facts, Status::Fail, "its sha256 is ffff");
    }

    #[test]
    fn just_inside() {
        // As good as the market: nothing is proved against it, and no edge is claimed.
        let facts_of = |windows| {
            facts(
                Class::Production,
                vec![recording(samples(windows, 0.7, 0.7))],
            )
        };
        check(
            "LC-307",
            &facts_of(20),
            Status::Pass,
            "no edge over it is shown",
        );
        check("LC-307", &facts_of(19), Status::Unknown, "19 windows");
        // Two recordings count together, and their windows apart.
        let half = || recording(samples(10, 0.7, 0.7));
        check(
            "LC-307",
            &facts(Class::Production, vec![half(), half()]),
            Status::Pass,
            "20 windows",
        );
    }

    #[test]
    fn fact_missing() {
        let none = |class| {
            let mut facts = facts(class, Vec::new());
            facts.model_evidence = Fact::missing(
                Missing::new("launch.toml names no recordings"),
                "launch.toml",
                facts.now_ms,
            );
            facts
        };
        check(
            "LC-307",
            &none(Class::Production),
            Status::Unknown,
            "names no recordings",
        );
        check(
            "LC-307",
            &none(Class::Staging),
            Status::Warn,
            "names no recordings",
        );
        let mut gone = recording(Vec::new());
        gone.samples = Err(Unread::Absent("no such file".to_owned()));
        let gone = |class| facts(class, vec![gone.clone()]);
        check(
            "LC-307",
            &gone(Class::Production),
            Status::Unknown,
            "r: no such file",
        );
        check(
            "LC-307",
            &gone(Class::Local),
            Status::Warn,
            "r: no such file",
        );
    }
}
