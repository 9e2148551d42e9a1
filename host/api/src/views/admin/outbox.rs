//! Events on their way to webhooks, as JSON.

use serde::Serialize;
use serde_json::Value;
use springform_control::outbox::{CloudEvent, Delivery};
use utoipa::ToSchema;

use super::words::word;
use crate::views::Micros;

/// An event on its way to a receiver.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Delivery)]
pub struct DeliveryView<'a> {
    /// `<event>/<receiver>`.
    id: &'a str,
    event: EventView<'a>,
    receiver: &'a str,
    /// `pending`, `delivered` or `dead`.
    state: String,
    attempts: u32,
    /// Why the last attempt failed.
    #[schema(required)]
    last_error: Option<&'a str>,
    /// When it is tried next.
    due_at: Micros,
    created_at: Micros,
}

/// An event in the form of CloudEvents 1.0.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CloudEvent)]
pub struct EventView<'a> {
    specversion: &'a str,
    id: &'a str,
    source: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    subject: &'a str,
    /// RFC 3339.
    time: &'a str,
    datacontenttype: &'a str,
    /// Each type has its own form.
    data: &'a Value,
}

impl<'a> DeliveryView<'a> {
    /// The whole record.
    #[must_use]
    pub fn new(delivery: &'a Delivery) -> Self {
        let Delivery {
            id,
            event,
            receiver,
            state,
            attempts,
            last_error,
            due_at,
            created_at,
        } = delivery;
        Self {
            id,
            event: EventView::new(event),
            receiver,
            state: word(state),
            attempts: *attempts,
            last_error: last_error.as_deref(),
            due_at: Micros(*due_at),
            created_at: Micros(*created_at),
        }
    }
}

impl<'a> EventView<'a> {
    fn new(event: &'a CloudEvent) -> Self {
        let CloudEvent {
            specversion,
            id,
            source,
            kind,
            subject,
            time,
            datacontenttype,
            data,
        } = event;
        Self {
            specversion,
            id,
            source,
            kind,
            subject,
            time,
            datacontenttype,
            data,
        }
    }
}

/// A page of events.
#[derive(Debug, Serialize, ToSchema)]
pub struct Deliveries<'a> {
    /// The events.
    pub deliveries: Vec<DeliveryView<'a>>,
    /// Marker of the next page; null after the last.
    #[schema(required)]
    pub next: Option<String>,
}
