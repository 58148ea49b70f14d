//! One environment's account: asks the trader, else the venue, and notes who told what and when.
//!
//! Decides nothing. For a paper or dry-run environment the venue is not asked: whatever account the
//! environment's variables open, it is not this trader's.

use crate::clock;
use crate::platform::tokens::process_variable;
use launch_kill::position::Position;
use launch_kill::venue::{OpenOrder, Venue, VenueAccess};
use launch_kill::{Deadline, Endpoint, EnvName, KillFile, Secret, StateDir, TokenFile, Trader};
use serde::Serialize;
use std::time::{Duration, Instant};

/// Longest wait for one answer, ms.
const ANSWER_MS: u64 = 5_000;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Positions,
    Orders,
}

/// What was told of one environment.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    /// Its name.
    pub(super) env: String,
    /// `trader` or `venue`; `null` = nobody told.
    pub(super) source: Option<&'static str>,
    /// When it was told.
    pub(super) read_at: Option<String>,
    /// How long ago that was when this was printed, ms.
    pub(super) age_ms: Option<u64>,
    /// What was asked for: `positions` or `orders`.
    pub(super) asked: &'static str,
    /// Positions; `null` = unknown, or not asked for.
    pub(super) positions: Option<Vec<Position>>,
    /// Number of open orders; `null` = unknown, or not asked for.
    pub(super) open_orders: Option<u64>,
    /// The orders one by one, where the venue told them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) orders: Option<Vec<OpenOrder>>,
    /// Why nobody, or not the first who was asked, could tell.
    pub(super) notes: Vec<String>,
    #[serde(skip)]
    read: Option<Instant>,
}

impl Told {
    fn new(env: &EnvName, wanted: Wanted) -> Self {
        Self {
            env: env.to_string(),
            source: None,
            read_at: None,
            age_ms: None,
            asked: match wanted {
                Wanted::Positions => "positions",
                Wanted::Orders => "orders",
            },
            positions: None,
            open_orders: None,
            orders: None,
            notes: Vec::new(),
            read: None,
        }
    }

    /// Whether somebody told.
    pub(super) const fn is_known(&self) -> bool {
        self.source.is_some()
    }

    /// The age as of now.
    pub(super) fn set_age(&mut self) {
        self.age_ms = self
            .read
            .map(|read| u64::try_from(read.elapsed().as_millis()).unwrap_or(u64::MAX));
    }

    fn told_by(&mut self, source: &'static str) {
        self.source = Some(source);
        self.read_at = Some(clock::now_text());
        self.read = Some(Instant::now());
    }
}

/// Looks at one environment.
pub(super) async fn take(state: &StateDir, env: &EnvName, wanted: Wanted) -> Told {
    let mut told = Told::new(env, wanted);
    let file = match KillFile::read(state, env) {
        Ok(Some(file)) => file,
        Ok(None) => {
            told.notes
                .push("no kill file: it was not deployed from this machine".into());
            KillFile::default()
        }
        Err(error) => {
            told.notes.push(error.to_string());
            KillFile::default()
        }
    };
    // Orders one by one are the venue's to tell; the trader tells their number.
    if wanted == Wanted::Orders {
        ask_venue(&file, wanted, &mut told).await;
    }
    if !told.is_known()
        && let Err(why) = ask_trader(state, env, &file, wanted, &mut told).await
    {
        told.notes.push(format!("trader: {why}"));
    }
    if !told.is_known() && wanted == Wanted::Positions {
        ask_venue(&file, wanted, &mut told).await;
    }
    told
}

async fn ask_trader(
    state: &StateDir,
    env: &EnvName,
    file: &KillFile,
    wanted: Wanted,
    told: &mut Told,
) -> Result<(), String> {
    let url = file.trader_url.as_ref().ok_or("its address is not known")?;
    let url = Endpoint::parse(url).map_err(|error| error.to_string())?;
    let trader = Trader::new(url, halt_token(state, env, file.is_local()))
        .map_err(|error| error.to_string())?;
    let health = trader
        .health(deadline())
        .await
        .map_err(|error| error.to_string())?;
    if health.deployment_id != file.deployment_id {
        let other = health.deployment_id.unwrap_or_else(|| "(none)".to_owned());
        return Err(format!(
            "deployment {other} answers there, not the one that was deployed"
        ));
    }
    match wanted {
        Wanted::Positions => {
            let list = health.positions.ok_or("it does not list its positions")?;
            told.positions = Some(list);
        }
        Wanted::Orders => {
            let open = health.open_orders.ok_or("it does not tell its orders")?;
            told.open_orders = Some(open);
        }
    }
    told.told_by("trader");
    Ok(())
}

async fn ask_venue(file: &KillFile, wanted: Wanted, told: &mut Told) {
    if !file.may_be_live() {
        told.notes
            .push("venue: not asked, a paper or dry-run trader has no account there".into());
        return;
    }
    let is_here = file
        .endpoint
        .as_deref()
        .and_then(|url| Endpoint::parse(url).ok())
        .is_some_and(|endpoint| endpoint.is_loopback());
    let mut notes = Vec::new();
    let access = VenueAccess::read(process_variable, is_here || file.is_local(), &mut notes);
    told.notes
        .extend(notes.into_iter().map(|note| format!("venue: {note}")));
    let Some(access) = access else { return };
    let asked = match (wanted, Venue::new(&access)) {
        (_, Err(error)) => Err(error.to_string()),
        (Wanted::Positions, Ok(venue)) => positions(&venue, &access, told).await,
        (Wanted::Orders, Ok(venue)) => orders(&venue, &access, told).await,
    };
    match asked {
        Ok(()) => told.told_by("venue"),
        Err(why) => told.notes.push(format!("venue: {why}")),
    }
}

async fn positions(venue: &Venue, access: &VenueAccess, told: &mut Told) -> Result<(), String> {
    let (wallet, is_certain) = access
        .wallet()
        .ok_or("neither POLYMARKET_FUNDER nor POLYMARKET_ADDRESS is set")?;
    let list = venue
        .positions(wallet, deadline())
        .await
        .map_err(|error| error.to_string())?;
    if list.is_empty() && !is_certain {
        return Err(format!(
            "the key's own address {wallet} holds none; where a proxy or deposit wallet trades for \
             it, they are there: set POLYMARKET_FUNDER to the wallet that holds them"
        ));
    }
    told.positions = Some(list);
    Ok(())
}

async fn orders(venue: &Venue, access: &VenueAccess, told: &mut Told) -> Result<(), String> {
    if let Err(why) = &access.credentials {
        return Err(why.clone());
    }
    let list = venue
        .open_orders(deadline())
        .await
        .map_err(|error| error.to_string())?;
    told.open_orders = u64::try_from(list.len()).ok();
    told.orders = Some(list);
    Ok(())
}

/// Its own file first on this machine: the variable is likely another's.
fn halt_token(state: &StateDir, env: &EnvName, is_local: bool) -> Option<Secret> {
    let file = || state.read_token(TokenFile::Halt, env).ok().flatten();
    let variable = || process_variable("LAUNCH_HALT_TOKEN").and_then(|text| Secret::new(&text));
    if is_local {
        file().or_else(variable)
    } else {
        variable().or_else(file)
    }
}

fn deadline() -> Deadline {
    Deadline::after(Duration::from_millis(ANSWER_MS))
}
