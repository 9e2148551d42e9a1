//! Default types of projects, and encryption, of which no volume is made.

use std::sync::Arc;

use serde_json::json;

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
async fn a_type_can_say_how_hosts_encrypt_and_no_volume_is_made_of_it() {
    let api = Api::with_array(&Arc::default()).await;
    let gold = kind(&api, "gold").await;
    let path = format!("/v3/types/{gold}/encryption");
    let none = api.get(&path).await;
    assert_eq!((none.status.as_u16(), &none.body), (200, &json!({})));
    assert_eq!(api.delete(&format!("{path}/provider")).await.status, 404);
    let wanted = json!({"encryption": {"provider": "luks", "control_location": "front-end", "key_size": "256"}});
    let elsewhere = json!({"encryption": {"provider": "luks", "control_location": "moon"}});
    assert_eq!(api.post(&path, elsewhere).await.status, 400);
    let half = json!({"encryption": {"provider": "luks"}});
    assert_eq!(api.post(&path, half).await.status, 400);
    let made = api.post(&path, wanted.clone()).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let id = made.body["encryption"]["encryption_id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(made.body["encryption"]["key_size"], 256);
    assert_eq!(api.post(&path, wanted).await.status, 400);
    let one = format!("{path}/{id}");
    let changed = api
        .put(&one, json!({"encryption": {"cipher": "aes"}}))
        .await;
    assert_eq!(changed.body, json!({"encryption": {"cipher": "aes"}}));
    let shown = api.get(&path).await.body;
    assert_eq!(
        (&shown["cipher"], &shown["provider"]),
        (&json!("aes"), &json!("luks"))
    );
    assert_eq!(
        api.get(&format!("{path}/cipher")).await.body,
        json!({"cipher": "aes"})
    );
    assert_eq!(api.get(&format!("{path}/colour")).await.status, 404);
    let refused = json!({"volume": {"size": 1, "volume_type": "gold"}});
    let refused = api.post("/v3/volumes", refused).await;
    assert_eq!(refused.status, 400);
    assert!(
        refused.message().contains("no key manager"),
        "{}",
        refused.message()
    );
    let volume = api.volume(1).await;
    let retype = json!({"os-retype": {"new_type": "gold"}});
    assert_eq!(
        api.post(&format!("{volume}/action"), retype).await.status,
        400
    );
    assert_eq!(api.delete(&one).await.status, 202);
    assert_eq!(api.get(&path).await.body, json!({}));
    assert_eq!(api.get("/v3/types/nosuch/encryption").await.status, 404);
    let shown = api.get(&format!("{volume}/encryption")).await;
    assert_eq!(shown.body, json!({"encryption_key_id": null}));
}
