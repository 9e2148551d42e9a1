//! The arrays themselves: a deterministic state machine, one noun per module.

pub mod array;
pub mod clock;
pub mod connection;
mod election;
pub mod error;
pub mod host;
pub mod image;
mod io;
pub mod key;
pub mod link;
pub mod name;
pub mod offload;
pub mod pgroup;
pub mod pgsnap;
pub mod pod;
pub mod retention;
pub mod schedule;
pub mod session;
pub mod snapshot;
mod split;
pub mod tag;
pub mod totals;
pub mod transfer;
pub mod vgroup;
pub mod volume;
pub mod world;
