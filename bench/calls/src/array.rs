//! A loopback "array" in a process of its own: it answers every request at once, or after a delay, with one small body.
//!
//! It is a process of its own so that its CPU is counted for nobody.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

const BODY: &[u8] = br#"{"items":[{"name":"array-a","id":"1","version":"6.6.10"}]}"#;

/// Serves until the process is killed; prints its address first.
///
/// # Errors
/// When it cannot listen.
pub async fn serve(delay: Duration) -> anyhow::Result<()> {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
        .await
        .context("listen on loopback")?;
    println!("{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await.context("accept a connection")?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            let service = service_fn(move |_request| async move {
                if !delay.is_zero() {
                    tokio::time::sleep(delay).await;
                }
                Ok::<_, Infallible>(hyper::Response::new(Full::new(Bytes::from_static(BODY))))
            });
            // A client that goes away is no news.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}
