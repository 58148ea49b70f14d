//! `launch positions` and `launch orders` with the real binary: told by the trader, else by the venue, and
//! what nobody could tell is unknown, never none.
//!
//! The trader is a deployed paper trader, the venue the stub of `src/loopback/venue`. Credentials are the
//! stub's own: they open nothing else.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test ends at the first surprise"
)]

mod support;

use launch::loopback::venue::{
    Holding, RestingOrder, Venue, VenueFaults, VenueOptions, VenueRequest,
};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::process::Output;
use support::Project;

/// Where nobody listens: the port was free a moment ago and nobody else is given it meanwhile.
fn nowhere() -> String {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    format!("http://127.0.0.1:{port}")
}

/// A kill file of this machine whose trader does not answer.
fn plant(project: &Project, env: &str, mode: &Value) {
    let file = json!({
        "schema_version": 1, "env": env, "platform": "local", "deployment_id": "d1",
        "service_id": "s1", "environment_id": "e1", "mode": mode,
        "endpoint": format!("{}/graphql/v2", nowhere()), "trader_url": nowhere(),
    });
    let path = project.state().join(format!("kill-{env}.json"));
    std::fs::write(path, file.to_string()).unwrap();
}

/// A project without a trader, its account at the stub.
fn stranded(mode: &Value) -> Project {
    let project = Project::bare();
    plant(&project, "staging", mode);
    project
}

fn venue(faults: VenueFaults) -> Venue {
    Venue::start(VenueOptions {
        orders: vec![RestingOrder::numbered(1), RestingOrder::numbered(2)],
        holdings: vec![Holding {
            asset: "7132104567925221259462638553270691275".into(),
            size: "20".into(),
            avg_price: "0.48".into(),
            outcome: "Up".into(),
            slug: "btc-updown-5m-1795393200".into(),
            bid: Some("0.47".into()),
        }],
        faults,
        ..VenueOptions::default()
    })
    .unwrap()
}

fn told(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (
        output.status.code().unwrap(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

/// Runs it with access to the venue, `changes` last; no secret may come back on any stream.
fn ask(
    project: &Project,
    venue: &Venue,
    changes: &[(&str, Option<&str>)],
    args: &[&str],
) -> (i32, String) {
    let mut variables = venue.variables();
    for (name, value) in changes {
        variables.remove(*name);
        variables.extend(value.map(|value| ((*name).to_owned(), value.to_owned())));
    }
    let mut command = project.launch(args);
    command.envs(&variables);
    let (code, stdout, stderr) = told(&command.output().unwrap());
    for (name, secret) in &variables {
        let is_secret = name.starts_with("POLYMARKET_API");
        assert!(
            !is_secret || !format!("{stdout}{stderr}").contains(secret),
            "{name} in {stdout}{stderr}"
        );
    }
    assert!(
        !stdout.contains('\u{1b}') && !stderr.contains('\u{1b}'),
        "colour, and there is no terminal: {stdout}{stderr}"
    );
    assert!(stderr.is_empty() || code == 2, "{stderr}");
    (code, stdout)
}

fn ask_json(
    project: &Project,
    venue: &Venue,
    changes: &[(&str, Option<&str>)],
    args: &[&str],
) -> (i32, Value) {
    let mut all = args.to_vec();
    all.extend(["--env", "staging", "--format", "json"]);
    let (code, stdout) = ask(project, venue, changes, &all);
    (code, serde_json::from_str(&stdout).unwrap())
}

/// Nobody told: neither a number nor an empty list.
#[track_caller]
fn is_unknown((code, document): &(i32, Value), why: &str) {
    let target = &document["targets"][0];
    assert_eq!(*code, 3, "{document:#}");
    for member in ["source", "positions", "open_orders", "read_at", "age_ms"] {
        assert!(target[member].is_null(), "{member}: {document:#}");
    }
    let notes = target["notes"].to_string();
    assert!(notes.contains(why), "{why}: {document:#}");
}

/// What differs from run to run, by a word.
fn settled(mut document: Value) -> String {
    for target in document["targets"].as_array_mut().unwrap() {
        assert!(target["age_ms"].as_u64().unwrap() < 60_000, "{target:#}");
        target["age_ms"] = json!("[ms]");
        let at = target["read_at"].as_str().unwrap();
        assert!(at.parse::<jiff::Timestamp>().is_ok(), "{at}");
        target["read_at"] = json!("[at]");
        for position in target["positions"].as_array_mut().into_iter().flatten() {
            assert!(position["seconds_to_settlement"].is_i64(), "{position:#}");
            position["seconds_to_settlement"] = json!("[s]");
        }
        for note in target["notes"].as_array_mut().unwrap() {
            let kind = note.as_str().unwrap().split(':').next().unwrap();
            *note = json!(format!("{kind}: [why]"));
        }
    }
    serde_json::to_string_pretty(&document).unwrap()
}

#[test]
fn a_living_paper_trader_tells_and_the_account_is_not_touched() {
    let project = Project::deployed();
    let venue = venue(VenueFaults::default());
    let (code, document) = ask_json(&project, &venue, &[], &["positions"]);
    assert_eq!(code, 0, "{document:#}");
    let target = &document["targets"][0];
    assert_eq!(
        (&target["env"], &target["source"], &target["asked"]),
        (&json!("staging"), &json!("trader"), &json!("positions"))
    );
    assert!(target["age_ms"].as_u64().unwrap() < 60_000, "{target:#}");
    assert!(target["positions"].is_array() && target["open_orders"].is_null());
    let (code, document) = ask_json(&project, &venue, &[], &["orders"]);
    assert_eq!(code, 0, "{document:#}");
    let target = &document["targets"][0];
    assert_eq!(target["source"], "trader");
    assert!(target["open_orders"].is_u64() && target["positions"].is_null());
    assert!(target["orders"].is_null(), "the trader tells a number");
    // Without --env the only known target is taken, for people too.
    let (code, text) = ask(&project, &venue, &[], &["positions"]);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.starts_with("staging: told by the trader at "),
        "{text}"
    );
    assert!(venue.requests().is_empty(), "{:#?}", venue.requests());

    // With its halt token refused nobody is left who may tell.
    let halt = project.state().join("halt-staging");
    let token = std::fs::read_to_string(&halt).unwrap();
    std::fs::write(&halt, "another-token-0123456789").unwrap();
    let refused = ask_json(&project, &venue, &[], &["positions"]);
    is_unknown(&refused, "trader: ");
    assert!(!refused.1.to_string().contains("another-token"));
    std::fs::write(&halt, &token).unwrap();

    let kill = ["kill", "--env", "staging", "--settle", "300ms"];
    project.launch(&kill).assert().success();
    for command in ["positions", "orders"] {
        is_unknown(
            &ask_json(&project, &venue, &[], &[command]),
            "a paper or dry-run trader has no account there",
        );
        let (code, text) = ask(&project, &venue, &[], &[command, "--env", "staging"]);
        assert_eq!(code, 3);
        assert!(
            text.contains("staging: UNKNOWN: nobody could tell"),
            "{text}"
        );
        for none in ["none", "0 open", "open orders 0"] {
            assert!(!text.contains(none), "{text}");
        }
    }
    assert!(venue.requests().is_empty(), "somebody else's account");
}

#[test]
fn the_venue_tells_what_a_trader_that_is_gone_left() {
    let (project, venue) = (stranded(&json!("live")), venue(VenueFaults::default()));
    let (code, document) = ask_json(&project, &venue, &[], &["positions"]);
    assert_eq!(code, 0, "{document:#}");
    insta::assert_snapshot!(settled(document), @r#"
    {
      "schema_version": 1,
      "targets": [
        {
          "age_ms": "[ms]",
          "asked": "positions",
          "env": "staging",
          "notes": [
            "trader: [why]"
          ],
          "open_orders": null,
          "positions": [
            {
              "asset": "btc",
              "avg_cost": "0.48",
              "flatten": null,
              "last_bid": "0.47",
              "link": "https://polymarket.com/event/btc-updown-5m-1795393200",
              "outcome": "up",
              "seconds_to_settlement": "[s]",
              "shares": "20",
              "source": "venue",
              "token": "7132104567925221259462638553270691275",
              "window": "btc-updown-5m-1795393200",
              "worst_loss_usd": "9.6"
            }
          ],
          "read_at": "[at]",
          "source": "venue"
        }
      ]
    }
    "#);
    let (code, mut document) = ask_json(&project, &venue, &[], &["orders"]);
    assert_eq!(code, 0, "{document:#}");
    let orders = document["targets"][0]["orders"].as_array_mut().unwrap();
    assert_eq!(orders.pop().unwrap()["id"], RestingOrder::numbered(2).id);
    insta::assert_snapshot!(settled(document), @r#"
    {
      "schema_version": 1,
      "targets": [
        {
          "age_ms": "[ms]",
          "asked": "orders",
          "env": "staging",
          "notes": [],
          "open_orders": 2,
          "orders": [
            {
              "id": "0x0000000000000000000000000000000000000000000000000000000000000001",
              "market": "0x00000000000000000000000000000000000000000000000000000000000000c0",
              "matched": "0",
              "outcome": "Up",
              "price": "0.48",
              "side": "BUY",
              "size": "20",
              "token": "71321045679252212594626385532706912750332728571942532289631379312455583992563",
              "wallet": "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
            }
          ],
          "positions": null,
          "read_at": "[at]",
          "source": "venue"
        }
      ]
    }
    "#);
}

#[test]
fn a_mode_that_is_not_known_counts_as_live_and_nothing_is_changed() {
    let (project, venue) = (stranded(&Value::Null), venue(VenueFaults::default()));
    for command in ["positions", "orders"] {
        let (code, document) = ask_json(&project, &venue, &[], &[command]);
        assert_eq!(code, 0, "{document:#}");
        assert_eq!(document["targets"][0]["source"], "venue");
    }
    let asked = venue.requests();
    let is_read = |request: &VenueRequest| request.method == "GET";
    assert!(!asked.is_empty() && asked.iter().all(is_read), "{asked:#?}");
    assert_eq!(venue.open_orders().len(), 2);
}

#[test]
fn people_read_the_same() {
    let (project, venue) = (stranded(&json!("live")), venue(VenueFaults::default()));
    let (code, text) = ask(&project, &venue, &[], &["positions", "--env", "staging"]);
    assert_eq!(code, 0, "{text}");
    for part in [
        "staging: told by the venue at ",
        " ms ago",
        "1 open",
        "20",
        "0.47",
        "9.6",
        "note        trader: ",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let no_color = [("NO_COLOR", Some("1"))];
    let (code, text) = ask(&project, &venue, &no_color, &["orders", "--env", "staging"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("  open orders 2\n"), "{text}");
    assert_eq!(
        text.matches("BUY 20 @ 0.48 of token 71321045679252…")
            .count(),
        2
    );
}

#[test]
fn what_nobody_can_tell_is_unknown() {
    let project = stranded(&json!("live"));
    let down = || {
        venue(VenueFaults {
            down: true,
            ..VenueFaults::default()
        })
    };
    is_unknown(
        &ask_json(&project, &down(), &[], &["positions"]),
        "trader: ",
    );
    is_unknown(&ask_json(&project, &down(), &[], &["orders"]), "venue: ");
    for faults in [
        VenueFaults {
            garbage: true,
            ..VenueFaults::default()
        },
        VenueFaults {
            status: Some(503),
            ..VenueFaults::default()
        },
        VenueFaults {
            unauthorized: true,
            positions_down: true,
            ..VenueFaults::default()
        },
        VenueFaults {
            endless_pages: true,
            positions_without_size: true,
            ..VenueFaults::default()
        },
    ] {
        let venue = venue(faults);
        for command in ["positions", "orders"] {
            is_unknown(&ask_json(&project, &venue, &[], &[command]), "venue: ");
        }
    }
    let (code, text) = ask(&project, &down(), &[], &["orders", "--env", "staging"]);
    assert_eq!(code, 3);
    assert!(
        text.contains("UNKNOWN") && !text.contains("open orders"),
        "{text}"
    );
}

#[test]
fn wrong_or_missing_credentials_are_named_and_tell_nothing() {
    let (project, venue) = (stranded(&json!("live")), venue(VenueFaults::default()));
    let orders =
        |changes: &[(&str, Option<&str>)]| ask_json(&project, &venue, changes, &["orders"]);
    let wrong = [(
        "POLYMARKET_API_KEY",
        Some("00000000-0000-0000-0000-000000000000"),
    )];
    is_unknown(&orders(&wrong), "Unauthorized");
    let wrong = [(
        "POLYMARKET_API_SECRET",
        Some("bm90LXRoZS1zZWNyZXQtb2YtdGhpcy1hY2NvdW50ISE="),
    )];
    is_unknown(&orders(&wrong), "Unauthorized");
    is_unknown(
        &orders(&[("POLYMARKET_API_SECRET", Some("not base64!"))]),
        "base64",
    );
    is_unknown(
        &orders(&[("POLYMARKET_API_PASSPHRASE", None)]),
        "POLYMARKET_API_PASSPHRASE not set",
    );
    is_unknown(
        &orders(&[("LAUNCH_CLOB_URL", Some("http://example.com"))]),
        "LAUNCH_CLOB_URL",
    );
    assert_eq!(venue.open_orders().len(), 2);
    // Positions are public: an address is enough, and none of it is no answer.
    let positions =
        |changes: &[(&str, Option<&str>)]| ask_json(&project, &venue, changes, &["positions"]);
    let keyless = [
        ("POLYMARKET_API_KEY", None),
        ("POLYMARKET_API_SECRET", None),
        ("POLYMARKET_API_PASSPHRASE", None),
    ];
    assert_eq!(positions(&keyless).0, 0);
    let nobody = [("POLYMARKET_ADDRESS", None), ("POLYMARKET_FUNDER", None)];
    is_unknown(&positions(&nobody), "POLYMARKET_FUNDER");
    // The key's own address may trade for another wallet; only a named one proves that nothing is held.
    let other = "0x1111111111111111111111111111111111111111";
    let own = [
        ("POLYMARKET_ADDRESS", Some(other)),
        ("POLYMARKET_FUNDER", None),
    ];
    is_unknown(&positions(&own), "set POLYMARKET_FUNDER");
    let (code, document) = positions(&[("POLYMARKET_FUNDER", Some(other))]);
    assert_eq!(
        (code, &document["targets"][0]["positions"]),
        (0, &json!([]))
    );
}

#[test]
fn without_env_all_are_listed_and_one_unknown_is_3() {
    let project = Project::bare();
    let venue = venue(VenueFaults::default());
    for command in ["positions", "orders"] {
        let (code, text) = ask(&project, &venue, &[], &[command]);
        assert_eq!((code, text.as_str()), (2, ""), "nothing is known");
    }
    plant(&project, "production", &json!("live"));
    plant(&project, "staging", &json!("paper"));
    for command in ["positions", "orders"] {
        let (code, text) = ask(&project, &venue, &[], &[command]);
        assert_eq!(code, 3, "{text}");
        assert!(text.contains("production: told by the venue at "), "{text}");
        assert!(text.contains("staging: UNKNOWN: "), "{text}");
        let (code, text) = ask(&project, &venue, &[], &[command, "--env", "production"]);
        assert_eq!(code, 0, "{text}");
        assert!(!text.contains("staging"), "{text}");
        // The account of the variables is not told under a name that was mistyped.
        let (code, text) = ask(&project, &venue, &[], &[command, "--env", "produktion"]);
        assert_eq!((code, text.as_str()), (2, ""), "mistyped");
    }
    // A damaged kill file hides neither itself nor the others.
    std::fs::write(project.state().join("kill-staging.json"), "{\"mode\":").unwrap();
    let (code, text) = ask(
        &project,
        &venue,
        &[("POLYMARKET_FUNDER", None), ("POLYMARKET_ADDRESS", None)],
        &["positions"],
    );
    assert_eq!(code, 3, "{text}");
    assert!(text.contains("kill-staging.json"), "{text}");
}
