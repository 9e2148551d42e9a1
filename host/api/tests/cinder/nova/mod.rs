//! CVE-2023-2088: nobody but Nova takes the disk of a server away, unless Nova says that the server does not have it.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use springform_api::{Auth, NovaService};

use crate::support::{Api, Got};

mod which;

const SERVER: &str = "6f0d2a4e-0000-4000-8000-000000000001";
const OTHER: &str = "6f0d2a4e-0000-4000-8000-00000000dead";

/// What a Nova answers.
#[derive(Debug, Clone)]
enum Says {
    /// The server has the volume by this attachment.
    Has(String),
    /// The same, of something else than what was asked.
    Confuses(String),
    /// It has the other volume, by this attachment.
    ConfusesVolumes(String),
    /// No server has the volume; asked for a server it shows this one.
    Shows(&'static str),
    /// This status and body, of this type.
    Plainly(u16, &'static str, &'static str),
}

#[derive(Clone)]
struct Fake {
    says: Arc<Mutex<Says>>,
    heard: Arc<Mutex<Vec<(String, HeaderMap)>>>,
}

impl Fake {
    fn says(&self, says: Says) {
        *self.says.lock().unwrap() = says;
    }

    /// A Nova on a port of its own, and its URL.
    async fn start() -> (Self, String) {
        let fake = Self {
            says: Arc::new(Mutex::new(Says::Plainly(500, "text/plain", ""))),
            heard: Arc::default(),
        };
        let router = Router::new().fallback(answer).with_state(fake.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v2.1", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (fake, url)
    }
}

async fn answer(State(fake): State<Fake>, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().to_owned();
    fake.heard.lock().unwrap().push((path.clone(), headers));
    let volume = path.rsplit('/').next().unwrap();
    let says = fake.says.lock().unwrap().clone();
    let has = |server: &str, volume: &str, attachment: &str| {
        let body = json!({"volumeAttachment": {
            "serverId": server, "volumeId": volume, "attachment_id": attachment, "device": "/dev/vdb",
        }});
        ([("content-type", "application/json")], body.to_string()).into_response()
    };
    match says {
        Says::Shows(_) if path.contains("os-volume_attachments") => (
            StatusCode::NOT_FOUND,
            [("content-type", "application/json")],
            NOT_FOUND,
        )
            .into_response(),
        Says::Shows(server) => {
            let body = json!({"server": {"id": server}});
            ([("content-type", "application/json")], body.to_string()).into_response()
        }
        Says::Has(attachment) => has(SERVER, volume, &attachment),
        Says::Confuses(attachment) => has(OTHER, volume, &attachment),
        Says::ConfusesVolumes(attachment) => has(SERVER, OTHER, &attachment),
        Says::Plainly(status, kind, body) => (
            StatusCode::from_u16(status).unwrap(),
            [("content-type", kind)],
            body,
        )
            .into_response(),
    }
}

const NOT_FOUND: &str =
    r#"{"itemNotFound": {"code": 404, "message": "Instance could not be found."}}"#;
const ABSENT: Says = Says::Plainly(404, "application/json; charset=UTF-8", NOT_FOUND);

async fn with(nova: Option<&str>) -> Api {
    let nova = nova.map(|url| NovaService::new(url, None).unwrap());
    Api::with_nova(&Arc::default(), Auth::NoAuth, nova).await
}

fn connector() -> Value {
    json!({"host": "h1", "initiator": "iqn.h1", "ip": "192.0.2.9", "multipath": false})
}

/// A volume that a server uses: its path, and that of its attachment.
async fn used(api: &Api) -> (String, String) {
    let volume = api.volume(1).await;
    let id = volume.rsplit('/').next().unwrap();
    let body = json!({"attachment": {"volume_uuid": id, "instance_uuid": SERVER, "connector": connector()}});
    let made = api.post("/v3/attachments", body).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let attachment = format!(
        "/v3/attachments/{}",
        made.body["attachment"]["id"].as_str().unwrap()
    );
    let done = api
        .post(&format!("{attachment}/action"), json!({"os-complete": {}}))
        .await;
    assert_eq!(done.status, 204, "{}", done.text);
    (volume, attachment)
}

fn id(path: &str) -> String {
    path.rsplit('/').next().unwrap().to_owned()
}

async fn still_has_it(api: &Api, (volume, attachment): &(String, String), why: &str) {
    let shown = api.get(volume).await.body["volume"].clone();
    assert_eq!(shown["status"], "in-use", "{why}");
    assert_eq!(
        shown["attachments"][0]["attachment_id"],
        json!(id(attachment)),
        "{why}"
    );
    let shown = api.get(attachment).await;
    assert_eq!(
        shown.body["attachment"]["status"], "attached",
        "{why}: {}",
        shown.text
    );
}

/// Everything that takes a disk away: method, path, body.
fn takers((volume, attachment): &(String, String)) -> Vec<(&'static str, String, Value)> {
    let action = || format!("{volume}/action");
    let named = json!({"attachment_id": id(attachment)});
    let forced = json!({"attachment_id": id(attachment), "connector": connector()});
    vec![
        ("DELETE", attachment.clone(), Value::Null),
        ("POST", action(), json!({"os-detach": {}})),
        ("POST", action(), json!({"os-detach": named})),
        (
            "POST",
            action(),
            json!({"os-detach": {"attachment_id": OTHER}}),
        ),
        (
            "POST",
            action(),
            json!({"os-terminate_connection": {"connector": connector()}}),
        ),
        (
            "POST",
            action(),
            json!({"os-terminate_connection": {"connector": null}}),
        ),
        ("POST", action(), json!({"os-force_detach": {}})),
        ("POST", action(), json!({"os-force_detach": named})),
        ("POST", action(), json!({"os-force_detach": forced})),
        (
            "POST",
            action(),
            json!({"os-reset_status": {"status": "available"}}),
        ),
        (
            "POST",
            action(),
            json!({"os-reset_status": {"attach_status": "detached"}}),
        ),
        (
            "POST",
            action(),
            json!({"os-reset_status": {"attach_status": "Detached", "status": "error"}}),
        ),
    ]
}

async fn call(api: &Api, (method, path, body): &(&str, String, Value), service: bool) -> Got {
    let mut headers = vec![("openstack-api-version", "volume 3.71")];
    if service {
        headers.push(("x-service-token", "nova:service"));
    }
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    api.send(method, path, &headers, body).await
}

#[tokio::test]
async fn without_a_nova_to_ask_no_verb_takes_a_disk_away_from_a_server() {
    let api = with(None).await;
    let used = used(&api).await;
    for taker in takers(&used) {
        let refused = call(&api, &taker, false).await;
        assert_eq!(refused.status, 409, "{taker:?}: {}", refused.text);
        let sentence = refused.message();
        assert!(
            sentence.starts_with("Detach volume from instance "),
            "{sentence}"
        );
        assert!(sentence.contains("using the Compute API"), "{sentence}");
        still_has_it(&api, &used, &format!("{taker:?}")).await;
    }
    // These were refused before anybody thought of Nova.
    for body in [json!({"os-force_delete": {}}), json!({"os-unmanage": {}})] {
        let refused = api.post(&format!("{}/action", used.0), body).await;
        assert_eq!(refused.status, 400, "{}", refused.text);
        still_has_it(&api, &used, &refused.text).await;
    }
    assert_eq!(api.delete(&used.0).await.status, 400);
    let taker = &takers(&used)[0];
    assert_eq!(call(&api, taker, true).await.status, 200);
    assert_eq!(api.get(&used.0).await.body["volume"]["status"], "available");
}

#[tokio::test]
async fn what_no_server_uses_goes_without_asking() {
    let api = with(None).await;
    let volume = api.volume(1).await;
    for wanted in [
        // Only reserved: no machine has a way to it.
        json!({"volume_uuid": id(&volume), "instance_uuid": SERVER}),
        // No server.
        json!({"volume_uuid": id(&volume), "connector": connector()}),
    ] {
        let made = api
            .post("/v3/attachments", json!({"attachment": wanted}))
            .await;
        let path = format!(
            "/v3/attachments/{}",
            made.body["attachment"]["id"].as_str().unwrap()
        );
        let gone = api.delete(&path).await;
        assert_eq!(gone.status, 200, "{wanted}: {}", gone.text);
    }
    assert_eq!(api.get(&volume).await.body["volume"]["status"], "available");
}

#[tokio::test]
async fn nova_is_asked_as_the_caller_and_believed_if_it_speaks_of_what_was_asked() {
    let (fake, url) = Fake::start().await;
    let api = with(Some(&url)).await;
    let used = used(&api).await;
    let own = id(&used.1);
    let html = "<html>not here</html>";
    for (says, status) in [
        (Says::Has(own.clone()), 409),
        (Says::Confuses(OTHER.to_owned()), 503),
        (Says::ConfusesVolumes(OTHER.to_owned()), 503),
        (Says::Plainly(200, "application/json", "{}"), 503),
        (Says::Plainly(200, "text/html", html), 503),
        (Says::Plainly(404, "text/html", html), 503),
        // A proxy that does not know the path, whatever it speaks.
        (Says::Plainly(404, "application/json", ""), 503),
        (Says::Plainly(404, "application/json", "{}"), 503),
        (
            Says::Plainly(404, "application/json", r#"{"message": "no route"}"#),
            503,
        ),
        (
            Says::Plainly(404, "application/json", r#"{"itemNotFound": "#),
            503,
        ),
        (Says::Plainly(200, "application/json", ""), 503),
        (Says::Plainly(200, "application/json", "[]"), 503),
        (
            Says::Plainly(200, "application/json", r#"{"volumeAttachment": null}"#),
            503,
        ),
        (
            Says::Plainly(200, "application/json", r#"{"volumeAttachment": [1]}"#),
            503,
        ),
        (Says::Plainly(204, "application/json", ""), 503),
        (Says::Plainly(429, "application/json", "{}"), 409),
        (Says::Plainly(500, "text/plain", ""), 503),
        (Says::Plainly(302, "text/plain", ""), 503),
        (Says::Plainly(401, "application/json", "{}"), 409),
        (
            Says::Plainly(
                403,
                "application/json",
                r#"{"forbidden": {"message": "no"}}"#,
            ),
            409,
        ),
        (Says::Plainly(406, "application/json", "{}"), 409),
    ] {
        fake.says(says.clone());
        for taker in takers(&used) {
            let refused = call(&api, &taker, false).await;
            // Which one is meant is not even clear: Nova cannot say it.
            let open = taker.2.to_string().contains(OTHER);
            let wanted = if open { 409 } else { status };
            assert_eq!(
                refused.status, wanted,
                "{says:?} {taker:?}: {}",
                refused.text
            );
            still_has_it(&api, &used, &format!("{says:?} {taker:?}")).await;
        }
    }
    let (path, headers) = fake.heard.lock().unwrap()[0].clone();
    assert_eq!(
        path,
        format!(
            "/v2.1/servers/{SERVER}/os-volume_attachments/{}",
            id(&used.0)
        )
    );
    assert_eq!(headers["openstack-api-version"], "compute 2.89");
    assert_eq!(
        headers["x-auth-token"],
        "admin:00000000000000000000000000000001"
    );
}

#[tokio::test]
async fn a_disk_that_nova_does_not_have_goes_by_every_verb() {
    let (fake, url) = Fake::start().await;
    let api = with(Some(&url)).await;
    let limits = json!({"quota_class_set": {"volumes": -1}});
    assert_eq!(
        api.put("/v3/os-quota-class-sets/default", limits)
            .await
            .status,
        200
    );
    for says in [ABSENT, Says::Has(OTHER.to_owned())] {
        fake.says(says.clone());
        for at in [0, 1, 2, 6, 7, 8, 9, 10] {
            let used = used(&api).await;
            let taker = takers(&used).swap_remove(at);
            let done = call(&api, &taker, false).await;
            assert!(
                done.status.is_success(),
                "{says:?} {taker:?}: {}",
                done.text
            );
            let now = api.get(&used.0).await.body["volume"].clone();
            let gone = now["status"] == "available" || now["attachments"] == json!([]);
            assert!(gone, "{says:?} {taker:?}: {now}");
        }
    }
}

#[tokio::test]
async fn a_nova_that_is_down_keeps_the_disk_where_it_is() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v2.1", listener.local_addr().unwrap());
    drop(listener);
    let api = with(Some(&url)).await;
    let used = used(&api).await;
    let refused = call(&api, &takers(&used)[0], false).await;
    assert_eq!(refused.status, 503, "{}", refused.text);
    assert!(
        refused.message().contains("Nova does not answer"),
        "{}",
        refused.text
    );
    still_has_it(&api, &used, "down").await;
}

#[tokio::test]
async fn a_token_of_a_file_is_not_shown_to_nova() {
    let (fake, url) = Fake::start().await;
    fake.says(ABSENT);
    let nova = Some(NovaService::new(&url, None).unwrap());
    let api = Api::with_nova(&Arc::default(), Api::known_tokens(), nova).await;
    let send = async |method: &str, path: &str, body: Value| {
        let headers = [
            ("openstack-api-version", "volume 3.71"),
            ("x-auth-token", "member-token-of-test"),
        ];
        api.send(method, path, &headers, body.to_string()).await
    };
    let made = send("POST", "/v3/volumes", json!({"volume": {"size": 1}})).await;
    let volume = made.body["volume"]["id"].as_str().unwrap().to_owned();
    let path = format!("/v3/volumes/{volume}");
    api.wait_for(|| async {
        send("GET", &path, Value::Null).await.body["volume"]["status"] == "available"
    })
    .await;
    let body = json!({"attachment": {"volume_uuid": volume, "instance_uuid": SERVER, "connector": connector()}});
    let made = send("POST", "/v3/attachments", body).await;
    let attachment = format!(
        "/v3/attachments/{}",
        made.body["attachment"]["id"].as_str().unwrap()
    );
    let refused = send("DELETE", &attachment, Value::Null).await;
    assert_eq!(refused.status, 409, "{}", refused.text);
    assert!(fake.heard.lock().unwrap().is_empty());
}

#[tokio::test]
async fn only_a_token_of_a_service_makes_a_call_a_services_own() {
    let api = Api::with_nova(&Arc::default(), Api::known_tokens(), None).await;
    let send = async |method: &str, path: &str, service: &str, body: Value| {
        let headers = [
            ("openstack-api-version", "volume 3.71"),
            ("x-auth-token", "member-token-of-test"),
            ("x-service-token", service),
        ];
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        api.send(method, path, &headers, body).await
    };
    let made = send("POST", "/v3/volumes", "", json!({"volume": {"size": 1}})).await;
    let volume = made.body["volume"]["id"].as_str().unwrap().to_owned();
    let path = format!("/v3/volumes/{volume}");
    api.wait_for(|| async {
        send("GET", &path, "", Value::Null).await.body["volume"]["status"] == "available"
    })
    .await;
    let body = json!({"attachment": {"volume_uuid": volume, "instance_uuid": SERVER, "connector": connector()}});
    let made = send("POST", "/v3/attachments", "", body).await;
    let attachment = format!(
        "/v3/attachments/{}",
        made.body["attachment"]["id"].as_str().unwrap()
    );
    for token in [
        "",
        "of-nobody",
        "member-token-of-test",
        "admin-token-of-test",
        "no-role-of-the-test",
    ] {
        let refused = send("DELETE", &attachment, token, Value::Null).await;
        assert_eq!(refused.status, 409, "{token}: {}", refused.text);
    }
    let gone = send(
        "DELETE",
        &attachment,
        "service-token-of-the-test",
        Value::Null,
    )
    .await;
    assert_eq!(gone.status, 200, "{}", gone.text);
}
