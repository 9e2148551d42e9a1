//! User messages as JSON.

use serde::Serialize;
use springform_model::cloud::UserMessage;
use utoipa::ToSchema;

use super::{Link, Plural, Reader, Single, Time};

/// What went wrong for a project.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Message)]
pub struct MessageView<'a> {
    created_at: Time,
    event_id: &'a str,
    /// When it is deleted at the earliest.
    guaranteed_until: Time,
    id: &'a str,
    links: [Link<'a>; 2],
    message_level: &'a str,
    #[schema(required)]
    request_id: Option<&'a str>,
    resource_type: &'a str,
    #[schema(required)]
    resource_uuid: Option<&'a str>,
    user_message: &'a str,
}

impl Single for MessageView<'_> {
    const KEY: &'static str = "message";
}

impl Plural for MessageView<'_> {
    const KEY: &'static str = "messages";
    const LINKS: Option<&'static str> = Some("messages_links");
}

impl<'a> MessageView<'a> {
    /// The same for every reader but for the links.
    #[must_use]
    pub fn new(message: &'a UserMessage, reader: &Reader<'a>) -> Self {
        Self {
            created_at: Time(message.created_at),
            event_id: &message.event_id,
            guaranteed_until: Time(message.expires_at),
            id: &message.id,
            links: reader.links("messages", &message.id),
            message_level: &message.level,
            request_id: message.request_id.as_deref(),
            resource_type: &message.resource_type,
            resource_uuid: message.resource_uuid.as_deref(),
            user_message: &message.user_message,
        }
    }
}
