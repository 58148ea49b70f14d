//! A very small HTTP/1.1 server for the stand-ins: one thread a connection, one request a connection,
//! loopback only.
//!
//! Must not know what a path means. Small on purpose: a matrix starts a thousand of them.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Longest wait for a request's next byte.
const READ_MAX: Duration = Duration::from_secs(5);
/// Most bytes of head and body that are read: requests of ours are below one kilobyte.
const REQUEST_BYTES_MAX: u64 = 64 * 1024;

/// One request.
#[derive(Debug)]
pub(super) struct Request {
    /// `GET /health`.
    pub(super) line: String,
    /// The bearer token.
    pub(super) token: Option<String>,
    /// The body, null where it is no JSON.
    pub(super) body: Value,
}

/// What is answered: a status and a document, or nothing for as long as the other side waits.
#[derive(Debug)]
pub(super) enum Answer {
    /// This.
    Send(u16, Value),
    /// The connection is held and nothing comes.
    Hang,
}

/// A server that ends when this is dropped.
#[derive(Debug)]
pub(super) struct Server {
    port: u16,
    ending: Arc<AtomicBool>,
}

impl Server {
    /// Answers on `listener` until dropped. Errors: the listener cannot be used.
    pub(super) fn start(
        listener: TcpListener,
        answer: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let port = listener.local_addr()?.port();
        let ending = Arc::new(AtomicBool::new(false));
        let (ended, answer) = (Arc::clone(&ending), Arc::new(answer));
        std::thread::Builder::new().spawn(move || {
            for stream in listener.incoming() {
                if ended.load(Ordering::Acquire) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let (answer, ended) = (Arc::clone(&answer), Arc::clone(&ended));
                // A thread that cannot be had is a connection that is dropped.
                drop(std::thread::Builder::new().spawn(move || {
                    drop(talk(&stream, &*answer, &ended));
                }));
            }
        })?;
        Ok(Self { port, ending })
    }

    /// Where it answers.
    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Release);
        // Wakes the thread that waits for a connection.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

fn talk(
    stream: &TcpStream,
    answer: &impl Fn(&Request) -> Answer,
    ended: &AtomicBool,
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(READ_MAX))?;
    let request = read(stream)?;
    match answer(&request) {
        Answer::Send(status, document) => {
            let body = document.to_string();
            let head = format!(
                "HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
                 Connection: close\r\n\r\n",
                body.len()
            );
            let mut out = stream;
            out.write_all(format!("{head}{body}").as_bytes())
        }
        Answer::Hang => {
            // Until the other side gives up, or this server ends.
            while !ended.load(Ordering::Acquire) {
                let mut rest = [0_u8; 64];
                let mut from = stream;
                match from.read(&mut rest) {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                    Err(_) => break,
                }
            }
            Ok(())
        }
    }
}

fn read(stream: &TcpStream) -> std::io::Result<Request> {
    let mut from = BufReader::new(stream.take(REQUEST_BYTES_MAX));
    let mut first = String::new();
    from.read_line(&mut first)?;
    let mut words = first.split_whitespace();
    let line = [words.next(), words.next()]
        .map(Option::unwrap_or_default)
        .join(" ");
    let (mut length, mut token) = (0_u64, None);
    loop {
        let mut header = String::new();
        if from.read_line(&mut header)? == 0 {
            break;
        }
        let Some((name, value)) = header.split_once(':') else {
            break; // the empty line
        };
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap_or(0),
            "authorization" => token = value.strip_prefix("Bearer ").map(str::to_owned),
            _ => {}
        }
    }
    let mut body = Vec::new();
    from.take(length).read_to_end(&mut body)?;
    Ok(Request {
        line,
        token,
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    })
}
