//! Where a check stands on the card (phase) and what it is about (category). Pure data.

use serde::{Deserialize, Serialize};

/// The five phases of the launch card, in order of display. Order is never a data dependency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum Phase {
    /// 1: what is deployed is what is committed and pushed.
    Git,
    /// 2: what is declared is valid and complete.
    Manifest,
    /// 3: every component starts and answers.
    Components,
    /// 4: the trader itself runs on this commit and sends nothing.
    DryRun,
    /// 5: the place that it is deployed to.
    Target,
}

impl Phase {
    /// All phases, in order.
    pub const ALL: [Self; 5] = [
        Self::Git,
        Self::Manifest,
        Self::Components,
        Self::DryRun,
        Self::Target,
    ];

    /// 1 to 5.
    pub const fn number(self) -> u8 {
        match self {
            Self::Git => 1,
            Self::Manifest => 2,
            Self::Components => 3,
            Self::DryRun => 4,
            Self::Target => 5,
        }
    }

    /// The heading on the card.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Git => "Git",
            Self::Manifest => "Manifest and strategies",
            Self::Components => "Components: init and smoke",
            Self::DryRun => "Staging dry run",
            Self::Target => "Target",
        }
    }
}

impl TryFrom<u8> for Phase {
    type Error = String;
    fn try_from(number: u8) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|phase| phase.number() == number)
            .ok_or_else(|| format!("{number} is not a phase (1 to 5)"))
    }
}

impl From<Phase> for u8 {
    fn from(phase: Phase) -> Self {
        phase.number()
    }
}

/// What a check is about: the chapter of its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Category {
    /// 1xx: commit, push, files.
    Source,
    /// 2xx: manifest, strategies, limits.
    Manifest,
    /// 3xx: components and model.
    Components,
    /// 4xx: entries, windows, orders, halt.
    Safeguards,
    /// 5xx: rehearsals.
    Staging,
    /// 6xx: platform, venue, kill, people.
    Target,
}
