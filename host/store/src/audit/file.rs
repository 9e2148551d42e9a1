//! Reads the audit log of a database file, whether or not a host serves from it, in one transaction: what is written meanwhile
//! is not half seen.

use std::path::{Path, PathBuf};

use futures_util::TryStreamExt as _;
use springform_model::audit::{Checkpoint, Link, Verifier};
use springform_model::time::Timestamp;
use sqlx::{Connection as _, Row as _, SqliteConnection};

use super::AuditRecord;
use super::append::ends;
use crate::backup::open;
use crate::table::{Record as _, Value};

/// Why the audit log of a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum AuditFileError {
    /// There is no such file.
    #[error("there is no file {}", .0.display())]
    NoDatabase(PathBuf),
    /// It is none of ours, or one of a release that had no audit log.
    #[error("{} has no audit log: it is no database of Springform, or no release that has one was started on it yet", .0.display())]
    NoLog(PathBuf),
    /// Whatever else.
    #[error("the audit log in {} cannot be read: {reason}", .path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// What was said.
        reason: String,
    },
}

/// One row, as it is kept.
#[derive(Debug, Clone)]
pub struct AuditRow {
    /// Whose chain.
    pub host: String,
    /// Number.
    pub seq: u64,
    /// The link as text.
    pub doc: String,
    /// The other columns, in the order of the record's.
    columns: Vec<Value>,
    id: String,
}

impl AuditRow {
    /// The link, if everything in the row says the same.
    #[must_use]
    pub fn link(&self) -> Option<Link> {
        let link: Link = serde_json::from_str(&self.doc).ok()?;
        let record: AuditRecord = serde_json::from_str(&self.doc).ok()?;
        let columns = record.columns().into_iter().map(|(_, value)| value);
        let same = link.text().ok()? == self.doc
            && link.hash == self.id
            && record.entry.host == link.host
            && columns.eq(self.columns.iter().cloned());
        same.then_some(link)
    }
}

/// Reads every entry that is not older, each chain in the order of its numbers.
///
/// # Errors
/// [`AuditFileError`], or what `visit` ends with.
pub async fn visit_audit<E: From<AuditFileError>>(
    database: &Path,
    since: Option<Timestamp>,
    mut visit: impl FnMut(AuditRow) -> Result<(), E>,
) -> Result<Vec<(String, Checkpoint)>, E> {
    let other = |error: sqlx::Error| AuditFileError::Other {
        path: database.to_owned(),
        reason: error.to_string(),
    };
    let mut connection = connect(database).await?;
    let mut transaction = connection.begin().await.map_err(other)?;
    let names: Vec<&str> = AuditRecord::TABLE.columns.to_vec();
    let sql = format!(
        "SELECT id, doc, {} FROM audit WHERE created_at >= ? ORDER BY host, seq",
        names.join(", ")
    );
    let mut rows = sqlx::query(&sql)
        .bind(since.map_or(i64::MIN, |since| since.0))
        .fetch(&mut *transaction);
    while let Some(row) = rows.try_next().await.map_err(other)? {
        visit(read(&row).map_err(other)?)?;
    }
    drop(rows);
    let ends = ends(&mut transaction).await.map_err(other)?;
    transaction.rollback().await.map_err(other)?;
    connection.close().await.map_err(other)?;
    Ok(ends)
}

fn read(row: &sqlx::sqlite::SqliteRow) -> Result<AuditRow, sqlx::Error> {
    let columns = AuditRecord::TABLE.columns.len();
    let columns: Result<Vec<Value>, _> = (2..columns + 2)
        .map(|index| crate::read::value(row, index).map_err(|e| sqlx::Error::Decode(e.into())))
        .collect();
    let seq: i64 = row.try_get("seq")?;
    Ok(AuditRow {
        id: row.try_get(0)?,
        doc: row.try_get(1)?,
        host: row.try_get("host")?,
        seq: u64::try_from(seq).unwrap_or(0),
        columns: columns?,
    })
}

/// The last entry of every chain.
///
/// # Errors
/// [`AuditFileError`].
pub async fn audit_heads(database: &Path) -> Result<Vec<(String, Checkpoint)>, AuditFileError> {
    let mut connection = connect(database).await?;
    ends(&mut connection)
        .await
        .map_err(|error| AuditFileError::Other {
            path: database.to_owned(),
            reason: error.to_string(),
        })
}

/// Looks through every chain.
///
/// # Errors
/// [`AuditFileError`]; what is wrong with the chains is in the report of the verifier.
pub async fn verify_audit(
    database: &Path,
    mut verifier: Verifier,
) -> Result<Verifier, AuditFileError> {
    visit_audit(database, None, |row| {
        match row.link() {
            Some(link) if link.host == row.host && link.seq == row.seq => verifier.link(&link),
            _ => odd(&mut verifier, &row),
        }
        Ok::<(), AuditFileError>(())
    })
    .await?;
    Ok(verifier)
}

/// A row that contradicts itself: somebody moved it, or edited a part of it.
fn odd(verifier: &mut Verifier, row: &AuditRow) {
    match serde_json::from_str::<Link>(&row.doc) {
        // The place it was moved to is what is wrong with it.
        Ok(mut link) if link.seq != row.seq && link.host == row.host => {
            link.seq = row.seq;
            verifier.link(&link);
        }
        _ => verifier.edited(&row.host, row.seq),
    }
}

async fn connect(database: &Path) -> Result<SqliteConnection, AuditFileError> {
    if !database.exists() {
        return Err(AuditFileError::NoDatabase(database.to_owned()));
    }
    let other = |error: sqlx::Error| AuditFileError::Other {
        path: database.to_owned(),
        reason: error.to_string(),
    };
    let mut connection = open(database, true).await.map_err(other)?;
    let known = "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'audit'";
    let known: i64 = sqlx::query_scalar(known)
        .fetch_one(&mut connection)
        .await
        .map_err(other)?;
    match known {
        0 => Err(AuditFileError::NoLog(database.to_owned())),
        _ => Ok(connection),
    }
}
