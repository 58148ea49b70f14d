//! One moving line on stderr for runs that take longer than half a second. Nothing where stderr is no
//! terminal.

use crate::context::Context;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// A run shorter than this shows nothing, ms.
const QUIET_MS: u64 = 500;
/// How often the line moves, ms.
const TICK_MS: u64 = 100;

/// The line; gone when dropped.
pub(super) struct Progress {
    what: Arc<Mutex<String>>,
    running: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    pub(super) fn start(ctx: &Context) -> Self {
        let what = Arc::new(Mutex::new("reading HEAD".to_owned()));
        let running = ctx.progress.then(|| {
            let (stop, stopped) = channel();
            let what = Arc::clone(&what);
            (stop, std::thread::spawn(move || show(&what, &stopped)))
        });
        Self { what, running }
    }

    /// Says what is going on now.
    pub(super) fn say(&self, what: &str) {
        if let Ok(mut said) = self.what.lock() {
            what.clone_into(&mut said);
        }
    }
}

/// Ends when the sender is dropped.
fn show(what: &Mutex<String>, stopped: &Receiver<()>) {
    if stopped.recv_timeout(Duration::from_millis(QUIET_MS)) != Err(RecvTimeoutError::Timeout) {
        return;
    }
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{spinner} preflight: {msg} ({elapsed})") {
        bar.set_style(style);
    }
    loop {
        if let Ok(said) = what.lock() {
            bar.set_message(said.clone());
        }
        bar.tick();
        if stopped.recv_timeout(Duration::from_millis(TICK_MS)) != Err(RecvTimeoutError::Timeout) {
            break;
        }
    }
    bar.finish_and_clear();
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            drop(stop);
            // A line that could not be drawn is no reason to fail.
            thread.join().ok();
        }
    }
}
