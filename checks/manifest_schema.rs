//! LC-201 manifest schema: the environment's manifest is valid against the effective schema, in which
//! the strategies found in HEAD are the only ones that may be listed.
//!
//! Fails on an unknown, missing, null, zero or mistyped key and on a strategy that is not in HEAD, each
//! with file, line, column, the value seen and the value wanted; and on `mode = "live"` anywhere but in
//! class production, which no schema of the manifest alone can say. A file of policy beside it (approved
//! limits, waivers) that is not valid fails it too: nothing would be read from it. (`launch.toml` itself is read before
//! any check: without it there is nothing to judge and the exit code is 2.)

use crate::facts::{Facts, Loaded, known};
use crate::outcome::{Finding, Mistake, Outcome};
use crate::targets::Class;
use trader_core::manifest::Mode;

pub(crate) fn run(facts: &Facts) -> Outcome {
    let manifest = known!(facts.manifest);
    let beside = known!(facts.broken_files);
    let path = &manifest.path;
    match &manifest.loaded {
        Loaded::Valid(_) if !beside.is_empty() => {
            let names: Vec<&str> = beside.iter().map(|file| file.path.as_str()).collect();
            let mistakes: Vec<Mistake> = beside
                .iter()
                .flat_map(|file| file.diagnostics.iter().cloned())
                .collect();
            Finding::new(format!("{path} is valid, and {} is not", names.join(", ")))
                .mistakes(&mistakes)
                .help("correct the places above and commit")
                .fail()
        }
        Loaded::Valid(valid)
            if valid.mode == Mode::Live && facts.env.class != Class::Production =>
        {
            Finding::new(format!(
                "{path} declares mode live, and [env.{}] is class {}: only class production may",
                facts.env.name, facts.env.class
            ))
            .evidence("manifest", path.as_str())
            .evidence("mode", valid.mode.to_string())
            .help(format!("write mode = \"paper\" in {path} and commit it"))
            .fail()
        }
        Loaded::Valid(valid) => Finding::new(format!(
            "{path} is valid: mode {}, {} keys",
            valid.mode,
            valid.flattened().len()
        ))
        .evidence("manifest", path.as_str())
        .evidence("mode", valid.mode.to_string())
        .pass(),
        Loaded::NotInCommit { on_disk } => Finding::new(format!("{path} is not in HEAD"))
            .evidence("manifest", path.as_str())
            .help(if *on_disk {
                format!("git add {path} && git commit")
            } else {
                format!(
                    "write {path} and commit it, or correct launch.toml [env.{}]",
                    facts.env.name
                )
            })
            .fail(),
        Loaded::Refused { diagnostics } => Finding::new(format!(
            "{path} has {} {}",
            diagnostics.len(),
            if diagnostics.len() == 1 {
                "mistake"
            } else {
                "mistakes"
            }
        ))
        .evidence("manifest", path.as_str())
        .mistakes(diagnostics)
        .help(
            "correct the places above and commit; launch schema --effective prints what is allowed",
        )
        .fail(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Fact, Missing};
    use crate::fixtures::{check, facts, manifest_mut, refuse_manifest};
    use crate::report::Status;

    #[test]
    fn a_broken_file_of_policy_fails_too() {
        let mut facts = facts();
        facts.broken_files.value = Ok(vec![crate::facts::BrokenFile {
            path: "manifests/waivers.toml".to_owned(),
            diagnostics: vec!["planted".into()],
        }]);
        let result = check("LC-201", &facts, Status::Fail, "planted");
        assert!(result.message.contains("manifests/waivers.toml is not"));
    }

    #[test]
    fn passing() {
        check(
            "LC-201",
            &facts(),
            Status::Pass,
            "manifests/local.toml is valid: mode paper, 28 keys",
        );
    }

    #[test]
    fn failing() {
        let mut facts = facts();
        refuse_manifest(
            &mut facts,
            "manifests/local.toml:3:1: unknown key `max_exposre_usd`",
        );
        let result = check("LC-201", &facts, Status::Fail, "1 mistake");
        assert!(result.seen().next().unwrap().contains(":3:1"));
        facts.manifest.value.as_mut().unwrap().loaded = Loaded::NotInCommit { on_disk: true };
        check("LC-201", &facts, Status::Fail, "not in HEAD");
    }

    #[test]
    fn live_is_for_class_production_alone() {
        let mut facts = facts();
        manifest_mut(&mut facts).mode = Mode::Live;
        for class in [Class::Local, Class::Ci, Class::Staging] {
            facts.env.class = class;
            check("LC-201", &facts, Status::Fail, "only class production may");
        }
        facts.env.class = Class::Production;
        check("LC-201", &facts, Status::Pass, "mode live");
    }

    #[test]
    fn just_inside() {
        let mut facts = facts();
        manifest_mut(&mut facts).window.min_elapsed_secs = 0;
        check("LC-201", &facts, Status::Pass, "is valid");
    }

    #[test]
    fn fact_missing() {
        let mut facts = facts();
        facts.manifest = Fact::missing(Missing::new("HEAD cannot be read"), "HEAD", 0);
        check("LC-201", &facts, Status::Unknown, "HEAD cannot be read");
    }
}
