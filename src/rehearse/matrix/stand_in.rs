//! The stand-in for a trader: a real process that speaks the trader's HTTP, so that a thousand of them
//! start in the time of a few real ones.
//!
//! An honest one writes its halt to disk, durably, before it acknowledges it, starts halted where an
//! earlier instance of its volume was halted, and ends by itself on SIGTERM. The others are the ways in
//! which a trader fails a kill. What counts afterwards is what stands on disk (see `ground_truth`), never
//! what it said. Must not outlive the program that started it.

use super::wire::{Answer, Request, Server};
use crate::context::{Context, NoState};
use crate::exit::Exit;
use crate::loopback::venue::Credentials;
use launch_kill::Deadline;
use launch_kill::venue::{Venue, VenueAccess};
use serde_json::{Value, json};
use std::fs::File;
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};

/// From SIGTERM to its end: long enough to answer who asks it back on a busy machine, as a trader does
/// that cancels its orders first; below the shortest draining time of a scaled platform (1 s).
const GOODBYE: Duration = Duration::from_millis(400);
/// Longest life, whatever happens: a matrix has ended long before.
const LIFE_MAX: Duration = Duration::from_mins(3);
/// How often it looks whether whoever started it is still there.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What it lets halt it: no secret, it guards nothing.
pub(super) const HALT_TOKEN: &str = "halt-token-of-the-kill-matrix";

/// How it behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Behaviour {
    /// As a trader has to.
    Honest,
    /// Stays after SIGTERM.
    Stubborn,
    /// Answers 403 to every halt.
    Refuses,
    /// Answers under another instance's and deployment's name.
    Foreign,
    /// Acknowledges a halt and does not keep it.
    Forgets,
}

/// What it does about its open order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Book {
    /// It has none.
    None,
    /// One, cancelled by a full halt before that is acknowledged.
    Cancels,
    /// One that the venue never cancels.
    Stuck,
    /// Those of the account at the exchange: it cancels them there, and tells what is read there.
    Exchange,
}

/// The names of the files in the volume, by which the ground truth is read.
pub(super) mod files {
    /// `<pid>.halt`: this very process is fully halted, durably.
    pub(in super::super) const HALT: &str = "halt";
    /// `<pid>.instance`: which instance the process is, and where it answers.
    pub(in super::super) const INSTANCE: &str = "instance";
    /// The halt that outlives instances, as a trader's ledger keeps it.
    pub(in super::super) const LEDGER: &str = "halted";
    /// The number of open orders at the venue, which outlive processes.
    pub(in super::super) const ORDERS: &str = "open-orders";
}

struct StandIn {
    volume: PathBuf,
    behaviour: Behaviour,
    book: Book,
    nonce: String,
    deployment_id: String,
    is_halted: AtomicBool,
    exchange: Option<Account>,
}

/// Runs until SIGTERM, or until nobody is left who could end it.
pub(super) fn run(
    behaviour: Behaviour,
    book: Book,
    exchange: Option<&str>,
    ctx: &Context<NoState>,
) -> Exit {
    match start(behaviour, book, exchange) {
        Ok(()) => Exit::Ok,
        Err(error) => {
            ctx.error(&format!("error: the stand-in cannot work: {error}"));
            Exit::Unknown
        }
    }
}

fn variable(name: &str) -> std::io::Result<String> {
    std::env::var(name).map_err(|_| std::io::Error::other(format!("{name} is not set")))
}

fn start(behaviour: Behaviour, book: Book, exchange: Option<&str>) -> std::io::Result<()> {
    let parent = rustix::process::getppid();
    let volume = PathBuf::from(variable("RAILWAY_VOLUME_MOUNT_PATH")?);
    let (pid, deployment_id) = (std::process::id(), variable("RAILWAY_DEPLOYMENT_ID")?);
    let (nonce, deployment_id) = if behaviour == Behaviour::Foreign {
        ("somebody-else".to_owned(), "another-deployment".to_owned())
    } else {
        (format!("instance-{pid}-{deployment_id}"), deployment_id)
    };
    let listener = TcpListener::bind(variable("LAUNCH_LISTEN")?)?;
    let url = format!("http://{}", listener.local_addr()?);
    let me = StandIn {
        is_halted: AtomicBool::new(volume.join(files::LEDGER).exists()),
        volume,
        behaviour,
        book,
        nonce,
        deployment_id,
        exchange: exchange.map(Account::at).transpose()?,
    };
    me.begin(&url)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let server = Server::start(listener, move |request| me.answer(request))?;
        let until = Instant::now() + LIFE_MAX;
        while Instant::now() < until && rustix::process::getppid() == parent {
            tokio::select! {
                _ = terminate.recv(), if behaviour != Behaviour::Stubborn => {
                    tokio::time::sleep(GOODBYE).await;
                    break;
                }
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
        drop(server);
        Ok(())
    })
}

impl StandIn {
    /// Its own file names carry its pid: what counts is what this very process wrote.
    fn own(&self, kind: &str) -> PathBuf {
        self.volume.join(format!("{}.{kind}", std::process::id()))
    }

    fn begin(&self, url: &str) -> std::io::Result<()> {
        let orders = self.volume.join(files::ORDERS);
        if matches!(self.book, Book::Cancels | Book::Stuck) && !orders.exists() {
            write_durably(&orders, "1")?;
        }
        if self.is_halted.load(Ordering::Acquire) {
            write_durably(&self.own(files::HALT), "halted when it started")?;
        }
        let instance = json!({
            "nonce": self.nonce, "url": url, "deployment_id": self.deployment_id,
        });
        write_durably(&self.own(files::INSTANCE), &instance.to_string())
    }

    fn answer(&self, request: &Request) -> Answer {
        let is_known = request.token.as_deref() == Some(HALT_TOKEN);
        match (request.line.as_str(), is_known) {
            ("GET /health/live", _) => Answer::Send(
                200,
                json!({
                    "alive": true, "deployment_id": self.deployment_id, "nonce": self.nonce,
                }),
            ),
            ("GET /health", true) => Answer::Send(200, self.health()),
            ("POST /halt", true) => self.halt(&request.body),
            ("GET /health" | "POST /halt", false) => {
                Answer::Send(401, json!({ "error": "wrong token" }))
            }
            _ => Answer::Send(404, json!({ "error": "no such path" })),
        }
    }

    fn health(&self) -> Value {
        let halted = self
            .is_halted
            .load(Ordering::Acquire)
            .then(|| json!({ "by": "kill", "reduce_only": false }));
        json!({
            "deployment_id": self.deployment_id,
            "instance_nonce": self.nonce,
            "halted": halted,
            "open_orders": self.open_orders(),
            "positions": [],
        })
    }

    /// What it can tell of its orders; `None` where the exchange does not.
    fn open_orders(&self) -> Option<u64> {
        match &self.exchange {
            Some(account) => account.open_orders(),
            None => Some(open_orders(&self.volume)),
        }
    }

    fn halt(&self, body: &Value) -> Answer {
        let is_full = body.get("reduce_only").and_then(Value::as_bool) == Some(false);
        match self.behaviour {
            Behaviour::Refuses => return Answer::Send(403, json!({ "error": "not now" })),
            Behaviour::Forgets => {}
            Behaviour::Honest | Behaviour::Stubborn | Behaviour::Foreign => {
                if is_full && let Err(error) = self.keep_halt() {
                    return Answer::Send(500, json!({ "error": error.to_string() }));
                }
            }
        }
        Answer::Send(
            200,
            json!({
                "halted": true, "open_orders": self.open_orders(), "nonce": self.nonce,
            }),
        )
    }

    /// The order matters: orders first, then the halt of the ledger, then that this process keeps it.
    fn keep_halt(&self) -> std::io::Result<()> {
        if self.book == Book::Cancels {
            write_durably(&self.volume.join(files::ORDERS), "0")?;
        }
        write_durably(&self.volume.join(files::LEDGER), "full")?;
        self.is_halted.store(true, Ordering::Release);
        if let Some(account) = &self.exchange {
            account.cancel_all();
        }
        write_durably(&self.own(files::HALT), "acknowledged")
    }
}

/// The trader's own access to the exchange.
///
/// A client for each question: its connections die with the thread's runtime.
struct Account(VenueAccess);

/// Longest wait for the exchange: shorter than anybody waits for an answer of the trader.
const EXCHANGE_MAX: Duration = Duration::from_millis(200);

impl Account {
    fn at(url: &str) -> std::io::Result<Self> {
        let own = Credentials::default();
        let variable = |name: &str| match name {
            "LAUNCH_CLOB_URL" => Some(url.to_owned()),
            "POLYMARKET_ADDRESS" => Some(own.address.clone()),
            "POLYMARKET_API_KEY" => Some(own.api_key.clone()),
            "POLYMARKET_API_SECRET" => Some(own.secret.clone()),
            "POLYMARKET_API_PASSPHRASE" => Some(own.passphrase.clone()),
            _ => None,
        };
        VenueAccess::read(variable, true, &mut Vec::new())
            .map(Self)
            .ok_or_else(|| std::io::Error::other(format!("{url} is no address")))
    }

    /// A cancellation that fails leaves its orders open, which is read afterwards.
    fn cancel_all(&self) {
        let Ok(venue) = Venue::new(&self.0) else {
            return;
        };
        let limit = Deadline::after(EXCHANGE_MAX);
        drop(on_this_thread(venue.cancel_all(limit)));
    }

    fn open_orders(&self) -> Option<u64> {
        let venue = Venue::new(&self.0).ok()?;
        let limit = Deadline::after(EXCHANGE_MAX);
        let orders = on_this_thread(venue.open_orders(limit))?.ok()?;
        u64::try_from(orders.len()).ok()
    }
}

/// Waits on a runtime of its own: every connection has a thread.
fn on_this_thread<T>(work: impl Future<Output = T>) -> Option<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .ok()?;
    let done = runtime.block_on(work);
    runtime.shutdown_background();
    Some(done)
}

/// The orders that stand open at the venue of a volume; none where none was ever made.
pub(super) fn open_orders(volume: &Path) -> u64 {
    std::fs::read_to_string(volume.join(files::ORDERS))
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(0)
}

/// Whole or not at all, and on disk when this returns.
fn write_durably(path: &Path, text: &str) -> std::io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{:?}.new", std::thread::current().id()));
    let temporary = path.with_file_name(name);
    let mut file = File::create(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}
