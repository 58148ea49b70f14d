//! Runs the table over the facts: in parallel along declared dependencies.
//!
//! A failure never hides an independent check; what depends on it is skipped and says so. A check
//! that panics is unknown. The clock comes in as a function, so that this stays pure.

use crate::code::Code;
use crate::facts::Facts;
use crate::outcome::{Finding, Outcome, Place};
use crate::report::{CheckResult, Status};
use crate::severity::{Severity, severity, unbuilt_is_left_out};
use crate::table::{Row, TABLE, UNBUILT, Unbuilt, catalogue};
use crate::waive::waived;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

/// Which checks to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// All that apply.
    All,
    /// Only these. What they depend on is not run and does not block them.
    Only(BTreeSet<Code>),
}

/// A selection that names nothing that can run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectionError {
    /// No code at all.
    #[error("--only names no check (wanted codes like LC-101,LC-102)")]
    Empty,
    /// A code that is not in the catalogue.
    #[error("--only names {seen:?}, which is no check{}", near.as_ref().map(|code| format!(" (did you mean {code}?)")).unwrap_or_default())]
    NoSuchCheck {
        /// What was typed.
        seen: String,
        /// The nearest code.
        near: Option<Code>,
    },
    /// Codes that exist, none of which says anything about this environment.
    #[error("--only names only checks that do not apply to env {env} (class {class})")]
    NothingApplies {
        /// The environment.
        env: String,
        /// Its class.
        class: String,
    },
}

/// Most differing characters for a code to be offered as what was meant.
const NEAR_CODE_DISTANCE: usize = 2;

impl Selection {
    /// Reads `--only` values: codes, joined by commas or given again. None given: all checks.
    ///
    /// # Errors
    /// When values were given and name no check, or a check that does not exist.
    pub fn parse(values: &[String]) -> Result<Self, SelectionError> {
        if values.is_empty() {
            return Ok(Self::All);
        }
        let mut codes = BTreeSet::new();
        for text in values
            .iter()
            .flat_map(|value| value.split(','))
            .map(str::trim)
        {
            if text.is_empty() {
                continue;
            }
            let code = text
                .parse()
                .ok()
                .filter(|code| catalogue().any(|(known, _)| known == *code));
            codes.insert(code.ok_or_else(|| SelectionError::NoSuchCheck {
                seen: text.to_owned(),
                near: near_code(text),
            })?);
        }
        if codes.is_empty() {
            Err(SelectionError::Empty)
        } else {
            Ok(Self::Only(codes))
        }
    }

    /// Whether the code was asked for.
    pub fn holds(&self, code: Code) -> bool {
        match self {
            Self::All => true,
            Self::Only(codes) => codes.contains(&code),
        }
    }
}

fn near_code(text: &str) -> Option<Code> {
    let upper = text.to_ascii_uppercase();
    catalogue()
        .map(|(code, _)| (strsim::damerau_levenshtein(&upper, &code.to_string()), code))
        .min()
        .filter(|(distance, _)| *distance <= NEAR_CODE_DISTANCE)
        .map(|(_, code)| code)
}

/// What a run leaves: the results in table order.
#[derive(Debug, Clone, PartialEq)]
pub struct Ran {
    /// One result per check that applies and was asked for.
    pub checks: Vec<CheckResult>,
    /// Codes that were asked for and say nothing about this environment.
    pub not_applicable: Vec<Code>,
    /// Whether only some checks were asked for.
    pub partial: bool,
}

/// Runs the selected checks of [`TABLE`]. `elapsed_ms` is a monotonic clock; `done` hears of each
/// result as it happens, from the thread that ran it.
///
/// # Errors
/// When nothing of the selection applies to the environment: an empty run proves nothing.
pub fn run(
    facts: &Facts,
    selection: &Selection,
    elapsed_ms: &(dyn Fn() -> u64 + Sync),
    done: &(dyn Fn(&CheckResult) + Sync),
) -> Result<Ran, SelectionError> {
    run_beside(facts, selection, &BTreeMap::new(), elapsed_ms, done)
}

/// [`run`] beside results that are known already: those are taken as they are, and block or let through
/// what depends on them. `done` hears of them too.
///
/// # Errors
/// As [`run`].
pub fn run_beside(
    facts: &Facts,
    selection: &Selection,
    known: &BTreeMap<Code, CheckResult>,
    elapsed_ms: &(dyn Fn() -> u64 + Sync),
    done: &(dyn Fn(&CheckResult) + Sync),
) -> Result<Ran, SelectionError> {
    run_rows(TABLE, UNBUILT, facts, selection, known, elapsed_ms, done)
}

fn run_rows(
    rows: &[Row],
    unbuilt: &[Unbuilt],
    facts: &Facts,
    selection: &Selection,
    known: &BTreeMap<Code, CheckResult>,
    elapsed_ms: &(dyn Fn() -> u64 + Sync),
    done: &(dyn Fn(&CheckResult) + Sync),
) -> Result<Ran, SelectionError> {
    let env = &facts.env;
    let applies = |code: Code| severity(code, env) != Severity::NotApplicable;
    let asked: Vec<&Row> = rows
        .iter()
        .filter(|row| selection.holds(row.code) && applies(row.code))
        .collect();
    let mut not_applicable: Vec<Code> = rows
        .iter()
        .map(|row| row.code)
        .filter(|code| selection.holds(*code) && !applies(*code))
        .collect();

    let slots: BTreeMap<Code, OnceLock<CheckResult>> = asked
        .iter()
        .map(|row| {
            let slot = known.get(&row.code).cloned();
            (row.code, slot.map_or_else(OnceLock::new, OnceLock::from))
        })
        .collect();
    // One thread a check: there are a few dozen, and most of them only wait for another.
    std::thread::scope(|scope| {
        for row in &asked {
            let slots = &slots;
            scope.spawn(move || {
                let Some(slot) = slots.get(&row.code) else {
                    return;
                };
                let result = slot.get_or_init(|| judge(row, facts, slots, elapsed_ms));
                done(result);
            });
        }
    });
    let mut checks: Vec<CheckResult> = slots
        .into_values()
        .filter_map(OnceLock::into_inner)
        .collect();

    for row in unbuilt.iter().filter(|row| selection.holds(row.code)) {
        if !applies(row.code) || unbuilt_is_left_out(env) {
            not_applicable.push(row.code);
        } else {
            let result = not_built(row);
            done(&result);
            checks.push(result);
        }
    }
    if checks.is_empty() {
        return Err(SelectionError::NothingApplies {
            env: env.name.clone(),
            class: env.class.to_string(),
        });
    }
    checks.sort_by_key(|check| (check.phase, check.code));
    not_applicable.sort_unstable();
    Ok(Ran {
        checks,
        not_applicable,
        partial: *selection != Selection::All,
    })
}

/// Waits for what the row depends on, then runs it. Waiting ends because every row that was asked
/// for fills its slot, a row depends only on rows above it, and a panic is caught.
fn judge(
    row: &Row,
    facts: &Facts,
    slots: &BTreeMap<Code, OnceLock<CheckResult>>,
    elapsed_ms: &(dyn Fn() -> u64 + Sync),
) -> CheckResult {
    let mut blocked_by = BTreeSet::new();
    for needed in row.after.iter().filter_map(|code| slots.get(code)) {
        let needed = needed.wait();
        match needed.status {
            Status::Pass | Status::Warn => {}
            Status::Fail | Status::Unknown => {
                blocked_by.insert(needed.code);
            }
            // The root of it is what helps, not the next link of the chain.
            Status::Skipped => blocked_by.extend(needed.blocked_by.iter().copied()),
        }
    }
    if !blocked_by.is_empty() {
        let names: Vec<String> = blocked_by.iter().map(Code::to_string).collect();
        let finding = Finding::new(format!("skipped (blocked by {})", names.join(", ")));
        let mut result = result(row, facts, Status::Skipped, finding, 0);
        result.blocked_by = blocked_by.into_iter().collect();
        return result;
    }
    let started = elapsed_ms();
    // The facts are only read, so nothing half-changed can be seen after a panic.
    let outcome = catch_unwind(AssertUnwindSafe(|| (row.run)(facts))).unwrap_or_else(|_| {
        Finding::new("the check itself broke (a bug in launch), so nothing is proved")
            .help("report it with the output of this run; the other checks are not affected")
            .unknown()
    });
    let duration = elapsed_ms().saturating_sub(started);
    let (status, finding) = match (outcome, severity(row.code, &facts.env)) {
        (Outcome::Pass(finding), _) => (Status::Pass, finding),
        (Outcome::Warn(finding), _) | (Outcome::Fail(finding), Severity::Warn) => {
            (Status::Warn, finding)
        }
        (Outcome::Fail(finding), Severity::Fail | Severity::NotApplicable) => {
            (Status::Fail, finding)
        }
        (Outcome::Unknown(finding), _) => (Status::Unknown, finding),
    };
    let (status, finding, waiver) = waived(row.code, facts, status, finding);
    let mut result = result(row, facts, status, finding, duration);
    result.waiver = waiver;
    result
}

fn result(
    row: &Row,
    facts: &Facts,
    status: Status,
    finding: Finding,
    duration: u64,
) -> CheckResult {
    CheckResult {
        code: row.code,
        title: row.title.to_owned(),
        category: row.category,
        phase: row.phase,
        status,
        blocked_by: Vec::new(),
        message: finding.message,
        help: finding.help,
        docs_url: docs_url(row.code),
        evidence: evidence(finding.evidence, finding.seen, &finding.places),
        facts_age_ms: facts.age_ms(row.reads),
        duration_ms: duration,
        waiver: None,
    }
}

fn not_built(row: &Unbuilt) -> CheckResult {
    CheckResult {
        code: row.code,
        title: row.title.to_owned(),
        category: row.category(),
        phase: row.phase(),
        status: Status::Unknown,
        blocked_by: Vec::new(),
        message: "this version of launch cannot judge it yet, so nothing is proved".to_owned(),
        help: Some(
            "deploy to a target with platform = \"local\" until a version that can".to_owned(),
        ),
        docs_url: docs_url(row.code),
        evidence: Map::new(),
        facts_age_ms: None,
        duration_ms: 0,
        waiver: None,
    }
}

fn evidence(
    mut named: Map<String, Value>,
    seen: Vec<String>,
    places: &[Place],
) -> Map<String, Value> {
    // A struct of texts and numbers always has a JSON form.
    if let (false, Ok(places)) = (places.is_empty(), serde_json::to_value(places)) {
        named.insert("places".to_owned(), places);
    }
    if !seen.is_empty() {
        named.insert("seen".to_owned(), seen.into());
    }
    named
}

/// The page about a code, from the top of this program's repository.
fn docs_url(code: Code) -> String {
    format!("docs/checks.md#{}", code.anchor())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::FactKey;
    use crate::fixtures;
    use crate::phase::{Category, Phase};
    use crate::targets::Class;
    use std::sync::Mutex;

    const A: Code = Code::new(101);
    const B: Code = Code::new(103);
    const C: Code = Code::new(201);
    const D: Code = Code::new(202);

    fn row(code: Code, after: &'static [Code], run: fn(&Facts) -> Outcome) -> Row {
        Row {
            code,
            title: "t",
            category: Category::Source,
            phase: Phase::Git,
            after,
            reads: &[FactKey::Tree],
            run,
        }
    }

    fn pass(_: &Facts) -> Outcome {
        Finding::new("fine").pass()
    }
    fn fail(_: &Facts) -> Outcome {
        Finding::new("broken").fail()
    }
    fn break_down(_: &Facts) -> Outcome {
        panic!("planted")
    }

    fn go(rows: &[Row]) -> Vec<CheckResult> {
        run_rows(
            rows,
            &[],
            &fixtures::facts(),
            &Selection::All,
            &BTreeMap::new(),
            &|| 0,
            &|_| (),
        )
        .unwrap()
        .checks
    }

    #[test]
    fn a_failure_blocks_what_depends_on_it_and_nothing_else() {
        let checks = go(&[
            row(A, &[], fail),
            row(B, &[A], pass),
            row(C, &[B], pass),
            row(D, &[], pass),
        ]);
        let statuses: Vec<Status> = checks.iter().map(|c| c.status).collect();
        assert_eq!(
            statuses,
            [Status::Fail, Status::Skipped, Status::Skipped, Status::Pass]
        );
        assert_eq!(checks[1].message, "skipped (blocked by LC-101)");
        assert_eq!(
            checks[2].blocked_by,
            [A],
            "the root is named, not the next link"
        );
    }

    #[test]
    fn a_panicking_check_is_unknown_and_blocks() {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| ()));
        let checks = go(&[
            row(A, &[], break_down),
            row(B, &[A], pass),
            row(C, &[], pass),
        ]);
        std::panic::set_hook(hook);
        let statuses: Vec<Status> = checks.iter().map(|c| c.status).collect();
        assert_eq!(statuses, [Status::Unknown, Status::Skipped, Status::Pass]);
    }

    #[test]
    fn an_empty_or_mistyped_set_is_an_error() {
        let parse = |text: &str| Selection::parse(&[text.to_owned()]);
        assert_eq!(parse(" , "), Err(SelectionError::Empty));
        let mistyped = parse("LC-101,LC-011").unwrap_err();
        assert!(
            mistyped.to_string().contains("did you mean LC-101"),
            "{mistyped}"
        );
        assert!(parse("LC-999").is_err());
        assert_eq!(parse("lc-103,LC-101"), Ok(Selection::Only([A, B].into())));
        let nothing = run(
            &fixtures::facts(),
            &parse("LC-502").unwrap(),
            &|| 0,
            &|_| (),
        );
        assert!(
            matches!(nothing, Err(SelectionError::NothingApplies { .. })),
            "{nothing:?}"
        );
    }

    #[test]
    fn unbuilt_rows_are_left_out_locally_and_unknown_for_production() {
        let mut facts = fixtures::facts();
        let local = run(&facts, &Selection::All, &|| 0, &|_| ()).unwrap();
        assert!(
            local.checks.iter().all(|c| c.status == Status::Pass),
            "{:#?}",
            local.checks
        );
        let left_out = |row: &Unbuilt| local.not_applicable.contains(&row.code);
        assert!(UNBUILT.iter().all(left_out));
        facts.env.class = Class::Production;
        let production = run(&facts, &Selection::All, &|| 0, &|_| ()).unwrap();
        assert_eq!(production.not_applicable, []);
        let unknown = production
            .checks
            .iter()
            .filter(|c| c.status == Status::Unknown)
            .count();
        assert_eq!(unknown, UNBUILT.len());
        assert_eq!(production.checks.len(), TABLE.len() + UNBUILT.len());
    }

    #[test]
    fn checks_that_do_not_depend_on_each_other_run_at_the_same_time() {
        static MEETING: std::sync::Barrier = std::sync::Barrier::new(2);
        fn meet(_: &Facts) -> Outcome {
            MEETING.wait();
            Finding::new("met").pass()
        }
        assert_eq!(go(&[row(A, &[], meet), row(B, &[], meet)]).len(), 2);
    }

    #[test]
    fn each_result_is_heard_once_as_it_happens() {
        let heard = Mutex::new(Vec::new());
        let rows = [row(A, &[], pass), row(B, &[A], pass)];
        run_rows(
            &rows,
            &[],
            &fixtures::facts(),
            &Selection::All,
            &BTreeMap::new(),
            &|| 0,
            &|result| {
                heard.lock().unwrap().push(result.code);
            },
        )
        .unwrap();
        assert_eq!(*heard.lock().unwrap(), [A, B]);
    }

    #[test]
    fn a_partial_run_says_so_and_is_not_blocked_by_what_was_left_out() {
        let mut facts = fixtures::facts();
        fixtures::refuse_manifest(&mut facts, "planted");
        let only = Selection::Only([Code::new(202)].into());
        let ran = run(&facts, &only, &|| 0, &|_| ()).unwrap();
        assert!(ran.partial);
        assert_eq!(ran.checks.len(), 1);
        assert_ne!(ran.checks[0].status, Status::Skipped);
    }
}
