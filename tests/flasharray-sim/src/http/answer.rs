//! Bodies of answers, well-behaved and otherwise.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;

/// The body of any answer.
pub type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// A body that is sent at once.
pub fn whole(bytes: Bytes) -> Body {
    Full::new(bytes)
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// A body that is sent byte by byte, each after a pause.
pub fn dripping(bytes: Bytes, pause: Duration) -> Body {
    let drops = stream::unfold(bytes, move |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        tokio::time::sleep(pause).await;
        let drop = rest.split_to(1);
        Some((Ok(Frame::data(drop)), rest))
    });
    StreamBody::new(drops).boxed_unsync()
}
