//! Planted faults of a rehearsal: the only way to make a healthy trader misbehave on purpose.
//!
//! Read from one variable, honoured only in mode paper away from the venue's feed, named in `/health`
//! and in the log. Must not be reachable in mode live: the caller refuses there.

use crate::feeds::Events;
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::{Duration, Instant};
use trader_core::event::{Event, EventKind, WindowTick};
use trader_core::ledger::RecordBody;
use trader_core::order::{Order, OrderId, Purpose, Side};
use trader_core::units::{
    Asset, EpochMs, OraclePrice, Outcome, Shares, TokenPrice, UnitError, Usd, UsdLimit,
};
use trader_core::window::{SettlementRule, Window, WindowId, WindowLength};

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

/// From when on the HTTP surface is silent, counted from now.
pub fn silent_from(fault: Option<&Fault>) -> Option<Instant> {
    match fault {
        Some(Fault::SilentAfter(after)) => Instant::now().checked_add(*after),
        _ => None,
    }
}

/// A planted loss and when it is due.
#[derive(Debug, Clone, Copy)]
pub struct PlantedLoss {
    /// When it is booked.
    pub due: Instant,
    /// How much, USD.
    pub usd: Usd,
}

/// The loss to book, counted from now.
pub fn planted_loss(fault: Option<&Fault>) -> Option<PlantedLoss> {
    match fault {
        Some(Fault::LossAfter(after, usd)) => Some(PlantedLoss {
            due: Instant::now().checked_add(*after)?,
            usd: *usd,
        }),
        _ => None,
    }
}

/// Strategy and fill id of a planted loss, so that nobody takes it for a real one.
const PLANTED: &str = "rehearse-fault";

/// A planted loss: what to book, and the outcome that makes the engine lose it.
#[derive(Debug)]
pub struct LossScript {
    /// A bought position of the whole amount, in yesterday's window.
    pub bought: [RecordBody; 2],
    /// That window's outcome: the other one.
    pub outcome: EventKind,
}

/// The script of a loss of `usd`, booked at `now`.
///
/// # Errors
/// When the amount or the time fits no order.
pub fn loss_script(asset: Asset, usd: Usd, now: EpochMs) -> Result<LossScript, UnitError> {
    let length = WindowLength::Min5;
    let yesterday = now.plus_ms(-86_400_000).0 / 1_000;
    let open_secs = yesterday - yesterday.rem_euclid(length.ms() / 1_000);
    let window = Window {
        id: WindowId::try_new(asset, length, open_secs)?,
        up: "1".parse()?,
        down: "2".parse()?,
        rule: SettlementRule::Spot,
        twap_lookback_secs: 0,
        reference: None,
    };
    let id = OrderId {
        window: window.id,
        strategy: PLANTED.parse()?,
        sequence: 1,
    };
    let price: TokenPrice = "0.5".parse()?;
    let shares = Shares::try_new(usd.get().saturating_mul(Decimal::TWO))?;
    let order = Order {
        id: id.clone(),
        token: window.up.clone(),
        outcome: Outcome::Up,
        side: Side::Buy,
        purpose: Purpose::Entry,
        price,
        shares,
        expires_at: window.id.close(),
        worst_cost: usd,
    };
    let fill = RecordBody::Fill {
        id,
        fill_id: PLANTED.to_owned(),
        price,
        shares,
        fee: Usd::ZERO,
        provisional: false,
    };
    Ok(LossScript {
        bought: [RecordBody::Intent { order }, fill],
        outcome: EventKind::Window(WindowTick {
            window,
            outcome: Some(Outcome::Down),
        }),
    })
}

/// The feed, spoiled where the fault says so.
pub fn plant(fault: Option<&Fault>, events: Events) -> Events {
    if fault != Some(&Fault::TokenPriceAsOracle) {
        return events;
    }
    let mut newest = BTreeMap::new();
    Box::new(events.map(move |item| {
        item.map(|mut event| {
            token_price_as_oracle(&mut newest, &mut event);
            event
        })
    }))
}

/// Puts the asset's newest bid in place of the oracle's price: 0.55 instead of 95,000.
fn token_price_as_oracle(newest: &mut BTreeMap<Asset, TokenPrice>, event: &mut Event) {
    match &mut event.kind {
        EventKind::Book(tick) => {
            if let Some(bid) = tick.bid {
                newest.insert(tick.asset, bid);
            }
        }
        EventKind::Oracle(tick) => {
            let bid = newest.get(&tick.asset).map(|bid| bid.get());
            if let Some(Ok(price)) = bid.map(OraclePrice::try_new) {
                tick.price = price;
            }
        }
        EventKind::Spot(_)
        | EventKind::Trade(_)
        | EventKind::Window(_)
        | EventKind::Order(_)
        | EventKind::Fill(_)
        | EventKind::Lease(_)
        | EventKind::Clock(_)
        | EventKind::Control(_) => {}
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
