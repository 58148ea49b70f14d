//! `launch explain order`: what was asked for, what it was rounded to, what filled, what it cost and could
//! have cost.
//!
//! Answers "what was the size discrepancy": the declared budget, the shares it buys at the limit with the
//! fee, the rounding, each fill, and the difference.

use super::evidence::Evidence;
use super::trading::{Page, decision, since_open, state, time, word};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use trader_core::fees::fee_per_share;
use trader_core::ledger::{OrderState, Record, RecordBody};
use trader_core::order::{OrderId, Purpose};
use trader_core::units::{Shares, TokenPrice, Usd};

/// One fill that counts.
#[derive(Debug, Clone)]
pub(super) struct Filled {
    pub(super) at: trader_core::units::EpochMs,
    pub(super) price: TokenPrice,
    pub(super) shares: Shares,
    pub(super) fee: Usd,
    pub(super) failed: bool,
}

/// The answer as text and as JSON.
pub(super) fn explain(id: &OrderId, evidence: &Evidence) -> Result<(String, Value), String> {
    let folded = state(evidence)?;
    let state = folded
        .order(id)
        .ok_or_else(|| format!("no order {id} was ever intended"))?;
    let order = &state.order;
    let mut page = Page::default();
    page.line(&format!("order {id}"));
    page.row("from", &evidence.source);
    page.row(
        "intended",
        &format!(
            "{} ({} from the window's open), good until {}",
            time(state.intended_at),
            since_open(id.window, state.intended_at),
            time(order.expires_at)
        ),
    );
    page.row("what", &line(state));
    page.row("token", &order.token.to_string());
    size(state, evidence, &mut page);
    page.row("state", &format!("{:?}", state.phase).to_lowercase());
    page.line("");
    page.line("what was said of it");
    for record in evidence.records.iter().filter(|r| of_order(r, id)) {
        page.line(&format!(
            "  {:>12}  {}",
            since_open(id.window, record.t_ms),
            said(&record.body)
        ));
    }
    let belief: Vec<&Value> = evidence
        .journal
        .iter()
        .filter(|line| word(line, "order") == id.to_string())
        .collect();
    page.line("");
    page.line("as the journal has it");
    if belief.is_empty() {
        let why = evidence.no_journal.as_deref().unwrap_or("no line about it");
        page.row("unknown", why);
    }
    for line in &belief {
        page.line(&format!("  {}", decision(id.window, line)));
    }
    let mut value = value(state, evidence);
    if let Some(members) = value.as_object_mut() {
        members.insert("schema_version".to_owned(), json!(1));
        members.insert("source".to_owned(), json!(evidence.source));
        members.insert("journal".to_owned(), json!(belief));
    }
    Ok((page.text(), value))
}

/// Requested, rounded, filled.
fn size(state: &OrderState, evidence: &Evidence, page: &mut Page) {
    let order = &state.order;
    let fills = fills(&order.id, evidence);
    let (paid, fee) = sums(&fills);
    if order.purpose == Purpose::Entry {
        let per_share = order.price.get() + fee_per_share(order.price);
        match evidence.manifest.as_ref() {
            Some(manifest) => {
                let budget = manifest.position_size_usd.get();
                let exact = budget
                    .checked_div(per_share)
                    .unwrap_or_default()
                    .round_dp(6);
                page.row(
                    "requested",
                    &format!(
                        "position_size_usd {budget} USD; at the limit {} and a fee of {} a share that is {exact} shares",
                        order.price,
                        fee_per_share(order.price).normalize()
                    ),
                );
            }
            None => page.row("requested", "name --manifest to see the declared budget"),
        }
        page.row(
            "rounded",
            &format!(
                "{} shares, down to hundredths: worst case {} USD, all of it at the limit with the fee",
                order.shares, order.worst_cost
            ),
        );
    } else {
        page.row(
            "requested",
            &format!(
                "{} shares to sell at {} or better",
                order.shares, order.price
            ),
        );
    }
    let all = match fills.iter().filter(|fill| !fill.failed).count() {
        0 => "nothing".to_owned(),
        n => format!(
            "{} of {} shares in {n} fills for {} USD, fee {} USD: {} USD in all",
            state.filled,
            order.shares,
            paid.get().normalize(),
            fee.get().normalize(),
            total(order.purpose, paid, fee).get().normalize()
        ),
    };
    page.row("filled", &all);
    if order.purpose == Purpose::Entry {
        let spared = order.worst_cost - (paid + fee);
        page.row(
            "difference",
            &format!(
                "{} shares did not fill; {} USD less than the worst case",
                state.unfilled(),
                spared.get().normalize()
            ),
        );
    }
}

fn total(purpose: Purpose, paid: Usd, fee: Usd) -> Usd {
    match purpose {
        Purpose::Entry => paid + fee,
        Purpose::Exit => paid - fee,
    }
}

/// Price paid without fees, and fees, of what counts.
pub(super) fn sums(fills: &[Filled]) -> (Usd, Usd) {
    let zero = (Usd::ZERO, Usd::ZERO);
    let counted = fills.iter().filter(|fill| !fill.failed);
    counted.fold(zero, |(paid, fee), fill| {
        (paid + fill.shares * fill.price, fee + fill.fee)
    })
}

/// Every fill of an order, failed ones marked.
pub(super) fn fills(id: &OrderId, evidence: &Evidence) -> Vec<Filled> {
    let failed = |fill: &str| {
        evidence.records.iter().any(|record| {
            matches!(&record.body, RecordBody::FillFailed { id: of, fill_id } if of == id && fill_id == fill)
        }) && !evidence.records.iter().any(|record| {
            matches!(&record.body, RecordBody::FillFinal { id: of, fill_id } if of == id && fill_id == fill)
        })
    };
    let of = |record: &Record| {
        let RecordBody::Fill {
            id: of,
            fill_id,
            price,
            shares,
            fee,
            ..
        } = &record.body
        else {
            return None;
        };
        (of == id).then(|| Filled {
            at: record.t_ms,
            price: *price,
            shares: *shares,
            fee: *fee,
            failed: failed(fill_id),
        })
    };
    evidence.records.iter().filter_map(of).collect()
}

/// One order in a line.
pub(super) fn line(state: &OrderState) -> String {
    let order = &state.order;
    let cost = if order.purpose == Purpose::Entry {
        format!(", at most {} USD", order.worst_cost)
    } else {
        String::new()
    };
    format!(
        "{} {} {} {} at {}{cost}; {} filled; {}",
        order.id,
        order.side,
        order.shares,
        order.outcome,
        order.price,
        state.filled,
        format!("{:?}", state.phase).to_lowercase()
    )
}

/// One order as JSON.
pub(super) fn value(state: &OrderState, evidence: &Evidence) -> Value {
    let order = &state.order;
    let fills = fills(&order.id, evidence);
    let (paid, fee) = sums(&fills);
    let told: Vec<Value> = fills
        .iter()
        .map(|fill| {
            json!({
                "at": time(fill.at), "price": fill.price, "shares": fill.shares,
                "fee_usd": fill.fee, "failed": fill.failed,
            })
        })
        .collect();
    json!({
        "order": order.id.to_string(),
        "intended_at": time(state.intended_at),
        "expires_at": time(order.expires_at),
        "side": order.side,
        "purpose": order.purpose,
        "outcome": order.outcome.to_string(),
        "token": order.token.to_string(),
        "limit_price": order.price,
        "requested_usd": evidence.manifest.as_ref().map(|m| m.position_size_usd.get().to_string())
            .filter(|_| order.purpose == Purpose::Entry),
        "shares": order.shares,
        "worst_cost_usd": order.worst_cost,
        "filled_shares": state.filled,
        "paid_usd": paid,
        "fees_usd": fee,
        "average_price": average(paid, state.filled),
        "state": format!("{:?}", state.phase).to_lowercase(),
        "fills": told,
    })
}

fn average(paid: Usd, shares: Shares) -> Option<String> {
    let average = paid.get().checked_div(shares.get())?;
    (average > Decimal::ZERO).then(|| average.round_dp(6).normalize().to_string())
}

fn of_order(record: &Record, wanted: &OrderId) -> bool {
    match &record.body {
        RecordBody::Intent { order } => order.id == *wanted,
        RecordBody::Accepted { id, .. }
        | RecordBody::Rejected { id, .. }
        | RecordBody::Withheld { id, .. }
        | RecordBody::Unknown { id, .. }
        | RecordBody::Cancelled { id, .. }
        | RecordBody::Fill { id, .. }
        | RecordBody::FillFinal { id, .. }
        | RecordBody::FillFailed { id, .. }
        | RecordBody::Throttled { id } => id == wanted,
        RecordBody::Settlement { .. }
        | RecordBody::Halt { .. }
        | RecordBody::Flatten { .. }
        | RecordBody::FlattenEnd { .. }
        | RecordBody::Reenable { .. }
        | RecordBody::Latch { .. }
        | RecordBody::QualityClosed { .. }
        | RecordBody::Lease { .. } => false,
    }
}

/// A record about an order in words.
fn said(body: &RecordBody) -> String {
    let with = |what: &str, why: &str| format!("{what}: {}", crate::render::plain(why));
    match body {
        RecordBody::Intent { .. } => "intended: its money is reserved, before the wire".to_owned(),
        RecordBody::Accepted { detail, .. } => {
            with("accepted by the venue", detail.as_deref().unwrap_or("-"))
        }
        RecordBody::Rejected { reason, .. } => with("refused, its money is free again", reason),
        RecordBody::Withheld { reason, .. } => with("withheld on purpose", reason),
        RecordBody::Unknown { reason, .. } => with("unknown, counts as filled", reason),
        RecordBody::Cancelled { reason, .. } => with("the rest will never fill", reason),
        RecordBody::Fill {
            price,
            shares,
            fee,
            provisional,
            ..
        } => format!(
            "filled {shares} at {price}, fee {fee} USD{}",
            if *provisional {
                " (matched, not on the chain yet)"
            } else {
                ""
            }
        ),
        RecordBody::FillFinal { fill_id, .. } => with("fill is on the chain", fill_id),
        RecordBody::FillFailed { fill_id, .. } => with("fill failed on the chain", fill_id),
        RecordBody::Throttled { .. } => "an entry was throttled".to_owned(),
        RecordBody::Settlement { .. }
        | RecordBody::Halt { .. }
        | RecordBody::Flatten { .. }
        | RecordBody::FlattenEnd { .. }
        | RecordBody::Reenable { .. }
        | RecordBody::Latch { .. }
        | RecordBody::QualityClosed { .. }
        | RecordBody::Lease { .. } => String::new(),
    }
}
