//! `launch schema`: prints a schema, plain or effective.

use super::checks;
use super::columns::columns;
use super::project::ProjectFiles;
use super::{committed, effective_manifest_schema, effective_strategy_schema, file_name};
use crate::context::{Context, Format, NoState};
use crate::exit::Exit;
use crate::source::{Diagnostic, exit_of, find_strategies, render_all};
use clap::ValueEnum as _;
use serde_json::{Map, Value};

/// `launch schema`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  launch schema                          which schemas there are
  launch schema manifest                 the plain one, as in schemas/
  launch schema manifest --effective     with the strategy ids of HEAD (LC-201)
  launch schema strategy --effective     with the registered components
  launch schema --effective --format json   all of them in one document
  launch schema checks --against FILE    what the checks lost against FILE")]
pub struct SchemaArgs {
    /// Which schema; without it, a list.
    #[arg(value_enum)]
    pub name: Option<SchemaName>,
    /// With what this project and this program really offer: strategy ids, components, options.
    #[arg(long)]
    pub effective: bool,
    /// Compare the table of checks with an earlier one: no code may be gone or count for less.
    #[arg(long, value_name = "FILE", conflicts_with = "effective")]
    pub against: Option<std::path::PathBuf>,
}

/// The schemas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum SchemaName {
    /// A launch manifest.
    Manifest,
    /// A strategy file.
    Strategy,
    /// The targets file, launch.toml.
    Targets,
    /// The approved limits.
    ApprovedLimits,
    /// The table of checks with what each counts for: no schema, but kept and compared beside them.
    Checks,
    /// The waivers.
    Waivers,
}

impl SchemaName {
    fn file(self) -> String {
        if self == Self::Checks {
            checks::CHECKS_FILE.to_owned()
        } else {
            file_name(self.as_str())
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Strategy => "strategy",
            Self::Targets => "targets",
            Self::ApprovedLimits => "approved-limits",
            Self::Checks => "checks",
            Self::Waivers => "waivers",
        }
    }

    const fn judges(self) -> &'static str {
        match self {
            Self::Manifest => "manifests/<name>.toml or .json",
            Self::Strategy => "manifests/strategies/<id>.json or .toml",
            Self::Targets => "manifests/launch.toml",
            Self::ApprovedLimits => "manifests/approved-limits.toml",
            Self::Checks => "the checks of this program, for --against",
            Self::Waivers => "manifests/waivers.toml",
        }
    }
}

/// Runs `launch schema`.
pub fn run(args: &SchemaArgs, ctx: &Context<NoState>) -> Exit {
    if let Some(path) = &args.against {
        if args.name != Some(SchemaName::Checks) {
            ctx.error(
                "--against compares the table of checks: launch schema checks --against FILE",
            );
            return Exit::Usage;
        }
        return checks::against(path, ctx);
    }
    match document(args, ctx) {
        Ok(text) => {
            ctx.document(&text);
            Exit::Ok
        }
        Err(problems) => {
            ctx.error(&render_all(&problems, false));
            exit_of(&problems)
        }
    }
}

fn document(args: &SchemaArgs, ctx: &Context<NoState>) -> Result<String, Vec<Diagnostic>> {
    let pretty = |value: &Value| format!("{value:#}\n");
    match (args.name, ctx.format) {
        (Some(name), _) => Ok(pretty(&one(name, args.effective, ctx)?)),
        (None, Format::Human) => {
            let rows: Vec<[String; 3]> = SchemaName::value_variants()
                .iter()
                .map(|name| {
                    [
                        name.as_str().to_owned(),
                        format!("schemas/{}", name.file()),
                        name.judges().to_owned(),
                    ]
                })
                .collect();
            Ok(columns(&rows))
        }
        (None, _) => {
            let mut all = Map::new();
            for name in SchemaName::value_variants() {
                all.insert(name.as_str().to_owned(), one(*name, args.effective, ctx)?);
            }
            Ok(pretty(&Value::Object(all)))
        }
    }
}

fn one(
    name: SchemaName,
    effective: bool,
    ctx: &Context<NoState>,
) -> Result<Value, Vec<Diagnostic>> {
    let file = name.file();
    let bug = |why: String| vec![Diagnostic::bug(&file, why)];
    if name == SchemaName::Checks {
        return serde_json::to_value(launch_checks::Strength::own())
            .map_err(|fault| bug(fault.to_string()));
    }
    if effective && name == SchemaName::Manifest {
        let project = ProjectFiles::open(&ctx.cwd)?;
        ctx.note(&project.origin());
        let known = find_strategies(&project)?;
        let schema = effective_manifest_schema(&known).map_err(|fault| bug(fault.to_string()))?;
        return Ok(schema.json().clone());
    }
    if effective && name == SchemaName::Strategy {
        let schema = effective_strategy_schema().map_err(|fault| bug(fault.to_string()))?;
        return Ok(schema.json().clone());
    }
    committed(name.as_str()).ok_or_else(|| bug("there is no schema of that name".to_owned()))
}
