//! The driver's logic as a plain Rust call: the floor that nothing can be cheaper than.

use std::net::SocketAddr;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;

/// A pooled client and the logic of `extend`.
#[derive(Clone)]
pub struct Native {
    client: Client<HttpConnector, Empty<Bytes>>,
    array: SocketAddr,
}

impl Native {
    /// Talks to the array at this address.
    #[must_use]
    pub fn new(array: SocketAddr) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            array,
        }
    }

    /// Validates the size and, if asked to, makes one request to the array.
    ///
    /// # Errors
    /// When the size is 0 or the array does not answer 200.
    pub async fn extend(&self, new_size: u64, request: bool) -> anyhow::Result<()> {
        ensure!(new_size > 0, "a volume has at least one byte");
        if request {
            let uri = format!("http://{}/api/2.52/arrays", self.array)
                .parse()
                .context("address of the array")?;
            let answer = self.client.get(uri).await.context("ask the array")?;
            ensure!(
                answer.status().is_success(),
                "the array answered {}",
                answer.status()
            );
            answer
                .into_body()
                .collect()
                .await
                .context("read the answer")?;
        }
        Ok(())
    }
}
