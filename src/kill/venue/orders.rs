//! Open orders and what a cancellation says about them. Read leniently; what is missing is unknown.

use crate::call_error::{CallError, shorten};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// One open order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpenOrder {
    /// The venue's id.
    pub id: String,
    /// Condition id of the market.
    pub market: Option<String>,
    /// Token.
    pub token: Option<String>,
    /// `BUY` or `SELL`.
    pub side: Option<String>,
    /// Decimal.
    pub price: Option<String>,
    /// Shares as ordered, decimal.
    pub size: Option<String>,
    /// Shares matched so far, decimal.
    pub matched: Option<String>,
    /// `Up` or `Down`.
    pub outcome: Option<String>,
    /// The wallet that pays: where the positions are.
    pub wallet: Option<String>,
}

impl OpenOrder {
    /// One entry of `/data/orders`. Without an id it could not be cancelled by name: unusable.
    pub(super) fn read(entry: &Value) -> Result<Self, CallError> {
        let text = |name: &str| {
            let text = entry.get(name)?.as_str()?;
            (!text.is_empty()).then(|| shorten(text))
        };
        Ok(Self {
            id: text("id")
                .ok_or_else(|| CallError::Malformed("an open order without an id".into()))?,
            market: text("market"),
            token: text("asset_id"),
            side: text("side"),
            price: text("price"),
            size: text("original_size"),
            matched: text("size_matched"),
            outcome: text("outcome"),
            wallet: text("maker_address"),
        })
    }

    /// In words: `BUY 20 @ 0.48 of token 7132…, 0x00ab…`.
    pub fn describe(&self) -> String {
        let or = |value: &Option<String>| value.clone().unwrap_or_else(|| "?".into());
        format!(
            "{} {} @ {} of token {}, order {}",
            or(&self.side),
            or(&self.size),
            or(&self.price),
            self.token.as_deref().map_or_else(|| "?".into(), abridged),
            abridged(&self.id)
        )
    }
}

/// The beginning of a long id.
pub(crate) fn abridged(id: &str) -> String {
    const SHOWN_CHARS: usize = 14;
    if id.chars().count() <= SHOWN_CHARS {
        return id.to_owned();
    }
    id.chars().take(SHOWN_CHARS).chain(['…']).collect()
}

/// What a cancellation says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cancelled {
    /// Ids that are cancelled.
    pub canceled: Vec<String>,
    /// Ids that are not, each with the venue's reason.
    pub not_canceled: BTreeMap<String, String>,
}

impl Cancelled {
    /// `{"canceled":[…],"not_canceled":{id: reason}}`; `not_canceled` may be absent or null,
    /// `canceled` may be null.
    pub(super) fn read(answer: &Value) -> Result<Self, CallError> {
        let wanted = || CallError::Malformed("no answer to a cancellation".into());
        let canceled = match answer.get("canceled").ok_or_else(wanted)? {
            Value::Null => Vec::new(),
            Value::Array(ids) => ids
                .iter()
                .map(|id| id.as_str().map(shorten).ok_or_else(wanted))
                .collect::<Result<_, _>>()?,
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
                return Err(wanted());
            }
        };
        let not_canceled = match answer.get("not_canceled") {
            None | Some(Value::Null) => BTreeMap::new(),
            Some(Value::Object(refused)) => refused
                .iter()
                .map(|(id, why)| (shorten(id), shorten(why.as_str().unwrap_or("no reason"))))
                .collect(),
            Some(_) => return Err(wanted()),
        };
        Ok(Self {
            canceled,
            not_canceled,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_an_answer_to_a_cancellation_is_one() {
        let read = |value| Cancelled::read(&value);
        let both = read(json!({"canceled": ["a"], "not_canceled": {"b": "matched"}})).unwrap();
        assert_eq!(both.canceled, ["a"]);
        assert_eq!(both.not_canceled["b"], "matched");
        assert_eq!(
            read(json!({"canceled": null})).unwrap(),
            Cancelled::default()
        );
        for bad in [
            json!({}),
            json!("OK"),
            json!([]),
            json!({"canceled": 1}),
            json!({"canceled": [], "not_canceled": ["b"]}),
            json!({"not_canceled": {}}),
        ] {
            assert!(read(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_order_without_an_id_spoils_the_list() {
        assert!(OpenOrder::read(&json!({"price": "0.5"})).is_err());
        let bare = OpenOrder::read(&json!({"id": "0x1"})).unwrap();
        assert_eq!(bare.describe(), "? ? @ ? of token ?, order 0x1");
    }
}
