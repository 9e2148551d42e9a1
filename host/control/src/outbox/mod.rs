//! What the world is told: CloudEvents, signed, delivered at least once.

mod event;
mod send;
mod service;
mod sign;

pub(crate) use event::deliver;
pub use event::{CloudEvent, Delivery, DeliveryError, DeliveryState, backoff};
pub use send::EventSender;
pub(crate) use send::OutboxNotify;
pub use service::Outbox;
pub use sign::{sign, verify};
