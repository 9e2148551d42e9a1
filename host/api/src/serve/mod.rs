//! The server: takes connections in, ends those whose clients are waited for too long, stops gracefully.
//!
//! `axum::serve` has no deadline for the head of a request, for the handshake or for the reading of the answer, and no bound.

mod body;
mod stream;
mod table;
mod tls;

use std::convert::Infallible;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use hyper::body::{Body as _, Incoming};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tower::Service;

use crate::health;
use crate::http::ApiError;
use crate::state::Limits;
use body::{Watched, Way};
use stream::Paced;
use table::{Admission, Connection, Phase, Seat, Table};

pub use tls::{Certificate, Tls, TlsError};

/// Where a request comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    /// Address of the client; of an IPv6 client its network, which is what one client has.
    pub address: IpAddr,
    /// Whether it came through our own TLS.
    pub secure: bool,
}

/// What answers requests.
pub trait Answers:
    Service<Request, Response = Response, Error = Infallible, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<T> Answers for T where
    T: Service<Request, Response = Response, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// Serves until `shutdown`, then lets requests under way end for at most `grace`.
///
/// # Errors
/// None at present; an accept that fails is logged and tried again.
pub async fn serve(
    listener: TcpListener,
    service: impl Answers,
    limits: &Limits,
    shutdown: CancellationToken,
    grace: Duration,
) -> std::io::Result<()> {
    serve_tls(listener, service, limits, None, shutdown, grace).await
}

/// As [`serve`]; with `tls` nothing is served in clear.
///
/// # Errors
/// As [`serve`].
pub async fn serve_tls(
    listener: TcpListener,
    service: impl Answers,
    limits: &Limits,
    tls: Option<Tls>,
    shutdown: CancellationToken,
    grace: Duration,
) -> std::io::Result<()> {
    let table = Table::new(limits.connections, limits.connections_per_address);
    let graceful = GracefulShutdown::new();
    let front = Arc::new(Front {
        service,
        tls,
        header_timeout: limits.header_timeout,
        write_timeout: limits.write_timeout,
    });
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, from)) => {
                let (seat, health_only) = match table.admit(network(from.ip())) {
                    Admission::Welcome(seat) => (seat, false),
                    Admission::HealthOnly(seat) => (seat, true),
                    Admission::Full => continue,
                };
                let (front, watcher) = (Arc::clone(&front), graceful.watcher());
                tokio::spawn(async move { front.serve(stream, seat, health_only, watcher).await });
            }
            Err(error) => {
                // Out of file descriptors, most often.
                tracing::warn!(%error, "a connection could not be accepted");
                table.make_room();
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(grace, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("connections were still open when the time to stop had passed");
    }
    Ok(())
}

/// What counts as one client.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(
            address.to_bits() & !u128::from(u64::MAX),
        )),
        address => address,
    }
}

/// What every connection is served with.
struct Front<S> {
    service: S,
    tls: Option<Tls>,
    header_timeout: Duration,
    write_timeout: Duration,
}

impl<S: Answers> Front<S> {
    async fn serve(&self, stream: TcpStream, seat: Seat, health_only: bool, watcher: Watcher) {
        // Answers are small and written at once; waiting for more to send only delays them.
        let _ = stream.set_nodelay(true);
        let Ok(from) = stream.peer_addr() else { return };
        let peer = Peer {
            address: network(from.ip()),
            secure: self.tls.is_some(),
        };
        let connection = &seat.connection;
        let stream = Paced::new(stream, Arc::clone(connection), self.write_timeout);
        let served = async {
            match &self.tls {
                None => {
                    self.speak(stream, peer, connection, health_only, watcher)
                        .await
                }
                Some(tls) => {
                    let shaken = tokio::time::timeout(self.header_timeout, tls.accept(stream));
                    match shaken.await {
                        Ok(Ok(stream)) => {
                            self.speak(stream, peer, connection, health_only, watcher)
                                .await;
                        }
                        Ok(Err(error)) => {
                            tracing::debug!(%error, address = %peer.address, "a TLS handshake failed");
                        }
                        Err(_) => {
                            tracing::debug!(address = %peer.address, "a TLS handshake took too long");
                        }
                    }
                }
            }
        };
        tokio::select! {
            () = served => {}
            () = connection.evicted() => {
                tracing::debug!(address = %peer.address, "a slow connection made room for another");
            }
        }
    }

    async fn speak<T: AsyncRead + AsyncWrite + Unpin + 'static>(
        &self,
        stream: T,
        peer: Peer,
        connection: &Arc<Connection>,
        health_only: bool,
        watcher: Watcher,
    ) {
        let service = hyper::service::service_fn(move |request| {
            let (service, connection) = (self.service.clone(), Arc::clone(connection));
            async move {
                let response = answer(service, request, peer, connection, health_only).await;
                Ok::<_, Infallible>(response)
            }
        });
        let spoken = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.header_timeout)
            .max_buf_size(64 * 1024)
            .serve_connection(TokioIo::new(stream), service);
        if let Err(error) = watcher.watch(spoken).await {
            tracing::debug!(%error, "a connection ended early");
        }
    }
}

async fn answer(
    mut service: impl Answers,
    mut request: hyper::Request<Incoming>,
    peer: Peer,
    connection: Arc<Connection>,
    health_only: bool,
) -> Response {
    let no_body = request.body().is_end_stream();
    connection.enter(match no_body {
        true => Phase::Work,
        false => Phase::Body,
    });
    request.extensions_mut().insert(peer);
    let response = match health_only && !health::is_about_health(request.uri().path()) {
        true => {
            let mut refused = ApiError::busy(
                "The server works on as many requests as it may. Try again.",
                1,
            )
            .into_response();
            let close = HeaderValue::from_static("close");
            refused.headers_mut().insert(header::CONNECTION, close);
            refused
        }
        false => {
            let request = request.map(|body| match no_body {
                true => Body::empty(),
                false => Body::new(Watched::new(body, Way::In, Arc::clone(&connection))),
            });
            let answered = service.call(request).await;
            answered.unwrap_or_else(|never| match never {})
        }
    };
    connection.enter(Phase::Answer);
    response.map(|body| Body::new(Watched::new(body, Way::Out, connection)))
}
