//! The calls that Nova makes when a server moves: the new attachment stands beside the old one until the new host has taken over.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::{Api, Got};

const SERVER: &str = "6f0d2a4e-0000-4000-8000-000000000001";
const ANOTHER: &str = "6f0d2a4e-0000-4000-8000-000000000002";

fn connector(host: &str) -> Value {
    json!({"host": host, "initiator": format!("iqn.{host}"), "multipath": false, "mountpoint": "/dev/vdb"})
}

/// Nova, with its service token.
async fn nova(api: &Api, method: &str, path: &str, body: Value) -> Got {
    let headers = [
        ("openstack-api-version", "volume 3.44"),
        ("x-service-token", "nova:service"),
    ];
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    api.send(method, path, &headers, body).await
}

async fn reserve(api: &Api, volume: &str, server: &str, connector: Value) -> Got {
    let mut wanted =
        json!({"volume_uuid": volume.rsplit('/').next().unwrap(), "instance_uuid": server});
    if !connector.is_null() {
        wanted["connector"] = connector;
    }
    nova(
        api,
        "POST",
        "/v3/attachments",
        json!({"attachment": wanted}),
    )
    .await
}

fn path(made: &Got) -> String {
    assert_eq!(made.status, 200, "{}", made.text);
    format!(
        "/v3/attachments/{}",
        made.body["attachment"]["id"].as_str().unwrap()
    )
}

async fn connect(api: &Api, attachment: &str, host: &str) -> Got {
    nova(
        api,
        "PUT",
        attachment,
        json!({"attachment": {"connector": connector(host)}}),
    )
    .await
}

async fn complete(api: &Api, attachment: &str) {
    let done = nova(
        api,
        "POST",
        &format!("{attachment}/action"),
        json!({"os-complete": {}}),
    )
    .await;
    assert_eq!(done.status, 204, "{}", done.text);
}

async fn delete(api: &Api, attachment: &str) {
    let gone = nova(api, "DELETE", attachment, Value::Null).await;
    assert_eq!(gone.status, 200, "{}", gone.text);
}

async fn status(api: &Api, volume: &str) -> String {
    let shown = api.get(volume).await.body["volume"].clone();
    shown["status"].as_str().unwrap().to_owned()
}

/// A volume that the server uses from host `one`.
async fn booted(api: &Api) -> (String, String) {
    let volume = api.volume(1).await;
    let first = path(&reserve(api, &volume, SERVER, Value::Null).await);
    assert_eq!(connect(api, &first, "one").await.status, 200);
    complete(api, &first).await;
    (volume, first)
}

#[tokio::test]
async fn a_live_migration_has_both_hosts_on_the_volume_until_the_old_one_lets_go() {
    let api = Api::with_array(&Arc::default()).await;
    let (volume, first) = booted(&api).await;
    let second = path(&reserve(&api, &volume, SERVER, connector("two")).await);
    assert_eq!(status(&api, &volume).await, "in-use");
    for attachment in [&first, &second] {
        let shown = api.get(attachment).await.body["attachment"].clone();
        assert_eq!(shown["connection_info"]["target_lun"], 7, "{shown}");
    }
    complete(&api, &second).await;
    let shown = api.get(&volume).await.body["volume"]["attachments"].clone();
    assert_eq!(shown.as_array().unwrap().len(), 2, "{shown}");
    delete(&api, &first).await;
    let shown = api.get(&volume).await.body["volume"].clone();
    assert_eq!(shown["status"], "in-use");
    assert_eq!(shown["attachments"][0]["host_name"], "two", "{shown}");
    delete(&api, &second).await;
    assert_eq!(status(&api, &volume).await, "available");
}

#[tokio::test]
async fn a_live_migration_that_is_rolled_back_leaves_the_volume_where_it_was() {
    let api = Api::with_array(&Arc::default()).await;
    let (volume, first) = booted(&api).await;
    let second = path(&reserve(&api, &volume, SERVER, connector("two")).await);
    delete(&api, &second).await;
    let shown = api.get(&volume).await.body["volume"].clone();
    assert_eq!(shown["status"], "in-use");
    assert_eq!(shown["attachments"][0]["host_name"], "one", "{shown}");
    assert_eq!(
        api.get(&first).await.body["attachment"]["status"],
        "attached"
    );
}

#[tokio::test]
async fn a_rebuild_an_evacuation_and_a_refresh_hold_the_volume_while_no_host_has_it() {
    let api = Api::with_array(&Arc::default()).await;
    for host in ["one", "two"] {
        let (volume, first) = booted(&api).await;
        let second = path(&reserve(&api, &volume, SERVER, Value::Null).await);
        assert_eq!(status(&api, &volume).await, "in-use");
        delete(&api, &first).await;
        assert_eq!(status(&api, &volume).await, "reserved");
        let refused = reserve(&api, &volume, ANOTHER, Value::Null).await;
        assert_eq!(refused.status, 400, "{}", refused.text);
        assert_eq!(connect(&api, &second, host).await.status, 200);
        assert_eq!(status(&api, &volume).await, "attaching");
        complete(&api, &second).await;
        let shown = api.get(&volume).await.body["volume"].clone();
        assert_eq!(shown["status"], "in-use");
        assert_eq!(shown["attachments"].as_array().unwrap().len(), 1, "{shown}");
        assert_eq!(shown["attachments"][0]["device"], "/dev/vdb", "{shown}");
    }
}

#[tokio::test]
async fn a_server_that_was_shelved_takes_its_volume_up_on_another_host() {
    let api = Api::with_array(&Arc::default()).await;
    let (volume, first) = booted(&api).await;
    // Shelving offloads: a reservation without a host stays.
    let kept = path(&reserve(&api, &volume, SERVER, Value::Null).await);
    delete(&api, &first).await;
    assert_eq!(status(&api, &volume).await, "reserved");
    // Unshelving reserves once more, beside the one that was kept.
    let third = path(&reserve(&api, &volume, SERVER, Value::Null).await);
    delete(&api, &kept).await;
    assert_eq!(connect(&api, &third, "three").await.status, 200);
    complete(&api, &third).await;
    assert_eq!(status(&api, &volume).await, "in-use");
}

#[tokio::test]
async fn another_server_does_not_get_a_volume_that_is_not_shared() {
    let api = Api::with_array(&Arc::default()).await;
    let (volume, _) = booted(&api).await;
    for connector in [Value::Null, connector("two")] {
        let refused = reserve(&api, &volume, ANOTHER, connector).await;
        assert_eq!(refused.status, 400, "{}", refused.text);
        assert!(
            refused.message().contains("current status is in-use"),
            "{}",
            refused.text
        );
    }
    let nobody = json!({"attachment": {"volume_uuid": volume.rsplit('/').next().unwrap()}});
    assert_eq!(
        nova(&api, "POST", "/v3/attachments", nobody).await.status,
        400
    );
}

#[tokio::test]
async fn a_second_reservation_is_connected_once_the_old_host_has_let_go() {
    let api = Api::with_array(&Arc::default()).await;
    let (volume, first) = booted(&api).await;
    let second = path(&reserve(&api, &volume, SERVER, Value::Null).await);
    let refused = connect(&api, &second, "two").await;
    assert_eq!(refused.status, 409, "{}", refused.text);
    assert!(
        refused.message().contains("duplicate connectors"),
        "{}",
        refused.text
    );
    delete(&api, &first).await;
    assert_eq!(connect(&api, &second, "two").await.status, 200);
}
