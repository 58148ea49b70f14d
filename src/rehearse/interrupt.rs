//! Ctrl-C during a rehearsal: the running command gets it too (it shares the terminal's process group) and
//! ends its own way; the rehearsal then takes its scratch project down instead of leaving it running.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};

/// How often a wait looks for an interrupt.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Whether somebody asked the rehearsal to end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Watches for SIGINT, SIGTERM and SIGHUP from now on, on a thread of its own.
    pub(crate) fn watch() -> Self {
        let interrupt = Self::default();
        let seen = interrupt.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            // Without a runtime the default stands: the signal ends the process.
            if let Ok(runtime) = runtime {
                runtime.block_on(seen.note_signals());
            }
        });
        interrupt
    }

    async fn note_signals(self) {
        let kinds = [
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::hangup(),
        ];
        let [Ok(mut int), Ok(mut term), Ok(mut hup)] = kinds.map(signal) else {
            return;
        };
        loop {
            tokio::select! {
                _ = int.recv() => {}
                _ = term.recv() => {}
                _ = hup.recv() => {}
            }
            self.0.store(true, Ordering::Release);
        }
    }

    /// Whether it was seen.
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Sleeps for `span`, but not on after an interrupt.
    pub(super) fn sleep(&self, span: Duration) {
        let until = Instant::now() + span;
        while !self.is_set() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(LOOK_EVERY));
        }
    }
}
