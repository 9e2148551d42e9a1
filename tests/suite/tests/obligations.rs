//! What arrays are owed that were away when it was decided: written down, shown, done when they answer again, written off
//! with an array that is gone for good. Real program, real driver, simulated arrays.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod desk;

use std::time::Duration;

use desk::{Desk, PATIENCE};
use flasharray_sim::SimConfig;
use reqwest::Method;
use serde_json::{Value, json};
use springform_suite::cinder::id;
use springform_suite::site::{PRIMARY, SECOND, SERVICE};
use tokio::time::Instant;

/// Names of what an array holds of one kind and has not destroyed.
async fn live(desk: &Desk, array: &str, kind: &str) -> Vec<String> {
    let state = desk.site.control.state().await.unwrap();
    let all = state["arrays"][array][kind].as_array().unwrap().clone();
    let live = all.iter().filter(|item| item["destroyed"] != true);
    live.map(|item| item["name"].as_str().unwrap().to_owned())
        .collect()
}

/// Members of protection groups.
async fn members(desk: &Desk, array: &str) -> Vec<String> {
    let state = desk.site.control.state().await.unwrap();
    let all = state["arrays"][array]["members"]
        .as_array()
        .unwrap()
        .clone();
    let names = all
        .iter()
        .map(|m| m["member"]["name"].as_str().unwrap().to_owned());
    names.collect()
}

async fn until(desk: &Desk, what: &str, holds: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(
            Instant::now() < deadline,
            "never: {what}\n{}",
            desk.host.log()
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn gone(desk: &Desk, path: &str) {
    until(desk, &format!("{path} is gone"), async || {
        desk.cloud.ask(Method::GET, path, None).await.is_err()
    })
    .await;
}

async fn delete(desk: &Desk, path: &str) {
    desk.cloud.ask(Method::DELETE, path, None).await.unwrap();
    gone(desk, path).await;
}

async fn snapshot(desk: &Desk) -> String {
    let body = json!({"snapshot": {"volume_id": desk.volume, "name": "before"}});
    let made = desk
        .cloud
        .ask(Method::POST, "/v3/snapshots", Some(&body))
        .await;
    let made = id(&made.unwrap(), "/snapshot/id").unwrap();
    let path = format!("/v3/snapshots/{made}");
    until(desk, "the snapshot is available", async || {
        let seen = desk.cloud.ask(Method::GET, &path, None).await.unwrap();
        seen["snapshot"]["status"] == "available"
    })
    .await;
    made
}

/// What the backend's arrays are owed, as `status` says it.
async fn owed(desk: &Desk) -> Vec<Value> {
    let arguments = ["--format", "json", "status", "--backend", PRIMARY];
    let said = desk.does(&arguments).await;
    let standing: Value = serde_json::from_str(&said.out).unwrap();
    standing["backend"]["obligations"]
        .as_array()
        .unwrap()
        .clone()
}

async fn nothing_is_owed(desk: &Desk) {
    until(desk, "nothing is owed", async || {
        owed(desk).await.is_empty()
    })
    .await;
}

async fn failback(desk: &Desk) {
    desk.does(&["failback", "--backend", PRIMARY, "--yes"])
        .await;
    assert_eq!(desk.served_by().await, PRIMARY);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_deleted_while_failed_over_goes_from_the_first_array_when_it_is_back() {
    let desk = Desk::watching().await;
    let name = format!("volume-{}-cinder", desk.volume);
    desk.loses_the_first().await;
    delete(&desk, &format!("/v3/volumes/{}", desk.volume)).await;
    assert_eq!(live(&desk, SECOND, "volumes").await, Vec::<String>::new());
    let all = owed(&desk).await;
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!(all[0]["target"], PRIMARY);
    assert_eq!(all[0]["kind"], "delete-volume");
    assert_eq!(all[0]["objects"], json!([name]));
    let said = desk.does(&["status", "--backend", PRIMARY]).await;
    assert!(said.out.contains(&name), "{}", said.out);
    desk.shows(
        "springform_obligations{backend=\"pure1\",array=\"pure1\",kind=\"delete-volume\"} 1",
    )
    .await;

    // Killed and started again, the host still knows.
    let desk = desk.restarts().await;
    assert_eq!(owed(&desk).await.len(), 1);
    assert!(live(&desk, PRIMARY, "volumes").await.contains(&name));
    desk.site.control.power(PRIMARY, true).await.unwrap();
    nothing_is_owed(&desk).await;
    assert!(!live(&desk, PRIMARY, "volumes").await.contains(&name));
    assert!(!members(&desk, PRIMARY).await.contains(&name));
    // The protection group sends it out no more.
    desk.site.control.advance(8000.0).await.unwrap();
    assert!(!live(&desk, SECOND, "volumes").await.contains(&name));
    let listed = desk.does(&["operation", "list"]).await;
    assert!(listed.out.contains("settle"), "{}", listed.out);
    desk.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_deleted_while_failed_over_goes_from_the_first_array_when_it_is_back() {
    let desk = Desk::watching().await;
    let made = snapshot(&desk).await;
    let name = format!("volume-{}-cinder.snapshot-{made}", desk.volume);
    assert!(
        live(&desk, PRIMARY, "volume_snapshots")
            .await
            .contains(&name)
    );
    desk.loses_the_first().await;
    delete(&desk, &format!("/v3/snapshots/{made}")).await;
    let all = owed(&desk).await;
    assert_eq!(all[0]["kind"], "delete-snapshot", "{all:?}");
    assert_eq!(all[0]["objects"], json!([name]));
    desk.site.control.power(PRIMARY, true).await.unwrap();
    nothing_is_owed(&desk).await;
    assert!(
        !live(&desk, PRIMARY, "volume_snapshots")
            .await
            .contains(&name)
    );
    desk.is_true().await;
    desk.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_deleted_after_a_failback_goes_from_the_second_array_too() {
    let desk = Desk::watching().await;
    let name = format!("volume-{}-cinder", desk.volume);
    let over = [
        "failover",
        "--backend",
        PRIMARY,
        "--to",
        SECOND,
        "--planned",
        "--yes",
    ];
    desk.does(&over).await;
    failback(&desk).await;
    assert!(live(&desk, SECOND, "volumes").await.contains(&name));
    desk.site.control.power(SECOND, false).await.unwrap();
    delete(&desk, &format!("/v3/volumes/{}", desk.volume)).await;
    assert!(!live(&desk, PRIMARY, "volumes").await.contains(&name));
    assert_eq!(owed(&desk).await[0]["target"], SECOND);
    desk.site.control.power(SECOND, true).await.unwrap();
    nothing_is_owed(&desk).await;
    assert!(!live(&desk, SECOND, "volumes").await.contains(&name));
    desk.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_given_a_type_without_replication_while_failed_over_is_fenced_on_the_array_it_left()
 {
    let desk = Desk::watching().await;
    let name = format!("volume-{}-cinder", desk.volume);
    desk.attach().await;
    desk.loses_the_first().await;
    let kind = desk.cloud.create_type("plain", &json!({})).await.unwrap();
    // The administrator lets the array that serves now take new work.
    let body = json!({"host": SERVICE, "binary": "cinder-volume"});
    let path = "/v3/os-services/enable";
    desk.cloud
        .ask(Method::PUT, path, Some(&body))
        .await
        .unwrap();
    let body = json!({"os-retype": {"new_type": kind, "migration_policy": "never"}});
    let path = format!("/v3/volumes/{}/action", desk.volume);
    desk.cloud
        .ask(Method::POST, &path, Some(&body))
        .await
        .unwrap();
    until(&desk, "it has the new type", async || {
        let seen = desk.cloud.volume(&desk.volume).await.unwrap();
        seen["volume_type"] == "plain"
    })
    .await;
    desk.site.control.power(PRIMARY, true).await.unwrap();
    until(&desk, "it is fenced", async || {
        !members(&desk, PRIMARY).await.contains(&name) && !desk.write(PRIMARY, b"late").await
    })
    .await;
    assert!(desk.write(SECOND, b"here").await);
    desk.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_given_up_while_failed_over_is_fenced_on_the_array_it_left() {
    let desk = Desk::watching().await;
    let name = format!("volume-{}-cinder", desk.volume);
    desk.loses_the_first().await;
    let path = format!("/v3/volumes/{}/action", desk.volume);
    let body = json!({"os-unmanage": {}});
    desk.cloud
        .ask(Method::POST, &path, Some(&body))
        .await
        .unwrap();
    gone(&desk, &format!("/v3/volumes/{}", desk.volume)).await;
    assert_eq!(owed(&desk).await[0]["kind"], "fence");
    assert!(members(&desk, PRIMARY).await.contains(&name));
    desk.site.control.power(PRIMARY, true).await.unwrap();
    nothing_is_owed(&desk).await;
    assert!(!members(&desk, PRIMARY).await.contains(&name));
    assert!(live(&desk, PRIMARY, "volumes").await.contains(&name));
    desk.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_array_that_is_gone_for_good_is_owed_is_written_off_by_the_promotion() {
    let desk = Desk::on(SimConfig::trio(PRIMARY, SECOND, "new3"), "").await;
    let made = desk.cloud.create_volume("second", 1, "replicated").await;
    let second = made.unwrap();
    desk.cloud
        .volume_becomes(&second, "available")
        .await
        .unwrap();
    for _ in 0..2 {
        desk.site.control.advance(3700.0).await.unwrap();
    }
    desk.loses_the_first().await;
    delete(&desk, &format!("/v3/volumes/{second}")).await;
    assert_eq!(owed(&desk).await.len(), 1);
    desk.names_a_successor("new3");
    desk.does(&["config", "reload"]).await;
    desk.does(&["promote", "--backend", PRIMARY, "--yes"]).await;
    assert_eq!(owed(&desk).await, Vec::<Value>::new());
    desk.ends().await;
}
