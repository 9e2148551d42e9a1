//! One host per database, whatever name it was opened by: the lock is on the file itself, not on a path.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use crate::error::OpenError;
use crate::private;

/// Held as long as the database is open. The order of the fields is that of letting go.
#[derive(Debug)]
pub(crate) struct Lock {
    /// The database. Closing any descriptor of it ends SQLite's own locks, so this one outlives every connection.
    _file: Option<File>,
    /// The file beside it, which stays the same when a restore puts another database in its place.
    _beside: File,
}

/// The file that a path means, with links followed; one that is not there yet is named by its folder.
pub(crate) fn resolve(path: &Path) -> Result<PathBuf, OpenError> {
    let other = |error: std::io::Error| OpenError::Other {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    match path.canonicalize() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        found => return found.map_err(other),
    }
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let folder = folder.canonicalize().map_err(other)?;
    Ok(path
        .file_name()
        .map_or_else(|| path.to_owned(), |name| folder.join(name)))
}

/// Locks the database that this path means. `path` has its links followed already.
pub(crate) fn lock(path: &Path) -> Result<Lock, OpenError> {
    let beside = private::open(&beside(path, ".lock")).map_err(|error| OpenError::ReadOnly {
        path: path.to_owned(),
        reason: format!("its lock file: {error}"),
    })?;
    hold(path, &beside)?;
    // Another name of the same file has a lock file of its own; the file is one.
    let file = match File::open(path) {
        Ok(file) => Some(file),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            return Err(OpenError::Other {
                path: path.to_owned(),
                reason: error.to_string(),
            });
        }
    };
    if let Some(file) = &file {
        hold(path, file)?;
    }
    Ok(Lock {
        _file: file,
        _beside: beside,
    })
}

/// A name beside the database's.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn hold(path: &Path, file: &File) -> Result<(), OpenError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse {
            path: path.to_owned(),
        }),
        Err(TryLockError::Error(error)) => Err(OpenError::Other {
            path: path.to_owned(),
            reason: error.to_string(),
        }),
    }
}
