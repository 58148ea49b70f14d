//! One request to the venue: signed, bounded, its answer sorted. Repeats nothing but a request that
//! was refused for the time it carried.
//!
//! The clock: a signature carries the time, and a machine whose clock is wrong would be refused
//! everything. After a refusal the venue's own clock is read and used from then on.

use super::VenueAccess;
use super::credentials::Credentials;
use super::holdings;
use super::orders::{Cancelled, OpenOrder};
use crate::call_error::{CallError, shorten};
use crate::deadline::Deadline;
use crate::endpoint::Endpoint;
use crate::http::{Answer, Http};
use crate::position::Position;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// The cursor of the first page (base64 of `0`) …
const FIRST_CURSOR: &str = "MA==";
/// … and the one that says "no more" (base64 of `-1`). Source: the official clients.
const END_CURSOR: &str = "LTE=";
/// Most pages of orders that are read (100 orders each): more is not a list but a fault.
const ORDER_PAGES_MAX: u32 = 50;
/// Positions on one page (the data API's maximum) …
const POSITIONS_PAGE: usize = 500;
/// … and most pages.
const POSITION_PAGES_MAX: usize = 20;
/// Best bids that are asked for; positions beyond it have none.
const BIDS_MAX: usize = 50;
/// A clock closer to the venue's than this is not why a request was refused, seconds.
const CLOCK_SLACK_SECS: u64 = 2;

/// The venue, seen by one account.
#[derive(Debug, Clone)]
pub struct Venue {
    clob: Endpoint,
    data: Endpoint,
    http: Http,
    data_http: Http,
    credentials: Option<Credentials>,
    /// The venue's clock minus this machine's, seconds; 0 until a refusal made us look.
    clock_offset: Arc<AtomicI64>,
}

/// What is asked of the CLOB.
#[derive(Debug, Clone, Copy)]
struct Ask<'a> {
    method: &'a Method,
    path: &'a str,
    query: &'a [(&'a str, &'a str)],
    body: &'a str,
}

impl Venue {
    /// A client. Opens no connection.
    ///
    /// # Errors
    /// [`CallError::Setup`] when TLS cannot be set up.
    pub fn new(access: &VenueAccess) -> Result<Self, CallError> {
        Ok(Self {
            http: Http::for_endpoint(&access.clob)?,
            data_http: Http::for_endpoint(&access.data)?,
            clob: access.clob.clone(),
            data: access.data.clone(),
            credentials: access.credentials.clone().ok(),
            clock_offset: Arc::new(AtomicI64::new(0)),
        })
    }

    /// `DELETE /cancel-all`: every open order of the account.
    ///
    /// # Errors
    /// No answer to a cancellation.
    pub async fn cancel_all(&self, deadline: Deadline) -> Result<Cancelled, CallError> {
        let ask = Ask::of(&Method::DELETE, "/cancel-all");
        Cancelled::read(&self.signed(ask, deadline).await?)
    }

    /// `DELETE /orders`: these orders.
    ///
    /// # Errors
    /// No answer to a cancellation.
    pub async fn cancel(&self, ids: &[String], deadline: Deadline) -> Result<Cancelled, CallError> {
        let body = Value::from(ids.to_vec()).to_string();
        let ask = Ask {
            body: &body,
            ..Ask::of(&Method::DELETE, "/orders")
        };
        Cancelled::read(&self.signed(ask, deadline).await?)
    }

    /// `GET /data/orders`, all pages.
    ///
    /// # Errors
    /// A page is missing, unreadable, or there is no end: then nothing is known.
    pub async fn open_orders(&self, deadline: Deadline) -> Result<Vec<OpenOrder>, CallError> {
        let mut orders = Vec::new();
        let mut cursor = FIRST_CURSOR.to_owned();
        for _ in 0..ORDER_PAGES_MAX {
            let query = [("next_cursor", cursor.as_str())];
            let ask = Ask {
                query: &query,
                ..Ask::of(&Method::GET, "/data/orders")
            };
            let page = self.signed(ask, deadline).await?;
            let entries = page.get("data").and_then(Value::as_array);
            let entries = entries
                .ok_or_else(|| CallError::Malformed("a list of orders without `data`".into()))?;
            for entry in entries {
                orders.push(OpenOrder::read(entry)?);
            }
            match page.get("next_cursor").and_then(Value::as_str) {
                Some(END_CURSOR) => return Ok(orders),
                Some(next) if next != cursor && !next.is_empty() => next.clone_into(&mut cursor),
                _ => {
                    return Err(CallError::Malformed(
                        "a list of orders that does not say where it ends".into(),
                    ));
                }
            }
        }
        Err(CallError::Malformed(format!(
            "a list of orders of more than {ORDER_PAGES_MAX} pages"
        )))
    }

    /// `DELETE /auth/api-key`: this API key opens nothing any more.
    ///
    /// # Errors
    /// Not answered with success.
    pub async fn delete_key(&self, deadline: Deadline) -> Result<(), CallError> {
        let ask = Ask::of(&Method::DELETE, "/auth/api-key");
        self.signed(ask, deadline).await.map(drop)
    }

    /// What `wallet` holds, by the public data, each with its best bid where the book tells it.
    ///
    /// # Errors
    /// A page is missing or unreadable: then nothing is known. A missing bid is no error.
    pub async fn positions(
        &self,
        wallet: &str,
        deadline: Deadline,
    ) -> Result<Vec<Position>, CallError> {
        let mut positions = Vec::new();
        for page in 0..POSITION_PAGES_MAX {
            let mut url = self.data.join("/positions");
            // Without a threshold the data API leaves out what is below one share.
            url.query_pairs_mut()
                .append_pair("user", wallet)
                .append_pair("sizeThreshold", "0")
                .append_pair("limit", &POSITIONS_PAGE.to_string())
                .append_pair("offset", &page.saturating_mul(POSITIONS_PAGE).to_string());
            let body = self.sort(get(&self.data_http, url, deadline).await?)?;
            let (read, count) = holdings::read(&body, self.now_secs())?;
            positions.extend(read);
            if count < POSITIONS_PAGE {
                self.add_bids(&mut positions, deadline).await;
                return Ok(positions);
            }
        }
        Err(CallError::Malformed(format!(
            "more than {} positions",
            POSITION_PAGES_MAX.saturating_mul(POSITIONS_PAGE)
        )))
    }

    /// Best effort: a position without a bid is still a position.
    async fn add_bids(&self, positions: &mut [Position], deadline: Deadline) {
        for position in positions.iter_mut().take(BIDS_MAX) {
            let mut url = self.clob.join("/book");
            url.query_pairs_mut()
                .append_pair("token_id", &position.token);
            match get(&self.http, url, deadline).await {
                Ok(answer) => {
                    let book = self.sort(answer).ok();
                    let book = book.and_then(|body| serde_json::from_slice::<Value>(&body).ok());
                    position.last_bid =
                        book.and_then(|book| holdings::best_bid(&book).ok().flatten());
                }
                // Nobody answers: the others would only cost time.
                Err(_) => return,
            }
        }
    }

    /// A signed request. When it is refused and the venue's clock is another than the one used, it is
    /// sent once more with the venue's time.
    async fn signed(&self, ask: Ask<'_>, deadline: Deadline) -> Result<Value, CallError> {
        let Some(credentials) = &self.credentials else {
            return Err(CallError::Setup("no API key of the venue is known".into()));
        };
        let used = self.now_secs();
        let refusal = match self.send(ask, credentials, used, deadline).await {
            Err(CallError::Unauthorized(why)) => why,
            other => return other,
        };
        let venue_now = self.venue_time(deadline).await.map_err(|error| {
            // Not final: it may have been the clock.
            CallError::Server(format!(
                "{refusal}; the venue's clock cannot be read: {error}"
            ))
        })?;
        if venue_now.abs_diff(self.now_secs()) <= CLOCK_SLACK_SECS {
            return Err(CallError::Unauthorized(refusal));
        }
        let offset = venue_now.saturating_sub(local_now_secs());
        self.clock_offset.store(offset, Ordering::SeqCst);
        self.send(ask, credentials, venue_now, deadline).await
    }

    async fn send(
        &self,
        ask: Ask<'_>,
        credentials: &Credentials,
        timestamp_secs: i64,
        deadline: Deadline,
    ) -> Result<Value, CallError> {
        let mut url = self.clob.join(ask.path);
        for (name, value) in ask.query {
            url.query_pairs_mut().append_pair(name, value);
        }
        let connections = self.http.connections();
        let mut request = connections.request(ask.method.clone(), url);
        let signed = credentials.headers(timestamp_secs, ask.method.as_str(), ask.path, ask.body);
        for (name, value) in signed {
            let unusable = || CallError::Setup(format!("{name} cannot stand in a header"));
            let mut value = HeaderValue::from_str(&value).map_err(|_| unusable())?;
            value.set_sensitive(true);
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unusable())?;
            request = request.header(name, value);
        }
        if !ask.body.is_empty() {
            request = request
                .header(CONTENT_TYPE, "application/json")
                .body(ask.body.to_owned());
        }
        let answer = self.http.exchange(&connections, request, deadline).await?;
        let body = self.sort(answer)?;
        serde_json::from_slice(&body)
            .map_err(|_| CallError::Malformed("HTTP 200, but no JSON".into()))
    }

    /// `GET /time`: Unix seconds by the venue's clock.
    async fn venue_time(&self, deadline: Deadline) -> Result<i64, CallError> {
        let body = self.sort(get(&self.http, self.clob.join("/time"), deadline).await?)?;
        let text = String::from_utf8_lossy(&body);
        text.trim()
            .trim_matches('"')
            .parse()
            .map_err(|_| CallError::Malformed("the venue's time is no number".into()))
    }

    /// Whether this venue's clock was found to be another than this machine's, and by how much.
    pub fn clock_offset_secs(&self) -> i64 {
        self.clock_offset.load(Ordering::SeqCst)
    }

    fn now_secs(&self) -> i64 {
        local_now_secs().saturating_add(self.clock_offset_secs())
    }

    /// The body of a 200, else what the status means.
    fn sort(&self, answer: Answer) -> Result<Vec<u8>, CallError> {
        if answer.status == 200 {
            return Ok(answer.body);
        }
        let status = answer.status;
        let parsed = serde_json::from_slice::<Value>(&answer.body).ok();
        let said = parsed.as_ref().and_then(|json| json.get("error")?.as_str());
        let text = said.map_or_else(
            || String::from_utf8_lossy(&answer.body).into_owned(),
            str::to_owned,
        );
        let text = match &self.credentials {
            Some(credentials) => credentials.scrub(&text),
            None => text,
        };
        let why = format!("HTTP {status} {}", shorten(&text));
        Err(match status {
            300..=399 => CallError::Redirected {
                status,
                location: shorten(&answer.location),
            },
            403 if said.is_none() => CallError::Blocked(why),
            401 | 403 => CallError::Unauthorized(why),
            404 => CallError::NotFound(why),
            429 => CallError::RateLimited {
                retry_after: answer.retry_after,
            },
            // 425 = the matching engine is being restarted (Polymarket/py-clob-client issue 286).
            408 | 425 | 500..=599 => CallError::Server(why),
            _ if text.contains("not ready") => CallError::Server(why),
            _ => CallError::Invalid(why),
        })
    }
}

/// A public read.
async fn get(http: &Http, url: reqwest::Url, deadline: Deadline) -> Result<Answer, CallError> {
    let connections = http.connections();
    let request = connections.request(Method::GET, url);
    http.exchange(&connections, request, deadline).await
}

impl<'a> Ask<'a> {
    const fn of(method: &'a Method, path: &'a str) -> Self {
        Self {
            method,
            path,
            query: &[],
            body: "",
        }
    }
}

fn local_now_secs() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
