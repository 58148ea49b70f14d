//! The lines that the bench prints.

use crate::clock::Runs;

/// What a figure is held against.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Limit {
    AtLeast(f64),
    AtMost(f64),
    None,
}

/// Prints line by line.
#[derive(Debug, Default)]
pub(crate) struct Table {
    headed: bool,
}

impl Table {
    /// A figure with its unit, its limit, and how it stands to something else.
    pub(crate) fn line(&mut self, what: &str, seen: f64, unit: &str, limit: Limit, beside: &str) {
        if !self.headed {
            self.headed = true;
            println!(
                "{:<58} {:>14}  {:>16}  beside",
                "figure", "measured", "limit"
            );
        }
        let (bound, over) = match limit {
            Limit::AtLeast(least) => (format!(">= {}", grouped(least)), seen < least),
            Limit::AtMost(most) => (format!("<= {}", grouped(most)), seen > most),
            Limit::None => (String::new(), false),
        };
        let mark = if over { " over" } else { "" };
        let seen = grouped(seen);
        println!("{what:<58} {seen:>10} {unit:<4} {bound:>16}{mark}  {beside}");
    }

    /// Nanoseconds per call.
    pub(crate) fn nanos(&mut self, what: &str, per_call: Runs, limit: Limit, beside: &str) {
        let beside = format!("(median {:.1}) {beside}", per_call.median);
        self.line(what, per_call.fastest, "ns", limit, &beside);
    }

    /// Events a second, from nanoseconds per event.
    pub(crate) fn rate(&mut self, what: &str, per_event: Runs, limit: Limit, beside: &str) {
        let (most, usual) = (1e9 / per_event.fastest, 1e9 / per_event.median);
        let beside = format!("(median {}) {beside}", grouped(usual));
        self.line(what, most, "/s", limit, &beside);
    }
}

/// Whole numbers in groups of three; small ones with two decimals.
fn grouped(value: f64) -> String {
    if value < 1_000.0 {
        let text = format!("{value:.2}");
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
