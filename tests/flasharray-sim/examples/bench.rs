//! How fast the simulator is, next to an empty axum handler behind the same
//! TLS, asked by the same client in the same run.
//!
//!     cargo run --release -p flasharray-sim --example bench [-- SECONDS]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flasharray_sim::{Sim, SimConfig};
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_rustls::{TlsAcceptor, TlsConnector};

const CLIENTS: usize = 4;

type Client = SendRequest<Full<Bytes>>;

async fn connect(tls: &TlsConnector, address: SocketAddr) -> Client {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = tls.connect(name, stream).await.unwrap();
    let (client, connection) = handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn ask(
    client: &mut Client,
    method: &str,
    path: &str,
    session: &str,
    body: &'static str,
) -> http::Response<Bytes> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost")
        .header("x-auth-token", session)
        .header("api-token", "token-a")
        .body(Full::new(Bytes::from_static(body.as_bytes())))
        .unwrap();
    client.ready().await.unwrap();
    let (parts, body) = client.send_request(request).await.unwrap().into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    http::Response::from_parts(parts, bytes)
}

/// Requests per second that several clients get answered. `path` makes the
/// path of the nth request of a client.
async fn rate(
    tls: &TlsConnector,
    address: SocketAddr,
    session: &str,
    time: Duration,
    method: &'static str,
    body: &'static str,
    path: impl Fn(usize, usize) -> String + Clone + Send + 'static,
) -> f64 {
    let mut tasks = Vec::new();
    for n in 0..CLIENTS {
        let mut client = connect(tls, address).await;
        let (session, path) = (session.to_owned(), path.clone());
        tasks.push(tokio::spawn(async move {
            let start = Instant::now();
            let mut done = 0;
            while start.elapsed() < time {
                let answer = ask(&mut client, method, &path(n, done), &session, body).await;
                assert!(answer.status().is_success(), "{:?}", answer.body());
                done += 1;
            }
            done as f64 / start.elapsed().as_secs_f64()
        }));
    }
    let mut total = 0.0;
    for task in tasks {
        total += task.await.unwrap();
    }
    total
}

/// An axum handler that answers a fixed JSON, behind the simulator's certificate.
async fn baseline(dir: &std::path::Path) -> SocketAddr {
    let chain = CertificateDer::pem_file_iter(dir.join("server.pem"))
        .unwrap()
        .collect::<Result<Vec<_>, _>>()
        .unwrap();
    let key = PrivateKeyDer::from_pem_file(dir.join("server.key")).unwrap();
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app =
        axum::Router::new().fallback(|| async { axum::Json(serde_json::json!({"items": []})) });
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let (acceptor, app) = (acceptor.clone(), app.clone());
            tokio::spawn(async move {
                let stream = acceptor.accept(stream).await.unwrap();
                let service = hyper_util::service::TowerToHyperService::new(app);
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
    address
}

#[tokio::main]
async fn main() {
    let seconds: f64 = std::env::args()
        .nth(1)
        .map_or(2.0, |text| text.parse().unwrap());
    let time = Duration::from_secs_f64(seconds);
    rustls::crypto::ring::default_provider()
        .install_default()
        .unwrap();
    let dir = std::env::temp_dir().join(format!("flasharray-sim-bench-{}", std::process::id()));
    let config = SimConfig {
        cert_dir: Some(dir.clone()),
        ..SimConfig::single("a")
    };
    let sim = Sim::start(config).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(sim.ca_file()).unwrap())
        .unwrap();
    let tls = TlsConnector::from(Arc::new(
        rustls::ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth(),
    ));
    let array = sim.address("a");
    let empty = baseline(&dir).await;

    let mut client = connect(&tls, array).await;
    let login = ask(&mut client, "POST", "/api/2.26/login", "", "").await;
    let session = login.headers()["x-auth-token"].to_str().unwrap().to_owned();
    let fill = async |client: &mut Client, range: std::ops::Range<usize>| {
        for start in range.clone().step_by(100) {
            let names: Vec<String> = (start..(start + 100).min(range.end))
                .map(|n| format!("v{n}"))
                .collect();
            let path = format!("/api/2.26/volumes?names={}", names.join(","));
            let answer = ask(
                client,
                "POST",
                &path,
                &session,
                r#"{"provisioned":1073741824}"#,
            )
            .await;
            assert!(answer.status().is_success());
        }
    };
    let by_name = |count: usize| {
        move |n: usize, k: usize| {
            format!(
                "/api/2.26/volumes?names=v{}",
                (n * 7919 + k * 104_729) % count
            )
        }
    };

    let base = rate(&tls, empty, "", time, "GET", "", |_, _| "/".to_owned()).await;
    println!("{:<52} {base:>9.0} /s", "empty axum handler");
    let report = |what: &str, got: f64| {
        println!(
            "{what:<52} {got:>9.0} /s   {:.2} of the empty handler",
            got / base
        )
    };

    fill(&mut client, 0..100).await;
    let few = rate(&tls, array, &session, time, "GET", "", by_name(100)).await;
    report("GET one volume by name, of 100", few);
    fill(&mut client, 100..20_000).await;
    let many = rate(&tls, array, &session, time, "GET", "", by_name(20_000)).await;
    report("GET one volume by name, of 20,000", many);
    println!(
        "{:<52} {:>9.2} times",
        "slowdown from 100 to 20,000 volumes",
        few / many
    );
    let got = rate(&tls, array, &session, time, "GET", "", |_, _| {
        "/api/2.26/array-connections".to_owned()
    })
    .await;
    report("GET the array connections", got);
    let got = rate(
        &tls,
        array,
        &session,
        time,
        "POST",
        r#"{"provisioned":1073741824}"#,
        |n, k| format!("/api/2.26/volumes?names=new-{n}-{k}"),
    )
    .await;
    report("POST one volume, beyond 20,000", got);
    let got = rate(
        &tls,
        array,
        &session,
        time,
        "PATCH",
        r#"{"qos":{"iops_limit":1000}}"#,
        |n, k| format!("/api/2.26/volumes?names=v{}", (n * 7919 + k) % 20_000),
    )
    .await;
    report("PATCH one volume, of 20,000 and more", got);
    let got = rate(&tls, array, &session, time, "GET", "", |_, _| {
        "/api/2.26/volumes?filter=name%3D%27v1234*%27".to_owned()
    })
    .await;
    report("GET volumes by a prefix of the name", got);
    let got = rate(&tls, array, &session, time, "GET", "", |_, _| {
        "/api/2.26/arrays".to_owned()
    })
    .await;
    report("GET the array with its space", got);
    drop(sim);
    let _ = std::fs::remove_dir_all(dir);
}
