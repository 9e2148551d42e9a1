//! Small conduct of Cinder's own source that scripts rely on.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::Api;
use crate::support::array::Array;

const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

async fn api() -> Api {
    Api::with_array(&Arc::new(Array::default())).await
}

#[tokio::test]
async fn what_a_volume_cannot_be_made_from_is_refused_before_it_is_made() {
    let api = api().await;
    let volume = api.volume(1).await;
    let id = volume.rsplit('/').next().unwrap();
    let snapshot = api
        .post("/v3/snapshots", json!({"snapshot": {"volume_id": id}}))
        .await;
    let snapshot = snapshot.body["snapshot"]["id"].clone();
    api.settled(&format!("/v3/snapshots/{}", snapshot.as_str().unwrap()))
        .await;
    for body in [
        json!({"size": 1, "availability_zone": "mars"}),
        json!({"size": 1, "multiattach": true}),
        json!({"size": 1, "source_volid": id, "snapshot_id": snapshot}),
        json!({"size": 1, "source_volid": "no-uuid"}),
        json!({"size": 1, "snapshot_id": ""}),
    ] {
        let refused = api.post("/v3/volumes", json!({"volume": body})).await;
        assert_eq!(refused.status, 400, "{body}: {}", refused.text);
    }
    let gone = json!({"volume": {"size": 1, "source_volid": NOBODY}});
    assert_eq!(api.post("/v3/volumes", gone).await.status, 404);
    assert_eq!(
        api.get("/v3/volumes").await.body["volumes"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    // What means nothing is taken from old clients, and from new ones not.
    let odd = json!({"volume": {"size": 1, "nonsense": {"a": 1}}});
    assert_eq!(
        api.at("3.52", "POST", "/v3/volumes", odd.clone())
            .await
            .status,
        202
    );
    assert_eq!(api.at("3.53", "POST", "/v3/volumes", odd).await.status, 400);
}

#[tokio::test]
async fn a_snapshot_needs_the_id_of_a_volume() {
    let api = api().await;
    for (volume, status) in [
        (json!(null), 404),
        (json!(NOBODY), 404),
        (json!("x"), 400),
        (json!(1), 400),
    ] {
        let got = api
            .post("/v3/snapshots", json!({"snapshot": {"volume_id": volume}}))
            .await;
        assert_eq!(got.status, status, "{volume}: {}", got.text);
    }
    assert_eq!(
        api.post("/v3/snapshots", json!({"snapshot": {}}))
            .await
            .status,
        400
    );
    for (path, body) in [
        (
            "/v3/volume-transfers",
            json!({"transfer": {"volume_id": "x"}}),
        ),
        (
            "/v3/group_snapshots",
            json!({"group_snapshot": {"group_id": "x"}}),
        ),
        (
            "/v3/manageable_snapshots",
            json!({"snapshot": {"volume_id": "x", "ref": "y"}}),
        ),
    ] {
        assert_eq!(api.post(path, body).await.status, 400, "{path}");
    }
}

#[tokio::test]
async fn null_takes_a_name_away() {
    let api = api().await;
    let volume = api.volume(1).await;
    let named = json!({"volume": {"name": " n ", "description": "d"}});
    let named = api.put(&volume, named).await.body["volume"].clone();
    assert_eq!(
        (&named["name"], &named["description"]),
        (&json!("n"), &json!("d"))
    );
    let half = api
        .put(&volume, json!({"volume": {"name": null}}))
        .await
        .body["volume"]
        .clone();
    assert_eq!(
        (&half["name"], &half["description"]),
        (&json!(null), &json!("d"))
    );
    let old = json!({"volume": {"display_description": null}});
    assert_eq!(
        api.put(&volume, old).await.body["volume"]["description"],
        Value::Null
    );
    let id = volume.rsplit('/').next().unwrap();
    let taken = json!({"snapshot": {"volume_id": id, "name": "s"}});
    let taken = api.post("/v3/snapshots", taken).await.body["snapshot"]["id"].clone();
    let path = format!("/v3/snapshots/{}", taken.as_str().unwrap());
    assert_eq!(api.settled(&path).await["name"], "s");
    let cleared = api.put(&path, json!({"snapshot": {"name": null}})).await;
    assert_eq!(cleared.body["snapshot"]["name"], Value::Null);
}

#[tokio::test]
async fn a_path_with_a_slash_at_its_end_is_none() {
    let api = api().await;
    for path in [
        "/v3/volumes/",
        "/v3/ab12/volumes/",
        "/v3/snapshots/",
        "/v3/types/",
    ] {
        for method in ["GET", "DELETE"] {
            assert_eq!(
                api.at("3.71", method, path, Value::Null).await.status,
                404,
                "{method} {path}"
            );
        }
    }
    assert_eq!(api.get("/v3/").await.status, 200);
}

#[tokio::test]
async fn a_volume_that_was_never_placed_is_gone_when_its_deletion_answers() {
    let api = api().await;
    let body =
        json!({"volume_type": {"name": "t", "extra_specs": {"volume_backend_name": "nowhere"}}});
    api.post("/v3/types", body).await;
    let made = api
        .post(
            "/v3/volumes",
            json!({"volume": {"size": 1, "volume_type": "t"}}),
        )
        .await;
    let path = format!(
        "/v3/volumes/{}",
        made.body["volume"]["id"].as_str().unwrap()
    );
    assert_eq!(api.settled(&path).await["status"], "error");
    assert_eq!(api.delete(&path).await.status, 202);
    assert_eq!(api.get(&path).await.status, 404);
}

#[tokio::test]
async fn a_limit_below_what_is_used_is_refused() {
    let api = api().await;
    let volume = api.volume(2).await;
    let project = api.get(&volume).await.body["volume"]["os-vol-tenant-attr:tenant_id"].clone();
    let path = format!("/v3/os-quota-sets/{}", project.as_str().unwrap());
    for (key, limit, status) in [
        ("volumes", 0, 400),
        ("gigabytes", 1, 400),
        ("volumes", -1, 200),
        ("gigabytes", 2, 200),
        ("per_volume_gigabytes", 1, 200),
        ("snapshots", 0, 200),
        ("volumes___DEFAULT__", 0, 400),
    ] {
        let got = api.put(&path, json!({"quota_set": {key: limit}})).await;
        assert_eq!(got.status, status, "{key} {limit}: {}", got.text);
    }
    let over = api
        .post("/v3/volumes", json!({"volume": {"size": 1}}))
        .await;
    assert_eq!(
        (
            over.status.as_u16(),
            over.headers["retry-after"].to_str().unwrap()
        ),
        (413, "0")
    );
}

#[tokio::test]
async fn a_snapshot_that_somebody_else_makes_is_told_how_far_it_is() {
    let api = Api::with_tokens_and_array(&Arc::new(Array::default())).await;
    let version = ("openstack-api-version", "volume 3.71");
    let send = async |who: &str, method: &str, path: &str, body: Value| {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let token = format!("{who}-token-of-test");
        api.send(
            method,
            path,
            &[("x-auth-token", token.as_str()), version],
            body,
        )
        .await
    };
    let ended = async |path: &str, key: &str| {
        api.wait_for(|| async {
            send("member", "GET", path, Value::Null).await.body[key]["status"] == "available"
        })
        .await;
    };
    let made = send(
        "member",
        "POST",
        "/v3/volumes",
        json!({"volume": {"size": 1}}),
    )
    .await;
    let id = made.body["volume"]["id"].clone();
    ended(&format!("/v3/volumes/{}", id.as_str().unwrap()), "volume").await;
    let taken = json!({"snapshot": {"volume_id": id}});
    let taken = send("member", "POST", "/v3/snapshots", taken).await.body["snapshot"]["id"].clone();
    let path = format!("/v3/snapshots/{}", taken.as_str().unwrap());
    ended(&path, "snapshot").await;
    let action = format!("{path}/action");
    let say =
        |status: &str| json!({"os-update_snapshot_status": {"status": status, "progress": "80%"}});
    let reset = |status: &str| json!({"os-reset_status": {"status": status}});
    assert_eq!(
        send("member", "POST", &action, say("error")).await.status,
        400
    );
    assert_eq!(
        send("member", "POST", &action, reset("creating"))
            .await
            .status,
        403
    );
    assert_eq!(
        send("admin", "POST", &action, reset("creating"))
            .await
            .status,
        202
    );
    assert_eq!(
        send("member", "POST", &action, say("deleting"))
            .await
            .status,
        400
    );
    assert_eq!(
        send("member", "POST", &action, say("error")).await.status,
        202
    );
    let shown = send("member", "GET", &path, Value::Null).await.body["snapshot"].clone();
    assert_eq!(shown["status"], "error");
    assert_eq!(shown["os-extended-snapshot-attributes:progress"], "80%");
    for refused in [json!({"os-force_delete": {}}), json!({"os-unmanage": {}})] {
        assert_eq!(send("member", "POST", &action, refused).await.status, 403);
    }
}

#[tokio::test]
async fn without_a_backup_service_there_are_no_backups() {
    let api = api().await;
    for path in ["/v3/backups", "/v3/backups/detail"] {
        assert_eq!(api.get(path).await.body, json!({"backups": []}));
    }
    assert_eq!(
        api.get("/v3/backups?with_count=true").await.body["count"],
        0
    );
    let one = format!("/v3/backups/{NOBODY}");
    for (method, path) in [
        ("GET", one.clone()),
        ("DELETE", one.clone()),
        ("GET", format!("{one}/export_record")),
    ] {
        let got = api.at("3.71", method, &path, Value::Null).await;
        assert_eq!(
            got.message(),
            format!("Backup {NOBODY} could not be found.")
        );
        assert_eq!(got.status, 404);
    }
    let make = async |volume: &str| {
        api.post("/v3/backups", json!({"backup": {"volume_id": volume}}))
            .await
    };
    assert_eq!(make("x").await.status, 400);
    assert_eq!(make(NOBODY).await.status, 404);
    let volume = api.volume(1).await;
    let refused = make(volume.rsplit('/').next().unwrap()).await;
    assert_eq!(refused.status, 503);
    assert_eq!(
        refused.message(),
        "Service cinder-backup could not be found."
    );
}

#[tokio::test]
async fn hosts_and_services_are_those_of_a_cinder_in_one_process() {
    let api = api().await;
    api.volume(2).await;
    let services = api.get("/v3/os-services").await.body["services"].clone();
    let binaries: Vec<&str> = services
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["binary"].as_str().unwrap())
        .collect();
    assert_eq!(binaries, ["cinder-volume", "cinder-scheduler"]);
    assert_eq!(services[1]["host"], "springform");
    assert!(services[1].get("replication_status").is_none());
    let only = api.get("/v3/os-services?binary=cinder-scheduler").await;
    assert_eq!(only.body["services"].as_array().unwrap().len(), 1);
    let hosts = api.get("/v3/os-hosts").await.body["hosts"].clone();
    assert_eq!(hosts.as_array().unwrap().len(), 2);
    assert_eq!(
        api.get("/v3/os-hosts?zone=mars").await.body["hosts"],
        json!([])
    );
    let shown = api.get("/v3/os-hosts/springform@pure").await.body["host"].clone();
    assert_eq!(shown[0]["resource"]["project"], "(total)");
    assert_eq!(shown[0]["resource"]["total_volume_gb"], "2");
    assert_eq!(shown[1]["resource"]["volume_count"], "1");
    assert_eq!(api.get("/v3/os-hosts/nowhere").await.status, 404);
}

#[tokio::test]
async fn there_is_a_type_for_volumes_that_name_none() {
    let api = api().await;
    let default = api.get("/v3/types/default").await.body["volume_type"].clone();
    assert_eq!(default["name"], "__DEFAULT__");
    let volume = api.volume(1).await;
    let volume = api.get(&volume).await.body["volume"].clone();
    assert_eq!(
        (&volume["volume_type"], &volume["volume_type_id"]),
        (&json!("__DEFAULT__"), &default["id"])
    );
    let refused = api
        .delete(&format!("/v3/types/{}", default["id"].as_str().unwrap()))
        .await;
    assert_eq!(refused.status, 400);
}

#[tokio::test]
async fn a_backend_without_another_array_is_failed_over_nowhere() {
    let array = Array {
        claims: true,
        ..Array::default()
    };
    let api = Api::with_array(&Arc::new(array)).await;
    let volume = api.volume(1).await;
    let volume = api.get(&volume).await.body["volume"].clone();
    assert_eq!(volume["replication_status"], "not-capable");
    let pools = api.get("/v3/scheduler-stats/get_pools?detail=true").await;
    let pool = pools.body["pools"][0]["capabilities"].clone();
    assert_eq!(
        (&pool["replication_enabled"], &pool["replication_targets"]),
        (&json!(false), &json!([]))
    );
    for path in ["/v3/os-services/failover_host", "/v3/os-services/failover"] {
        for body in [
            json!({"host": "springform@pure"}),
            json!({"host": "springform@pure", "backend_id": "b"}),
        ] {
            let refused = api.put(path, body.clone()).await;
            assert_eq!(refused.status, 400, "{body}: {}", refused.text);
        }
    }
    let service = api.get("/v3/os-services").await.body["services"][0].clone();
    assert_eq!(service["replication_status"], "disabled");
    assert_eq!(service["active_backend_id"], Value::Null);
    let body = json!({"scope": {"backend": "pure"}});
    for path in ["/admin/v1/plans", "/admin/v1/failover"] {
        let refused = api.post(path, body.clone()).await;
        assert!(refused.status.is_client_error(), "{path}: {}", refused.text);
    }
}
