//! One environment as it is now, place by place; every place either answered or says why not.
//!
//! Asks, decides nothing. The machine's own platform is asked only where it runs: it is never started.

use crate::clock;
use crate::deploy::lock;
use crate::platform::reach;
use crate::platform::tokens::{self, Role};
use crate::verify::judgement::LiveDeployment;
use crate::verify::observe;
use crate::watchdog::record::{self, Record};
use launch_kill::freeze::{self, FreezeState};
use launch_kill::process::Life;
use launch_kill::{Deadline, Endpoint, EnvName, JsonClient, KillFile, StateDir};
use serde::Serialize;
use serde_json::Value;
use std::time::Duration;
use trader_core::wire::Health;

/// Longest wait for one answer, ms.
const ANSWER_MS: u64 = 5_000;

/// Something that was asked for: seen, or unknown with the reason.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Seen<T> {
    /// As seen.
    Known(T),
    /// Not seen, and why.
    Unknown(String),
    /// There is nothing to ask: proved absent.
    Absent(String),
}

impl<T> Seen<T> {
    /// Whether it could be seen, absence included.
    pub(super) const fn is_settled(&self) -> bool {
        !matches!(self, Self::Unknown(_))
    }
}

impl<T> From<Result<T, String>> for Seen<T> {
    fn from(result: Result<T, String>) -> Self {
        match result {
            Ok(value) => Self::Known(value),
            Err(why) => Self::Unknown(why),
        }
    }
}

/// One environment.
#[derive(Debug, Serialize)]
pub(super) struct Snapshot {
    /// Its name.
    pub(super) env: String,
    /// When it was taken.
    pub(super) at: String,
    /// `local` or `railway`.
    pub(super) platform: Option<String>,
    /// The deployment that the last deploy left.
    pub(super) deployment_id: Option<String>,
    /// The page where a person can look.
    pub(super) dashboard_url: Option<String>,
    /// Live deployments.
    pub(super) live: Seen<Vec<LiveDeployment>>,
    /// The trader's own words.
    pub(super) trader: Seen<Health>,
    /// The watchdog's own words.
    pub(super) watchdog: Seen<Value>,
    /// How the newest watchdog of this machine ended, where it ended.
    pub(super) watchdog_ended: Option<String>,
    /// The freeze on this machine, where one is in force.
    pub(super) frozen_here: Option<String>,
    /// Whether this machine's freeze file cannot be read (it then counts as frozen).
    #[serde(skip)]
    pub(super) is_freeze_unreadable: bool,
    /// What the platform's variable says of the freeze.
    pub(super) frozen_on_platform: Seen<Option<String>>,
    /// The plan of a deploy that is under way from this machine.
    pub(super) deploying: Option<String>,
}

impl Snapshot {
    /// Whether every place could be seen.
    pub(super) const fn is_whole(&self) -> bool {
        self.live.is_settled()
            && self.trader.is_settled()
            && self.watchdog.is_settled()
            && self.frozen_on_platform.is_settled()
            && !self.is_freeze_unreadable
    }
}

/// Looks at one environment.
pub(super) async fn take(state: &StateDir, env: &EnvName, endpoint: Option<&str>) -> Snapshot {
    let kill_file = KillFile::read(state, env).ok().flatten();
    let record = record::read(state, env).ok().flatten();
    let frozen_here = freeze::read_local(state, env);
    let mut snapshot = Snapshot {
        env: env.to_string(),
        at: clock::now_text(),
        platform: kill_file.as_ref().and_then(|file| file.platform.clone()),
        deployment_id: kill_file
            .as_ref()
            .and_then(|file| file.deployment_id.clone()),
        dashboard_url: kill_file
            .as_ref()
            .and_then(|file| file.dashboard_url.clone()),
        live: Seen::Unknown(String::new()),
        trader: Seen::Unknown(String::new()),
        watchdog: watchdog(state, env, kill_file.as_ref(), record.as_ref()).await,
        watchdog_ended: record
            .and_then(|record| record.ended)
            .map(|ended| format!("exit {} at {}: {}", ended.exit, ended.at, ended.reason)),
        is_freeze_unreadable: matches!(frozen_here, FreezeState::Unreadable(_)),
        frozen_here: told(&frozen_here),
        frozen_on_platform: Seen::Unknown(String::new()),
        deploying: lock::plan_under_way(state, env, clock::now().as_millisecond()),
    };
    ask_platform(state, env, endpoint, &mut snapshot).await;
    snapshot.trader = trader(state, env, kill_file.as_ref(), &snapshot.live).await;
    snapshot
}

async fn ask_platform(
    state: &StateDir,
    env: &EnvName,
    endpoint: Option<&str>,
    snapshot: &mut Snapshot,
) {
    let reach = match reach::reach(state, env, Role::Operator, endpoint) {
        Ok(reach) => reach,
        Err(error) => {
            snapshot.live = Seen::Unknown(error.to_string());
            snapshot.frozen_on_platform = Seen::Unknown(error.to_string());
            return;
        }
    };
    // On this machine a platform whose process is gone, with the trader's, is an answer too.
    if reach.kill_file.is_proved_gone(state) {
        let why = "this machine's platform and its trader have ended: nothing runs".to_owned();
        snapshot.live = Seen::Absent(why.clone());
        snapshot.frozen_on_platform = Seen::Absent(why);
        return;
    }
    if let Some(why) = platform_ended(state, &reach.kill_file) {
        snapshot.live = Seen::Unknown(why.clone());
        snapshot.frozen_on_platform = Seen::Unknown(why);
        return;
    }
    snapshot.live = observe::live(&reach.client, &reach.ids).await.into();
    let deadline = Deadline::after(Duration::from_millis(ANSWER_MS));
    snapshot.frozen_on_platform = freeze::read_variable(&reach.client, &reach.ids, deadline)
        .await
        .map(|state| told(&state))
        .map_err(|error| error.to_string())
        .into();
}

/// A platform of this machine that has ended is not asked: no answer can come. The trader may live on.
fn platform_ended(state: &StateDir, kill_file: &KillFile) -> Option<String> {
    let process = kill_file.local.as_ref()?.platform()?;
    (process.life() == Life::Gone && launch_kill::kill_file::living_platform(state).is_none()).then(
        || "this machine's platform has ended; launch platform start, or launch kill".to_owned(),
    )
}

async fn trader(
    state: &StateDir,
    env: &EnvName,
    kill_file: Option<&KillFile>,
    live: &Seen<Vec<LiveDeployment>>,
) -> Seen<Health> {
    let Some(kill_file) = kill_file else {
        return Seen::Unknown("no kill file names its address".to_owned());
    };
    let url = match (&kill_file.trader_url, live) {
        (_, Seen::Absent(why)) => return Seen::Absent(why.clone()),
        (None, Seen::Known(live)) if live.is_empty() => {
            return Seen::Absent("nothing is live".to_owned());
        }
        (None, _) => return Seen::Unknown("the kill file names no address".to_owned()),
        (Some(url), _) => url,
    };
    let answer = ask_trader(state, env, kill_file, url).await;
    match (answer, live) {
        (Ok(health), _) => Seen::Known(health),
        // Nothing live and nobody who answers: that is how it looks after a stop.
        (Err(_), Seen::Known(live)) if live.is_empty() => {
            Seen::Absent("nothing is live".to_owned())
        }
        (Err(why), _) => Seen::Unknown(why),
    }
}

async fn ask_trader(
    state: &StateDir,
    env: &EnvName,
    kill_file: &KillFile,
    url: &str,
) -> Result<Health, String> {
    let tokens = tokens::find(state, env, kill_file.is_local(), &tokens::process_variable)
        .map_err(|error| error.to_string())?;
    let endpoint = Endpoint::parse(url).map_err(|error| error.to_string())?;
    let client = JsonClient::new(endpoint, Some(tokens.halt)).map_err(|error| error.to_string())?;
    observe::health(&client).await
}

async fn watchdog(
    state: &StateDir,
    env: &EnvName,
    kill_file: Option<&KillFile>,
    record: Option<&Record>,
) -> Seen<Value> {
    let by_record = record
        .filter(|record| record.ended.is_none() && record.life() != Life::Gone)
        .map(|record| record.url.clone());
    let has_run_here = record.is_some();
    let url = by_record.or_else(|| {
        // An address that this machine's ended watchdog left behind is not asked.
        kill_file
            .and_then(|file| file.watchdog_url.clone())
            .filter(|_| !has_run_here)
    });
    let Some(url) = url else {
        if kill_file.is_none() && !has_run_here {
            return Seen::Unknown("no kill file names its address".to_owned());
        }
        return Seen::Absent(
            "none runs: no lease is granted, entries end with the last one".to_owned(),
        );
    };
    let is_local = kill_file.is_some_and(KillFile::is_local);
    let ask = async {
        let tokens = tokens::find(state, env, is_local, &tokens::process_variable)
            .map_err(|error| error.to_string())?;
        let endpoint = Endpoint::parse(&url).map_err(|error| error.to_string())?;
        let client =
            JsonClient::new(endpoint, Some(tokens.halt)).map_err(|error| error.to_string())?;
        let deadline = Deadline::after(Duration::from_millis(ANSWER_MS));
        client
            .get("/health", deadline)
            .await
            .map_err(|error| format!("{url}: {error}"))
    };
    ask.await.into()
}

fn told(state: &FreezeState) -> Option<String> {
    match state {
        FreezeState::Off => None,
        FreezeState::Frozen(freeze) => Some(format!(
            "since {} by {}: {} ({})",
            freeze.at, freeze.by, freeze.reason, freeze.id
        )),
        FreezeState::Unreadable(why) => Some(format!("unreadable, counts as frozen: {why}")),
    }
}
