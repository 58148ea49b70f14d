//! Who this process is: program, build, instance. Read once at start, reported in `/health`.
//!
//! Must not be configurable: an identity that can be told is no evidence.

use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;

/// The commit that the program was built from, with `-dirty` when the compiled files differed from it;
/// `unknown` outside the repository.
pub const BUILD_COMMIT: &str = env!("LAUNCH_BUILD_COMMIT");

/// The program's version.
pub const TRADER_VERSION: &str = env!("CARGO_PKG_VERSION");

/// Bytes of randomness in an instance nonce.
const NONCE_BYTES: usize = 16;

/// Bytes hashed at a time.
const CHUNK_BYTES: usize = 256 * 1024;

/// A fact about this process that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {what}: {source}")]
pub struct IdentityError {
    what: &'static str,
    source: std::io::Error,
}

/// `sha256:…` of the running executable.
pub fn trader_sha256() -> Result<String, IdentityError> {
    let wrap = |source| IdentityError {
        what: "the running executable",
        source,
    };
    let mut file = running_executable().map_err(wrap)?;
    let mut hasher = Sha256::new();
    let mut chunk = vec![0_u8; CHUNK_BYTES];
    loop {
        let read = file.read(&mut chunk).map_err(wrap)?;
        if read == 0 {
            break;
        }
        hasher.update(chunk.get(..read).unwrap_or_default());
    }
    Ok(format!("sha256:{}", hex(&hasher.finalize())))
}

/// The very file that runs, even when another has taken its name since (a rebuild).
fn running_executable() -> std::io::Result<File> {
    File::open("/proc/self/exe").or_else(|_| File::open(std::env::current_exe()?))
}

/// A nonce that no other process has had.
pub fn new_nonce() -> Result<String, IdentityError> {
    let mut bytes = [0_u8; NONCE_BYTES];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .map_err(|source| IdentityError {
            what: "/dev/urandom",
            source,
        })?;
    Ok(hex(&bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing into a String cannot fail.
            let _infallible = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_starts_have_two_nonces_and_one_program() {
        assert_ne!(new_nonce().unwrap(), new_nonce().unwrap());
        let digest = trader_sha256().unwrap();
        assert_eq!(digest, trader_sha256().unwrap());
        assert_eq!(digest.len(), 71);
        assert!(
            BUILD_COMMIT == "unknown" || BUILD_COMMIT.len() >= 40,
            "{BUILD_COMMIT}"
        );
    }
}
