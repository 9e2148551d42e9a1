//! A machine that was connected and had not said so when its volume moved, over HTTP: it is told that
//! the way it knows leads nowhere, is found by whoever repairs, and gets the right one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use springform_suite::cinder::{Cinder, id};
use springform_suite::site::{PRIMARY, SECOND, SERVICE, Site};

const INITIATOR: &str = "iqn.1993-08.org.debian:01:c0ffee";

fn connector() -> Value {
    json!({
        "host": "compute1", "initiator": INITIATOR, "ip": "127.0.0.1", "multipath": true,
        "os_type": "linux", "platform": "x86_64",
    })
}

async fn complete(cinder: &Cinder, attachment: &str) -> (StatusCode, Value) {
    let path = format!("/v3/attachments/{attachment}/action");
    let body = json!({ "os-complete": {} });
    let answer = cinder.send(Method::POST, &path, Some(&body)).await;
    answer.unwrap()
}

async fn moves(cinder: &Cinder, to: &str, status: &str) {
    let body = json!({ "host": SERVICE, "backend_id": to });
    cinder.put_service("failover_host", &body).await.unwrap();
    cinder
        .service_becomes(SERVICE, "replication_status", status)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_old_way_is_confirmed_and_the_right_one_can_be_had() {
    let site = Site::new().unwrap();
    let host = site.host().await.unwrap();
    let cinder = site.cinder();
    let specs = json!({"replication_enabled": "<is> True", "replication_type": "<in> async"});
    cinder.create_type("replicated", &specs).await.unwrap();
    let volume = cinder.create_volume("data", 1, "replicated").await.unwrap();
    cinder.volume_becomes(&volume, "available").await.unwrap();
    let body = json!({ "attachment": {
        "volume_uuid": volume, "instance_uuid": "11111111-2222-4333-8444-555555555555",
        "connector": connector(),
    } });
    let made = cinder
        .ask(Method::POST, "/v3/attachments", Some(&body))
        .await
        .unwrap();
    let attachment = id(&made, "/attachment/id").unwrap();
    let old = made["attachment"]["connection_info"].clone();
    for _ in 0..2 {
        site.control.advance(3700.0).await.unwrap();
    }
    site.control.power(PRIMARY, false).await.unwrap();
    moves(&cinder, SECOND, "failed-over").await;

    let (status, why) = complete(&cinder, &attachment).await;
    assert_eq!(status, StatusCode::CONFLICT, "{why}");
    assert!(why.to_string().contains("moved to"), "{why}");
    let repair = json!({ "dry_run": true });
    let listed = cinder
        .ask(Method::POST, "/admin/v1/attachments/repair", Some(&repair))
        .await
        .unwrap();
    assert!(listed.to_string().contains(&attachment), "{listed}");
    let path = format!("/admin/v1/volumes/{volume}");
    let (_, standing) = cinder.send(Method::GET, &path, None).await.unwrap();
    assert!(
        standing.to_string().contains("attachments repair"),
        "{standing}"
    );

    let update = json!({ "attachment": { "connector": connector() } });
    let path = format!("/v3/attachments/{attachment}");
    let told = cinder.ask(Method::PUT, &path, Some(&update)).await.unwrap();
    let new = told["attachment"]["connection_info"].clone();
    assert_ne!(new["target_portals"], old["target_portals"], "{new}");
    let (status, why) = complete(&cinder, &attachment).await;
    assert_eq!(status, StatusCode::NO_CONTENT, "{why}");
    let name = format!("volume-{volume}-cinder");
    let written = site
        .control
        .write(SECOND, INITIATOR, &name, 0, b"bytes")
        .await;
    assert!(written.unwrap().is_success());
    let listed = cinder
        .ask(Method::POST, "/admin/v1/attachments/repair", Some(&repair))
        .await
        .unwrap();
    assert!(!listed.to_string().contains(&attachment), "{listed}");
    assert!(host.stop().await.unwrap());
}
