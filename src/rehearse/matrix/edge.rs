//! What stands between the internet and a trader on Railway: one address for the service, whichever of
//! its processes lives behind it.
//!
//! Lets bytes through to the newest process that takes a connection, a zombie's included; where none
//! does, it answers itself, as Railway's edge does. Knows nothing of what passes.

use super::stand_in::files;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

/// Longest wait for either side's next byte.
const SILENCE_MAX: Duration = Duration::from_secs(20);
/// Railway's answer for a service without a living process.
const NOBODY: &str = r#"{"status":"error","code":502,"message":"Application failed to respond"}"#;

/// An edge that ends when this is dropped.
#[derive(Debug)]
pub(super) struct Edge {
    port: u16,
    ending: Arc<AtomicBool>,
}

impl Edge {
    /// The edge of the platform whose state directory is `root`. Errors: no port.
    pub(super) fn start(root: &Path) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        let ending = Arc::new(AtomicBool::new(false));
        let (ended, volumes) = (Arc::clone(&ending), root.join("local/platform/volumes"));
        std::thread::Builder::new().spawn(move || {
            for stream in listener.incoming() {
                if ended.load(Ordering::Acquire) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let volumes = volumes.clone();
                // A thread that cannot be had is a connection that is dropped.
                drop(std::thread::Builder::new().spawn(move || drop(pass(stream, &volumes))));
            }
        })?;
        Ok(Self { port, ending })
    }

    /// The service's address.
    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Release);
        // Wakes the thread that waits for a connection.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

fn pass(mut outside: TcpStream, volumes: &Path) -> std::io::Result<()> {
    outside.set_read_timeout(Some(SILENCE_MAX))?;
    let Some(mut inside) = addresses(volumes)
        .into_iter()
        .find_map(|at| TcpStream::connect(at).ok())
    else {
        // What is not read makes the kernel reset the connection before the answer arrives.
        let mut head = [0_u8; 4_096];
        let _request = outside.read(&mut head)?;
        let answer = format!(
            "HTTP/1.1 502 Bad Gateway\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{NOBODY}",
            NOBODY.len()
        );
        return outside.write_all(answer.as_bytes());
    };
    inside.set_read_timeout(Some(SILENCE_MAX))?;
    let (mut from, mut to) = (outside.try_clone()?, inside.try_clone()?);
    std::thread::Builder::new().spawn(move || {
        drop(std::io::copy(&mut from, &mut to));
        drop(to.shutdown(Shutdown::Write));
    })?;
    std::io::copy(&mut inside, &mut outside)?;
    outside.shutdown(Shutdown::Both)
}

/// Where the service's processes said that they answer, the newest first.
fn addresses(volumes: &Path) -> Vec<String> {
    let entries = |folder: &Path| -> Vec<PathBuf> {
        let read = std::fs::read_dir(folder).into_iter().flatten();
        read.flatten().map(|entry| entry.path()).collect()
    };
    let mut told: Vec<(SystemTime, String)> = entries(volumes)
        .iter()
        .flat_map(|volume| entries(volume))
        .filter(|path| path.extension().is_some_and(|kind| kind == files::INSTANCE))
        .filter_map(|path| {
            let at = path.metadata().ok()?.modified().ok()?;
            let told: Value = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
            let url = told.get("url")?.as_str()?;
            Some((at, url.strip_prefix("http://")?.to_owned()))
        })
        .collect();
    told.sort();
    told.into_iter().rev().map(|(_, address)| address).collect()
}
