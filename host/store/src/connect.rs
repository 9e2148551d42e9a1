//! Connections to a database file, with the settings that each use of it needs.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::open::Durability;

/// How long a statement waits for another process that has locked the file.
pub(crate) const LOCKED: Duration = Duration::from_secs(5);
/// Prepared statements that a connection keeps.
const STATEMENTS: usize = 512;
/// Of every connection of a store. The cache is for each connection and small: the system keeps the file's pages anyway, and to map
/// the file would count them once for every connection.
const SERVING: &str = "PRAGMA temp_store = memory; PRAGMA cache_size = -4000;";

/// The connection that writes. It makes the file where there is none.
pub(crate) fn writer(path: &Path, durability: Durability) -> rusqlite::Result<Connection> {
    let connection = open(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
    )?;
    // The page size is that of a database made now. The tables are kept in the order of their ids, and a record that does not
    // fit into a quarter of a page is read whole for every comparison on the way to it; those of volumes have a KiB or more.
    connection.execute_batch("PRAGMA page_size = 8192; PRAGMA journal_mode = WAL;")?;
    connection.execute_batch(match durability {
        Durability::Power => "PRAGMA synchronous = FULL;",
        Durability::Process => "PRAGMA synchronous = NORMAL;",
    })?;
    connection.execute_batch(SERVING)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

/// A connection that only reads the database which [`writer`] has open.
pub(crate) fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.execute_batch(SERVING)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

/// A database that is looked at from outside, whether or not a host serves from it.
pub(crate) fn visitor(path: &Path) -> rusqlite::Result<Connection> {
    open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

/// A copy that is nobody else's. No journal is left beside it.
pub(crate) fn copy(path: &Path) -> rusqlite::Result<Connection> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.execute_batch("PRAGMA journal_mode = DELETE;")?;
    Ok(connection)
}

/// Closes a connection and says what went wrong with that.
pub(crate) fn close(connection: Connection) -> rusqlite::Result<()> {
    connection.close().map_err(|(_, error)| error)
}

fn open(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    // Each connection is used by one thread at a time, so SQLite need not lock it once more.
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(LOCKED)?;
    // A plan for all values: otherwise each statement on a table with a partial index is planned anew whenever it gets values.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.execute_batch("PRAGMA foreign_keys = ON;")?;
    Ok(connection)
}
