//! What `--check` asks of the venue: one signed read of the open orders, with the key that a kill would use.
//!
//! That the variables are set proves nothing: a key may be deleted, another account's, or mistyped. Reads
//! only: cancels nothing, and is not asked where no real order can be behind the target.

use super::check::FindingStatus;
use super::check_here::Look;
use crate::deadline::Deadline;
use crate::targets::{Surroundings, Target};
use crate::venue::{FUNDER_VARIABLE, Venue, VenueAccess};

/// Variables that a kill needs to cancel orders at the venue itself.
const VENUE_VARIABLES: &[&str] = &[
    "POLYMARKET_ADDRESS",
    "POLYMARKET_API_KEY",
    "POLYMARKET_API_SECRET",
    "POLYMARKET_API_PASSPHRASE",
];

/// Whether a kill of this target could cancel the account's orders and read them back.
pub(super) async fn look(target: &Target, around: &Surroundings, limit: Deadline) -> Look {
    let (status, detail) = asked(target, around, limit).await;
    ("venue", status, detail)
}

async fn asked(target: &Target, around: &Surroundings, limit: Deadline) -> (FindingStatus, String) {
    use FindingStatus::{Failed, Missing, Ok as Met};
    if !target.may_be_live {
        return (Met, "not needed: no order is real".into());
    }
    let is_absent = |name: &&&str| around.variables.get(**name).is_none_or(String::is_empty);
    let absent: Vec<&str> = VENUE_VARIABLES.iter().filter(is_absent).copied().collect();
    if !absent.is_empty() {
        let absent = absent.join(", ");
        return (
            Missing,
            format!("{absent} not set: only the trader tells of open orders"),
        );
    }
    let Some(access) = &target.venue else {
        return (
            Failed,
            "LAUNCH_CLOB_URL or LAUNCH_DATA_API_URL is no usable address".into(),
        );
    };
    if let Err(why) = &access.credentials {
        return (Failed, why.clone());
    }
    let venue = match Venue::new(access) {
        Ok(venue) => venue,
        Err(error) => return (Failed, error.to_string()),
    };
    match venue.open_orders(limit).await {
        Ok(orders) => told(orders.len(), venue.clock_offset_secs(), access),
        Err(error) => (Failed, format!("{}: {error}", access.clob)),
    }
}

fn told(open: usize, clock_offset_secs: i64, access: &VenueAccess) -> (FindingStatus, String) {
    let mut told = format!("{} takes the key, {open} order(s) open", access.clob);
    if access.funder.is_none() {
        let more = format!("; {FUNDER_VARIABLE} not set: that nothing is held cannot be proved");
        told.push_str(&more);
    }
    // The client asks for the venue's time only after a refusal: an offset is one that mattered.
    if clock_offset_secs == 0 {
        return (FindingStatus::Ok, told);
    }
    let offset = format!(
        "; its clock is {clock_offset_secs:+} s from this machine's: a kill reckons with it"
    );
    told.push_str(&offset);
    (FindingStatus::Warning, told)
}
