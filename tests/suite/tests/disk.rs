//! The disk under the database fails in each way in which disks fail, while a failover and tenants are under way: the host says
//! what is wrong, takes nothing it cannot keep, can be read, and finishes everything by itself once the disk is well.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod desk;

use std::time::Duration;

use desk::{Desk, PATIENCE};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use springform_suite::disk::{BadDisk, Failure};
use springform_suite::site::{PRIMARY, SECOND, SERVICE};
use tokio::time::Instant;

const TOKEN: &str = "admin:0123456789abcdef0123456789abcdef";

async fn ready(desk: &Desk) -> (StatusCode, String) {
    let answer = reqwest::get(format!("{}/readyz", desk.host.url));
    let answer = answer.await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

async fn becomes_ready(desk: &Desk, ready_or_not: bool) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (status, text) = ready(desk).await;
        if status.is_success() == ready_or_not {
            return text;
        }
        assert!(
            Instant::now() < deadline,
            "{status}: {text}\n{}",
            desk.host.log()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn wanted(name: &str) -> Value {
    json!({"volume": {"name": name, "size": 1, "volume_type": "replicated"}})
}

/// What was asked for when the disk failed.
struct UnderWay {
    failover: String,
    answers: Vec<(StatusCode, Value)>,
}

impl UnderWay {
    /// A failover waits for its last copy and eight volumes are asked for while `fails` happens.
    async fn while_it(desk: &Desk, fails: impl FnOnce()) -> Self {
        desk.time_stands_still(true);
        let order = [
            "failover",
            "--backend",
            PRIMARY,
            "--to",
            SECOND,
            "--planned",
            "--yes",
            "--no-wait",
        ];
        let said = desk.does(&order).await;
        let failover = said.out.lines().last().unwrap().trim().to_owned();
        let mut asked = tokio::task::JoinSet::new();
        for n in 0..8 {
            let cloud = desk.cloud.clone();
            asked.spawn(async move {
                let body = wanted(&format!("v{n}"));
                let answer = cloud.send(Method::POST, "/v3/volumes", Some(&body));
                (answer.await).unwrap_or_else(|error| panic!("v{n}: {error}"))
            });
        }
        fails();
        let answers = asked.join_all().await;
        desk.time_stands_still(false);
        Self { failover, answers }
    }

    /// Nothing was lost: what was accepted is there, what was not was refused as something that may be tried again.
    async fn has_ended(&self, desk: &Desk) {
        for (status, body) in &self.answers {
            if status.is_success() {
                let id = body["volume"]["id"].as_str().unwrap();
                desk.cloud.volume_becomes(id, "available").await.unwrap();
            } else {
                assert_eq!(*status, StatusCode::SERVICE_UNAVAILABLE, "{body}");
            }
        }
        let deadline = Instant::now() + PATIENCE;
        let path = format!("/admin/v1/operations/{}", self.failover);
        loop {
            let shown = desk.cloud.ask(Method::GET, &path, None).await.unwrap();
            // Where it was told to stop and that came too late, it has moved.
            match shown["state"].as_str().unwrap_or_default() {
                "succeeded" | "cancelled" => break,
                ended @ ("failed" | "partly-failed") => panic!("{ended}: {shown}"),
                _ => assert!(Instant::now() < deadline, "{shown}\n{}", desk.host.log()),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let service = desk.cloud.service(SERVICE).await.unwrap();
        assert!(service["replication_status"] != "failing-over", "{service}");
        desk.is_true().await;
    }
}

/// Requests that change something are refused with when to come again; the others are answered.
async fn is_read_only(desk: &Desk) {
    let refused = reqwest::Client::new()
        .post(format!("{}/v3/volumes", desk.host.url))
        .header("x-auth-token", TOKEN)
        .json(&wanted("refused"))
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers().contains_key("retry-after"));
    let seen = desk.cloud.volume(&desk.volume).await.unwrap();
    assert_eq!(seen["name"], "ledger");
    let status = desk.does(&["status"]).await.out;
    assert!(status.contains(PRIMARY), "{status}");
}

/// The whole story of a disk that is well again without a restart. `why` is what the host says of it.
async fn costs_no_operation_and_no_restart(failure: Failure, why: &str) {
    let folder = tempfile::tempdir().unwrap();
    let disk = BadDisk::new(folder.path(), failure).unwrap();
    let desk = Desk::keeping(disk.folder()).await;
    let host = desk.host.pid().unwrap();
    let under_way = UnderWay::while_it(&desk, || disk.breaks(host).unwrap()).await;
    let said = becomes_ready(&desk, false).await;
    assert!(said.contains("the database cannot be written"), "{said}");
    assert!(said.contains(why) || !disk.is_its_own(), "{said}");
    is_read_only(&desk).await;
    let cancel = ["operation", "cancel", &under_way.failover];
    let told = desk.refused(&cancel).await;
    assert!(told.contains("told to stop"), "{told}");
    disk.mends(host).unwrap();
    becomes_ready(&desk, true).await;
    under_way.has_ended(&desk).await;
    desk.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_for_a_while_costs_no_operation_and_no_restart() {
    costs_no_operation_and_no_restart(Failure::Full(0), "the disk is full").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_nearly_full_for_a_while_costs_no_operation_and_no_restart() {
    costs_no_operation_and_no_restart(Failure::Full(120 << 10), "the disk is full").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_makes_nothing_durable_for_a_while_costs_no_operation_and_no_restart() {
    costs_no_operation_and_no_restart(Failure::Errors, "Input/output error").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_whose_disk_takes_nothing_lets_its_database_be_saved() {
    let desk = Desk::new().await;
    desk.disk_fails(true).await;
    // The host finds out with the first thing that it cannot keep.
    let body = wanted("v");
    let kept = desk.cloud.send(Method::POST, "/v3/volumes", Some(&body));
    assert_eq!(kept.await.unwrap().0, StatusCode::SERVICE_UNAVAILABLE);
    becomes_ready(&desk, false).await;
    let copy = desk.site.folder().join("copy.db");
    let copied = desk.database("backup", &copy).await;
    assert_eq!(copied.code, 0, "{}", copied.err);
    desk.disk_fails(false).await;
    becomes_ready(&desk, true).await;
    desk.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_read_only_until_it_is_mounted_anew_costs_no_operation() {
    let folder = tempfile::tempdir().unwrap();
    let disk = BadDisk::new(folder.path(), Failure::ReadOnly).unwrap();
    let desk = Desk::keeping(disk.folder()).await;
    let host = desk.host.pid().unwrap();
    let under_way = UnderWay::while_it(&desk, || disk.breaks(host).unwrap()).await;
    let said = becomes_ready(&desk, false).await;
    let named = said.contains("Read-only file system");
    assert!(named || !disk.is_its_own(), "{said}");
    is_read_only(&desk).await;
    let Desk { host, .. } = &desk;
    assert!(host.pid().is_some(), "it serves what it knows");
    let desk = desk
        .killed_for(|| {
            disk.mends(0).or_else(|error| match disk.is_its_own() {
                true => Err(std::io::Error::other(error)),
                false => Ok(()),
            })
        })
        .await;
    under_way.has_ended(&desk).await;
    desk.ends().await;
}
