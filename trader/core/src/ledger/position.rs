//! A position: what one strategy holds of one outcome of one window, from its fills.
//!
//! Sums only, so that the order in which fills are learnt does not matter.

use super::order_state::FillState;
use crate::order::Side;
use crate::units::{Outcome, Shares, StrategyId, Usd};
use crate::window::WindowId;
use rust_decimal::Decimal;

/// Whose position in what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PositionKey {
    /// The window.
    pub window: WindowId,
    /// The strategy.
    pub strategy: StrategyId,
    /// The outcome whose token is held.
    pub outcome: Outcome,
}

/// Sums over the fills of one [`PositionKey`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Shares bought.
    pub bought: Shares,
    /// What they cost without fees.
    pub paid: Usd,
    /// What they cost, fees included.
    pub cost: Usd,
    /// Shares sold again.
    pub sold: Shares,
    /// What that brought, after fees.
    pub proceeds: Usd,
    /// What was paid per share: every exit rule asks for it on every event, and fills are rare.
    pub(super) entry: Option<Decimal>,
    /// Shares bought and result at its last end (sold or settled), already counted as win or loss.
    pub(super) counted: (Shares, Usd),
}

/// Digits kept when a cost is split between sold and held shares, USD.
const SPLIT_DIGITS: u32 = 6;

impl Position {
    pub(super) const EMPTY: Self = Self {
        bought: Shares::ZERO,
        paid: Usd::ZERO,
        cost: Usd::ZERO,
        sold: Shares::ZERO,
        proceeds: Usd::ZERO,
        entry: None,
        counted: (Shares::ZERO, Usd::ZERO),
    };

    /// A position of one fill without fee, for fixtures of what looks at it.
    pub(crate) fn bought(shares: Shares, price: crate::units::TokenPrice) -> Self {
        let paid = shares * price;
        Self {
            bought: shares,
            paid,
            cost: paid,
            entry: paid.get().checked_div(shares.get()),
            ..Self::EMPTY
        }
    }

    /// Takes a fill in, or (`back`) out again.
    pub(super) fn take(&mut self, side: Side, fill: &FillState, back: bool) {
        let shares = |sum: Shares| {
            if back {
                sum.checked_sub(fill.shares).unwrap_or(Shares::ZERO)
            } else {
                sum.plus(fill.shares)
            }
        };
        let usd = |sum: Usd, amount: Usd| if back { sum - amount } else { sum + amount };
        match side {
            Side::Buy => {
                self.bought = shares(self.bought);
                self.paid = usd(self.paid, fill.gross);
                self.cost = usd(self.cost, fill.gross + fill.fee);
                self.entry = self.paid.get().checked_div(self.bought.get());
            }
            Side::Sell => {
                self.sold = shares(self.sold);
                self.proceeds = usd(self.proceeds, fill.gross - fill.fee);
            }
        }
    }

    /// Shares still held.
    pub fn held(&self) -> Shares {
        self.bought.checked_sub(self.sold).unwrap_or(Shares::ZERO)
    }

    /// What the held shares cost, fees included: the most they can still lose.
    pub fn held_cost(&self) -> Usd {
        self.cost - self.sold_cost()
    }

    /// Average price paid per share, fees not included; `None` when nothing was bought.
    pub const fn entry_price(&self) -> Option<Decimal> {
        self.entry
    }

    /// Average cost per share, fees included, USD; `None` when nothing was bought.
    pub fn average_cost(&self) -> Option<Usd> {
        let per_share = self.cost.get().checked_div(self.bought.get())?;
        Some(Usd::new(per_share.round_dp(SPLIT_DIGITS)))
    }

    fn sold_cost(&self) -> Usd {
        if self.sold >= self.bought {
            return self.cost;
        }
        let part = self
            .cost
            .get()
            .checked_mul(self.sold.get())
            .and_then(|product| product.checked_div(self.bought.get()));
        Usd::new(part.map_or(Decimal::ZERO, |cost| cost.round_dp(SPLIT_DIGITS)))
    }

    /// Profit or loss realised so far; with `settled`, all of it.
    ///
    /// 10 shares bought for 5.20 (fees included), 4 sold for 3.00, settled at 1: 3.00 − 5.20 + 6 = 3.80.
    pub fn realised(&self, settled: Option<bool>) -> Usd {
        match settled {
            Some(won) => {
                let payout = if won {
                    self.held().get()
                } else {
                    Decimal::ZERO
                };
                self.proceeds - self.cost + Usd::new(payout)
            }
            None => self.proceeds - self.sold_cost(),
        }
    }
}
