//! One HTTP exchange with named bounds: the transport under the platform, trader and watchdog.
//!
//! Must not retry, classify GraphQL or follow redirects. All requests to a host share one pool of
//! connections; when one hangs, the pool is replaced, because over HTTP/2 every later request
//! would hang on the same connection. Proxies: `HTTPS_PROXY`/`ALL_PROXY`/`NO_PROXY` are honoured
//! for remote hosts (on some networks they are the only way out; TLS stays end to end); loopback
//! never goes through a proxy, because "connection refused" there is evidence.

use crate::call_error::{CallError, shorten};
use crate::deadline::Deadline;
use crate::endpoint::Endpoint;
use crate::tls;
use reqwest::header::{DATE, HeaderMap, LOCATION, RETRY_AFTER};
use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Cloudflare answers 403 (`error code: 1010`) to a client without a User-Agent.
const USER_AGENT: &str = concat!("launch-kill/", env!("CARGO_PKG_VERSION"));
/// Longest time for a connection with its TLS handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest body that is read, bytes. A page of deployments with their meta is below 1 MB.
const BODY_MAX_BYTES: usize = 8 * 1024 * 1024;

/// A status with its whole body.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) location: String,
    /// The server's clock, as the `Date` header says it.
    pub(crate) date: String,
}

/// The way to one host. Cloning shares its connections.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    is_tls: bool,
    is_loopback: bool,
    current: Arc<Mutex<Connections>>,
}

/// One pool of connections; a later one has a higher number.
#[derive(Debug, Clone)]
pub(crate) struct Connections {
    client: reqwest::Client,
    number: u64,
}

impl Connections {
    /// A request over these connections.
    pub(crate) fn request(
        &self,
        method: reqwest::Method,
        url: reqwest::Url,
    ) -> reqwest::RequestBuilder {
        self.client.request(method, url)
    }
}

impl Http {
    /// The way to `endpoint`: direct on loopback, else with the environment's proxies.
    pub(crate) fn for_endpoint(endpoint: &Endpoint) -> Result<Self, CallError> {
        let (is_tls, is_loopback) = (endpoint.is_https(), endpoint.is_loopback());
        let first = Connections {
            client: client(is_tls, is_loopback)?,
            number: 0,
        };
        Ok(Self {
            is_tls,
            is_loopback,
            current: Arc::new(Mutex::new(first)),
        })
    }

    /// The connections that are used now.
    pub(crate) fn connections(&self) -> Connections {
        self.lock().clone()
    }

    /// Other connections than `used`: newer ones that proved good, else new ones.
    pub(crate) fn others(&self, used: &Connections) -> Option<Connections> {
        let current = self.connections();
        if current.number > used.number {
            return Some(current);
        }
        Some(Connections {
            client: client(self.is_tls, self.is_loopback).ok()?,
            number: used.number.saturating_add(1),
        })
    }

    /// From now on these connections are used, unless newer ones are already.
    pub(crate) fn adopt(&self, better: Connections) {
        let mut current = self.lock();
        if better.number > current.number {
            *current = better;
        }
    }

    /// Sends one request over `used` and reads the whole answer, at most until `deadline`. Where
    /// none comes in time, later requests use new connections.
    pub(crate) async fn exchange(
        &self,
        used: &Connections,
        request: reqwest::RequestBuilder,
        deadline: Deadline,
    ) -> Result<Answer, CallError> {
        let span = deadline.remaining();
        if span.is_zero() {
            return Err(CallError::DeadlineOver);
        }
        if let Ok(answer) = tokio::time::timeout(span, read_whole(request)).await {
            return answer;
        }
        if let Some(others) = self.others(used) {
            self.adopt(others);
        }
        Err(CallError::Timeout(span.as_millis()))
    }

    fn lock(&self) -> MutexGuard<'_, Connections> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn client(is_tls: bool, is_loopback: bool) -> Result<reqwest::Client, CallError> {
    let tls = if is_tls {
        tls::config()?
    } else {
        tls::no_config()?
    };
    let builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .tcp_nodelay(true)
        .tls_backend_preconfigured(tls);
    let builder = if is_loopback {
        builder.no_proxy()
    } else {
        builder
    };
    builder
        .build()
        .map_err(|error| CallError::Setup(chain(&error)))
}

async fn read_whole(request: reqwest::RequestBuilder) -> Result<Answer, CallError> {
    let mut response = request.send().await.map_err(|error| sort(&error))?;
    let status = response.status().as_u16();
    let retry_after = retry_after(response.headers());
    let header = |name| {
        let value = response.headers().get(name);
        value.map_or_else(String::new, |value| {
            String::from_utf8_lossy(value.as_bytes()).into_owned()
        })
    };
    let (location, date) = (header(LOCATION), header(DATE));
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| sort(&error))? {
        if body.len().saturating_add(chunk.len()) > BODY_MAX_BYTES {
            return Err(CallError::Malformed(format!(
                "body above {BODY_MAX_BYTES} bytes"
            )));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer {
        status,
        body,
        retry_after,
        location,
        date,
    })
}

/// Seconds of `Retry-After`; the date form is not used by the platform and reads as absent.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

fn sort(error: &reqwest::Error) -> CallError {
    if error.is_connect() {
        return if is_refused(error) {
            CallError::Refused
        } else {
            CallError::Connect(with_help(&chain(error)))
        };
    }
    if error.is_builder() {
        return CallError::Setup(chain(error));
    }
    CallError::Network(chain(error))
}

/// A certificate that is not trusted needs a hint: the operator's network may replace it.
fn with_help(cause: &str) -> String {
    if cause.contains("UnknownIssuer") || cause.contains("invalid peer certificate") {
        return format!("{cause} ({})", tls::hint());
    }
    cause.to_owned()
}

fn is_refused(error: &reqwest::Error) -> bool {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(io) = inner.downcast_ref::<std::io::Error>()
            && io.kind() == std::io::ErrorKind::ConnectionRefused
        {
            return true;
        }
        source = inner.source();
    }
    false
}

/// The innermost cause: the outer layers only repeat the address.
fn chain(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    shorten(&innermost.to_string())
}
