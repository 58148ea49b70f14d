//! What the environment gives of the venue: addresses, a wallet, an API key.
//!
//! Nothing is asked. Whatever is unusable is named, and counts as absent.

use super::credentials::Credentials;
use super::{CLOB, DATA_API};
use crate::endpoint::Endpoint;
use crate::secret::Secret;

/// The wallet that holds the positions, where it is not the key's own address (a proxy, Safe or
/// deposit wallet). Setting it, even to the same address, says that positions are looked for in the
/// right place: only then an empty answer means none.
pub const FUNDER_VARIABLE: &str = "POLYMARKET_FUNDER";

/// The variables that make an API key, in the order in which they are named when they lack.
const KEY_VARIABLES: [&str; 4] = [
    "POLYMARKET_ADDRESS",
    "POLYMARKET_API_KEY",
    "POLYMARKET_API_SECRET",
    "POLYMARKET_API_PASSPHRASE",
];

/// Access to the venue, as far as there is any.
#[derive(Debug, Clone, PartialEq)]
pub struct VenueAccess {
    /// `LAUNCH_CLOB_URL`, else the production address.
    pub clob: Endpoint,
    /// `LAUNCH_DATA_API_URL`, else the production address; beside a `clob` on this machine, that one.
    pub data: Endpoint,
    /// `POLYMARKET_ADDRESS`: the wallet of the API key.
    pub address: Option<String>,
    /// [`FUNDER_VARIABLE`].
    pub funder: Option<String>,
    /// The API key, or what of it is missing or unusable.
    pub credentials: Result<Credentials, String>,
}

impl VenueAccess {
    /// Reads the environment through `variable`; `None` when an address of the venue is unusable:
    /// `notes` then say so. `may_be_loopback` = whether an address on this machine is believed
    /// (a stub left in the environment of a real target would tell of an empty book).
    pub fn read(
        variable: impl Fn(&str) -> Option<String>,
        may_be_loopback: bool,
        notes: &mut Vec<String>,
    ) -> Option<Self> {
        let mut address_of = |name: &str, own: &str| {
            let given = variable(name);
            let parsed = Endpoint::parse(given.as_deref().unwrap_or(own));
            match parsed {
                Ok(endpoint) if endpoint.is_loopback() && !may_be_loopback => {
                    notes.push(format!(
                        "{name} names this machine, the target is elsewhere: {own} is asked"
                    ));
                    Endpoint::parse(own).ok()
                }
                Ok(endpoint) => Some(endpoint),
                Err(error) => {
                    notes.push(format!("{name}: {error}; the venue is not asked"));
                    None
                }
            }
        };
        let clob = address_of("LAUNCH_CLOB_URL", CLOB)?;
        // Whoever stands in for the venue on this machine stands in for all of it.
        let data = if clob.is_loopback() && variable("LAUNCH_DATA_API_URL").is_none() {
            clob.clone()
        } else {
            address_of("LAUNCH_DATA_API_URL", DATA_API)?
        };
        let mut wallet = |name: &str| {
            let given = variable(name)?;
            if is_address(&given) {
                return Some(given);
            }
            notes.push(format!(
                "{name} is not an address (wanted 0x and 40 hex digits): ignored"
            ));
            None
        };
        let address = wallet("POLYMARKET_ADDRESS");
        let funder = wallet(FUNDER_VARIABLE);
        let credentials = credentials(&variable, address.as_deref());
        Some(Self {
            clob,
            data,
            address,
            funder,
            credentials,
        })
    }

    /// Where positions are looked for, and whether an empty answer there means none.
    pub fn wallet(&self) -> Option<(&str, bool)> {
        match (&self.funder, &self.address) {
            (Some(funder), _) => Some((funder, true)),
            (None, Some(address)) => Some((address, false)),
            (None, None) => None,
        }
    }
}

fn credentials(
    variable: &impl Fn(&str) -> Option<String>,
    address: Option<&str>,
) -> Result<Credentials, String> {
    let lacking: Vec<&str> = KEY_VARIABLES
        .into_iter()
        .filter(|name| variable(name).is_none())
        .collect();
    if lacking.len() == KEY_VARIABLES.len() {
        return Err("no API key of the venue is known (POLYMARKET_…)".into());
    }
    if !lacking.is_empty() {
        return Err(format!(
            "no API key of the venue: {} not set",
            lacking.join(", ")
        ));
    }
    let secret = |name: &str| variable(name).and_then(|text| Secret::new(&text));
    let parts = (
        secret("POLYMARKET_API_KEY"),
        secret("POLYMARKET_API_SECRET"),
        secret("POLYMARKET_API_PASSPHRASE"),
    );
    let (Some(address), (Some(key), Some(secret), Some(passphrase))) = (address, parts) else {
        return Err("no API key of the venue: POLYMARKET_ADDRESS is not an address".into());
    };
    Credentials::new(address, key, secret, passphrase)
        .map_err(|why| format!("the API key of the venue is unusable: {why}"))
}

fn is_address(text: &str) -> bool {
    text.strip_prefix("0x")
        .is_some_and(|hex| hex.len() == 40 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WALLET: &str = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf";

    fn read(given: &[(&str, &str)], may_be_loopback: bool) -> (Option<VenueAccess>, String) {
        let mut notes = Vec::new();
        let variable = |name: &str| {
            let found = given.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let access = VenueAccess::read(variable, may_be_loopback, &mut notes);
        (access, notes.join("\n"))
    }

    fn whole() -> Vec<(&'static str, &'static str)> {
        vec![
            ("POLYMARKET_ADDRESS", WALLET),
            ("POLYMARKET_API_KEY", "key-12345"),
            ("POLYMARKET_API_SECRET", "c2VjcmV0LXNlY3JldA=="),
            ("POLYMARKET_API_PASSPHRASE", "pass-12345"),
        ]
    }

    #[test]
    fn a_whole_key_is_access_and_anything_less_says_what_lacks() {
        let (access, notes) = read(&whole(), false);
        let access = access.unwrap();
        assert!(access.credentials.is_ok() && notes.is_empty(), "{notes}");
        assert_eq!(access.clob.as_str(), "https://clob.polymarket.com/");
        for place in 1..4 {
            let mut less = whole();
            let (name, _) = less.remove(place);
            let why = read(&less, false).0.unwrap().credentials.unwrap_err();
            assert!(why.contains(name), "{why}");
        }
        let nothing = read(&[], false).0.unwrap();
        assert!(nothing.credentials.is_err() && nothing.wallet().is_none());
    }

    #[test]
    fn unusable_parts_are_named_and_never_shown() {
        let mut bad = whole();
        bad[2].1 = "s3cr3t!not!base64";
        let why = read(&bad, false).0.unwrap().credentials.unwrap_err();
        assert!(why.contains("base64") && !why.contains("s3cr3t"), "{why}");
        let mut bad = whole();
        bad[0].1 = "0xshort";
        let (access, notes) = read(&bad, false);
        assert!(access.unwrap().credentials.is_err() && notes.contains("POLYMARKET_ADDRESS"));
        let (access, notes) = read(&[("LAUNCH_CLOB_URL", "http://example.com")], false);
        assert!(
            access.is_none() && notes.contains("LAUNCH_CLOB_URL"),
            "{notes}"
        );
    }

    #[test]
    fn a_stub_left_in_the_environment_is_not_believed_for_a_real_target() {
        let stub = [("LAUNCH_CLOB_URL", "http://127.0.0.1:9")];
        let (access, notes) = read(&stub, false);
        assert!(!access.unwrap().clob.is_loopback() && notes.contains("this machine"));
        assert!(read(&stub, true).0.unwrap().clob.is_loopback());
    }

    #[test]
    fn only_a_named_wallet_makes_an_empty_answer_mean_none() {
        assert_eq!(
            read(&whole(), false).0.unwrap().wallet(),
            Some((WALLET, false))
        );
        let mut named = whole();
        named.push((FUNDER_VARIABLE, WALLET));
        assert_eq!(
            read(&named, false).0.unwrap().wallet(),
            Some((WALLET, true))
        );
    }
}
