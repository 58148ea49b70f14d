//! Settlement of paper windows by the market's own rule: Up if and only if the closing price is at or
//! above the reference price.
//!
//! The venue's own word (an `outcome` on a window event) is always preferred; [`Settler`] speaks only
//! when that word does not come. What cannot be known stays unsettled and is never guessed.

use crate::event::{Event, EventKind, WindowTick};
use crate::units::{Asset, EpochMs, OraclePrice, Outcome, ReferencePrice};
use crate::window::{SettlementRule, Window, WindowId};
use rust_decimal::Decimal;
use std::collections::{BTreeMap, VecDeque};

/// How long after the close the venue's own outcome is awaited, ms (it posts about 16 s after).
pub const OUTCOME_WAIT_MS: i64 = 20_000;

/// Oracle samples kept per asset, ms: the longest look-back (a whole 15-minute window) and the wait.
const KEEP_MS: i64 = 900_000 + 2 * OUTCOME_WAIT_MS;

/// A price older than this at the close (or over the look-back's start) is not a closing price, ms.
const MAX_GAP_MS: i64 = 30_000;

/// Oracle prices of one asset by source time.
#[derive(Debug, Clone, Default)]
pub struct OracleTrail {
    samples: VecDeque<(EpochMs, Decimal)>,
}

impl OracleTrail {
    /// Takes a price; one that is not later than the last is ignored.
    pub fn observe(&mut self, at: EpochMs, price: OraclePrice) {
        if self.samples.back().is_some_and(|(last, _)| at <= *last) {
            return;
        }
        self.samples.push_back((at, price.get()));
        while self
            .samples
            .front()
            .is_some_and(|(first, _)| at - *first > KEEP_MS)
        {
            self.samples.pop_front();
        }
    }

    /// The last price at or before `at`, if it is recent enough to stand for that instant.
    pub fn price_at(&self, at: EpochMs) -> Option<Decimal> {
        let upto = self.samples.partition_point(|(t, _)| *t <= at);
        let (t, price) = self.samples.get(upto.checked_sub(1)?)?;
        (at - *t <= MAX_GAP_MS).then_some(*price)
    }

    /// Average over `(to − lookback, to]`: each sample holds until the next. `None` when a stretch
    /// longer than the gap limit is not covered.
    pub fn average(&self, to: EpochMs, lookback_secs: u32) -> Option<Decimal> {
        let from = to.plus_ms(-i64::from(lookback_secs) * 1_000);
        let mut price = self.price_at(from)?;
        let mut since = from;
        let mut last_seen = from;
        let mut sum = Decimal::ZERO;
        let start = self.samples.partition_point(|(t, _)| *t <= from);
        for (t, next) in self.samples.iter().skip(start) {
            if *t > to {
                break;
            }
            if *t - last_seen > MAX_GAP_MS {
                return None;
            }
            sum = sum.checked_add(price.checked_mul(Decimal::from(*t - since))?)?;
            (price, since, last_seen) = (*next, *t, *t);
        }
        if to - last_seen > MAX_GAP_MS {
            return None;
        }
        sum = sum.checked_add(price.checked_mul(Decimal::from(to - since))?)?;
        sum.checked_div(Decimal::from(to - from))
            .map(|average| average.round_dp(8))
    }

    /// What a window of this rule settles on at `at`.
    pub fn settlement_price(
        &self,
        rule: SettlementRule,
        lookback_secs: u32,
        at: EpochMs,
    ) -> Option<Decimal> {
        match rule {
            SettlementRule::Spot => self.price_at(at),
            SettlementRule::Twap => self.average(at, lookback_secs),
        }
    }
}

/// Up if and only if the closing price is at or above the reference price.
pub fn outcome(closing: Decimal, reference: ReferencePrice) -> Outcome {
    if closing >= reference.get() {
        Outcome::Up
    } else {
        Outcome::Down
    }
}

/// Settles windows whose outcome the feed does not tell.
#[derive(Debug, Default)]
pub struct Settler {
    trails: BTreeMap<Asset, OracleTrail>,
    open: BTreeMap<WindowId, Window>,
}

impl Settler {
    /// Watches an event; appends window events with the outcomes that are due.
    pub fn observe(&mut self, event: &Event, out: &mut Vec<Event>) {
        match &event.kind {
            EventKind::Oracle(tick) if tick.twap_secs.is_none() => {
                let trail = self.trails.entry(tick.asset).or_default();
                trail.observe(event.src.unwrap_or(event.t), tick.price);
            }
            EventKind::Window(tick) => self.list(tick),
            EventKind::Oracle(_)
            | EventKind::Spot(_)
            | EventKind::Book(_)
            | EventKind::Trade(_)
            | EventKind::Order(_)
            | EventKind::Fill(_)
            | EventKind::Lease(_)
            | EventKind::Clock(_)
            | EventKind::Control(_) => {}
        }
        while let Some((id, due)) = self.next_due(event.t) {
            self.open.remove(&id);
            if let Some(outcome) = due {
                out.push(outcome.at(event.t));
            }
        }
    }

    fn list(&mut self, tick: &WindowTick) {
        let id = tick.window.id;
        if tick.outcome.is_some() {
            self.open.remove(&id);
        } else if let Some(known) = self.open.get_mut(&id) {
            known.reference = tick.window.reference.or(known.reference);
        } else {
            self.open.insert(id, tick.window.clone());
        }
    }

    fn next_due(&self, now: EpochMs) -> Option<(WindowId, Option<Settled>)> {
        let (id, window) = self
            .open
            .iter()
            .find(|(id, _)| now >= id.close().plus_ms(OUTCOME_WAIT_MS))?;
        let settled = window.reference.and_then(|reference| {
            let closing = self.trails.get(&id.asset())?.settlement_price(
                window.rule,
                window.twap_lookback_secs,
                id.close(),
            )?;
            Some(Settled {
                window: window.clone(),
                outcome: outcome(closing, reference),
            })
        });
        Some((*id, settled))
    }
}

struct Settled {
    window: Window,
    outcome: Outcome,
}

impl Settled {
    fn at(self, t: EpochMs) -> Event {
        Event {
            t,
            src: None,
            kind: EventKind::Window(WindowTick {
                window: self.window,
                outcome: Some(self.outcome),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::PriceTick;

    fn trail(prices: &[(i64, &str)]) -> OracleTrail {
        let mut trail = OracleTrail::default();
        for (secs, price) in prices {
            trail.observe(EpochMs(secs * 1_000), price.parse().unwrap());
        }
        trail
    }

    fn at(secs: i64) -> EpochMs {
        EpochMs(secs * 1_000)
    }

    #[test]
    fn a_tie_is_up() {
        assert_eq!(
            outcome("100".parse().unwrap(), "100".parse().unwrap()),
            Outcome::Up
        );
        assert_eq!(
            outcome("99.99".parse().unwrap(), "100".parse().unwrap()),
            Outcome::Down
        );
    }

    #[test]
    fn the_average_is_weighted_by_time() {
        let trail = trail(&[(0, "100"), (10, "110"), (40, "130"), (60, "1000")]);
        // 100 for 10 s, 110 for 30 s, 130 for 20 s.
        let wanted = Decimal::from(100 * 10 + 110 * 30 + 130 * 20) / Decimal::from(60);
        assert_eq!(trail.average(at(60), 60).unwrap(), wanted.round_dp(8));
        assert_eq!(trail.price_at(at(59)).unwrap(), Decimal::from(130));
    }

    #[test]
    fn a_hole_is_not_averaged_over() {
        let holed = trail(&[(0, "100"), (10, "110"), (50, "130")]);
        assert!(holed.average(at(60), 60).is_none());
        assert!(holed.price_at(at(90)).is_none());
        assert!(trail(&[]).average(at(60), 60).is_none());
        assert!(
            trail(&[(30, "100")]).average(at(60), 60).is_none(),
            "no price at the start"
        );
    }

    #[test]
    fn the_feeds_own_outcome_is_preferred() {
        let window = Window {
            id: "btc-5m-1769949000".parse().unwrap(),
            up: "1".parse().unwrap(),
            down: "2".parse().unwrap(),
            rule: SettlementRule::Spot,
            twap_lookback_secs: 0,
            reference: Some("95000".parse().unwrap()),
        };
        let close = window.id.close();
        let run = |told: Option<Outcome>| {
            let mut settler = Settler::default();
            let mut out = Vec::new();
            let listed = WindowTick {
                window: window.clone(),
                outcome: None,
            };
            let mut feed = vec![Event {
                t: window.id.open(),
                src: None,
                kind: EventKind::Window(listed),
            }];
            feed.push(Event {
                t: close,
                src: Some(close),
                kind: EventKind::Oracle(PriceTick {
                    asset: Asset::Btc,
                    price: "95001".parse().unwrap(),
                    twap_secs: None,
                }),
            });
            if told.is_some() {
                let word = WindowTick {
                    window: window.clone(),
                    outcome: told,
                };
                feed.push(Event {
                    t: close.plus_ms(16_000),
                    src: None,
                    kind: EventKind::Window(word),
                });
            }
            feed.push(Event {
                t: close.plus_ms(OUTCOME_WAIT_MS),
                src: None,
                kind: EventKind::Clock(crate::event::ClockTick { offset_ms: None }),
            });
            for event in &feed {
                settler.observe(event, &mut out);
            }
            out
        };
        let own = run(None);
        assert!(
            matches!(&own[0].kind, EventKind::Window(tick) if tick.outcome == Some(Outcome::Up))
        );
        assert!(run(Some(Outcome::Down)).is_empty());
    }
}
