//! The analyses of all strategies: strategies that ask the same analysis of the same asset share one.
//!
//! An analysis is shown every price of its asset and nothing else, so two of the same options always read
//! the same. Must not be shared between assets or between different options.

use super::Part;
use crate::components::{Analysis, Configured, Observation, Ready, WarmUp};
use crate::refusal::Refusal;
use crate::strategy_file::ComponentUse;
use crate::units::Asset;
use serde_json::Value;

/// Where an analysis stands among all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AnalysisIndex(usize);

#[derive(Debug)]
struct Shared {
    asset: Asset,
    asked: ComponentUse,
    part: Part<dyn Analysis>,
}

/// Every analysis of a trader, each once.
#[derive(Debug, Default)]
pub(crate) struct Analyses {
    all: Vec<Shared>,
}

impl Analyses {
    /// The analysis that is asked for; the new one only when there is none like it.
    pub(super) fn share(
        &mut self,
        asset: Asset,
        asked: &ComponentUse,
        name: &'static str,
        new: Configured<dyn Analysis>,
    ) -> AnalysisIndex {
        let known = |shared: &Shared| shared.asset == asset && shared.asked == *asked;
        let index = self.all.iter().position(known).unwrap_or_else(|| {
            self.all.push(Shared {
                asset,
                asked: asked.clone(),
                part: Part::new(name, new),
            });
            self.all.len() - 1
        });
        AnalysisIndex(index)
    }

    /// Shows the asset's analyses a price; whether there are any.
    pub(crate) fn observe(&mut self, asset: Asset, seen: &Observation) -> bool {
        let mut looks = false;
        for shared in self.all.iter_mut().filter(|shared| shared.asset == asset) {
            shared.part.observe(seen);
            looks = true;
        }
        looks
    }

    pub(super) fn warm_up(&mut self, index: AnalysisIndex, facts: &WarmUp) -> Result<(), Refusal> {
        match self.all.get_mut(index.0) {
            Some(shared) => shared.part.warm_up(facts),
            None => Ok(()),
        }
    }

    pub(super) fn ready(&self, index: AnalysisIndex) -> Option<&Ready<dyn Analysis>> {
        self.all.get(index.0)?.part.ready()
    }

    pub(super) fn held(&self, index: AnalysisIndex) -> Vec<(&'static str, Value)> {
        let shared = self.all.get(index.0);
        shared.map_or_else(Vec::new, |shared| shared.part.held())
    }

    /// Its component and state.
    pub(super) fn row(&self, index: AnalysisIndex) -> Option<(&'static str, &'static str)> {
        let shared = self.all.get(index.0)?;
        Some((shared.part.id, shared.part.state()))
    }
}
