//! A database and its key: which one it is sealed with, and how it comes under another.

use std::path::Path;

use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::key::Keyring;
use super::{Cipher, Place, SECRETS};
use crate::apply::apply;
use crate::backup::{Tables, tables};
use crate::changes::Changes;
use crate::error::{OpenError, StoreError};
use crate::statement::{execute, first, plain};
use crate::table::{Record, Table, Value};
use crate::{blocking, connect};

/// Rows sealed with one statement's reading.
const PAGE: u32 = 256;
/// What the mark holds sealed, to be opened by the right key only.
const CHECK: &str = "springform";

/// Which key a database is sealed with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SealMark {
    id: String,
    /// Id of the key.
    key: String,
    /// [`CHECK`], sealed.
    check: String,
    /// Whether nothing of what was there before is left in unused parts of the file.
    scrubbed: bool,
}

impl SealMark {
    const ID: &'static str = "sealing";

    fn place() -> Place<'static> {
        Place {
            table: "marks",
            id: Self::ID,
            field: "check",
        }
    }
}

impl Record for SealMark {
    const TABLE: Table = Table {
        name: "marks",
        columns: &[],
    };

    fn id(&self) -> &str {
        &self.id
    }

    fn columns(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }
}

/// Why the secrets of a database cannot be opened.
#[derive(Debug)]
pub(crate) enum Lockout {
    /// It is sealed with this key, and none was given.
    NoKey(String),
    /// It is sealed with this key, and these are others.
    WrongKey(String, Vec<String>),
    /// It does not fit together.
    Damaged(String),
    /// The database failed.
    Failed(StoreError),
}

impl From<rusqlite::Error> for Lockout {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl From<StoreError> for Lockout {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

impl From<super::SealError> for Lockout {
    fn from(error: super::SealError) -> Self {
        Self::Damaged(error.to_string())
    }
}

/// The id of the key that a database is sealed with. `None`: there is no database, or nothing in it is sealed.
///
/// # Errors
/// [`OpenError`] when it cannot be read.
pub async fn sealed_with(database: &Path) -> Result<Option<String>, OpenError> {
    if std::fs::metadata(database).map_or(0, |file| file.len()) == 0 {
        return Ok(None);
    }
    let file = database.to_owned();
    let read = move || -> Result<_, StoreError> {
        let connection = connect::visitor(&file)?;
        let mark = mark(&connection)?;
        connect::close(connection)?;
        Ok(mark)
    };
    let other = |reason: String| OpenError::Other {
        path: database.to_owned(),
        reason,
    };
    match blocking::run(read).await {
        Some(Ok(mark)) => Ok(mark.map(|mark| mark.key)),
        Some(Err(error)) => Err(other(error.to_string())),
        None => Err(other(blocking::ENDS.to_owned())),
    }
}

/// Looks whether one of these keys opens the database.
pub(crate) fn is_known(connection: &Connection, keys: Option<&Keyring>) -> Result<(), Lockout> {
    match mark(connection)? {
        Some(mark) => cipher_of(&mark, keys).map(drop),
        None => Ok(()),
    }
}

/// Opens the secrets of a database that nobody else uses. What is in clear, or sealed with an older key, is sealed with the first
/// key: all of it or nothing. `fresh`: there was nothing in the file before.
pub(crate) fn unlock(
    connection: &Connection,
    keys: Option<&Keyring>,
    fresh: bool,
) -> Result<Option<Cipher>, Lockout> {
    let found = mark(connection)?;
    let old = match &found {
        Some(mark) => Some(cipher_of(mark, keys)?),
        None => None,
    };
    let Some(keys) = keys else { return Ok(None) };
    let new = Cipher::new(keys.first());
    let mut now = match found {
        Some(mark) if mark.key == new.id => mark,
        before => {
            let mark = SealMark {
                id: SealMark::ID.to_owned(),
                check: new.seal(SealMark::place(), CHECK)?,
                key: new.id.clone(),
                scrubbed: fresh,
            };
            let sealed = reseal(connection, old.as_ref(), &new, &mark)?;
            if let Some(before) = before {
                tracing::info!(
                    records = sealed,
                    from = before.key,
                    to = mark.key,
                    "the secrets in the database were sealed with another key"
                );
            } else if sealed > 0 {
                tracing::info!(
                    records = sealed,
                    key = mark.key,
                    "the secrets in the database were in clear, and are sealed now"
                );
            }
            mark
        }
    };
    if !now.scrubbed {
        match scrub(connection) {
            Ok(true) => {
                now.scrubbed = true;
                apply(connection, &Changes::new().put(&now))?;
            }
            Ok(false) => tracing::warn!(
                "another process reads the database: older states of secrets stay in unused parts of the file until the next start"
            ),
            Err(error) => tracing::warn!(
                %error,
                "older states of secrets could not be removed from unused parts of the database file; the next start tries again"
            ),
        }
    }
    Ok(Some(new))
}

fn mark(connection: &Connection) -> Result<Option<SealMark>, StoreError> {
    if !matches!(tables(connection)?, Tables::All) {
        return Ok(None);
    }
    let text = "SELECT doc FROM marks WHERE id = ?";
    let doc = first(connection, text, &[&SealMark::ID], |row| {
        row.get::<_, String>(0)
    })?;
    let mark = doc.map(|doc| serde_json::from_str(&doc)).transpose();
    mark.map_err(|error| StoreError::Database(error.to_string()))
}

fn cipher_of(mark: &SealMark, keys: Option<&Keyring>) -> Result<Cipher, Lockout> {
    let keys = keys.ok_or_else(|| Lockout::NoKey(mark.key.clone()))?;
    let Some(key) = keys.all().find(|key| key.id() == mark.key) else {
        let given = keys.all().map(super::SealingKey::id).collect();
        return Err(Lockout::WrongKey(mark.key.clone(), given));
    };
    let cipher = Cipher::new(key);
    cipher.open(SealMark::place(), &mark.check)?;
    Ok(cipher)
}

/// Seals every secret and writes the mark, in one transaction.
fn reseal(
    connection: &Connection,
    old: Option<&Cipher>,
    new: &Cipher,
    mark: &SealMark,
) -> Result<u64, Lockout> {
    plain(connection, "BEGIN IMMEDIATE")?;
    let sealed = reseal_rows(connection, old, new).and_then(|sealed| {
        apply(connection, &Changes::new().put(mark))?;
        plain(connection, "COMMIT")?;
        Ok(sealed)
    });
    if sealed.is_err() && !connection.is_autocommit() {
        plain(connection, "ROLLBACK")?;
    }
    sealed
}

fn reseal_rows(
    connection: &Connection,
    old: Option<&Cipher>,
    new: &Cipher,
) -> Result<u64, Lockout> {
    let mut sealed = 0;
    for (table, _) in SECRETS {
        let update = format!("UPDATE \"{table}\" SET doc = ? WHERE id = ?");
        let mut after = String::new();
        loop {
            let page = page(connection, table, &after)?;
            let Some((last, _)) = page.last() else { break };
            after.clone_from(last);
            for (id, doc) in &page {
                let doc = match old {
                    Some(old) => new.seal_document(table, id, &old.open_document(table, id, doc)?),
                    None => new.seal_document(table, id, doc),
                };
                execute(connection, &update, &[&doc?, id])?;
                sealed += 1;
            }
        }
    }
    Ok(sealed)
}

/// The next ids and documents.
fn page(
    connection: &Connection,
    table: &str,
    after: &str,
) -> rusqlite::Result<Vec<(String, Zeroizing<String>)>> {
    let sql = format!("SELECT id, doc FROM \"{table}\" WHERE id > ? ORDER BY id LIMIT {PAGE}");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map((after,), |row| {
        Ok((row.get(0)?, Zeroizing::new(row.get(1)?)))
    })?;
    rows.collect()
}

/// Writes the file anew, and empties the journal: what was deleted or replaced is in neither afterwards. False: somebody reads it.
fn scrub(connection: &Connection) -> rusqlite::Result<bool> {
    connection.execute_batch("VACUUM")?;
    let busy: i64 =
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |row| row.get(0))?;
    Ok(busy == 0)
}
