//! Many faults at once: one run finds each of them, and none hides another.

use super::{Done, judged, row};
use crate::rehearse::incident::Incident;
use crate::rehearse::life;
use crate::rehearse::scratch::Scratch;

pub(super) const ROWS: &[Incident] = &[
    row(
        "together-sources",
        "Everything wrong at once: sources, names, keys",
        "dirty, unpushed, a needed file ignored, a strategy twice, a name misspelt, a key unknown, a limit of 0",
        "launch preflight --env staging",
        |scratch| {
            life::scaffold(scratch)?;
            life::commit_and_push(scratch)?;
            sources(scratch)?;
            judged(
                scratch,
                "staging",
                &["LC-101", "LC-102", "LC-103", "LC-201", "LC-202"],
            )
        },
    ),
    row(
        "together-values",
        "Everything wrong at once: values that are each well-formed",
        "limits that contradict each other, a limit raised, no time to warm up",
        "launch preflight --env staging",
        |scratch| {
            life::scaffold(scratch)?;
            values(scratch)?;
            life::commit_and_push(scratch)?;
            judged(scratch, "staging", &["LC-205", "LC-206", "LC-301"])
        },
    ),
];

const MANIFEST: &str = "manifests/staging.toml";

fn sources(scratch: &Scratch) -> Done {
    let strategy = scratch.read("manifests/strategies/probability-model.json")?;
    scratch.write("manifests/strategies/lag.json", &strategy)?;
    scratch.write("manifests/strategies/lag.toml", "name = \"Lag\"\n")?;
    scratch.write("manifests/strategies/kept-out.json", &strategy)?;
    let ignored = scratch.read(".gitignore")?;
    scratch.write(
        ".gitignore",
        &format!("{ignored}manifests/strategies/kept-out.json\n"),
    )?;
    scratch.replace(
        MANIFEST,
        "[\"probability-model\"]",
        "[\"probabilty-model\", \"lag\", \"kept-out\"]",
    )?;
    scratch.replace(MANIFEST, "[edge]\n", "[edge]\nmaximum = 1\n")?;
    scratch.replace(MANIFEST, "max_open_positions = 4", "max_open_positions = 0")?;
    scratch.git(&["add", "-A"])?;
    scratch.git(&["commit", "-q", "-m", "config: names"])?;
    scratch.write("untracked.txt", "x\n")
}

fn values(scratch: &Scratch) -> Done {
    scratch.replace(
        MANIFEST,
        "max_exposure_usd = \"20\"",
        "max_exposure_usd = \"1000\"",
    )?;
    scratch.replace(
        MANIFEST,
        "max_daily_loss_usd = \"10\"",
        "max_daily_loss_usd = \"20\"",
    )?;
    scratch.replace(MANIFEST, "warm_up_secs = 120", "warm_up_secs = 1")
}
