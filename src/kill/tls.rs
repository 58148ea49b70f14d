//! Whom the kill trusts over TLS: the bundled webpki roots, and what `SSL_CERT_FILE` adds.
//!
//! rustls with aws-lc-rs. No system store is read: a slim container without CA files works, and a
//! broken store cannot keep a kill from its platform. `SSL_CERT_FILE` is for operators behind a
//! proxy that inspects TLS: the PEM certificates of that file are trusted too. A file that cannot
//! be used never fails the kill; it is named where a certificate is not trusted.

use crate::call_error::{CallError, shorten};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::io::Read as _;
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// The variable that names a PEM file of further trusted certificates.
const VARIABLE: &str = "SSL_CERT_FILE";
/// Longest such file, bytes. A whole system bundle is about 230 kB.
const FILE_MAX_BYTES: u64 = 4 * 1024 * 1024;

/// The configuration and what is wrong with the added file.
#[derive(Debug)]
struct Trust {
    config: Result<ClientConfig, CallError>,
    problem: Option<String>,
}

/// Made once per process: 150 roots are not parsed for every host.
static TRUST: OnceLock<Trust> = OnceLock::new();

/// For `https://`. Cloning it shares roots and sessions.
pub(crate) fn config() -> Result<ClientConfig, CallError> {
    trust().config.clone()
}

/// For `http://` on loopback: trusts nobody, costs nothing.
pub(crate) fn no_config() -> Result<ClientConfig, CallError> {
    client_config(RootCertStore::empty())
}

/// What to do about a certificate that is not trusted.
pub(crate) fn hint() -> String {
    match &trust().problem {
        Some(problem) => problem.clone(),
        None => format!("a proxy that inspects TLS? name a file with its CA in {VARIABLE}"),
    }
}

fn trust() -> &'static Trust {
    TRUST.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        let named = std::env::var_os(VARIABLE).filter(|path| !path.is_empty());
        let problem = named
            .and_then(|path| add(&mut roots, Path::new(&path)).err())
            .map(|why| format!("{VARIABLE} cannot be used: {why}"));
        Trust {
            config: client_config(roots),
            problem,
        }
    })
}

fn client_config(roots: RootCertStore) -> Result<ClientConfig, CallError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| CallError::Setup(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// Adds every certificate of a PEM file.
fn add(roots: &mut RootCertStore, path: &Path) -> Result<(), String> {
    let shown = shorten(&path.display().to_string());
    let wanted = |why: &str| format!("`{shown}` {why} (wanted a PEM file of certificates)");
    let about =
        std::fs::metadata(path).map_err(|error| wanted(&format!("is unreadable: {error}")))?;
    // Looked at before it is opened: opening a pipe that nobody writes to never ends.
    if !about.is_file() {
        return Err(wanted("is no regular file"));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(FILE_MAX_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| wanted(&format!("is unreadable: {error}")))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > FILE_MAX_BYTES) {
        return Err(wanted("is too large"));
    }
    let found: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&bytes)
        .filter_map(Result::ok)
        .collect();
    let (added, _refused) = roots.add_parsable_certificates(found);
    if added == 0 {
        return Err(wanted("holds no certificate that can be read"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_used_says_why_and_adds_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let text = folder.path().join("text.pem");
        std::fs::write(&text, "no certificate").unwrap();
        for path in [folder.path().join("absent"), folder.path().to_owned(), text] {
            let mut roots = RootCertStore::empty();
            let why = add(&mut roots, &path).unwrap_err();
            assert!(why.contains("wanted a PEM file"), "{why}");
            assert!(roots.is_empty());
        }
    }
}
