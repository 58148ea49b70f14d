//! One trader process from start to end: identity, ledger, HTTP, loop, signals.
//!
//! Whatever cannot be used is refused before anything listens. A panic anywhere in the loop ends the
//! process; nothing is caught and traded on. The caller turns the result into an exit status.

use crate::clock;
use crate::config::Config;
use crate::faults::{self, Fault};
use crate::feeds::Source;
use crate::gate::{Gate, InstanceId};
use crate::health::{self, Program, Snapshot};
use crate::http::{self, BoundedListener, Surface};
use crate::identity::{self, BUILD_COMMIT, IdentityError, TRADER_VERSION};
use crate::ledger_store::{LedgerStore, StoreError};
use crate::log::{self, Level};
use crate::manifest_files::{self, Declared, ManifestFileError};
use crate::run_loop::{CONTROL_QUEUE_MAX, Loop, LoopError};
use crate::session::SessionError;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};
use trader_core::engine::Engine;
use trader_core::ledger::LedgerState;
use trader_core::manifest::Mode;
use trader_core::wire::InstanceState;

/// How long the loop may take to cancel and flush after it was told to stop, ms.
pub const STOP_WAIT_MS: u64 = 10_000;

/// How long open answers may take after the loop has ended, ms.
const HTTP_GRACE_MS: u64 = 500;

/// Threads that answer HTTP and play the feed; the loop has its own.
const WORKER_THREADS: usize = 2;

/// Why a trader process ends other than by being told to.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// Manifest or strategies cannot be used.
    #[error(transparent)]
    Manifest(#[from] ManifestFileError),
    /// The manifest's mode is not the one that was asked for.
    #[error(
        "{manifest} declares mode {declared}, this process was started with mode {asked}; make them equal"
    )]
    Mode {
        /// The manifest.
        manifest: String,
        /// Its mode.
        declared: Mode,
        /// The mode on the command line.
        asked: Mode,
    },
    /// The feed cannot be used.
    #[error("LAUNCH_FEED: {0}")]
    Feed(#[from] crate::feeds::FeedError),
    /// The program cannot tell who it is.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The ledger cannot be used.
    #[error(transparent)]
    Ledger(#[from] StoreError),
    /// The ledger's records or the declared trader make no sense.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The system's word.
        source: std::io::Error,
    },
    /// The system refuses threads, signals or timers.
    #[error("cannot start: {0}")]
    System(std::io::Error),
    /// The loop ended with an error: entries are off, the process ends.
    #[error("trading has ended: {0}")]
    Loop(#[from] LoopError),
    /// The loop did not end in time after it was told to.
    #[error("the loop did not end within {STOP_WAIT_MS} ms; ending without it")]
    Stuck,
    /// The loop panicked.
    #[error("the loop panicked: this is a bug; the process ends")]
    Panicked,
}

impl ProcessError {
    /// Whether the process never started: environment, manifest, ledger or address is unusable.
    pub const fn is_refused_start(&self) -> bool {
        !matches!(self, Self::Loop(_) | Self::Stuck | Self::Panicked)
    }
}

/// Runs a trader process in `mode` until it is told to stop (SIGTERM, SIGINT).
///
/// # Errors
/// See [`ProcessError`].
pub fn run(config: &Config, mode: Mode) -> Result<(), ProcessError> {
    log_panics();
    let declared = manifest_files::read(&config.manifest)?;
    if declared.manifest.mode != mode {
        return Err(ProcessError::Mode {
            manifest: config.manifest.display().to_string(),
            declared: declared.manifest.mode,
            asked: mode,
        });
    }
    let feed = Source::check(&config.feed, &declared.manifest)?;
    let program = program(config, &declared)?;
    let (store, ledger) = open_ledger(&config.ledger)?;
    let first = first_snapshot(&declared, &program, ledger)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKER_THREADS)
        .enable_all()
        .build()
        .map_err(ProcessError::System)?;
    let result = runtime.block_on(serve(config, declared, program, store, feed, first));
    runtime.shutdown_timeout(Duration::from_millis(HTTP_GRACE_MS));
    result
}

fn program(config: &Config, declared: &Declared) -> Result<Program, ProcessError> {
    let (mut build_commit, mut platform_commit) =
        (BUILD_COMMIT.to_owned(), config.platform_commit.clone());
    if let Some(Fault::ReportCommit(sha)) = &config.fault {
        build_commit.clone_from(sha);
        platform_commit = Some(sha.clone());
    }
    let label = config.fault.as_ref().map(Fault::label).unwrap_or_default();
    Ok(Program {
        trader_version: TRADER_VERSION.to_owned(),
        build_commit,
        platform_commit,
        deployment_id: config.deployment_id.clone(),
        instance_nonce: identity::new_nonce()?,
        trader_sha256: identity::trader_sha256()?,
        manifest_digest: declared.digest.clone(),
        feed: format!("{}{label}", config.feed),
        mode: declared.manifest.mode,
    })
}

/// Opens and checks the ledger; its folder is made where it is missing.
fn open_ledger(path: &Path) -> Result<(LedgerStore, LedgerState), ProcessError> {
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        std::fs::create_dir_all(folder).map_err(|source| StoreError::Io {
            path: folder.to_owned(),
            source,
        })?;
    }
    let mut store = LedgerStore::open(path)?;
    let ledger = LedgerState::replay(&store.replay()?).map_err(SessionError::from)?;
    Ok((store, ledger))
}

async fn serve(
    config: &Config,
    declared: Declared,
    program: Program,
    store: LedgerStore,
    feed: Source,
    first: Snapshot,
) -> Result<(), ProcessError> {
    let mut signals = Signals::listen().map_err(ProcessError::System)?;
    let gate = Arc::new(Gate::new(InstanceId {
        deployment_id: program.deployment_id.clone(),
        nonce: program.instance_nonce.clone(),
    }));
    let (snapshot_to, snapshot) = watch::channel(first);
    let (control_to, control) = mpsc::channel(CONTROL_QUEUE_MAX);
    let (stop_to, stop) = watch::channel(false);
    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(|source| ProcessError::Bind {
            address: config.listen,
            source,
        })?;
    let address = listener.local_addr().map_err(ProcessError::System)?;
    announce(&program, address, config);
    let surface = Arc::new(Surface {
        halt_token: config.halt_token.clone(),
        control_token: config.control_token.clone(),
        gate: Arc::clone(&gate),
        snapshot,
        control: control_to,
        silent_from: faults::silent_from(config.fault.as_ref()),
    });
    let http = axum::serve(BoundedListener::new(listener), http::router(surface)).into_future();
    let mut http = tokio::spawn(http);
    let mut ended = start_loop(Loop {
        declared,
        program,
        feed,
        freeze: config.freeze.clone(),
        fault: config.fault.clone(),
        store,
        gate: Arc::clone(&gate),
        snapshot: snapshot_to,
        control,
        stop,
        runtime: tokio::runtime::Handle::current(),
    })?;
    tokio::select! {
        result = &mut ended => return loop_result(result),
        name = signals.next() => log::line(Level::Info, "stopping", &[("signal", name.into())]),
        _ = &mut http => log::line(Level::Error, "the HTTP surface ended: stopping", &[]),
    }
    gate.stop_entering();
    stop_to.send_replace(true);
    let patience = Duration::from_millis(STOP_WAIT_MS);
    match tokio::time::timeout(patience, ended).await {
        Ok(result) => loop_result(result),
        Err(_) => Err(ProcessError::Stuck),
    }
}

/// Health before the loop has said anything: standby, with the engine as it is declared over the
/// ledger as it is now. A standby that showed an empty one would hide halts and positions.
fn first_snapshot(
    declared: &Declared,
    program: &Program,
    ledger: LedgerState,
) -> Result<Snapshot, SessionError> {
    let engine = Engine::new(&declared.manifest, &declared.strategies, ledger)?;
    let state = InstanceState::Standby;
    Ok(Snapshot {
        taken: Instant::now(),
        health: health::describe(program, &engine, state, 0, clock::wall()),
    })
}

type Ended = oneshot::Receiver<Result<(), LoopError>>;

/// Starts the loop on its own thread. A panic there drops the sender, which the receiver sees at once.
fn start_loop(work: Loop) -> Result<Ended, ProcessError> {
    let timers = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(ProcessError::System)?;
    let (ended_to, ended) = oneshot::channel();
    std::thread::Builder::new()
        .name("loop".to_owned())
        .spawn(move || {
            let result = timers.block_on(work.run());
            drop(ended_to.send(result));
        })
        .map_err(ProcessError::System)?;
    Ok(ended)
}

fn loop_result(
    result: Result<Result<(), LoopError>, oneshot::error::RecvError>,
) -> Result<(), ProcessError> {
    match result {
        Ok(result) => Ok(result?),
        Err(_) => Err(ProcessError::Panicked),
    }
}

fn announce(program: &Program, address: SocketAddr, config: &Config) {
    log::line(
        Level::Info,
        "listening",
        &[
            ("address", address.to_string().into()),
            ("nonce", program.instance_nonce.clone().into()),
            ("deployment_id", program.deployment_id.clone().into()),
            ("build_commit", program.build_commit.clone().into()),
            ("manifest_digest", program.manifest_digest.clone().into()),
            ("feed", program.feed.clone().into()),
            ("mode", program.mode.to_string().into()),
            ("frozen_at_start", config.freeze.is_some().into()),
        ],
    );
    if let Some(fault) = &config.fault {
        let text = fault.to_string();
        log::line(
            Level::Warn,
            "a fault is planted: this is a rehearsal",
            &[("fault", text.into())],
        );
    }
}

/// SIGTERM (the platform) and SIGINT (a person).
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// A panic is told as one line of the log, like everything else.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let message = panic.payload_as_str().unwrap_or("no message").to_owned();
        log::line(
            Level::Error,
            "panic: the process ends",
            &[("panic", message.into()), ("at_line", place.into())],
        );
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_in_the_loop_is_an_end_not_a_silence() {
        let (to, ended) = oneshot::channel::<Result<(), LoopError>>();
        let thread = std::thread::spawn(move || {
            let _held = to;
            panic!("planted");
        });
        let result = loop_result(ended.await);
        assert!(matches!(result, Err(ProcessError::Panicked)));
        assert!(thread.join().is_err());
    }
}
