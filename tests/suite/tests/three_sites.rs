//! The whole host with the component `pure-trisync`: both arrays of the pod are lost, the third one leads with what the plan
//! named, and everything that was written there comes home into the pod.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::time::Duration;

use anyhow::{Context, ensure};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use springform_suite::cinder::Cinder;
use springform_suite::host::Host;
use springform_suite::site::{PRIMARY, SECOND, SERVICE, Site, THIRD};
use tokio::time::Instant;

const INITIATOR: &str = "iqn.1993-08.org.debian:01:c0ffee";
const BLOCK: usize = 512;
const PATIENCE: Duration = Duration::from_secs(120);

fn block(volume: usize, at: usize) -> Vec<u8> {
    let mut bytes = format!("volume {volume} block {at};")
        .into_bytes()
        .repeat(BLOCK);
    bytes.truncate(BLOCK);
    bytes
}

fn name(on: &str, id: &str) -> String {
    match on {
        THIRD => format!("volume-{id}-cinder"),
        _ => format!("cinder-pod::volume-{id}-cinder"),
    }
}

struct Story {
    site: Site,
    cloud: Cinder,
    volumes: Vec<String>,
}

impl Story {
    async fn create(&mut self, name: &str) -> anyhow::Result<()> {
        let id = self.cloud.create_volume(name, 1, "three").await?;
        self.cloud.volume_becomes(&id, "available").await?;
        self.cloud.attach(&id, "compute1", INITIATOR).await?;
        self.volumes.push(id);
        Ok(())
    }

    async fn write(&self, on: &str, from: usize, to: usize) -> anyhow::Result<()> {
        for (v, id) in self.volumes.iter().enumerate() {
            let name = name(on, id);
            for at in from..to {
                let (offset, bytes) = ((at * BLOCK) as u64, block(v, at));
                let control = &self.site.control;
                let status = control.write(on, INITIATOR, &name, offset, &bytes).await?;
                ensure!(
                    status == StatusCode::NO_CONTENT,
                    "block {at} of {id} on {on}: {status}"
                );
            }
        }
        Ok(())
    }

    /// Blocks as they were written, and none from `to` on.
    async fn read(&self, on: &str, to: usize) -> anyhow::Result<()> {
        for (v, id) in self.volumes.iter().enumerate() {
            let name = name(on, id);
            for at in 0..=to {
                let offset = (at * BLOCK) as u64;
                let control = &self.site.control;
                let read = control.read(on, INITIATOR, &name, offset, BLOCK).await?;
                let bytes =
                    read.map_err(|status| anyhow::anyhow!("block {at} of {id} on {on}: {status}"))?;
                let expected = if at < to {
                    block(v, at)
                } else {
                    vec![0; BLOCK]
                };
                ensure!(bytes == expected, "block {at} of {id} on {on} is another");
            }
        }
        Ok(())
    }

    async fn plan(&self, verb: &str, to: Option<&str>) -> anyhow::Result<Value> {
        let mut ask = json!({"verb": verb, "scope": {"backend": PRIMARY}});
        if let Some(to) = to {
            ask["to"] = json!(to);
        }
        let path = "/admin/v1/plans";
        self.cloud.ask(Method::POST, path, Some(&ask)).await
    }

    /// Time passes on the arrays until something is so.
    async fn until<F: Future<Output = anyhow::Result<Option<String>>>>(
        &self,
        not_yet: impl Fn() -> F,
    ) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while let Some(why) = not_yet().await? {
            ensure!(Instant::now() < deadline, "{why}");
            self.site.control.advance(5.0).await?;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    async fn carry_out(&self, verb: &str, body: &Value) -> anyhow::Result<()> {
        let path = format!("/admin/v1/{verb}");
        let begun = self.cloud.ask(Method::POST, &path, Some(body)).await?;
        let path = format!(
            "/admin/v1/operations/{}",
            begun["operation"].as_str().unwrap()
        );
        self.until(|| async {
            let operation = self.cloud.ask(Method::GET, &path, None).await?;
            match operation["state"].as_str() {
                Some("succeeded") => Ok(None),
                Some("queued" | "running") => Ok(Some(format!("{verb} goes on: {operation}"))),
                _ => anyhow::bail!("{verb}: {operation}"),
            }
        })
        .await
    }

    async fn lose_both(&mut self) -> anyhow::Result<()> {
        self.site.control.advance(3700.0).await?;
        self.site.control.advance(3700.0).await?;
        // What no copy has.
        self.write(PRIMARY, 20, 25).await?;
        for array in [PRIMARY, SECOND] {
            self.site.control.power(array, false).await?;
        }
        let plan = self.plan("failover", None).await?;
        ensure!(plan["target"] == THIRD, "{plan}");
        for volume in plan["volumes"].as_array().unwrap() {
            let point = volume["point"]["id"].as_str().unwrap_or_default();
            ensure!(point.starts_with("cinder-pod:cinder-trisync."), "{volume}");
            ensure!(volume["loss_seconds"].is_u64(), "{volume}");
        }
        let body = json!({"host": SERVICE, "backend_id": THIRD});
        self.cloud.put_service("failover_host", &body).await?;
        self.cloud
            .service_becomes(SERVICE, "replication_status", "failed-over")
            .await?;
        self.read(THIRD, 20).await
    }

    async fn go_on(&mut self) -> anyhow::Result<()> {
        let body = json!({"host": SERVICE, "binary": "cinder-volume"});
        self.cloud.put_service("enable", &body).await?;
        self.create("after").await.context("create out there")?;
        self.write(THIRD, 0, 30).await
    }

    /// The arrays of the pod answer again: machines may not write to them any more, and their content may go.
    async fn come_home(&self) -> anyhow::Result<()> {
        for array in [PRIMARY, SECOND] {
            self.site.control.power(array, true).await?;
        }
        for array in [PRIMARY, SECOND] {
            self.until(|| async {
                let name = name(array, &self.volumes[0]);
                let write = self
                    .site
                    .control
                    .write(array, INITIATOR, &name, 0, b"stale");
                let stale = write.await.is_ok_and(|status| status.is_success());
                Ok(stale.then(|| format!("{array} is not fenced")))
            })
            .await?;
        }
        let plan = self.plan("failback", Some(PRIMARY)).await?;
        ensure!(plan["possible"] == plan["total"], "{plan}");
        let scope = json!({"backend": PRIMARY});
        let ask = json!({"scope": scope, "to": PRIMARY, "acknowledge": plan["acknowledge"]});
        self.carry_out("failback", &ask).await?;
        for id in &self.volumes {
            let volume = self.cloud.volume(id).await?;
            ensure!(volume["status"] == "in-use", "{volume}");
            ensure!(volume["replication_status"] == "enabled", "{volume}");
        }
        for array in [PRIMARY, SECOND] {
            self.read(array, 30).await.context(array)?;
        }
        Ok(())
    }

    /// As it was: writes are on both arrays, and copies go out again.
    async fn as_before(&self) -> anyhow::Result<()> {
        let plan = self.plan("reprotect", None).await?;
        let ask = json!({"scope": {"backend": PRIMARY}, "acknowledge": plan["acknowledge"]});
        self.carry_out("reprotect", &ask).await?;
        self.write(PRIMARY, 30, 31).await?;
        self.read(SECOND, 31).await?;
        self.site.control.advance(3700.0).await?;
        let plan = self.plan("failover", Some(THIRD)).await?;
        ensure!(plan["possible"] == plan["total"], "{plan}");
        ensure!(plan["total"] == json!(self.volumes.len()), "{plan}");
        Ok(())
    }

    async fn tell(&mut self) -> anyhow::Result<()> {
        self.cloud.service_becomes(SERVICE, "state", "up").await?;
        self.cloud
            .service_becomes(SERVICE, "replication_status", "enabled")
            .await?;
        let specs = json!({"replication_enabled": "<is> True", "replication_type": "<in> trisync"});
        self.cloud.create_type("three", &specs).await?;
        for n in 0..3 {
            self.create(&format!("ledger{n}")).await.context("create")?;
        }
        self.write(PRIMARY, 0, 20).await?;
        self.lose_both().await.context("both arrays lost")?;
        self.go_on().await.context("the third leads")?;
        self.come_home().await.context("failback")?;
        self.as_before().await.context("at home")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn volumes_on_three_sites_survive_the_loss_of_two_and_come_home() {
    let site = Site::three().unwrap();
    let host: Host = site.host().await.unwrap();
    let cloud = site.cinder();
    let mut story = Story {
        site,
        cloud,
        volumes: Vec::new(),
    };
    if let Err(error) = story.tell().await {
        panic!("{error:#}\n{}", host.log());
    }
    assert!(
        host.stop().await.unwrap(),
        "the host did not end with status 0"
    );
}
