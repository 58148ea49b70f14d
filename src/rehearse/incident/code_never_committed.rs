//! 140 files lay uncommitted on a laptop while the old code was deployed.
//!
//! Planted: an edited file, an untracked file, and a commit that nobody pushed. Right: staging refuses to
//! deploy any of it, and names each.

use super::{Incident, Outcome, message, refusing_checks};
use crate::rehearse::life;
use crate::rehearse::scratch::{RehearseError, Scratch};

pub(super) const INCIDENT: Incident = Incident {
    id: "1",
    of: None,
    slug: "code-never-committed",
    title: "EPIC 7 & 8 CODE WAS NEVER COMMITTED TO GIT",
    planted: "an edited file, an untracked file, a commit that was not pushed",
    command: "touch new.txt && launch preflight --env staging",
    plant,
};

fn plant(scratch: &mut Scratch) -> Result<Outcome, RehearseError> {
    life::scaffold(scratch)?;
    life::commit_and_push(scratch)?;
    scratch.write("notes.md", "committed, but never pushed\n")?;
    scratch.git(&["add", "-A"])?;
    scratch.git(&["commit", "-q", "-m", "notes"])?;
    scratch.write("notes.md", "edited, but never committed\n")?;
    scratch.write(
        "epic-8.rs",
        "// the code that everybody believed was running\n",
    )?;
    let ran = scratch.launch(&["preflight", "--env", "staging", "--format", "json"])?;
    let report = ran.expect(1)?.json()?;
    // A deploy runs the same list; it must refuse too, and start nothing.
    let deploy = scratch.launch(&["deploy", "--env", "staging"])?.expect(1)?;
    let started = deploy.stdout.contains("deployed");
    let by: Vec<String> = refusing_checks(&report)
        .into_iter()
        .filter(|check| !started && (check == "check:LC-101" || check == "check:LC-102"))
        .collect();
    // Both facts were planted, so both must be seen.
    let by = if by.len() == 2 { by } else { Vec::new() };
    let detail = format!(
        "{}; {}",
        message(&report, "LC-101"),
        message(&report, "LC-102")
    );
    Ok(Outcome { by, detail })
}
