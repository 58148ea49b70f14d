//! Events into lines of a tape: fixed key order, decimal strings, no absent keys.

use super::Header;
use crate::event::{ControlAction, Event, EventKind, Finality, OrderStatus};
use crate::order::Side;
use crate::units::{Asset, EpochMs, Outcome};
use crate::window::SettlementRule;
use serde::Serialize;

#[derive(Default, Serialize)]
struct Line<'a> {
    t_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    src_ms: Option<i64>,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    asset: Option<Asset>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    open_ms: Option<EpochMs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    close_ms: Option<EpochMs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    up: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    down: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<SettlementRule>,
    #[serde(skip_serializing_if = "Option::is_none")]
    twap_lookback_secs: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Outcome>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    twap_secs: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ask: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bid_size: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ask_size: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    side: Option<Side>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<OrderStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fill_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fee: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finality: Option<Finality>,
    #[serde(skip_serializing_if = "Option::is_none")]
    holder: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_ms: Option<EpochMs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    freeze_id: Option<&'a str>,
}

/// The first line, without its line end.
///
/// # Errors
/// Never for a header of these types; kept so that no panic is reachable.
pub fn header_line(header: &Header) -> Result<String, serde_json::Error> {
    serde_json::to_string(header)
}

/// One event as a line, without its line end.
///
/// # Errors
/// Never for an event of these types; kept so that no panic is reachable.
pub fn event_line(event: &Event) -> Result<String, serde_json::Error> {
    let mut line = line_of(&event.kind);
    line.t_ms = event.t.0;
    line.src_ms = event.src.map(|src| src.0);
    serde_json::to_string(&line)
}

fn line_of(kind: &EventKind) -> Line<'_> {
    let text = |value: &dyn std::fmt::Display| Some(value.to_string());
    match kind {
        EventKind::Oracle(tick) | EventKind::Spot(tick) => Line {
            kind: if matches!(kind, EventKind::Oracle(_)) {
                "oracle"
            } else {
                "spot"
            },
            asset: Some(tick.asset),
            price: text(&tick.price),
            twap_secs: tick.twap_secs,
            ..Line::default()
        },
        EventKind::Book(tick) => Line {
            kind: "book",
            asset: Some(tick.asset),
            token: text(&tick.token),
            bid: tick.bid.map(|price| price.to_string()),
            ask: tick.ask.map(|price| price.to_string()),
            bid_size: text(&tick.bid_size),
            ask_size: text(&tick.ask_size),
            ..Line::default()
        },
        EventKind::Trade(tick) => Line {
            kind: "trade",
            asset: Some(tick.asset),
            token: text(&tick.token),
            price: text(&tick.price),
            size: text(&tick.size),
            side: Some(tick.side),
            ..Line::default()
        },
        EventKind::Window(tick) => Line {
            kind: "window",
            asset: Some(tick.window.id.asset()),
            id: text(&tick.window.id),
            open_ms: Some(tick.window.id.open()),
            close_ms: Some(tick.window.id.close()),
            up: text(&tick.window.up),
            down: text(&tick.window.down),
            rule: Some(tick.window.rule),
            twap_lookback_secs: Some(tick.window.twap_lookback_secs),
            reference: tick.window.reference.map(|price| price.to_string()),
            outcome: tick.outcome,
            ..Line::default()
        },
        EventKind::Order(report) => Line {
            kind: "order",
            asset: Some(report.id.window.asset()),
            id: text(&report.id),
            status: Some(report.status),
            detail: report.detail.as_deref(),
            ..Line::default()
        },
        EventKind::Fill(report) => Line {
            kind: "fill",
            asset: Some(report.id.window.asset()),
            id: text(&report.id),
            fill_id: Some(&report.fill_id),
            price: text(&report.price),
            size: text(&report.size),
            fee: text(&report.fee),
            finality: (report.finality != Finality::Final).then_some(report.finality),
            ..Line::default()
        },
        EventKind::Lease(lease) => Line {
            kind: "lease",
            holder: Some(&lease.holder),
            expires_ms: Some(lease.expires_at),
            ..Line::default()
        },
        EventKind::Clock(tick) => Line {
            kind: "clock",
            offset_ms: tick.offset_ms,
            ..Line::default()
        },
        EventKind::Control(control) => {
            let (action, freeze_id) = match &control.action {
                ControlAction::Halt => ("halt", None),
                ControlAction::ReduceOnly => ("reduce_only", None),
                ControlAction::Flatten => ("flatten", None),
                ControlAction::Reenable { freeze_id } => ("reenable", Some(freeze_id.as_str())),
            };
            Line {
                kind: "control",
                action: Some(action),
                by: Some(&control.by),
                reason: Some(&control.reason),
                freeze_id,
                ..Line::default()
            }
        }
    }
}
