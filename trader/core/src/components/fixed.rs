//! `fixed`: the same budget for every entry; shares rounded down so that the worst case stays inside.
//!
//! Rounding up is how 2 USD became 2.94: here 2 USD at 0.55 with a fee of 0.01733 a share buys 3.52
//! shares (which the venue's minimum of 5 then refuses, with both numbers).

use super::options::{OptionError, OptionSpec, Options};
use super::{Component, Signal, Size, SizingRule, WarmUp, json, refuse};
use crate::fees::{fee_per_share, taker_fee};
use crate::manifest::Manifest;
use crate::refusal::{Figure, Refusal};
use crate::units::{Shares, TokenPrice, Usd, UsdLimit, divided_down, order};
use rust_decimal::Decimal;
use serde_json::Value;
use std::cell::Cell;
use std::cmp::Ordering;

pub(super) const OPTIONS: &[OptionSpec] = &[];

/// Least shares of an order (venue field `orderMinSize`, read 2026-11).
pub(crate) const MIN_SHARES: Decimal = Decimal::from_parts(5, 0, 0, false, 0);
/// Least value of an order that takes, USD (measured by others, not documented).
const MIN_TAKER_USD: Decimal = Decimal::ONE;
/// Digits of a share that the venue trades.
const SHARE_DIGITS: u32 = 2;

#[derive(Debug)]
struct Fixed {
    budget: UsdLimit,
    /// The last price and its size: a quote often stays for many events, and the size takes a division.
    last: Cell<Option<(TokenPrice, Result<Size, Refusal>)>>,
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the signature that the table asks for"
)]
pub(super) fn build(manifest: &Manifest, _: &Options) -> Result<Box<dyn SizingRule>, OptionError> {
    Ok(Box::new(Fixed {
        budget: manifest.position_size_usd,
        last: Cell::new(None),
    }))
}

impl Component for Fixed {
    fn warm_up(&self, _: &WarmUp) -> Result<(), Refusal> {
        Ok(())
    }

    fn held(&self) -> Vec<(&'static str, Value)> {
        vec![("position_size_usd", json(&self.budget))]
    }
}

impl SizingRule for Fixed {
    fn size(&self, signal: &Signal) -> Result<Size, Refusal> {
        if let Some((price, known)) = self.last.get()
            && price == signal.price
            // 0.5 and 0.50 are written differently in the journal.
            && price.get().scale() == signal.price.get().scale()
        {
            return known;
        }
        let size = size(self.budget, signal.price);
        self.last.set(Some((signal.price, size)));
        size
    }
}

fn worst_cost(shares: Shares, price: TokenPrice) -> Usd {
    shares * price + taker_fee(shares, price)
}

fn size(budget: UsdLimit, price: TokenPrice) -> Result<Size, Refusal> {
    let per_share = price.get() + fee_per_share(price);
    let whole = divided_down(budget.get(), per_share, SHARE_DIGITS);
    let mut shares = Shares::try_new(whole).unwrap_or(Shares::ZERO);
    // The venue rounds the fee of the whole order up, which can cost one more hundredth of a share.
    if worst_cost(shares, price) > Usd::from(budget) {
        let hundredth = Shares::try_new(Decimal::new(1, SHARE_DIGITS)).unwrap_or(Shares::ZERO);
        shares = shares.checked_sub(hundredth).unwrap_or(Shares::ZERO);
    }
    let worst_cost = worst_cost(shares, price);
    if worst_cost > Usd::from(budget) {
        return Err(refuse(
            "over_budget",
            Figure::Usd(worst_cost),
            Figure::Usd(budget.into()),
        ));
    }
    if order(shares.get(), MIN_SHARES) == Ordering::Less {
        return Err(refuse(
            "below_min_shares",
            Figure::Decimal(shares.get()),
            Figure::Decimal(MIN_SHARES),
        ));
    }
    let value = shares * price;
    if order(value.get(), MIN_TAKER_USD) == Ordering::Less {
        return Err(refuse(
            "below_min_value",
            Figure::Usd(value),
            Figure::Usd(Usd::new(MIN_TAKER_USD)),
        ));
    }
    Ok(Size { shares, worst_cost })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sized(budget: &str, price: &str) -> Result<(String, String), String> {
        size(budget.parse().unwrap(), price.parse().unwrap())
            .map(|size| {
                (
                    size.shares.to_string(),
                    size.worst_cost.get().normalize().to_string(),
                )
            })
            .map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn shares_are_rounded_down_and_small_ones_refused() {
        assert_eq!(
            sized("5", "0.55").unwrap(),
            ("8.81".to_owned(), "4.99814".to_owned())
        );
        assert_eq!(
            sized("2", "0.55").unwrap_err(),
            "below_min_shares (seen 3.52, limit 5)"
        );
        assert_eq!(
            sized("0.9", "0.01").unwrap_err(),
            "below_min_value (seen 0.8416 USD, limit 1 USD)"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_worst_case_never_exceeds_the_budget(budget_cents in 1i64..100_000, price_mills in 1i64..1_000) {
            let budget = UsdLimit::try_new(Decimal::new(budget_cents, 2)).unwrap();
            let price = TokenPrice::try_new(Decimal::new(price_mills, 3));
            prop_assume!(price.is_ok());
            let price = price.unwrap();
            if let Ok(size) = size(budget, price) {
                prop_assert!(size.worst_cost <= Usd::from(budget));
                prop_assert_eq!(size.worst_cost, size.shares * price + taker_fee(size.shares, price));
                // Not wasteful either: two hundredths more would not fit.
                let more = Shares::try_new(size.shares.get() + Decimal::new(2, 2)).unwrap();
                prop_assert!(worst_cost(more, price) > Usd::from(budget));
            }
        }
    }
}
