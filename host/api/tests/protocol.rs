//! How the API speaks: discovery, versions, errors, tokens, bounds.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::json;
use springform_api::{Auth, DEFAULT_PROJECT, Limits, Policy};
use support::Api;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

#[tokio::test]
async fn discovery_needs_no_token_and_links_back_to_the_host_that_was_asked() {
    let api = Api::with_tokens("").await;
    let root = api.send("GET", "/", &[], Body::empty()).await;
    assert_eq!(root.status, 300);
    assert_eq!(root.body["versions"][0]["version"], "3.71");
    assert_eq!(
        root.body["versions"][0]["links"][1]["href"],
        "http://cloud:8776/v3/"
    );
    assert_eq!(
        api.send("GET", "/v3/", &[], Body::empty()).await.body,
        root.body
    );
    let moved = api.send("GET", "/v3", &[], Body::empty()).await;
    assert_eq!(
        (
            moved.status.as_u16(),
            moved.headers["location"].to_str().unwrap()
        ),
        (302, "http://cloud:8776/v3/")
    );
    assert_eq!(
        api.send("GET", "/healthcheck", &[], Body::empty())
            .await
            .text,
        "OK"
    );
}

#[tokio::test]
async fn every_answer_names_its_version_and_its_request() {
    let api = Api::new().await;
    let got = api
        .send(
            "GET",
            "/v3/types",
            &[("openstack-api-version", "volume 3.27")],
            Body::empty(),
        )
        .await;
    assert_eq!(got.status, 200);
    assert_eq!(got.headers["openstack-api-version"], "volume 3.27");
    assert_eq!(got.headers["vary"], "OpenStack-API-Version");
    assert!(
        got.headers["x-openstack-request-id"]
            .to_str()
            .unwrap()
            .starts_with("req-")
    );
    let refused = api
        .send(
            "GET",
            "/v3/types",
            &[("openstack-api-version", "volume 3.99")],
            Body::empty(),
        )
        .await;
    assert_eq!(refused.status, 406);
    assert_eq!(
        refused.body["computeFault"]["message"],
        "Version 3.99 is not supported by the API. Minimum is 3.0 and maximum is 3.71."
    );
}

#[tokio::test]
async fn a_path_nobody_knows_is_a_page_and_a_method_nobody_knows_is_named() {
    let api = Api::new().await;
    let got = api.get("/v3/nonsense").await;
    assert_eq!(got.status, 404);
    assert!(got.text.starts_with("<html>"));
    assert_eq!(
        api.send("PATCH", "/v3/types", &[], Body::empty())
            .await
            .status,
        405
    );
}

#[tokio::test]
async fn the_project_may_stand_in_the_path_and_must_be_the_tokens() {
    let api = Api::with_tokens("").await;
    let token = [("x-auth-token", "member-token-of-test")];
    assert_eq!(
        api.send("GET", "/v3/bb/types", &token, Body::empty())
            .await
            .status,
        200
    );
    assert_eq!(
        api.send("GET", "/v3/types", &token, Body::empty())
            .await
            .status,
        200
    );
    let other = api.send("GET", "/v3/cc/types", &token, Body::empty()).await;
    assert_eq!(
        (other.status.as_u16(), other.message()),
        (400, "Malformed request url")
    );
    // The project of callers who name none is, where tokens are asked for, a project like every other.
    let token = [("x-auth-token", "usual-token-of-the-test")];
    for (project, status) in [(DEFAULT_PROJECT, 200), ("bb", 400), ("cc", 400)] {
        let path = format!("/v3/{project}/types");
        let got = api.send("GET", &path, &token, Body::empty()).await;
        assert_eq!(got.status, status, "{project}: {}", got.text);
    }
}

#[tokio::test]
async fn roles_decide_and_a_policy_file_may_decide_otherwise() {
    let api = Api::with_tokens("\"volume_extension:type_get_all\" = \"admin\"").await;
    let token = |name: &'static str| [("x-auth-token", name)];
    let body = json!({"volume_type": {"name": "gold"}}).to_string();
    let made = api
        .send(
            "POST",
            "/v3/types",
            &token("admin-token-of-test"),
            body.clone(),
        )
        .await;
    assert_eq!(made.status, 200);
    let refused = api
        .send("POST", "/v3/types", &token("member-token-of-test"), body)
        .await;
    assert_eq!(refused.status, 403);
    assert_eq!(
        refused.body["forbidden"]["message"],
        "Policy doesn't allow volume_extension:type_create to be performed."
    );
    assert_eq!(
        api.send(
            "GET",
            "/v3/types",
            &token("reader-token-of-test"),
            Body::empty()
        )
        .await
        .status,
        403
    );
    assert_eq!(
        api.send(
            "GET",
            "/v3/limits",
            &token("reader-token-of-test"),
            Body::empty()
        )
        .await
        .status,
        200
    );
    let nobody = api
        .send(
            "GET",
            "/v3/types",
            &token("a-token-nobody-knows"),
            Body::empty(),
        )
        .await;
    assert_eq!(nobody.status, 401);
    assert!(nobody.headers.contains_key("www-authenticate"));
}

#[tokio::test]
async fn nonsense_is_refused_with_a_reason_and_never_with_a_500() {
    let api = Api::new().await;
    let post = async |body: &'static str| api.send("POST", "/v3/types", &[], body).await;
    assert_eq!(post("").await.message(), "Malformed request body");
    assert_eq!(post("[1]").await.message(), "Malformed request body");
    assert_eq!(
        post("{}").await.message(),
        "'volume_type' is a required property"
    );
    assert_eq!(
        post("{\"volume_type\":{}}").await.message(),
        "'name' is a required property"
    );
    let extra = post("{\"volume_type\":{\"name\":\"a\",\"colour\":1}}").await;
    assert_eq!(
        extra.message(),
        "Additional properties are not allowed ('colour' was unexpected)"
    );
    for path in [
        "/v3/types?limit=x",
        "/v3/types?sort=colour",
        "/v3/types?name=%ff",
        "/v3/types?is_public=maybe",
    ] {
        assert_eq!(api.get(path).await.status, 400, "{path}");
    }
    let deep = "[".repeat(100_000);
    assert_eq!(api.send("POST", "/v3/types", &[], deep).await.status, 400);
    let large = "x".repeat(200 * 1024);
    assert_eq!(api.send("POST", "/v3/types", &[], large).await.status, 413);
}

#[tokio::test]
async fn the_document_is_served_and_is_the_one_in_the_tree() {
    let api = Api::new().await;
    let served = api.get("/openapi.json").await;
    assert_eq!(served.body, springform_api::openapi_document());
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    let text = serde_json::to_string_pretty(&served.body).unwrap() + "\n";
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    let golden =
        std::fs::read_to_string(path).expect("run with UPDATE_GOLDEN=1 to write openapi.json");
    assert!(
        golden == text,
        "host/api/openapi.json is not what the code says; run with UPDATE_GOLDEN=1 and look at the difference"
    );
}

#[test]
fn the_page_lists_every_route_with_what_it_does() {
    let document = springform_api::openapi_document();
    let mut rows = String::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        if !path.starts_with("/v3/") {
            continue;
        }
        for (method, operation) in methods.as_object().unwrap() {
            let (method, summary) = (
                method.to_uppercase(),
                operation["summary"].as_str().unwrap(),
            );
            rows += &format!("| {method} | `{path}` | {summary} |\n");
        }
    }
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cinder-api.md");
    let mut page = std::fs::read_to_string(file).unwrap();
    let head = "| method | path | what it does |\n|---|---|---|\n";
    let start = page.find(head).unwrap() + head.len();
    let end = start + page[start..].find("\n\n").unwrap() + 1;
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        page.replace_range(start..end, &rows);
        std::fs::write(file, &page).unwrap();
        return;
    }
    assert!(
        page[start..end] == rows,
        "the table of docs/cinder-api.md is not what the code says; run with UPDATE_GOLDEN=1"
    );
}

#[tokio::test]
async fn a_host_that_starts_is_alive_and_not_ready_until_it_is_opened() {
    let (front, opening) = springform_api::starting();
    let ask = async |path: &str| {
        let request = Request::get(path).header("host", "cloud:8776");
        let request = request.body(Body::empty()).unwrap();
        let answer = front.clone().oneshot(request).await.unwrap();
        let hinted = answer.headers().contains_key("retry-after");
        (answer.status(), hinted)
    };
    assert_eq!(ask("/healthz").await, (StatusCode::OK, false));
    for path in ["/readyz", "/v3/types", "/healthcheck"] {
        let busy = (StatusCode::SERVICE_UNAVAILABLE, true);
        assert_eq!(ask(path).await, busy, "{path}");
    }
    let api = Api::with(Auth::NoAuth, Limits::default(), Policy::default()).await;
    opening.open(api.router.clone());
    assert_eq!(ask("/healthz").await, (StatusCode::OK, false));
    assert_eq!(ask("/v3/types").await, (StatusCode::OK, false));
    assert_eq!(ask("/nowhere").await, (StatusCode::NOT_FOUND, false));
}

#[tokio::test]
async fn metrics_are_counted_by_route() {
    let api = Api::new().await;
    api.get("/v3/types/nosuch").await;
    let text = api.get("/metrics").await.text;
    assert!(text.contains("springform_http_requests_total{method=\"GET\",route=\"/types/{type_id}\",status=\"404\"} 1"), "{text}");
    assert!(
        text.contains("\nspringform_http_requests_in_flight 1\n"),
        "{text}"
    );
    assert!(!text.contains("# EOF"), "the older format has no end mark");
}

#[tokio::test]
async fn a_client_that_sends_its_request_too_slowly_is_cut_off() {
    let limits = Limits {
        header_timeout: Duration::from_millis(50),
        ..Limits::default()
    };
    let api = Api::with(Auth::NoAuth, limits.clone(), Policy::default()).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let (router, token) = (api.router.clone(), stop.clone());
    let server = tokio::spawn(async move {
        springform_api::serve(listener, router, &limits, token, Duration::from_secs(5)).await
    });
    let mut slow = tokio::net::TcpStream::connect(address).await.unwrap();
    slow.write_all(b"GET /v3/types HTTP/1.1\r\nhost: x\r\n")
        .await
        .unwrap();
    let mut rest = Vec::new();
    slow.read_to_end(&mut rest).await.unwrap();
    // Whoever is quick is served; on a busy machine not everybody is at the first attempt.
    let served = async {
        loop {
            let mut quick = tokio::net::TcpStream::connect(address).await.unwrap();
            let request = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
            let mut answer = Vec::new();
            if quick.write_all(request).await.is_ok()
                && quick.read_to_end(&mut answer).await.is_ok()
                && answer.starts_with(b"HTTP/1.1 200")
            {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), served)
        .await
        .expect("nobody is served");
    stop.cancel();
    server.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_with_the_limit() {
    let api = Api::new().await;
    let name = "n".repeat(Limits::default().body_bytes);
    let got = api
        .post("/v3/volumes", json!({"volume": {"name": name}}))
        .await;
    assert_eq!(got.status, 413);
    assert!(
        got.message()
            .contains(&Limits::default().body_bytes.to_string()),
        "{}",
        got.message()
    );
}

#[tokio::test]
async fn a_token_beyond_its_rate_is_told_when_to_come_back_and_others_are_served() {
    let limits = Limits {
        requests_per_second: 1,
        burst: 2,
        ..Limits::default()
    };
    let api = Api::with(Auth::NoAuth, limits, Policy::default()).await;
    let ask = async |token: &str| {
        let headers = [("x-auth-token", token)];
        api.send("GET", "/v3/types", &headers, Body::empty()).await
    };
    assert_eq!(ask("ann:aa").await.status, 200);
    assert_eq!(ask("ann:aa").await.status, 200);
    // One more is let through for each second that passes meanwhile.
    let mut refused = ask("ann:aa").await;
    for _ in 0..100 {
        if refused.status != 200 {
            break;
        }
        refused = ask("ann:aa").await;
    }
    assert_eq!(refused.status, 429);
    assert_eq!(refused.headers["retry-after"], "1");
    assert_eq!(refused.body["overLimit"]["code"], 429);
    assert_eq!(ask("bob:bb").await.status, 200);
}

#[tokio::test]
async fn a_body_that_does_not_come_takes_nobodys_place() {
    let limits = Limits {
        concurrency: 1,
        ..Limits::default()
    };
    let api = Api::with(Auth::NoAuth, limits, Policy::default()).await;
    let (_sender, receiver) = tokio::sync::mpsc::channel::<Result<&[u8], std::io::Error>>(1);
    let endless = Body::from_stream(tokio_stream::wrappers::ReceiverStream::new(receiver));
    let mut first = Box::pin(api.send("POST", "/v3/volumes", &[], endless));
    tokio::select! {
        biased;
        got = &mut first => panic!("it was answered with {}", got.status),
        () = tokio::task::yield_now() => {}
    }
    assert_eq!(api.get("/v3/types").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_beyond_the_places_is_turned_away_but_health_is_told_to_everybody() {
    let limits = Limits {
        concurrency: 1,
        ..Limits::default()
    };
    let api = Api::with(Auth::NoAuth, limits, Policy::default()).await;
    // So many at once that some meet another one at work.
    let asked = (0..200).map(|_| api.get("/v3/types"));
    let answers = futures_util::future::join_all(asked);
    let health = (0..200).map(|_| api.get("/healthz"));
    let (answers, health) = tokio::join!(answers, futures_util::future::join_all(health));
    assert!(health.iter().all(|got| got.status == 200));
    let refused: Vec<_> = answers.iter().filter(|got| got.status != 200).collect();
    assert!(!refused.is_empty() && refused.len() < answers.len());
    for got in refused {
        assert_eq!(got.status, 503);
        assert_eq!(got.headers["retry-after"], "1");
    }
    assert_eq!(api.get("/v3/types").await.status, 200);
}

#[tokio::test]
async fn a_web_page_of_another_site_is_refused_where_nobody_is_asked_who_they_are() {
    let api = Api::new().await;
    let body = json!({"volume_type": {"name": "gold"}}).to_string();
    let foreign = [
        ("host", "evil.example"),
        ("origin", "https://evil.example"),
        ("sec-fetch-site", "cross-site"),
        ("content-type", "text/plain"),
    ];
    for (header, status) in foreign.iter().zip([403, 403, 403, 415]) {
        for path in ["/v3/types", "/admin/v1/configuration/reload"] {
            let got = api.plain("POST", path, &[*header], body.clone()).await;
            assert_eq!(got.status, status, "{header:?} {path}");
            assert!(!got.message().is_empty(), "{}", got.text);
        }
    }
    assert!(!api.get("/v3/types").await.text.contains("gold"));
    let own = [("content-type", "application/json")];
    let made = api.plain("POST", "/v3/types", &own, body.clone()).await;
    assert_eq!(made.status, 200);
    let health = api.plain("GET", "/healthz", &foreign[..1], "").await;
    assert_eq!(health.status, 200, "a probe may call this host by any name");

    // A token is nothing that a browser sends by itself.
    let api = Api::with_tokens("").await;
    let token = ("x-auth-token", "admin-token-of-test");
    let headers = [token, foreign[0], foreign[1]];
    let made = api.plain("POST", "/v3/types", &headers, body).await;
    assert_eq!(made.status, 200, "{}", made.text);
}

#[tokio::test]
async fn wrong_tokens_are_counted_and_a_right_one_goes_on() {
    let api = Api::with_tokens("").await;
    let ask = async |token: &str| {
        let headers = [("x-auth-token", token)];
        api.send("GET", "/v3/types", &headers, Body::empty()).await
    };
    assert_eq!(ask("member-token-of-test").await.status, 200);
    let mut statuses = Vec::new();
    for n in 0..900 {
        statuses.push(ask(&format!("guess-{n}")).await.status.as_u16());
    }
    assert!(statuses[..100].iter().all(|status| *status == 401));
    let held = statuses.iter().filter(|status| **status == 429).count();
    assert!(held > 0, "nobody was held up");
    assert_eq!(ask("member-token-of-test").await.status, 200);
}

#[tokio::test]
async fn the_key_of_a_transfer_is_not_guessed() {
    let api = Api::with_tokens("").await;
    let tries = async |token: &str| {
        let headers = [("x-auth-token", token)];
        let body = json!({"accept": {"auth_key": "guess"}}).to_string();
        let path = "/v3/os-volume-transfer/6f8d6ea0-92b1-4c8b-a7fd-b1bd2b0a5e29/accept";
        let got = api.send("POST", path, &headers, body).await;
        got.status.as_u16()
    };
    let mut statuses = Vec::new();
    for _ in 0..7 {
        statuses.push(tries("other-token-of-the-test").await);
    }
    assert_eq!(statuses, [404, 404, 404, 404, 404, 429, 429]);
    assert_eq!(tries("member-token-of-test").await, 404, "another project");
}
