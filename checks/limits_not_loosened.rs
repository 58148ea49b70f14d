//! LC-205 limits not loosened: no limit of the manifest lets more happen than what a person has approved.
//!
//! Each limit is compared with `manifests/approved-limits.toml`, in the direction that the one table of the
//! trader gives (`trader_core::looser`); equal or tighter passes. Null, 0, nothing approved and a file that
//! cannot be read are never approval. On a pull request the base branch's file counts. A limit that was
//! raised in passing, in the same commit as something else, was part of every incident.

use crate::facts::{Facts, Loaded, known};
use crate::files::approved_limits::APPROVED_LIMITS_PATH;
use crate::files::check_set::{CHECK_SET_PATH, CheckSet};
use crate::outcome::{Finding, Outcome};
use serde_json::Value;
use std::collections::BTreeMap;
use trader_core::looser::{self, Compared, shown};

pub(crate) fn run(facts: &Facts) -> Outcome {
    let policy = known!(facts.policy);
    if let Some(base) = &policy.check_set {
        let weaker = base.weaker(&CheckSet::of_this_program());
        if !weaker.is_empty() {
            return Finding::new(format!(
                "this program checks less than {CHECK_SET_PATH} of {} says",
                policy.read_from
            ))
            .seen(weaker)
            .help("build the checks back in; what really has to go is merged by whoever may push to the base")
            .fail();
        }
    }
    let document = known!(facts.manifest);
    let Loaded::Valid(manifest) = &document.loaded else {
        return Finding::new(format!(
            "{} is not valid, so its limits cannot be compared",
            document.path
        ))
        .help("LC-201 shows the place")
        .unknown();
    };
    let env = &facts.env.name;
    let approve =
        format!("launch approve --env {env} --who NAME --why REASON, and commit what it writes");
    let refused = |message: String| {
        Finding::new(message)
            .evidence("read_from", policy.read_from.as_str())
            .help(approve.clone())
    };
    let file = match &policy.approved {
        Loaded::Valid(file) => file,
        Loaded::NotInCommit { on_disk } => {
            return refused(format!(
                "{} has no {APPROVED_LIMITS_PATH}{}, so nothing is approved",
                policy.read_from,
                if *on_disk {
                    " (it is only on disk)"
                } else {
                    ""
                }
            ))
            .fail();
        }
        Loaded::Refused { diagnostics } => {
            return refused(format!(
                "{APPROVED_LIMITS_PATH} of {} is not valid, so nothing is approved",
                policy.read_from
            ))
            .mistakes(diagnostics)
            .help("correct the place above and commit")
            .fail();
        }
    };
    let Some(approved) = file.approved(env) else {
        return refused(format!(
            "{APPROVED_LIMITS_PATH} of {} approves nothing for env {env}",
            policy.read_from
        ))
        .fail();
    };
    let declared = looser::limits_of(manifest);
    let (loosened, tighter) = compare(&approved, &declared);
    if !loosened.is_empty() {
        return refused(format!(
            "{} of {} limits of {} {} looser than approved",
            loosened.len(),
            declared.len(),
            document.path,
            if loosened.len() == 1 { "is" } else { "are" }
        ))
        .seen(loosened)
        .help(format!(
            "tighten {}, or let somebody answer for it: {approve}",
            document.path
        ))
        .fail();
    }
    Finding::new(format!(
        "{} limits are as approved or tighter{} (approved in {})",
        declared.len(),
        match tighter.len() {
            0 => String::new(),
            count => format!(", {count} tighter"),
        },
        policy.read_from
    ))
    .evidence("tighter", tighter)
    .evidence("read_from", policy.read_from.as_str())
    .pass()
}

/// The limits that are looser or do not compare, in words; and the keys that are tighter.
fn compare(
    approved: &BTreeMap<&str, &Value>,
    declared: &BTreeMap<String, Value>,
) -> (Vec<String>, Vec<String>) {
    let (mut loosened, mut tighter) = (Vec::new(), Vec::new());
    for row in looser::limits() {
        let (was, is) = (approved.get(row.key).copied(), declared.get(row.key));
        let told = |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), shown);
        let line = |why: &str| {
            format!(
                "{}: approved {}, declared {} ({why})",
                row.key,
                told(was),
                told(is)
            )
        };
        match row.compare(was, is) {
            Compared::Same => {}
            Compared::Tighter => tighter.push(row.key.to_owned()),
            Compared::Looser => loosened.push(line(row.looser.words())),
            Compared::Refused(why) => loosened.push(line(&why)),
        }
    }
    (loosened, tighter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Fact, Missing};
    use crate::files::approved_limits::{ApprovedLimits, LimitValue};
    use crate::fixtures::{check, facts, manifest_mut};
    use crate::report::Status;
    use crate::targets::Class;
    use serde_json::json;

    fn ci() -> Facts {
        let mut facts = facts();
        facts.env.class = Class::Ci;
        facts
    }

    fn approved(facts: &mut Facts) -> &mut ApprovedLimits {
        match &mut facts.policy.value.as_mut().unwrap().approved {
            Loaded::Valid(file) => file,
            Loaded::NotInCommit { .. } | Loaded::Refused { .. } => panic!("the fixture approves"),
        }
    }

    fn limits(facts: &mut Facts) -> &mut BTreeMap<String, LimitValue> {
        &mut approved(facts).env.get_mut("local").unwrap().limits
    }

    #[test]
    fn passing() {
        check(
            "LC-205",
            &ci(),
            Status::Pass,
            "limits are as approved or tighter",
        );
    }

    #[test]
    fn failing() {
        let mut raised = ci();
        manifest_mut(&mut raised).max_exposure_usd = "20.01".parse().unwrap();
        let result = check("LC-205", &raised, Status::Fail, "1 of 26 limits");
        assert_eq!(
            result.seen().next(),
            Some("max_exposure_usd: approved \"20\", declared \"20.01\" (higher is looser)")
        );
        assert!(result.help.unwrap().contains("launch approve --env local"));
        let mut hurried = ci();
        manifest_mut(&mut hurried).safeguards.min_entry_interval_ms = 1.try_into().unwrap();
        check("LC-205", &hurried, Status::Fail, "(lower is looser)");
        // In class local it warns.
        raised.env.class = Class::Local;
        check("LC-205", &raised, Status::Warn, "1 of 26 limits");
    }

    #[test]
    fn nothing_null_or_zero_is_no_approval() {
        let mut absent = ci();
        limits(&mut absent).remove("max_exposure_usd");
        check("LC-205", &absent, Status::Fail, "approved nothing");
        for odd in [json!(null), json!(0), json!("0")] {
            let mut facts = ci();
            limits(&mut facts).insert("max_exposure_usd".to_owned(), LimitValue(odd));
            check("LC-205", &facts, Status::Fail, "max_exposure_usd: approved");
        }
        let mut other = ci();
        other.env.name = "elsewhere".to_owned();
        check(
            "LC-205",
            &other,
            Status::Fail,
            "approves nothing for env elsewhere",
        );
        let mut none = ci();
        none.policy.value.as_mut().unwrap().approved = Loaded::NotInCommit { on_disk: true };
        check("LC-205", &none, Status::Fail, "only on disk");
        let mut broken = ci();
        broken.policy.value.as_mut().unwrap().approved = Loaded::Refused {
            diagnostics: vec!["planted".into()],
        };
        check("LC-205", &broken, Status::Fail, "planted");
    }

    #[test]
    fn a_program_that_checks_less_than_the_base_is_refused() {
        let mut facts = ci();
        let mut base = CheckSet::of_this_program();
        facts.policy.value.as_mut().unwrap().check_set = Some(base.clone());
        check("LC-205", &facts, Status::Pass, "limits are as approved");
        let row = base.checks["LC-305"].clone();
        base.checks.insert("LC-399".to_owned(), row);
        facts.policy.value.as_mut().unwrap().check_set = Some(base);
        check(
            "LC-205",
            &facts,
            Status::Fail,
            "LC-399 model golden is gone",
        );
    }

    #[test]
    fn just_inside() {
        let mut tighter = ci();
        manifest_mut(&mut tighter).max_exposure_usd = "19.99".parse().unwrap();
        check("LC-205", &tighter, Status::Pass, ", 1 tighter");
        let mut spelt = ci();
        manifest_mut(&mut spelt).max_exposure_usd = "20.00".parse().unwrap();
        check("LC-205", &spelt, Status::Pass, "tighter (approved in HEAD)");
    }

    #[test]
    fn fact_missing() {
        let mut facts = ci();
        facts.policy = Fact::missing(Missing::new("the base branch is not here"), "base", 0);
        check(
            "LC-205",
            &facts,
            Status::Unknown,
            "the base branch is not here",
        );
        let mut facts = ci();
        facts.manifest = Fact::missing(Missing::new("HEAD cannot be read"), "HEAD", 0);
        check("LC-205", &facts, Status::Unknown, "HEAD cannot be read");
    }
}
