//! Addresses that a token may be sent to: `https://` anywhere, `http://` on loopback only.
//!
//! Parses once; everything behind this border holds a valid address. Never resolves names.

use crate::call_error::shorten;
use reqwest::Url;
use std::fmt;

/// Railway's public GraphQL endpoint (docs.railway.com, public API; `.railway.app` is its alias).
pub const RAILWAY: &str = "https://backboard.railway.com/graphql/v2";

/// Hosts that count as Railway's own (receipts of a rehearsal on another host never count).
const RAILWAY_HOSTS: &[&str] = &["backboard.railway.com", "backboard.railway.app"];

/// An address that may be sent a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(Url);

/// Why an address was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{given}` is not usable as an address: {why} (wanted https://HOST/…, or http:// with a loopback address)"
)]
pub struct BadEndpoint {
    given: String,
    why: &'static str,
}

impl Endpoint {
    /// Parses an address.
    ///
    /// # Errors
    /// Not a URL, another scheme, `http://` off loopback, or a user name or password in it.
    pub fn parse(text: &str) -> Result<Self, BadEndpoint> {
        let bad = |why| BadEndpoint {
            given: shorten(&without_userinfo(text)),
            why,
        };
        let url = Url::parse(text.trim()).map_err(|_| bad("it does not parse as a URL"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad("it carries a user name or password"));
        }
        let endpoint = Self(url);
        match endpoint.0.scheme() {
            "https" if endpoint.0.has_host() => Ok(endpoint),
            "http" if endpoint.is_loopback() => Ok(endpoint),
            "http" => Err(bad("http:// would send the token in the clear")),
            _ => Err(bad("its scheme is neither https nor http")),
        }
    }

    /// Railway's own endpoint ([`RAILWAY`]); a result so that no path to it can panic.
    pub fn railway() -> Result<Self, BadEndpoint> {
        Self::parse(RAILWAY)
    }

    /// Whether the host is this machine: a loopback IP address or `localhost`.
    pub fn is_loopback(&self) -> bool {
        let host = self.0.host_str().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost"
            || bare
                .parse::<std::net::IpAddr>()
                .is_ok_and(|address| address.is_loopback())
    }

    /// Whether it is reached over TLS.
    pub(crate) fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Whether the host is Railway's.
    pub fn is_railway(&self) -> bool {
        self.is_https()
            && self
                .0
                .host_str()
                .is_some_and(|host| RAILWAY_HOSTS.contains(&host))
    }

    /// Host and port, for a bare connection.
    pub(crate) fn host_and_port(&self) -> Option<(String, u16)> {
        let host = self
            .0
            .host_str()?
            .trim_start_matches('[')
            .trim_end_matches(']');
        Some((host.to_owned(), self.0.port_or_known_default()?))
    }

    /// The address as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The same server with another path (`/halt`); a path in the address itself is its prefix.
    pub fn join(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        let prefix = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{prefix}{path}"));
        url.set_query(None);
        url.set_fragment(None);
        url
    }

    /// The address with `?query=NAME`: Cloudflare limits the bare GraphQL path more strictly.
    pub(crate) fn with_operation(&self, name: &str) -> Url {
        let mut url = self.0.clone();
        url.query_pairs_mut().append_pair("query", name);
        url
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

/// The part after `@`: what stands before it may be a password.
fn without_userinfo(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((_, host)) => format!("…@{host}"),
        None => text.chars().take(200).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_is_for_loopback_only() {
        for good in [
            "http://127.0.0.1:8080/graphql/v2",
            "http://[::1]:1/",
            "http://localhost:1",
            RAILWAY,
        ] {
            assert!(Endpoint::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "http://10.0.0.1/",
            "http://localhost.evil.example/",
            "ftp://127.0.0.1/",
            "127.0.0.1:80",
            "",
            "https://",
        ] {
            assert!(Endpoint::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_password_in_the_address_is_refused_and_not_repeated() {
        let error = Endpoint::parse("https://me:hunter2@host.example/")
            .unwrap_err()
            .to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn joins_a_path_below_a_prefix() {
        let base = Endpoint::parse("https://host.example/app/?x=1").unwrap();
        assert_eq!(base.join("/halt").as_str(), "https://host.example/app/halt");
    }
}
