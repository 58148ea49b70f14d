//! A deploy is the commit, and nothing but the commit; the new one is up before the old one goes.

use serde_json::json;

use super::rig::{OBEDIENT, Rig, commit_tree, spec};

/// Order in which a client can see statuses; each sighting must not go back in it.
const ORDER: [&str; 4] = ["INITIALIZING", "BUILDING", "DEPLOYING", "SUCCESS"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statuses_go_forward_and_the_process_runs_before_success() {
    let rig = Rig::new(OBEDIENT).await;
    let id = rig.deploy(&rig.head()).await;
    let (mut furthest, mut ran_before_success) = (0, false);
    loop {
        let row = rig.deployment(&id).await;
        let place = ORDER
            .iter()
            .position(|status| row["status"] == *status)
            .unwrap();
        assert!(place >= furthest, "{row} after {}", ORDER[furthest]);
        furthest = place;
        if row["status"] == "SUCCESS" {
            assert_eq!(row["deploymentStopped"], false);
            break;
        }
        assert_eq!(
            row["deploymentStopped"], true,
            "true before anything runs: {row}"
        );
        ran_before_success |= row["instances"][0]["status"] == "RUNNING" && rig.lives(&id);
    }
    assert!(ran_before_success);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_runs_is_the_commit_not_the_work_tree_and_nothing_of_our_environment() {
    let script = format!(
        "cp marker \"$RAILWAY_VOLUME_MOUNT_PATH/marker\"; ls -A > \"$RAILWAY_VOLUME_MOUNT_PATH/ls\";
         env > \"$RAILWAY_VOLUME_MOUNT_PATH/env\"; {OBEDIENT}"
    );
    let rig = Rig::new(&script).await;
    std::fs::write(rig.repo.path().join("marker"), "uncommitted").unwrap();
    std::fs::write(rig.repo.path().join(".env"), "SECRET=1").unwrap();
    let id = rig.deploy_active().await;
    assert_eq!(rig.volume_file("marker"), "first");
    assert_eq!(rig.volume_file("ls"), "marker\n");
    let env = rig.volume_file("env");
    let row = rig.deployment(&id).await;
    let port = row["url"]
        .as_str()
        .unwrap()
        .strip_prefix("http://127.0.0.1:")
        .unwrap()
        .to_owned();
    for wanted in [
        format!("RAILWAY_GIT_COMMIT_SHA={}", rig.head()),
        format!("RAILWAY_DEPLOYMENT_ID={id}"),
        format!("RAILWAY_ENVIRONMENT_ID={}", rig.service.environment_id),
        format!("PORT={port}"),
        format!("LAUNCH_LISTEN=127.0.0.1:{port}"),
    ] {
        assert!(env.lines().any(|line| line == wanted), "{wanted} in {env}");
    }
    assert!(
        std::env::var_os("CARGO_MANIFEST_DIR").is_some(),
        "the test's own environment has it"
    );
    assert!(!env.contains("CARGO_"), "{env}");
    assert_eq!(row["meta"]["commitHash"], rig.head().as_str());
    assert_eq!(
        row["meta"]["serviceManifest"]["deploy"]["drainingSeconds"],
        5
    );
    assert!(row["meta"]["loopback"]["pid"].is_u64());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_commit_creates_nothing() {
    let rig = Rig::new(OBEDIENT).await;
    let unknown = "0123456789012345678901234567890123456789";
    let short = &rig.head()[..10];
    let tree = git2::Repository::open(rig.repo.path()).unwrap();
    let tree = tree
        .head()
        .unwrap()
        .peel_to_tree()
        .unwrap()
        .id()
        .to_string();
    for commit in [unknown, short, tree.as_str(), "main", ""] {
        let message = rig
            .refusal(super::rig::DEPLOY, rig.deploy_input(commit))
            .await;
        assert_eq!(message, "Commit not found", "{commit}");
    }
    let list = rig
        .get(
            "query { deployments(input: {}) { edges { node { id } } } }",
            json!({}),
        )
        .await;
    assert_eq!(list["deployments"]["edges"], json!([]));
}

/// Each process writes when it starts and when it ends, so the order can be read afterwards.
fn diary() -> String {
    "trap 'echo end $RAILWAY_DEPLOYMENT_ID >> \"$RAILWAY_VOLUME_MOUNT_PATH/diary\"; exit 0' TERM;
     echo start $RAILWAY_DEPLOYMENT_ID >> \"$RAILWAY_VOLUME_MOUNT_PATH/diary\";
     while :; do sleep 0.02; done"
        .to_owned()
}

async fn replace(rig: &Rig) -> Vec<String> {
    let old = rig.deploy_active().await;
    let new = rig.deploy_active().await;
    rig.until(&old, "removed", |row| row["status"] == "REMOVED")
        .await;
    assert!(!rig.lives(&old) && rig.lives(&new));
    let diary = rig
        .volume_file("diary")
        .replace(&old, "old")
        .replace(&new, "new");
    diary.lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_new_one_is_up_before_the_old_one_goes() {
    let rig = Rig::new(&diary()).await;
    assert_eq!(replace(&rig).await, ["start old", "start new", "end old"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_service_says_so_the_old_one_goes_first() {
    let rig = Rig::with(|repo| {
        let mut spec = spec(repo, &diary());
        spec.old_goes_first = true;
        spec
    })
    .await;
    assert_eq!(replace(&rig).await, ["start old", "end old", "start new"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_ends_early_fails_and_one_that_crashes_later_says_so() {
    let rig = Rig::new("exit 3").await;
    let id = rig.deploy(&rig.head()).await;
    rig.until(&id, "failed", |row| row["status"] == "FAILED")
        .await;
    let logs = rig
        .get(
            "query($id: String!) { deploymentLogs(deploymentId: $id) { message } }",
            json!({ "id": id }),
        )
        .await;
    assert!(logs.to_string().contains("ended with 3"), "{logs}");

    let rig = Rig::new("sleep 0.6; exit 3").await;
    let id = rig.deploy_active().await;
    let row = rig
        .until(&id, "crashed", |row| row["status"] == "CRASHED")
        .await;
    assert_eq!(row["instances"][0]["status"], "CRASHED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_cannot_start_fails_with_the_reason() {
    let rig = Rig::with(|repo| {
        let mut spec = spec(repo, "");
        spec.start_command = vec!["/no/such/program".to_owned()];
        spec
    })
    .await;
    let id = rig.deploy(&rig.head()).await;
    rig.until(&id, "failed", |row| row["status"] == "FAILED")
        .await;
    let log = std::fs::read_to_string(rig.served().platform.log_path(&id)).unwrap();
    assert!(log.contains("/no/such/program"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_out_of_the_commit_fails_the_build() {
    for target in ["/etc/hostname", "../outside", "inner/../../outside"] {
        let rig = Rig::new(OBEDIENT).await;
        let repo = git2::Repository::open(rig.repo.path()).unwrap();
        let blob = repo.blob(target.as_bytes()).unwrap();
        let mut tree = repo.treebuilder(None).unwrap();
        tree.insert("link", blob, 0o120_000).unwrap();
        let commit = commit_tree(&repo, tree.write().unwrap());
        let id = rig.deploy(&commit).await;
        rig.until(&id, "failed", |row| row["status"] == "FAILED")
            .await;
        let logs = rig
            .get(
                "query($id: String!) { buildLogs(deploymentId: $id) { message } }",
                json!({ "id": id }),
            )
            .await;
        assert!(
            logs.to_string().contains("leads outside the commit"),
            "{target}: {logs}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn modes_folders_and_inner_links_are_exported_as_committed() {
    let rig = Rig::new(OBEDIENT).await;
    let repo = git2::Repository::open(rig.repo.path()).unwrap();
    let text = repo.blob(b"a\r\nb").unwrap();
    let link = repo.blob(b"../top").unwrap();
    let mut inner = repo.treebuilder(None).unwrap();
    inner.insert("link", link, 0o120_000).unwrap();
    let inner = inner.write().unwrap();
    let mut tree = repo.treebuilder(None).unwrap();
    tree.insert("top", text, 0o100_755).unwrap();
    tree.insert("folder", inner, 0o040_000).unwrap();
    let commit = commit_tree(&repo, tree.write().unwrap());
    let id = rig.deploy(&commit).await;
    rig.until(&id, "active", |row| row["status"] == "SUCCESS")
        .await;
    let src = rig.served().platform.source_dir(&id);
    assert_eq!(
        std::fs::read(src.join("folder/link")).unwrap(),
        b"a\r\nb",
        "no filters"
    );
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&src.join("top").metadata().unwrap().permissions());
    assert_eq!(mode & 0o100, 0o100);
}
