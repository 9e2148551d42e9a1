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
    /// Other users could read or exchange it.
    #[error("the database {} is not safe from other users: {} has the mode {mode:04o}; run `chmod {wanted} {}`", .path.display(), .what.display(), .what.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// What others may use.
        what: PathBuf,
        /// Its mode.
        mode: u32,
        /// What `chmod` is to be told.
        wanted: &'static str,
    },
    /// It is sealed, and no key was given.
    #[error("the secrets in the database {} are sealed with the key {wanted}, and there is no key; put back the key's file, or name where the key is with `sealing_key_file`, `sealing_key_env` or `sealing_key_credential` in [service]", .path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
        /// Id of the key.
        wanted: String,
    },
    /// It is sealed with another key.
    #[error("the secrets in the database {} are sealed with the key {wanted}, and the key given is {given}; put back the key that belongs to this database, or the database that belongs to this key", .path.display())]
    WrongKey {
        /// The file.
        path: PathBuf,
        /// Id of the key it is sealed with.
        wanted: String,
        /// Ids of the keys that were given.
        given: String,
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

/// Why a backup could not be made or restored. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is a file of that name.
    #[error("{} exists already and is not overwritten; name another file", .0.display())]
    Exists(PathBuf),
    /// There is no such database.
    #[error("there is no file {}", .0.display())]
    NoDatabase(PathBuf),
    /// A host serves from it.
    #[error("the database {} is in use by a running host; stop the host first", .0.display())]
    InUse(PathBuf),
    /// The database that was to be backed up is broken: a backup of it would be one as well.
    #[error("the database {} is damaged: {reason}; no backup was made, restore it from the last one", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        reason: String,
    },
    /// It is no database, a damaged one, or one of another program.
    #[error("{} is not a sound Springform database: {reason}; nothing was changed", .path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// What is missing.
        reason: String,
    },
    /// A later release wrote it.
    #[error("{} was written by a newer release of Springform (schema {found}, this release knows up to {known}); restore it with that release; nothing was changed", .path.display())]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// Schema version found.
        found: i64,
        /// Newest schema version of this release.
        known: i64,
    },
    /// Its secrets are sealed with a key that is not there.
    #[error("the secrets in {} are sealed with the key {wanted}, and the key given is {given}; put back the key that was in use when it was made, then restore it; nothing was changed", .path.display())]
    WrongKey {
        /// The file.
        path: PathBuf,
        /// Id of the key it is sealed with.
        wanted: String,
        /// Ids of the keys that were given, or `none`.
        given: String,
    },
    /// Anything else.
    #[error("{}: {reason}", .path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// What was said.
        reason: String,
    },
}

impl BackupError {
    pub(crate) fn io(path: &std::path::Path, error: std::io::Error) -> Self {
        Self::Other {
            path: path.to_owned(),
            reason: error.to_string(),
        }
    }

    pub(crate) fn ends(path: &std::path::Path) -> Self {
        Self::Other {
            path: path.to_owned(),
            reason: crate::blocking::ENDS.to_owned(),
        }
    }

    pub(crate) fn of(path: &std::path::Path, error: &rusqlite::Error) -> Self {
        let (path, reason) = (path.to_owned(), words(error));
        match code(error) {
            11 | 26 => Self::NotOurs { path, reason },
            _ => Self::Other { path, reason },
        }
    }
}

/// Why a database cannot be opened.
pub(crate) fn refused(path: &std::path::Path, error: &rusqlite::Error) -> OpenError {
    let (path, reason) = (path.to_owned(), words(error));
    match code(error) {
        8 => OpenError::ReadOnly { path, reason },
        11 | 26 => OpenError::Corrupt { path, reason },
        _ => OpenError::Other { path, reason },
    }
}

/// SQLite's result code with its second part, which says more; 0 for what is not its own.
pub(crate) fn extended_code(error: &rusqlite::Error) -> i32 {
    match error {
        rusqlite::Error::SqliteFailure(error, _) | rusqlite::Error::SqlInputError { error, .. } => {
            error.extended_code
        }
        _ => 0,
    }
}

/// SQLite's primary result code; 0 for what is not its own.
pub(crate) fn code(error: &rusqlite::Error) -> i32 {
    extended_code(error) & 0xff
}

/// SQLite's own words.
pub(crate) fn words(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        other => other.to_string(),
    }
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
    /// The store cannot be read or written now: the disk is full or fails, the file is read-only, locked or damaged. The same may
    /// succeed later.
    #[error("{0}")]
    Unavailable(String),
    /// The database failed in a way that trying again does not change.
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

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let what = match code(&error) {
            13 => "the disk is full",
            8 => "the database is read-only",
            9 => "it takes too long",
            5 | 6 => "another process has locked the database",
            10 => "the disk of the database fails",
            11 | 26 => "the database is damaged",
            14 => "the database file cannot be opened",
            7 => "there is no memory for the database",
            _ => return Self::Database(words(&error)),
        };
        Self::Unavailable(format!("{what} ({})", words(&error)))
    }
}
