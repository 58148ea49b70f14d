//! The measured table, row by row, without a clock: `lifecycle` under simulated time.

use crate::loopback::faults::Faults;
use crate::loopback::lifecycle::{self, Action, Refusal};
use crate::loopback::report::Report;
use crate::loopback::state::{DeployConfig, Deployment, Phase, RestartPolicy, Running, Wish};
use crate::loopback::timing::Timing;

const POLICY_RETRIES: u32 = 2;

/// A deployment that was just accepted.
pub(super) fn row(policy: RestartPolicy, draining_secs: u32) -> Deployment {
    Deployment {
        id: "d".into(),
        instance_id: "i".into(),
        project_id: "p".into(),
        environment_id: "e".into(),
        service_id: "s".into(),
        commit: "c".into(),
        commit_message: String::new(),
        commit_author: String::new(),
        branch: "main".into(),
        repo: "r".into(),
        reason: "deploy".into(),
        config: DeployConfig {
            start_command: vec!["launch".into()],
            draining_secs,
            overlap_secs: 0,
            restart_policy: policy,
            restart_max_retries: POLICY_RETRIES,
            old_goes_first: false,
        },
        created_at_ms: 0,
        updated_at_ms: 0,
        phase: Phase::Initializing,
        phase_at_ms: 0,
        status_at_ms: 0,
        exported: false,
        placed: false,
        ask: None,
        port: None,
        process: None,
        ended: None,
        restarts: 0,
        report: Report::default(),
    }
}

/// Moves time on in steps of 10 ms and does what is asked, as an obedient machine would.
struct Life {
    row: Deployment,
    now_ms: u64,
    /// What was done, and when.
    done: Vec<(u64, Action)>,
    obeys: bool,
    faults: Faults,
}

impl Life {
    fn new(policy: RestartPolicy) -> Self {
        Self {
            row: row(policy, 3),
            now_ms: 0,
            done: Vec::new(),
            obeys: true,
            faults: Faults::default(),
        }
    }

    fn until(&mut self, ms: u64) -> &mut Self {
        let timing = Timing::try_new(1.0).unwrap();
        while self.now_ms < ms {
            self.now_ms += 10;
            while let Some(action) =
                lifecycle::step(&mut self.row, self.now_ms, timing, &self.faults)
            {
                self.done.push((self.now_ms, action));
                self.act(action);
            }
        }
        self
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Export => self.row.exported = true,
            Action::Start => {
                self.row.process = Some(Running {
                    pid: 7,
                    pid_start: 1,
                    boot_id: "b".into(),
                    terminated_at_ms: None,
                    killed: false,
                });
                lifecycle::started(&mut self.row, self.now_ms);
            }
            Action::Terminate if self.obeys => self.exit(Some(0)),
            Action::Terminate => {
                self.row.process.as_mut().unwrap().terminated_at_ms = Some(self.now_ms);
            }
            Action::Kill => self.exit(None),
        }
    }

    fn exit(&mut self, code: Option<i32>) {
        lifecycle::exited(&mut self.row, code, self.now_ms);
    }

    fn active(policy: RestartPolicy) -> Self {
        let mut life = Self::new(policy);
        life.until(10_000);
        assert_eq!(life.row.phase, Phase::Active);
        life
    }

    /// status, deploymentStopped, instance, process.
    fn seen(&self) -> (&'static str, bool, Option<&'static str>, bool) {
        let phase = self.row.phase;
        (
            lifecycle::status_of(phase),
            lifecycle::stopped_flag(phase),
            lifecycle::instance_status(phase, self.row.placed),
            self.row.process.is_some(),
        )
    }
}

#[test]
fn from_deploy_to_success_as_measured() {
    let mut life = Life::new(RestartPolicy::Never);
    let table = [
        (300, ("INITIALIZING", true, None, false)),
        (1_000, ("BUILDING", true, None, false)),
        (1_700, ("DEPLOYING", true, Some("INITIALIZING"), false)),
        (3_000, ("DEPLOYING", true, Some("CREATED"), false)),
        (4_400, ("DEPLOYING", true, Some("RUNNING"), true)),
        (9_700, ("DEPLOYING", true, Some("RUNNING"), true)),
        (9_800, ("SUCCESS", false, Some("RUNNING"), true)),
    ];
    for (ms, wanted) in table {
        assert_eq!(life.until(ms).seen(), wanted, "at +{ms} ms");
    }
}

#[test]
fn a_stop_is_answered_at_once_and_reported_later() {
    let mut life = Life::active(RestartPolicy::Always);
    let status_at = life.row.status_at_ms;
    lifecycle::ask_stop(&mut life.row, life.now_ms).unwrap();
    let early = life.until(10_300).seen();
    assert_eq!(
        early,
        ("SUCCESS", false, Some("RUNNING"), false),
        "the process is gone already"
    );
    assert_eq!(life.until(11_500).seen(), early);
    assert_eq!(
        life.until(11_700).seen(),
        ("SUCCESS", true, Some("EXITED"), false)
    );
    assert_eq!(
        life.row.status_at_ms, status_at,
        "statusUpdatedAt does not move"
    );
    lifecycle::ask_stop(&mut life.row, life.now_ms).unwrap();
    assert_eq!(
        life.until(60_000).row.phase,
        Phase::Stopped,
        "and no policy brings it back"
    );
}

#[test]
fn a_process_that_ignores_sigterm_is_killed_after_draining_and_reported_then() {
    let mut life = Life::active(RestartPolicy::Never);
    life.obeys = false;
    lifecycle::ask_stop(&mut life.row, 10_000).unwrap();
    life.until(12_900);
    assert_eq!(
        life.seen(),
        ("SUCCESS", false, Some("RUNNING"), true),
        "still draining"
    );
    life.until(13_100);
    let signals: Vec<_> = life.done.iter().rev().take(2).rev().copied().collect();
    assert_eq!(
        signals,
        [(10_010, Action::Terminate), (13_010, Action::Kill)]
    );
    assert_eq!(life.row.phase, Phase::Stopped);
}

#[test]
fn draining_zero_kills_at_once() {
    let mut life = Life::active(RestartPolicy::Never);
    life.row.config.draining_secs = 0;
    life.obeys = false;
    lifecycle::ask_stop(&mut life.row, 10_000).unwrap();
    life.until(10_010);
    assert!(life.row.process.is_none());
}

#[test]
fn restart_resumes_a_stopped_one_in_the_same_instance() {
    let mut life = Life::active(RestartPolicy::Never);
    lifecycle::ask_stop(&mut life.row, 10_000).unwrap();
    life.until(12_000);
    lifecycle::ask_restart(&mut life.row, 12_000).unwrap();
    assert_eq!(
        life.until(12_900).seen(),
        ("SUCCESS", true, Some("EXITED"), false)
    );
    assert_eq!(
        life.until(13_100).seen(),
        ("SUCCESS", false, Some("RUNNING"), true)
    );
}

#[test]
fn cancel_and_remove_end_in_removed_and_start_nothing_more() {
    let mut cancelled = Life::new(RestartPolicy::Always);
    cancelled.until(1_000);
    lifecycle::ask_cancel(&mut cancelled.row, 1_000).unwrap();
    assert_eq!(
        cancelled.until(60_000).seen(),
        ("REMOVED", true, None, false)
    );
    assert!(
        cancelled
            .done
            .iter()
            .all(|(_, action)| *action != Action::Start)
    );

    let mut removed = Life::active(RestartPolicy::Always);
    lifecycle::ask_remove(&mut removed.row, 10_000);
    assert_eq!(
        removed.until(10_100).seen(),
        ("REMOVING", false, Some("REMOVING"), false)
    );
    assert_eq!(
        removed.until(60_000).seen(),
        ("REMOVED", true, Some("REMOVED"), false)
    );
}

#[test]
fn a_removal_cannot_be_turned_into_a_stop() {
    let mut life = Life::active(RestartPolicy::Never);
    lifecycle::ask_remove(&mut life.row, 10_000);
    lifecycle::ask_stop(&mut life.row, 10_000).unwrap();
    assert_eq!(life.row.ask.unwrap().wish, Wish::Remove);
}

#[test]
fn what_can_be_asked_when() {
    let mut life = Life::new(RestartPolicy::Never);
    assert_eq!(
        lifecycle::ask_stop(&mut life.row, 0),
        Err(Refusal("Deployment is not stoppable")),
        "one in progress is cancelled, not stopped"
    );
    assert_eq!(
        lifecycle::ask_restart(&mut life.row, 0),
        Err(Refusal("Deployment is not restartable"))
    );
    life.until(10_000);
    assert!(
        lifecycle::ask_cancel(&mut life.row, 10_000).is_err(),
        "an active one"
    );
}

#[test]
fn an_end_before_success_is_failed_whatever_the_policy() {
    for (policy, code) in [
        (RestartPolicy::Always, Some(0)),
        (RestartPolicy::OnFailure, Some(1)),
    ] {
        let mut life = Life::new(policy);
        life.until(5_000).exit(code);
        assert_eq!(
            life.until(60_000).seen(),
            ("FAILED", true, Some("CRASHED"), false)
        );
    }
}

#[test]
fn restart_policies_after_success() {
    let ends_as = |policy, code: Option<i32>, times: u32| {
        let mut life = Life::active(policy);
        for _ in 0..times {
            life.exit(code);
            let soon = life.now_ms + 2_000;
            life.until(soon);
        }
        life.row.phase
    };
    assert_eq!(ends_as(RestartPolicy::Never, Some(1), 1), Phase::Crashed);
    assert_eq!(ends_as(RestartPolicy::Never, Some(0), 1), Phase::Stopped);
    assert_eq!(
        ends_as(RestartPolicy::Never, None, 1),
        Phase::Crashed,
        "killed by a signal"
    );
    assert_eq!(
        ends_as(RestartPolicy::OnFailure, Some(0), 1),
        Phase::Stopped
    );
    assert_eq!(
        ends_as(RestartPolicy::OnFailure, Some(1), POLICY_RETRIES),
        Phase::Active
    );
    assert_eq!(
        ends_as(RestartPolicy::OnFailure, Some(1), POLICY_RETRIES + 1),
        Phase::Crashed
    );
    assert_eq!(ends_as(RestartPolicy::Always, Some(0), 50), Phase::Active);
}

#[test]
fn a_stop_during_the_pause_before_a_restart_prevents_it() {
    let mut life = Life::active(RestartPolicy::Always);
    life.exit(Some(1));
    assert_eq!(life.seen(), ("SUCCESS", false, Some("RESTARTING"), false));
    lifecycle::ask_stop(&mut life.row, life.now_ms).unwrap();
    assert_eq!(
        life.until(60_000).seen(),
        ("SUCCESS", true, Some("EXITED"), false)
    );
}
