//! Variables: what is written arrives, and what a write starts.

use serde_json::{Value, json};

use super::rig::{OBEDIENT, Rig};

const UPSERT: &str = "mutation($input: VariableUpsertInput!) { variableUpsert(input: $input) }";
const COLLECTION: &str =
    "mutation($input: VariableCollectionUpsertInput!) { variableCollectionUpsert(input: $input) }";
const READ: &str = "query($p: String!, $e: String!, $s: String) {
    variables(projectId: $p, environmentId: $e, serviceId: $s) }";

fn input(rig: &Rig, more: &Value) -> Value {
    let mut input = json!({
        "projectId": rig.service.project_id,
        "environmentId": rig.service.environment_id,
        "serviceId": rig.service.service_id,
    });
    input
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    json!({ "input": input })
}

async fn count(rig: &Rig) -> usize {
    let list = rig
        .get(
            "query { deployments(input: {}) { edges { node { id } } } }",
            json!({}),
        )
        .await;
    list["deployments"]["edges"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_redeploys_unless_it_says_not_to() {
    let script = format!("echo \"$COLOUR\" > \"$RAILWAY_VOLUME_MOUNT_PATH/colour\"; {OBEDIENT}");
    let rig = Rig::new(&script).await;
    let quiet = json!({ "name": "COLOUR", "value": "red", "skipDeploys": true });
    rig.get(UPSERT, input(&rig, &quiet)).await;
    assert_eq!(count(&rig).await, 0);
    let id = rig.deploy_active().await;
    assert_eq!(rig.volume_file("colour"), "red\n");
    rig.mutate("deploymentStop", &id).await;
    rig.until(&id, "stopped", |row| row["deploymentStopped"] == true)
        .await;

    rig.get(
        UPSERT,
        input(&rig, &json!({ "name": "COLOUR", "value": "blue" })),
    )
    .await;
    assert_eq!(count(&rig).await, 2, "the stopped service comes back");
    let many = json!({ "variables": { "A": "1", "B": "2" }, "skipDeploys": true });
    rig.get(COLLECTION, input(&rig, &many)).await;
    assert_eq!(count(&rig).await, 2);

    let ids = json!({
        "p": rig.service.project_id, "e": rig.service.environment_id, "s": rig.service.service_id,
    });
    let all = rig.get(READ, ids).await["variables"].clone();
    assert_eq!(
        (&all["COLOUR"], &all["A"], &all["B"]),
        (&json!("blue"), &json!("1"), &json!("2"))
    );
    assert_eq!(all["RAILWAY_SERVICE_ID"], rig.service.service_id.as_str());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_and_tokens_stay_out_of_logs_and_private_on_disk() {
    let rig = Rig::new(OBEDIENT).await;
    let secret = json!({ "name": "LAUNCH_HALT_TOKEN", "value": "hunter2", "skipDeploys": true });
    rig.get(UPSERT, input(&rig, &secret)).await;
    let platform = &rig.served().platform;
    let log = platform.read(|world| json!(world.requests)).to_string();
    assert!(!log.contains("hunter2"), "{log}");
    let shown = platform.read(|world| format!("{world:?}{platform:?}"));
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(!shown.contains(rig.service.token.expose()));
    for file in ["state.json", "admin-token", "platform.json"] {
        let facts = platform.dir.join(file).metadata().unwrap();
        let mode = std::os::unix::fs::PermissionsExt::mode(&facts.permissions());
        assert_eq!(mode & 0o077, 0, "{file}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_reach_the_next_deployment_and_unknown_ones_are_refused() {
    const UPDATE: &str = "mutation($e: String, $s: String!, $input: ServiceInstanceUpdateInput!) {
        serviceInstanceUpdate(environmentId: $e, serviceId: $s, input: $input) }";
    let rig = Rig::new(OBEDIENT).await;
    let with = |input: Value| json!({ "e": rig.service.environment_id, "s": rig.service.service_id, "input": input });
    let first = rig.deploy_active().await;
    rig.get(
        UPDATE,
        with(json!({ "drainingSeconds": 7, "restartPolicyType": "ALWAYS" })),
    )
    .await;
    let deployed = |row: &Value| row["meta"]["serviceManifest"]["deploy"].clone();
    assert_eq!(
        deployed(&rig.deployment(&first).await)["drainingSeconds"],
        5
    );
    let second = deployed(&rig.deployment(&rig.deploy_active().await).await);
    assert_eq!(second["drainingSeconds"], 7);
    assert_eq!(second["restartPolicyType"], "ALWAYS");

    let zero = rig.refusal(UPDATE, with(json!({ "numReplicas": 0 }))).await;
    assert_eq!(zero, "Error in numReplicas - Invalid input");
    for unknown in [
        json!({ "cronSchedule": "* * * * *" }),
        json!({ "sleepApplication": true }),
    ] {
        let message = rig.refusal(UPDATE, with(unknown)).await;
        assert!(message.contains("does not model"), "{message}");
    }
}
