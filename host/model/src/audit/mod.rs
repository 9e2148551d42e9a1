//! The audit log's nouns: who did what to what, from where, with what outcome; and the chain that shows whether somebody
//! changed an entry afterwards.
//!
//! An entry holds no secret: its fields are names, digests, addresses, and sentences that the API shows as well.

pub mod chain;
mod entry;
mod verify;

pub use chain::{Checkpoint, GENESIS, Link};
pub use entry::{Action, Entry, Kind, Outcome, Subject, Who};
pub use verify::{CHAIN, Fault, Flaw, Head, Report, Verifier};

/// Something to be put into the log by parts of the host that neither know the database nor may wait for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occurrence {
    /// What is counted together: the same action with the same key is one entry with a number, however often it happens.
    pub key: String,
    /// The first of them.
    pub entry: Entry,
}

/// Takes occurrences. It never waits, so that whatever is audited is not slowed down.
pub trait Sink: Send + Sync + std::fmt::Debug {
    /// Takes one.
    fn note(&self, occurrence: Occurrence);
}
