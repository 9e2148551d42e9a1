//! An attachment as JSON.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use springform_model::cloud::{AttachStatus, Attachment};

use super::{Time, connection};
use crate::http::Shape;

/// Form of an attachment.
pub const ATTACHMENT: Shape = "{id:text, status:text, instance:text?, volume_id:text, attached_at:text, detached_at:text, \
    attach_mode:text, connection_info:object}";

/// An attachment with everything.
#[derive(Debug)]
pub struct AttachmentView<'a>(pub &'a Attachment);

impl Serialize for AttachmentView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let attachment = self.0;
        let stamp = |point: Option<springform_model::time::Timestamp>| {
            point.map(|p| Time(p).to_string()).unwrap_or_default()
        };
        let mut map = serializer.serialize_map(None)?;
        entries(attachment, &mut map)?;
        map.serialize_entry("attached_at", &stamp(attachment.attached_at))?;
        map.serialize_entry("detached_at", &stamp(attachment.detached_at))?;
        map.serialize_entry("attach_mode", attachment.mode.as_deref().unwrap_or("null"))?;
        let info = attachment.connection.as_ref().map(|found| {
            let read_only = attachment.mode.as_deref() == Some("ro");
            connection::attachment_info(found, &attachment.volume_id, &attachment.id, read_only)
        });
        map.serialize_entry(
            "connection_info",
            &info.unwrap_or_else(|| serde_json::json!({})),
        )?;
        map.end()
    }
}

/// An attachment in a list without detail.
#[derive(Debug)]
pub struct BriefAttachment<'a>(pub &'a Attachment);

impl Serialize for BriefAttachment<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(4))?;
        entries(self.0, &mut map)?;
        map.end()
    }
}

fn entries<M: SerializeMap>(attachment: &Attachment, map: &mut M) -> Result<(), M::Error> {
    map.serialize_entry("id", &attachment.id)?;
    map.serialize_entry("status", word(attachment.status))?;
    map.serialize_entry("instance", &attachment.instance_id)?;
    map.serialize_entry("volume_id", &attachment.volume_id)
}

fn word(status: AttachStatus) -> &'static str {
    status.as_str()
}
