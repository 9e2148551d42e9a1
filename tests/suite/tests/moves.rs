//! Moves, drills and failbacks of the real program with real drivers: whatever way they end, backend, volumes, sizes, limits,
//! metadata and what Cinder says are true.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod desk;

use desk::{BACKEND, Desk};
use flasharray_sim::fault::{FaultKind, FaultSpec};
use reqwest::Method;
use serde_json::{Value, json};
use springform_suite::cinder::{Cinder, id};
use springform_suite::guests;
use springform_suite::host::{Host, free_address};
use springform_suite::site::{PRIMARY, SECOND, SERVICE};
use tokio::time::Instant;

/// A type with limits, and a volume of it of which a copy has arrived.
async fn limited(desk: &Desk) -> String {
    let specs = json!({"replication_enabled": "<is> True", "replication_type": "<in> async"});
    let kind = desk.cloud.create_type("limited", &specs).await.unwrap();
    let path = "/v3/qos-specs";
    let body = json!({"qos_specs": {"name": "slow", "consumer": "back-end", "maxIOPS": "500"}});
    let made = desk.cloud.ask(Method::POST, path, Some(&body)).await;
    let slow = id(&made.unwrap(), "/qos_specs/id").unwrap();
    let path = format!("/v3/qos-specs/{slow}/associate?vol_type_id={kind}");
    desk.cloud.ask(Method::GET, &path, None).await.unwrap();
    let made = desk.cloud.create_volume("limited", 1, "limited").await;
    let volume = made.unwrap();
    desk.cloud
        .volume_becomes(&volume, "available")
        .await
        .unwrap();
    for _ in 0..2 {
        desk.site.control.advance(3700.0).await.unwrap();
    }
    volume
}

async fn extend(desk: &Desk, volume: &str, size: u64) {
    let path = format!("/v3/volumes/{volume}/action");
    let body = json!({"os-extend": {"new_size": size}});
    desk.cloud
        .ask(Method::POST, &path, Some(&body))
        .await
        .unwrap();
    desk.cloud
        .volume_becomes(volume, "available")
        .await
        .unwrap();
}

/// An array that makes no volume of its copy.
fn makes_no_volume() -> FaultSpec {
    FaultSpec {
        method: Some("POST".to_owned()),
        path: Some("volumes".to_owned()),
        status: Some(400),
        body: Some(json!({"errors": [{"message": "Invalid operation."}]})),
        ..FaultSpec::new(FaultKind::Status)
    }
}

async fn used_gigabytes(desk: &Desk) -> u64 {
    let project = "0123456789abcdef0123456789abcdef";
    let path = format!("/v3/os-quota-sets/{project}?usage=True");
    let answer = desk.cloud.ask(Method::GET, &path, None).await.unwrap();
    answer["quota_set"]["gigabytes"]["in_use"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planned_move_and_its_failback_end_with_everything_true() {
    let desk = Desk::new().await;
    let volume = limited(&desk).await;
    let path = "/v3/volumes";
    let body = json!({"volume": {"name": "clone", "size": 1, "source_volid": volume}});
    let made = desk.cloud.ask(Method::POST, path, Some(&body)).await;
    let clone = id(&made.unwrap(), "/volume/id").unwrap();
    desk.cloud
        .volume_becomes(&clone, "available")
        .await
        .unwrap();
    desk.site.control.advance(3700.0).await.unwrap();
    desk.is_true().await;
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
    assert_eq!(desk.served_by().await, SECOND);
    desk.is_true().await;
    desk.does(&["failback", "--backend", PRIMARY, "--yes"])
        .await;
    assert_eq!(desk.served_by().await, PRIMARY);
    desk.is_true().await;
    desk.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_that_stopped_half_way_is_taken_back_to_the_array_that_the_volume_was_to_leave() {
    let desk = Desk::new().await;
    let refuses = makes_no_volume();
    desk.site.control.fault(SECOND, &refuses).await.unwrap();
    let over = [
        "failover",
        "--backend",
        PRIMARY,
        "--to",
        SECOND,
        "--planned",
        "--yes",
    ];
    let said = desk.run(&over).await;
    assert_ne!(said.code, 0, "{}{}", said.out, said.err);
    let stood = async || {
        let path = format!("/admin/v1/volumes/{}", desk.volume);
        let seen = desk.cloud.ask(Method::GET, &path, None).await.unwrap();
        seen["phase"].as_str().unwrap().to_owned()
    };
    assert_eq!(stood().await, "stranded");
    // The second array has burnt: the only way is back.
    desk.site.control.power(SECOND, false).await.unwrap();
    let plan = ["plan", "--backend", PRIMARY, "--to", PRIMARY];
    let said = desk.does(&plan).await.out;
    assert!(said.contains("is given its role back"), "{said}");
    desk.does(&["failback", "--backend", PRIMARY, "--no-reprotect", "--yes"])
        .await;
    assert_eq!(stood().await, "settled");
    assert_eq!(desk.served_by().await, PRIMARY);
    desk.site.control.clear_faults(SECOND).await.unwrap();
    desk.site.control.power(SECOND, true).await.unwrap();
    // It may have made the volume of its copy before it said no.
    let again = ["reprotect", "--backend", PRIMARY, "--discard", "--yes"];
    desk.does(&again).await;
    desk.is_true().await;
    desk.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_that_its_machine_left_while_it_was_an_error_is_available_once_it_has_moved() {
    let desk = Desk::new().await;
    let machine = "iqn.1993-08.org.debian:01:dada";
    let attached = desk.cloud.attach(&desk.volume, "compute2", machine).await;
    desk.cloud
        .volume_becomes(&desk.volume, "in-use")
        .await
        .unwrap();
    let refuses = makes_no_volume();
    desk.site.control.fault(SECOND, &refuses).await.unwrap();
    let over = [
        "failover",
        "--backend",
        PRIMARY,
        "--to",
        SECOND,
        "--planned",
        "--yes",
    ];
    let said = desk.run(&over).await;
    assert_ne!(said.code, 0, "{}{}", said.out, said.err);
    let volume = desk.cloud.volume(&desk.volume).await.unwrap();
    assert_eq!(volume["status"], "error", "{volume}");
    desk.cloud.detach(&attached.unwrap()).await.unwrap();
    let volume = desk.cloud.volume(&desk.volume).await.unwrap();
    assert_eq!(volume["status"], "error", "{volume}");
    desk.site.control.clear_faults(SECOND).await.unwrap();
    desk.does(&over).await;
    assert_eq!(desk.served_by().await, SECOND);
    let volume = desk.cloud.volume(&desk.volume).await.unwrap();
    assert_eq!(volume["status"], "available", "{volume}");
    assert_eq!(volume["attachments"], json!([]), "{volume}");
    // Another machine can have it.
    desk.attach().await;
    desk.cloud
        .volume_becomes(&desk.volume, "in-use")
        .await
        .unwrap();
    desk.is_true().await;
    desk.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failback_that_is_told_so_leaves_protection_out_and_cinder_says_it() {
    let desk = Desk::new().await;
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
    let back = ["failback", "--backend", PRIMARY, "--no-reprotect", "--yes"];
    desk.does(&back).await;
    let volume = desk.cloud.volume(&desk.volume).await.unwrap();
    assert_eq!(volume["replication_status"], "disabled");
    desk.is_true().await;
    desk.does(&["reprotect", "--backend", PRIMARY, "--yes"])
        .await;
    let volume = desk.cloud.volume(&desk.volume).await.unwrap();
    assert_eq!(volume["replication_status"], "enabled");
    desk.is_true().await;
    desk.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_added_after_the_last_point_is_in_the_plan_and_the_size_is_the_arrays_afterwards()
{
    let desk = Desk::new().await;
    let volume = limited(&desk).await;
    desk.time_stands_still(true);
    extend(&desk, &volume, 3).await;
    assert_eq!(used_gigabytes(&desk).await, 4);
    desk.site.control.power(PRIMARY, false).await.unwrap();
    let plan = ["plan", "--backend", PRIMARY, "--to", SECOND];
    let said = desk.does(&plan).await.out;
    assert!(said.contains("2 GiB were added after it"), "{said}");
    let over = ["failover", "--backend", PRIMARY, "--to", SECOND, "--yes"];
    let moved = desk.does(&over).await.out;
    assert!(moved.contains("has 1 GiB on sec2 and had 3 GiB"), "{moved}");
    let now = desk.cloud.volume(&volume).await.unwrap();
    assert_eq!(now["size"], 1);
    assert_eq!(used_gigabytes(&desk).await, 2);
    desk.is_true().await;
    // It can be grown again, and comes home as it is.
    desk.time_stands_still(false);
    extend(&desk, &volume, 2).await;
    desk.site.control.power(PRIMARY, true).await.unwrap();
    desk.does(&["failback", "--backend", PRIMARY, "--discard", "--yes"])
        .await;
    let now = desk.cloud.volume(&volume).await.unwrap();
    assert_eq!(now["size"], 2);
    desk.is_true().await;
    desk.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_drill_became_the_failover_everything_agrees_on_where_volumes_are() {
    let desk = Desk::new().await;
    let volume = limited(&desk).await;
    let start = [
        "drill",
        "start",
        "--backend",
        PRIMARY,
        "--to",
        SECOND,
        "--minutes",
        "30",
    ];
    let started = desk.does(&start).await.out;
    let drill = started.lines().find_map(|l| l.strip_prefix("drill "));
    let drill = drill.unwrap().to_owned();
    desk.does(&["drill", "commit", &drill, "--yes"]).await;
    desk.is_true().await;
    let service = desk.cloud.service(SERVICE).await.unwrap();
    assert_eq!(service["active_backend_id"], SECOND);
    let body = json!({"host": SERVICE, "binary": "cinder-volume"});
    desk.cloud.put_service("enable", &body).await.unwrap();
    let made = desk
        .cloud
        .create_volume("after", 1, "limited")
        .await
        .unwrap();
    desk.cloud.volume_becomes(&made, "available").await.unwrap();
    desk.is_true().await;
    desk.does(&["failback", "--backend", PRIMARY, "--discard", "--yes"])
        .await;
    for one in [&volume, &made] {
        let now = desk.cloud.volume(one).await.unwrap();
        assert_eq!(now["metadata"]["array_name"], PRIMARY, "{now}");
    }
    desk.is_true().await;
    desk.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_that_is_gone_from_its_array_holds_up_no_other() {
    let desk = Desk::new().await;
    let lost = limited(&desk).await;
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
    // Somebody destroys one on the array, by hand.
    let array = desk.site.sim.address(SECOND);
    by_hand(&desk, &array.to_string(), &format!("volume-{lost}-cinder")).await;
    let back = desk.run(&["failback", "--backend", PRIMARY, "--yes"]).await;
    assert_ne!(back.code, 0, "{}", back.out);
    assert!(
        back.out.contains(&lost) || back.err.contains(&lost),
        "{}",
        back.out
    );
    assert_eq!(
        desk.served_by().await,
        PRIMARY,
        "{}\n{}",
        back.out,
        back.err
    );
    let kept = desk.cloud.volume(&desk.volume).await.unwrap();
    assert_eq!(kept["replication_status"], "enabled");
    desk.ends().await;
}

async fn by_hand(desk: &Desk, array: &str, name: &str) {
    let http = reqwest::Client::builder()
        .danger_accept_invalid_certs(true)
        .build()
        .unwrap();
    let base = format!("https://{array}/api/2.26");
    let login = http
        .post(format!("{base}/login"))
        .header("api-token", desk.site.sim.api_token(SECOND))
        .header("content-length", "0")
        .send()
        .await
        .unwrap();
    let token = login.headers()["x-auth-token"].clone();
    let gone = http
        .patch(format!("{base}/volumes?names={name}"))
        .header("x-auth-token", token)
        .json(&json!({"destroyed": true}))
        .send()
        .await
        .unwrap();
    assert!(gone.status().is_success(), "{}", gone.text().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn after_one_volume_was_moved_alone_the_backends_verbs_work_for_all() {
    let desk = Desk::new().await;
    let other = limited(&desk).await;
    let alone = [
        "failover",
        "--volume",
        &other,
        "--to",
        SECOND,
        "--planned",
        "--yes",
    ];
    desk.does(&alone).await;
    for words in [&["reprotect", "--yes"][..], &["resync"]] {
        desk.does(&[words, &BACKEND].concat()).await;
    }
    let start = ["drill", "start", "--backend", PRIMARY, "--to", SECOND];
    let started = desk.run(&start).await;
    let text = format!("{}{}", started.out, started.err);
    assert!(text.contains("1 of 2, 1 failed"), "{text}");
    assert!(text.contains(&other) && text.contains("sec2"), "{text}");
    let drill = text.lines().find_map(|l| l.strip_prefix("drill "));
    desk.does(&["drill", "stop", drill.unwrap()]).await;
    desk.does(&["failback", "--backend", PRIMARY, "--yes"])
        .await;
    desk.is_true().await;
    desk.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn repairing_the_record_of_a_backend_does_not_let_it_serve_by_itself() {
    let desk = Desk::new().await;
    desk.does(&["freeze", PRIMARY]).await;
    desk.does(&["reset-active-backend", PRIMARY, "--yes"]).await;
    let service = desk.cloud.service(SERVICE).await.unwrap();
    assert_eq!(service["status"], "disabled", "{service}");
    desk.does(&["thaw", PRIMARY]).await;
    desk.ends().await;
}

/// A host with a driver that lies about the last transfer in one of several ways.
struct Lied {
    folder: tempfile::TempDir,
    host: Host,
    cloud: Cinder,
    volume: String,
}

impl Lied {
    async fn to(behaviour: &str) -> Self {
        let address = free_address().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("springform.toml");
        let text = format!(
            "[service]\nlisten = \"{address}\"\nallow_inline_secrets = true\n\n[driver.lying]\npath = \"{}\"\n\n[[backend]]\n\
             volume_backend_name = \"{PRIMARY}\"\ndriver = \"lying\"\nsan_ip = \"127.0.0.1:9\"\nbehaviour = \"{behaviour}\"\n\n\
             [[backend.replication_device]]\nbackend_id = \"{SECOND}\"\nsan_ip = \"127.0.0.1:9\"\ntype = \"async\"\n",
            guests::guest("lying").unwrap().display()
        );
        std::fs::write(&config, text).unwrap();
        let host = Host::start(&config, address).await.unwrap();
        let cloud = Cinder::new(&host.url);
        let up = cloud.service_becomes(SERVICE, "replication_status", "enabled");
        up.await.unwrap();
        let specs = json!({"replication_enabled": "<is> True", "replication_type": "<in> async"});
        cloud.create_type("replicated", &specs).await.unwrap();
        let volume = cloud.create_volume("v", 1, "replicated").await.unwrap();
        cloud.volume_becomes(&volume, "available").await.unwrap();
        Self {
            folder,
            host,
            cloud,
            volume,
        }
    }

    async fn moved(&self) -> Value {
        let body = json!({"scope": {"backend": PRIMARY}, "to": SECOND, "mode": "planned"});
        let path = "/admin/v1/failover";
        let begun = self.cloud.ask(Method::POST, path, Some(&body)).await;
        let operation = id(&begun.unwrap(), "/operation").unwrap();
        let deadline = Instant::now() + desk::PATIENCE;
        loop {
            let path = format!("/admin/v1/operations/{operation}");
            let now = self.cloud.ask(Method::GET, &path, None).await.unwrap();
            if !now["finished_at"].is_null() {
                return now;
            }
            assert!(Instant::now() < deadline, "{now}");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_driver_that_lies_about_the_last_transfer_moves_nothing() {
    for behaviour in ["same", "none", "older", "left-out", "elsewhere", "refuses"] {
        let lied = Lied::to(behaviour).await;
        let ended = lied.moved().await;
        assert_eq!(ended["state"], "failed", "{behaviour}: {ended}");
        let why = ended["result"]["failures"][&lied.volume]["message"].as_str();
        let why = why.unwrap();
        assert!(
            why.contains("it was not moved, pure1 serves it"),
            "{behaviour}: {why}"
        );
        let volume = lied.cloud.volume(&lied.volume).await.unwrap();
        assert_eq!(volume["status"], "available", "{behaviour}");
        assert_eq!(volume["replication_status"], "enabled", "{behaviour}");
        let service = lied.cloud.service(SERVICE).await.unwrap();
        assert_eq!(service["replication_status"], "enabled", "{behaviour}");
        assert_eq!(service["status"], "enabled", "{behaviour}");
        assert!(lied.host.stop().await.unwrap());
        drop(lied.folder);
    }
    let honest = Lied::to("honest").await;
    let ended = honest.moved().await;
    assert_eq!(ended["state"], "succeeded", "{ended}");
    assert!(honest.host.stop().await.unwrap());
}
