//! What holds of every route there is, read from the document: who may call it, from which microversion on, what nonsense it
//! refuses, and that nobody reaches what belongs to another project.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::sync::Arc;

use serde_json::{Value, json};
use support::array::Array;
use support::{Api, Got};

const ADMIN: &str = "admin-token-of-test";
const MEMBER: &str = "member-token-of-test";
const READER: &str = "reader-token-of-test";
const STRANGER: &str = "other-token-of-the-test";

/// A route of the document.
struct Route {
    method: String,
    path: String,
    /// Sentence about it.
    summary: String,
    /// Policy rule, and the least role.
    rule: (String, String),
    has_body: bool,
}

impl Route {
    fn named(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

async fn routes(api: &Api) -> Vec<Route> {
    let document = api.get("/openapi.json").await.body;
    let mut found = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, call) in methods.as_object().unwrap() {
            let Some(rule) = call["description"]
                .as_str()
                .and_then(|text| text.strip_prefix("Policy rule `"))
            else {
                continue;
            };
            let (rule, role) = rule.trim_end_matches('.').split_once("`: ").unwrap();
            found.push(Route {
                method: method.to_uppercase(),
                path: path.clone(),
                summary: call["summary"].as_str().unwrap().to_owned(),
                rule: (rule.to_owned(), role.to_owned()),
                has_body: call["requestBody"]["content"]["application/json"].is_object(),
            });
        }
    }
    assert!(found.len() > 150, "{}", found.len());
    found
}

/// One of each thing that a project has, and what is in the paths beside them.
struct Things(Vec<(&'static str, String)>);

impl Things {
    async fn of(api: &Api) -> Self {
        let make = async |path: &str, body: Value, key: &str| {
            let made = call(api, MEMBER, "POST", path, "3.71", &body.to_string()).await;
            assert!(made.status.is_success(), "{path}: {}", made.text);
            made.body[key]["id"].as_str().unwrap().to_owned()
        };
        let by_admin = async |path: &str, body: Value| {
            let made = call(api, ADMIN, "POST", path, "3.71", &body.to_string()).await;
            assert!(made.status.is_success(), "{path}: {}", made.text);
        };
        by_admin("/v3/types", json!({"volume_type": {"name": "t"}})).await;
        by_admin("/v3/group_types", json!({"group_type": {"name": "g"}})).await;
        let volume = || json!({"volume": {"size": 1, "volume_type": "t", "metadata": {"k": "v"}}});
        let (one, two, three) = (
            make("/v3/volumes", volume(), "volume").await,
            make("/v3/volumes", volume(), "volume").await,
            make("/v3/volumes", volume(), "volume").await,
        );
        for id in [&one, &two, &three] {
            ready(api, &format!("/v3/volumes/{id}"), "volume").await;
        }
        let group = json!({"group": {"group_type": "g", "volume_types": ["t"]}});
        let group = make("/v3/groups", group, "group").await;
        ready(api, &format!("/v3/groups/{group}"), "group").await;
        let joins = json!({"group": {"add_volumes": three}}).to_string();
        let joined = call(
            api,
            MEMBER,
            "PUT",
            &format!("/v3/groups/{group}"),
            "3.71",
            &joins,
        )
        .await;
        assert_eq!(joined.status, 202, "{}", joined.text);
        ready(api, &format!("/v3/groups/{group}"), "group").await;
        let taken = json!({"group_snapshot": {"group_id": group}});
        let snapshot = json!({"snapshot": {"volume_id": one, "metadata": {"k": "v"}}});
        let lost = json!({"volume": {"size": 1_000_000_000}});
        let refused = call(
            api,
            MEMBER,
            "POST",
            "/v3/volumes",
            "3.71",
            &lost.to_string(),
        )
        .await;
        assert!(!refused.status.is_server_error());
        Self(vec![
            (
                "group_snapshot_id",
                make("/v3/group_snapshots", taken, "group_snapshot").await,
            ),
            (
                "snapshot_id",
                make("/v3/snapshots", snapshot, "snapshot").await,
            ),
            (
                "attachment_id",
                make(
                    "/v3/attachments",
                    json!({"attachment": {"volume_uuid": one}}),
                    "attachment",
                )
                .await,
            ),
            (
                "transfer_id",
                make(
                    "/v3/volume-transfers",
                    json!({"transfer": {"volume_id": two}}),
                    "transfer",
                )
                .await,
            ),
            ("volume_id", one),
            ("group_id", group),
            ("key", "k".to_owned()),
            ("project", "bb".to_owned()),
            ("class", "default".to_owned()),
        ])
    }

    fn id(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(known, _)| *known == name);
        found.map_or("00000000-0000-4000-8000-00000000dead", |(_, id)| id)
    }

    /// A path with its parts filled in.
    fn fill(&self, path: &str) -> String {
        let parts = path.split('/').map(|part| match part.strip_prefix('{') {
            Some(name) => self.id(name.trim_end_matches('}')),
            None => part,
        });
        parts.collect::<Vec<_>>().join("/")
    }
}

async fn ready(api: &Api, path: &str, key: &str) {
    api.wait_for(|| async {
        call(api, MEMBER, "GET", path, "3.71", "").await.body[key]["status"] == "available"
    })
    .await;
}

async fn call(api: &Api, token: &str, method: &str, path: &str, version: &str, body: &str) -> Got {
    let version = format!("volume {version}");
    let headers = [
        ("openstack-api-version", version.as_str()),
        ("x-auth-token", token),
    ];
    api.send(method, path, &headers, body.to_owned()).await
}

async fn furnished() -> (Api, Things) {
    let api = Api::with_tokens_and_array(&Arc::new(Array::default())).await;
    let things = Things::of(&api).await;
    (api, things)
}

#[tokio::test]
async fn every_route_names_its_rule_to_who_lacks_the_role() {
    let api = Api::with_tokens("").await;
    let nothing = Things(Vec::new());
    for route in routes(&api).await {
        let (rule, role) = (&route.rule.0, route.rule.1.as_str());
        let below = match role {
            "admin" => &[MEMBER, READER][..],
            "member" => &[READER][..],
            _ => &[][..],
        };
        for token in below {
            let got = call(
                &api,
                token,
                &route.method,
                &nothing.fill(&route.path),
                "3.71",
                "{}",
            )
            .await;
            assert_eq!(got.status, 403, "{}: {}", route.named(), got.text);
            assert!(
                got.message().contains(rule.as_str()),
                "{}: {}",
                route.named(),
                got.text
            );
        }
    }
}

#[tokio::test]
async fn every_route_is_absent_before_its_microversion() {
    let api = Api::with_tokens("").await;
    let nothing = Things(Vec::new());
    let mut checked = 0;
    for route in routes(&api).await {
        let Some((_, rest)) = route.summary.split_once("(from 3.") else {
            continue;
        };
        let since: u16 = rest
            .split(|c: char| !c.is_ascii_digit())
            .next()
            .unwrap()
            .parse()
            .unwrap();
        let version = format!("3.{}", since - 1);
        let body = if route.path.ends_with("/action") {
            r#"{"delete": {}}"#
        } else {
            "{}"
        };
        let got = call(
            &api,
            ADMIN,
            &route.method,
            &nothing.fill(&route.path),
            &version,
            body,
        )
        .await;
        assert_eq!(
            got.status,
            404,
            "{} at {version}: {}",
            route.named(),
            got.text
        );
        assert!(
            got.message().contains("is not supported on this method"),
            "{} at {version}: {}",
            route.named(),
            got.text
        );
        checked += 1;
    }
    assert!(checked > 40, "{checked}");
}

#[tokio::test]
async fn every_route_refuses_a_body_that_makes_no_sense_and_says_why() {
    let (api, things) = furnished().await;
    for route in routes(&api).await.iter().filter(|route| route.has_body) {
        let path = things.fill(&route.path);
        for body in [
            "[1]",
            "{",
            "\"text\"",
            "{\"nonsense\": 1}",
            "{\"nonsense\": {\"a\": [1]}}",
        ] {
            let got = call(&api, ADMIN, &route.method, &path, "3.71", body).await;
            let known = [400, 404].contains(&got.status.as_u16());
            assert!(
                known,
                "{} {body}: {} {}",
                route.named(),
                got.status,
                got.text
            );
            assert!(
                !got.message().is_empty(),
                "{} {body}: {}",
                route.named(),
                got.text
            );
            // What belongs to the project is there, so it is the body that is refused.
            let there = !path.contains("00000000dead");
            assert!(
                !there || got.status == 400,
                "{} {body}: {}",
                route.named(),
                got.text
            );
        }
    }
}

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

#[tokio::test]
async fn nobody_reaches_what_belongs_to_another_project() {
    let (api, things) = furnished().await;
    let owned = [
        "{volume_id}",
        "{snapshot_id}",
        "{attachment_id}",
        "{group_id}",
        "{group_snapshot_id}",
        "{transfer_id}",
    ];
    let mut checked = 0;
    for route in routes(&api).await {
        let of_a_project = owned.iter().any(|part| route.path.contains(part));
        // Whoever was given the key may accept, from any project.
        if !of_a_project || route.rule.1 == "admin" || route.path.ends_with("/accept") {
            continue;
        }
        for body in sensible(&route) {
            let body = if body.is_null() {
                String::new()
            } else {
                body.to_string()
            };
            let got = call(
                &api,
                STRANGER,
                &route.method,
                &things.fill(&route.path),
                "3.71",
                &body,
            )
            .await;
            assert_eq!(got.status, 404, "{} {body}: {}", route.named(), got.text);
            checked += 1;
        }
    }
    assert!(checked > 40, "{checked}");
    // Nor by naming it in a body.
    let id = |name: &str| things.id(name).to_owned();
    for (path, body) in [
        (
            "/v3/snapshots",
            json!({"snapshot": {"volume_id": id("volume_id")}}),
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
    ] {
        let got = call(&api, STRANGER, "POST", path, "3.71", &body.to_string()).await;
        assert_eq!(got.status, 404, "{path} {body}: {}", got.text);
    }
    // And no list shows it, to whom is no administrator.
    for list in [
        "volumes",
        "snapshots",
        "attachments",
        "groups",
        "group_snapshots",
        "volume-transfers",
    ] {
        let got = call(
            &api,
            STRANGER,
            "GET",
            &format!("/v3/{list}?all_tenants=1"),
            "3.71",
            "",
        )
        .await;
        assert!(got.status.is_success(), "{list}: {}", got.text);
        assert!(
            things
                .0
                .iter()
                .all(|(_, id)| id.len() < 36 || !got.text.contains(id.as_str())),
            "{list}: {}",
            got.text
        );
    }
}
