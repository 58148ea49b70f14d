//! The service's variables as a plan may know them: names and salted hashes, never values.
//!
//! Pure. The salt is the control token: without it nobody can test a guessed value against a plan
//! that was pasted into a ticket.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::collections::BTreeMap;

/// Variables that the platform sets itself.
pub const PLATFORM_PREFIX: &str = "RAILWAY_";

/// The freeze: changed by kill and reenable, so no part of anyone's intent to deploy.
pub const FREEZE_VARIABLE: &str = "LAUNCH_FREEZE";

/// Whether a variable belongs to the intent.
pub fn is_intended(name: &str) -> bool {
    !name.starts_with(PLATFORM_PREFIX) && name != FREEZE_VARIABLE
}

/// Name → `hmac-sha256:…` of what is in the service after the deploy wrote its own.
pub fn salted(
    in_service: &BTreeMap<String, String>,
    written: &BTreeMap<String, String>,
    salt: &[u8],
) -> BTreeMap<String, String> {
    let mut merged: BTreeMap<&String, &String> = in_service.iter().collect();
    merged.extend(written);
    merged
        .into_iter()
        .filter(|(name, _)| is_intended(name))
        .map(|(name, value)| (name.clone(), hash(name, value, salt)))
        .collect()
}

/// The name is hashed along, so that two variables with one value do not show it.
fn hash(name: &str, value: &str, salt: &[u8]) -> String {
    use std::fmt::Write as _;
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(salt) else {
        // HMAC takes a key of any length; the constructor's error type is for other MACs.
        return "hmac-sha256:unavailable".to_owned();
    };
    mac.update(name.as_bytes());
    mac.update(b"=");
    mac.update(value.as_bytes());
    let mut text = String::from("hmac-sha256:");
    for byte in mac.finalize().into_bytes() {
        // Writing into a String cannot fail.
        let _infallible = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    #[test]
    fn platform_variables_and_the_freeze_are_left_out() {
        let quiet = salted(&map(&[("A", "1")]), &map(&[]), b"salt");
        let noisy = salted(
            &map(&[
                ("A", "1"),
                ("RAILWAY_DEPLOYMENT_ID", "d1"),
                ("LAUNCH_FREEZE", "{}"),
            ]),
            &map(&[]),
            b"salt",
        );
        assert_eq!(quiet, noisy);
        assert_eq!(quiet.len(), 1);
    }

    #[test]
    fn a_first_deploy_and_a_second_one_hash_alike() {
        let written = map(&[("LAUNCH_FEED", "generator:7")]);
        assert_eq!(
            salted(&map(&[]), &written, b"s"),
            salted(&written, &written, b"s")
        );
    }

    #[test]
    fn value_name_and_salt_count_and_the_value_never_shows() {
        let of = |name: &str, value: &str, salt: &str| {
            salted(&map(&[(name, value)]), &map(&[]), salt.as_bytes())
                .into_values()
                .next()
                .unwrap()
        };
        let base = of("A", "hunter2", "salt");
        assert_ne!(base, of("A", "hunter3", "salt"));
        assert_ne!(base, of("B", "hunter2", "salt"));
        assert_ne!(base, of("A", "hunter2", "other"));
        assert!(!base.contains("hunter2") && base.len() == 12 + 64);
    }

    #[test]
    fn hmac_is_the_standard_one() {
        // Computed with Python's hmac module: key "key", message "a=b".
        assert_eq!(
            hash("a", "b", b"key"),
            "hmac-sha256:cb2eec31a5d83f4a1eb6c300895621454ed6d9eefef4466c6cbf7b2325a205c5"
        );
    }
}
