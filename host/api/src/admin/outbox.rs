//! The outbox: events on their way to webhooks, and those that were given up.

use springform_control::query::Query;

use super::pages::{Page, after};
use crate::http::{Answer, ApiError, Call, Routes, json};
use crate::views::admin::{Deliveries, DeliveryView};

pub(super) fn routes(r: &mut Routes) {
    r.get("/outbox", "springform:outbox:list", list)
        .admin()
        .asks(&["state", "receiver", "subject", "limit", "marker"])
        .says("Lists events on their way to webhooks, newest first.")
        .returns::<Deliveries<'_>>(200);
    r.post(
        "/outbox/{event_id}/{receiver}/retry",
        "springform:outbox:retry",
        retry,
    )
    .admin()
    .says("Sends an event again that was given up, or that waits for its next attempt.")
    .returns::<DeliveryView<'_>>(202);
}

async fn list(call: Call) -> Answer {
    if let Some(state) = call.query.get("state")
        && !["pending", "delivered", "dead"].contains(&state)
    {
        return Err(ApiError::invalid(
            "state must be pending, delivered or dead.",
        ));
    }
    let page = Page::read(&call, Query::new(), &["state", "receiver", "subject"])?;
    let found = call
        .control()
        .outbox()
        .list(&call.caller, page.query)
        .await?;
    let next = after(page.rows, &found, |last| &last.id);
    let deliveries = found.iter().map(DeliveryView::new).collect();
    json(200, &Deliveries { deliveries, next })
}

async fn retry(call: Call) -> Answer {
    let id = format!("{}/{}", call.part("event_id"), call.part("receiver"));
    let sent = call.control().outbox().retry(&call.caller, &id).await?;
    json(202, &DeliveryView::new(&sent))
}
