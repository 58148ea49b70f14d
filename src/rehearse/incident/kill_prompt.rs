//! The second form of the kill switch: a prompt. The platform's command asked for a confirmation, and in
//! the place where it ran there was no terminal to answer in.
//!
//! Planted: no terminal; stdin is an open pipe on which nobody ever says a word, in an empty folder. Right: it
//! asks nothing and waits for nobody.

use super::{Incident, Outcome};
use crate::rehearse::document::text;
use crate::rehearse::life;
use crate::rehearse::scratch::{RehearseError, Scratch};
use std::time::Instant;

pub(super) const INCIDENT: Incident = Incident {
    id: "kill-prompt",
    of: Some("2"),
    slug: "kill-prompt",
    title: "KILL SWITCH, SECOND FORM: a prompt without a terminal",
    planted: "no terminal; stdin is a pipe on which nobody ever answers; an empty folder",
    command: "sleep 60 | launch kill --env staging 2>&1 | cat",
    plant,
};

fn plant(scratch: &mut Scratch) -> Result<Outcome, RehearseError> {
    life::scaffold(scratch)?;
    life::commit_and_push(scratch)?;
    life::deploy(scratch)?;
    scratch.lose_project()?;
    let started = Instant::now();
    let ran = scratch.launch_unanswered(&[
        "kill", "--env", "staging", "--settle", "1", "--format", "json",
    ])?;
    let elapsed_ms = started.elapsed().as_millis();
    let code = ran.code;
    let document = ran.expect(0)?.json()?;
    let after = life::living_traders(scratch)?;
    let refused = text(&document, "/verdict") == "verified" && after == 0;
    let by = if refused {
        vec!["kill:asks_nothing".to_owned(), "kill:witness".to_owned()]
    } else {
        Vec::new()
    };
    let detail = format!(
        "exit {} after {elapsed_ms} ms without an answer; {}; traders alive {after}",
        code.unwrap_or(-1),
        life::kill_figures(&document)
    );
    Ok(Outcome { by, detail })
}
