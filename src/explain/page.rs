//! One check's page: its section of `docs/checks.md`, as it was when this program was built.

use launch_checks::{Code, Phase, TABLE};
use serde_json::{Value, json};

/// The pages.
const PAGES: &str = include_str!("../../docs/checks.md");
/// What a page tells beside what the check proves, as it is labelled there.
pub(super) const LABELS: [(&str, &str); 3] = [
    ("See it fail:", "see_it_fail"),
    ("Fix:", "fix"),
    ("Taught by:", "taught_by"),
];
/// Width to which paragraphs are set, columns.
const WIDTH: usize = 80;

/// A check's page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    code: Code,
    title: &'static str,
    built: bool,
    /// The paragraphs of the section, as they are written.
    paragraphs: Vec<&'static str>,
}

/// Every page, in order of the codes.
pub(super) fn all() -> Vec<Page> {
    launch_checks::catalogue()
        .map(|(code, title)| Page {
            code,
            title,
            built: TABLE.iter().any(|row| row.code == code),
            paragraphs: section(code)
                .split("\n\n")
                .map(str::trim)
                .filter(|paragraph| !paragraph.is_empty())
                .collect(),
        })
        .collect()
}

/// The page of a code, however it is spelt (`lc-101`).
pub(super) fn of(typed: &str) -> Option<Page> {
    let code: Code = typed.trim().parse().ok()?;
    all().into_iter().find(|page| page.code == code)
}

/// The text under a code's heading, up to the next heading.
fn section(code: Code) -> &'static str {
    let heading = format!("\n## {code}\n");
    let Some((_, after)) = PAGES.split_once(&heading) else {
        return "";
    };
    let end = [after.find("\n## "), after.find("\n# ")]
        .into_iter()
        .flatten()
        .min();
    after.get(..end.unwrap_or(after.len())).unwrap_or_default()
}

impl Page {
    /// The section as it is written.
    pub(super) fn text(&self) -> String {
        self.paragraphs.join("\n\n")
    }

    /// What stands under a label, on one line.
    fn part(&self, label: &str) -> Option<String> {
        let holds = |paragraph: &&&str| paragraph.contains(label);
        let paragraph = self.paragraphs.iter().find(holds)?;
        let (_, after) = paragraph.split_once(label)?;
        let next = LABELS.iter().filter_map(|(other, _)| after.find(other));
        let end = next.min().unwrap_or(after.len());
        let words: Vec<&str> = after.get(..end)?.split_whitespace().collect();
        (!words.is_empty()).then(|| words.join(" "))
    }

    /// One line of the list.
    pub(super) fn line(&self) -> String {
        let note = if self.built { "" } else { "  (not built yet)" };
        format!("{}  {}{note}\n", self.code, self.title)
    }

    /// The whole page for people.
    pub(super) fn human(&self) -> String {
        let mut out = format!("{} {}\n", self.code, self.title);
        for paragraph in &self.paragraphs {
            out.push('\n');
            out.push_str(&set(&paragraph.replace("**", "")));
        }
        out
    }

    /// The code for programs, without its text.
    pub(super) fn summary(&self) -> Value {
        json!({
            "code": self.code,
            "title": self.title,
            "phase": self.phase().map(Phase::number),
            "built": self.built,
            "docs_url": format!("docs/checks.md#{}", self.code.anchor()),
        })
    }

    /// The page for programs.
    pub(super) fn json(&self) -> Value {
        let mut page = self.summary();
        if let Some(page) = page.as_object_mut() {
            page.insert("schema_version".to_owned(), json!(1));
            for (label, name) in LABELS {
                page.insert(name.to_owned(), json!(self.part(label)));
            }
            page.insert("text".to_owned(), json!(self.text()));
        }
        page
    }

    fn phase(&self) -> Option<Phase> {
        let built = TABLE.iter().find(|row| row.code == self.code);
        let unbuilt = launch_checks::UNBUILT
            .iter()
            .find(|row| row.code == self.code);
        built
            .map(|row| row.phase)
            .or_else(|| unbuilt.map(launch_checks::Unbuilt::phase))
    }
}

/// A paragraph in lines of at most [`WIDTH`] columns; lines of a list keep their beginnings.
fn set(paragraph: &str) -> String {
    let mut out = String::new();
    let mut column = 0;
    for line in paragraph.lines() {
        let starts_item = line.starts_with("- ") || line.starts_with("    ");
        if starts_item && column > 0 {
            out.push('\n');
            column = 0;
        }
        for word in line.split_whitespace() {
            let length = word.chars().count();
            if column > 0 && column + 1 + length > WIDTH {
                out.push('\n');
                column = 0;
            }
            if column > 0 {
                out.push(' ');
                column += 1;
            }
            out.push_str(word);
            column += length;
        }
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_page_that_fits_a_terminal() {
        let pages = all();
        assert_eq!(pages.len(), launch_checks::catalogue().count());
        for page in &pages {
            let first = page.paragraphs.first().copied().unwrap_or_default();
            let bold = format!("**{}.**", page.title);
            assert!(first.starts_with(&bold), "{}: {first}", page.code);
            for line in page.human().lines() {
                assert!(line.chars().count() <= WIDTH, "{}: {line}", page.code);
            }
            assert!(page.phase().is_some(), "{}", page.code);
        }
    }

    #[test]
    fn every_page_says_how_to_see_it_fail_how_to_fix_it_and_which_incident_taught_it() {
        for page in all() {
            for (label, _) in LABELS {
                let part = page.part(label);
                assert!(part.is_some(), "docs/checks.md {}: no {label:?}", page.code);
            }
        }
        let page = of("LC-103").unwrap().json();
        assert_eq!(page["fix"], "`git add -f` and commit.");
        let fails = page["see_it_fail"].as_str().unwrap();
        assert!(fails.starts_with("`git rm --cached`"), "{fails}");
    }

    #[test]
    fn no_code_has_two_pages() {
        for page in all() {
            let heading = format!("\n## {}\n", page.code);
            assert_eq!(PAGES.matches(&heading).count(), 1, "{}", page.code);
        }
        let headings = PAGES.matches("\n## LC-").count();
        assert_eq!(headings, all().len(), "a page without a code");
    }

    #[test]
    fn a_page_ends_where_the_next_begins() {
        let page = of("lc-101").unwrap().human();
        assert!(page.starts_with("LC-101 source committed\n"), "{page}");
        assert!(!page.contains("LC-102"), "{page}");
        let last_of_phase = of("LC-308").unwrap().human();
        assert!(!last_of_phase.contains("Phase 4"), "{last_of_phase}");
        assert_eq!(of("LC-999"), None);
    }
}
