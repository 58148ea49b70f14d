//! The thread's CPU time, and runs by it.

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds of CPU that this thread has used.
pub(crate) fn cpu_ns() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let whole = u32::try_from(time.tv_sec).unwrap();
    let part = u32::try_from(time.tv_nsec).unwrap();
    f64::from(whole) * 1e9 + f64::from(part)
}

/// Fastest and median of several runs, ns.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Runs {
    pub(crate) fastest: f64,
    pub(crate) median: f64,
}

impl Runs {
    /// Both figures times a factor.
    pub(crate) fn scaled(self, factor: f64) -> Self {
        Self {
            fastest: self.fastest * factor,
            median: self.median * factor,
        }
    }
}

/// Runs `once` so many times; it returns what to time as a closure's own CPU nanoseconds.
pub(crate) fn runs(count: usize, mut once: impl FnMut() -> f64) -> Runs {
    let mut times: Vec<f64> = (0..count).map(|_| once()).collect();
    times.sort_by(f64::total_cmp);
    Runs {
        fastest: times[0],
        median: times[count / 2],
    }
}

/// CPU nanoseconds of one call.
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let before = cpu_ns();
    let result = work();
    (cpu_ns() - before, result)
}

/// The machine's load, as the system tells it.
pub(crate) fn load() -> String {
    std::fs::read_to_string("/proc/loadavg").map_or_else(
        |_| "unknown".to_owned(),
        |text| text.split(' ').take(1).collect(),
    )
}
