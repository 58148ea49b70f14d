//! `launch explain position`: how a position came about, what it cost, what it could lose, how it ended,
//! and whether its strategy may enter again.

use super::evidence::Evidence;
use super::order;
use super::trading::{Page, decision, state, time, word};
use serde_json::{Value, json};
use trader_core::ledger::{LedgerState, PositionKey, RecordBody};
use trader_core::units::{Outcome, Shares, StrategyId};
use trader_core::window::WindowId;

/// The answer as text and as JSON.
pub(super) fn explain(
    window: WindowId,
    strategy: &StrategyId,
    evidence: &Evidence,
) -> Result<(String, Value), String> {
    let state = state(evidence)?;
    let mut page = Page::default();
    page.line(&format!("position {window}/{strategy}"));
    page.row("from", &evidence.source);
    let settled = state.outcome(window);
    page.row(
        "settled",
        &settled.map_or_else(
            || "not known here".to_owned(),
            |outcome| outcome.to_string(),
        ),
    );
    let mut held = Vec::new();
    for outcome in [Outcome::Up, Outcome::Down] {
        held.extend(one(window, strategy, outcome, &state, &mut page));
    }
    let orders = orders(window, strategy, evidence, &state, &mut page);
    if orders.is_empty() {
        return Err(format!("{strategy} intended no order in {window}"));
    }
    page.line("");
    page.line("exits and refusals to exit, as the journal has them");
    let exits: Vec<&Value> = evidence
        .journal
        .iter()
        .filter(|line| is_exit(line, strategy))
        .collect();
    if exits.is_empty() {
        let why = evidence.no_journal.as_deref().unwrap_or("none was written");
        page.row("none", why);
    }
    for line in &exits {
        page.line(&format!("  {}", decision(window, line)));
    }
    let gate = quality(strategy, evidence);
    page.line("");
    page.row("quality", &gate);
    let value = json!({
        "schema_version": 1,
        "position": format!("{window}/{strategy}"),
        "source": evidence.source,
        "outcome": settled.map(|outcome| outcome.to_string()),
        "held": held,
        "orders": orders,
        "exits": exits,
        "quality_gate": gate,
    });
    Ok((page.text(), value))
}

fn one(
    window: WindowId,
    strategy: &StrategyId,
    outcome: Outcome,
    state: &LedgerState,
    page: &mut Page,
) -> Option<Value> {
    let key = PositionKey {
        window,
        strategy: strategy.clone(),
        outcome,
    };
    let position = state.position(&key)?;
    let won = state.outcome(window).map(|settled| settled == outcome);
    let result = position.realised(won);
    let average = position
        .entry_price()
        .map(|price| price.round_dp(6).normalize());
    page.row(
        &outcome.to_string(),
        &format!(
            "bought {} for {} USD fees included (average {} before fees), sold {} for {} USD after fees",
            position.bought,
            position.cost.get().normalize(),
            average.map_or_else(|| "-".to_owned(), |price| price.to_string()),
            position.sold,
            position.proceeds.get().normalize(),
        ),
    );
    page.row(
        "worst case",
        &format!(
            "{} USD: what the {} shares still held cost",
            position.held_cost().get().normalize(),
            position.held()
        ),
    );
    let words = match won {
        Some(_) if position.held() == Shares::ZERO => "all of it was sold before the settlement",
        Some(true) => "its token paid 1 USD a share",
        Some(false) => "its token paid nothing",
        None => "realised so far, not settled",
    };
    page.row(
        "result",
        &format!("{} USD ({words})", result.get().normalize()),
    );
    Some(json!({
        "outcome": outcome.to_string(),
        "bought": position.bought,
        "cost_usd": position.cost,
        "average_price": average.map(|price| price.to_string()),
        "sold": position.sold,
        "proceeds_usd": position.proceeds,
        "held": position.held(),
        "worst_loss_usd": position.held_cost(),
        "result_usd": result,
        "settled": won.is_some(),
    }))
}

fn orders(
    window: WindowId,
    strategy: &StrategyId,
    evidence: &Evidence,
    state: &LedgerState,
    page: &mut Page,
) -> Vec<Value> {
    page.line("");
    page.line("orders (launch explain order ID tells one in full)");
    let mut told = Vec::new();
    for record in &evidence.records {
        let RecordBody::Intent { order: intended } = &record.body else {
            continue;
        };
        if intended.id.window != window || intended.id.strategy != *strategy {
            continue;
        }
        if let Some(known) = state.order(&intended.id) {
            page.line(&format!("  {}  {}", time(record.t_ms), order::line(known)));
            told.push(order::value(known, evidence));
        }
    }
    told
}

fn is_exit(line: &Value, strategy: &StrategyId) -> bool {
    let of_strategy = word(line, "strategy") == strategy.as_str()
        || word(line, "order").contains(&format!("/{strategy}/"));
    let kind = word(line, "kind");
    of_strategy && (kind == "exit" || (kind == "order" && word(line, "what") != "enter"))
}

/// Whether the quality gate lets the strategy enter, by the records.
fn quality(strategy: &StrategyId, evidence: &Evidence) -> String {
    let mut words = "open: nothing on record shut this strategy out".to_owned();
    for record in &evidence.records {
        if let RecordBody::QualityClosed {
            strategy: shut,
            detail,
            ..
        } = &record.body
            && shut == strategy
        {
            words = format!("shut since {}: {detail}", time(record.t_ms));
        }
        if let RecordBody::Reenable { by, reason, .. } = &record.body
            && words.starts_with("shut")
        {
            words = format!("open again since {}, by {by}: {reason}", time(record.t_ms));
        }
    }
    words
}
