//! The outbox: events on their way to webhooks, and those that were given up.

use serde_json::json as value;
use springform_control::query::Query;

use crate::http::{Answer, Call, Refusal, Routes, json};

pub(super) fn routes(r: &mut Routes) {
    r.get("/outbox", "springform:outbox:list", list)
        .admin()
        .asks(&["state", "receiver", "subject", "limit", "marker"])
        .says("Lists events on their way to webhooks, newest first.")
        .gives(200, "{deliveries:[@delivery], next:text?}");
    r.post(
        "/outbox/{event_id}/{receiver}/retry",
        "springform:outbox:retry",
        retry,
    )
    .admin()
    .says("Sends an event again that was given up, or that waits for its next attempt.")
    .gives(202, "@delivery");
}

async fn list(call: Call) -> Answer {
    let page = call.query.page(&[])?;
    let rows = page.limit.unwrap_or(50).clamp(1, 1000);
    let mut query = Query::new().limit(u32::try_from(rows).unwrap_or(1000));
    if let Some(state) = call.query.get("state") {
        if !["pending", "delivered", "dead"].contains(&state) {
            return Err(Refusal::invalid(
                "state must be pending, delivered or dead.",
            ));
        }
        query = query.eq("state", state);
    }
    for column in ["receiver", "subject"] {
        if let Some(text) = call.query.get(column) {
            query = query.eq(column, text);
        }
    }
    if let Some(marker) = page.marker {
        query = query.marker(marker);
    }
    let found = call.control().outbox().list(&call.caller, query).await?;
    let next = found
        .last()
        .filter(|_| found.len() as u64 == rows)
        .map(|last| last.id.clone());
    json(200, &value!({"deliveries": found, "next": next}))
}

async fn retry(call: Call) -> Answer {
    let id = format!("{}/{}", call.part("event_id"), call.part("receiver"));
    let sent = call.control().outbox().retry(&call.caller, &id).await?;
    json(202, &sent)
}
