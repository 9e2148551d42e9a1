//! A consistent copy of a database, made while a host may be writing to it.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use springform_model::time::Timestamp;

use crate::apply::apply;
use crate::changes::Changes;
use crate::error::BackupError;
use crate::marks::BackupMark;
use crate::open::sound;
use crate::{blocking, connect};

/// Writes a backup of the database to a file that is not there yet. The copy is complete and on the disk when this
/// returns; until then the name does not exist.
///
/// # Errors
/// [`BackupError`]; nothing is left behind then.
pub async fn backup(database: &Path, to: &Path, now: Timestamp) -> Result<(), BackupError> {
    let (from, copy) = (database.to_owned(), to.to_owned());
    let made = blocking::run(move || make(&from, &copy, now)).await;
    made.unwrap_or_else(|| Err(BackupError::ends(database)))
}

fn make(database: &Path, to: &Path, now: Timestamp) -> Result<(), BackupError> {
    if to.symlink_metadata().is_ok() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    if !database.exists() {
        return Err(BackupError::NoDatabase(database.to_owned()));
    }
    let partial = beside_of(to);
    let made = write(database, &partial, now);
    let published = match made {
        Ok(()) => publish(&partial, to),
        Err(error) => Err(error),
    };
    // Of a copy that was published this is the second name.
    let _ = std::fs::remove_file(&partial);
    published
}

/// In the same folder, so that the copy gets its name without being copied again.
fn beside_of(to: &Path) -> PathBuf {
    let name = to.file_name().unwrap_or_default().to_string_lossy();
    to.with_file_name(format!(".{name}.{}.partial", std::process::id()))
}

fn write(database: &Path, partial: &Path, now: Timestamp) -> Result<(), BackupError> {
    // One that a killed backup of the same process id left behind.
    let _ = std::fs::remove_file(partial);
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(partial)
        .map_err(|error| BackupError::io(partial, error))?;
    let failed = |error: rusqlite::Error| BackupError::of(database, &error);
    let source = connect::visitor(database).map_err(failed)?;
    source
        .execute("VACUUM INTO ?", (partial.to_string_lossy(),))
        .map_err(failed)?;
    connect::close(source).map_err(failed)?;

    let copy = connect::copy(partial).map_err(failed)?;
    let damaged = |reason: String| BackupError::Damaged {
        path: database.to_owned(),
        reason,
    };
    sound(&copy).map_err(damaged)?;
    match tables(&copy).map_err(failed)? {
        Tables::None => {
            return Err(BackupError::NotOurs {
                path: database.to_owned(),
                reason: "its tables are not there".to_owned(),
            });
        }
        // A backup before the first start of a new release is of the schema of the old one.
        Tables::WithoutMarks => {}
        Tables::All => {
            let mark = Changes::new().put(&BackupMark::new(now));
            let marked = apply(&copy, &mark);
            marked.map_err(|error| damaged(error.to_string()))?;
        }
    }
    connect::close(copy).map_err(failed)?;
    file.sync_all()
        .map_err(|error| BackupError::io(partial, error))
}

/// Which of our tables a database has.
pub(crate) enum Tables {
    /// It is not ours.
    None,
    /// All but that of the marks, which came later.
    WithoutMarks,
    /// All.
    All,
}

/// Looks whether a database is one of ours.
pub(crate) fn tables(connection: &Connection) -> rusqlite::Result<Tables> {
    let mut statement =
        connection.prepare("SELECT name FROM sqlite_master WHERE type = 'table'")?;
    let names = statement.query_map((), |row| row.get::<_, String>(0))?;
    let names = names.collect::<rusqlite::Result<Vec<_>>>()?;
    let has = |name: &str| names.iter().any(|found| found == name);
    Ok(
        match ["_sqlx_migrations", "operations", "volumes"]
            .into_iter()
            .all(has)
        {
            false => Tables::None,
            true if has("marks") => Tables::All,
            true => Tables::WithoutMarks,
        },
    )
}

/// Gives a finished copy its name, unless somebody else took that meanwhile.
fn publish(partial: &Path, to: &Path) -> Result<(), BackupError> {
    match std::fs::hard_link(partial, to) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(BackupError::Exists(to.to_owned()));
        }
        // A file system without links.
        Err(_) => std::fs::rename(partial, to).map_err(|error| BackupError::io(to, error))?,
    }
    sync_folder(to)
}

/// Makes the names in a file's folder as durable as the file.
pub(crate) fn sync_folder(of: &Path) -> Result<(), BackupError> {
    let folder = match of.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| BackupError::io(folder, error))
}
