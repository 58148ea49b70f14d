//! The engine: `step(event)` → commands. The same step runs in tests, replay, dry run, paper and live.
//!
//! Holds no clock and does no I/O: time is in the event; what must be stored, sent and told leaves
//! through [`Commands`], in the order in which the caller must carry it out.

mod decide;
mod fate;
mod flatten;
mod quality;
mod reports;
mod status;
mod tally;

pub use fate::{EXPIRY_GRACE_MS, FATE_MAX_MS};
pub use tally::Tally;

use crate::components::Observation;
use crate::event::{Event, EventKind};
use crate::gateway::Gateway;
use crate::journal::Line;
use crate::ledger::{LedgerState, PositionKey, RECORD_VERSION, Record, RecordBody};
use crate::manifest::{MANIFEST_SCHEMA_VERSION, Manifest};
use crate::market::Market;
use crate::model::Estimate;
use crate::near_miss::near_miss;
use crate::order::{Order, OrderId};
use crate::refusal::Refusal;
use crate::safeguards::{Approved, CeilingError, check_ceilings};
use crate::strategy::{Analyses, CompositionError, StrategyInstance};
use crate::strategy_file::StrategyFile;
use crate::units::{Asset, EpochMs, Outcome, StrategyId, UnitError};
use crate::view::{Freshness, UiQuote};
use crate::window::{WindowId, WindowLength};
use std::collections::BTreeMap;
use std::num::NonZeroU32;

/// What one step asks for. Carry out in this order: persist `records` durably, then send `orders`
/// (each after [`Engine::may_send`]), then `cancels`; `journal` may be written at any time.
#[derive(Debug, Default)]
pub struct Commands {
    /// Records to persist before anything else happens.
    pub records: Vec<Record>,
    /// Orders to send, each approved.
    pub orders: Vec<Approved<Order>>,
    /// Orders to cancel.
    pub cancels: Vec<OrderId>,
    /// Lines of the journal, JSON without line ends.
    pub journal: Vec<String>,
}

impl Commands {
    /// Empties the lists, keeps their memory.
    pub fn clear(&mut self) {
        self.records.clear();
        self.orders.clear();
        self.cancels.clear();
        self.journal.clear();
    }
}

/// A trader that cannot be built from its manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// Another version of the manifest.
    #[error("manifest schema_version {0}, this program knows {MANIFEST_SCHEMA_VERSION}")]
    Version(u32),
    /// A strategy that no file defines.
    #[error("strategy `{id}` is not defined{} (known: {known})", crate::components::options::hint(near.as_deref()))]
    UnknownStrategy {
        /// The id in the manifest.
        id: StrategyId,
        /// The nearest id that exists.
        near: Option<String>,
        /// The ids that exist.
        known: String,
    },
    /// A list that is empty or names something twice.
    #[error("manifest `{key}` must name at least one, and each only once")]
    List {
        /// The key.
        key: &'static str,
    },
    /// A window length that does not exist.
    #[error("manifest `window.durations_mins`: {0}")]
    Length(#[from] UnitError),
    /// A value above a compiled-in ceiling.
    #[error("manifest {0}")]
    Ceiling(#[from] CeilingError),
    /// A strategy file that is no strategy.
    #[error(transparent)]
    Composition(#[from] CompositionError),
}

/// The trader's decisions.
#[derive(Debug)]
pub struct Engine {
    schema_version: u32,
    flatten_secs: NonZeroU32,
    /// Why a position was not sold at the flatten's last try, by reason code.
    unsold: BTreeMap<PositionKey, &'static str>,
    /// Strategy by strategy in the manifest's order of priority, asset by asset.
    strategies: Vec<StrategyInstance>,
    /// What they follow of their assets' prices.
    analyses: Analyses,
    /// Per strategy the first one whose model is the same: it is asked once per event.
    models: Vec<usize>,
    market: Market,
    gateway: Gateway,
    ledger: LedgerState,
    now: EpochMs,
    next_fate_check: EpochMs,
    quality: quality::Quality,
    tally: Tally,
    /// Of the present event; kept for their memory only.
    proposals: Vec<decide::Proposed>,
    estimates: Vec<Option<Result<Estimate, Refusal>>>,
    /// What the estimates belong to: a window at an instant, after so many changes of the prices.
    estimated: Option<(WindowId, EpochMs, u64)>,
    leaving: Vec<(StrategyId, Outcome)>,
}

impl Engine {
    /// Builds the trader: every declared value goes to the part that enforces it.
    ///
    /// # Errors
    /// See [`EngineError`]. There is no fallback for anything.
    pub fn new(
        manifest: &Manifest,
        strategies: &BTreeMap<StrategyId, StrategyFile>,
        ledger: LedgerState,
    ) -> Result<Self, EngineError> {
        let gateway = Gateway::new(manifest, &ledger);
        Self::with_gateway(manifest, strategies, ledger, gateway)
    }

    /// A trader that lacks one safeguard: for tests that show what happens without it.
    #[cfg(test)]
    pub(crate) fn without(
        manifest: &Manifest,
        strategies: &BTreeMap<StrategyId, StrategyFile>,
        code: &str,
    ) -> Result<Self, EngineError> {
        let ledger = LedgerState::default();
        let gateway = Gateway::without(manifest, &ledger, code);
        Self::with_gateway(manifest, strategies, ledger, gateway)
    }

    fn with_gateway(
        manifest: &Manifest,
        files: &BTreeMap<StrategyId, StrategyFile>,
        ledger: LedgerState,
        gateway: Gateway,
    ) -> Result<Self, EngineError> {
        if manifest.schema_version != MANIFEST_SCHEMA_VERSION {
            return Err(EngineError::Version(manifest.schema_version));
        }
        distinct("strategies", &manifest.strategies)?;
        distinct("assets", &manifest.assets)?;
        distinct("window.durations_mins", &manifest.window.durations_mins)?;
        check_ceilings(manifest)?;
        let lengths = manifest
            .window
            .durations_mins
            .iter()
            .map(|mins| WindowLength::from_mins(*mins))
            .collect::<Result<Vec<_>, _>>()?;
        let freshness = Freshness {
            max_oracle_age_ms: manifest.safeguards.max_oracle_age_ms.get().into(),
            max_book_age_ms: manifest.safeguards.max_book_age_ms.get().into(),
        };
        let mut analyses = Analyses::default();
        let strategies = compose(manifest, files, &mut analyses)?;
        let mut engine = Self {
            schema_version: manifest.schema_version,
            flatten_secs: manifest.exit.flatten_secs,
            unsold: BTreeMap::new(),
            models: same_models(&strategies),
            strategies,
            analyses,
            market: Market::new(&manifest.assets, lengths, freshness),
            gateway,
            ledger,
            now: EpochMs(0),
            next_fate_check: EpochMs(0),
            quality: quality::Quality::new(&manifest.strategies, files, &manifest.assets),
            tally: Tally::default(),
            proposals: Vec::new(),
            estimates: Vec::new(),
            estimated: None,
            leaving: Vec::new(),
        };
        // What needs no history is ready at once: exits must work from the first tick.
        for asset in manifest.assets.iter().copied() {
            engine.warm_up(asset, &mut Commands::default());
        }
        Ok(engine)
    }

    /// Takes one event; appends what must be done to `out` (which the caller clears).
    pub fn step(&mut self, event: &Event, out: &mut Commands) {
        self.now = self.now.max(event.t);
        self.gateway.begin_tick();
        self.tally.events = self.tally.events.saturating_add(1);
        let records_before = self.ledger.next_seq();
        self.lapse_lease(out);
        self.lapse_flatten(out);
        self.follow_feeds(event, out);
        // A source that claims to be ahead of us would look fresh for ever; arrival bounds it.
        let at = event.src.map_or(event.t, |src| src.min(event.t));
        match &event.kind {
            EventKind::Oracle(tick) => {
                self.tally.tick();
                if self.market.oracle(tick, at) {
                    let (price, seen_at) = (tick.price, event.t);
                    let seen = Observation::Oracle { price, at, seen_at };
                    self.analyses.observe(tick.asset, &seen);
                    self.warm_up(tick.asset, out);
                    self.decide_asset(tick.asset, out);
                }
            }
            EventKind::Spot(tick) => {
                self.tally.tick();
                if let Some(UiQuote { asset, price, .. }) = self.market.spot(tick, at) {
                    let seen_at = event.t;
                    let seen = Observation::Ui { price, at, seen_at };
                    if self.analyses.observe(asset, &seen) {
                        self.decide_asset(asset, out);
                    }
                }
            }
            EventKind::Book(tick) => {
                self.tally.tick();
                if let Some(window) = self.market.book(tick, at) {
                    self.decide_window(window, out);
                }
            }
            EventKind::Trade(_) => self.tally.tick(),
            EventKind::Window(tick) => self.on_window(tick, out),
            EventKind::Order(report) => self.on_order(report, out),
            EventKind::Fill(report) => self.on_fill(report, out),
            EventKind::Lease(grant) => self.on_lease(grant, out),
            EventKind::Clock(tick) => {
                if let Some(offset_ms) = tick.offset_ms {
                    self.gateway.measured_clock(offset_ms, self.now);
                }
            }
            EventKind::Control(control) => self.on_control(control, out),
        }
        self.sell_off(out);
        self.tell_fates(out);
        let has_news = self.ledger.next_seq() != records_before;
        if has_news {
            self.latch(out);
        }
        self.judge_results(has_news, out);
    }

    /// The last question before the wire: lease, halt and expiry again, at the very moment of
    /// sending. When refused, do not send, and feed back an `Order` event with status `Rejected`.
    ///
    /// # Errors
    /// The refusal, with its numbers.
    pub fn may_send(&self, order: &Approved<Order>, now: EpochMs) -> Result<(), Refusal> {
        self.gateway.may_send(order, &self.ledger, now)
    }

    fn warm_up(&mut self, asset: Asset, out: &mut Commands) {
        let waiting =
            |instance: &StrategyInstance| instance.asset() == asset && !instance.is_ready();
        if !self.strategies.iter().any(waiting) {
            return;
        }
        let facts = self.market.warm_up(asset, self.now);
        for instance in &mut self.strategies {
            if waiting(instance) && instance.warm_up(&facts, &mut self.analyses).is_ok() {
                let line = Line {
                    t_ms: self.now,
                    kind: "ready",
                    strategy: Some(instance.id().as_str()),
                    what: Some(asset.as_str()),
                    ..Line::default()
                };
                out.journal.push(line.text());
            }
        }
    }

    /// Numbers a record, believes it, and hands it out to be persisted.
    fn record(&mut self, body: RecordBody, out: &mut Commands) {
        let seq = self.ledger.next_seq();
        let record = Record {
            version: RECORD_VERSION,
            seq,
            t_ms: self.now,
            body,
        };
        match self.ledger.apply(&record) {
            Ok(()) => out.records.push(record),
            // Only a record about an order without an intent; those are sorted out before.
            Err(error) => self.unexplained("ledger", &error.to_string(), out),
        }
    }

    /// Something that should not be: told, counted, never silently dropped.
    fn unexplained(&mut self, what: &str, detail: &str, out: &mut Commands) {
        self.tally.unexplained = self.tally.unexplained.saturating_add(1);
        let line = Line {
            t_ms: self.now,
            kind: "unexplained",
            what: Some(what),
            reason: Some(detail),
            ..Line::default()
        };
        out.journal.push(line.text());
    }
}

fn compose(
    manifest: &Manifest,
    files: &BTreeMap<StrategyId, StrategyFile>,
    analyses: &mut Analyses,
) -> Result<Vec<StrategyInstance>, EngineError> {
    let mut instances = Vec::with_capacity(manifest.strategies.len() * manifest.assets.len());
    for id in &manifest.strategies {
        let Some(file) = files.get(id) else {
            let known = files.keys().map(StrategyId::as_str);
            return Err(EngineError::UnknownStrategy {
                id: id.clone(),
                near: near_miss(id.as_str(), known.clone()).map(str::to_owned),
                known: known.collect::<Vec<_>>().join(", "),
            });
        };
        for asset in &manifest.assets {
            let instance = StrategyInstance::compose_sharing(id, *asset, file, manifest, analyses)?;
            instances.push(instance);
        }
    }
    Ok(instances)
}

/// Per strategy the place of the first one that asks the same model of the same asset.
fn same_models(strategies: &[StrategyInstance]) -> Vec<usize> {
    let first = |(index, instance): (usize, &StrategyInstance)| {
        let mut peers = strategies.iter();
        let same = peers.position(|peer| instance.shares_model_with(peer));
        same.unwrap_or(index)
    };
    strategies.iter().enumerate().map(first).collect()
}

fn distinct<T: Ord>(key: &'static str, items: &[T]) -> Result<(), EngineError> {
    let unique: std::collections::BTreeSet<&T> = items.iter().collect();
    if items.is_empty() || unique.len() != items.len() {
        return Err(EngineError::List { key });
    }
    Ok(())
}

#[cfg(test)]
mod flatten_tests;
#[cfg(test)]
mod order_life_tests;
#[cfg(test)]
mod tests;
