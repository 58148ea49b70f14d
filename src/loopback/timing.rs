//! How long the platform takes to say things, measured on Railway, times a scale for tests.
//!
//! The delays are part of what a client has to survive: an immediate read after a stop still says
//! RUNNING, and a new process is up beside the old one for seconds before the platform calls it
//! active. Only reporting is scaled; what real processes do is not, except their draining time,
//! which has a floor.
//!
//! Source: a public field report of 2026-10-05 (447 live requests, project token, image deploy);
//! values marked ASSUMED have no evidence and are chosen to keep the measured sums.

/// INITIALIZING for this long after the deploy mutation (seen at +0.3 s, gone by +1.6 s).
pub(crate) const INITIALIZING_MS: u64 = 800;
/// BUILDING at least this long; the export of the commit may take longer. Sum with the row above:
/// DEPLOYING first seen at +1.6 s.
pub(crate) const BUILDING_MS: u64 = 800;
/// DEPLOYING with the instance INITIALIZING (seen between +1.6 s and +4.3 s).
pub(crate) const PLACING_MS: u64 = 1_200;
/// DEPLOYING with the instance CREATED; the process starts after it, 4.3 s after the mutation.
pub(crate) const CREATED_MS: u64 = 1_500;
/// DEPLOYING with the instance RUNNING: the new process is up this long before SUCCESS (SUCCESS
/// seen at +9.8 s).
pub(crate) const ACTIVATING_MS: u64 = 5_500;
/// Reads stay unchanged this long after `deploymentStop` was answered (unchanged at +1.5 s,
/// reported at +1.6 s at the earliest).
pub(crate) const STOP_REPORT_MS: u64 = 1_600;
/// REMOVING lasts at least this long after `deploymentRemove`. ASSUMED equal to the stop's
/// reporting time.
pub(crate) const REMOVE_REPORT_MS: u64 = 1_600;
/// A cancelled deployment is reported REMOVED after this long. ASSUMED.
pub(crate) const CANCEL_REPORT_MS: u64 = 500;
/// `deploymentRestart` brings a stopped instance back after about this long.
pub(crate) const RESUME_MS: u64 = 1_000;
/// Pause before a crashed process is started again. ASSUMED.
pub(crate) const RESTART_BACKOFF_MS: u64 = 1_000;
/// A process always has at least this long between SIGTERM and SIGKILL when draining is configured
/// at all: real work (cancel, flush, close the ledger) does not run faster in a scaled test.
pub(crate) const LEAST_DRAIN_MS: u64 = 1_000;
/// How often the supervisor looks at its processes, at full scale.
const LOOK_MS: u64 = 100;
/// Bounds of that interval at any scale: quick enough for scaled tests, slow enough to cost
/// nothing.
const LOOK_BOUNDS_MS: (u64, u64) = (5, 100);

/// The smallest and largest time scale that `serve` takes.
pub const SCALE_BOUNDS: (f64, f64) = (0.001, 100.0);
/// Scale is kept in parts per million so that arithmetic on times stays in integers.
const PPM: f64 = 1_000_000.0;

/// A time scale: 1 is Railway's pace, 0.02 is fifty times faster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timing {
    scale_ppm: u64,
}

impl Timing {
    /// Takes a scale within [`SCALE_BOUNDS`]; anything else, NaN included, is refused with `None`.
    #[expect(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the bounds above make the product a small positive number"
    )]
    pub(crate) fn try_new(scale: f64) -> Option<Self> {
        (SCALE_BOUNDS.0..=SCALE_BOUNDS.1)
            .contains(&scale)
            .then(|| Self {
                scale_ppm: (scale * PPM).round() as u64,
            })
    }

    /// Reads a scale as an operator types it.
    ///
    /// # Errors
    /// No number, or out of bounds.
    pub(crate) fn parse(text: &str) -> Result<f64, String> {
        text.parse()
            .ok()
            .filter(|scale| Self::try_new(*scale).is_some())
            .ok_or_else(|| {
                let (least, most) = SCALE_BOUNDS;
                format!("`{text}` is no time scale (wanted a number from {least} to {most})")
            })
    }

    /// One of the delays above, scaled. Units: milliseconds in and out.
    pub(crate) fn scaled(self, ms: u64) -> u64 {
        ms.saturating_mul(self.scale_ppm) / 1_000_000
    }

    /// Time between SIGTERM and SIGKILL for a configured draining time; 0 stays 0, as on Railway.
    pub(crate) fn drain_ms(self, draining_secs: u32) -> u64 {
        let full = u64::from(draining_secs) * 1_000;
        self.scaled(full).max(full.min(LEAST_DRAIN_MS))
    }

    /// How often the supervisor looks at its processes.
    pub(crate) fn look_ms(self) -> u64 {
        self.scaled(LOOK_MS)
            .clamp(LOOK_BOUNDS_MS.0, LOOK_BOUNDS_MS.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_measured_sums_hold() {
        assert_eq!(
            INITIALIZING_MS + BUILDING_MS,
            1_600,
            "DEPLOYING first seen at +1.6 s"
        );
        let started = INITIALIZING_MS + BUILDING_MS + PLACING_MS + CREATED_MS;
        assert_eq!(started, 4_300, "RUNNING seen at +4.3 s");
        assert_eq!(started + ACTIVATING_MS, 9_800, "SUCCESS seen at +9.8 s");
    }

    #[test]
    fn scale_refuses_nonsense_and_drain_keeps_its_floor() {
        for bad in [f64::NAN, f64::INFINITY, -1.0, 0.0, 0.000_9, 101.0] {
            assert!(Timing::try_new(bad).is_none(), "{bad}");
        }
        let fast = Timing::try_new(0.02).unwrap();
        assert_eq!(fast.scaled(5_500), 110);
        assert_eq!(fast.drain_ms(0), 0);
        assert_eq!(fast.drain_ms(30), LEAST_DRAIN_MS);
        assert_eq!(Timing::try_new(1.0).unwrap().drain_ms(30), 30_000);
    }
}
