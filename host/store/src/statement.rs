//! Statements at work: prepared once for each connection, with values that are never part of their text.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, params_from_iter};

use crate::query::Sql;
use crate::table::Value;

impl Sql {
    /// Carries the statement out; how many rows it changed.
    pub(crate) fn execute(&self, connection: &Connection) -> rusqlite::Result<usize> {
        let mut statement = connection.prepare_cached(&self.text)?;
        statement.execute(params_from_iter(&self.binds))
    }

    /// The one number that it reads.
    pub(crate) fn number(&self, connection: &Connection) -> rusqlite::Result<i64> {
        self.one(connection, |row| row.get(0))
    }

    /// Reads its first row.
    pub(crate) fn one<T>(
        &self,
        connection: &Connection,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let mut statement = connection.prepare_cached(&self.text)?;
        statement.query_row(params_from_iter(&self.binds), read)
    }

    /// Reads its rows, one after the other, so that no list is in memory twice.
    pub(crate) fn each<E: From<rusqlite::Error>>(
        &self,
        connection: &Connection,
        mut read: impl FnMut(&Row<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut statement = connection.prepare_cached(&self.text)?;
        let mut rows = statement.query(params_from_iter(&self.binds))?;
        while let Some(row) = rows.next()? {
            read(row)?;
        }
        Ok(())
    }
}

/// Carries out a statement without values and rows.
pub(crate) fn plain(connection: &Connection, text: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(text)?.execute(()).map(drop)
}

/// The first row that a statement finds, if there is one.
pub(crate) fn first<T>(
    connection: &Connection,
    text: &str,
    binds: &[&dyn ToSql],
    read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Option<T>> {
    let mut statement = connection.prepare_cached(text)?;
    statement.query_row(binds, read).optional()
}

/// Carries out a statement with values; how many rows it changed.
pub(crate) fn execute(
    connection: &Connection,
    text: &str,
    binds: &[&dyn ToSql],
) -> rusqlite::Result<usize> {
    connection.prepare_cached(text)?.execute(binds)
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Int(number) => ValueRef::Integer(*number),
        }))
    }
}

impl FromSql for Value {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value {
            ValueRef::Null => Ok(Self::Null),
            ValueRef::Integer(number) => Ok(Self::Int(number)),
            ValueRef::Text(_) => value.as_str().map(Self::from),
            ValueRef::Real(_) | ValueRef::Blob(_) => Err(FromSqlError::InvalidType),
        }
    }
}
