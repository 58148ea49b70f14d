//! Who is refused and how, in Railway's words and HTTP statuses; and the real client against it
//! all.

use std::time::Duration;

use launch_kill::platform::{self, Listing};
use launch_kill::{Auth, Client, Deadline, Endpoint, ServiceIds};
use serde_json::{Value, json};

use super::rig::{OBEDIENT, Rig};

const TOKEN_QUERY: &str = "{ projectToken { projectId environmentId } }";

fn body(query: &str) -> String {
    json!({ "query": query }).to_string()
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_are_told_apart_as_railway_does() {
    let rig = Rig::new(OBEDIENT).await;
    let token = rig.service.token.expose();
    let bearer = format!("Bearer {token}");
    let cases: [(&[(&str, &str)], &str); 4] = [
        (&[], "Not Authorized"),
        (&[("Authorization", "Bearer nonsense")], "Not Authorized"),
        (&[("Authorization", &bearer)], "Project Token not found"),
        (
            &[("Project-Access-Token", "nonsense")],
            "Project Token not found",
        ),
    ];
    for (headers, message) in cases {
        let (status, text) = rig.send(headers, body(TOKEN_QUERY)).await;
        let answer = parsed(&text);
        assert_eq!(status, 200);
        assert_eq!(answer["data"], Value::Null);
        assert_eq!(answer["errors"][0]["message"], message);
        assert_eq!(
            answer["errors"][0]["extensions"]["code"],
            "INTERNAL_SERVER_ERROR"
        );
        assert_eq!(answer["errors"][0]["path"], json!(["projectToken"]));
        assert!(answer["errors"][0]["traceId"].is_string());
        assert!(answer["errors"][0]["locations"][0]["line"].is_u64());
    }
    let own = rig.get(TOKEN_QUERY, json!({})).await;
    assert_eq!(
        own["projectToken"]["environmentId"],
        rig.service.environment_id.as_str()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_bound_to_its_environment() {
    let rig = Rig::new(OBEDIENT).await;
    let mine = rig.deploy(&rig.head()).await;
    let mut other = super::rig::spec(rig.repo.path(), OBEDIENT);
    other.env = "production".to_owned();
    let (status, other) = rig.admin("/loopback/services", &json!(other)).await;
    assert_eq!(status, 200);
    assert_eq!(
        other["service_id"],
        rig.service.service_id.as_str(),
        "one service per repository"
    );
    let foreign = other["token"].as_str().unwrap();
    let stop = json!({
        "query": "mutation($id: String!) { deploymentStop(id: $id) }",
        "variables": { "id": mine },
    });
    let (_, text) = rig
        .send(&[("Project-Access-Token", foreign)], stop.to_string())
        .await;
    assert_eq!(parsed(&text)["errors"][0]["message"], "Not Authorized");
    for query in [
        "query($e: String!, $s: String!) { serviceInstance(environmentId: $e, serviceId: $s) { id } }",
        "query($e: String!, $s: String!) { environment(id: $e) { id } x: service(id: $s) { id } }",
        "query($e: String!, $s: String!) {
            deployments(input: { environmentId: $e, serviceId: $s }) { pageInfo { endCursor } } }",
    ] {
        let ids = json!({ "e": other["environment_id"], "s": rig.service.service_id });
        assert_eq!(rig.refusal(query, ids).await, "Not Authorized", "{query}");
    }
    let unknown = json!({ "id": "no-such-deployment" });
    let query = "query($id: String!) { deployment(id: $id) { id } }";
    assert_eq!(rig.refusal(query, unknown).await, "Deployment not found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_do_not_validate_are_400_without_data() {
    let rig = Rig::new(OBEDIENT).await;
    let cases = [
        ("{ projectToken { nonsense } }", "GRAPHQL_VALIDATION_FAILED"),
        (
            "mutation { deploymentStop(id: \"x\") { ok } }",
            "GRAPHQL_VALIDATION_FAILED",
        ),
        (
            "{ deployments(input: { status: { successfulOnly: true } }) { edges { node { id } } } }",
            "GRAPHQL_VALIDATION_FAILED",
        ),
        (
            "subscription { deployment(id: \"x\") { id } }",
            "GRAPHQL_VALIDATION_FAILED",
        ),
        ("{ projectToken ", "GRAPHQL_PARSE_FAILED"),
        (
            "query A { __typename } query B { __typename }",
            "OPERATION_RESOLUTION_FAILURE",
        ),
    ];
    for (query, code) in cases {
        let (status, text) = rig.send(&[], body(query)).await;
        let answer = parsed(&text);
        assert_eq!(status, 400, "{query}");
        assert_eq!(answer["errors"][0]["extensions"]["code"], code, "{answer}");
        assert!(answer.get("data").is_none(), "{answer}");
    }
    for nonsense in ["", "null", "[]", "{\"query\":7}", "\u{0}"] {
        let (status, _) = rig.send(&[], nonsense.to_owned()).await;
        assert_eq!(status, 400, "{nonsense:?}");
    }
    let by_id = "query($id: String!) { deployment(id: $id) { id } }";
    for id in [json!({ "id": 7 }), json!({ "id": null }), json!({})] {
        let wrong = rig.ask(by_id, id.clone()).await;
        assert_eq!(
            wrong["errors"][0]["extensions"]["code"], "BAD_USER_INPUT",
            "and HTTP 200: {id}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_are_turned_away() {
    let rig = Rig::new(OBEDIENT).await;
    let token = ("Project-Access-Token", rig.service.token.expose());
    let (status, text) = rig
        .send(&[token, ("User-Agent", "")], body(TOKEN_QUERY))
        .await;
    assert_eq!((status, text.as_str()), (403, "error code: 1010"));
    for host in [
        "rebound.example",
        "rebound.example:80",
        "127.0.0.1.example",
        "0.0.0.0",
    ] {
        let (status, _) = rig.send(&[token, ("Host", host)], body(TOKEN_QUERY)).await;
        assert_eq!(status, 421, "{host}");
    }
    let base = format!("http://127.0.0.1:{}", rig.served().endpoint.port().unwrap());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    for path in [
        "/loopback/services",
        "/loopback/faults",
        "/loopback/shutdown",
    ] {
        let answer = http
            .post(format!("{base}{path}"))
            .body("{}")
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 401, "{path}");
    }
    for path in [
        "/loopback/faults",
        "/loopback/processes",
        "/loopback/requests",
        "/loopback/status",
    ] {
        let answer = http.get(format!("{base}{path}")).send().await.unwrap();
        assert_eq!(answer.status(), 401, "{path}");
    }
    let lost = http.get(format!("{base}/nowhere")).send().await.unwrap();
    assert_eq!(lost.status(), 404);
    assert!(lost.text().await.unwrap().contains("requestId"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn provisioning_is_idempotent_and_refuses_nonsense() {
    let rig = Rig::new(OBEDIENT).await;
    let mut again = super::rig::spec(rig.repo.path(), "exit 0");
    again.draining_secs = 9;
    let (status, answer) = rig.admin("/loopback/services", &json!(again)).await;
    assert_eq!(status, 200);
    assert_eq!(answer["token"], rig.service.token.expose());
    assert_eq!(
        answer["environment_id"],
        rig.service.environment_id.as_str()
    );
    let config = rig
        .served()
        .platform
        .read(|world| world.state.instances[0].config.clone());
    assert_eq!(config.draining_secs, 9);
    let good = json!(again);
    for (field, value) in [
        ("env", json!("../x")),
        ("branch", json!("")),
        ("repo_dir", json!("/no/such/folder")),
        ("repo_dir", json!(rig.dir.path())),
        ("start_command", json!([])),
        ("restart_policy", json!("SOMETIMES")),
        ("unknown_field", json!(1)),
        ("draining_secs", json!(-1)),
    ] {
        let mut bad = good.clone();
        bad[field] = value;
        let (status, answer) = rig.admin("/loopback/services", &bad).await;
        assert_eq!(status, 400, "{field}: {answer}");
        assert!(answer["error"].is_string());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_real_client_finds_lists_and_stops() {
    let rig = Rig::new(OBEDIENT).await;
    let id = rig.deploy_active().await;
    let endpoint = Endpoint::parse(&rig.served().endpoint.endpoint).unwrap();
    let client = Client::new(endpoint, Auth::Project(rig.service.token.clone())).unwrap();
    let soon = || Deadline::after(Duration::from_secs(10));
    let scope = platform::project_token(&client, soon()).await.unwrap();
    assert_eq!(scope.environment_id, rig.service.environment_id);
    let services = platform::services(
        &client,
        &scope.environment_id,
        Some(&scope.project_id),
        soon(),
    )
    .await;
    assert_eq!(services.unwrap()[0].id, rig.service.service_id);
    let ids = ServiceIds {
        project_id: Some(scope.project_id),
        environment_id: scope.environment_id,
        service_id: rig.service.service_id.clone(),
    };
    platform::service_exists(&client, &ids, soon())
        .await
        .unwrap();
    let list = platform::deployments(&client, &ids, Listing::NotFinal, soon())
        .await
        .unwrap();
    assert!(list.is_complete && list.items[0].is_live());
    assert_eq!(list.items[0].commit(), Some(rig.head().as_str()));
    assert!(
        platform::set_auto_deploy(&client, &ids, true, soon())
            .await
            .unwrap()
    );
    assert!(
        platform::auto_deploy(&client, &ids, soon())
            .await
            .unwrap()
            .enabled
    );
    platform::set_variable(&client, &ids, "LAUNCH_FREEZE", "off", soon())
        .await
        .unwrap();
    let variables = platform::variables(&client, &ids, soon()).await.unwrap();
    assert!(variables.contains_key("LAUNCH_FREEZE"));
    platform::stop(&client, &id, soon()).await.unwrap();
    rig.until(&id, "stopped", |row| row["deploymentStopped"] == true)
        .await;
    assert!(
        !platform::deployment(&client, &id, soon())
            .await
            .unwrap()
            .is_live()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_query_shows_everything_and_unknown_fields_are_not_made_up() {
    let rig = Rig::new(OBEDIENT).await;
    let old = rig.deploy_active().await;
    let new = rig.deploy(&rig.head()).await;
    let ids = json!({ "e": rig.service.environment_id, "s": rig.service.service_id });
    let shown = rig
        .get(
            "query($e: String!, $s: String!) { serviceInstance(environmentId: $e, serviceId: $s) {
                serviceName numReplicas startCommand source { repo }
                activeDeployments { id } latestDeployment { id environment { name
                    serviceInstances(first: 1) { edges { node { serviceId } } } } } } }",
            ids.clone(),
        )
        .await["serviceInstance"]
        .clone();
    assert_eq!(shown["activeDeployments"], json!([{ "id": old }]));
    assert_eq!(shown["latestDeployment"]["id"], new.as_str());
    assert_eq!(shown["numReplicas"], Value::Null);
    assert_eq!(shown["latestDeployment"]["environment"]["name"], "staging");
    let page = rig
        .get(
            "{ deployments(input: {}, first: 1) { edges { node { id } } pageInfo { hasNextPage } } }",
            json!({}),
        )
        .await["deployments"]
        .clone();
    assert_eq!(page["edges"][0]["node"]["id"], new.as_str(), "newest first");
    assert_eq!(page["pageInfo"]["hasNextPage"], true);
    let unknown = rig
        .refusal(
            "query($e: String!) { environment(id: $e) { configEtag } }",
            json!({ "e": rig.service.environment_id }),
        )
        .await;
    assert!(
        unknown.contains("does not model Environment.configEtag"),
        "{unknown}"
    );
}
