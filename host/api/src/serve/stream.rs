//! A connection's bytes: what its client does not read in time ends it.
//!
//! A client has a budget of waiting, which reading fills up again: one that reads a byte now and then ends as the one that never
//! reads does, and an event stream that is read may stay open for days.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Duration, Instant, Sleep};

use super::table::Connection;

/// Bytes a second that a client has to read so that its budget does not shrink.
const BYTES_PER_SECOND: u32 = 4096;

/// A stream that ends when its client does not read.
pub(super) struct Paced<S> {
    stream: S,
    connection: Arc<Connection>,
    most: Duration,
    budget: Duration,
    blocked: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl<S> Paced<S> {
    /// `most`: how long a client may leave an answer unread.
    pub(super) fn new(stream: S, connection: Arc<Connection>, most: Duration) -> Self {
        Self {
            stream,
            connection,
            most,
            budget: most,
            blocked: None,
        }
    }

    fn settle(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(result) => {
                if let Some((since, _)) = self.blocked.take() {
                    self.connection.reads(true);
                    self.budget = self.budget.saturating_sub(since.elapsed());
                }
                let bytes = u32::try_from(*result.as_ref().unwrap_or(&0)).unwrap_or(u32::MAX);
                let earned = Duration::from_secs(1) * bytes / BYTES_PER_SECOND;
                self.budget = self.budget.saturating_add(earned).min(self.most);
                Poll::Ready(result)
            }
            Poll::Pending => {
                let (connection, budget) = (&self.connection, self.budget);
                let (_, end) = self.blocked.get_or_insert_with(|| {
                    connection.reads(false);
                    (Instant::now(), Box::pin(tokio::time::sleep(budget)))
                });
                end.as_mut().poll(cx).map(|()| {
                    Err(io::Error::new(
                        io::ErrorKind::TimedOut,
                        "the client does not read its answer",
                    ))
                })
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.settle(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, pieces);
        self.settle(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
