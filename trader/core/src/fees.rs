//! The venue's taker fee.
//!
//! Source: the venue's fee schedule `crypto_fees_v2` (rate 0.07, exponent 1, taker only), read
//! 2026-11: fee = shares × 0.07 × p × (1 − p), five decimals. Makers pay nothing; we never count on
//! being a maker.

use crate::units::{self, Shares, TokenPrice, Usd, rounded_up};
use rust_decimal::Decimal;

/// Fee rate of the crypto Up/Down markets, 0.07.
pub const TAKER_FEE_RATE: Decimal = Decimal::from_parts(7, 0, 0, false, 2);

/// The same rate for the model's float arithmetic.
pub const TAKER_FEE_RATE_F64: f64 = 0.07;

/// Digits that the venue keeps of a fee.
const FEE_DIGITS: u32 = 5;

/// Fee of a taker trade, rounded up: 5 shares at 0.55 cost 0.08663 USD.
pub fn taker_fee(shares: Shares, price: TokenPrice) -> Usd {
    let fee = shares.get().saturating_mul(fee_per_share(price));
    Usd::new(rounded_up(fee, FEE_DIGITS))
}

/// Whether a taker trade costs at most so much, fee included.
pub(crate) fn costs_at_most(shares: Shares, price: TokenPrice, max: Usd) -> bool {
    let figures = (shares.get(), price.get());
    units::costs_at_most(figures, TAKER_FEE_RATE, FEE_DIGITS, max.get())
        .unwrap_or_else(|| shares * price + taker_fee(shares, price) <= max)
}

/// Fee of one share, unrounded: 0.0175 USD at 0.50.
pub fn fee_per_share(price: TokenPrice) -> Decimal {
    TAKER_FEE_RATE
        .saturating_mul(price.get())
        .saturating_mul(price.complement().get())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_a_trade_costs_is_said_once(hundredths in 0_i64..2_000_000, mills in 1_i64..10_000, digits in 3_u32..9,
                                           off in -3_i64..4, off_digits in 0_u32..9) {
            let shares = Shares::try_new(Decimal::new(hundredths, 2)).unwrap();
            let price = TokenPrice::try_new(Decimal::new(mills, digits));
            prop_assume!(price.is_ok());
            let price = price.unwrap();
            let cost = shares * price + taker_fee(shares, price);
            let max = cost + Usd::new(Decimal::new(off, off_digits));
            prop_assert_eq!(costs_at_most(shares, price, max), cost <= max);
        }
    }

    #[test]
    fn fees_are_the_venues() {
        for (shares, price, fee) in [
            ("1", "0.5", "0.01750"),
            ("100", "0.8", "1.12"),
            ("5", "0.55", "0.08663"),
            ("0", "0.5", "0"),
        ] {
            let seen = taker_fee(shares.parse().unwrap(), price.parse().unwrap());
            assert_eq!(seen, fee.parse().unwrap(), "{shares} at {price}");
        }
    }
}
