//! `launch init`: a complete new project that passes `launch preflight --env local` once it is
//! committed and pushed.
//!
//! Never overwrites: everything is checked before the first byte is written, each file goes to a
//! temporary name and is renamed, and what was written is taken back when a later file fails. Must not
//! run git or ask the network.

mod files;
mod write;

use crate::context::{Context, Format, NoState};
use crate::exit::Exit;
use files::{Options, PinnedTrader, RailwayIds};
use serde_json::json;
use std::path::{Path, PathBuf};

/// `launch init`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  launch init my-trader
  launch init . --branch master
  launch init my-trader --project-id P --environment-id E --service-id S
  launch init my-trader --trader-url URL --trader-sha256 HEX
  launch init my-trader --gate-source URL --gate-rev COMMIT
Never overwrites a file.")]
pub struct InitArgs {
    /// Where; made if it does not exist.
    #[arg(default_value = ".", value_name = "DIR")]
    pub dir: PathBuf,
    /// The git remote that the platform deploys from.
    #[arg(long, default_value = "origin", value_parser = name)]
    pub remote: String,
    /// The deploy branch.
    #[arg(long, default_value = "main", value_parser = name)]
    pub branch: String,
    /// Railway's project: staging goes there instead of this machine.
    #[arg(long, value_name = "ID", requires_all = ["environment_id", "service_id"], value_parser = id)]
    pub project_id: Option<String>,
    /// Railway's environment for staging.
    #[arg(long, value_name = "ID", requires_all = ["project_id", "service_id"], value_parser = id)]
    pub environment_id: Option<String>,
    /// Railway's service that runs the trader.
    #[arg(long, value_name = "ID", requires_all = ["project_id", "environment_id"], value_parser = id)]
    pub service_id: Option<String>,
    /// Where the Dockerfile downloads the trader from.
    #[arg(long, value_name = "URL", requires = "trader_sha256", value_parser = url)]
    pub trader_url: Option<String>,
    /// What the trader must hash to: another program ends the build.
    #[arg(long, value_name = "HEX", requires = "trader_url", value_parser = sha256)]
    pub trader_sha256: Option<String>,
    /// The trader's version, as it reports it.
    #[arg(long, value_name = "VERSION", default_value = env!("CARGO_PKG_VERSION"), requires = "trader_url", value_parser = version)]
    pub trader_version: String,
    /// The git URL of the launch that the merge gate builds.
    #[arg(long, value_name = "URL", requires = "gate_rev", value_parser = url)]
    pub gate_source: Option<String>,
    /// The commit of that launch, in full.
    #[arg(long, value_name = "COMMIT", requires = "gate_source", value_parser = commit)]
    pub gate_rev: Option<String>,
}

/// An address that can stand in a Dockerfile and a workflow without being anything else there.
fn url(text: &str) -> Result<String, String> {
    let plain = |c: char| {
        c.is_ascii_alphanumeric()
            || matches!(c, ':' | '/' | '.' | '-' | '_' | '~' | '%' | '+' | '@')
    };
    let starts = ["https://", "ssh://", "file:///"]
        .iter()
        .any(|scheme| text.starts_with(scheme));
    // Whatever stands before an @ in a web address would be a secret in a committed file.
    let no_secret = text.starts_with("ssh://") || !text.contains('@');
    if starts && no_secret && text.len() <= 500 && text.chars().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("wanted an address like https://host/path, without user, password or query".to_owned())
    }
}

fn hex(text: &str, length: usize, what: &str) -> Result<String, String> {
    let digits = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    if text.len() == length && text.chars().all(digits) {
        Ok(text.to_owned())
    } else {
        Err(format!("wanted {what}: {length} hex digits in lower case"))
    }
}

fn sha256(text: &str) -> Result<String, String> {
    hex(text, 64, "a sha256")
}

fn commit(text: &str) -> Result<String, String> {
    hex(
        text,
        40,
        "a commit in full, because a branch or tag can move",
    )
}

fn version(text: &str) -> Result<String, String> {
    let rest = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+');
    if text.starts_with(|c: char| c.is_ascii_digit()) && text.chars().all(rest) {
        Ok(text.to_owned())
    } else {
        Err("wanted a version like 0.1.0".to_owned())
    }
}

/// A remote or branch name that the targets schema takes.
fn name(text: &str) -> Result<String, String> {
    let rest = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/' | '-');
    let starts = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    if starts && text.len() <= 100 && text.chars().all(rest) {
        Ok(text.to_owned())
    } else {
        Err(
            "wanted letters, digits, _ . / - and no other first than a letter, digit or _"
                .to_owned(),
        )
    }
}

/// An id that the targets schema takes.
fn id(text: &str) -> Result<String, String> {
    let valid = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if !text.is_empty() && text.len() <= 64 && text.chars().all(valid) {
        Ok(text.to_owned())
    } else {
        Err("wanted an id as Railway's dashboard shows it: letters, digits and dashes".to_owned())
    }
}

impl InitArgs {
    fn trader(&self) -> Option<PinnedTrader> {
        Some(PinnedTrader {
            url: self.trader_url.clone()?,
            sha256: self.trader_sha256.clone()?,
            version: self.trader_version.clone(),
        })
    }

    fn railway(&self) -> Option<RailwayIds> {
        match (&self.project_id, &self.environment_id, &self.service_id) {
            (Some(project), Some(environment), Some(service)) => Some(RailwayIds {
                project: project.clone(),
                environment: environment.clone(),
                service: service.clone(),
            }),
            _ => None,
        }
    }
}

/// Runs `launch init`: 2 when a file is in the way or cannot be written.
pub fn run(args: &InitArgs, ctx: &Context<NoState>) -> Exit {
    let dir = ctx.cwd.join(&args.dir);
    let options = Options {
        name: project_name(&dir),
        remote: args.remote.clone(),
        branch: args.branch.clone(),
        railway: args.railway(),
        trader: args.trader(),
        gate: args.gate_source.clone().zip(args.gate_rev.clone()),
    };
    let files = files::files(&options);
    if let Err(error) = write::write_all(&dir, &files) {
        ctx.error(&error.to_string());
        return Exit::Usage;
    }
    let next = next_commands(args);
    let text = if ctx.format == Format::Human {
        human(&args.dir, &files, &next)
    } else {
        let paths: Vec<&str> = files.iter().map(|(path, _)| path.as_str()).collect();
        let document = json!({ "schema_version": 1, "dir": dir, "files": paths, "next": next });
        format!("{document:#}\n")
    };
    ctx.document(&text);
    Exit::Ok
}

/// The folder's name, for the README.
fn project_name(dir: &Path) -> String {
    let full = std::path::absolute(dir).unwrap_or_else(|_| dir.to_path_buf());
    full.components()
        .next_back()
        .map(|last| last.as_os_str().to_string_lossy().into_owned())
        .filter(|name| !["/", ".", ".."].contains(&name.as_str()))
        .unwrap_or_else(|| "trader".to_owned())
}

fn next_commands(args: &InitArgs) -> Vec<String> {
    let (remote, branch) = (&args.remote, &args.branch);
    let mut next = Vec::new();
    if args.dir != Path::new(".") {
        next.push(format!("cd {}", args.dir.display()));
    }
    next.extend([
        format!("git init -b {branch}    # unless it is a repository already"),
        "git add -A && git commit -m \"launch: new project\"".to_owned(),
        format!("git remote add {remote} <URL> && git push -u {remote} {branch}"),
        "launch preflight --env local".to_owned(),
        "launch deploy --env staging".to_owned(),
    ]);
    next
}

fn human(dir: &Path, files: &[files::NewFile], next: &[String]) -> String {
    let mut out = format!("wrote {} files in {}\n", files.len(), dir.display());
    for (path, _) in files {
        out.push_str("  ");
        out.push_str(path);
        out.push('\n');
    }
    out.push_str("\nnext:\n");
    for command in next {
        out.push_str("  ");
        out.push_str(command);
        out.push('\n');
    }
    out
}
