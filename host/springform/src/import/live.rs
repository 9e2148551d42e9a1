//! A live database of Cinder: one connection in one transaction, which sees everything as it was when it began.

use anyhow::{Context as _, anyhow, bail};
use rusqlite::{Connection as Sqlite, OpenFlags};
use sqlx::{Connection as _, MySqlConnection, PgConnection, Row as _};

use super::row::Row;

/// An open connection. Everything is asked for as text, which each kind of database gives in its own way.
pub enum Live {
    /// MariaDB or MySQL.
    MySql(MySqlConnection),
    /// PostgreSQL.
    Postgres(PgConnection),
    /// A file of SQLite.
    Sqlite(Sqlite),
}

/// A database by its address, as the clients here want it.
#[derive(Debug, PartialEq, Eq)]
enum Address {
    MySql(String),
    Postgres(String),
    Sqlite(String),
}

impl Live {
    /// Opens a database by its URL.
    ///
    /// # Errors
    /// Why it cannot be used; never with the password.
    pub async fn open(url: &str) -> anyhow::Result<Self> {
        let refused = |error: sqlx::Error| anyhow!("Cinder's database cannot be opened: {error}");
        let mut live = match address(url)? {
            Address::MySql(url) => {
                Self::MySql(MySqlConnection::connect(&url).await.map_err(refused)?)
            }
            Address::Postgres(url) => {
                Self::Postgres(PgConnection::connect(&url).await.map_err(refused)?)
            }
            Address::Sqlite(file) => {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                let opened = Sqlite::open_with_flags(file, flags);
                Self::Sqlite(opened.context("Cinder's database cannot be opened")?)
            }
        };
        live.begin()
            .await
            .context("Cinder's database cannot be read")?;
        Ok(live)
    }

    /// One view of everything: what Cinder wrote meanwhile would not fit together.
    async fn begin(&mut self) -> anyhow::Result<()> {
        match self {
            Self::MySql(connection) => {
                let begin = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";
                sqlx::query(begin).execute(connection).await?;
            }
            Self::Postgres(connection) => {
                let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
                sqlx::query(begin).execute(connection).await?;
            }
            Self::Sqlite(connection) => connection.execute_batch("BEGIN")?,
        }
        Ok(())
    }

    /// Reads a table, or a part of it.
    ///
    /// # Errors
    /// What the database says.
    pub async fn rows(
        &mut self,
        table: &str,
        columns: &'static [&'static str],
        only: &str,
    ) -> anyhow::Result<Vec<Row>> {
        let wanted: Vec<String> = columns.iter().map(|column| self.text(column)).collect();
        // Every name is one of this program's own.
        let statement = format!(
            "SELECT {} FROM {}{only}",
            wanted.join(", "),
            self.quoted(table)
        );
        let found = self.values(&statement, columns.len()).await;
        let found =
            found.with_context(|| format!("table {table} of Cinder's database cannot be read"))?;
        let row = |values| Row::new(columns, values);
        Ok(found.into_iter().map(row).collect())
    }

    async fn values(&mut self, statement: &str, columns: usize) -> anyhow::Result<Vec<Values>> {
        match self {
            Self::MySql(connection) => {
                let rows = sqlx::query(statement).fetch_all(connection).await?;
                let row = |row: &sqlx::mysql::MySqlRow| {
                    (0..columns).map(|at| text_of_mysql(row, at)).collect()
                };
                rows.iter().map(row).collect()
            }
            Self::Postgres(connection) => {
                let rows = sqlx::query(statement).fetch_all(connection).await?;
                let row = |row: &sqlx::postgres::PgRow| {
                    let values: Result<Values, _> =
                        (0..columns).map(|at| row.try_get(at)).collect();
                    Ok(values?)
                };
                rows.iter().map(row).collect()
            }
            Self::Sqlite(connection) => {
                let mut statement = connection.prepare(statement)?;
                let rows = statement.query_map((), |row| {
                    (0..columns)
                        .map(|at| row.get(at))
                        .collect::<Result<Values, _>>()
                })?;
                rows.map(|row| Ok(row?)).collect()
            }
        }
    }

    /// A column as text: numbers, truth values and times are written differently by each database, and read by [`Row`].
    pub fn text(&self, column: &str) -> String {
        let as_text = match self {
            Self::MySql(_) => "CHAR",
            Self::Postgres(_) | Self::Sqlite(_) => "TEXT",
        };
        format!("CAST({} AS {as_text})", self.quoted(column))
    }

    fn quoted(&self, name: &str) -> String {
        match self {
            Self::MySql(_) => format!("`{name}`"),
            Self::Postgres(_) | Self::Sqlite(_) => format!("\"{name}\""),
        }
    }
}

/// The values of one row.
type Values = Vec<Option<String>>;

/// One value. MariaDB gives long texts as bytes.
fn text_of_mysql(row: &sqlx::mysql::MySqlRow, at: usize) -> anyhow::Result<Option<String>> {
    if let Ok(text) = row.try_get::<Option<String>, _>(at) {
        return Ok(text);
    }
    let bytes: Option<Vec<u8>> = row.try_get(at)?;
    Ok(bytes.map(String::from_utf8).transpose()?)
}

/// An address as SQLAlchemy writes it.
fn address(url: &str) -> anyhow::Result<Address> {
    let (scheme, rest) = url
        .split_once("://")
        .context("a database is named by a URL, like mysql://cinder:…@db.example/cinder")?;
    let name = scheme.split_once('+').map_or(scheme, |(name, _)| name);
    match name {
        "mysql" | "mariadb" => Ok(Address::MySql(format!("mysql://{rest}"))),
        "postgresql" | "postgres" => Ok(Address::Postgres(format!("postgres://{rest}"))),
        "sqlite" => {
            let file = rest.strip_prefix('/').unwrap_or(rest);
            let file = file.split_once('?').map_or(file, |(file, _)| file);
            Ok(Address::Sqlite(file.to_owned()))
        }
        _ => bail!("{scheme} is no database that Cinder is read from: mysql, postgresql or sqlite"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests;
