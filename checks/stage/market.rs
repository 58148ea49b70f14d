//! The market of the stage, second by second: oracle prices round the reference, books at a price of the
//! check's choosing, listings of the current and the next window.
//!
//! The oracle swings by 0.01 % round the reference every twenty seconds: enough for a volatility, too little
//! for an opinion. Where it stands still, at the reference, every honest model says one half, so that a check
//! knows what an entry was worth without asking the model.

use super::typical_price;
use rust_decimal::Decimal;
use trader_core::event::{BookTick, ClockTick, Event, EventKind, PriceTick, WindowTick};
use trader_core::fees::fee_per_share;
use trader_core::manifest::Manifest;
use trader_core::units::{
    Asset, EpochMs, OraclePrice, Outcome, ReferencePrice, Shares, TokenId, TokenPrice, UnitError,
};
use trader_core::window::{SettlementRule, Window, WindowId, WindowLength};

/// Open of the stage's first windows: 2026-09-01T00:00:00Z, a multiple of fifteen minutes.
const OPEN_SECS: i64 = 1_788_220_800;
/// The venue's look-back in autumn 2026, seconds.
const LOOKBACK_SECS: u32 = 60;
/// Longest warm-up that is played, seconds.
pub(crate) const WARM_UP_SECS_MAX: u32 = 3_600;
/// Seconds by which the warm-up is longer than declared, and the least: the volatility's own first returns.
const WARM_UP_SPARE_SECS: i64 = 10;
const WARM_UP_SECS_MIN: i64 = 65;
/// What one token's book shows, and whether each feed speaks at all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quote {
    /// Lowest ask.
    pub(crate) ask: TokenPrice,
    /// Highest bid.
    pub(crate) bid: TokenPrice,
    /// Whether the oracle speaks.
    pub(crate) has_oracle: bool,
    /// Whether the books speak.
    pub(crate) has_books: bool,
    /// Whether the oracle swings; else it stands at the reference.
    pub(crate) has_swing: bool,
    /// How often every event comes.
    pub(crate) times: u32,
}

impl Quote {
    /// A market that offers at a price and pays two cents less.
    ///
    /// # Errors
    /// No token costs that.
    pub(crate) fn at(ask: TokenPrice) -> Result<Self, UnitError> {
        let least = Decimal::new(1, 2);
        let bid = (ask.get() - Decimal::new(2, 2)).max(least);
        Ok(Self {
            ask,
            bid: TokenPrice::try_new(bid)?,
            has_oracle: true,
            has_books: true,
            has_swing: true,
            times: 1,
        })
    }

    /// The same market, which pays almost nothing: whoever must leave leaves with a loss.
    ///
    /// # Errors
    /// Never for a valid constant.
    pub(crate) fn slumped(self) -> Result<Self, UnitError> {
        Ok(Self {
            bid: TokenPrice::try_new(Decimal::new(1, 2))?,
            ..self
        })
    }
}

/// The ask at which a model of one half sees an edge inside the declared band.
///
/// # Errors
/// When the band leaves no price.
pub(crate) fn normal_ask(manifest: &Manifest) -> Result<TokenPrice, UnitError> {
    let (min, max) = (manifest.edge.min.get(), manifest.edge.max.get());
    let wanted = min + ((max - min) / Decimal::TWO).min(Decimal::new(10, 2));
    let half = Decimal::new(50, 2);
    // The cheapest price whose edge is not above what is wanted.
    let edge = |price: TokenPrice| half - price.get() - fee_per_share(price);
    for cents in 5..50 {
        let price = TokenPrice::try_new(Decimal::new(cents, 2))?;
        if edge(price) <= wanted {
            return Ok(price);
        }
    }
    TokenPrice::try_new(Decimal::new(49, 2))
}

/// The market.
#[derive(Debug)]
pub(crate) struct Market {
    assets: Vec<Asset>,
    lengths: Vec<WindowLength>,
}

impl Market {
    /// A market of these coins and lengths.
    pub(crate) fn new(assets: &[Asset], lengths: &[WindowLength]) -> Self {
        Self {
            assets: assets.to_vec(),
            lengths: lengths.to_vec(),
        }
    }

    /// Coins and lengths as declared.
    ///
    /// # Errors
    /// A length that does not exist.
    pub(crate) fn declared(manifest: &Manifest) -> Result<Self, UnitError> {
        let lengths = manifest.window.durations_mins.iter();
        let lengths: Result<Vec<_>, _> = lengths.map(|m| WindowLength::from_mins(*m)).collect();
        Ok(Self::new(&manifest.assets, &lengths?))
    }

    /// The instant so many seconds after the first open.
    pub(crate) const fn at(secs: i64) -> EpochMs {
        EpochMs((OPEN_SECS + secs) * 1_000)
    }

    /// Oracle prices before a second, as long as the declared warm-up takes, and the windows of that second.
    ///
    /// # Errors
    /// Never for the stage's own prices.
    pub(crate) fn warm_up(
        &self,
        manifest: &Manifest,
        before: i64,
    ) -> Result<Vec<Event>, UnitError> {
        let secs = i64::from(manifest.window.warm_up_secs.get().min(WARM_UP_SECS_MAX));
        let secs = secs.max(WARM_UP_SECS_MIN);
        let mut events = Vec::new();
        for sec in before - secs - WARM_UP_SPARE_SECS..before {
            for asset in &self.assets {
                events.push(oracle(*asset, Self::at(sec), true)?);
            }
        }
        let now = Self::at(before);
        let windows = self.windows(before);
        events.extend(windows.iter().map(|window| listed(window, now, None)));
        Ok(events)
    }

    /// Windows of every coin and length that are open at that second or open next.
    pub(crate) fn windows(&self, sec: i64) -> Vec<Window> {
        let mut windows = Vec::new();
        for asset in &self.assets {
            for length in &self.lengths {
                let period = length.ms() / 1_000;
                let current = (OPEN_SECS + sec).div_euclid(period) * period;
                for open in [current, current + period] {
                    windows.extend(window(*asset, *length, open));
                }
            }
        }
        windows
    }

    /// Everything that happens in one second: the oracle, listings when something is new, books. Windows that
    /// are not open are quoted every fifth second.
    ///
    /// # Errors
    /// Never for the stage's own prices.
    pub(crate) fn second(&self, sec: i64, quote: &Quote) -> Result<Vec<Event>, UnitError> {
        let now = Self::at(sec);
        let mut once = Vec::new();
        if quote.has_oracle {
            for asset in &self.assets {
                once.push(oracle(*asset, now, quote.has_swing)?);
            }
        }
        for window in &self.windows(sec) {
            let since_open = (now - window.id.open()) / 1_000;
            if (0..3).contains(&since_open) || sec % 5 == 0 {
                once.push(listed(window, now, None));
            }
            if quote.has_books && (since_open >= 0 || sec % 5 == 0) {
                for outcome in [Outcome::Up, Outcome::Down] {
                    once.push(book(window, outcome, quote, now)?);
                }
            }
        }
        let mut events = Vec::new();
        for _ in 0..quote.times.max(1) {
            events.extend(once.iter().cloned());
        }
        Ok(events)
    }

    /// Tells how the windows that closed at that second ended.
    pub(crate) fn outcomes(&self, sec: i64, now: EpochMs, outcome: Outcome) -> Vec<Event> {
        let closed = |asset: &Asset, length: &WindowLength| {
            let open = OPEN_SECS + sec - length.ms() / 1_000;
            window(*asset, *length, open)
        };
        let mut events = Vec::new();
        for asset in &self.assets {
            for length in &self.lengths {
                let window = closed(asset, length);
                events.extend(window.map(|window| listed(&window, now, Some(outcome))));
            }
        }
        events
    }
}

/// Our clock against the venue's.
pub(crate) fn clock(now: EpochMs, offset_ms: Option<i64>) -> Event {
    Event {
        t: now,
        src: None,
        kind: EventKind::Clock(ClockTick { offset_ms }),
    }
}

/// A listing; the reference is told once the window is open.
pub(crate) fn listed(window: &Window, now: EpochMs, outcome: Option<Outcome>) -> Event {
    let mut window = window.clone();
    if now < window.id.open() {
        window.reference = None;
    }
    Event {
        t: now,
        src: None,
        kind: EventKind::Window(WindowTick { window, outcome }),
    }
}

/// A token's book.
///
/// # Errors
/// Never for the stage's own sizes.
pub(crate) fn book(
    window: &Window,
    outcome: Outcome,
    quote: &Quote,
    now: EpochMs,
) -> Result<Event, UnitError> {
    let size = Shares::try_new(Decimal::from(10_000))?;
    Ok(Event {
        t: now,
        src: Some(now),
        kind: EventKind::Book(BookTick {
            asset: window.id.asset(),
            token: window.token(outcome).clone(),
            bid: Some(quote.bid),
            ask: Some(quote.ask),
            bid_size: size,
            ask_size: size,
        }),
    })
}

fn oracle(asset: Asset, now: EpochMs, has_swing: bool) -> Result<Event, UnitError> {
    let place = now.0.div_euclid(1_000).rem_euclid(20);
    let part = if has_swing {
        (place - 10).abs() * 2 - 10
    } else {
        0
    };
    let price = typical_price(asset) * (Decimal::ONE + Decimal::new(part, 5));
    Ok(Event {
        t: now,
        src: Some(now),
        kind: EventKind::Oracle(PriceTick {
            asset,
            price: OraclePrice::try_new(price)?,
            twap_secs: None,
        }),
    })
}

/// One listed window. Which outcome has the smaller token number changes from window to window: nothing
/// may trust the order.
pub(crate) fn window(asset: Asset, length: WindowLength, open_secs: i64) -> Option<Window> {
    let id = WindowId::try_new(asset, length, open_secs).ok()?;
    let coin = Asset::ALL.iter().position(|known| *known == asset)?;
    let stem = format!("{open_secs}{}{coin}", length.mins());
    let first = (open_secs / 300) % 2 == 0;
    let (up, down) = if first { ("1", "2") } else { ("2", "1") };
    Some(Window {
        id,
        up: format!("{stem}{up}").parse::<TokenId>().ok()?,
        down: format!("{stem}{down}").parse().ok()?,
        rule: SettlementRule::Twap,
        twap_lookback_secs: LOOKBACK_SECS,
        reference: ReferencePrice::try_new(typical_price(asset)).ok(),
    })
}
