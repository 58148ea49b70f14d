//! The trader path: halt, ask back, then watch the address until the run ends.
//!
//! The same loop is the witness: after the platform says dead, an answer at this address means
//! that it lives, whatever the platform says. Goes on until the run ends.

use super::board::{Board, Probe, ReadBack, TraderRecord};
use crate::call_error::CallError;
use crate::deadline::Deadline;
use crate::endpoint::Endpoint;
use crate::pace::Pace;
use crate::secret::Secret;
use crate::trader::{Extent, Trader};
use crate::verdict::Goal;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Longest time that the first halt waits to learn whose trader it is, on this machine.
const STRANGER_LOOK_MAX: Duration = Duration::from_millis(250);

/// Who asks and why, as the trader records it.
#[derive(Debug, Clone)]
pub(crate) struct Voice {
    pub(crate) by: String,
    pub(crate) reason: String,
}

/// One address of the trader.
#[derive(Debug, Clone)]
pub(crate) struct TraderPath {
    pub(crate) board: Arc<Board>,
    pub(crate) url: Endpoint,
    /// Tried in order; a refused one is followed by the next.
    pub(crate) tokens: Vec<Secret>,
    /// The instance that deploy verified there.
    pub(crate) expected_nonce: Option<String>,
    /// Whether a refused connection there is evidence (no proxy in between).
    pub(crate) is_direct: bool,
    pub(crate) goal: Goal,
    pub(crate) may_be_live: bool,
    /// Deployments of other known targets: an answer of theirs is not halted.
    pub(crate) foreign_deployments: BTreeSet<String>,
    pub(crate) voice: Voice,
    pub(crate) pace: Pace,
    pub(crate) deadline: Deadline,
}

/// What the loop does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Halt,
    AskBack,
    Look,
}

impl TraderPath {
    fn key(&self) -> String {
        self.url.to_string()
    }

    /// Registers the address and starts the loop; an address that is known already is left alone.
    pub(crate) fn start(self) {
        let is_new = self.board.write(|state| {
            if state.traders.contains_key(&self.key()) {
                return false;
            }
            let record = TraderRecord {
                is_direct: self.is_direct,
                expected_nonce: self.expected_nonce.clone(),
                ..TraderRecord::default()
            };
            state.traders.insert(self.key(), record);
            true
        });
        if is_new {
            let board = Arc::clone(&self.board);
            board.spawn(self.work());
        }
    }

    async fn work(self) {
        let trader = match Trader::new(self.url.clone(), self.tokens.first().cloned()) {
            Ok(trader) => trader,
            Err(error) => {
                self.board
                    .write(|state| state.trader_path.failed(error.to_string()));
                return;
            }
        };
        let mut token = 0;
        let mut step = if self.tokens.is_empty() {
            Step::Look
        } else {
            Step::Halt
        };
        if step == Step::Halt && self.is_strangers(&trader).await {
            step = Step::Look;
        }
        while !self.deadline.is_over() {
            let asked = Instant::now();
            let trader = trader.with_token(self.tokens.get(token).cloned());
            let limit = self.deadline.at_most(self.pace.probe_timeout);
            step = match step {
                Step::Halt => {
                    let next = self.halt(&trader, asked, limit).await;
                    if next == Step::Look && token.saturating_add(1) < self.tokens.len() {
                        token = token.saturating_add(1);
                        continue; // this token was refused, another may do
                    }
                    next
                }
                Step::AskBack => self.ask_back(&trader, asked, limit).await,
                Step::Look => self.look(&trader, asked, limit).await,
            };
            if step == Step::AskBack && self.wants_first_answer() {
                continue; // ask back at once: the process may be gone in a moment
            }
            self.deadline.sleep(self.pace.probe).await;
        }
    }

    /// Whether another known target's trader answers here. Ports of this machine are used again, and two
    /// targets may share a halt token; elsewhere an address belongs to one service, and nothing is asked.
    async fn is_strangers(&self, trader: &Trader) -> bool {
        if !self.is_direct || self.foreign_deployments.is_empty() {
            return false;
        }
        let asked = Instant::now();
        let limit = self.deadline.at_most(STRANGER_LOOK_MAX);
        let Ok(live) = trader.live(limit).await else {
            return false;
        };
        let is_stranger = live
            .deployment_id
            .as_ref()
            .is_some_and(|id| self.foreign_deployments.contains(id));
        if is_stranger {
            self.alive(asked, live.nonce, live.deployment_id);
        }
        is_stranger
    }

    fn wants_first_answer(&self) -> bool {
        self.board.read(|state| {
            state
                .traders
                .get(&self.key())
                .is_some_and(|trader| trader.read_back.is_empty())
        })
    }

    /// Asks to halt. Goes on halting until acknowledged, or until the token is refused.
    async fn halt(&self, trader: &Trader, asked: Instant, limit: Deadline) -> Step {
        self.board.asking();
        let at = self.board.ms();
        self.board.write(|state| state.trader_path.requested(at));
        let reduce_only = self.goal == Goal::ReduceOnly;
        let answer = trader
            .halt(&self.voice.reason, &self.voice.by, reduce_only, limit)
            .await;
        let at = self.board.ms();
        match answer {
            Ok(halted) => {
                let nonce = halted.nonce.unwrap_or_else(|| "(no nonce)".to_owned());
                self.alive(asked, Some(nonce.clone()), None);
                self.board.write(|state| {
                    state.trader_path.acknowledged(at);
                    state.trader_path.detail = format!("halt acknowledged by instance {nonce}");
                    if let Some(record) = state.traders.get_mut(&self.key()) {
                        record.halted.insert(nonce);
                        record.is_token_refused = false;
                    }
                });
                Step::AskBack
            }
            Err(error) => {
                let is_refused_token = error.is_unauthorized();
                self.unanswered(trader, asked, &error, is_refused_token)
                    .await;
                self.board
                    .write(|state| state.trader_path.failed(format!("halt: {error}")));
                if is_refused_token {
                    Step::Look
                } else {
                    Step::Halt
                }
            }
        }
    }

    /// Asks the instance back after its halt, until it says what is wanted.
    async fn ask_back(&self, trader: &Trader, asked: Instant, limit: Deadline) -> Step {
        let health = match trader.health(limit).await {
            Ok(health) => health,
            Err(error) => {
                self.unanswered(trader, asked, &error, false).await;
                return Step::AskBack;
            }
        };
        self.alive(asked, health.nonce.clone(), health.deployment_id.clone());
        let at = self.board.ms();
        let nonce = health.nonce.unwrap_or_default();
        let is_reached = match self.goal {
            Goal::Stop => health.halted == Extent::Full,
            Goal::ReduceOnly => health.halted != Extent::Not,
        };
        let is_same = self.board.write(|state| {
            if health.positions.is_some() {
                state.positions = health.positions;
            }
            let Some(record) = state.traders.get_mut(&self.key()) else {
                return false;
            };
            let back = ReadBack {
                extent: health.halted,
                deployment_id: health.deployment_id,
                open_orders: health.open_orders,
            };
            let is_same = record.halted.contains(&nonce);
            record.read_back.insert(nonce.clone(), back);
            if is_same && is_reached {
                state.trader_path.confirmed(at);
                state.trader_path.detail = format!("halt read back from instance {nonce}");
            }
            is_same
        });
        let has_orders = self.may_be_live && health.open_orders != Some(0);
        match (is_same && is_reached, has_orders) {
            (false, _) => Step::Halt, // another instance, or a halt that did not hold
            (true, true) => Step::AskBack,
            (true, false) => Step::Look,
        }
    }

    /// After a request without a usable answer. One that cannot halt, or refuses the token, lives
    /// all the same: only where its open page is silent too, or nobody can be there, it is quiet.
    async fn unanswered(
        &self,
        trader: &Trader,
        asked: Instant,
        error: &CallError,
        is_token_refused: bool,
    ) {
        let limit = self.deadline.at_most(self.pace.probe_timeout);
        if !error.may_have_reached() {
            return self.quiet(asked, error, is_token_refused);
        }
        let live = match trader.live(limit).await {
            Ok(live) => live,
            // Who answers there is what its open page tells; why the halt failed stands in the report.
            Err(unseen) => {
                self.quiet(asked, &unseen, is_token_refused);
                return self.board.write(|state| {
                    if let Some(record) = state.traders.get_mut(&self.key()) {
                        record.error = Some(error.to_string());
                    }
                });
            }
        };
        self.board.write(|state| {
            if let Some(record) = state.traders.get_mut(&self.key()) {
                record.is_token_refused |= is_token_refused;
                record.error = Some(error.to_string());
            }
        });
        self.alive(asked, live.nonce, live.deployment_id);
    }

    /// Looks whether anything of ours answers at all.
    async fn look(&self, trader: &Trader, asked: Instant, limit: Deadline) -> Step {
        match trader.live(limit).await {
            Ok(live) => {
                let is_known = self.board.read(|state| {
                    let record = state.traders.get(&self.key());
                    live.nonce
                        .as_ref()
                        .is_some_and(|nonce| record.is_some_and(|r| r.halted.contains(nonce)))
                });
                let is_foreign = live
                    .deployment_id
                    .as_ref()
                    .is_some_and(|id| self.foreign_deployments.contains(id));
                self.alive(asked, live.nonce, live.deployment_id);
                let has_token_left = !self.tokens.is_empty() && !self.was_token_refused();
                if !is_known && !is_foreign && has_token_left {
                    Step::Halt
                } else {
                    Step::Look
                }
            }
            Err(error) => {
                self.quiet(asked, &error, false);
                Step::Look
            }
        }
    }

    fn was_token_refused(&self) -> bool {
        self.board.read(|state| {
            state
                .traders
                .get(&self.key())
                .is_some_and(|record| record.is_token_refused)
        })
    }

    fn alive(&self, asked: Instant, nonce: Option<String>, deployment_id: Option<String>) {
        let is_foreign = deployment_id
            .as_ref()
            .is_some_and(|id| self.foreign_deployments.contains(id));
        self.board.write(|state| {
            state.was_running |= !is_foreign;
            if let Some(record) = state.traders.get_mut(&self.key()) {
                record.quiet = 0;
                if !is_foreign {
                    record.seen_nonces.extend(nonce.clone());
                }
                record.last = Some((
                    asked,
                    Probe::Alive {
                        nonce,
                        deployment_id,
                    },
                ));
            }
        });
    }

    fn quiet(&self, asked: Instant, error: &CallError, is_token_refused: bool) {
        let probe = if *error == CallError::Refused {
            Probe::Refused
        } else if error.is_from_nobody() {
            Probe::Nobody(error.to_string())
        } else {
            Probe::Silent(error.to_string())
        };
        // An answer that had no time left to come is no silence: what was seen before stands.
        if probe != Probe::Refused && self.deadline.is_over() {
            return;
        }
        self.board.write(|state| {
            if let Some(record) = state.traders.get_mut(&self.key()) {
                record.quiet = record.quiet.saturating_add(1);
                record.is_token_refused |= is_token_refused;
                record.error = Some(error.to_string());
                record.last = Some((asked, probe));
            }
        });
    }
}
