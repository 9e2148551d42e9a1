//! Taking connections for one array, as long as it has power.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::array;
use crate::core::key::ArrayIx;
use crate::fault::FaultKind;
use crate::shared::{Power, Shared};

fn bound(address: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// A listening socket on 127.0.0.1; must be called inside the runtime.
pub fn open(port: u16) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = bound(SocketAddr::from(([127, 0, 0, 1], port)))
        .and_then(|socket| socket.listen(1024))
        .with_context(|| format!("cannot listen on 127.0.0.1:{port}"))?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Serves an array until `stop`. A dark array keeps its port but does not
/// listen on it, so that the system refuses connections on its behalf.
pub async fn serve(
    shared: Arc<Shared>,
    ix: ArrayIx,
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let address = listener.local_addr()?;
    let Some(front) = shared.fronts.get(ix.0) else {
        return Ok(());
    };
    let mut power = front.power.subscribe();
    let mut listener = Some(listener);
    loop {
        let state = *power.borrow_and_update();
        let alive = CancellationToken::new();
        let _dies_with_power = alive.clone().drop_guard();
        match state {
            Power::On => {
                let open = match listener.take() {
                    Some(open) => open,
                    None => bound(address)?.listen(1024)?,
                };
                front.applied.send_replace(state);
                let again = tokio::select! {
                    () = stop.cancelled() => return Ok(()),
                    changed = power.changed() => changed,
                    () = accept(&shared, ix, &open, tls.as_ref(), &alive) => Ok(()),
                };
                again?;
                if *power.borrow() == Power::Silent {
                    listener = Some(open);
                }
            }
            Power::Refuses => {
                drop(listener.take());
                let _reserved = bound(address)?;
                front.applied.send_replace(state);
                tokio::select! {
                    () = stop.cancelled() => return Ok(()),
                    changed = power.changed() => changed?,
                }
            }
            Power::Silent => {
                let silent = match listener.take() {
                    Some(open) => open,
                    None => bound(address)?.listen(1024)?,
                };
                front.applied.send_replace(state);
                tokio::select! {
                    () = stop.cancelled() => return Ok(()),
                    changed = power.changed() => changed?,
                }
                drop(silent);
            }
        }
    }
}

async fn accept(
    shared: &Arc<Shared>,
    ix: ArrayIx,
    listener: &TcpListener,
    tls: Option<&Arc<ServerConfig>>,
    alive: &CancellationToken,
) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors or a client that vanished: try again.
            tokio::task::yield_now().await;
            continue;
        };
        if refuses(shared, ix) {
            continue;
        }
        let shared = Arc::clone(shared);
        let tls = tls.cloned();
        let alive = alive.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = alive.cancelled() => {}
                () = connection(shared, ix, stream, tls) => {}
            }
        });
    }
}

/// Whether a fault concerns all connections. Such a fault is used up by
/// connections; those that name a method or path wait for requests.
fn refuses(shared: &Shared, ix: ArrayIx) -> bool {
    let Some(front) = shared.fronts.get(ix.0) else {
        return false;
    };
    let mut faults = front.faults();
    !faults.is_empty() && faults.strike_connection(FaultKind::Refuse)
}

async fn connection(
    shared: Arc<Shared>,
    ix: ArrayIx,
    stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
) {
    // Without this, delayed acknowledgements add 40 ms to each small answer.
    let _ = stream.set_nodelay(true);
    let service = hyper::service::service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { array::answer(shared, ix, request).await }
    });
    let http = hyper::server::conn::http1::Builder::new();
    // Clients that go away or speak something else are their own problem.
    match tls {
        Some(config) => {
            if let Ok(stream) = TlsAcceptor::from(config).accept(stream).await {
                let _ = http.serve_connection(TokioIo::new(stream), service).await;
            }
        }
        None => {
            let _ = http.serve_connection(TokioIo::new(stream), service).await;
        }
    }
}
