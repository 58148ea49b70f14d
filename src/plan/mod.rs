//! `launch plan`: what a deploy would do, as one document with digests.
//!
//! Deploys nothing. Facts (`gather`) become an [`intent::Plan`]; rendering is apart.

pub mod gather;
pub mod intent;
mod pin;
pub mod render;
pub mod variables;

pub use pin::NO_SHA256;

use crate::context::{Context, Format};
use crate::exit::Exit;
use crate::receipts::lines;
use std::path::PathBuf;

/// Show what a deploy would do, with its digests.
///
/// Reads HEAD (not the disk), the target and the platform; deploys nothing. For a target on this
/// machine it starts the machine's own platform and makes its tokens.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  launch plan --env staging
  launch plan --env staging --out plan.json
  launch deploy --env staging --plan plan.json")]
pub struct PlanArgs {
    /// The environment, from manifests/launch.toml.
    #[arg(long, value_name = "NAME", default_value = "local")]
    pub env: String,
    /// Also write the plan to this file, for `launch deploy --plan`.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Another GraphQL address for a railway target.
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<String>,
}

/// Runs `launch plan`.
pub fn run(args: &PlanArgs, ctx: &Context) -> Exit {
    let runtime = match crate::runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            ctx.error(&format!("error: cannot start: {error}"));
            return Exit::Bug;
        }
    };
    let gathered = runtime.block_on(gather::gather(
        ctx,
        &args.env,
        args.endpoint.as_deref(),
        None,
    ));
    let plan = match gathered {
        Ok(gathered) => gathered.plan,
        Err(error) => return error.report(ctx),
    };
    if let Some(path) = &args.out {
        let path = ctx.cwd.join(path);
        if let Err(error) = lines::write_document(&path, &plan) {
            ctx.error(&format!("error: {error}"));
            return Exit::Usage;
        }
        ctx.note(&format!("plan written to {}", path.display()));
    }
    match ctx.format {
        Format::Human => ctx.document(&render::human(&plan)),
        Format::Json => ctx.document(&as_json(&plan)),
    }
    Exit::Ok
}

/// A document as JSON that ends with a newline.
pub fn as_json<T: serde::Serialize>(document: &T) -> String {
    serde_json::to_string_pretty(document).map_or_else(
        |error| format!("{{\"error\": \"{error}\"}}\n"),
        |text| format!("{text}\n"),
    )
}
