//! The positions of a report, for people: what is held, what it can lose, when it settles.
//!
//! Returns text; never prints. What is not known is said, never shown as none.

use crate::render::line;
use crate::report::{
    FlattenOutcome, FlattenResult, Position, PositionSource, SellingOutcome, TargetReport,
};
use crate::run::unsold as left;

/// Positions that are listed one by one; more are counted.
const POSITIONS_MAX: usize = 20;

/// A token's leading digits that are shown; the JSON has all of them.
const TOKEN_DIGITS: usize = 10;

/// The lines about a target's positions.
pub(crate) fn of_target(text: &mut String, positions: Option<&[Position]>) {
    let Some(positions) = positions else {
        line(
            text,
            "  positions   UNKNOWN: nobody could be asked; look on the venue's own page",
        );
        return;
    };
    line(text, &format!("  positions   {} open", open(positions)));
    for position in positions.iter().take(POSITIONS_MAX) {
        of_position(text, position);
    }
    let more = positions.len().saturating_sub(POSITIONS_MAX);
    if more > 0 {
        line(
            text,
            &format!("    and {more} more: --format json lists them all"),
        );
    }
}

/// What was to be sold and was not: told before everything else but the verdict.
pub(crate) fn unsold(text: &mut String, target: &TargetReport) {
    let positions = target.positions.as_deref();
    if let Some(flatten) = &target.flatten {
        let left = positions
            .unwrap_or_default()
            .iter()
            .filter_map(left)
            .count();
        let headline = match (positions, left) {
            (None, _) => "UNKNOWN what was sold".to_owned(),
            (Some(_), _) if flatten.outcome == SellingOutcome::Impossible => "NOTHING SOLD".into(),
            (Some(_), 0) => "all sold".to_owned(),
            (Some(all), left) => format!("{left} of {} position(s) NOT SOLD", all.len()),
        };
        line(
            text,
            &format!("  flatten     {headline}: {}", flatten.detail),
        );
    }
    for words in positions
        .unwrap_or_default()
        .iter()
        .filter_map(left)
        .take(POSITIONS_MAX)
    {
        line(text, &format!("  NOT SOLD    {words}"));
    }
}

/// Positions that still hold something.
fn open(positions: &[Position]) -> usize {
    let is_sold = |position: &&Position| {
        let result = position.flatten.as_ref().map(|flatten| flatten.result);
        result != Some(FlattenOutcome::Sold)
    };
    positions.iter().filter(is_sold).count()
}

fn of_position(text: &mut String, position: &Position) {
    let or_unknown = |value: Option<&String>| value.map_or("unknown", String::as_str).to_owned();
    let what = match (&position.window, &position.outcome) {
        (Some(window), Some(outcome)) => format!("{window} {outcome}"),
        (Some(window), None) => window.clone(),
        (None, _) => "window unknown".to_owned(),
    };
    let source = match position.source {
        PositionSource::Trader => "",
        PositionSource::Venue => " (told by the venue)",
    };
    line(
        text,
        &format!("    {what}, token {}{source}", short(&position.token)),
    );
    if let Some(flatten) = &position.flatten {
        line(text, &format!("      {}", of_sale(flatten)));
    }
    line(
        text,
        &format!(
            "      {} shares, last bid {}, can lose {} USD, {}",
            position.shares,
            or_unknown(position.last_bid.as_ref()),
            or_unknown(position.worst_loss_usd.as_ref()),
            settles(position.seconds_to_settlement)
        ),
    );
    if let Some(link) = &position.link {
        line(text, &format!("      {link}"));
    }
}

/// What selling came to, in words.
fn of_sale(flatten: &FlattenResult) -> String {
    let amount = |value: &Option<String>| value.clone().unwrap_or_else(|| "unknown".to_owned());
    let words = match flatten.result {
        FlattenOutcome::Sold => "SOLD",
        FlattenOutcome::Partly => "SOLD IN PART",
        FlattenOutcome::NoBid => "NOT SOLD: nobody bids",
        FlattenOutcome::BelowCollar => "NOT SOLD: the bid is further off than the price collar",
        FlattenOutcome::WindowClosed => "NOT SOLD: its window has closed, it settles by itself",
        FlattenOutcome::NotDeclared => "NOT SOLD: the trader has no market for it",
        FlattenOutcome::BelowMinimum => "NOT SOLD: less than the venue's smallest order",
        FlattenOutcome::Unknown => "UNKNOWN whether it was sold",
    };
    let detail = flatten
        .detail
        .as_ref()
        .map_or_else(String::new, |detail| format!(" ({detail})"));
    format!(
        "{words}{detail}: sold {} for {} USD, left {}",
        amount(&flatten.sold),
        amount(&flatten.proceeds_usd),
        amount(&flatten.left)
    )
}

fn settles(seconds: Option<i64>) -> String {
    match seconds {
        None => "settlement time unknown".to_owned(),
        Some(seconds) if seconds < 0 => format!("closed {} s ago, outcome awaited", -seconds),
        Some(seconds) => format!("settles in {seconds} s"),
    }
}

fn short(token: &str) -> String {
    if token.chars().count() <= TOKEN_DIGITS {
        return token.to_owned();
    }
    token.chars().take(TOKEN_DIGITS).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(positions: Option<&[Position]>) -> String {
        let mut text = String::new();
        of_target(&mut text, positions);
        text
    }

    #[test]
    fn unknown_is_said_and_none_is_none() {
        assert!(shown(None).contains("UNKNOWN"));
        assert_eq!(shown(Some(&[])), "  positions   0 open\n");
    }

    #[test]
    fn a_position_says_what_it_can_lose() {
        let list = json!([{"window": "btc-5m-1769949000", "token": "12345678901234567890",
            "outcome": "up", "shares": "10", "worst_loss_usd": "5.2", "last_bid": "0.48",
            "seconds_to_settlement": 61}]);
        let text = shown(Position::of_trader(&list).as_deref());
        for words in [
            "1 open",
            "10 shares",
            "last bid 0.48",
            "can lose 5.2 USD",
            "settles in 61 s",
            "1234567890…",
            "https://polymarket.com/event/btc-updown-5m-1769949000",
        ] {
            assert!(text.contains(words), "{words} in {text}");
        }
    }

    #[test]
    fn what_was_not_sold_is_stated_and_a_sold_one_is_not_open() {
        let told = json!({"positions": [
            {"token": "1", "shares": "5", "sold": "5", "left": "0", "proceeds_usd": "2.4", "result": "sold"},
            {"token": "2", "shares": "5", "sold": "0", "left": "5", "result": "no_bid"},
        ]});
        let text = shown(Position::of_flatten(&told).as_deref());
        assert!(
            text.contains("1 open") && text.contains("NOT SOLD: nobody bids"),
            "{text}"
        );
        assert!(
            text.contains("for 2.4 USD") && text.contains("for unknown USD"),
            "{text}"
        );
    }
}
