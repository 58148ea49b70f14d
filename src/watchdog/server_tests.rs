//! The surface over a real socket: who may say what.

use super::super::rules::tests::expectation;
use super::super::shared::Watch;
use super::*;
use launch_kill::{CallError, Deadline, Endpoint, JsonClient};
use std::time::Duration;

struct Running {
    surface: Surface,
    base: Endpoint,
}

async fn start() -> Running {
    let surface = Surface {
        shared: Arc::new(Shared::new(Watch::new(None, 10_000))),
        env: "staging".into(),
        started_at: "2026-11-23T00:00:00Z".into(),
        halt_token: Secret::new("halt-token-1").unwrap(),
        control_token: Secret::new("control-token-1").unwrap(),
        wake: Arc::default(),
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = Endpoint::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let routes = router(surface.clone());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    Running { surface, base }
}

impl Running {
    async fn post(&self, token: &str, path: &str, body: Value) -> Result<Value, CallError> {
        JsonClient::new(self.base.clone(), Secret::new(token))
            .unwrap()
            .post(path, &body, Deadline::after(Duration::from_secs(5)))
            .await
    }
}

fn asked() -> Value {
    json!({"reason": "drill", "by": "ann"})
}

#[tokio::test]
async fn the_halt_token_can_only_stop() {
    let running = start().await;
    let expect = serde_json::to_value(expectation()).unwrap();
    let reenable = json!({"reason": "r", "by": "b", "freeze_id": "f"});
    for (path, body) in [
        ("/expect", expect),
        ("/hold", asked()),
        ("/reenable", reenable),
    ] {
        let refused = running.post("halt-token-1", path, body).await;
        assert!(matches!(refused, Err(CallError::Unauthorized(_))), "{path}");
    }
    assert!(running.surface.shared.watch().expected.is_none());
    for token in ["", "wrong", "halt-token-12"] {
        let refused = running.post(token, "/revoke", asked()).await;
        assert!(
            matches!(refused, Err(CallError::Unauthorized(_))),
            "{token}"
        );
    }
    assert!(running.surface.shared.watch().revoked.is_none());
    running
        .post("halt-token-1", "/revoke", asked())
        .await
        .unwrap();
    assert!(running.surface.shared.watch().revoked.is_some());
}

#[tokio::test]
async fn a_revocation_says_when_the_last_grant_is_over() {
    let running = start().await;
    let answer = running
        .post("halt-token-1", "/revoke", asked())
        .await
        .unwrap();
    assert_eq!(answer["frozen"], true);
    let left = answer["last_grant_expires_in_ms"].as_u64().unwrap();
    assert!(
        (13_000..=15_000).contains(&left),
        "a watchdog that just started cannot vouch for the one before: {left}"
    );
    {
        let now_ms = running.surface.shared.now_ms();
        let mut watch = running.surface.shared.watch();
        watch.book = super::super::lease::GrantBook::new(10_000);
        watch.book.sending(now_ms);
    }
    let answer = running
        .post("halt-token-1", "/revoke", asked())
        .await
        .unwrap();
    let left = answer["last_grant_expires_in_ms"].as_u64().unwrap();
    assert!((9_000..=11_000).contains(&left), "{left}");
}

#[tokio::test]
async fn an_identity_is_taken_only_whole_and_for_this_environment() {
    let running = start().await;
    let good = serde_json::to_value(expectation()).unwrap();
    let mut edited = good.clone();
    edited["plan"]["intent"]["effective"]["position_size_usd"] = json!("500");
    let mut other_env = expectation();
    other_env.plan = {
        let mut intent = other_env.plan.intent;
        intent.env = "production".into();
        crate::plan::intent::tests::plan(intent, &[], "p1", "")
    };
    let mut nameless = good.clone();
    nameless["instance_nonce"] = json!(" ");
    let mut elsewhere = good.clone();
    elsewhere["trader_url"] = json!("http://example.com");
    for bad in [
        json!({}),
        edited,
        serde_json::to_value(other_env).unwrap(),
        nameless,
        elsewhere,
    ] {
        let refused = running
            .post("control-token-1", "/expect", bad.clone())
            .await;
        assert!(matches!(refused, Err(CallError::Invalid(_))), "{bad}");
        assert!(running.surface.shared.watch().expected.is_none());
    }
    running
        .post("control-token-1", "/expect", good)
        .await
        .unwrap();
    assert_eq!(
        running
            .surface
            .shared
            .watch()
            .expected
            .as_ref()
            .unwrap()
            .deployment_id,
        "d1"
    );
}

#[tokio::test]
async fn a_hold_needs_no_freeze_and_a_reenable_lifts_only_the_revocation() {
    let running = start().await;
    running.surface.shared.watch().frozen = Some("f1".into());
    running
        .post("control-token-1", "/hold", asked())
        .await
        .unwrap();
    running
        .post("control-token-1", "/revoke", asked())
        .await
        .unwrap();
    let answer = running
        .post(
            "control-token-1",
            "/reenable",
            json!({"reason": "checked", "by": "ann", "freeze_id": "f1"}),
        )
        .await
        .unwrap();
    assert_eq!(answer["frozen"], json!(true));
    let watch = running.surface.shared.watch();
    assert!(watch.revoked.is_none() && watch.frozen.is_some());
    assert_eq!(watch.patrol.asked(), Some("drill (ann)"));
}

#[tokio::test]
async fn a_watchdog_that_tripped_takes_no_orders_but_to_stop() {
    let running = start().await;
    running.surface.shared.watch().tripped = true;
    let good = serde_json::to_value(expectation()).unwrap();
    let reenable = json!({"reason": "r", "by": "b", "freeze_id": "f"});
    for (path, body) in [("/expect", good), ("/reenable", reenable)] {
        let refused = running.post("control-token-1", path, body).await;
        assert!(matches!(refused, Err(CallError::Denied(_))), "{path}");
    }
    running
        .post("halt-token-1", "/revoke", asked())
        .await
        .unwrap();
}

#[tokio::test]
async fn health_needs_a_token_and_tells_no_secret() {
    let running = start().await;
    let client = JsonClient::new(running.base.clone(), None).unwrap();
    let deadline = Deadline::after(Duration::from_secs(5));
    assert!(matches!(
        client.get("/health", deadline).await,
        Err(CallError::Unauthorized(_))
    ));
    let client = client.with_token(Secret::new("halt-token-1"));
    let told = client.get("/health", deadline).await.unwrap();
    assert_eq!(told["state"], json!("idle"));
    let text = told.to_string();
    assert!(!text.contains("halt-token-1") && !text.contains("control-token-1"));
}
