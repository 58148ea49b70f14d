//! Facts in which every check passes, and the one way in which a check is asserted. Tests only.
//!
//! A test changes one thing in [`facts`] and says what the report must then hold.

use crate::code::Code;
use crate::facts::{
    CommitFiles, DryRun, DryRunEnd, EnvFacts, Fact, Facts, Found, LiveRemote, Loaded,
    ManifestDocument, ModelEvidence, NamedPath, Policy, RecordingFact, RemoteFacts, Replayed,
    ServicePlace, StrategyDocument, TargetFacts, TestEnd, TestEvidence, TestFacts, TokenBelongs,
    TreeFacts,
};
use crate::files::approved_limits::{ApprovedLimits, FirstApproval, LimitValue};
use crate::report::{CheckResult, Status};
use crate::run::{Selection, run};
use crate::targets::{Class, Platform, Pushed};
use std::collections::BTreeMap;
use trader_core::looser;
use trader_core::manifest::Manifest;
use trader_core::sim::evidence::{MarketQuote, Sample};
use trader_core::strategy_file::StrategyFile;
use trader_core::units::StrategyId;
use trader_core::wire::DryRunDocument;

/// HEAD of the fixture.
pub(crate) const HEAD: &str = "1111111111111111111111111111111111111111";
/// Some other commit.
pub(crate) const OTHER: &str = "2222222222222222222222222222222222222222";
/// The fixture's only strategy.
pub(crate) const STRATEGY: &str = "probability-edge";

const NOW_MS: i64 = 1_769_949_000_000;

/// Runs one check alone and asserts how it ended and what it says (in its message or what it saw).
/// Returns it for more.
#[track_caller]
pub(crate) fn check(code: &str, facts: &Facts, status: Status, says: &str) -> CheckResult {
    assert_result(
        code,
        facts,
        &Selection::Only([code.parse().unwrap()].into()),
        status,
        says,
    )
}

/// The same within a run of all checks, where other checks may block it.
#[track_caller]
pub(crate) fn check_among_all(code: &str, facts: &Facts, status: Status, says: &str) {
    assert_result(code, facts, &Selection::All, status, says);
}

#[track_caller]
fn assert_result(
    code: &str,
    facts: &Facts,
    selection: &Selection,
    status: Status,
    says: &str,
) -> CheckResult {
    let code: Code = code.parse().unwrap();
    let ran = run(facts, selection, &|| 0, &|_| ()).unwrap();
    let result = ran
        .checks
        .into_iter()
        .find(|c| c.code == code)
        .expect("the check applies");
    assert_eq!(result.status, status, "{result:#?}");
    let says_so = std::iter::once(result.message.as_str())
        .chain(result.seen())
        .any(|line| line.contains(says));
    assert!(says_so, "no {says:?} in {result:#?}");
    result
}

/// Facts in which every check passes.
pub(crate) fn facts() -> Facts {
    let manifest = manifest();
    Facts {
        now_ms: NOW_MS,
        env: EnvFacts {
            name: "local".to_owned(),
            class: Class::Local,
            platform: Platform::Local,
            pushed: Pushed::Tip,
            advisory: Vec::new(),
        },
        tree: known(TreeFacts {
            commit: HEAD.to_owned(),
            tree: OTHER.to_owned(),
            branch: Some("main".to_owned()),
            compared: 42,
            ..TreeFacts::default()
        }),
        remote: known(RemoteFacts {
            head: HEAD.to_owned(),
            remote: "origin".to_owned(),
            branch: "main".to_owned(),
            pushed: Pushed::Tip,
            live: LiveRemote::Answered {
                url: "https://example.com/x".to_owned(),
                tip: Some(HEAD.to_owned()),
                tag: false,
                merge_refs: Vec::new(),
                ahead_behind: Some((0, 0)),
                contains_tip: Some(true),
            },
            local_tag: false,
            submodules: Vec::new(),
        }),
        files: known(CommitFiles {
            paths: [
                "manifests/launch.toml",
                "manifests/local.toml",
                STRATEGY_PATH,
            ]
            .map(|path| NamedPath {
                path: path.to_owned(),
                named_by: "the fixture".to_owned(),
                found: Found::Blob { bytes: 10 },
            })
            .into(),
        }),
        dry_run: known(dry_run(&manifest)),
        tests: known(TestFacts {
            tree: OTHER.to_owned(),
            command: Some(vec!["cargo".to_owned(), "test".to_owned()]),
            evidence: Some(TestEvidence {
                tree: OTHER.to_owned(),
                commit: HEAD.to_owned(),
                command: vec!["cargo".to_owned(), "test".to_owned()],
                end: TestEnd::Passed,
                ended_at: "2026-11-30T12:00:00.000Z".to_owned(),
                duration_ms: 12_000,
                launch_version: "0.1.0".to_owned(),
                tail: Vec::new(),
            }),
        }),
        broken_files: known(Vec::new()),
        target: known(TargetFacts {
            endpoint: "https://platform.example.com".to_owned(),
            wanted: ServicePlace {
                project_id: Some("p-1".to_owned()),
                environment_id: "e-1".to_owned(),
                service_id: "s-1".to_owned(),
            },
            variables: Ok([
                ("LAUNCH_HALT_TOKEN".to_owned(), true),
                ("LAUNCH_CONTROL_TOKEN".to_owned(), true),
            ]
            .into()),
            brought: [].into(),
            token: Ok(TokenBelongs::Project {
                project_id: "p-1".to_owned(),
                environment_id: "e-1".to_owned(),
            }),
            service: Ok("trader".to_owned()),
            kill_stumbles: Vec::new(),
        }),
        policy: known(Policy {
            read_from: "HEAD".to_owned(),
            approved: Loaded::Valid(approved(&manifest)),
            waivers: Loaded::NotInCommit { on_disk: false },
            check_set: None,
        }),
        model_evidence: known(ModelEvidence {
            recordings: vec![RecordingFact {
                path: "../recordings".to_owned(),
                sha256: "0".repeat(64),
                samples: Ok(as_good_as_the_market()),
            }],
            approval: None,
        }),
        strategies: known(vec![StrategyDocument {
            path: STRATEGY_PATH.to_owned(),
            id: STRATEGY.to_owned(),
            name: Some("Probability edge".to_owned()),
            loaded: Loaded::Valid(strategy()),
        }]),
        manifest: known(ManifestDocument {
            path: "manifests/local.toml".to_owned(),
            listed: Some(vec![STRATEGY.to_owned()]),
            places: BTreeMap::new(),
            loaded: Loaded::Valid(manifest),
        }),
    }
}

/// Thirty windows of which model and market say the same.
fn as_good_as_the_market() -> Vec<Sample> {
    let look = |n: i64| Sample {
        cluster: n,
        secs_before_close: 60,
        model: Some(0.6),
        market: Some(MarketQuote {
            bid: 0.59,
            ask: 0.61,
            is_book: true,
        }),
        up: n % 2 == 0,
        marked: false,
    };
    (0..30).map(look).collect()
}

const STRATEGY_PATH: &str = "manifests/strategies/probability-edge.json";

fn known<T>(value: T) -> Fact<T> {
    Fact::known(value, "the fixture", NOW_MS)
}

/// The fixture's manifest, to change.
pub(crate) fn manifest_mut(facts: &mut Facts) -> &mut Manifest {
    let document = facts.manifest.value.as_mut().unwrap();
    let Loaded::Valid(manifest) = &mut document.loaded else {
        panic!("the fixture's manifest is valid")
    };
    manifest
}

/// The fixture's strategy, to change.
pub(crate) fn strategy_mut(facts: &mut Facts) -> &mut StrategyFile {
    let files = facts.strategies.value.as_mut().unwrap();
    let Loaded::Valid(file) = &mut files[0].loaded else {
        panic!("the fixture's strategy is valid")
    };
    file
}

/// What the facts declare, as a check reads it.
pub(crate) fn declared(facts: &Facts) -> (Manifest, BTreeMap<StrategyId, StrategyFile>) {
    let document = facts.manifest.value.as_ref().unwrap();
    let files = facts.strategies.value.as_ref().unwrap();
    let (manifest, strategies) = crate::parts::declared(document, files).unwrap();
    (manifest.clone(), strategies)
}

/// Makes the manifest one that was refused.
pub(crate) fn refuse_manifest(facts: &mut Facts, diagnostic: &str) {
    facts.manifest.value.as_mut().unwrap().loaded = Loaded::Refused {
        diagnostics: vec![diagnostic.into()],
    };
}

fn manifest() -> Manifest {
    serde_json::from_value(serde_json::json!({
        "schema_version": 1,
        "mode": "paper",
        "strategies": [STRATEGY],
        "assets": ["btc"],
        "position_size_usd": "5",
        "max_exposure_usd": "20",
        "max_capital_usd": "50",
        "safeguards": {
            "max_open_positions": 2,
            "min_entry_interval_ms": 5000,
            "max_entries_per_tick": 1,
            "max_entries_per_window": 1,
            "max_orders_per_minute": 10,
            "max_order_shares": "100",
            "max_daily_loss_usd": "20",
            "max_consecutive_losses": 3,
            "price_collar": "0.05",
            "max_oracle_age_ms": 5000,
            "max_book_age_ms": 5000,
            "max_clock_offset_ms": 1000
        },
        "edge": { "min": "0.05", "max": "0.5" },
        "window": {
            "durations_mins": [15],
            "min_elapsed_secs": 60,
            "min_remaining_secs": 30,
            "warm_up_secs": 120
        },
        "exit": { "stop_loss": "0.2", "take_profit": "0.3", "flatten_secs": 30 }
    }))
    .unwrap()
}

/// Approves what the manifest declares.
fn approved(manifest: &Manifest) -> ApprovedLimits {
    ApprovedLimits {
        schema_version: 1,
        env: [(
            "local".to_owned(),
            FirstApproval {
                who: "the fixture".to_owned(),
                why: "a test".to_owned(),
                at: "2026-11-30T12:00:00Z".to_owned(),
                limits: looser::limits_of(manifest)
                    .into_iter()
                    .map(|(key, value)| (key, LimitValue(value)))
                    .collect(),
            },
        )]
        .into(),
        approval: Vec::new(),
    }
}

fn strategy() -> StrategyFile {
    serde_json::from_value(serde_json::json!({
        "schema_version": 1,
        "name": "Probability edge",
        "probability": { "component": "window-timing" },
        "signals": [{ "component": "edge" }],
        "aggregation": "single",
        "entry": { "component": "band" },
        "sizing": { "component": "fixed" },
        "exits": [
            { "component": "stop-loss" },
            { "component": "take-profit" },
            { "component": "window-close" }
        ]
    }))
    .unwrap()
}

fn dry_run(manifest: &Manifest) -> DryRun {
    let digest = |name: &str| format!("sha256:{name}");
    DryRun {
        end: DryRunEnd::Printed(Box::new(DryRunDocument {
            windows: 3,
            ticks: 900,
            signals: 7,
            intents: 2,
            sent: 0,
            refusals: [("edge_below_min".to_owned(), 5)].into(),
            journal_digest: digest("journal"),
            unexplained: 0,
            manifest_digest: digest("manifest"),
            effective: manifest.flattened(),
            strategies: vec![STRATEGY.to_owned()],
            components: Vec::new(),
            build_commit: HEAD.to_owned(),
            trader_sha256: digest("trader"),
        })),
        windows_wanted: 2,
        replay: Ok(Replayed {
            journal_digest: digest("journal"),
            signals: 7,
            intents: 2,
            unexplained: 0,
            refusals: [("edge_below_min".to_owned(), 5)].into(),
        }),
        manifest_digest: digest("manifest"),
        trader_sha256: digest("trader"),
        source_commit: Some(HEAD.to_owned()),
    }
}
