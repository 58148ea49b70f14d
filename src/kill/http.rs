//! One HTTP exchange with named bounds: the transport under the platform, trader and watchdog.
//!
//! Must not retry, classify GraphQL or follow redirects. One client per kind of host, so that all
//! requests to a host share its connections. TLS is rustls with aws-lc-rs and the bundled webpki
//! roots: nothing is read from the machine, a slim container without CA files works too.
//! Proxies: `HTTPS_PROXY`/`ALL_PROXY`/`NO_PROXY` are honoured for remote hosts (on some networks
//! they are the only way out; TLS stays end to end); loopback never goes through a proxy, because
//! "connection refused" there is evidence.

use crate::call_error::{CallError, shorten};
use crate::deadline::Deadline;
use crate::endpoint::Endpoint;
use reqwest::header::{HeaderMap, LOCATION, RETRY_AFTER};
use std::error::Error;
use std::sync::Arc;
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
}

/// An HTTP client for one kind of host.
#[derive(Debug, Clone)]
pub(crate) struct Http(reqwest::Client);

impl Http {
    /// A client fit for `endpoint`: direct on loopback, else with the environment's proxies.
    pub(crate) fn for_endpoint(endpoint: &Endpoint) -> Result<Self, CallError> {
        let builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .tcp_nodelay(true)
            .tls_backend_preconfigured(tls()?);
        let builder = if endpoint.is_loopback() {
            builder.no_proxy()
        } else {
            builder
        };
        builder
            .build()
            .map(Self)
            .map_err(|error| CallError::Setup(chain(&error)))
    }

    /// A request to this client's kind of host.
    pub(crate) fn request(
        &self,
        method: reqwest::Method,
        url: reqwest::Url,
    ) -> reqwest::RequestBuilder {
        self.0.request(method, url)
    }

    /// Sends one request and reads the whole answer, at most until `deadline`.
    pub(crate) async fn exchange(
        &self,
        request: reqwest::RequestBuilder,
        deadline: Deadline,
    ) -> Result<Answer, CallError> {
        let span = deadline.remaining();
        if span.is_zero() {
            return Err(CallError::DeadlineOver);
        }
        tokio::time::timeout(span, read_whole(request))
            .await
            .unwrap_or(Err(CallError::Timeout(span.as_millis())))
    }
}

async fn read_whole(request: reqwest::RequestBuilder) -> Result<Answer, CallError> {
    let mut response = request.send().await.map_err(|error| sort(&error))?;
    let status = response.status().as_u16();
    let retry_after = retry_after(response.headers());
    let location = response
        .headers()
        .get(LOCATION)
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .unwrap_or_default();
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
    })
}

/// Seconds of `Retry-After`; the date form is not used by the platform and reads as absent.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

fn tls() -> Result<rustls::ClientConfig, CallError> {
    let mut roots = rustls::RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| CallError::Setup(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn sort(error: &reqwest::Error) -> CallError {
    if error.is_connect() {
        return if is_refused(error) {
            CallError::Refused
        } else {
            CallError::Connect(chain(error))
        };
    }
    if error.is_builder() {
        return CallError::Setup(chain(error));
    }
    CallError::Network(chain(error))
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
