//! What goes wrong in a generated market, by name and by seed: gaps, outages, clock steps.
//!
//! A filter over a market's events: without a trouble they pass as they are. Trouble comes by the
//! hour, not by how long somebody has been watching: a restart sees the same ones. Figures follow what
//! was recorded (9 % of oracle seconds missing, a silence above 60 s every 38 minutes, the longest
//! 387 s) and what an operator has seen (feeds lost for up to two minutes, a clock that was 15 to 20 s
//! off). Makes nothing up: events are dropped, held back or stamped by a wrong clock.

use crate::event::{ClockTick, Event, EventKind};
use crate::feed::Troubles;
use crate::sim::rng::Rng;
use crate::units::{Asset, EpochMs};
use std::collections::VecDeque;

/// Part of the oracle's seconds that are missing, %.
const MISSING_PCT: u32 = 9;

/// One stretch of trouble in each slot of time.
#[derive(Debug, Clone, Copy)]
struct Rhythm {
    /// Keeps the kinds of trouble apart.
    salt: u64,
    every_ms: i64,
    /// Shortest and longest stretch, ms.
    lasts_ms: (u32, u32),
}

/// The oracle is silent upstream.
const SILENCE: Rhythm = Rhythm {
    salt: 0x51,
    every_ms: 38 * 60_000,
    lasts_ms: (60_000, 387_000),
};
/// Our connection to some or all streams is lost.
const OUTAGE: Rhythm = Rhythm {
    salt: 0x0A,
    every_ms: 40 * 60_000,
    lasts_ms: (15_000, 120_000),
};
/// Our clock is wrong, until somebody sets it.
const STEP: Rhythm = Rhythm {
    salt: 0xC1,
    every_ms: 30 * 60_000,
    lasts_ms: (60_000, 300_000),
};
/// By how much it is wrong, ms, either way.
const STEP_MS: (u32, u32) = (1_500, 30_000);
/// It is never further behind, ms: outcomes come 16 s after the close, and by a slower clock they would
/// come before it.
const BEHIND_MAX_MS: i64 = 15_000;

/// A stretch of trouble, with a number that says more about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    start: EpochMs,
    end: EpochMs,
    draw: u64,
}

impl Rhythm {
    /// The stretch that `at` lies in, if it lies in one.
    fn at(&self, seed: u64, at: EpochMs) -> Option<Stretch> {
        let slot = at.0.div_euclid(self.every_ms);
        let mut rng = Rng::new(mixed(seed, self.salt, slot));
        let (shortest, longest) = self.lasts_ms;
        let lasts = shortest + rng.below(longest - shortest + 1);
        // It ends within its slot: none reaches into the next one.
        let room = u32::try_from(self.every_ms - i64::from(lasts)).unwrap_or(0);
        let start = EpochMs(slot * self.every_ms).plus_ms(rng.below(room).into());
        let stretch = Stretch {
            start,
            end: start.plus_ms(lasts.into()),
            draw: rng.bits(),
        };
        (stretch.start <= at && at < stretch.end).then_some(stretch)
    }
}

fn mixed(seed: u64, salt: u64, slot: i64) -> u64 {
    let mut rng = Rng::new(seed ^ salt.wrapping_mul(0xD6E8_FEB8_6659_FD93));
    rng.bits() ^ slot.unsigned_abs().wrapping_mul(0xA076_1D64_78BD_642F)
}

/// A market with its troubles.
#[derive(Debug)]
pub struct Troubled<I> {
    market: I,
    seed: u64,
    troubles: Troubles,
    /// Listings and outcomes of an outage: told when it is over, as the venue's list tells them.
    held: Vec<Event>,
    ready: VecDeque<Event>,
    /// Time on a tape never runs backwards, even where the clock was set back.
    last: EpochMs,
}

impl<I: Iterator<Item = Event>> Troubled<I> {
    /// The market as it reaches a trader with these troubles.
    pub fn new(market: I, seed: u64, troubles: Troubles) -> Self {
        Self {
            market,
            seed,
            troubles,
            held: Vec::new(),
            ready: VecDeque::new(),
            last: EpochMs(i64::MIN),
        }
    }

    fn take(&mut self, event: Event) {
        let at = event.t;
        let outage = self.stretch(self.troubles.outages, OUTAGE, at);
        if outage.is_none_or(|lost| !loses(lost.draw, &event.kind)) {
            if outage.is_none() {
                self.ready.extend(self.held.drain(..).map(|mut held| {
                    held.t = at;
                    held
                }));
            }
            if !self.is_missing(&event) {
                self.ready.push_back(event);
            }
        } else if let EventKind::Window(_) = event.kind {
            self.held.push(event);
        }
    }

    fn stretch(&self, wanted: bool, rhythm: Rhythm, at: EpochMs) -> Option<Stretch> {
        wanted.then(|| rhythm.at(self.seed, at)).flatten()
    }

    /// Whether the oracle never published this price.
    fn is_missing(&self, event: &Event) -> bool {
        let (true, EventKind::Oracle(tick)) = (self.troubles.gaps, &event.kind) else {
            return false;
        };
        let observed = event.src.unwrap_or(event.t);
        let seed = self.seed ^ nth(tick.asset);
        let mut rng = Rng::new(mixed(seed, 0x6A, observed.0.div_euclid(1_000)));
        SILENCE.at(seed, observed).is_some() || rng.below(100) < MISSING_PCT
    }

    /// The event as our own clock stamps it.
    fn stamped(&mut self, mut event: Event) -> Event {
        if let Some(step) = self.stretch(self.troubles.clock_steps, STEP, event.t) {
            let by = step_ms(step.draw);
            event.t = event.t.plus_ms(by);
            if let EventKind::Clock(ClockTick { offset_ms }) = &mut event.kind {
                *offset_ms = offset_ms.map(|measured| measured + by);
            }
        }
        event.t = event.t.max(self.last);
        self.last = event.t;
        event
    }
}

impl<I: Iterator<Item = Event>> Iterator for Troubled<I> {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        /// Events in a row that may be dropped: far more than the longest outage has.
        const DROPPED_MAX: u32 = 1_000_000;
        for _ in 0..DROPPED_MAX {
            if let Some(event) = self.ready.pop_front() {
                return Some(self.stamped(event));
            }
            let event = self.market.next()?;
            self.take(event);
        }
        None
    }
}

/// Whether an outage of this kind loses an event: all streams, the prices, or the books.
const fn loses(draw: u64, kind: &EventKind) -> bool {
    let of = draw % 3;
    match kind {
        EventKind::Oracle(_) | EventKind::Spot(_) => of != 2,
        EventKind::Book(_) | EventKind::Trade(_) => of != 1,
        EventKind::Window(_) => of == 0,
        EventKind::Order(_)
        | EventKind::Fill(_)
        | EventKind::Lease(_)
        | EventKind::Clock(_)
        | EventKind::Control(_) => false,
    }
}

fn step_ms(draw: u64) -> i64 {
    let mut rng = Rng::new(draw);
    let (least, most) = STEP_MS;
    let by = i64::from(least + rng.below(most - least + 1));
    if rng.below(2) == 0 {
        by
    } else {
        -by.min(BEHIND_MAX_MS)
    }
}

const fn nth(asset: Asset) -> u64 {
    match asset {
        Asset::Btc => 1,
        Asset::Eth => 2,
        Asset::Sol => 3,
        Asset::Xrp => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Engine;
    use crate::fixtures;
    use crate::ledger::{LedgerState, Record, RecordBody};
    use crate::order::Purpose;
    use crate::run::{Counterpart, Run, Sink};
    use crate::sim::generator::Generator;
    use crate::window::WindowLength;

    const START: EpochMs = EpochMs(1_795_392_123_456);
    const HOUR_MS: i64 = 3_600_000;
    const ALL: Troubles = Troubles {
        gaps: true,
        outages: true,
        clock_steps: true,
    };

    fn plain(hours: i64) -> impl Iterator<Item = Event> {
        let assets = [Asset::Btc, Asset::Eth];
        Generator::new(7, START, &assets, &[WindowLength::Min5])
            .take_while(move |event| event.t < START.plus_ms(hours * HOUR_MS))
    }

    fn troubled(troubles: Troubles, hours: i64) -> Vec<Event> {
        Troubled::new(plain(hours), 7, troubles).collect()
    }

    #[test]
    fn without_trouble_nothing_changes() {
        assert!(troubled(Troubles::default(), 1).into_iter().eq(plain(1)));
    }

    #[test]
    fn the_same_seed_has_the_same_troubles_wherever_one_begins() {
        let late = START.plus_ms(2 * HOUR_MS);
        let all = troubled(ALL, 3);
        assert_eq!(all, troubled(ALL, 3));
        let stretch = |at: i64| OUTAGE.at(7, late.plus_ms(at * 1_000));
        let seen: Vec<Stretch> = (0..7_200).filter_map(stretch).collect();
        assert!(seen.windows(2).filter(|pair| pair[0] != pair[1]).count() >= 2);
        assert!(all.windows(2).all(|pair| pair[0].t <= pair[1].t));
    }

    #[test]
    fn gaps_are_as_large_as_recorded() {
        let gaps = Troubles {
            gaps: true,
            ..Troubles::default()
        };
        let ticks = |events: &[Event]| -> Vec<EpochMs> {
            let of_btc = |event: &Event| {
                let EventKind::Oracle(tick) = &event.kind else {
                    return None;
                };
                event
                    .src
                    .filter(|_| tick.asset == Asset::Btc && tick.twap_secs.is_none())
            };
            events.iter().filter_map(of_btc).collect()
        };
        let (all, left) = (
            ticks(&plain(12).collect::<Vec<_>>()),
            ticks(&troubled(gaps, 12)),
        );
        let missing = 100 - 100 * left.len() / all.len();
        assert!((9..30).contains(&missing), "{missing} %");
        let longest = left.windows(2).map(|pair| pair[1] - pair[0]).max();
        assert!(
            (60_000..=400_000).contains(&longest.unwrap()),
            "{longest:?}"
        );
    }

    #[test]
    fn what_was_listed_during_an_outage_is_told_after_it() {
        let windows = |events: Vec<Event>| -> Vec<EventKind> {
            let kinds = events.into_iter().map(|event| event.kind);
            kinds
                .filter(|kind| matches!(kind, EventKind::Window(_)))
                .collect()
        };
        let outages = Troubles {
            outages: true,
            ..Troubles::default()
        };
        let (told, late) = (windows(plain(12).collect()), windows(troubled(outages, 12)));
        assert!(told.len() >= late.len() && told.len() - late.len() < 20);
        assert!(late.iter().all(|kind| told.contains(kind)));
    }

    /// What the trader saw and intended.
    #[derive(Default)]
    struct Kept {
        entries: Vec<EpochMs>,
        shut: Vec<String>,
        /// Of the newest oracle price and clock comparison at each entry: age and offset, ms.
        seen: Vec<(i64, i64)>,
        oracle: Option<EpochMs>,
        offset_ms: i64,
        last: EpochMs,
    }

    impl Sink for Kept {
        fn journal(&mut self, _: &str) {}
        fn record(&mut self, record: &Record) {
            if let RecordBody::QualityClosed { reason, .. } = &record.body {
                self.shut.push(reason.clone());
            }
            if let RecordBody::Intent { order } = &record.body
                && order.purpose == Purpose::Entry
            {
                let age = record.t_ms - self.oracle.unwrap();
                self.entries.push(record.t_ms);
                self.seen.push((age, self.offset_ms));
            }
        }
        fn event(&mut self, event: &Event) {
            assert!(event.t >= self.last, "time runs backwards");
            self.last = event.t;
            if let EventKind::Oracle(_) = &event.kind {
                self.oracle = event.src;
            } else if let EventKind::Clock(tick) = &event.kind {
                self.offset_ms = tick.offset_ms.unwrap_or(0);
            }
        }
    }

    /// A day of trouble for a trader that lacks one safeguard.
    fn traded(troubles: Troubles, without: &str) -> (Kept, crate::run::SimReport) {
        let (manifest, files) = (fixtures::manifest(), fixtures::strategies());
        let engine = if without.is_empty() {
            Engine::new(&manifest, &files, LedgerState::default()).unwrap()
        } else {
            Engine::without(&manifest, &files, without).unwrap()
        };
        let market = Generator::new(7, START, &[Asset::Btc], &[WindowLength::Min5])
            .take_while(|event| event.t < START.plus_ms(8 * HOUR_MS));
        let mut run = Run::new(engine, Counterpart::Simulated);
        let mut kept = Kept::default();
        for event in Troubled::new(market, 7, troubles) {
            run.feed(&event, &mut kept);
        }
        let report = run.report();
        assert_eq!(report.unexplained, 0, "{report:?}");
        (kept, report)
    }

    #[test]
    fn nothing_is_entered_on_old_prices_and_a_lost_feed_shuts_the_strategy() {
        let lost = Troubles {
            gaps: true,
            outages: true,
            ..Troubles::default()
        };
        let (kept, report) = traded(lost, "");
        assert_eq!(kept.shut, ["quality_feed_loss"], "{report:?}");
        // Without the gate it goes on after each outage, and still never on an old price.
        let (kept, report) = traded(lost, "quality_gate");
        assert!(kept.entries.len() > 10, "{report:?}");
        assert!(report.refusals["stale_oracle"] > 3, "{report:?}");
        assert!(
            kept.seen.iter().all(|(age, _)| *age <= 5_000),
            "{:?}",
            kept.seen
        );
    }

    #[test]
    fn nothing_is_entered_by_a_wrong_clock() {
        let steps = Troubles {
            clock_steps: true,
            ..Troubles::default()
        };
        let wrong = |kept: &Kept| {
            kept.seen
                .iter()
                .filter(|(_, offset)| offset.abs() > 1_000)
                .count()
        };
        let (kept, _) = traded(steps, "");
        assert_eq!(wrong(&kept), 0);
        // The loss without it: with the gate that a jump of the clock closes out of the way.
        let lenient = {
            let (mut manifest, mut files) = (fixtures::manifest(), fixtures::strategies());
            manifest.safeguards.max_consecutive_losses = 100.try_into().unwrap();
            manifest.safeguards.max_daily_loss_usd = "60".parse().unwrap();
            for file in files.values_mut() {
                file.quality.feed_loss_secs = 600;
                file.quality.update_rate_factor = 100.0;
                file.quality.spread_deviations = 100.0;
                file.quality.rolling_entries = 200;
                file.quality.min_entries = 200;
            }
            (manifest, files)
        };
        let trade = |engine: Engine| {
            let market = Generator::new(7, START, &[Asset::Btc], &[WindowLength::Min5])
                .take_while(|event| event.t < START.plus_ms(8 * HOUR_MS));
            let mut run = Run::new(engine, Counterpart::Simulated);
            let mut kept = Kept::default();
            for event in Troubled::new(market, 7, steps) {
                run.feed(&event, &mut kept);
            }
            (kept, run.report())
        };
        let (manifest, files) = &lenient;
        let (kept, report) = trade(Engine::new(manifest, files, LedgerState::default()).unwrap());
        assert_eq!(wrong(&kept), 0);
        assert!(report.refusals.contains_key("clock_offset"), "{report:?}");
        let (reckless, _) = trade(Engine::without(manifest, files, "clock_offset").unwrap());
        assert!(wrong(&reckless) > 0);
    }

    #[test]
    fn the_engines_time_never_runs_backwards() {
        let (manifest, files) = (fixtures::manifest(), fixtures::strategies());
        let mut engine = Engine::new(&manifest, &files, LedgerState::default()).unwrap();
        let mut out = crate::engine::Commands::default();
        let mut before = EpochMs(0);
        for (n, mut event) in plain(1).filter(is_btc).enumerate() {
            // A wall clock that is set back by a minute, now and then.
            if n % 500 > 400 {
                event.t = event.t.plus_ms(-60_000);
            }
            out.clear();
            engine.step(&event, &mut out);
            assert!(engine.now() >= before);
            before = engine.now();
        }
    }

    fn is_btc(event: &Event) -> bool {
        let asset = match &event.kind {
            EventKind::Oracle(tick) | EventKind::Spot(tick) => Some(tick.asset),
            EventKind::Book(tick) => Some(tick.asset),
            EventKind::Window(tick) => Some(tick.window.id.asset()),
            EventKind::Trade(_)
            | EventKind::Order(_)
            | EventKind::Fill(_)
            | EventKind::Lease(_)
            | EventKind::Clock(_)
            | EventKind::Control(_) => None,
        };
        asset.is_none_or(|asset| asset == Asset::Btc)
    }
}
