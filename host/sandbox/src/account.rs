//! What the host holds in memory for one call: request bodies on their way out, answers that the guest has not dropped yet.
//! Limits of single bodies do not bound their sum, so that 150 unread answers of 16 MiB once took gigabytes.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What a header costs beside its text.
const HEADER_BYTES: usize = 64;

/// The bytes that one call may make the host hold. Clones share them.
#[derive(Clone, Debug)]
pub struct Account(Arc<Semaphore>);

/// Bytes of an account that are in use until this is dropped.
#[derive(Debug)]
pub struct Held(Option<OwnedSemaphorePermit>);

/// Why a body was not taken.
#[derive(Debug)]
pub enum BodyError<E> {
    /// Over the limit of one body, or the call holds all that it may.
    TooLarge,
    /// It broke off.
    Broken(E),
}

impl Account {
    /// An account of so many bytes.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))))
    }

    /// Takes bytes, if there are so many left.
    #[must_use]
    pub fn hold(&self, bytes: usize) -> Option<Held> {
        let bytes = u32::try_from(bytes).ok()?;
        let permit = self.0.clone().try_acquire_many_owned(bytes).ok()?;
        Some(Held(Some(permit)))
    }

    /// Takes what a list of headers needs.
    #[must_use]
    pub fn hold_headers(&self, headers: &HeaderMap) -> Option<Held> {
        let each = headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len() + HEADER_BYTES);
        self.hold(each.sum())
    }

    /// Collects a body piece by piece, each piece paid for before the next is asked for.
    ///
    /// # Errors
    /// [`BodyError::TooLarge`] over `limit` bytes or over what the account has left.
    pub async fn collect<B>(
        &self,
        mut body: B,
        limit: usize,
    ) -> Result<(Bytes, Held), BodyError<B::Error>>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let mut held = Held(None);
        let mut collected = Vec::new();
        let mut whole = Bytes::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(BodyError::Broken)?.into_data() else {
                continue;
            };
            let length = whole.len().max(collected.len());
            if length.saturating_add(data.len()) > limit {
                return Err(BodyError::TooLarge);
            }
            held.and(self.hold(data.len()).ok_or(BodyError::TooLarge)?);
            // One piece is the usual case and needs no copy.
            if length == 0 {
                whole = data;
            } else {
                if collected.is_empty() {
                    collected.extend_from_slice(&std::mem::take(&mut whole));
                }
                collected.extend_from_slice(&data);
            }
        }
        if !collected.is_empty() {
            whole = collected.into();
        }
        Ok((whole, held))
    }
}

impl Held {
    /// Both together.
    pub fn and(&mut self, mut other: Self) {
        match (&mut self.0, other.0.take()) {
            (Some(own), Some(more)) => own.merge(more),
            (own @ None, more) => *own = more,
            (Some(_), None) => {}
        }
    }
}

/// The body of an answer. Its bytes stay paid for until it is dropped, read or not.
#[derive(Debug)]
pub struct PaidBody {
    bytes: Bytes,
    sent: bool,
    held: Held,
}

impl PaidBody {
    /// Bytes with what was paid for them.
    #[must_use]
    pub fn new(bytes: Bytes, held: Held) -> Self {
        Self {
            sent: bytes.is_empty(),
            bytes,
            held,
        }
    }

    /// All of it.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The same with other bytes, no longer than these.
    #[must_use]
    pub fn map(self, change: impl FnOnce(Bytes) -> Bytes) -> Self {
        Self::new(change(self.bytes), self.held)
    }

    /// The same, with more paid for.
    #[must_use]
    pub fn holding(mut self, more: Held) -> Self {
        self.held.and(more);
        self
    }
}

impl Body for PaidBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if std::mem::replace(&mut self.sent, true) {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.bytes)))))
    }

    fn is_end_stream(&self) -> bool {
        self.sent
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;

    use super::*;

    #[tokio::test]
    async fn bytes_come_back_when_the_last_that_needs_them_is_dropped() {
        let account = Account::new(10);
        let (body, held) = account
            .collect(Full::new(Bytes::from_static(b"12345678")), 100)
            .await
            .unwrap_or_else(|_| panic!("it fits"));
        let paid = PaidBody::new(body, held);
        assert!(account.hold(3).is_none(), "eight of ten are in use");
        drop(paid);
        assert!(account.hold(10).is_some());
    }

    #[tokio::test]
    async fn a_body_over_its_own_limit_or_over_the_account_is_not_taken() {
        let body = || Full::new(Bytes::from_static(b"12345678"));
        for (account, limit) in [(100, 7), (7, 100)] {
            let account = Account::new(account);
            let taken = account.collect(body(), limit).await;
            assert!(matches!(taken, Err(BodyError::TooLarge)));
        }
    }
}
