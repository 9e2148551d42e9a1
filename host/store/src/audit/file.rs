//! Reads the audit log of a database file, whether or not a host serves from it, in one transaction: what is written meanwhile
//! is not half seen.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, Row};
use springform_model::audit::{Checkpoint, Link, Verifier};
use springform_model::time::Timestamp;
use tokio::sync::mpsc;

use super::AuditRecord;
use super::append::ends;
use crate::error::words;
use crate::table::{Record as _, Value};
use crate::{blocking, connect};

/// Rows that are read before somebody looks at them.
const AHEAD: usize = 256;

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
    let (sender, mut rows) = mpsc::channel(AHEAD);
    let file = database.to_owned();
    let reading = tokio::spawn(blocking::run(move || read_all(&file, since, &sender)));
    // One who is not content with a row ends the reading: what it sends next arrives nowhere.
    while let Some(row) = rows.recv().await {
        visit(row)?;
    }
    let ends = reading.await.ok().flatten();
    Ok(ends.unwrap_or_else(|| Err(other(database, blocking::ENDS)))?)
}

/// Reads in one transaction and gives back the ends of the chains as they are in it.
fn read_all(
    database: &Path,
    since: Option<Timestamp>,
    rows: &mpsc::Sender<AuditRow>,
) -> Result<Vec<(String, Checkpoint)>, AuditFileError> {
    let connection = connect(database)?;
    let read = || -> rusqlite::Result<_> {
        let transaction = connection.unchecked_transaction()?;
        let sql = format!(
            "SELECT id, doc, {} FROM audit WHERE created_at >= ? ORDER BY host, seq",
            AuditRecord::TABLE.columns.join(", ")
        );
        let mut statement = transaction.prepare(&sql)?;
        let mut found = statement.query((since.map_or(i64::MIN, |since| since.0),))?;
        while let Some(row) = found.next()? {
            if rows.blocking_send(read(row)?).is_err() {
                break;
            }
        }
        ends(&transaction)
    };
    read().map_err(|error| other(database, &words(&error)))
}

fn read(row: &Row<'_>) -> rusqlite::Result<AuditRow> {
    let columns = AuditRecord::TABLE.columns.len();
    let columns: rusqlite::Result<Vec<Value>> =
        (2..columns + 2).map(|index| row.get(index)).collect();
    let seq: i64 = row.get("seq")?;
    Ok(AuditRow {
        id: row.get(0)?,
        doc: row.get(1)?,
        host: row.get("host")?,
        seq: u64::try_from(seq).unwrap_or(0),
        columns: columns?,
    })
}

/// The last entry of every chain.
///
/// # Errors
/// [`AuditFileError`].
pub async fn audit_heads(database: &Path) -> Result<Vec<(String, Checkpoint)>, AuditFileError> {
    let file = database.to_owned();
    let read = move || {
        let connection = connect(&file)?;
        ends(&connection).map_err(|error| other(&file, &words(&error)))
    };
    let read = blocking::run(read).await;
    read.unwrap_or_else(|| Err(other(database, blocking::ENDS)))
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

fn connect(database: &Path) -> Result<Connection, AuditFileError> {
    if !database.exists() {
        return Err(AuditFileError::NoDatabase(database.to_owned()));
    }
    let failed = |error: rusqlite::Error| other(database, &words(&error));
    let connection = connect::visitor(database).map_err(failed)?;
    let known = "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'audit'";
    let known = connection.query_row(known, (), |row| row.get::<_, i64>(0));
    match known.map_err(failed)? {
        0 => Err(AuditFileError::NoLog(database.to_owned())),
        _ => Ok(connection),
    }
}

fn other(database: &Path, reason: &str) -> AuditFileError {
    AuditFileError::Other {
        path: database.to_owned(),
        reason: reason.to_owned(),
    }
}
