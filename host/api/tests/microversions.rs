//! Changes of the API that came with a microversion, each with the one before it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use serde_json::{Value, json};
use support::{Api, Got};

async fn at(api: &Api, version: &str, method: &str, path: &str, body: Value) -> Got {
    let version = format!("volume {version}");
    let headers = [("openstack-api-version", version.as_str())];
    api.send(method, path, &headers, body.to_string()).await
}

async fn typed(api: &Api, name: &str, specs: Value) {
    let body = json!({"volume_type": {"name": name, "extra_specs": specs}});
    assert_eq!(api.post("/v3/types", body).await.status, 200);
}

async fn volume(api: &Api, more: Value) -> Got {
    let mut body = json!({"size": 1});
    let fields = body.as_object_mut().unwrap();
    fields.extend(more.as_object().unwrap().clone());
    api.post("/v3/volumes", json!({"volume": body})).await
}

async fn available(api: &Api) -> String {
    let made = volume(api, json!({})).await;
    let path = format!(
        "/v3/volumes/{}",
        made.body["volume"]["id"].as_str().unwrap()
    );
    api.until(&path, "volume", Some("available")).await;
    path
}

#[tokio::test]
async fn metadata_that_changed_since_it_was_read_is_not_written_over() {
    let api = Api::with_driver().await;
    let path = format!("{}/metadata", available(&api).await);
    let early = at(&api, "3.14", "GET", &path, Value::Null).await;
    assert!(early.headers.get("etag").is_none());
    let seen = at(&api, "3.15", "GET", &path, Value::Null).await;
    let tag = seen.headers["etag"].to_str().unwrap().to_owned();
    let write = async |tag: &str, version: &str, value: &str| {
        let headers = [("openstack-api-version", version), ("if-match", tag)];
        let body = json!({"metadata": {"k": value}}).to_string();
        api.send("PUT", &path, &headers, body).await
    };
    assert_eq!(write(&tag, "volume 3.15", "1").await.status, 200);
    let stale = write(&tag, "volume 3.15", "2").await;
    assert_eq!(stale.status, 412);
    assert_eq!(api.get(&path).await.body["metadata"]["k"], "1");
    // Before 3.15 the header means nothing.
    assert_eq!(write(&tag, "volume 3.14", "3").await.status, 200);
}

#[tokio::test]
async fn pools_are_those_in_which_a_type_fits() {
    let api = Api::with_driver().await;
    typed(&api, "here", json!({"volume_backend_name": "pure1"})).await;
    typed(&api, "nowhere", json!({"volume_backend_name": "pure9"})).await;
    let path = "/v3/scheduler-stats/get_pools?volume_type=";
    let pools = async |version: &str, kind: &str| {
        let got = at(&api, version, "GET", &format!("{path}{kind}"), Value::Null).await;
        got.body["pools"].as_array().unwrap().len()
    };
    assert_eq!(pools("3.34", "nowhere").await, 1);
    assert_eq!(pools("3.35", "nowhere").await, 0);
    assert_eq!(pools("3.35", "here").await, 1);
}

#[tokio::test]
async fn a_volume_in_use_is_extended_only_by_who_asks_for_3_42() {
    let api = Api::with_driver().await;
    let path = available(&api).await;
    let action = format!("{path}/action");
    let attach = json!({"os-attach": {"host_name": "h", "mountpoint": "/dev/vdb", "mode": "rw"}});
    assert_eq!(api.post(&action, attach).await.status, 202);
    let body = json!({"os-extend": {"new_size": 2}});
    let early = at(&api, "3.41", "POST", &action, body).await;
    assert_eq!(early.status, 400);
    assert!(
        early
            .message()
            .contains("status must be available to extend")
    );
}

#[tokio::test]
async fn types_are_found_by_their_extra_specs_and_bind_volumes_to_their_zones() {
    let api = Api::with_driver().await;
    typed(
        &api,
        "near",
        json!({"RESKEY:availability_zones": "nova,other", "c": "red"}),
    )
    .await;
    typed(&api, "far", json!({"RESKEY:availability_zones": "moon"})).await;
    let filter = "/v3/types?extra_specs=%7B%27c%27%3A+%27red%27%7D";
    let found = at(&api, "3.52", "GET", filter, Value::Null).await;
    assert_eq!(found.body["volume_types"].as_array().unwrap().len(), 1);
    assert_eq!(found.body["volume_types"][0]["name"], "near");
    let wrong = volume(
        &api,
        json!({"volume_type": "near", "availability_zone": "moon"}),
    )
    .await;
    assert_eq!(wrong.status, 400);
    let near = volume(&api, json!({"volume_type": "near"})).await;
    assert_eq!(near.body["volume"]["availability_zone"], "nova");
    let far = volume(&api, json!({"volume_type": "far"})).await;
    assert_eq!(far.body["volume"]["availability_zone"], "moon");
}

#[tokio::test]
async fn what_means_nothing_is_refused_from_3_53_on() {
    let api = Api::with_driver().await;
    let body = json!({"volume": {"size": 1, "user_id": "u", "status": "creating"}});
    let early = at(&api, "3.52", "POST", "/v3/volumes", body.clone()).await;
    assert_eq!(early.status, 202);
    let late = at(&api, "3.53", "POST", "/v3/volumes", body).await;
    assert_eq!(late.status, 400);
    let path = available(&api).await;
    let nothing = json!({"volume": {}});
    assert_eq!(
        at(&api, "3.52", "PUT", &path, nothing.clone()).await.status,
        200
    );
    assert_eq!(at(&api, "3.53", "PUT", &path, nothing).await.status, 400);
}

#[tokio::test]
async fn an_unknown_filter_is_refused_to_members_from_3_31_on() {
    let api = Api::with_tokens("").await;
    let list = async |token: &str, version: &str, path: &str| {
        let headers = [("x-auth-token", token), ("openstack-api-version", version)];
        api.send("GET", path, &headers, "").await
    };
    let (member, admin) = ("member-token-of-test", "admin-token-of-test");
    let path = "/v3/volumes?colour=red";
    assert_eq!(list(member, "volume 3.30", path).await.status, 200);
    let refused = list(member, "volume 3.31", path).await;
    assert_eq!(
        (refused.status.as_u16(), refused.message()),
        (400, "Invalid filters colour are found in query options.")
    );
    assert_eq!(list(admin, "volume 3.31", path).await.status, 200);
    let usual = "/v3/volumes/detail?all_tenants=0&limit=5&name~=a&status=error";
    assert_eq!(list(member, "volume 3.34", usual).await.status, 200);
}

#[tokio::test]
async fn an_extension_has_nothing_to_wait_for_after_3_71() {
    let api = Api::with_driver().await;
    let action = format!("{}/action", available(&api).await);
    let body = json!({"os-extend_volume_completion": {"error": false}});
    let early = at(&api, "3.70", "POST", &action, body.clone()).await;
    assert_eq!(early.status, 404);
    let late = api.post(&action, body).await;
    assert_eq!(late.status, 400);
    assert!(late.message().contains("does not wait for an extension"));
}
