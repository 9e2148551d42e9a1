//! The driver contract in plain Rust: the records of `wit/driver/v0.1`, field by field.
//!
//! The host speaks these types everywhere; only the sandbox translates them to and from the component model. They
//! serialise, because a journalled operation, a recorded call and a simulated driver are all made of them.

mod backend;
mod call;
mod connections;
mod connector;
mod facts;
mod groups;
mod identity;
mod migrating;
mod replication;
mod types;
mod volumes;

pub use backend::*;
pub use call::*;
pub use connections::*;
pub use facts::*;
pub use groups::*;
pub use identity::*;
pub use migrating::*;
pub use replication::*;
pub use types::*;
pub use volumes::*;

/// Key and value pairs that a later version of the contract or a vendor may add.
pub type Extensions = Vec<(String, String)>;

/// Milliseconds since the Unix epoch, UTC.
pub type TimestampMs = u64;
