//! Volumes, snapshots, attachments and their actions over HTTP, a real database and a simulated driver.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "../support/mod.rs"]
mod support;

mod attachments;
mod defaults;
mod manage;
mod moves;
mod nova;
mod quotas;
mod snapshots;
mod transfers;
mod volumes;
