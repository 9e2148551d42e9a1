//! Arrays that do what they are asked and answer with what nobody can read, or not at all. Such a request is asked again: to
//! call it failed would be a record that says one thing and an array that has another.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::time::Duration;

use flasharray_sim::{FaultKind, FaultSpec};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use springform_suite::cinder::{Cinder, id};
use springform_suite::site::{PRIMARY, SECOND, SERVICE, Site};
use tokio::time::Instant;

const INITIATOR: &str = "iqn.1993-08.org.debian:01:c0ffee";
const GIB: u64 = 1 << 30;

/// One answer to each kind of request that changes something is lost, on each of the arrays.
async fn misbehave(site: &Site, kind: FaultKind, arrays: &[&str]) {
    for array in arrays {
        site.control.clear_faults(array).await.unwrap();
        for method in ["POST", "PATCH", "DELETE"] {
            let spec = FaultSpec {
                method: Some(method.to_owned()),
                count: Some(1),
                ..FaultSpec::new(kind)
            };
            site.control.fault(array, &spec).await.unwrap();
        }
    }
}

/// The live objects of a kind on an array.
async fn live(site: &Site, array: &str, kind: &str) -> Vec<Value> {
    let state = site.control.state().await.unwrap();
    let all = state["arrays"][array][kind].as_array().cloned();
    let mut all = all.unwrap_or_default();
    all.retain(|one| one["destroyed"] != json!(true));
    all
}

async fn gone(cinder: &Cinder, path: &str) {
    cinder.ask(Method::DELETE, path, None).await.unwrap();
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let (status, seen) = cinder.send(Method::GET, path, None).await.unwrap();
        if status == StatusCode::NOT_FOUND {
            return;
        }
        assert!(!seen.to_string().contains("error"), "{seen}");
        assert!(Instant::now() < end, "{seen}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn snapshot_of(cinder: &Cinder, volume: &str) -> String {
    let body = json!({"snapshot": {"volume_id": volume}});
    let made = cinder
        .ask(Method::POST, "/v3/snapshots", Some(&body))
        .await
        .unwrap();
    let path = format!("/v3/snapshots/{}", id(&made, "/snapshot/id").unwrap());
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let seen = cinder.ask(Method::GET, &path, None).await.unwrap();
        match seen["snapshot"]["status"].as_str() {
            Some("available") => return path,
            Some("creating") => assert!(Instant::now() < end, "{seen}"),
            _ => panic!("{seen}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn replicated(cinder: &Cinder) {
    let specs = json!({"replication_enabled": "<is> True", "replication_type": "<in> async"});
    cinder.create_type("replicated", &specs).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_array_did_and_could_not_say_is_not_called_failed() {
    let site = Site::new().unwrap();
    let host = site.host().await.unwrap();
    let cinder = site.cinder();
    replicated(&cinder).await;
    for kind in [FaultKind::TruncatedJson, FaultKind::DropAfterActing] {
        let bad = || misbehave(&site, kind, &[PRIMARY, SECOND]);
        bad().await;
        let volume = cinder.create_volume("data", 1, "replicated").await.unwrap();
        cinder.volume_becomes(&volume, "available").await.unwrap();

        bad().await;
        let body = json!({"os-extend": {"new_size": 2}});
        let path = format!("/v3/volumes/{volume}/action");
        cinder.ask(Method::POST, &path, Some(&body)).await.unwrap();
        let seen = cinder.volume_becomes(&volume, "available").await.unwrap();
        assert_eq!(seen["size"], 2, "{kind:?}: {seen}");
        let there = live(&site, PRIMARY, "volumes").await;
        assert_eq!(there.len(), 1, "{kind:?}: {there:?}");
        assert_eq!(there[0]["provisioned"], 2 * GIB, "{kind:?}: {there:?}");

        bad().await;
        let snapshot = snapshot_of(&cinder, &volume).await;
        bad().await;
        let attachment = cinder.attach(&volume, "compute1", INITIATOR).await.unwrap();
        let name = format!("volume-{volume}-cinder");
        let written = site
            .control
            .write(PRIMARY, INITIATOR, &name, 0, b"bytes")
            .await;
        assert!(written.unwrap().is_success(), "{kind:?}");
        bad().await;
        cinder.detach(&attachment).await.unwrap();
        let left = live(&site, PRIMARY, "connections").await;
        assert!(left.is_empty(), "{kind:?}: {left:?}");

        bad().await;
        gone(&cinder, &snapshot).await;
        bad().await;
        gone(&cinder, &format!("/v3/volumes/{volume}")).await;
        let left = live(&site, PRIMARY, "volumes").await;
        assert!(left.is_empty(), "{kind:?}: {left:?}");
    }
    assert!(host.stop().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn volumes_move_there_and_back_though_answers_are_lost() {
    let site = Site::new().unwrap();
    let host = site.host().await.unwrap();
    let cinder = site.cinder();
    replicated(&cinder).await;
    let mut volumes = Vec::new();
    for n in 0..4 {
        let name = format!("data-{n}");
        let volume = cinder.create_volume(&name, 1, "replicated").await.unwrap();
        cinder.volume_becomes(&volume, "available").await.unwrap();
        volumes.push(volume);
    }
    let scope = json!({"backend": PRIMARY});
    for kind in [FaultKind::TruncatedJson, FaultKind::DropAfterActing] {
        for (verb, to, status) in [
            ("failover", SECOND, "failed-over"),
            ("failback", PRIMARY, "enabled"),
        ] {
            for _ in 0..2 {
                site.control.advance(3700.0).await.unwrap();
            }
            misbehave(&site, kind, &[PRIMARY, SECOND]).await;
            let body = match verb {
                "failover" => json!({"scope": scope, "to": to, "mode": "planned"}),
                _ => json!({"scope": scope, "to": to}),
            };
            let path = format!("/admin/v1/{verb}");
            let begun = cinder.ask(Method::POST, &path, Some(&body)).await.unwrap();
            let begun = id(&begun, "/operation").unwrap();
            let ended = end(&cinder, &begun).await;
            assert_eq!(ended["state"], "succeeded", "{kind:?}: {ended}");
            are_on(&cinder, &volumes, to, status).await;
        }
    }
    // Nobody asks the array that is left: it could not say what it has.
    for _ in 0..2 {
        site.control.advance(3700.0).await.unwrap();
    }
    site.control.clear_faults(PRIMARY).await.unwrap();
    let for_ever = FaultSpec::new(FaultKind::TruncatedJson);
    site.control.fault(PRIMARY, &for_ever).await.unwrap();
    let body = json!({"host": SERVICE, "backend_id": SECOND});
    cinder.put_service("failover_host", &body).await.unwrap();
    cinder
        .service_becomes(SERVICE, "replication_status", "failed-over")
        .await
        .unwrap();
    are_on(&cinder, &volumes, SECOND, "failed-over").await;
    assert!(host.stop().await.unwrap());
}

async fn are_on(cinder: &Cinder, volumes: &[String], array: &str, status: &str) {
    for volume in volumes {
        let seen = cinder.volume(volume).await.unwrap();
        assert_eq!(seen["metadata"]["array_name"], array, "{seen}");
        assert_eq!(seen["replication_status"], status, "{seen}");
    }
}

async fn end(cinder: &Cinder, operation: &str) -> Value {
    let path = format!("/admin/v1/operations/{operation}");
    let latest = Instant::now() + Duration::from_secs(60);
    loop {
        let seen = cinder.ask(Method::GET, &path, None).await.unwrap();
        let state = seen["state"].as_str().unwrap_or_default();
        if !["queued", "running", "waiting"].contains(&state) {
            return seen;
        }
        assert!(Instant::now() < latest, "{seen}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
