//! Nobody reaches what is another's: every route, every object and every kind of caller.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "../support/mod.rs"]
mod support;

mod privileges;

use serde_json::{Value, json};
use support::furnished::{ADMIN, MEMBER, Route, Things};
use support::furnished::{call, furnished, furnished_with, ready, routes};
use support::{Api, Got};

/// Members and readers of another project, somebody without a role in this one, a service of a third, and nobody.
const STRANGER: &str = "other-token-of-the-test";
const CALLERS: [&str; 5] = [
    STRANGER,
    "other-reader-of-the-test",
    "no-role-of-the-test",
    "service-token-of-the-test",
    "",
];

/// An id that no record has.
const NOBODYS: &str = "00000000-0000-4000-8000-00000000dead";

/// What belongs to a project.
const OWNED: [&str; 8] = [
    "volume_id",
    "snapshot_id",
    "attachment_id",
    "group_id",
    "group_snapshot_id",
    "transfer_id",
    "message_id",
    "operation_id",
];

/// Bodies that would do, were it one's own.
fn sensible(route: &Route) -> Vec<Value> {
    let bodies = match (route.method.as_str(), route.path.trim_start_matches("/v3")) {
        ("PUT", "/volumes/{volume_id}") => json!([{"volume": {"name": "n"}}]),
        ("POST" | "PUT", "/volumes/{volume_id}/metadata" | "/snapshots/{snapshot_id}/metadata") => {
            json!([{"metadata": {"k": "w"}}])
        }
        (
            "PUT",
            "/volumes/{volume_id}/metadata/{key}" | "/snapshots/{snapshot_id}/metadata/{key}",
        ) => {
            json!([{"meta": {"k": "w"}}])
        }
        ("POST", "/volumes/{volume_id}/action") => json!([
            {"os-extend": {"new_size": 2}}, {"os-retype": {"new_type": "t", "migration_policy": "never"}},
            {"os-reserve": {}}, {"os-unreserve": {}}, {"os-begin_detaching": {}}, {"os-roll_detaching": {}},
            {"os-attach": {"instance_uuid": "00000000-0000-4000-8000-000000000001", "mountpoint": "/dev/vdb"}},
            {"os-detach": {}}, {"os-initialize_connection": {"connector": {"host": "h", "initiator": "iqn.x"}}},
            {"os-terminate_connection": {"connector": {"host": "h", "initiator": "iqn.x"}}},
            {"os-set_bootable": {"bootable": true}}, {"os-update_readonly_flag": {"readonly": true}},
            {"os-set_image_metadata": {"metadata": {"a": "b"}}}, {"os-unset_image_metadata": {"key": "a"}},
            {"os-show_image_metadata": {}}, {"revert": {"snapshot_id": "00000000-0000-4000-8000-000000000001"}},
        ]),
        ("POST", "/snapshots/{snapshot_id}/action") => {
            json!([{"os-update_snapshot_status": {"status": "available"}}])
        }
        ("PUT", "/snapshots/{snapshot_id}") => json!([{"snapshot": {"name": "n"}}]),
        ("PUT", "/attachments/{attachment_id}") => {
            json!([{"attachment": {"connector": {"host": "h", "initiator": "iqn.x"}}}])
        }
        ("POST", "/attachments/{attachment_id}/action") => json!([{"os-complete": {}}]),
        ("PUT", "/groups/{group_id}") => json!([{"group": {"name": "n"}}]),
        ("POST", "/groups/{group_id}/action") => json!([
            {"delete": {}}, {"enable_replication": {}}, {"disable_replication": {}}, {"failover_replication": {}},
            {"list_replication_targets": {}},
        ]),
        _ => json!([Value::Null]),
    };
    bodies.as_array().unwrap().clone()
}

/// What the owner sees of each thing.
async fn seen(api: &Api, things: &Things) -> Vec<Value> {
    let mut seen = Vec::new();
    for (name, list) in [
        ("volume_id", "volumes"),
        ("snapshot_id", "snapshots"),
        ("attachment_id", "attachments"),
        ("group_id", "groups"),
        ("group_snapshot_id", "group_snapshots"),
        ("transfer_id", "volume-transfers"),
        ("message_id", "messages"),
        ("operation_id", "operations"),
    ] {
        let (token, root) = match list {
            "operations" => (ADMIN, "/admin/v1"),
            _ => (MEMBER, "/v3"),
        };
        let path = format!("{root}/{list}/{}", things.id(name));
        let shown = call(api, token, "GET", &path, "3.71", "").await;
        assert_eq!(shown.status, 200, "{path}: {}", shown.text);
        seen.push(shown.body);
    }
    seen
}

/// A path with every id of a project's thing in it replaced by this one, and the rest filled in.
fn with(route: &Route, things: &Things, id: &str) -> String {
    let mut path = route.path.clone();
    for owned in OWNED {
        path = path.replace(&format!("{{{owned}}}"), id);
    }
    things.fill(&path)
}

#[tokio::test]
async fn no_route_lets_any_caller_at_any_object_of_another_project() {
    let (api, things) = furnished().await;
    let before = seen(&api, &things).await;
    let mut checked = 0;
    for route in routes(&api).await {
        let of_a_project = OWNED
            .iter()
            .any(|part| route.path.contains(&format!("{{{part}}}")));
        if !of_a_project {
            continue;
        }
        for body in sensible(&route) {
            let body = match body {
                Value::Null => String::new(),
                body => body.to_string(),
            };
            for caller in CALLERS {
                for owned in OWNED {
                    let path = with(&route, &things, things.id(owned));
                    let got = call(&api, caller, &route.method, &path, "3.71", &body).await;
                    let wanted: &[u16] = match caller {
                        "" => &[401],
                        // A transfer is for whoever has its key, and without a key there is nothing to say about it.
                        STRANGER if route.path.ends_with("/accept") => &[400, 404],
                        STRANGER if route.rule.1 != "admin" => &[404],
                        _ => &[403, 404],
                    };
                    let said = got.status.as_u16();
                    assert!(
                        wanted.contains(&said),
                        "{} as {caller}, {owned}, {body}: {said} {}",
                        route.named(),
                        got.text
                    );
                    checked += 1;
                }
            }
        }
    }
    assert!(checked > 1000, "{checked}");
    assert_eq!(seen(&api, &things).await, before);
}

#[tokio::test]
async fn no_body_names_an_object_of_another_project() {
    let (api, things) = furnished().await;
    let before = seen(&api, &things).await;
    let id = |name: &str| things.id(name).to_owned();
    let bodies = [
        (
            "/v3/snapshots",
            json!({"snapshot": {"volume_id": id("volume_id")}}),
        ),
        (
            "/v3/snapshots",
            json!({"snapshot": {"volume_id": id("volume_id"), "force": true}}),
        ),
        (
            "/v3/attachments",
            json!({"attachment": {"volume_uuid": id("volume_id")}}),
        ),
        (
            "/v3/volume-transfers",
            json!({"transfer": {"volume_id": id("volume_id")}}),
        ),
        (
            "/v3/os-volume-transfer",
            json!({"transfer": {"volume_id": id("volume_id")}}),
        ),
        (
            "/v3/volumes",
            json!({"volume": {"source_volid": id("volume_id")}}),
        ),
        (
            "/v3/volumes",
            json!({"volume": {"snapshot_id": id("snapshot_id")}}),
        ),
        (
            "/v3/volumes",
            json!({"volume": {"size": 1, "volume_type": "t", "group_id": id("group_id")}}),
        ),
        (
            "/v3/group_snapshots",
            json!({"group_snapshot": {"group_id": id("group_id")}}),
        ),
        (
            "/v3/groups/action",
            json!({"create-from-src": {"source_group_id": id("group_id")}}),
        ),
        (
            "/v3/groups/action",
            json!({"create-from-src": {"group_snapshot_id": id("group_snapshot_id")}}),
        ),
    ];
    for (path, body) in bodies {
        for caller in CALLERS {
            let got = call(&api, caller, "POST", path, "3.71", &body.to_string()).await;
            let wanted = match caller {
                "" => 401,
                STRANGER => 404,
                _ => 403,
            };
            assert_eq!(
                got.status, wanted,
                "{path} {body} as {caller}: {}",
                got.text
            );
        }
    }
    assert_eq!(seen(&api, &things).await, before);
}

#[tokio::test]
async fn a_policy_that_opens_operations_opens_those_of_ones_own_project() {
    let policy = "\"springform:operations:get\" = \"member\"\n\
                  \"springform:operations:list\" = \"member\"\n\
                  \"springform:operations:cancel\" = \"member\"\n";
    let (api, things) = furnished_with(policy).await;
    let one = format!("/admin/v1/operations/{}", things.id("operation_id"));
    let events = format!("{one}/events");
    let cancel = format!("{one}/cancel");
    for (method, path, own) in [
        ("GET", &one, 200),
        ("GET", &events, 200),
        // It has ended.
        ("POST", &cancel, 409),
    ] {
        let got = call(&api, MEMBER, method, path, "3.71", "").await;
        assert_eq!(got.status, own, "{path}: {}", got.text);
        let got = call(&api, STRANGER, method, path, "3.71", "").await;
        assert_eq!(got.status, 404, "{path}: {}", got.text);
        assert!(
            !got.text.contains(things.id("volume_id")),
            "{path}: {}",
            got.text
        );
    }
    let list = "/admin/v1/operations";
    let own = call(&api, MEMBER, "GET", list, "3.71", "").await;
    assert!(own.text.contains(things.id("operation_id")), "{}", own.text);
    let none = call(&api, STRANGER, "GET", list, "3.71", "").await;
    assert_eq!(none.body["operations"], json!([]), "{}", none.text);
}

#[tokio::test]
async fn no_route_lets_in_who_has_no_role_in_the_project_or_no_token() {
    let (api, things) = furnished().await;
    let before = seen(&api, &things).await;
    for route in routes(&api).await {
        let path = things.fill(&route.path);
        for (caller, wanted) in [
            ("no-role-of-the-test", 403),
            ("service-token-of-the-test", 403),
            ("", 401),
        ] {
            let got = call(&api, caller, &route.method, &path, "3.71", "{}").await;
            assert_eq!(
                got.status,
                wanted,
                "{} as {caller}: {}",
                route.named(),
                got.text
            );
        }
    }
    assert_eq!(seen(&api, &things).await, before);
}

/// What the stranger has beside.
struct Own {
    volume: String,
    group: String,
    attachment: String,
}

impl Own {
    async fn of(api: &Api) -> Self {
        let make = async |path: &str, key: &str, body: Value| {
            let body = json!({ key: body }).to_string();
            let made = call(api, STRANGER, "POST", path, "3.71", &body).await;
            assert!(made.status.is_success(), "{path}: {}", made.text);
            format!("{path}/{}", made.body[key]["id"].as_str().unwrap())
        };
        let volume = json!({"size": 1, "volume_type": "t"});
        let group = json!({"group_type": "g", "volume_types": ["t"]});
        let volume = make("/v3/volumes", "volume", volume).await;
        let group = make("/v3/groups", "group", group).await;
        for (path, key) in [(&volume, "volume"), (&group, "group")] {
            api.wait_for(|| async {
                call(api, STRANGER, "GET", path, "3.71", "").await.body[key]["status"]
                    == "available"
            })
            .await;
        }
        let reserved = json!({"volume_uuid": volume.rsplit('/').next().unwrap()});
        let attachment = make("/v3/attachments", "attachment", reserved).await;
        Self {
            volume,
            group,
            attachment,
        }
    }
}

#[tokio::test]
async fn no_thing_of_ones_own_opens_a_door_to_anothers() {
    let (api, things) = furnished().await;
    let own = Own::of(&api).await;
    let before = seen(&api, &things).await;
    let action = format!("{}/action", own.volume);
    let as_stranger = async |method: &str, path: &str, body: Value| -> Got {
        call(&api, STRANGER, method, path, "3.71", &body.to_string()).await
    };
    // Both have the type of the stranger's group: one that could join it, and one that could leave it.
    let wanted = json!({"volume": {"size": 1, "volume_type": "t"}}).to_string();
    let made = call(&api, MEMBER, "POST", "/v3/volumes", "3.71", &wanted).await;
    let spare = made.body["volume"]["id"].as_str().unwrap().to_owned();
    ready(&api, &format!("/v3/volumes/{spare}"), "volume").await;
    let volumes = [spare.as_str(), things.id("grouped_volume_id")];
    for id in OWNED
        .map(|owned| things.id(owned))
        .into_iter()
        .chain(volumes)
    {
        for (method, path, body) in [
            ("POST", &action, json!({"revert": {"snapshot_id": id}})),
            ("POST", &action, json!({"os-detach": {"attachment_id": id}})),
            ("PUT", &own.group, json!({"group": {"add_volumes": id}})),
            ("PUT", &own.group, json!({"group": {"remove_volumes": id}})),
        ] {
            let got = as_stranger(method, path, body.clone()).await;
            let refused = [400, 404, 409].contains(&got.status.as_u16());
            assert!(refused, "{path} {body}: {} {}", got.status, got.text);
            // The answer is the one for an id that is nobody's, so a caller does not learn whether there is such a thing.
            let nobodys = body.to_string().replace(id, NOBODYS);
            let nobodys = as_stranger(method, path, nobodys.parse().unwrap()).await;
            let said = (got.status, got.message().replace(id, NOBODYS));
            let same = (nobodys.status, nobodys.message().to_owned());
            assert_eq!(said, same, "{path} {body}");
        }
    }
    let shown = as_stranger("GET", &own.attachment, Value::Null).await;
    assert_eq!(
        shown.body["attachment"]["status"], "reserved",
        "{}",
        shown.text
    );
    assert_eq!(seen(&api, &things).await, before);
    ready(
        &api,
        &format!("/v3/groups/{}", things.id("group_id")),
        "group",
    )
    .await;
}

#[tokio::test]
async fn no_list_shows_what_is_anothers() {
    let (api, things) = furnished().await;
    let ids: Vec<&str> = OWNED.iter().map(|owned| things.id(owned)).collect();
    for list in [
        "volumes",
        "volumes/detail",
        "volumes/summary",
        "snapshots",
        "snapshots/detail",
        "attachments",
        "attachments/detail",
        "groups",
        "groups/detail",
        "group_snapshots",
        "group_snapshots/detail",
        "volume-transfers",
        "volume-transfers/detail",
        "messages",
    ] {
        let mut queries = vec![
            "all_tenants=1".to_owned(),
            "project_id=bb&all_tenants=1".to_owned(),
        ];
        queries.extend(ids.iter().map(|id| format!("all_tenants=1&id={id}")));
        queries.extend(ids.iter().map(|id| format!("volume_id={id}")));
        for query in queries {
            for caller in [STRANGER, "other-reader-of-the-test"] {
                let path = format!("/v3/{list}?{query}");
                let got = call(&api, caller, "GET", &path, "3.71", "").await;
                assert!(!got.status.is_server_error(), "{path}: {}", got.text);
                let asked = |id: &&&str| !query.contains(**id);
                let shown = ids.iter().filter(asked).any(|id| got.text.contains(id));
                assert!(!shown, "{path}: {}", got.text);
                let none = got.body.as_object().and_then(|body| body.values().next());
                let none = none.and_then(Value::as_array).is_none_or(Vec::is_empty);
                assert!(none, "{path}: {}", got.text);
            }
        }
    }
}
