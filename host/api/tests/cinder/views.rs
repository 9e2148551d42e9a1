//! What one record shows in the answers of different verbs: strict clients refuse a member too many.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::Api;
use crate::support::array::Array;

fn keys(record: &Value) -> Vec<&str> {
    record
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

fn with<'a>(record: &'a Value, prefix: &str) -> Vec<&'a str> {
    let mut all = keys(record);
    all.retain(|key| key.starts_with(prefix));
    all
}

#[tokio::test]
async fn only_show_and_lists_in_detail_have_the_extended_attributes() {
    let api = Api::with_array(&Arc::new(Array::default())).await;
    let made = api
        .post("/v3/volumes", json!({"volume": {"size": 1}}))
        .await;
    let volume = made.body["volume"].clone();
    assert_eq!(with(&volume, "os-vol"), [""; 0]);
    let id = volume["id"].as_str().unwrap().to_owned();
    let path = format!("/v3/volumes/{id}");
    let shown = api.settled(&path).await;
    let extended = [
        "os-vol-host-attr:host",
        "os-vol-mig-status-attr:migstat",
        "os-vol-mig-status-attr:name_id",
        "os-vol-tenant-attr:tenant_id",
    ];
    assert_eq!(with(&shown, "os-vol"), extended);
    let detail = api.get("/v3/volumes/detail").await.body["volumes"][0].clone();
    assert_eq!(keys(&detail), keys(&shown));
    let changed = api.put(&path, json!({"volume": {"name": "other"}})).await;
    assert_eq!(with(&changed.body["volume"], "os-vol"), [""; 0]);

    let taken = json!({"snapshot": {"volume_id": id}});
    let taken = api.post("/v3/snapshots", taken).await.body["snapshot"].clone();
    let extra = "os-extended";
    assert_eq!(with(&taken, extra), [""; 0]);
    let snapshot = format!("/v3/snapshots/{}", taken["id"].as_str().unwrap());
    assert_eq!(with(&api.settled(&snapshot).await, extra).len(), 2);
    let changed = api
        .put(&snapshot, json!({"snapshot": {"name": "other"}}))
        .await;
    assert_eq!(with(&changed.body["snapshot"], extra), [""; 0]);
    let brief = api.get("/v3/snapshots").await.body["snapshots"][0].clone();
    let detail = api.get("/v3/snapshots/detail").await.body["snapshots"][0].clone();
    assert_eq!(
        (with(&brief, extra).len(), with(&detail, extra).len()),
        (0, 2)
    );
}

#[tokio::test]
async fn a_type_shows_its_qos_specs_and_access_where_cinder_does() {
    let api = Api::new().await;
    let made = api
        .post("/v3/types", json!({"volume_type": {"name": "gold"}}))
        .await;
    let made = made.body["volume_type"].clone();
    let common = ["description", "extra_specs", "id", "is_public", "name"];
    let access = "os-volume-type-access:is_public";
    let expected = |more: &[&'static str]| {
        let mut all: Vec<&str> = common.iter().chain(more).copied().collect();
        all.sort_unstable();
        all
    };
    assert_eq!(keys(&made), expected(&[access]));
    let path = format!("/v3/types/{}", made["id"].as_str().unwrap());
    let shown = api.get(&path).await.body["volume_type"].clone();
    assert_eq!(keys(&shown), expected(&[access, "qos_specs_id"]));
    let default = api.get("/v3/types/default").await.body["volume_type"].clone();
    assert_eq!(keys(&default), expected(&["qos_specs_id"]));
    let changed = api
        .put(&path, json!({"volume_type": {"name": "silver"}}))
        .await;
    assert_eq!(keys(&changed.body["volume_type"]), expected(&[]));
}

#[tokio::test]
async fn links_have_the_project_where_the_request_had_it() {
    let api = Api::with_array(&Arc::new(Array::default())).await;
    let project = "00000000000000000000000000000001";
    let made = json!({"volume": {"size": 1}});
    let made = api.post(&format!("/v3/{project}/volumes"), made).await;
    let volume = &made.body["volume"];
    let id = volume["id"].as_str().unwrap();
    assert_eq!(
        volume["links"],
        json!([
            {"rel": "self", "href": format!("http://cloud:8776/v3/{project}/volumes/{id}")},
            {"rel": "bookmark", "href": format!("http://cloud:8776/{project}/volumes/{id}")},
        ])
    );
    let plain = api.get(&format!("/v3/volumes/{id}")).await.body["volume"]["links"].clone();
    assert_eq!(
        plain[0]["href"],
        format!("http://cloud:8776/v3/volumes/{id}")
    );
}

#[tokio::test]
async fn a_member_is_not_told_of_specs_that_only_administrators_see() {
    let api = Api::with_tokens("").await;
    let send = async |method: &str, path: &str, token: &str, body: Value| {
        let headers = [
            ("x-auth-token", token),
            ("openstack-api-version", "volume 3.71"),
        ];
        api.send(method, path, &headers, body.to_string()).await
    };
    let specs = json!({"volume_backend_name": "pure1", "multiattach": "<is> True"});
    let wanted = json!({"volume_type": {"name": "gold", "extra_specs": specs}});
    let made = send("POST", "/v3/types", "admin-token-of-test", wanted).await;
    let path = format!(
        "/v3/types/{}/extra_specs",
        made.body["volume_type"]["id"].as_str().unwrap()
    );
    for (token, hidden) in [
        ("admin-token-of-test", 200),
        ("member-token-of-test", 404),
        ("reader-token-of-test", 404),
    ] {
        let one = async |key: &str| {
            let path = format!("{path}/{key}");
            send("GET", &path, token, Value::Null).await.status.as_u16()
        };
        assert_eq!(one("volume_backend_name").await, hidden, "{token}");
        assert_eq!(one("multiattach").await, 200, "{token}");
    }
}
