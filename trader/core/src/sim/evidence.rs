//! Whether the model knows anything: what it said, what the market said and what came, window by window.
//!
//! Samples are taken at fixed times before each close, from what had arrived by then and from nothing
//! later. Decides nothing and trades nothing. Scores: Brier = mean (p − y)², log-loss = −mean ln of the
//! probability given to what came, p held within [`CLIP`] and its complement.

use crate::event::{BookTick, Event, EventKind, WindowTick};
use crate::model::{Estimate, ModelInput, Settlement, YEAR_SECS, p_up};
use crate::twap::SecondPrices;
use crate::units::{
    Asset, EpochMs, OraclePrice, Outcome, ReferencePrice, TokenId, TokenPrice, Volatility,
};
use crate::volatility::VolatilityEstimator;
use crate::window::{SettlementRule, Window, WindowId};
use rust_decimal::prelude::ToPrimitive as _;
use std::collections::BTreeMap;

/// Seconds before the close at which samples are taken.
pub const HORIZONS_SECS: [u32; 4] = [180, 120, 60, 30];

/// Least probability that a score takes seriously: beyond it one surprise would be the whole log-loss.
pub const CLIP: f64 = 1e-4;

/// Oldest price or book that a sample is taken from, ms.
const FRESH_MS: i64 = 10_000;

/// Least part of the elapsed settlement average that must have been observed, %.
const COVERAGE_MIN_PCT: u64 = 75;

/// Half-life of the variance of one-second returns, s: only for comparison, nothing trades on it.
const ONE_SECOND_HALF_LIFE: f64 = 600.0;

/// Which volatility and which average: the trader's own, or the plainer ones it is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Variant {
    /// Blended volatility, aware of the part of the average that has passed: what the trader uses.
    #[default]
    Trader,
    /// Blended volatility, N(d2) on the last price whatever the rule.
    LastPrice,
    /// Volatility of one-second returns, N(d2) on the last price.
    OneSecond,
}

/// One asset's prices as they became known.
#[derive(Debug, Clone, Default)]
pub struct PriceEye {
    volatility: VolatilityEstimator,
    seconds: SecondPrices,
    last: Option<(EpochMs, OraclePrice)>,
    one_second: OneSecond,
}

/// Faded variance of one-second returns.
#[derive(Debug, Clone, Copy, Default)]
struct OneSecond {
    squares: f64,
    secs: f64,
}

impl PriceEye {
    /// Takes a price with its source time.
    pub fn observe(&mut self, at: EpochMs, price: OraclePrice) {
        if let Some((before, last)) = self.last {
            if at < before {
                return;
            }
            self.one_second.observe(at - before, last, price);
        }
        self.volatility.observe(at, price);
        self.seconds.observe(at, price);
        self.last = Some((at, price));
    }

    /// Takes a value of the venue's average stream.
    pub fn measure(&mut self, at: EpochMs, secs: u32, value: OraclePrice) {
        self.seconds.measure(at, secs, value);
    }

    /// What the model says of a window at `now`; `None` where the trader would refuse to ask it.
    pub fn estimate(&self, window: &Scored, now: EpochMs, variant: Variant) -> Option<Estimate> {
        let (at, oracle) = self.last?;
        if now - at > FRESH_MS {
            return None;
        }
        let blended = self.volatility.estimate(now)?;
        let volatility = match variant {
            Variant::Trader | Variant::LastPrice => blended,
            Variant::OneSecond => self.one_second.estimate()?,
        };
        let averages = window.lookback_secs > 0 && variant == Variant::Trader;
        let end = if averages {
            window.close.plus_ms(-self.seconds.delay_ms())
        } else {
            window.close
        };
        let settlement = if averages {
            Settlement::Twap {
                lookback_secs: window.lookback_secs,
                average_so_far: self.average_so_far(window, end, now)?,
            }
        } else {
            Settlement::Spot
        };
        p_up(&ModelInput {
            oracle,
            reference: window.reference,
            volatility,
            remaining_ms: end - now,
            settlement,
        })
        .ok()
    }

    /// The inner `None`: nothing of it has passed. The outer: too little of what passed was seen.
    #[expect(
        clippy::option_option,
        reason = "not begun and not known are two things"
    )]
    fn average_so_far(
        &self,
        window: &Scored,
        end: EpochMs,
        now: EpochMs,
    ) -> Option<Option<OraclePrice>> {
        if end - now >= i64::from(window.lookback_secs) * 1_000 {
            return Some(None);
        }
        let known = self.seconds.known(end, window.lookback_secs, now)?;
        (known.observed * 100 >= known.elapsed * COVERAGE_MIN_PCT).then_some(known.average)
    }

    /// The average over `(at − secs, at]`, when enough of its seconds were observed.
    pub fn average(&self, at: EpochMs, secs: u32) -> Option<OraclePrice> {
        let known = self.seconds.known(at, secs, at)?;
        let enough = known.observed * 100 >= u64::from(secs) * COVERAGE_MIN_PCT;
        known.average.filter(|_| enough)
    }
}

impl OneSecond {
    fn observe(&mut self, step_ms: i64, before: OraclePrice, price: OraclePrice) {
        let prices = (before.get().to_f64(), price.get().to_f64());
        let (1_000, (Some(before), Some(price))) = (step_ms, prices) else {
            return;
        };
        let log_return = libm::log(price / before);
        let fade = libm::exp2(-1.0 / ONE_SECOND_HALF_LIFE);
        self.squares = self.squares * fade + log_return * log_return;
        self.secs = self.secs * fade + 1.0;
    }

    fn estimate(&self) -> Option<Volatility> {
        Volatility::try_new(libm::sqrt(self.squares / self.secs * YEAR_SECS)).ok()
    }
}

/// What the model must know of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scored {
    /// Its end.
    pub close: EpochMs,
    /// K.
    pub reference: ReferencePrice,
    /// L; 0 settles on the instant's price.
    pub lookback_secs: u32,
}

/// The market's view of the Up token at one instant, both tokens' books taken together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MarketQuote {
    /// Highest bid for Up, also through an ask for Down; 0 when nobody bids.
    pub bid: f64,
    /// Lowest ask for Up, also through a bid for Down; 1 when nobody asks.
    pub ask: f64,
    /// Whether bid and ask were seen, or only a mid.
    pub is_book: bool,
}

impl MarketQuote {
    /// Half-way between bid and ask.
    pub fn mid(&self) -> f64 {
        f64::midpoint(self.bid, self.ask)
    }
}

/// One look at one window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Which window: samples of one window rise and fall together.
    pub cluster: i64,
    /// Seconds before the close.
    pub secs_before_close: u32,
    /// The model's probability of Up.
    pub model: Option<f64>,
    /// The market's.
    pub market: Option<MarketQuote>,
    /// Whether Up came.
    pub up: bool,
    /// Taken where a market's mid was recorded, not at one of the [`HORIZONS_SECS`].
    pub marked: bool,
}

#[derive(Debug, Clone, Copy)]
struct Shown {
    at: EpochMs,
    bid: Option<TokenPrice>,
    ask: Option<TokenPrice>,
}

#[derive(Debug)]
struct Watched {
    window: Window,
    up: Option<Shown>,
    down: Option<Shown>,
    /// Looks that are still to come, latest first.
    due: Vec<u32>,
    taken: Vec<Sample>,
}

/// Takes samples from a stream of events.
#[derive(Debug, Default)]
pub struct EvidenceCollector {
    eyes: BTreeMap<Asset, PriceEye>,
    windows: BTreeMap<WindowId, Watched>,
    tokens: BTreeMap<TokenId, (WindowId, Outcome)>,
    mids: BTreeMap<WindowId, Vec<(u32, f64)>>,
    variant: Variant,
    samples: Vec<Sample>,
}

impl EvidenceCollector {
    /// A collector of this variant.
    pub fn new(variant: Variant) -> Self {
        Self {
            variant,
            ..Self::default()
        }
    }

    /// Adds a look at a window for which a market's mid was recorded without its book.
    pub fn mark(&mut self, window: WindowId, at: EpochMs, mid: TokenPrice) {
        let secs = u32::try_from((window.close() - at) / 1_000).unwrap_or(0);
        let (true, Some(mid)) = (secs > 0, mid.get().to_f64()) else {
            return;
        };
        self.mids.entry(window).or_default().push((secs, mid));
    }

    /// Watches an event; looks that are due by then see nothing of it.
    pub fn observe(&mut self, event: &Event) {
        self.look(event.t);
        let at = event.src.map_or(event.t, |src| src.min(event.t));
        match &event.kind {
            EventKind::Oracle(tick) => {
                let eye = self.eyes.entry(tick.asset).or_default();
                match tick.twap_secs {
                    None => eye.observe(at, tick.price),
                    Some(secs) => eye.measure(at, secs, tick.price),
                }
            }
            EventKind::Book(tick) => self.book(tick, event.t),
            EventKind::Window(tick) => self.window(tick, event.t),
            EventKind::Spot(_)
            | EventKind::Trade(_)
            | EventKind::Order(_)
            | EventKind::Fill(_)
            | EventKind::Lease(_)
            | EventKind::Clock(_)
            | EventKind::Control(_) => {}
        }
    }

    /// The samples of all windows whose outcome was told.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    fn look(&mut self, now: EpochMs) {
        for watched in self.windows.values_mut() {
            let close = watched.window.id.close();
            while let Some(secs) = watched.due.last().copied() {
                let at = close.plus_ms(-i64::from(secs) * 1_000);
                if at > now {
                    break;
                }
                watched.due.pop();
                let id = watched.window.id;
                let marked = self.mids.get(&id).into_iter().flatten();
                let mid = marked
                    .rev()
                    .find(|(look, _)| *look == secs)
                    .map(|(_, mid)| *mid);
                let eye = self.eyes.get(&id.asset());
                watched.take(eye, secs, at, mid, self.variant);
            }
        }
    }

    fn book(&mut self, tick: &BookTick, at: EpochMs) {
        let Some((id, outcome)) = self.tokens.get(&tick.token) else {
            return;
        };
        let shown = Some(Shown {
            at,
            bid: tick.bid,
            ask: tick.ask,
        });
        if let Some(watched) = self.windows.get_mut(id) {
            match outcome {
                Outcome::Up => watched.up = shown,
                Outcome::Down => watched.down = shown,
            }
        }
    }

    fn window(&mut self, tick: &WindowTick, now: EpochMs) {
        let id = tick.window.id;
        if let Some(outcome) = tick.outcome {
            if let Some(watched) = self.windows.remove(&id) {
                self.tokens.remove(&watched.window.up);
                self.tokens.remove(&watched.window.down);
                let up = outcome == Outcome::Up;
                self.samples.extend(
                    watched
                        .taken
                        .into_iter()
                        .map(|sample| Sample { up, ..sample }),
                );
            }
            return;
        }
        if let Some(watched) = self.windows.get_mut(&id) {
            watched.window.reference = tick.window.reference.or(watched.window.reference);
            return;
        }
        if now >= id.close() {
            return;
        }
        let marked = self.mids.get(&id).into_iter().flatten();
        let mut due: Vec<u32> = marked.map(|(secs, _)| *secs).chain(HORIZONS_SECS).collect();
        due.sort_unstable();
        due.dedup();
        for (token, outcome) in [
            (&tick.window.up, Outcome::Up),
            (&tick.window.down, Outcome::Down),
        ] {
            self.tokens.insert(token.clone(), (id, outcome));
        }
        let watched = Watched {
            window: tick.window.clone(),
            up: None,
            down: None,
            due,
            taken: Vec::new(),
        };
        self.windows.insert(id, watched);
    }
}

impl Watched {
    fn take(
        &mut self,
        eye: Option<&PriceEye>,
        secs: u32,
        at: EpochMs,
        mid: Option<f64>,
        variant: Variant,
    ) {
        let id = self.window.id;
        let model = self.window.reference.and_then(|reference| {
            let scored = Scored {
                close: id.close(),
                reference,
                lookback_secs: match self.window.rule {
                    SettlementRule::Spot => 0,
                    SettlementRule::Twap => self.window.twap_lookback_secs,
                },
            };
            eye?.estimate(&scored, at, variant)
        });
        let only_mid = mid.map(|mid| MarketQuote {
            bid: mid,
            ask: mid,
            is_book: false,
        });
        // A recorded mid is the market's; a book may have been made.
        let market = only_mid.or_else(|| self.quote(at));
        if model.is_some() || market.is_some() {
            self.taken.push(Sample {
                cluster: id.open().0,
                secs_before_close: secs,
                model: model.map(|estimate| estimate.up.get()),
                market,
                up: false,
                marked: mid.is_some(),
            });
        }
    }

    fn quote(&self, now: EpochMs) -> Option<MarketQuote> {
        let fresh = |shown: Option<Shown>| shown.filter(|shown| now - shown.at <= FRESH_MS);
        let price = |price: Option<TokenPrice>| price.and_then(|price| price.get().to_f64());
        let (up, down) = (fresh(self.up), fresh(self.down));
        let bids = [
            up.and_then(|book| price(book.bid)),
            down.and_then(|book| price(book.ask)).map(|ask| 1.0 - ask),
        ];
        let asks = [
            up.and_then(|book| price(book.ask)),
            down.and_then(|book| price(book.bid)).map(|bid| 1.0 - bid),
        ];
        let bid = bids.into_iter().flatten().reduce(f64::max);
        let ask = asks.into_iter().flatten().reduce(f64::min);
        (bid.is_some() || ask.is_some()).then(|| MarketQuote {
            bid: bid.unwrap_or(0.0),
            ask: ask.unwrap_or(1.0),
            is_book: true,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::PriceTick;

    const OPEN: i64 = 1_784_851_200_000;

    fn window_event(t: i64, outcome: Option<Outcome>) -> Event {
        let window = Window {
            id: "btc-5m-1784851200".parse().unwrap(),
            up: "1".parse().unwrap(),
            down: "2".parse().unwrap(),
            rule: SettlementRule::Spot,
            twap_lookback_secs: 0,
            reference: Some("65000".parse().unwrap()),
        };
        let kind = EventKind::Window(WindowTick { window, outcome });
        Event {
            t: EpochMs(t),
            src: None,
            kind,
        }
    }

    fn book(t: i64, token: &str, bid: Option<&str>, ask: Option<&str>) -> Event {
        let kind = EventKind::Book(BookTick {
            asset: Asset::Btc,
            token: token.parse().unwrap(),
            bid: bid.map(|price| price.parse().unwrap()),
            ask: ask.map(|price| price.parse().unwrap()),
            bid_size: crate::units::Shares::ZERO,
            ask_size: crate::units::Shares::ZERO,
        });
        Event {
            t: EpochMs(t),
            src: None,
            kind,
        }
    }

    fn oracle(t: i64, price: &str) -> Event {
        let kind = EventKind::Oracle(PriceTick {
            asset: Asset::Btc,
            price: price.parse().unwrap(),
            twap_secs: None,
        });
        Event {
            t: EpochMs(t),
            src: Some(EpochMs(t)),
            kind,
        }
    }

    #[test]
    fn a_look_sees_nothing_that_came_later() {
        let mut collector = EvidenceCollector::default();
        collector.observe(&window_event(OPEN, None));
        let look = OPEN + 300_000 - 180_000;
        collector.observe(&book(look - 5_000, "1", Some("0.40"), Some("0.42")));
        // The very next event is a minute later and knows better; the look must not.
        collector.observe(&book(look + 60_000, "1", Some("0.98"), Some("0.99")));
        collector.observe(&window_event(OPEN + 316_000, Some(Outcome::Up)));
        let first = collector.samples()[0];
        assert_eq!(first.secs_before_close, 180);
        assert!((first.market.unwrap().mid() - 0.41).abs() < 1e-12);
        assert!(first.up && first.model.is_none());
    }

    #[test]
    fn both_books_make_one_quote_and_old_ones_none() {
        let mut collector = EvidenceCollector::default();
        collector.observe(&window_event(OPEN, None));
        let look = OPEN + 120_000;
        collector.observe(&book(look - 1_000, "1", None, Some("0.80")));
        collector.observe(&book(look - 1_000, "2", Some("0.25"), Some("0.30")));
        collector.observe(&window_event(OPEN + 316_000, Some(Outcome::Down)));
        let samples = collector.samples();
        assert_eq!(
            samples.len(),
            1,
            "a minute later the books are old: {samples:?}"
        );
        let quote = samples[0].market.unwrap();
        assert!((quote.bid - 0.70).abs() < 1e-12 && (quote.ask - 0.75).abs() < 1e-12);
    }

    #[test]
    fn the_model_is_asked_only_with_fresh_prices_and_volatility() {
        let mut collector = EvidenceCollector::default();
        for sec in 0..400_i64 {
            let t = OPEN - 300_000 + sec * 1_000;
            if sec == 300 {
                collector.observe(&window_event(t, None));
            }
            let price = if sec % 2 == 0 { "65010" } else { "65011.5" };
            collector.observe(&oracle(t, price));
            collector.observe(&oracle(t + 500, "65012"));
        }
        // Prices end 100 s into the window: the look at 120 s is 20 s late.
        collector.observe(&window_event(OPEN + 316_000, Some(Outcome::Up)));
        assert!(collector.samples().is_empty(), "{:?}", collector.samples());
    }
}
