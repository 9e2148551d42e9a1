//! Replication as pure state machines: no I/O, no clock of their own.
//!
//! Each machine is one function, `step(state, event) -> (state, effects)` or a [`Refusal`]. Whoever drives it writes the
//! new state first and carries the effects out afterwards, so a crash in between leaves something that can be resumed.
//!
//! - [`relation`]: one volume: who serves it, under which generation, what is owed to which array.
//! - [`service`]: one backend, with the words of Cinder's `replication_status` and a way out of each of them.
//! - [`failover`]: the order of one failover, and until when it can be called off.
//! - [`drill`]: one test failover and its timer.
//! - [`evidence`]: what the arrays say of who was promoted, and whether the record is older than that.
//! - [`lag`]: how far behind a copy is, and from when that is alarming.
//! - [`obligation`]: what an array is owed of volumes and snapshots that have no record any more.
//! - [`concern`]: what of it an operator should look at.

pub mod cancel;
pub mod clock;
pub mod concern;
pub mod drill;
pub mod evidence;
pub mod failover;
pub mod lag;
mod laws;
pub mod obligation;
mod refusal;
pub mod relation;
pub mod service;

pub use laws::{Violation, check};
pub use refusal::Refusal;
