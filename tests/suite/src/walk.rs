//! The walk: from an empty cloud to a volume that survives its array. The demo tells it, the tests check it.

use anyhow::{Context, ensure};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::cinder::Cinder;
use crate::site::{PRIMARY, SECOND, SERVICE, Site};

const HOST: &str = "compute1";
const INITIATOR: &str = "iqn.1993-08.org.debian:01:c0ffee";
const BYTES: &[u8] = b"these bytes survive the array they were written to";
/// Longer than the interval of replication that drivers have by default.
const INTERVAL: f64 = 3700.0;

/// Walks, telling each step and how long it took to `tell`.
///
/// # Errors
/// The first step that does not do what it should.
pub async fn walk(site: &Site, tell: &dyn Fn(&str)) -> anyhow::Result<()> {
    let cloud = site.cinder();
    let walk = Walk {
        site,
        cloud: &cloud,
        tell,
    };
    walk.ready().await?;
    let first = walk.create().await?;
    let attachment = walk.write(&first).await?;
    walk.lose_the_array().await?;
    walk.fail_over().await?;
    walk.read_back(&first, &attachment).await?;
    walk.go_on().await?;
    walk.freeze().await
}

struct Walk<'a> {
    site: &'a Site,
    cloud: &'a Cinder,
    tell: &'a dyn Fn(&str),
}

impl Walk<'_> {
    async fn told<T>(
        &self,
        what: &str,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        let began = Instant::now();
        let outcome = work.await.with_context(|| what.to_owned())?;
        (self.tell)(&format!(
            "{:>7.1} ms  {what}",
            began.elapsed().as_secs_f64() * 1000.0
        ));
        Ok(outcome)
    }

    async fn ready(&self) -> anyhow::Result<()> {
        self.told(
            "the backend is up: its driver has set up a protection group on the first array",
            async {
                self.cloud.service_becomes(SERVICE, "state", "up").await?;
                self.cloud
                    .service_becomes(SERVICE, "replication_status", "enabled")
                    .await
            },
        )
        .await?;
        let drivers = self
            .cloud
            .ask(Method::GET, "/admin/v1/drivers", None)
            .await?;
        let running = drivers
            .pointer("/drivers/0/running")
            .cloned()
            .unwrap_or_default();
        (self.tell)(&format!(
            "            served by the driver pure-async, generation {}",
            running.get("number").unwrap_or(&Value::Null)
        ));
        Ok(())
    }

    async fn create(&self) -> anyhow::Result<String> {
        let specs = json!({"replication_enabled": "<is> True", "replication_type": "<in> async"});
        self.told(
            "a volume type `replicated`: POST /v3/types",
            self.cloud.create_type("replicated", &specs),
        )
        .await?;
        self.told(
            "a volume of it, until it is available: POST /v3/volumes",
            async {
                let id = self.cloud.create_volume("ledger", 1, "replicated").await?;
                let volume = self.cloud.volume_becomes(&id, "available").await?;
                let status = volume.get("replication_status").and_then(Value::as_str);
                ensure!(
                    status == Some("enabled"),
                    "its replication status is {status:?}"
                );
                Ok(id)
            },
        )
        .await
    }

    async fn write(&self, volume: &str) -> anyhow::Result<Value> {
        let attachment = self
            .told(
                "the host compute1 is connected: POST /v3/attachments",
                self.cloud.attach(volume, HOST, INITIATOR),
            )
            .await?;
        let name = array_name(volume);
        self.told("it writes through the array's I/O port", async {
            let status = self
                .site
                .control
                .write(PRIMARY, INITIATOR, &name, 4096, BYTES)
                .await?;
            ensure!(
                status == StatusCode::NO_CONTENT,
                "the array answers {status}"
            );
            Ok(())
        })
        .await?;
        self.told(
            "an hour passes on the arrays; replication takes its snapshot over",
            async {
                self.site.control.advance(INTERVAL).await?;
                self.site.control.advance(INTERVAL).await
            },
        )
        .await?;
        Ok(attachment)
    }

    async fn lose_the_array(&self) -> anyhow::Result<()> {
        self.told(
            "the first array loses its power",
            self.site.control.power(PRIMARY, false),
        )
        .await
    }

    async fn fail_over(&self) -> anyhow::Result<()> {
        self.told(
            "cinder failover-host: PUT /v3/os-services/failover_host",
            async {
                let body = json!({"host": SERVICE, "backend_id": SECOND});
                self.cloud.put_service("failover_host", &body).await?;
                let service = self
                    .cloud
                    .service_becomes(SERVICE, "replication_status", "failed-over")
                    .await?;
                let active = service.get("active_backend_id").and_then(Value::as_str);
                ensure!(active == Some(SECOND), "the active backend is {active:?}");
                Ok(())
            },
        )
        .await
    }

    async fn read_back(&self, volume: &str, attachment: &Value) -> anyhow::Result<()> {
        self.told("compute1 is connected to the second array", async {
            self.cloud.detach(attachment).await?;
            self.cloud.volume_becomes(volume, "available").await?;
            self.cloud.attach(volume, HOST, INITIATOR).await
        })
        .await?;
        self.told("it reads its bytes back from the second array", async {
            let name = array_name(volume);
            let read = self
                .site
                .control
                .read(SECOND, INITIATOR, &name, 4096, BYTES.len())
                .await?;
            let bytes = read.map_err(|status| anyhow::anyhow!("the array answers {status}"))?;
            ensure!(bytes == BYTES, "it reads something else: {bytes:?}");
            Ok(())
        })
        .await
    }

    async fn go_on(&self) -> anyhow::Result<()> {
        self.told(
            "cinder service-enable; a new volume lands on the second array",
            async {
                let body = json!({"host": SERVICE, "binary": "cinder-volume"});
                self.cloud.put_service("enable", &body).await?;
                let id = self.cloud.create_volume("after", 1, "replicated").await?;
                self.cloud.volume_becomes(&id, "available").await?;
                let state = self.site.control.state().await?;
                let text = state
                    .pointer(&format!("/arrays/{SECOND}"))
                    .map(Value::to_string)
                    .unwrap_or_default();
                ensure!(text.contains(&id), "the second array does not have it");
                Ok(())
            },
        )
        .await
    }

    async fn freeze(&self) -> anyhow::Result<()> {
        self.told("cinder freeze-host: creates and deletes are refused, reads go on; cinder thaw-host lifts it", async {
            let body = json!({ "host": SERVICE });
            let id = self.cloud.create_volume("frozen", 1, "replicated").await?;
            self.cloud.volume_becomes(&id, "available").await?;
            self.cloud.put_service("freeze", &body).await?;
            let (status, _) = self.cloud.send(Method::DELETE, &format!("/v3/volumes/{id}"), None).await?;
            ensure!(status == StatusCode::BAD_REQUEST, "a delete on a frozen backend gives {status}");
            self.cloud.volume(&id).await?;
            self.cloud.put_service("thaw", &body).await?;
            self.cloud.ask(Method::DELETE, &format!("/v3/volumes/{id}"), None).await?;
            Ok(())
        })
        .await
    }
}

/// Cinder's name for a volume on a FlashArray.
fn array_name(volume: &str) -> String {
    format!("volume-{volume}-cinder")
}
