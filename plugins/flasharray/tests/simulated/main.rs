//! The library against simulated arrays, over HTTPS: what an operator relies on, with the bytes compared.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod bytes;
mod evidence;
mod fabrics;
mod faults;
mod groups;
mod groups_away;
mod life;
mod machines;
mod memory;
mod migrating;
mod moved;
mod reconcile;
mod replication;
mod requests;
mod restore;
mod rig;
mod sweep;
mod sync_failover;
mod sync_faults;
mod sync_half_way;
mod sync_life;
mod sync_travel;
mod third;
mod third_bytes;
mod third_leftovers;
mod third_life;
mod third_sweep;
mod vgroups;
