//! The I/O port: what a connected host does with a volume.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde::Deserialize;

use super::control::refused;
use crate::core::error::{ApiError, Res};
use crate::shared::Shared;

const READ_LIMIT: usize = 64 << 20;

/// The routes below `/io`.
pub fn routes() -> Router<Arc<Shared>> {
    Router::new().route("/io/{array}/{host}/{*volume}", get(read).put(write))
}

#[derive(Debug, Deserialize)]
struct Range {
    #[serde(default)]
    offset: u64,
    length: Option<usize>,
}

async fn write(
    State(shared): State<Arc<Shared>>,
    Path((array, host, volume)): Path<(String, String, String)>,
    Query(range): Query<Range>,
    body: Bytes,
) -> Response {
    let done = (|| -> Res<()> {
        let mut world = shared.world();
        let ix = world
            .find_array(&array)
            .ok_or_else(|| ApiError::status(404, format!("There is no array {array}.")))?;
        world.io_write(ix, &host, &volume, range.offset, &body)
    })();
    match done {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => refused(&error),
    }
}

async fn read(
    State(shared): State<Arc<Shared>>,
    Path((array, host, volume)): Path<(String, String, String)>,
    Query(range): Query<Range>,
) -> Response {
    let done = (|| -> Res<Vec<u8>> {
        let length = range
            .length
            .filter(|length| *length <= READ_LIMIT)
            .ok_or_else(|| ApiError::bad(format!("length is needed, at most {READ_LIMIT}.")))?;
        let world = shared.world();
        let ix = world
            .find_array(&array)
            .ok_or_else(|| ApiError::status(404, format!("There is no array {array}.")))?;
        world.io_read(ix, &host, &volume, range.offset, length)
    })();
    match done {
        Ok(bytes) => bytes.into_response(),
        Err(error) => refused(&error),
    }
}
