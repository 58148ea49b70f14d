//! Ids that are text on the wire and checked once: outcome tokens and strategies. Shared text, so that
//! a copy allocates nothing: every draft of an order carries both.

use super::error::UnitError;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The venue's id of one outcome token (ERC-1155 position id, a long decimal number).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct TokenId(Arc<str>);

impl Serialize for TokenId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// Digits of the largest 256-bit number; venue token ids are no longer.
const TOKEN_ID_MAX_CHARS: usize = 78;

impl FromStr for TokenId {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let valid = !text.is_empty()
            && text.len() <= TOKEN_ID_MAX_CHARS
            && text.bytes().all(|b| b.is_ascii_digit());
        if valid {
            Ok(Self(text.into()))
        } else {
            Err(UnitError::new(text, "a token id (1 to 78 digits)"))
        }
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for TokenId {
    type Error = UnitError;
    fn try_from(text: String) -> Result<Self, UnitError> {
        text.parse()
    }
}

impl From<TokenId> for String {
    fn from(id: TokenId) -> Self {
        id.0.as_ref().to_owned()
    }
}

/// A strategy's id: the stem of its file under `manifests/strategies/`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct StrategyId(Arc<str>);

impl Serialize for StrategyId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// Longest strategy id.
pub const STRATEGY_ID_MAX_CHARS: usize = 64;

impl StrategyId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for StrategyId {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let valid = !text.is_empty()
            && text.len() <= STRATEGY_ID_MAX_CHARS
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !text.starts_with('-')
            && !text.ends_with('-');
        if valid {
            Ok(Self(text.into()))
        } else {
            Err(UnitError::new(
                text,
                "a strategy id (lower case, digits and inner dashes)",
            ))
        }
    }
}

impl fmt::Display for StrategyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for StrategyId {
    type Error = UnitError;
    fn try_from(text: String) -> Result<Self, UnitError> {
        text.parse()
    }
}

impl schemars::JsonSchema for StrategyId {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "StrategyId".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "a strategy id (lower case, digits and inner dashes), the stem of its file",
            "type": "string",
            "pattern": "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$",
            "maxLength": STRATEGY_ID_MAX_CHARS,
        })
    }
}

impl From<StrategyId> for String {
    fn from(id: StrategyId) -> Self {
        id.0.as_ref().to_owned()
    }
}
