//! One plain HTTP request to the loopback platform: direct, bounded, without TLS, proxy or runtime.
//!
//! For `ensure`, provisioning and `launch platform`; GraphQL goes through the platform client like
//! everywhere else. Must not be used for any address but 127.0.0.1.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// Longest answer that is read (bytes).
const LONGEST_ANSWER: u64 = 16 << 20;
/// Longest wait for a connection: it is this machine.
const CONNECT: Duration = Duration::from_secs(2);

/// A request to the platform's own (non-GraphQL) paths.
#[derive(Debug)]
pub(crate) struct LocalRequest<'a> {
    pub(crate) port: u16,
    pub(crate) method: &'static str,
    pub(crate) path: &'a str,
    /// The whole value of the Authorization header.
    pub(crate) authorization: Option<String>,
    pub(crate) body: Option<&'a Value>,
    /// Longest silence while reading the answer.
    pub(crate) patience: Duration,
}

impl LocalRequest<'_> {
    /// Sends it; the status and the JSON answer, or what went wrong.
    pub(crate) fn send(&self) -> Result<(u16, Value), String> {
        let raw = self.exchange().map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&raw);
        let (head, body) = text
            .split_once("\r\n\r\n")
            .ok_or("the answer has no body")?;
        let status = head
            .split_whitespace()
            .nth(1)
            .and_then(|word| word.parse().ok());
        let status = status.ok_or("the answer is not HTTP")?;
        let json =
            serde_json::from_str(body).map_err(|error| format!("answer {status}: {error}"))?;
        Ok((status, json))
    }

    fn exchange(&self) -> std::io::Result<Vec<u8>> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let mut stream = TcpStream::connect_timeout(&address, CONNECT)?;
        stream.set_read_timeout(Some(self.patience))?;
        stream.set_write_timeout(Some(CONNECT))?;
        let body = self.body.map(Value::to_string).unwrap_or_default();
        let authorization = self
            .authorization
            .as_ref()
            .map(|value| format!("Authorization: {value}\r\n"))
            .unwrap_or_default();
        // HTTP/1.0: the answer ends with the connection and is never chunked.
        let head = format!(
            "{} {} HTTP/1.0\r\nHost: {address}\r\nUser-Agent: launch\r\n{authorization}\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.method,
            self.path,
            body.len()
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(body.as_bytes())?;
        let mut answer = Vec::new();
        stream.take(LONGEST_ANSWER).read_to_end(&mut answer)?;
        Ok(answer)
    }
}
