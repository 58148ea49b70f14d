//! The document of a matrix: a table by fault for people, everything for programs.

use super::axes;
use super::combination::names_of_axes;
use super::expectation::Expectation;
use super::runner::Outcome;
use crate::rehearse::as_json;
use crate::rehearse::progress::mark;
use serde::Serialize;
use std::fmt::Write as _;

/// Version of the JSON document.
const SCHEMA_VERSION: u32 = 1;
/// Most letters of a violation in the table for people; the JSON document has it whole.
const BRIEF: usize = 240;

/// How the kills of one fault ended.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Row {
    axis: &'static str,
    fault: &'static str,
    kills: usize,
    must_verify: usize,
    verified: usize,
    platform_only: usize,
    unverified: usize,
    failed: usize,
    worst_elapsed_ms: u64,
    violations: usize,
}

/// One combination that is not as it has to be.
#[derive(Debug, Clone, Serialize)]
struct Violation {
    combination: String,
    violations: Vec<String>,
    command: String,
}

#[derive(Debug, Clone, Serialize)]
struct Played {
    combination: String,
    expectation: &'static str,
    because: Option<&'static str>,
    verdict: &'static str,
    reason: String,
    elapsed_ms: u64,
    took_ms: u64,
    /// What the first run violated, where it was played twice.
    before: Vec<String>,
}

/// The document.
#[derive(Debug, Serialize)]
pub(super) struct Matrix {
    schema_version: u32,
    passed: bool,
    seed: u64,
    planned: usize,
    played: usize,
    must_verify: usize,
    verified: usize,
    played_again: usize,
    elapsed_ms: u64,
    rows: Vec<Row>,
    violations: Vec<Violation>,
    combinations: Vec<Played>,
}

/// The document of a run.
pub(super) fn matrix(outcomes: &[Outcome], planned: usize, seed: u64, elapsed_ms: u64) -> Matrix {
    let violations = outcomes.iter().filter(|one| !one.violations.is_empty());
    let violations: Vec<Violation> = violations
        .map(|one| Violation {
            combination: one.combination.slug(),
            violations: one.violations.clone(),
            command: format!(
                "launch rehearse --kill-matrix --only {}",
                one.combination.slug()
            ),
        })
        .collect();
    let count = |is: &dyn Fn(&Outcome) -> bool| outcomes.iter().filter(|one| is(one)).count();
    Matrix {
        schema_version: SCHEMA_VERSION,
        passed: violations.is_empty() && planned > 0 && outcomes.len() == planned,
        seed,
        planned,
        played: outcomes.len(),
        must_verify: count(&|one| one.expectation == Expectation::MustVerify),
        verified: count(&is_verified),
        played_again: count(&|one| !one.before.is_empty()),
        elapsed_ms,
        rows: rows(outcomes),
        violations,
        combinations: outcomes.iter().map(played).collect(),
    }
}

fn is_verified(outcome: &Outcome) -> bool {
    !outcome.kills.is_empty() && outcome.kills.iter().all(|kill| kill.exit == 0)
}

fn played(outcome: &Outcome) -> Played {
    let (expectation, because) = match outcome.expectation {
        Expectation::MustVerify => ("must_verify", None),
        Expectation::MayNot(why) => ("may_not", Some(why)),
    };
    let reasons: Vec<&str> = outcome
        .kills
        .iter()
        .map(|kill| kill.reason.as_str())
        .collect();
    Played {
        combination: outcome.combination.slug(),
        expectation,
        because,
        verdict: outcome.verdict(),
        reason: reasons.join(" ### "),
        elapsed_ms: outcome.elapsed_ms(),
        took_ms: outcome.took_ms,
        before: outcome.before.clone(),
    }
}

fn rows(outcomes: &[Outcome]) -> Vec<Row> {
    let mut all = Vec::new();
    for (place, (axis, names)) in axes::AXIS_NAMES
        .into_iter()
        .zip(names_of_axes())
        .enumerate()
    {
        for fault in names {
            let with_it = outcomes
                .iter()
                .filter(|one| one.combination.names().get(place) == Some(&fault));
            let row = with_it.fold(
                Row {
                    axis,
                    fault,
                    ..Row::default()
                },
                add,
            );
            if row.kills > 0 {
                all.push(row);
            }
        }
    }
    all
}

fn add(mut row: Row, outcome: &Outcome) -> Row {
    row.kills = row.kills.saturating_add(1);
    let must = outcome.expectation == Expectation::MustVerify;
    row.must_verify = row.must_verify.saturating_add(usize::from(must));
    let column = match outcome.verdict() {
        "verified" | "nothing_running" | "reduced" => &mut row.verified,
        "platform_only" => &mut row.platform_only,
        "unverified" => &mut row.unverified,
        _ => &mut row.failed,
    };
    *column = column.saturating_add(1);
    row.worst_elapsed_ms = row.worst_elapsed_ms.max(outcome.elapsed_ms());
    row.violations = row.violations.saturating_add(outcome.violations.len());
    row
}

impl Matrix {
    /// Whether nothing was violated and everything was played.
    pub(super) fn passed(&self) -> bool {
        self.passed
    }

    /// For programs.
    pub(super) fn json(&self) -> String {
        as_json(self)
    }

    /// For people.
    pub(super) fn human(&self, color: bool) -> String {
        let mut out = String::new();
        // Writing into a String cannot fail.
        let mut line = |text: String| {
            let _infallible = writeln!(out, "{text}");
        };
        line(format!(
            "{:<26} {:>5} {:>5} {:>8} {:>8} {:>8} {:>6} {:>7} {:>4}",
            "fault", "kills", "must", "verified", "platform", "unverif.", "failed", "worst", "bad"
        ));
        let mut axis = "";
        for row in &self.rows {
            if row.axis != axis {
                axis = row.axis;
                line(format!("{axis}:"));
            }
            line(format!(
                "  {:<24} {:>5} {:>5} {:>8} {:>8} {:>8} {:>6} {:>5}ms {:>4}",
                row.fault,
                row.kills,
                row.must_verify,
                row.verified,
                row.platform_only,
                row.unverified,
                row.failed,
                row.worst_elapsed_ms,
                row.violations,
            ));
        }
        for bad in &self.violations {
            line(String::new());
            line(format!(
                "{} {}",
                mark(false, "violated:", color),
                bad.combination
            ));
            for one in &bad.violations {
                let brief: String = one.chars().take(BRIEF).collect();
                line(format!("  {brief}"));
            }
            line(format!("  {}", bad.command));
        }
        let word = if self.passed { "passed:" } else { "failed:" };
        line(format!(
            "\n{} {} of {} combinations in {} s: {} had to be verified, {} were; {} violations{}",
            mark(self.passed, word, color),
            self.played,
            self.planned,
            self.elapsed_ms / 1_000,
            self.must_verify,
            self.verified,
            self.violations.len(),
            match self.played_again {
                0 => String::new(),
                again => format!("; {again} played twice (seed {})", self.seed),
            },
        ));
        out
    }
}
