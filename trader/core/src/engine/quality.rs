//! The quality gate at work: it follows the feeds event by event and the results record by record, and
//! writes down what it shuts.

use super::{Commands, Engine};
use crate::event::{Event, EventKind};
use crate::journal::Line;
use crate::ledger::RecordBody;
use crate::order::Purpose;
use crate::quality::{FeedWatch, QualityRules};
use crate::refusal::Refusal;
use crate::strategy_file::StrategyFile;
use crate::units::{Asset, StrategyId, to_float};
use std::collections::BTreeMap;

/// What the gate follows.
#[derive(Debug)]
pub(super) struct Quality {
    rules: BTreeMap<StrategyId, QualityRules>,
    /// By asset, in the order of [`Asset::ALL`]: they are asked on every event.
    feeds: Vec<(Asset, FeedWatch)>,
    /// The shortest silence that any strategy calls a loss, ms: what is asked on every event.
    least_silence_ms: i64,
    /// Results of an earlier run are judged at the first event.
    has_judged: bool,
}

impl Quality {
    pub(super) fn new(
        strategies: &[StrategyId],
        files: &BTreeMap<StrategyId, StrategyFile>,
        assets: &[Asset],
    ) -> Self {
        let rules: BTreeMap<StrategyId, QualityRules> = strategies
            .iter()
            .filter_map(|id| Some((id.clone(), files.get(id)?.quality)))
            .collect();
        let silences = rules
            .values()
            .map(|rules| i64::from(rules.feed_loss_secs).saturating_mul(1_000));
        Self {
            least_silence_ms: silences.min().unwrap_or(0),
            rules,
            feeds: Asset::ALL
                .into_iter()
                .filter(|asset| assets.contains(asset))
                .map(|asset| (asset, FeedWatch::default()))
                .collect(),
            has_judged: false,
        }
    }

    /// Whether it follows a strategy.
    pub(super) fn follows(&self, strategy: &StrategyId) -> bool {
        self.rules.contains_key(strategy)
    }

    /// A person has looked: feeds are learnt anew.
    pub(super) fn forget(&mut self) {
        for (_, watch) in &mut self.feeds {
            watch.forget();
        }
    }

    fn feed(&self, asset: Asset) -> Option<&FeedWatch> {
        let mut feeds = self.feeds.iter();
        feeds.find_map(|(of, watch)| (*of == asset).then_some(watch))
    }

    fn feed_mut(&mut self, asset: Asset) -> Option<&mut FeedWatch> {
        let mut feeds = self.feeds.iter_mut();
        feeds.find_map(|(of, watch)| (*of == asset).then_some(watch))
    }
}

impl Engine {
    /// Follows the feeds; before anything is decided on this event.
    pub(super) fn follow_feeds(&mut self, event: &Event, out: &mut Commands) {
        let now = self.now;
        let mut silent_ms = 0;
        let mut turned = [None; Asset::ALL.len()];
        for ((asset, watch), slot) in self.quality.feeds.iter_mut().zip(&mut turned) {
            silent_ms = silent_ms.max(watch.silent_ms(now));
            *slot = watch.turn(now).then_some(*asset);
        }
        if silent_ms > self.quality.least_silence_ms {
            self.shut(|rules| rules.judge_silence(silent_ms), out);
        }
        for asset in turned.into_iter().flatten() {
            self.judge_pattern(asset, out);
        }
        match &event.kind {
            EventKind::Oracle(tick) => {
                if let Some(watch) = self.quality.feed_mut(tick.asset) {
                    watch.oracle(now);
                }
            }
            EventKind::Book(tick) => {
                let spread = tick.ask.zip(tick.bid);
                let spread = spread.and_then(|(ask, bid)| to_float(ask.get() - bid.get()));
                if let (Some(watch), Some(spread)) = (self.quality.feed_mut(tick.asset), spread) {
                    watch.spread(spread);
                }
            }
            EventKind::Spot(_)
            | EventKind::Trade(_)
            | EventKind::Window(_)
            | EventKind::Order(_)
            | EventKind::Fill(_)
            | EventKind::Lease(_)
            | EventKind::Clock(_)
            | EventKind::Control(_) => {}
        }
    }

    fn judge_pattern(&mut self, asset: Asset, out: &mut Commands) {
        let due: Vec<(StrategyId, Refusal)> = match self.quality.feed(asset) {
            None => Vec::new(),
            Some(watch) => self
                .quality
                .rules
                .iter()
                .filter_map(|(id, rules)| Some((id.clone(), rules.judge_pattern(watch.pattern())?)))
                .collect(),
        };
        for (id, refusal) in due {
            self.shut_one(id, &refusal, out);
        }
    }

    /// Judges the results; after every step that wrote a record, and once at the start.
    pub(super) fn judge_results(&mut self, has_news: bool, out: &mut Commands) {
        if !has_news && self.quality.has_judged {
            return;
        }
        self.quality.has_judged = true;
        let due: Vec<(StrategyId, Refusal)> = self
            .quality
            .rules
            .iter()
            .filter(|(id, _)| self.ledger.quality_closed(id).is_none())
            .filter_map(|(id, rules)| {
                let refusal = rules.judge_results(self.ledger.track(id)?)?;
                Some((id.clone(), refusal))
            })
            .collect();
        for (id, refusal) in due {
            self.shut_one(id, &refusal, out);
        }
    }

    /// Shuts every strategy out whose rules say so.
    fn shut(&mut self, judge: impl Fn(&QualityRules) -> Option<Refusal>, out: &mut Commands) {
        let due: Vec<(StrategyId, Refusal)> = self
            .quality
            .rules
            .iter()
            .filter(|(id, _)| self.ledger.quality_closed(id).is_none())
            .filter_map(|(id, rules)| Some((id.clone(), judge(rules)?)))
            .collect();
        for (id, refusal) in due {
            self.shut_one(id, &refusal, out);
        }
    }

    fn shut_one(&mut self, strategy: StrategyId, refusal: &Refusal, out: &mut Commands) {
        if self.ledger.quality_closed(&strategy).is_some() {
            return;
        }
        let line = Line {
            t_ms: self.now,
            kind: "quality",
            strategy: Some(strategy.as_str()),
            ..Line::default()
        };
        out.journal.push(line.refused(refusal).text());
        let resting = self.ledger.live_orders().filter(|state| {
            state.order.purpose == Purpose::Entry && state.order.id.strategy == strategy
        });
        for state in resting {
            if !out.cancels.contains(&state.order.id) {
                out.cancels.push(state.order.id.clone());
            }
        }
        let body = RecordBody::QualityClosed {
            strategy,
            reason: refusal.code.to_owned(),
            detail: refusal.to_string(),
        };
        self.record(body, out);
    }
}
