//! Cinder's database: rows as text, the same from MariaDB or MySQL, PostgreSQL and SQLite, and from a dump. It is only read.

use anyhow::{Context, anyhow, bail};
use springform_model::time::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Connection, Row as _};

use super::dump::Dump;

/// Revisions of Cinder's schema that have every column that is read, newest first: Cinder 19 (Xena) to 29.
const REVISIONS: &[&str] = &[
    "9c74c1c6971f",
    "b7b88f50aab5",
    "9ab1b092a404",
    "b8660621f1b9",
    "89aa6f9639f9",
    "daa98075b90d",
    "c92a3e68beed",
    "921e1a36b076",
];

/// How the kinds of databases differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    MySql,
    Postgres,
    Sqlite,
}

/// An open database, or a dump of one.
pub enum Source {
    /// A server, or a file of SQLite.
    Live(Live),
    /// A file in which everything is as it was.
    Dump(Dump),
}

/// A connection in one transaction, which sees everything as it was when it began.
pub struct Live {
    connection: AnyConnection,
    kind: Kind,
}

/// One row: text by column.
#[derive(Debug, Clone)]
pub struct Row {
    columns: &'static [&'static str],
    values: Vec<Option<String>>,
}

impl Source {
    /// Opens a database by its URL, or a dump by its path, and looks whether its schema is known.
    ///
    /// # Errors
    /// Why it cannot be used; never with the password.
    pub async fn open(named: &str) -> anyhow::Result<Self> {
        let mut source = match named.contains("://") {
            true => Self::Live(Live::open(named).await?),
            false => Self::Dump(dumped(named)?),
        };
        source.known_schema().await?;
        Ok(source)
    }

    async fn known_schema(&mut self) -> anyhow::Result<()> {
        let found = self
            .all("alembic_version", &["version_num"])
            .await
            .context("it is no database of Cinder, or of one before Xena; upgrade Cinder first")?;
        let found = found.first().and_then(|row| row.opt("version_num"));
        match found {
            Some(revision) if REVISIONS.contains(&revision) => Ok(()),
            Some(revision) => bail!(
                "the schema of Cinder's database is at revision {revision}, which is not known here; known are those of Cinder 19 \
                 (Xena) to 29: upgrade Cinder first, or take a newer Springform"
            ),
            None => bail!("Cinder's database is empty"),
        }
    }

    /// The rows of a table that are not marked as deleted.
    ///
    /// # Errors
    /// What the database says.
    pub async fn live(
        &mut self,
        table: &str,
        columns: &'static [&'static str],
    ) -> anyhow::Result<Vec<Row>> {
        match self {
            Self::Live(live) => {
                let deleted = live.text("deleted");
                let only = format!(" WHERE COALESCE({deleted}, '0') IN ('0', 'false')");
                live.rows(table, columns, &only).await
            }
            Self::Dump(dump) => {
                let marks = dump.rows(table, &["deleted"])?;
                let live = |mark: &[Option<String>]| {
                    let mark = mark.first().and_then(Option::as_deref).unwrap_or("0");
                    matches!(mark, "0" | "f" | "false")
                };
                let rows = dump.rows(table, columns)?.into_iter().zip(marks);
                let rows = rows.filter(|(_, mark)| live(mark));
                Ok(rows.map(|(values, _)| Row { columns, values }).collect())
            }
        }
    }

    /// Every row of a table.
    ///
    /// # Errors
    /// What the database says.
    pub async fn all(
        &mut self,
        table: &str,
        columns: &'static [&'static str],
    ) -> anyhow::Result<Vec<Row>> {
        match self {
            Self::Live(live) => live.rows(table, columns, "").await,
            Self::Dump(dump) => {
                let rows = dump.rows(table, columns)?.into_iter();
                Ok(rows.map(|values| Row { columns, values }).collect())
            }
        }
    }
}

fn dumped(path: &str) -> anyhow::Result<Dump> {
    // A URL that was mistyped would show its password.
    if path.contains('@') {
        bail!(
            "what names Cinder's database is neither a URL, like mysql://cinder:…@db.example/cinder, nor the file of a dump"
        );
    }
    let bytes = std::fs::read(path).with_context(|| {
        format!("{path} cannot be read: a database is named by a URL, like mysql://cinder:…@db.example/cinder, or by the file of a dump")
    })?;
    Dump::parse(&bytes).with_context(|| format!("{path} cannot be imported"))
}

impl Live {
    async fn open(url: &str) -> anyhow::Result<Self> {
        sqlx::any::install_default_drivers();
        let (kind, url) = address(url)?;
        let connection = AnyConnection::connect(&url)
            .await
            .map_err(|error| anyhow!("Cinder's database cannot be opened: {error}"))?;
        let mut live = Self { connection, kind };
        live.begin().await?;
        Ok(live)
    }

    /// One view of everything: what Cinder wrote meanwhile would not fit together.
    async fn begin(&mut self) -> anyhow::Result<()> {
        let statements: &[&str] = match self.kind {
            Kind::MySql => &["START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"],
            Kind::Postgres => &["BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"],
            Kind::Sqlite => &["BEGIN"],
        };
        for statement in statements {
            sqlx::query(statement)
                .execute(&mut self.connection)
                .await
                .context("Cinder's database cannot be read")?;
        }
        Ok(())
    }

    async fn rows(
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
        let found = sqlx::query(&statement)
            .fetch_all(&mut self.connection)
            .await
            .with_context(|| format!("table {table} of Cinder's database cannot be read"))?;
        let row = |row: &AnyRow| -> anyhow::Result<Row> {
            let values: anyhow::Result<Vec<Option<String>>> =
                (0..columns.len()).map(|at| value(row, at)).collect();
            let values = values.with_context(|| format!("a row of {table} cannot be read"))?;
            Ok(Row { columns, values })
        };
        found.iter().map(row).collect()
    }

    /// A column as text: numbers, truth values and times are written differently by each database, and read by [`Row`].
    fn text(&self, column: &str) -> String {
        let as_text = match self.kind {
            Kind::MySql => "CHAR",
            Kind::Postgres | Kind::Sqlite => "TEXT",
        };
        format!("CAST({} AS {as_text})", self.quoted(column))
    }

    fn quoted(&self, name: &str) -> String {
        match self.kind {
            Kind::MySql => format!("`{name}`"),
            Kind::Postgres | Kind::Sqlite => format!("\"{name}\""),
        }
    }
}

/// One value. MariaDB gives long texts as bytes.
fn value(row: &AnyRow, at: usize) -> anyhow::Result<Option<String>> {
    if let Ok(text) = row.try_get::<Option<String>, _>(at) {
        return Ok(text);
    }
    let bytes: Option<Vec<u8>> = row.try_get(at)?;
    Ok(bytes.map(String::from_utf8).transpose()?)
}

/// The kind of an address as SQLAlchemy writes it, and the address as the clients here want it.
fn address(url: &str) -> anyhow::Result<(Kind, String)> {
    let (scheme, rest) = url
        .split_once("://")
        .context("a database is named by a URL, like mysql://cinder:…@db.example/cinder")?;
    let name = scheme.split_once('+').map_or(scheme, |(name, _)| name);
    match name {
        "mysql" | "mariadb" => Ok((Kind::MySql, format!("mysql://{rest}"))),
        "postgresql" | "postgres" => Ok((Kind::Postgres, format!("postgres://{rest}"))),
        "sqlite" => {
            let file = rest.strip_prefix('/').unwrap_or(rest);
            let file = file.split_once('?').map_or(file, |(file, _)| file);
            Ok((Kind::Sqlite, format!("sqlite://{file}?mode=ro")))
        }
        _ => bail!("{scheme} is no database that Cinder is read from: mysql, postgresql or sqlite"),
    }
}

impl Row {
    /// The value of a column; none where it is null.
    #[must_use]
    pub fn opt(&self, column: &str) -> Option<&str> {
        let at = self.columns.iter().position(|known| *known == column)?;
        self.values.get(at)?.as_deref()
    }

    /// The value of a column; empty where it is null.
    #[must_use]
    pub fn text(&self, column: &str) -> String {
        self.opt(column).unwrap_or_default().to_owned()
    }

    /// The value of a column as an owned text.
    #[must_use]
    pub fn owned(&self, column: &str) -> Option<String> {
        self.opt(column).map(str::to_owned)
    }

    /// A truth value; false where it is null.
    #[must_use]
    pub fn flag(&self, column: &str) -> bool {
        matches!(self.opt(column), Some("1" | "true" | "t"))
    }

    /// A number.
    #[must_use]
    pub fn number<T: std::str::FromStr>(&self, column: &str) -> Option<T> {
        self.opt(column)?.parse().ok()
    }

    /// A point in time; databases write it without a zone and mean UTC.
    #[must_use]
    pub fn time(&self, column: &str) -> Option<Timestamp> {
        Timestamp::parse(&self.opt(column)?.replace(' ', "T"))
    }

    /// When it was made; the epoch where nobody wrote it down.
    #[must_use]
    pub fn created(&self) -> Timestamp {
        self.time("created_at").unwrap_or_default()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_named_as_cinder_names_it() {
        for (url, expected) in [
            (
                "mysql+pymysql://c:p@db/cinder?charset=utf8",
                "mysql://c:p@db/cinder?charset=utf8",
            ),
            (
                "postgresql+psycopg2://c:p@db/cinder",
                "postgres://c:p@db/cinder",
            ),
            (
                "sqlite:////var/lib/cinder.sqlite",
                "sqlite:///var/lib/cinder.sqlite?mode=ro",
            ),
            ("sqlite:///cinder.sqlite", "sqlite://cinder.sqlite?mode=ro"),
        ] {
            assert_eq!(address(url).unwrap().1, expected);
        }
        assert!(address("oracle://db").is_err() && address("cinder.sqlite").is_err());
    }
}
