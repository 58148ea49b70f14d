//! How the signals of several components become one. Pure: signals in, signal or refusal out.
//!
//! | mode | what it does |
//! |---|---|
//! | single | the only signal's word |
//! | unanimous | all speak and agree on the outcome; the least edge counts |
//! | weighted | mean of P(up) by weight over those that speak, which must be more than half of all weight |

use crate::components::{Signal, better_side, of_outcome};
use crate::refusal::{Figure, Refusal, Refuser};
use crate::units::{Outcome, Probability};
use crate::view::MarketView;

/// Weight of those that speak must be above this part of all weight.
pub const QUORUM: f64 = 0.5;

type Vote = Result<Signal, Refusal>;

/// All agree, and the least edge counts.
///
/// # Errors
/// The first refusal, or `signals_disagree`.
pub fn unanimous(votes: impl IntoIterator<Item = Vote>) -> Vote {
    let mut least: Option<Signal> = None;
    for vote in votes {
        let signal = vote?;
        match least {
            Some(known) if known.outcome != signal.outcome => {
                return Err(refuse("signals_disagree", Figure::None, Figure::None));
            }
            Some(known) if known.edge <= signal.edge => {}
            _ => least = Some(signal),
        }
    }
    least.ok_or(refuse("no_signal", Figure::None, Figure::None))
}

/// The weighted mean of the probabilities, priced anew: a side that no signal named is not bought.
///
/// # Errors
/// The first refusal when nobody speaks, `no_quorum` with the weight that speaks, or what the book lacks.
pub fn weighted(view: &MarketView<'_>, votes: impl IntoIterator<Item = (f64, Vote)>) -> Vote {
    let (mut all, mut spoken, mut sum) = (0.0, 0.0, 0.0);
    let (mut names_up, mut names_down) = (false, false);
    let mut first_refusal = None;
    for (weight, vote) in votes {
        all += weight;
        match vote {
            Ok(signal) => {
                spoken += weight;
                sum += weight * p_up(&signal);
                match signal.outcome {
                    Outcome::Up => names_up = true,
                    Outcome::Down => names_down = true,
                }
            }
            Err(refusal) => first_refusal = first_refusal.or(Some(refusal)),
        }
    }
    if !names_up && !names_down {
        let nobody = refuse("no_signal", Figure::None, Figure::None);
        return Err(first_refusal.unwrap_or(nobody));
    }
    let part = spoken / all;
    if part.is_nan() || part <= QUORUM {
        return Err(refuse(
            "no_quorum",
            Figure::Real(part),
            Figure::Real(QUORUM),
        ));
    }
    let up = Probability::try_new((sum / spoken).clamp(0.0, 1.0))
        .map_err(|_| refuse("no_quorum", Figure::Real(part), Figure::Real(QUORUM)))?;
    match (names_up, names_down) {
        (true, false) => of_outcome(view, up, Outcome::Up),
        (false, true) => of_outcome(view, up, Outcome::Down),
        _ => better_side(view, up),
    }
}

fn p_up(signal: &Signal) -> f64 {
    match signal.outcome {
        Outcome::Up => signal.probability.get(),
        Outcome::Down => signal.probability.complement().get(),
    }
}

const fn refuse(code: &'static str, seen: Figure, limit: Figure) -> Refusal {
    Refusal::new(code, Refuser::Component, seen, limit)
}
