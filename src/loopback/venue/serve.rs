//! Starts and ends the stub: its own thread, its own runtime, so that any test can hold one.

use super::account::{Account, Credentials, Holding, RestingOrder, VenueRequest};
use super::answer::answer;
use super::faults::VenueFaults;
use axum::Router;
use axum::extract::State;
use axum::http::Request;
use axum::serve::Listener;
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// What a stub starts with.
#[derive(Debug, Clone, Default)]
pub struct VenueOptions {
    /// The account.
    pub credentials: Credentials,
    /// Its open orders.
    pub orders: Vec<RestingOrder>,
    /// Its positions.
    pub holdings: Vec<Holding>,
    /// What goes wrong from the start.
    pub faults: VenueFaults,
}

/// What the handlers share.
#[derive(Debug, Clone)]
pub(super) struct Shared(Arc<Mutex<Account>>);

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, Account> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A venue that answers on loopback until it is dropped.
#[derive(Debug)]
pub struct Venue {
    address: SocketAddr,
    shared: Shared,
    ending: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Venue {
    /// Starts on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// No port, thread or runtime could be had.
    pub fn start(options: VenueOptions) -> io::Result<Self> {
        let mut account = Account::new(options.credentials, options.faults);
        for order in options.orders {
            account.add_order(order);
        }
        account.holdings = options.holdings;
        let shared = Shared(Arc::new(Mutex::new(account)));
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (ending, ended) = oneshot::channel::<()>();
        let served = shared.clone();
        let thread = std::thread::Builder::new()
            .name("venue stub".into())
            .spawn(move || {
                runtime.block_on(async move {
                    let Ok(listener) = TcpListener::from_std(listener) else {
                        return;
                    };
                    let listener = Door {
                        listener,
                        shared: served.clone(),
                    };
                    let router = Router::new().fallback(handle).with_state(served);
                    tokio::select! {
                        _ = ended => {}
                        _ = async { axum::serve(listener, router).await } => {}
                    }
                });
                runtime.shutdown_background();
            })?;
        Ok(Self {
            address,
            shared,
            ending: Some(ending),
            thread: Some(thread),
        })
    }

    /// `http://127.0.0.1:PORT`, for `LAUNCH_CLOB_URL` and `LAUNCH_DATA_API_URL`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The environment variables that give a kill access to this account.
    pub fn variables(&self) -> BTreeMap<String, String> {
        let account = self.shared.lock();
        let own = &account.credentials;
        [
            ("LAUNCH_CLOB_URL", self.url()),
            ("LAUNCH_DATA_API_URL", self.url()),
            ("POLYMARKET_ADDRESS", own.address.clone()),
            ("POLYMARKET_FUNDER", own.address.clone()),
            ("POLYMARKET_API_KEY", own.api_key.clone()),
            ("POLYMARKET_API_SECRET", own.secret.clone()),
            ("POLYMARKET_API_PASSPHRASE", own.passphrase.clone()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// The ground truth: what rests in the book now.
    pub fn open_orders(&self) -> Vec<RestingOrder> {
        self.shared.lock().open_orders()
    }

    /// The ground truth: late orders that are not in the book yet.
    pub fn orders_in_flight(&self) -> usize {
        self.shared.lock().orders_in_flight()
    }

    /// Puts an order into the book.
    pub fn add_order(&self, order: RestingOrder) {
        self.shared.lock().add_order(order);
    }

    /// Whether the API key opens nothing any more.
    pub fn is_key_deleted(&self) -> bool {
        self.shared.lock().is_key_deleted
    }

    /// Replaces the misbehaviour.
    pub fn set_faults(&self, faults: VenueFaults) {
        self.shared.lock().faults = faults;
    }

    /// Everything that was asked, in order.
    pub fn requests(&self) -> Vec<VenueRequest> {
        self.shared.lock().log.clone()
    }
}

impl Drop for Venue {
    fn drop(&mut self) {
        drop(self.ending.take());
        if let Some(thread) = self.thread.take() {
            // A handler's panic is its test's to find by the missing answer.
            drop(thread.join());
        }
    }
}

async fn handle(
    State(shared): State<Shared>,
    request: Request<axum::body::Body>,
) -> axum::response::Response {
    answer(&shared, request).await
}

/// Accepts connections, and closes them at once while the venue is down.
#[derive(Debug)]
struct Door {
    listener: TcpListener,
    shared: Shared,
}

impl Listener for Door {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            let accepted = Listener::accept(&mut self.listener).await;
            if !self.shared.lock().faults.down {
                return accepted;
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}
