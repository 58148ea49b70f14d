//! One combination, played: platform, trader, edge and watchdog are put up as its rows say, killed, and
//! looked at.
//!
//! Decides nothing: what was expected is `expectation`'s, whether it was right is `judge`'s.

use super::axes::{Phase, Watchdog};
use super::combination::Combination;
use super::edge::Edge;
use super::expectation::{self, Expectation};
use super::ground_truth::{self, Truth};
use super::judge::{Kill, Look};
use super::killing::{self, Order, Planted};
use super::pace;
use super::real_trader::{self, CONTROL_TOKEN, Herald};
use super::real_watchdog::RealWatchdog;
use super::stand_in::{Behaviour, Book, HALT_TOKEN, files};
use super::wire::{Answer, Server};
use crate::loopback::venue::Venue;
use crate::loopback::{
    Faults, InProcess, PlatformError, PlatformOptions, Provisioned, ServiceSpec,
};
use clap::ValueEnum;
use launch_kill::process::{self, ProcessId};
use launch_kill::{EnvName, KillFile, LocalProcesses, Secret, StateDir, TokenFile};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::net::TcpSocket;

/// The environment's name.
const ENV: &str = "matrix";
/// Longest wait for a deployment to stand where the kill begins. Normally a fraction of a second.
const READY_MAX: Duration = Duration::from_secs(30);
/// Longest wait for a platform's restart.
const RESTART_MAX: Duration = Duration::from_secs(5);
/// How often that is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// The deployment of a kill file that was written before the build that is under way.
const EARLIER: &str = "00000000-0000-4000-8000-000000000001";

/// What all combinations share.
#[derive(Debug, Clone)]
pub(super) struct Scenery {
    /// A repository with one commit, which is only read.
    pub(super) repo: PathBuf,
    pub(super) commit: String,
    /// The program whose `rehearse --stand-in` is the trader.
    pub(super) program: PathBuf,
    /// What the real trader trades by.
    pub(super) manifest: PathBuf,
    /// A kill that is broken on purpose, to show that the matrix notices.
    pub(super) planted: Planted,
}

/// Why a combination could not be played at all.
#[derive(Debug, thiserror::Error)]
pub(super) enum StageError {
    #[error("cannot {doing}: {source}")]
    Machine {
        doing: &'static str,
        source: std::io::Error,
    },
    #[error("the platform: {0}")]
    Platform(#[from] PlatformError),
    #[error("the state directory: {0}")]
    State(#[from] launch_kill::StateError),
    #[error("the deployment never was {0}")]
    NeverReady(&'static str),
    #[error("the kill asked nothing: {0}")]
    Unusable(String),
}

fn machine(doing: &'static str) -> impl FnOnce(std::io::Error) -> StageError {
    move |source| StageError::Machine { doing, source }
}

/// A combination as it went.
#[derive(Debug, Clone)]
pub(super) struct Played {
    pub(super) expectation: Expectation,
    pub(super) kills: Vec<Kill>,
    pub(super) looks: Vec<Look>,
}

/// The process that the kill is after, when there is one.
struct Trader {
    identity: ProcessId,
    url: String,
    nonce: String,
    deployment_id: String,
}

/// Plays one combination in a folder of its own.
pub(super) async fn play(
    combination: &Combination,
    scenery: &Scenery,
) -> Result<Played, StageError> {
    let folder = tempfile::tempdir().map_err(machine("make a folder"))?;
    let root = folder
        .path()
        .canonicalize()
        .map_err(machine("find the folder"))?;
    let played = play_in(&root, combination, scenery).await;
    end_all(&root);
    played
}

async fn play_in(
    root: &Path,
    combination: &Combination,
    scenery: &Scenery,
) -> Result<Played, StageError> {
    let exchange = combination.venue.exchange;
    let venue = exchange
        .map(|exchange| exchange.start(!combination.trader.is_real))
        .transpose()
        .map_err(machine("put up an exchange"))?;
    let options = PlatformOptions {
        state_dir: root.to_owned(),
        time_scale: pace::SCALE,
        trader_bin: scenery.program.clone(),
    };
    let platform = InProcess::start(&options).await?;
    let service = platform.provision(&spec(combination, scenery, venue.as_ref()))?;
    let is_real = combination.trader.is_real;
    if is_real {
        platform.set_variables(&service, real_trader::variables(&scenery.manifest))?;
    }
    let herald = is_real
        .then(|| Herald::start(root))
        .transpose()
        .map_err(machine("start a thread"))?;
    platform.set_faults(&combination.platform.faults())?;
    let deployment = platform.deploy(&service, &scenery.commit)?;
    let trader = match combination.platform.phase {
        Phase::Active => Some(until_active(root, &platform, &deployment, is_real).await?),
        Phase::Building => {
            until(&platform, &deployment, &["BUILDING", "DEPLOYING"]).await?;
            None
        }
    };
    if let Some(trader) = trader.as_ref().filter(|_| combination.trader.is_hung) {
        signal(trader.identity.pid, Signal::STOP);
    }
    let edge = Edge::start(root).map_err(machine("put up an edge"))?;
    let nobody = dead_address().map_err(machine("take a port"))?;
    let watchdog = watchdog(combination.witness.watchdog).map_err(machine("put up a watchdog"))?;
    let target = combination.target.is_local;
    let trader_url = match (&trader, target) {
        _ if !combination.trader.is_known => None,
        (_, false) => Some(edge.url()),
        (Some(trader), true) => Some(trader.url.clone()),
        (None, true) => Some(nobody.url.clone()),
    };
    let file = kill_file(combination, &platform, &service, trader.as_ref());
    let mut file = KillFile {
        trader_url,
        watchdog_url: watchdog.as_ref().map(Server::url),
        ..file
    };
    write_state(root, &file, &service)?;
    // On Railway a loopback address is taken by flag only.
    let endpoint = (!target).then(|| platform.endpoint().endpoint.clone());
    let real_watchdog = if combination.witness.watchdog == Watchdog::Real {
        let (state, env) = (StateDir::at(root), EnvName::parse(ENV)?);
        let started =
            RealWatchdog::start(&scenery.program, &state, &env, endpoint.as_deref()).await;
        let watchdog = started.map_err(machine("start a watchdog"))?;
        file.watchdog_url = Some(watchdog.url());
        file.write(&state, &env)?;
        Some(watchdog)
    } else {
        None
    };
    let faults = Faults {
        // It has happened.
        second_deployment: false,
        network: combination.network.faults(),
        ..combination.platform.faults()
    };
    platform.set_faults(&faults)?;
    let expectation = expectation::of(combination);
    let order = Order {
        state_dir: root.to_owned(),
        env: ENV.to_owned(),
        endpoint,
        deadline: pace::deadline(
            expectation,
            is_real || combination.moment.is_binary || real_watchdog.is_some(),
        ),
        variables: exchange
            .zip(venue.as_ref())
            .map(|(exchange, venue)| exchange.variables(venue))
            .unwrap_or_default(),
        revokes_key: combination.moment.revokes_key,
        program: scenery.program.clone(),
        is_binary: combination.moment.is_binary,
    };
    let (kills, platform) = kill(combination, scenery.planted, &order, platform, &faults).await?;
    let looks = look(root, venue.as_ref(), &kills).await;
    drop((edge, watchdog, real_watchdog, herald, nobody));
    if let Some(platform) = platform {
        platform.shut_down().await?;
    }
    Ok(Played {
        expectation,
        kills,
        looks,
    })
}

/// The kills of a combination, with the platform's restart between.
async fn kill(
    combination: &Combination,
    planted: Planted,
    order: &Order,
    platform: InProcess,
    faults: &Faults,
) -> Result<(Vec<Kill>, Option<InProcess>), StageError> {
    let first = killing::start(order, planted);
    let second = if combination.moment.kills > 1 {
        tokio::time::sleep(pace::SECOND_AFTER).await;
        Some(killing::start(order, planted))
    } else {
        None
    };
    let platform = if combination.moment.restarts {
        tokio::time::sleep(pace::RESTART_AFTER).await;
        let options = platform.crash().await;
        let platform = restarted(&options).await?;
        platform.set_faults(faults)?;
        platform
    } else {
        platform
    };
    let mut kills = Vec::new();
    for waiting in [Some(first), second].into_iter().flatten() {
        kills.push(waiting.await.map_err(StageError::Unusable)?);
    }
    Ok((kills, Some(platform)))
}

/// A platform that has just ended may keep its lock for a moment: a child that was being started has it
/// too, until it is another program.
async fn restarted(options: &PlatformOptions) -> Result<InProcess, PlatformError> {
    let until = Instant::now() + RESTART_MAX;
    loop {
        match InProcess::start(options).await {
            Err(_) if Instant::now() < until => tokio::time::sleep(LOOK_EVERY).await,
            ended => return ended,
        }
    }
}

/// The truth now, and, where a kill has said that it is done, later as well.
async fn look(root: &Path, venue: Option<&Venue>, kills: &[Kill]) -> Vec<Look> {
    let truth = || -> Option<Truth> { ground_truth::look(root, venue).ok() };
    let mut looks = vec![Look {
        when: "when the kill reported",
        truth: truth(),
    }];
    if kills.iter().any(|kill| kill.exit == 0) {
        tokio::time::sleep(pace::LATER).await;
        looks.push(Look {
            when: "10 s later (scaled)",
            truth: truth(),
        });
    }
    looks
}

fn spec(combination: &Combination, scenery: &Scenery, venue: Option<&Venue>) -> ServiceSpec {
    let word = |value: Option<clap::builder::PossibleValue>| {
        value
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    };
    let real = || {
        ["launch", "trade", "--mode", "paper"]
            .map(str::to_owned)
            .to_vec()
    };
    let behaviour: Behaviour = combination.trader.behaviour;
    let book: Book = combination.venue.book;
    ServiceSpec {
        env: ENV.to_owned(),
        repo_dir: scenery.repo.clone(),
        branch: "main".to_owned(),
        start_command: if combination.trader.is_real {
            real()
        } else {
            vec![
                "launch".to_owned(),
                "rehearse".to_owned(),
                "--stand-in".to_owned(),
                word(behaviour.to_possible_value()),
                "--stand-in-book".to_owned(),
                word(book.to_possible_value()),
            ]
            .into_iter()
            .chain(
                venue
                    .iter()
                    .flat_map(|venue| ["--stand-in-exchange".to_owned(), venue.url()]),
            )
            .collect()
        },
        draining_secs: 30,
        overlap_secs: 0,
        restart_policy: Some("NEVER".to_owned()),
        restart_max_retries: None,
        old_goes_first: false,
        auto_deploy: true,
    }
}

async fn until(
    platform: &InProcess,
    deployment: &str,
    statuses: &[&'static str],
) -> Result<Option<u32>, StageError> {
    let until = Instant::now() + READY_MAX;
    while Instant::now() < until {
        let all = platform.deployments();
        if let Some(row) = all
            .iter()
            .find(|row| row.id == deployment && statuses.contains(&row.status))
        {
            return Ok(row.pid);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Err(StageError::NeverReady("where the kill begins"))
}

/// The deployment is active and its process has said who it is.
async fn until_active(
    root: &Path,
    platform: &InProcess,
    deployment: &str,
    is_real: bool,
) -> Result<Trader, StageError> {
    let pid = until(platform, deployment, &["SUCCESS"]).await?;
    let until = Instant::now() + READY_MAX;
    while Instant::now() < until {
        if let Some(trader) = pid.and_then(|pid| told(root, pid, deployment, is_real)) {
            return Ok(trader);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Err(StageError::NeverReady("answering"))
}

fn told(root: &Path, pid: u32, deployment: &str, is_real: bool) -> Option<Trader> {
    let living = ground_truth::living(root).ok()?;
    let process = living.iter().find(|process| process.pid == pid)?;
    let bytes = std::fs::read(ground_truth::own_file(process, files::INSTANCE)).ok()?;
    let told: Value = serde_json::from_slice(&bytes).ok()?;
    Some(Trader {
        identity: process::identify(pid)?,
        url: told.get("url")?.as_str()?.to_owned(),
        // What deploy verified; what it says now may be another's.
        nonce: if is_real {
            told.get("nonce")?.as_str()?.to_owned()
        } else {
            format!("instance-{pid}-{deployment}")
        },
        deployment_id: deployment.to_owned(),
    })
}

fn kill_file(
    combination: &Combination,
    platform: &InProcess,
    service: &Provisioned,
    trader: Option<&Trader>,
) -> KillFile {
    let local = combination.target.is_local;
    let endpoint = platform.endpoint();
    KillFile {
        schema_version: 1,
        env: ENV.to_owned(),
        platform: Some(if local { "local" } else { "railway" }.to_owned()),
        project_id: Some(service.project_id.clone()),
        environment_id: Some(service.environment_id.clone()),
        service_id: Some(service.service_id.clone()),
        deployment_id: Some(
            trader
                .map_or(EARLIER, |trader| &trader.deployment_id)
                .to_owned(),
        ),
        instance_nonce: Some(trader.map_or("earlier", |trader| &trader.nonce).to_owned()),
        mode: Some(
            if combination.venue.is_live {
                "live"
            } else {
                "paper"
            }
            .to_owned(),
        ),
        endpoint: local.then(|| endpoint.endpoint.clone()),
        local: local.then(|| LocalProcesses {
            boot_id: Some(endpoint.boot_id.clone()),
            platform_pid: Some(endpoint.pid),
            platform_start: Some(endpoint.pid_start),
            trader_pid: trader.map(|trader| trader.identity.pid),
            trader_start: trader.map(|trader| trader.identity.start),
        }),
        ..KillFile::default()
    }
}

fn write_state(root: &Path, file: &KillFile, service: &Provisioned) -> Result<(), StageError> {
    let (dir, env) = (StateDir::at(root), EnvName::parse(ENV)?);
    file.write(&dir, &env)?;
    dir.write_token(TokenFile::Platform, &env, &service.token)?;
    if let Some(token) = Secret::new(HALT_TOKEN) {
        dir.write_token(TokenFile::Halt, &env, &token)?;
    }
    if let Some(token) = Secret::new(CONTROL_TOKEN) {
        dir.write_token(TokenFile::Control, &env, &token)?;
    }
    dir.write_token(TokenFile::Watchdog, &env, &service.token)?;
    Ok(())
}

/// A stand-in that takes a revocation as the contract says, or as a broken one would.
fn watchdog(kind: Watchdog) -> std::io::Result<Option<Server>> {
    if matches!(kind, Watchdog::None | Watchdog::Real) {
        return Ok(None);
    }
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let lease_ends = std::sync::OnceLock::new();
    let server = Server::start(listener, move |request| {
        let is_known = request.token.as_deref() == Some(HALT_TOKEN);
        match (kind, request.line.as_str(), is_known) {
            (Watchdog::Hangs, _, _) => Answer::Hang,
            (Watchdog::Refuses, _, _) | (_, "POST /revoke", false) => {
                Answer::Send(401, json!({ "error": "wrong token" }))
            }
            (Watchdog::Revokes, "POST /revoke", true) => {
                // From the first revocation on nothing is granted; the last lease runs out.
                let ends: &Instant = lease_ends.get_or_init(|| Instant::now() + pace::LEASE_LEFT);
                let left = ends.saturating_duration_since(Instant::now()).as_millis();
                let left = u64::try_from(left).unwrap_or(u64::MAX);
                Answer::Send(
                    200,
                    json!({ "frozen": true, "last_grant_expires_in_ms": left }),
                )
            }
            (Watchdog::Vague, "POST /revoke", true) => Answer::Send(
                200,
                json!({ "frozen": false, "last_grant_expires_in_ms": 0 }),
            ),
            _ => Answer::Send(404, json!({ "error": "no such path" })),
        }
    })?;
    Ok(Some(server))
}

/// An address that is taken and refuses connections: where an earlier instance answered.
struct DeadAddress {
    url: String,
    /// Keeps the port from anybody else.
    _socket: TcpSocket,
}

fn dead_address() -> std::io::Result<DeadAddress> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(([127, 0, 0, 1], 0).into())?;
    Ok(DeadAddress {
        url: format!("http://{}", socket.local_addr()?),
        _socket: socket,
    })
}

/// Ends whatever lives below `root`, whoever started it.
fn end_all(root: &Path) {
    for process in ground_truth::living(root).unwrap_or_default() {
        signal(process.pid, Signal::KILL);
    }
}

/// One that has just ended needs no signal.
fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let _may_be_gone = pid.map(|pid| kill_process(pid, signal));
}
