//! Whether a request carries a valid L2 signature, byte for byte as the venue wants it.
//!
//! `POLY_SIGNATURE` = URL-safe base64, padding kept, of HMAC-SHA256 under the decoded secret over
//! timestamp, method, path (without the query) and body. Read in `py-clob-client-v2` 1.2.1
//! (`signing/hmac.py`, `client.py`); that the standard alphabet is refused: Polymarket/py-clob-client
//! issue 190. Own code on purpose, see the module above.

use super::account::Credentials;
use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// How far a timestamp may be from the venue's clock, seconds. The venue documents no figure; a
/// minute is what its GTD threshold uses.
pub(super) const TIMESTAMP_TOLERANCE_SECS: u64 = 60;

/// What is signed of one request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signed<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) body: &'a [u8],
}

/// Why a request was refused; `Ok` = it is the account's own.
pub(super) fn check(
    request: Signed<'_>,
    headers: &HeaderMap,
    account: &Credentials,
    venue_now_secs: i64,
) -> Result<(), &'static str> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let same = |name: &str, wanted: &str| header(name) == Some(wanted);
    let is_address =
        header("POLY_ADDRESS").is_some_and(|a| a.eq_ignore_ascii_case(&account.address));
    if !is_address {
        return Err("POLY_ADDRESS");
    }
    if !same("POLY_API_KEY", &account.api_key) {
        return Err("POLY_API_KEY");
    }
    if !same("POLY_PASSPHRASE", &account.passphrase) {
        return Err("POLY_PASSPHRASE");
    }
    let timestamp = header("POLY_TIMESTAMP").ok_or("POLY_TIMESTAMP")?;
    let secs: i64 = timestamp.parse().map_err(|_| "POLY_TIMESTAMP")?;
    if secs.abs_diff(venue_now_secs) > TIMESTAMP_TOLERANCE_SECS {
        return Err("POLY_TIMESTAMP too far from the venue's clock");
    }
    let wanted = sign(&account.secret, timestamp, request).ok_or("the account's secret")?;
    if same("POLY_SIGNATURE", &wanted) {
        Ok(())
    } else {
        Err("POLY_SIGNATURE")
    }
}

fn sign(secret: &str, timestamp: &str, request: Signed<'_>) -> Option<String> {
    let key = URL_SAFE.decode(secret).ok()?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    mac.update(timestamp.as_bytes());
    mac.update(request.method.as_bytes());
    mac.update(request.path.as_bytes());
    mac.update(request.body);
    Some(URL_SAFE.encode(mac.finalize().into_bytes()))
}
