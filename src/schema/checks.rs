//! `launch schema checks`: the table of checks as a document, and what it lost against another one.
//!
//! The document is committed as `schemas/checks.json`; the CI gate holds a pull request's program against
//! the one of the base branch.

use crate::context::{Context, NoState};
use crate::exit::Exit;
use launch_checks::Strength;
use std::path::Path;

/// Name of the committed document in `schemas/`.
pub const CHECKS_FILE: &str = "checks.json";

/// Most bytes of a document that is compared with: the real one has some 20,000.
const BYTES_MAX: u64 = 1 << 20;

/// The document as it is committed.
pub fn checks_document() -> String {
    // A plain structure of texts and flags always becomes JSON.
    serde_json::to_string_pretty(&Strength::own()).unwrap_or_default() + "\n"
}

/// Holds this program's table against the document at `path`: 1 when it is weaker, 2 when the document
/// cannot be read.
pub(super) fn against(path: &Path, ctx: &Context<NoState>) -> Exit {
    let base = match read(&ctx.cwd.join(path)) {
        Ok(base) => base,
        Err(why) => {
            ctx.error(&format!(
                "{}: {why}\nwanted: a table as `launch schema checks` prints it\nhelp: git show \
                 BASE:schemas/{CHECKS_FILE} > FILE",
                path.display()
            ));
            return Exit::Usage;
        }
    };
    let faults = Strength::own().weaker_than(&base);
    if faults.is_empty() {
        ctx.document(&format!(
            "{} checks, none weaker than in {}\n",
            base.checks.len(),
            path.display()
        ));
        return Exit::Ok;
    }
    ctx.document(&format!("{}\n", faults.join("\n")));
    ctx.error(&format!(
        "{} ways in which the checks are weaker than in {}",
        faults.len(),
        path.display()
    ));
    Exit::CheckFailed
}

fn read(path: &Path) -> Result<Strength, String> {
    let found = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !found.is_file() {
        return Err("it is no regular file".to_owned());
    }
    if found.len() > BYTES_MAX {
        return Err(format!(
            "it has {} bytes, at most {BYTES_MAX} are read",
            found.len()
        ));
    }
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    serde_json::from_slice(&bytes).map_err(|error| error.to_string())
}
