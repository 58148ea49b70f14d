//! Receipts: what was checked, deployed, verified, re-enabled, one line each, never rewritten.
//!
//! The shape is an in-toto Statement whose subject is the commit and its tree. Lines are chained by
//! digest and signed with this machine's key, so that an edited, removed, reordered or forged line shows. Must not decide, and must not keep a
//! secret: predicates are built from plans and reports, which hold none.

pub mod adopt;
pub mod command;
pub mod lines;
pub mod signer;
pub mod statement;

pub use adopt::adopt;
pub use command::{ReceiptsArgs, run};
pub use statement::{Kind, Statement};

use launch_kill::StateDir;
use std::path::PathBuf;

/// The file that holds this machine's receipts.
pub fn path(state: &StateDir) -> PathBuf {
    state.root().join("receipts").join("receipts.jsonl")
}

/// Appends one receipt and makes it durable.
///
/// # Errors
/// The file cannot be written, or what it holds already is not a whole chain.
pub fn append(state: &StateDir, statement: &Statement) -> Result<(), lines::LinesError> {
    let record = serde_json::to_value(statement).map_err(lines::LinesError::Record)?;
    let signer = signer::Signer::of(state)?;
    lines::append_signed(&path(state), &record, &signer)
}

/// [`read_all`], after making sure that another receipt can be signed behind them: for whoever is about to do
/// what must leave one.
///
/// # Errors
/// As there, and where the key that signed them is not here.
pub fn read_to_append(state: &StateDir) -> Result<Vec<Statement>, lines::LinesError> {
    let signer = signer::Signer::of(state)?;
    lines::can_append(&path(state), &signer)?;
    read_all(state)
}

/// All receipts, oldest first, the chain checked. No file = none.
///
/// # Errors
/// Unreadable, or a line that was edited, removed or reordered.
pub fn read_all(state: &StateDir) -> Result<Vec<Statement>, lines::LinesError> {
    let path = path(state);
    lines::read_all(&path)?
        .into_iter()
        .enumerate()
        .map(|(index, record)| {
            serde_json::from_value(record).map_err(|error| lines::LinesError::Broken {
                path: path.clone(),
                line: index.saturating_add(1),
                what: format!("its record is no receipt: {error}"),
            })
        })
        .collect()
}
