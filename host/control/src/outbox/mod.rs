//! What the world is told: CloudEvents, signed, delivered at least once.

mod event;
mod send;
mod shelf;
mod sign;

pub(crate) use event::deliver;
pub use event::{CloudEvent, Delivery, DeliveryState, Rebuff, backoff};
pub(crate) use send::Bell;
pub use send::Courier;
pub use shelf::Outbox;
pub use sign::{sign, verify};
