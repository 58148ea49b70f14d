//! Every limit that an entry must keep, as a question about what reached the venue. One row a manifest key.

use super::Sent;
use rust_decimal::Decimal;
use trader_core::fees::{fee_per_share, taker_fee};
use trader_core::manifest::Manifest;

/// A cent of a cent: what rounding may add to a sum of fees, USD.
const ROUNDING_USD: Decimal = Decimal::from_parts(1, 0, 0, false, 4);
/// How far an honest model may be from one half where the oracle stands at the reference.
const P_ROUNDING: Decimal = Decimal::from_parts(2, 0, 0, false, 3);
/// Longest look-back there is: with more left, nothing of the settlement average is known yet, seconds.
const LOOKBACK_SECS: i64 = 60;

/// One limit.
pub(crate) struct Limit {
    /// Its manifest key.
    pub(crate) key: &'static str,
    /// What was seen, when an entry is beyond it.
    beyond: fn(&Manifest, &Sent) -> Option<String>,
}

/// All of them.
#[rustfmt::skip] // One row, one line.
pub(crate) const LIMITS: &[Limit] = &[
    Limit { key: "position_size_usd", beyond: |m, s| above(worst(s), m.position_size_usd.get(), "USD") },
    Limit { key: "max_exposure_usd", beyond: |m, s| above(s.at_stake - ROUNDING_USD, m.max_exposure_usd.get(), "USD at stake") },
    Limit { key: "max_capital_usd", beyond: |m, s| above(s.lost + s.at_stake - ROUNDING_USD, m.max_capital_usd.get(), "USD lost and at stake") },
    Limit { key: "safeguards.max_open_positions", beyond: |m, s| above(s.positions, m.safeguards.max_open_positions.get(), "positions") },
    Limit { key: "safeguards.min_entry_interval_ms", beyond: |m, s| s.since_entry_ms.and_then(|ms| below(ms, m.safeguards.min_entry_interval_ms.get().into(), "ms after the last entry")) },
    Limit { key: "safeguards.max_entries_per_tick", beyond: |m, s| above(s.entries_this_tick, m.safeguards.max_entries_per_tick.get(), "entries on one event") },
    Limit { key: "safeguards.max_entries_per_window", beyond: |m, s| above(s.entries_in_window, m.safeguards.max_entries_per_window.get(), "entries in one window") },
    Limit { key: "safeguards.max_orders_per_minute", beyond: |m, s| above(s.orders_in_minute, m.safeguards.max_orders_per_minute.get(), "orders in a minute") },
    Limit { key: "safeguards.max_order_shares", beyond: |m, s| above(s.order.shares.get(), m.safeguards.max_order_shares.get(), "shares") },
    Limit { key: "safeguards.max_daily_loss_usd", beyond: |m, s| (s.lost >= m.safeguards.max_daily_loss_usd.get()).then(|| format!("after {} USD were lost", s.lost)) },
    Limit { key: "safeguards.max_consecutive_losses", beyond: |m, s| (s.losses_in_row >= m.safeguards.max_consecutive_losses.get()).then(|| format!("after {} losses in a row", s.losses_in_row)) },
    Limit { key: "safeguards.price_collar", beyond: off_the_book },
    Limit { key: "safeguards.max_oracle_age_ms", beyond: |m, s| old(s.oracle_age_ms, m.safeguards.max_oracle_age_ms.get(), "oracle") },
    Limit { key: "safeguards.max_book_age_ms", beyond: |m, s| old(s.book_age_ms, m.safeguards.max_book_age_ms.get(), "book") },
    Limit { key: "safeguards.max_clock_offset_ms", beyond: |m, s| s.clock_offset_ms.and_then(|ms| above(ms.abs(), m.safeguards.max_clock_offset_ms.get().into(), "ms of clock offset")) },
    Limit { key: "edge.min", beyond: |m, s| edge(s).and_then(|edge| below(edge + P_ROUNDING, m.edge.min.get(), "edge")) },
    Limit { key: "edge.max", beyond: |m, s| edge(s).and_then(|edge| above(edge - P_ROUNDING, m.edge.max.get(), "edge")) },
    Limit { key: "window.min_elapsed_secs", beyond: |m, s| below(s.at - s.order.id.window.open(), i64::from(m.window.min_elapsed_secs) * 1_000, "ms after the open") },
    Limit { key: "window.min_remaining_secs", beyond: |m, s| below(s.order.id.window.close() - s.at, i64::from(m.window.min_remaining_secs.get()) * 1_000, "ms before the close") },
    Limit { key: "window.warm_up_secs", beyond: |m, s| below(s.history_ms, i64::from(m.window.warm_up_secs.get()) * 1_000, "ms of history") },
    Limit { key: "window.durations_mins", beyond: |m, s| { let mins = s.order.id.window.length().mins(); (!m.window.durations_mins.contains(&mins)).then(|| format!("a window of {mins} minutes")) } },
    Limit { key: "assets", beyond: |m, s| { let asset = s.order.id.window.asset(); (!m.assets.contains(&asset)).then(|| format!("a window of {asset}")) } },
];

/// Every limit that an entry is beyond, one line each; nothing for an exit.
pub(crate) fn beyond(manifest: &Manifest, sent: &Sent, rehearsal: &str) -> Vec<String> {
    if !sent.is_entry() {
        return Vec::new();
    }
    let line = |limit: &Limit| {
        let seen = (limit.beyond)(manifest, sent)?;
        Some(format!(
            "{}: {seen} ({}, rehearsal \"{rehearsal}\")",
            limit.key, sent.order.id
        ))
    };
    LIMITS.iter().filter_map(line).collect()
}

fn above<T: Copy + PartialOrd + std::fmt::Display>(seen: T, most: T, what: &str) -> Option<String> {
    (seen > most).then(|| format!("{seen} {what}, limit {most}"))
}

fn below<T: Copy + PartialOrd + std::fmt::Display>(
    seen: T,
    least: T,
    what: &str,
) -> Option<String> {
    (seen < least).then(|| format!("{seen} {what}, limit {least}"))
}

fn old(age_ms: Option<i64>, most: u32, what: &str) -> Option<String> {
    match age_ms {
        None => Some(format!("there was no {what}")),
        Some(age_ms) => above(age_ms, most.into(), &format!("ms old {what}")),
    }
}

fn worst(sent: &Sent) -> Decimal {
    let order = &sent.order;
    (order.shares * order.price).get() + taker_fee(order.shares, order.price).get()
}

fn off_the_book(manifest: &Manifest, sent: &Sent) -> Option<String> {
    let Some((ask, _)) = sent.shown else {
        return Some("there was no book".to_owned());
    };
    let off = (sent.order.price.get() - ask.get()).abs();
    above(off, manifest.safeguards.price_collar.get(), "off the book")
}

/// What an entry was worth, where that is known without a model: the oracle stands at the reference, and
/// the settlement average has not begun.
fn edge(sent: &Sent) -> Option<Decimal> {
    let left_secs = (sent.order.id.window.close() - sent.at) / 1_000;
    let (ask, _) = sent.shown?;
    let is_known = sent.is_flat && left_secs > LOOKBACK_SECS;
    is_known.then(|| Decimal::new(5, 1) - ask.get() - fee_per_share(ask))
}
