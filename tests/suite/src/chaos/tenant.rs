//! A tenant: makes, uses, copies, grows and deletes volumes of its own, whatever the host does meanwhile, and writes down what it was told.

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
use super::cloud::text;
use super::ledger::{BLOCK, Existence, Record, Write, now_ms};
use super::place::Arrays;

/// How long a tenant waits for what it asked for before it does something else.
pub(super) const PATIENCE: Duration = Duration::from_secs(8);
/// How long a machine waits for a disk.
const IO: Duration = Duration::from_secs(2);
/// Volumes that a tenant has at a time.
const VOLUMES: usize = 5;

/// What the tenant knows of a volume beyond the ledger.
#[derive(Debug, Default)]
struct Mine {
    attachment: Option<String>,
    array: String,
    array_name: String,
    size: u64,
    next: u64,
    snapshot: Option<Snapshot>,
}

#[derive(Debug, Clone)]
struct Snapshot {
    id: String,
    writes: Vec<Write>,
}

/// A tenant of one backend.
pub struct Tenant {
    pub(super) chaos: Arc<Chaos>,
    backend: usize,
    pub(super) name: String,
    pub(super) rng: StdRng,
    mine: BTreeMap<String, Mine>,
    count: u32,
    pub(super) group: Option<String>,
}

impl Tenant {
    /// The `n`th tenant of a backend.
    #[must_use]
    pub fn new(chaos: Arc<Chaos>, backend: usize, n: u64) -> Self {
        let seed = chaos
            .seed
            .wrapping_mul(1000)
            .wrapping_add((backend as u64 + 1) * 100 + n);
        Self {
            name: format!("tenant{backend}{n}"),
            rng: StdRng::seed_from_u64(seed),
            chaos,
            backend,
            mine: BTreeMap::new(),
            count: 0,
            group: None,
        }
    }

    /// Goes on until everything ends.
    pub async fn live(mut self) {
        while self.chaos.goes_on() {
            self.step().await;
            let pause = self.rng.random_range(0..60);
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
    }

    fn arrays(&self) -> Option<&Arrays> {
        self.chaos.place.arrays.get(self.backend)
    }

    pub(super) fn kind(&self) -> &'static str {
        super::place::KINDS
            .get(self.backend)
            .map_or("", |kind| kind.name)
    }

    async fn step(&mut self) {
        let names: Vec<String> = self.mine.keys().cloned().collect();
        let some = names.choose(&mut self.rng).cloned();
        let Some(volume) = some.filter(|_| names.len() >= 2) else {
            return self.create(None).await;
        };
        let chosen = self.rng.random_range(0..100);
        self.note(&format!("{chosen} {volume} {:?}", self.id(&volume)));
        match chosen {
            0..8 if names.len() < VOLUMES => self.create(None).await,
            8..13 if names.len() < VOLUMES => self.create(Some(&volume)).await,
            0..55 => self.write(&volume).await,
            55..65 => self.attach_or_detach(&volume).await,
            65..71 => self.snapshot(&volume).await,
            71..75 => self.revert(&volume).await,
            75..80 => self.extend(&volume).await,
            80..84 => self.retype(&volume).await,
            84..88 => self.transfer(&volume).await,
            88..93 => self.regroup(&volume).await,
            _ => self.delete(&volume).await,
        }
    }

    fn note(&self, what: &str) {
        self.chaos.note(&format!("{}: {what}", self.name));
    }

    pub(super) fn id(&self, name: &str) -> Option<String> {
        self.chaos.ledger.volumes().get(name)?.id.clone()
    }

    /// Waits until the volume has one of these statuses or the patience ends; gives back the one it has.
    async fn becomes(&self, id: &str, wanted: &[&str]) -> Option<Value> {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end && self.chaos.goes_on() {
            let answer = self.chaos.cloud.get(&format!("/v3/volumes/{id}")).await;
            if let Some(volume) = answer {
                let status = text(&volume, "/volume/status");
                if wanted.contains(&status) || status.starts_with("error") {
                    return Some(volume.get("volume").cloned().unwrap_or_default());
                }
            }
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
        None
    }

    async fn create(&mut self, source: Option<&str>) {
        self.count += 1;
        let name = format!("{}-{}", self.name, self.count);
        let replicated = self.rng.random_range(0..5) > 0;
        let kind = if replicated {
            self.kind().to_owned()
        } else {
            format!("{}-plain", self.kind())
        };
        let mut body = json!({"name": name, "size": 1, "volume_type": kind});
        let mut copied = None;
        if let Some((from, source)) = source.and_then(|from| Some((from, self.mine.get(from)?))) {
            body["size"] = json!(source.size);
            match &source.snapshot {
                Some(taken) if self.rng.random_range(0..2) == 0 => {
                    body["snapshot_id"] = json!(taken.id);
                    copied = Some((from.to_owned(), Some(taken.writes.clone())));
                }
                _ => {
                    let Some(id) = self.id(from) else { return };
                    body["source_volid"] = json!(id);
                    copied = Some((from.to_owned(), None));
                }
            }
        }
        let size = body["size"].as_u64().unwrap_or(1);
        self.chaos.ledger.asked(&name, self.kind());
        let asked_at = now_ms();
        let made = self
            .chaos
            .cloud
            .post("/v3/volumes", &json!({ "volume": body }))
            .await;
        let Some(id) = made.map(|made| text(&made, "/volume/id").to_owned()) else {
            return;
        };
        self.chaos
            .ledger
            .change(&name, |record| record.id = Some(id.clone()));
        let status = self.becomes(&id, &["available"]).await;
        let writes = match copied {
            Some((_, Some(taken))) => taken,
            Some((from, None)) => {
                let source = self.chaos.ledger.volumes().get(&from).cloned();
                source
                    .map(|source| source.copied(asked_at))
                    .unwrap_or_default()
            }
            None => Vec::new(),
        };
        let Some(seen) = status else { return };
        if text(&seen, "/status") != "available" {
            return;
        }
        let next = writes
            .iter()
            .map(|write| write.block + 1)
            .max()
            .unwrap_or(0);
        self.chaos.ledger.change(&name, |record| {
            record.existence = Existence::Made;
            record.writes = writes;
        });
        self.mine.insert(
            name,
            Mine {
                size,
                next,
                ..Mine::default()
            },
        );
    }

    async fn write(&mut self, name: &str) {
        let Some(mine) = self.mine.get(name) else {
            return;
        };
        if mine.attachment.is_none() {
            return self.attach_or_detach(name).await;
        }
        for _ in 0..self.rng.random_range(1..6) {
            if !self.write_one(name).await {
                // As a machine whose path is gone: it asks where the disk is now.
                self.look(name).await;
                return;
            }
        }
    }

    async fn write_one(&mut self, name: &str) -> bool {
        let machine = self.machine();
        let Some(mine) = self.mine.get_mut(name) else {
            return false;
        };
        let mut write = Write {
            block: mine.next,
            label: format!("{name}:{}", mine.next),
            began: now_ms(),
            acknowledged: None,
            array: mine.array.clone(),
        };
        mine.next += 1;
        let (array, array_name) = (mine.array.clone(), mine.array_name.clone());
        let Some(arrays) = self.arrays() else {
            return false;
        };
        let (offset, bytes) = (write.block * BLOCK as u64, write.bytes());
        let sent = arrays
            .control
            .write(&array, &machine, &array_name, offset, &bytes);
        let answer = tokio::time::timeout(IO, sent).await;
        let done = match answer {
            Ok(Ok(StatusCode::NO_CONTENT)) => {
                write.acknowledged = Some(now_ms());
                true
            }
            // Refused: nothing was written.
            Ok(Ok(_)) => return false,
            _ => false,
        };
        self.chaos
            .ledger
            .change(name, |record| record.writes.push(write));
        done
    }

    fn machine(&self) -> String {
        format!("iqn.1993-08.org.debian:01:{}", self.name)
    }

    async fn look(&mut self, name: &str) {
        let Some(id) = self.id(name) else { return };
        let Some(seen) = self.chaos.cloud.get(&format!("/v3/volumes/{id}")).await else {
            return;
        };
        if let Some(mine) = self.mine.get_mut(name) {
            text(&seen, "/volume/metadata/array_name").clone_into(&mut mine.array);
            text(&seen, "/volume/metadata/array_volume_name").clone_into(&mut mine.array_name);
        }
    }

    async fn attach_or_detach(&mut self, name: &str) {
        let Some(id) = self.id(name) else { return };
        let attached = self.mine.get(name).and_then(|mine| mine.attachment.clone());
        if let Some(attachment) = attached {
            let path = format!("/v3/attachments/{attachment}");
            let gone = self.chaos.cloud.send(Method::DELETE, &path, None).await;
            let gone = gone.is_some_and(|(status, _)| status.is_success() || status == 404);
            if let Some(mine) = self.mine.get_mut(name).filter(|_| gone) {
                mine.attachment = None;
            }
            return;
        }
        let connector = json!({
            "host": self.name, "initiator": self.machine(), "ip": "127.0.0.1", "multipath": true,
            "os_type": "linux", "platform": "x86_64",
        });
        let body = json!({"attachment": {
            "volume_uuid": id, "mode": "rw", "connector": connector,
        }});
        let made = self.chaos.cloud.post("/v3/attachments", &body).await;
        let Some(attachment) = made.map(|made| text(&made, "/attachment/id").to_owned()) else {
            return;
        };
        // Some clients die in between.
        if self.rng.random_range(0..12) > 0 {
            let path = format!("/v3/attachments/{attachment}/action");
            self.chaos
                .cloud
                .post(&path, &json!({"os-complete": {}}))
                .await;
        }
        if let Some(mine) = self.mine.get_mut(name) {
            mine.attachment = Some(attachment);
        }
        self.look(name).await;
    }

    pub(super) async fn detach(&mut self, name: &str) -> bool {
        if self
            .mine
            .get(name)
            .is_some_and(|mine| mine.attachment.is_some())
        {
            self.attach_or_detach(name).await;
        }
        self.mine
            .get(name)
            .is_some_and(|mine| mine.attachment.is_none())
    }

    async fn snapshot(&mut self, name: &str) {
        let Some(id) = self.id(name) else { return };
        let before = self
            .mine
            .get_mut(name)
            .and_then(|mine| mine.snapshot.take());
        if let Some(before) = before {
            let path = format!("/v3/snapshots/{}", before.id);
            let gone = self.chaos.cloud.send(Method::DELETE, &path, None).await;
            if !gone.is_some_and(|(status, _)| status.is_success()) {
                return;
            }
            self.snapshot_becomes(&path, |seen| seen.is_none()).await;
        }
        let asked_at = now_ms();
        let body =
            json!({"snapshot": {"volume_id": id, "force": true, "name": format!("{name}-s")}});
        let made = self.chaos.cloud.post("/v3/snapshots", &body).await;
        let Some(taken) = made.map(|made| text(&made, "/snapshot/id").to_owned()) else {
            return;
        };
        let path = format!("/v3/snapshots/{taken}");
        if self
            .snapshot_becomes(&path, |seen| seen == Some("available"))
            .await
        {
            let record = self.chaos.ledger.volumes().get(name).cloned();
            let writes = record
                .map(|record| record.copied(asked_at))
                .unwrap_or_default();
            if let Some(mine) = self.mine.get_mut(name) {
                mine.snapshot = Some(Snapshot { id: taken, writes });
            }
        }
    }

    async fn snapshot_becomes(&self, path: &str, wanted: impl Fn(Option<&str>) -> bool) -> bool {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end && self.chaos.goes_on() {
            if let Some((status, seen)) = self.chaos.cloud.send(Method::GET, path, None).await {
                let now = text(&seen, "/snapshot/status");
                if wanted((status != StatusCode::NOT_FOUND).then_some(now)) {
                    return true;
                }
                if now.starts_with("error") {
                    return false;
                }
            }
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
        false
    }

    async fn revert(&mut self, name: &str) {
        let Some(taken) = self.mine.get(name).and_then(|mine| mine.snapshot.clone()) else {
            return self.snapshot(name).await;
        };
        if !self.detach(name).await {
            return;
        }
        let Some(id) = self.id(name) else { return };
        // From here on only what the snapshot held for certain is sure: not what was written while it was taken.
        let held = |write: &Write| {
            let mut held = taken.writes.iter();
            held.any(|held| held.block == write.block && held.acknowledged.is_some())
        };
        self.chaos.ledger.change(name, |record| {
            for write in record.writes.iter_mut().filter(|write| !held(write)) {
                write.acknowledged = None;
            }
        });
        let with = json!({"snapshot_id": taken.id});
        if self.chaos.cloud.act(&id, "revert", with).await.is_some() {
            self.becomes(&id, &["available"]).await;
        }
    }

    async fn extend(&mut self, name: &str) {
        let (Some(id), Some(mine)) = (self.id(name), self.mine.get(name)) else {
            return;
        };
        let to = mine.size + 1;
        let accepted = self
            .chaos
            .cloud
            .act(&id, "os-extend", json!({"new_size": to}))
            .await;
        if accepted.is_some_and(|status| status.is_success()) {
            let seen = self.becomes(&id, &["available", "in-use"]).await;
            let size = seen.and_then(|seen| seen.get("size").and_then(Value::as_u64));
            if let (Some(mine), Some(size)) = (self.mine.get_mut(name), size) {
                mine.size = size;
            }
        }
    }

    async fn retype(&mut self, name: &str) {
        let Some(id) = self.id(name) else { return };
        let plain = self.rng.random_range(0..2) == 0;
        let to = if plain {
            format!("{}-plain", self.kind())
        } else {
            self.kind().to_owned()
        };
        let with = json!({"new_type": to, "migration_policy": "never"});
        if self.chaos.cloud.act(&id, "os-retype", with).await.is_some() {
            self.becomes(&id, &["available", "in-use"]).await;
        }
    }

    async fn delete(&mut self, name: &str) {
        let before = self
            .mine
            .get_mut(name)
            .and_then(|mine| mine.snapshot.take());
        if let Some(before) = before {
            let path = format!("/v3/snapshots/{}", before.id);
            self.chaos.cloud.send(Method::DELETE, &path, None).await;
            self.snapshot_becomes(&path, |seen| seen.is_none()).await;
        }
        if !self.detach(name).await {
            return;
        }
        let Some(id) = self.id(name) else { return };
        let path = format!("/v3/volumes/{id}");
        let doomed = |record: &mut Record| record.existence = Existence::Doomed;
        self.chaos.ledger.change(name, doomed);
        let answer = self.chaos.cloud.send(Method::DELETE, &path, None).await;
        match answer {
            Some((status, _)) if status.is_client_error() && status != StatusCode::NOT_FOUND => {
                // Refused: it is there as before.
                self.chaos
                    .ledger
                    .change(name, |record| record.existence = Existence::Made);
                return;
            }
            _ => {}
        }
        self.mine.remove(name);
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end && self.chaos.goes_on() {
            let seen = self.chaos.cloud.send(Method::GET, &path, None).await;
            if seen.is_some_and(|(status, _)| status == StatusCode::NOT_FOUND) {
                let gone = |record: &mut Record| record.existence = Existence::Gone;
                self.chaos.ledger.change(name, gone);
                return;
            }
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    }
}
