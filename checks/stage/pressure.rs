//! The rehearsals of LC-401: what the market and the venue do in each.

use super::{Maker, limits};
use crate::stage::{
    Desk, Market, Quote, Strategies, clock, eager, normal_ask, text, unbound, ungated,
};
use rust_decimal::Decimal;
use std::num::NonZeroU32;
use trader_core::fees::fee_per_share;
use trader_core::manifest::Manifest;
use trader_core::sim::scripted::{Act, Script};
use trader_core::strategy_file::StrategyFile;
use trader_core::units::{Asset, Outcome, PriceGap, StrategyId, TokenPrice, UnitError, UsdLimit};
use trader_core::window::WindowLength;

/// Scripts that a rehearsal gives its venue; far more than orders.
const SCRIPTS: usize = 600;
/// Seconds that a rehearsal of one money limit trades; the losing ones need time to lose.
const PRESS_SECS: i64 = 10;
const LOSING_SECS: i64 = 26;
/// Between two tries in a market in which nothing may be entered, ms.
const TRY_EVERY_MS: u32 = 3_000;
/// Seconds that each such condition lasts: longer than from one try to the next.
const CONDITION_SECS: i64 = 5;
/// How far beyond its band an edge is put.
const BEYOND_BAND: Decimal = Decimal::from_parts(2, 0, 0, false, 2);

/// What one rehearsal showed.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Its name.
    pub(crate) name: &'static str,
    /// Entries that reached the venue.
    pub(crate) entries: usize,
    /// Limits that it was to reach.
    pub(crate) wanted: Vec<&'static str>,
    /// Those that it reached.
    pub(crate) reached: Vec<&'static str>,
    /// Orders beyond a limit.
    pub(crate) faults: Vec<String>,
}

/// A money limit that is to bind alone.
struct Press {
    key: &'static str,
    /// The refusal that shows it at work.
    code: &'static str,
    /// Puts the declared value back.
    bind: fn(&mut Manifest, &Manifest),
    /// A size at which it can be reached, USD.
    size: fn(&Manifest) -> Decimal,
    /// Whether positions are to be left with a loss.
    is_losing: bool,
}

const SMALL: fn(&Manifest) -> Decimal = |_| Decimal::from_parts(5, 0, 0, false, 0);

#[rustfmt::skip] // One row, one line.
const PRESSES: &[Press] = &[
    Press { key: "max_exposure_usd", code: "exposure", bind: |m, d| m.max_exposure_usd = d.max_exposure_usd, size: |d| d.max_exposure_usd.get() / Decimal::from(6), is_losing: false },
    Press { key: "max_capital_usd", code: "capital", bind: |m, d| m.max_capital_usd = d.max_capital_usd, size: |d| d.max_capital_usd.get() / Decimal::from(6), is_losing: false },
    Press { key: "safeguards.max_open_positions", code: "open_positions", bind: |m, d| m.safeguards.max_open_positions = d.safeguards.max_open_positions, size: SMALL, is_losing: false },
    Press { key: "safeguards.min_entry_interval_ms", code: "entry_interval", bind: |m, d| m.safeguards.min_entry_interval_ms = d.safeguards.min_entry_interval_ms, size: SMALL, is_losing: false },
    Press { key: "safeguards.max_entries_per_tick", code: "entries_per_tick", bind: |m, d| m.safeguards.max_entries_per_tick = d.safeguards.max_entries_per_tick, size: SMALL, is_losing: false },
    Press { key: "safeguards.max_entries_per_window", code: "window_once", bind: |m, d| m.safeguards.max_entries_per_window = d.safeguards.max_entries_per_window, size: SMALL, is_losing: false },
    Press { key: "safeguards.max_orders_per_minute", code: "orders_per_minute", bind: |m, d| m.safeguards.max_orders_per_minute = d.safeguards.max_orders_per_minute, size: SMALL, is_losing: false },
    Press { key: "safeguards.max_order_shares", code: "order_shares", bind: |m, d| m.safeguards.max_order_shares = d.safeguards.max_order_shares, size: |d| d.safeguards.max_order_shares.get() / Decimal::TWO, is_losing: false },
    Press { key: "safeguards.max_daily_loss_usd", code: "daily_loss", bind: |m, d| m.safeguards.max_daily_loss_usd = d.safeguards.max_daily_loss_usd, size: |d| d.safeguards.max_daily_loss_usd.get() / Decimal::from(3), is_losing: true },
    Press { key: "safeguards.max_consecutive_losses", code: "consecutive_losses", bind: |m, d| m.safeguards.max_consecutive_losses = d.safeguards.max_consecutive_losses, size: SMALL, is_losing: true },
];

/// Every rehearsal.
///
/// # Errors
/// Why one cannot be played.
pub(crate) fn all(
    declared: &Manifest,
    strategies: &Strategies,
    make: Maker<'_>,
) -> Result<Vec<Ran>, String> {
    let strategies = ungated(&eager(strategies));
    let mut ran = vec![
        as_declared(declared, &strategies, make)?,
        forbidden_markets(declared, &strategies, make)?,
    ];
    for press in PRESSES {
        ran.push(pressed(press, declared, &strategies, make)?);
    }
    Ok(ran)
}

fn everything() -> Market {
    Market::new(&Asset::ALL, &[WindowLength::Min5, WindowLength::Min15])
}

/// First second at which the declared part of a window begins.
fn begin(declared: &Manifest) -> i64 {
    i64::from(declared.window.min_elapsed_secs)
}

fn done(
    name: &'static str,
    manifest: &Manifest,
    desk: &Desk,
    wanted: &[(&'static str, &str)],
) -> Ran {
    let refusals = &desk.engine().tally().refusals;
    let mut faults: Vec<String> = desk
        .sent()
        .iter()
        .flat_map(|sent| limits::beyond(manifest, sent, name))
        .collect();
    let repeats = desk.venue().repeats();
    if repeats > 0 {
        faults.push(format!(
            "{repeats} orders were sent a second time (rehearsal \"{name}\")"
        ));
    }
    Ran {
        name,
        entries: desk.sent().iter().filter(|sent| sent.is_entry()).count(),
        wanted: wanted.iter().map(|(key, _)| *key).collect(),
        reached: wanted
            .iter()
            .filter(|(_, code)| refusals.contains_key(*code))
            .map(|(key, _)| *key)
            .collect(),
        faults,
    }
}

/// Every way in which the venue answers, over and over.
fn hostile_scripts() -> Vec<Script> {
    let lives: [Script; 7] = [
        vec![(0, Act::Accept), (0, Act::Fill(100))],
        vec![(500, Act::TimeOut), (800, Act::FillInSilence(100))],
        vec![(0, Act::Reject)],
        vec![(0, Act::Accept), (100, Act::Fill(40)), (3_000, Act::Cancel)],
        vec![(0, Act::Delay), (3_000, Act::Fill(100))],
        vec![(0, Act::FillInSilence(100)), (900, Act::TimeOut)],
        vec![
            (0, Act::Accept),
            (100, Act::Match(100)),
            (900, Act::Confirm),
            (950, Act::Repeat),
        ],
    ];
    lives.into_iter().cycle().take(SCRIPTS).collect()
}

/// The manifest as it is: every coin and length listed, bursts, lost and late fills, slumps, late outcomes,
/// and two restarts.
fn as_declared(
    declared: &Manifest,
    strategies: &Strategies,
    make: Maker<'_>,
) -> Result<Ran, String> {
    const NAME: &str = "as declared";
    /// Seconds between two quotes: the oracle speaks every second.
    const QUOTE_EVERY_SECS: i64 = 2;
    /// Seconds of trading before the first restart: positions are held. The second comes as windows close.
    const RESTART_AFTER_SECS: i64 = 20;
    let market = everything();
    let mut desk = Desk::new(make(declared, strategies), hostile_scripts())?;
    let quote = Quote::at(normal_ask(declared).map_err(text)?).map_err(text)?;
    let lengths = declared.window.durations_mins.iter();
    let shortest = i64::from(lengths.min().copied().unwrap_or(5)) * 60;
    let warm_up = i64::from(declared.window.warm_up_secs.get());
    desk.play(market.warm_up(declared, 0).map_err(text)?);
    let end = shortest + begin(declared) + warm_up + 40;
    for sec in 0..end {
        let mut now = quote;
        now.has_books = sec % QUOTE_EVERY_SECS == 0;
        // Bursts of the same words, and a slump now and then.
        now.times = if sec % 14 == 0 { 3 } else { 1 };
        if sec % 40 > 36 {
            now = now.slumped().map_err(text)?;
        }
        desk.play(market.second(sec, &now).map_err(text)?);
        let restarts = sec == begin(declared) + RESTART_AFTER_SECS || sec == shortest;
        if restarts && let Err(why) = desk.restart(0) {
            let mut ran = done(NAME, declared, &desk, &[]);
            ran.faults.push(format!("after a restart: {why}"));
            return Ok(ran);
        }
        if sec == shortest + 16 {
            desk.play(market.outcomes(shortest, Market::at(sec), Outcome::Down));
        }
    }
    Ok(done(NAME, declared, &desk, &[]))
}

/// Too early, too dear, too cheap, a wrong clock, a silent oracle, silent books, too late: the venue refuses
/// every order, so that the trader never has enough.
fn forbidden_markets(
    declared: &Manifest,
    strategies: &Strategies,
    make: Maker<'_>,
) -> Result<Ran, String> {
    const NAME: &str = "forbidden markets";
    let mut manifest = unbound(declared).map_err(text)?;
    let interval = NonZeroU32::new(TRY_EVERY_MS).unwrap_or(NonZeroU32::MIN);
    manifest.safeguards.min_entry_interval_ms = interval;
    let limits = &mut manifest.safeguards;
    limits.max_oracle_age_ms = declared.safeguards.max_oracle_age_ms;
    limits.max_book_age_ms = declared.safeguards.max_book_age_ms;
    limits.max_clock_offset_ms = declared.safeguards.max_clock_offset_ms;
    manifest.window.warm_up_secs = declared.window.warm_up_secs;
    let market = everything();
    let rejected = std::iter::repeat_n(vec![(0, Act::Reject)], SCRIPTS);
    let mut desk = Desk::new(make(&manifest, strategies), rejected)?;
    let normal = Quote::at(normal_ask(declared).map_err(text)?).map_err(text)?;
    let mut stage = Conditions {
        market,
        desk: &mut desk,
        sec: 0,
    };
    let events = stage.market.warm_up(declared, 0).map_err(text)?;
    stage.desk.play(events);
    // Before the window's part begins, and just after.
    stage.play(begin(declared) + CONDITION_SECS, &normal)?;
    let mut wanted = vec![
        ("window.min_remaining_secs", "too_late"),
        ("safeguards.max_oracle_age_ms", "stale_oracle"),
        ("safeguards.max_book_age_ms", "stale_book"),
        ("safeguards.max_clock_offset_ms", "clock_offset"),
    ];
    if declared.window.min_elapsed_secs > 0 {
        wanted.push(("window.min_elapsed_secs", "too_early"));
    }
    let (min, max) = (declared.edge.min.get(), declared.edge.max.get());
    for (edge, key, code) in [
        (min / Decimal::TWO, "edge.min", "edge_below_min"),
        (max + BEYOND_BAND, "edge.max", "edge_above_max"),
    ] {
        if let Some(ask) = ask_with_edge(edge).filter(|_| edge > Decimal::ZERO) {
            let mut flat = Quote::at(ask).map_err(text)?;
            flat.has_swing = false;
            wanted.push((key, code));
            stage.play(CONDITION_SECS, &flat)?;
        }
    }
    stage.play(CONDITION_SECS, &normal)?;
    let offset = i64::from(declared.safeguards.max_clock_offset_ms.get()) + 1;
    stage
        .desk
        .play([clock(Market::at(stage.sec), Some(-offset))]);
    stage.play(CONDITION_SECS, &normal)?;
    stage.desk.play([clock(Market::at(stage.sec), Some(0))]);
    let secs = |ms: NonZeroU32| i64::from(ms.get() / 1_000) + CONDITION_SECS;
    let no_oracle = Quote {
        has_oracle: false,
        ..normal
    };
    stage.play(secs(declared.safeguards.max_oracle_age_ms), &no_oracle)?;
    let no_books = Quote {
        has_books: false,
        ..normal
    };
    stage.play(secs(declared.safeguards.max_book_age_ms), &no_books)?;
    // To the end of the shortest window, with the oracle alone until it is late.
    let lengths = declared.window.durations_mins.iter();
    let close = i64::from(lengths.min().copied().unwrap_or(5)) * 60;
    let late = close - i64::from(declared.window.min_remaining_secs.get()) - CONDITION_SECS;
    stage.play(late - stage.sec, &no_books)?;
    stage.play(close - stage.sec, &normal)?;
    Ok(done(
        NAME,
        &manifest_of(declared, &manifest),
        &desk,
        &wanted,
    ))
}

/// The limits by which the forbidden markets are judged: the declared ones, but for the money limits that
/// were loosened on purpose.
fn manifest_of(declared: &Manifest, played: &Manifest) -> Manifest {
    Manifest {
        safeguards: trader_core::manifest::Safeguards {
            price_collar: declared.safeguards.price_collar,
            ..played.safeguards.clone()
        },
        max_exposure_usd: played.max_exposure_usd,
        max_capital_usd: played.max_capital_usd,
        ..declared.clone()
    }
}

struct Conditions<'a> {
    market: Market,
    desk: &'a mut Desk,
    sec: i64,
}

impl Conditions<'_> {
    fn play(&mut self, secs: i64, quote: &Quote) -> Result<(), String> {
        for _ in 0..secs.max(0) {
            let events = self.market.second(self.sec, quote).map_err(text)?;
            self.desk.play(events);
            self.sec += 1;
        }
        Ok(())
    }
}

/// The ask at which a probability of one half has this edge, to a tenth of a cent.
fn ask_with_edge(edge: Decimal) -> Option<TokenPrice> {
    let half = Decimal::new(5, 1);
    (5..500)
        .filter_map(|mills| TokenPrice::try_new(Decimal::new(mills, 3)).ok())
        .find(|ask| half - ask.get() - fee_per_share(*ask) <= edge)
        .filter(|ask| half - ask.get() - fee_per_share(*ask) > edge - Decimal::new(2, 3))
}

/// One money limit at its declared value, everything else as wide as it goes.
fn pressed(
    press: &Press,
    declared: &Manifest,
    strategies: &Strategies,
    make: Maker<'_>,
) -> Result<Ran, String> {
    let mut manifest = unbound(declared).map_err(text)?;
    (press.bind)(&mut manifest, declared);
    manifest.assets = Asset::ALL.into();
    manifest.window.durations_mins = vec![5, 15];
    manifest.position_size_usd = size((press.size)(declared)).map_err(text)?;
    if press.is_losing {
        manifest.exit.stop_loss = PriceGap::try_new(Decimal::new(5, 2)).map_err(text)?;
    }
    let strategies = crowd(strategies, &mut manifest, declared)?;
    let market = everything();
    let mut desk = Desk::new(make(&manifest, &strategies), Vec::new())?;
    let quote = Quote::at(normal_ask(declared).map_err(text)?).map_err(text)?;
    let from = begin(declared);
    desk.play(market.warm_up(&manifest, from).map_err(text)?);
    let secs = if press.is_losing {
        LOSING_SECS
    } else {
        PRESS_SECS
    };
    for sec in from..from + secs {
        let mut now = quote;
        if press.is_losing && sec % 2 == 1 {
            now = now.slumped().map_err(text)?;
        }
        desk.play(market.second(sec, &now).map_err(text)?);
    }
    Ok(done(
        press.key,
        &manifest,
        &desk,
        &[(press.key, press.code)],
    ))
}

/// A size between the least that buys an order and the program's ceiling.
fn size(wanted: Decimal) -> Result<UsdLimit, UnitError> {
    let (least, most) = (Decimal::from(5), Decimal::from(250));
    UsdLimit::try_new(wanted.clamp(least, most).round_dp(2))
}

/// More strategies of the declared kind than any limit on entries lets through at once.
fn crowd(
    strategies: &Strategies,
    manifest: &mut Manifest,
    declared: &Manifest,
) -> Result<Strategies, String> {
    /// Windows that are open at once: four coins, two lengths.
    const OPEN_WINDOWS: u32 = 8;
    const CROWD_MAX: u32 = 10;
    let limits = &declared.safeguards;
    // One oracle price decides two windows; each strategy may hold one position in each window.
    let wanted = (limits.max_entries_per_tick.get() / 2)
        .max(limits.max_open_positions.get() / OPEN_WINDOWS)
        .max(limits.max_orders_per_minute.get() / (OPEN_WINDOWS * 4));
    let count = wanted.saturating_add(1).clamp(2, CROWD_MAX);
    let files: Vec<&StrategyFile> = strategies.values().collect();
    let mut crowd = Strategies::new();
    for (n, file) in (1..=count).zip(files.into_iter().cycle()) {
        let id: StrategyId = format!("crowd-{n}").parse().map_err(text)?;
        crowd.insert(id, file.clone());
    }
    manifest.strategies = crowd.keys().cloned().collect();
    Ok(crowd)
}
