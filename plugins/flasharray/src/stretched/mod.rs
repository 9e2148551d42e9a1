//! Stretched volumes: in a pod that two arrays hold, every write on both before it is acknowledged.
//!
//! The arrays themselves decide who goes on when they lose each other, and bring the other one up to date when it returns.
//! What is left to the driver is to ask the right array: the one that would serve, never the one that is gone.

pub mod demote;
pub mod drill;
pub mod failover;
pub mod observe;
pub mod pod_migration;
pub mod reprotect;
pub mod setup;
pub mod switch;
