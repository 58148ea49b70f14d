//! How a strategy's positions ended: what the quality gate judges. Part of the fold, so a restart
//! forgets nothing; a re-enable begins anew, because a person has looked.

use super::position::Position;
use crate::quality::{ROLLING_MAX, loss_per_share};
use crate::units::{Shares, Usd};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use std::collections::VecDeque;

/// Price buckets, ten cents each.
pub const BUCKETS: usize = 10;

/// One position that ended, by sale or settlement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ended {
    shares: Shares,
    net: Usd,
}

/// Several positions that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Results {
    /// How many.
    pub entries: u32,
    /// How many of them with a gain.
    pub gains: u32,
    /// Shares bought.
    pub shares: Shares,
    /// What they brought together, fees included.
    pub net: Usd,
}

impl Results {
    const NONE: Self = Self {
        entries: 0,
        gains: 0,
        shares: Shares::ZERO,
        net: Usd::ZERO,
    };

    fn take(self, ended: Ended) -> Self {
        Self {
            entries: self.entries.saturating_add(1),
            gains: self.gains.saturating_add(u32::from(ended.net > Usd::ZERO)),
            shares: self.shares.plus(ended.shares),
            net: self.net + ended.net,
        }
    }

    /// Loss per share bought, USD; below 0 for a gain, NaN without shares.
    pub fn loss_per_share(&self) -> f64 {
        loss_per_share(self.net.get(), self.shares.get())
    }
}

/// A strategy's results since the last re-enable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Track {
    recent: VecDeque<Ended>,
    buckets: [Results; BUCKETS],
}

impl Default for Track {
    fn default() -> Self {
        Self {
            recent: VecDeque::new(),
            buckets: [Results::NONE; BUCKETS],
        }
    }
}

impl Track {
    /// Takes the result of a position that ended. What was bought again after an end counts anew.
    pub(super) fn ended(&mut self, position: &Position, shares: Shares, net: Usd) {
        let ended = Ended { shares, net };
        if self.recent.len() >= usize::try_from(ROLLING_MAX).unwrap_or(usize::MAX) {
            self.recent.pop_front();
        }
        self.recent.push_back(ended);
        let price = position.entry_price().unwrap_or(Decimal::ZERO);
        // 0.70 is the first price of the eighth bucket.
        let which = (price * Decimal::TEN).trunc().to_usize().unwrap_or(0);
        if let Some(bucket) = self.buckets.get_mut(which.min(BUCKETS - 1)) {
            *bucket = bucket.take(ended);
        }
    }

    /// The newest results, at most so many.
    pub fn newest(&self, most: u32) -> Results {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let newest = self.recent.iter().rev().take(most);
        newest.fold(Results::NONE, |sum, ended| sum.take(*ended))
    }

    /// The results by price paid, ten cents a bucket, all since the last re-enable.
    pub const fn buckets(&self) -> &[Results; BUCKETS] {
        &self.buckets
    }
}
