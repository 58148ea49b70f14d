//! `--card`: the page that hangs beside the bed. Pure: sheets in, text out.
//!
//! One page of 80 columns per target; needs no network and no kill file; holds no secret, only the
//! places where the tokens lie.

use crate::sheet::Sheet;
use crate::verdict::Verdict;
use serde_json::{Value, json};

/// Columns of a printed page.
const COLUMNS: usize = 80;
/// Stands for an id that is not known.
const OPEN: &str = "________";
/// Stands for the repository's page.
const REPOSITORY: &str = "https://github.com/OWNER/REPOSITORY";
/// What each verdict means, in one line; the order of the report, best first.
const MEANINGS: [(Verdict, &str); 6] = [
    (
        Verdict::Verified,
        "stopped, confirmed from outside the platform",
    ),
    (
        Verdict::NothingRunning,
        "the service exists and nothing of it is live",
    ),
    (Verdict::Reduced, "entries off, exits on; it keeps running"),
    (
        Verdict::PlatformOnly,
        "only the platform says stopped: go and look",
    ),
    (
        Verdict::Unverified,
        "something may still run: open the dashboard",
    ),
    (
        Verdict::Failed,
        "nobody answered; it runs: dashboard, phone, curl",
    ),
];

/// The cards as text: pages, parted by a form feed.
pub(crate) fn text(sheets: &[Sheet]) -> String {
    let pages: Vec<String> = sheets.iter().map(page).collect();
    pages.join("\u{c}")
}

/// The same for programs.
pub(crate) fn json(sheets: &[Sheet]) -> Value {
    let cards: Vec<Value> = sheets.iter().map(card).collect();
    json!({"schema_version": 1, "card": true, "cards": cards})
}

fn card(sheet: &Sheet) -> Value {
    let verdicts: Vec<Value> = MEANINGS
        .iter()
        .map(|(verdict, meaning)| {
            json!({"verdict": verdict, "exit": verdict.exit_code(), "meaning": meaning})
        })
        .collect();
    json!({
        "env": sheet.env,
        "is_filled": sheet.is_filled(),
        "platform": if sheet.is_local { "local" } else { "railway" },
        "endpoint": sheet.endpoint,
        "project_id": sheet.project_id,
        "environment_id": sheet.environment_id,
        "service_id": sheet.service_id,
        "deployment_id": sheet.deployment_id,
        "trader_url": sheet.trader_url,
        "dashboard_url": sheet.dashboard_url,
        "workflow_url": sheet.repository.as_deref().map(workflow),
        "token": places(sheet, true),
        "halt_token": places(sheet, false),
        "commands": [by_name(sheet), by_flags(sheet).join(" \\\n"), by_curl(sheet).join("\n")],
        "verdicts": verdicts,
        "lift_freeze": lift(sheet),
    })
}

fn page(sheet: &Sheet) -> String {
    let mut page = Page::default();
    let platform = if sheet.is_local {
        "this machine"
    } else {
        "railway"
    };
    page.line(&format!("STOP {} ({platform})", sheet.name()));
    page.line(&"=".repeat(COLUMNS));
    if !sheet.is_filled() {
        page.line("NOT FILLED IN: no kill file says which service this is. Print it again with");
        page.line(
            "--env NAME on the machine that deployed, or with --service-id, --environment-id",
        );
        page.line("and --project-id (the dashboard's address bar shows all three).");
    }
    page.line("1  On a machine that deployed it, from any directory:");
    page.block(&[by_name(sheet)]);
    page.line("2  On any machine, with the ids alone:");
    let flags: Vec<String> = with_continuations(&by_flags(sheet));
    page.block(&flags);
    let target = if sheet.deployment_id.is_some() {
        "what ran at the last deploy"
    } else {
        "one deployment"
    };
    page.line(&format!(
        "3  With curl: {target} (--print-curl: whatever runs)"
    ));
    page.block(&by_curl(sheet));
    page.line("");
    page.pair(
        "dashboard",
        sheet
            .dashboard_url
            .as_deref()
            .unwrap_or("https://railway.com/dashboard"),
    );
    page.pair(
        "phone",
        &workflow(sheet.repository.as_deref().unwrap_or(REPOSITORY)),
    );
    for (label, is_platform) in [("token", true), ("halt token", false)] {
        let mut label = label;
        for place in places(sheet, is_platform) {
            page.pair(label, &place);
            label = "  or";
        }
    }
    page.line("");
    page.line("What it says, and what that means:");
    for (verdict, meaning) in MEANINGS {
        page.line(&format!(
            "  {:<15} exit {}  {meaning}",
            verdict.as_str(),
            verdict.exit_code()
        ));
    }
    page.line("Exit 7 or in doubt: dashboard, remove every deployment; then the venue's page,");
    page.line("cancel every order. A stopped trader keeps its positions.");
    page.line("Back (only when you know why it stopped):");
    page.block(&[lift(sheet)]);
    page.text
}

fn by_name(sheet: &Sheet) -> String {
    format!("launch kill --env {}", sheet.name())
}

/// The stand-alone command, one flag a line.
fn by_flags(sheet: &Sheet) -> Vec<String> {
    let mut lines = vec!["launch-kill".to_owned()];
    let mut flag = |name: &str, value: Option<&str>| {
        lines.extend(value.map(|value| format!("  --{name} {value}")));
    };
    flag("env", sheet.env.as_deref().filter(|_| sheet.is_local));
    flag(
        "service-id",
        Some(sheet.service_id.as_deref().unwrap_or(OPEN)),
    );
    flag("environment-id", sheet.environment_id.as_deref());
    flag("project-id", sheet.project_id.as_deref());
    flag("trader-url", sheet.trader_url.as_deref());
    let own = (sheet.endpoint != crate::RAILWAY).then_some(sheet.endpoint.as_str());
    flag("endpoint", own);
    lines
}

fn with_continuations(lines: &[String]) -> Vec<String> {
    let last = lines.len().saturating_sub(1);
    let join = |(at, line): (usize, &String)| {
        if at == last {
            line.clone()
        } else {
            format!("{line} \\")
        }
    };
    lines.iter().enumerate().map(join).collect()
}

/// One stop: sh and curl.
fn by_curl(sheet: &Sheet) -> Vec<String> {
    let id = sheet.deployment_id.as_deref().unwrap_or(OPEN);
    let mut lines = Vec::new();
    if let (true, Some((token, _))) = (sheet.is_local, &sheet.token_files) {
        lines.push("RAILWAY_TOKEN=$(cat \\".to_owned());
        lines.push(format!(
            "  {})",
            crate::curl::quoted(&token.to_string_lossy())
        ));
    }
    lines.extend([
        "curl -sS -m 15 -A launch-kill/curl -H 'Content-Type: application/json' \\".to_owned(),
        "  -H \"Project-Access-Token: $RAILWAY_TOKEN\" \\".to_owned(),
        format!("  '{}?query=DeploymentStop' \\", sheet.endpoint),
        "  -d '{\"operationName\":\"DeploymentStop\",\"variables\":".to_owned(),
        format!("  {{\"id\":\"{id}\"}},\"query\":"),
        "  \"mutation DeploymentStop($id: String!) { deploymentStop(id: $id) }\"}'".to_owned(),
    ]);
    lines
}

/// Where a token is looked for, in order.
fn places(sheet: &Sheet, is_platform: bool) -> Vec<String> {
    let file = sheet.token_files.as_ref().map(|(platform, halt)| {
        let path = if is_platform { platform } else { halt };
        format!("the file {}", path.display())
    });
    let variables: Vec<String> = if is_platform {
        let api = (!sheet.is_local).then(|| "$RAILWAY_API_TOKEN (account or workspace)".to_owned());
        let own = sheet.token_variables.iter();
        own.map(|name| format!("${name}")).chain(api).collect()
    } else {
        vec!["$LAUNCH_HALT_TOKEN".to_owned()]
    };
    if sheet.is_local {
        return file.into_iter().chain(variables).collect();
    }
    variables.into_iter().chain(file).collect()
}

fn workflow(repository: &str) -> String {
    format!("{repository}/actions/workflows/kill.yml")
}

fn lift(sheet: &Sheet) -> String {
    format!(
        "launch reenable --env {} --reason \"WHAT WAS WRONG\"",
        sheet.name()
    )
}

/// Lines of at most [`COLUMNS`].
#[derive(Debug, Default)]
struct Page {
    text: String,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// Commands, indented and never folded: a folded one would not run.
    fn block(&mut self, lines: &[String]) {
        for line in lines {
            self.line(&format!("     {line}"));
        }
    }

    /// A label and its value, folded where the paper ends.
    fn pair(&mut self, label: &str, value: &str) {
        let mut label = label;
        for part in folded(value, COLUMNS - 12) {
            self.line(&format!("{label:<12}{part}"));
            label = "";
        }
    }
}

/// Breaks a long text behind `/`, `?` or a space, else anywhere.
fn folded(text: &str, width: usize) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest: Vec<char> = text.chars().collect();
    while rest.len() > width {
        let head = rest.get(..width).unwrap_or_default();
        let at = head
            .iter()
            .rposition(|c| matches!(c, '/' | '?' | ' '))
            .map_or(width, |at| at.saturating_add(1));
        let tail = rest.split_off(at.clamp(1, width));
        parts.push(rest.into_iter().collect());
        rest = tail;
    }
    parts.push(rest.into_iter().collect());
    parts
}
