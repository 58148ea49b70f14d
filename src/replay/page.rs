//! `--html`: one self-contained page about a replay. No script, nothing fetched from anywhere.

use super::charts;
use super::document::{Document, time};
use super::human::score;
use super::play::Finished;
use super::played::Played;
use std::fmt::Write as _;
use trader_core::units::EpochMs;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}\
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem;border-bottom:1px solid #ccc}\
table{border-collapse:collapse}td,th{padding:.2rem .8rem .2rem 0;text-align:left;vertical-align:top}\
td.n{text-align:right;font-variant-numeric:tabular-nums}.bar{background:#005ab5;height:.8rem;display:inline-block}\
.verdict{padding:.6rem 1rem;border-left:.4rem solid #be1e2d;background:#faf3f3}.edge{border-color:#00803c;background:#f2faf5}\
.made{color:#9a5b00}code{font-size:.85em;word-break:break-all}svg{max-width:100%;height:auto}";

/// Text that is safe inside the page.
pub(super) fn escaped(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            '"' => "&quot;".to_owned(),
            '\'' => "&#39;".to_owned(),
            c => c.to_string(),
        })
        .collect()
}

/// The page.
pub(super) fn html(document: &Document, played: &Played, run: &Finished) -> String {
    let from = played.events.first().map_or(EpochMs(0), |event| event.t);
    let to = played.events.last().map_or(from, |event| event.t);
    let mut out = String::new();
    // Writing into a String cannot fail.
    let mut put = |text: &str| {
        let _infallible = writeln!(out, "{text}");
    };
    put("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">");
    put("<meta name=\"viewport\" content=\"width=device-width\">");
    put(&format!(
        "<title>replay of {}</title><style>{STYLE}</style></head><body>",
        escaped(&document.tape)
    ));
    put(&format!("<h1>Replay of {}</h1>", escaped(&document.tape)));
    let class = if document.edge_text.starts_with("edge") {
        "verdict edge"
    } else {
        "verdict"
    };
    put(&format!(
        "<p class=\"{class}\">{}</p>",
        escaped(&document.edge_text)
    ));
    put(&summary(document, from, to));
    put(
        "<h2>Reliability of the model</h2><p>On the line, predictions come true as often as they say; bars are 90 % intervals.</p>",
    );
    put(&charts::reliability(&document.calibration));
    put("<h2>Equity</h2>");
    if !document.synthesised.is_empty() && document.fills > 0 {
        put("<p class=\"made\">Traded on made data: this curve proves nothing about edge.</p>");
    }
    put(&charts::equity(run, from, to));
    put("<h2>Decisions</h2>");
    put(&charts::timeline(&run.decisions, from, to));
    put("<h2>Refusals by reason</h2>");
    put(&refusals(document));
    put("</body></html>");
    out
}

fn summary(document: &Document, from: EpochMs, to: EpochMs) -> String {
    let mut rows = vec![
        ("time", format!("{} to {}", time(from), time(to))),
        ("source", document.source.clone()),
        ("settlement", document.settlement.clone()),
        ("manifest", document.manifest.clone()),
        ("strategies", document.strategies.join(", ")),
        (
            "traded",
            format!(
                "{} windows, {} events, {} entries, {} fills, orders {} ms late",
                document.windows,
                document.events,
                document.entries,
                document.fills,
                document.latency_ms
            ),
        ),
        (
            "result",
            format!(
                "{} USD after {} USD of fees",
                document.pnl_usd, document.fees_usd
            ),
        ),
        ("model", score(&document.model)),
        ("market", score(&document.market)),
    ];
    if document.same_looks.model.n > 0 {
        let same = &document.same_looks;
        let both = format!(
            "model {} | market {}",
            score(&same.model),
            score(&same.market)
        );
        rows.push(("same looks", both));
    }
    if !document.missing.is_empty() {
        rows.push(("missing", document.missing.join(", ")));
    }
    for made in &document.synthesised {
        rows.push(("made", made.clone()));
    }
    for latched in &document.latched {
        rows.push(("latched", latched.clone()));
    }
    rows.push(("journal", document.journal_digest.clone()));
    let mut cells = String::new();
    for (name, value) in &rows {
        let value = escaped(value);
        let _infallible = writeln!(cells, "<tr><th>{name}</th><td>{value}</td></tr>");
    }
    format!("<table>\n{cells}</table>")
}

fn refusals(document: &Document) -> String {
    let mut rows: Vec<(&String, &u64)> = document.refusals.iter().collect();
    rows.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    let most = rows.first().map_or(1, |(_, n)| **n).max(1);
    if rows.is_empty() {
        return "<p>Nothing was refused.</p>".to_owned();
    }
    let mut cells = String::new();
    for (reason, n) in rows {
        // Whole per mille of the longest bar are fine enough for the eye.
        let per_mille = n.saturating_mul(1_000) / most;
        let _infallible = writeln!(
            cells,
            "<tr><td><code>{}</code></td><td class=\"n\">{n}</td>\
             <td style=\"width:24rem\"><span class=\"bar\" style=\"width:{}.{}%\"></span></td></tr>",
            escaped(reason),
            per_mille / 10,
            per_mille % 10
        );
    }
    format!("<table>\n{cells}</table>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_becomes_markup() {
        assert_eq!(
            escaped("<script src='x'>&\""),
            "&lt;script src=&#39;x&#39;&gt;&amp;&quot;"
        );
    }
}
