//! One set of changes, made one row after the other: each statement says at once whether it did what it was to do.

use rusqlite::{Connection, ToSql, ffi};

use crate::audit::{Appended, append};
use crate::changes::{Change, Changes, Row};
use crate::error::{StoreError, extended_code};
use crate::query::{Sql, measured};
use crate::statement::execute;
use crate::table::{Table, Value};

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

/// Makes the changes in their order, looks at the limits, and appends to the audit log; the transaction is the caller's. Gives
/// back what was appended; it is told to the log once it is committed.
///
/// # Errors
/// The first change that is refused; the transaction is then to be rolled back.
pub(crate) fn apply(
    connection: &Connection,
    changes: &Changes,
) -> Result<Vec<Appended>, StoreError> {
    for change in &changes.changes {
        make(connection, change)?;
    }
    for guard in &changes.guards {
        let mut used = 0_i64;
        for (table, measure, query) in &guard.total.terms {
            let part = measured(table, measure, query)?.number(connection)?;
            used = used.saturating_add(part);
        }
        guard.check(used)?;
    }
    append(connection, &changes.audit)
}

fn make(connection: &Connection, change: &Change) -> Result<(), StoreError> {
    match change {
        Change::Insert(row) => insert(connection, row, false),
        Change::Put(row) => insert(connection, row, true),
        Change::Update(row, revision) => update(connection, row, *revision),
        Change::Delete {
            table,
            id,
            revision,
        } => match delete(table, id, *revision).execute(connection)? {
            0 if revision.is_some() => Err(conflict(table.name, id)),
            _ => Ok(()),
        },
        Change::Unchanged {
            table,
            id,
            revision,
        } => match count_sql(table, id, *revision).number(connection)? {
            0 => Err(conflict(table.name, id)),
            _ => Ok(()),
        },
    }
}

/// A new row; `replace`: or what is there, replaced.
fn insert(connection: &Connection, row: &Row, replace: bool) -> Result<(), StoreError> {
    let table = row.table.name;
    let mut text = String::with_capacity(TEXT);
    text.push_str("INSERT INTO \"");
    text.push_str(table);
    text.push_str("\" (id, revision, doc");
    for (column, _) in &row.columns {
        text.push_str(", ");
        text.push_str(column);
    }
    text.push_str(") VALUES (?, 1, ?");
    for _ in &row.columns {
        text.push_str(", ?");
    }
    text.push(')');
    if replace {
        text.push_str(
            " ON CONFLICT (id) DO UPDATE SET revision = revision + 1, doc = excluded.doc",
        );
        for (column, _) in &row.columns {
            for part in [", ", column, " = excluded.", column] {
                text.push_str(part);
            }
        }
    }
    let mut binds: Vec<&dyn ToSql> = Vec::with_capacity(row.columns.len() + 2);
    binds.push(&row.id);
    binds.push(&row.doc);
    binds.extend(row.columns.iter().map(|(_, value)| value as &dyn ToSql));
    let done = execute(connection, &text, &binds);
    done.map(drop).map_err(|error| unique(row, error))
}

/// Writes a row of this revision: what changes with every record, and in a second statement what does so seldom, where it did.
fn update(connection: &Connection, row: &Row, revision: u64) -> Result<(), StoreError> {
    let table = row.table.name;
    let is_hot = |column: &str| row.columns.len() < FEW || HOT_COLUMNS.contains(&column);
    let (hot, cold): (Vec<_>, Vec<_>) = row.columns.iter().partition(|(name, _)| is_hot(name));

    let mut text = String::with_capacity(TEXT);
    for part in [
        "UPDATE \"",
        table,
        "\" SET revision = revision + 1, doc = ?",
    ] {
        text.push_str(part);
    }
    for (column, _) in &hot {
        for part in [", ", column, " = ?"] {
            text.push_str(part);
        }
    }
    text.push_str(" WHERE id = ? AND revision = ?");
    let revision = Value::from(revision);
    let mut binds: Vec<&dyn ToSql> = Vec::with_capacity(hot.len() + 3);
    binds.push(&row.doc);
    binds.extend(hot.iter().map(|(_, value)| value as &dyn ToSql));
    binds.push(&row.id);
    binds.push(&revision);
    let written = execute(connection, &text, &binds);
    if written.map_err(|error| unique(row, error))? == 0 {
        return Err(conflict(table, &row.id));
    }
    if cold.is_empty() {
        return Ok(());
    }

    text.clear();
    for part in ["UPDATE \"", table, "\" SET "] {
        text.push_str(part);
    }
    let mut differs = String::with_capacity(TEXT);
    for (n, (column, _)) in cold.iter().enumerate() {
        let (comma, or) = if n == 0 { ("", "") } else { (", ", " OR ") };
        // Each value is named twice, the id once.
        let place = format!("?{}", n + 2);
        for part in [comma, column, " = ", &place] {
            text.push_str(part);
        }
        for part in [or, column, " IS NOT ", &place] {
            differs.push_str(part);
        }
    }
    for part in [" WHERE id = ?1 AND (", &differs, ")"] {
        text.push_str(part);
    }
    binds.clear();
    binds.push(&row.id);
    binds.extend(cold.iter().map(|(_, value)| value as &dyn ToSql));
    let written = execute(connection, &text, &binds);
    written.map(drop).map_err(|error| unique(row, error))
}

/// Bytes that most statements fit into: a text that grows is copied, and wiped where it was.
const TEXT: usize = 768;

/// Removes a row, of this revision where one is given.
fn delete(table: &Table, id: &str, revision: Option<u64>) -> Sql {
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

fn conflict(table: &'static str, id: &str) -> StoreError {
    StoreError::Conflict {
        table,
        id: id.to_owned(),
    }
}

/// What writing a row failed with.
fn unique(row: &Row, error: rusqlite::Error) -> StoreError {
    let table = row.table.name;
    match extended_code(&error) {
        ffi::SQLITE_CONSTRAINT_PRIMARYKEY => conflict(table, &row.id),
        ffi::SQLITE_CONSTRAINT_UNIQUE => StoreError::Duplicate {
            table,
            column: column(&error),
        },
        _ => error.into(),
    }
}

/// The column that is to be unique, which only SQLite's sentence names: "UNIQUE constraint failed: volume_types.name".
fn column(error: &rusqlite::Error) -> String {
    let sentence = error.to_string();
    sentence.rsplit('.').next().unwrap_or_default().to_owned()
}
