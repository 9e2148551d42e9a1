//! Opening: whatever is wrong with the file is said before the first request is served.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use rusqlite::Connection;
use tokio::sync::mpsc;

use crate::connect;
use crate::error::{OpenError, refused, words};
use crate::kept::Shelf;
use crate::lock::{lock, resolve};
use crate::migrate::migrate;
use crate::outage::Health;
use crate::plans::Plans;
use crate::private;
use crate::readers::Readers;
use crate::seal::{Keyring, Lockout, unlock};
use crate::writer::{QUEUE, Writer};
use crate::{Inner, Store};

/// What a commit survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The end of the process, at any point, and the loss of power: one `fsync` for each group of commits.
    Power,
    /// The end of the process only. For tests and for benchmarks.
    Process,
}

/// Settings of a store.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// What a commit survives.
    pub durability: Durability,
    /// Lists and sums that are read at once; single rows are read besides.
    pub readers: u32,
    /// Whether every read is explained first, for [`Store::scans`]. Costs a second statement for each.
    pub explain: bool,
    /// What the secrets in it are sealed with. A database that is in clear, or sealed with an older key, is sealed with the first
    /// one when it is opened.
    pub keys: Option<Keyring>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            durability: Durability::Power,
            readers: 4,
            explain: false,
            keys: None,
        }
    }
}

/// Takes as long as it takes to look through the file.
pub(crate) fn open(path: &Path, options: &StoreOptions) -> Result<Store, OpenError> {
    let fresh = std::fs::metadata(path).map_or(0, |file| file.len()) == 0;
    writable(path)?;
    let path = &resolve(path)?;
    private::tighten(path)?;
    let lock = lock(path)?;
    warn_of_other_names(path);
    let connection =
        connect::writer(path, options.durability).map_err(|error| refused(path, &error))?;
    sound(&connection).map_err(|reason| OpenError::Corrupt {
        path: path.to_owned(),
        reason,
    })?;
    migrate(path, &connection)?;
    let cipher = unlock(&connection, options.keys.as_ref(), fresh)
        .map_err(|lockout| locked_out(path, lockout))?;
    let (sender, jobs) = mpsc::channel(QUEUE);
    let shelf = Arc::new(Shelf::default());
    let health = Arc::new(Health::new(path));
    let writer = Writer::start(connection, jobs, shelf.clone(), health.clone());
    let writer = writer.map_err(|error| OpenError::Other {
        path: path.to_owned(),
        reason: error.to_string(),
    })?;
    Ok(Store::assemble(Inner {
        jobs: Mutex::new(Some(sender)),
        readers: Arc::new(Readers::new(path, options.readers)),
        shelf,
        health,
        plans: options.explain.then(Plans::default),
        cipher,
        writer: Mutex::new(Some(writer)),
        lock: Mutex::new(Some(lock)),
    }))
}

pub(crate) fn locked_out(path: &Path, lockout: Lockout) -> OpenError {
    let path = path.to_owned();
    match lockout {
        Lockout::NoKey(wanted) => OpenError::NoKey { path, wanted },
        Lockout::WrongKey(wanted, given) => OpenError::WrongKey {
            path,
            wanted,
            given: given.join(", "),
        },
        Lockout::Damaged(reason) => OpenError::Corrupt { path, reason },
        Lockout::Failed(error) => OpenError::Other {
            path,
            reason: error.to_string(),
        },
    }
}

fn writable(path: &Path) -> Result<(), OpenError> {
    let read_only = |reason: String| OpenError::ReadOnly {
        path: path.to_owned(),
        reason,
    };
    // A privileged user may write all the same; that is not what the operator who protected the file wants.
    if let Ok(metadata) = std::fs::metadata(path)
        && metadata.permissions().readonly()
    {
        return Err(read_only("the file is read-only".to_owned()));
    }
    match private::open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(OpenError::Other {
            path: path.to_owned(),
            reason: "its directory does not exist".to_owned(),
        }),
        Err(error) => Err(read_only(error.to_string())),
    }
}

/// Looks through the whole file for pages that do not fit together, before anything is decided from them.
///
/// # Errors
/// What is wrong, in SQLite's words.
pub(crate) fn sound(connection: &Connection) -> Result<(), String> {
    let found = connection.query_row("PRAGMA quick_check(1)", (), |row| row.get::<_, String>(0));
    match found {
        Ok(found) if found == "ok" => Ok(()),
        Ok(found) => Err(found.replace('\n', " ")),
        Err(error) => Err(words(&error)),
    }
}

/// SQLite finds the journal by the name of the file: what is in it is lost to whoever opens the file by another name.
fn warn_of_other_names(path: &Path) {
    let names = std::fs::metadata(path).map_or(1, |file| file.nlink());
    if names > 1 {
        tracing::warn!(
            path = %path.display(), names,
            "the database file has other names (hard links); never open it by another one than this"
        );
    }
}
