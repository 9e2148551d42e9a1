//! Pure Storage FlashArray REST 2.x, as replication drivers need it. Plain Rust, tested natively; the components
//! `pure-async`, `pure-activecluster` and `pure-trisync` are thin shells around [`driver::Driver`];
//! they differ in their [`layout::Kind`].
//!
//! Two rules run through every module. An array's refusal is never understood by its English text: the object is read
//! back, and what is there decides. And nothing waits: what takes time is answered as `pending`.

pub mod array;
pub mod arrays;
pub mod async_leg;
pub mod collections;
#[cfg(target_arch = "wasm32")]
pub mod component;
pub mod connection;
pub mod copies;
pub mod demote;
pub mod describe;
pub mod drill;
pub mod driver;
pub mod evidence;
pub mod failover;
pub mod group;
pub mod health;
pub mod host;
pub mod json;
pub mod last_transfer;
pub mod layout;
pub mod limits;
pub(crate) mod machine;
pub mod manage;
pub mod migrating;
pub mod mixed_failover;
pub mod names;
pub mod observe;
pub mod options;
pub mod paths;
pub mod pgroup;
pub mod plan;
pub mod pod;
pub mod promoted;
pub mod protocol;
pub mod query;
pub mod reconcile;
pub mod reprotect;
pub mod restore;
pub mod retype;
pub mod setup;
pub mod snapshot;
pub mod state;
pub mod stats;
pub mod stretched;
pub mod tags;
pub mod uses;
pub mod vgroup;
pub mod volume;
pub mod whereabouts;
