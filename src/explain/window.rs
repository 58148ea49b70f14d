//! `launch explain window`: when it was open, what was known of it, and every decision about it.
//!
//! Answers "why did positions enter in that window": each entry stands with its distance from the open
//! and the safeguards that let it pass; each refusal with its numbers.

use super::evidence::Evidence;
use super::order;
use super::trading::{Page, decision, since_open, state, time};
use serde_json::{Value, json};
use trader_core::ledger::RecordBody;
use trader_core::order::{Order, Purpose};
use trader_core::units::EpochMs;
use trader_core::window::WindowId;

/// The answer as text and as JSON.
pub(super) fn explain(id: WindowId, evidence: &Evidence) -> Result<(String, Value), String> {
    let orders: Vec<&Order> = evidence.records.iter().filter_map(intent).collect();
    if orders.is_empty() && evidence.journal.is_empty() && evidence.listed.is_empty() {
        return Err(format!("nothing is known of {id}: {}", unknown(evidence)));
    }
    let state = state(evidence)?;
    let mut page = Page::default();
    page.line(&format!("window {id}"));
    page.row("from", &evidence.source);
    page.row(
        "open",
        &format!("{} to {} (half open)", time(id.open()), time(id.close())),
    );
    listing(evidence, &mut page);
    match state.outcome(id) {
        Some(outcome) => page.row("settled", &format!("{outcome}")),
        None => page.row("settled", "not known here"),
    }
    page.line("");
    page.line("entries");
    let mut entries = Vec::new();
    for order in orders.iter().filter(|o| o.purpose == Purpose::Entry) {
        entries.push(entry(id, order, evidence, &mut page));
    }
    if entries.is_empty() {
        page.row("none", "no order to enter was ever approved in this window");
    }
    page.line("");
    page.line("decisions (a decision is written down when it changes)");
    if let Some(why) = &evidence.no_journal {
        page.row("unknown", why);
    }
    for line in &evidence.journal {
        page.line(&format!("  {}", decision(id, line)));
    }
    page.line("");
    page.line(&format!(
        "orders ({}); launch explain order ID tells one in full",
        orders.len()
    ));
    let mut told = Vec::new();
    for order in &orders {
        if let Some(state) = state.order(&order.id) {
            page.line(&format!("  {}", order::line(state)));
            told.push(order::value(state, evidence));
        }
    }
    let value = json!({
        "schema_version": 1,
        "window": id.to_string(),
        "source": evidence.source,
        "open_at": time(id.open()),
        "close_at": time(id.close()),
        "outcome": state.outcome(id).map(|outcome| outcome.to_string()),
        "entries": entries,
        "decisions": evidence.journal,
        "decisions_unknown": evidence.no_journal,
        "orders": told,
    });
    Ok((page.text(), value))
}

fn unknown(evidence: &Evidence) -> String {
    evidence
        .no_journal
        .clone()
        .unwrap_or_else(|| "it was neither listed, nor decided about, nor traded".to_owned())
}

fn intent(record: &trader_core::ledger::Record) -> Option<&Order> {
    let RecordBody::Intent { order } = &record.body else {
        return None;
    };
    Some(order)
}

fn listing(evidence: &Evidence, page: &mut Page) {
    let Some((at, window)) = evidence.listed.first() else {
        page.row("listed", "a ledger does not say; --tape does");
        return;
    };
    let at = EpochMs(*at);
    page.row(
        "listed",
        &format!(
            "first seen {} ({}), settles on {} of {} s",
            time(at),
            since_open(window.id, at),
            format!("{:?}", window.rule).to_lowercase(),
            window.twap_lookback_secs
        ),
    );
    page.row("tokens", &format!("up {}, down {}", window.up, window.down));
    let told = evidence
        .listed
        .iter()
        .find_map(|(at, window)| Some((*at, window.reference?)));
    match told {
        Some((at, reference)) => page.row(
            "reference",
            &format!(
                "{reference} USD, told {}",
                since_open(window.id, EpochMs(at))
            ),
        ),
        None => page.row("reference", "never told: nothing could be entered"),
    }
}

/// Why an entry was possible at that instant.
fn entry(id: WindowId, order: &Order, evidence: &Evidence, page: &mut Page) -> Value {
    let at = evidence
        .records
        .iter()
        .find(|record| intent(record).is_some_and(|known| known.id == order.id))
        .map_or(id.open(), |record| record.t_ms);
    let open = at >= id.open() && at < id.close();
    let words = if open {
        format!(
            "{} after the open, {} s before the close: the window was open",
            since_open(id, at),
            (id.close() - at) / 1_000
        )
    } else {
        "OUTSIDE the window: no safeguard of this program lets that pass".to_owned()
    };
    page.row(&time(at), "");
    page.row("order", &order.id.to_string());
    page.row("when", &words);
    if let Some(manifest) = &evidence.manifest {
        let (least, left) = (
            manifest.window.min_elapsed_secs,
            manifest.window.min_remaining_secs,
        );
        page.row(
            "declared",
            &format!("at least {least} s after the open and {left} s before the close"),
        );
    }
    let asked: Vec<&str> = trader_core::safeguards::TABLE
        .iter()
        .map(|row| row.code)
        .collect();
    page.row(
        "asked",
        &format!(
            "{} safeguards, each of which let it pass (an approved order exists no other way): {}",
            asked.len(),
            asked.join(", ")
        ),
    );
    json!({
        "order": order.id.to_string(),
        "at": time(at),
        "ms_after_open": at - id.open(),
        "window_open": open,
        "safeguards_asked": asked,
    })
}
