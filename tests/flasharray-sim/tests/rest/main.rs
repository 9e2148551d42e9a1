//! The arrays as their clients see them: over HTTPS, one module for each noun.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod bytes;
mod connections;
mod control;
mod faults;
mod hosts;
mod inventory;
mod pgroups;
mod pods;
mod replication;
mod rig;
mod sessions;
mod snapshots;
mod volumes;
