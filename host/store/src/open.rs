//! Opening: whatever is wrong with the file is said before the first request is served.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, SqliteConnection};
use tokio::sync::mpsc;

use crate::error::{OpenError, code};
use crate::kept::Shelf;
use crate::lock::{lock, resolve};
use crate::outage::Health;
use crate::plans::Plans;
use crate::private;
use crate::seal::{Keyring, Lockout, unlock};
use crate::writer;
use crate::{Inner, Store};

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

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
    /// Connections that read at once.
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

pub(crate) async fn open(path: &Path, options: StoreOptions) -> Result<Store, OpenError> {
    let fresh = std::fs::metadata(path).map_or(0, |file| file.len()) == 0;
    writable(path)?;
    let path = &resolve(path)?;
    private::tighten(path)?;
    let lock = lock(path)?;
    warn_of_other_names(path);
    let connect = connect_options(path, &options)?;
    let mut connection = connect
        .connect()
        .await
        .map_err(|error| refused(path, &error))?;
    sound(&mut connection)
        .await
        .map_err(|reason| OpenError::Corrupt {
            path: path.to_owned(),
            reason,
        })?;
    migrate(path, &mut connection).await?;
    let cipher = unlock(&mut connection, options.keys.as_ref(), fresh)
        .await
        .map_err(|lockout| locked_out(path, lockout))?;
    let readers = SqlitePoolOptions::new()
        .max_connections(options.readers.max(1))
        .acquire_timeout(Duration::from_secs(10))
        .test_before_acquire(false)
        .connect_lazy_with(connect.read_only(true));
    let (sender, jobs) = mpsc::channel(writer::QUEUE);
    let shelf = Arc::new(Shelf::default());
    let health = Arc::new(Health::new(path));
    let writer = writer::run(connection, jobs, shelf.clone(), health.clone());
    Ok(Store::assemble(Inner {
        jobs: Mutex::new(Some(sender)),
        readers,
        shelf,
        health,
        plans: options.explain.then(Plans::default),
        cipher,
        writer: Mutex::new(Some(tokio::spawn(writer))),
        lock: Mutex::new(Some(lock)),
    }))
}

fn connect_options(path: &Path, options: &StoreOptions) -> Result<SqliteConnectOptions, OpenError> {
    let url = "sqlite:";
    let connect = SqliteConnectOptions::from_str(url).map_err(|error| refused(path, &error))?;
    Ok(connect
        .filename(path)
        // Of a database that is made now. The tables are kept in the order of their ids, and a record that does not fit
        // into a quarter of a page is read whole for every comparison on the way to it; those of volumes have a KiB or more.
        .page_size(8192)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(match options.durability {
            Durability::Power => SqliteSynchronous::Full,
            Durability::Process => SqliteSynchronous::Normal,
        })
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
        .statement_cache_capacity(512)
        // A page of a list in one go: a full buffer stops the database's thread until somebody has read.
        .row_buffer_size(1024)
        .pragma("temp_store", "memory")
        // For each connection. The system keeps the file's pages anyway; to map the file would count them once for every
        // connection.
        .pragma("cache_size", "-4000")
        .disable_statement_logging())
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
pub(crate) async fn sound(connection: &mut SqliteConnection) -> Result<(), String> {
    let found: Result<String, _> = sqlx::query_scalar("PRAGMA quick_check(1)")
        .fetch_one(connection)
        .await;
    match found {
        Ok(found) if found == "ok" => Ok(()),
        Ok(found) => Err(found.replace('\n', " ")),
        Err(sqlx::Error::Database(error)) => Err(error.message().to_owned()),
        Err(error) => Err(error.to_string()),
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

pub(crate) async fn migrate(
    path: &Path,
    connection: &mut SqliteConnection,
) -> Result<(), OpenError> {
    match MIGRATIONS.run_direct(connection).await {
        Ok(()) => Ok(()),
        Err(MigrateError::VersionMissing(found)) => Err(OpenError::NewerSchema {
            path: path.to_owned(),
            found,
            known: MIGRATIONS
                .iter()
                .map(|migration| migration.version)
                .max()
                .unwrap_or(0),
        }),
        Err(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => {
            Err(refused(path, &error))
        }
        Err(error) => Err(OpenError::Other {
            path: path.to_owned(),
            reason: error.to_string(),
        }),
    }
}

fn refused(path: &Path, error: &sqlx::Error) -> OpenError {
    let path = path.to_owned();
    let reason = match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        other => other.to_string(),
    };
    match code(error) {
        8 => OpenError::ReadOnly { path, reason },
        11 | 26 => OpenError::Corrupt { path, reason },
        _ => OpenError::Other { path, reason },
    }
}
