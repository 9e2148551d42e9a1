//! Bodies that tell their connection when they have passed.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};

use super::table::{Connection, Phase};

/// Which way a body goes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Way {
    /// From the client.
    In,
    /// To the client.
    Out,
}

/// A body that tells when it has passed, or was given up.
pub(super) struct Watched<B> {
    body: B,
    way: Way,
    connection: Arc<Connection>,
}

impl<B> Watched<B> {
    pub(super) fn new(body: B, way: Way, connection: Arc<Connection>) -> Self {
        Self {
            body,
            way,
            connection,
        }
    }
}

impl<B> Drop for Watched<B> {
    fn drop(&mut self) {
        match self.way {
            Way::In => self.connection.body_is_in(),
            Way::Out => self.connection.enter(Phase::Head),
        }
    }
}

impl<B: Body + Unpin> Body for Watched<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
