//! One of each thing that a project has, and every route there is.

use std::sync::Arc;

use serde_json::{Value, json};

use super::array::Array;
use super::{Api, Got};

pub const ADMIN: &str = "admin-token-of-test";
pub const MEMBER: &str = "member-token-of-test";
pub const READER: &str = "reader-token-of-test";

/// A route of the document.
pub struct Route {
    pub method: String,
    pub path: String,
    /// Sentence about it.
    pub summary: String,
    /// Policy rule, and the least role.
    pub rule: (String, String),
    pub has_body: bool,
}

impl Route {
    pub fn named(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

pub async fn routes(api: &Api) -> Vec<Route> {
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
pub struct Things(pub Vec<(&'static str, String)>);

impl Things {
    pub async fn of(api: &Api) -> Self {
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
        Self(vec![
            ("message_id", message(api).await),
            ("operation_id", operation(api, &one).await),
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
            ("grouped_volume_id", three),
            ("volume_id", one),
            ("group_id", group),
            ("key", "k".to_owned()),
            ("project", "bb".to_owned()),
            ("class", "default".to_owned()),
        ])
    }

    pub fn id(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(known, _)| *known == name);
        found.map_or("00000000-0000-4000-8000-00000000dead", |(_, id)| id)
    }

    /// A path with its parts filled in.
    pub fn fill(&self, path: &str) -> String {
        let parts = path.split('/').map(|part| match part.strip_prefix('{') {
            Some(name) => self.id(name.trim_end_matches('}')),
            None => part,
        });
        parts.collect::<Vec<_>>().join("/")
    }
}

/// What went wrong for the project: a volume that no backend takes.
async fn message(api: &Api) -> String {
    let nowhere = json!({"volume_backend_name": "nowhere"});
    let kind = json!({"volume_type": {"name": "nowhere", "extra_specs": nowhere}}).to_string();
    let made = call(api, ADMIN, "POST", "/v3/types", "3.71", &kind).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let lost = json!({"volume": {"size": 1, "volume_type": "nowhere"}}).to_string();
    let begun = call(api, MEMBER, "POST", "/v3/volumes", "3.71", &lost).await;
    assert_eq!(begun.status, 202, "{}", begun.text);
    let first = async || {
        let list = call(api, MEMBER, "GET", "/v3/messages", "3.71", "").await;
        list.body["messages"][0]["id"].as_str().map(str::to_owned)
    };
    api.wait_for(|| async { first().await.is_some() }).await;
    let path = format!(
        "/v3/volumes/{}",
        begun.body["volume"]["id"].as_str().unwrap()
    );
    assert_eq!(
        call(api, MEMBER, "DELETE", &path, "3.71", "").await.status,
        202
    );
    first().await.unwrap()
}

/// What was done for the project: its volume was made.
async fn operation(api: &Api, volume: &str) -> String {
    let path = format!("/admin/v1/operations?subject={volume}");
    let list = call(api, ADMIN, "GET", &path, "3.71", "").await;
    let found = list.body["operations"][0]["id"].as_str();
    found.unwrap_or_else(|| panic!("{}", list.text)).to_owned()
}

pub async fn ready(api: &Api, path: &str, key: &str) {
    api.wait_for(|| async {
        call(api, MEMBER, "GET", path, "3.71", "").await.body[key]["status"] == "available"
    })
    .await;
}

pub async fn call(
    api: &Api,
    token: &str,
    method: &str,
    path: &str,
    version: &str,
    body: &str,
) -> Got {
    let version = format!("volume {version}");
    let headers = [
        ("openstack-api-version", version.as_str()),
        ("x-auth-token", token),
    ];
    api.send(method, path, &headers, body.to_owned()).await
}

pub async fn furnished() -> (Api, Things) {
    furnished_with("").await
}

/// The same with another policy.
pub async fn furnished_with(policy: &str) -> (Api, Things) {
    let api = Api::with_policy_and_array(policy, &Arc::new(Array::default())).await;
    let things = Things::of(&api).await;
    // Nothing of it changes by itself any more.
    for (list, key) in [
        ("snapshots", "snapshot"),
        ("group_snapshots", "group_snapshot"),
    ] {
        let path = format!("/v3/{list}/{}", things.id(&format!("{key}_id")));
        ready(&api, &path, key).await;
    }
    (api, things)
}
