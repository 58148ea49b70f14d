//! The sockets under the server: each connection has a number, and an answer can be cut off or
//! dripped on its way out.
//!
//! Below HTTP on purpose: a client must meet what a broken network does, not what a library thinks
//! of it. Must not know which fault asks for it (see `network`) nor look into a body; of an answer
//! it knows only where its head ends.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Sleep, sleep};

/// Pause after a failed accept (too many open files, as a rule).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// What ends the head of an answer. Source: RFC 9112, section 2.1.
const HEAD_END: &[u8] = b"\r\n\r\n";

/// How the next answer of a connection goes out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Way {
    /// As it is.
    #[default]
    Whole,
    /// Not a byte of it: the connection is closed (FIN).
    Close,
    /// Not a byte of it: the connection is reset (RST).
    Reset,
    /// Its head and this much of its body (bytes), then the connection is closed.
    Cut(usize),
    /// Its head, then its body byte by byte with this pause before each (milliseconds).
    Drip(u64),
}

/// One connection, as a request handler sees it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Connection {
    /// 1 is the first since the platform started.
    pub(crate) number: u64,
    way: Arc<Mutex<Way>>,
}

impl Connection {
    /// Decides how the answer that the handler is about to return goes out.
    pub(crate) fn answer_goes(&self, way: Way) {
        *self.way() = way;
    }

    fn way(&self) -> MutexGuard<'_, Way> {
        self.way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connected<IncomingStream<'_, Wire>> for Connection {
    fn connect_info(stream: IncomingStream<'_, Wire>) -> Self {
        stream.remote_addr().clone()
    }
}

/// A listening socket that numbers its connections.
#[derive(Debug)]
pub(crate) struct Wire {
    listener: TcpListener,
    accepted: u64,
}

impl Wire {
    pub(crate) fn new(listener: TcpListener) -> Self {
        Self {
            listener,
            accepted: 0,
        }
    }
}

impl Listener for Wire {
    type Io = Socket;
    type Addr = Connection;

    async fn accept(&mut self) -> (Socket, Connection) {
        loop {
            let Ok((stream, _)) = self.listener.accept().await else {
                sleep(ACCEPT_PAUSE).await;
                continue;
            };
            // Without it a dripped byte would wait for the client's acknowledgement; where it
            // cannot be set answers are only slower.
            drop(stream.set_nodelay(true));
            self.accepted = self.accepted.saturating_add(1);
            let connection = Connection {
                number: self.accepted,
                way: Arc::default(),
            };
            let socket = Socket {
                stream,
                connection: connection.clone(),
                head_seen: 0,
                body_sent: 0,
                pause: None,
            };
            return (socket, connection);
        }
    }

    fn local_addr(&self) -> io::Result<Connection> {
        Ok(Connection::default())
    }
}

/// A socket that does to an answer what it was told.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    connection: Connection,
    /// How much of [`HEAD_END`] has just gone out; all of it = the body has begun.
    head_seen: usize,
    /// Bytes of the body that have gone out.
    body_sent: usize,
    /// The pause before the next dripped byte.
    pause: Option<Pin<Box<Sleep>>>,
}

impl Socket {
    /// How many of these bytes may go out at once: the head whole, of the body what is left.
    /// `None` = none, ever.
    fn allowed(&self, bytes: &[u8], body_most: usize) -> Option<usize> {
        let head = self.head_bytes(bytes);
        let body_left = body_most.saturating_sub(self.body_sent);
        let allowed = bytes.len().min(head.saturating_add(body_left));
        (allowed > 0).then_some(allowed)
    }

    /// How many of these bytes belong to the head.
    fn head_bytes(&self, bytes: &[u8]) -> usize {
        let mut seen = self.head_seen;
        for (at, byte) in bytes.iter().enumerate() {
            if seen == HEAD_END.len() {
                return at;
            }
            seen = progress(seen, *byte);
        }
        bytes.len()
    }

    /// Notes what has gone out.
    fn sent(&mut self, bytes: &[u8]) {
        let head = self.head_bytes(bytes);
        for byte in bytes.iter().take(head) {
            self.head_seen = progress(self.head_seen, *byte);
        }
        self.body_sent = self.body_sent.saturating_add(bytes.len() - head);
    }

    fn send(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if let Poll::Ready(Ok(count)) = &sent {
            self.sent(bytes.get(..*count).unwrap_or_default());
        }
        sent
    }

    /// Forgets the answer before.
    fn begin(&mut self) {
        self.head_seen = 0;
        self.body_sent = 0;
        self.pause = None;
    }
}

/// How much of [`HEAD_END`] has been seen after one more byte.
fn progress(seen: usize, byte: u8) -> usize {
    if HEAD_END.get(seen) == Some(&byte) {
        seen + 1
    } else {
        usize::from(HEAD_END.first() == Some(&byte))
    }
}

/// The server drops a socket whose writing fails: that is how a connection ends here.
fn ended() -> Poll<io::Result<usize>> {
    Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()))
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        // Nobody asks again before the answer is out, so this is the next request.
        if buffer.filled().len() > before {
            self.begin();
        }
        read
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let way = *self.connection.way();
        match way {
            Way::Whole => self.send(cx, bytes),
            Way::Close => ended(),
            Way::Reset => match self.stream.set_zero_linger() {
                Ok(()) => ended(),
                Err(error) => Poll::Ready(Err(error)),
            },
            Way::Cut(body) => match self.allowed(bytes, body) {
                Some(count) => self.send(cx, bytes.get(..count).unwrap_or_default()),
                None => ended(),
            },
            Way::Drip(ms) => {
                let head = self.head_bytes(bytes);
                if head > 0 {
                    return self.send(cx, bytes.get(..head).unwrap_or_default());
                }
                let pause = self
                    .pause
                    .get_or_insert_with(|| Box::pin(sleep(Duration::from_millis(ms))));
                if pause.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                self.pause = None;
                self.send(cx, bytes.get(..1).unwrap_or_default())
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
