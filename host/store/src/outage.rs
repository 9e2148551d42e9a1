//! A store that cannot write says so, and looks by itself whether it can again.
//!
//! While it lasts, new requests are refused at once; whoever holds a [`Store::patient`](crate::Store::patient) store waits. It is
//! over only when as much could be written as failed before: a nearly full disk still takes small commits, and to let those
//! through would end an operation by the commit that says it failed.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::error::StoreError;
use crate::statement::execute;

/// Between two looks whether the store writes again.
const PROBE: Duration = Duration::from_millis(500);
/// Bytes a look writes at least and at most.
const BYTES: (usize, usize) = (16 << 10, 8 << 20);

/// A write that a test may let fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// A commit of so many bytes.
    Commit(usize),
    /// A look whether commits succeed again.
    Probe,
}

/// What becomes of a write. For tests: a disk that fails can otherwise not be had at a chosen commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is carried out.
    None,
    /// It fails and nothing is written.
    Before(String),
    /// It is written, and its sender is told that it failed.
    After(String),
}

/// Decides on each write.
pub type FaultHook = Arc<dyn Fn(Attempt) -> Fault + Send + Sync>;

/// Whether the store can write.
pub(crate) struct Health {
    /// The database.
    path: PathBuf,
    outage: watch::Sender<Option<Outage>>,
    hook: Mutex<Option<FaultHook>>,
}

#[derive(Debug, Clone)]
struct Outage {
    reason: String,
    bytes: usize,
    since: Instant,
    next: Instant,
}

impl Health {
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            outage: watch::channel(None).0,
            hook: Mutex::default(),
        }
    }

    /// Lets a test decide on each write from now on.
    pub(crate) fn hook(&self, hook: Option<FaultHook>) {
        if let Ok(mut slot) = self.hook.lock() {
            *slot = hook;
        }
    }

    pub(crate) fn fault(&self, attempt: Attempt) -> Fault {
        let hook = self.hook.lock().ok().and_then(|hook| hook.clone());
        hook.map_or(Fault::None, |hook| hook(attempt))
    }

    /// Why nothing can be written now.
    pub(crate) fn reason(&self) -> Option<String> {
        let outage = self.outage.borrow();
        outage.as_ref().map(|outage| outage.reason.clone())
    }

    /// When to look again.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.outage.borrow().as_ref().map(|outage| outage.next)
    }

    /// Resolves when the store can write.
    pub(crate) async fn recovered(&self) {
        let mut outage = self.outage.subscribe();
        // The sender is a field of this.
        let _ = outage.wait_for(Option::is_none).await;
    }

    /// Lets nobody wait any longer: the store is closed.
    pub(crate) fn close(&self) {
        self.outage.send_replace(None);
    }

    /// A write of so many bytes failed.
    pub(crate) fn failed(&self, reason: &str, bytes: usize) {
        // SQLite has one word for all that is wrong with a disk; the system says which it is.
        let reason = match beside(&self.path) {
            Err(said) => &format!("{reason}: {said}"),
            Ok(()) => reason,
        };
        self.outage.send_modify(|outage| {
            let now = Instant::now();
            let before = outage.take();
            if before.is_none() {
                tracing::error!(
                    reason,
                    "nothing can be written: new requests are refused, operations wait"
                );
            }
            *outage = Some(Outage {
                reason: reason.to_owned(),
                bytes: before.as_ref().map_or(0, |before| before.bytes).max(bytes),
                since: before.map_or(now, |before| before.since),
                next: now + PROBE,
            });
        });
    }

    /// Looks whether as much can be written as failed.
    pub(crate) fn look(&self, connection: &Connection) {
        let outage = self.outage.borrow().clone();
        let Some(outage) = outage else { return };
        let written = match self.fault(Attempt::Probe) {
            Fault::None => write(connection, outage.bytes),
            Fault::Before(reason) | Fault::After(reason) => Err(StoreError::Unavailable(reason)),
        };
        match written {
            Ok(()) => {
                tracing::info!(
                    seconds = outage.since.elapsed().as_secs(),
                    "the store writes again"
                );
                self.outage.send_replace(None);
            }
            Err(error) => self.failed(&error.to_string(), 0),
        }
    }
}

/// Writes a file beside the database as durably as a commit. Never the database itself: closing it would end SQLite's locks.
fn beside(database: &Path) -> std::io::Result<()> {
    let path = crate::lock::beside(database, ".probe");
    let written = std::fs::File::create(&path).and_then(|mut file| {
        file.write_all(&[0; 4096])?;
        file.sync_all()
    });
    match std::fs::remove_file(&path) {
        Ok(()) => written,
        Err(error) => written.and(Err(error)),
    }
}

fn write(connection: &Connection, bytes: usize) -> Result<(), StoreError> {
    let digits = i64::try_from(bytes.clamp(BYTES.0, BYTES.1) / 2).unwrap_or(0);
    let text =
        "INSERT OR REPLACE INTO marks (id, revision, doc) VALUES ('probe', 1, hex(zeroblob(?)))";
    execute(connection, text, &[&digits])?;
    execute(connection, "DELETE FROM marks WHERE id = 'probe'", &[])?;
    Ok(())
}
