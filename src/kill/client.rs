//! The platform's GraphQL client: one operation, one answer, one deadline.
//!
//! Must not know what an operation means (that is `platform`), print, or hold a list of targets.
//! The rules come from the field: mandatory User-Agent, operation name in the query string,
//! errors by message, no `null` for absent inputs (in an update it can mean "clear this field"),
//! repeats, and a second attempt beside a slow one, only where they are harmless. Time is
//! monotonic throughout: neither this machine's wall clock nor the server's `Date` decides.

use crate::call_error::{CallError, from_message, shorten};
use crate::deadline::Deadline;
use crate::endpoint::Endpoint;
use crate::hedge::{Winner, first_good};
use crate::http::{Answer, Connections, Http};
use crate::ops::{Op, Retry};
use crate::secret::Secret;
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use serde_json::{Map, Value, json};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Longest time of one attempt when the client is not told otherwise.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(8);
/// A second attempt on new connections starts after this part of the longest attempt: a hung
/// connection costs that long, not the whole attempt.
const HEDGE_PART: u32 = 4;
/// Most attempts of one call; the deadline usually ends it earlier.
const ATTEMPTS_MAX: u32 = 40;

/// A token and how it is presented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// A project token (one environment of one project): header `Project-Access-Token`.
    Project(Secret),
    /// An account or workspace token: `Authorization: Bearer`.
    Bearer(Secret),
}

impl Auth {
    /// The token.
    pub fn secret(&self) -> &Secret {
        match self {
            Self::Project(secret) | Self::Bearer(secret) => secret,
        }
    }

    fn header(&self) -> Result<(HeaderName, HeaderValue), CallError> {
        let (name, text) = match self {
            Self::Project(secret) => ("project-access-token", secret.expose().to_owned()),
            Self::Bearer(secret) => ("authorization", format!("Bearer {}", secret.expose())),
        };
        let mut value = HeaderValue::from_str(&text).map_err(|_| {
            CallError::Setup("the token holds characters no header may carry".into())
        })?;
        value.set_sensitive(true);
        Ok((HeaderName::from_static(name), value))
    }
}

/// A client for one GraphQL endpoint. Cloning shares its connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: Http,
    endpoint: Endpoint,
    auth: Auth,
    /// Tried in order when the token before is refused.
    fallbacks: Arc<[Auth]>,
    attempt_timeout: Duration,
    is_patient: bool,
}

impl Client {
    /// A client for `endpoint` with the token `auth`. Opens no connection.
    ///
    /// # Errors
    /// [`CallError::Setup`] when TLS cannot be set up.
    pub fn new(endpoint: Endpoint, auth: Auth) -> Result<Self, CallError> {
        let http = Http::for_endpoint(&endpoint)?;
        let fallbacks = Arc::from([]);
        Ok(Self {
            http,
            endpoint,
            auth,
            fallbacks,
            attempt_timeout: ATTEMPT_TIMEOUT,
            is_patient: false,
        })
    }

    /// The same connections with another token and no fallbacks.
    #[must_use]
    pub fn with_auth(&self, auth: Auth) -> Self {
        Self {
            auth,
            fallbacks: Arc::from([]),
            ..self.clone()
        }
    }

    /// The same client; where its token is refused, each of these is tried.
    #[must_use]
    pub fn with_fallbacks(&self, fallbacks: Vec<Auth>) -> Self {
        Self {
            fallbacks: fallbacks.into(),
            ..self.clone()
        }
    }

    /// The same client with another bound on one attempt (default [`ATTEMPT_TIMEOUT`]).
    #[must_use]
    pub fn with_attempt_timeout(&self, attempt_timeout: Duration) -> Self {
        Self {
            attempt_timeout,
            ..self.clone()
        }
    }

    /// The same client; it also repeats what another network or edge node may answer otherwise
    /// (redirects, blocks, an address without GraphQL), because a kill has nothing better to do.
    #[must_use]
    pub(crate) fn patient(&self) -> Self {
        Self {
            is_patient: true,
            ..self.clone()
        }
    }

    /// Where it talks to.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Runs one operation and returns the `data` object. Members of `variables` that are `null`
    /// are left out of the request, at every depth.
    ///
    /// Repeats as [`Op::retry`] allows, honouring `Retry-After`, never past `deadline`; when the
    /// next attempt would start after it, the last error is returned at once. An attempt that is
    /// slow gets a second one beside it, on new connections.
    ///
    /// # Errors
    /// See [`CallError`]; texts of the server are shortened and free of the token. When every
    /// token is refused, the error of the first.
    pub async fn call(
        &self,
        op: &Op,
        variables: &Value,
        deadline: Deadline,
    ) -> Result<Value, CallError> {
        let body = body_of(op, variables);
        let refused = match self.repeat(op, &self.auth, &body, read, deadline).await {
            Err(error) if error.is_unauthorized() => error,
            answer => return answer,
        };
        for auth in self.fallbacks.iter() {
            match self.repeat(op, auth, &body, read, deadline).await {
                Err(error) if error.is_unauthorized() => {}
                answer => return answer,
            }
        }
        Err(refused)
    }

    /// As [`Client::call`], for a list: where errors stand beside data, the data is returned too. What
    /// it names can be acted on; what it leaves out is not known.
    ///
    /// # Errors
    /// No data at all; see [`Client::call`].
    pub(crate) async fn call_partly(
        &self,
        op: &Op,
        variables: &Value,
        deadline: Deadline,
    ) -> Result<Partly, CallError> {
        let body = body_of(op, variables);
        let mut best = self
            .repeat(op, &self.auth, &body, read_partly, deadline)
            .await;
        for auth in self.fallbacks.iter() {
            let is_refused = |error: &CallError| error.is_unauthorized();
            let may_better = match &best {
                Ok(partly) => partly.error.as_ref().is_some_and(is_refused),
                Err(error) => is_refused(error),
            };
            if !may_better {
                break;
            }
            let next = self.repeat(op, auth, &body, read_partly, deadline).await;
            if next.is_ok() {
                best = next;
            }
        }
        best
    }

    /// One token, as many attempts as the operation and the deadline allow.
    async fn repeat<T>(
        &self,
        op: &Op,
        auth: &Auth,
        body: &str,
        read: Read<T>,
        deadline: Deadline,
    ) -> Result<T, CallError> {
        let mut attempt = 1;
        loop {
            let limit = deadline.at_most(self.attempt_timeout);
            let error = match self.hedged(op, auth, body, read, limit).await {
                Ok(data) => return Ok(data),
                Err(error) => error,
            };
            let can_change = error.is_transient() || (self.is_patient && error.may_pass());
            let pause = error.pause(attempt);
            if op.retry != Retry::Always
                || !can_change
                || attempt >= ATTEMPTS_MAX
                || pause >= deadline.remaining()
            {
                return Err(error);
            }
            tokio::time::sleep(pause).await;
            attempt = attempt.saturating_add(1);
        }
    }

    /// One attempt, or two side by side when the first is slow.
    async fn hedged<T>(
        &self,
        op: &Op,
        auth: &Auth,
        body: &str,
        read: Read<T>,
        limit: Deadline,
    ) -> Result<T, CallError> {
        let used = self.http.connections();
        let attempt = async |connections: &Connections| {
            let body = body.to_owned();
            let answer = self.exchange(connections, op, auth, body, limit).await?;
            read(&answer, auth.secret())
        };
        let first = attempt(&used);
        if op.retry != Retry::Always {
            return first.await;
        }
        let others = OnceLock::new();
        let second = || {
            let others = others.get_or_init(|| self.http.others(&used)).as_ref()?;
            Some(attempt(others))
        };
        let (answer, winner) = first_good(first, self.attempt_timeout / HEDGE_PART, second).await;
        if winner == Winner::Second
            && answer.is_ok()
            && let Some(Some(better)) = others.get()
        {
            self.http.adopt(better.clone());
        }
        answer
    }

    async fn exchange(
        &self,
        connections: &Connections,
        op: &Op,
        auth: &Auth,
        body: String,
        limit: Deadline,
    ) -> Result<Answer, CallError> {
        let (name, value) = auth.header()?;
        let request = connections
            .request(reqwest::Method::POST, self.endpoint.with_operation(op.name))
            .header(CONTENT_TYPE, "application/json")
            .header(name, value)
            .body(body);
        self.http.exchange(connections, request, limit).await
    }

    /// The server's clock, whole seconds, whatever it thinks of the request; `None` when its answer
    /// carries no date. Asks `ProjectToken`, which changes nothing.
    pub(crate) async fn server_time(&self, deadline: Deadline) -> Option<jiff::Timestamp> {
        let op = &crate::ops::PROJECT_TOKEN;
        let body = json!({"query": op.query, "operationName": op.name}).to_string();
        let connections = self.http.connections();
        let asked = self.exchange(&connections, op, &self.auth, body, deadline);
        let date = asked.await.ok()?.date;
        let parsed = jiff::fmt::rfc2822::parse(&date).ok()?;
        Some(parsed.timestamp())
    }
}

/// The body of a request.
fn body_of(op: &Op, variables: &Value) -> String {
    json!({
        "query": op.query,
        "variables": without_nulls(variables),
        "operationName": op.name,
    })
    .to_string()
}

/// What an answer with one token means.
type Read<T> = fn(&Answer, &Secret) -> Result<T, CallError>;

/// The `data` of an answer with the first of the errors beside it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Partly {
    pub(crate) data: Value,
    pub(crate) error: Option<CallError>,
}

/// As [`read`], but data that stands beside errors is not lost.
fn read_partly(answer: &Answer, token: &Secret) -> Result<Partly, CallError> {
    let error = match read(answer, token) {
        Ok(data) => return Ok(Partly { data, error: None }),
        Err(error) => error,
    };
    let body = (answer.status == 200).then(|| serde_json::from_slice(&answer.body).ok());
    match body.flatten() {
        Some(Value::Object(mut body)) => match body.remove("data") {
            Some(data @ Value::Object(_)) => Ok(Partly {
                data,
                error: Some(error),
            }),
            _ => Err(error),
        },
        _ => Err(error),
    }
}

/// The `data` of an answer, or what its status and errors mean.
fn read(answer: &Answer, token: &Secret) -> Result<Value, CallError> {
    let text = || shorten(&token.scrub(&String::from_utf8_lossy(&answer.body)));
    match answer.status {
        200 => data(&answer.body, token),
        status @ 300..=399 => Err(CallError::Redirected {
            status,
            location: shorten(&token.scrub(&answer.location)),
        }),
        400 => Err(CallError::Invalid(
            error_message(&answer.body, token).unwrap_or_else(text),
        )),
        401 => Err(CallError::Unauthorized(format!("HTTP 401 {}", text()))),
        403 if text().contains("1010") => Err(CallError::Blocked(format!("HTTP 403 {}", text()))),
        403 => Err(CallError::Unauthorized(format!("HTTP 403 {}", text()))),
        429 => Err(CallError::RateLimited {
            retry_after: answer.retry_after,
        }),
        status @ (408 | 500..=599) => Err(CallError::Server(format!("HTTP {status} {}", text()))),
        status => Err(CallError::Unrouted(status)),
    }
}

fn data(body: &[u8], token: &Secret) -> Result<Value, CallError> {
    let Ok(Value::Object(mut answer)) = serde_json::from_slice(body) else {
        return Err(CallError::Malformed(
            "HTTP 200, but the body is no JSON object".into(),
        ));
    };
    if let Some(message) = first_error(&answer) {
        return Err(from_message(&token.scrub(&message)));
    }
    match answer.remove("data") {
        Some(Value::Object(data)) => Ok(Value::Object(data)),
        _ => Err(CallError::Malformed(
            "HTTP 200 with neither `data` nor `errors`".into(),
        )),
    }
}

/// The message of the first error, if the answer carries any sign of one.
fn first_error(answer: &Map<String, Value>) -> Option<String> {
    match answer.get("errors")? {
        Value::Null => None,
        Value::Array(errors) => errors.first().map(|error| {
            error
                .get("message")
                .and_then(Value::as_str)
                .unwrap_or("an error without message")
                .to_owned()
        }),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            Some("`errors` is no list".to_owned())
        }
    }
}

fn error_message(body: &[u8], token: &Secret) -> Option<String> {
    let answer: Map<String, Value> = serde_json::from_slice(body).ok()?;
    let message = first_error(&answer)?;
    Some(shorten(&token.scrub(&message)))
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .iter()
                .filter(|(_, member)| !member.is_null())
                .map(|(name, member)| (name.clone(), without_nulls(member)))
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.iter().map(without_nulls).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::any_bytes::corpus;
    use proptest::prelude::*;

    fn answered(body: &[u8]) -> Result<String, String> {
        let token = Secret::new("tok-secret-123").unwrap();
        data(body, &token)
            .map(|data| data.to_string())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn answers_are_read_or_refused_in_their_words() {
        let read = |text: &str| answered(text.as_bytes());
        corpus::refused_list("answers/invalid", "graphql", read);
        corpus::accepted_list("answers/valid", "graphql", read);
    }

    proptest! {
        #[test]
        fn no_answer_makes_the_client_panic(body in crate::any_bytes::spoiled(&[
            r#"{"data":{"deployments":{"edges":[]}},"errors":null}"#,
            r#"{"errors":[{"message":"tok-secret-123 Not Authorized"}]}"#,
        ])) {
            if let Err(said) = answered(&body) {
                prop_assert!(!said.contains("tok-secret-123"), "{}", said);
                prop_assert!(said.chars().count() < 700, "{}", said);
            }
        }
    }

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status,
            body: body.into(),
            retry_after: None,
            location: String::new(),
            date: String::new(),
        }
    }

    fn read_as(status: u16, body: &str) -> Result<Value, CallError> {
        read(&answer(status, body), &Secret::new("tok-123456").unwrap())
    }

    #[test]
    fn absent_inputs_are_left_out_at_every_depth() {
        let given = json!({"a": null, "b": {"c": null, "d": 1}, "e": [{"f": null}]});
        assert_eq!(without_nulls(&given), json!({"b": {"d": 1}, "e": [{}]}));
    }

    #[test]
    fn http_200_with_errors_is_an_error() {
        let body = r#"{"data":{"deploymentStop":true},"errors":[{"message":"Not Authorized","extensions":{"code":"INTERNAL_SERVER_ERROR"}}]}"#;
        assert_eq!(
            read_as(200, body),
            Err(CallError::Unauthorized("Not Authorized".into()))
        );
    }

    #[test]
    fn a_list_beside_errors_is_read_and_known_to_be_partial() {
        let body = r#"{"data":{"a":1},"errors":[{"message":"Not Authorized"}]}"#;
        let secret = Secret::new("tok-123456").unwrap();
        let partly = read_partly(&answer(200, body), &secret).unwrap();
        assert_eq!(partly.data, json!({"a": 1}));
        assert!(partly.error.unwrap().is_unauthorized());
        for body in [r#"{"data":null,"errors":[{"message":"x"}]}"#, "<html>", ""] {
            assert!(read_partly(&answer(200, body), &secret).is_err(), "{body}");
        }
        let failed = r#"{"data":{"a":1}}"#;
        assert!(read_partly(&answer(500, failed), &secret).is_err());
    }

    #[test]
    fn an_answer_that_is_not_data_is_never_success() {
        for body in [
            "",
            "<html>",
            "[]",
            "{}",
            r#"{"data":null}"#,
            r#"{"data":1}"#,
            r#"{"data":{},"errors":"x"}"#,
        ] {
            assert!(read_as(200, body).is_err(), "{body}");
        }
        assert_eq!(
            read_as(200, r#"{"data":{"a":1},"errors":[]}"#),
            Ok(json!({"a": 1}))
        );
    }

    #[test]
    fn statuses_say_what_they_mean() {
        assert!(matches!(
            read_as(403, "error code: 1010"),
            Err(CallError::Blocked(_))
        ));
        assert!(matches!(
            read_as(403, "no"),
            Err(CallError::Unauthorized(_))
        ));
        assert!(matches!(read_as(401, ""), Err(CallError::Unauthorized(_))));
        assert!(matches!(
            read_as(429, "error code: 1015"),
            Err(CallError::RateLimited { .. })
        ));
        assert!(matches!(read_as(502, "x"), Err(CallError::Server(_))));
        assert!(matches!(read_as(404, "{}"), Err(CallError::Unrouted(404))));
        assert!(matches!(
            read_as(302, ""),
            Err(CallError::Redirected { .. })
        ));
        assert_eq!(
            read_as(400, r#"{"errors":[{"message":"Unknown argument \"x\""}]}"#),
            Err(CallError::Invalid("Unknown argument \"x\"".into()))
        );
    }

    #[test]
    fn an_echoed_token_is_scrubbed() {
        let error = read_as(500, "bad token tok-123456")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("[redacted]") && !error.contains("tok-123456"),
            "{error}"
        );
    }
}
