//! A seeded market: oracle ticks, listings, books and outcomes, endless and always the same for the
//! same seed, start, assets and lengths.
//!
//! Shaped like the venue: one oracle tick a second (a random walk whose volatility clusters), which the
//! user interface shows two seconds earlier, windows
//! settle on a 60 s average, the next window is listed and quoted while the current one is open, the
//! reference price comes two seconds after the open, the outcome 16 s after the close, books follow
//! the model a few seconds late. No claim that its edges exist anywhere else.

use crate::event::{BookTick, ClockTick, Event, EventKind, PriceTick, WindowTick};
use crate::model::{ModelInput, Settlement, YEAR_SECS, p_up};
use crate::sim::rng::Rng;
use crate::sim::settlement::{OracleTrail, outcome};
use crate::units::{
    Asset, EpochMs, OraclePrice, ReferencePrice, Shares, TokenId, TokenPrice, Volatility, to_float,
};
use crate::window::{SettlementRule, Window, WindowId, WindowLength};
use rust_decimal::Decimal;
use std::collections::VecDeque;

/// Look-back of the generated markets, seconds (the venue's 5-minute markets say 60, autumn 2026).
pub const LOOKBACK_SECS: u32 = 60;
/// Seconds by which quotes follow the oracle.
const QUOTE_LAG_SECS: usize = 4;
/// Seconds between two quotes of a window that is not open yet.
const FUTURE_QUOTE_EVERY_SECS: i64 = 5;
/// The reference price is told this long after the open, ms.
const REFERENCE_DELAY_MS: i64 = 2_000;
/// The outcome is told this long after the close, ms (recorded sample: 16 s).
const OUTCOME_DELAY_MS: i64 = 16_000;
/// Seconds between two clock events.
const CLOCK_EVERY_SECS: i64 = 10;
/// Arrival of an oracle tick and of a quote after the second they belong to, ms.
const ORACLE_DELAY_MS: i64 = 150;
const QUOTE_DELAY_MS: i64 = 400;
/// Seconds by which the user interface's price is ahead of the oracle's.
pub const UI_LEAD_SECS: i64 = 2;
/// Arrival of a UI price after the second it belongs to, ms.
const UI_DELAY_MS: i64 = 100;
/// Noise of the UI's price, as a part of it.
const UI_NOISE: f64 = 2e-6;
/// Pull of the volatility back to normal, and its own noise, per second.
const CLUSTER_PULL: f64 = 0.005;
const CLUSTER_NOISE: f64 = 0.04;

/// Start price, annual volatility and decimals of an asset.
const fn character(asset: Asset) -> (f64, f64, u32) {
    match asset {
        Asset::Btc => (95_000.0, 0.45, 2),
        Asset::Eth => (3_250.0, 0.65, 2),
        Asset::Sol => (150.0, 0.80, 4),
        Asset::Xrp => (2.2, 0.80, 5),
    }
}

#[derive(Debug)]
struct Listed {
    window: Window,
    told_reference: bool,
}

#[derive(Debug)]
struct Market {
    asset: Asset,
    rng: Rng,
    ui_rng: Rng,
    log_price: f64,
    cluster: f64,
    trail: OracleTrail,
    /// The last few prices: what the quotes still see.
    lagged: VecDeque<OraclePrice>,
    windows: Vec<Listed>,
}

/// The generated market: an endless iterator of events.
#[derive(Debug)]
pub struct Generator {
    markets: Vec<Market>,
    lengths: Vec<WindowLength>,
    sec: i64,
    start: EpochMs,
    /// Made, but not due yet: the UI's prices are ahead of the rest.
    held: Vec<Event>,
    queue: VecDeque<Event>,
}

impl Generator {
    /// A market from the first whole second at or after `start`.
    pub fn new(seed: u64, start: EpochMs, assets: &[Asset], lengths: &[WindowLength]) -> Self {
        let markets = assets
            .iter()
            .zip(1u64..)
            .map(|(asset, n)| Market {
                asset: *asset,
                rng: Rng::new(seed ^ n.wrapping_mul(0xA076_1D64_78BD_642F)),
                // Of its own, so that the UI's noise changes no oracle price.
                ui_rng: Rng::new(seed ^ n.wrapping_mul(0xE703_7ED1_A0B4_28DB)),
                log_price: libm::log(character(*asset).0),
                cluster: 0.0,
                trail: OracleTrail::default(),
                lagged: VecDeque::new(),
                windows: Vec::new(),
            })
            .collect();
        let sec = start.0.saturating_add(999).div_euclid(1_000).max(1);
        Self {
            markets,
            lengths: lengths.to_vec(),
            sec,
            start: EpochMs(sec.saturating_mul(1_000)),
            held: Vec::new(),
            queue: VecDeque::new(),
        }
    }

    fn one_second(&mut self) {
        let mut events = std::mem::take(&mut self.held);
        let at = EpochMs(self.sec.saturating_mul(1_000));
        for market in &mut self.markets {
            market.one_second(at, self.sec, &self.lengths, &mut events);
        }
        if self.sec % CLOCK_EVERY_SECS == 0 {
            let kind = EventKind::Clock(ClockTick { offset_ms: Some(0) });
            events.push(Event {
                t: at,
                src: None,
                kind,
            });
        }
        // Stable: events of one instant keep the order of the assets.
        events.sort_by_key(|event| event.t);
        // A second's own events never come earlier than the UI's lead before it.
        let due = at.plus_ms(1_000 - UI_LEAD_SECS * 1_000);
        let first_held = events.partition_point(|event| event.t < due);
        self.held = events.split_off(first_held);
        self.queue
            .extend(events.into_iter().filter(|event| event.t >= self.start));
        self.sec = self.sec.saturating_add(1);
    }
}

impl Iterator for Generator {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        /// Seconds without any event before giving up: only an empty list of assets gets there.
        const EMPTY_SECS_MAX: u32 = 60;
        for _ in 0..EMPTY_SECS_MAX {
            if let Some(event) = self.queue.pop_front() {
                return Some(event);
            }
            self.one_second();
        }
        None
    }
}

impl Market {
    fn one_second(
        &mut self,
        at: EpochMs,
        sec: i64,
        lengths: &[WindowLength],
        out: &mut Vec<Event>,
    ) {
        let Some(price) = self.walk() else { return };
        self.trail.observe(at, price);
        self.show_ahead(at, price, out);
        self.lagged.push_back(price);
        if self.lagged.len() > QUOTE_LAG_SECS {
            self.lagged.pop_front();
        }
        let arrival = at.plus_ms(ORACLE_DELAY_MS);
        let tick = PriceTick {
            asset: self.asset,
            price,
            twap_secs: None,
        };
        out.push(Event {
            t: arrival,
            src: Some(at),
            kind: EventKind::Oracle(tick),
        });
        if let Some(average) = self.average(at) {
            let tick = PriceTick {
                price: average,
                twap_secs: Some(LOOKBACK_SECS),
                ..tick
            };
            out.push(Event {
                t: arrival,
                src: Some(at),
                kind: EventKind::Oracle(tick),
            });
        }
        self.list(at, lengths, out);
        self.tell(at, price, out);
        self.quote(at, sec, out);
    }

    /// The user interface shows this price before the oracle does.
    fn show_ahead(&mut self, at: EpochMs, price: OraclePrice, out: &mut Vec<Event>) {
        let (_, _, decimals) = character(self.asset);
        let noise = 1.0 + UI_NOISE * self.ui_rng.normal();
        let shown = to_float(price.get()).map(|price| price * noise);
        if let Some(price) = shown.and_then(|shown| price_of(shown, decimals)) {
            let at = at.plus_ms(-UI_LEAD_SECS * 1_000);
            let tick = PriceTick {
                asset: self.asset,
                price,
                twap_secs: None,
            };
            out.push(Event {
                t: at.plus_ms(UI_DELAY_MS),
                src: Some(at),
                kind: EventKind::Spot(tick),
            });
        }
    }

    fn walk(&mut self) -> Option<OraclePrice> {
        let (_, sigma, decimals) = character(self.asset);
        self.cluster += CLUSTER_NOISE * self.rng.normal() - CLUSTER_PULL * self.cluster;
        let step = sigma * libm::exp(self.cluster) * libm::sqrt(1.0 / YEAR_SECS);
        self.log_price += step * self.rng.normal();
        price_of(libm::exp(self.log_price), decimals)
    }

    fn average(&self, at: EpochMs) -> Option<OraclePrice> {
        OraclePrice::try_new(self.trail.average(at, LOOKBACK_SECS)?).ok()
    }

    /// Lists the current and the next window of each length, as the venue does.
    fn list(&mut self, at: EpochMs, lengths: &[WindowLength], out: &mut Vec<Event>) {
        for length in lengths {
            let period = length.ms() / 1_000;
            let current = at.0.div_euclid(1_000).div_euclid(period) * period;
            for open_secs in [current, current + period] {
                let Ok(id) = WindowId::try_new(self.asset, *length, open_secs) else {
                    continue;
                };
                if self.windows.iter().any(|listed| listed.window.id == id) {
                    continue;
                }
                let (Some(up), Some(down)) = (token(id, 1), token(id, 2)) else {
                    continue;
                };
                let window = Window {
                    id,
                    up,
                    down,
                    rule: SettlementRule::Twap,
                    twap_lookback_secs: LOOKBACK_SECS,
                    reference: None,
                };
                out.push(window_event(at, &window, None));
                self.windows.push(Listed {
                    window,
                    told_reference: false,
                });
            }
        }
    }

    /// Tells reference prices and outcomes that are due.
    fn tell(&mut self, at: EpochMs, price: OraclePrice, out: &mut Vec<Event>) {
        for listed in &mut self.windows {
            let window = &mut listed.window;
            if !listed.told_reference && at >= window.id.open().plus_ms(REFERENCE_DELAY_MS) {
                // Before the first window there is no history to average; the price stands in.
                let average = self.trail.average(window.id.open(), LOOKBACK_SECS);
                window.reference = ReferencePrice::try_new(average.unwrap_or(price.get())).ok();
                listed.told_reference = true;
                out.push(window_event(at, window, None));
            }
        }
        let trail = &self.trail;
        self.windows.retain(|listed| {
            let window = &listed.window;
            if at < window.id.close().plus_ms(OUTCOME_DELAY_MS) {
                return true;
            }
            let closing = trail.average(window.id.close(), LOOKBACK_SECS);
            if let (Some(closing), Some(reference)) = (closing, window.reference) {
                let mut event = window_event(at, window, None);
                if let EventKind::Window(tick) = &mut event.kind {
                    tick.outcome = Some(outcome(closing, reference));
                }
                out.push(event);
            }
            false
        });
    }

    fn quote(&mut self, at: EpochMs, sec: i64, out: &mut Vec<Event>) {
        let seen = self.lagged.front().copied();
        for listed in &self.windows {
            let id = listed.window.id;
            let is_open = at >= id.open() && at < id.close();
            if at >= id.close() || (!is_open && sec % FUTURE_QUOTE_EVERY_SECS != 0) {
                continue;
            }
            let fair = if is_open {
                fair_price(self.asset, &listed.window, seen, at, &self.trail)
            } else {
                0.5
            };
            let mid = fair + 0.006 * self.rng.normal();
            let cents = whole(mid * 100.0).clamp(2, 98);
            let sizes = [self.rng.below(300) + 20, self.rng.below(300) + 20];
            for (token, mid_cents) in [
                (&listed.window.up, cents),
                (&listed.window.down, 100 - cents),
            ] {
                out.push(Event {
                    t: at.plus_ms(QUOTE_DELAY_MS),
                    src: Some(at.plus_ms(QUOTE_DELAY_MS - 50)),
                    kind: EventKind::Book(BookTick {
                        asset: self.asset,
                        token: token.clone(),
                        bid: cents_price(mid_cents - 1),
                        ask: cents_price(mid_cents + 1),
                        bid_size: Shares::try_new(Decimal::from(sizes[0])).unwrap_or(Shares::ZERO),
                        ask_size: Shares::try_new(Decimal::from(sizes[1])).unwrap_or(Shares::ZERO),
                    }),
                });
            }
        }
    }
}

/// What the market makers believe: the model on the price they have seen, with the true volatility.
fn fair_price(
    asset: Asset,
    window: &Window,
    seen: Option<OraclePrice>,
    at: EpochMs,
    trail: &OracleTrail,
) -> f64 {
    let inputs = (
        seen,
        window.reference,
        Volatility::try_new(character(asset).1),
    );
    let (Some(oracle), Some(reference), Ok(volatility)) = inputs else {
        return 0.5;
    };
    let remaining_ms = window.id.close() - at;
    // Inside the averaging they know the average so far.
    let passed_secs =
        u32::try_from((i64::from(LOOKBACK_SECS) * 1_000 - remaining_ms) / 1_000).unwrap_or(0);
    let average = if passed_secs == 0 {
        Some(oracle.get())
    } else {
        trail.average(at, passed_secs)
    };
    let settlement = Settlement::Twap {
        lookback_secs: LOOKBACK_SECS,
        average_so_far: average.and_then(|a| OraclePrice::try_new(a).ok()),
    };
    p_up(&ModelInput {
        oracle,
        reference,
        volatility,
        remaining_ms,
        settlement,
    })
    .map_or(0.5, |estimate| estimate.up.get())
}

fn window_event(at: EpochMs, window: &Window, outcome: Option<crate::units::Outcome>) -> Event {
    let kind = EventKind::Window(WindowTick {
        window: window.clone(),
        outcome,
    });
    Event {
        t: at,
        src: None,
        kind,
    }
}

/// `<asset><minutes><open><outcome>`: digits only, distinct for every window and outcome.
fn token(id: WindowId, outcome: u32) -> Option<TokenId> {
    let asset = match id.asset() {
        Asset::Btc => 1,
        Asset::Eth => 2,
        Asset::Sol => 3,
        Asset::Xrp => 4,
    };
    format!(
        "{asset}{:02}{}{outcome}",
        id.length().mins(),
        id.open().0 / 1_000
    )
    .parse()
    .ok()
}

fn price_of(value: f64, decimals: u32) -> Option<OraclePrice> {
    let price = Decimal::try_from(value).ok()?.round_dp(decimals);
    OraclePrice::try_new(price).ok()
}

fn cents_price(cents: i64) -> Option<TokenPrice> {
    TokenPrice::try_new(Decimal::new(cents, 2)).ok()
}

/// The nearest whole number of a small float.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "rounded and far inside i64; a NaN becomes 0"
)]
fn whole(value: f64) -> i64 {
    libm::round(value) as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tape::event_line;
    use std::collections::BTreeMap;

    const START: EpochMs = EpochMs(1_795_392_123_456);

    fn run(seed: u64, count: usize) -> Vec<Event> {
        Generator::new(
            seed,
            START,
            &[Asset::Btc, Asset::Eth],
            &[WindowLength::Min5],
        )
        .take(count)
        .collect()
    }

    #[test]
    fn the_same_seed_is_the_same_market() {
        assert_eq!(run(7, 5_000), run(7, 5_000));
        assert_ne!(run(7, 5_000), run(8, 5_000));
    }

    #[test]
    fn its_events_are_a_valid_tape() {
        let header =
            r#"{"tape":1,"source":"g","created_at":"x","assets":["btc","eth"]}"#.to_owned();
        let events = run(3, 20_000);
        let lines = events.iter().map(|event| event_line(event).unwrap());
        let tape = crate::tape::TapeReader::new(std::iter::once(header).chain(lines)).unwrap();
        let read: Vec<Event> = tape.collect::<Result<_, _>>().unwrap();
        assert_eq!(read, events);
    }

    #[test]
    fn windows_are_listed_early_and_settle_late() {
        let mut first_seen: BTreeMap<WindowId, EpochMs> = BTreeMap::new();
        let mut settled = 0;
        for event in run(5, 60_000) {
            let EventKind::Window(tick) = &event.kind else {
                continue;
            };
            let id = tick.window.id;
            let first = *first_seen.entry(id).or_insert(event.t);
            if tick.window.reference.is_some() {
                assert!(event.t >= id.open(), "a reference before the open");
            }
            if tick.outcome.is_some() {
                assert!(event.t >= id.close());
                assert!(
                    first < id.open() || first - START < 1_000,
                    "listed before its open"
                );
                settled += 1;
            }
        }
        assert!(settled > 20, "{settled}");
    }

    #[test]
    fn both_outcomes_happen() {
        let ups = run(11, 100_000)
            .iter()
            .filter_map(|event| {
                let EventKind::Window(tick) = &event.kind else {
                    return None;
                };
                tick.outcome
            })
            .fold((0, 0), |(up, down), outcome| match outcome {
                crate::units::Outcome::Up => (up + 1, down),
                crate::units::Outcome::Down => (up, down + 1),
            });
        assert!(ups.0 > 5 && ups.1 > 5, "{ups:?}");
    }

    #[test]
    fn no_assets_is_an_end_not_a_hang() {
        let seconds_with_clock = Generator::new(1, START, &[], &[WindowLength::Min5])
            .take(3)
            .count();
        assert_eq!(seconds_with_clock, 3, "the clock still ticks");
    }
}
