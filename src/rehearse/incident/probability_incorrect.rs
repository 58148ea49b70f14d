//! "S: 0.55, K: 0.50, `p_up`: 1.0 ???": right arithmetic on meaningless inputs. A coin's volatility was laid on the
//! ratio of two token prices.
//!
//! Planted: that very call. Right: the formula does say 1.0, as it must, and the guard before it refuses the
//! inputs; the same call through a preflight's own checks holds for this commit.

use super::catalogue::when;
use super::{Incident, Outcome};
use crate::rehearse::document::{list, text};
use crate::rehearse::life;
use crate::rehearse::scratch::{RehearseError, Scratch};
use trader_core::model::{ModelInput, PLAUSIBLE_SIGMAS, Settlement, p_up, plausibility};
use trader_core::units::{OraclePrice, ReferencePrice, Volatility};

pub(super) const INCIDENT: Incident = Incident {
    id: "8",
    of: None,
    slug: "probability-incorrect",
    title: "PROBABILITY MODEL RETURNED INCORRECT VALUES",
    planted: "the incident's own call: S 0.55, K 0.50, volatility 0.50, 900 seconds",
    command: "launch preflight --env local --only LC-304,LC-305,LC-306",
    plant,
};

/// The window's whole length, ms.
const REMAINING_MS: i64 = 900_000;

fn plant(scratch: &mut Scratch) -> Result<Outcome, RehearseError> {
    let wrong = |error: &dyn std::fmt::Display| RehearseError::Wrong(error.to_string());
    let oracle: OraclePrice = "0.55".parse().map_err(|error| wrong(&error))?;
    let reference: ReferencePrice = "0.50".parse().map_err(|error| wrong(&error))?;
    let volatility = Volatility::try_new(0.5).map_err(|error| wrong(&error))?;
    let bare = p_up(&ModelInput {
        oracle,
        reference,
        volatility,
        remaining_ms: REMAINING_MS,
        settlement: Settlement::Spot,
    })
    .map_err(|error| RehearseError::Wrong(format!("{error:?}")))?;
    // Nothing has passed of the window yet, and all of it: implausible at either end.
    let is_refused = [0, REMAINING_MS].iter().all(|elapsed_ms| {
        let (move_seen, bound) = plausibility(
            oracle,
            reference,
            volatility,
            *elapsed_ms,
            0,
            PLAUSIBLE_SIGMAS,
        );
        move_seen > bound
    });
    life::scaffold(scratch)?;
    life::commit_and_push(scratch)?;
    let only = [
        "preflight",
        "--only",
        "LC-304,LC-305,LC-306",
        "--format",
        "json",
    ];
    let report = scratch.launch(&only)?.expect(0)?.json()?;
    let holds = list(&report, "/checks")
        .iter()
        .filter(|check| text(check, "/status") == "pass")
        .count();
    Ok(when(
        bare.up.get() > 0.999 && is_refused && holds == 3,
        &["component:implausible_move", "check:LC-304", "check:LC-306"],
        format!(
            "the bare formula says {} (d2 {:.1}); the move is implausible at any time of the window: {is_refused}; \
             {holds} of 3 model checks hold",
            bare.up.get(),
            bare.d
        ),
    ))
}
