//! What the account holds, from the venue's public data: it answers when nothing of ours does.
//!
//! Needs an address and no key. Best effort beside the stop: never delays a request that stops, and
//! what cannot be read is left unknown, with the reason.

use super::board::Board;
use crate::deadline::Deadline;
use crate::pace::Pace;
use crate::position::Position;
use crate::venue::{FUNDER_VARIABLE, Venue, VenueAccess};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The reading of one target's positions.
#[derive(Debug, Clone)]
pub(crate) struct PositionsPath {
    pub(crate) board: Arc<Board>,
    pub(crate) venue: Venue,
    pub(crate) access: VenueAccess,
    pub(crate) pace: Pace,
}

impl PositionsPath {
    /// Reads until it worked, or `limit`.
    pub(crate) async fn run(self, limit: Deadline) {
        while !limit.is_over() {
            if self.read(limit).await {
                return;
            }
            limit.sleep(self.pace.venue_poll).await;
        }
    }

    /// Reads once; whether there was an answer.
    async fn read(&self, limit: Deadline) -> bool {
        let (wallets, is_certain) = self.wallets();
        let mut all: Vec<Position> = Vec::new();
        for wallet in wallets {
            let limit = limit.at_most(self.pace.request_timeout);
            match self.venue.positions(&wallet, limit).await {
                Ok(positions) => all.extend(positions),
                Err(error) => {
                    let note = format!("positions: {error}");
                    self.board
                        .write(|state| state.venue.positions_note = Some(note));
                    return false;
                }
            }
        }
        self.board.write(|state| {
            if all.is_empty() && !is_certain {
                // A key's own address is often not the wallet that holds the shares.
                state.venue.positions_note = Some(format!(
                    "positions: the key's own address holds none; where a proxy or deposit wallet \
                     trades for it they are there: set {FUNDER_VARIABLE} to the wallet that holds them"
                ));
            } else {
                state.venue.positions = Some(all);
                state.venue.positions_note = None;
            }
        });
        true
    }

    /// Where to look, and whether an empty answer means none: the wallet that was named, and those
    /// that the account's own orders name.
    fn wallets(&self) -> (BTreeSet<String>, bool) {
        let mut wallets: BTreeSet<String> = self.board.read(|state| {
            let told = state
                .venue
                .seen
                .values()
                .filter_map(|order| order.wallet.clone());
            told.map(|wallet| wallet.to_lowercase()).collect()
        });
        let mut is_certain = !wallets.is_empty();
        if let Some((wallet, is_named)) = self.access.wallet() {
            is_certain |= is_named;
            wallets.insert(wallet.to_lowercase());
        }
        (wallets, is_certain)
    }
}
