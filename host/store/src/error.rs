//! How the store refuses: at opening, in words an operator can act on; later, in kinds that the control acts on.

use std::path::PathBuf;

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file or its directory cannot be written.
    #[error("the database {} cannot be written: {reason}; make the file and its directory writable for the service's user, or set another path in [service] database", .path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// It is no database, or a broken one.
    #[error("the database {} is damaged or is not a Springform database: {reason}; restore it from a copy, or move it away to begin with an empty one", .path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        reason: String,
    },
    /// A later release wrote it.
    #[error("the database {} was written by a newer release of Springform (schema {found}, this release knows up to {known}); start that release, or restore the copy made before the upgrade", .path.display())]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// Schema version found.
        found: i64,
        /// Newest schema version of this release.
        known: i64,
    },
    /// Another host serves from it.
    #[error("the database {} is in use by another Springform process; stop that one first: two hosts on one file would run the same operations twice", .path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// Anything else.
    #[error("the database {} cannot be opened: {reason}", .path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// What was said.
        reason: String,
    },
}

/// Why a read or a commit failed. Nothing of a failed commit is kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// A record is not at the revision that was read: read again, decide again.
    #[error("{table} {id} was changed by somebody else")]
    Conflict {
        /// Table.
        table: &'static str,
        /// Record.
        id: String,
    },
    /// A unique column has this value already.
    #[error("another record of {table} has the same {column}")]
    Duplicate {
        /// Table.
        table: &'static str,
        /// Column.
        column: String,
    },
    /// A guard of the commit does not hold.
    #[error("limit {name} of {limit} would be exceeded: {used} used")]
    Limit {
        /// The name the guard was given.
        name: String,
        /// The limit.
        limit: i64,
        /// What would be used after the commit.
        used: i64,
    },
    /// The marker of a page is not a record.
    #[error("marker {0} could not be found")]
    NoMarker(String),
    /// A query names a column the table does not have.
    #[error("{table} has no column {column}")]
    NoColumn {
        /// Table.
        table: &'static str,
        /// Column.
        column: String,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// The database failed.
    #[error("the database failed: {0}")]
    Database(String),
}

impl StoreError {
    /// Whether reading again and deciding again may succeed.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict { .. })
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::PoolClosed => Self::Closed,
            other => Self::Database(other.to_string()),
        }
    }
}
