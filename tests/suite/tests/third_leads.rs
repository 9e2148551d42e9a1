//! The whole host with the component `pure-trisync` while the third array leads: what is made and deleted there, what that means
//! for the arrays at home once they answer again, and a consistency group on the way out and back.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::time::Duration;

use anyhow::{Context, ensure};
use flasharray_sim::fault::{FaultKind, FaultSpec};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use springform_suite::cinder::{Cinder, id};
use springform_suite::host::Host;
use springform_suite::site::{PRIMARY, SECOND, SERVICE, Site, THIRD};
use tokio::time::Instant;

const INITIATOR: &str = "iqn.1993-08.org.debian:01:c0ffee";
const PATIENCE: Duration = Duration::from_secs(120);

struct Story {
    site: Site,
    cloud: Cinder,
    group: String,
    kind: String,
}

impl Story {
    async fn create(&self, name: &str, group: bool) -> anyhow::Result<String> {
        let mut volume = json!({"name": name, "size": 1, "volume_type": self.kind});
        if group {
            volume["group_id"] = json!(self.group);
        }
        let body = json!({ "volume": volume });
        let made = self.cloud.ask(Method::POST, "/v3/volumes", Some(&body));
        let made = id(&made.await?, "/volume/id")?;
        self.cloud.volume_becomes(&made, "available").await?;
        Ok(made)
    }

    async fn delete(&self, volume: &str) -> anyhow::Result<()> {
        let path = format!("/v3/volumes/{volume}");
        self.cloud.ask(Method::DELETE, &path, None).await?;
        self.until(|| async {
            let (status, answer) = self.cloud.send(Method::GET, &path, None).await?;
            Ok((status != StatusCode::NOT_FOUND).then(|| format!("it is there: {answer}")))
        })
        .await
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

    /// Names of what an array has of a kind, without what waits to be eradicated.
    async fn names(&self, array: &str, kind: &str) -> anyhow::Result<Vec<String>> {
        let state = self.site.control.state().await?;
        let found = state["arrays"][array][kind].as_array().cloned();
        let live = found.unwrap_or_default().into_iter();
        Ok(live
            .filter(|one| one["destroyed"] != true)
            .filter_map(|one| one["name"].as_str().map(str::to_owned))
            .collect())
    }

    async fn has(&self, array: &str, volume: &str) -> anyhow::Result<bool> {
        let name = format!("volume-{volume}-cinder");
        let names = self.names(array, "volumes").await?;
        Ok(names.iter().any(|known| known.ends_with(&name)))
    }

    async fn plan(&self, verb: &str, to: Option<&str>) -> anyhow::Result<Value> {
        let mut ask = json!({"verb": verb, "scope": {"backend": PRIMARY}});
        if let Some(to) = to {
            ask["to"] = json!(to);
        }
        let path = "/admin/v1/plans";
        self.cloud.ask(Method::POST, path, Some(&ask)).await
    }

    async fn carry_out(&self, verb: &str, body: &Value) -> anyhow::Result<()> {
        let path = format!("/admin/v1/{verb}");
        let begun = self.cloud.ask(Method::POST, &path, Some(body)).await?;
        let path = format!("/admin/v1/operations/{}", id(&begun, "/operation")?);
        self.until(|| async {
            let operation = self.cloud.ask(Method::GET, &path, None).await?;
            match operation["state"].as_str() {
                Some("succeeded") => Ok(None),
                Some("queued" | "running" | "waiting") => {
                    Ok(Some(format!("{verb} goes on: {operation}")))
                }
                _ => anyhow::bail!("{verb}: {operation}"),
            }
        })
        .await
    }

    /// Takes a snapshot of the group; gives back what it is called on the array that leads.
    async fn snapshot(&self, on: &str) -> anyhow::Result<String> {
        let body = json!({"group_snapshot": {"group_id": self.group, "name": on}});
        let path = "/v3/group_snapshots";
        let taken = self.cloud.ask(Method::POST, path, Some(&body)).await?;
        let taken = id(&taken, "/group_snapshot/id")?;
        let path = format!("{path}/{taken}");
        self.until(|| async {
            let now = self.cloud.ask(Method::GET, &path, None).await?;
            match now["group_snapshot"]["status"].as_str() {
                Some("available") => Ok(None),
                Some("creating") => Ok(Some(format!("{now}"))),
                _ => {
                    let why = self.cloud.ask(Method::GET, "/v3/messages", None).await?;
                    let why = why["messages"][0]["user_message"].clone();
                    anyhow::bail!("the group's snapshot: {now}: {why}")
                }
            }
        })
        .await?;
        let suffix = format!(
            "consisgroup-{}-cinder.cgsnapshot-{taken}-cinder",
            self.group
        );
        let names = self.names(on, "protection_group_snapshots").await?;
        let found = names.into_iter().find(|name| name.ends_with(&suffix));
        found.with_context(|| format!("{on} has no snapshot {suffix}"))
    }

    async fn prepare(&mut self) -> anyhow::Result<()> {
        self.cloud.service_becomes(SERVICE, "state", "up").await?;
        self.cloud
            .service_becomes(SERVICE, "replication_status", "enabled")
            .await?;
        let specs = json!({"replication_enabled": "<is> True", "replication_type": "<in> trisync"});
        self.kind = self.cloud.create_type("three", &specs).await?;
        let body = json!({"group_type": {"name": "together"}});
        let path = "/v3/group_types";
        let made = self.cloud.ask(Method::POST, path, Some(&body)).await?;
        let kind = id(&made, "/group_type/id")?;
        let specs = json!({"group_specs": {"consistent_group_snapshot_enabled": "<is> True"}});
        let path = format!("/v3/group_types/{kind}/group_specs");
        self.cloud.ask(Method::POST, &path, Some(&specs)).await?;
        let body = json!({"group": {"group_type": kind, "volume_types": [self.kind]}});
        let made = self.cloud.ask(Method::POST, "/v3/groups", Some(&body));
        self.group = id(&made.await?, "/group/id")?;
        let path = format!("/v3/groups/{}", self.group);
        self.until(|| async {
            let now = self.cloud.ask(Method::GET, &path, None).await?;
            Ok((now["group"]["status"] != "available").then(|| format!("{now}")))
        })
        .await
    }

    async fn lose_both(&self) -> anyhow::Result<()> {
        self.site.control.advance(3700.0).await?;
        self.site.control.advance(3700.0).await?;
        for array in [PRIMARY, SECOND] {
            self.site.control.power(array, false).await?;
        }
        let body = json!({"host": SERVICE, "backend_id": THIRD});
        self.cloud.put_service("failover_host", &body).await?;
        self.cloud
            .service_becomes(SERVICE, "replication_status", "failed-over")
            .await?;
        let body = json!({"host": SERVICE, "binary": "cinder-volume"});
        self.cloud.put_service("enable", &body).await.map(drop)
    }

    async fn come_home(&self, of: &[String]) -> anyhow::Result<()> {
        let plan = self.plan("failback", Some(PRIMARY)).await?;
        ensure!(plan["possible"] == plan["total"], "{plan}");
        ensure!(plan["total"] == json!(of.len()), "{plan}");
        let scope = json!({"backend": PRIMARY});
        let ask = json!({"scope": scope, "to": PRIMARY, "acknowledge": plan["acknowledge"]});
        self.carry_out("failback", &ask).await?;
        let plan = self.plan("reprotect", None).await?;
        let ask = json!({"scope": scope, "acknowledge": plan["acknowledge"]});
        self.carry_out("reprotect", &ask).await?;
        for volume in of {
            let shown = self.cloud.volume(volume).await?;
            ensure!(shown["replication_status"] == "enabled", "{shown}");
            for array in [PRIMARY, SECOND] {
                ensure!(self.has(array, volume).await?, "{array} lacks {volume}");
            }
        }
        Ok(())
    }

    async fn tell(&mut self) -> anyhow::Result<()> {
        self.prepare().await.context("prepare")?;
        let old = self.create("old", false).await?;
        let member = self.create("member", true).await?;
        let attached = self.cloud.attach(&member, "compute1", INITIATOR).await?;
        let at_home = self.snapshot(PRIMARY).await.context("snapshot at home")?;
        ensure!(at_home.starts_with("cinder-pod::"), "{at_home}");
        self.lose_both().await.context("both arrays lost")?;

        let young = self.create("young", false).await.context("made there")?;
        let brief = self.create("brief", false).await.context("made there")?;
        ensure!(self.has(THIRD, &brief).await?, "it is not on the third");
        self.delete(&brief)
            .await
            .context("made and deleted there")?;
        ensure!(!self.has(THIRD, &brief).await?, "it is left on the third");
        self.delete(&old).await.context("deleted there")?;
        ensure!(!self.has(THIRD, &old).await?, "it is left on the third");
        let joined = self.create("joined", true).await.context("made there")?;
        let away = self.snapshot(THIRD).await.context("snapshot there")?;
        ensure!(away.starts_with("consisgroup-"), "{away}");

        for array in [PRIMARY, SECOND] {
            self.site.control.power(array, true).await?;
            ensure!(self.has(array, &old).await?, "{array} was away and knows");
        }
        self.until(|| async {
            let plan = self.plan("failback", Some(PRIMARY)).await;
            // Refused for as long as the watcher has not seen the array answer.
            let plan = plan.unwrap_or_else(|refused| json!({"possible": refused.to_string()}));
            Ok((plan["possible"] != plan["total"]).then(|| format!("{plan}")))
        })
        .await?;
        self.come_home(&[member, young, joined])
            .await
            .context("failback")?;
        for array in [PRIMARY, SECOND] {
            ensure!(
                !self.has(array, &old).await?,
                "{array} still has what was deleted"
            );
        }
        let again = self.snapshot(PRIMARY).await.context("snapshot again")?;
        ensure!(again.starts_with("cinder-pod::"), "{again}");
        self.cloud.detach(&attached).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_made_and_deleted_while_the_third_array_leads_is_so_at_home() {
    let site = Site::three().unwrap();
    let host: Host = site.host().await.unwrap();
    let cloud = site.cinder();
    let mut story = Story {
        site,
        cloud,
        group: String::new(),
        kind: String::new(),
    };
    if let Err(error) = story.tell().await {
        panic!("{error:#}\n{}", host.log());
    }
    assert!(
        host.stop().await.unwrap(),
        "the host did not end with status 0"
    );
}

impl Story {
    /// Whether a machine is connected to a volume on an array.
    async fn is_connected(&self, array: &str, volume: &str) -> anyhow::Result<bool> {
        let state = self.site.control.state().await?;
        let all = state["arrays"][array]["connections"].as_array().cloned();
        let text = |one: &Value| one.to_string().contains(volume);
        Ok(all.unwrap_or_default().iter().any(text))
    }

    async fn moves(&self, to: &str, mode: &str) -> anyhow::Result<()> {
        let mut ask = json!({"scope": {"backend": PRIMARY}, "to": to, "mode": mode});
        ask["verb"] = json!("failover");
        let path = "/admin/v1/plans";
        let plan = self.cloud.ask(Method::POST, path, Some(&ask)).await?;
        ask["acknowledge"] = plan["acknowledge"].clone();
        if let Some(fields) = ask.as_object_mut() {
            fields.remove("verb");
        }
        self.carry_out("failover", &ask)
            .await
            .with_context(|| to.to_owned())
    }

    async fn leave_the_third(&mut self) -> anyhow::Result<()> {
        self.prepare().await.context("prepare")?;
        let volume = self.create("ledger", false).await?;
        let attached = self.cloud.attach(&volume, "compute1", INITIATOR).await?;
        // Until the third array holds a copy.
        self.site.control.advance(3700.0).await?;
        self.site.control.advance(3700.0).await?;
        self.moves(THIRD, "planned").await?;
        ensure!(
            self.is_connected(THIRD, &volume).await?,
            "it did not follow"
        );
        let plan = self.plan("reprotect", None).await?;
        let ask = json!({"scope": {"backend": PRIMARY}, "acknowledge": plan["acknowledge"]});
        self.carry_out("reprotect", &ask).await?;
        self.site.control.advance(3700.0).await?;
        self.site.control.advance(3700.0).await?;
        self.moves(SECOND, "unplanned").await?;
        ensure!(
            self.is_connected(SECOND, &volume).await?,
            "it did not follow"
        );
        // What it wrote there would be lost, and nobody could copy over it.
        ensure!(
            !self.is_connected(THIRD, &volume).await?,
            "the third array was left behind and goes on taking writes"
        );
        self.moves(THIRD, "planned").await?;
        self.cloud.detach(&attached).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_third_array_that_is_left_behind_takes_no_more_writes() {
    let site = Site::three().unwrap();
    let host: Host = site.host().await.unwrap();
    let cloud = site.cinder();
    let mut story = Story {
        site,
        cloud,
        group: String::new(),
        kind: String::new(),
    };
    if let Err(error) = story.leave_the_third().await {
        panic!("{error:#}\n{}", host.log());
    }
    assert!(host.stop().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_an_array_does_not_take_is_in_the_log_and_stops_nothing() {
    let site = Site::three().unwrap();
    let host: Host = site.host().await.unwrap();
    let cloud = site.cinder();
    cloud.service_becomes(SERVICE, "state", "up").await.unwrap();
    let fault = FaultSpec {
        path: Some("volumes/tags".into()),
        status: Some(400),
        body: Some(json!({"errors": [{"context": "tags", "message": "no tags today"}]})),
        ..FaultSpec::new(FaultKind::Status)
    };
    site.control.fault(PRIMARY, &fault).await.unwrap();
    cloud.create_type("plain", &json!({})).await.unwrap();
    let volume = cloud.create_volume("v", 1, "plain").await.unwrap();
    cloud.volume_becomes(&volume, "available").await.unwrap();
    let log = host.log();
    let said = log.lines().find(|line| line.contains("no tags today"));
    let said = said.unwrap_or_else(|| panic!("{log}"));
    for word in ["WARN", PRIMARY, volume.as_str()] {
        assert!(said.contains(word), "{word} is missing: {said}");
    }
    assert!(host.stop().await.unwrap());
}
