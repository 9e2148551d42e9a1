//! Appends to the chains, inside the transaction of a commit: the end of a chain is read there, so that nothing that happens to
//! a commit can leave a gap.

use springform_model::audit::CHAIN;
use springform_model::audit::{Checkpoint, Entry, GENESIS, Link};
use springform_model::time::Timestamp;
use sqlx::{Row as _, SqliteConnection};

use super::{AuditRecord, AuditStep};
use crate::error::StoreError;
use crate::table::{Record as _, Value};

/// An entry that was appended, for the log.
#[derive(Debug, Clone)]
pub(crate) struct Appended {
    host: String,
    at: Checkpoint,
    event: &'static str,
    entry: String,
}

/// Logs entries that are committed. A collector of the log so holds what the chain is held against later.
pub(crate) fn tell(appended: &[Appended]) {
    for Appended {
        host,
        at,
        event,
        entry,
    } in appended
    {
        tracing::info!(target: "audit", event, %host, anchor = %at, "{entry}");
    }
}

/// Takes these steps; the transaction is the caller's.
///
/// # Errors
/// What the database says; the transaction is then to be rolled back.
pub(crate) async fn append(
    connection: &mut SqliteConnection,
    steps: &[AuditStep],
) -> Result<Vec<Appended>, StoreError> {
    let mut appended = Vec::with_capacity(steps.len());
    for step in steps {
        match step {
            AuditStep::Append(entry) => appended.push(one(connection, entry).await?),
            AuditStep::Witness(entry) => {
                let mut entry = entry.clone();
                for (host, at) in ends(connection).await? {
                    if host != entry.host {
                        entry = entry.with(format!("{CHAIN}{host}"), at.to_string());
                    }
                }
                appended.push(one(connection, &entry).await?);
            }
            AuditStep::Prune { before, entry } => {
                appended.extend(prune(connection, *before, entry).await?);
            }
        }
    }
    Ok(appended)
}

async fn one(connection: &mut SqliteConnection, entry: &Entry) -> Result<Appended, StoreError> {
    let unwritable = |error: serde_json::Error| StoreError::Database(error.to_string());
    let last = end(connection, &entry.host).await?;
    let (seq, previous) = match &last {
        Some(last) => (last.seq + 1, last.hash.as_str()),
        None => (1, GENESIS),
    };
    let text = entry.text().map_err(unwritable)?;
    let link = Link::new(&entry.host, seq, previous, text.clone()).map_err(unwritable)?;
    let record = AuditRecord {
        entry: entry.clone(),
        hash: link.hash.clone(),
        host: entry.host.clone(),
        previous: link.previous.clone(),
        seq,
    };
    let columns = record.columns();
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let sql = format!(
        "INSERT INTO audit (id, revision, doc, {}) VALUES (?, 1, ?{})",
        names.join(", "),
        ", ?".repeat(names.len())
    );
    let doc = link.text().map_err(unwritable)?;
    let mut binds = vec![Value::from(&link.hash), Value::from(doc)];
    binds.extend(columns.into_iter().map(|(_, value)| value));
    sqlx::query_with(&sql, crate::apply::arguments(binds)?)
        .execute(connection)
        .await?;
    Ok(Appended {
        host: link.host,
        at: Checkpoint {
            seq,
            hash: link.hash,
        },
        event: entry.action.as_str(),
        entry: text,
    })
}

/// The last entry of a chain.
async fn end(
    connection: &mut SqliteConnection,
    host: &str,
) -> Result<Option<Checkpoint>, StoreError> {
    let sql = "SELECT seq, id FROM audit WHERE host = ? ORDER BY seq DESC LIMIT 1";
    let row = sqlx::query(sql).bind(host).fetch_optional(connection);
    let Some(row) = row.await? else {
        return Ok(None);
    };
    Ok(Some(checkpoint(row.try_get(0)?, row.try_get(1)?)))
}

fn checkpoint(seq: i64, hash: String) -> Checkpoint {
    Checkpoint {
        seq: u64::try_from(seq).unwrap_or(0),
        hash,
    }
}

/// The last entry of every chain.
pub(super) async fn ends(
    connection: &mut SqliteConnection,
) -> Result<Vec<(String, Checkpoint)>, sqlx::Error> {
    // SQLite takes the other columns from the row that has the maximum.
    let sql = "SELECT host, MAX(seq), id FROM audit GROUP BY host ORDER BY host";
    let rows = sqlx::query(sql).fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            let at = checkpoint(row.try_get(1)?, row.try_get(2)?);
            Ok((row.try_get(0)?, at))
        })
        .collect()
}

/// Removes what is older, from the beginning of each chain up to its first entry that is not.
async fn prune(
    connection: &mut SqliteConnection,
    before: Timestamp,
    entry: &Entry,
) -> Result<Option<Appended>, StoreError> {
    let mut gone = Vec::new();
    let mut said = entry.clone();
    for (host, last) in ends(connection).await? {
        // Clocks are corrected: what counts is the first that is to be kept, not every one that is older.
        let sql = "SELECT MIN(seq) FROM audit WHERE host = ? AND created_at >= ?";
        let kept: Option<i64> = sqlx::query_scalar(sql)
            .bind(&host)
            .bind(before.0)
            .fetch_one(&mut *connection)
            .await?;
        let sql = "SELECT MIN(seq) FROM audit WHERE host = ?";
        let first: i64 = sqlx::query_scalar(sql)
            .bind(&host)
            .fetch_one(&mut *connection)
            .await?;
        let last = i64::try_from(last.seq).unwrap_or(i64::MAX);
        let through = kept.map_or(last, |kept| kept - 1);
        if through >= first {
            gone.push((host.clone(), through));
        }
        // Every chain that does not begin with its first entry is named again: the entry that named it may go now.
        let beginning = through.max(first - 1);
        if beginning > 0 {
            let hash = hash_of(connection, &host, beginning).await?;
            said = said.with(
                format!("{CHAIN}{host}"),
                checkpoint(beginning, hash).to_string(),
            );
        }
    }
    if gone.is_empty() {
        return Ok(None);
    }
    let appended = one(connection, &said).await?;
    let mark = "INSERT OR REPLACE INTO marks (id, revision, doc) VALUES ('audit-pruning', 1, '{}')";
    sqlx::query(mark).execute(&mut *connection).await?;
    for (host, through) in gone {
        sqlx::query("DELETE FROM audit WHERE host = ? AND seq <= ?")
            .bind(host)
            .bind(through)
            .execute(&mut *connection)
            .await?;
    }
    sqlx::query("DELETE FROM marks WHERE id = 'audit-pruning'")
        .execute(connection)
        .await?;
    Ok(Some(appended))
}

/// The hash of an entry, or of one that is gone: the one behind it knows.
async fn hash_of(
    connection: &mut SqliteConnection,
    host: &str,
    seq: i64,
) -> Result<String, StoreError> {
    let sql = "SELECT id FROM audit WHERE host = ? AND seq = ? \
               UNION ALL SELECT json_extract(doc, '$.previous') FROM audit WHERE host = ? AND seq = ? LIMIT 1";
    let found: String = sqlx::query_scalar(sql)
        .bind(host)
        .bind(seq)
        .bind(host)
        .bind(seq + 1)
        .fetch_one(connection)
        .await?;
    Ok(found)
}
