//! LC-103 files in the commit: every path that targets, manifest and strategies name is a regular file
//! of HEAD.
//!
//! Fails when one is only on disk (untracked, or kept out by an ignore rule), is a link, a directory,
//! a submodule or a Git LFS pointer, or leads out of the repository. The first push of incident 1
//! carried configuration without the code that reads it; this is the same loss the other way round.

use crate::facts::{Facts, Found, NamedPath, known};
use crate::outcome::{Finding, Outcome, Place};

pub(crate) fn run(facts: &Facts) -> Outcome {
    let files = known!(facts.files);
    if files.paths.is_empty() {
        return Finding::new("nothing names any file, so there is nothing to judge").unknown();
    }
    let wrong: Vec<(&NamedPath, String)> = files
        .paths
        .iter()
        .filter_map(|named| fault(&named.found).map(|what| (named, what)))
        .collect();
    let Some((first, _)) = wrong.first() else {
        return Finding::new(format!("{} named files are in HEAD", files.paths.len()))
            .evidence(
                "files",
                files
                    .paths
                    .iter()
                    .map(|n| n.path.as_str())
                    .collect::<Vec<_>>(),
            )
            .pass();
    };
    Finding::new(format!(
        "{} of {} named files {} not in HEAD",
        wrong.len(),
        files.paths.len(),
        if wrong.len() == 1 { "is" } else { "are" }
    ))
    .help(remedy(first))
    .at(wrong.iter().map(|(named, what)| {
        // The path itself has no line in HEAD: the file that names it has.
        let by = named.named_by.split(' ').next().unwrap_or_default();
        let file = if by.contains('/') { by } else { &named.path };
        Place::file(file, format!("{}: {what}", named.path))
    }))
    .seen(
        wrong
            .iter()
            .map(|(named, what)| format!("{} (named by {}): {what}", named.path, named.named_by)),
    )
    .fail()
}

fn fault(found: &Found) -> Option<String> {
    match found {
        Found::Blob { .. } => None,
        Found::Missing {
            on_disk: true,
            ignored: true,
        } => Some("on disk only, kept out of the commit by an ignore rule".to_owned()),
        Found::Missing {
            on_disk: true,
            ignored: false,
        } => Some("on disk only".to_owned()),
        Found::Missing { on_disk: false, .. } => Some("neither in HEAD nor on disk".to_owned()),
        Found::NotAFile(what) => Some(format!("{what}, not a regular file")),
        Found::Outside => Some("leads out of the repository".to_owned()),
    }
}

fn remedy(named: &NamedPath) -> String {
    match &named.found {
        Found::Missing {
            on_disk: true,
            ignored,
        } => {
            let force = if *ignored { "-f " } else { "" };
            format!("git add {force}{} && git commit", named.path)
        }
        Found::Missing { on_disk: false, .. } | Found::Outside | Found::Blob { .. } => {
            format!(
                "write {} and commit it, or correct {}",
                named.path, named.named_by
            )
        }
        Found::NotAFile(_) => format!("commit {} as a plain file", named.path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Fact, Missing};
    use crate::fixtures::{check, facts};
    use crate::report::Status;

    fn with(found: Found) -> Facts {
        let mut facts = facts();
        facts.files.value.as_mut().unwrap().paths[1].found = found;
        facts
    }

    #[test]
    fn passing() {
        check(
            "LC-103",
            &facts(),
            Status::Pass,
            "3 named files are in HEAD",
        );
    }

    #[test]
    fn failing() {
        let ignored = with(Found::Missing {
            on_disk: true,
            ignored: true,
        });
        let result = check(
            "LC-103",
            &ignored,
            Status::Fail,
            "1 of 3 named files is not in HEAD",
        );
        assert!(result.seen().next().unwrap().contains("ignore rule"));
        assert!(
            result
                .help
                .unwrap()
                .starts_with("git add -f manifests/local.toml")
        );
        for (found, word) in [
            (
                Found::Missing {
                    on_disk: true,
                    ignored: false,
                },
                "on disk only",
            ),
            (
                Found::Missing {
                    on_disk: false,
                    ignored: false,
                },
                "neither",
            ),
            (Found::NotAFile("a symbolic link"), "a symbolic link"),
            (Found::Outside, "out of the repository"),
        ] {
            let result = check("LC-103", &with(found), Status::Fail, "not in HEAD");
            assert!(result.seen().next().unwrap().contains(word));
        }
    }

    #[test]
    fn just_inside() {
        check(
            "LC-103",
            &with(Found::Blob { bytes: 0 }),
            Status::Pass,
            "in HEAD",
        );
    }

    #[test]
    fn fact_missing() {
        let mut facts = facts();
        facts.files = Fact::missing(Missing::new("HEAD cannot be read"), "HEAD", 0);
        check("LC-103", &facts, Status::Unknown, "HEAD cannot be read");
        let mut empty = self::facts();
        empty.files.value.as_mut().unwrap().paths.clear();
        check("LC-103", &empty, Status::Unknown, "nothing names any file");
    }
}
