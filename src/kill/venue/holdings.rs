//! Positions out of the venue's public data: what an address holds, whoever runs.
//!
//! The data API tells numbers, not decimal strings: their text is taken as it stands in the answer.
//! Shape: docs.polymarket.com, data API, `GET /positions`.

use super::decimal::Decimal;
use crate::call_error::CallError;
use crate::position::{Position, PositionSource};
use serde::Deserialize;
use serde_json::value::RawValue;

/// An event's page.
const EVENT_PAGE: &str = "https://polymarket.com/event/";

/// One entry of `/positions`. Unknown members are left alone.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    asset: String,
    #[serde(borrow)]
    size: &'a RawValue,
    #[serde(borrow, default)]
    avg_price: Option<&'a RawValue>,
    outcome: Option<String>,
    slug: Option<String>,
    event_slug: Option<String>,
}

/// Reads a page: what is held, and how many entries the page had. `now_secs` is Unix time by the
/// venue's clock.
pub(super) fn read(body: &[u8], now_secs: i64) -> Result<(Vec<Position>, usize), CallError> {
    let entries: Vec<Entry<'_>> = serde_json::from_slice(body)
        .map_err(|error| CallError::Malformed(format!("positions: {error}")))?;
    let positions = entries
        .iter()
        .filter_map(|entry| position(entry, now_secs).transpose())
        .collect::<Result<_, _>>()?;
    Ok((positions, entries.len()))
}

/// `Ok(None)` = nothing is held of it.
fn position(entry: &Entry<'_>, now_secs: i64) -> Result<Option<Position>, CallError> {
    let shares = number(entry.size)
        .ok_or_else(|| CallError::Malformed("a position whose size is no number".into()))?;
    if shares.is_zero() {
        return Ok(None);
    }
    let paid = entry.avg_price.and_then(number);
    let settles_at = entry.slug.as_deref().and_then(end_of_window);
    Ok(Some(Position {
        token: entry.asset.clone(),
        asset: entry
            .slug
            .as_deref()
            .filter(|_| settles_at.is_some())
            .and_then(|slug| Some(slug.split_once('-')?.0.to_owned())),
        window: entry.slug.clone(),
        outcome: entry.outcome.as_ref().map(|word| word.to_lowercase()),
        shares: shares.to_string(),
        avg_cost: paid.map(|paid| paid.to_string()),
        last_bid: None,
        // A token pays 0 at worst: what it cost is what it can lose.
        worst_loss_usd: paid
            .and_then(|paid| paid.times(shares))
            .map(|cost| cost.to_string()),
        seconds_to_settlement: settles_at.map(|at| at.saturating_sub(now_secs)),
        link: entry
            .event_slug
            .as_ref()
            .or(entry.slug.as_ref())
            .filter(|slug| is_plain(slug))
            .map(|slug| format!("{EVENT_PAGE}{slug}")),
        flatten: None,
        source: PositionSource::Venue,
    }))
}

/// A JSON number or a string that holds one.
fn number(raw: &RawValue) -> Option<Decimal> {
    Decimal::parse(raw.get().trim_matches('"'))
}

/// Unix seconds of the end of a recurring market: `btc-updown-5m-1795393200` starts then.
fn end_of_window(slug: &str) -> Option<i64> {
    let mut parts = slug.rsplit('-');
    let start: i64 = parts.next()?.parse().ok()?;
    let minutes: i64 = parts.next()?.strip_suffix('m')?.parse().ok()?;
    (parts.next()? == "updown").then_some(())?;
    start.checked_add(minutes.checked_mul(60)?)
}

fn is_plain(slug: &str) -> bool {
    slug.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

/// The best bid of `/book`, `None` = nobody bids. The order of the levels is not relied on.
pub(super) fn best_bid(book: &serde_json::Value) -> Result<Option<String>, CallError> {
    let wrong = || CallError::Malformed("a book without bids".into());
    let bids = book.get("bids").and_then(serde_json::Value::as_array);
    let mut best: Option<Decimal> = None;
    for level in bids.ok_or_else(wrong)? {
        let price = level.get("price").and_then(serde_json::Value::as_str);
        let price = price.and_then(Decimal::parse).ok_or_else(wrong)?;
        let is_better = match best {
            None => true,
            Some(best) => price.compare(best).ok_or_else(wrong)?.is_gt(),
        };
        if is_better {
            best = Some(price);
        }
    }
    Ok(best.map(|price| price.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: i64 = 1_795_393_260;

    #[test]
    fn a_position_is_told_with_what_it_can_lose_and_when_it_settles() {
        let body = br#"[{"proxyWallet":"0x1","asset":"713","size":12.345,"avgPrice":0.48,
            "outcome":"Up","slug":"btc-updown-5m-1795393200","eventSlug":"btc-updown-5m-1795393200",
            "endDate":"2026-11-23","new":{}}]"#;
        let (positions, _) = read(body, NOW).unwrap();
        let only = positions.first().unwrap();
        assert_eq!(only.shares, "12.345");
        assert_eq!(only.worst_loss_usd.as_deref(), Some("5.9256"));
        assert_eq!(only.seconds_to_settlement, Some(240));
        assert_eq!(only.asset.as_deref(), Some("btc"));
        assert_eq!(only.outcome.as_deref(), Some("up"));
        assert_eq!(
            only.link.as_deref(),
            Some("https://polymarket.com/event/btc-updown-5m-1795393200")
        );
    }

    #[test]
    fn what_is_not_told_is_unknown_and_what_cannot_be_read_is_no_list() {
        let (bare, _) = read(br#"[{"asset":"7","size":1}]"#, NOW).unwrap();
        let only = bare.first().unwrap();
        assert_eq!(
            (&only.worst_loss_usd, only.seconds_to_settlement),
            (&None, None)
        );
        assert_eq!(read(b"[]", NOW).unwrap(), (vec![], 0));
        assert_eq!(
            read(br#"[{"asset":"7","size":0}]"#, NOW).unwrap(),
            (vec![], 1),
            "counted, or the next page would not be asked for"
        );
        for bad in [
            &b"{}"[..],
            b"<html>",
            br#"[{"asset":"7"}]"#,
            br#"[{"size":1}]"#,
            br#"[{"asset":"7","size":null}]"#,
            br#"[{"asset":"7","size":"many"}]"#,
        ] {
            assert!(read(bad, NOW).is_err(), "{}", String::from_utf8_lossy(bad));
        }
    }

    #[test]
    fn an_event_that_is_no_window_has_no_settlement_time() {
        for slug in [
            "will-it-rain",
            "btc-updown-5m",
            "btc-updown-5h-1",
            "x-5m-1795393200",
            "",
        ] {
            assert_eq!(end_of_window(slug), None, "{slug}");
        }
        assert_eq!(
            end_of_window("eth-updown-15m-1795393200"),
            Some(1_795_394_100)
        );
    }

    #[test]
    fn the_best_bid_is_the_highest_wherever_it_stands() {
        let bids = |prices: &[&str]| {
            let levels: Vec<_> = prices.iter().map(|price| json!({"price": price})).collect();
            best_bid(&json!({ "bids": levels }))
        };
        assert_eq!(
            bids(&["0.01", "0.5", "0.49"]).unwrap().as_deref(),
            Some("0.5")
        );
        assert_eq!(bids(&[]).unwrap(), None, "nobody bids");
        assert!(bids(&["high"]).is_err());
        assert!(best_bid(&json!({})).is_err(), "not known is not nobody");
    }
}
