//! `launch rehearse --incident`: the faults of 2026-02-01, planted again one at a time, and what refuses
//! each today; then the catalogue of all others (`catalogue/`). One file per fault of the report, one table.
//!
//! Titles of the report's rows are its own words. A few rows are planted side by side (each in a scratch
//! project of its own, most of it waiting); they are shown in the order of the table. A row passes only when what refused it is named; a fault that goes
//! through is exit 1.

mod catalogue;
mod code_never_committed;
mod components_not_initialized;
mod kill_did_not_work;
mod kill_pid_elsewhere;
mod kill_prompt;
mod kill_says_done;
mod kill_unread_key;
mod many_deploys;
mod names_did_not_match;
mod positions_stacked;
mod probability_incorrect;
mod symbol_case;
mod token_id_field;
mod wrong_price;
mod wrong_window;

use super::as_json;
use super::document::{list, text};
use super::interrupt::Interrupt;
use super::progress::{mark, seconds};
use super::scratch::{RehearseError, Scratch};
use crate::context::{Context, Format};
use crate::exit::Exit;
use serde::Serialize;
use serde_json::Value;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Most rows that are planted side by side.
const SIDE_BY_SIDE_MAX: usize = 4;

/// Version of the JSON document.
const SCHEMA_VERSION: u32 = 1;

/// What happened to a planted fault.
#[derive(Debug)]
pub(super) struct Outcome {
    /// What refused it: `check:LC-202`, `safeguard:window_once`, `kill:…`. Empty when nothing did.
    pub(super) by: Vec<String>,
    /// What was seen.
    pub(super) detail: String,
}

/// One fault.
#[derive(Debug, Clone, Copy)]
pub(super) struct Incident {
    /// The report's number, or a stable slug.
    id: &'static str,
    /// The report's incident of which this is one form: named by that number, it is planted, too.
    of: Option<&'static str>,
    /// A word to call it by.
    slug: &'static str,
    /// The report's own words.
    title: &'static str,
    /// What is planted here.
    planted: &'static str,
    /// What a person types to see it refused.
    command: &'static str,
    plant: fn(&mut Scratch) -> Result<Outcome, RehearseError>,
}

/// Every fault that is rehearsed: the report's own in its order, then the forms in which the kill switch
/// failed before and after it.
const INCIDENTS: &[Incident] = &[
    code_never_committed::INCIDENT,
    kill_did_not_work::INCIDENT,
    names_did_not_match::INCIDENT,
    components_not_initialized::INCIDENT,
    wrong_price::INCIDENT,
    symbol_case::INCIDENT,
    token_id_field::INCIDENT,
    probability_incorrect::INCIDENT,
    positions_stacked::INCIDENT,
    wrong_window::INCIDENT,
    many_deploys::INCIDENT,
    kill_pid_elsewhere::INCIDENT,
    kill_prompt::INCIDENT,
    kill_says_done::INCIDENT,
    kill_unread_key::INCIDENT,
];

/// One row of the document.
#[derive(Debug, Serialize)]
struct Row {
    id: &'static str,
    title: &'static str,
    planted: &'static str,
    refused: bool,
    by: Vec<String>,
    command: &'static str,
    detail: String,
}

/// The document.
#[derive(Debug, Serialize)]
struct IncidentReport {
    schema_version: u32,
    incidents: Vec<Row>,
}

/// The report's rows, then the catalogue's.
fn rows() -> impl Iterator<Item = &'static Incident> {
    let catalogue = catalogue::PLACES.iter().flat_map(|(_, rows)| rows.iter());
    INCIDENTS.iter().chain(catalogue)
}

/// Plants what was asked for.
pub(super) fn run(which: &str, keep: bool, ctx: &Context, interrupt: &Interrupt) -> Exit {
    let asked: Vec<&Incident> = rows()
        .filter(|incident| is_meant(incident, which))
        .collect();
    if asked.is_empty() {
        let known: Vec<String> = rows()
            .map(|known| {
                if known.id == known.slug {
                    known.id.to_owned()
                } else {
                    format!("{} ({})", known.id, known.slug)
                }
            })
            .collect();
        ctx.error(&format!(
            "error: no incident {which:?}\nhelp: all, a whole place ({}), or one of {}",
            catalogue::PLACES
                .iter()
                .map(|(place, _)| *place)
                .collect::<Vec<_>>()
                .join(", "),
            known.join(", ")
        ));
        return Exit::Usage;
    }
    let report = IncidentReport {
        schema_version: SCHEMA_VERSION,
        incidents: plant_all(&asked, keep, ctx, interrupt),
    };
    if interrupt.is_set() {
        ctx.error("interrupted; the scratch projects are taken down");
        return Exit::Interrupted;
    }
    let all_refused = report.incidents.iter().all(|row| row.refused);
    match ctx.format {
        Format::Json => ctx.document(&as_json(&report)),
        Format::Human => ctx.document(&table(&report, ctx.color)),
    }
    if all_refused {
        Exit::Ok
    } else {
        Exit::CheckFailed
    }
}

/// Plants the rows, a few side by side; results in the order of `asked`.
fn plant_all(
    asked: &[&'static Incident],
    keep: bool,
    ctx: &Context,
    interrupt: &Interrupt,
) -> Vec<Row> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    let work = || {
        while let Some((place, incident)) = asked
            .get(next.fetch_add(1, Ordering::Relaxed))
            .map(|incident| (incident.id, *incident))
        {
            if interrupt.is_set() {
                return;
            }
            let started = Instant::now();
            let row = plant(incident, keep, ctx, interrupt);
            ctx.note(&format!(
                "{} {place}: {}, {}",
                if row.refused {
                    "refused"
                } else {
                    "NOT REFUSED"
                },
                incident.title,
                seconds(super::millis(started.elapsed()))
            ));
            done.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(row);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE_MAX.min(asked.len()) {
            scope.spawn(work);
        }
    });
    let mut rows = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    rows.sort_by_key(|row| asked.iter().position(|incident| incident.id == row.id));
    rows
}

fn is_meant(incident: &Incident, which: &str) -> bool {
    which == "all"
        || which == incident.id
        || which == incident.slug
        || incident.of == Some(which)
        || INCIDENTS
            .iter()
            .any(|whole| whole.slug == which && incident.of == Some(whole.id))
        || catalogue::PLACES
            .iter()
            .any(|(place, rows)| *place == which && rows.iter().any(|row| row.id == incident.id))
}

fn plant(incident: &Incident, keep: bool, ctx: &Context, interrupt: &Interrupt) -> Row {
    let outcome = Scratch::new(interrupt).and_then(|mut scratch| {
        if keep {
            ctx.note(&format!("scratch project: {}", scratch.keep().display()));
        }
        (incident.plant)(&mut scratch)
    });
    // What could not be rehearsed is not refused.
    let (by, detail) = match outcome {
        Ok(outcome) => (outcome.by, outcome.detail),
        Err(error) => (Vec::new(), format!("could not be rehearsed: {error}")),
    };
    Row {
        id: incident.id,
        title: incident.title,
        planted: incident.planted,
        refused: !by.is_empty(),
        by,
        command: incident.command,
        detail,
    }
}

fn table(report: &IncidentReport, color: bool) -> String {
    let mut out = String::new();
    for row in &report.incidents {
        let word = if row.refused {
            "refused"
        } else {
            "NOT REFUSED"
        };
        // Writing into a String cannot fail.
        let _infallible = writeln!(
            out,
            "{:>2}  {}\n    planted   {}\n    {}   by {}\n    seen      {}\n    try       {}\n",
            row.id,
            row.title,
            row.planted,
            mark(row.refused, word, color),
            if row.by.is_empty() {
                "nothing".to_owned()
            } else {
                row.by.join(", ")
            },
            row.detail,
            row.command,
        );
    }
    let refused = report.incidents.iter().filter(|row| row.refused).count();
    let _infallible = writeln!(
        out,
        "{refused} of {} planted faults refused",
        report.incidents.len()
    );
    out
}

/// The codes of the checks that did not pass in a preflight document, as `check:LC-nnn`.
fn refusing_checks(document: &Value) -> Vec<String> {
    list(document, "/checks")
        .iter()
        .filter(|check| text(check, "/status") == "fail")
        .map(|check| format!("check:{}", text(check, "/code")))
        .collect()
}

/// The message of one check in a preflight document.
fn message<'a>(document: &'a Value, code: &str) -> &'a str {
    list(document, "/checks")
        .iter()
        .find(|check| text(check, "/code") == code)
        .map_or("?", |check| text(check, "/message"))
}

/// What one check saw in a preflight document: the first thing that it names.
fn seen<'a>(document: &'a Value, code: &str) -> &'a str {
    list(document, "/checks")
        .iter()
        .find(|check| text(check, "/code") == code)
        .map_or("?", |check| text(check, "/evidence/seen/0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant(which: &str) -> Vec<&'static str> {
        let all = rows().filter(|incident| is_meant(incident, which));
        all.map(|incident| incident.id).collect()
    }

    #[test]
    fn an_incident_brings_its_forms_and_all_brings_every_row_once() {
        let report: Vec<String> = INCIDENTS
            .iter()
            .take(11)
            .map(|incident| incident.id.to_owned())
            .collect();
        let eleven: Vec<String> = (1..=11).map(|number| number.to_string()).collect();
        assert_eq!(report, eleven, "the report's own rows, in its order");
        assert_eq!(meant("9"), ["9"]);
        assert_eq!(meant("2").len(), 5);
        assert_eq!(meant("2"), meant("kill-did-not-work"));
        assert_eq!(meant("kill-prompt"), ["kill-prompt"]);
        assert_eq!(meant("99"), Vec::<&str>::new());
        for (place, rows) in catalogue::PLACES {
            assert_eq!(meant(place).len(), rows.len(), "{place}");
        }
        let mut all = meant("all");
        assert_eq!(all.len(), rows().count());
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), rows().count(), "ids are stable and unique");
        assert!(
            rows().count() >= INCIDENTS.len() + 40,
            "the catalogue may only grow"
        );
    }
}
