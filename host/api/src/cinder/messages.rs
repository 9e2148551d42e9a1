//! User messages (3.3).

use super::listing::{Kind, listed, query};
use crate::http::{Answer, Call, Routes, empty, json};
use crate::views::{Many, MessageView, One, Reader};

pub(super) fn routes(r: &mut Routes) {
    r.get("/messages", "message:get_all", list)
        .asks(&[
            "limit",
            "marker",
            "sort",
            "resource_type",
            "resource_uuid",
            "event_id",
            "request_id",
            "message_level",
        ])
        .says("Lists what went wrong for the project (from 3.3).")
        .returns::<Many<MessageView<'_>>>(200);
    r.get("/messages/{message_id}", "message:get", show)
        .says("Shows one message (from 3.3).")
        .returns::<One<MessageView<'_>>>(200);
    r.delete("/messages/{message_id}", "message:delete", delete)
        .says("Deletes a message (from 3.3).")
        .ends(204);
}

async fn list(call: Call) -> Answer {
    call.since(3)?;
    let known = [
        ("id", "id", Kind::Text),
        ("resource_type", "resource_type", Kind::Text),
        ("resource_uuid", "resource_uuid", Kind::Text),
        ("event_id", "event_id", Kind::Text),
        ("request_id", "request_id", Kind::Text),
        ("message_level", "level", Kind::Text),
    ];
    let keys = [
        "id",
        "event_id",
        "resource_type",
        "resource_uuid",
        "request_id",
        "created_at",
    ];
    let (query, page) = query(&call, &known, &keys)?;
    let found = call.control().messages().list(&call.caller, query).await?;
    let last = found.last().map(|found| found.id.clone());
    let reader = Reader::of(&call);
    let view = |message| MessageView::new(message, &reader);
    listed(&call, &page, &found, view, last.as_deref(), None)
}

async fn show(call: Call) -> Answer {
    call.since(3)?;
    let found = call
        .control()
        .messages()
        .get(&call.caller, call.part("message_id"))
        .await?;
    json(200, &One(MessageView::new(&found, &Reader::of(&call))))
}

async fn delete(call: Call) -> Answer {
    call.since(3)?;
    call.control()
        .messages()
        .delete(&call.caller, call.part("message_id"))
        .await?;
    empty(204)
}
