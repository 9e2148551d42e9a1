//! Two simulated arrays and the library talking to them over real HTTPS, with what the host's broker does done by hand:
//! names to addresses, the login, the token.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use flasharray::driver::Driver;
use flasharray::layout::Kind;
use flasharray_sim::{Sim, SimConfig};
use springform_sdk::http::{Http, HttpError, Method, Request, Response};
use springform_sdk::interfaces::backend::SetupReport;
use springform_sdk::interfaces::connections::Connector;
use springform_sdk::interfaces::replication::{FailoverMode, FailoverPlan, PlanRequest};
use springform_sdk::types::{Context, Error, Qos, ReplicationKind, Target, Volume, VolumeType};
use ureq::tls::{Certificate, RootCerts, TlsConfig};

pub const IQN: &str = "iqn.2026-11.example:node1";
pub const HOUR: f64 = 3600.0;
pub const MIB: u64 = 1 << 20;

pub struct Rig {
    pub sim: Sim,
    agent: ureq::Agent,
    tokens: RefCell<HashMap<String, String>>,
    /// The arrays as configured; a test may change an option.
    pub targets: Vec<Target>,
    /// Which of the drivers talks to them.
    pub kind: Kind,
    /// Options of the backend beside the schedule.
    pub options: Vec<(String, String)>,
    state: RefCell<Vec<u8>>,
    /// Where new volumes land, after a failover of the backend.
    pub landing: RefCell<Option<String>>,
    /// Who the host says it is, where it wants evidence.
    pub host: RefCell<Option<String>>,
    /// Requests of the driver so far, and how many of them had to wait for the one before.
    pub sent: Cell<(usize, usize)>,
}

impl Rig {
    pub fn pair() -> Self {
        let targets = vec![
            target("a", true, None),
            target("b", false, Some(ReplicationKind::Async)),
        ];
        Self::with(Kind::Asynchronous, SimConfig::pair("a", "b"), targets)
    }

    /// Two arrays with a stretched pod.
    pub fn stretched() -> Self {
        let targets = vec![
            target("a", true, None),
            target("b", false, Some(ReplicationKind::Sync)),
        ];
        Self::with(Kind::ActiveCluster, SimConfig::pair("a", "b"), targets)
    }

    /// The same, with machines connected to both arrays.
    pub fn uniform() -> Self {
        let mut rig = Self::stretched();
        rig.targets[1].options = vec![("uniform".to_owned(), "true".to_owned())];
        rig
    }

    /// Two arrays with a stretched pod, machines connected to both, and a third that is sent copies.
    pub fn three() -> Self {
        Self::with(
            Kind::TriSync,
            SimConfig::trio("a", "b", "c"),
            three_targets(),
        )
    }

    pub fn with(kind: Kind, config: SimConfig, targets: Vec<Target>) -> Self {
        let sim = Sim::start(config.test_clock()).unwrap();
        let pem = std::fs::read(sim.ca_file()).unwrap();
        let roots = RootCerts::new_with_certs(&[Certificate::from_pem(&pem).unwrap().to_owned()]);
        let tls = TlsConfig::builder().root_certs(roots).build();
        let agent = ureq::Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .build()
            .into();
        Self {
            sim,
            agent,
            tokens: RefCell::default(),
            targets,
            kind,
            options: Vec::new(),
            state: RefCell::default(),
            landing: RefCell::default(),
            host: RefCell::default(),
            sent: Cell::default(),
        }
    }

    /// With an option of the backend.
    pub fn option(mut self, name: &str, value: &str) -> Self {
        self.options.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the backend up and keeps what that learned, as the host does.
    pub fn set_up(&self) -> SetupReport {
        let report = self.call("setup", |d| d.setup()).unwrap();
        self.state.replace(report.state.clone());
        report
    }

    /// Keeps what a call wants to be handed back, as the host does.
    pub fn remember(&self, state: &[u8]) {
        self.state.replace(state.to_vec());
    }

    pub fn context(&self, operation: &str) -> Context {
        let now = self.control("GET", "/clock", "")["now_ms"]
            .as_u64()
            .unwrap();
        Context {
            operation_id: operation.to_owned(),
            backend: "pure1".to_owned(),
            options: std::iter::once((
                "pure_replica_interval_default".to_owned(),
                "600".to_owned(),
            ))
            .chain(self.options.iter().cloned())
            .collect(),
            targets: self.targets.clone(),
            state: self.state.borrow().clone(),
            cursor: Vec::new(),
            deadline_ms: 30_000,
            now,
            extensions: self
                .landing
                .borrow()
                .iter()
                .map(|t| ("springform/active-target".to_owned(), t.clone()))
                .chain(
                    self.host
                        .borrow()
                        .iter()
                        .map(|host| ("springform/host".to_owned(), host.clone())),
                )
                .collect(),
        }
    }

    /// Makes one call, and again as often as it is pending: time passes in between, as it does for the host.
    pub fn call<T>(
        &self,
        operation: &str,
        call: impl Fn(&Driver<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut cursor = Vec::new();
        for _ in 0..50 {
            let mut context = self.context(operation);
            context.cursor.clone_from(&cursor);
            match call(&Driver::new(self.kind, self, &context)) {
                Err(Error::Pending(pending)) => {
                    cursor = pending.cursor;
                    self.advance(1.0);
                }
                done => return done,
            }
        }
        panic!("{operation} is pending for ever");
    }

    /// Lets time pass. Sessions end of it; the host would log in again, so this forgets them.
    pub fn advance(&self, seconds: f64) {
        self.tokens.borrow_mut().clear();
        self.control(
            "POST",
            "/clock/advance",
            &format!(r#"{{"seconds":{seconds}}}"#),
        );
    }

    pub fn power(&self, array: &str, on: bool) {
        self.tokens.borrow_mut().remove(array);
        self.control(
            "POST",
            &format!("/arrays/{array}/power"),
            &format!(r#"{{"on":{on}}}"#),
        );
    }

    pub fn fault(&self, array: &str, spec: &str) {
        self.control("POST", &format!("/arrays/{array}/faults"), spec);
    }

    pub fn state(&self) -> serde_json::Value {
        self.control("GET", "/state", "")
    }

    pub fn write(&self, array: &str, volume: &str, bytes: &[u8]) {
        let url = format!(
            "{}/io/{array}/{IQN}/{volume}?offset=0",
            self.sim.control_url()
        );
        let status = self.agent.put(&url).send(bytes).unwrap().status();
        assert_eq!(status, 204, "write to {volume} on {array}");
    }

    pub fn read(&self, array: &str, volume: &str, length: usize) -> Vec<u8> {
        let url = format!(
            "{}/io/{array}/{IQN}/{volume}?offset=0&length={length}",
            self.sim.control_url()
        );
        let mut response = self.agent.get(&url).call().unwrap();
        assert_eq!(response.status(), 200, "read {volume} on {array}");
        response.body_mut().read_to_vec().unwrap()
    }

    pub fn control(&self, method: &str, path: &str, body: &str) -> serde_json::Value {
        let url = format!("{}{path}", self.sim.control_url());
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(url)
            .header("content-type", "application/json");
        let mut response = self
            .agent
            .run(request.body(body.to_owned()).unwrap())
            .unwrap();
        let text = response.body_mut().read_to_string().unwrap();
        assert!(response.status().is_success(), "{method} {path}: {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// The items of a list of an array, read past the library.
    pub fn get(&self, array: &str, path: &str) -> serde_json::Value {
        self.ask(Method::Get, array, path, None)
    }

    /// Something that somebody else does on an array.
    pub fn post(&self, array: &str, path: &str, body: &str) -> serde_json::Value {
        self.ask(Method::Post, array, path, Some(body.as_bytes().to_vec()))
    }

    pub fn ask(
        &self,
        method: Method,
        array: &str,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> serde_json::Value {
        let request = Request {
            target: array.to_owned(),
            method,
            path: format!("/api/2.26{path}"),
            body,
        };
        let response = self.send(request).unwrap();
        let text = String::from_utf8(response.body).unwrap();
        assert_eq!(response.status, 200, "{path}: {text}");
        if text.is_empty() {
            return serde_json::Value::Null;
        }
        serde_json::from_str::<serde_json::Value>(&text).unwrap()["items"].take()
    }

    fn login(&self, target: &str) -> Result<String, HttpError> {
        if let Some(token) = self.tokens.borrow().get(target) {
            return Ok(token.clone());
        }
        let url = format!("https://{}/api/2.26/login", self.sim.address(target));
        let sent = self
            .agent
            .post(&url)
            .header("api-token", self.sim.api_token(target))
            .send_empty();
        let response = sent.map_err(|_| HttpError::Unreachable)?;
        let token = response
            .headers()
            .get("x-auth-token")
            .and_then(|t| t.to_str().ok())
            .ok_or(HttpError::Garbled)?;
        self.tokens
            .borrow_mut()
            .insert(target.to_owned(), token.to_owned());
        Ok(token.to_owned())
    }
}

/// How many requests of one call a component has in flight at the same time.
const IN_FLIGHT: usize = 16;

/// Whether the driver proposes to be granted this request, as the host would decide it.
fn proposed(method: &str, path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    let Some((_, resource)) = path.strip_prefix("/api/2.").and_then(|p| p.split_once('/')) else {
        return false;
    };
    flasharray::describe::REQUESTS.iter().any(|rule| {
        let (methods, pattern) = rule.split_once(' ').unwrap();
        pattern.strip_prefix("/api/2.*/") == Some(resource)
            && methods.split(',').any(|known| known == method)
    })
}

impl Http for Rig {
    fn send(&self, request: Request) -> Result<Response, HttpError> {
        self.count(1, 1);
        self.exchange(request)
    }

    fn send_all(&self, requests: Vec<Request>) -> Vec<Result<Response, HttpError>> {
        self.count(requests.len(), requests.len().div_ceil(IN_FLIGHT));
        let answers = requests.into_iter().map(|request| self.exchange(request));
        answers.collect()
    }
}

impl Rig {
    fn count(&self, requests: usize, rounds: usize) {
        let (all, waited) = self.sent.get();
        self.sent.set((all + requests, waited + rounds));
    }

    fn exchange(&self, request: Request) -> Result<Response, HttpError> {
        assert!(
            proposed(request.method.as_str(), &request.path),
            "{} {} is not among what the driver proposes to be granted",
            request.method.as_str(),
            request.path
        );
        let token = self.login(&request.target)?;
        let url = format!(
            "https://{}{}",
            self.sim.address(&request.target),
            request.path
        );
        let built = ureq::http::Request::builder()
            .method(request.method.as_str())
            .uri(url)
            .header("x-auth-token", token)
            .header("content-type", "application/json");
        let mut response = self
            .agent
            .run(built.body(request.body.unwrap_or_default()).unwrap())
            .map_err(|_| HttpError::Unreachable)?;
        let status = response.status().as_u16();
        let body = response
            .body_mut()
            .read_to_vec()
            .map_err(|_| HttpError::Garbled)?;
        Ok(Response {
            status,
            retry_after: None,
            body,
        })
    }
}

pub fn target(name: &str, primary: bool, kind: Option<ReplicationKind>) -> Target {
    Target {
        name: name.to_owned(),
        primary,
        kind,
        options: Vec::new(),
        reachable: true,
        extensions: Vec::new(),
    }
}

pub fn three_targets() -> Vec<Target> {
    let mut second = target("b", false, Some(ReplicationKind::Sync));
    second.options = vec![("uniform".to_owned(), "true".to_owned())];
    vec![
        target("a", true, None),
        second,
        target("c", false, Some(ReplicationKind::Async)),
    ]
}

pub fn replicated(id: &str) -> Volume {
    Volume {
        id: id.to_owned(),
        name: format!("volume-{id}"),
        display_name: "data".to_owned(),
        project: "p".to_owned(),
        size: MIB,
        volume_type: Some(VolumeType {
            id: "t".to_owned(),
            name: "replicated".to_owned(),
            replication: Some(ReplicationKind::Async),
            specs: Vec::new(),
            qos: Qos {
                max_iops: None,
                max_bytes_per_second: None,
            },
        }),
        group: None,
        placement: None,
        generation: 0,
        instances: Vec::new(),
        boot: false,
        extensions: Vec::new(),
    }
}

/// One of the type that asks for a stretched volume.
pub fn stretched(id: &str) -> Volume {
    let mut volume = replicated(id);
    volume.volume_type.as_mut().unwrap().replication = Some(ReplicationKind::Sync);
    volume
}

/// One of the type that asks for three sites.
pub fn three_sites(id: &str) -> Volume {
    let mut volume = replicated(id);
    volume.volume_type.as_mut().unwrap().replication = Some(ReplicationKind::TriSync);
    volume
}

/// As the host hands a volume over that is demoted because it moves to this target.
pub fn leaving(volume: &Volume, to: &str) -> Volume {
    let mut volume = volume.clone();
    volume
        .extensions
        .push(("springform/moving-to".to_owned(), to.to_owned()));
    volume
}

pub fn connector() -> Connector {
    Connector {
        host: "node1".to_owned(),
        ip: None,
        initiator: Some(IQN.to_owned()),
        wwpns: Vec::new(),
        wwnns: Vec::new(),
        nqn: None,
        system_uuid: None,
        multipath: true,
        chap: None,
        extensions: Vec::new(),
    }
}

pub fn request(volume: &Volume, to: Option<&str>, mode: FailoverMode) -> PlanRequest {
    PlanRequest {
        volumes: vec![volume.clone()],
        to: to.map(str::to_owned),
        mode,
        point: None,
    }
}

/// A volume made, placed, connected and written.
pub fn written(rig: &Rig, id: &str, bytes: &[u8]) -> Volume {
    filled(rig, replicated(id), bytes)
}

/// The same for a volume of any type.
pub fn filled(rig: &Rig, mut volume: Volume, bytes: &[u8]) -> Volume {
    volume.placement = Some(rig.call("create", |d| d.create(&volume, None)).unwrap());
    rig.call("connect", |d| {
        Ok(d.volumes().connect(&volume, &connector())?)
    })
    .unwrap();
    let placement = volume.placement.as_ref().unwrap();
    rig.write(&placement.target, &placement.array_name, bytes);
    volume
}

/// Carries a plan out for one volume.
pub fn switch(rig: &Rig, plan: &FailoverPlan, volume: &mut Volume) {
    let outcome = rig
        .call("switch", |d| {
            d.fail_over(plan, std::slice::from_ref(volume))
        })
        .unwrap()
        .remove(0);
    volume.placement = Some(outcome.result.unwrap());
    volume.generation += 1;
    rig.call("connect again", |d| {
        Ok(d.volumes().connect(volume, &connector())?)
    })
    .unwrap();
}
