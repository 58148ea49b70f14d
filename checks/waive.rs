//! What a waiver does to the result of its check. No check of its own.
//!
//! An active one turns a failure into a warning that names its owner and end; what is unknown stays unknown.
//! One that has expired, or ends too far ahead, fails its check: nobody answers for it any more.

use crate::code::Code;
use crate::facts::{Facts, Loaded};
use crate::files::waivers::{Standing, WAIVER_MAX_DAYS, WAIVERS_PATH, Waiver};
use crate::outcome::Finding;
use crate::report::Status;
use serde_json::{Value, json};

/// The result with its waiver, where the policy has one for this check and environment.
pub(crate) fn waived(
    code: Code,
    facts: &Facts,
    status: Status,
    mut finding: Finding,
) -> (Status, Finding, Option<Value>) {
    let Ok(policy) = &facts.policy.value else {
        return (status, finding, None);
    };
    let Loaded::Valid(file) = &policy.waivers else {
        return (status, finding, None);
    };
    let Some(waiver) = file.of(&code.to_string(), &facts.env.name) else {
        return (status, finding, None);
    };
    let Waiver {
        owner,
        reason,
        expires,
        ..
    } = waiver;
    let (status, state) = match (waiver.standing(facts.now_ms), status) {
        (Standing::Active, Status::Fail) => {
            finding.message = format!(
                "waived until {expires} by {owner} ({reason}): {}",
                finding.message
            );
            (Status::Warn, "used")
        }
        (Standing::Active, other) => (other, "unused"),
        (Standing::Expired, _) => {
            finding.message = format!(
                "its waiver by {owner} expired on {expires}; {}",
                finding.message
            );
            (Status::Fail, "expired")
        }
        (Standing::TooLong, _) => {
            finding.message = format!(
                "its waiver by {owner} ends on {expires}, more than {WAIVER_MAX_DAYS} days ahead; {}",
                finding.message
            );
            (Status::Fail, "too_long")
        }
    };
    if matches!(state, "expired" | "too_long") {
        let remedy = format!("remove the waiver from {WAIVERS_PATH}, or renew it");
        finding.help = Some(match finding.help {
            Some(help) => format!("{remedy}; {help}"),
            None => remedy,
        });
    }
    let shown = json!({
        "code": waiver.code,
        "env": waiver.env,
        "reason": reason,
        "owner": owner,
        "expires": expires,
        "state": state,
        "read_from": policy.read_from,
    });
    (status, finding, Some(shown))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Fact, Missing};
    use crate::files::waivers::Waivers;
    use crate::fixtures::{check, facts};
    use crate::targets::Class;

    /// Facts of a CI run in which LC-103 is waived until a day; now is 2026-02-01T12:30Z.
    fn until(expires: &str) -> Facts {
        let mut facts = facts();
        facts.env.class = Class::Ci;
        let waiver = Waiver {
            code: "LC-103".to_owned(),
            env: "local".to_owned(),
            reason: "a test".to_owned(),
            owner: "Ada".to_owned(),
            expires: expires.to_owned(),
        };
        facts.policy.value.as_mut().unwrap().waivers = Loaded::Valid(Waivers {
            schema_version: 1,
            waiver: vec![waiver],
        });
        facts
    }

    fn broken(mut facts: Facts) -> Facts {
        facts.files.value.as_mut().unwrap().paths[0].found = crate::facts::Found::Outside;
        facts
    }

    fn state(result: &crate::report::CheckResult) -> &str {
        result.waiver.as_ref().unwrap()["state"].as_str().unwrap()
    }

    #[test]
    fn an_active_waiver_turns_a_failure_into_a_warning_that_says_so() {
        let result = check(
            "LC-103",
            &broken(until("2026-02-10")),
            Status::Warn,
            "waived until 2026-02-10 by Ada (a test): 1 of 3",
        );
        assert_eq!(state(&result), "used");
        let result = check(
            "LC-103",
            &until("2026-02-10"),
            Status::Pass,
            "3 named files",
        );
        assert_eq!(state(&result), "unused");
    }

    #[test]
    fn an_expired_or_endless_waiver_fails_its_check() {
        for (expires, says, seen) in [
            ("2026-01-31", "expired on 2026-01-31", "expired"),
            ("2026-02-16", "more than 14 days ahead", "too_long"),
        ] {
            for facts in [broken(until(expires)), until(expires)] {
                let result = check("LC-103", &facts, Status::Fail, says);
                assert_eq!(state(&result), seen);
                assert!(result.help.unwrap().contains(WAIVERS_PATH));
            }
        }
    }

    #[test]
    fn what_is_unknown_stays_unknown() {
        let mut facts = until("2026-02-10");
        facts.files = Fact::missing(Missing::new("HEAD cannot be read"), "HEAD", 0);
        check("LC-103", &facts, Status::Unknown, "HEAD cannot be read");
    }

    #[test]
    fn another_environment_a_broken_file_and_no_policy_waive_nothing() {
        let mut elsewhere = broken(until("2026-02-10"));
        elsewhere.env.name = "staging".to_owned();
        check("LC-103", &elsewhere, Status::Fail, "1 of 3");
        let mut refused = broken(until("2026-02-10"));
        refused.policy.value.as_mut().unwrap().waivers = Loaded::Refused {
            diagnostics: vec!["planted".into()],
        };
        check("LC-103", &refused, Status::Fail, "1 of 3");
        let mut none = broken(until("2026-02-10"));
        none.policy = Fact::missing(Missing::new("no base"), "base", 0);
        check("LC-103", &none, Status::Fail, "1 of 3");
    }
}
