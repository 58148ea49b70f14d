//! The table of all checks, on one page. Order is order of display, never a data dependency: what a
//! check needs to have held before it is judged stands in `after`.

use crate::code::Code;
use crate::facts::{FactKey, Facts};
use crate::outcome::Outcome;
use crate::phase::{Category, Phase};
use crate::{
    components_ready, components_smoke, declared_effective, entries_bounded, files_in_commit, halt,
    limits_coherent, limits_not_loosened, manifest_schema, model_evidence, model_golden,
    model_properties, order_outcomes, quality_gate_works, secrets_present, source_committed,
    source_pushed, staging_dry_run, strategies_known, strategies_valid, tests_passed, token_scope,
    units, window_targeting,
};

/// One check.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Its code, stable and never reused.
    pub code: Code,
    /// What holds when it passes.
    pub title: &'static str,
    /// What it is about.
    pub category: Category,
    /// Where it stands on the card.
    pub phase: Phase,
    /// Checks without which its answer means nothing; it is skipped unless they hold.
    pub after: &'static [Code],
    /// The facts that it reads.
    pub reads: &'static [FactKey],
    /// The check.
    pub run: fn(&Facts) -> Outcome,
}

impl Row {
    /// Whether its answer is the same for the same commit, environment and program: it reads nothing
    /// that can change without a commit. A test holds each such row to it.
    pub fn sees_only_head(&self) -> bool {
        self.reads.iter().all(|key| key.is_of_head())
    }
}

/// A row of the catalogue that has no check yet.
#[derive(Debug, Clone, Copy)]
pub struct Unbuilt {
    /// Its code.
    pub code: Code,
    /// What will hold when it passes.
    pub title: &'static str,
}

const COMMITTED: Code = Code::new(101);
const PUSHED: Code = Code::new(102);
const FILES: Code = Code::new(103);
const TESTS: Code = Code::new(105);
const SCHEMA: Code = Code::new(201);
const STRATEGIES: Code = Code::new(202);
const VALID: Code = Code::new(203);
const EFFECTIVE: Code = Code::new(204);
const LOOSENED: Code = Code::new(205);
const LIMITS: Code = Code::new(206);
const READY: Code = Code::new(301);
const SMOKE: Code = Code::new(302);
const UNITS: Code = Code::new(304);
const GOLDEN: Code = Code::new(305);
const PROPERTIES: Code = Code::new(306);
const EVIDENCE: Code = Code::new(307);
const QUALITY: Code = Code::new(308);
const BOUNDED: Code = Code::new(401);
const TARGETING: Code = Code::new(402);
const OUTCOMES: Code = Code::new(403);
const HALT: Code = Code::new(404);
const DRY_RUN: Code = Code::new(501);
const SECRETS: Code = Code::new(601);
const SCOPE: Code = Code::new(602);

/// Every check there is.
#[rustfmt::skip] // One row, one line: the table is read as a table.
pub const TABLE: &[Row] = &[
    Row { code: COMMITTED, title: "source committed", category: Category::Source, phase: Phase::Git, after: &[], reads: &[FactKey::Tree], run: source_committed::run },
    Row { code: PUSHED, title: "source pushed", category: Category::Source, phase: Phase::Git, after: &[], reads: &[FactKey::Remote], run: source_pushed::run },
    Row { code: FILES, title: "files in the commit", category: Category::Source, phase: Phase::Git, after: &[], reads: &[FactKey::Files], run: files_in_commit::run },
    Row { code: TESTS, title: "tests passed", category: Category::Source, phase: Phase::Git, after: &[], reads: &[FactKey::Tests], run: tests_passed::run },
    Row { code: SCHEMA, title: "manifest schema", category: Category::Manifest, phase: Phase::Manifest, after: &[], reads: &[FactKey::Manifest, FactKey::BrokenFiles], run: manifest_schema::run },
    Row { code: STRATEGIES, title: "strategies known", category: Category::Manifest, phase: Phase::Manifest, after: &[], reads: &[FactKey::Manifest, FactKey::Strategies], run: strategies_known::run },
    Row { code: VALID, title: "strategies valid", category: Category::Manifest, phase: Phase::Manifest, after: &[SCHEMA, STRATEGIES], reads: &[FactKey::Manifest, FactKey::Strategies], run: strategies_valid::run },
    Row { code: EFFECTIVE, title: "declared = effective", category: Category::Manifest, phase: Phase::Manifest, after: &[SCHEMA, STRATEGIES], reads: &[FactKey::Manifest, FactKey::Strategies], run: declared_effective::run },
    Row { code: LOOSENED, title: "limits not loosened", category: Category::Manifest, phase: Phase::Manifest, after: &[SCHEMA], reads: &[FactKey::Manifest, FactKey::Policy], run: limits_not_loosened::run },
    Row { code: LIMITS, title: "limits coherent", category: Category::Manifest, phase: Phase::Manifest, after: &[SCHEMA], reads: &[FactKey::Manifest, FactKey::Strategies], run: limits_coherent::run },
    Row { code: READY, title: "components ready", category: Category::Components, phase: Phase::Components, after: &[SCHEMA, STRATEGIES], reads: &[FactKey::Manifest, FactKey::Strategies], run: components_ready::run },
    Row { code: SMOKE, title: "components smoke", category: Category::Components, phase: Phase::Components, after: &[SCHEMA, STRATEGIES], reads: &[FactKey::Manifest, FactKey::Strategies], run: components_smoke::run },
    Row { code: UNITS, title: "units", category: Category::Components, phase: Phase::Components, after: &[SCHEMA, STRATEGIES], reads: &[FactKey::Manifest, FactKey::Strategies], run: units::run },
    Row { code: GOLDEN, title: "model golden", category: Category::Components, phase: Phase::Components, after: &[], reads: &[], run: model_golden::run },
    Row { code: PROPERTIES, title: "model properties", category: Category::Components, phase: Phase::Components, after: &[], reads: &[], run: model_properties::run },
    Row { code: EVIDENCE, title: "model evidence", category: Category::Components, phase: Phase::Components, after: &[], reads: &[FactKey::ModelEvidence], run: model_evidence::run },
    Row { code: QUALITY, title: "quality gate works", category: Category::Components, phase: Phase::Components, after: &[SCHEMA, STRATEGIES, VALID], reads: &[FactKey::Manifest, FactKey::Strategies], run: quality_gate_works::run },
    Row { code: BOUNDED, title: "entries bounded", category: Category::Safeguards, phase: Phase::DryRun, after: &[SCHEMA, STRATEGIES, VALID], reads: &[FactKey::Manifest, FactKey::Strategies], run: entries_bounded::run },
    Row { code: TARGETING, title: "window targeting", category: Category::Safeguards, phase: Phase::DryRun, after: &[SCHEMA, STRATEGIES, VALID], reads: &[FactKey::Manifest, FactKey::Strategies], run: window_targeting::run },
    Row { code: OUTCOMES, title: "order outcomes", category: Category::Safeguards, phase: Phase::DryRun, after: &[SCHEMA, STRATEGIES, VALID], reads: &[FactKey::Manifest, FactKey::Strategies], run: order_outcomes::run },
    Row { code: HALT, title: "halt", category: Category::Safeguards, phase: Phase::DryRun, after: &[SCHEMA, STRATEGIES, VALID], reads: &[FactKey::Manifest, FactKey::Strategies], run: halt::run },
    Row { code: DRY_RUN, title: "staging dry run", category: Category::Staging, phase: Phase::DryRun, after: &[SCHEMA, STRATEGIES, EFFECTIVE], reads: &[FactKey::Manifest, FactKey::DryRun], run: staging_dry_run::run },
    Row { code: SECRETS, title: "secrets present", category: Category::Target, phase: Phase::Target, after: &[SCHEMA, STRATEGIES], reads: &[FactKey::Manifest, FactKey::Strategies, FactKey::Target], run: secrets_present::run },
    Row { code: SCOPE, title: "token scope", category: Category::Target, phase: Phase::Target, after: &[], reads: &[FactKey::Target], run: token_scope::run },
];

/// The rows that have no check yet. A test pins this list, so that a row leaves it only by being
/// built.
#[rustfmt::skip] // One row, one line.
pub const UNBUILT: &[Unbuilt] = &[
    Unbuilt { code: Code::new(104), title: "stories committed" },
    Unbuilt { code: Code::new(106), title: "dependencies" },
    Unbuilt { code: Code::new(303), title: "contracts" },
    Unbuilt { code: Code::new(502), title: "staged" },
    Unbuilt { code: Code::new(603), title: "target config" },
    Unbuilt { code: Code::new(604), title: "target as expected" },
    Unbuilt { code: Code::new(605), title: "kill drilled" },
    Unbuilt { code: Code::new(606), title: "venue ready" },
    Unbuilt { code: Code::new(607), title: "watchdog ready" },
    Unbuilt { code: Code::new(608), title: "checklist signed" },
];

/// Every code of the catalogue with its title, in order of the codes.
pub fn catalogue() -> impl Iterator<Item = (Code, &'static str)> {
    let mut all: Vec<(Code, &'static str)> = TABLE
        .iter()
        .map(|row| (row.code, row.title))
        .chain(UNBUILT.iter().map(|row| (row.code, row.title)))
        .collect();
    all.sort_unstable();
    all.into_iter()
}

impl Unbuilt {
    /// Where the row will stand on the card.
    pub fn phase(&self) -> Phase {
        match self.code.number() {
            ..200 => Phase::Git,
            200..300 => Phase::Manifest,
            300..400 => Phase::Components,
            400..600 => Phase::DryRun,
            600.. => Phase::Target,
        }
    }

    /// What the row will be about.
    pub fn category(&self) -> Category {
        match self.code.number() {
            ..200 => Category::Source,
            200..300 => Category::Manifest,
            300..400 => Category::Components,
            400..500 => Category::Safeguards,
            500..600 => Category::Staging,
            600.. => Category::Target,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// The catalogue of the design, whole.
    const CATALOGUE: [u16; 34] = [
        101, 102, 103, 104, 105, 106, 201, 202, 203, 204, 205, 206, 301, 302, 303, 304, 305, 306,
        307, 308, 401, 402, 403, 404, 501, 502, 601, 602, 603, 604, 605, 606, 607, 608,
    ];

    /// What is still missing. Shrink it when a check is built; it may never grow.
    const UNBUILT_PINNED: &[u16] = &[104, 106, 303, 502, 603, 604, 605, 606, 607, 608];

    #[test]
    fn every_code_of_the_catalogue_is_built_or_listed_once() {
        let codes: Vec<u16> = catalogue().map(|(code, _)| code.number()).collect();
        assert_eq!(codes, CATALOGUE);
        let unbuilt: Vec<u16> = UNBUILT.iter().map(|row| row.code.number()).collect();
        assert_eq!(unbuilt, UNBUILT_PINNED);
    }

    #[test]
    fn a_row_depends_only_on_rows_above_it() {
        let mut above = BTreeSet::new();
        for row in TABLE {
            for needed in row.after {
                assert!(
                    above.contains(needed),
                    "{} is after {needed}, which is not above it",
                    row.code
                );
            }
            above.insert(row.code);
        }
    }

    #[test]
    fn built_rows_stand_in_the_phase_of_their_chapter() {
        for row in TABLE {
            let chapter = Unbuilt {
                code: row.code,
                title: row.title,
            };
            assert_eq!(row.phase, chapter.phase(), "{}", row.code);
            assert_eq!(row.category, chapter.category(), "{}", row.code);
        }
    }

    /// Ten years, ms: past every expiry.
    const LATER_MS: i64 = 10 * 365 * 86_400_000;

    #[test]
    fn rows_that_see_only_head_look_at_nothing_else() {
        let facts = crate::fixtures::facts();
        let mut other = facts.clone();
        let gone = crate::facts::Missing::new("not to be looked at");
        other.tree = crate::facts::Fact::missing(gone.clone(), "", 0);
        other.remote = crate::facts::Fact::missing(gone.clone(), "", 0);
        other.policy = crate::facts::Fact::missing(gone, "", 0);
        other.now_ms += LATER_MS;
        let mut held = 0;
        for row in TABLE.iter().filter(|row| row.sees_only_head()) {
            held += 1;
            assert_eq!((row.run)(&facts), (row.run)(&other), "{}", row.code);
        }
        assert!(held > 0, "nothing was held to it");
        for code in [COMMITTED, PUSHED] {
            let row = TABLE.iter().find(|row| row.code == code).unwrap();
            assert!(!row.sees_only_head(), "{code} may never be kept");
        }
    }

    /// The files of this crate that are not checks.
    const NOT_CHECKS: [&str; 13] = [
        "code.rs",
        "fixtures.rs",
        "lib.rs",
        "outcome.rs",
        "parts.rs",
        "phase.rs",
        "report.rs",
        "run.rs",
        "severity.rs",
        "strength.rs",
        "table.rs",
        "targets.rs",
        "waive.rs",
    ];

    #[test]
    fn every_check_file_is_in_the_table_and_has_its_four_fixtures() {
        let table = include_str!("table.rs");
        let mut checks = 0;
        for entry in std::fs::read_dir(env!("CARGO_MANIFEST_DIR")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.extension().is_none_or(|e| e != "rs") || NOT_CHECKS.contains(&name.as_str()) {
                continue;
            }
            checks += 1;
            let module = name.trim_end_matches(".rs");
            assert!(
                table.contains(&format!("run: {module}::run }}")),
                "{name} has no row"
            );
            let text = std::fs::read_to_string(&path).unwrap();
            for fixture in [
                "fn passing",
                "fn failing",
                "fn just_inside",
                "fn fact_missing",
            ] {
                assert!(text.contains(fixture), "{name} has no fixture `{fixture}`");
            }
        }
        assert_eq!(checks, TABLE.len());
    }
}
