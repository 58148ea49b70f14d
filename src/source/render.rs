//! Draws a [`Diagnostic`] for people: title, caret, seen and wanted, help. The renderer is hidden here
//! so that it can change.

use super::diagnostic::{Diagnostic, Severity};
use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

/// Width that messages are laid out for; fixed, so that the same problem always looks the same.
const WIDTH_COLUMNS: usize = 110;

/// One problem as text that ends without a newline.
pub fn render(problem: &Diagnostic, color: bool) -> String {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Bug => Level::ERROR.with_name("bug"),
    };
    let title = level
        .primary_title(&*problem.message)
        .id(problem.code.as_str());
    let wanted = problem
        .wanted
        .as_ref()
        .map(|wanted| format!("wanted {wanted}"));
    let seen = problem.seen.as_ref().map(|seen| format!("seen {seen}"));
    let label = [&seen, &wanted]
        .into_iter()
        .filter_map(Option::as_deref)
        .collect::<Vec<_>>()
        .join(", ");
    let shown = problem
        .place
        .as_ref()
        .and_then(|place| Some((place.span.clone(), place.excerpt.as_deref()?)));
    let mut group = if let Some((span, text)) = shown {
        let annotation = AnnotationKind::Primary.span(span).label(seen.as_deref());
        let snippet = Snippet::source(text).path(&*problem.file);
        let group = title.element(snippet.annotation(annotation));
        match wanted.as_deref() {
            Some(wanted) => group.element(Level::NOTE.message(wanted)),
            None => group,
        }
    } else {
        let group = Group::with_title(title).element(Origin::path(&*problem.file));
        if label.is_empty() {
            group
        } else {
            group.element(Level::NOTE.message(label.as_str()))
        }
    };
    if let Some(help) = problem.help.as_deref() {
        group = group.element(Level::HELP.message(help));
    }
    let renderer = if color {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    renderer
        .decor_style(DecorStyle::Ascii)
        .term_width(WIDTH_COLUMNS)
        .render(&[group])
}

/// All problems, a blank line between two.
pub fn render_all(problems: &[Diagnostic], color: bool) -> String {
    problems
        .iter()
        .map(|problem| render(problem, color))
        .collect::<Vec<_>>()
        .join("\n\n")
}
