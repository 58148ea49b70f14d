//! TLS in front of a plain server, with the test certificate: terminates, forwards, answers.

use super::http::Server;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

/// The CA that a client has to be told of.
pub(crate) fn ca_file() -> PathBuf {
    folder().join("ca.pem")
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/tls")
}

/// Listens with TLS and passes every request on to `behind`. Returns the address.
pub(crate) fn in_front_of(behind: &Server) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (config, behind) = (Arc::new(server_config()), behind.address);
    thread::spawn(move || {
        for stream in listener.incoming().filter_map(Result::ok) {
            let config = Arc::clone(&config);
            // A client that does not trust the certificate breaks the connection.
            thread::spawn(move || drop(serve(stream, config, behind)));
        }
    });
    address
}

fn server_config() -> rustls::ServerConfig {
    let certificates = vec![CertificateDer::from_pem_file(folder().join("loopback.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(folder().join("loopback.key")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .unwrap()
}

fn serve(
    stream: TcpStream,
    config: Arc<rustls::ServerConfig>,
    behind: SocketAddr,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let connection = rustls::ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut front = BufReader::new(rustls::StreamOwned::new(connection, stream));
    let back = TcpStream::connect(behind)?;
    back.set_nodelay(true)?;
    let mut back = BufReader::new(back);
    loop {
        let request = message(&mut front)?;
        back.get_mut().write_all(&request)?;
        let answer = message(&mut back)?;
        front.get_mut().write_all(&answer)?;
        front.get_mut().flush()?;
    }
}

/// One HTTP/1.1 message with a content length, head and body.
fn message(from: &mut impl BufRead) -> std::io::Result<Vec<u8>> {
    let mut text = String::new();
    let mut length = 0;
    loop {
        let start = text.len();
        if from.read_line(&mut text)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let line = text[start..].trim_end();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().map_err(std::io::Error::other)?;
        }
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    Ok([text.into_bytes(), body].concat())
}
