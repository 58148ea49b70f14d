//! LC-602 token scope: the operator's token belongs to the environment that is deployed to, the service exists
//! there, and the kill finds its way with what it has.
//!
//! Fails on a token of another environment or project, on one that the platform refuses, on a service that is not
//! there, and on a kill whose own token or ids lead elsewhere. A platform that does not answer is unknown. The
//! first kill of the incident stood before the wrong door.

use crate::facts::{AskFailed, Facts, TargetFacts, TokenBelongs, known};
use crate::outcome::{Finding, Outcome};

pub(crate) fn run(facts: &Facts) -> Outcome {
    let target = known!(facts.target);
    let wanted = &target.wanted;
    let outcome = match &target.token {
        Err(error) => return asked_in_vain(target, "whose the token is", error),
        Ok(TokenBelongs::Account) => Finding::new(
            "the token is a person's or workspace's: it reaches more than this environment",
        )
        .help("use a project token of this environment (Railway: project, Settings, Tokens)")
        .warn(),
        Ok(TokenBelongs::Project {
            project_id,
            environment_id,
        }) => {
            let is_project = wanted
                .project_id
                .as_deref()
                .is_none_or(|id| same(id, project_id));
            if !is_project || !same(&wanted.environment_id, environment_id) {
                return about(
                    target,
                    Finding::new(format!(
                        "the token belongs to environment {environment_id} of project {project_id}, not to \
                         environment {} of project {}",
                        wanted.environment_id,
                        wanted.project_id.as_deref().unwrap_or("(none named)"),
                    )),
                )
                .help("set the token of this environment, or correct the ids in manifests/launch.toml")
                .fail();
            }
            about(
                target,
                Finding::new(
                    "the token belongs to this environment alone, and the kill can use it",
                ),
            )
            .pass()
        }
    };
    if let Err(error) = &target.service {
        return asked_in_vain(target, "whether the service exists there", error);
    }
    if target.kill_stumbles.is_empty() {
        return outcome;
    }
    about(target, Finding::new("a kill would not find its way"))
        .seen(&target.kill_stumbles)
        .help("launch kill --check says what it would use; correct token or kill file before the deploy")
        .fail()
}

/// A refusal is a fact about the token; silence is none.
fn asked_in_vain(target: &TargetFacts, what: &str, error: &AskFailed) -> Outcome {
    let finding = about(
        target,
        Finding::new(format!("cannot see {what}: {}", error.words())),
    );
    match error {
        AskFailed::Denied(_) => finding
            .help("the token or an id is wrong: compare them with the platform's dashboard")
            .fail(),
        AskFailed::Unreachable(_) => finding
            .help("run it again when the platform answers")
            .unknown(),
    }
}

/// Ids are compared as the platform does: letter case does not count.
fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

fn about(target: &TargetFacts, finding: Finding) -> Finding {
    finding
        .evidence("endpoint", target.endpoint.as_str())
        .evidence("environment_id", target.wanted.environment_id.as_str())
        .evidence("service_id", target.wanted.service_id.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Fact, Missing};
    use crate::fixtures::{check, facts};
    use crate::report::Status;
    use crate::targets::{Class, Platform};

    fn with(change: impl FnOnce(&mut TargetFacts)) -> Facts {
        let mut facts = facts();
        facts.env.class = Class::Staging;
        facts.env.platform = Platform::Railway;
        change(facts.target.value.as_mut().unwrap());
        facts
    }

    fn of(project_id: &str, environment_id: &str) -> TokenBelongs {
        TokenBelongs::Project {
            project_id: project_id.to_owned(),
            environment_id: environment_id.to_owned(),
        }
    }

    #[test]
    fn passing() {
        check(
            "LC-602",
            &with(|_| ()),
            Status::Pass,
            "this environment alone",
        );
    }

    #[test]
    fn failing() {
        let other = with(|target| target.token = Ok(of("p-1", "e-2")));
        check("LC-602", &other, Status::Fail, "belongs to environment e-2");
        let other = with(|target| target.token = Ok(of("p-2", "e-1")));
        check("LC-602", &other, Status::Fail, "of project p-2");
        let denied = || AskFailed::Denied("not authorized".to_owned());
        let refused = with(|target| target.token = Err(denied()));
        check("LC-602", &refused, Status::Fail, "not authorized");
        let gone = with(|target| target.service = Err(denied()));
        check("LC-602", &gone, Status::Fail, "whether the service exists");
        let lost =
            with(|target| target.kill_stumbles = vec!["token: of another environment".into()]);
        check(
            "LC-602",
            &lost,
            Status::Fail,
            "token: of another environment",
        );
    }

    #[test]
    fn just_inside() {
        // Ids in other letters are the same; a wide token is said, and does not stop a deploy.
        let letters = with(|target| target.token = Ok(of("P-1", "E-1")));
        check("LC-602", &letters, Status::Pass, "this environment alone");
        let wide = with(|target| target.token = Ok(TokenBelongs::Account));
        check("LC-602", &wide, Status::Warn, "more than this environment");
        // But not past a kill that does not work.
        let lost = with(|target| {
            target.token = Ok(TokenBelongs::Account);
            target.kill_stumbles = vec!["token: none".into()];
        });
        check("LC-602", &lost, Status::Fail, "token: none");
    }

    #[test]
    fn fact_missing() {
        let mut facts = with(|_| ());
        facts.target = Fact::missing(Missing::new("no platform token"), "the platform", 0);
        check("LC-602", &facts, Status::Unknown, "no platform token");
        let silent = || AskFailed::Unreachable("connection refused".to_owned());
        let token = with(|target| target.token = Err(silent()));
        check("LC-602", &token, Status::Unknown, "connection refused");
        let service = with(|target| target.service = Err(silent()));
        check("LC-602", &service, Status::Unknown, "connection refused");
    }
}
