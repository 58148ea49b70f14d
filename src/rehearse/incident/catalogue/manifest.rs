//! Faults in what is declared: names, keys, limits, strategies.

use super::{Done, in_the_commit, row, when};
use crate::rehearse::incident::Incident;
use crate::rehearse::life;
use crate::rehearse::scratch::{RehearseError, Scratch};

const LOCAL: &str = "launch preflight --env local";
const STAGING: &str = "launch preflight --env staging";
const MANIFEST: &str = "manifests/local.toml";
const STRATEGY: &str = "manifests/strategies/probability-model.json";

pub(super) const ROWS: &[Incident] = &[
    row(
        "name-case",
        "A strategy's name in another case",
        "\"Probability-Model\" for \"probability-model\"",
        LOCAL,
        |scratch| {
            in_the_commit(scratch, "local", &["LC-201"], |scratch| {
                in_manifest(scratch, "\"probability-model\"", "\"Probability-Model\"")
            })
        },
    ),
    row(
        "name-space",
        "A strategy's name with a space behind it",
        "\"probability-model \"",
        LOCAL,
        |scratch| {
            in_the_commit(scratch, "local", &["LC-201"], |scratch| {
                in_manifest(scratch, "\"probability-model\"", "\"probability-model \"")
            })
        },
    ),
    row(
        "strategy-twice",
        "One strategy id, two files",
        "probability-model.json and probability-model.toml",
        LOCAL,
        |scratch| {
            in_the_commit(scratch, "local", &["LC-202"], |scratch| {
                scratch.write(
                    "manifests/strategies/probability-model.toml",
                    "schema_version = 1\nname = \"Another\"\n",
                )
            })
        },
    ),
    row(
        "no-strategies",
        "A manifest that lists nothing",
        "strategies = []: nothing may run in its place",
        LOCAL,
        |scratch| {
            in_the_commit(scratch, "local", &["LC-201"], |scratch| {
                in_manifest(scratch, "[\"probability-model\"]", "[]")
            })
        },
    ),
    row(
        "unsupported-aggregation",
        "An aggregation mode that nothing implements",
        "\"aggregation\": \"vote\" in the strategy file",
        LOCAL,
        |scratch| {
            in_the_commit(scratch, "local", &["LC-203"], |scratch| {
                scratch.replace(
                    STRATEGY,
                    "\"aggregation\": \"single\"",
                    "\"aggregation\": \"vote\"",
                )
            })
        },
    ),
    row(
        "unknown-component",
        "A component that does not exist",
        "\"stop-los\" for \"stop-loss\" in the strategy file",
        LOCAL,
        |scratch| {
            in_the_commit(scratch, "local", &["LC-203"], |scratch| {
                scratch.replace(STRATEGY, "\"stop-loss\"", "\"stop-los\"")
            })
        },
    ),
    row(
        "unused-key",
        "A key that nothing reads",
        "max_session_loss = 5 in the manifest",
        LOCAL,
        |scratch| {
            in_the_commit(scratch, "local", &["LC-201"], |scratch| {
                in_manifest(
                    scratch,
                    "[safeguards]\n",
                    "[safeguards]\nmax_session_loss = 5\n",
                )
            })
        },
    ),
    row(
        "control-key-typo",
        "A limit whose key is misspelt",
        "max_opne_positions for max_open_positions",
        LOCAL,
        |scratch| {
            in_the_commit(scratch, "local", &["LC-201"], |scratch| {
                in_manifest(scratch, "max_open_positions", "max_opne_positions")
            })
        },
    ),
    row(
        "limit-absent",
        "A limit that is not there",
        "max_daily_loss_usd taken out: absent is not unlimited",
        LOCAL,
        |scratch| {
            in_the_commit(scratch, "local", &["LC-201"], |scratch| {
                in_manifest(scratch, "max_daily_loss_usd = \"10\"\n", "")
            })
        },
    ),
    row(
        "limit-zero",
        "A limit of nought",
        "max_open_positions = 0",
        LOCAL,
        |scratch| {
            in_the_commit(scratch, "local", &["LC-201"], |scratch| {
                in_manifest(scratch, "max_open_positions = 4", "max_open_positions = 0")
            })
        },
    ),
    row(
        "limit-null",
        "A limit of null",
        "a JSON manifest with \"max_daily_loss_usd\": null",
        LOCAL,
        |scratch| in_the_commit(scratch, "local", &["LC-201"], null_limit),
    ),
    row(
        "limit-raised",
        "A limit raised under another title",
        "staging's max_daily_loss_usd raised from 10 to 20, approved by nobody",
        STAGING,
        |scratch| {
            in_the_commit(scratch, "staging", &["LC-205"], |scratch| {
                scratch.replace(
                    "manifests/staging.toml",
                    "max_daily_loss_usd = \"10\"",
                    "max_daily_loss_usd = \"20\"",
                )
            })
        },
    ),
    row(
        "limits-contradict",
        "Limits that contradict each other",
        "max_exposure_usd 1000 with a capital of 25",
        LOCAL,
        |scratch| {
            in_the_commit(scratch, "local", &["LC-206"], |scratch| {
                in_manifest(
                    scratch,
                    "max_exposure_usd = \"20\"",
                    "max_exposure_usd = \"1000\"",
                )
            })
        },
    ),
    row(
        "never-ready",
        "A component that is asked before it is ready",
        "one second of warm-up for a volatility that needs two minutes",
        LOCAL,
        |scratch| {
            in_the_commit(scratch, "local", &["LC-301"], |scratch| {
                in_manifest(scratch, "warm_up_secs = 120", "warm_up_secs = 1")
            })
        },
    ),
    row(
        "asset-unknown",
        "An asset that nobody trades here",
        "\"doge\" beside \"btc\" in the manifest",
        LOCAL,
        |scratch| {
            in_the_commit(scratch, "local", &["LC-201"], |scratch| {
                in_manifest(scratch, "\"btc\"", "\"doge\", \"btc\"")
            })
        },
    ),
    row(
        "live-unproved",
        "Real money where nobody asked for it",
        "mode = \"live\" in a manifest of class local",
        LOCAL,
        |scratch| {
            in_the_commit(scratch, "local", &["LC-201"], |scratch| {
                in_manifest(scratch, "mode = \"paper\"", "mode = \"live\"")
            })
        },
    ),
    row(
        "key-twice",
        "One key with two values",
        "max_open_positions written twice in a JSON manifest: which one would count?",
        LOCAL,
        |scratch| in_the_commit(scratch, "local", &["LC-201"], doubled_key),
    ),
    row(
        "wrong-environment",
        "A preflight of another environment",
        "--env stagin: no such environment, nothing is judged in its place",
        "launch preflight --env stagin",
        |scratch| {
            life::scaffold(scratch)?;
            life::commit_and_push(scratch)?;
            let ran = scratch.launch(&["preflight", "--env", "stagin"])?;
            let said = ran.stderr.lines().next().unwrap_or_default().to_owned();
            Ok(when(
                ran.code == Some(2) && ran.stdout.is_empty(),
                &["exit:2"],
                said,
            ))
        },
    ),
];

fn in_manifest(scratch: &Scratch, from: &str, to: &str) -> Done {
    scratch.replace(MANIFEST, from, to)
}

/// The manifest as JSON, spoiled, in the place of the TOML one.
fn as_json(scratch: &Scratch, spoil: fn(String) -> String) -> Done {
    let wrong = |error: &dyn std::fmt::Display| RehearseError::Wrong(error.to_string());
    let manifest: toml::Value =
        toml::from_str(&scratch.read(MANIFEST)?).map_err(|error| wrong(&error))?;
    let text = serde_json::to_string_pretty(&manifest).map_err(|error| wrong(&error))?;
    let spoiled = spoil(text.clone());
    if spoiled == text {
        return Err(RehearseError::Wrong("nothing was planted".to_owned()));
    }
    scratch.write("manifests/local.json", &spoiled)?;
    scratch.replace("manifests/launch.toml", MANIFEST, "manifests/local.json")
}

fn null_limit(scratch: &Scratch) -> Done {
    as_json(scratch, |text| {
        text.replace(
            "\"max_daily_loss_usd\": \"10\"",
            "\"max_daily_loss_usd\": null",
        )
    })
}

fn doubled_key(scratch: &Scratch) -> Done {
    as_json(scratch, |text| {
        text.replace(
            "\"max_open_positions\": 4",
            "\"max_open_positions\": 4, \"max_open_positions\": 40",
        )
    })
}
