//! Selling before the stop (`--flatten`): the trader is asked once, watched, and never waited for
//! beyond a bound. The stop follows regardless.
//!
//! Ends as soon as the trader says that it is over, falls silent, or the operator presses Ctrl-C;
//! at the latest when the stop's own share of the deadline begins. Decides nothing about the
//! verdict: what was sold is told, never what counts as stopped.

use super::Progress;
use super::board::{Board, ms};
use super::pursuit::Job;
use crate::call_error::CallError;
use crate::deadline::Deadline;
use crate::report::{FlattenOutcome, FlattenReport, Position, SellingOutcome};
use crate::trader::{FlattenState, Flattening, Trader};
use std::sync::Arc;
use std::time::Duration;

/// Most lines about the progress of one target's selling.
const LINES_MAX: u32 = 40;

/// How the selling ended.
struct End {
    outcome: SellingOutcome,
    acknowledged_ms: Option<u64>,
    detail: String,
}

impl End {
    fn impossible(detail: impl Into<String>) -> Self {
        Self {
            outcome: SellingOutcome::Impossible,
            acknowledged_ms: None,
            detail: detail.into(),
        }
    }
}

/// Has the trader sell what it holds, and returns when the stop is due.
pub(super) async fn sell(job: &Job, progress: &Progress, board: &Arc<Board>, deadline: Deadline) {
    let env = &job.target.env;
    let end = attempt(job, progress, board, deadline).await;
    let said = match end.outcome {
        SellingOutcome::Impossible => format!("{env}: NOT SELLING: {}", end.detail),
        SellingOutcome::Done
        | SellingOutcome::Lapsed
        | SellingOutcome::CutShort
        | SellingOutcome::Interrupted
        | SellingOutcome::Silent => format!("{env}: selling is over: {}", end.detail),
    };
    progress.say(format!("{said}; the stop goes out now"));
    board.write(|state| {
        for position in state.positions.iter().flatten() {
            if let Some(line) = unsold(position) {
                progress.say(format!("{env}: NOT SOLD: {line}"));
            }
        }
        state.flatten = Some(FlattenReport {
            outcome: end.outcome,
            acknowledged_ms: end.acknowledged_ms,
            ended_ms: ms(board.start.elapsed()),
            detail: end.detail,
        });
    });
}

async fn attempt(job: &Job, progress: &Progress, board: &Board, deadline: Deadline) -> End {
    let reserve = job.pace.stop_reserve.max(job.pace.settle.saturating_mul(2));
    let for_selling = deadline.remaining().saturating_sub(reserve);
    if for_selling.is_zero() {
        return End::impossible(format!(
            "of --deadline {} s, {} s are the stop's own",
            job.span.as_secs_f32(),
            reserve.as_secs_f32()
        ));
    }
    let stop_due = Deadline::after(for_selling);
    let Some(url) = &job.target.trader_url else {
        return End::impossible("no address of the trader is known");
    };
    let trader = match Trader::new(url.clone(), None) {
        Ok(trader) => trader,
        Err(error) => return End::impossible(format!("the trader at {url}: {error}")),
    };
    let asked = tokio::select! {
        biased;
        () = progress.hurried() => return interrupted(None),
        asked = ask(job, trader, stop_due) => asked,
    };
    let (trader, flattening) = match asked {
        Ok(asked) => asked,
        Err(why) => return End::impossible(why),
    };
    let acknowledged_ms = Some(board.ms());
    board.write(|state| state.was_running = true);
    let bound = flattening.ends_in_ms.map(Duration::from_millis);
    let own_end = bound.map(|bound| Deadline::after(bound.saturating_add(job.pace.flatten_grace)));
    progress.say(first_line(job, &flattening, stop_due, deadline));
    let (outcome, detail) = tokio::select! {
        biased;
        () = progress.hurried() => return interrupted(acknowledged_ms),
        end = watch(job, progress, board, &trader, stop_due, own_end) => end,
    };
    End {
        outcome,
        acknowledged_ms,
        detail,
    }
}

fn interrupted(acknowledged_ms: Option<u64>) -> End {
    End {
        outcome: SellingOutcome::Interrupted,
        acknowledged_ms,
        detail: "Ctrl-C".into(),
    }
}

/// Asks with each token in turn. A trader that may have taken the order all the same is asked back.
async fn ask(job: &Job, trader: Trader, until: Deadline) -> Result<(Trader, Flattening), String> {
    let mut refused = "no halt token is known".to_owned();
    for token in &job.target.halt_tokens {
        let trader = trader.with_token(Some(token.clone()));
        let limit = until.at_most(job.pace.probe_timeout);
        let answer = trader
            .flatten(&job.voice.reason, &job.voice.by, limit)
            .await;
        let error = match answer {
            Ok(flattening) => return Ok((trader, flattening)),
            Err(error) => error,
        };
        refused = format!("the trader at {}: {error}", trader.base());
        if error.is_unauthorized() {
            continue;
        }
        if error.may_have_reached() && is_selling(&trader, job, until).await {
            let unknown = Flattening {
                ends_in_ms: None,
                positions: None,
            };
            return Ok((trader, unknown));
        }
        return Err(refused);
    }
    Err(refused)
}

async fn is_selling(trader: &Trader, job: &Job, until: Deadline) -> bool {
    let limit = until.at_most(job.pace.probe_timeout);
    let health = trader.health(limit).await;
    health.is_ok_and(|health| {
        health
            .flatten
            .is_some_and(|flatten| flatten.state == FlattenState::Selling)
    })
}

/// What is about to happen, and whether the trader's own bound fits into the deadline.
fn first_line(job: &Job, told: &Flattening, stop_due: Deadline, deadline: Deadline) -> String {
    let env = &job.target.env;
    let held = told.positions.map_or_else(
        || "what it holds".to_owned(),
        |n| format!("{n} position(s)"),
    );
    let left = stop_due.remaining();
    let reserve = deadline.remaining().saturating_sub(left);
    let bound = told.ends_in_ms.map(Duration::from_millis);
    let span = match bound {
        Some(bound) if bound <= left => format!("for at most {:.1} s", bound.as_secs_f32()),
        Some(bound) => format!(
            "for {:.1} s of its {:.1} s: --deadline {} s leaves no more (the last {:.0} s are the \
             stop's)",
            left.as_secs_f32(),
            bound.as_secs_f32(),
            job.span.as_secs_f32(),
            reserve.as_secs_f32()
        ),
        None => format!("for at most {:.1} s", left.as_secs_f32()),
    };
    format!("{env}: entries are off, the trader sells {held} {span}; Ctrl-C stops it at once")
}

/// Watches until the selling is over.
async fn watch(
    job: &Job,
    progress: &Progress,
    board: &Board,
    trader: &Trader,
    stop_due: Deadline,
    own_end: Option<Deadline>,
) -> (SellingOutcome, String) {
    let (mut silent, mut lines) = (0_u32, 0_u32);
    let mut last_line = String::new();
    loop {
        let limit = stop_due.at_most(job.pace.probe_timeout);
        match trader.health(limit).await {
            Ok(health) => {
                silent = 0;
                let Some(flatten) = health.flatten else {
                    return (
                        SellingOutcome::Silent,
                        "the trader no longer says how the selling goes".into(),
                    );
                };
                let line = summary(flatten.positions.as_deref());
                if flatten.positions.is_some() {
                    board.write(|state| state.positions = flatten.positions);
                }
                match flatten.state {
                    FlattenState::Done => {
                        return (
                            SellingOutcome::Done,
                            format!("nothing is left to sell: {line}"),
                        );
                    }
                    FlattenState::Lapsed => {
                        return (SellingOutcome::Lapsed, format!("its time is over: {line}"));
                    }
                    FlattenState::Selling if line != last_line && lines < LINES_MAX => {
                        lines = lines.saturating_add(1);
                        progress.say(format!("{}: {line}", job.target.env));
                        last_line = line;
                    }
                    FlattenState::Selling => {}
                }
            }
            Err(error) => {
                silent = silent.saturating_add(1);
                if error == CallError::Refused || silent >= job.pace.silent_probes {
                    return (
                        SellingOutcome::Silent,
                        format!("the trader answers no more ({error})"),
                    );
                }
            }
        }
        stop_due.sleep(job.pace.probe).await;
        if stop_due.is_over() || own_end.is_some_and(Deadline::is_over) {
            return (
                SellingOutcome::CutShort,
                "the time for it is over, and the trader does not say that it is done".into(),
            );
        }
    }
}

/// How far it is, in one line.
fn summary(positions: Option<&[Position]>) -> String {
    let Some(positions) = positions else {
        return "what was sold is unknown".to_owned();
    };
    if positions.is_empty() {
        return "nothing was held".to_owned();
    }
    let sold = positions
        .iter()
        .filter(|position| unsold(position).is_none());
    let left: Vec<String> = positions.iter().filter_map(unsold).collect();
    let mut line = format!("{} of {} position(s) sold", sold.count(), positions.len());
    if !left.is_empty() {
        line.push_str(": left ");
        line.push_str(&left.join("; "));
    }
    line
}

/// What is left of a position that was to be sold, and why.
pub(crate) fn unsold(position: &Position) -> Option<String> {
    let flatten = position.flatten.as_ref()?;
    if flatten.result == FlattenOutcome::Sold {
        return None;
    }
    let what = match (&position.window, &position.outcome) {
        (Some(window), Some(outcome)) => format!("{window} {outcome}"),
        _ => format!("token {}", position.token),
    };
    let risk = position.worst_loss_usd.as_deref().unwrap_or("unknown");
    Some(format!(
        "{what}: {} shares, can lose {risk} USD ({})",
        position.shares,
        flatten.result.as_str()
    ))
}
