//! The database of the real host: a disk that takes nothing, backup, restore.
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
use springform_suite::site::{PRIMARY, SECOND, SERVICE};
use tokio::process::Command;
use tokio::time::Instant;

/// Lets every write of the host fail from now on, or no longer.
async fn disk_fails(desk: &Desk, fails: bool) {
    let pid = desk.host.pid().unwrap().to_string();
    let limit = if fails {
        "--fsize=1:"
    } else {
        "--fsize=unlimited:"
    };
    let set = Command::new("prlimit")
        .args(["--pid", &pid, limit])
        .status();
    assert!(set.await.unwrap().success());
}

async fn ready(desk: &Desk) -> (StatusCode, String) {
    let answer = reqwest::get(format!("{}/readyz", desk.host.url))
        .await
        .unwrap();
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

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_takes_nothing_for_a_while_costs_no_operation_and_no_restart() {
    let desk = Desk::new().await;
    // The last copy of a planned failover takes time of the arrays, so it is under way when the disk fails.
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
    disk_fails(&desk, true).await;
    let answers = asked.join_all().await;
    desk.time_stands_still(false);
    let why = becomes_ready(&desk, false).await;
    assert!(why.contains("the database cannot be written"), "{why}");

    let refused = reqwest::Client::new()
        .post(format!("{}/v3/volumes", desk.host.url))
        .header("x-auth-token", "admin:0123456789abcdef0123456789abcdef")
        .json(&wanted("refused"))
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers().contains_key("retry-after"));
    let told = desk.refused(&["operation", "cancel", &failover]).await;
    assert!(told.contains("told to stop"), "{told}");
    // What is known can still be looked at, and saved.
    desk.cloud.volume(&desk.volume).await.unwrap();
    let copy = desk.site.folder().join("copy.db");
    let copied = desk.database("backup", &copy).await;
    assert_eq!(copied.code, 0, "{}", copied.err);

    disk_fails(&desk, false).await;
    becomes_ready(&desk, true).await;
    for (status, body) in answers {
        if status.is_success() {
            let id = body["volume"]["id"].as_str().unwrap();
            desk.cloud.volume_becomes(id, "available").await.unwrap();
        } else {
            assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{body}");
        }
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        let path = format!("/admin/v1/operations/{failover}");
        let shown = desk.cloud.ask(Method::GET, &path, None).await.unwrap();
        let state = shown["operation"]["state"]
            .as_str()
            .or(shown["state"].as_str());
        let state = state.unwrap_or_default().to_owned();
        // It was told to stop; if that came too late it has moved.
        if ["succeeded", "cancelled", "partly-failed", "failed"].contains(&state.as_str()) {
            assert!(
                ["succeeded", "cancelled"].contains(&state.as_str()),
                "{shown}"
            );
            break;
        }
        assert!(Instant::now() < deadline, "{shown}\n{}", desk.host.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let service = desk.cloud.service(SERVICE).await.unwrap();
    assert!(service["replication_status"] != "failing-over", "{service}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_restored_into_the_place_of_the_database_of_a_stopped_host() {
    let desk = Desk::new().await;
    let copy = desk.site.folder().join("copy.db");
    let copied = desk.database("backup", &copy).await;
    assert_eq!(copied.code, 0, "{}", copied.err);
    let twice = desk.database("backup", &copy).await;
    assert!(
        twice.code == 1 && twice.err.contains("not overwritten"),
        "{}",
        twice.err
    );
    let later = desk
        .cloud
        .create_volume("later", 1, "replicated")
        .await
        .unwrap();
    desk.cloud
        .volume_becomes(&later, "available")
        .await
        .unwrap();
    let running = desk.database("restore", &copy).await;
    assert!(
        running.code == 1 && running.err.contains("stop the host first"),
        "{}",
        running.err
    );

    let Desk {
        site,
        cloud,
        host,
        volume,
        ..
    } = desk;
    assert!(host.stop().await.unwrap());
    let restored = desk::database(&site, "restore", &copy).await;
    assert_eq!(restored.code, 0, "{}", restored.err);
    assert!(
        restored.out.contains("the database that was replaced is"),
        "{}",
        restored.out
    );
    let _host = site.host().await.unwrap();
    cloud.volume(&volume).await.unwrap();
    let unknown = cloud.volume(&later).await.unwrap_err();
    assert!(unknown.to_string().contains("404"), "{unknown}");
}
