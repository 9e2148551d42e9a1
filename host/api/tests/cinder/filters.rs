//! Filters of lists: one that is not known finds nothing, because scripts delete what a list gave.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::Api;
use crate::support::array::Array;

async fn found(api: &Api, path: &str) -> usize {
    let got = api.get(path).await;
    assert_eq!(got.status, 200, "{path}: {}", got.text);
    let list = got
        .body
        .as_object()
        .unwrap()
        .values()
        .find_map(Value::as_array);
    list.unwrap().len()
}

#[tokio::test]
async fn what_is_no_property_finds_nothing_for_administrators() {
    let api = Api::with_array(&Arc::new(Array::default())).await;
    let volume = api.volume(1).await;
    api.volume(2).await;
    let id = volume.rsplit('/').next().unwrap();
    let taken = json!({"snapshot": {"volume_id": id}});
    let taken = api.post("/v3/snapshots", taken).await;
    let taken = taken.body["snapshot"]["id"].as_str().unwrap();
    api.settled(&format!("/v3/snapshots/{taken}")).await;
    for list in [
        "volumes",
        "snapshots",
        "groups",
        "group_snapshots",
        "attachments",
        "messages",
        "types",
    ] {
        for version in ["3.30", "3.71"] {
            let path = format!("/v3/{list}?nosuch=1");
            let got = api.at(version, "GET", &path, Value::Null).await;
            let key = if list == "types" {
                "volume_types"
            } else {
                list
            };
            assert_eq!(got.body[key], json!([]), "{version} {path}: {}", got.text);
        }
    }
    for (query, many) in [
        ("".to_owned(), 2),
        ("encrypted=1".to_owned(), 0),
        (format!("id={id}"), 1),
        ("id=x".to_owned(), 0),
        ("host=springform@pure".to_owned(), 2),
        ("host=springform".to_owned(), 2),
        ("host=springform@pure%23pool".to_owned(), 2),
        ("host=springform@pur".to_owned(), 0),
        ("host=springform@pure%23poo".to_owned(), 0),
        ("host=springform@p_re".to_owned(), 0),
        ("size=2".to_owned(), 1),
        ("created_at=gt:2020-01-01T00:00:00".to_owned(), 2),
        ("created_at=lt:2020-01-01T00:00:00".to_owned(), 0),
        ("created_at=neq:2020-01-01T00:00:00".to_owned(), 2),
    ] {
        assert_eq!(
            found(&api, &format!("/v3/volumes?{query}")).await,
            many,
            "{query}"
        );
    }
    for (query, many) in [
        (format!("volume_id={id}"), 1),
        ("availability_zone=nova".to_owned(), 1),
        ("availability_zone=mars".to_owned(), 0),
        ("host=springform@pure".to_owned(), 1),
        ("host=other".to_owned(), 0),
        (format!("id={taken}"), 1),
    ] {
        assert_eq!(
            found(&api, &format!("/v3/snapshots?{query}")).await,
            many,
            "{query}"
        );
    }
    for bad in [
        "created_at=2020-01-01T00:00:00",
        "created_at=gt:yesterday",
        "created_at=between:2020-01-01T00:00:00",
    ] {
        assert_eq!(
            api.get(&format!("/v3/volumes?{bad}")).await.status,
            400,
            "{bad}"
        );
    }
}

#[tokio::test]
async fn members_filter_by_what_cinder_lets_them() {
    let api = Api::with_tokens_and_array(&Arc::new(Array::default())).await;
    let member = ("x-auth-token", "member-token-of-test");
    let made = json!({"volume": {"size": 1}}).to_string();
    assert_eq!(
        api.send("POST", "/v3/volumes", &[member], made)
            .await
            .status,
        202
    );
    let ask = async |version: &str, query: &str| {
        let version = format!("volume {version}");
        let headers = [member, ("openstack-api-version", version.as_str())];
        api.send("GET", &format!("/v3/volumes?{query}"), &headers, "")
            .await
    };
    for query in ["host=springform@pure", "id=x", "project_id=bb", "nosuch=1"] {
        let refused = ask("3.31", query).await;
        assert_eq!(refused.status, 400, "{query}");
        assert!(
            refused.message().starts_with("Invalid filters "),
            "{}",
            refused.message()
        );
        // Before, what they may not use is as if it were not there.
        let list = ask("3.30", query).await;
        assert_eq!(
            list.body["volumes"].as_array().map(Vec::len),
            Some(1),
            "{query}"
        );
    }
    assert_eq!(
        ask("3.71", "all_tenants=1&status=error").await.body["volumes"],
        json!([])
    );
}
