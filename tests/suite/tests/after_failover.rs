//! After a failover of the real program in front of simulated arrays: receivers are told the new way, servers are attached
//! anew through Nova, the array that was left behind is fenced when it comes back, and the numbers say so.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use reqwest::Method;
use serde_json::{Value, json};
use springform_control::outbox::verify;
use springform_suite::cinder::{Cinder, id};
use springform_suite::guests;
use springform_suite::site::{PRIMARY, SECOND, SERVICE, Site};
use tokio::net::TcpListener;

const SECRET: &str = "a-secret-of-the-test-of-32-bytes";
const SERVER: &str = "11111111-2222-4333-8444-555555555555";
const INITIATOR: &str = "iqn.1993-08.org.debian:01:c0ffee";
const TOKEN: &str = "token-of-an-operator";

/// What webhooks brought, and a Nova with one server.
struct World {
    cinder: Cinder,
    events: Mutex<Vec<Value>>,
    refuse: Mutex<u32>,
    /// Volume: device and attachment.
    attached: Mutex<BTreeMap<String, (String, Value)>>,
    asked: Mutex<Vec<String>>,
}

type Shared = State<Arc<World>>;

async fn hook(State(world): Shared, headers: HeaderMap, body: Bytes) -> StatusCode {
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    let at: u64 = header("webhook-timestamp").parse().unwrap();
    let (event, signature) = (header("webhook-id"), header("webhook-signature"));
    assert!(verify(SECRET.as_bytes(), &event, at, &body, &signature));
    let mut refuse = world.refuse.lock().unwrap();
    if *refuse > 0 {
        *refuse -= 1;
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let event = serde_json::from_slice(&body).unwrap();
    world.events.lock().unwrap().push(event);
    StatusCode::OK
}

fn asked(world: &World, headers: &HeaderMap, what: String) {
    assert_eq!(headers["x-auth-token"], TOKEN);
    assert_eq!(headers["openstack-api-version"], "compute 2.79");
    world.asked.lock().unwrap().push(what);
}

async fn server(State(world): Shared, headers: HeaderMap, Path(id): Path<String>) -> Json<Value> {
    asked(&world, &headers, format!("GET {id}"));
    Json(json!({ "server": {
        "id": id, "status": "ACTIVE", "OS-EXT-SRV-ATTR:root_device_name": "/dev/vda",
    } }))
}

async fn attached(
    State(world): Shared,
    headers: HeaderMap,
    Path((server, volume)): Path<(String, String)>,
) -> (StatusCode, Json<Value>) {
    asked(&world, &headers, "GET attachment".to_owned());
    match world.attached.lock().unwrap().get(&volume) {
        Some((device, _)) => {
            let body = json!({ "volumeAttachment": {
                "id": volume, "serverId": server, "volumeId": volume, "device": device, "tag": null,
                "delete_on_termination": false,
            } });
            (StatusCode::OK, Json(body))
        }
        None => {
            let body =
                json!({ "itemNotFound": { "code": 404, "message": "it has no such volume" } });
            (StatusCode::NOT_FOUND, Json(body))
        }
    }
}

async fn detach(
    State(world): Shared,
    headers: HeaderMap,
    Path((_, volume)): Path<(String, String)>,
) -> StatusCode {
    asked(&world, &headers, format!("DELETE {volume}"));
    let (_, attachment) = world.attached.lock().unwrap().remove(&volume).unwrap();
    world.cinder.detach(&attachment).await.unwrap();
    StatusCode::ACCEPTED
}

async fn attach(
    State(world): Shared,
    headers: HeaderMap,
    Path(server): Path<String>,
    Json(body): Json<Value>,
) -> Json<Value> {
    let wanted = &body["volumeAttachment"];
    let volume = wanted["volumeId"].as_str().unwrap().to_owned();
    asked(&world, &headers, format!("POST {body}"));
    let made = attach_in_cinder(&world.cinder, &volume).await;
    let device = wanted["device"].as_str().unwrap().to_owned();
    let row = (device.clone(), made);
    world.attached.lock().unwrap().insert(volume.clone(), row);
    Json(json!({ "volumeAttachment": {
        "id": volume, "serverId": server, "volumeId": volume, "device": device,
    } }))
}

/// As Nova does it: an attachment for the server, connected, completed.
async fn attach_in_cinder(cinder: &Cinder, volume: &str) -> Value {
    let body = json!({ "attachment": {
        "volume_uuid": volume, "instance_uuid": SERVER, "mode": "rw",
        "connector": {
            "host": "compute1", "initiator": INITIATOR, "ip": "127.0.0.1", "multipath": true,
            "os_type": "linux", "platform": "x86_64",
        },
    } });
    let made = cinder
        .ask(Method::POST, "/v3/attachments", Some(&body))
        .await;
    let made = made.unwrap()["attachment"].clone();
    let path = format!("/v3/attachments/{}/action", id(&made, "/id").unwrap());
    let complete = json!({ "os-complete": {} });
    cinder
        .ask(Method::POST, &path, Some(&complete))
        .await
        .unwrap();
    made
}

async fn until<F: Future<Output = bool>>(what: &str, happened: impl Fn() -> F) {
    let waiting = async {
        while !happened().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let patience = Duration::from_secs(120);
    assert!(
        tokio::time::timeout(patience, waiting).await.is_ok(),
        "{what}"
    );
}

/// The command line; its exit status and what it printed.
async fn springform(url: &str, arguments: &[&str]) -> (i32, String) {
    let done = tokio::process::Command::new(guests::springform().unwrap())
        .args(arguments)
        .args(["--url", url])
        .env("OS_TOKEN", TOKEN)
        .env_remove("NOVA_URL")
        .output()
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
    (done.status.code().unwrap(), text.into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_uses_a_volume_that_moved_is_told_and_attached_anew_and_the_old_array_is_fenced() {
    let site = Site::new().unwrap();
    let world = Arc::new(World {
        cinder: site.cinder(),
        events: Mutex::default(),
        refuse: Mutex::new(2),
        attached: Mutex::default(),
        asked: Mutex::default(),
    });
    let router = Router::new()
        .route("/hook", post(hook))
        .route("/v2.1/servers/{server}", get(server))
        .route("/v2.1/servers/{server}/os-volume_attachments", post(attach))
        .route(
            "/v2.1/servers/{server}/os-volume_attachments/{volume}",
            get(attached).delete(detach),
        )
        .with_state(world.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });

    let toml = site
        .toml()
        .unwrap()
        .replace("[service]\n", "[service]\nobserve_seconds = 1\n")
        .replace(
            "driver = \"pure-async\"\nsan_ip",
            "driver = \"pure-async\"\nuse_chap_auth = true\nsan_ip",
        );
    let webhook =
        format!("[[webhook]]\nname = \"ops\"\nurl = \"{there}/hook\"\nsecret = \"{SECRET}\"\n");
    std::fs::write(site.config(), toml + &webhook).unwrap();
    let host = site.host().await.unwrap();
    let cinder = &world.cinder;
    cinder
        .service_becomes(SERVICE, "replication_status", "enabled")
        .await
        .unwrap();
    let specs = json!({"replication_enabled": "<is> True", "replication_type": "<in> async"});
    cinder.create_type("replicated", &specs).await.unwrap();
    let mut volumes = Vec::new();
    for (name, device) in [("root", "/dev/vda"), ("data", "/dev/vdb")] {
        let volume = cinder.create_volume(name, 1, "replicated").await.unwrap();
        cinder.volume_becomes(&volume, "available").await.unwrap();
        let made = attach_in_cinder(cinder, &volume).await;
        let row = (device.to_owned(), made);
        world.attached.lock().unwrap().insert(volume.clone(), row);
        volumes.push(volume);
    }
    let (root, data) = (volumes[0].clone(), volumes[1].clone());
    let name = format!("volume-{data}-cinder");
    let written = site
        .control
        .write(PRIMARY, INITIATOR, &name, 0, b"bytes")
        .await;
    assert!(written.unwrap().is_success());
    for _ in 0..2 {
        site.control.advance(3700.0).await.unwrap();
    }

    site.control.power(PRIMARY, false).await.unwrap();
    let body = json!({"host": SERVICE, "backend_id": SECOND});
    cinder.put_service("failover_host", &body).await.unwrap();
    cinder
        .service_becomes(SERVICE, "replication_status", "failed-over")
        .await
        .unwrap();

    // The receiver refused twice; all the same everything arrives, and of each volume in order.
    let about = |kind: &str, volume: &str| {
        let kind = format!("org.springform.{kind}");
        let events = world.events.lock().unwrap();
        events
            .iter()
            .position(|e| e["type"] == *kind && e["subject"] == *volume)
    };
    until("the new connections are not told", || async {
        volumes
            .iter()
            .all(|v| about("attachment.connection", v).is_some())
    })
    .await;
    for volume in &volumes {
        assert!(about("volume.moved", volume) < about("attachment.connection", volume));
    }
    let at = about("attachment.connection", &data).unwrap();
    let event = world.events.lock().unwrap()[at]["data"].clone();
    assert_eq!(
        (&event["target"], &event["server_id"]),
        (&json!(SECOND), &json!(SERVER))
    );
    let paths = event["connection"]["paths"].as_array().unwrap().clone();
    assert!(!paths.is_empty() && paths.iter().all(|path| path["target"] == SECOND));
    assert_eq!(event["connection"]["credential_in_attachment"], true);
    let path = format!(
        "/v3/attachments/{}",
        event["attachment_id"].as_str().unwrap()
    );
    let shown = cinder.ask(Method::GET, &path, None).await.unwrap();
    let info = &shown["attachment"]["connection_info"];
    assert_eq!(
        info["target_portals"].as_array().unwrap().len(),
        paths.len()
    );
    let password = info["auth_password"].as_str().unwrap();
    let told = serde_json::to_string(&*world.events.lock().unwrap()).unwrap();
    assert!(!told.contains(password), "a credential was told");

    // Nova: the data volume is attached anew, the root volume is for a person.
    let (code, text) = springform(
        &host.url,
        &["attachments", "repair", "--nova", &there, "--dry-run"],
    )
    .await;
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("would-reattach"), "{text}");
    let (code, text) = springform(&host.url, &["attachments", "repair", "--nova", &there]).await;
    assert_eq!(code, 2, "{text}");
    assert!(
        text.contains(&format!("volume {data}  server {SERVER}  reattached")),
        "{text}"
    );
    let refresh = format!("nova-manage volume_attachment refresh {SERVER} {root} connector.json");
    assert!(text.contains(&refresh), "{text}");
    let changes: Vec<String> = {
        let asked = world.asked.lock().unwrap();
        asked
            .iter()
            .filter(|a| !a.starts_with("GET"))
            .cloned()
            .collect()
    };
    let wanted = json!({ "volumeAttachment": {
        "delete_on_termination": false, "device": "/dev/vdb", "volumeId": data,
    } });
    assert_eq!(
        changes,
        [format!("DELETE {data}"), format!("POST {wanted}")]
    );
    let (_, text) = springform(&host.url, &["attachments", "repair", "--nova", &there]).await;
    assert!(!text.contains(&data), "{text}");
    let read = site
        .control
        .read(SECOND, INITIATOR, &name, 0, 5)
        .await
        .unwrap();
    assert_eq!(read.unwrap().as_ref(), b"bytes");

    // The old array comes back: the host that still knows it may not write to it any more.
    site.control.power(PRIMARY, true).await.unwrap();
    until("the old array is not fenced", || async {
        let write = site
            .control
            .write(PRIMARY, INITIATOR, &name, 0, b"stale")
            .await;
        write.is_ok_and(|status| !status.is_success())
    })
    .await;
    until("the return was not told", || async {
        about("replication.array-fenced", &format!("pure1/{PRIMARY}")).is_some()
    })
    .await;
    // The numbers are those of the last look at the arrays.
    for number in [
        "springform_replication_fences_owed{backend=\"pure1\",target=\"pure1\"} 0",
        "springform_replication_observation_age_seconds{backend=\"pure1\"}",
        "springform_replication_drills_open{backend=\"pure1\"} 0",
    ] {
        until(number, || async {
            let metrics = reqwest::get(format!("{}/metrics", host.url)).await.unwrap();
            metrics.text().await.unwrap().contains(number)
        })
        .await;
    }
    until("what was delivered is not listed", || async {
        let list = ["outbox", "list", "--state", "delivered"];
        let (code, text) = springform(&host.url, &list).await;
        code == 0 && text.contains("volume.moved")
    })
    .await;
    assert!(host.stop().await.unwrap());
}
