//! User messages (3.3).

use serde_json::{Value, json as value};
use springform_model::cloud::UserMessage;

use super::listing::{Kind, listed, query};
use crate::http::{Answer, Call, Routes, empty, json};
use crate::views::{Links, Time};

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
        .gives(200, "{messages:[@message], messages_links?:[@link]}");
    r.get("/messages/{message_id}", "message:get", show)
        .says("Shows one message (from 3.3).")
        .gives(200, "{message:@message}");
    r.delete("/messages/{message_id}", "message:delete", delete)
        .says("Deletes a message (from 3.3).")
        .ends(204);
}

fn view(call: &Call, message: &UserMessage) -> Value {
    value!({
        "id": message.id,
        "event_id": message.event_id,
        "user_message": message.user_message,
        "message_level": message.level,
        "created_at": Time(message.created_at),
        "guaranteed_until": Time(message.expires_at),
        "request_id": message.request_id,
        "resource_type": message.resource_type,
        "resource_uuid": message.resource_uuid,
        "links": Links { base: &call.base, project: call.project.as_deref(), collection: "messages", id: &message.id },
    })
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
    let views = found.iter().map(|message| view(&call, message)).collect();
    listed(&call, "messages", &page, views, last.as_deref(), None)
}

async fn show(call: Call) -> Answer {
    call.since(3)?;
    let found = call
        .control()
        .messages()
        .get(&call.caller, call.part("message_id"))
        .await?;
    json(200, &value!({"message": view(&call, &found)}))
}

async fn delete(call: Call) -> Answer {
    call.since(3)?;
    call.control()
        .messages()
        .delete(&call.caller, call.part("message_id"))
        .await?;
    empty(204)
}
