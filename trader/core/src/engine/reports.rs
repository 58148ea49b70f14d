//! What comes back: listings and outcomes, order reports, fills, leases, commands.
//!
//! Every report is matched with what was intended; the same report twice changes nothing, and what
//! matches nothing is told as unexplained.

use super::{Commands, Engine};
use crate::event::{
    Control, ControlAction, FillReport, Finality, LeaseGrant, OrderReport, OrderStatus, WindowTick,
};
use crate::gateway::Lease;
use crate::journal::Line;
use crate::ledger::{OrderPhase, OrderState, RecordBody, fill_news, news};
use crate::market::ListingConflict;
use crate::order::{Purpose, Side};
use crate::units::Usd;

impl Engine {
    pub(super) fn on_window(&mut self, tick: &WindowTick, out: &mut Commands) {
        let id = tick.window.id;
        match self.market.list(tick, self.now) {
            None => {}
            Some(ListingConflict::EarlyReference) => {
                let line = Line {
                    t_ms: self.now,
                    kind: "note",
                    window: Some(id),
                    what: Some("ignored"),
                    reason: Some(ListingConflict::EarlyReference.as_str()),
                    ..Line::default()
                };
                out.journal.push(line.text());
            }
            Some(conflict) => self.unexplained(conflict.as_str(), &id.to_string(), out),
        }
        if let Some(outcome) = tick.outcome {
            self.on_outcome(tick, outcome, out);
        } else {
            self.decide_window(id, out);
        }
    }

    fn on_outcome(
        &mut self,
        tick: &WindowTick,
        outcome: crate::units::Outcome,
        out: &mut Commands,
    ) {
        let id = tick.window.id;
        if self.now < id.close() {
            self.unexplained("outcome_before_close", &id.to_string(), out);
            return;
        }
        match self.ledger.outcome(id) {
            Some(known) if known != outcome => {
                self.unexplained("outcome_changed", &id.to_string(), out);
            }
            None if self.ledger.has_orders(id) => {
                let before = self.ledger.pnl_total();
                self.record(
                    RecordBody::Settlement {
                        window: id,
                        outcome,
                    },
                    out,
                );
                let line = Line {
                    t_ms: self.now,
                    kind: "settled",
                    window: Some(id),
                    outcome: Some(outcome),
                    usd: Some(self.ledger.pnl_total() - before),
                    ..Line::default()
                };
                out.journal.push(line.text());
            }
            _ => {}
        }
    }

    pub(super) fn on_order(&mut self, report: &OrderReport, out: &mut Commands) {
        let Some(state) = self.ledger.order(&report.id) else {
            self.unexplained("order_not_ours", &report.id.to_string(), out);
            return;
        };
        let was_refused = state.phase == OrderPhase::Rejected;
        let news = news(state, report);
        if report.status != OrderStatus::Unknown {
            self.gateway.resolve(&report.id);
        }
        let Some((what, body)) = news else { return };
        if was_refused && matches!(report.status, OrderStatus::Accepted | OrderStatus::Delayed) {
            self.unexplained("accepted_after_refusal", &report.id.to_string(), out);
        }
        let line = Line {
            t_ms: self.now,
            kind: "report",
            order: Some(&report.id),
            what: Some(what),
            reason: report.detail.as_deref(),
            ..Line::default()
        };
        out.journal.push(line.text());
        self.record(body, out);
    }

    pub(super) fn on_fill(&mut self, report: &FillReport, out: &mut Commands) {
        let Some(state) = self.ledger.order(&report.id) else {
            self.unexplained("fill_not_ours", &report.id.to_string(), out);
            return;
        };
        let Some((what, body)) = fill_news(state, report) else {
            return;
        };
        let doubt = doubt(state, what, report);
        let is_first_word = state.finality(&report.fill_id).is_none();
        self.gateway.resolve(&report.id);
        if let Some(doubt) = doubt {
            self.unexplained(doubt, &report.id.to_string(), out);
        }
        if what == "fill" && is_first_word {
            self.tally.fills = self.tally.fills.saturating_add(1);
        }
        let line = Line {
            t_ms: self.now,
            kind: what,
            order: Some(&report.id),
            price: Some(report.price),
            shares: Some(report.size),
            usd: Some(report.fee),
            ..Line::default()
        };
        out.journal.push(line.text());
        self.record(body, out);
    }

    pub(super) fn on_lease(&mut self, grant: &LeaseGrant, out: &mut Commands) {
        if grant.expires_at <= self.now {
            self.lose_lease("withdrawn", out);
            return;
        }
        let held_before = self.gateway.lease_at(self.now).is_some();
        let lease = Lease {
            holder: grant.holder.clone(),
            until: grant.expires_at,
        };
        match self.gateway.grant(lease, &self.ledger, self.now) {
            Err(refusal) => {
                self.tally.refused(refusal.code);
                let line = Line {
                    t_ms: self.now,
                    kind: "lease",
                    ..Line::default()
                };
                out.journal.push(line.refused(&refusal).text());
            }
            Ok(()) if !held_before => {
                let line = Line {
                    t_ms: self.now,
                    kind: "lease",
                    what: Some("taken_up"),
                    by: Some(&grant.holder),
                    ..Line::default()
                };
                out.journal.push(line.text());
                self.record(
                    RecordBody::Lease {
                        holder: grant.holder.clone(),
                        held: true,
                    },
                    out,
                );
            }
            Ok(()) => {}
        }
    }

    /// Notices that the lease has run out: entries stop and resting entry orders are cancelled.
    pub(super) fn lapse_lease(&mut self, out: &mut Commands) {
        if self
            .gateway
            .lease()
            .is_some_and(|lease| lease.until <= self.now)
        {
            self.lose_lease("lapsed", out);
        }
    }

    pub(super) fn lose_lease(&mut self, what: &'static str, out: &mut Commands) {
        let Some(lease) = self.gateway.withdraw() else {
            return;
        };
        let line = Line {
            t_ms: self.now,
            kind: "lease",
            what: Some(what),
            by: Some(&lease.holder),
            ..Line::default()
        };
        out.journal.push(line.text());
        self.record(
            RecordBody::Lease {
                holder: lease.holder,
                held: false,
            },
            out,
        );
        self.cancel(true, out);
    }

    pub(super) fn on_control(&mut self, control: &Control, out: &mut Commands) {
        let (by, reason) = (control.by.clone(), control.reason.clone());
        let what = match &control.action {
            ControlAction::Halt => "halt",
            ControlAction::ReduceOnly => "reduce_only",
            ControlAction::Flatten => "flatten",
            ControlAction::Reenable { .. } => "reenable",
        };
        let line = Line {
            t_ms: self.now,
            kind: "control",
            what: Some(what),
            by: Some(&by),
            reason: Some(&control.reason),
            ..Line::default()
        };
        out.journal.push(line.text());
        match &control.action {
            ControlAction::Reenable { freeze_id } => {
                self.unsold.clear();
                self.quality.forget();
                let freeze_id = freeze_id.clone();
                self.record(
                    RecordBody::Reenable {
                        by,
                        reason,
                        freeze_id,
                    },
                    out,
                );
            }
            ControlAction::Halt => {
                self.record(
                    RecordBody::Halt {
                        by,
                        reason,
                        reduce_only: false,
                    },
                    out,
                );
                self.lose_lease("halted", out);
                self.cancel(false, out);
            }
            ControlAction::Flatten => self.begin_flatten(by, reason, out),
            ControlAction::ReduceOnly => {
                self.record(
                    RecordBody::Halt {
                        by,
                        reason,
                        reduce_only: true,
                    },
                    out,
                );
                self.lose_lease("halted", out);
                self.cancel(true, out);
            }
        }
    }

    /// Cancels live orders: entries only, or all.
    pub(super) fn cancel(&self, entries_only: bool, out: &mut Commands) {
        let due = self
            .ledger
            .live_orders()
            .filter(|state| !entries_only || state.order.purpose == Purpose::Entry)
            .map(|state| &state.order.id);
        for id in due {
            if !out.cancels.contains(id) {
                out.cancels.push(id.clone());
            }
        }
    }

    /// Records latches that are due.
    pub(super) fn latch(&mut self, out: &mut Commands) {
        // Each safeguard can latch once; a latched one no longer trips.
        for _ in 0..crate::safeguards::TABLE.len() {
            let Some((code, refusal)) = self.gateway.trips(&self.ledger, self.now) else {
                return;
            };
            let line = Line {
                t_ms: self.now,
                kind: "latch",
                ..Line::default()
            };
            out.journal.push(line.refused(&refusal).text());
            let detail = refusal.to_string();
            self.record(
                RecordBody::Latch {
                    safeguard: code.to_owned(),
                    detail,
                },
                out,
            );
            self.cancel(true, out);
        }
    }
}

/// What is wrong with a fill that is ours all the same: it counts, and it is told.
fn doubt(state: &OrderState, what: &str, report: &FillReport) -> Option<&'static str> {
    let failed_before = state.finality(&report.fill_id) == Some(Finality::Failed);
    if failed_before {
        return (report.finality == Finality::Final).then_some("fill_final_after_failure");
    }
    if what != "fill" {
        return None;
    }
    let order = &state.order;
    let beyond_limit = match order.side {
        Side::Buy => report.price > order.price,
        Side::Sell => report.price < order.price,
    };
    if matches!(state.phase, OrderPhase::Rejected | OrderPhase::Withheld) {
        Some("fill_of_a_refused_order")
    } else if report.size > state.unfilled() {
        Some("fill_beyond_size")
    } else if beyond_limit {
        Some("fill_beyond_limit")
    } else if report.fee < Usd::ZERO {
        Some("fill_with_negative_fee")
    } else {
        None
    }
}
