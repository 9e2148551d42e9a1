//! A database and its key: which one it is sealed with, and how it comes under another.

use std::path::Path;

use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::{Connection as _, Row as _, SqliteConnection};

use super::key::Keyring;
use super::{Cipher, Place, SECRETS};
use crate::apply::apply;
use crate::backup::{Tables, open, tables};
use crate::changes::Changes;
use crate::error::{OpenError, StoreError};
use crate::table::{Record, Table, Value};

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

impl From<sqlx::Error> for Lockout {
    fn from(error: sqlx::Error) -> Self {
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
    let refused = |error: sqlx::Error| OpenError::Other {
        path: database.to_owned(),
        reason: error.to_string(),
    };
    if std::fs::metadata(database).map_or(0, |file| file.len()) == 0 {
        return Ok(None);
    }
    let mut connection = open(database, true).await.map_err(refused)?;
    let mark = mark(&mut connection).await.map_err(refused)?;
    connection.close().await.map_err(refused)?;
    Ok(mark.map(|mark| mark.key))
}

/// Looks whether one of these keys opens the database.
pub(crate) async fn is_known(
    connection: &mut SqliteConnection,
    keys: Option<&Keyring>,
) -> Result<(), Lockout> {
    match mark(connection).await? {
        Some(mark) => cipher_of(&mark, keys).map(drop),
        None => Ok(()),
    }
}

/// Opens the secrets of a database that nobody else uses. What is in clear, or sealed with an older key, is sealed with the first
/// key: all of it or nothing. `fresh`: there was nothing in the file before.
pub(crate) async fn unlock(
    connection: &mut SqliteConnection,
    keys: Option<&Keyring>,
    fresh: bool,
) -> Result<Option<Cipher>, Lockout> {
    let found = mark(connection).await?;
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
            let sealed = reseal(connection, old.as_ref(), &new, &mark).await?;
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
        match scrub(connection).await {
            Ok(true) => {
                now.scrubbed = true;
                apply(connection, &[], &Changes::new().put(&now)).await?;
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

async fn mark(connection: &mut SqliteConnection) -> Result<Option<SealMark>, sqlx::Error> {
    if !matches!(tables(connection).await?, Tables::All) {
        return Ok(None);
    }
    let row = sqlx::query("SELECT doc FROM marks WHERE id = ?")
        .bind(SealMark::ID)
        .fetch_optional(connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let mark = serde_json::from_str(row.try_get(0)?);
    mark.map(Some)
        .map_err(|error| sqlx::Error::Decode(error.into()))
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
async fn reseal(
    connection: &mut SqliteConnection,
    old: Option<&Cipher>,
    new: &Cipher,
    mark: &SealMark,
) -> Result<u64, Lockout> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let mut sealed = 0;
    for (table, _) in SECRETS {
        let mut after = String::new();
        loop {
            let page = page(&mut transaction, table, &after).await?;
            let Some(last) = page.last() else { break };
            after = last.try_get(0)?;
            for row in &page {
                let (id, doc): (&str, &str) = (row.try_get(0)?, row.try_get(1)?);
                let doc = match old {
                    Some(old) => new.seal_document(table, id, &old.open_document(table, id, doc)?),
                    None => new.seal_document(table, id, doc),
                };
                let sql = format!("UPDATE \"{table}\" SET doc = ? WHERE id = ?");
                sqlx::query(&sql)
                    .bind(doc?)
                    .bind(id)
                    .execute(&mut *transaction)
                    .await?;
                sealed += 1;
            }
        }
    }
    apply(&mut transaction, &[], &Changes::new().put(mark)).await?;
    transaction.commit().await?;
    Ok(sealed)
}

async fn page(
    connection: &mut SqliteConnection,
    table: &str,
    after: &str,
) -> Result<Vec<SqliteRow>, sqlx::Error> {
    let sql = format!("SELECT id, doc FROM \"{table}\" WHERE id > ? ORDER BY id LIMIT {PAGE}");
    sqlx::query(&sql).bind(after).fetch_all(connection).await
}

/// Writes the file anew, and empties the journal: what was deleted or replaced is in neither afterwards. False: somebody reads it.
async fn scrub(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    sqlx::query("VACUUM").execute(&mut *connection).await?;
    let row = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
        .fetch_one(connection)
        .await?;
    let busy: i64 = row.try_get(0)?;
    Ok(busy == 0)
}
