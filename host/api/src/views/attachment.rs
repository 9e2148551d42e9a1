//! An attachment as JSON.

use serde::Serialize;
use springform_model::cloud::Attachment;
use springform_model::time::Timestamp;
use utoipa::ToSchema;

use super::connection::ConnectionData;
use super::{Members, Plural, Single, Time};

/// An attachment with everything.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Attachment)]
pub struct AttachmentView<'a> {
    id: &'a str,
    status: &'static str,
    /// The server that has it.
    #[schema(required)]
    instance: Option<&'a str>,
    volume_id: &'a str,
    /// Empty while it is not.
    attached_at: String,
    /// Empty while it is not.
    detached_at: String,
    /// `rw`, `ro`, or `null` as text.
    attach_mode: &'a str,
    #[schema(value_type = ConnectionData<'a>)]
    connection_info: Members,
}

impl Single for AttachmentView<'_> {
    const KEY: &'static str = "attachment";
}

impl Plural for AttachmentView<'_> {
    const KEY: &'static str = "attachments";
    const LINKS: Option<&'static str> = Some("attachments_links");
}

impl<'a> AttachmentView<'a> {
    /// An attachment for a reader who `connects` hosts; others learn neither the way to the disk nor its secret.
    #[must_use]
    pub fn new(attachment: &'a Attachment, connects: bool) -> Self {
        let stamp =
            |point: Option<Timestamp>| point.map(|p| Time(p).to_string()).unwrap_or_default();
        Self {
            id: &attachment.id,
            status: attachment.status.as_str(),
            instance: attachment.instance_id.as_deref(),
            volume_id: &attachment.volume_id,
            attached_at: stamp(attachment.attached_at),
            detached_at: stamp(attachment.detached_at),
            attach_mode: attachment.mode.as_deref().unwrap_or("null"),
            connection_info: match connects {
                true => ConnectionData::of(attachment),
                false => Members::default(),
            },
        }
    }
}

/// An attachment in a list without detail.
#[derive(Debug, Serialize, ToSchema)]
pub struct AttachmentBrief<'a> {
    id: &'a str,
    status: &'static str,
    /// The server that has it.
    #[schema(required)]
    instance: Option<&'a str>,
    volume_id: &'a str,
}

impl Plural for AttachmentBrief<'_> {
    const KEY: &'static str = "attachments";
    const LINKS: Option<&'static str> = Some("attachments_links");
}

impl<'a> AttachmentBrief<'a> {
    /// The same for every reader.
    #[must_use]
    pub fn new(attachment: &'a Attachment) -> Self {
        Self {
            id: &attachment.id,
            status: attachment.status.as_str(),
            instance: attachment.instance_id.as_deref(),
            volume_id: &attachment.volume_id,
        }
    }
}

/// What is attached still.
#[derive(Debug, Serialize, ToSchema)]
pub struct RemainingAttachments<'a> {
    /// Of the volume.
    pub attachments: Vec<AttachmentBrief<'a>>,
}
