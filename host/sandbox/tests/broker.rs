//! The egress broker against a real loopback array: who may be spoken to, with which credential, and what comes back.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use springform_model::contract::{Call, CredentialScheme, Driver};
use springform_sandbox::{BoundDriver, Secret, TargetBinding, TlsTrust};
use support::array::{Array, SECRET};
use support::{binding, context, driver, load, sandbox};

fn plain(array: &Array) -> TargetBinding {
    TargetBinding::new("a", &array.address, TlsTrust::PlainHttp)
}

/// What the hostile driver reports of its request, through `stats` (which only reads).
async fn report(driver: &BoundDriver, behaviour: &str, argument: &str) -> BTreeMap<String, String> {
    let stats = driver
        .call(context(behaviour, argument), Call::Stats)
        .await
        .unwrap()
        .into_stats()
        .unwrap();
    stats.pools[0].capabilities.iter().cloned().collect()
}

async fn get(driver: &BoundDriver, url: &str) -> BTreeMap<String, String> {
    report(driver, "get", url).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_is_reached_by_its_name_and_connections_are_kept() {
    let array = Array::plain().await;
    let driver = driver("hostile", vec![plain(&array)]).await;
    for _ in 0..3 {
        let answer = get(&driver, "https://a/volumes?limit=1").await;
        assert_eq!(
            (answer["status"].as_str(), answer["body"].as_str()),
            ("200", "ok")
        );
    }
    assert_eq!(array.facts.connections.load(Ordering::SeqCst), 1);
    let seen = array.facts.seen.lock().unwrap().clone();
    assert!(seen.starts_with("get /volumes?limit=1 "), "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_a_configured_name_is_spoken_to() {
    let array = Array::plain().await;
    let driver = driver("hostile", vec![plain(&array)]).await;
    let real = format!("https://{}/", array.address);
    for url in [
        real.as_str(),
        "https://other/",
        "https://a:443/",
        "https://127.0.0.1/",
        "https://[::ffff:127.0.0.1]/",
        "https://a.example/",
    ] {
        assert_eq!(
            get(&driver, url).await["error"],
            "ErrorCode::HttpRequestDenied",
            "{url}"
        );
    }
    assert_eq!(array.facts.connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_denial_is_audited_with_the_line_that_would_allow_it() {
    let log = support::log::Captured::default();
    let _guard = tracing::subscriber::set_default(log.subscriber());
    let array = Array::plain().await;
    let driver = driver("hostile", vec![plain(&array)]).await;
    get(&driver, "https://other/secret?key=1").await;
    let text = log.text();
    let line = text.lines().find(|l| l.contains("egress-denied")).unwrap();
    assert!(
        line.contains(r#"backend_id = \"other\""#) || line.contains(r#"backend_id = "other""#),
        "{line}"
    );
    assert!(!line.contains("key=1"), "a query may hold anything: {line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_https_is_spoken_of_even_where_the_array_speaks_http() {
    let array = Array::plain().await;
    let driver = driver("hostile", vec![plain(&array)]).await;
    assert_eq!(
        get(&driver, "gopher://a/").await["error"],
        "ErrorCode::HttpRequestDenied"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_only_reads_cannot_post() {
    let array = Array::plain().await;
    let driver = driver("hostile", vec![plain(&array)]).await;
    assert_eq!(
        report(&driver, "post", "https://a/volumes").await["error"],
        "ErrorCode::HttpRequestDenied"
    );
    assert_eq!(array.facts.connections.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_cannot_set_credentials_or_routing() {
    let array = Array::plain().await;
    let driver = driver("hostile", vec![plain(&array)]).await;
    for header in [
        "Authorization: Bearer x",
        "Cookie: a=b",
        "x-auth-token: t",
        "Host: other",
        "Transfer-Encoding: chunked",
    ] {
        assert_eq!(
            report(&driver, "header", header).await["error"],
            "header forbidden",
            "{header}"
        );
    }
    assert_eq!(
        report(&driver, "header", "X-Request-ID: 1").await["status"],
        "200"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_are_not_followed_and_answers_lose_tokens_and_addresses() {
    let array = Array::plain().await;
    let driver = driver("hostile", vec![plain(&array)]).await;
    let redirect = get(&driver, "https://a/redirect").await;
    assert_eq!(redirect["status"], "302");
    assert!(!redirect.contains_key("location"));
    let leak = get(&driver, "https://a/leak").await;
    assert_eq!(leak["x-fine"], "yes");
    assert!(!leak.contains_key("set-cookie") && !leak.contains_key("x-auth-token"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_array_is_the_drivers_to_judge() {
    let array = Array::plain().await;
    let answer = get(
        &driver("hostile", vec![plain(&array)]).await,
        "https://a/busy",
    )
    .await;
    assert_eq!(
        (answer["status"].as_str(), answer["retry-after"].as_str()),
        ("429", "3")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn hanging_dripping_resetting_and_garbled_answers_are_errors_in_time() {
    let array = Array::plain().await;
    for (path, error) in [
        ("hang", "HttpResponseTimeout"),
        ("drip", "HttpResponseTimeout"),
        ("reset", "ConnectionTerminated"),
        ("garbage", "HttpProtocolError"),
    ] {
        let mut target = plain(&array);
        // The others end by themselves, however long this machine takes for it.
        if error == "HttpResponseTimeout" {
            target.request_timeout = Duration::from_millis(300);
        }
        let driver = driver("hostile", vec![target]).await;
        assert_eq!(
            get(&driver, &format!("https://a/{path}")).await["error"],
            format!("ErrorCode::{error}"),
            "{path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_whose_connection_was_reset_is_tried_once_more() {
    let array = Array::plain().await;
    let driver = driver("hostile", vec![plain(&array)]).await;
    assert_eq!(get(&driver, "https://a/reset-once").await["status"], "200");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_over_the_limit_is_cut_off() {
    let array = Array::plain().await;
    let sandbox = sandbox();
    let program = load(&sandbox, "hostile").await;
    let mut bound = binding(vec![plain(&array)]);
    bound.limits = Some(springform_sandbox::Limits {
        response_body_bytes: 1000,
        ..Default::default()
    });
    let driver = sandbox.bind(program, bound).unwrap();
    let error = &get(&driver, "https://a/large").await["error"];
    assert!(error.contains("HttpResponseBodySize"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_array_that_refuses_connections_opens_the_breaker_and_closes_it_again() {
    // It is nobody else's as long as it is bound, and nobody listens.
    let bound = tokio::net::TcpSocket::new_v4().unwrap();
    bound.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = bound.local_addr().unwrap().to_string();
    let driver = driver(
        "hostile",
        vec![TargetBinding::new("a", address, TlsTrust::PlainHttp)],
    )
    .await;
    for _ in 0..3 {
        assert_eq!(
            get(&driver, "https://a/").await["error"],
            "ErrorCode::ConnectionRefused"
        );
    }
    assert!(!driver.targets_health()[0].reachable);
    assert_eq!(
        get(&driver, "https://a/").await["error"],
        "ErrorCode::DestinationUnavailable"
    );
    assert_eq!(
        report(&driver, "targets", "").await["a"],
        "false",
        "the driver is told"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_believed_by_ca_file_or_fingerprint_and_never_by_default() {
    let array = Array::tls("localhost").await;
    let dir = tempfile::tempdir().unwrap();
    let ca = dir.path().join("ca.pem");
    std::fs::write(&ca, &array.certificate_pem).unwrap();
    let other = Array::tls("localhost").await;
    let ask = async |tls: TlsTrust| {
        let driver = driver(
            "hostile",
            vec![TargetBinding::new("a", &array.address, tls)],
        )
        .await;
        get(&driver, "https://a/").await
    };
    assert_eq!(ask(TlsTrust::CaFile(ca)).await["status"], "200");
    assert_eq!(
        ask(TlsTrust::Fingerprint(array.fingerprint.clone())).await["status"],
        "200"
    );
    for distrusted in [
        TlsTrust::System,
        TlsTrust::Fingerprint(other.fingerprint.clone()),
    ] {
        assert_eq!(
            ask(distrusted).await["error"],
            "ErrorCode::TlsCertificateError"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_beyond_loopback_and_bad_trust_are_refused_when_bound() {
    let sandbox = sandbox();
    let program = load(&sandbox, "hostile").await;
    let refuse = |address: &str, tls| {
        let target = TargetBinding::new("a", address, tls);
        sandbox
            .bind(program.clone(), binding(vec![target]))
            .map(drop)
            .unwrap_err()
            .to_string()
    };
    assert!(refuse("192.0.2.1:80", TlsTrust::PlainHttp).contains("loopback"));
    assert!(refuse("localhost:443", TlsTrust::Fingerprint("abc".into())).contains("64 digits"));
    assert!(
        refuse("localhost:443", TlsTrust::CaFile("/nowhere.pem".into())).contains("/nowhere.pem")
    );
    assert!(refuse("not an address", TlsTrust::System).contains("host:port"));
}

#[test]
fn a_secret_is_never_printed() {
    let target = TargetBinding::new("a", "h:1", TlsTrust::System).with_secret(Secret::new(SECRET));
    assert!(!format!("{target:?}").contains(SECRET));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_driver_that_wants_a_session_gets_one_login_for_many_calls_and_one_more_after_a_401() {
    let array = Array::plain().await;
    let driver = Arc::new(session(&array, SECRET).await);
    let calls = (0..16).map(|_| {
        let driver = driver.clone();
        tokio::spawn(async move { get(&driver, "https://a/volumes").await })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap()["status"], "200");
    }
    assert_eq!(array.facts.logins(), 1, "single flight");
    assert_eq!(array.facts.versions.load(Ordering::SeqCst), 1);
    assert!(
        array
            .facts
            .seen
            .lock()
            .unwrap()
            .contains("x-auth-token: token-1")
    );

    array.facts.expire.store(true, Ordering::SeqCst);
    assert_eq!(get(&driver, "https://a/volumes").await["status"], "200");
    assert_eq!(array.facts.logins(), 2);
    assert!(
        array
            .facts
            .seen
            .lock()
            .unwrap()
            .contains("x-auth-token: token-2")
    );
    assert_eq!(
        report(&driver, "targets", "").await["springform/api-version"],
        "2.26"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_is_a_401_for_the_driver_and_not_a_login_storm() {
    let array = Array::plain().await;
    let driver = session(&array, "wrong").await;
    assert_eq!(get(&driver, "https://a/volumes").await["status"], "401");
    assert_eq!(array.facts.requests.load(Ordering::SeqCst), 0);
    assert_eq!(array.facts.logins(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_a_driver_logs_out() {
    let array = Array::plain().await;
    let driver = session(&array, SECRET).await;
    get(&driver, "https://a/").await;
    drop(driver);
    let logged_out = async {
        while array.facts.logouts.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), logged_out)
        .await
        .expect("a logout");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_secret_is_named_when_bound() {
    let array = Array::plain().await;
    let sandbox = sandbox();
    let program = load(&sandbox, "session").await;
    assert!(matches!(
        program.description().credentials,
        CredentialScheme::Session(_)
    ));
    let error = sandbox
        .bind(program, binding(vec![plain(&array)]))
        .map(drop)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("backend pure1, target a") && error.contains("secret"),
        "{error}"
    );
}

async fn session(array: &Array, secret: &str) -> BoundDriver {
    driver(
        "session",
        vec![plain(array).with_secret(Secret::new(secret))],
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_array_that_echoes_does_not_teach_a_driver_its_secret_or_token() {
    let array = Array::plain().await;
    let driver = session(&array, SECRET).await;
    for _ in 0..2 {
        let answer = get(&driver, "https://a/echo").await;
        let seen = format!("{answer:?}");
        assert_eq!(answer["status"], "200");
        assert!(answer["body"].contains("*******"), "{seen}");
        assert!(
            !seen.contains(SECRET) && !seen.contains("token-1"),
            "{seen}"
        );
    }
    // The next token, and what the one before it looked like.
    array.facts.expire.store(true, Ordering::SeqCst);
    let seen = format!("{:?}", get(&driver, "https://a/echo").await);
    assert!(
        !seen.contains("token-2") && !seen.contains(SECRET),
        "{seen}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_login_that_quotes_the_secret_does_not_give_it_away() {
    let array = Array::plain().await;
    let wrong = "another-api-token";
    let driver = session(&array, wrong).await;
    let answer = get(&driver, "https://a/volumes").await;
    assert_eq!(answer["status"], "401");
    assert!(answer["body"].contains("you sent"), "{answer:?}");
    assert!(!format!("{answer:?}").contains(wrong), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_that_return_the_request_or_open_a_tunnel_are_never_sent() {
    let array = Array::plain().await;
    let driver = driver("hostile", vec![plain(&array)]).await;
    for method in ["TRACE", "TRACK", "CONNECT", "PURGE", "PROPFIND", "get"] {
        let answer = report(&driver, "method", method).await;
        assert_eq!(answer["error"], "ErrorCode::HttpRequestDenied", "{method}");
    }
    assert_eq!(array.facts.connections.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_cannot_be_made_a_write_by_a_header() {
    let array = Array::plain().await;
    let driver = driver("hostile", vec![plain(&array)]).await;
    for header in [
        "X-HTTP-Method-Override: DELETE",
        "x-http-method: DELETE",
        "X-Method-Override: DELETE",
        "X-Original-URL: /api/2.26/admins/api-tokens",
        "X-Rewrite-URL: /other",
    ] {
        assert_eq!(
            report(&driver, "header", header).await["error"],
            "header forbidden",
            "{header}"
        );
    }
    assert_eq!(array.facts.connections.load(Ordering::SeqCst), 0);
}
