//! The last test before the wire: lease, halt and readiness, shared by the HTTP surface and the loop.
//!
//! Everything here can only take permission away, except a lease, which is refused after a halt, in
//! standby, and for any other instance. A halt latches here at once, before it is durable, so that no
//! order leaves while the disk is busy. The clock is the monotonic one, handed in by the caller.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use trader_core::wire::{
    Halted, InstanceState, LEASE_TTL_MAX_MS, LeaseAnswer, LeaseHealth, LeaseRequest,
};

/// Longest name of a lease holder, characters.
pub const HOLDER_MAX_CHARS: usize = 100;

/// Who this instance is, for requests that are meant for one instance only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceId {
    /// The platform's deployment id.
    pub deployment_id: Option<String>,
    /// Random at each start.
    pub nonce: String,
}

/// What is about to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sending {
    /// An order that opens or adds: needs a lease and no halt.
    Entry,
    /// An order that reduces: stopped only by a full halt.
    Exit,
}

/// Why nothing may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Another instance holds the writer lock.
    Standby,
    /// Halted, or the process is ending.
    Halted,
    /// No lease, or it lapsed.
    NoLease,
}

impl Refusal {
    /// The reason's stable name in counts and records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Standby => "standby",
            Self::Halted => "halt",
            Self::NoLease => "lease",
        }
    }
}

/// The shared gate.
#[derive(Debug)]
pub struct Gate {
    instance: InstanceId,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    state: InstanceState,
    halted: Option<Halted>,
    stopping: bool,
    lease: Option<Held>,
}

#[derive(Debug)]
struct Held {
    holder: String,
    expires: Instant,
}

impl Gate {
    /// A gate that lets nothing through: standby, no lease.
    pub fn new(instance: InstanceId) -> Self {
        let inner = Inner {
            state: InstanceState::Standby,
            halted: None,
            stopping: false,
            lease: None,
        };
        Self {
            instance,
            inner: Mutex::new(inner),
        }
    }

    /// Whether this may be sent at `now`. Asked immediately before the wire.
    ///
    /// # Errors
    /// Why not.
    pub fn may_send(&self, what: Sending, now: Instant) -> Result<(), Refusal> {
        let inner = self.lock();
        let full_halt = inner.halted.as_ref().is_some_and(|halt| !halt.reduce_only);
        let leased = inner.lease.as_ref().is_some_and(|held| held.expires > now);
        match what {
            _ if inner.state == InstanceState::Standby => Err(Refusal::Standby),
            _ if full_halt => Err(Refusal::Halted),
            Sending::Entry if inner.halted.is_some() || inner.stopping => Err(Refusal::Halted),
            Sending::Entry if !leased => Err(Refusal::NoLease),
            Sending::Entry | Sending::Exit => Ok(()),
        }
    }

    /// Takes or renews the lease.
    pub fn lease(&self, request: &LeaseRequest, now: Instant) -> LeaseAnswer {
        let mut inner = self.lock();
        let refused = self.lease_refusal(&inner, request);
        if refused.is_none() {
            inner.lease = Some(Held {
                holder: request.holder.clone(),
                expires: now + Duration::from_millis(request.ttl_ms),
            });
        }
        LeaseAnswer {
            accepted: refused.is_none(),
            reason: refused.unwrap_or_else(|| "granted".to_owned()),
            expires_in_ms: inner
                .lease
                .as_ref()
                .map_or(0, |held| millis_until(held.expires, now)),
        }
    }

    fn lease_refusal(&self, inner: &Inner, request: &LeaseRequest) -> Option<String> {
        if inner.state == InstanceState::Standby {
            return Some("standby: another instance holds the writer lock".to_owned());
        }
        if let Some(halt) = &inner.halted {
            return Some(format!("halted by {}: {}", halt.by, halt.reason));
        }
        if inner.stopping {
            return Some("this instance is stopping".to_owned());
        }
        if self.instance.deployment_id.as_deref() != Some(request.deployment_id.as_str()) {
            let ours = self.instance.deployment_id.as_deref().unwrap_or("none");
            return Some(format!(
                "meant for deployment {:?}, this one is {ours:?}",
                request.deployment_id
            ));
        }
        if self.instance.nonce != request.instance_nonce {
            return Some("meant for another instance of this deployment".to_owned());
        }
        if request.ttl_ms == 0 || request.ttl_ms > LEASE_TTL_MAX_MS {
            return Some(format!(
                "ttl_ms is {}, wanted 1 to {LEASE_TTL_MAX_MS}",
                request.ttl_ms
            ));
        }
        let named =
            !request.holder.trim().is_empty() && request.holder.chars().count() <= HOLDER_MAX_CHARS;
        (!named).then(|| format!("holder must have 1 to {HOLDER_MAX_CHARS} characters"))
    }

    /// Halts from now on and drops the lease. A full halt is never weakened to reduce-only.
    pub fn latch_halt(&self, halt: Halted) {
        let mut inner = self.lock();
        inner.lease = None;
        let keeps = inner
            .halted
            .as_ref()
            .is_some_and(|held| !held.reduce_only && halt.reduce_only);
        if !keeps {
            inner.halted = Some(halt);
        }
    }

    /// Lifts the halt; called only after that is durable.
    pub fn lift_halt(&self) {
        self.lock().halted = None;
    }

    /// This instance has the writer lock, has replayed and reconciled.
    pub fn become_ready(&self) {
        self.lock().state = InstanceState::Ready;
    }

    /// The process is ending: no entry from here on, whatever lease is held.
    pub fn stop_entering(&self) {
        let mut inner = self.lock();
        inner.stopping = true;
        inner.lease = None;
    }

    /// The halt in force.
    pub fn halted(&self) -> Option<Halted> {
        self.lock().halted.clone()
    }

    /// The lease in force at `now`.
    pub fn lease_at(&self, now: Instant) -> Option<LeaseHealth> {
        let inner = self.lock();
        inner
            .lease
            .as_ref()
            .filter(|held| held.expires > now)
            .map(|held| LeaseHealth {
                holder: held.holder.clone(),
                expires_in_ms: millis_until(held.expires, now),
            })
    }

    /// Who this instance is.
    pub const fn instance(&self) -> &InstanceId {
        &self.instance
    }

    /// A poisoned gate belongs to a process that is already ending; its restrictions still hold.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn millis_until(then: Instant, now: Instant) -> u64 {
    u64::try_from(then.saturating_duration_since(now).as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use trader_core::units::EpochMs;

    fn gate() -> Gate {
        let gate = Gate::new(InstanceId {
            deployment_id: Some("d1".to_owned()),
            nonce: "n1".to_owned(),
        });
        gate.become_ready();
        gate
    }

    type Change = fn(&mut LeaseRequest);

    fn request() -> LeaseRequest {
        LeaseRequest {
            holder: "watchdog".to_owned(),
            deployment_id: "d1".to_owned(),
            instance_nonce: "n1".to_owned(),
            ttl_ms: 15_000,
        }
    }

    fn halt(reduce_only: bool) -> Halted {
        Halted {
            by: "ann".to_owned(),
            reason: "drill".to_owned(),
            reduce_only,
            at: EpochMs(1),
        }
    }

    #[test]
    fn entries_need_a_lease_that_has_not_lapsed() {
        let (gate, t0) = (gate(), Instant::now());
        assert_eq!(gate.may_send(Sending::Entry, t0), Err(Refusal::NoLease));
        assert_eq!(gate.may_send(Sending::Exit, t0), Ok(()));
        assert!(gate.lease(&request(), t0).accepted);
        let last = t0 + Duration::from_millis(14_999);
        assert_eq!(gate.may_send(Sending::Entry, last), Ok(()));
        assert_eq!(gate.lease_at(last).map(|l| l.expires_in_ms), Some(1));
        let lapsed = t0 + Duration::from_secs(15);
        assert_eq!(gate.may_send(Sending::Entry, lapsed), Err(Refusal::NoLease));
        assert_eq!(gate.lease_at(lapsed), None);
    }

    #[test]
    fn a_lease_is_refused_unless_everything_fits() {
        let now = Instant::now();
        let changes: [(Change, &str); 5] = [
            (|r| r.deployment_id = "d2".to_owned(), "d2"),
            (|r| r.instance_nonce = "n2".to_owned(), "another instance"),
            (|r| r.ttl_ms = 15_001, "15001"),
            (|r| r.ttl_ms = 0, "ttl_ms is 0"),
            (|r| r.holder = " ".to_owned(), "holder"),
        ];
        for (change, part) in changes {
            let gate = gate();
            let mut asked = request();
            change(&mut asked);
            let answer = gate.lease(&asked, now);
            assert!(
                !answer.accepted && answer.reason.contains(part),
                "{answer:?}"
            );
            assert_eq!(gate.may_send(Sending::Entry, now), Err(Refusal::NoLease));
        }
    }

    #[test]
    fn standby_sends_nothing_and_takes_no_lease() {
        let gate = Gate::new(gate().instance().clone());
        let now = Instant::now();
        assert!(gate.lease(&request(), now).reason.starts_with("standby"));
        assert_eq!(gate.may_send(Sending::Entry, now), Err(Refusal::Standby));
        assert_eq!(gate.may_send(Sending::Exit, now), Err(Refusal::Standby));
    }

    #[test]
    fn a_halt_drops_the_lease_and_refuses_the_next() {
        let (gate, now) = (gate(), Instant::now());
        assert!(gate.lease(&request(), now).accepted);
        gate.latch_halt(halt(true));
        assert_eq!(gate.may_send(Sending::Entry, now), Err(Refusal::Halted));
        assert_eq!(gate.may_send(Sending::Exit, now), Ok(()));
        assert!(
            gate.lease(&request(), now)
                .reason
                .starts_with("halted by ann")
        );
        gate.latch_halt(halt(false));
        assert_eq!(gate.may_send(Sending::Exit, now), Err(Refusal::Halted));
        gate.latch_halt(halt(true));
        assert_eq!(
            gate.may_send(Sending::Exit, now),
            Err(Refusal::Halted),
            "never weakened"
        );
        gate.lift_halt();
        assert_eq!(
            gate.may_send(Sending::Entry, now),
            Err(Refusal::NoLease),
            "the old lease is gone"
        );
    }

    #[test]
    fn a_stopping_process_enters_nothing_more() {
        let (gate, now) = (gate(), Instant::now());
        assert!(gate.lease(&request(), now).accepted);
        gate.stop_entering();
        assert_eq!(gate.may_send(Sending::Entry, now), Err(Refusal::Halted));
        assert!(!gate.lease(&request(), now).accepted);
    }
}
