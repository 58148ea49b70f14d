//! LC-105 tests passed: the command that `launch.toml` declares passed on exactly HEAD's tree.
//!
//! The evidence is keyed by the tree, so that it outlives a rebase and no edit. Fails when there is none,
//! when it is of another command, and when the tests failed or did not end in time. A run inside the tests
//! themselves is unknown. Tests were green on a working copy that was never committed: incident 1.

use crate::facts::{Facts, TestEnd, TestEvidence, known};
use crate::outcome::{Finding, Outcome};

const RUN: &str = "launch preflight --run-tests";

pub(crate) fn run(facts: &Facts) -> Outcome {
    let tests = known!(facts.tests);
    let Some(command) = &tests.command else {
        return Finding::new(
            "launch.toml declares no test command, so nothing can prove the tests",
        )
        .help("[tests] command = [\"…\"], timeout_secs = … in manifests/launch.toml")
        .fail();
    };
    let shown = shown(command);
    let of_this_tree = tests
        .evidence
        .as_ref()
        .filter(|evidence| evidence.tree == tests.tree && evidence.command == *command);
    let Some(evidence) = of_this_tree else {
        return Finding::new(format!(
            "no evidence that `{shown}` passed on tree {}",
            short(&tests.tree)
        ))
        .help(RUN)
        .fail();
    };
    let about = |finding: Finding| {
        finding
            .evidence("command", command.clone())
            .evidence("commit", evidence.commit.as_str())
            .evidence("ended_at", evidence.ended_at.as_str())
            .evidence("tests_ms", evidence.duration_ms)
    };
    let broke = |what: String| {
        about(Finding::new(format!("`{shown}` {what}")))
            .seen(last_lines(evidence))
            .help(format!("make it pass, commit, and {RUN}"))
            .fail()
    };
    match &evidence.end {
        TestEnd::Passed => about(Finding::new(format!(
            "`{shown}` passed on tree {} in {} s ({})",
            short(&tests.tree),
            evidence.duration_ms / 1_000,
            evidence.ended_at
        )))
        .pass(),
        TestEnd::Failed(status) => broke(format!("failed: {status}")),
        TestEnd::TimedOut(after) => broke(format!("did not end within {after} s")),
    }
}

/// As many of its last lines as a finding shows.
fn last_lines(evidence: &TestEvidence) -> &[String] {
    let from = evidence
        .tail
        .len()
        .saturating_sub(crate::outcome::SEEN_LINES_MAX);
    evidence.tail.get(from..).unwrap_or_default()
}

/// Longest command that is repeated, characters.
const COMMAND_MAX_CHARS: usize = 80;

fn shown(command: &[String]) -> String {
    command.join(" ").chars().take(COMMAND_MAX_CHARS).collect()
}

fn short(id: &str) -> &str {
    id.get(..10).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Fact, Missing, TestFacts};
    use crate::fixtures::{OTHER, check, facts};
    use crate::report::Status;
    use crate::targets::Class;

    fn ci() -> Facts {
        let mut facts = facts();
        facts.env.class = Class::Ci;
        facts
    }

    fn tests(facts: &mut Facts) -> &mut TestFacts {
        facts.tests.value.as_mut().unwrap()
    }

    fn evidence(facts: &mut Facts) -> &mut TestEvidence {
        tests(facts).evidence.as_mut().unwrap()
    }

    #[test]
    fn passing() {
        check("LC-105", &ci(), Status::Pass, "`cargo test` passed on tree");
    }

    #[test]
    fn failing() {
        let mut none = ci();
        tests(&mut none).evidence = None;
        let result = check("LC-105", &none, Status::Fail, "no evidence");
        assert_eq!(result.help.as_deref(), Some(RUN));
        let mut broken = ci();
        evidence(&mut broken).end = TestEnd::Failed("exit status: 101".to_owned());
        evidence(&mut broken).tail = (1..=30).map(|n| format!("line {n}")).collect();
        let result = check("LC-105", &broken, Status::Fail, "exit status: 101");
        assert_eq!(result.seen().last(), Some("line 30"));
        let mut slow = ci();
        evidence(&mut slow).end = TestEnd::TimedOut(60);
        check("LC-105", &slow, Status::Fail, "did not end within 60 s");
        let mut edited = ci();
        evidence(&mut edited).tree = "3".repeat(40);
        check("LC-105", &edited, Status::Fail, "no evidence");
        let mut easier = ci();
        evidence(&mut easier).command = vec!["true".to_owned()];
        check("LC-105", &easier, Status::Fail, "no evidence");
        let mut undeclared = ci();
        tests(&mut undeclared).command = None;
        check(
            "LC-105",
            &undeclared,
            Status::Fail,
            "declares no test command",
        );
        // In class local it warns.
        none.env.class = Class::Local;
        check("LC-105", &none, Status::Warn, "no evidence");
    }

    #[test]
    fn just_inside() {
        // Another commit with the same tree is the same source.
        let mut rebased = ci();
        evidence(&mut rebased).commit = OTHER.to_owned();
        check("LC-105", &rebased, Status::Pass, "passed on tree");
    }

    #[test]
    fn fact_missing() {
        let mut nested = ci();
        nested.tests = Fact::missing(Missing::new("inside the tests themselves"), "state", 0);
        check("LC-105", &nested, Status::Unknown, "inside the tests");
        nested.env.class = Class::Local;
        check("LC-105", &nested, Status::Unknown, "inside the tests");
    }
}
