//! The one writer: a queue of changes, each in its own savepoint, many in one commit. One `fsync` then pays for all of
//! them, and a change that is refused harms no other.

use sqlx::sqlite::SqliteArguments;
use sqlx::{Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

use crate::changes::{Change, Changes, Guard, Row};
use crate::error::StoreError;
use crate::query::{Sql, measured};
use crate::table::Value;

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

async fn apply(connection: &mut SqliteConnection, changes: &Changes) -> Result<(), StoreError> {
    for change in &changes.changes {
        match change {
            Change::Insert(row) => insert(connection, row, false).await?,
            Change::Put(row) => insert(connection, row, true).await?,
            Change::Update(row, revision) => update(connection, row, *revision).await?,
            Change::Delete {
                table,
                id,
                revision,
            } => {
                let mut sql = Sql::new(format!("DELETE FROM \"{}\" WHERE id = ", table.name));
                sql.bind(Value::Text(id.clone()));
                if let Some(revision) = revision {
                    sql.push(" AND revision = ").bind(Value::from(*revision));
                }
                if execute(connection, &sql, table.name).await? == 0 && revision.is_some() {
                    return Err(StoreError::Conflict {
                        table: table.name,
                        id: id.clone(),
                    });
                }
            }
            Change::Unchanged {
                table,
                id,
                revision,
            } => {
                let mut sql = Sql::new(format!(
                    "SELECT COUNT(*) FROM \"{}\" WHERE id = ",
                    table.name
                ));
                sql.bind(Value::Text(id.clone()))
                    .push(" AND revision = ")
                    .bind(Value::from(*revision));
                if number(connection, &sql).await? == 0 {
                    return Err(StoreError::Conflict {
                        table: table.name,
                        id: id.clone(),
                    });
                }
            }
        }
    }
    for guard in &changes.guards {
        check(connection, guard).await?;
    }
    Ok(())
}

async fn insert(
    connection: &mut SqliteConnection,
    row: &Row,
    replace: bool,
) -> Result<(), StoreError> {
    let mut sql = Sql::new(format!(
        "INSERT INTO \"{}\" (id, revision, doc",
        row.table.name
    ));
    for (column, _) in &row.columns {
        sql.push(", ").push(column);
    }
    sql.push(") VALUES (")
        .bind(Value::Text(row.id.clone()))
        .push(", 1, ")
        .bind(Value::Text(row.doc.clone()));
    for (_, value) in &row.columns {
        sql.push(", ").bind(value.clone());
    }
    sql.push(")");
    if replace {
        sql.push(" ON CONFLICT (id) DO UPDATE SET revision = revision + 1, doc = excluded.doc");
        for (column, _) in &row.columns {
            sql.push(", ")
                .push(column)
                .push(" = excluded.")
                .push(column);
        }
    }
    match execute(connection, &sql, row.table.name).await {
        Err(StoreError::Duplicate { table, column }) if column == "id" => {
            Err(StoreError::Conflict {
                table,
                id: row.id.clone(),
            })
        }
        other => other.map(drop),
    }
}

async fn update(
    connection: &mut SqliteConnection,
    row: &Row,
    revision: u64,
) -> Result<(), StoreError> {
    let mut sql = Sql::new(format!(
        "UPDATE \"{}\" SET revision = revision + 1, doc = ",
        row.table.name
    ));
    sql.bind(Value::Text(row.doc.clone()));
    for (column, value) in &row.columns {
        sql.push(", ").push(column).push(" = ").bind(value.clone());
    }
    sql.push(" WHERE id = ").bind(Value::Text(row.id.clone()));
    sql.push(" AND revision = ").bind(Value::from(revision));
    if execute(connection, &sql, row.table.name).await? == 0 {
        return Err(StoreError::Conflict {
            table: row.table.name,
            id: row.id.clone(),
        });
    }
    Ok(())
}

async fn check(connection: &mut SqliteConnection, guard: &Guard) -> Result<(), StoreError> {
    let mut used = 0_i64;
    for (table, measure, query) in &guard.total.terms {
        let sql = measured(table, measure, query)?;
        used = used.saturating_add(number(connection, &sql).await?);
    }
    if used > guard.limit {
        return Err(StoreError::Limit {
            name: guard.name.clone(),
            limit: guard.limit,
            used,
        });
    }
    Ok(())
}

pub(crate) fn arguments(binds: &[Value]) -> Result<SqliteArguments<'static>, StoreError> {
    use sqlx::Arguments;
    let mut arguments = SqliteArguments::default();
    for value in binds {
        let added = match value {
            Value::Null => arguments.add(None::<String>),
            Value::Text(text) => arguments.add(text.clone()),
            Value::Int(number) => arguments.add(*number),
        };
        added.map_err(|error| StoreError::Database(error.to_string()))?;
    }
    Ok(arguments)
}

async fn plain(connection: &mut SqliteConnection, sql: &'static str) -> Result<(), StoreError> {
    sqlx::query(sql)
        .execute(connection)
        .await
        .map(drop)
        .map_err(StoreError::from)
}

async fn execute(
    connection: &mut SqliteConnection,
    sql: &Sql,
    table: &'static str,
) -> Result<u64, StoreError> {
    match sqlx::query_with(&sql.text, arguments(&sql.binds)?)
        .execute(connection)
        .await
    {
        Ok(done) => Ok(done.rows_affected()),
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
            // "UNIQUE constraint failed: volume_types.name"
            let column = error
                .message()
                .rsplit('.')
                .next()
                .unwrap_or("id")
                .to_owned();
            Err(StoreError::Duplicate { table, column })
        }
        Err(error) => Err(error.into()),
    }
}

async fn number(connection: &mut SqliteConnection, sql: &Sql) -> Result<i64, StoreError> {
    sqlx::query_scalar_with(&sql.text, arguments(&sql.binds)?)
        .fetch_one(connection)
        .await
        .map_err(StoreError::from)
}
