//! The parsers of everything but manifests, each as a function from bytes or text to what it says.

#![allow(dead_code, reason = "each test crate uses a part of it")]

use launch_kill::freeze::FreezeState;
use launch_kill::{Endpoint, EnvName, KillFile, StateDir};
use std::fmt::Display;
use std::str::FromStr;
use trader_core::event::Event;
use trader_core::feed::Feed;
use trader_core::order::OrderId;
use trader_core::tape::{TapeParser, line_text};
use trader_core::units::{
    Asset, OraclePrice, PriceGap, Shares, StrategyId, TokenId, TokenPrice, Usd, UsdLimit,
};
use trader_core::window::WindowId;

/// A parser of a short text: the text it prints, or its error.
type TextParser = fn(&str) -> Result<String, String>;

/// Every parser of a short text, by the name of its corpus.
pub(crate) const TEXTS: [(&str, TextParser); 15] = [
    ("token_price", text::<TokenPrice>),
    ("usd_limit", text::<UsdLimit>),
    ("usd", text::<Usd>),
    ("shares", text::<Shares>),
    ("price_gap", text::<PriceGap>),
    ("oracle_price", text::<OraclePrice>),
    ("asset", text::<Asset>),
    ("token_id", text::<TokenId>),
    ("strategy_id", text::<StrategyId>),
    ("window_id", text::<WindowId>),
    ("order_id", text::<OrderId>),
    ("feed", text::<Feed>),
    ("check_code", text::<launch_checks::Code>),
    ("environment_name", |given| {
        EnvName::parse(given)
            .map(|name| name.to_string())
            .map_err(|error| error.to_string())
    }),
    ("address", |given| {
        Endpoint::parse(given)
            .map(|address| address.as_str().to_owned())
            .map_err(|error| error.to_string())
    }),
];

fn text<T: FromStr + Display>(given: &str) -> Result<String, String>
where
    T::Err: Display,
{
    given
        .parse::<T>()
        .map(|value| value.to_string())
        .map_err(|error| error.to_string())
}

/// The events of a tape, as the running trader reads it.
pub(crate) fn tape(bytes: &[u8]) -> Result<Vec<Event>, String> {
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let said = |error: trader_core::tape::TapeError| error.to_string();
    let first = lines.next().unwrap_or_default();
    let mut parser = line_text(first, 1)
        .and_then(TapeParser::new)
        .map_err(said)?;
    let mut events = Vec::new();
    for line in lines {
        let number = parser.line_number() + 1;
        let event = line_text(line, number)
            .and_then(|text| parser.line(text))
            .map_err(said)?;
        events.extend(event);
    }
    Ok(events)
}

/// A kill file in a state directory of its own.
pub(crate) fn kill_file(bytes: &[u8]) -> Result<String, String> {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let (dir, env) = (
        StateDir::at(scratch.path()),
        EnvName::parse("staging").expect("a name"),
    );
    std::fs::write(dir.kill_file_path(&env), bytes).expect("written");
    KillFile::read(&dir, &env)
        .map(|file| format!("{file:?}"))
        .map_err(|error| placeless(&error.to_string(), &scratch))
}

/// The freeze variable.
pub(crate) fn freeze(bytes: &[u8]) -> Result<String, String> {
    let text = String::from_utf8_lossy(bytes);
    let state = FreezeState::from_variable(Some(&text));
    match state {
        FreezeState::Unreadable(why) => Err(why),
        read @ (FreezeState::Off | FreezeState::Frozen(_)) => Ok(format!("{read:?}")),
    }
}

/// How many receipts a state directory holds.
pub(crate) fn receipts(bytes: &[u8]) -> Result<String, String> {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let dir = StateDir::at(scratch.path());
    let path = launch::receipts::path(&dir);
    std::fs::create_dir_all(path.parent().expect("has one")).expect("created");
    std::fs::write(&path, bytes).expect("written");
    launch::receipts::read_all(&dir)
        .map(|receipts| receipts.len().to_string())
        .map_err(|error| placeless(&error.to_string(), &scratch))
}

fn placeless(said: &str, scratch: &tempfile::TempDir) -> String {
    said.replace(&scratch.path().display().to_string(), "STATE")
}
