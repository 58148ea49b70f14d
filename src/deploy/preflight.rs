//! The preflight of a deploy: the same judgement as `launch preflight`, bound to the plan.

use super::refusal::Refusal;
use crate::context::Context;
use crate::plan::gather::Gathered;
use crate::preflight::{self, Request};
use crate::render;
use launch_checks::{Report, Selection, Verdict};

/// Judges the commit for the plan's environment; the verdict as the receipt carries it.
///
/// # Errors
/// A failed check (1), one that could not be judged (3), or nothing to judge (2). A report about
/// another commit than the plan's is a plan that no longer holds (5).
pub async fn judge(ctx: &Context, gathered: &Gathered) -> Result<String, Refusal> {
    let (ctx, env) = (ctx.clone(), gathered.env.to_string());
    let plan_digest = gathered.plan.plan_digest.clone();
    let judged = {
        let ctx = ctx.clone();
        // Checks run children and hash trees: not on the runtime's own threads.
        tokio::task::spawn_blocking(move || {
            let request = Request {
                env: &env,
                selection: Selection::All,
                offline: false,
                base: None,
                run_tests: false,
                plan_digest: Some(plan_digest),
                // A deploy believes nothing that it did not see.
                cache: false,
            };
            preflight::judge(&ctx.cwd, &request, &ctx)
        })
        .await
    };
    let report = judged
        .map_err(|error| Refusal::Unknown(format!("the preflight broke: {error}")))?
        .map_err(|unusable| Refusal::Usage(unusable.render(false)))?;
    verdict(&ctx, gathered, &report)
}

fn verdict(ctx: &Context, gathered: &Gathered, report: &Report) -> Result<String, Refusal> {
    let planned = &gathered.plan.intent.commit;
    if report.commit.as_ref() != Some(planned) {
        return Err(Refusal::Stale(format!(
            "the preflight judged {}, the plan is of {planned}",
            report.commit.as_deref().unwrap_or("no commit")
        )));
    }
    let text = render::preflight_human(report, ctx.color);
    match report.verdict {
        Verdict::Pass => {
            ctx.note(text.trim_end());
            Ok("pass".to_owned())
        }
        Verdict::Fail => {
            ctx.error(text.trim_end());
            Err(Refusal::Failed("preflight failed".to_owned()))
        }
        Verdict::Unknown => {
            ctx.error(text.trim_end());
            Err(Refusal::Unknown(
                "preflight could not judge everything, and unknown never passes".to_owned(),
            ))
        }
    }
}
