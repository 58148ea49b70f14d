//! One run of the engine over what is played, watched: journal, equity, results per window, samples.

use super::ReplayError;
use super::chosen::Chosen;
use super::played::Played;
use std::collections::BTreeMap;
use trader_core::engine::Engine;
use trader_core::event::Event;
use trader_core::ledger::{LedgerState, Record, RecordBody};
use trader_core::order::Purpose;
use trader_core::run::{Run, SimReport, Sink};
use trader_core::sim::evidence::{EvidenceCollector, Sample, Variant};
use trader_core::units::{EpochMs, Usd};
use trader_core::window::WindowId;

/// Decisions kept for the timeline of a report; the journal has all of them.
const DECISIONS_MAX: usize = 20_000;

/// What one run gave.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) report: SimReport,
    /// Entry orders sent.
    pub(super) entries: u64,
    /// All journal lines, when they were asked for.
    pub(super) journal: String,
    pub(super) samples: Vec<Sample>,
    /// Realised result after every change.
    pub(super) equity: Vec<(EpochMs, Usd)>,
    /// Realised result per window that was traded.
    pub(super) by_window: BTreeMap<WindowId, Usd>,
    /// Entries, exits and refusals as they happened.
    pub(super) decisions: Vec<Decision>,
    /// What latched, when.
    pub(super) latches: Vec<(EpochMs, String)>,
}

/// Something that the trader did.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decision {
    pub(super) at: EpochMs,
    pub(super) what: What,
}

/// What it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Entry,
    Exit,
    Fill,
    Won,
    Lost,
    Refused,
}

#[derive(Debug)]
struct Watch {
    keep_journal: bool,
    journal: String,
    evidence: EvidenceCollector,
    entries: u64,
    window: Option<WindowId>,
    decisions: Vec<Decision>,
    latches: Vec<(EpochMs, String)>,
    now: EpochMs,
}

impl Watch {
    fn decided(&mut self, what: What) {
        if self.decisions.len() < DECISIONS_MAX {
            self.decisions.push(Decision { at: self.now, what });
        }
    }
}

impl Sink for Watch {
    fn journal(&mut self, line: &str) {
        if line.contains("\"what\":\"refused\"") {
            self.decided(What::Refused);
        }
        if self.keep_journal {
            self.journal.push_str(line);
            self.journal.push('\n');
        }
    }

    fn record(&mut self, record: &Record) {
        if let RecordBody::Intent { order } = &record.body {
            if order.purpose == Purpose::Entry {
                self.entries += 1;
                self.decided(What::Entry);
            } else {
                self.decided(What::Exit);
            }
        } else if let RecordBody::Fill { id, .. } = &record.body {
            self.window = Some(id.window);
            self.decided(What::Fill);
        } else if let RecordBody::Settlement { window, .. } = &record.body {
            self.window = Some(*window);
        } else if let RecordBody::Latch { safeguard, detail } = &record.body {
            let words = format!("{safeguard}: {detail}");
            self.latches.push((record.t_ms, words));
        }
    }

    fn event(&mut self, event: &Event) {
        self.now = event.t;
        self.evidence.observe(event);
    }
}

/// Plays everything once.
pub(super) fn play(
    played: &Played,
    chosen: &Chosen,
    latency_ms: u32,
    keep_journal: bool,
) -> Result<Finished, ReplayError> {
    let engine = Engine::new(&chosen.manifest, &chosen.strategies, LedgerState::default())?;
    let mut run = Run::new(engine, played.counterpart).with_latency(latency_ms);
    let mut evidence = EvidenceCollector::new(Variant::Trader);
    for mark in &played.mids {
        evidence.mark(mark.window, mark.at, mark.mid);
    }
    let mut watch = Watch {
        keep_journal,
        journal: String::new(),
        evidence,
        entries: 0,
        window: None,
        decisions: Vec::new(),
        latches: Vec::new(),
        now: EpochMs(0),
    };
    let mut equity = Vec::new();
    let mut by_window: BTreeMap<WindowId, Usd> = BTreeMap::new();
    let mut before = Usd::ZERO;
    for event in &played.events {
        run.feed(event, &mut watch);
        let total = run.engine().ledger().pnl_total();
        let window = watch.window.take();
        if total != before {
            let change = total - before;
            equity.push((event.t, total));
            watch.decided(if change > Usd::ZERO {
                What::Won
            } else {
                What::Lost
            });
            if let Some(window) = window {
                let sum = by_window.entry(window).or_insert(Usd::ZERO);
                *sum += change;
            }
            before = total;
        }
    }
    Ok(Finished {
        report: run.report(),
        entries: watch.entries,
        journal: watch.journal,
        samples: watch.evidence.samples().to_vec(),
        equity,
        by_window,
        decisions: watch.decisions,
        latches: watch.latches,
    })
}
