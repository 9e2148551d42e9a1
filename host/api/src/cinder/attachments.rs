//! Attachments (3.27): reserve, connect, complete, let go.

use serde_json::Value;
use springform_control::attachments::CreateAttachment;
use springform_model::cloud::Attachment;

use super::listing::{Kind, Known, listed, query};
use super::volume_actions::connector;
use crate::http::{Answer, ApiError, Call, Routes, empty, json};
use crate::views::{AttachmentBrief, AttachmentView, Many, One, RemainingAttachments};

const KNOWN: &[Known] = &[
    ("id", "id", Kind::Text),
    ("project_id", "project_id", Kind::Text),
    ("volume_id", "volume_id", Kind::Text),
    ("instance_uuid", "instance_id", Kind::Text),
    ("attached_host", "host_name", Kind::Text),
    ("attach_mode", "mode", Kind::Text),
    ("instance_id", "instance_id", Kind::Text),
    ("status", "status", Kind::Text),
    ("attach_status", "status", Kind::Text),
];
const ASKS: &[&str] = &[
    "limit",
    "marker",
    "sort",
    "all_tenants",
    "volume_id",
    "instance_id",
    "status",
];

/// The rule of who connects hosts, and so of who is told the way to a disk.
const CONNECT: &str = "volume:attachment_update";

pub(super) fn routes(r: &mut Routes) {
    r.get("/attachments", "volume:attachment_get_all", list)
        .asks(ASKS)
        .says("Lists attachments (from 3.27).")
        .returns::<Many<AttachmentBrief<'_>>>(200);
    r.get("/attachments/detail", "volume:attachment_get_all", detail)
        .asks(ASKS)
        .says("Lists attachments in detail (from 3.27).")
        .returns::<Many<AttachmentView<'_>>>(200);
    r.post("/attachments", "volume:attachment_create", create)
        .says("Reserves a volume, and connects it where a connector is given (from 3.27).")
        .takes("{attachment:{volume_uuid:id, instance_uuid?:id?, connector?:@Connector?, mode?:'rw'|'ro'}}")
        .returns::<One<AttachmentView<'_>>>(200);
    r.get(
        "/attachments/{attachment_id}",
        "volume:attachment_get",
        show,
    )
    .says("Shows an attachment (from 3.27).")
    .returns::<One<AttachmentView<'_>>>(200);
    r.put("/attachments/{attachment_id}", CONNECT, update)
        .says("Connects a reserved volume (from 3.27).")
        .takes("{attachment:{connector:@Connector}}")
        .returns::<One<AttachmentView<'_>>>(200);
    r.delete(
        "/attachments/{attachment_id}",
        "volume:attachment_delete",
        delete,
    )
    .says("Disconnects and lets go (from 3.27).")
    .returns::<RemainingAttachments<'_>>(200);
    r.post(
        "/attachments/{attachment_id}/action",
        "volume:attachment_complete",
        action,
    )
    .says("Marks an attachment as done: `os-complete` (from 3.44).")
    .takes("{os-complete:any}")
    .ends(204);
}

fn one(call: &Call, attachment: &Attachment) -> Answer {
    let view = AttachmentView::new(attachment, call.permits(CONNECT));
    json(200, &One(view))
}

async fn page(call: Call, full: bool) -> Answer {
    call.since(27)?;
    let all = call.all_tenants()?;
    let (query, page) = query(&call, KNOWN, &["id", "status", "created_at", "updated_at"])?;
    let found = call
        .control()
        .attachments()
        .list(&call.caller, query, all)
        .await?;
    let last = found.last().map(|last| last.id.as_str());
    if full {
        let connects = call.permits(CONNECT);
        let view = |found| AttachmentView::new(found, connects);
        return listed(&call, &page, &found, view, last, None);
    }
    listed(&call, &page, &found, AttachmentBrief::new, last, None)
}

async fn list(call: Call) -> Answer {
    page(call, false).await
}

async fn detail(call: Call) -> Answer {
    page(call, true).await
}

async fn create(call: Call) -> Answer {
    call.since(27)?;
    let mut fields = call.object("attachment")?;
    let volume_id = fields.required_uuid("volume_uuid")?;
    let instance_id = fields.id("instance_uuid")?;
    // None, and one that says nothing, reserve the volume.
    let from = fields.object_or_empty("connector")?;
    let from = Some(from.into_members()).filter(|from| !from.is_empty());
    let from = from
        .map(|from| connector(Value::Object(from)))
        .transpose()?;
    let mode = match call.version.has(54) {
        true => fields.word("mode", &["rw", "ro"])?,
        false => None,
    };
    fields.finish()?;
    let wanted = CreateAttachment {
        volume_id,
        instance_id,
        connector: from,
        mode,
        device: None,
    };
    let made = call
        .control()
        .attachments()
        .create(&call.caller, wanted)
        .await?;
    one(&call, &made)
}

async fn show(call: Call) -> Answer {
    call.since(27)?;
    let found = call
        .control()
        .attachments()
        .get(&call.caller, call.part("attachment_id"))
        .await?;
    one(&call, &found)
}

async fn update(call: Call) -> Answer {
    call.since(27)?;
    let mut fields = call.object("attachment")?;
    let from = fields.object("connector")?;
    fields.finish()?;
    if from.is_empty() {
        return Err(ApiError::invalid(
            "Invalid input for field/attribute connector. Value: {}. {} does not have enough properties",
        ));
    }
    let from = connector(Value::Object(from.into_members()))?;
    let attachments = call.control().attachments();
    let connected = attachments
        .update(&call.caller, call.part("attachment_id"), from)
        .await?;
    one(&call, &connected)
}

async fn delete(call: Call) -> Answer {
    call.since(27)?;
    let left = call
        .control()
        .attachments()
        .delete(&call.caller, call.part("attachment_id"))
        .await?;
    let attachments = left.iter().map(AttachmentBrief::new).collect();
    json(200, &RemainingAttachments { attachments })
}

async fn action(call: Call) -> Answer {
    call.since(44)?;
    let (name, _) = call.action()?;
    if name != "os-complete" {
        return Err(Call::no_such_action(&name));
    }
    call.control()
        .attachments()
        .complete(&call.caller, call.part("attachment_id"))
        .await?;
    empty(204)
}
