//! The one writer: a queue of changes, each in its own savepoint, many in one commit. One `fsync` then pays for all of
//! them, and a change that is refused harms no other.

use sqlx::{Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

use crate::apply::apply;
use crate::changes::Changes;
use crate::error::StoreError;

/// Changes and where their outcome goes.
pub(crate) struct Job {
    pub(crate) changes: Changes,
    pub(crate) done: oneshot::Sender<Result<(), StoreError>>,
}

/// How many wait before a caller has to.
pub(crate) const QUEUE: usize = 4096;
/// How many share a commit.
const TOGETHER: usize = 256;

/// Writes until every sender is gone.
pub(crate) async fn run(mut connection: SqliteConnection, mut jobs: mpsc::Receiver<Job>) {
    let mut batch = Vec::with_capacity(TOGETHER);
    while jobs.recv_many(&mut batch, TOGETHER).await > 0 {
        write(&mut connection, &mut batch).await;
    }
    if let Err(error) = connection.close().await {
        tracing::warn!(%error, "closing the database failed");
    }
}

async fn write(connection: &mut SqliteConnection, batch: &mut Vec<Job>) {
    let mut outcomes = Vec::with_capacity(batch.len());
    let whole = async {
        plain(connection, "BEGIN IMMEDIATE").await?;
        for job in batch.iter() {
            outcomes.push(one(connection, &job.changes).await?);
        }
        plain(connection, "COMMIT").await
    }
    .await;
    if let Err(error) = whole {
        tracing::error!(%error, "a commit failed");
        if let Err(error) = plain(connection, "ROLLBACK").await {
            tracing::debug!(%error, "nothing was left to roll back");
        }
        for job in batch.drain(..) {
            let _ = job.done.send(Err(error.clone()));
        }
        return;
    }
    for (job, outcome) in batch.drain(..).zip(outcomes) {
        // Nobody waits any more: the commit stands all the same.
        let _ = job.done.send(outcome);
    }
}

/// The outer error means that the whole batch is lost, the inner one that these changes are refused.
async fn one(
    connection: &mut SqliteConnection,
    changes: &Changes,
) -> Result<Result<(), StoreError>, StoreError> {
    if let Some(reason) = &changes.broken {
        return Ok(Err(StoreError::Database(reason.clone())));
    }
    let alone = changes.changes.len() == 1 && changes.guards.is_empty();
    if !alone {
        plain(connection, "SAVEPOINT one").await?;
    }
    let outcome = apply(connection, changes).await;
    match &outcome {
        Err(StoreError::Database(_)) if alone => {
            return Err(outcome.err().unwrap_or(StoreError::Closed));
        }
        _ if alone => {}
        Ok(()) => plain(connection, "RELEASE one").await?,
        Err(_) => {
            plain(connection, "ROLLBACK TO one").await?;
            plain(connection, "RELEASE one").await?;
        }
    }
    Ok(outcome)
}

async fn plain(connection: &mut SqliteConnection, sql: &'static str) -> Result<(), StoreError> {
    sqlx::query(sql)
        .execute(connection)
        .await
        .map(drop)
        .map_err(StoreError::from)
}
