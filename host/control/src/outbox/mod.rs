//! What the world is told: CloudEvents, signed, delivered at least once.

mod event;
mod sign;

pub use event::{CloudEvent, Delivery, DeliveryState, backoff};
pub use sign::{sign, verify};
