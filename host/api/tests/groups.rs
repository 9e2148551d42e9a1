//! Groups and group snapshots over HTTP, in Cinder's shapes, over a driver that keeps groups.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use axum::body::Body;
use serde_json::{Value, json};
use support::Api;

/// A replicating volume type, a group type for replication and one without specs.
async fn types(api: &Api) -> (String, String) {
    let specs = json!({"replication_enabled": "<is> True"});
    let made = api
        .post(
            "/v3/types",
            json!({"volume_type": {"name": "gold", "extra_specs": specs}}),
        )
        .await;
    assert_eq!(made.status, 200);
    let volume_type = made.body["volume_type"]["id"].as_str().unwrap().to_owned();
    let specs = json!({"consistent_group_replication_enabled": "<is> True",
        "consistent_group_snapshot_enabled": "<is> True"});
    let made = api
        .post(
            "/v3/group_types",
            json!({"group_type": {"name": "tiramisu", "group_specs": specs}}),
        )
        .await;
    assert_eq!(made.status, 202);
    let group_type = made.body["group_type"]["id"].as_str().unwrap().to_owned();
    (volume_type, group_type)
}

async fn group(api: &Api) -> String {
    let body = json!({"group": {"name": "g", "description": "d", "group_type": "tiramisu",
        "volume_types": ["gold"], "availability_zone": null}});
    let made = api.post("/v3/groups", body).await;
    assert_eq!(made.status, 202, "{}", made.text);
    let id = made.body["group"]["id"].as_str().unwrap().to_owned();
    assert_eq!(made.body, json!({"group": {"id": id, "name": "g"}}));
    api.until(&format!("/v3/groups/{id}"), "group", Some("available"))
        .await;
    id
}

async fn volume(api: &Api, group: Option<&str>) -> String {
    let body = json!({"volume": {"size": 1, "volume_type": "gold", "group_id": group}});
    let made = api.post("/v3/volumes", body).await;
    assert_eq!(made.status, 202, "{}", made.text);
    let id = made.body["volume"]["id"].as_str().unwrap().to_owned();
    api.until(&format!("/v3/volumes/{id}"), "volume", Some("available"))
        .await;
    id
}

async fn act(api: &Api, group: &str, body: Value) -> support::Got {
    api.post(&format!("/v3/groups/{group}/action"), body).await
}

async fn at(api: &Api, version: &str, method: &str, path: &str, body: Value) -> support::Got {
    let version = format!("volume {version}");
    let headers = [("openstack-api-version", version.as_str())];
    api.send(method, path, &headers, body.to_string()).await
}

#[tokio::test]
async fn a_group_is_made_shown_changed_and_deleted_in_cinders_shapes() {
    let api = Api::with_driver().await;
    let (volume_type, group_type) = types(&api).await;
    let id = group(&api).await;
    let path = format!("/v3/groups/{id}");
    let shown = api.get(&path).await.body["group"].clone();
    let created = shown["created_at"].clone();
    assert_eq!(created.as_str().unwrap().len(), 26);
    let project = shown["project_id"].clone();
    assert_eq!(
        shown,
        json!({"id": id, "status": "available", "availability_zone": "nova", "created_at": created, "name": "g",
            "description": "d", "group_type": group_type, "volume_types": [volume_type], "group_snapshot_id": null,
            "source_group_id": null, "replication_status": "disabled", "project_id": project})
    );

    let member = volume(&api, Some(&id)).await;
    let outside = volume(&api, None).await;
    assert_eq!(
        api.get(&format!("/v3/volumes/{member}")).await.body["volume"]["group_id"],
        id.as_str()
    );
    let changed = api
        .put(
            &path,
            json!({"group": {"name": "h", "add_volumes": format!("{outside},"), "remove_volumes": member}}),
        )
        .await;
    assert_eq!((changed.status.as_u16(), changed.text.as_str()), (202, ""));
    api.until(&path, "group", Some("available")).await;
    let listed = api.get(&format!("{path}?list_volume=True")).await;
    assert_eq!(listed.body["group"]["volumes"], json!([outside]));
    assert_eq!(listed.body["group"]["name"], "h");
    assert_eq!(
        api.get(&format!("/v3/volumes?group_id={id}")).await.body["volumes"][0]["id"],
        outside.as_str()
    );

    let refused = act(&api, &id, json!({"delete": {}})).await;
    assert_eq!(
        (refused.status.as_u16(), refused.message()),
        (
            400,
            format!(
                "Invalid Group: Group {id} still contains volumes. The delete-volumes flag is required to delete it."
            )
            .as_str()
        )
    );
    let gone = act(&api, &id, json!({"delete": {"delete-volumes": true}})).await;
    assert_eq!((gone.status.as_u16(), gone.text.as_str()), (202, ""));
    api.until(&path, "group", None).await;
    assert_eq!(
        api.get(&path).await.body["itemNotFound"],
        json!({"code": 404, "message": format!("Group {id} could not be found.")})
    );
    assert_eq!(api.get(&format!("/v3/volumes/{outside}")).await.status, 404);
}

#[tokio::test]
async fn lists_of_groups_are_short_or_in_detail_and_paged_under_cinders_name() {
    let api = Api::with_driver().await;
    types(&api).await;
    let (one, two) = (group(&api).await, group(&api).await);
    let short = api.get("/v3/groups?sort=created_at:asc").await;
    assert_eq!(
        short.body,
        json!({"groups": [{"id": one, "name": "g"}, {"id": two, "name": "g"}]})
    );
    let page = api
        .get("/v3/groups/detail?limit=1&sort=created_at:asc")
        .await;
    assert_eq!(page.body["groups"][0]["replication_status"], "disabled");
    let next = page.body["group_links"][0]["href"].as_str().unwrap();
    assert_eq!(
        next,
        format!("http://cloud:8776/v3/groups/detail?limit=1&sort=created_at:asc&marker={one}")
    );
    let next = api
        .get(next.strip_prefix("http://cloud:8776").unwrap())
        .await;
    assert_eq!(next.body["groups"][0]["id"], two.as_str());
    assert_eq!(
        api.get("/v3/groups?name=nobody").await.body,
        json!({"groups": []})
    );
}

#[tokio::test]
async fn a_group_snapshot_and_a_group_made_from_it_live_as_the_clients_expect() {
    let api = Api::with_driver().await;
    let (_, group_type) = types(&api).await;
    let id = group(&api).await;
    let member = volume(&api, Some(&id)).await;
    let body = json!({"group_snapshot": {"group_id": id, "name": "s", "description": null}});
    let taken = api.post("/v3/group_snapshots", body).await;
    assert_eq!(taken.status, 202, "{}", taken.text);
    let snapshot = taken.body["group_snapshot"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        taken.body["group_snapshot"],
        json!({"id": snapshot, "name": "s", "group_type_id": group_type})
    );
    let path = format!("/v3/group_snapshots/{snapshot}");
    let shown = api.until(&path, "group_snapshot", Some("available")).await;
    assert_eq!(
        shown,
        json!({"id": snapshot, "group_id": id, "group_type_id": group_type, "status": "available",
            "created_at": shown["created_at"], "name": "s", "description": null, "project_id": shown["project_id"]})
    );
    assert_eq!(
        api.get("/v3/group_snapshots").await.body,
        json!({"group_snapshots": [{"id": snapshot, "name": "s"}]})
    );
    assert_eq!(
        api.get("/v3/group_snapshots/detail").await.body["group_snapshots"][0],
        shown
    );
    let each = api
        .get(&format!("/v3/snapshots/detail?volume_id={member}"))
        .await;
    assert_eq!(
        each.body["snapshots"][0]["group_snapshot_id"],
        snapshot.as_str()
    );

    let source = json!({"create-from-src": {"name": "c", "group_snapshot_id": snapshot}});
    let made = api.post("/v3/groups/action", source).await;
    assert_eq!(made.status, 202, "{}", made.text);
    let copy = made.body["group"]["id"].as_str().unwrap().to_owned();
    assert_eq!(made.body, json!({"group": {"id": copy, "name": "c"}}));
    let copy_path = format!("/v3/groups/{copy}?list_volume=True");
    let filled = api.until(&copy_path, "group", Some("available")).await;
    assert_eq!(filled["group_snapshot_id"], snapshot.as_str());
    assert_eq!(filled["volumes"].as_array().unwrap().len(), 1);
    let both = json!({"create-from-src": {"group_snapshot_id": snapshot, "source_group_id": id}});
    assert_eq!(api.post("/v3/groups/action", both).await.status, 400);
    let from_group = json!({"create-from-src": {"source_group_id": id}});
    assert_eq!(api.post("/v3/groups/action", from_group).await.status, 202);

    let refused = act(&api, &id, json!({"delete": {"delete-volumes": true}})).await;
    assert_eq!(
        refused.message(),
        "Invalid Group: Group has existing snapshots."
    );
    let reset = api
        .post(
            &format!("{path}/action"),
            json!({"reset_status": {"status": "error"}}),
        )
        .await;
    assert_eq!(reset.status, 202);
    assert_eq!(
        api.get(&path).await.body["group_snapshot"]["status"],
        "error"
    );
    assert_eq!(api.delete(&path).await.status, 202);
    api.until(&path, "group_snapshot", None).await;
    assert_eq!(
        api.get(&path).await.message(),
        format!("GroupSnapshot {snapshot} could not be found.")
    );
}

#[tokio::test]
async fn replication_of_a_group_is_switched_and_failed_over_and_its_targets_have_no_secrets() {
    let api = Api::with_driver().await;
    types(&api).await;
    let id = group(&api).await;
    let path = format!("/v3/groups/{id}");
    let member = volume(&api, Some(&id)).await;
    let replication = async |status: &str| {
        let waiting = async {
            while api.get(&path).await.body["group"]["replication_status"] != status {
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
        };
        let limit = std::time::Duration::from_secs(120);
        tokio::time::timeout(limit, waiting).await.unwrap();
    };
    let early = act(&api, &id, json!({"failover_replication": {}})).await;
    assert_eq!(early.status, 400);
    assert!(early.message().contains("Cannot failover replication."));
    let on = act(&api, &id, json!({"enable_replication": {}})).await;
    assert_eq!((on.status.as_u16(), on.text.as_str()), (202, ""));
    replication("enabled").await;
    let targets = act(&api, &id, json!({"list_replication_targets": {}})).await;
    assert_eq!(targets.status, 200);
    assert_eq!(
        targets.body,
        json!({"replication_targets": [{"backend_id": "b"}]})
    );
    assert!(!targets.text.contains(support::driver::SECRET));
    let over = json!({"failover_replication": {"allow_attached_volume": false, "secondary_backend_id": "b"}});
    assert_eq!(act(&api, &id, over).await.status, 202);
    replication("failed-over").await;
    assert_eq!(
        api.get(&format!("/v3/volumes/{member}")).await.body["volume"]["replication_status"],
        "failed-over"
    );
    // What openstacksdk sends: null for nothing, and a placeholder for the action's name. The array that was left behind
    // may hold writes, and this call has no room to agree to their loss.
    let back = json!({"modify_body_for_action": {"allow_attached_volume": true, "secondary_backend_id": "default"}});
    let back = act(&api, &id, back).await;
    assert_eq!(back.status, 400, "{}", back.text);
    let way_on = format!("springform failback --group {id} --discard");
    assert!(back.message().contains(&way_on), "{}", back.message());
    let targets = act(&api, &id, json!({"list_replication_targets": null})).await;
    assert_eq!(targets.status, 200);
    let nothing = act(&api, &id, json!({"failover_replication": null})).await;
    assert_eq!(nothing.status, 400);
    assert!(nothing.message().contains("not of type 'object'"));
}

#[tokio::test]
async fn each_route_and_each_field_appears_with_its_microversion() {
    let api = Api::with_driver().await;
    types(&api).await;
    let id = group(&api).await;
    let path = format!("/v3/groups/{id}");
    let early = at(&api, "3.12", "GET", "/v3/groups", Value::Null).await;
    assert_eq!(
        early.body["itemNotFound"]["message"],
        "API version 3.12 is not supported on this method."
    );
    let members = async |version: &str, query: &str| {
        let shown = at(&api, version, "GET", &format!("{path}{query}"), Value::Null).await;
        let group = shown.body["group"].as_object().unwrap().clone();
        group.keys().cloned().collect::<Vec<_>>()
    };
    let has = |keys: &[String], key: &str| keys.iter().any(|known| known == key);
    for (key, before, from) in [
        ("group_snapshot_id", "3.13", "3.14"),
        ("source_group_id", "3.13", "3.14"),
        ("volumes", "3.24", "3.25"),
        ("replication_status", "3.37", "3.38"),
        ("project_id", "3.57", "3.58"),
    ] {
        assert!(!has(&members(before, "?list_volume=1").await, key), "{key}");
        assert!(has(&members(from, "?list_volume=1").await, key), "{key}");
    }
    let action = format!("{path}/action");
    for (body, before, from) in [
        (
            json!({"reset_status": {"status": "available"}}),
            "3.19",
            202,
        ),
        (json!({"list_replication_targets": {}}), "3.37", 200),
    ] {
        let early = at(&api, before, "POST", &action, body.clone()).await;
        assert_eq!(early.status, 404, "{body}");
        assert_eq!(api.post(&action, body).await.status, from);
    }
    for path in ["/v3/group_snapshots", "/v3/group_snapshots/detail"] {
        assert_eq!(at(&api, "3.13", "GET", path, Value::Null).await.status, 404);
        assert_eq!(at(&api, "3.14", "GET", path, Value::Null).await.status, 200);
    }
}

#[tokio::test]
async fn bodies_that_make_no_sense_are_refused_with_the_reason() {
    let api = Api::with_driver().await;
    types(&api).await;
    for (body, why) in [
        (
            json!({"group": {"volume_types": ["gold"]}}),
            "'group_type' is a required property",
        ),
        (
            json!({"group": {"group_type": "tiramisu"}}),
            "'volume_types' is a required property",
        ),
        (
            json!({"group": {"group_type": "tiramisu", "volume_types": []}}),
            "too short",
        ),
        (
            json!({"group": {"group_type": "tiramisu", "volume_types": ["gold", "gold"]}}),
            "non-unique",
        ),
        (
            json!({"group": {"group_type": "tiramisu", "volume_types": ["gold"], "colour": 1}}),
            "'colour' was unexpected",
        ),
        (
            json!({"group": {"group_type": "tiramisu", "volume_types": ["gold"], "availability_zone": "moon"}}),
            "Availability zone 'moon' is invalid.",
        ),
    ] {
        let refused = api.post("/v3/groups", body).await;
        assert_eq!(refused.status, 400, "{}", refused.text);
        assert!(refused.message().contains(why), "{}", refused.message());
    }
    for (kind, volume_type) in [("nosuch", "gold"), ("tiramisu", "nosuch")] {
        let body = json!({"group": {"group_type": kind, "volume_types": [volume_type]}});
        assert_eq!(api.post("/v3/groups", body).await.status, 404);
    }
    let id = group(&api).await;
    for body in [
        json!({"explode": {}}),
        json!({"delete": null}),
        json!({"reset_status": {"status": "blue"}}),
        json!({}),
    ] {
        assert_eq!(act(&api, &id, body).await.status, 400);
    }
}

#[tokio::test]
async fn a_member_has_groups_of_the_own_project_and_resets_nothing() {
    let auth = Api::known_tokens();
    let api = Api::with_driver_and(auth).await;
    let send = async |token: &str, method: &str, path: &str, body: Value| {
        let headers = [
            ("x-auth-token", token),
            ("openstack-api-version", "volume 3.71"),
        ];
        let body = if body.is_null() {
            Body::empty()
        } else {
            Body::from(body.to_string())
        };
        api.send(method, path, &headers, body).await
    };
    let (admin, member, other) = (
        "admin-token-of-test",
        "member-token-of-test",
        "other-token-of-the-test",
    );
    let kind = json!({"volume_type": {"name": "gold"}});
    send(admin, "POST", "/v3/types", kind).await;
    let kind = json!({"group_type": {"name": "plain"}});
    send(admin, "POST", "/v3/group_types", kind).await;
    let body = json!({"group": {"group_type": "plain", "volume_types": ["gold"]}});
    let made = send(member, "POST", "/v3/groups", body).await;
    assert_eq!(made.status, 202, "{}", made.text);
    let path = format!("/v3/groups/{}", made.body["group"]["id"].as_str().unwrap());
    let shown = send(member, "GET", &path, Value::Null).await;
    assert!(shown.body["group"].get("project_id").is_none());
    assert_eq!(send(other, "GET", &path, Value::Null).await.status, 404);
    assert_eq!(
        send(other, "GET", "/v3/groups", Value::Null).await.body,
        json!({"groups": []})
    );
    let all = send(admin, "GET", "/v3/groups/detail?all_tenants=1", Value::Null).await;
    assert_eq!(all.body["groups"][0]["project_id"], "bb");
    let reset = json!({"reset_status": {"status": "error"}});
    let refused = send(member, "POST", &format!("{path}/action"), reset).await;
    assert_eq!(refused.status, 403);
}
