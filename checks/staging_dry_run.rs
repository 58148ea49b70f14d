//! LC-501 staging dry run: the trader itself, as a child process on an export of HEAD, runs N windows,
//! sends nothing, leaves nothing unexplained, and a replay of its tape reproduces its journal.
//!
//! Judges what the child printed against what this process knows by itself: the manifest digest of
//! HEAD's blobs, the executable's sha256, the declared values, the replay's digest. A child that never
//! ended proves nothing (unknown); one that broke down fails.

use crate::facts::{DryRun, DryRunEnd, Facts, Loaded, Replayed, known};
use crate::outcome::{Finding, Outcome};
use crate::source_committed::short;
use crate::targets::Platform;
use serde_json::Value;
use trader_core::units::StrategyId;
use trader_core::wire::DryRunDocument;

pub(crate) fn run(facts: &Facts) -> Outcome {
    let dry_run = known!(facts.dry_run);
    let document = match &dry_run.end {
        DryRunEnd::Printed(document) => document,
        DryRunEnd::Broke { what, stderr } => {
            return Finding::new(format!("the trader's dry run broke: {what}"))
                .seen(stderr)
                .help("run it yourself: launch trade --mode dry-run (with the same manifest)")
                .fail();
        }
        DryRunEnd::TimedOut { after_secs } => {
            return Finding::new(format!(
                "the trader's dry run did not end within {after_secs} s, so nothing is proved"
            ))
            .help("run it yourself: launch trade --mode dry-run (with the same manifest)")
            .unknown();
        }
    };
    let faults = faults(facts, dry_run, document);
    if !faults.is_empty() {
        return about(
            document,
            Finding::new(format!(
                "the dry run is not what was declared: {}",
                faults.first().map_or("", String::as_str)
            )),
        )
        .seen(faults)
        .help("launch trade --mode dry-run shows the whole document")
        .fail();
    }
    let finding = about(document, Finding::new(figures(document)));
    match other_build(facts, dry_run, document) {
        Some(warning) => Finding {
            message: format!("{} ({warning})", finding.message),
            ..finding
        }
        .help("build launch from this commit (cargo install --path .) to rehearse exactly it")
        .warn(),
        None => finding.pass(),
    }
}

/// The line of figures that phase 4 shows.
fn figures(document: &DryRunDocument) -> String {
    let refusals = if document.refusals.is_empty() {
        "no refusals".to_owned()
    } else {
        let reasons: Vec<String> = document
            .refusals
            .iter()
            .map(|(reason, count)| format!("{reason} {count}"))
            .collect();
        format!("refusals: {}", reasons.join(", "))
    };
    format!(
        "{} windows, {} ticks, {} signals, {} intents, {} sent, {refusals}",
        document.windows, document.ticks, document.signals, document.intents, document.sent
    )
}

fn faults(facts: &Facts, dry_run: &DryRun, document: &DryRunDocument) -> Vec<String> {
    let mut faults = Vec::new();
    let mut hold = |holds: bool, text: String| {
        if !holds {
            faults.push(text);
        }
    };
    hold(
        document.sent == 0,
        format!("{} orders were sent (wanted 0)", document.sent),
    );
    hold(
        document.unexplained == 0,
        format!("{} unexplained events (wanted 0)", document.unexplained),
    );
    hold(
        document.windows >= dry_run.windows_wanted,
        format!(
            "{} windows (wanted {})",
            document.windows, dry_run.windows_wanted
        ),
    );
    hold(document.ticks > 0, "no tick reached the engine".to_owned());
    hold(
        document.signals > 0 || document.intents > 0 || !document.refusals.is_empty(),
        "nothing was decided: no signal, no intent, no refusal".to_owned(),
    );
    match &dry_run.replay {
        Ok(replayed) => hold_replay(replayed, document, &mut hold),
        Err(why) => hold(false, format!("its tape cannot be replayed: {why}")),
    }
    hold(
        document.manifest_digest == dry_run.manifest_digest,
        format!(
            "it ran manifest {}, HEAD has {}",
            document.manifest_digest, dry_run.manifest_digest
        ),
    );
    hold(
        document.trader_sha256 == dry_run.trader_sha256,
        format!(
            "it was {}, started was {}",
            document.trader_sha256, dry_run.trader_sha256
        ),
    );
    if let (Some(commit), Platform::Railway) = (&dry_run.source_commit, facts.env.platform) {
        hold(
            *commit == document.build_commit,
            format!(
                "it was built from {}, HEAD is {}",
                document.build_commit,
                short(commit)
            ),
        );
    }
    hold_declared(facts, document, &mut hold);
    faults
}

/// The child's own figures are not believed: the same engine over the same tape must give them too.
fn hold_replay(
    replayed: &Replayed,
    document: &DryRunDocument,
    hold: &mut impl FnMut(bool, String),
) {
    hold(
        replayed.journal_digest == document.journal_digest,
        format!(
            "replay gives journal {}, the run gave {}",
            replayed.journal_digest, document.journal_digest
        ),
    );
    for (name, again, once) in [
        ("signals", replayed.signals, document.signals),
        ("intents", replayed.intents, document.intents),
        (
            "unexplained events",
            replayed.unexplained,
            document.unexplained,
        ),
    ] {
        hold(
            again == once,
            format!("replay gives {again} {name}, the run gave {once}"),
        );
    }
    hold(
        replayed.refusals == document.refusals,
        format!(
            "replay refuses {:?}, the run refused {:?}",
            replayed.refusals, document.refusals
        ),
    );
}

fn hold_declared(facts: &Facts, document: &DryRunDocument, hold: &mut impl FnMut(bool, String)) {
    let Some(Loaded::Valid(manifest)) = facts.manifest.value.as_ref().ok().map(|m| &m.loaded)
    else {
        hold(
            false,
            "the manifest that it ran cannot be read here".to_owned(),
        );
        return;
    };
    let declared = manifest.flattened();
    for (key, value) in &declared {
        // A dry run replaces the mode, and only that.
        if key == "mode" {
            continue;
        }
        let seen = document.effective.get(key);
        hold(
            seen == Some(value),
            format!(
                "{key} is declared {value}, in effect {}",
                seen.unwrap_or(&Value::Null)
            ),
        );
    }
    let listed: Vec<&str> = manifest.strategies.iter().map(StrategyId::as_str).collect();
    hold(
        document
            .strategies
            .iter()
            .map(String::as_str)
            .eq(listed.iter().copied()),
        format!(
            "strategies {:?} ran, {listed:?} are declared",
            document.strategies
        ),
    );
}

/// Where HEAD carries the trader's source, the rehearsed program should be built from it. On a local
/// target it is the `launch` that runs this, so another build is a warning and no failure.
fn other_build(facts: &Facts, dry_run: &DryRun, document: &DryRunDocument) -> Option<String> {
    let commit = dry_run.source_commit.as_ref()?;
    (facts.env.platform == Platform::Local && *commit != document.build_commit).then(|| {
        format!(
            "built from {}, HEAD is {}",
            short(&document.build_commit),
            short(commit)
        )
    })
}

fn about(document: &DryRunDocument, finding: Finding) -> Finding {
    finding
        .evidence("windows", document.windows)
        .evidence("ticks", document.ticks)
        .evidence("signals", document.signals)
        .evidence("intents", document.intents)
        .evidence("sent", document.sent)
        .evidence("unexplained", document.unexplained)
        .evidence(
            "refusals",
            document
                .refusals
                .iter()
                .map(|(reason, count)| (reason.clone(), Value::from(*count)))
                .collect::<serde_json::Map<_, _>>(),
        )
        .evidence("journal_digest", document.journal_digest.as_str())
        .evidence("manifest_digest", document.manifest_digest.as_str())
        .evidence("trader_sha256", document.trader_sha256.as_str())
        .evidence("build_commit", document.build_commit.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Fact, Missing};
    use crate::fixtures::{OTHER, check, facts};
    use crate::report::Status;

    fn with(change: impl FnOnce(&mut DryRunDocument)) -> Facts {
        let mut facts = facts();
        let DryRunEnd::Printed(document) = &mut facts.dry_run.value.as_mut().unwrap().end else {
            panic!("the fixture printed")
        };
        change(document);
        facts
    }

    #[test]
    fn passing() {
        check(
            "LC-501",
            &facts(),
            Status::Pass,
            "3 windows, 900 ticks, 7 signals, 2 intents, 0 sent, refusals: edge_below_min 5",
        );
    }

    #[test]
    fn failing() {
        for (facts, word) in vec![
            (with(|d| d.sent = 1), "1 orders were sent"),
            (with(|d| d.unexplained = 1), "1 unexplained"),
            (
                with(|d| d.signals = 8),
                "replay gives 7 signals, the run gave 8",
            ),
            (
                with(|d| d.intents = 0),
                "replay gives 2 intents, the run gave 0",
            ),
            (with(|d| d.refusals.clear()), "replay refuses"),
            (with(|d| d.ticks = 0), "no tick"),
            (
                with(|d| d.journal_digest = "sha256:other".to_owned()),
                "replay gives",
            ),
            (
                with(|d| d.manifest_digest = "sha256:other".to_owned()),
                "it ran manifest",
            ),
            (
                with(|d| d.trader_sha256 = "sha256:other".to_owned()),
                "it was sha256:other",
            ),
            (
                with(|d| d.strategies = vec!["fallback".to_owned()]),
                "fallback",
            ),
            (
                with(|d| {
                    d.effective
                        .insert("position_size_usd".to_owned(), "6".into());
                }),
                "position_size_usd is declared \"5\", in effect \"6\"",
            ),
            (
                with(|d| {
                    d.effective.remove("exit.stop_loss");
                }),
                "exit.stop_loss",
            ),
            (
                with(|d| {
                    d.signals = 0;
                    d.intents = 0;
                    d.refusals.clear();
                }),
                "nothing was decided",
            ),
        ] {
            check("LC-501", &facts, Status::Fail, word);
        }
        let mut broke = facts();
        broke.dry_run.value.as_mut().unwrap().end = DryRunEnd::Broke {
            what: "exit status 70".to_owned(),
            stderr: vec!["why".to_owned()],
        };
        check("LC-501", &broke, Status::Fail, "exit status 70");
        let mut no_replay = facts();
        no_replay.dry_run.value.as_mut().unwrap().replay = Err("line 3".to_owned());
        check(
            "LC-501",
            &no_replay,
            Status::Fail,
            "cannot be replayed: line 3",
        );
    }

    fn quiet_facts() -> Facts {
        let mut facts = with(|d| {
            d.windows = 2;
            d.signals = 0;
            d.intents = 0;
        });
        let replay = &mut facts.dry_run.value.as_mut().unwrap().replay;
        let replayed = replay.as_mut().unwrap();
        (replayed.signals, replayed.intents) = (0, 0);
        facts
    }

    #[test]
    fn just_inside() {
        check("LC-501", &quiet_facts(), Status::Pass, "2 windows");
        check(
            "LC-501",
            &with(|d| d.windows = 1),
            Status::Fail,
            "1 windows (wanted 2)",
        );
    }

    #[test]
    fn fact_missing() {
        let mut facts = facts();
        facts.dry_run = Fact::missing(Missing::new("no export could be made"), "child", 0);
        check("LC-501", &facts, Status::Unknown, "no export could be made");
        let mut late = self::facts();
        late.dry_run.value.as_mut().unwrap().end = DryRunEnd::TimedOut { after_secs: 60 };
        check("LC-501", &late, Status::Unknown, "within 60 s");
    }

    #[test]
    fn another_build_warns_locally_and_fails_for_railway() {
        let mut facts = facts();
        facts.dry_run.value.as_mut().unwrap().source_commit = Some(OTHER.to_owned());
        check(
            "LC-501",
            &facts,
            Status::Warn,
            "built from 1111111111, HEAD is 2222222222",
        );
        facts.env.platform = Platform::Railway;
        check("LC-501", &facts, Status::Fail, "it was built from");
    }
}
