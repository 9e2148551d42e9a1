//! Cinder's database: rows as text, the same from MariaDB or MySQL, PostgreSQL and SQLite, and from a dump. It is only read.

use anyhow::{Context, bail};

use super::dump::Dump;
use super::live::Live;
use super::row::Row;

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

/// An open database, or a dump of one.
pub enum Source {
    /// A server, or a file of SQLite.
    Live(Live),
    /// A file in which everything is as it was.
    Dump(Dump),
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
                Ok(rows.map(|(values, _)| Row::new(columns, values)).collect())
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
                Ok(rows.map(|values| Row::new(columns, values)).collect())
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
