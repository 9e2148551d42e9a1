//! The database belongs to the host's user alone: its files are 0600, and nobody else may put others in their place.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::error::OpenError;

/// What SQLite and we keep beside the database.
const BESIDE: &[&str] = &["", "-wal", "-shm", "-journal", ".lock"];

/// Opens a file for writing, made for its owner alone where it is not there.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
}

/// Takes the database's files from other users. Releases before this one made them as the umask had it.
///
/// # Errors
/// A directory in which others could exchange the files, and files that are somebody else's. Each says the command.
pub(crate) fn tighten(database: &Path) -> Result<(), OpenError> {
    let folder = match database.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if let Ok(data) = fs::metadata(folder) {
        let mode = data.permissions().mode();
        // With the sticky bit, as `/tmp` has it, others may add files and not exchange ours.
        if mode & 0o022 != 0 && mode & 0o1000 == 0 {
            return Err(exposed(database, folder, mode, "go-w"));
        }
    }
    for suffix in BESIDE {
        let mut name = database.as_os_str().to_owned();
        name.push(suffix);
        let path = PathBuf::from(name);
        let Ok(data) = fs::metadata(&path) else {
            continue;
        };
        let mode = data.permissions().mode();
        if mode & 0o077 == 0 {
            continue;
        }
        fs::set_permissions(&path, Permissions::from_mode(mode & 0o700))
            .map_err(|_| exposed(database, &path, mode, "go="))?;
        tracing::warn!(path = %path.display(), was = format!("{:04o}", mode & 0o7777), "the file was open to other users, and is private now");
    }
    Ok(())
}

fn exposed(database: &Path, what: &Path, mode: u32, wanted: &'static str) -> OpenError {
    OpenError::Exposed {
        path: database.to_owned(),
        what: what.to_owned(),
        mode: mode & 0o7777,
        wanted,
    }
}
