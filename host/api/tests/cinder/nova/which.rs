//! Which server and which attachment is spoken of: what is open is not taken for granted.

use serde_json::json;
use springform_api::NovaService;

use super::{ABSENT, Fake, OTHER, SERVER, Says, connector, id, with};

#[tokio::test]
async fn a_nova_that_shows_another_server_than_was_asked_for_is_not_believed() {
    let (fake, url) = Fake::start().await;
    let nova = NovaService::new(&url, None).unwrap().as_caller("token");
    for (says, shown) in [
        (Says::Shows(SERVER), Some(true)),
        (ABSENT, Some(false)),
        (Says::Shows(OTHER), None),
        (Says::Plainly(200, "application/json", "{}"), None),
        (Says::Plainly(500, "text/plain", ""), None),
    ] {
        fake.says(says.clone());
        let told = nova.shows(SERVER).await;
        assert_eq!(told.as_ref().ok(), shown.as_ref(), "{says:?}: {told:?}");
    }
}

#[tokio::test]
async fn a_volume_is_not_deleted_while_a_server_may_use_a_way_to_it_that_is_not_complete() {
    let (fake, url) = Fake::start().await;
    let api = with(Some(&url)).await;
    let volume = api.volume(1).await;
    let body = json!({"attachment": {
        "volume_uuid": id(&volume), "instance_uuid": SERVER, "connector": connector(),
    }});
    let made = api.post("/v3/attachments", body).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let attachment = made.body["attachment"]["id"].as_str().unwrap().to_owned();
    let reset = json!({"os-reset_status": {"status": "error"}});
    let reset = api.post(&format!("{volume}/action"), reset).await;
    assert_eq!(reset.status, 202, "{}", reset.text);
    fake.says(Says::Has(attachment.clone()));
    let refused = api.delete(&volume).await;
    assert_eq!(refused.status, 409, "{}", refused.text);
    assert_eq!(
        api.get(&format!("/v3/attachments/{attachment}"))
            .await
            .status,
        200
    );
    fake.says(ABSENT);
    let gone = api.delete(&volume).await;
    assert_eq!(gone.status, 202, "{}", gone.text);
}

#[tokio::test]
async fn of_several_attachments_only_a_service_leaves_open_which_one_goes() {
    let (fake, url) = Fake::start().await;
    let api = with(Some(&url)).await;
    let shared = json!({"name": "shared", "extra_specs": {"multiattach": "<is> True"}});
    let made = api.post("/v3/types", json!({"volume_type": shared})).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let made = api
        .post(
            "/v3/volumes",
            json!({"volume": {"size": 1, "volume_type": "shared"}}),
        )
        .await;
    let volume = format!(
        "/v3/volumes/{}",
        made.body["volume"]["id"].as_str().unwrap()
    );
    api.settled(&volume).await;
    let mut attachments = Vec::new();
    for (server, host) in [(SERVER, "h1"), (OTHER, "h2")] {
        let connector = json!({"host": host, "initiator": format!("iqn.{host}")});
        let body = json!({"attachment": {
            "volume_uuid": id(&volume), "instance_uuid": server, "connector": connector,
        }});
        let made = api.post("/v3/attachments", body).await;
        assert_eq!(made.status, 200, "{}", made.text);
        let attachment = made.body["attachment"]["id"].as_str().unwrap();
        let path = format!("/v3/attachments/{attachment}");
        let done = api
            .post(&format!("{path}/action"), json!({"os-complete": {}}))
            .await;
        assert_eq!(done.status, 204, "{}", done.text);
        attachments.push(path);
    }
    // None of the servers has it; still it is not for a caller to say "one of them".
    fake.says(ABSENT);
    for body in [
        json!({"os-detach": {}}),
        json!({"os-terminate_connection": {"connector": connector()}}),
        json!({"os-force_detach": {}}),
    ] {
        let refused = api.post(&format!("{volume}/action"), body.clone()).await;
        assert_eq!(refused.status, 409, "{body}: {}", refused.text);
    }
    for path in attachments {
        assert_eq!(api.get(&path).await.status, 200);
        assert_eq!(api.delete(&path).await.status, 200);
    }
}
