//! What may be expected of a kill, from the planted faults alone.
//!
//! Stated without looking at the kill: it asks what *any* kill could reach that may send stop, cancel and
//! remove, ask the trader and the watchdog, and, on this machine, look at processes and signal them.
//! Pure. Three questions, in order; the first "no" is the reason why a kill need not be verified:
//!
//! 1. **Can the process be ended, and can that be read?** Some command of the ladder has to end it, and
//!    some (perhaps another) has to show in reads. A command that is only reported hides a living process:
//!    a kill can know of it, and go on to the next command, only where the trader's own address answers,
//!    or, on this machine, from the process itself, which it may signal.
//! 2. **Does the network let a command and a few reads through in time?** A fault of a few requests, or
//!    one that spares what is needed, does.
//! 3. **Can anybody but the platform say so?** An instance that keeps a halt and says so again; a watchdog
//!    whose last lease has ended, where the trader's address is known and is seen to be dead (its word
//!    alone says nothing about a process); on this machine the process. With real money, an account of
//!    zero open orders as well: the exchange's own, where it can be asked and cancels, else the trader's.
//!
//! Whatever cannot be expected must still never be exit 0 with something alive: that is `judge`'s.

use super::axes::{Fault, Phase, PlatformRow, TraderRow, Watchdog};
use super::combination::Combination;
use super::stand_in::{Behaviour, Book};
use super::venue_axis::Ends;
use crate::loopback::{OnCommand, Reviver};

/// What a kill must reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expectation {
    /// Exit 0.
    MustVerify,
    /// Exit 7 is fine; why.
    MayNot(&'static str),
}

/// The expectation of a combination.
pub(super) fn of(combination: &Combination) -> Expectation {
    let reason = platform_forbids(combination)
        .or_else(|| network_forbids(combination))
        .or_else(|| proof_forbids(combination));
    reason.map_or(Expectation::MustVerify, Expectation::MayNot)
}

const fn ends(command: OnCommand) -> bool {
    matches!(command, OnCommand::Real | OnCommand::Unreported)
}

const fn shows(command: OnCommand) -> bool {
    matches!(command, OnCommand::Real | OnCommand::ReportedOnly)
}

/// Whether the trader's address is known and answers in its own voice while it lives.
fn is_heard(trader: &TraderRow) -> bool {
    trader.is_known && !trader.is_hung
}

fn platform_forbids(combination: &Combination) -> Option<&'static str> {
    let (row, trader) = (&combination.platform, &combination.trader);
    if row.revive == Some((Reviver::Platform, None)) {
        return Some("the platform starts it again for ever");
    }
    let needs_sigkill = trader.is_hung || trader.behaviour == Behaviour::Stubborn;
    if row.draining_ignored && needs_sigkill {
        return Some("it ignores SIGTERM and the platform sends no SIGKILL");
    }
    match row.phase {
        Phase::Active => active_forbids(combination, row),
        Phase::Building => building_forbids(combination, row),
    }
}

fn active_forbids(combination: &Combination, row: &PlatformRow) -> Option<&'static str> {
    let ladder = [row.stop, row.remove];
    if !ladder.into_iter().any(shows) {
        return Some("no command ever shows in reads");
    }
    // On this machine a process that lives on although the platform says dead can be signalled.
    if combination.target.is_local {
        return None;
    }
    if !ladder.into_iter().any(ends) {
        return Some("no command ends the process");
    }
    // A stop that never shows is followed by the removal. Where the stop is held up, that overtakes it,
    // and what the platform believes removed cannot be stopped any more.
    let is_held_up = combination.moment.restarts
        || combination
            .network
            .fault
            .is_some_and(|fault| !is_harmless(fault));
    if row.remove == OnCommand::ReportedOnly && !shows(row.stop) && is_held_up {
        return Some("a removal that is only reported may overtake the stop");
    }
    let is_hidden = row.stop == OnCommand::ReportedOnly;
    (is_hidden && !is_heard(&combination.trader))
        .then_some("the stop is only reported, and nobody can tell that it lives")
}

/// A build has no trader yet. Cancel comes first, remove last; what neither ends becomes a process.
fn building_forbids(combination: &Combination, row: &PlatformRow) -> Option<&'static str> {
    let is_zombie = row.cancel == OnCommand::ReportedOnly;
    // A kill of this machine may signal the process once it is there; whether it can learn of it depends
    // on when it appears.
    (is_zombie
        && !(row.builds_hang || is_heard(&combination.trader) && !combination.target.is_local))
        .then_some("the cancellation is only reported, and nobody can tell that a process comes")
}

fn network_forbids(combination: &Combination) -> Option<&'static str> {
    let (network, row) = (&combination.network, &combination.platform);
    let fault = network.fault?;
    if network.times.is_some() || is_harmless(fault) {
        return None;
    }
    let spares = |operation: &str| !network.operations.contains(&operation);
    if network.operations.is_empty() || !spares("deployments") {
        return Some("the platform cannot be read");
    }
    let removal_helps = ends(row.remove) && shows(row.remove);
    if !removal_helps && !spares("deploymentStop") {
        return Some("the stop does not get through and a removal does not help");
    }
    let needs_auto_deploy_off = matches!(row.revive, Some((Reviver::AutoDeploy, _)));
    (needs_auto_deploy_off && !spares("serviceInstanceAutoDeployUpdate"))
        .then_some("auto-deploy cannot be turned off")
}

/// Faults that a kill has to live with for ever.
const fn is_harmless(fault: Fault) -> bool {
    matches!(fault, Fault::Slow | Fault::ClockSkew | Fault::UnknownFields)
}

fn proof_forbids(combination: &Combination) -> Option<&'static str> {
    let trader = &combination.trader;
    let keeps_halt = matches!(trader.behaviour, Behaviour::Honest | Behaviour::Stubborn);
    let is_active = combination.platform.phase == Phase::Active;
    // The real one ends on SIGTERM at once: whether its halt is read back before is a race.
    let told_its_halt = is_active && is_heard(trader) && keeps_halt && !trader.is_real;
    if let Some(reason) = orders_forbid(combination, told_its_halt) {
        return Some(reason);
    }
    let watchdog = matches!(
        combination.witness.watchdog,
        Watchdog::Revokes | Watchdog::Real
    ) && trader.is_known;
    // The process of an active deployment stands in its kill file; of a build there is none, and the
    // dead address of the earlier instance is what agrees.
    let process = combination.target.is_local && (is_active || trader.is_known);
    (!told_its_halt && !watchdog && !process).then_some("nobody but the platform can tell")
}

/// With real money: who can end the open orders, and tell.
fn orders_forbid(combination: &Combination, told_its_halt: bool) -> Option<&'static str> {
    let venue = &combination.venue;
    if !venue.is_live {
        return None;
    }
    match venue.exchange.map(|exchange| exchange.ends) {
        None if venue.book == Book::Stuck && told_its_halt => Some("an order stays open"),
        None | Some(Ends::Trader) if !told_its_halt => {
            Some("nobody can tell that no order is open")
        }
        // With the key goes the right to read.
        Some(Ends::Kill) if combination.moment.revokes_key && !told_its_halt => {
            Some("the API key may be deleted before the orders are read twice")
        }
        None | Some(Ends::Trader | Ends::Kill) => None,
        Some(Ends::Nobody(why)) => Some(why),
    }
}
