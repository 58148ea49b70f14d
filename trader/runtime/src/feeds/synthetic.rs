//! The seeded generator on the wall clock.
//!
//! It starts at a full hour before now, so that a restart within the hour sees the same market again,
//! and settles what it held. What lies in the past arrives at once: outcomes of the whole stretch, and
//! everything from one window and the warm-up before now, so that a component is ready as soon as it
//! would be in a process that had been running.

use trader_core::event::{Event, EventKind};
use trader_core::feed::GeneratedMarket;
use trader_core::sim::generator::Generator;
use trader_core::sim::trouble::Troubled;
use trader_core::units::{Asset, EpochMs};
use trader_core::window::WindowLength;

/// The generator starts at a multiple of this, ms.
const ANCHOR_MS: i64 = 3_600_000;

/// Oracle history beyond the warm-up that is delivered, ms: the averaging of a reference price.
const EXTRA_HISTORY_MS: i64 = 60_000;

/// An endless market whose first events lie before `now`.
pub(super) fn events(
    market: GeneratedMarket,
    now: EpochMs,
    warm_up_secs: u32,
    assets: &[Asset],
    lengths: &[WindowLength],
) -> impl Iterator<Item = Event> + Send + use<> {
    let longest_ms = lengths.iter().map(|length| length.ms()).max().unwrap_or(0);
    let history_ms = i64::from(warm_up_secs) * 1_000 + EXTRA_HISTORY_MS;
    let full_from = floor_to(now, longest_ms.max(1)).plus_ms(-history_ms);
    let start = floor_to(full_from, ANCHOR_MS);
    let events = Generator::new(market.seed, start, assets, lengths);
    Troubled::new(events, market.seed, market.troubles)
        .filter(move |event| event.t >= full_from || is_outcome(event))
}

fn is_outcome(event: &Event) -> bool {
    matches!(&event.kind, EventKind::Window(tick) if tick.outcome.is_some())
}

/// The last multiple of `step_ms` at or before `at`.
pub(super) fn floor_to(at: EpochMs, step_ms: i64) -> EpochMs {
    at.plus_ms(-at.0.rem_euclid(step_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 23 minutes past the hour.
    const MARKET: GeneratedMarket = GeneratedMarket {
        seed: 7,
        troubles: trader_core::feed::Troubles {
            gaps: false,
            outages: true,
            clock_steps: false,
        },
    };

    const NOW: EpochMs = EpochMs(1_795_393_380_456);

    #[test]
    fn a_restart_within_the_hour_sees_the_same_market() {
        let run = |now: EpochMs| -> Vec<Event> {
            events(MARKET, now, 60, &[Asset::Btc], &[WindowLength::Min5])
                .filter(|event| event.t > NOW.plus_ms(400_000))
                .take(500)
                .collect()
        };
        assert_eq!(run(NOW), run(NOW.plus_ms(301_000)));
    }

    #[test]
    fn history_reaches_back_over_the_open_window_and_the_warm_up() {
        let first_tick = events(MARKET, NOW, 60, &[Asset::Btc], &[WindowLength::Min5])
            .find(|event| matches!(event.kind, EventKind::Oracle(_)))
            .unwrap();
        let open = floor_to(NOW, 300_000);
        assert!(first_tick.t <= open.plus_ms(-60_000), "{}", first_tick.t);
        assert!(NOW - first_tick.t < 300_000 + 130_000);
    }
}
