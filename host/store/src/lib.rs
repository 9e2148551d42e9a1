//! The database: one document table for each noun, optimistic commits, one writer with group commit, many readers.
//!
//! Law 4 needs that a noun and the operation that changes it are written together; [`Changes`] is that "together".
//! Nothing here knows what a volume does: decisions are made by the control crate on what it read, and a commit is
//! refused when that is no longer true ([`StoreError::Conflict`]).
#![deny(missing_docs)]

mod apply;
mod audit;
mod backup;
mod blocking;
mod changes;
mod connect;
mod error;
mod kept;
mod lock;
mod marks;
mod migrate;
mod open;
mod outage;
mod park;
mod patience;
mod plans;
mod private;
mod query;
mod read;
mod readers;
mod records;
mod restore;
mod seal;
mod statement;
mod table;
mod writer;

use std::path::Path;
use std::sync::{Arc, Mutex};

use rusqlite::Connection;
use tokio::sync::mpsc;

pub use audit::{AuditFileError, AuditRecord, AuditRow, audit_heads, verify_audit, visit_audit};
pub use backup::backup;
pub use changes::{Changes, Measure, Total};
pub use error::{BackupError, OpenError, StoreError};
pub use marks::{BackupMark, RestoreMark};
pub use open::{Durability, StoreOptions};
pub use outage::{Attempt, Fault, FaultHook};
pub use query::{Direction, Filter, Order, Query};
pub use records::verb_word;
pub use restore::{Restored, restore};
pub use seal::{KeyError, Keyring, SealingKey, sealed_with};
pub use table::{DOCUMENT_COLUMNS, Record, Stored, Table, Value};

use kept::Shelf;
use lock::Lock;
use outage::Health;
use plans::Plans;
use query::Sql;
use readers::Readers;
use seal::Cipher;
use writer::{Job, Writer};

/// The database. Cheap to clone; the last clone that goes ends the writer after what is queued.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
    patient: bool,
}

struct Inner {
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    readers: Arc<Readers>,
    shelf: Arc<Shelf>,
    health: Arc<Health>,
    plans: Option<Plans>,
    cipher: Option<Cipher>,
    writer: Mutex<Option<Writer>>,
    lock: Mutex<Option<Lock>>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    /// Opens or makes the database and brings its schema up to date. It has no key: a database that is sealed is refused, and
    /// what is written to another is in clear. For tests.
    ///
    /// # Errors
    /// [`OpenError`], each in words for the operator.
    pub async fn open(path: &Path) -> Result<Self, OpenError> {
        Self::open_with(path, StoreOptions::default()).await
    }

    /// As [`Store::open`], with other settings than the default ones.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_with(path: &Path, options: StoreOptions) -> Result<Self, OpenError> {
        let file = path.to_owned();
        let opened = blocking::run(move || open::open(&file, &options)).await;
        opened.unwrap_or_else(|| {
            Err(OpenError::Other {
                path: path.to_owned(),
                reason: blocking::ENDS.to_owned(),
            })
        })
    }

    fn assemble(inner: Inner) -> Self {
        Self {
            inner: Arc::new(inner),
            patient: false,
        }
    }

    /// Writes what is queued and closes the file. Whatever is asked of the store later is refused with [`StoreError::Closed`].
    pub async fn close(&self) {
        // Readers first: only the writer may put the journal into the file and remove it, as the last to close it.
        self.inner.readers.close().await;
        drop(take(&self.inner.jobs));
        if let Some(writer) = take(&self.inner.writer) {
            writer.ended().await;
        }
        self.inner.health.close();
        drop(take(&self.inner.lock));
    }

    /// Whether this database was restored and its records were not brought up to the arrays since.
    ///
    /// # Errors
    /// [`StoreError::Database`] when it cannot be read.
    pub async fn restored(&self) -> Result<Option<RestoreMark>, StoreError> {
        let mark = self.get::<RestoreMark>(RestoreMark::ID).await?;
        Ok(mark.map(|stored| stored.record))
    }

    /// Statements that had to read a whole table or sort what they found, as `statement: plan`; empty unless the store
    /// was opened with [`StoreOptions::explain`].
    #[must_use]
    pub fn scans(&self) -> Vec<String> {
        self.inner
            .plans
            .as_ref()
            .map(Plans::list)
            .unwrap_or_default()
    }
}

impl Inner {
    fn look(&self, connection: &Connection, sql: &Sql) -> Result<(), StoreError> {
        match &self.plans {
            Some(plans) => plans.look(connection, sql),
            None => Ok(()),
        }
    }
}

fn take<T>(slot: &Mutex<Option<T>>) -> Option<T> {
    slot.lock().ok().and_then(|mut slot| slot.take())
}
