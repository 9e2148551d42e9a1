//! One set of changes as statements: few, because what a statement costs is the way to the database's thread and back.

use std::collections::BTreeSet;

use sqlx::sqlite::SqliteArguments;
use sqlx::{Row as _, SqliteConnection};

use crate::audit::{Appended, append};
use crate::changes::{Change, Changes, Guard, Row};
use crate::error::StoreError;
use crate::query::{Sql, measured};
use crate::script::Script;
use crate::table::{Table, Value};

/// Makes the changes in a transaction of their own, if they are few and none of them is refused. False: nothing was done.
pub(crate) async fn at_once(
    connection: &mut SqliteConnection,
    changes: &Changes,
) -> Result<bool, StoreError> {
    // The end of a chain is read before the next entry can be written.
    let audited = !changes.audit.is_empty();
    if audited || changes.changes.chunk_by(alike).any(|run| together(run) > 1) {
        return Ok(false);
    }
    let sql = Script::of(&[], changes)?.transaction();
    let done = sqlx::query_with(&sql.text, arguments(sql.binds)?)
        .execute(&mut *connection)
        .await;
    match done {
        Ok(_) => Ok(true),
        Err(refused @ sqlx::Error::Database(_)) => {
            tracing::debug!(%refused, "a commit is looked at statement by statement");
            // Nothing to roll back: it did not begin (locked, read-only) or was given up (disk full). The first error says why.
            match sqlx::query("ROLLBACK").execute(connection).await {
                Ok(_) => Ok(false),
                Err(_) => Err(refused.into()),
            }
        }
        Err(error) => Err(error.into()),
    }
}

/// Makes the changes in their order, looks at the limits, and appends to the audit log. `first` are statements before all of
/// them. Gives back what was appended; it is told to the log once it is committed.
pub(crate) async fn apply(
    connection: &mut SqliteConnection,
    first: &[&'static str],
    changes: &Changes,
) -> Result<Vec<Appended>, StoreError> {
    make(connection, first, changes).await?;
    append(connection, &changes.audit).await
}

async fn make(
    connection: &mut SqliteConnection,
    first: &[&'static str],
    changes: &Changes,
) -> Result<(), StoreError> {
    let runs = || changes.changes.chunk_by(alike);
    if runs().all(|run| together(run) == 1) {
        return Script::of(first, changes)?.run(connection).await;
    }
    // A guard that names no column is refused before anything is sent, as a script is.
    for (table, measure, query) in changes.guards.iter().flat_map(|guard| &guard.total.terms) {
        measured(table, measure, query)?;
    }
    for sql in first {
        execute(connection, Sql::new(*sql), "").await?;
    }
    // Neighbours of one kind share a statement.
    for run in runs() {
        for rows in run.chunks(together(run)) {
            many(connection, rows).await?;
        }
    }
    for guard in &changes.guards {
        check(connection, guard).await?;
    }
    Ok(())
}

/// Whether two changes can be made with one statement.
fn alike(one: &Change, other: &Change) -> bool {
    fn names(row: &Row) -> impl Iterator<Item = &'static str> {
        row.columns.iter().map(|(name, _)| *name)
    }
    let same = |a: &Row, b: &Row| a.table.name == b.table.name && names(a).eq(names(b));
    match (one, other) {
        (Change::Insert(a), Change::Insert(b))
        | (Change::Put(a), Change::Put(b))
        | (Change::Update(a, _), Change::Update(b, _)) => same(a, b),
        _ => false,
    }
}

/// Rows of the next statement. Few sizes, so that few statements have to be prepared and kept.
fn together(run: &[Change]) -> usize {
    match run.len() {
        64.. => 64,
        8.. => 8,
        _ => 1,
    }
}

async fn many(connection: &mut SqliteConnection, run: &[Change]) -> Result<(), StoreError> {
    let mut inserted = Vec::new();
    let mut updated = Vec::new();
    let mut replace = false;
    let mut ids = BTreeSet::new();
    for change in run {
        match change {
            Change::Insert(row) => inserted.push(row),
            Change::Put(row) => {
                replace = true;
                inserted.push(row);
            }
            Change::Update(row, revision) => {
                if !ids.insert(&row.id) {
                    // Twice the same: the second change is one of the first's outcome.
                    update(connection, &updated).await?;
                    updated.clear();
                }
                updated.push((row, *revision));
            }
            other => alone(connection, other).await?,
        }
    }
    insert(connection, &inserted, replace).await?;
    update(connection, &updated).await
}

async fn alone(connection: &mut SqliteConnection, change: &Change) -> Result<(), StoreError> {
    match change {
        Change::Delete {
            table,
            id,
            revision,
        } => {
            let sql = delete_sql(table, id, *revision);
            let gone = execute(connection, sql, table.name).await?;
            if gone == 0 && revision.is_some() {
                return Err(conflict(table.name, id));
            }
            Ok(())
        }
        Change::Unchanged {
            table,
            id,
            revision,
        } => {
            let sql = count_sql(table, id, *revision);
            match number(connection, sql).await? {
                0 => Err(conflict(table.name, id)),
                _ => Ok(()),
            }
        }
        Change::Insert(_) | Change::Put(_) | Change::Update(..) => Ok(()),
    }
}

/// Removes a row, of this revision where one is given.
pub(crate) fn delete_sql(table: &Table, id: &str, revision: Option<u64>) -> Sql {
    let mut sql = Sql::new(format!("DELETE FROM \"{}\" WHERE id = ", table.name));
    sql.bind(Value::from(id));
    if let Some(revision) = revision {
        sql.push(" AND revision = ").bind(Value::from(revision));
    }
    sql
}

/// One, where a row has this revision; else none.
pub(crate) fn count_sql(table: &Table, id: &str, revision: u64) -> Sql {
    let mut sql = Sql::new(format!(
        "SELECT COUNT(*) FROM \"{}\" WHERE id = ",
        table.name
    ));
    sql.bind(Value::from(id))
        .push(" AND revision = ")
        .bind(Value::from(revision));
    sql
}

pub(crate) fn conflict(table: &'static str, id: &str) -> StoreError {
    StoreError::Conflict {
        table,
        id: id.to_owned(),
    }
}

async fn insert(
    connection: &mut SqliteConnection,
    rows: &[&Row],
    replace: bool,
) -> Result<(), StoreError> {
    let Some(first) = rows.first() else {
        return Ok(());
    };
    let table = first.table.name;
    let sql = insert_sql(rows, replace);
    match execute(connection, sql, table).await {
        Err(StoreError::Duplicate { .. }) if rows.len() > 1 => {
            // Nothing of it was done; one after the other says which row it is.
            for row in rows {
                Box::pin(insert(connection, &[*row], replace)).await?;
            }
            Ok(())
        }
        Err(StoreError::Duplicate { table, column }) if column == "id" => {
            Err(conflict(table, &first.id))
        }
        other => other.map(drop),
    }
}

/// One statement for rows of one table with the same columns.
pub(crate) fn insert_sql(rows: &[&Row], replace: bool) -> Sql {
    let Some(first) = rows.first() else {
        return Sql::default();
    };
    let table = first.table.name;
    let mut sql = Sql::new(format!("INSERT INTO \"{table}\" (id, revision, doc"));
    for (column, _) in &first.columns {
        sql.push(", ").push(column);
    }
    sql.push(") VALUES ");
    for (n, row) in rows.iter().enumerate() {
        sql.push(if n == 0 { "(" } else { ", (" })
            .bind(Value::Text(row.id.clone()))
            .push(", 1, ")
            .bind(Value::Text(row.doc.clone()));
        for (_, value) in &row.columns {
            sql.push(", ").bind(value.clone());
        }
        sql.push(")");
    }
    if replace {
        sql.push(" ON CONFLICT (id) DO UPDATE SET revision = revision + 1, doc = excluded.doc");
        for (column, _) in &first.columns {
            sql.push(", ")
                .push(column)
                .push(" = excluded.")
                .push(column);
        }
    }
    sql
}

async fn update(connection: &mut SqliteConnection, rows: &[(&Row, u64)]) -> Result<(), StoreError> {
    let Some((first, _)) = rows.first() else {
        return Ok(());
    };
    let table = first.table.name;
    let (sql, rest) = match rows {
        [(row, revision)] => update_one(row, *revision),
        _ => {
            let changed = changed(connection, first, rows).await?;
            (update_many(first, rows, &changed), None)
        }
    };
    if execute(connection, sql, table).await? == rows.len() as u64 {
        return match rest {
            Some(rest) => execute(connection, rest, table).await.map(drop),
            None => Ok(()),
        };
    }
    // What was written goes with the savepoint; which row is not as it was written is worth a look.
    for (row, _) in rows {
        let mut sql = Sql::new(format!("SELECT COUNT(*) FROM \"{table}\" WHERE id = "));
        sql.bind(Value::from(&row.id))
            .push(" AND doc = ")
            .bind(Value::from(&row.doc));
        if number(connection, sql).await? == 0 {
            return Err(conflict(table, &row.id));
        }
    }
    Err(conflict(table, &first.id))
}

/// Columns that change as a record does. Of the others most changes leave everything as it is, and to write one costs every index
/// it is in.
const HOT_COLUMNS: &[&str] = &[
    "status",
    "state",
    "open",
    "operation",
    "updated_at",
    "launched_at",
    "finished_at",
    "due_at",
    "replication_status",
    "migration_status",
    "array_name",
];
/// Fewer columns than this are written without asking whether they differ.
const FEW: usize = 5;

/// Writes one row: what changes, and in a second statement what does so seldom, where it did.
pub(crate) fn update_one(row: &Row, revision: u64) -> (Sql, Option<Sql>) {
    let table = row.table.name;
    let is_lively = |column: &str| row.columns.len() < FEW || HOT_COLUMNS.contains(&column);
    let (lively, steady): (Vec<_>, Vec<_>) = row
        .columns
        .iter()
        .partition(|(column, _)| is_lively(column));
    let mut sql = Sql::new(format!(
        "UPDATE \"{table}\" SET revision = revision + 1, doc = "
    ));
    sql.bind(Value::Text(row.doc.clone()));
    for (column, value) in &lively {
        sql.push(", ").push(column).push(" = ").bind(value.clone());
    }
    sql.push(" WHERE id = ").bind(Value::Text(row.id.clone()));
    sql.push(" AND revision = ").bind(Value::from(revision));
    if steady.is_empty() {
        return (sql, None);
    }
    let mut rest = Sql::new(format!("UPDATE \"{table}\" SET "));
    let mut differs = String::new();
    for (n, (column, _)) in steady.iter().enumerate() {
        let (comma, or, place) = match n {
            0 => ("", "", 2),
            n => (", ", " OR ", n + 2),
        };
        rest.push(&format!("{comma}{column} = new.column{place}"));
        differs.push_str(&format!(
            "{or}\"{table}\".{column} IS NOT new.column{place}"
        ));
    }
    rest.push(" FROM (VALUES (")
        .bind(Value::Text(row.id.clone()));
    for (_, value) in &steady {
        rest.push(", ").bind(value.clone());
    }
    rest.push(&format!(
        ")) AS new WHERE \"{table}\".id = new.column1 AND ({differs})"
    ));
    (sql, Some(rest))
}

/// Which columns differ from what is stored in any of these rows. To write one costs every index it is in, and most of
/// them stay as they are.
async fn changed(
    connection: &mut SqliteConnection,
    first: &Row,
    rows: &[(&Row, u64)],
) -> Result<Vec<bool>, StoreError> {
    if first.columns.is_empty() {
        return Ok(Vec::new());
    }
    let table = first.table.name;
    let mut sql = Sql::new("SELECT ");
    for (n, (column, _)) in first.columns.iter().enumerate() {
        let comma = if n == 0 { "" } else { ", " };
        let place = n + 2;
        sql.push(&format!(
            "{comma}MAX(old.{column} IS NOT new.column{place})"
        ));
    }
    sql.push(" FROM (VALUES ");
    for (n, (row, _)) in rows.iter().enumerate() {
        sql.push(if n == 0 { "(" } else { ", (" })
            .bind(Value::Text(row.id.clone()));
        for (_, value) in &row.columns {
            sql.push(", ").bind(value.clone());
        }
        sql.push(")");
    }
    sql.push(&format!(
        ") AS new JOIN \"{table}\" AS old ON old.id = new.column1"
    ));
    let found = sqlx::query_with(&sql.text, arguments(sql.binds)?)
        .fetch_one(connection)
        .await?;
    (0..first.columns.len())
        .map(|n| {
            let differs: Option<i64> = found.try_get(n)?;
            Ok(differs == Some(1))
        })
        .collect()
}

fn update_many(first: &Row, rows: &[(&Row, u64)], changed: &[bool]) -> Sql {
    let table = first.table.name;
    let mut sql = Sql::new(format!(
        "UPDATE \"{table}\" SET revision = \"{table}\".revision + 1, doc = new.column3"
    ));
    let mut place = 3;
    for ((column, _), changed) in first.columns.iter().zip(changed) {
        if *changed {
            place += 1;
            sql.push(&format!(", {column} = new.column{place}"));
        }
    }
    sql.push(" FROM (VALUES ");
    for (n, (row, revision)) in rows.iter().enumerate() {
        sql.push(if n == 0 { "(" } else { ", (" })
            .bind(Value::Text(row.id.clone()))
            .push(", ")
            .bind(Value::from(*revision))
            .push(", ")
            .bind(Value::Text(row.doc.clone()));
        for ((_, value), changed) in row.columns.iter().zip(changed) {
            if *changed {
                sql.push(", ").bind(value.clone());
            }
        }
        sql.push(")");
    }
    sql.push(&format!(
        ") AS new WHERE \"{table}\".id = new.column1 AND \"{table}\".revision = new.column2"
    ));
    sql
}

async fn check(connection: &mut SqliteConnection, guard: &Guard) -> Result<(), StoreError> {
    let mut used = 0_i64;
    for (table, measure, query) in &guard.total.terms {
        let sql = measured(table, measure, query)?;
        used = used.saturating_add(number(connection, sql).await?);
    }
    guard.check(used)
}

pub(crate) fn arguments(
    binds: impl IntoIterator<Item = Value>,
) -> Result<SqliteArguments<'static>, StoreError> {
    use sqlx::Arguments;
    let mut arguments = SqliteArguments::default();
    for value in binds {
        let added = match value {
            Value::Null => arguments.add(None::<String>),
            Value::Text(text) => arguments.add(text),
            Value::Int(number) => arguments.add(number),
        };
        added.map_err(|error| StoreError::Database(error.to_string()))?;
    }
    Ok(arguments)
}

async fn execute(
    connection: &mut SqliteConnection,
    sql: Sql,
    table: &'static str,
) -> Result<u64, StoreError> {
    match sqlx::query_with(&sql.text, arguments(sql.binds)?)
        .execute(connection)
        .await
    {
        Ok(done) => Ok(done.rows_affected()),
        Err(error) => Err(unique(table, error)),
    }
}

/// What a statement on a table failed with.
pub(crate) fn unique(table: &'static str, error: sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::Database(error) if error.is_unique_violation() => {
            // "UNIQUE constraint failed: volume_types.name"
            let column = error
                .message()
                .rsplit('.')
                .next()
                .unwrap_or("id")
                .to_owned();
            StoreError::Duplicate { table, column }
        }
        error => error.into(),
    }
}

async fn number(connection: &mut SqliteConnection, sql: Sql) -> Result<i64, StoreError> {
    sqlx::query_scalar_with(&sql.text, arguments(sql.binds)?)
        .fetch_one(connection)
        .await
        .map_err(StoreError::from)
}
