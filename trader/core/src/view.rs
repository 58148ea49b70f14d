//! The two doors through which a component sees the world: [`MarketView`] and [`ExitView`].
//!
//! A view can only be made for an open window, of one asset, with that window's own tokens, a
//! reference price and fresh data; every other combination is a typed refusal. A component gets
//! nothing else, so it cannot mix up prices, assets or windows.

use crate::components::Readings;
use crate::event::BookTick;
use crate::fees::fee_per_share;
use crate::ledger::Position;
use crate::refusal::{Figure, Refusal, Refuser};
use crate::twap::{KnownAverage, SecondPrices};
use crate::units::{
    Asset, EpochMs, OraclePrice, Outcome, ReferencePrice, Shares, TokenId, TokenPrice, UiPrice,
    Volatility, order,
};
use crate::window::OpenWindow;
use rust_decimal::Decimal;
use std::cmp::Ordering;

/// An asset's oracle price with the time it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OracleQuote {
    /// The asset.
    pub asset: Asset,
    /// The price.
    pub price: OraclePrice,
    /// The source's time, or the arrival where the source gives none.
    pub at: EpochMs,
}

/// The user interface's price of an asset with the time it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UiQuote {
    /// The asset.
    pub asset: Asset,
    /// The price.
    pub price: UiPrice,
    /// The source's time, or the arrival where the source gives none.
    pub at: EpochMs,
}

/// A token's best bid and ask with the time they belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Book {
    /// The asset.
    pub asset: Asset,
    /// The token.
    pub token: TokenId,
    /// Best bid.
    pub bid: Option<TokenPrice>,
    /// Best ask.
    pub ask: Option<TokenPrice>,
    /// Shares at the bid.
    pub bid_size: Shares,
    /// Shares at the ask.
    pub ask_size: Shares,
    /// The source's time, or the arrival where the source gives none.
    pub at: EpochMs,
}

impl Book {
    /// The book that a tick shows.
    pub fn new(tick: &BookTick, at: EpochMs) -> Self {
        Self {
            asset: tick.asset,
            token: tick.token.clone(),
            bid: tick.bid,
            ask: tick.ask,
            bid_size: tick.bid_size,
            ask_size: tick.ask_size,
            at,
        }
    }

    /// Shows another tick of the same token; one that is older than what is shown is ignored.
    pub fn show(&mut self, tick: &BookTick, at: EpochMs) {
        if at < self.at {
            return;
        }
        self.bid = tick.bid;
        self.ask = tick.ask;
        self.bid_size = tick.bid_size;
        self.ask_size = tick.ask_size;
        self.at = at;
    }
}

/// What an asset's own oracle prices tell beyond the newest one.
#[derive(Debug, Clone, Copy)]
pub struct AssetHistory<'a> {
    /// The asset.
    pub asset: Asset,
    /// Volatility of its oracle returns, once there is enough history.
    pub volatility: Option<Volatility>,
    /// Short-term over long-term volatility: 1 when the market is as it was.
    pub surprise: Option<f64>,
    /// Its prices second by second, for the settlement average.
    pub seconds: Option<&'a SecondPrices>,
}

/// How old data may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// Oldest oracle price, ms.
    pub max_oracle_age_ms: i64,
    /// Oldest book, ms.
    pub max_book_age_ms: i64,
}

/// Prices in USD between which an asset's oracle price is believable: years of history times ten
/// either way. A token price (0 to 1) is outside for every asset but XRP, where the model's own
/// plausibility guard stands.
pub const fn plausible_usd(asset: Asset) -> (Decimal, Decimal) {
    let (low_cents, high) = match asset {
        Asset::Btc => (100_000, 10_000_000),
        Asset::Eth => (5_000, 200_000),
        Asset::Sol => (200, 10_000),
        Asset::Xrp => (5, 500),
    };
    (
        Decimal::from_parts(low_cents, 0, 0, false, 2),
        Decimal::from_parts(high, 0, 0, false, 0),
    )
}

/// Everything that a component may look at when it decides about an entry.
#[derive(Debug, Clone, Copy)]
pub struct MarketView<'a> {
    window: OpenWindow<'a>,
    oracle: OracleQuote,
    reference: ReferencePrice,
    up: Option<&'a Book>,
    down: Option<&'a Book>,
    history: Option<AssetHistory<'a>>,
    readings: &'a Readings,
}

impl<'a> MarketView<'a> {
    /// The only way to a view.
    ///
    /// # Errors
    /// A refusal with one of the codes `missing_oracle`, `missing_reference`, `missing_book`,
    /// `mixed_assets`, `foreign_token`, `oracle_out_of_range`, `reference_out_of_range`,
    /// `stale_oracle`, `stale_book`, `crossed_book`.
    pub fn try_new(
        window: OpenWindow<'a>,
        oracle: Option<&OracleQuote>,
        up: Option<&'a Book>,
        down: Option<&'a Book>,
        history: Option<AssetHistory<'a>>,
        freshness: Freshness,
    ) -> Result<Self, Refusal> {
        let asset = window.window().id.asset();
        let oracle = *oracle.ok_or_else(|| refuse("missing_oracle"))?;
        let reference = window
            .window()
            .reference
            .ok_or_else(|| refuse("missing_reference"))?;
        if up.is_none() && down.is_none() {
            return Err(refuse("missing_book"));
        }
        let foreign_asset = oracle.asset != asset
            || history.is_some_and(|known| known.asset != asset)
            || [up, down]
                .into_iter()
                .flatten()
                .any(|book| book.asset != asset);
        if foreign_asset {
            return Err(refuse("mixed_assets"));
        }
        in_range("oracle_out_of_range", asset, oracle.price.get())?;
        in_range("reference_out_of_range", asset, reference.get())?;
        fresh(
            "stale_oracle",
            window.now() - oracle.at,
            freshness.max_oracle_age_ms,
        )?;
        for (book, outcome) in [(up, Outcome::Up), (down, Outcome::Down)] {
            if let Some(book) = book {
                check_book(window, book, outcome, freshness.max_book_age_ms)?;
            }
        }
        Ok(Self {
            window,
            oracle,
            reference,
            up,
            down,
            history,
            readings: &Readings::NONE,
        })
    }

    /// The same view with what the strategy's analyses read from their series.
    pub(crate) const fn with_readings<'b>(&self, readings: &'b Readings) -> MarketView<'b>
    where
        'a: 'b,
    {
        MarketView { readings, ..*self }
    }

    /// What the strategy's analyses read.
    pub const fn readings(&self) -> &'a Readings {
        self.readings
    }

    /// The window, proved open.
    pub const fn window(&self) -> OpenWindow<'a> {
        self.window
    }

    /// S.
    pub const fn oracle(&self) -> OracleQuote {
        self.oracle
    }

    /// K.
    pub const fn reference(&self) -> ReferencePrice {
        self.reference
    }

    /// The book of an outcome's token.
    pub const fn book(&self, outcome: Outcome) -> Option<&'a Book> {
        match outcome {
            Outcome::Up => self.up,
            Outcome::Down => self.down,
        }
    }

    /// σ, once there is enough history.
    pub fn volatility(&self) -> Option<Volatility> {
        self.history?.volatility
    }

    /// Short-term over long-term volatility.
    pub fn surprise(&self) -> Option<f64> {
        self.history?.surprise
    }

    /// When the settlement average takes its last sample: the close, less the delay that the venue's own
    /// average stream shows.
    pub fn averaging_end(&self) -> EpochMs {
        let delay_ms = self
            .history
            .and_then(|known| known.seconds)
            .map_or(0, SecondPrices::delay_ms);
        self.window.window().id.close().plus_ms(-delay_ms)
    }

    /// The part of the settlement average that is known; `None` when it began before this asset's
    /// prices were seen.
    pub fn known_average(&self) -> Option<KnownAverage> {
        let lookback_secs = self.window.window().twap_lookback_secs;
        self.history?
            .seconds?
            .known(self.averaging_end(), lookback_secs, self.window.now())
    }
}

/// Everything that an exit component may look at. Needs no oracle: a dead oracle must not keep a
/// position from being left.
#[derive(Debug, Clone, Copy)]
pub struct ExitView<'a> {
    window: OpenWindow<'a>,
    position: &'a Position,
    book: &'a Book,
    bid: TokenPrice,
    peak_bid: TokenPrice,
}

impl<'a> ExitView<'a> {
    /// The only way to an exit view.
    ///
    /// # Errors
    /// A refusal with one of the codes `mixed_assets`, `missing_book`, `foreign_token`, `stale_book`,
    /// `crossed_book`, `missing_bid`.
    pub fn try_new(
        window: OpenWindow<'a>,
        outcome: Outcome,
        position: &'a Position,
        book: Option<&'a Book>,
        freshness: Freshness,
    ) -> Result<Self, Refusal> {
        let book = book.ok_or_else(|| refuse("missing_book"))?;
        if book.asset != window.window().id.asset() {
            return Err(refuse("mixed_assets"));
        }
        check_book(window, book, outcome, freshness.max_book_age_ms)?;
        let bid = book.bid.ok_or_else(|| refuse("missing_bid"))?;
        Ok(Self {
            window,
            position,
            book,
            bid,
            peak_bid: bid,
        })
    }

    /// The window, proved open.
    pub const fn window(&self) -> OpenWindow<'a> {
        self.window
    }

    /// What is held.
    pub const fn position(&self) -> &'a Position {
        self.position
    }

    /// The held token's book.
    pub const fn book(&self) -> &'a Book {
        self.book
    }

    /// The same view with the highest bid seen before.
    #[must_use]
    pub fn with_peak(self, peak_bid: TokenPrice) -> Self {
        Self {
            peak_bid: peak_bid.max(self.bid),
            ..self
        }
    }

    /// The highest bid seen since the position was last bought, this one included.
    pub const fn peak_bid(&self) -> TokenPrice {
        self.peak_bid
    }

    /// What the market pays now.
    pub const fn bid(&self) -> TokenPrice {
        self.bid
    }

    /// What selling everything that is held would really bring per share, after the taker fee, USD.
    ///
    /// Only the best bid is known. Shares beyond its size are taken to fetch a cent less for every
    /// further size of it: the book below is assumed to be as deep as its top, never deeper. 30 shares
    /// into a bid of 0.50 for 10: 10 at 0.50, 10 at 0.49, 10 at 0.48, less fees.
    pub fn sale_price(&self) -> Decimal {
        let (held, size) = (self.position.held().get(), self.book.bid_size.get());
        if !size.is_zero() && order(held, size) != Ordering::Greater {
            return self.bid.get() - fee_per_share(self.bid);
        }
        let ratio = held.checked_div(size).unwrap_or(Decimal::MAX);
        if ratio <= Decimal::ONE {
            return self.bid.get() - fee_per_share(self.bid);
        }
        // `n` whole sizes and a part `r` of one: the mean step down is (n (n − 1) / 2 + n r) / (n + r).
        let whole = ratio.floor().min(SALE_STEPS_MAX);
        let part = (ratio - whole).min(Decimal::ONE);
        let steps = whole * (whole - Decimal::ONE) / Decimal::TWO + whole * part;
        let mean = self.bid.get() - SALE_STEP * steps / (whole + part);
        if mean <= Decimal::ZERO {
            // So much is held that the book would be empty: nothing is sure to come.
            return Decimal::ZERO;
        }
        // Below a bid that is a price.
        TokenPrice::try_new(mean).map_or(Decimal::ZERO, |mean| mean.get() - fee_per_share(mean))
    }
}

/// Step from one price level to the next, USD: the venue's tick away from the extremes.
const SALE_STEP: Decimal = Decimal::from_parts(1, 0, 0, false, 2);
/// More levels than prices have none.
const SALE_STEPS_MAX: Decimal = Decimal::from_parts(100, 0, 0, false, 0);

const fn refuse(code: &'static str) -> Refusal {
    Refusal::new(code, Refuser::View, Figure::None, Figure::None)
}

fn in_range(code: &'static str, asset: Asset, price: Decimal) -> Result<(), Refusal> {
    let (low, high) = plausible_usd(asset);
    let limit = match (order(price, low), order(price, high)) {
        (Ordering::Less, _) => low,
        (_, Ordering::Greater) => high,
        _ => return Ok(()),
    };
    Err(Refusal::new(
        code,
        Refuser::View,
        Figure::Decimal(price),
        Figure::Decimal(limit),
    ))
}

fn fresh(code: &'static str, age_ms: i64, max_ms: i64) -> Result<(), Refusal> {
    if age_ms <= max_ms {
        return Ok(());
    }
    Err(Refusal::new(
        code,
        Refuser::View,
        Figure::Ms(age_ms),
        Figure::Ms(max_ms),
    ))
}

fn check_book(
    window: OpenWindow<'_>,
    book: &Book,
    outcome: Outcome,
    max_age_ms: i64,
) -> Result<(), Refusal> {
    if book.token != *window.window().token(outcome) {
        return Err(refuse("foreign_token"));
    }
    fresh("stale_book", window.now() - book.at, max_age_ms)?;
    match (book.bid, book.ask) {
        (Some(bid), Some(ask)) if bid >= ask => Err(Refusal::new(
            "crossed_book",
            Refuser::View,
            Figure::Decimal(bid.get()),
            Figure::Decimal(ask.get()),
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::{SettlementRule, Window, WindowPhase};

    const FRESH: Freshness = Freshness {
        max_oracle_age_ms: 5_000,
        max_book_age_ms: 10_000,
    };

    fn window() -> Window {
        Window {
            id: "btc-15m-1769949000".parse().unwrap(),
            up: "11".parse().unwrap(),
            down: "22".parse().unwrap(),
            rule: SettlementRule::Twap,
            twap_lookback_secs: 60,
            reference: Some("78950".parse().unwrap()),
        }
    }

    struct Setup {
        window: Window,
        oracle: Option<OracleQuote>,
        up: Option<Book>,
        down: Option<Book>,
        history: AssetHistory<'static>,
        at_ms: i64,
    }

    fn good() -> Setup {
        let window = window();
        let now = window.id.open().plus_ms(60_000);
        let book = |token: &str| Book {
            asset: Asset::Btc,
            token: token.parse().unwrap(),
            bid: Some("0.54".parse().unwrap()),
            ask: Some("0.56".parse().unwrap()),
            bid_size: "10".parse().unwrap(),
            ask_size: "10".parse().unwrap(),
            at: now,
        };
        Setup {
            oracle: Some(OracleQuote {
                asset: Asset::Btc,
                price: "79000".parse().unwrap(),
                at: now,
            }),
            up: Some(book("11")),
            down: Some(book("22")),
            history: AssetHistory {
                asset: Asset::Btc,
                volatility: Some(Volatility::try_new(0.5).unwrap()),
                surprise: None,
                seconds: None,
            },
            at_ms: 60_000,
            window,
        }
    }

    fn code(change: impl FnOnce(&mut Setup)) -> &'static str {
        let mut setup = good();
        change(&mut setup);
        let now = setup.window.id.open().plus_ms(setup.at_ms);
        let WindowPhase::Open(open) = setup.window.at(now) else {
            return "window_not_open";
        };
        let view = MarketView::try_new(
            open,
            setup.oracle.as_ref(),
            setup.up.as_ref(),
            setup.down.as_ref(),
            Some(setup.history),
            FRESH,
        );
        match view {
            Ok(_) => "ok",
            Err(refusal) => refusal.code,
        }
    }

    #[test]
    fn each_wrong_input_has_its_refusal() {
        assert_eq!(code(|_| {}), "ok");
        assert_eq!(code(|s| s.down = None), "ok");
        assert_eq!(code(|s| s.at_ms = -1), "window_not_open");
        assert_eq!(code(|s| s.at_ms = 900_000), "window_not_open");
        assert_eq!(code(|s| s.oracle = None), "missing_oracle");
        assert_eq!(code(|s| s.window.reference = None), "missing_reference");
        assert_eq!(code(|s| (s.up, s.down) = (None, None)), "missing_book");
        assert_eq!(
            code(|s| s.oracle.as_mut().unwrap().asset = Asset::Eth),
            "mixed_assets"
        );
        assert_eq!(
            code(|s| s.up.as_mut().unwrap().asset = Asset::Eth),
            "mixed_assets"
        );
        assert_eq!(code(|s| s.history.asset = Asset::Sol), "mixed_assets");
        assert_eq!(
            code(|s| s.up.as_mut().unwrap().token = "33".parse().unwrap()),
            "foreign_token"
        );
        assert_eq!(
            code(|s| std::mem::swap(&mut s.up, &mut s.down)),
            "foreign_token"
        );
        assert_eq!(
            code(|s| s.oracle.as_mut().unwrap().price = "0.55".parse().unwrap()),
            "oracle_out_of_range"
        );
        assert_eq!(
            code(|s| s.window.reference = Some("0.5".parse().unwrap())),
            "reference_out_of_range"
        );
        assert_eq!(
            code(|s| s.up.as_mut().unwrap().bid = Some("0.56".parse().unwrap())),
            "crossed_book"
        );
    }

    #[test]
    fn staleness_is_just_inside_or_just_outside() {
        let age = |ms: i64| {
            move |s: &mut Setup| {
                let oracle = s.oracle.as_mut().unwrap();
                oracle.at = oracle.at.plus_ms(-ms);
            }
        };
        assert_eq!(code(age(5_000)), "ok");
        assert_eq!(code(age(5_001)), "stale_oracle");
        let book_age = |ms: i64| {
            move |s: &mut Setup| {
                let book = s.down.as_mut().unwrap();
                book.at = book.at.plus_ms(-ms);
            }
        };
        assert_eq!(code(book_age(10_000)), "ok");
        assert_eq!(code(book_age(10_001)), "stale_book");
    }
}
