//! Faults around a deploy: what runs is not what was checked, or two of them at once.

use super::{row, when};
use crate::rehearse::document::text;
use crate::rehearse::incident::{Incident, Outcome};
use crate::rehearse::life;
use crate::rehearse::running::Running;
use crate::rehearse::scratch::{RehearseError, Scratch};

const DEPLOY: [&str; 5] = ["deploy", "--env", "staging", "--format", "json"];

pub(super) const ROWS: &[Incident] = &[
    row(
        "health-of-another-commit",
        "A health answer of another commit",
        "the new trader reports a commit that nobody deployed",
        "launch deploy --env staging",
        another_commit,
    ),
    row(
        "plan-stale",
        "A plan of yesterday",
        "another commit between `launch plan` and `launch deploy --plan`",
        "launch plan --env staging --format json > plan.json; git commit …; launch deploy --env staging --plan plan.json",
        stale_plan,
    ),
    row(
        "two-deploys-at-once",
        "A second deploy while the first is under way",
        "two `launch deploy` started together",
        "launch deploy --env staging & launch deploy --env staging",
        two_at_once,
    ),
    row(
        "restart-rearms",
        "A restart that arms trading again",
        "the freeze is taken away by hand after a kill, then a deploy: the halt in the ledger is still there",
        "launch kill --env staging; launch deploy --env staging",
        restart,
    ),
    row(
        "secret-in-output",
        "A token in what is printed",
        "plan, deploy, status, verify and kill of a real deployment, all of their output searched",
        "launch deploy --env staging -v",
        secret,
    ),
];

fn ready(scratch: &mut Scratch) -> Result<(), RehearseError> {
    life::scaffold(scratch)?;
    life::commit_and_push(scratch)?;
    life::platform(scratch)
}

fn another_commit(scratch: &mut Scratch) -> Result<Outcome, RehearseError> {
    ready(scratch)?;
    lying(scratch)?;
    let ran = scratch.launch(&DEPLOY)?;
    let document = ran.json()?;
    let alive = life::living_traders(scratch)?;
    let reason = text(&document, "/reason");
    Ok(when(
        ran.code == Some(6) && reason.contains("platform_commit") && alive == 0,
        &["verify:platform_commit", "exit:6"],
        format!(
            "exit {}: {reason}; traders alive {alive}",
            ran.code.unwrap_or(-1)
        ),
    ))
}

/// From now on every trader of the service reports a commit that nobody deployed.
fn lying(scratch: &mut Scratch) -> Result<(), RehearseError> {
    life::deploy(scratch)?;
    let fault = format!("report_commit:{}", "0".repeat(40));
    Running::of(scratch, "staging")?.set_variable("LAUNCH_REHEARSE_FAULT", &fault)
}

/// Three deploys whose trader is not what was planned, and a fourth.
pub(in crate::rehearse::incident) fn third_failure(
    scratch: &mut Scratch,
) -> Result<Outcome, RehearseError> {
    ready(scratch)?;
    lying(scratch)?;
    let mut codes = Vec::new();
    for _ in 0..4 {
        codes.push(scratch.launch(&DEPLOY)?.code);
    }
    let alive = life::living_traders(scratch)?;
    Ok(when(
        codes == [Some(6), Some(6), Some(6), Some(4)] && alive == 0,
        &["deploy:third_failure", "exit:4"],
        format!(
            "exit codes {:?}, traders alive {alive}",
            codes.iter().flatten().collect::<Vec<_>>()
        ),
    ))
}

fn stale_plan(scratch: &mut Scratch) -> Result<Outcome, RehearseError> {
    ready(scratch)?;
    let plan = scratch
        .launch(&["plan", "--env", "staging", "--format", "json"])?
        .expect(0)?;
    let file = scratch.state().join("plan.json");
    std::fs::write(&file, plan.stdout).map_err(|source| RehearseError::Machine {
        doing: "write the plan".to_owned(),
        source,
    })?;
    let targets = scratch.read("manifests/launch.toml")?;
    scratch.write("manifests/launch.toml", &format!("{targets}# later\n"))?;
    scratch.commit_and_push("config: later")?;
    let ran = scratch.launch(&[
        "deploy",
        "--env",
        "staging",
        "--plan",
        &file.display().to_string(),
    ])?;
    let alive = life::living_traders(scratch)?;
    let said = ran
        .stderr
        .lines()
        .find(|line| line.contains("commit"))
        .unwrap_or_default();
    Ok(when(
        ran.code == Some(5) && alive == 0,
        &["deploy:plan_digest", "exit:5"],
        format!("exit {}: {}", ran.code.unwrap_or(-1), said.trim()),
    ))
}

fn two_at_once(scratch: &mut Scratch) -> Result<Outcome, RehearseError> {
    ready(scratch)?;
    let scratch: &Scratch = scratch;
    let codes = std::thread::scope(|scope| {
        let both = [(); 2].map(|()| scope.spawn(|| scratch.launch(&DEPLOY)));
        both.map(|one| {
            one.join()
                .unwrap_or_else(|_| Err(RehearseError::Wrong("a deploy broke".to_owned())))
        })
    });
    let [one, other] = codes;
    let mut codes = [one?.code, other?.code];
    codes.sort_unstable();
    let alive = life::living_traders(scratch)?;
    Ok(when(
        codes.first() == Some(&Some(0)) && codes != [Some(0), Some(0)] && alive == 1,
        &["deploy:lock"],
        format!(
            "exit codes {:?}, traders alive {alive}",
            codes.iter().flatten().collect::<Vec<_>>()
        ),
    ))
}

fn restart(scratch: &mut Scratch) -> Result<Outcome, RehearseError> {
    ready(scratch)?;
    life::deploy(scratch)?;
    scratch
        .launch(&["kill", "--env", "staging", "--settle", "2"])?
        .expect(0)?;
    Running::of(scratch, "staging")?.set_variable("LAUNCH_FREEZE", "off")?;
    std::fs::remove_file(scratch.state().join("freeze-staging.json")).map_err(|source| {
        RehearseError::Machine {
            doing: "take the freeze away".to_owned(),
            source,
        }
    })?;
    let ran = scratch.launch(&DEPLOY)?;
    let document = ran.json()?;
    let alive = life::living_traders(scratch)?;
    Ok(when(
        ran.code == Some(6) && alive == 0,
        &["ledger:halt", "exit:6"],
        format!(
            "exit {}: {}; traders alive {alive}",
            ran.code.unwrap_or(-1),
            text(&document, "/reason")
        ),
    ))
}

fn secret(scratch: &mut Scratch) -> Result<Outcome, RehearseError> {
    ready(scratch)?;
    let commands: [&[&str]; 6] = [
        &["plan", "--env", "staging", "-v"],
        &["deploy", "--env", "staging", "-v"],
        &["status", "--env", "staging", "--format", "json"],
        &["verify", "--env", "staging", "-v"],
        &["preflight", "--env", "staging", "--format", "json"],
        &[
            "kill", "--env", "staging", "--settle", "2", "--format", "json",
        ],
    ];
    let mut said = String::new();
    for command in commands {
        let ran = scratch.launch(command)?;
        said.push_str(&ran.stdout);
        said.push_str(&ran.stderr);
    }
    let mut tokens = 0;
    let mut leaked = Vec::new();
    for name in [
        "token-staging",
        "halt-staging",
        "control-staging",
        "watchdog-token-staging",
    ] {
        let Ok(token) = std::fs::read_to_string(scratch.state().join(name)) else {
            continue;
        };
        tokens += 1;
        if said.contains(token.trim()) {
            leaked.push(name);
        }
    }
    let records = receipts(scratch)?;
    Ok(when(
        tokens >= 3 && leaked.is_empty() && !said.is_empty() && records > 0,
        &["type:Secret"],
        format!(
            "{tokens} tokens, {} bytes of output and {records} records searched, found {}",
            said.len(),
            leaked.len()
        ),
    ))
}

/// How many records the state directory holds; fails when one of them holds a token.
fn receipts(scratch: &Scratch) -> Result<usize, RehearseError> {
    let machine = |source| RehearseError::Machine {
        doing: "read the receipts".to_owned(),
        source,
    };
    let halt = std::fs::read_to_string(scratch.state().join("halt-staging")).map_err(machine)?;
    let mut count = 0;
    for entry in std::fs::read_dir(scratch.state().join("receipts")).map_err(machine)? {
        let text = std::fs::read_to_string(entry.map_err(machine)?.path()).map_err(machine)?;
        if text.contains(halt.trim()) {
            return Err(RehearseError::Wrong("a receipt holds a token".to_owned()));
        }
        count += 1;
    }
    Ok(count)
}
