//! Puts a backup in the place of a database. The host that used it must not run; what is replaced is kept aside.

use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use springform_model::audit::Entry;
use springform_model::time::Timestamp;

use crate::apply::apply;
use crate::backup::{Tables, sync_folder, tables};
use crate::changes::Changes;
use crate::error::{BackupError, OpenError, StoreError};
use crate::lock::{beside, lock, resolve};
use crate::marks::{BackupMark, RestoreMark};
use crate::migrate::migrate;
use crate::open::{locked_out, sound};
use crate::seal::{Keyring, is_known};
use crate::statement::{first, plain};
use crate::{blocking, connect};

/// What a restore did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Where the database is that was replaced; `None` where there was none.
    pub replaced: Option<PathBuf>,
    /// When the backup was made; `None` where it is a plain copy of a database.
    pub backup_made_at: Option<Timestamp>,
}

/// Puts a copy of `from` in the place of `database` and marks it as restored ([`RestoreMark`]). `from` itself stays as it is. One
/// that is sealed has to open with one of these keys. The entry is appended to the audit log of what is restored.
///
/// # Errors
/// [`BackupError`]; the database is then still the one it was.
pub async fn restore(
    database: &Path,
    from: &Path,
    keys: Option<&Keyring>,
    now: Timestamp,
    audit: Option<&Entry>,
) -> Result<Restored, BackupError> {
    let (file, from) = (database.to_owned(), from.to_owned());
    let (keys, audit) = (keys.cloned(), audit.cloned());
    let work = move || put_in_place(&file, &from, keys.as_ref(), now, audit.as_ref());
    let restored = blocking::run(work).await;
    restored.unwrap_or_else(|| Err(BackupError::ends(database)))
}

fn put_in_place(
    database: &Path,
    from: &Path,
    keys: Option<&Keyring>,
    now: Timestamp,
    audit: Option<&Entry>,
) -> Result<Restored, BackupError> {
    let database = resolve(database)?;
    let held = lock(&database)?;
    let copy = beside(&database, ".restoring");
    let outcome = replace(&database, from, &copy, keys, now, audit);
    for suffix in ["", "-wal", "-shm", "-journal"] {
        // Of a restore that went well there is none left.
        let _ = std::fs::remove_file(beside(&copy, suffix));
    }
    let outcome = outcome?;
    drop(held);
    Ok(outcome)
}

fn replace(
    database: &Path,
    from: &Path,
    copy: &Path,
    keys: Option<&Keyring>,
    now: Timestamp,
    audit: Option<&Entry>,
) -> Result<Restored, BackupError> {
    take_copy(database, from, copy)?;
    let backup_made_at = prepare(from, copy, keys, now, audit)?;
    let file = std::fs::File::open(copy).map_err(|error| BackupError::io(copy, error))?;
    file.sync_all()
        .map_err(|error| BackupError::io(copy, error))?;
    let replaced = set_aside(database, now)?;
    std::fs::rename(copy, database).map_err(|error| BackupError::io(database, error))?;
    sync_folder(database)?;
    Ok(Restored {
        replaced,
        backup_made_at,
    })
}

/// Copies the backup beside the database, with the rights of what it replaces.
fn take_copy(database: &Path, from: &Path, copy: &Path) -> Result<(), BackupError> {
    let found = std::fs::metadata(from).map_err(|error| match error.kind() {
        ErrorKind::NotFound => BackupError::NoDatabase(from.to_owned()),
        _ => BackupError::io(from, error),
    })?;
    let old = std::fs::metadata(database).ok();
    if old
        .as_ref()
        .is_some_and(|old| (old.dev(), old.ino()) == (found.dev(), found.ino()))
    {
        return Err(BackupError::Other {
            path: from.to_owned(),
            reason: "it is the database itself".to_owned(),
        });
    }
    for suffix in ["", "-wal"] {
        let (source, target) = (beside(from, suffix), beside(copy, suffix));
        let _ = std::fs::remove_file(&target);
        match std::fs::copy(&source, &target) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound && suffix == "-wal" => {}
            Err(error) => return Err(BackupError::io(&source, error)),
        }
    }
    let mode = old.as_ref().map_or(0o600, |old| old.mode() & 0o777);
    std::fs::set_permissions(copy, std::fs::Permissions::from_mode(mode))
        .map_err(|error| BackupError::io(copy, error))?;
    if let Some(old) = old {
        // Restored by root, served by another user.
        std::os::unix::fs::chown(copy, Some(old.uid()), Some(old.gid()))
            .map_err(|error| BackupError::io(copy, error))?;
    }
    Ok(())
}

/// Looks whether the copy is a sound database of ours, brings its schema up to date and marks it.
fn prepare(
    from: &Path,
    copy: &Path,
    keys: Option<&Keyring>,
    now: Timestamp,
    audit: Option<&Entry>,
) -> Result<Option<Timestamp>, BackupError> {
    let failed = |error: rusqlite::Error| BackupError::of(from, &error);
    let connection = connect::copy(copy).map_err(failed)?;
    sound(&connection).map_err(|reason| BackupError::NotOurs {
        path: from.to_owned(),
        reason,
    })?;
    if matches!(tables(&connection).map_err(failed)?, Tables::None) {
        return Err(BackupError::NotOurs {
            path: from.to_owned(),
            reason: "its tables are not there".to_owned(),
        });
    }
    migrate(from, &connection)?;
    is_known(&connection, keys).map_err(|lockout| locked_out(from, lockout))?;
    let made = made_at(&connection).map_err(failed)?;
    let marks = Changes::new()
        .put(&RestoreMark::new(now, made))
        .remove::<BackupMark>(BackupMark::ID);
    let marks = match audit {
        Some(entry) => marks.audit(entry.clone()),
        None => marks,
    };
    mark(&connection, &marks).map_err(|error| BackupError::Other {
        path: copy.to_owned(),
        reason: error.to_string(),
    })?;
    connect::close(connection).map_err(failed)?;
    Ok(made)
}

fn mark(connection: &Connection, marks: &Changes) -> Result<(), StoreError> {
    plain(connection, "BEGIN IMMEDIATE")?;
    apply(connection, marks)?;
    Ok(plain(connection, "COMMIT")?)
}

fn made_at(connection: &Connection) -> rusqlite::Result<Option<Timestamp>> {
    let text = "SELECT doc FROM marks WHERE id = ?";
    let doc = first(connection, text, &[&BackupMark::ID], |row| {
        row.get::<_, String>(0)
    });
    let mark = doc?.and_then(|doc| serde_json::from_str::<BackupMark>(&doc).ok());
    Ok(mark.map(|mark| mark.made_at))
}

/// Gives the present database a second name. The first one stays until the rename that replaces it, so that a crash in
/// between never leaves a host without a database: it would begin with an empty one.
fn set_aside(database: &Path, now: Timestamp) -> Result<Option<PathBuf>, BackupError> {
    if !database.exists() {
        // A journal without its database would be taken for that of the new one.
        return clear_journal(database).map(|()| None);
    }
    // 2026-11-29T12:40:29.123456 without what a shell would have to quote.
    let when = now.to_cinder().replace([':', '-', '.'], "");
    let aside = beside(database, &format!(".replaced-{when}"));
    // What only the journal has goes into the file; of a damaged database the journal is kept beside it as it is.
    if let Ok(connection) = connect::copy(database) {
        let _ = connect::close(connection);
    }
    for suffix in ["-wal", ""] {
        let (source, target) = (beside(database, suffix), beside(&aside, suffix));
        if source.exists() {
            let kept = match std::fs::hard_link(&source, &target) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                    // A file system without links.
                    std::fs::copy(&source, &target).map(drop)
                }
                other => other,
            };
            kept.map_err(|error| BackupError::io(&target, error))?;
        }
    }
    sync_folder(database)?;
    clear_journal(database)?;
    Ok(Some(aside))
}

fn clear_journal(database: &Path) -> Result<(), BackupError> {
    for suffix in ["-wal", "-shm", "-journal"] {
        let name = beside(database, suffix);
        match std::fs::remove_file(&name) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(BackupError::io(&name, error));
            }
            _ => {}
        }
    }
    Ok(())
}

impl From<OpenError> for BackupError {
    fn from(error: OpenError) -> Self {
        let sentence = error.to_string();
        match error {
            OpenError::Exposed { path, .. } => Self::Other {
                path,
                reason: sentence,
            },
            OpenError::InUse { path } => Self::InUse(path),
            OpenError::NewerSchema { path, found, known } => {
                Self::NewerSchema { path, found, known }
            }
            OpenError::ReadOnly { path, reason } | OpenError::Other { path, reason } => {
                Self::Other { path, reason }
            }
            OpenError::Corrupt { path, reason } => Self::NotOurs { path, reason },
            OpenError::NoKey { path, wanted } => Self::WrongKey {
                path,
                wanted,
                given: "none".to_owned(),
            },
            OpenError::WrongKey {
                path,
                wanted,
                given,
            } => Self::WrongKey {
                path,
                wanted,
                given,
            },
        }
    }
}
