//! A stage for the declared trader: a hostile market, a venue that keeps the truth, and a count of its own of
//! what reached it. For the checks that rehearse; no check itself.
//!
//! Nothing here believes the trader's books: what was sent, filled, held and lost is counted from what
//! passed between trader and venue. The trader under test is an argument ([`Trader`]), so that a test can
//! plant a broken one.

mod account;
mod desk;
pub(crate) mod limits;
mod market;
pub(crate) mod pressure;

#[cfg(test)]
pub(crate) use desk::lease;
pub(crate) use desk::{Desk, Sent, Trader};
pub(crate) use market::{Market, Quote, book, clock, listed, normal_ask, window};

use rust_decimal::Decimal;
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use trader_core::engine::Engine;
use trader_core::ledger::LedgerState;
use trader_core::manifest::{Manifest, Mode};
use trader_core::quality::QualityRules;
use trader_core::strategy_file::{Aggregation, SignalUse, StrategyFile};
use trader_core::units::{Asset, StrategyId, UnitError};

/// How the trader under test is made of manifest and strategies.
pub(crate) type Maker<'a> = &'a dyn Fn(&Manifest, &Strategies) -> Trader;

/// What strategies are built from.
pub(crate) type Strategies = BTreeMap<StrategyId, StrategyFile>;

/// The declared strategies with a signal that always speaks; model, entry, sizing and exits as declared.
/// Rehearsals want pressure: a strategy that seldom speaks would prove nothing.
pub(crate) fn eager(strategies: &Strategies) -> Strategies {
    let always = |file: &StrategyFile| StrategyFile {
        analyses: Vec::new(),
        signals: vec![SignalUse {
            component: "edge".to_owned(),
            options: BTreeMap::new(),
            weight: None,
        }],
        aggregation: Aggregation::Single,
        ..file.clone()
    };
    strategies
        .iter()
        .map(|(id, file)| (id.clone(), always(file)))
        .collect()
}

/// The same without its quality gate, which has a check of its own and would end a rehearsal of losses.
pub(crate) fn ungated(strategies: &Strategies) -> Strategies {
    let quality = QualityRules {
        rolling_entries: 200,
        min_entries: 200,
        min_accuracy: 0.01,
        max_loss_per_share: 0.99,
        bucket_min_entries: 10_000,
        bucket_max_loss_per_share: 0.99,
        feed_loss_secs: 600,
        update_rate_factor: 100.0,
        spread_deviations: 100.0,
        pattern_minutes: 10,
    };
    let open = |file: &StrategyFile| StrategyFile {
        quality,
        ..file.clone()
    };
    strategies
        .iter()
        .map(|(id, file)| (id.clone(), open(file)))
        .collect()
}

/// The declared manifest with every limit as far as the program's own ceilings let it, so that one limit can
/// be put back and be the one that binds.
///
/// # Errors
/// When a constant here is no limit: a bug of this file.
pub(crate) fn unbound(declared: &Manifest) -> Result<Manifest, UnitError> {
    let count = |n: u32| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
    let mut manifest = declared.clone();
    manifest.max_exposure_usd = "2500".parse()?;
    manifest.max_capital_usd = "10000".parse()?;
    let limits = &mut manifest.safeguards;
    limits.max_open_positions = count(50);
    limits.min_entry_interval_ms = NonZeroU32::MIN;
    limits.max_entries_per_tick = count(10);
    limits.max_entries_per_window = count(10);
    limits.max_orders_per_minute = count(120);
    limits.max_order_shares = "5000".parse()?;
    limits.max_daily_loss_usd = "1000".parse()?;
    limits.max_consecutive_losses = count(u32::MAX);
    limits.max_oracle_age_ms = count(60_000);
    limits.max_book_age_ms = count(60_000);
    limits.max_clock_offset_ms = count(u32::MAX);
    manifest.window.warm_up_secs = count(1);
    // Positions stay until they settle.
    manifest.exit.stop_loss = "0.99".parse()?;
    manifest.exit.take_profit = "0.99".parse()?;
    Ok(manifest)
}

/// A trader as it is built from manifest and strategies, with nothing in between.
pub(crate) fn honest(manifest: &Manifest, strategies: &Strategies) -> Trader {
    let (manifest, strategies) = (manifest.clone(), strategies.clone());
    Trader {
        build: Box::new(move |ledger| built(&manifest, &strategies, ledger)),
        hears: Box::new(|event| vec![event]),
        cancels: true,
    }
}

/// The words of a constant that is no quantity: a bug of the stage, and the rehearsal is not played.
#[expect(clippy::needless_pass_by_value, reason = "what `map_err` hands over")]
pub(crate) fn text(error: UnitError) -> String {
    error.to_string()
}

/// The engine of a manifest, in mode paper whatever is declared: where nothing is sent nothing can be seen, and
/// the venue here is our own.
///
/// # Errors
/// Why it cannot be built.
pub(crate) fn built(
    manifest: &Manifest,
    strategies: &Strategies,
    ledger: LedgerState,
) -> Result<Engine, String> {
    let mut manifest = manifest.clone();
    manifest.mode = Mode::Paper;
    Engine::new(&manifest, strategies, ledger).map_err(|error| error.to_string())
}

/// Dollars per coin at the stage, by order of magnitude as in 2026.
pub(crate) const fn typical_price(asset: Asset) -> Decimal {
    let cents = match asset {
        Asset::Btc => 7_969_695,
        Asset::Eth => 325_050,
        Asset::Sol => 15_000,
        Asset::Xrp => 220,
    };
    Decimal::from_parts(cents, 0, 0, false, 2)
}
