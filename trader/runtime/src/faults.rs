//! Planted faults of a rehearsal: the only way to make a healthy trader misbehave on purpose.
//!
//! Read from one variable, honoured only in mode paper away from the venue's feed, named in `/health`
//! and in the log. Must not be reachable in mode live: the caller refuses there.

use std::str::FromStr;
use std::time::Duration;
use trader_core::units::{Usd, UsdLimit};

/// A planted fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// After so long the HTTP surface stops answering; the process lives on.
    SilentAfter(Duration),
    /// After so long a losing fill of so many USD is booked, marked as planted.
    LossAfter(Duration, Usd),
    /// A token's price is fed as the oracle's price.
    TokenPriceAsOracle,
    /// `/health` reports this as the platform's and the build's commit.
    ReportCommit(String),
}

impl Fault {
    /// The variable that plants a fault.
    pub const VARIABLE: &'static str = "LAUNCH_REHEARSE_FAULT";

    /// What the variable may say.
    pub const WANTED: &'static str = "silent_after_ms:N, loss_after_ms:N:USD, token_price_as_oracle or report_commit:SHA (rehearsals only)";

    /// Suffix of `feed` in `/health`.
    pub fn label(&self) -> String {
        format!(" +fault:{self}")
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::SilentAfter(after) => write!(f, "silent_after_ms:{}", after.as_millis()),
            Self::LossAfter(after, loss) => write!(f, "loss_after_ms:{}:{loss}", after.as_millis()),
            Self::TokenPriceAsOracle => f.write_str("token_price_as_oracle"),
            Self::ReportCommit(sha) => write!(f, "report_commit:{sha}"),
        }
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("is {text:?}, which is no known fault");
        let millis = |ms: &str| ms.parse().map(Duration::from_millis).map_err(|_| wrong());
        let mut parts = text.splitn(3, ':');
        match (parts.next(), parts.next(), parts.next()) {
            (Some("silent_after_ms"), Some(ms), None) => Ok(Self::SilentAfter(millis(ms)?)),
            (Some("loss_after_ms"), Some(ms), Some(usd)) => {
                let loss: UsdLimit = usd.parse().map_err(|_| wrong())?;
                Ok(Self::LossAfter(millis(ms)?, loss.into()))
            }
            (Some("token_price_as_oracle"), None, None) => Ok(Self::TokenPriceAsOracle),
            (Some("report_commit"), Some(sha), None)
                if sha.len() == 40 && sha.bytes().all(|b| b.is_ascii_hexdigit()) =>
            {
                Ok(Self::ReportCommit(sha.to_owned()))
            }
            _ => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_round_trip_and_typing_errors_are_refused() {
        let sha = "0123456789abcdef0123456789abcdef01234567";
        for text in [
            "silent_after_ms:500",
            "loss_after_ms:10:7.50",
            "token_price_as_oracle",
            &format!("report_commit:{sha}"),
        ] {
            assert_eq!(text.parse::<Fault>().unwrap().to_string(), text);
        }
        for bad in [
            "",
            "silent",
            "silent_after_ms:x",
            "loss_after_ms:1:-3",
            "report_commit:1",
        ] {
            assert!(bad.parse::<Fault>().is_err(), "{bad}");
        }
    }
}
