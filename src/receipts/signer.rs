//! Who signs receipts: an ed25519 key of this machine's state directory, made on first use, and the public
//! keys that prove it.
//!
//! Keeps the private key in its file (`keys/receipts.ed25519`, 0600) and in memory; prints only the public
//! one. Must not decide whose signature counts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use launch_kill::StateDir;
use launch_kill::state_dir;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Bytes of a private key's seed (RFC 8032).
const SEED_BYTES: usize = 32;

/// What the file and public keys begin with.
const ALGORITHM: &str = "ed25519:";

/// Why there is no signing key.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// The file system refused.
    #[error(transparent)]
    State(#[from] launch_kill::StateError),
    /// The file holds no key.
    #[error(
        "{} is no signing key (wanted {ALGORITHM} and 64 hex digits); move it aside with the receipts that it signed",
        path.display()
    )]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// No random bytes.
    #[error("no random bytes for a signing key: {0}")]
    Random(String),
}

/// The private key of this state directory.
pub struct Signer(SigningKey);

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.public())
    }
}

impl Signer {
    /// The key of the state directory; made where there is none.
    ///
    /// # Errors
    /// The file cannot be read or made, or holds no key.
    pub fn of(state: &StateDir) -> Result<Self, SignerError> {
        let path = state.root().join("keys").join("receipts.ed25519");
        if let Some(text) = state_dir::read_text(&path)? {
            return parse(&text).ok_or(SignerError::Malformed { path });
        }
        let seed = crate::platform::tokens::random_hex(SEED_BYTES)
            .map_err(|error| SignerError::Random(error.to_string()))?;
        let text = format!("{ALGORITHM}{seed}\n");
        // Of two commands that start at once one makes the key, and both use it.
        state_dir::write_private_new(&path, text.as_bytes())?;
        let text = state_dir::read_text(&path)?.unwrap_or_default();
        parse(&text).ok_or(SignerError::Malformed { path })
    }

    /// The key that proves this one's signatures.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// The signature of a text, base64.
    pub fn sign(&self, text: &str) -> String {
        BASE64.encode(self.0.sign(text.as_bytes()).to_bytes())
    }
}

fn parse(text: &str) -> Option<Signer> {
    let hex = text.trim().strip_prefix(ALGORITHM)?;
    if !hex.is_ascii() || hex.len() != SEED_BYTES * 2 {
        return None;
    }
    let mut seed = [0_u8; SEED_BYTES];
    for (byte, pair) in seed.iter_mut().zip(hex.as_bytes().chunks(2)) {
        let pair = std::str::from_utf8(pair).ok()?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(Signer(SigningKey::from_bytes(&seed)))
}

/// A public key, `ed25519:` and base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Whether `signature` (base64) is this key's over `text`.
    pub fn has_signed(&self, text: &str, signature: &str) -> bool {
        BASE64
            .decode(signature)
            .ok()
            .and_then(|bytes| Signature::from_slice(&bytes).ok())
            .is_some_and(|signature| self.0.verify_strict(text.as_bytes(), &signature).is_ok())
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{ALGORITHM}{}", BASE64.encode(self.0.as_bytes()))
    }
}

/// A text is no public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no public key: wanted {ALGORITHM} and 43 base64 characters")]
pub struct NoPublicKey;

impl FromStr for PublicKey {
    type Err = NoPublicKey;

    fn from_str(text: &str) -> Result<Self, NoPublicKey> {
        text.strip_prefix(ALGORITHM)
            .and_then(|text| BASE64.decode(text).ok())
            .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
            .and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok())
            .map(PublicKey)
            .ok_or(NoPublicKey)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_key_is_made_once_kept_private_and_proves_its_own_words_alone() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::at(dir.path());
        let signer = Signer::of(&state).unwrap();
        let again = Signer::of(&state).unwrap();
        assert_eq!(signer.public(), again.public());
        let file = dir.path().join("keys/receipts.ed25519");
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let signature = signer.sign("words");
        let key: PublicKey = signer.public().to_string().parse().unwrap();
        assert!(key.has_signed("words", &signature));
        assert!(!key.has_signed("other words", &signature));
        assert!(!key.has_signed("words", "AAAA") && !key.has_signed("words", "§"));
        let other = Signer::of(&StateDir::at(dir.path().join("other"))).unwrap();
        assert_ne!(other.public(), signer.public());
        assert!(!other.public().has_signed("words", &signature));
        let secret = std::fs::read_to_string(&file).unwrap();
        let seed = secret.trim().strip_prefix("ed25519:").unwrap();
        assert!(!format!("{signer:?}").contains(seed));
    }

    /// RFC 8032, section 7.1, test 1: the empty message.
    #[test]
    fn the_signature_is_ed25519() {
        let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
        let signer = parse(&format!("ed25519:{seed}\n")).unwrap();
        let wanted = "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b";
        let bytes = BASE64.decode(signer.sign("")).unwrap();
        let wanted: Vec<u8> = (0..wanted.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&wanted[at..at + 2], 16).unwrap())
            .collect();
        assert_eq!(bytes, wanted);
    }

    #[test]
    fn a_file_that_is_no_key_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::at(dir.path());
        let file = dir.path().join("keys/receipts.ed25519");
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        for text in ["", "ed25519:", "ed25519:zz", "€", &"0".repeat(64)] {
            std::fs::write(&file, text).unwrap();
            assert!(Signer::of(&state).is_err(), "{text:?}");
            assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
        }
        for text in ["", "ed25519:", "ed25519:AAAA", "rsa:AAAA"] {
            assert_eq!(text.parse::<PublicKey>(), Err(NoPublicKey), "{text:?}");
        }
    }
}
