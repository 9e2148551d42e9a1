//! Watching replication: what the arrays say of each volume is asked for again and again, kept with its time, counted, and
//! told when it changes.
//!
//! The observer only looks. Whoever was left behind and answers again is fenced by `replication::reconciler`, which it wakes.

mod current;
mod interval;
mod news;
mod numbers;
mod port;
mod round;
mod tally;
mod task;

pub use current::{Outdated, Since};
pub use interval::{PollInterval, PollOutcome};
pub use numbers::{ArrayState, BackendState, Numbers};
pub use port::ObserverEnv;
pub use tally::{Tally, TargetTally, Watched};
pub use task::{Watch, watch};
