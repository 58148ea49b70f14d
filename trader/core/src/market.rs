//! What the trader knows of the market: oracle prices, volatility, windows and their books.
//!
//! Remembers only traded assets and window lengths. Believes no listing that contradicts an earlier
//! one, and no reference price that is told before its window opens.

use crate::event::{BookTick, PriceTick, WindowTick};
use crate::refusal::{Figure, Refusal, Refuser};
use crate::twap::SecondPrices;
use crate::units::{Asset, EpochMs, Outcome, Shares, StrategyId, TokenId, TokenPrice, UiPrice};
use crate::view::{AssetHistory, Book, Freshness, MarketView, OracleQuote, UiQuote};
use crate::volatility::VolatilityEstimator;
use crate::window::{OpenWindow, Window, WindowId, WindowLength, WindowPhase};
use crate::wire::FeedHealth;
use std::cell::Cell;
use std::collections::BTreeMap;

/// A window is forgotten this long after its close, ms; its positions live on in the ledger.
const KEEP_CLOSED_MS: i64 = 600_000;

/// One asset.
#[derive(Debug, Default)]
pub struct AssetState {
    oracle: Option<OracleQuote>,
    /// The settlement average as its own stream tells it.
    average: Option<OracleQuote>,
    ui: Option<UiQuote>,
    volatility: VolatilityEstimator,
    seconds: SecondPrices,
    newest_book: Option<EpochMs>,
}

/// One window with its books.
#[derive(Debug)]
pub struct WindowState {
    /// The window.
    pub window: Window,
    up: Option<Book>,
    down: Option<Book>,
    conflicting: bool,
    /// The last decision per strategy instance: only changes are journalled.
    pub(crate) decisions: Vec<&'static str>,
    /// The same for exits.
    pub(crate) exit_decisions: Vec<&'static str>,
    /// Whether it has been looked at while open.
    pub(crate) was_open: bool,
    /// The highest bid per position that is held in it.
    peaks: Vec<Peak>,
}

/// The highest bid since a position was last bought.
#[derive(Debug)]
struct Peak {
    owner: StrategyId,
    outcome: Outcome,
    bought: Shares,
    bid: TokenPrice,
}

impl WindowState {
    /// The book of an outcome's token.
    pub const fn book(&self, outcome: Outcome) -> Option<&Book> {
        match outcome {
            Outcome::Up => self.up.as_ref(),
            Outcome::Down => self.down.as_ref(),
        }
    }
}

/// Why a window event was not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListingConflict {
    /// Other tokens, rule or look-back than before.
    Listing,
    /// Another reference price than before.
    Reference,
    /// A reference price before the window opened: ignored, it must be told again.
    EarlyReference,
}

impl ListingConflict {
    /// As it stands in the journal.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Listing => "listing_changed",
            Self::Reference => "reference_changed",
            Self::EarlyReference => "reference_before_open",
        }
    }
}

/// The market.
#[derive(Debug)]
pub struct Market {
    assets: BTreeMap<Asset, AssetState>,
    lengths: Vec<WindowLength>,
    freshness: Freshness,
    /// In the order of their ids.
    windows: Vec<WindowState>,
    /// Where the last one that was asked for stands: mostly it is asked for again.
    found: Cell<usize>,
    tokens: BTreeMap<TokenId, (WindowId, Outcome)>,
    changes: u64,
}

impl Market {
    /// An empty market for so many assets and lengths.
    pub fn new(assets: &[Asset], lengths: Vec<WindowLength>, freshness: Freshness) -> Self {
        Self {
            assets: assets
                .iter()
                .map(|asset| (*asset, AssetState::default()))
                .collect(),
            lengths,
            freshness,
            windows: Vec::new(),
            found: Cell::new(0),
            tokens: BTreeMap::new(),
            changes: 0,
        }
    }

    /// Counts what may change a model's answer: prices, listings. Books and the user interface's prices
    /// are not among it.
    pub(crate) const fn changes(&self) -> u64 {
        self.changes
    }

    const fn changed(&mut self) {
        self.changes = self.changes.wrapping_add(1);
    }

    /// Where a window stands in the list.
    fn place(&self, id: WindowId) -> Option<usize> {
        let found = self.found.get();
        if self
            .windows
            .get(found)
            .is_some_and(|known| known.window.id == id)
        {
            return Some(found);
        }
        let place = self
            .windows
            .binary_search_by_key(&id, |known| known.window.id);
        let place = place.ok()?;
        self.found.set(place);
        Some(place)
    }

    /// Window lengths that are traded.
    pub fn lengths(&self) -> &[WindowLength] {
        &self.lengths
    }

    /// How old data may be.
    pub const fn freshness(&self) -> Freshness {
        self.freshness
    }

    /// Takes an oracle price; `true` when it is a traded asset's instant price.
    pub fn oracle(&mut self, tick: &PriceTick, at: EpochMs) -> bool {
        self.changed();
        let Some(state) = self.assets.get_mut(&tick.asset) else {
            return false;
        };
        let quote = OracleQuote {
            asset: tick.asset,
            price: tick.price,
            at,
        };
        if let Some(secs) = tick.twap_secs {
            state.average = newer(state.average, quote);
            state.seconds.measure(at, secs, tick.price);
            return false;
        }
        state.oracle = newer(state.oracle, quote);
        state.volatility.observe(at, tick.price);
        state.seconds.observe(at, tick.price);
        true
    }

    /// Takes the user interface's price; the quote, when it is a traded asset's.
    pub fn spot(&mut self, tick: &PriceTick, at: EpochMs) -> Option<UiQuote> {
        let state = self.assets.get_mut(&tick.asset)?;
        let quote = UiQuote {
            asset: tick.asset,
            price: UiPrice::try_new(tick.price.get()).ok()?,
            at,
        };
        if state.ui.is_none_or(|known| at >= known.at) {
            state.ui = Some(quote);
        }
        Some(quote)
    }

    /// Takes a book; the window it belongs to, if that is listed.
    pub fn book(&mut self, tick: &BookTick, at: EpochMs) -> Option<WindowId> {
        let (place, outcome) = self.token(&tick.token)?;
        let window = self.windows.get_mut(place)?;
        let id = window.window.id;
        let slot = match outcome {
            Outcome::Up => &mut window.up,
            Outcome::Down => &mut window.down,
        };
        match slot {
            Some(book) => book.show(tick, at),
            None => *slot = Some(Book::new(tick, at)),
        }
        if let Some(asset) = self.assets.get_mut(&id.asset()) {
            asset.newest_book = Some(asset.newest_book.map_or(at, |newest| newest.max(at)));
        }
        Some(id)
    }

    /// Where a token's window stands, and its outcome. Mostly it is the window that was asked for last;
    /// one whose listing contradicts another may not own its tokens.
    fn token(&self, token: &TokenId) -> Option<(usize, Outcome)> {
        let found = self.found.get();
        let last = self.windows.get(found).filter(|known| !known.conflicting);
        if let Some(outcome) = last.and_then(|known| known.window.outcome_of(token)) {
            return Some((found, outcome));
        }
        let (id, outcome) = self.tokens.get(token)?;
        Some((self.place(*id)?, *outcome))
    }

    /// Takes a listing; what is new is merged, what contradicts is reported and the window is no
    /// longer traded.
    pub fn list(&mut self, tick: &WindowTick, now: EpochMs) -> Option<ListingConflict> {
        self.changed();
        let id = tick.window.id;
        if !self.assets.contains_key(&id.asset()) || !self.lengths.contains(&id.length()) {
            return None;
        }
        let early = tick.window.reference.is_some() && now < id.open();
        let Some(known) = self.place(id).and_then(|place| self.windows.get_mut(place)) else {
            if now >= id.close().plus_ms(KEEP_CLOSED_MS) {
                return None;
            }
            return self.add(tick, early);
        };
        let old = &mut known.window;
        let new = &tick.window;
        let same = old.up == new.up
            && old.down == new.down
            && old.rule == new.rule
            && old.twap_lookback_secs == new.twap_lookback_secs;
        let conflict = match (old.reference, new.reference) {
            _ if !same => Some(ListingConflict::Listing),
            (_, Some(_)) if early => return None,
            (Some(before), Some(now)) if before != now => Some(ListingConflict::Reference),
            (None, Some(reference)) => {
                old.reference = Some(reference);
                None
            }
            _ => None,
        };
        let is_news = conflict.is_some() && !known.conflicting;
        known.conflicting |= conflict.is_some();
        conflict.filter(|_| is_news)
    }

    fn add(&mut self, tick: &WindowTick, early: bool) -> Option<ListingConflict> {
        let mut window = tick.window.clone();
        if early {
            window.reference = None;
        }
        let id = window.id;
        // A token belongs to one window for ever.
        let taken = [&window.up, &window.down]
            .into_iter()
            .any(|token| self.tokens.contains_key(token));
        if !taken {
            self.tokens.insert(window.up.clone(), (id, Outcome::Up));
            self.tokens.insert(window.down.clone(), (id, Outcome::Down));
        }
        let state = WindowState {
            window,
            up: None,
            down: None,
            conflicting: taken,
            decisions: Vec::new(),
            exit_decisions: Vec::new(),
            was_open: false,
            peaks: Vec::new(),
        };
        let place = self.windows.partition_point(|known| known.window.id < id);
        self.windows.insert(place, state);
        if taken {
            Some(ListingConflict::Listing)
        } else {
            early.then_some(ListingConflict::EarlyReference)
        }
    }

    /// Forgets windows that closed long ago.
    pub fn forget_closed(&mut self, now: EpochMs) {
        let gone = |id: &WindowId| now >= id.close().plus_ms(KEEP_CLOSED_MS);
        if self.windows.iter().any(|known| gone(&known.window.id)) {
            self.changed();
            self.windows.retain(|known| !gone(&known.window.id));
            self.tokens.retain(|_, (id, _)| !gone(id));
        }
    }

    /// The view of an open window.
    ///
    /// # Errors
    /// The refusals of [`MarketView::try_new`], and `window_conflict` for a window whose listing
    /// contradicts itself.
    pub fn view<'a>(
        &'a self,
        state: &'a WindowState,
        open: OpenWindow<'a>,
    ) -> Result<MarketView<'a>, Refusal> {
        if state.conflicting {
            return Err(Refusal::new(
                "window_conflict",
                Refuser::View,
                Figure::None,
                Figure::None,
            ));
        }
        let asset = state.window.id.asset();
        let known = self.assets.get(&asset);
        let history = known.map(|known| AssetHistory {
            asset,
            volatility: known.volatility.estimate(open.now()),
            surprise: known.volatility.surprise(open.now()),
            seconds: Some(&known.seconds),
        });
        MarketView::try_new(
            open,
            known.and_then(|known| known.oracle.as_ref()),
            state.up.as_ref(),
            state.down.as_ref(),
            history,
            self.freshness,
        )
    }

    /// Whether windows of this asset and length are traded here.
    pub fn trades(&self, id: WindowId) -> bool {
        self.assets.contains_key(&id.asset()) && self.lengths.contains(&id.length())
    }

    /// A window.
    pub fn window(&self, id: WindowId) -> Option<&WindowState> {
        self.windows.get(self.place(id)?)
    }

    pub(crate) fn window_mut(&mut self, id: WindowId) -> Option<&mut WindowState> {
        let place = self.place(id)?;
        self.windows.get_mut(place)
    }

    /// The highest bid that was seen for a position, this one included; buying more begins anew.
    pub(crate) fn peak_bid(
        &mut self,
        id: WindowId,
        (owner, outcome): (&StrategyId, Outcome),
        bought: Shares,
        bid: TokenPrice,
    ) -> TokenPrice {
        let Some(state) = self.window_mut(id) else {
            return bid;
        };
        let mut peaks = state.peaks.iter_mut();
        if let Some(peak) = peaks.find(|peak| peak.outcome == outcome && peak.owner == *owner) {
            peak.bid = if peak.bought == bought {
                peak.bid.max(bid)
            } else {
                bid
            };
            peak.bought = bought;
            return peak.bid;
        }
        state.peaks.push(Peak {
            owner: owner.clone(),
            outcome,
            bought,
            bid,
        });
        bid
    }

    /// The id of the window of an asset and a length (by its place in the list) that is open at `now`,
    /// if it is listed.
    pub fn current(&self, asset: Asset, length: usize, now: EpochMs) -> Option<WindowId> {
        let length = *self.lengths.get(length)?;
        let open_ms = now.0.div_euclid(length.ms()).checked_mul(length.ms())?;
        let id = WindowId::try_new(asset, length, open_ms / 1_000).ok()?;
        self.place(id).map(|_| id)
    }

    /// Windows that are not over at `now`.
    pub fn listed(&self, now: EpochMs) -> Vec<WindowId> {
        self.windows
            .iter()
            .filter(|state| !matches!(state.window.at(now), WindowPhase::Closed))
            .map(|state| state.window.id)
            .collect()
    }

    /// Age of an asset's oracle price, ms.
    pub fn oracle_age_ms(&self, asset: Asset, now: EpochMs) -> Option<i64> {
        self.assets.get(&asset)?.oracle.map(|quote| now - quote.at)
    }

    /// What an asset's components may warm up with.
    pub fn warm_up(&self, asset: Asset, now: EpochMs) -> crate::components::WarmUp {
        let known = self.assets.get(&asset);
        crate::components::WarmUp {
            history_ms: known.map_or(0, |known| known.volatility.history_ms()),
            volatility: known.and_then(|known| known.volatility.estimate(now)),
        }
    }

    /// Age of each feed at `now`.
    pub fn feeds(&self, now: EpochMs) -> Vec<FeedHealth> {
        let row = |name: &str, asset: &Asset, at: EpochMs| FeedHealth {
            name: format!("{name}:{asset}"),
            age_ms: u64::try_from(now - at).unwrap_or(0),
        };
        let mut feeds = Vec::new();
        for (asset, state) in &self.assets {
            feeds.extend(state.oracle.map(|quote| row("oracle", asset, quote.at)));
            feeds.extend(state.average.map(|quote| row("twap", asset, quote.at)));
            feeds.extend(state.ui.map(|quote| row("spot", asset, quote.at)));
            feeds.extend(state.newest_book.map(|at| row("book", asset, at)));
        }
        feeds
    }
}

/// A late tick never replaces a newer one.
fn newer(known: Option<OracleQuote>, tick: OracleQuote) -> Option<OracleQuote> {
    known.filter(|quote| quote.at > tick.at).or(Some(tick))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::SettlementRule;

    #[test]
    fn a_peak_belongs_to_one_purchase() {
        let length = WindowLength::Min15;
        let freshness = Freshness {
            max_oracle_age_ms: 5_000,
            max_book_age_ms: 5_000,
        };
        let mut market = Market::new(&[Asset::Btc], vec![length], freshness);
        let window = Window {
            id: "btc-15m-1769949000".parse().unwrap(),
            up: "11".parse().unwrap(),
            down: "22".parse().unwrap(),
            rule: SettlementRule::Twap,
            twap_lookback_secs: 60,
            reference: None,
        };
        let id = window.id;
        let tick = WindowTick {
            window,
            outcome: None,
        };
        assert!(market.list(&tick, id.open()).is_none());
        let (one, other) = ("one".parse().unwrap(), "other".parse().unwrap());
        let mut peak = |owner: &StrategyId, bought: &str, bid: &str| {
            let held = (owner, Outcome::Up);
            let peak = market.peak_bid(id, held, bought.parse().unwrap(), bid.parse().unwrap());
            peak.to_string()
        };
        assert_eq!(peak(&one, "10", "0.50"), "0.50");
        assert_eq!(peak(&one, "10", "0.60"), "0.60");
        assert_eq!(peak(&one, "10", "0.40"), "0.60");
        assert_eq!(peak(&other, "10", "0.30"), "0.30", "another's position");
        assert_eq!(peak(&one, "15", "0.45"), "0.45", "more was bought");
        assert_eq!(peak(&one, "15", "0.44"), "0.45");
    }
}
