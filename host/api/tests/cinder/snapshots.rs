//! Snapshots and their actions.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::Api;
use crate::support::array::Array;

async fn take(api: &Api, volume: &str) -> String {
    let id = volume.rsplit('/').next().unwrap();
    let made = api
        .post(
            "/v3/snapshots",
            json!({"snapshot": {"volume_id": id, "name": "s"}}),
        )
        .await;
    assert_eq!(made.status, 202, "{}", made.text);
    assert_eq!(made.body["snapshot"]["status"], "creating");
    let path = format!(
        "/v3/snapshots/{}",
        made.body["snapshot"]["id"].as_str().unwrap()
    );
    assert_eq!(api.settled(&path).await["status"], "available");
    path
}

#[tokio::test]
async fn a_snapshot_is_taken_shown_changed_listed_and_deleted() {
    let array = Arc::new(Array::default());
    let api = Api::with_array(&array).await;
    let volume = api.volume(2).await;
    let path = take(&api, &volume).await;
    let shown = api.get(&path).await.body["snapshot"].clone();
    assert_eq!((&shown["size"], &shown["name"]), (&json!(2), &json!("s")));
    assert_eq!(shown["os-extended-snapshot-attributes:progress"], "100%");
    for (member, since) in [
        ("group_snapshot_id", 14),
        ("user_id", 41),
        ("consumes_quota", 65),
    ] {
        for (minor, there) in [(since - 1, false), (since, true)] {
            let at = api
                .at(&format!("3.{minor}"), "GET", &path, Value::Null)
                .await;
            let at = at.body["snapshot"]
                .as_object()
                .unwrap()
                .contains_key(member);
            assert_eq!(at, there, "{member} at 3.{minor}");
        }
    }
    let changed = api
        .put(&path, json!({"snapshot": {"description": "d"}}))
        .await;
    assert_eq!(
        (
            changed.status.as_u16(),
            &changed.body["snapshot"]["description"]
        ),
        (200, &json!("d"))
    );
    let list = api.get("/v3/snapshots?limit=1&with_count=true").await.body;
    assert_eq!(
        (&list["count"], list["snapshots"].as_array().unwrap().len()),
        (&json!(1), 1)
    );
    let busy = api.delete(&volume).await;
    assert_eq!(busy.status, 400);
    assert!(
        busy.message().contains("have snapshots"),
        "{}",
        busy.message()
    );
    assert_eq!(api.delete(&path).await.status, 202);
    api.wait_for(|| async { api.get(&path).await.status == 404 })
        .await;
    assert!(array.snapshots.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_snapshot_of_a_volume_in_use_needs_force_before_3_66() {
    let api = Api::with_array(&Arc::default()).await;
    let volume = api.volume(1).await;
    let id = volume.rsplit('/').next().unwrap();
    let reset = json!({"os-reset_status": {"status": "in-use"}});
    assert_eq!(
        api.post(&format!("{volume}/action"), reset).await.status,
        202
    );
    let ask = |version: &'static str, force: Value| {
        let mut body = json!({"snapshot": {"volume_id": id}});
        if !force.is_null() {
            body["snapshot"]["force"] = force;
        }
        api.at(version, "POST", "/v3/snapshots", body)
    };
    assert_eq!(ask("3.65", Value::Null).await.status, 400);
    assert_eq!(ask("3.65", json!(true)).await.status, 202);
    assert_eq!(ask("3.66", Value::Null).await.status, 202);
    assert_eq!(ask("3.66", json!(false)).await.status, 400);
}

#[tokio::test]
async fn snapshots_are_taken_while_the_backend_is_disabled_and_failed_over() {
    let api = Api::with_array(&Arc::default()).await;
    let volume = api.volume(1).await;
    let body = json!({"host": "springform@pure", "binary": "cinder-volume", "disabled_reason": "failed-over"});
    let off = api.put("/v3/os-services/disable-log-reason", body).await;
    assert_eq!(off.status, 200, "{}", off.text);
    take(&api, &volume).await;
    // A volume that a failover left in error cannot have one: there is nothing to take it of.
    let reset = json!({"os-reset_status": {"status": "error"}});
    api.post(&format!("{volume}/action"), reset).await;
    let id = volume.rsplit('/').next().unwrap();
    let refused = api
        .post("/v3/snapshots", json!({"snapshot": {"volume_id": id}}))
        .await;
    assert_eq!(
        (refused.status.as_u16(), refused.message()),
        (
            400,
            format!("Invalid volume: Volume {id} status must be available, but current status is: error.").as_str()
        )
    );
}

#[tokio::test]
async fn the_newest_snapshot_can_be_gone_back_to() {
    let api = Api::with_array(&Arc::default()).await;
    let volume = api.volume(1).await;
    let (old, new) = (take(&api, &volume).await, take(&api, &volume).await);
    let revert = |snapshot: &str| {
        let id = snapshot.rsplit('/').next().unwrap();
        json!({"revert": {"snapshot_id": id}})
    };
    let action = format!("{volume}/action");
    assert_eq!(
        api.at("3.39", "POST", &action, revert(&new)).await.status,
        404
    );
    assert_eq!(api.post(&action, revert(&old)).await.status, 400);
    assert_eq!(api.post(&action, revert(&new)).await.status, 202);
    assert_eq!(api.settled(&volume).await["status"], "available");
}
