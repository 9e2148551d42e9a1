//! What changes hands with a volume and what does not: a project's snapshots stay its own, and nobody else's verbs reach them.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::array::Array;
use crate::support::{Api, Got};

const ADMIN: &str = "admin-token-of-test";
const OWNER: &str = "member-token-of-test";
const STRANGER: &str = "other-token-of-the-test";

async fn call(api: &Api, token: &str, method: &str, path: &str, body: Value) -> Got {
    let headers = [
        ("openstack-api-version", "volume 3.71"),
        ("x-auth-token", token),
    ];
    let body = match body {
        Value::Null => String::new(),
        body => body.to_string(),
    };
    api.send(method, path, &headers, body).await
}

/// Makes something, waits until it is there and gives its path.
async fn make(api: &Api, token: &str, of: &str, key: &str, body: Value) -> String {
    let made = call(api, token, "POST", of, json!({ key: body })).await;
    assert!(made.status.is_success(), "{of}: {}", made.text);
    let path = format!("{of}/{}", id_of(&made.body[key]));
    is(api, token, &path, key, "available").await;
    path
}

fn id_of(record: &Value) -> String {
    record["id"].as_str().unwrap().to_owned()
}

fn id(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

async fn is(api: &Api, token: &str, path: &str, key: &str, status: &str) {
    api.wait_for(|| async {
        call(api, token, "GET", path, Value::Null).await.body[key]["status"] == status
    })
    .await;
}

async fn volume(api: &Api, token: &str) -> String {
    make(api, token, "/v3/volumes", "volume", json!({"size": 1})).await
}

async fn snapshot(api: &Api, token: &str, volume: &str) -> String {
    let body = json!({"volume_id": id(volume)});
    make(api, token, "/v3/snapshots", "snapshot", body).await
}

async fn offer(api: &Api, volume: &str, no_snapshots: bool) -> Got {
    let wanted = json!({"volume_id": id(volume), "no_snapshots": no_snapshots});
    call(
        api,
        OWNER,
        "POST",
        "/v3/volume-transfers",
        json!({"transfer": wanted}),
    )
    .await
}

async fn accept(api: &Api, offered: &Got, token: &str) -> Got {
    assert_eq!(offered.status, 202, "{}", offered.text);
    let transfer = &offered.body["transfer"];
    let path = format!("/v3/volume-transfers/{}/accept", id_of(transfer));
    let key = json!({"accept": {"auth_key": transfer["auth_key"]}});
    call(api, token, "POST", &path, key).await
}

/// A volume that the stranger accepted and a snapshot of it that its first owner kept.
async fn parted(api: &Api) -> (String, String) {
    let volume = volume(api, OWNER).await;
    let kept = snapshot(api, OWNER, &volume).await;
    let accepted = accept(api, &offer(api, &volume, true).await, STRANGER).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    (volume, kept)
}

async fn stays(api: &Api, snapshot: &str, why: &str) {
    let shown = call(api, OWNER, "GET", snapshot, Value::Null).await;
    assert_eq!(
        shown.body["snapshot"]["status"], "available",
        "{why}: {}",
        shown.text
    );
}

#[tokio::test]
async fn a_cascade_does_not_take_the_snapshots_of_another_project() {
    let array = Arc::new(Array::default());
    let api = Api::with_tokens_and_array(&array).await;
    let (volume, kept) = parted(&api).await;
    let own = snapshot(&api, STRANGER, &volume).await;
    for path in [
        volume.clone(),
        format!("{volume}?cascade=true"),
        format!("{volume}?cascade=1"),
    ] {
        let refused = call(&api, STRANGER, "DELETE", &path, Value::Null).await;
        assert_eq!(refused.status, 400, "{path}: {}", refused.text);
        assert!(
            refused
                .message()
                .contains("disassociated from snapshots after volume transfer"),
            "{}",
            refused.text
        );
        stays(&api, &kept, &path).await;
        is(&api, STRANGER, &own, "snapshot", "available").await;
        is(&api, STRANGER, &volume, "volume", "available").await;
    }
    // Its owner may, and then the way is free; an administrator has a view of all.
    let gone = call(&api, OWNER, "DELETE", &kept, Value::Null).await;
    assert_eq!(gone.status, 202, "{}", gone.text);
    // The record goes after the array's: until then the volume is its snapshot's.
    api.wait_for(|| async { call(&api, OWNER, "GET", &kept, Value::Null).await.status == 404 })
        .await;
    assert_eq!(array.snapshots.lock().unwrap().len(), 1);
    let path = format!("{volume}?cascade=true");
    let gone = call(&api, STRANGER, "DELETE", &path, Value::Null).await;
    assert_eq!(gone.status, 202, "{}", gone.text);
    api.wait_for(|| async { array.snapshots.lock().unwrap().is_empty() })
        .await;
    let (volume, _) = parted(&api).await;
    let gone = call(
        &api,
        ADMIN,
        "DELETE",
        &format!("{volume}?cascade=true"),
        Value::Null,
    )
    .await;
    assert_eq!(gone.status, 202, "{}", gone.text);
}

#[tokio::test]
async fn nobody_reverts_to_the_snapshot_of_another_project_or_reads_it() {
    let api = Api::with_tokens_and_array(&Arc::default()).await;
    let (volume, kept) = parted(&api).await;
    let action = format!("{volume}/action");
    let revert = |snapshot: &str| json!({"revert": {"snapshot_id": snapshot}});
    let of_theirs = call(&api, STRANGER, "POST", &action, revert(id(&kept))).await;
    let of_none = "00000000-0000-4000-8000-00000000dead";
    let none = call(&api, STRANGER, "POST", &action, revert(of_none)).await;
    assert_eq!(
        (of_theirs.status, none.status),
        (400.try_into().unwrap(), 400.try_into().unwrap())
    );
    let words = |got: &Got, id: &str| got.message().replace(id, "…");
    assert_eq!(words(&of_theirs, id(&kept)), words(&none, of_none));
    for (path, body) in [
        (
            "/v3/volumes",
            json!({"volume": {"size": 1, "snapshot_id": id(&kept)}}),
        ),
        ("/v3/volumes", json!({"volume": {"snapshot_id": id(&kept)}})),
    ] {
        let refused = call(&api, STRANGER, "POST", path, body).await;
        assert_eq!(refused.status, 404, "{}", refused.text);
    }
    for method in ["GET", "DELETE"] {
        let refused = call(&api, STRANGER, method, &kept, Value::Null).await;
        assert_eq!(refused.status, 404, "{}", refused.text);
    }
    stays(&api, &kept, "reverted").await;
    // Its own it may, and the first owner's snapshot goes on being good for a volume of theirs.
    let own = snapshot(&api, STRANGER, &volume).await;
    let reverted = call(&api, STRANGER, "POST", &action, revert(id(&own))).await;
    assert_eq!(reverted.status, 202, "{}", reverted.text);
    is(&api, STRANGER, &volume, "volume", "available").await;
    let body = json!({"snapshot_id": id(&kept), "size": 1});
    make(&api, OWNER, "/v3/volumes", "volume", body).await;
}

#[tokio::test]
async fn what_was_taken_by_a_third_project_does_not_change_hands_later() {
    let api = Api::with_tokens_and_array(&Arc::default()).await;
    let (volume, kept) = parted(&api).await;
    let own = snapshot(&api, STRANGER, &volume).await;
    let wanted = json!({"transfer": {"volume_id": id(&volume)}});
    let offered = call(&api, STRANGER, "POST", "/v3/volume-transfers", wanted).await;
    let accepted = accept(&api, &offered, ADMIN).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    stays(&api, &kept, "transferred again").await;
    assert_eq!(
        call(&api, STRANGER, "GET", &own, Value::Null).await.status,
        404
    );
    assert_eq!(
        call(&api, STRANGER, "GET", &volume, Value::Null)
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn a_transfer_is_accepted_with_its_key_alone() {
    let api = Api::with_tokens_and_array(&Arc::default()).await;
    let (mine, other) = (volume(&api, OWNER).await, volume(&api, OWNER).await);
    let (mut offered, another) = (
        offer(&api, &mine, false).await,
        offer(&api, &other, false).await,
    );
    let key = offered.body["transfer"]["auth_key"].clone();
    let longer = json!(format!("{}0", key.as_str().unwrap()));
    for wrong in [
        another.body["transfer"]["auth_key"].clone(),
        longer,
        json!("0123456789abcdef"),
    ] {
        offered.body["transfer"]["auth_key"] = wrong;
        let refused = accept(&api, &offered, STRANGER).await;
        assert_eq!(refused.status, 400, "{}", refused.text);
        assert!(
            refused.message().contains("Invalid auth key"),
            "{}",
            refused.text
        );
    }
    let shown = call(&api, OWNER, "GET", &mine, Value::Null).await;
    assert_eq!(shown.body["volume"]["status"], "awaiting-transfer");
    offered.body["transfer"]["auth_key"] = key;
    let accepted = accept(&api, &offered, STRANGER).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    let shown = call(&api, STRANGER, "GET", &mine, Value::Null).await;
    assert_eq!(shown.status, 200, "{}", shown.text);
}

#[tokio::test]
async fn a_volume_is_transferred_alone() {
    let api = Api::with_tokens_and_array(&Arc::default()).await;
    for (path, key) in [
        ("/v3/types", "volume_type"),
        ("/v3/group_types", "group_type"),
    ] {
        let made = call(&api, ADMIN, "POST", path, json!({ key: {"name": "t"} })).await;
        assert!(made.status.is_success(), "{}", made.text);
    }
    let body = json!({"size": 1, "volume_type": "t"});
    let member = make(&api, OWNER, "/v3/volumes", "volume", body).await;
    let body = json!({"group_type": "t", "volume_types": ["t"]});
    let group = make(&api, OWNER, "/v3/groups", "group", body).await;
    let change = async |body: Value| {
        let changed = call(&api, OWNER, "PUT", &group, json!({ "group": body })).await;
        assert_eq!(changed.status, 202, "{}", changed.text);
        is(&api, OWNER, &group, "group", "available").await;
    };
    change(json!({"add_volumes": id(&member)})).await;
    for no_snapshots in [false, true] {
        let refused = offer(&api, &member, no_snapshots).await;
        assert_eq!(refused.status, 400, "{}", refused.text);
        assert!(
            refused.message().contains("part of a consistency group"),
            "{}",
            refused.text
        );
    }
    // The group's snapshot holds it back too, unless the snapshots stay.
    let body = json!({"group_id": id(&group)});
    make(&api, OWNER, "/v3/group_snapshots", "group_snapshot", body).await;
    change(json!({"remove_volumes": id(&member)})).await;
    let refused = offer(&api, &member, false).await;
    assert_eq!(refused.status, 400, "{}", refused.text);
    assert!(
        refused.message().contains("part of group snapshot"),
        "{}",
        refused.text
    );
    let accepted = accept(&api, &offer(&api, &member, true).await, STRANGER).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text);
}

#[tokio::test]
async fn a_volume_that_a_machine_of_its_owner_reaches_is_not_transferred() {
    let api = Api::with_tokens_and_array(&Arc::default()).await;
    let volume = volume(&api, OWNER).await;
    let action = format!("{volume}/action");
    let connector = json!({"host": "h", "initiator": "iqn.h"});
    let connect = json!({"os-initialize_connection": {"connector": connector}});
    assert_eq!(
        call(&api, OWNER, "POST", &action, connect).await.status,
        200
    );
    assert_eq!(
        call(&api, OWNER, "GET", &volume, Value::Null).await.body["volume"]["status"],
        "available"
    );
    let refused = offer(&api, &volume, false).await;
    assert_eq!(refused.status, 400, "{}", refused.text);
    assert!(
        refused.message().contains("must not be attached"),
        "{}",
        refused.text
    );
    let cut = json!({"os-terminate_connection": {"connector": connector}});
    assert_eq!(call(&api, OWNER, "POST", &action, cut).await.status, 202);
    assert_eq!(offer(&api, &volume, false).await.status, 202);
}

#[tokio::test]
async fn a_snapshot_that_is_not_ready_holds_its_volume_back() {
    let api = Api::with_tokens_and_array(&Arc::default()).await;
    let volume = volume(&api, OWNER).await;
    let broken = snapshot(&api, OWNER, &volume).await;
    let reset = json!({"os-reset_status": {"status": "error"}});
    let path = format!("{broken}/action");
    assert_eq!(call(&api, ADMIN, "POST", &path, reset).await.status, 202);
    let refused = offer(&api, &volume, false).await;
    assert_eq!(refused.status, 400, "{}", refused.text);
    let sentence = format!(
        "Invalid snapshot: snapshot: {} status must be available",
        id(&broken)
    );
    assert_eq!(refused.message(), sentence);
    assert_eq!(offer(&api, &volume, true).await.status, 202);
}
