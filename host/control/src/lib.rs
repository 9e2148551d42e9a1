//! What is done, by whom, in which order: the life of the cloud's nouns, operations and replication.
#![deny(missing_docs)]

pub mod outbox;
pub mod replication;
