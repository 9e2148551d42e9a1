//! Types, QoS specs, group types, quotas, over HTTP and a real database.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use serde_json::json;
use support::Api;

#[tokio::test]
async fn a_volume_type_lives_as_the_clients_expect() {
    let api = Api::new().await;
    let made = api
        .post(
            "/v3/types",
            json!({"volume_type": {"name": "repl", "description": null}}),
        )
        .await;
    assert_eq!(made.status, 200);
    let id = made.body["volume_type"]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        made.body["volume_type"]["os-volume-type-access:is_public"],
        true
    );
    let specs = json!({"extra_specs": {"replication_enabled": "<is> True"}});
    assert_eq!(
        api.post(&format!("/v3/types/{id}/extra_specs"), specs.clone())
            .await
            .body,
        specs
    );
    assert_eq!(
        api.get(&format!("/v3/types/{id}/extra_specs/replication_enabled"))
            .await
            .body,
        json!({"replication_enabled": "<is> True"})
    );
    assert_eq!(
        api.get("/v3/types?name=repl&is_public=None").await.body["volume_types"][0]["id"],
        id.as_str()
    );
    let again = api
        .post("/v3/types", json!({"volume_type": {"name": "repl"}}))
        .await;
    assert_eq!(
        (again.status.as_u16(), again.message()),
        (409, "Volume Type repl already exists.")
    );
    assert_eq!(
        api.delete(&format!("/v3/types/{id}/extra_specs/replication_enabled"))
            .await
            .status,
        202
    );
    assert_eq!(
        api.delete(&format!("/v3/types/{id}/extra_specs/replication_enabled"))
            .await
            .status,
        404
    );
    assert_eq!(api.delete(&format!("/v3/types/{id}")).await.status, 202);
    assert_eq!(api.get(&format!("/v3/types/{id}")).await.status, 404);
}

#[tokio::test]
async fn a_private_type_is_seen_only_by_projects_that_were_let_in() {
    let api = Api::with_tokens("").await;
    let admin = [("x-auth-token", "admin-token-of-test")];
    let member = [("x-auth-token", "member-token-of-test")];
    let body = json!({"volume_type": {"name": "secret", "os-volume-type-access:is_public": false}})
        .to_string();
    let made = api.send("POST", "/v3/types", &admin, body).await;
    let path = format!(
        "/v3/types/{}",
        made.body["volume_type"]["id"].as_str().unwrap()
    );
    assert_eq!(api.send("GET", &path, &member, "").await.status, 404);
    let list = "/v3/types?is_public=None";
    let shown = api.send("GET", list, &member, "").await;
    assert!(!shown.text.contains("secret"), "{}", shown.text);
    for name in ["secret", path.rsplit('/').next().unwrap()] {
        let wanted = json!({"volume": {"size": 1, "volume_type": name}}).to_string();
        let refused = api.send("POST", "/v3/volumes", &member, wanted).await;
        assert_eq!(refused.status, 404, "{}", refused.text);
    }
    let let_in = json!({"addProjectAccess": {"project": "bb"}}).to_string();
    assert_eq!(
        api.send("POST", &format!("{path}/action"), &admin, let_in)
            .await
            .status,
        202
    );
    assert_eq!(api.send("GET", &path, &member, "").await.status, 200);
    let shown = api.send("GET", list, &member, "").await;
    assert!(shown.text.contains("secret"), "{}", shown.text);
    let access = api
        .send("GET", &format!("{path}/os-volume-type-access"), &admin, "")
        .await;
    assert_eq!(access.body["volume_type_access"][0]["project_id"], "bb");
}

#[tokio::test]
async fn pages_follow_each_other_by_their_links() {
    let api = Api::new().await;
    for n in 0..5 {
        api.post(
            "/v3/types",
            json!({"volume_type": {"name": format!("t{n}")}}),
        )
        .await;
    }
    let mut seen = Vec::new();
    let mut path = "/v3/types?limit=2&sort=name:asc".to_owned();
    loop {
        let page = api.get(&path).await;
        seen.extend(
            page.body["volume_types"]
                .as_array()
                .unwrap()
                .iter()
                .map(|found| found["name"].as_str().unwrap().to_owned()),
        );
        match page.body["volume_type_links"][0]["href"].as_str() {
            Some(next) => path = next.strip_prefix("http://cloud:8776").unwrap().to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, ["__DEFAULT__", "t0", "t1", "t2", "t3", "t4"]);
    assert_eq!(api.get("/v3/types?marker=nosuch").await.status, 404);
}

#[tokio::test]
async fn qos_specs_are_associated_with_types() {
    let api = Api::new().await;
    let made = api
        .post(
            "/v3/qos-specs",
            json!({"qos_specs": {"name": "fast", "consumer": "back-end", "maxIOPS": "1000"}}),
        )
        .await;
    assert_eq!(made.body["qos_specs"]["specs"], json!({"maxIOPS": "1000"}));
    let qos = made.body["qos_specs"]["id"].as_str().unwrap().to_owned();
    let kind = api
        .post("/v3/types", json!({"volume_type": {"name": "gold"}}))
        .await;
    let kind = kind.body["volume_type"]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        api.get(&format!("/v3/qos-specs/{qos}/associate?vol_type_id={kind}"))
            .await
            .status,
        202
    );
    assert_eq!(
        api.get(&format!("/v3/types/{kind}")).await.body["volume_type"]["qos_specs_id"],
        qos.as_str()
    );
    let refused = api.delete(&format!("/v3/qos-specs/{qos}")).await;
    assert_eq!(refused.status, 400);
    assert_eq!(
        api.delete(&format!("/v3/qos-specs/{qos}?force=True"))
            .await
            .status,
        202
    );
    assert!(
        api.get(&format!("/v3/types/{kind}")).await.body["volume_type"]["qos_specs_id"].is_null()
    );
}

#[tokio::test]
async fn quotas_are_set_shown_and_reset() {
    let api = Api::new().await;
    api.post("/v3/types", json!({"volume_type": {"name": "gold"}}))
        .await;
    let set = api
        .put(
            "/v3/os-quota-sets/ab",
            json!({"quota_set": {"volumes": 20, "gigabytes_gold": 5}}),
        )
        .await;
    assert_eq!(
        (set.status.as_u16(), &set.body["quota_set"]["volumes"]),
        (200, &json!(20))
    );
    let shown = api.get("/v3/os-quota-sets/ab?usage=True").await;
    assert_eq!(
        shown.body["quota_set"]["volumes"],
        json!({"limit": 20, "in_use": 0, "reserved": 0})
    );
    assert_eq!(shown.body["quota_set"]["gigabytes_gold"]["limit"], 5);
    let bad = api
        .put("/v3/os-quota-sets/ab", json!({"quota_set": {"colour": 1}}))
        .await;
    assert_eq!(
        bad.message(),
        "Invalid input received: Bad key(s) in quota set: colour"
    );
    assert_eq!(api.delete("/v3/os-quota-sets/ab").await.status, 200);
    assert_eq!(
        api.get("/v3/os-quota-sets/ab").await.body["quota_set"]["volumes"],
        10
    );
}

#[tokio::test]
async fn group_types_keep_their_specs() {
    let api = Api::new().await;
    let made = api
        .post(
            "/v3/group_types",
            json!({"group_type": {"name": "tiramisu"}}),
        )
        .await;
    assert_eq!(made.status, 202);
    let id = made.body["group_type"]["id"].as_str().unwrap().to_owned();
    let specs = json!({"group_specs": {"consistent_group_replication_enabled": "<is> True"}});
    assert_eq!(
        api.post(&format!("/v3/group_types/{id}/group_specs"), specs.clone())
            .await
            .status,
        202
    );
    assert_eq!(
        api.get(&format!("/v3/group_types/{id}")).await.body["group_type"]["group_specs"],
        specs["group_specs"]
    );
    assert_eq!(
        api.delete(&format!("/v3/group_types/{id}")).await.status,
        202
    );
}
