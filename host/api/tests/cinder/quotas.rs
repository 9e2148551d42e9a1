//! What a quota counts and refuses.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::Api;
use crate::support::array::Array;

async fn limit(api: &Api, volume: &str, limits: Value) -> String {
    let shown = api.get(volume).await.body;
    let project = shown["volume"]["os-vol-tenant-attr:tenant_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/v3/os-quota-sets/{project}");
    assert_eq!(
        api.put(&path, json!({"quota_set": limits})).await.status,
        200
    );
    path
}

#[tokio::test]
async fn growth_and_snapshots_count_towards_gigabytes() {
    let api = Api::with_array(&Arc::default()).await;
    let volume = api.volume(3).await;
    let quota = limit(&api, &volume, json!({"gigabytes": 10})).await;
    let id = volume.rsplit('/').next().unwrap();
    let snapshot = json!({"snapshot": {"volume_id": id}});
    assert_eq!(
        api.post("/v3/snapshots", snapshot.clone()).await.status,
        202
    );
    let used = api.get(&format!("{quota}?usage=True")).await.body;
    assert_eq!(
        used["quota_set"]["gigabytes"],
        json!({"limit": 10, "in_use": 6, "reserved": 0})
    );

    let action = format!("{volume}/action");
    let over = api
        .post(&action, json!({"os-extend": {"new_size": 8}}))
        .await;
    assert_eq!(over.status, 413);
    assert_eq!(
        over.body["overLimit"],
        json!({"code": 413, "retryAfter": "0", "message": "VolumeSizeExceedsAvailableQuota: Requested volume or snapshot \
            exceeds allowed gigabytes quota. Requested 5G, quota is 10G and 6G has been consumed."})
    );
    assert_eq!(api.get(&volume).await.body["volume"]["status"], "available");
    assert_eq!(
        api.post(&action, json!({"os-extend": {"new_size": 7}}))
            .await
            .status,
        202
    );
    assert_eq!(api.settled(&volume).await["size"], 7);
    let over = api.post("/v3/snapshots", snapshot).await;
    assert_eq!(over.status, 413, "{}", over.text);
    let over = api
        .post("/v3/volumes", json!({"volume": {"size": 1}}))
        .await;
    assert_eq!(over.status, 413);
}

#[tokio::test]
async fn two_volumes_that_grow_at_once_share_what_is_left() {
    let api = Api::with_array(&Arc::default()).await;
    let (one, two) = (api.volume(1).await, api.volume(1).await);
    limit(&api, &one, json!({"gigabytes": 5})).await;
    let grow = async |path: &str| {
        let got = api
            .post(
                &format!("{path}/action"),
                json!({"os-extend": {"new_size": 4}}),
            )
            .await;
        got.status.as_u16()
    };
    let (a, b) = tokio::join!(grow(&one), grow(&two));
    assert_eq!(a.min(b), 202);
    assert_eq!(a.max(b), 413);
}

#[tokio::test]
async fn what_is_taken_over_must_fit_before_the_array_is_touched() {
    let array = Arc::new(Array::default());
    array.volumes.lock().unwrap().insert("big".into(), 9 << 30);
    let api = Api::with_array(&array).await;
    let first = api.volume(1).await;
    limit(&api, &first, json!({"gigabytes": 5})).await;
    array.log.lock().unwrap().clear();
    let body = json!({"volume": {"host": "springform@pure#pool", "ref": {"source-name": "big"}}});
    let taken = api.post("/v3/manageable_volumes", body).await;
    assert_eq!(taken.status, 202, "{}", taken.text);
    let path = format!(
        "/v3/volumes/{}",
        taken.body["volume"]["id"].as_str().unwrap()
    );
    assert_eq!(api.settled(&path).await["status"], "error");
    assert!(array.log.lock().unwrap().is_empty());
    let why = api.get("/v3/messages").await.body["messages"][0]["user_message"].clone();
    assert!(
        why.as_str()
            .unwrap()
            .starts_with("VolumeSizeExceedsAvailableQuota"),
        "{why}"
    );
    // Deleting the record does not delete what is not the cloud's.
    assert_eq!(api.delete(&path).await.status, 202);
    api.wait_for(|| async { api.get(&path).await.status == 404 })
        .await;
    assert!(array.volumes.lock().unwrap().contains_key("big"));
    assert!(array.log.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_body_that_is_too_large_is_over_the_limit_too() {
    let api = Api::new().await;
    let body = json!({"volume": {"size": 1, "description": "x".repeat(200_000)}});
    let got = api.post("/v3/volumes", body).await;
    assert_eq!(
        (got.status.as_u16(), &got.body["overLimit"]["code"]),
        (413, &json!(413))
    );
}
