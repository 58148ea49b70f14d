//! What was told of one environment, for people. Returns text; never prints.

use super::look::Told;
use std::fmt::Write;

/// Writing to a `String` cannot fail; the result is looked at so that nothing is dropped unseen.
fn line(text: &mut String, line: &str) {
    let _is_written = writeln!(text, "{}", line.trim_end()).is_ok();
}

/// One environment.
pub(super) fn human(told: &Told) -> String {
    let mut text = String::new();
    let by = match (told.source, &told.read_at, told.age_ms) {
        (Some(source), Some(at), Some(age)) => {
            format!("told by the {source} at {at}, {age} ms ago")
        }
        _ => "UNKNOWN: nobody could tell".to_owned(),
    };
    line(&mut text, &format!("{}: {by}", told.env));
    if let Some(positions) = &told.positions {
        text.push_str(&launch_kill::render::positions(positions));
    }
    if let Some(open) = told.open_orders {
        line(&mut text, &format!("  open orders {open}"));
    }
    for order in told.orders.iter().flatten() {
        line(&mut text, &format!("    {}", order.describe()));
    }
    for note in &told.notes {
        line(&mut text, &format!("  note        {note}"));
    }
    text
}
