//! LC-202 strategies known: each strategy that the manifest lists is exactly one file of HEAD, by its
//! stem.
//!
//! Fails on a listed id without a file (with the nearest id, also found by a file's label), on an id
//! with two files (`x.json` and `x.toml`) and on an id that is listed twice; reports files that nobody
//! lists. There is no fallback strategy. Incident 3: `probability-model` against a file that called
//! itself "Probability Model Only" fell back in silence.

use crate::facts::{Facts, StrategyDocument, known};
use crate::outcome::{Finding, Outcome};
use trader_core::near_miss::near_miss_of;

pub(crate) fn run(facts: &Facts) -> Outcome {
    let manifest = known!(facts.manifest);
    let files = known!(facts.strategies);
    let Some(listed) = &manifest.listed else {
        return Finding::new(format!(
            "the strategies that {} lists cannot be read",
            manifest.path
        ))
        .help("strategies = [\"id\", …]; LC-201 shows the place")
        .unknown();
    };
    let none = || {
        (
            "/strategies".to_owned(),
            "the manifest lists no strategy".to_owned(),
        )
    };
    let (pointers, faults): (Vec<String>, Vec<String>) = listed
        .iter()
        .enumerate()
        .filter_map(|(index, id)| {
            let fault = fault(index, id, listed, files)?;
            Some((format!("/strategies/{index}"), fault))
        })
        .chain(listed.is_empty().then(none))
        .unzip();
    let unlisted: Vec<&str> = files
        .iter()
        .map(|f| f.id.as_str())
        .filter(|id| !listed.iter().any(|l| l == id))
        .collect();
    let about = |finding: Finding| {
        finding
            .evidence("listed", listed.clone())
            .evidence(
                "files",
                files.iter().map(|f| f.path.as_str()).collect::<Vec<_>>(),
            )
            .evidence("unlisted", unlisted.clone())
    };
    if !faults.is_empty() {
        let finding = Finding::new(format!(
            "{} of the strategies that {} lists {} wrong",
            faults.len(),
            manifest.path,
            if faults.len() == 1 { "is" } else { "are" }
        ));
        let places = pointers.iter().zip(&faults);
        return about(finding)
            .at(places.map(|(pointer, fault)| manifest.place(pointer, fault)))
            .seen(faults)
            .help("list ids as launch strategies prints them: a file's stem, never its label")
            .fail();
    }
    let mut message = format!(
        "{} listed, each is one file: {}",
        listed.len(),
        listed.join(", ")
    );
    if !unlisted.is_empty() {
        message.push_str(" (not listed: ");
        message.push_str(&unlisted.join(", "));
        message.push(')');
    }
    about(Finding::new(message)).pass()
}

fn fault(index: usize, id: &str, listed: &[String], files: &[StrategyDocument]) -> Option<String> {
    if listed.iter().position(|other| other == id) != Some(index) {
        return Some(format!("{id:?} is listed twice"));
    }
    let paths: Vec<&str> = files
        .iter()
        .filter(|f| f.id == id)
        .map(|f| f.path.as_str())
        .collect();
    match paths.as_slice() {
        [_] => None,
        [] => Some(match nearest(id, files) {
            Some(file) => format!(
                "{id:?} is no strategy of HEAD (did you mean {:?}? {}{})",
                file.id,
                file.path,
                file.name
                    .as_ref()
                    .map(|name| format!(" calls itself {name:?}"))
                    .unwrap_or_default()
            ),
            None => format!("{id:?} is no strategy of HEAD"),
        }),
        several => Some(format!(
            "{id:?} is {} files: {}",
            several.len(),
            several.join(", ")
        )),
    }
}

/// The file whose id or label is most like `id`.
fn nearest<'a>(id: &str, files: &'a [StrategyDocument]) -> Option<&'a StrategyDocument> {
    near_miss_of(
        id,
        files.iter().flat_map(|file| {
            let names = std::iter::once(file.id.as_str()).chain(file.name.as_deref());
            names.map(move |name| (name, file))
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Fact, Missing};
    use crate::fixtures::{STRATEGY, check, facts, refuse_manifest};
    use crate::report::Status;

    fn listing(ids: &[&str]) -> Facts {
        let mut facts = facts();
        facts.manifest.value.as_mut().unwrap().listed =
            Some(ids.iter().map(|id| (*id).to_owned()).collect());
        facts
    }

    #[test]
    fn passing() {
        check(
            "LC-202",
            &facts(),
            Status::Pass,
            "1 listed, each is one file",
        );
    }

    #[test]
    fn failing() {
        let misspelled = listing(&["probabilty-edge"]);
        let result = check("LC-202", &misspelled, Status::Fail, "1 of the strategies");
        assert!(
            result
                .seen()
                .next()
                .unwrap()
                .contains("did you mean \"probability-edge\"")
        );
        check(
            "LC-202",
            &listing(&[STRATEGY, STRATEGY]),
            Status::Fail,
            "wrong",
        );
        check("LC-202", &listing(&[]), Status::Fail, "wrong");
        check("LC-202", &listing(&["zzz"]), Status::Fail, "wrong");
    }

    #[test]
    fn the_report_s_near_miss_names_the_label() {
        let mut facts = listing(&["probability-model"]);
        let file = &mut facts.strategies.value.as_mut().unwrap()[0];
        file.id = "probability-model-only".to_owned();
        file.name = Some("Probability Model Only".to_owned());
        let result = check("LC-202", &facts, Status::Fail, "wrong");
        let seen: Vec<&str> = result.seen().collect();
        assert!(
            seen[0].contains("did you mean \"probability-model-only\""),
            "{seen:?}"
        );
        assert!(
            seen[0].contains("calls itself \"Probability Model Only\""),
            "{seen:?}"
        );
    }

    #[test]
    fn one_id_in_two_files_fails() {
        let mut facts = facts();
        let files = facts.strategies.value.as_mut().unwrap();
        let mut twin = files[0].clone();
        twin.path = twin.path.replace(".json", ".toml");
        files.push(twin);
        let result = check("LC-202", &facts, Status::Fail, "wrong");
        assert!(result.seen().next().unwrap().contains("2 files"));
    }

    #[test]
    fn just_inside() {
        // A file that nobody lists is named, and is no fault.
        let mut facts = facts();
        let files = facts.strategies.value.as_mut().unwrap();
        let mut spare = files[0].clone();
        spare.id = "spare".to_owned();
        files.push(spare);
        check("LC-202", &facts, Status::Pass, "(not listed: spare)");
    }

    #[test]
    fn fact_missing() {
        let mut facts = facts();
        facts.strategies = Fact::missing(Missing::new("HEAD cannot be read"), "HEAD", 0);
        check("LC-202", &facts, Status::Unknown, "HEAD cannot be read");
        let mut unreadable = self::facts();
        unreadable.manifest.value.as_mut().unwrap().listed = None;
        check("LC-202", &unreadable, Status::Unknown, "cannot be read");
    }

    #[test]
    fn a_manifest_that_is_wrong_elsewhere_does_not_hide_a_misspelled_strategy() {
        let mut facts = listing(&["probabilty-edge"]);
        refuse_manifest(&mut facts, "planted");
        check("LC-202", &facts, Status::Fail, "wrong");
    }
}
