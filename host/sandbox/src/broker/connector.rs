//! Dials the configured address, whatever the URL says.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Makes connections to one target.
#[derive(Clone)]
pub struct Connector {
    /// `host:port`.
    pub address: Arc<str>,
    /// TLS, and the name the certificate must have.
    pub tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    /// Time to connect, TLS included.
    pub timeout: Duration,
}

/// Why no connection was made, for the broker's own judgement.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// In time, but without success.
    #[error("{0}")]
    Refused(io::Error),
    /// Connected, and then TLS failed.
    #[error("{0}")]
    Tls(io::Error),
    /// Nothing within the time allowed.
    #[error("no connection within the time allowed")]
    Timeout,
}

impl Connector {
    async fn dial(self) -> Result<TokioIo<Link>, DialError> {
        let connect = async {
            let tcp = TcpStream::connect(&*self.address)
                .await
                .map_err(DialError::Refused)?;
            tcp.set_nodelay(true).map_err(DialError::Refused)?;
            match self.tls {
                None => Ok(Link::Plain(tcp)),
                Some((config, name)) => TlsConnector::from(config)
                    .connect(name, tcp)
                    .await
                    .map(|stream| Link::Tls(Box::new(stream)))
                    .map_err(DialError::Tls),
            }
        };
        tokio::time::timeout(self.timeout, connect)
            .await
            .map_err(|_| DialError::Timeout)?
            .map(TokioIo::new)
    }
}

impl tower::Service<Uri> for Connector {
    type Response = TokioIo<Link>;
    type Error = DialError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, DialError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), DialError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        Box::pin(self.clone().dial())
    }
}

/// A connection with or without TLS.
pub enum Link {
    /// Loopback.
    Plain(TcpStream),
    /// Everything else.
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

impl Connection for Link {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

macro_rules! either {
    ($self:ident, $io:ident => $call:expr) => {
        match $self.get_mut() {
            Link::Plain(stream) => {
                let $io = Pin::new(stream);
                $call
            }
            Link::Tls(stream) => {
                let $io = Pin::new(&mut **stream);
                $call
            }
        }
    };
}

impl AsyncRead for Link {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        either!(self, io => io.poll_read(cx, buf))
    }
}

impl AsyncWrite for Link {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        either!(self, io => io.poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, io => io.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, io => io.poll_shutdown(cx))
    }
}
