//! `--print-curl`: the shell lines that stop a target with curl alone. Pure: sheets in, text out.
//!
//! The lines stand in `stop.sh`, which is also the first step of the kill workflow; here only the
//! values are put before them. No secret is printed: the script reads the token where it lies.

use crate::sheet::Sheet;
use serde_json::{Value, json};
use std::fmt::Write;

/// The shell lines themselves: POSIX sh. Reads `ENDPOINT`, the ids, `TRADER_URL`, the tokens,
/// `REASON` and `REDUCE_ONLY` from variables.
pub const STOP_SCRIPT: &str = include_str!("stop.sh");

/// The script for one target.
fn script(sheet: &Sheet) -> String {
    let mut text = format!(
        "#!/bin/sh\n# Stops {} ({}), made by launch-kill {}.\n",
        sheet.name(),
        if sheet.is_local { "local" } else { "railway" },
        env!("CARGO_PKG_VERSION"),
    );
    let mut add = |line: &str| {
        text.push_str(line);
        text.push('\n');
    };
    if !sheet.is_filled() {
        add("# NOT FILLED IN: no kill file was found. Set SERVICE_ID (and ENVIRONMENT_ID) first:");
        add("# the dashboard's address bar shows both.");
    }
    add(&format!("ENDPOINT={}", quoted(&sheet.endpoint)));
    for (name, value) in [
        ("PROJECT_ID", &sheet.project_id),
        ("ENVIRONMENT_ID", &sheet.environment_id),
        ("SERVICE_ID", &sheet.service_id),
        ("DEPLOYMENT_ID", &sheet.deployment_id),
        ("TRADER_URL", &sheet.trader_url),
    ] {
        match value {
            Some(value) => add(&format!("{name}={}", quoted(value))),
            None => add(&format!("{name}=\"${{{name}:-}}\"")),
        }
    }
    for line in tokens(sheet) {
        add(&line);
    }
    text.push_str(STOP_SCRIPT);
    text
}

/// Where the tokens come from: for a target on this machine its own files only.
fn tokens(sheet: &Sheet) -> Vec<String> {
    let files = sheet.token_files.as_ref().map(|(platform, halt)| {
        let quoted = |path: &std::path::Path| quoted(&path.to_string_lossy());
        (quoted(platform), quoted(halt))
    });
    let mut lines = Vec::new();
    if sheet.is_local {
        lines.push("RAILWAY_TOKEN='' RAILWAY_API_TOKEN='' LAUNCH_HALT_TOKEN=''".to_owned());
    } else {
        let chain = sheet
            .token_variables
            .iter()
            .rev()
            .fold(String::new(), |inner, name| format!("${{{name}:-{inner}}}"));
        lines.push(format!("RAILWAY_TOKEN=\"{chain}\""));
    }
    if let Some((platform, halt)) = files {
        lines.push(format!(
            "[ -n \"$RAILWAY_TOKEN\" ] || RAILWAY_TOKEN=$(cat {platform} 2>/dev/null)"
        ));
        lines.push(format!(
            "[ -n \"${{LAUNCH_HALT_TOKEN:-}}\" ] || LAUNCH_HALT_TOKEN=$(cat {halt} 2>/dev/null)"
        ));
    }
    lines
}

/// One shell word, whatever it holds.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The lines for every target; the worst exit code decides.
pub(crate) fn text(sheets: &[Sheet]) -> String {
    if let [only] = sheets {
        return script(only);
    }
    let mut text = "#!/bin/sh\nworst=0\n".to_owned();
    for sheet in sheets {
        // Writing to a String cannot fail.
        let _ok = writeln!(text, "(\n{})\ncode=$?", script(sheet)).is_ok();
        text.push_str("[ \"$code\" -le \"$worst\" ] || worst=$code\n");
    }
    text.push_str("exit \"$worst\"\n");
    text
}

/// The same for programs.
pub(crate) fn json(sheets: &[Sheet]) -> Value {
    let scripts: Vec<Value> = sheets
        .iter()
        .map(|sheet| {
            json!({
                "env": sheet.env,
                "is_filled": sheet.is_filled(),
                "script": script(sheet),
            })
        })
        .collect();
    json!({"schema_version": 1, "print_curl": true, "scripts": scripts})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_ends_no_word() {
        assert_eq!(quoted("a'b"), r"'a'\''b'");
    }

    #[test]
    fn the_script_sends_the_documents_of_the_table() {
        // The same operations as the client's, on one line and without their comment.
        for name in [
            "ProjectToken",
            "DeploymentIds",
            "DeploymentStop",
            "DeploymentCancel",
        ]
        .into_iter()
        .chain(["DeploymentRemove", "AutoDeployUpdate"])
        {
            let op = crate::ops::ALL.iter().find(|op| op.name == name).unwrap();
            let lines = op.query.lines().filter(|line| !line.starts_with('#'));
            let words: Vec<&str> = lines.flat_map(str::split_whitespace).collect();
            let compact = words.join(" ");
            assert!(
                STOP_SCRIPT.contains(&format!("\"query\":\"{compact}\"")),
                "{compact}"
            );
        }
    }
}
