//! What is done, by whom, in which order: the life of the cloud's nouns, operations and replication.
#![deny(missing_docs)]

pub mod attachments;
pub mod backend;
mod caller;
pub mod clock;
pub mod config;
mod control;
pub mod crash;
pub mod default_types;
mod edit;
pub mod engine;
mod entries;
mod error;
pub mod group_snapshots;
pub mod group_types;
pub mod groups;
mod holders;
pub mod limits;
mod machines;
pub mod manageable;
pub mod messages;
pub mod metrics;
pub mod observer;
pub mod outbox;
mod ownership;
pub mod qos;
pub mod query;
pub mod quotas;
pub mod registry;
pub mod reload;
pub mod replication;
pub mod scheduler;
pub mod services;
pub mod snapshots;
pub mod specs;
pub mod transfers;
pub mod types;
pub mod volumes;
mod watch;

pub use caller::Caller;
pub use clock::Clock;
pub use config::{BackendConfig, ControlConfig, DriverConfig};
pub use control::Control;
pub use entries::Entries;
pub use error::{ControlError, ErrorKind};
pub use registry::{DriverLoader, Inspected, LoadRefusal, Loaded};
