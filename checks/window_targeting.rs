//! LC-402 window targeting: with expired, current and future windows listed at once, only open ones are entered,
//! each with its own token.
//!
//! A strategy that always speaks is shown, for every declared coin and length, windows that are over, open, next
//! and after next, books for all of them, tokens whose numbers say nothing, books of tokens that nobody listed,
//! and a listing that swaps its tokens. The venue refuses every order, so that nothing but the window stands
//! in the way. Incident 10: the window after the open one was entered, and most of the account was lost in it.

use crate::facts::{Facts, known};
use crate::outcome::{Finding, Outcome};
use crate::parts;
use crate::stage::{
    Desk, Maker, Market, Quote, Sent, Strategies, book, eager, honest, listed, normal_ask, text,
    unbound, ungated, window,
};
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use trader_core::event::Event;
use trader_core::manifest::Manifest;
use trader_core::sim::scripted::Act;
use trader_core::units::{Asset, Outcome as Side};
use trader_core::window::{Window, WindowId, WindowLength};

/// Orders that the venue refuses; far more than there are.
const SCRIPTS: usize = 2_000;
/// Between two tries for one coin, ms: below the program's orders a minute for four coins.
const TRY_EVERY_MS: u32 = 5_000;
/// Seconds between two rounds of books.
const ROUND_SECS: i64 = 2;
/// Seconds before the first close and after it that are played.
const BEFORE_CLOSE_SECS: i64 = 100;
const AFTER_OPEN_SECS: i64 = 60;
/// Seconds at the end in which one listing contradicts itself.
const SWAPPED_SECS: i64 = 20;

pub(crate) fn run(facts: &Facts) -> Outcome {
    let document = known!(facts.manifest);
    let files = known!(facts.strategies);
    match parts::declared(document, files) {
        Ok((manifest, strategies)) => judge(manifest, &strategies, &honest),
        Err(outcome) => outcome,
    }
}

fn judge(declared: &Manifest, strategies: &Strategies, make: Maker<'_>) -> Outcome {
    let played = match play(declared, strategies, make) {
        Ok(played) => played,
        Err(why) => {
            return Finding::new("the rehearsal cannot be played, so nothing is known")
                .seen([why])
                .help("LC-203 and LC-204 show whether a trader can be built")
                .unknown();
        }
    };
    let faults: Vec<String> = played
        .sent
        .iter()
        .filter_map(|sent| fault(sent, &played.swapped))
        .collect();
    if !faults.is_empty() {
        return Finding::new(format!(
            "{} of {} orders were for a window that is not open, or for another's token",
            faults.len(),
            played.sent.len()
        ))
        .seen(faults)
        .help("a fault of the program: do not deploy with it")
        .fail();
    }
    let entered: BTreeSet<WindowId> = played
        .sent
        .iter()
        .map(|sent| sent.order.id.window)
        .collect();
    let missed: Vec<String> = played
        .tradable
        .iter()
        .filter(|id| !entered.contains(id))
        .map(|id| format!("{id} was open and not entered"))
        .collect();
    if !missed.is_empty() {
        return Finding::new("not every open window was entered, so targeting was not seen")
            .seen(missed)
            .help("the declared edge or window leaves no entry on the rehearsal's market")
            .unknown();
    }
    Finding::new(format!(
        "{} orders into {} open windows, none into {} that were over or to come; each token its window's own",
        played.sent.len(),
        entered.len(),
        played.listed.len() - entered.len()
    ))
    .evidence("orders", played.sent.len())
    .evidence("entered", entered.len())
    .evidence("listed", played.listed.len())
    .pass()
}

/// What is wrong with one order.
fn fault(sent: &Sent, swapped: &BTreeMap<WindowId, i64>) -> Option<String> {
    let order = &sent.order;
    let id = order.id.window;
    let line = |what: &str| Some(format!("{what} ({}, at {} ms)", order.id, sent.at.0));
    match sent.token_of {
        None => return line("a token that no window was listed with"),
        Some((of, _)) if of != id => return line(&format!("the token of {of}")),
        Some((_, side)) if side != order.outcome => {
            return line(&format!("the token of {side}, bought as {}", order.outcome));
        }
        Some(_) => {}
    }
    if sent.at < id.open() {
        return line(&format!(
            "{} ms before the window opens",
            id.open() - sent.at
        ));
    }
    if sent.at >= id.close() {
        return line(&format!(
            "{} ms after the window closed",
            sent.at - id.close()
        ));
    }
    if order.expires_at > id.close() {
        return line("an order that outlives its window");
    }
    if swapped.get(&id).is_some_and(|since| sent.at.0 > *since) {
        return line("a window whose listing contradicts itself");
    }
    None
}

#[derive(Default)]
struct Played {
    sent: Vec<Sent>,
    listed: BTreeSet<WindowId>,
    /// Windows that were open long enough to be entered.
    tradable: BTreeSet<WindowId>,
    /// Windows that were listed again with swapped tokens, and when.
    swapped: BTreeMap<WindowId, i64>,
}

/// One rehearsal for each length: two lengths of one coin would wait for each other.
fn play(declared: &Manifest, strategies: &Strategies, make: Maker<'_>) -> Result<Played, String> {
    let lengths = declared.window.durations_mins.iter();
    let lengths: Result<Vec<_>, _> = lengths.map(|m| WindowLength::from_mins(*m)).collect();
    let lengths = lengths.map_err(text)?;
    let mut played = Played::default();
    for length in &lengths {
        play_length(*length, &lengths, declared, strategies, make, &mut played)?;
    }
    Ok(played)
}

fn play_length(
    length: WindowLength,
    lengths: &[WindowLength],
    declared: &Manifest,
    strategies: &Strategies,
    make: Maker<'_>,
    played: &mut Played,
) -> Result<(), String> {
    let mut manifest = unbound(declared).map_err(text)?;
    let interval = NonZeroU32::new(TRY_EVERY_MS).unwrap_or(NonZeroU32::MIN);
    manifest.safeguards.min_entry_interval_ms = interval;
    manifest.window.durations_mins = vec![length.mins()];
    let strategies = ungated(&eager(strategies));
    let rejected = std::iter::repeat_n(vec![(0, Act::Reject)], SCRIPTS);
    let mut desk = Desk::new(make(&manifest, &strategies), rejected)?;
    let quote = Quote::at(normal_ask(declared).map_err(text)?).map_err(text)?;
    let market = Market::new(&declared.assets, lengths);
    // Round the close of the longest length all lengths close.
    let ends = lengths.iter().map(|length| length.ms() / 1_000);
    let close = ends.max().unwrap_or(900);
    let late = i64::from(declared.window.min_remaining_secs.get());
    let early = i64::from(declared.window.min_elapsed_secs);
    let from = (close - BEFORE_CLOSE_SECS - late).max(0);
    let until = close + early + AFTER_OPEN_SECS;
    desk.play(market.warm_up(&manifest, from).map_err(text)?);
    let mut swapped = false;
    for sec in from..until {
        let now = Market::at(sec);
        let silent = Quote {
            has_books: false,
            ..quote
        };
        desk.play(market.second(sec, &silent).map_err(text)?);
        if sec % ROUND_SECS != 0 {
            continue;
        }
        let mut events: Vec<Event> = Vec::new();
        for asset in &declared.assets {
            for window in around(*asset, lengths, sec) {
                // The reference comes with a later listing, once the window is open.
                if played.listed.insert(window.id) || sec % 10 == 0 {
                    events.push(listed(&window, now, None));
                }
                for side in [Side::Down, Side::Up] {
                    events.push(book(&window, side, &quote, now).map_err(text)?);
                }
            }
            events.extend(strangers(*asset, &quote, sec)?);
        }
        // Late in the new windows, one of them is listed with its tokens the other way round.
        let first = declared.assets.first().copied().unwrap_or(Asset::Btc);
        if sec >= until - SWAPPED_SECS
            && !swapped
            && let Some(window) = current(first, length, sec)
        {
            swapped = true;
            played.swapped.insert(window.id, now.0);
            let (up, down) = (window.down.clone(), window.up.clone());
            events.push(listed(&Window { up, down, ..window }, now, None));
        }
        desk.play(events);
    }
    for asset in &declared.assets {
        for sec in [from, close] {
            let open = current(*asset, length, sec);
            played.tradable.extend(open.map(|window| window.id));
        }
    }
    played.sent.extend_from_slice(desk.sent());
    Ok(())
}

/// The window of a coin and length that is open at that second.
fn current(asset: Asset, length: WindowLength, sec: i64) -> Option<Window> {
    let now = Market::at(sec).0 / 1_000;
    let period = length.ms() / 1_000;
    window(asset, length, now.div_euclid(period) * period)
}

/// Over, open, next and after next, of every length; the ones to come first, as a venue may list them.
fn around(asset: Asset, lengths: &[WindowLength], sec: i64) -> Vec<Window> {
    let mut windows = Vec::new();
    for length in lengths {
        let period = length.ms() / 1_000;
        for away in [2, 1, 0, -1] {
            windows.extend(current(asset, *length, sec + away * period));
        }
    }
    windows
}

/// Books of tokens that nobody listed.
fn strangers(asset: Asset, quote: &Quote, sec: i64) -> Result<Vec<Event>, String> {
    /// A window of last week was never listed here.
    const WEEK_SECS: i64 = 604_800;
    let now = Market::at(sec);
    let mut events = Vec::new();
    if let Some(window) = current(asset, WindowLength::Min15, sec - WEEK_SECS) {
        for side in [Side::Up, Side::Down] {
            events.push(book(&window, side, quote, now).map_err(text)?);
        }
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Fact, Missing};
    use crate::fixtures::{check, declared, facts, manifest_mut};
    use crate::report::Status;
    use crate::stage::Trader;
    use trader_core::event::EventKind;

    fn both() -> Facts {
        let mut facts = facts();
        let manifest = manifest_mut(&mut facts);
        manifest.assets = vec![Asset::Btc, Asset::Eth];
        manifest.window.durations_mins = vec![5, 15];
        facts
    }

    #[test]
    fn passing() {
        let result = check(
            "LC-402",
            &both(),
            Status::Pass,
            "orders into 8 open windows",
        );
        assert!(
            result.evidence["orders"].as_u64().unwrap() > 20,
            "{result:?}"
        );
    }

    /// What is said of a trader that hears the world so.
    fn heard(hears: fn(Event) -> Vec<Event>) -> Vec<String> {
        let mut facts = both();
        let manifest = manifest_mut(&mut facts);
        // So near to open and close that a clock's error of seconds shows.
        manifest.window.min_elapsed_secs = 5;
        manifest.window.min_remaining_secs = 5.try_into().unwrap();
        let (manifest, strategies) = declared(&facts);
        let planted = |manifest: &Manifest, strategies: &Strategies| Trader {
            hears: Box::new(hears),
            ..honest(manifest, strategies)
        };
        match judge(&manifest, &strategies, &planted) {
            Outcome::Fail(finding) => finding.seen,
            Outcome::Pass(_) | Outcome::Warn(_) | Outcome::Unknown(_) => Vec::new(),
        }
    }

    #[track_caller]
    fn red(hears: fn(Event) -> Vec<Event>, said: &str) {
        let seen = heard(hears);
        assert!(
            seen.iter().any(|line| line.contains(said)),
            "{said}: {seen:#?}"
        );
    }

    #[test]
    fn failing() {
        // Its clock runs fast, and it takes a price for the next window's reference.
        red(|event| skewed(event, 45_000), "ms before the window opens");
        // It takes the tokens by their place in a list, not by their label.
        let by_place = |event: Event| {
            let mut event = event;
            if let EventKind::Window(tick) = &mut event.kind
                && tick.window.up > tick.window.down
            {
                std::mem::swap(&mut tick.window.up, &mut tick.window.down);
            }
            vec![event]
        };
        red(by_place, "bought as");
        // It takes the next window's listing for the open one's.
        let one_on = |event: Event| {
            let mut event = event;
            if let EventKind::Window(tick) = &mut event.kind {
                let id = tick.window.id;
                let open = id.open().0 / 1_000 - id.length().ms() / 1_000;
                tick.window.id = WindowId::try_new(id.asset(), id.length(), open).unwrap();
                tick.window.reference = window(id.asset(), id.length(), open).unwrap().reference;
            }
            vec![event]
        };
        red(one_on, "the token of");
        // Its clock runs slow: a window that is over seems open.
        red(|event| skewed(event, -45_000), "ms after the window closed");
    }

    /// What a trader hears whose clock is wrong, and who knows every reference.
    fn skewed(event: Event, skew_ms: i64) -> Vec<Event> {
        let mut event = event;
        event.t = event.t.plus_ms(skew_ms);
        event.src = event.src.map(|at| at.plus_ms(skew_ms));
        match &mut event.kind {
            EventKind::Lease(grant) => grant.expires_at = grant.expires_at.plus_ms(skew_ms),
            EventKind::Window(tick) => {
                let id = tick.window.id;
                let known = window(id.asset(), id.length(), id.open().0 / 1_000);
                tick.window.reference = known.unwrap().reference;
            }
            EventKind::Oracle(_)
            | EventKind::Spot(_)
            | EventKind::Book(_)
            | EventKind::Trade(_)
            | EventKind::Order(_)
            | EventKind::Fill(_)
            | EventKind::Clock(_)
            | EventKind::Control(_) => {}
        }
        vec![event]
    }

    #[test]
    fn just_inside() {
        // From the very open to the last second, and not beyond.
        let mut facts = both();
        let manifest = manifest_mut(&mut facts);
        manifest.window.min_elapsed_secs = 0;
        manifest.window.min_remaining_secs = 1.try_into().unwrap();
        check("LC-402", &facts, Status::Pass, "open windows");
    }

    #[test]
    fn fact_missing() {
        let mut facts = facts();
        facts.manifest = Fact::missing(Missing::new("HEAD cannot be read"), "HEAD", 0);
        check("LC-402", &facts, Status::Unknown, "HEAD cannot be read");
        // A trader that enters nothing shows nothing.
        assert!(heard(|_| Vec::new()).is_empty());
    }
}
