//! Appends to the chains, inside the transaction of a commit: the end of a chain is read there, so that nothing that happens to
//! a commit can leave a gap.

use rusqlite::{Connection, ToSql};
use springform_model::audit::CHAIN;
use springform_model::audit::{Checkpoint, Entry, GENESIS, Link};
use springform_model::time::Timestamp;

use super::{AuditRecord, AuditStep};
use crate::error::StoreError;
use crate::statement::{execute, first, plain};
use crate::table::Record as _;

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
pub(crate) fn append(
    connection: &Connection,
    steps: &[AuditStep],
) -> Result<Vec<Appended>, StoreError> {
    let mut appended = Vec::with_capacity(steps.len());
    for step in steps {
        match step {
            AuditStep::Append(entry) => appended.push(one(connection, entry)?),
            AuditStep::Witness(entry) => {
                let mut entry = entry.clone();
                for (host, at) in ends(connection)? {
                    if host != entry.host {
                        entry = entry.with(format!("{CHAIN}{host}"), at.to_string());
                    }
                }
                appended.push(one(connection, &entry)?);
            }
            AuditStep::Prune { before, entry } => {
                appended.extend(prune(connection, *before, entry)?);
            }
        }
    }
    Ok(appended)
}

fn one(connection: &Connection, entry: &Entry) -> Result<Appended, StoreError> {
    let unwritable = |error: serde_json::Error| StoreError::Database(error.to_string());
    let last = end(connection, &entry.host)?;
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
    let mut binds: Vec<&dyn ToSql> = vec![&link.hash, &doc];
    binds.extend(columns.iter().map(|(_, value)| value as &dyn ToSql));
    execute(connection, &sql, &binds)?;
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
fn end(connection: &Connection, host: &str) -> rusqlite::Result<Option<Checkpoint>> {
    let sql = "SELECT seq, id FROM audit WHERE host = ? ORDER BY seq DESC LIMIT 1";
    first(connection, sql, &[&host], |row| {
        Ok(checkpoint(row.get(0)?, row.get(1)?))
    })
}

fn checkpoint(seq: i64, hash: String) -> Checkpoint {
    Checkpoint {
        seq: u64::try_from(seq).unwrap_or(0),
        hash,
    }
}

/// The last entry of every chain.
pub(super) fn ends(connection: &Connection) -> rusqlite::Result<Vec<(String, Checkpoint)>> {
    // SQLite takes the other columns from the row that has the maximum.
    let sql = "SELECT host, MAX(seq), id FROM audit GROUP BY host ORDER BY host";
    let mut statement = connection.prepare_cached(sql)?;
    let ends = statement.query_map((), |row| {
        Ok((row.get(0)?, checkpoint(row.get(1)?, row.get(2)?)))
    })?;
    ends.collect()
}

/// Removes what is older, from the beginning of each chain up to its first entry that is not.
fn prune(
    connection: &Connection,
    before: Timestamp,
    entry: &Entry,
) -> Result<Option<Appended>, StoreError> {
    let mut gone = Vec::new();
    let mut said = entry.clone();
    for (host, last) in ends(connection)? {
        // Clocks are corrected: what counts is the first that is to be kept, not every one that is older.
        let sql = "SELECT MIN(seq) FROM audit WHERE host = ? AND created_at >= ?";
        let kept: Option<i64> = connection.query_row(sql, (&host, before.0), |row| row.get(0))?;
        let sql = "SELECT MIN(seq) FROM audit WHERE host = ?";
        let first: i64 = connection.query_row(sql, (&host,), |row| row.get(0))?;
        let last = i64::try_from(last.seq).unwrap_or(i64::MAX);
        let through = kept.map_or(last, |kept| kept - 1);
        if through >= first {
            gone.push((host.clone(), through));
        }
        // Every chain that does not begin with its first entry is named again: the entry that named it may go now.
        let beginning = through.max(first - 1);
        if beginning > 0 {
            let hash = hash_of(connection, &host, beginning)?;
            said = said.with(
                format!("{CHAIN}{host}"),
                checkpoint(beginning, hash).to_string(),
            );
        }
    }
    if gone.is_empty() {
        return Ok(None);
    }
    let appended = one(connection, &said)?;
    let mark = "INSERT OR REPLACE INTO marks (id, revision, doc) VALUES ('audit-pruning', 1, '{}')";
    plain(connection, mark)?;
    for (host, through) in gone {
        let sql = "DELETE FROM audit WHERE host = ? AND seq <= ?";
        execute(connection, sql, &[&host, &through])?;
    }
    plain(connection, "DELETE FROM marks WHERE id = 'audit-pruning'")?;
    Ok(Some(appended))
}

/// The hash of an entry, or of one that is gone: the one behind it knows.
fn hash_of(connection: &Connection, host: &str, seq: i64) -> rusqlite::Result<String> {
    let sql = "SELECT id FROM audit WHERE host = ? AND seq = ? \
               UNION ALL SELECT json_extract(doc, '$.previous') FROM audit WHERE host = ? AND seq = ? LIMIT 1";
    connection.query_row(sql, (host, seq, host, seq + 1), |row| row.get(0))
}
