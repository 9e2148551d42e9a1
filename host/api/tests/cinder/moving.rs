//! A retype that needs another pool, with the policy `on-demand`: the volume moves where the drivers can do it, and is refused
//! with the reason where they cannot.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use crate::support::array::Array;
use crate::support::{Api, Got};

async fn kind(api: &Api, name: &str, specs: Value) {
    let body = json!({"volume_type": {"name": name, "extra_specs": specs}});
    let made = api.post("/v3/types", body).await;
    assert_eq!(made.status, 200, "{}", made.text);
}

async fn retype(api: &Api, volume: &str, name: &str) -> Got {
    let body = json!({"os-retype": {"new_type": name, "migration_policy": "on-demand"}});
    api.post(&format!("{volume}/action"), body).await
}

fn migrating() -> Arc<Array> {
    Arc::new(Array {
        migrates: true,
        ..Array::default()
    })
}

/// A volume, and a type `elsewhere` that needs the other one of two backends, whose name is given back.
async fn volume_of(api: &Api, names: [&'static str; 2]) -> (String, &'static str) {
    let volume = api.volume(2).await;
    let shown = api.get(&volume).await.body["volume"].clone();
    let host = shown["os-vol-host-attr:host"].as_str().unwrap().to_owned();
    let there = names.into_iter().find(|name| !host.contains(name)).unwrap();
    kind(api, "elsewhere", json!({"volume_backend_name": there})).await;
    (volume, there)
}

async fn refused(api: &Api, volume: &str, name: &str, words: &str) {
    let before = api.get(volume).await.body["volume"].clone();
    let why = retype(api, volume, name).await;
    assert_eq!(why.status, 400, "{}", why.text);
    assert!(why.message().contains(words), "{}", why.message());
    assert_eq!(api.get(volume).await.body["volume"], before);
}

#[tokio::test]
async fn on_demand_moves_the_volume_and_everything_that_is_its_own_stays() {
    let array = migrating();
    let api = Api::with_backends(&array, &["pure", "other"]).await;
    let (volume, there) = volume_of(&api, ["pure", "other"]).await;
    let body = json!({"volume": {"name": "ledger", "metadata": {"owner": "accounting"}}});
    assert_eq!(api.put(&volume, body).await.status, 200);
    let before = api.get(&volume).await.body["volume"].clone();
    array.log.lock().unwrap().clear();
    let taken = retype(&api, &volume, "elsewhere").await;
    assert_eq!(taken.status, 202, "{}", taken.text);
    let after = api.settled(&volume).await;
    assert_eq!(after["status"], "available");
    assert_eq!(after["volume_type"], "elsewhere");
    assert_eq!(
        after["os-vol-host-attr:host"],
        format!("springform@{there}#pool")
    );
    assert_eq!(after["os-vol-mig-status-attr:migstat"], "success");
    assert_eq!(after["migration_status"], "success");
    for same in [
        "id",
        "name",
        "size",
        "availability_zone",
        "created_at",
        "user_id",
    ] {
        assert_eq!(after[same], before[same], "{same}");
    }
    assert_eq!(after["metadata"]["owner"], "accounting");
    let log = array.log.lock().unwrap().clone();
    let calls = [
        "migrating.offer",
        "migrating.accept",
        "migrating.send",
        "migrating.receive",
        "migrating.release",
        "migrating.settle",
    ];
    assert_eq!(log, calls);
    let id = after["id"].as_str().unwrap();
    let names: Vec<String> = array.volumes.lock().unwrap().keys().cloned().collect();
    assert_eq!(names, [format!("volume-{id} on {there}")]);
    // It is used where it is now, and deleted there.
    let extend = json!({"os-extend": {"new_size": 3}});
    assert_eq!(
        api.post(&format!("{volume}/action"), extend).await.status,
        202
    );
    assert_eq!(api.settled(&volume).await["size"], 3);
    assert_eq!(api.delete(&volume).await.status, 202);
    api.wait_for(|| async { api.get(&volume).await.status == 404 })
        .await;
    assert!(array.volumes.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_volume_that_has_moved_counts_against_the_quota_of_its_new_type_alone() {
    let array = migrating();
    let api = Api::with_backends(&array, &["pure", "other"]).await;
    let (volume, _) = volume_of(&api, ["pure", "other"]).await;
    let project = api.get(&volume).await.body["volume"]["os-vol-tenant-attr:tenant_id"].clone();
    let quota = format!("/v3/os-quota-sets/{}", project.as_str().unwrap());
    let limits = async |limits: Value| {
        let set = api.put(&quota, json!({"quota_set": limits})).await;
        assert_eq!(set.status, 200, "{}", set.text);
    };
    limits(json!({"gigabytes_elsewhere": 1})).await;
    let over = retype(&api, &volume, "elsewhere").await;
    assert_eq!(over.status, 413, "{}", over.text);
    limits(json!({"gigabytes_elsewhere": 2, "volumes_elsewhere": 1, "volumes": 1, "gigabytes": 2}))
        .await;
    assert_eq!(retype(&api, &volume, "elsewhere").await.status, 202);
    assert_eq!(api.settled(&volume).await["volume_type"], "elsewhere");
    let usage = api.get(&format!("{quota}?usage=true")).await.body["quota_set"].clone();
    let used = [
        "volumes",
        "gigabytes",
        "volumes_elsewhere",
        "gigabytes_elsewhere",
    ]
    .map(|name| usage[name]["in_use"].as_u64().unwrap());
    assert_eq!(used, [1, 2, 1, 2]);
}

#[tokio::test]
async fn what_is_known_at_once_is_refused_at_once_with_what_to_do() {
    let array = migrating();
    let api = Api::with_backends(&array, &["pure", "other", "stranger"]).await;
    let volume = api.volume(2).await;
    let shown = api.get(&volume).await.body["volume"].clone();
    let host = shown["os-vol-host-attr:host"].as_str().unwrap().to_owned();
    let service = host.split('#').next().unwrap().to_owned();
    let all = ["pure", "other", "stranger"];
    for there in all.into_iter().filter(|name| !host.contains(name)) {
        kind(&api, there, json!({"volume_backend_name": there})).await;
    }
    let there = all.into_iter().find(|name| !host.contains(name)).unwrap();
    kind(&api, "nowhere", json!({"volume_backend_name": "no-such"})).await;
    refused(&api, &volume, "nowhere", "it cannot be moved either").await;
    let stranger = all.into_iter().find(|name| {
        let vendors = [*name == "stranger", host.contains("stranger")];
        !host.contains(name) && vendors.contains(&true)
    });
    refused(&api, &volume, stranger.unwrap(), "MigrationFilter").await;
    // Frozen by its administrator, a backend gives nothing away either.
    let frozen = api
        .put("/v3/os-services/freeze", json!({"host": service}))
        .await;
    assert_eq!(frozen.status, 200, "{}", frozen.text);
    refused(&api, &volume, there, "frozen").await;
    api.put("/v3/os-services/thaw", json!({"host": service}))
        .await;

    let id = volume.rsplit('/').next().unwrap();
    let snapshot = json!({"snapshot": {"volume_id": id}});
    let snapshot = api.post("/v3/snapshots", snapshot).await;
    let snapshot = snapshot.body["snapshot"]["id"].as_str().unwrap().to_owned();
    let snapshot = format!("/v3/snapshots/{snapshot}");
    api.settled(&snapshot).await;
    refused(&api, &volume, there, "has snapshots").await;
    assert_eq!(api.delete(&snapshot).await.status, 202);
    api.wait_for(|| async { api.get(&snapshot).await.status == 404 })
        .await;
    let attach = json!({"os-attach": {"instance_uuid": id, "mountpoint": "/dev/vdb"}});
    let attached = api.post(&format!("{volume}/action"), attach).await;
    assert_eq!(attached.status, 202, "{}", attached.text);
    refused(&api, &volume, there, "detach it first").await;
    let log = array.log.lock().unwrap();
    assert!(!log.contains(&"migrating.offer"), "{log:?}");
}

#[tokio::test]
async fn a_replicated_volume_is_not_moved() {
    let array = Arc::new(Array {
        migrates: true,
        claims: true,
        ..Array::default()
    });
    let api = Api::with_pairs(&array, &["pure", "other"]).await;
    let (volume, _) = volume_of(&api, ["pure", "other"]).await;
    let shown = api.get(&volume).await.body["volume"].clone();
    assert_eq!(shown["replication_status"], "enabled");
    refused(
        &api,
        &volume,
        "elsewhere",
        "a type without replication first",
    )
    .await;
}

#[tokio::test]
async fn what_shows_only_on_the_way_leaves_the_volume_as_it_was_and_a_message() {
    let array = migrating();
    let api = Api::with_backends(&array, &["pure", "other"]).await;
    let (volume, _) = volume_of(&api, ["pure", "other"]).await;
    let before = api.get(&volume).await.body["volume"].clone();
    array.connected.store(false, Ordering::SeqCst);
    assert_eq!(retype(&api, &volume, "elsewhere").await.status, 202);
    let after = api.settled(&volume).await;
    for same in [
        "status",
        "volume_type",
        "os-vol-host-attr:host",
        "metadata",
        "replication_status",
    ] {
        assert_eq!(after[same], before[same], "{same}");
    }
    assert_eq!(after["migration_status"], "error");
    let messages = api.get("/v3/messages").await.body["messages"].clone();
    let said = messages[0]["user_message"].as_str().unwrap();
    assert!(said.contains("the arrays are not connected"), "{said}");
    assert_eq!(messages[0]["resource_uuid"], after["id"]);
    assert_eq!(array.volumes.lock().unwrap().len(), 1);
    // Once they are, the same retype succeeds.
    array.connected.store(true, Ordering::SeqCst);
    assert_eq!(retype(&api, &volume, "elsewhere").await.status, 202);
    assert_eq!(api.settled(&volume).await["volume_type"], "elsewhere");
}

#[tokio::test]
async fn a_migration_status_that_says_under_way_refuses_a_retype_as_in_cinder() {
    let array = migrating();
    let api = Api::with_backends(&array, &["pure", "other"]).await;
    let (volume, _) = volume_of(&api, ["pure", "other"]).await;
    let reset = |word: &str| json!({"os-reset_status": {"migration_status": word}});
    let action = format!("{volume}/action");
    assert_eq!(api.post(&action, reset("migrating")).await.status, 202);
    refused(&api, &volume, "elsewhere", "active migration").await;
    assert_eq!(api.post(&action, reset("none")).await.status, 202);
    assert_eq!(retype(&api, &volume, "elsewhere").await.status, 202);
    assert_eq!(api.settled(&volume).await["volume_type"], "elsewhere");
}
