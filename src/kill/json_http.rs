//! JSON over HTTP with a bearer token: the transport of the trader's and the watchdog's surface.
//!
//! Must not know what a path means, nor retry. Unknown members are the caller's to ignore.

use crate::call_error::{CallError, shorten};
use crate::deadline::Deadline;
use crate::endpoint::Endpoint;
use crate::http::{Answer, Http};
use crate::secret::Secret;
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use serde_json::Value;

/// A client for one base address with one token.
#[derive(Debug, Clone)]
pub struct JsonClient {
    http: Http,
    base: Endpoint,
    token: Option<Secret>,
}

impl JsonClient {
    /// A client for `base`. Opens no connection.
    ///
    /// # Errors
    /// [`CallError::Setup`] when TLS cannot be set up.
    pub fn new(base: Endpoint, token: Option<Secret>) -> Result<Self, CallError> {
        let http = Http::for_endpoint(&base)?;
        Ok(Self { http, base, token })
    }

    /// The same connections with another token.
    #[must_use]
    pub fn with_token(&self, token: Option<Secret>) -> Self {
        Self {
            token,
            ..self.clone()
        }
    }

    /// Where it talks to.
    pub fn base(&self) -> &Endpoint {
        &self.base
    }

    /// `GET path` once. The JSON of a 200, else an error.
    pub async fn get(&self, path: &str, deadline: Deadline) -> Result<Value, CallError> {
        self.send(Method::GET, path, None, deadline).await
    }

    /// `POST path` once. The JSON of a 200, else an error.
    pub async fn post(
        &self,
        path: &str,
        body: &Value,
        deadline: Deadline,
    ) -> Result<Value, CallError> {
        self.send(Method::POST, path, Some(body), deadline).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        deadline: Deadline,
    ) -> Result<Value, CallError> {
        let connections = self.http.connections();
        let mut request = connections.request(method, self.base.join(path));
        if let Some(token) = &self.token {
            let mut value =
                HeaderValue::from_str(&format!("Bearer {}", token.expose())).map_err(|_| {
                    CallError::Setup("the token holds characters no header may carry".into())
                })?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        if let Some(body) = body {
            request = request
                .header(CONTENT_TYPE, "application/json")
                .body(body.to_string());
        }
        let answer = self.http.exchange(&connections, request, deadline).await?;
        self.read(&answer)
    }

    fn read(&self, answer: &Answer) -> Result<Value, CallError> {
        let parsed = serde_json::from_slice::<Value>(&answer.body)
            .ok()
            .filter(Value::is_object);
        let why = || {
            let text = parsed.as_ref().and_then(|json| json.get("error")?.as_str());
            let text = text.map_or_else(
                || String::from_utf8_lossy(&answer.body).into_owned(),
                str::to_owned,
            );
            shorten(
                &self
                    .token
                    .as_ref()
                    .map_or(text.clone(), |token| token.scrub(&text)),
            )
        };
        match answer.status {
            200 => {
                parsed.ok_or_else(|| CallError::Malformed("HTTP 200, but no JSON object".into()))
            }
            status @ 300..=399 => Err(CallError::Redirected {
                status,
                location: shorten(&answer.location),
            }),
            400 | 422 => Err(CallError::Invalid(why())),
            status @ (401 | 403) => {
                Err(CallError::Unauthorized(format!("HTTP {status} {}", why())))
            }
            409 => Err(CallError::Denied(why())),
            429 => Err(CallError::RateLimited {
                retry_after: answer.retry_after,
            }),
            status @ (408 | 500..=599) => {
                Err(CallError::Server(format!("HTTP {status} {}", why())))
            }
            status => Err(CallError::Unrouted(status)),
        }
    }
}
