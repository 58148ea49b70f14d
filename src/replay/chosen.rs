//! Which trader is replayed: a manifest with its strategies, or the shipped ones on the tape's assets.
//!
//! Falls back to nothing: a strategy that is named and not there is an error.

use super::played::Played;
use super::{ReplayArgs, ReplayError};
use std::collections::BTreeMap;
use std::path::Path;
use trader_core::engine::Engine;
use trader_core::ledger::LedgerState;
use trader_core::manifest::{Manifest, Mode};
use trader_core::run::Counterpart;
use trader_core::strategy_file::StrategyFile;
use trader_core::units::StrategyId;
use trader_runtime::manifest_files;

/// The manifest that a replay without `--manifest` uses.
const SHIPPED: &str = include_str!("../../manifests/local.toml");

const SHIPPED_STRATEGIES: [(&str, &str); 5] = [
    (
        "probability-model",
        include_str!("../../manifests/strategies/probability-model.json"),
    ),
    (
        "lag-based",
        include_str!("../../manifests/strategies/lag-based.json"),
    ),
    (
        "hybrid",
        include_str!("../../manifests/strategies/hybrid.json"),
    ),
    (
        "oracle-edge",
        include_str!("../../manifests/strategies/oracle-edge.json"),
    ),
    (
        "threshold-70",
        include_str!("../../manifests/strategies/threshold-70.json"),
    ),
];

/// What is replayed.
#[derive(Debug, Clone)]
pub(super) struct Chosen {
    pub(super) manifest: Manifest,
    pub(super) strategies: BTreeMap<StrategyId, StrategyFile>,
    /// Where the manifest came from, in words.
    pub(super) from: String,
    is_shipped: bool,
}

/// Reads what the flags name.
pub(super) fn choose(args: &ReplayArgs) -> Result<Chosen, ReplayError> {
    let mut chosen = match &args.manifest {
        Some(path) => {
            let declared = manifest_files::read(path)?;
            Chosen {
                manifest: declared.manifest,
                strategies: declared.strategies,
                from: path.display().to_string(),
                is_shipped: false,
            }
        }
        None => shipped()?,
    };
    if !args.strategy.is_empty() {
        let ids = args
            .strategy
            .iter()
            .map(|id| id.parse::<StrategyId>())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| ReplayError::Usage(format!("--strategy: {error}")))?;
        if let Some(path) = &args.manifest {
            for id in &ids {
                chosen.load(path, id)?;
            }
        }
        chosen.manifest.strategies = ids;
    }
    // Unknown strategies, loose limits and the like are told before any tape is read.
    Engine::new(&chosen.manifest, &chosen.strategies, LedgerState::default())?;
    Ok(chosen)
}

fn shipped() -> Result<Chosen, ReplayError> {
    let bug = |error: &dyn std::fmt::Display| {
        ReplayError::Usage(format!("the shipped manifest is not usable: {error}"))
    };
    let manifest: Manifest = toml::from_str(SHIPPED).map_err(|error| bug(&error))?;
    let mut strategies = BTreeMap::new();
    for (id, text) in SHIPPED_STRATEGIES {
        let id: StrategyId = id.parse().map_err(|error| bug(&error))?;
        let file: StrategyFile = serde_json::from_str(text).map_err(|error| bug(&error))?;
        strategies.insert(id, file);
    }
    Ok(Chosen {
        manifest,
        strategies,
        from: "the shipped local manifest".to_owned(),
        is_shipped: true,
    })
}

impl Chosen {
    /// Takes in a strategy that the manifest does not list, from the folder beside it.
    fn load(&mut self, manifest: &Path, id: &StrategyId) -> Result<(), ReplayError> {
        if self.strategies.contains_key(id) {
            return Ok(());
        }
        let file = manifest_files::read_strategy(manifest, id)?;
        self.strategies.insert(id.clone(), file);
        Ok(())
    }

    /// The trader for a tape: paper unless the tape brings its own answers; the shipped manifest takes
    /// the tape's assets and window lengths.
    pub(super) fn fitted(mut self, played: &Played) -> Self {
        if self.is_shipped {
            if !played.assets.is_empty() {
                self.manifest.assets.clone_from(&played.assets);
            }
            let mins = played.lengths();
            if !mins.is_empty() {
                self.manifest.window.durations_mins = mins;
            }
            self.from
                .push_str(" on the tape's assets and window lengths");
        }
        if played.counterpart == Counterpart::Simulated {
            self.manifest.mode = Mode::Paper;
        }
        self
    }
}
