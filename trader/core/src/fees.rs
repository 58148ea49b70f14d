//! The venue's taker fee.
//!
//! Source: the venue's fee schedule `crypto_fees_v2` (rate 0.07, exponent 1, taker only), read
//! 2026-11: fee = shares × 0.07 × p × (1 − p), five decimals. Makers pay nothing; we never count on
//! being a maker.

use crate::units::{Shares, TokenPrice, Usd, rounded_up};
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

/// Fee of one share, unrounded: 0.0175 USD at 0.50.
pub fn fee_per_share(price: TokenPrice) -> Decimal {
    TAKER_FEE_RATE
        .saturating_mul(price.get())
        .saturating_mul(price.complement().get())
}

#[cfg(test)]
mod tests {
    use super::*;

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
