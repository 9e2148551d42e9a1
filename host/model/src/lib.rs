//! The nouns of Springform and their state machines. No I/O, no async runtime, no database, no HTTP.
//!
//! - [`audit`]: who did what, and the chain that holds it together.
//! - [`contract`]: what a driver is told and what it answers.
//! - [`cloud`]: what the operator's and the tenant's API speaks of: volumes, types, groups, services.
//! - [`operation`]: the journal's nouns.
//! - [`replication`]: who serves a volume, under which generation, and what may follow what.
//! - [`time`]: points in time.
#![deny(missing_docs)]

pub mod audit;
pub mod cloud;
pub mod contract;
pub mod operation;
pub mod replication;
pub mod time;
