//! `stop-loss`: leaves a position when selling it would bring `exit.stop_loss` less per share than was
//! paid for it.
//!
//! What counts is what a sale would really bring ([`ExitView::sale_price`]): the bid, less the fee, and
//! less again where more is held than the bid takes. The bare bid would let a loss pass that is there.

use super::options::{OptionError, OptionSpec, Options};
use super::{Component, ExitRule, WarmUp, json};
use crate::manifest::Manifest;
use crate::refusal::Refusal;
use crate::units::{PriceGap, order};
use crate::view::ExitView;
use serde_json::Value;
use std::cmp::Ordering;

pub(super) const OPTIONS: &[OptionSpec] = &[];

#[derive(Debug)]
struct StopLoss {
    fall: PriceGap,
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the signature that the table asks for"
)]
pub(super) fn build(manifest: &Manifest, _: &Options) -> Result<Box<dyn ExitRule>, OptionError> {
    Ok(Box::new(StopLoss {
        fall: manifest.exit.stop_loss,
    }))
}

impl Component for StopLoss {
    fn warm_up(&self, _: &WarmUp) -> Result<(), Refusal> {
        Ok(())
    }

    fn held(&self) -> Vec<(&'static str, Value)> {
        vec![("exit.stop_loss", json(&self.fall))]
    }
}

impl ExitRule for StopLoss {
    fn exit(&self, view: &ExitView<'_>) -> Option<&'static str> {
        let entry = view.position().entry_price()?;
        let at_loss = order(view.sale_price(), entry - self.fall.get()) != Ordering::Greater;
        at_loss.then_some("stop_loss")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;
    use rust_decimal::Decimal;

    /// Ten shares bought at 0.60 that are left 0.20 below it.
    fn leaves(bid: &str, bid_size: &str) -> bool {
        let rule = StopLoss {
            fall: "0.20".parse().unwrap(),
        };
        fixtures::exit_view_of(("0.60", "10"), (bid, bid_size), |view| {
            rule.exit(&view).is_some()
        })
    }

    #[test]
    fn the_fee_of_the_sale_is_part_of_the_loss() {
        // 0.41 less 0.0169 is below 0.40; 0.42 less 0.0171 is not.
        assert!(leaves("0.41", "10"));
        assert!(!leaves("0.42", "10"));
    }

    #[test]
    fn a_thin_book_is_worth_less_than_its_bid() {
        // 2 shares a level: ten fetch 0.42, 0.41, 0.40, 0.39, 0.38.
        assert!(leaves("0.42", "2"));
        assert!(!leaves("0.44", "2"));
        assert!(leaves("0.45", "0"), "nobody really buys");
    }

    #[test]
    fn a_sale_steps_down_the_book() {
        let price = |bid, size| {
            fixtures::exit_view_of(("0.60", "10"), (bid, size), |view| view.sale_price())
        };
        let at = |mean: &str| {
            let mean: Decimal = mean.parse().unwrap();
            mean - Decimal::new(7, 2) * mean * (Decimal::ONE - mean)
        };
        assert_eq!(price("0.50", "10"), at("0.50"));
        assert_eq!(price("0.50", "5"), at("0.495"));
        // 4 at 0.50, 4 at 0.49, 2 at 0.48.
        assert_eq!(price("0.50", "4"), at("0.492"));
        assert_eq!(price("0.02", "1"), Decimal::ZERO);
    }
}
