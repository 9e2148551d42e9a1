//! Volumes and their actions.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use crate::support::Api;
use crate::support::array::Array;

#[tokio::test]
async fn a_volume_is_made_shown_changed_and_deleted_with_cinders_codes() {
    let array = Arc::new(Array::default());
    let api = Api::with_array(&array).await;
    let body = json!({"volume": {"size": 2, "name": "n", "metadata": {"a": "b"}}});
    let made = api.post("/v3/volumes", body).await;
    assert_eq!(made.status, 202);
    let made = &made.body["volume"];
    assert_eq!(
        (&made["status"], &made["size"]),
        (&json!("creating"), &json!(2))
    );
    // What the answer to a create leaves out.
    assert!(made.get("os-vol-host-attr:host").is_none());
    let path = format!("/v3/volumes/{}", made["id"].as_str().unwrap());
    let shown = api.settled(&path).await;
    assert_eq!(shown["status"], "available");
    assert_eq!(shown["os-vol-host-attr:host"], "springform@pure#pool");
    assert_eq!(shown["metadata"]["a"], "b");
    assert_eq!(shown["bootable"], "false");
    assert_eq!(shown["attachments"], json!([]));

    let renamed = api.put(&path, json!({"volume": {"name": "other"}})).await;
    assert_eq!(
        (renamed.status.as_u16(), &renamed.body["volume"]["name"]),
        (200, &json!("other"))
    );
    assert_eq!(api.delete(&path).await.status, 202);
    api.wait_for(|| async { api.get(&path).await.status == 404 })
        .await;
    let gone = api.get(&path).await;
    let id = path.rsplit('/').next().unwrap();
    assert_eq!(
        gone.body["itemNotFound"],
        json!({"code": 404, "message": format!("Volume {id} could not be found.")})
    );
    assert!(array.volumes.lock().unwrap().is_empty());
}

#[tokio::test]
async fn each_microversion_shows_what_it_brought() {
    let api = Api::with_array(&Arc::default()).await;
    let path = api.volume(1).await;
    let members = [
        ("group_id", 13),
        ("provider_id", 21),
        ("shared_targets", 48),
        ("service_uuid", 48),
        ("cluster_name", 61),
        ("volume_type_id", 63),
        ("consumes_quota", 65),
    ];
    for (member, since) in members {
        for (minor, there) in [(since - 1, false), (since, true)] {
            let shown = api
                .at(&format!("3.{minor}"), "GET", &path, Value::Null)
                .await;
            let shown = shown.body["volume"]
                .as_object()
                .unwrap()
                .contains_key(member);
            assert_eq!(shown, there, "{member} at 3.{minor}");
        }
    }
    assert_eq!(
        api.at("3.11", "GET", "/v3/volumes/summary", Value::Null)
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn the_summary_counts_without_reading_the_volumes() {
    let api = Api::with_array(&Arc::default()).await;
    for (size, name) in [(1, "x"), (2, "x"), (3, "y")] {
        let body = json!({"volume": {"size": size, "metadata": {"k": name}}});
        assert_eq!(api.post("/v3/volumes", body).await.status, 202);
    }
    api.wait_for(|| async {
        let all = api.get("/v3/volumes/detail?status=available").await;
        all.body["volumes"].as_array().unwrap().len() == 3
    })
    .await;
    let path = "/v3/volumes/summary";
    let old = api.at("3.12", "GET", path, Value::Null).await;
    assert_eq!(
        old.body,
        json!({"volume-summary": {"total_count": 3, "total_size": 6}})
    );
    let new = api.at("3.36", "GET", path, Value::Null).await.body;
    assert_eq!(new["volume-summary"]["metadata"]["k"], json!(["x", "y"]));
}

#[tokio::test]
async fn metadata_written_by_many_at_once_is_all_there_in_the_end() {
    let api = Arc::new(Api::with_array(&Arc::default()).await);
    let volume = api.volume(1).await;
    let body = json!({"snapshot": {"volume_id": volume.rsplit('/').next().unwrap()}});
    let made = api.post("/v3/snapshots", body).await;
    let snapshot = format!(
        "/v3/snapshots/{}",
        made.body["snapshot"]["id"].as_str().unwrap()
    );
    api.settled(&snapshot).await;
    for path in [volume, snapshot] {
        let mut writers = tokio::task::JoinSet::new();
        for n in 0..24 {
            let (api, path) = (api.clone(), path.clone());
            writers.spawn(async move {
                let entry = json!({"metadata": {format!("k{n}"): "v"}});
                let got = api.post(&format!("{path}/metadata"), entry).await;
                assert_eq!(got.status, 200, "{}", got.text);
            });
        }
        writers.join_all().await;
        let all = api.get(&format!("{path}/metadata")).await.body;
        let kept = all["metadata"].as_object().unwrap();
        assert_eq!(
            kept.keys().filter(|key| key.starts_with('k')).count(),
            24,
            "{path}"
        );
        let one = format!("{path}/metadata/k7");
        assert_eq!(api.get(&one).await.body, json!({"meta": {"k7": "v"}}));
        assert_eq!(api.delete(&one).await.status, 200);
        let gone = api.delete(&one).await;
        assert_eq!(
            (gone.status.as_u16(), gone.message()),
            (404, "Metadata item was not found")
        );
        let odd = api.put(&one, json!({"meta": {"other": "v"}})).await;
        assert_eq!(
            (odd.status.as_u16(), odd.message()),
            (400, "Request body and URI mismatch")
        );
    }
}

#[tokio::test]
async fn actions_answer_as_cinder_does_and_refuse_what_the_state_forbids() {
    let array = Arc::new(Array::default());
    let api = Api::with_array(&array).await;
    let path = api.volume(1).await;
    let action = format!("{path}/action");
    let act = |body: Value| api.post(&action, body);
    for (body, code) in [
        (json!({"os-set_bootable": {"bootable": true}}), 200),
        (json!({"os-update_readonly_flag": {"readonly": true}}), 202),
        (
            json!({"os-set_image_metadata": {"metadata": {"os": "x"}}}),
            200,
        ),
        (json!({"os-unset_image_metadata": {"key": "os"}}), 200),
        (json!({"os-unset_image_metadata": {"key": "os"}}), 404),
        (json!({"os-reserve": {}}), 202),
        (json!({"os-reserve": {}}), 400),
        (json!({"os-unreserve": {}}), 202),
        (json!({"os-begin_detaching": {}}), 400),
        (json!({"os-extend": {"new_size": 1}}), 400),
        (json!({"os-extend": {"new_size": "many"}}), 400),
        (json!({"os-nonsense": {}}), 400),
        (json!({}), 400),
        (json!({"os-volume_upload_image": {}}), 400),
        (json!({"os-migrate_volume": {"host": "x"}}), 400),
        (json!({"os-extend": {"new_size": 3}}), 202),
    ] {
        let got = act(body.clone()).await;
        assert_eq!(got.status, code, "{body}: {}", got.text);
        api.settled(&path).await;
    }
    let shown = api.get(&path).await.body;
    assert_eq!(
        (&shown["volume"]["size"], &shown["volume"]["bootable"]),
        (&json!(3), &json!("true"))
    );
    assert_eq!(shown["volume"]["metadata"]["readonly"], "True");

    array.broken.store(true, Ordering::SeqCst);
    assert_eq!(act(json!({"os-extend": {"new_size": 4}})).await.status, 202);
    let failed = api.settled(&path).await;
    assert_eq!(
        (&failed["status"], &failed["size"]),
        (&json!("error_extending"), &json!(3))
    );
    let messages = api.get("/v3/messages").await.body;
    assert_eq!(messages["messages"][0]["resource_type"], "VOLUME");
    array.broken.store(false, Ordering::SeqCst);
    let reset = json!({"os-reset_status": {"status": "available"}});
    assert_eq!(act(reset).await.status, 202);
    assert_eq!(api.settled(&path).await["status"], "available");
    assert_eq!(act(json!({"os-force_delete": {}})).await.status, 202);
    api.wait_for(|| async { api.get(&path).await.status == 404 })
        .await;
}

#[tokio::test]
async fn what_no_backend_has_room_for_ends_in_error_and_many_creates_share_the_room() {
    let array = Arc::new(Array {
        room: 10,
        ..Array::default()
    });
    let api = Api::with_array(&array).await;
    let wide = json!({"quota_set": {"volumes": -1, "gigabytes": -1}});
    let project = api.volume(1).await;
    let project = api.get(&project).await.body["volume"]["os-vol-tenant-attr:tenant_id"].clone();
    let quota = format!("/v3/os-quota-sets/{}", project.as_str().unwrap());
    assert_eq!(api.put(&quota, wide).await.status, 200);
    for _ in 0..14 {
        let body = json!({"volume": {"size": 1}});
        assert_eq!(api.post("/v3/volumes", body).await.status, 202);
    }
    let of = async |status: &str| {
        let list = api.get(&format!("/v3/volumes?status={status}")).await.body;
        list["volumes"].as_array().unwrap().len()
    };
    api.wait_for(|| async { of("creating").await == 0 }).await;
    // The statistics of the array are a minute old at most: nobody asked again, and still it is not overfilled.
    // A volume that the array had while it was asked, and whose making ended a moment later, counts twice until it is
    // asked again; that may have been the first one.
    let (made, refused) = (of("available").await, of("error").await);
    assert!((9..=10).contains(&made), "{made} made");
    assert_eq!(made + refused, 15);
    let why = api.get("/v3/messages").await.body["messages"][0]["user_message"].clone();
    assert!(why.as_str().unwrap().contains("CapacityFilter"), "{why}");
}
