//! The outbox over HTTP.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use serde_json::json;
use support::Api;

#[tokio::test]
async fn the_outbox_is_listed_and_what_is_asked_wrongly_is_refused() {
    let api = Api::new().await;
    let empty = api
        .get("/admin/v1/outbox?state=dead&receiver=ops&limit=5")
        .await;
    assert_eq!(empty.status, 200);
    assert_eq!(empty.body, json!({ "deliveries": [], "next": null }));
    let wrong = api.get("/admin/v1/outbox?state=lost").await;
    assert_eq!(wrong.status, 400);
    assert!(wrong.message().contains("pending, delivered or dead"));
    let unknown = api
        .send("POST", "/admin/v1/outbox/e1/ops/retry", &[], "")
        .await;
    assert_eq!(unknown.status, 404);
    assert!(unknown.message().contains("e1/ops"), "{}", unknown.text);
}
