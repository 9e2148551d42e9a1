//! Attachments, and the actions that came before them.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::Api;
use crate::support::furnished::{ADMIN, MEMBER, READER};

fn connector() -> Value {
    json!({"host": "h1", "initiator": "iqn.h1", "ip": "192.0.2.9", "multipath": false})
}

#[tokio::test]
async fn an_attachment_goes_from_reserved_to_attached_and_gives_the_volume_back() {
    let api = Api::with_array(&Arc::default()).await;
    let volume = api.volume(1).await;
    let id = volume.rsplit('/').next().unwrap();
    let instance = "6f0d2a4e-0000-4000-8000-000000000001";
    let body = json!({"attachment": {"volume_uuid": id, "instance_uuid": instance}});
    assert_eq!(
        api.at("3.26", "POST", "/v3/attachments", body.clone())
            .await
            .status,
        404
    );
    let made = api.post("/v3/attachments", body).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let made = made.body["attachment"].clone();
    assert_eq!(
        (&made["status"], &made["volume_id"]),
        (&json!("reserved"), &json!(id))
    );
    assert_eq!(api.get(&volume).await.body["volume"]["status"], "reserved");

    let path = format!("/v3/attachments/{}", made["id"].as_str().unwrap());
    let connected = api
        .put(&path, json!({"attachment": {"connector": connector()}}))
        .await;
    assert_eq!(connected.status, 200, "{}", connected.text);
    let info = &connected.body["attachment"]["connection_info"];
    assert_eq!(
        (&info["driver_volume_type"], &info["target_lun"]),
        (&json!("iscsi"), &json!(7))
    );
    let complete = json!({"os-complete": {}});
    let action = format!("{path}/action");
    assert_eq!(
        api.at("3.43", "POST", &action, complete.clone())
            .await
            .status,
        404
    );
    assert_eq!(api.post(&action, complete).await.status, 204);
    let shown = api.get(&volume).await.body["volume"].clone();
    assert_eq!(
        (&shown["status"], &shown["attachments"][0]["server_id"]),
        (&json!("in-use"), &json!(instance))
    );
    let refused = api.delete(&volume).await;
    assert_eq!(refused.status, 400);
    let list = api
        .get(&format!("/v3/attachments?volume_id={id}"))
        .await
        .body;
    assert_eq!(list["attachments"].as_array().unwrap().len(), 1);
    let nova = [
        ("openstack-api-version", "volume 3.71"),
        ("x-service-token", "nova:service"),
    ];
    let gone = api.send("DELETE", &path, &nova, "").await;
    assert_eq!(gone.body, json!({"attachments": []}));
    assert_eq!(api.get(&volume).await.body["volume"]["status"], "available");
    assert_eq!(api.get(&path).await.status, 404);
}

#[tokio::test]
async fn the_old_actions_attach_and_detach_by_force_too() {
    let api = Api::with_array(&Arc::default()).await;
    let volume = api.volume(1).await;
    let action = format!("{volume}/action");
    let opened = api
        .post(
            &action,
            json!({"os-initialize_connection": {"connector": connector()}}),
        )
        .await;
    assert_eq!(opened.status, 200, "{}", opened.text);
    let info = &opened.body["connection_info"];
    assert_eq!(
        (&info["driver_volume_type"], &info["data"]["target_lun"]),
        (&json!("iscsi"), &json!(7))
    );
    let attach = json!({"os-attach": {"host_name": "h1", "mountpoint": "/dev/vdb", "mode": "rw"}});
    assert_eq!(api.post(&action, attach).await.status, 202);
    assert_eq!(api.get(&volume).await.body["volume"]["status"], "in-use");
    let force = json!({"os-force_detach": {"connector": connector()}});
    assert_eq!(api.post(&action, force).await.status, 202);
    let shown = api.get(&volume).await.body["volume"].clone();
    assert_eq!(
        (&shown["status"], &shown["attachments"]),
        (&json!("available"), &json!([]))
    );
    let odd = json!({"os-attach": {"host_name": "h1", "mountpoint": "/dev/vdb", "mode": "x"}});
    assert_eq!(api.post(&action, odd).await.status, 400);
    assert_eq!(
        api.post(&action, json!({"os-initialize_connection": {}}))
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn a_volume_that_is_read_only_is_attached_for_reading_alone() {
    let api = Api::with_array(&Arc::default()).await;
    let volume = api.volume(1).await;
    let id = volume.rsplit('/').next().unwrap();
    let action = format!("{volume}/action");
    let flag = json!({"os-update_readonly_flag": {"readonly": true}});
    assert_eq!(api.post(&action, flag).await.status, 202);
    for mode in [json!({"mode": "rw"}), json!({})] {
        let mut attach = json!({"host_name": "h1", "mountpoint": "/dev/vdb"});
        attach
            .as_object_mut()
            .unwrap()
            .extend(mode.as_object().unwrap().clone());
        let refused = api.post(&action, json!({"os-attach": attach})).await;
        assert_eq!(refused.status, 400, "{}", refused.text);
        let sentence = format!("Invalid attaching mode 'rw' for volume {id}.");
        assert_eq!(refused.message(), sentence);
    }
    assert_eq!(api.get(&volume).await.body["volume"]["status"], "available");
    for mode in [json!("rw"), json!("ro"), Value::Null] {
        let mut body = json!({"volume_uuid": id, "connector": connector()});
        if !mode.is_null() {
            body["mode"] = mode;
        }
        let made = api
            .post("/v3/attachments", json!({"attachment": body}))
            .await;
        let made = made.body["attachment"].clone();
        assert_eq!(made["attach_mode"], "ro", "{made}");
        assert_eq!(made["connection_info"]["access_mode"], "ro", "{made}");
        let path = format!("/v3/attachments/{}", made["id"].as_str().unwrap());
        assert_eq!(api.delete(&path).await.status, 200);
    }
    let attach = json!({"os-attach": {"host_name": "h1", "mountpoint": "/dev/vdb", "mode": "ro"}});
    assert_eq!(api.post(&action, attach).await.status, 202);
}

#[tokio::test]
async fn a_volume_that_is_not_shared_is_attached_to_nobody_else_while_it_is_used() {
    let api = Api::with_array(&Arc::default()).await;
    let volume = api.volume(1).await;
    let action = format!("{volume}/action");
    let server = |n: u8| {
        json!({"os-attach": {
            "instance_uuid": format!("6f0d2a4e-0000-4000-8000-00000000000{n}"), "mountpoint": "/dev/vdb",
        }})
    };
    let by_host = |host: &str| json!({"os-attach": {"host_name": host, "mountpoint": "/dev/vdb"}});
    assert_eq!(api.post(&action, server(1)).await.status, 202);
    let before = api.get(&volume).await.body["volume"].clone();
    for other in [server(2), by_host("h2")] {
        let refused = api.post(&action, other).await;
        assert_eq!(refused.status, 400, "{}", refused.text);
        assert!(
            refused.message().ends_with("is already attached"),
            "{}",
            refused.text
        );
    }
    // Who has it already is told so again.
    assert_eq!(api.post(&action, server(1)).await.status, 202);
    let now = api.get(&volume).await.body["volume"].clone();
    assert_eq!(now["attachments"], before["attachments"]);
}

#[tokio::test]
async fn the_mode_and_the_device_may_stand_in_the_connector() {
    let api = Api::with_array(&Arc::default()).await;
    let volume = api.volume(1).await;
    let id = volume.rsplit('/').next().unwrap();
    let mut told = connector();
    told["mode"] = json!("ro");
    told["mountpoint"] = json!("/dev/vdc");
    let body = json!({"attachment": {"volume_uuid": id, "connector": told}});
    let made = api.post("/v3/attachments", body).await.body["attachment"].clone();
    assert_eq!(made["attach_mode"], "ro", "{made}");
    let action = format!("/v3/attachments/{}/action", made["id"].as_str().unwrap());
    assert_eq!(
        api.post(&action, json!({"os-complete": {}})).await.status,
        204
    );
    let shown = api.get(&volume).await.body["volume"]["attachments"][0].clone();
    assert_eq!(shown["device"], "/dev/vdc", "{shown}");
}

/// What callers of one project's attachment are told of the way to its disk under a policy: who, and whether.
async fn told(policy: &str, wanted: &[(&str, bool)]) {
    let api = Api::with_policy_and_array(policy, &Arc::default()).await;
    let send = async |method: &str, path: &str, token: &str, body: Value| {
        let headers = [
            ("x-auth-token", token),
            ("openstack-api-version", "volume 3.71"),
        ];
        api.send(method, path, &headers, body.to_string()).await
    };
    let wanted_volume = json!({"volume": {"size": 1}});
    let made = send("POST", "/v3/volumes", MEMBER, wanted_volume).await;
    let volume = made.body["volume"]["id"].as_str().unwrap().to_owned();
    let path = format!("/v3/volumes/{volume}");
    api.wait_for(|| async {
        send("GET", &path, MEMBER, Value::Null).await.body["volume"]["status"] == "available"
    })
    .await;
    let connector = json!({"host": "h1", "initiator": "iqn.h1"});
    let body = json!({"attachment": {"volume_uuid": volume, "connector": connector}});
    let made = send("POST", "/v3/attachments", MEMBER, body).await.body["attachment"].clone();
    let id = made["id"].as_str().unwrap().to_owned();
    let path = format!("/v3/attachments/{id}");
    for &(token, knows) in wanted {
        let shown = send("GET", &path, token, Value::Null).await.body["attachment"].clone();
        assert_eq!(shown["id"], json!(id), "{token}");
        let listed = "/v3/attachments/detail?all_tenants=true";
        let listed = send("GET", listed, token, Value::Null).await.body["attachments"][0].clone();
        let mut answers = vec![shown, listed];
        if token == MEMBER {
            answers.push(made.clone());
        }
        for one in answers {
            let info = one["connection_info"].as_object().unwrap();
            let known = info.contains_key("target_lun");
            assert_eq!(known, knows, "{policy} {token}: {one}");
            assert_eq!(info.is_empty(), !knows, "{policy} {token}: {one}");
        }
    }
}

#[tokio::test]
async fn who_may_not_connect_a_host_learns_of_an_attachment_and_not_the_way_to_the_disk() {
    let everybody = |reader, member, admin| [(READER, reader), (MEMBER, member), (ADMIN, admin)];
    told("", &everybody(false, true, true)).await;
    // The policy says who connects, and not the names of roles.
    for (role, wanted) in [
        ("reader", everybody(true, true, true)),
        ("admin", everybody(false, false, true)),
        ("nobody", everybody(false, false, false)),
    ] {
        let policy = format!("\"volume:attachment_update\" = \"{role}\"");
        told(&policy, &wanted).await;
    }
}
