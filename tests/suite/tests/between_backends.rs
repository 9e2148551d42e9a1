//! A retype moves a volume to the array of another backend: the real program with real drivers, one simulated array each.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use flasharray_sim::fault::{FaultKind, FaultSpec};
use flasharray_sim::{SimConfig, SimControl};
use reqwest::Method;
use serde_json::{Value, json};
use springform_suite::cinder::Cinder;
use springform_suite::host::Host;
use springform_suite::site::{PRIMARY, SECOND, Site};
use tokio::time::Instant;

const PATIENCE: Duration = Duration::from_secs(120);
const INITIATOR: &str = "iqn.1993-08.org.debian:01:c0ffee";
const PROJECT: &str = "0123456789abcdef0123456789abcdef";

/// Two backends with an array each, a type for either, and a volume with content on the first.
struct Two {
    site: Site,
    cloud: Cinder,
    host: Host,
    volume: String,
    bytes: Vec<u8>,
    clock: tokio::task::JoinHandle<()>,
    still: Arc<AtomicBool>,
}

/// The configuration of a site, its second array a backend of its own.
fn apart(site: &Site) -> String {
    let text = site.toml().unwrap();
    let first = text.split("[[backend.replication_device]]").next().unwrap();
    format!(
        r#"{first}
[[backend]]
volume_backend_name = "{SECOND}"
driver = "pure-async"
san_ip = "{address}"
pure_api_token = "{token}"
ca_file = "{ca}"
"#,
        address = site.sim.address(SECOND),
        token = site.sim.api_token(SECOND),
        ca = site.sim.ca_file().display(),
    )
}

impl Two {
    async fn new(arrays: SimConfig) -> Self {
        let site = Site::with(arrays.test_clock()).unwrap();
        std::fs::write(site.config(), apart(&site)).unwrap();
        let host = site.host().await.unwrap();
        let cloud = site.cinder();
        for backend in [PRIMARY, SECOND] {
            let service = format!("springform@{backend}");
            let up = cloud.service_becomes(&service, "state", "up");
            up.await.unwrap();
            let specs = json!({ "volume_backend_name": backend });
            cloud.create_type(backend, &specs).await.unwrap();
        }
        let volume = cloud.create_volume("ledger", 1, PRIMARY).await.unwrap();
        cloud.volume_becomes(&volume, "available").await.unwrap();
        let control = SimControl::new(&site.sim.control_url());
        let still = Arc::new(AtomicBool::new(false));
        let stands = still.clone();
        let clock = tokio::spawn(async move {
            loop {
                if !stands.load(Ordering::SeqCst)
                    && let Err(error) = control.advance(5.0).await
                {
                    eprintln!("no time passed on the arrays: {error:#}");
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        let two = Self {
            site,
            cloud,
            host,
            volume,
            bytes: b"what the tenant wrote".repeat(20_000),
            clock,
            still,
        };
        let attachment = two.attach().await;
        let control = &two.site.control;
        let name = two.name();
        let written = control.write(PRIMARY, INITIATOR, &name, 0, &two.bytes);
        assert!(written.await.unwrap().is_success());
        two.cloud.detach(&attachment).await.unwrap();
        two.cloud
            .volume_becomes(&two.volume, "available")
            .await
            .unwrap();
        two
    }

    fn name(&self) -> String {
        format!("volume-{}-cinder", self.volume)
    }

    async fn attach(&self) -> Value {
        let attached = self.cloud.attach(&self.volume, "compute1", INITIATOR);
        attached.await.unwrap()
    }

    async fn retype(&self, kind: &str) {
        let path = format!("/v3/volumes/{}/action", self.volume);
        let body = json!({"os-retype": {"new_type": kind, "migration_policy": "on-demand"}});
        let taken = self.cloud.ask(Method::POST, &path, Some(&body)).await;
        taken.unwrap();
    }

    async fn available(&self) -> Value {
        let available = self.cloud.volume_becomes(&self.volume, "available");
        available.await.unwrap()
    }

    /// What an array holds and has not destroyed, of volumes, groups and snapshots.
    async fn live(&self, array: &str) -> Vec<String> {
        let state = self.site.control.state().await.unwrap();
        let kinds = [
            "volumes",
            "volume_snapshots",
            "protection_groups",
            "protection_group_snapshots",
        ];
        let all = kinds.iter().flat_map(|kind| {
            let all = state["arrays"][array][kind].as_array().unwrap().clone();
            all.into_iter()
        });
        let live = all.filter(|item| item["destroyed"] != true);
        live.map(|item| item["name"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The move the volume's operation is at: names of its steps and how each stands.
    async fn waits_for(&self, step: &str) {
        self.until(&format!("{step} waits"), async || {
            let path = "/admin/v1/operations?verb=retype-volume";
            let answer = self.cloud.ask(Method::GET, path, None).await.unwrap();
            let all = answer["operations"].as_array().unwrap().clone();
            all.iter().any(|operation| {
                let steps = operation["steps"].as_array().cloned().unwrap_or_default();
                steps
                    .iter()
                    .any(|known| known["name"] == step && known["state"] == "waiting")
            })
        })
        .await;
    }

    async fn until(&self, what: &str, holds: impl AsyncFn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds().await {
            assert!(
                Instant::now() < deadline,
                "never: {what}\n{}",
                self.host.log()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn reads_what_was_written(&self, array: &str) {
        let attachment = self.attach().await;
        let control = &self.site.control;
        let name = self.name();
        let read = control.read(array, INITIATOR, &name, 0, self.bytes.len());
        let read = read.await.unwrap().unwrap();
        assert!(*read == *self.bytes, "other bytes on {array}");
        self.cloud.detach(&attachment).await.unwrap();
        self.available().await;
    }

    /// The volume is on the second array, whole, and nothing else is anywhere.
    async fn has_moved(&self) {
        let volume = self.available().await;
        assert_eq!(volume["volume_type"], SECOND);
        assert_eq!(volume["migration_status"], "success");
        let host = volume["os-vol-host-attr:host"].as_str().unwrap();
        assert!(host.starts_with("springform@sec2#"), "{host}");
        assert_eq!(volume["metadata"]["array_name"], SECOND);
        assert_eq!(volume["metadata"]["array_volume_name"], self.name());
        assert_eq!(self.live(SECOND).await, [self.name()]);
        self.reads_what_was_written(SECOND).await;
    }

    async fn metrics(&self) -> String {
        let answer = reqwest::get(format!("{}/metrics", self.host.url));
        answer.await.unwrap().text().await.unwrap()
    }

    async fn message(&self) -> String {
        let answer = self.cloud.ask(Method::GET, "/v3/messages", None).await;
        let said = answer.unwrap()["messages"][0]["user_message"].clone();
        said.as_str().unwrap().to_owned()
    }

    async fn ends(self) {
        self.clock.abort();
        assert!(self.host.stop().await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retype_on_demand_moves_the_bytes_and_leaves_nothing_behind_and_they_come_home_again() {
    let two = Two::new(SimConfig::pair(PRIMARY, SECOND)).await;
    let before = two.available().await;
    two.retype(SECOND).await;
    two.has_moved().await;
    assert_eq!(two.live(PRIMARY).await, Vec::<String>::new());
    let after = two.available().await;
    for same in ["id", "name", "size", "created_at", "availability_zone"] {
        assert_eq!(after[same], before[same], "{same}");
    }
    let path = format!("/v3/os-quota-sets/{PROJECT}?usage=True");
    let usage = two.cloud.ask(Method::GET, &path, None).await.unwrap();
    let used = |name: &str| usage["quota_set"][name]["in_use"].as_u64();
    assert_eq!((used("volumes"), used("gigabytes")), (Some(1), Some(1)));
    assert_eq!(
        (used("volumes_pure1"), used("volumes_sec2")),
        (Some(0), Some(1))
    );
    // Home again at once, although the first array has not eradicated what it had.
    two.retype(PRIMARY).await;
    let home = two.available().await;
    assert_eq!(home["volume_type"], PRIMARY);
    assert_eq!(two.live(PRIMARY).await, [two.name()]);
    assert_eq!(two.live(SECOND).await, Vec::<String>::new());
    two.reads_what_was_written(PRIMARY).await;
    let path = format!("/v3/volumes/{}", two.volume);
    two.cloud.ask(Method::DELETE, &path, None).await.unwrap();
    two.until("the volume is gone", async || {
        two.cloud.ask(Method::GET, &path, None).await.is_err()
    })
    .await;
    assert_eq!(two.live(PRIMARY).await, Vec::<String>::new());
    two.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn arrays_that_are_not_connected_move_nothing_and_the_user_is_told_why() {
    let mut arrays = SimConfig::single(PRIMARY);
    arrays.arrays.extend(SimConfig::single(SECOND).arrays);
    let two = Two::new(arrays).await;
    two.retype(SECOND).await;
    let after = two.available().await;
    assert_eq!(after["volume_type"], PRIMARY);
    assert_eq!(after["migration_status"], "error");
    let said = two.message().await;
    assert!(said.contains("connect the two arrays"), "{said}");
    assert_eq!(two.live(PRIMARY).await, [two.name()]);
    assert_eq!(two.live(SECOND).await, Vec::<String>::new());
    two.reads_what_was_written(PRIMARY).await;
    two.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_killed_while_the_content_travels_goes_on_where_it_was() {
    let two = Two::new(SimConfig::pair(PRIMARY, SECOND)).await;
    two.still.store(true, Ordering::SeqCst);
    two.retype(SECOND).await;
    two.waits_for("receive").await;
    let shown = two.cloud.volume(&two.volume).await.unwrap();
    assert_eq!(shown["status"], "retyping");
    assert_eq!(shown["migration_status"], "migrating");
    // Nobody touches it meanwhile.
    let path = format!("/v3/volumes/{}", two.volume);
    let refused = two.cloud.send(Method::DELETE, &path, None).await.unwrap();
    assert_eq!(refused.0, 400, "{}", refused.1);
    let Two {
        site,
        cloud,
        host,
        volume,
        bytes,
        clock,
        still,
    } = two;
    host.kill().await.unwrap();
    let host = site.host().await.unwrap();
    still.store(false, Ordering::SeqCst);
    let two = Two {
        site,
        cloud,
        host,
        volume,
        bytes,
        clock,
        still,
    };
    two.has_moved().await;
    assert_eq!(two.live(PRIMARY).await, Vec::<String>::new());
    two.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_that_is_cancelled_while_the_content_travels_leaves_the_volume_where_it_was() {
    let two = Two::new(SimConfig::pair(PRIMARY, SECOND)).await;
    two.still.store(true, Ordering::SeqCst);
    two.retype(SECOND).await;
    two.waits_for("receive").await;
    let path = "/admin/v1/operations?verb=retype-volume";
    let answer = two.cloud.ask(Method::GET, path, None).await.unwrap();
    let id = answer["operations"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/admin/v1/operations/{id}/cancel");
    two.cloud.ask(Method::POST, &path, None).await.unwrap();
    let after = two.available().await;
    two.still.store(false, Ordering::SeqCst);
    assert_eq!(after["volume_type"], PRIMARY);
    assert_eq!(two.live(PRIMARY).await, [two.name()]);
    assert_eq!(two.live(SECOND).await, Vec::<String>::new());
    two.reads_what_was_written(PRIMARY).await;
    // Asked again, it moves.
    two.retype(SECOND).await;
    two.has_moved().await;
    two.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_array_that_cannot_delete_the_old_volume_is_owed_that_and_the_new_one_serves() {
    let two = Two::new(SimConfig::pair(PRIMARY, SECOND)).await;
    let refuses = FaultSpec {
        method: Some("PATCH".to_owned()),
        path: Some("volumes".to_owned()),
        status: Some(503),
        ..FaultSpec::new(FaultKind::Status)
    };
    two.site.control.fault(PRIMARY, &refuses).await.unwrap();
    two.retype(SECOND).await;
    two.has_moved().await;
    assert_eq!(two.live(PRIMARY).await, [two.name()]);
    let owed = "springform_obligations{backend=\"pure1\",array=\"pure1\",kind=\"delete-volume\"} 1";
    two.until("it is owed", async || two.metrics().await.contains(owed))
        .await;
    two.site.control.clear_faults(PRIMARY).await.unwrap();
    two.until("the old volume is gone", async || {
        two.live(PRIMARY).await.is_empty()
    })
    .await;
    two.has_moved().await;
    two.ends().await;
}
