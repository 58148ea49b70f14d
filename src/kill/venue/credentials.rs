//! An API key of the venue and the L2 signature that it makes.
//!
//! `POLY_SIGNATURE` = base64url, padding kept, of HMAC-SHA256 under the decoded secret over
//! timestamp, method, path and body. The query string is not signed (the official clients sign the
//! bare path). Read in `py-clob-client-v2` 1.2.1, `signing/hmac.py`; the standard alphabet in a
//! signature is refused as "Invalid api key" (Polymarket/py-clob-client issue 190).

use crate::secret::Secret;
use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, URL_SAFE};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Secrets are handed out as base64url with padding; by copying, some lose the padding or come in
/// the other alphabet.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a request is signed with. Every part is a secret but the address.
#[derive(Debug, Clone, PartialEq)]
pub struct Credentials {
    address: String,
    api_key: Secret,
    passphrase: Secret,
    secret: Secret,
    /// The secret, decoded; a [`Secret`] cannot hold bytes.
    key: Key,
}

/// Bytes that print as `[redacted]`.
#[derive(Clone, PartialEq)]
struct Key(Vec<u8>);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Credentials {
    /// Credentials of one API key.
    ///
    /// # Errors
    /// The secret is not base64, or a part cannot stand in a header. Says which, never the value.
    pub fn new(
        address: &str,
        api_key: Secret,
        secret: Secret,
        passphrase: Secret,
    ) -> Result<Self, &'static str> {
        let fits = |text: &str| text.chars().all(|c| c.is_ascii_graphic());
        if !fits(api_key.expose()) || !fits(passphrase.expose()) {
            return Err("the API key or passphrase holds characters that no header may carry");
        }
        // `+` and `/` mean what `-` and `_` mean in the other alphabet.
        let text = secret.expose().replace('+', "-").replace('/', "_");
        let key = LENIENT
            .decode(text)
            .map_err(|_| "the API secret is not base64")?;
        Ok(Self {
            address: address.to_owned(),
            api_key,
            passphrase,
            secret,
            key: Key(key),
        })
    }

    /// The headers of one request; the values of all but the first and last are secret.
    pub(super) fn headers(
        &self,
        timestamp_secs: i64,
        method: &str,
        path: &str,
        body: &str,
    ) -> [(&'static str, String); 5] {
        [
            ("POLY_ADDRESS", self.address.clone()),
            ("POLY_API_KEY", self.api_key.expose().to_owned()),
            ("POLY_PASSPHRASE", self.passphrase.expose().to_owned()),
            (
                "POLY_SIGNATURE",
                self.sign(timestamp_secs, method, path, body),
            ),
            ("POLY_TIMESTAMP", timestamp_secs.to_string()),
        ]
    }

    fn sign(&self, timestamp_secs: i64, method: &str, path: &str, body: &str) -> String {
        // HMAC takes a key of any length; the error type is there for other MACs.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key.0) else {
            return String::new();
        };
        for part in [&timestamp_secs.to_string(), method, path, body] {
            mac.update(part.as_bytes());
        }
        URL_SAFE.encode(mac.finalize().into_bytes())
    }

    /// `text` without anything that must not be shown.
    pub(super) fn scrub(&self, text: &str) -> String {
        [&self.secret, &self.passphrase, &self.api_key]
            .into_iter()
            .fold(text.to_owned(), |text, secret| secret.scrub(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of nobody: made up for these vectors.
    const SECRET: &str = "-_-8wq3Lm0PZ7hXkT2sRvYbN5gJdQe1uIoAfCx4WzKE=";
    const TIMESTAMP: i64 = 1_795_393_198;

    fn credentials(secret: &str) -> Result<Credentials, &'static str> {
        let part = |text| Secret::new(text).unwrap();
        Credentials::new("0xAb", part("key-1234"), part(secret), part("pass-1234"))
    }

    #[test]
    fn signatures_are_those_of_the_official_client() {
        // Made with py-clob-client-v2 1.2.1: build_hmac_signature(SECRET, TIMESTAMP, method, path,
        // body), the body as its client serialises it.
        let vectors = [
            (
                "DELETE",
                "/cancel-all",
                "",
                "z4Mx-Hlk2aaEXPcny2tsrBGyLrlUGTZP64Tnsw5CQQs=",
            ),
            (
                "GET",
                "/data/orders",
                "",
                "DByrj1abrar_Q0PBpmFUkq-GoKlqM9ddW5KvTHQkt7E=",
            ),
            (
                "DELETE",
                "/auth/api-key",
                "",
                "wcu-59GpEHH3lpfIQMB1D5wtMj7XHsLydiCKxOEZHL8=",
            ),
            (
                "DELETE",
                "/orders",
                r#"["0x01","0x02"]"#,
                "WMYnQDQrncl03TxnubbuhDl-eA9aQUefT6pxEpHcAnM=",
            ),
            (
                "DELETE",
                "/order",
                r#"{"orderID":"0x01"}"#,
                "YV5O4tYq4iE2GCMX0WOxOqFL5qb7aDiSs81cwzdVWA0=",
            ),
        ];
        let own = credentials(SECRET).unwrap();
        for (method, path, body, wanted) in vectors {
            assert_eq!(
                own.sign(TIMESTAMP, method, path, body),
                wanted,
                "{method} {path}"
            );
        }
    }

    #[test]
    fn a_secret_in_either_alphabet_with_or_without_padding_is_the_same() {
        let wanted = credentials(SECRET)
            .unwrap()
            .sign(TIMESTAMP, "GET", "/x", "");
        let standard = SECRET.replace('-', "+").replace('_', "/");
        for other in [
            SECRET.trim_end_matches('='),
            &standard,
            standard.trim_end_matches('='),
        ] {
            let own = credentials(other).unwrap();
            assert_eq!(own.sign(TIMESTAMP, "GET", "/x", ""), wanted, "{other}");
        }
    }

    #[test]
    fn what_is_no_secret_is_refused_without_showing_it() {
        for bad in ["not base64!", "ä", "a"] {
            let error = credentials(bad).unwrap_err();
            assert!(
                error.contains("base64") && !error.contains(bad.trim_end_matches('a'))
                    || bad == "a"
            );
        }
        let part = |text| Secret::new(text).unwrap();
        let split = Credentials::new("0xAb", part("a\nb"), part(SECRET), part("p"));
        assert!(split.unwrap_err().contains("header"));
    }

    #[test]
    fn no_format_shows_a_part() {
        let own = credentials(SECRET).unwrap();
        let shown = format!("{own:?}");
        for part in ["key-1234", "pass-1234", SECRET] {
            assert!(!shown.contains(part), "{shown}");
        }
        assert!(!shown.contains("251"), "no bytes of the key: {shown}");
        assert_eq!(
            own.scrub("bad key-1234 of pass-1234"),
            "bad [redacted] of [redacted]"
        );
    }
}
