//! Which targets: every rule of the contract's first line on the kill.

use super::*;
use crate::args::KillArgs;
use crate::kill_file::KillFile;
use clap::Parser;
use std::path::Path;

#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    kill: KillArgs,
}

fn resolved(dir: &Path, flags: &[&str], variables: &[(&str, &str)]) -> Result<Resolved, Unusable> {
    let line = ["launch-kill"].into_iter().chain(flags.iter().copied());
    let args = Cli::try_parse_from(line).unwrap().kill;
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let state_dir = Some(StateDir::at(dir));
    resolve(
        &args,
        &Surroundings {
            variables,
            state_dir,
        },
    )
}

fn write(dir: &Path, env: &str, platform: &str, service: &str) {
    let file = KillFile {
        env: env.into(),
        platform: Some(platform.into()),
        environment_id: Some(format!("env-{env}")),
        service_id: Some(service.into()),
        deployment_id: Some(format!("dpl-{env}")),
        endpoint: (platform == "local").then(|| "http://127.0.0.1:9/graphql/v2".into()),
        ..KillFile::default()
    };
    file.write(&StateDir::at(dir), &EnvName::parse(env).unwrap())
        .unwrap();
    let token = Secret::new(&format!("token-of-{env}")).unwrap();
    StateDir::at(dir)
        .write_token(TokenFile::Platform, &EnvName::parse(env).unwrap(), &token)
        .unwrap();
}

fn names(resolved: &Resolved) -> Vec<&str> {
    resolved
        .targets
        .iter()
        .map(|target| target.env.as_str())
        .collect()
}

#[test]
fn nothing_named_is_every_known_one_and_each_knows_the_others() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "production", "railway", "svc-p");
    write(dir.path(), "staging", "local", "svc-s");
    for flags in [&[][..], &["--all"][..]] {
        let mut found = resolved(dir.path(), flags, &[]).unwrap();
        found.targets.sort_by(|a, b| a.env.cmp(&b.env));
        assert_eq!(names(&found), ["production", "staging"]);
        assert!(found.targets[0].foreign_deployments.contains("dpl-staging"));
        assert!(
            !found.targets[0]
                .foreign_deployments
                .contains("dpl-production")
        );
    }
    assert_eq!(
        names(&resolved(dir.path(), &["--env", "staging"], &[]).unwrap()),
        ["staging"]
    );
}

#[test]
fn tokens_are_read_in_the_documented_order_without_repeats() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "pre-prod", "railway", "svc-p");
    let variables = [
        ("RAILWAY_API_TOKEN", "account"),
        ("RAILWAY_TOKEN", "ambient"),
        ("RAILWAY_TOKEN_PRE_PROD", "ambient"),
    ];
    let found = resolved(dir.path(), &["--env", "pre-prod"], &variables).unwrap();
    let tokens: Vec<&str> = found.targets[0]
        .auths
        .iter()
        .map(|auth| auth.secret().expose())
        .collect();
    assert_eq!(tokens, ["ambient", "token-of-pre-prod", "account"]);
    assert!(matches!(found.targets[0].auths[2], Auth::Bearer(_)));
}

#[test]
fn a_local_target_takes_nothing_from_railways_variables_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "staging", "local", "svc-s");
    let variables = [
        ("RAILWAY_TOKEN", "x"),
        ("RAILWAY_SERVICE_ID", "svc-9"),
        ("LAUNCH_TRADER_URL", "https://t.example"),
    ];
    let found = resolved(dir.path(), &["--env", "staging"], &variables).unwrap();
    let target = &found.targets[0];
    assert_eq!((found.targets.len(), target.auths.len()), (1, 1));
    assert_eq!(target.service_id.as_deref(), Some("svc-s"));
    assert!(target.trader_url.is_none() && target.doubts.is_empty());
    assert!(
        found.notes[0].contains("RAILWAY_TOKEN, RAILWAY_SERVICE_ID"),
        "{:?}",
        found.notes
    );
}

#[test]
fn ids_that_disagree_make_two_doubtful_targets() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "production", "railway", "svc-p");
    let other = [("RAILWAY_SERVICE_ID", "svc-9")];
    for flags in [&["--env", "production"][..], &[][..]] {
        let found = resolved(dir.path(), flags, &other).unwrap();
        assert_eq!(names(&found), ["production", AMBIENT]);
        assert!(found.targets.iter().all(|target| !target.doubts.is_empty()));
        assert_eq!(found.targets[1].service_id.as_deref(), Some("svc-9"));
        assert_eq!(
            found.targets[1].deployment_id, None,
            "not known to be that service's"
        );
    }
}

#[test]
fn ids_of_another_known_target_are_no_doubt_unless_one_was_named() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "production", "railway", "svc-p");
    write(dir.path(), "canary", "railway", "svc-c");
    let ambient = [
        ("RAILWAY_SERVICE_ID", "svc-c"),
        ("RAILWAY_ENVIRONMENT_ID", "env-canary"),
    ];
    let all = resolved(dir.path(), &[], &ambient).unwrap();
    assert_eq!(names(&all), ["canary", "production"]);
    assert!(all.targets.iter().all(|target| target.doubts.is_empty()));
    let one = resolved(dir.path(), &["--env", "production"], &ambient).unwrap();
    assert_eq!(names(&one), ["production", AMBIENT]);
}

#[test]
fn flags_win_and_drop_what_the_file_says_of_another_service() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "production", "railway", "svc-p");
    let found = resolved(
        dir.path(),
        &["--env", "production", "--service-id", "svc-x"],
        &[],
    )
    .unwrap();
    let target = &found.targets[0];
    assert_eq!(target.service_id.as_deref(), Some("svc-x"));
    assert_eq!(target.deployment_id, None);
    let same = resolved(dir.path(), &["--service-id", "svc-p"], &[]).unwrap();
    assert_eq!(
        names(&same),
        ["production"],
        "the kill file with these ids is used"
    );
    assert_eq!(
        same.targets[0].deployment_id.as_deref(),
        Some("dpl-production")
    );
}

#[test]
fn an_unusable_address_is_named_and_a_flag_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "production", "railway", "svc-p");
    let variables = [("LAUNCH_TRADER_URL", "http://trader.example")];
    let found = resolved(dir.path(), &["--env", "production"], &variables).unwrap();
    assert!(found.targets[0].trader_url.is_none() && found.notes[0].contains("LAUNCH_TRADER_URL"));
    let flags = [
        "--env",
        "production",
        "--trader-url",
        "http://trader.example",
    ];
    assert!(resolved(dir.path(), &flags, &[]).is_err());
}

#[test]
fn a_loopback_endpoint_for_railway_needs_the_flag() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "production", "railway", "svc-p");
    let loopback = "http://127.0.0.1:9/graphql/v2";
    let endpoint = |found: Resolved| found.targets[0].endpoint.clone().unwrap();
    let ignored = resolved(
        dir.path(),
        &["--env", "production"],
        &[("LAUNCH_RAILWAY_URL", loopback)],
    )
    .unwrap();
    assert!(ignored.notes[0].contains("ignored"));
    assert!(endpoint(ignored).is_railway());
    let taken = resolved(
        dir.path(),
        &["--env", "production", "--endpoint", loopback],
        &[],
    )
    .unwrap();
    assert!(endpoint(taken).is_loopback());
}

#[test]
fn a_platform_of_this_machine_that_has_moved_is_followed_only_while_it_lives() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "staging", "local", "svc-s");
    let me = crate::process::identify(std::process::id()).unwrap();
    let note = dir.path().join("local/platform/platform.json");
    std::fs::create_dir_all(note.parent().unwrap()).unwrap();
    let write_note = |start: u64| {
        let text = serde_json::json!({
            "endpoint": "http://127.0.0.1:77/graphql/v2", "pid": me.pid,
            "pid_start": start, "boot_id": me.boot_id,
        });
        std::fs::write(&note, text.to_string()).unwrap();
    };
    let port = || {
        resolved(dir.path(), &["--env", "staging"], &[])
            .unwrap()
            .targets[0]
            .endpoint
            .clone()
            .unwrap()
    };
    write_note(me.start + 1);
    assert!(port().as_str().contains(":9/"), "that process is gone");
    write_note(me.start);
    assert!(port().as_str().contains(":77/"));
}

/// A note of a platform that lives: this very process stands for it.
fn write_living_platform(dir: &Path) {
    let me = crate::process::identify(std::process::id()).unwrap();
    let note = serde_json::json!({
        "endpoint": "http://127.0.0.1:9/graphql/v2",
        "pid": me.pid, "pid_start": me.start, "boot_id": me.boot_id,
    });
    std::fs::create_dir_all(dir.join("local/platform")).unwrap();
    std::fs::write(dir.join("local/platform/platform.json"), note.to_string()).unwrap();
}

#[test]
fn a_broken_kill_file_does_not_keep_this_machines_platform_from_being_asked() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "staging", "local", "svc-s");
    std::fs::write(dir.path().join("kill-staging.json"), "{\"schema_ver").unwrap();
    write_living_platform(dir.path());
    for flags in [&["--env", "staging"][..], &[][..]] {
        let found = resolved(dir.path(), flags, &[]).unwrap();
        assert!(
            found.targets[0].is_local && found.unreadable.is_empty(),
            "{flags:?}"
        );
        let endpoint = found.targets[0].endpoint.as_ref().unwrap();
        assert!(endpoint.is_loopback(), "{endpoint}");
        assert!(
            found.notes[0].contains("kill-staging.json"),
            "{:?}",
            found.notes
        );
    }
    let railway = [("RAILWAY_TOKEN", "t"), ("RAILWAY_SERVICE_ID", "s")];
    let found = resolved(dir.path(), &["--env", "staging"], &railway).unwrap();
    assert!(!found.targets[0].is_local, "what names Railway comes first");
}

#[test]
fn a_state_directory_that_cannot_be_listed_does_not_hide_the_variables() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a-file");
    std::fs::write(&file, "").unwrap();
    let variables = [("RAILWAY_TOKEN", "t"), ("RAILWAY_SERVICE_ID", "s")];
    let found = resolved(&file, &[], &variables).unwrap();
    assert_eq!(found.targets[0].service_id.as_deref(), Some("s"));
    assert!(found.notes[0].contains("a-file"), "{:?}", found.notes);
    assert!(resolved(&file, &[], &[]).is_err());
}

#[test]
fn a_broken_kill_file_does_not_keep_alive_what_the_variables_name() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("kill-production.json"), "{\"env\": ").unwrap();
    let named = [("RAILWAY_TOKEN", "t-1"), ("RAILWAY_SERVICE_ID", "svc-p")];
    let found = resolved(dir.path(), &[], &named).unwrap();
    assert_eq!(names(&found), ["production"]);
    assert_eq!(found.targets[0].service_id.as_deref(), Some("svc-p"));
    assert_eq!(
        found.targets[0].doubts.len(),
        1,
        "what it named may still run"
    );
    assert!(found.unreadable.is_empty());
    // Once, and not in place of a target that is just that.
    write(dir.path(), "staging", "railway", "svc-p");
    let found = resolved(dir.path(), &[], &named).unwrap();
    assert_eq!(names(&found), ["staging"]);
    assert_eq!(found.unreadable.len(), 1);
}

#[test]
fn a_token_that_no_header_may_carry_does_not_stand_before_one_that_works() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "production", "railway", "svc-p");
    let mangled = [
        ("RAILWAY_TOKEN", "tok\u{7f}en\n2"),
        ("LAUNCH_HALT_TOKEN", "\u{e4}"),
    ];
    let found = resolved(dir.path(), &["--env", "production"], &mangled).unwrap();
    let own = Secret::new("token-of-production").unwrap();
    assert_eq!(found.targets[0].auths, [Auth::Project(own)]);
    assert!(found.targets[0].halt_tokens.is_empty());
    let notes = found.notes.join("\n");
    assert!(notes.contains("RAILWAY_TOKEN") && notes.contains("LAUNCH_HALT_TOKEN"));
    assert!(!notes.contains("tok\u{7f}"), "{notes}");
}

#[test]
fn the_trader_of_another_target_is_not_halted_by_a_variable() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "staging", "railway", "svc-s");
    write(dir.path(), "production", "railway", "svc-p");
    let (state, production) = (
        StateDir::at(dir.path()),
        EnvName::parse("production").unwrap(),
    );
    let mut file = KillFile::read(&state, &production).unwrap().unwrap();
    file.trader_url = Some("https://trader.example".into());
    file.write(&state, &production).unwrap();
    let variable = [("LAUNCH_TRADER_URL", "https://trader.example/")];
    let found = resolved(dir.path(), &["--env", "staging"], &variable).unwrap();
    assert_eq!(found.targets[0].trader_url, None);
    assert!(found.notes.join("\n").contains("production's trader"));
    let found = resolved(dir.path(), &["--env", "production"], &variable).unwrap();
    assert!(found.targets[0].trader_url.is_some(), "its own");
    let flag = ["--env", "staging", "--trader-url", "https://trader.example"];
    let found = resolved(dir.path(), &flag, &[]).unwrap();
    assert!(found.targets[0].trader_url.is_some(), "by flag it is meant");
}

#[test]
fn a_kill_file_of_an_older_version_is_used_for_what_it_knows() {
    let dir = tempfile::tempdir().unwrap();
    for version in ["\"schema_version\":0,", ""] {
        let text = format!("{{{version}\"service_id\":\"s\",\"deployment_id\":\"d\"}}");
        std::fs::write(dir.path().join("kill-old.json"), text).unwrap();
        let found = resolved(dir.path(), &["--env", "old"], &[("RAILWAY_TOKEN", "t-1")]).unwrap();
        let target = &found.targets[0];
        assert_eq!(target.service_id.as_deref(), Some("s"));
        assert_eq!(target.deployment_id.as_deref(), Some("d"));
        assert!(
            target.may_be_live && !target.is_local,
            "what it does not say is not assumed"
        );
    }
}
