//! The trader's HTTP surface, as far as stopping needs it.
//!
//! Reads leniently: the trader may be of another version. Only what proves something is taken
//! from an answer; anything else is absent, never zero.

use crate::call_error::CallError;
use crate::deadline::Deadline;
use crate::endpoint::Endpoint;
use crate::json_http::JsonClient;
use crate::position::Position;
use crate::secret::Secret;
use serde_json::{Value, json};

/// A trader at one address.
#[derive(Debug, Clone)]
pub struct Trader(JsonClient);

/// `GET /health/live`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    /// The platform's deployment id, as the instance knows it.
    pub deployment_id: Option<String>,
    /// The instance.
    pub nonce: Option<String>,
}

/// Answer to `POST /halt`: the halt is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Halted {
    /// Orders whose end is not known yet; `None` when the answer does not say.
    pub open_orders: Option<u64>,
    /// The instance; `None` when the answer does not say, which proves nothing.
    pub nonce: Option<String>,
}

/// How far an instance is halted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// It may send entries.
    Not,
    /// Entries off, exits on.
    ReduceOnly,
    /// Nothing is sent at all.
    Full,
}

/// What `GET /health` tells that a stop needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Health {
    /// The instance.
    pub nonce: Option<String>,
    /// The platform's deployment id, as the instance knows it.
    pub deployment_id: Option<String>,
    /// How far it is halted.
    pub halted: Extent,
    /// Orders whose end is not known yet.
    pub open_orders: Option<u64>,
    /// Positions that are not settled, as told; `None` when the list cannot be read.
    pub positions: Option<Vec<Position>>,
    /// How its selling goes; `None` when none was asked for, or it cannot say.
    pub flatten: Option<Flatten>,
    /// The whole answer.
    pub raw: Value,
}

/// How far a trader's selling is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlattenState {
    /// It sells.
    Selling,
    /// Nothing is left that it could sell; it is fully halted.
    Done,
    /// Its time ran out; it is fully halted.
    Lapsed,
}

/// `GET /health`, member `flatten`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flatten {
    /// How far it is.
    pub state: FlattenState,
    /// Each position with what selling it came to; `None` when the list cannot be read.
    pub positions: Option<Vec<Position>>,
}

impl Flatten {
    fn told(value: &Value) -> Option<Self> {
        let state = match value.get("state").and_then(Value::as_str)? {
            "selling" => FlattenState::Selling,
            "done" => FlattenState::Done,
            "lapsed" => FlattenState::Lapsed,
            _ => return None,
        };
        Some(Self {
            state,
            positions: Position::of_flatten(value),
        })
    }
}

/// Answer to `POST /flatten`: the order to sell is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flattening {
    /// Until nothing more is sold, ms; `None` when the answer does not say.
    pub ends_in_ms: Option<u64>,
    /// Positions that are held; `None` when the answer does not say.
    pub positions: Option<u64>,
}

impl Trader {
    /// `POST /flatten`. `Ok` only when the trader says that the order to sell is in force and on
    /// disk.
    pub async fn flatten(
        &self,
        reason: &str,
        by: &str,
        deadline: Deadline,
    ) -> Result<Flattening, CallError> {
        let body = json!({"reason": reason, "by": by});
        let answer = self.0.post("/flatten", &body, deadline).await?;
        if answer.get("flattening").and_then(Value::as_bool) != Some(true) {
            return Err(CallError::Denied(
                "the trader does not say that it sells".into(),
            ));
        }
        Ok(Flattening {
            ends_in_ms: answer.get("ends_in_ms").and_then(Value::as_u64),
            positions: count(&answer, "positions"),
        })
    }

    /// A client for the trader at `base`; `token` is the halt or the control token.
    ///
    /// # Errors
    /// [`CallError::Setup`] when TLS cannot be set up.
    pub fn new(base: Endpoint, token: Option<Secret>) -> Result<Self, CallError> {
        JsonClient::new(base, token).map(Self)
    }

    /// The same connections with another token.
    #[must_use]
    pub fn with_token(&self, token: Option<Secret>) -> Self {
        Self(self.0.with_token(token))
    }

    /// Where it talks to.
    pub fn base(&self) -> &Endpoint {
        self.0.base()
    }

    /// The transport, for the requests that are not about stopping (`/lease`).
    pub fn json(&self) -> &JsonClient {
        &self.0
    }

    /// `POST /halt`. `Ok` only when the trader says that the halt is in force and on disk.
    pub async fn halt(
        &self,
        reason: &str,
        by: &str,
        reduce_only: bool,
        deadline: Deadline,
    ) -> Result<Halted, CallError> {
        let body = json!({"reason": reason, "by": by, "reduce_only": reduce_only});
        let answer = self.0.post("/halt", &body, deadline).await?;
        if answer.get("halted").and_then(Value::as_bool) != Some(true) {
            return Err(CallError::Denied(
                "the trader does not say that it is halted".into(),
            ));
        }
        Ok(Halted {
            open_orders: count(&answer, "open_orders"),
            nonce: text(&answer, "nonce"),
        })
    }

    /// `GET /health/live`. `Ok` = something that speaks our JSON is alive there.
    pub async fn live(&self, deadline: Deadline) -> Result<Live, CallError> {
        let answer = self.0.get("/health/live", deadline).await?;
        let nonce = text(&answer, "nonce").or_else(|| text(&answer, "instance_nonce"));
        if nonce.is_none() && answer.get("alive").is_none() {
            return Err(CallError::Malformed("JSON, but not a trader's".into()));
        }
        Ok(Live {
            deployment_id: text(&answer, "deployment_id"),
            nonce,
        })
    }

    /// `GET /health`.
    pub async fn health(&self, deadline: Deadline) -> Result<Health, CallError> {
        let raw = self.0.get("/health", deadline).await?;
        Ok(Health {
            nonce: text(&raw, "instance_nonce").or_else(|| text(&raw, "nonce")),
            deployment_id: text(&raw, "deployment_id"),
            halted: extent(raw.get("halted")),
            open_orders: count(&raw, "open_orders"),
            positions: positions(&raw),
            flatten: raw.get("flatten").and_then(Flatten::told),
            raw,
        })
    }

    /// `POST /reenable` (control token): the only way back from a halt.
    pub async fn reenable(
        &self,
        reason: &str,
        by: &str,
        freeze_id: &str,
        deadline: Deadline,
    ) -> Result<Value, CallError> {
        let body = json!({"reason": reason, "by": by, "freeze_id": freeze_id});
        self.0.post("/reenable", &body, deadline).await
    }
}

/// A trader that was told to sell tells each position with what became of it, sold ones too.
fn positions(health: &Value) -> Option<Vec<Position>> {
    let flatten = health.get("flatten").and_then(Position::of_flatten);
    flatten.or_else(|| health.get("positions").and_then(Position::of_trader))
}

/// `true`, or an object with `reduce_only`. Anything else is not halted.
fn extent(halted: Option<&Value>) -> Extent {
    match halted {
        Some(Value::Bool(true)) => Extent::Full,
        Some(Value::Object(halt)) => match halt.get("reduce_only").and_then(Value::as_bool) {
            Some(false) => Extent::Full,
            Some(true) | None => Extent::ReduceOnly,
        },
        _ => Extent::Not,
    }
}

fn text(value: &Value, name: &str) -> Option<String> {
    value
        .get(name)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

/// A count, or the length of a list.
fn count(value: &Value, name: &str) -> Option<u64> {
    let member = value.get(name)?;
    member.as_u64().or_else(|| {
        member
            .as_array()
            .and_then(|list| u64::try_from(list.len()).ok())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_stated_halt_counts() {
        assert_eq!(extent(Some(&json!(true))), Extent::Full);
        assert_eq!(
            extent(Some(&json!({"by": "x", "reduce_only": false}))),
            Extent::Full
        );
        assert_eq!(
            extent(Some(&json!({"by": "x", "reduce_only": true}))),
            Extent::ReduceOnly
        );
        assert_eq!(
            extent(Some(&json!({"by": "x"}))),
            Extent::ReduceOnly,
            "the lesser claim"
        );
        for not in [json!(null), json!(false), json!("yes"), json!(1)] {
            assert_eq!(extent(Some(&not)), Extent::Not, "{not}");
        }
        assert_eq!(extent(None), Extent::Not);
    }

    #[test]
    fn an_absent_count_is_not_zero() {
        assert_eq!(count(&json!({}), "open_orders"), None);
        assert_eq!(count(&json!({"open_orders": "0"}), "open_orders"), None);
        assert_eq!(count(&json!({"open_orders": -1}), "open_orders"), None);
        assert_eq!(count(&json!({"open_orders": 2}), "open_orders"), Some(2));
        assert_eq!(count(&json!({"open_orders": [1]}), "open_orders"), Some(1));
    }
}
