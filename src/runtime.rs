//! The async runtime of a command: its own, small, gone when the command ends.

/// Worker threads: one for the command, one for what runs beside it.
const WORKERS: usize = 2;

/// A new runtime.
///
/// # Errors
/// The machine gives no threads.
pub fn new() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()
}
