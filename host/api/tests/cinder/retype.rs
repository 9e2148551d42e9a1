//! A retype asks what a create asks: the filters of the scheduler about the pool where the volume is, and the quotas.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::array::Array;
use crate::support::{Api, Got};

async fn kind(api: &Api, name: &str, specs: Value) {
    let body = json!({"volume_type": {"name": name, "extra_specs": specs}});
    let made = api.post("/v3/types", body).await;
    assert_eq!(made.status, 200, "{}", made.text);
}

async fn retype(api: &Api, volume: &str, name: &str, policy: &str) -> Got {
    let body = json!({"os-retype": {"new_type": name, "migration_policy": policy}});
    api.post(&format!("{volume}/action"), body).await
}

#[tokio::test]
async fn a_type_that_needs_another_pool_is_refused_and_changes_nothing() {
    let array = Arc::new(Array::default());
    let api = Api::with_backends(&array, &["pure", "other"]).await;
    let volume = api.volume(1).await;
    let before = api.get(&volume).await.body["volume"].clone();
    let host = before["os-vol-host-attr:host"].as_str().unwrap();
    let elsewhere = if host.contains("pure") {
        "other"
    } else {
        "pure"
    };
    kind(&api, "elsewhere", json!({"volume_backend_name": elsewhere})).await;
    kind(
        &api,
        "nowhere",
        json!({"volume_backend_name": "no-such-backend"}),
    )
    .await;
    kind(
        &api,
        "replicated",
        json!({"replication_enabled": "<is> True"}),
    )
    .await;
    kind(
        &api,
        "other-zone",
        json!({"RESKEY:availability_zones": "mars"}),
    )
    .await;
    for name in ["elsewhere", "nowhere", "replicated", "other-zone"] {
        for policy in ["never", "on-demand"] {
            let refused = retype(&api, &volume, name, policy).await;
            assert_eq!(refused.status, 400, "{name} {policy}: {}", refused.text);
        }
        assert_eq!(api.get(&volume).await.body["volume"], before, "{name}");
    }
    let why = retype(&api, &volume, "elsewhere", "never").await;
    let told = "its volume_backend_name is";
    assert!(why.message().contains(told), "{}", why.message());
    assert!(why.message().contains("'never'"), "{}", why.message());
    let why = retype(&api, &volume, "elsewhere", "on-demand").await;
    assert!(
        why.message().contains("cannot migrate"),
        "{}",
        why.message()
    );
    assert!(!array.log.lock().unwrap().contains(&"volumes.retype"));
}

#[tokio::test]
async fn a_retype_is_held_against_the_quota_of_its_type() {
    let api = Api::with_array(&Arc::new(Array::default())).await;
    kind(&api, "gold", json!({})).await;
    let (first, second) = (api.volume(1).await, api.volume(3).await);
    let project = api.get(&first).await.body["volume"]["os-vol-tenant-attr:tenant_id"].clone();
    let quota = format!("/v3/os-quota-sets/{}", project.as_str().unwrap());
    let limits = async |limits: Value| {
        let set = api.put(&quota, json!({"quota_set": limits})).await;
        assert_eq!(set.status, 200, "{}", set.text);
    };
    limits(json!({"volumes_gold": 1, "gigabytes_gold": 2})).await;
    let over = retype(&api, &second, "gold", "never").await;
    assert_eq!(over.status, 413, "{}", over.text);
    assert!(
        over.message().contains("gigabytes_gold"),
        "{}",
        over.message()
    );
    assert_eq!(over.headers["retry-after"], "0");
    assert_eq!(retype(&api, &first, "gold", "never").await.status, 202);
    assert_eq!(api.settled(&first).await["volume_type"], "gold");
    limits(json!({"gigabytes_gold": -1})).await;
    let over = retype(&api, &second, "gold", "never").await;
    assert_eq!(over.status, 413, "{}", over.text);
    assert!(
        over.message().contains("volumes_gold"),
        "{}",
        over.message()
    );
    // What a project has of everything is not more afterwards.
    limits(json!({"volumes_gold": 2, "volumes": 2, "gigabytes": 4})).await;
    assert_eq!(retype(&api, &second, "gold", "never").await.status, 202);
    assert_eq!(api.settled(&second).await["volume_type"], "gold");
    let usage = api.get(&format!("{quota}?usage=true")).await.body["quota_set"].clone();
    assert_eq!(
        (
            &usage["volumes_gold"]["in_use"],
            &usage["gigabytes_gold"]["in_use"]
        ),
        (&json!(2), &json!(4))
    );
}

#[tokio::test]
async fn multiattach_follows_the_type_and_not_while_hosts_use_the_volume() {
    let api = Api::with_array(&Arc::new(Array::default())).await;
    kind(&api, "shared", json!({"multiattach": "<is> True"})).await;
    kind(&api, "plain", json!({})).await;
    let volume = api.volume(1).await;
    let id = volume.rsplit('/').next().unwrap();
    let snapshot = json!({"snapshot": {"volume_id": id}});
    let snapshot = api.post("/v3/snapshots", snapshot).await;
    let snapshot = snapshot.body["snapshot"]["id"].as_str().unwrap().to_owned();
    api.settled(&format!("/v3/snapshots/{snapshot}")).await;
    assert_eq!(retype(&api, &volume, "shared", "never").await.status, 202);
    let shared = api.settled(&volume).await;
    assert_eq!(
        (&shared["multiattach"], &shared["volume_type"]),
        (&json!(true), &json!("shared"))
    );
    let types = api.get("/v3/types?name=shared").await.body["volume_types"].clone();
    let of_type = format!(
        "/v3/snapshots?volume_type_id={}",
        types[0]["id"].as_str().unwrap()
    );
    assert_eq!(
        api.get(&of_type).await.body["snapshots"][0]["id"],
        snapshot.as_str()
    );
    let attach = json!({"os-attach": {"instance_uuid": id, "mountpoint": "/dev/vdb"}});
    assert_eq!(
        api.post(&format!("{volume}/action"), attach).await.status,
        202
    );
    let refused = retype(&api, &volume, "plain", "never").await;
    assert_eq!(refused.status, 400, "{}", refused.text);
    assert!(
        refused.message().contains("multiattach"),
        "{}",
        refused.message()
    );
    assert_eq!(api.get(&volume).await.body["volume"]["multiattach"], true);
}
