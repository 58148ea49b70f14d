//! Books for recordings that have none: the model's price on the oracle price of some seconds ago, one
//! cent to each side. Market makers are faster than this; fills on such books prove nothing about edge.

use super::oracle_1s::Tick;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use trader_core::event::{BookTick, Event, EventKind, WindowTick};
use trader_core::model::{ModelInput, Settlement, p_up};
use trader_core::units::{Asset, EpochMs, Shares, TokenPrice};
use trader_core::volatility::VolatilityEstimator;

/// Seconds by which the quotes follow the oracle.
const LAG_MS: i64 = 4_000;
/// Shares on each side.
const SIZE: i64 = 100;
/// Lowest and highest mid, cents.
const CENTS: (i64, i64) = (2, 98);

/// The maker of quotes.
#[derive(Debug)]
pub(super) struct Quotes;

impl Quotes {
    /// How the books came about, for the tape's source line.
    pub(super) const HOW: &'static str =
        "made: model mid on the oracle price 4 s ago, 2 c wide, 100 shares";

    /// Quotes of every open window at every tick, once volatility can be estimated.
    pub(super) fn over(asset: Asset, ticks: &[Tick], windows: &[WindowTick]) -> Vec<Event> {
        let mut volatility = VolatilityEstimator::default();
        let mut late = 0;
        let mut events = Vec::new();
        for tick in ticks {
            volatility.observe(tick.observed, tick.price);
            while ticks
                .get(late + 1)
                .is_some_and(|next| next.observed <= tick.observed.plus_ms(-LAG_MS))
            {
                late += 1;
            }
            let (Some(seen), Some(sigma)) = (ticks.get(late), volatility.estimate(tick.observed))
            else {
                continue;
            };
            for listed in windows {
                let id = listed.window.id;
                let open = id.open() <= tick.arrived && tick.arrived < id.close();
                let (true, Some(reference)) = (open, listed.window.reference) else {
                    continue;
                };
                let input = ModelInput {
                    oracle: seen.price,
                    reference,
                    volatility: sigma,
                    remaining_ms: id.close() - tick.arrived,
                    settlement: Settlement::Spot,
                };
                if let Ok(estimate) = p_up(&input) {
                    quote(asset, listed, tick.arrived, estimate.up.get(), &mut events);
                }
            }
        }
        events
    }
}

fn quote(asset: Asset, listed: &WindowTick, at: EpochMs, fair: f64, out: &mut Vec<Event>) {
    let Some(cents) = Decimal::try_from(fair * 100.0)
        .ok()
        .and_then(|c| c.round().to_i64())
    else {
        return;
    };
    let cents = cents.clamp(CENTS.0, CENTS.1);
    let price = |cents: i64| TokenPrice::try_new(Decimal::new(cents, 2)).ok();
    let size = Shares::try_new(Decimal::from(SIZE)).unwrap_or(Shares::ZERO);
    for (token, mid) in [
        (&listed.window.up, cents),
        (&listed.window.down, 100 - cents),
    ] {
        let kind = EventKind::Book(BookTick {
            asset,
            token: token.clone(),
            bid: price(mid - 1),
            ask: price(mid + 1),
            bid_size: size,
            ask_size: size,
        });
        out.push(Event {
            t: at,
            src: Some(at),
            kind,
        });
    }
}
