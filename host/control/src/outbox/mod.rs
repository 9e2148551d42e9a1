//! What the world is told: CloudEvents, signed, delivered at least once.

mod delivery;
mod event;
mod send;
mod service;
mod sign;

pub(crate) use delivery::deliver;
pub use delivery::{Delivery, DeliveryError, DeliveryState, backoff};
pub use event::CloudEvent;
pub use send::EventSender;
pub(crate) use send::{send_to, sweep};
pub use service::Outbox;
pub use sign::{sign, verify};
