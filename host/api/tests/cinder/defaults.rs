//! Default types of projects, and encryption, which no type has.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::Api;

async fn kind(api: &Api, name: &str) -> String {
    let made = api
        .post("/v3/types", json!({"volume_type": {"name": name}}))
        .await;
    made.body["volume_type"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn volumes_get_the_default_type_of_their_project() {
    let api = Api::with_array(&Arc::default()).await;
    let gold = kind(&api, "gold").await;
    let volume = api.volume(1).await;
    let project = api.get(&volume).await.body["volume"]["os-vol-tenant-attr:tenant_id"].clone();
    let project = project.as_str().unwrap();
    let path = format!("/v3/default-types/{project}");
    let body = json!({"default_type": {"volume_type": "gold"}});
    assert_eq!(api.at("3.61", "PUT", &path, body.clone()).await.status, 404);
    let set = api.put(&path, body).await;
    let one = json!({"project_id": project, "volume_type_id": gold});
    assert_eq!(
        (set.status.as_u16(), &set.body),
        (200, &json!({"default_type": one}))
    );
    assert_eq!(api.get(&path).await.body, json!({"default_type": one}));
    assert_eq!(
        api.get("/v3/default-types").await.body,
        json!({"default_types": [one]})
    );
    assert_eq!(
        api.get("/v3/types/default").await.body["volume_type"]["id"],
        gold.as_str()
    );
    let volume = api.volume(1).await;
    assert_eq!(api.get(&volume).await.body["volume"]["volume_type"], "gold");
    let unknown = json!({"default_type": {"volume_type": "none"}});
    assert_eq!(api.put(&path, unknown).await.status, 400);
    api.delete(&volume).await;
    api.wait_for(|| async { api.get(&volume).await.status == 404 })
        .await;
    let refused = api.delete(&format!("/v3/types/{gold}")).await;
    assert_eq!(
        (refused.status.as_u16(), refused.message()),
        (
            400,
            format!("The volume type {gold} is a default volume type and cannot be deleted.")
                .as_str()
        )
    );
    assert_eq!(api.delete(&path).await.status, 204);
    assert_eq!(api.get(&path).await.status, 404);
    assert_eq!(api.delete(&path).await.status, 204);
    assert_eq!(api.delete(&format!("/v3/types/{gold}")).await.status, 202);
}

#[tokio::test]
async fn encryption_is_answered_as_for_a_type_without_it_and_refused_with_the_reason() {
    let api = Api::with_array(&Arc::default()).await;
    let path = format!("/v3/types/{}/encryption", kind(&api, "gold").await);
    let none = api.get(&path).await;
    assert_eq!((none.status.as_u16(), &none.body), (200, &json!({})));
    let wanted = json!({"encryption": {"provider": "luks", "control_location": "front-end"}});
    let refused = api.post(&path, wanted.clone()).await;
    assert_eq!(refused.status, 400);
    assert!(
        refused.message().contains("no key manager"),
        "{}",
        refused.message()
    );
    for (method, body) in [
        ("GET", Value::Null),
        ("PUT", wanted),
        ("DELETE", Value::Null),
    ] {
        let got = api
            .at("3.71", method, &format!("{path}/provider"), body)
            .await;
        assert_eq!(got.status, 404, "{method}");
    }
    assert_eq!(api.get("/v3/types/nosuch/encryption").await.status, 404);
    let volume = api.volume(1).await;
    let shown = api.get(&format!("{volume}/encryption")).await;
    assert_eq!(shown.body, json!({"encryption_key_id": null}));
}
