//! A tiny HTTP/1.1 server over loopback, by hand: one thread per connection, and it can die.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// The number of its connection, from 0.
    pub(crate) connection: u32,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(header, _)| header.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// One answer.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    Json(u16, String),
    /// Status, extra header line, body.
    Raw(u16, String, String),
    /// Reads the request and never answers.
    Hang,
    /// Closes the connection instead of answering.
    Close,
    /// HTTP 200 with half of this body, then closes.
    Truncated(String),
    /// HTTP 200 with this body, a byte every 20 ms.
    Slow(String),
}

/// An address of this machine that no other test process uses: a server that died must not come back to
/// life as another test's, at the port that it left. Linux answers on all of 127.0.0.0/8.
pub(crate) fn own_loopback() -> Ipv4Addr {
    if !cfg!(target_os = "linux") {
        return Ipv4Addr::LOCALHOST;
    }
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, high.wrapping_add(1).clamp(1, 200), middle, low)
}

/// A server until it is dropped or killed.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) alive: Arc<AtomicBool>,
}

impl Server {
    pub(crate) fn start(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((own_loopback(), 0)).unwrap();
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let alive = Arc::new(AtomicBool::new(true));
        let (running, answer) = (Arc::clone(&alive), Arc::new(answer));
        thread::spawn(move || {
            let mut connections = 0..;
            while running.load(Ordering::SeqCst) {
                match listener.accept() {
                    Ok((stream, _)) => {
                        let (running, answer) = (Arc::clone(&running), Arc::clone(&answer));
                        let number = connections.next().unwrap();
                        thread::spawn(move || serve(&stream, number, &running, &*answer));
                    }
                    Err(_) => thread::sleep(Duration::from_micros(500)),
                }
            }
        });
        Self { address, alive }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.alive.store(false, Ordering::SeqCst);
    }
}

fn serve(
    stream: &TcpStream,
    number: u32,
    running: &AtomicBool,
    answer: &(dyn Fn(&Request) -> Reply + Send + Sync),
) {
    stream.set_nonblocking(false).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_millis(5)))
        .unwrap();
    let mut reader = BufReader::new(stream);
    while let Some(mut request) = read(&mut reader, running) {
        request.connection = number;
        let reply = answer(&request);
        if !running.load(Ordering::SeqCst) {
            return;
        }
        let text = match reply {
            Reply::Json(status, body) => format!(
                "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            ),
            Reply::Raw(status, header, body) => {
                format!(
                    "HTTP/1.1 {status} X\r\n{header}content-length: {}\r\n\r\n{body}",
                    body.len()
                )
            }
            Reply::Close => return,
            Reply::Truncated(body) => {
                let half = body.get(..body.len() / 2).unwrap_or_default();
                let head = format!("HTTP/1.1 200 X\r\ncontent-length: {}\r\n\r\n", body.len());
                let mut stream = stream;
                drop(stream.write_all(format!("{head}{half}").as_bytes()));
                return;
            }
            Reply::Slow(body) => {
                let head = format!("HTTP/1.1 200 X\r\ncontent-length: {}\r\n\r\n", body.len());
                let mut stream = stream;
                drop(stream.write_all(head.as_bytes()));
                for byte in body.as_bytes() {
                    let is_over = !running.load(Ordering::SeqCst);
                    if is_over || stream.write_all(&[*byte]).is_err() {
                        return;
                    }
                    thread::sleep(Duration::from_millis(20));
                }
                continue;
            }
            Reply::Hang => {
                while running.load(Ordering::SeqCst) {
                    thread::sleep(Duration::from_millis(5));
                }
                return;
            }
        };
        let mut stream = stream;
        if stream.write_all(text.as_bytes()).is_err() {
            return;
        }
    }
}

/// A line, or `None` when the peer has gone or the server has been killed.
fn line(reader: &mut BufReader<&TcpStream>, running: &AtomicBool) -> Option<String> {
    let mut line = String::new();
    loop {
        match reader.read_line(&mut line) {
            Ok(0) => return None,
            Ok(_) => return Some(line.trim_end().to_owned()),
            Err(error) if is_timeout(&error) && running.load(Ordering::SeqCst) => {}
            Err(_) => return None,
        }
    }
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
    )
}

fn read(reader: &mut BufReader<&TcpStream>, running: &AtomicBool) -> Option<Request> {
    let first = line(reader, running)?;
    let mut words = first.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let header = line(reader, running)?;
        if header.is_empty() {
            break;
        }
        let (name, value) = header.split_once(':')?;
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let mut request = Request {
        method,
        path,
        headers,
        body: String::new(),
        connection: 0,
    };
    let length: usize = request
        .header("content-length")
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    let mut filled = 0;
    while filled < length {
        match reader.read(&mut body[filled..]) {
            Ok(0) => return None,
            Ok(read) => filled += read,
            Err(error) if is_timeout(&error) && running.load(Ordering::SeqCst) => {}
            Err(_) => return None,
        }
    }
    request.body = String::from_utf8(body).ok()?;
    Some(request)
}
