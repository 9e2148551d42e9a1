//! The one writer: a queue of changes, each in its own savepoint, many in one commit. One `fsync` then pays for all of
//! them, and a change that is refused harms no other.

use std::sync::Arc;

use sqlx::{Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout_at;

use crate::apply::{apply, at_once};
use crate::audit::tell;
use crate::changes::Changes;
use crate::error::StoreError;
use crate::kept::Shelf;
use crate::outage::{Attempt, Fault, Health};

/// Changes and where their outcome goes.
pub(crate) struct Job {
    pub(crate) changes: Arc<Changes>,
    pub(crate) done: oneshot::Sender<Result<(), StoreError>>,
}

/// How many wait before a caller has to.
pub(crate) const QUEUE: usize = 4096;
/// How many share a commit.
const TOGETHER: usize = 256;

/// Writes until every sender is gone.
pub(crate) async fn run(
    mut connection: SqliteConnection,
    mut jobs: mpsc::Receiver<Job>,
    shelf: Arc<Shelf>,
    health: Arc<Health>,
) {
    let mut batch = Vec::with_capacity(TOGETHER);
    loop {
        let more = jobs.recv_many(&mut batch, TOGETHER);
        let more = match health.next() {
            None => more.await,
            Some(next) => match timeout_at(next, more).await {
                Ok(more) => more,
                Err(_) => {
                    health.look(&mut connection).await;
                    continue;
                }
            },
        };
        if more == 0 {
            break;
        }
        shelf.writes(batch.iter().map(|job| &*job.changes));
        let outcomes = write(&mut connection, &batch, &health).await;
        let done = batch.iter().zip(&outcomes);
        shelf.written(done.map(|(job, outcome)| (&*job.changes, outcome.is_ok())));
        for (job, outcome) in batch.drain(..).zip(outcomes) {
            // Nobody waits any more: the commit stands all the same.
            let _ = job.done.send(outcome);
        }
    }
    if let Err(error) = connection.close().await {
        tracing::warn!(%error, "closing the database failed");
    }
}

async fn write(connection: &mut SqliteConnection, batch: &[Job], health: &Health) -> Outcomes {
    let bytes = batch.iter().map(|job| job.changes.bytes()).sum();
    let all = |reason: &str| {
        let error = StoreError::Unavailable(reason.to_owned());
        batch.iter().map(|_| Err(error.clone())).collect()
    };
    let outcomes: Outcomes = match health.fault(Attempt::Commit(bytes)) {
        Fault::None => attempt(connection, batch).await,
        Fault::Before(reason) => all(&reason),
        Fault::After(reason) => {
            attempt(connection, batch).await;
            all(&reason)
        }
    };
    for outcome in &outcomes {
        if let Err(StoreError::Unavailable(reason)) = outcome {
            health.failed(reason, bytes).await;
            break;
        }
    }
    outcomes
}

async fn attempt(connection: &mut SqliteConnection, batch: &[Job]) -> Outcomes {
    let mut outcomes = Vec::with_capacity(batch.len());
    let whole = match batch {
        [job] => single(connection, job, &mut outcomes).await,
        jobs => several(connection, jobs, &mut outcomes).await,
    };
    let Err(error) = whole else { return outcomes };
    tracing::debug!(%error, "a commit failed");
    if let Err(error) = plain(connection, "ROLLBACK").await {
        tracing::debug!(%error, "nothing was left to roll back");
    }
    batch.iter().map(|_| Err(error.clone())).collect()
}

type Outcomes = Vec<Result<(), StoreError>>;

/// One set of changes: the transaction is its savepoint.
async fn single(
    connection: &mut SqliteConnection,
    job: &Job,
    outcomes: &mut Outcomes,
) -> Result<(), StoreError> {
    if let Some(reason) = &job.changes.broken {
        outcomes.push(Err(StoreError::Database(reason.clone())));
        return Ok(());
    }
    match at_once(connection, &job.changes).await {
        Ok(true) => {
            outcomes.push(Ok(()));
            return Ok(());
        }
        Ok(false) => {}
        Err(StoreError::NoColumn { table, column }) => {
            outcomes.push(Err(StoreError::NoColumn { table, column }));
            return Ok(());
        }
        Err(error) => return Err(error),
    }
    match apply(connection, &["BEGIN IMMEDIATE"], &job.changes).await {
        Ok(appended) => {
            plain(connection, "COMMIT").await?;
            tell(&appended);
            outcomes.push(Ok(()));
        }
        Err(error @ (StoreError::Database(_) | StoreError::Unavailable(_))) => return Err(error),
        Err(refused) => {
            plain(connection, "ROLLBACK").await?;
            outcomes.push(Err(refused));
        }
    }
    Ok(())
}

/// Several, each in a savepoint. The error means that all of them are lost.
async fn several(
    connection: &mut SqliteConnection,
    jobs: &[Job],
    outcomes: &mut Outcomes,
) -> Result<(), StoreError> {
    // What opens a savepoint goes with the first statements in it. That of the one before is let go on the way to the next.
    let mut first: &[&str] = &["BEGIN IMMEDIATE", "SAVEPOINT one"];
    let mut begun = false;
    let mut appended = Vec::new();
    for Job { changes, .. } in jobs {
        if let Some(reason) = &changes.broken {
            outcomes.push(Err(StoreError::Database(reason.clone())));
            continue;
        }
        let outcome = apply(connection, first, changes).await;
        let outcome = outcome.map(|more| appended.extend(more));
        first = match &outcome {
            Ok(()) => &["RELEASE one", "SAVEPOINT one"],
            // Nothing of it was sent.
            Err(StoreError::NoColumn { .. }) => {
                outcomes.push(outcome);
                continue;
            }
            // The whole transaction may be gone already, and what follows would be committed statement by statement.
            Err(error @ StoreError::Unavailable(_)) => return Err(error.clone()),
            Err(_) => {
                plain(connection, "ROLLBACK TO one").await?;
                plain(connection, "RELEASE one").await?;
                &["SAVEPOINT one"]
            }
        };
        begun = true;
        outcomes.push(outcome);
    }
    if !begun {
        return Ok(());
    }
    plain(connection, "COMMIT").await?;
    tell(&appended);
    Ok(())
}

async fn plain(connection: &mut SqliteConnection, sql: &'static str) -> Result<(), StoreError> {
    sqlx::query(sql)
        .execute(connection)
        .await
        .map(drop)
        .map_err(StoreError::from)
}
