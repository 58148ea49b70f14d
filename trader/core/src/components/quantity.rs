//! What components need and give, each with its unit: the vocabulary of the registry's rows.

use std::fmt;

/// One quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quantity {
    /// S.
    OraclePrice,
    /// The user interface's price.
    UiPrice,
    /// K.
    ReferencePrice,
    /// σ.
    Volatility,
    /// The known part of the settlement average.
    SettlementAverage,
    /// Best bid and ask of the window's tokens.
    Book,
    /// The window and the time in it.
    Window,
    /// P(up).
    Probability,
    /// See [`super::Staleness`].
    Staleness,
    /// See [`super::Divergence`].
    Divergence,
    /// See [`super::Lag`].
    Lag,
    /// See [`super::UpdateForecast`].
    UpdateForecast,
    /// Which token at what advantage.
    Signal,
    /// Whether the moment allows it.
    Leave,
    /// What an entry may cost.
    Budget,
    /// How much.
    Shares,
    /// What is held.
    Position,
    /// The highest bid since the position was bought.
    PeakBid,
    /// Why a position is left.
    ExitReason,
}

impl Quantity {
    /// Its name, as `launch components` and refusals spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OraclePrice => "oracle price",
            Self::UiPrice => "UI price",
            Self::ReferencePrice => "reference price",
            Self::Volatility => "volatility",
            Self::SettlementAverage => "settlement average",
            Self::Book => "book",
            Self::Window => "window",
            Self::Probability => "probability of Up",
            Self::Staleness => "oracle staleness",
            Self::Divergence => "UI divergence",
            Self::Lag => "lag",
            Self::UpdateForecast => "update forecast",
            Self::Signal => "signal",
            Self::Leave => "leave to enter",
            Self::Budget => "budget",
            Self::Shares => "size",
            Self::Position => "position",
            Self::PeakBid => "peak bid",
            Self::ExitReason => "reason to leave",
        }
    }

    /// Its unit.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::OraclePrice | Self::UiPrice | Self::ReferencePrice | Self::SettlementAverage => {
                "USD per coin"
            }
            Self::Volatility => "per year",
            Self::Book | Self::PeakBid => "USD per share",
            Self::Window | Self::Staleness => "ms",
            Self::Probability => "0 to 1",
            Self::Divergence => "basis points",
            Self::Lag => "ms, log-return",
            Self::UpdateForecast => "probability, confidence",
            Self::Signal => "outcome, USD per share",
            Self::Leave => "or a refusal",
            Self::Budget => "USD",
            Self::Shares | Self::Position => "shares",
            Self::ExitReason => "or none",
        }
    }

    /// Whether only an analysis of the same strategy gives it.
    pub const fn is_reading(self) -> bool {
        matches!(
            self,
            Self::Staleness | Self::Divergence | Self::Lag | Self::UpdateForecast
        )
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.unit())
    }
}
