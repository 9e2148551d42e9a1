//! The verbs of replication as executors of the engine.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use springform_model::operation::{Operation, OperationError, Verb};

use super::live_arrays::store_env;
use crate::engine::{Executor, Executors, Run, failure};

/// Runs of an operation whose rows somebody else keeps changing.
const ROUNDS: u32 = 20;

/// The verbs of replication.
pub(super) const VERBS: [Verb; 13] = [
    Verb::Failover,
    Verb::Failback,
    Verb::CommitDrill,
    Verb::Reprotect,
    Verb::Resync,
    Verb::Enable,
    Verb::Disable,
    Verb::StartDrill,
    Verb::StopDrill,
    Verb::Promote,
    Verb::Reconcile,
    Verb::Fence,
    Verb::Settle,
];

/// Whether an operation is one of replication.
pub(crate) fn is_verb(verb: Verb) -> bool {
    VERBS.contains(&verb)
}

struct Verbs;

#[async_trait]
impl Executor for Verbs {
    async fn run(&self, run: &mut Run) -> Result<(), OperationError> {
        let env = store_env(run.operations());
        let mut operation = run.operation().clone();
        let mut last = None;
        for round in 0..ROUNDS {
            match super::run(&env, operation).await {
                Ok(ended) => {
                    run.adopt(ended);
                    return Ok(());
                }
                Err(problem) => last = Some(problem),
            }
            tokio::time::sleep(Duration::from_millis(u64::from(round) * 50)).await;
            let stored = run
                .operations()
                .store()
                .get::<Operation>(&run.operation().id)
                .await;
            operation = match stored {
                Ok(Some(stored)) => stored.record,
                _ => run.operation().clone(),
            };
        }
        Err(failure(
            "store",
            last.map_or_else(String::new, |p| p.to_string()),
        ))
    }
}

/// Makes the engine know the verbs of replication.
pub(crate) fn register(executors: &mut Executors) {
    executors.add(&VERBS, Arc::new(Verbs));
}
