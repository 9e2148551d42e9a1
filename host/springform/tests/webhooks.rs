//! Events on the wire: what a receiver gets, and what happens when it fails, hangs, sends elsewhere or says no.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use springform::config::Config;
use springform::serve::webhooks::Webhooks;
use springform_control::outbox::{CloudEvent, DeliveryError, EventSender, verify};
use springform_model::time::Timestamp;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

#[derive(Default)]
struct Inbox {
    got: Mutex<Vec<(HeaderMap, Bytes)>>,
}

async fn take(State(inbox): State<Arc<Inbox>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    inbox.got.lock().unwrap().push((headers, body));
    StatusCode::NO_CONTENT
}

async fn receiver() -> (Arc<Inbox>, String) {
    let inbox = Arc::new(Inbox::default());
    let status = |status: StatusCode| post(move || async move { status });
    let router = Router::new()
        .route("/take", post(take))
        .route("/broken", status(StatusCode::INTERNAL_SERVER_ERROR))
        .route("/gone", status(StatusCode::GONE))
        .route(
            "/later",
            post(|| async {
                (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "77")]).into_response()
            }),
        )
        .route(
            "/elsewhere",
            post(|| async {
                (StatusCode::TEMPORARY_REDIRECT, [("location", "/take")]).into_response()
            }),
        )
        .route(
            "/hangs",
            post(|| async { std::future::pending::<Response>().await }),
        )
        .with_state(inbox.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (inbox, url)
}

fn webhooks(text: &str) -> Webhooks {
    let text = format!("[service]\nallow_inline_secrets = true\n{text}");
    let config = Config::parse(Path::new("springform.toml"), &text).unwrap();
    Webhooks::new(&config.webhooks).unwrap()
}

fn event() -> CloudEvent {
    CloudEvent::new(
        "volume.moved",
        "pure1",
        "v1",
        "e1".into(),
        json!({ "to": "sec2" }),
        Timestamp(1_700_000_000_000_000),
    )
}

async fn send(url: &str) -> Result<(), DeliveryError> {
    send_within(url, 60).await
}

async fn send_within(url: &str, seconds: u32) -> Result<(), DeliveryError> {
    let text = format!(
        "[[webhook]]\nname = \"ops\"\nurl = \"{url}\"\nsecret = \"{SECRET}\"\ntimeout_seconds = {seconds}\n"
    );
    webhooks(&text).send("ops", &event()).await
}

#[tokio::test]
async fn a_receiver_gets_a_cloudevent_it_can_verify() {
    let (inbox, url) = receiver().await;
    send(&format!("{url}/take")).await.unwrap();
    let (headers, body) = inbox.got.lock().unwrap().pop().unwrap();
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    assert_eq!(
        header("content-type"),
        "application/cloudevents+json; charset=utf-8"
    );
    let sent: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(sent["specversion"], "1.0");
    assert_eq!(sent["type"], "org.springform.volume.moved");
    assert_eq!(sent["source"], "springform/backends/pure1");
    assert_eq!(
        (&sent["id"], &sent["subject"]),
        (&json!("e1"), &json!("v1"))
    );
    assert_eq!(header("webhook-id"), "e1");
    let at: u64 = header("webhook-timestamp").parse().unwrap();
    assert!(Timestamp::now().as_millis() / 1000 - at < 60);
    let signature = header("webhook-signature");
    assert!(verify(SECRET.as_bytes(), "e1", at, &body, &signature));
    assert!(!verify(b"another secret!!", "e1", at, &body, &signature));
}

#[tokio::test]
async fn what_a_receiver_answers_decides_whether_and_when_it_is_tried_again() {
    let (inbox, url) = receiver().await;
    let broken = send(&format!("{url}/broken")).await.unwrap_err();
    assert_eq!(broken.why, "it answered 500 Internal Server Error");
    assert!(!broken.gone);
    assert!(send(&format!("{url}/gone")).await.unwrap_err().gone);
    let later = send(&format!("{url}/later")).await.unwrap_err();
    assert_eq!(later.after_seconds, Some(77));
    let elsewhere = send(&format!("{url}/elsewhere")).await.unwrap_err();
    assert!(elsewhere.why.contains("redirects are not followed"));
    assert!(inbox.got.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_receiver_that_hangs_or_is_not_there_is_given_up_without_telling_its_url() {
    let (_inbox, url) = receiver().await;
    let hangs = send_within(&format!("{url}/hangs?token=hidden"), 1)
        .await
        .unwrap_err();
    // It is nobody else's as long as it is bound, and nobody listens.
    let bound = tokio::net::TcpSocket::new_v4().unwrap();
    bound
        .bind((std::net::Ipv4Addr::LOCALHOST, 0).into())
        .unwrap();
    let nobody = format!("http://{}/?token=hidden", bound.local_addr().unwrap());
    let nobody = send(&nobody).await.unwrap_err();
    for refused in [hangs, nobody] {
        assert!(!refused.gone && !refused.why.is_empty());
        assert!(!refused.why.contains("hidden"), "{}", refused.why);
    }
}

/// A receiver behind TLS that takes everything, and the file of the CA its certificate is of.
async fn behind_tls(folder: &Path, name: &str) -> (String, std::path::PathBuf) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let ca_file = folder.join(format!("{name}.pem"));
    std::fs::write(&ca_file, authority.self_signed(&key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(authority, key);
    let own = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()])
        .unwrap()
        .signed_by(&own, &issuer)
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(own.serialize_der()).unwrap(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/take", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that does not trust it goes away in the middle of the handshake.
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut got = [0; 4096];
            if stream.read(&mut got).await.is_ok() {
                let answer = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
                stream.write_all(answer).await.unwrap();
                stream.shutdown().await.unwrap();
            }
        }
    });
    (url, ca_file)
}

async fn send_trusting(url: &str, ca_file: Option<&Path>) -> Result<(), DeliveryError> {
    let trust = ca_file.map(|path| format!("ca_file = \"{}\"\n", path.display()));
    let text = format!(
        "[[webhook]]\nname = \"ops\"\nurl = \"{url}\"\nsecret = \"{SECRET}\"\n{}",
        trust.unwrap_or_default()
    );
    webhooks(&text).send("ops", &event()).await
}

#[tokio::test]
async fn a_receiver_behind_tls_is_trusted_by_its_own_ca_and_by_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let (url, ca_file) = behind_tls(folder.path(), "own").await;
    let (_, other) = behind_tls(folder.path(), "other").await;
    send_trusting(&url, Some(&ca_file)).await.unwrap();
    for wrong in [Some(other.as_path()), None] {
        let refused = send_trusting(&url, wrong).await.unwrap_err();
        assert!(!refused.gone, "it is tried again");
        assert!(refused.why.contains("certificate"), "{}", refused.why);
    }
}

#[test]
fn a_ca_file_that_cannot_be_used_is_named_when_the_host_starts() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let broken = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
    for (path, said) in [
        (folder.path().join("missing.pem"), "cannot be read"),
        (file("empty.pem", ""), "no certificate"),
        (file("words.pem", "not a certificate"), "no certificate"),
        (file("broken.pem", broken), "no certificate"),
    ] {
        let text = format!(
            "[service]\nallow_inline_secrets = true\n[[webhook]]\nname = \"ops\"\nurl = \"https://h/x\"\nsecret = \"{SECRET}\"\nca_file = \"{}\"\n",
            path.display()
        );
        let config = Config::parse(Path::new("springform.toml"), &text).unwrap();
        let error = Webhooks::new(&config.webhooks)
            .err()
            .expect("it is refused");
        let error = format!("{error:#}");
        assert!(
            error.contains("[[webhook]] \"ops\"") && error.contains(said),
            "{}: {error}",
            path.display()
        );
        assert!(error.contains(&path.display().to_string()), "{error}");
    }
}

fn refused(webhook: &str) -> String {
    let text = format!("[[webhook]]\n{webhook}\n");
    let error = Config::parse(Path::new("springform.toml"), &text).unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
    error.to_string()
}

#[test]
fn a_webhook_that_is_not_right_is_refused_with_what_to_write_instead() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().display().to_string();
    std::fs::write(&path, "hunter2\n").unwrap();
    let short = format!("name = \"ops\"\nurl = \"https://h/x\"\nsecret_file = \"{path}\"");
    assert!(refused(&short).contains("less than 16 bytes"));
    let inline = "name = \"ops\"\nurl = \"https://h/x\"\nsecret = \"hunter2hunter2hunter2\"";
    assert!(refused(inline).contains("`secret_env`"));
    let none = "name = \"ops\"\nurl = \"https://h/x\"";
    assert!(refused(none).contains("needs `secret_env` or `secret_file`"));
    let plain = "name = \"ops\"\nurl = \"http://hooks.example.org/x\"\nsecret_env = \"NOT_SET\"";
    assert!(refused(plain).contains("use https"));
    let password = "name = \"ops\"\nurl = \"https://u:hunter2@h/x\"\nsecret_env = \"NOT_SET\"";
    assert!(refused(password).contains("no place for secrets"));
    let words = "name = \"o p s\"\nurl = \"nonsense\"\nsecert_env = \"X\"";
    let words = refused(words);
    assert!(words.contains("letters, digits") && words.contains("is none"));
    assert!(words.contains("did you mean `secret_env`?"), "{words}");
}
