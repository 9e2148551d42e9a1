//! Records and arrays are held against each other without anybody asking: after a start, once a day, and after a reconciliation.

use std::time::Duration;

use tokio::time::Instant;

use super::difference;
use super::env::{ReplicationEnv, ReplicationError};
use super::live_arrays::store_env;
use crate::backend::{BackendHandle, Differences};
use crate::engine::Operations;
use crate::observer::ObserverEnv as _;

/// How often it is looked whether a backend is due.
const PAUSE: Duration = Duration::from_secs(5);
/// How long a comparison holds.
const DAY: Duration = Duration::from_secs(86_400);
/// Before one that failed is tried again.
const RETRY: Duration = Duration::from_secs(300);
/// Between two looks at what differs.
const BETWEEN: Duration = Duration::from_secs(2);
/// Differences that are named; more are only counted.
const NAMED: usize = 20;

/// Compares for ever.
pub(crate) async fn keep_comparing(control: Operations) {
    loop {
        for backend in control.backends() {
            if backend.status().is_up() && backend.comparison_due(Instant::now()) {
                let pause = if compare(&control, &backend).await {
                    DAY
                } else {
                    RETRY
                };
                backend.compare_at(Instant::now() + pause);
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// What differs twice: what somebody does between the records' being read and the array's being asked differs once.
async fn lasting(env: &dyn ReplicationEnv, backend: &str) -> Result<Vec<String>, ReplicationError> {
    let mut found = difference::all(env, backend).await?;
    if !found.is_empty() {
        tokio::time::sleep(BETWEEN).await;
        let again = difference::all(env, backend).await?;
        found.retain(|one| again.contains(one));
    }
    Ok(found)
}

async fn compare(control: &Operations, backend: &BackendHandle) -> bool {
    let env = store_env(control);
    let name = backend.name();
    // What is on its way differs for a moment.
    if env.busy(name).await.unwrap_or(true) {
        return false;
    }
    let found = match lasting(&env, name).await {
        Ok(found) => found,
        Err(error) => {
            tracing::info!(backend = name, %error, "records and arrays could not be compared yet");
            return false;
        }
    };
    let count = found.len();
    if let Some(first) = found.first() {
        tracing::warn!(
            backend = name,
            count,
            first,
            "the arrays differ from the records; see `springform reconcile --dry-run`"
        );
    }
    control.observed().differ(name, count);
    let differences = Differences {
        at: control.now(),
        count,
        found: found.into_iter().take(NAMED).collect(),
    };
    backend.note(|status| status.differences = Some(differences));
    true
}
