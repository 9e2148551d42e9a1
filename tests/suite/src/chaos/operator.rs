//! An operator of one backend: moves it to and fro, drills, protects, reconciles, exchanges its driver, reloads its configuration.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::Chaos;
use super::cloud::{list, number, text};
use super::ledger::now_ms;
use super::place::{Arrays, KINDS, Kind};
use crate::guests;

/// How long an operation is watched before the operator looks at something else.
const PATIENCE: Duration = Duration::from_secs(25);

/// An operator.
pub struct Operator {
    chaos: Arc<Chaos>,
    backend: usize,
    kind: Kind,
    rng: StdRng,
    versions: u32,
}

impl Operator {
    /// The operator of a backend; `None` if there is none of this number.
    #[must_use]
    pub fn new(chaos: Arc<Chaos>, backend: usize) -> Option<Self> {
        let seed = chaos.seed.wrapping_mul(7919).wrapping_add(backend as u64);
        Some(Self {
            kind: *KINDS.get(backend)?,
            chaos,
            backend,
            rng: StdRng::seed_from_u64(seed),
            versions: 0,
        })
    }

    /// Goes on until everything ends.
    pub async fn live(mut self) {
        while self.chaos.goes_on() {
            let pause = self.rng.random_range(200..1500);
            tokio::time::sleep(Duration::from_millis(pause)).await;
            self.step().await;
        }
    }

    fn arrays(&self) -> Option<&Arrays> {
        self.chaos.place.arrays.get(self.backend)
    }

    fn scope(&self) -> Value {
        json!({"backend": self.kind.name})
    }

    async fn step(&mut self) {
        let service = format!("springform@{}", self.kind.name);
        let path = format!("/v3/os-services?host={service}");
        let Some(services) = self.chaos.cloud.get(&path).await else {
            return;
        };
        let away = !text(&services, "/services/0/active_backend_id").is_empty();
        if text(&services, "/services/0/status") == "disabled" {
            let body = json!({"host": service, "binary": "cinder-volume"});
            self.put("/v3/os-services/enable", &body).await;
        }
        match self.rng.random_range(0..100) {
            0..44 if away => {
                self.planned("failback", Some(self.kind.name.to_owned()))
                    .await;
            }
            0..14 => self.move_to_another("planned", false).await,
            14..28 => self.move_to_another("unplanned", false).await,
            28..36 => self.move_to_another("planned", true).await,
            36..44 => self.move_to_another("unplanned", true).await,
            44..52 => self.planned("reprotect", None).await,
            52..62 => self.drill().await,
            62..70 => self.reconcile().await,
            70..77 => self.exchange_driver().await,
            77..83 => self.reload().await,
            83..88 => self.freeze().await,
            88..95 => self.switch().await,
            _ => {
                let body = json!({"scope": self.scope()});
                self.carry_out("promote", &body).await;
            }
        }
    }

    async fn put(&self, path: &str, body: &Value) -> Option<StatusCode> {
        let answer = self.chaos.cloud.send(Method::PUT, path, Some(body)).await;
        answer.map(|(status, _)| status)
    }

    /// Some replicated volumes of the backend.
    async fn some_volumes(&mut self) -> Vec<String> {
        let path = format!("/admin/v1/volumes?backend={}", self.kind.name);
        let answer = self.chaos.cloud.get(&path).await.unwrap_or_default();
        let replicated = |one: &&Value| one.get("replicated") == Some(&Value::Bool(true));
        let ids: Vec<String> = list(&answer, "/volumes")
            .iter()
            .filter(replicated)
            .map(|one| text(one, "/id").to_owned())
            .collect();
        ids.choose_multiple(&mut self.rng, 2).cloned().collect()
    }

    async fn move_to_another(&mut self, mode: &str, single: bool) {
        let scope = if single {
            let volumes = self.some_volumes().await;
            if volumes.is_empty() {
                return;
            }
            json!({ "volumes": volumes })
        } else {
            self.scope()
        };
        let others: Vec<String> = self
            .arrays()
            .map(|arrays| arrays.names.clone())
            .unwrap_or_default();
        let from = usize::from(!single);
        let Some(to) = others
            .get(from..)
            .and_then(|others| others.choose(&mut self.rng))
        else {
            return;
        };
        let ask = json!({"verb": "failover", "scope": scope, "to": to, "mode": mode});
        let Some(plan) = self.chaos.cloud.post("/admin/v1/plans", &ask).await else {
            return;
        };
        let mut points = BTreeMap::new();
        if mode == "unplanned" {
            for volume in list(&plan, "/volumes") {
                let nothing_lost = number(volume, "/loss_seconds") == Some(0)
                    && volume.get("point").is_none_or(Value::is_null);
                let taken = number(volume, "/point/taken_at");
                if !nothing_lost {
                    // Without a point the plan promises nothing.
                    points.insert(text(volume, "/volume_id").to_owned(), taken.unwrap_or(0));
                }
            }
            // Before it is asked for: the answer may be lost.
            let (ledger, moved) = (&self.chaos.ledger, now_ms());
            ledger.at_risk(to, &points, moved);
            if !single {
                let volumes = list(&plan, "/volumes").iter();
                let planned = volumes.map(|one| text(one, "/volume_id").to_owned());
                ledger.begins(self.kind.name, to, &planned.collect(), moved);
            }
        }
        let body = json!({
            "scope": scope, "to": to, "mode": mode, "plan": text(&plan, "/id"),
            "acknowledge": plan.get("acknowledge"),
        });
        self.carry_out("failover", &body).await;
    }

    async fn planned(&mut self, verb: &str, to: Option<String>) {
        let ask = match &to {
            Some(to) => json!({"verb": verb, "scope": self.scope(), "to": to}),
            None => json!({"verb": verb, "scope": self.scope()}),
        };
        let Some(plan) = self.chaos.cloud.post("/admin/v1/plans", &ask).await else {
            return;
        };
        let mut body = json!({"scope": self.scope(), "acknowledge": plan.get("acknowledge")});
        if let Some(to) = to {
            body["to"] = json!(to);
        }
        self.carry_out(verb, &body).await;
    }

    /// Begins a verb and watches it; sometimes it is told to stop.
    async fn carry_out(&mut self, verb: &str, body: &Value) {
        let begun = self
            .chaos
            .cloud
            .post(&format!("/admin/v1/{verb}"), body)
            .await;
        if let Some(begun) = begun
            && self.watch(text(&begun, "/operation")).await
        {
            self.chaos.ledger.ended(self.kind.name);
        }
        self.see_who_serves().await;
    }

    /// Whether it was seen to be over.
    async fn watch(&mut self, operation: &str) -> bool {
        let path = format!("/admin/v1/operations/{operation}");
        let cancel = self.rng.random_range(0..10) == 0;
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end && self.chaos.goes_on() {
            if let Some(seen) = self.chaos.cloud.get(&path).await
                && !["queued", "running", "waiting"].contains(&text(&seen, "/state"))
            {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            if cancel {
                self.chaos
                    .cloud
                    .post(&format!("{path}/cancel"), &json!({}))
                    .await;
            }
        }
        false
    }

    /// Risks of a move end where the volume is seen to be served elsewhere and nothing is under way.
    async fn see_who_serves(&self) {
        see_who_serves(&self.chaos, self.kind.name).await;
    }

    async fn drill(&mut self) {
        let Some(to) = self
            .arrays()
            .and_then(|arrays| arrays.names.last().cloned())
        else {
            return;
        };
        let body = json!({"scope": self.scope(), "to": to, "minutes": 5});
        let Some(begun) = self.chaos.cloud.post("/admin/v1/drills", &body).await else {
            return;
        };
        self.watch(text(&begun, "/operation")).await;
        let path = format!("/admin/v1/drills/{}/stop", text(&begun, "/drill"));
        if let Some(begun) = self.chaos.cloud.post(&path, &json!({})).await {
            self.watch(text(&begun, "/operation")).await;
        }
    }

    async fn reconcile(&mut self) {
        let dry = self.rng.random_range(0..2) == 0;
        let body = json!({"scope": self.scope(), "dry_run": dry});
        self.carry_out("reconcile", &body).await;
    }

    /// The same component under another digest, and back.
    async fn exchange_driver(&mut self) {
        let driver = self.kind.driver;
        let component =
            guests::guest(self.kind.component).and_then(|path| Ok(std::fs::read(path)?));
        let Ok(mut component) = component else { return };
        self.versions += 1;
        let word = format!("{:08}", self.versions);
        // A custom section, which nobody reads.
        component.extend([0, 10, 1, b'v']);
        component.extend(word.bytes());
        self.chaos.cloud.install(driver, component).await;
        let path = format!("/admin/v1/drivers/{driver}");
        self.chaos
            .cloud
            .post(&format!("{path}/activate"), &json!({}))
            .await;
        if self.rng.random_range(0..2) == 0 {
            self.chaos
                .cloud
                .post(&format!("{path}/rollback"), &json!({}))
                .await;
        }
    }

    async fn reload(&mut self) {
        let path = self.chaos.place.config.lock().await;
        let Ok(text) = std::fs::read_to_string(&*path) else {
            return;
        };
        let (one, other) = ("call_seconds = 30", "call_seconds = 31");
        let marked = format!("[driver.{}.limits]", self.kind.driver);
        let text = match text.contains(&marked) {
            false => format!("{text}\n{marked}\n{one}\n"),
            true if text.contains(one) => text.replace(one, other),
            true => text.replace(other, one),
        };
        if std::fs::write(&*path, text).is_ok() {
            self.chaos
                .cloud
                .post("/admin/v1/configuration/reload", &json!({}))
                .await;
        }
    }

    async fn freeze(&mut self) {
        let path = format!("/admin/v1/backends/{}", self.kind.name);
        self.chaos
            .cloud
            .post(&format!("{path}/freeze"), &json!({}))
            .await;
        tokio::time::sleep(Duration::from_millis(700)).await;
        self.chaos
            .cloud
            .post(&format!("{path}/thaw"), &json!({}))
            .await;
    }

    /// Replication of some volumes off, and on again.
    async fn switch(&mut self) {
        let volumes = self.some_volumes().await;
        if volumes.is_empty() {
            return;
        }
        for verb in ["disable", "enable"] {
            let body = json!({"scope": {"volumes": volumes}});
            self.carry_out(verb, &body).await;
        }
    }
}

/// Looks at the volumes of a backend and tells the ledger who serves them.
pub async fn see_who_serves(chaos: &Chaos, backend: &str) {
    let asked_at = now_ms();
    let path = format!("/admin/v1/volumes?backend={backend}");
    let answer = chaos.cloud.get(&path).await.unwrap_or_default();
    for volume in list(&answer, "/volumes") {
        if text(volume, "/phase") == "settled" && text(volume, "/operation").is_empty() {
            chaos
                .ledger
                .served(text(volume, "/id"), text(volume, "/serving"), asked_at);
        }
    }
}
