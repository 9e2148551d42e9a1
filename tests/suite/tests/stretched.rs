//! The whole host with the component `pure-activecluster`: machines write, the first array is lost, and every block that
//! was acknowledged is on the second one, under the machine's feet; then all the way home.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::time::Duration;

use anyhow::{Context, ensure};
use reqwest::{Method, StatusCode};
use serde_json::json;
use springform_suite::cinder::{Cinder, id};
use springform_suite::site::{PRIMARY, SECOND, SERVICE, Site};
use tokio::time::Instant;

const INITIATOR: &str = "iqn.1993-08.org.debian:01:c0ffee";
const BLOCK: usize = 512;
const BLOCKS: usize = 40;

fn block(volume: usize, at: usize) -> Vec<u8> {
    let mut bytes = format!("volume {volume} block {at};")
        .into_bytes()
        .repeat(BLOCK);
    bytes.truncate(BLOCK);
    bytes
}

fn name(id: &str) -> String {
    format!("cinder-pod::volume-{id}-cinder")
}

struct Story {
    site: Site,
    cloud: Cinder,
}

impl Story {
    async fn create(&self, name: &str) -> anyhow::Result<String> {
        let id = self.cloud.create_volume(name, 1, "stretched").await?;
        let volume = self.cloud.volume_becomes(&id, "available").await?;
        ensure!(volume["replication_status"] != "error", "{volume}");
        self.cloud.attach(&id, "compute1", INITIATOR).await?;
        Ok(id)
    }

    async fn write(
        &self,
        on: &str,
        volumes: &[String],
        from: usize,
        to: usize,
    ) -> anyhow::Result<()> {
        for (v, id) in volumes.iter().enumerate() {
            for at in from..to {
                let offset = (at * BLOCK) as u64;
                let bytes = block(v, at);
                let status = self
                    .site
                    .control
                    .write(on, INITIATOR, &name(id), offset, &bytes)
                    .await?;
                ensure!(
                    status == StatusCode::NO_CONTENT,
                    "block {at} of {id} on {on}: {status}"
                );
            }
        }
        Ok(())
    }

    async fn read(&self, on: &str, volumes: &[String], to: usize) -> anyhow::Result<()> {
        for (v, id) in volumes.iter().enumerate() {
            for at in 0..to {
                let offset = (at * BLOCK) as u64;
                let read = self
                    .site
                    .control
                    .read(on, INITIATOR, &name(id), offset, BLOCK)
                    .await?;
                let bytes =
                    read.map_err(|status| anyhow::anyhow!("block {at} of {id} on {on}: {status}"))?;
                ensure!(
                    bytes == block(v, at),
                    "block {at} of {id} on {on} is another"
                );
            }
        }
        Ok(())
    }

    async fn fail_over(&self, to: &str, status: &str) -> anyhow::Result<()> {
        let body = json!({"host": SERVICE, "backend_id": to});
        self.cloud.put_service("failover_host", &body).await?;
        self.cloud
            .service_becomes(SERVICE, "replication_status", status)
            .await?;
        Ok(())
    }

    /// The way home is free once the host has seen both arrays in step and owes the first one nothing.
    async fn home_is_clear(&self) -> anyhow::Result<()> {
        let ask = json!({"verb": "failback", "scope": {"backend": PRIMARY}, "to": PRIMARY});
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            self.site.control.advance(10.0).await?;
            let path = "/admin/v1/plans";
            let (status, plan) = self.cloud.send(Method::POST, path, Some(&ask)).await?;
            let free = plan["acknowledge"].as_array().is_some_and(Vec::is_empty);
            if status.is_success() && free && plan["possible"] == plan["total"] {
                return Ok(());
            }
            ensure!(
                Instant::now() < deadline,
                "the plan for the way home: {status}: {plan}"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn tell(&self) -> anyhow::Result<()> {
        self.cloud.service_becomes(SERVICE, "state", "up").await?;
        self.cloud
            .service_becomes(SERVICE, "replication_status", "enabled")
            .await?;
        let specs = json!({"replication_enabled": "<is> True", "replication_type": "<in> sync"});
        self.cloud.create_type("stretched", &specs).await?;
        let mut volumes = Vec::new();
        for n in 0..3 {
            volumes.push(self.create(&format!("ledger{n}")).await.context("create")?);
        }
        self.write(PRIMARY, &volumes, 0, BLOCKS).await?;

        self.site.control.power(PRIMARY, false).await?;
        self.fail_over(SECOND, "failed-over")
            .await
            .context("failover")?;
        self.read(SECOND, &volumes, BLOCKS)
            .await
            .context("after the loss")?;
        self.write(SECOND, &volumes, BLOCKS, BLOCKS + 5).await?;

        let body = json!({"host": SERVICE, "binary": "cinder-volume"});
        self.cloud.put_service("enable", &body).await?;
        volumes.push(
            self.create("after")
                .await
                .context("create while failed over")?,
        );
        self.write(SECOND, &volumes, 0, BLOCKS + 5).await?;

        self.site.control.power(PRIMARY, true).await?;
        self.home_is_clear().await?;
        self.fail_over("default", "enabled")
            .await
            .context("failback")?;
        for id in &volumes {
            let volume = self.cloud.volume(id).await?;
            ensure!(volume["status"] == "in-use", "{volume}");
            ensure!(volume["replication_status"] == "enabled", "{volume}");
        }
        self.read(PRIMARY, &volumes[..3], BLOCKS + 5)
            .await
            .context("at home")?;
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stretched_volumes_survive_the_loss_of_an_array_and_come_home() {
    let site = Site::stretched().unwrap();
    let host = site.host().await.unwrap();
    let cloud = site.cinder();
    let story = Story { site, cloud };
    if let Err(error) = story.tell().await {
        panic!("{error:#}\n{}", host.log());
    }
    assert!(
        host.stop().await.unwrap(),
        "the host did not end with status 0"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_that_a_retype_or_a_switch_renamed_is_shown_under_the_name_that_it_has_now() {
    let site = Site::stretched().unwrap();
    let _host = site.host().await.unwrap();
    let cloud = site.cinder();
    cloud.service_becomes(SERVICE, "state", "up").await.unwrap();
    let specs = json!({"replication_enabled": "<is> True", "replication_type": "<in> sync"});
    cloud.create_type("stretched", &specs).await.unwrap();
    cloud.create_type("plain", &json!({})).await.unwrap();
    let volume = cloud.create_volume("ledger", 1, "plain").await.unwrap();
    cloud.volume_becomes(&volume, "available").await.unwrap();
    let shown = async || {
        let seen = cloud.volume_becomes(&volume, "available").await.unwrap();
        let text = seen["metadata"]["array_volume_name"].as_str();
        text.unwrap_or_default().to_owned()
    };
    let (plain, replicated) = (format!("volume-{volume}-cinder"), name(&volume));
    assert_eq!(shown().await, plain);
    let retype = json!({"os-retype": {"new_type": "stretched", "migration_policy": "never"}});
    let path = format!("/v3/volumes/{volume}/action");
    let asked = cloud.ask(Method::POST, &path, Some(&retype)).await;
    asked.unwrap();
    assert_eq!(shown().await, replicated);
    for (verb, expected) in [("disable", &plain), ("enable", &replicated)] {
        does(&cloud, verb, &volume).await;
        assert_eq!(&shown().await, expected);
    }
}

/// Waits for the end of what a verb of replication began.
async fn does(cloud: &Cinder, verb: &str, volume: &str) {
    let scope = json!({"scope": {"volumes": [volume]}});
    let path = format!("/admin/v1/{verb}");
    let begun = cloud.ask(Method::POST, &path, Some(&scope)).await.unwrap();
    let path = format!(
        "/admin/v1/operations/{}",
        begun["operation"].as_str().unwrap()
    );
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let seen = cloud.ask(Method::GET, &path, None).await.unwrap();
        if seen["state"] == "succeeded" {
            return;
        }
        assert!(Instant::now() < deadline, "{verb}: {seen}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_has_ways_to_both_arrays_again_when_its_volume_is_stretched_again() {
    let site = Site::stretched().unwrap();
    let host = site.host().await.unwrap();
    let cloud = site.cinder();
    let story = Story { site, cloud };
    let Story { site, cloud } = &story;
    cloud.service_becomes(SERVICE, "state", "up").await.unwrap();
    let specs = json!({"replication_enabled": "<is> True", "replication_type": "<in> sync"});
    cloud.create_type("stretched", &specs).await.unwrap();
    cloud.create_type("plain", &json!({})).await.unwrap();
    let volumes = [
        story.create("switched").await.unwrap(),
        story.create("retyped").await.unwrap(),
    ];
    let [switched, retyped] = &volumes;
    for verb in ["disable", "enable"] {
        does(cloud, verb, switched).await;
    }
    for kind in ["plain", "stretched"] {
        let retype = json!({"os-retype": {"new_type": kind, "migration_policy": "never"}});
        let path = format!("/v3/volumes/{retyped}/action");
        cloud.ask(Method::POST, &path, Some(&retype)).await.unwrap();
        cloud.volume_becomes(retyped, "in-use").await.unwrap();
    }
    for volume in &volumes {
        for array in [PRIMARY, SECOND] {
            let there = connected(site, array, volume).await;
            assert_eq!(there, 1, "{volume} on {array}\n{}", host.log());
        }
    }
    // Nobody has to tell the machines a new way: it is the one that they know.
    site.control.power(PRIMARY, false).await.unwrap();
    story.fail_over(SECOND, "failed-over").await.unwrap();
    story.write(SECOND, &volumes, 0, 1).await.unwrap();
    let repair = json!({"dry_run": true});
    let path = "/admin/v1/attachments/repair";
    let listed = cloud.ask(Method::POST, path, Some(&repair)).await.unwrap();
    assert!(!listed.to_string().contains(&volumes[0]), "{listed}");
    assert!(!listed.to_string().contains(&volumes[1]), "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_is_switched_as_one_has_the_names_and_the_ways_that_are_shown() {
    let site = Site::stretched().unwrap();
    let host = site.host().await.unwrap();
    let cloud = site.cinder();
    cloud.service_becomes(SERVICE, "state", "up").await.unwrap();
    let specs = json!({"replication_enabled": "<is> True", "replication_type": "<in> sync"});
    let kind = cloud.create_type("stretched", &specs).await.unwrap();
    let specs = json!({"consistent_group_replication_enabled": "<is> True"});
    let body = json!({"group_type": {"name": "together", "group_specs": specs}});
    let made = cloud
        .ask(Method::POST, "/v3/group_types", Some(&body))
        .await
        .unwrap();
    let together = id(&made, "/group_type/id").unwrap();
    let body = json!({"group": {"group_type": together, "volume_types": [kind], "name": "g"}});
    let made = cloud
        .ask(Method::POST, "/v3/groups", Some(&body))
        .await
        .unwrap();
    let group = format!("/v3/groups/{}", id(&made, "/group/id").unwrap());
    let becomes = async |field: &str, value: &str| {
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            let seen = cloud.ask(Method::GET, &group, None).await.unwrap();
            if seen["group"][field] == value {
                return;
            }
            assert!(Instant::now() < deadline, "{seen}\n{}", host.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    becomes("status", "available").await;
    let body = json!({"volume": {
        "name": "member", "size": 1, "volume_type": "stretched", "group_id": made["group"]["id"],
    }});
    let made = cloud
        .ask(Method::POST, "/v3/volumes", Some(&body))
        .await
        .unwrap();
    let volume = id(&made, "/volume/id").unwrap();
    cloud.volume_becomes(&volume, "available").await.unwrap();
    cloud.attach(&volume, "compute1", INITIATOR).await.unwrap();
    let plain = format!("volume-{volume}-cinder");
    for (verb, status, shown) in [
        ("enable_replication", "enabled", name(&volume)),
        ("disable_replication", "disabled", plain),
        ("enable_replication", "enabled", name(&volume)),
    ] {
        let path = format!("{group}/action");
        let body = json!({verb: {}});
        cloud.ask(Method::POST, &path, Some(&body)).await.unwrap();
        becomes("replication_status", status).await;
        let seen = cloud.volume(&volume).await.unwrap();
        assert_eq!(seen["metadata"]["array_volume_name"], shown, "{verb}");
    }
    for array in [PRIMARY, SECOND] {
        let there = connected(&site, array, &volume).await;
        assert_eq!(there, 1, "{array}\n{}", host.log());
    }
}

/// Takes the second array out of the pod, as somebody does who exchanges it.
async fn shrink_by_hand(site: &Site) {
    let http = reqwest::Client::builder().danger_accept_invalid_certs(true);
    let http = http.build().unwrap();
    let base = format!("https://{}/api/2.26", site.sim.address(PRIMARY));
    let login = http.post(format!("{base}/login"));
    let login = login.header("api-token", site.sim.api_token(PRIMARY));
    let login = login.header("content-length", "0");
    let login = login.send().await.unwrap();
    let token = login.headers()["x-auth-token"].clone();
    let query = [("group_names", "cinder-pod"), ("member_names", SECOND)];
    let asked = http.delete(format!("{base}/pods/arrays"));
    let asked = asked.header("x-auth-token", token).query(&query);
    let answer = asked.send().await.unwrap();
    assert!(
        answer.status().is_success(),
        "{}",
        answer.text().await.unwrap()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_has_ways_to_an_array_that_was_exchanged() {
    let site = Site::stretched().unwrap();
    let host = site.host().await.unwrap();
    let cloud = site.cinder();
    let story = Story { site, cloud };
    let Story { site, cloud } = &story;
    cloud.service_becomes(SERVICE, "state", "up").await.unwrap();
    let specs = json!({"replication_enabled": "<is> True", "replication_type": "<in> sync"});
    cloud.create_type("stretched", &specs).await.unwrap();
    let volume = story.create("ledger").await.unwrap();
    shrink_by_hand(site).await;
    assert_eq!(connected(site, SECOND, &volume).await, 0);
    does(cloud, "reprotect", &volume).await;
    for array in [PRIMARY, SECOND] {
        let there = connected(site, array, &volume).await;
        assert_eq!(there, 1, "{array}\n{}", host.log());
    }
}

/// Machines connected to a volume on an array.
async fn connected(site: &Site, array: &str, volume: &str) -> usize {
    let state = site.control.state().await.unwrap();
    let all = state["arrays"][array]["connections"].as_array().unwrap();
    let name = name(volume);
    all.iter()
        .filter(|one| one["volume"]["name"] == name)
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_detached_while_the_other_array_was_away_does_not_reach_the_volume_there_later() {
    let site = Site::stretched().unwrap();
    let host = site.host().await.unwrap();
    let cloud = site.cinder();
    let story = Story { site, cloud };
    let Story { site, cloud } = &story;
    cloud.service_becomes(SERVICE, "state", "up").await.unwrap();
    let specs = json!({"replication_enabled": "<is> True", "replication_type": "<in> sync"});
    cloud.create_type("stretched", &specs).await.unwrap();
    let mut attached = Vec::new();
    for n in 0..2 {
        let id = cloud.create_volume(&format!("v{n}"), 1, "stretched").await;
        let id = id.unwrap();
        cloud.volume_becomes(&id, "available").await.unwrap();
        let attachment = cloud.attach(&id, "compute1", INITIATOR).await.unwrap();
        assert_eq!(connected(site, SECOND, &id).await, 1);
        attached.push((id, attachment));
    }
    site.control.power(SECOND, false).await.unwrap();
    for (_, attachment) in &attached {
        cloud.detach(attachment).await.unwrap();
    }
    // The second machine comes back before the array does: its way there is its own again.
    let (gone, back) = (&attached[0].0, &attached[1].0);
    cloud.attach(back, "compute1", INITIATOR).await.unwrap();
    let path = format!("/admin/v1/backends/{PRIMARY}");
    let owed = async || {
        let seen = cloud.ask(Method::GET, &path, None).await.unwrap();
        let all = seen["obligations"].as_array();
        all.cloned().unwrap_or_default()
    };
    assert_eq!(owed().await[0]["kind"], "disconnect", "{}", host.log());
    assert_eq!(owed().await[0]["count"], 2);

    site.control.power(SECOND, true).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(120);
    while !owed().await.is_empty() {
        assert!(
            Instant::now() < deadline,
            "{:?}\n{}",
            owed().await,
            host.log()
        );
        site.control.advance(10.0).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(connected(site, SECOND, gone).await, 0);
    assert_eq!(connected(site, PRIMARY, back).await, 1);
    assert_eq!(connected(site, SECOND, back).await, 1);
}
