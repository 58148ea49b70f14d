//! A fake platform with a fake trader: ground truth, and switches for what it gets wrong.

pub(crate) mod fault;
pub(crate) mod http;
pub(crate) mod tls;

use http::{Reply, Request, Server};
use launch_kill::{EnvName, KillFile, Secret, StateDir, TokenFile};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// What a request to stop, remove or cancel does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Effect {
    /// The process ends; reads tell it after one that still shows the old state.
    #[default]
    Real,
    /// `true`, and nothing happens.
    AcknowledgedOnly,
    /// Told as done, while the process lives on.
    ReportedOnly,
    /// An error.
    Refused,
}

/// What the transport does to requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Wire {
    /// Answers.
    #[default]
    Fine,
    /// HTTP 200 with `errors`.
    Errors,
    /// HTTP 200 with HTML.
    Garbage,
    /// Never answers.
    Hangs,
    /// Never answers reads; mutations work.
    ReadsHang,
    /// 429 with this `Retry-After`, this many times.
    Limited { secs: u64, times: u32 },
    /// The same for `deploymentStop` only.
    StopLimited { secs: u64, times: u32 },
}

/// What a trader that is told to sell does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(dead_code, reason = "only one of the test crates sells")]
pub(crate) enum Sells {
    /// It knows no `/flatten`: an older version.
    #[default]
    Unknown,
    /// It refuses: 503 in its own JSON.
    Refuses,
    /// One of its two positions by the third look, then it says that it is done.
    One,
    /// Nothing; it says `selling` for ever.
    Nothing,
    /// Nothing; the process dies at the second look.
    Dies,
}

#[derive(Debug, Clone)]
pub(crate) struct Deployment {
    pub(crate) id: String,
    pub(crate) status: String,
    pub(crate) stopped: bool,
    pub(crate) instance: String,
    /// The change that the next but one read shows.
    pub(crate) pending: Option<(u32, String, bool, String)>,
    pub(crate) service: String,
    pub(crate) environment: String,
    pub(crate) url: Option<String>,
    pub(crate) meta: Value,
}

#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "one switch of the fake each")]
pub(crate) struct World {
    pub(crate) deployments: Vec<Deployment>,
    pub(crate) stop: Effect,
    pub(crate) remove: Effect,
    pub(crate) cancel: Effect,
    pub(crate) wire: Wire,
    /// Ids in a list's filter may be written in other letters.
    pub(crate) any_letters: bool,
    /// How long every answer of the platform takes.
    pub(crate) delay: std::time::Duration,
    /// Comes before `wire`.
    pub(crate) fault: Option<fault::Fault>,
    /// Brings the first deployment back once, this many listings after it was dead.
    pub(crate) comes_back_after: Option<u32>,
    pub(crate) token_environment: String,
    /// Whether a project token may ask for all it reaches at once.
    pub(crate) tells_overview: bool,
    pub(crate) services: Vec<(String, String)>,
    pub(crate) auto_deploy: bool,
    pub(crate) variables: serde_json::Map<String, Value>,
    /// Operation, variables, token header; with the time of arrival.
    pub(crate) requests: Vec<(Instant, String, Value, Request)>,
    pub(crate) trader_alive: Arc<AtomicBool>,
    pub(crate) trader_log: Vec<String>,
    pub(crate) takes_halt: bool,
    /// The trader lives, and its disk takes no halt: 503 in its own JSON.
    pub(crate) halt_breaks: bool,
    pub(crate) halted: Option<bool>,
    pub(crate) open_orders: u32,
    pub(crate) sells: Sells,
    /// Looks at a trader that sells; 0 = it was not told to.
    pub(crate) looks: u32,
}

/// The fake: a platform, a trader, and the state directory of a deploy that went there.
#[derive(Debug)]
pub(crate) struct Fake {
    pub(crate) world: Arc<Mutex<World>>,
    pub(crate) platform: Server,
    pub(crate) trader: Server,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) file: KillFile,
}

pub(crate) const PROJECT: &str = "proj-1";
pub(crate) const ENVIRONMENT: &str = "env-1";
pub(crate) const SERVICE: &str = "svc-1";
pub(crate) const NONCE: &str = "nonce-1";
const HALT_TOKEN: &str = "halt-token-1";

pub(crate) fn running(id: &str) -> Deployment {
    deployment(id, "SUCCESS", "RUNNING")
}

pub(crate) fn deployment(id: &str, status: &str, instance: &str) -> Deployment {
    Deployment {
        id: id.into(),
        status: status.into(),
        stopped: false,
        instance: instance.into(),
        pending: None,
        service: SERVICE.into(),
        environment: ENVIRONMENT.into(),
        url: None,
        meta: json!({"commitHash": "abc", "a member to come": {"x": 1}}),
    }
}

impl Fake {
    /// A local target with one running deployment `d1`, its trader, token files and kill file.
    pub(crate) fn local() -> Self {
        Self::start("local")
    }

    /// The same on Railway: the endpoint is not in the kill file (pass it with `--endpoint`), and
    /// the trader's address counts as behind a proxy.
    pub(crate) fn railway() -> Self {
        Self::start("railway")
    }

    fn start(platform_kind: &str) -> Self {
        let world = Arc::new(Mutex::new(World {
            deployments: vec![running("d1")],
            stop: Effect::Real,
            remove: Effect::Real,
            cancel: Effect::Real,
            wire: Wire::Fine,
            any_letters: false,
            delay: std::time::Duration::ZERO,
            fault: None,
            comes_back_after: None,
            token_environment: ENVIRONMENT.into(),
            tells_overview: true,
            services: vec![(SERVICE.into(), "trader".into())],
            auto_deploy: true,
            variables: serde_json::Map::new(),
            requests: Vec::new(),
            trader_alive: Arc::new(AtomicBool::new(true)),
            trader_log: Vec::new(),
            takes_halt: true,
            halt_breaks: false,
            halted: None,
            open_orders: 0,
            sells: Sells::Unknown,
            looks: 0,
        }));
        let trader = {
            let world = Arc::clone(&world);
            Server::start(move |request| answer_trader(&world, request))
        };
        world.lock().unwrap().trader_alive = Arc::clone(&trader.alive);
        let platform = {
            let world = Arc::clone(&world);
            Server::start(move |request| {
                let reply = answer_platform(&world, request);
                let delay = world.lock().unwrap().delay;
                std::thread::sleep(delay);
                reply
            })
        };
        let folder = tempfile::tempdir().unwrap();
        let (dir, env) = (
            StateDir::at(folder.path()),
            EnvName::parse("staging").unwrap(),
        );
        let secret = |text| Secret::new(text).unwrap();
        dir.write_token(TokenFile::Platform, &env, &secret("platform-token-1"))
            .unwrap();
        dir.write_token(TokenFile::Halt, &env, &secret(HALT_TOKEN))
            .unwrap();
        let some = |text: &str| Some(text.to_owned());
        let file = KillFile {
            schema_version: 1,
            env: "staging".into(),
            platform: some(platform_kind),
            project_id: some(PROJECT),
            environment_id: some(ENVIRONMENT),
            service_id: some(SERVICE),
            deployment_id: some("d1"),
            instance_nonce: some(NONCE),
            mode: some("paper"),
            endpoint: (platform_kind == "local").then(|| platform.url("/graphql/v2")),
            trader_url: Some(trader.url("/")),
            ..KillFile::default()
        };
        let fake = Self {
            world,
            platform,
            trader,
            folder,
            file,
        };
        fake.write_kill_file();
        fake
    }

    pub(crate) fn dir(&self) -> StateDir {
        StateDir::at(self.folder.path())
    }

    pub(crate) fn write_kill_file(&self) {
        self.file
            .write(&self.dir(), &EnvName::parse("staging").unwrap())
            .unwrap();
    }

    pub(crate) fn with(self, change: impl FnOnce(&mut World)) -> Self {
        change(&mut self.world.lock().unwrap());
        self
    }

    pub(crate) fn with_file(mut self, change: impl FnOnce(&mut KillFile)) -> Self {
        change(&mut self.file);
        self.write_kill_file();
        self
    }

    /// The operations that arrived, in order.
    pub(crate) fn operations(&self) -> Vec<String> {
        self.world
            .lock()
            .unwrap()
            .requests
            .iter()
            .map(|(_, op, ..)| op.clone())
            .collect()
    }

    pub(crate) fn count(&self, operation: &str) -> usize {
        self.operations()
            .iter()
            .filter(|op| *op == operation)
            .count()
    }

    pub(crate) fn trader_lives(&self) -> bool {
        self.trader.alive.load(Ordering::SeqCst)
    }
}

fn answer_trader(world: &Mutex<World>, request: &Request) -> Reply {
    let mut world = world.lock().unwrap();
    world.trader_log.push(request.path.clone());
    let is_open = request.path == "/health/live";
    let wanted = format!("Bearer {HALT_TOKEN}");
    if !is_open && (!world.takes_halt || request.header("authorization") != Some(&wanted)) {
        return Reply::Json(401, json!({"error": "wrong token"}).to_string());
    }
    if request.path == "/halt" && world.halt_breaks {
        return Reply::Json(503, json!({"error": "not on disk"}).to_string());
    }
    if request.path == "/flatten" {
        return match world.sells {
            Sells::Unknown => Reply::Json(404, json!({"error": "no such path"}).to_string()),
            Sells::Refuses => Reply::Json(503, json!({"error": "fully halted by bob"}).to_string()),
            Sells::One | Sells::Nothing | Sells::Dies => {
                world.looks = 1;
                world.halted = Some(true);
                let told = json!({"flattening": true, "ends_in_ms": 60_000, "positions": 2});
                Reply::Json(200, told.to_string())
            }
        };
    }
    if request.path == "/health" && world.looks > 0 {
        world.looks += 1;
        if world.sells == Sells::Dies && world.looks > 3 {
            world.trader_alive.store(false, Ordering::SeqCst);
            return Reply::Hang;
        }
    }
    let body = match request.path.as_str() {
        "/health/live" => json!({"alive": true, "deployment_id": "d1", "nonce": NONCE}),
        "/halt" => {
            let asked: Value = serde_json::from_str(&request.body).unwrap();
            world.halted = asked["reduce_only"].as_bool();
            json!({"halted": true, "open_orders": world.open_orders, "nonce": NONCE})
        }
        "/health" => json!({
            "instance_nonce": NONCE,
            "deployment_id": "d1",
            "halted": world.halted.map(|reduce_only| json!({"by": "x", "reduce_only": reduce_only})),
            "open_orders": world.open_orders,
            "positions": [],
            "flatten": flatten(&world),
        }),
        _ => return Reply::Json(404, json!({"error": "no such path"}).to_string()),
    };
    Reply::Json(200, body.to_string())
}

fn flatten(world: &World) -> Value {
    if world.looks == 0 {
        return Value::Null;
    }
    let is_over = world.sells == Sells::One && world.looks > 3;
    let position = |token: &str, sold: bool| {
        let (sold, left, result) = if sold {
            ("10", "0", "sold")
        } else {
            ("0", "10", "no_bid")
        };
        json!({"asset": "btc", "window": "btc-5m-1769949000", "outcome": "up", "token": token,
            "shares": "10", "avg_cost": "0.52", "sold": sold, "left": left, "last_bid": null,
            "proceeds_usd": "4.8", "worst_loss_usd": "5.2", "seconds_to_settlement": 61,
            "result": result})
    };
    let state = match (is_over, world.halted) {
        (true, _) => "done",
        (false, Some(false)) => "lapsed",
        (false, _) => "selling",
    };
    json!({"state": state, "positions": [position("1", is_over), position("2", false)]})
}

fn answer_platform(world: &Mutex<World>, request: &Request) -> Reply {
    if request.method != "POST" {
        return Reply::Json(405, "{}".into());
    }
    let mut world = world.lock().unwrap();
    let body: Value = serde_json::from_str(&request.body).unwrap();
    let operation = body["operationName"].as_str().unwrap().to_owned();
    let variables = body["variables"].clone();
    world.requests.push((
        Instant::now(),
        operation.clone(),
        variables.clone(),
        request.clone(),
    ));
    if let Some(fault) = &mut world.fault
        && fault.hits(&operation)
    {
        let kind = fault.kind.clone();
        if kind.is_lost() {
            return kind.reply(None);
        }
        let executed = match execute(&mut world, &operation, &variables, request) {
            Ok(data) => json!({"data": data}),
            Err(message) => return failure(&message),
        };
        return kind.reply(Some(executed));
    }
    let is_read = !body["query"].as_str().unwrap().contains("\nmutation ");
    match world.wire {
        Wire::Errors => return failure("Not Authorized"),
        Wire::Garbage => return Reply::Raw(200, String::new(), "<html>504 Gateway</html>".into()),
        Wire::ReadsHang if !is_read => {}
        Wire::Hangs | Wire::ReadsHang => return Reply::Hang,
        Wire::Fine | Wire::Limited { times: 0, .. } | Wire::StopLimited { times: 0, .. } => {}
        Wire::StopLimited { .. } if operation != "DeploymentStop" => {}
        Wire::StopLimited { secs, times } => {
            world.wire = Wire::StopLimited {
                secs,
                times: times - 1,
            };
            return limited(secs);
        }
        Wire::Limited { secs, times } => {
            world.wire = Wire::Limited {
                secs,
                times: times - 1,
            };
            return limited(secs);
        }
    }
    match execute(&mut world, &operation, &variables, request) {
        Ok(data) => Reply::Json(200, json!({"data": data}).to_string()),
        Err(message) => failure(&message),
    }
}

fn limited(secs: u64) -> Reply {
    Reply::Raw(
        429,
        format!("retry-after: {secs}\r\n"),
        "error code: 1015".into(),
    )
}

fn failure(message: &str) -> Reply {
    let error = json!({"message": message, "extensions": {"code": "INTERNAL_SERVER_ERROR"}, "traceId": "1"});
    Reply::Json(200, json!({"data": null, "errors": [error]}).to_string())
}

fn execute(
    world: &mut World,
    operation: &str,
    variables: &Value,
    request: &Request,
) -> Result<Value, String> {
    let text = |name: &str| variables[name].as_str().unwrap_or_default().to_owned();
    let token = request.header("project-access-token").unwrap_or_default();
    if token.contains("expired") {
        return Err("Project Token not found".into());
    }
    match operation {
        "ProjectToken" => Ok(
            json!({"projectToken": {"projectId": PROJECT, "environmentId": world.token_environment}}),
        ),
        "TokenOverview" if !world.tells_overview => Err("Not Authorized".into()),
        "TokenOverview" => {
            let services = world.services.clone();
            let edges: Vec<Value> = services
                .iter()
                .map(|(id, name)| {
                    let running: Vec<Value> = world
                        .deployments
                        .iter_mut()
                        .filter(|d| d.service == *id && d.environment == world.token_environment)
                        .map(read)
                        .collect();
                    json!({"node": {"serviceId": id, "serviceName": name, "activeDeployments": running}})
                })
                .collect();
            let page =
                json!({"edges": edges, "pageInfo": {"hasNextPage": false, "endCursor": null}});
            Ok(json!({"projectToken": {
                "projectId": PROJECT, "environmentId": world.token_environment,
                "environment": {"serviceInstances": page},
            }}))
        }
        "EnvironmentServices" => {
            let edges: Vec<Value> = world
                .services
                .iter()
                .map(|(id, name)| {
                    json!({"node": {"serviceId": id, "serviceName": name, "environmentId": text("environmentId")}})
                })
                .collect();
            let page =
                json!({"edges": edges, "pageInfo": {"hasNextPage": false, "endCursor": null}});
            Ok(json!({"environment": {"id": text("environmentId"), "serviceInstances": page}}))
        }
        "ServiceInstance" => {
            let id = text("serviceId");
            let (_, name) = world
                .services
                .iter()
                .find(|(known, _)| *known == id)
                .ok_or("Not Authorized")?;
            Ok(
                json!({"serviceInstance": {"id": "i", "serviceId": id, "serviceName": name,
                "environmentId": text("environmentId")}}),
            )
        }
        "Deployments" => {
            come_back(world);
            let input = &variables["input"];
            let any_letters = world.any_letters;
            let is_asked = |name: &str, own: &str| {
                let asked = input[name].as_str().unwrap_or_default();
                asked == own || any_letters && asked.eq_ignore_ascii_case(own)
            };
            let edges: Vec<Value> = world
                .deployments
                .iter_mut()
                .filter(|d| {
                    is_asked("serviceId", &d.service) && is_asked("environmentId", &d.environment)
                })
                .map(|d| json!({"cursor": d.id, "node": read(d)}))
                .filter(|edge| {
                    !matches!(
                        edge["node"]["status"].as_str(),
                        Some("REMOVED" | "FAILED" | "SKIPPED")
                    )
                })
                .collect();
            let info = json!({"hasNextPage": false, "endCursor": null});
            Ok(json!({"deployments": {"edges": edges, "pageInfo": info}}))
        }
        "Deployment" => {
            let id = text("id");
            let found = world
                .deployments
                .iter_mut()
                .find(|d| d.id == id)
                .ok_or("Deployment not found")?;
            Ok(json!({"deployment": read(found)}))
        }
        "DeploymentStop" => act(
            world,
            &text("id"),
            "deploymentStop",
            ("SUCCESS", true, "EXITED"),
        ),
        "DeploymentRemove" => act(
            world,
            &text("id"),
            "deploymentRemove",
            ("REMOVED", true, "REMOVED"),
        ),
        "DeploymentCancel" => act(
            world,
            &text("id"),
            "deploymentCancel",
            ("REMOVED", true, "REMOVED"),
        ),
        "AutoDeployStatus" => Ok(json!({"serviceInstanceAutoDeployStatus":
            {"enabled": world.auto_deploy, "canEnable": true, "reason": null}})),
        "AutoDeployUpdate" => {
            world.auto_deploy = variables["input"]["enabled"].as_bool().unwrap();
            Ok(json!({"serviceInstanceAutoDeployUpdate": {"enabled": world.auto_deploy}}))
        }
        "Variables" => Ok(json!({"variables": world.variables})),
        "VariableUpsert" => {
            let input = &variables["input"];
            assert_eq!(
                input["skipDeploys"], true,
                "a write without skipDeploys redeploys"
            );
            let name = input["name"].as_str().unwrap().to_owned();
            world.variables.insert(name, input["value"].clone());
            Ok(json!({"variableUpsert": true}))
        }
        other => Err(format!("Cannot query {other}")),
    }
}

fn act(world: &mut World, id: &str, field: &str, to: (&str, bool, &str)) -> Result<Value, String> {
    let effect = match field {
        "deploymentStop" => world.stop,
        "deploymentRemove" => world.remove,
        _ => world.cancel,
    };
    let alive = Arc::clone(&world.trader_alive);
    let found = world
        .deployments
        .iter_mut()
        .find(|d| d.id == id)
        .ok_or("Not Authorized")?;
    if field == "deploymentStop" && found.status != "SUCCESS" || effect == Effect::Refused {
        return Err("Deployment is not stoppable".into());
    }
    let change = (1, to.0.to_owned(), to.1, to.2.to_owned());
    match effect {
        Effect::Real => {
            found.pending.get_or_insert(change);
            if id == "d1" {
                alive.store(false, Ordering::SeqCst);
            }
        }
        Effect::ReportedOnly => {
            found.pending.get_or_insert(change);
        }
        Effect::AcknowledgedOnly | Effect::Refused => {}
    }
    Ok(json!({field: true}))
}

/// What a read shows now; a pending change shows after one more read.
fn read(d: &mut Deployment) -> Value {
    if let Some((left, status, stopped, instance)) = d.pending.take() {
        if left == 0 {
            d.status = status;
            d.stopped = stopped;
            d.instance = instance;
        } else {
            d.pending = Some((left - 1, status, stopped, instance));
        }
    }
    json!({
        "id": d.id, "status": d.status, "deploymentStopped": d.stopped,
        "instances": [{"id": "i1", "status": d.instance}],
        "createdAt": "2026-11-23T00:00:00Z", "statusUpdatedAt": null,
        "projectId": PROJECT, "environmentId": d.environment, "serviceId": d.service,
        "url": d.url, "staticUrl": null,
        "meta": d.meta,
    })
}

fn come_back(world: &mut World) {
    let is_dead = world
        .deployments
        .first()
        .is_some_and(|d| d.stopped && d.pending.is_none());
    match world.comes_back_after {
        Some(0) => {
            world.comes_back_after = None;
            let mut again = running("d2");
            again.url = None;
            world.deployments.push(again);
        }
        Some(left) if is_dead => world.comes_back_after = Some(left - 1),
        _ => {}
    }
}
