//! Connections that read.
//!
//! Most reads take less time than the way to another thread and back, so they are done where they are asked for, but no more than
//! [`STEPS`] of them. What takes longer, or has to wait for a lock, is done on a thread that may, as many at once as the options
//! say. Either has a connection to itself meanwhile.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::blocking;
use crate::connect::{LOCKED, reader};
use crate::error::StoreError;

/// How long a long read waits for those before it.
const TURN: Duration = Duration::from_secs(10);
/// Instructions of SQLite's machine after which a read is given up where it was asked for: less than a millisecond.
const STEPS: i32 = 10_000;

/// Where a read is done.
#[derive(Clone, Copy)]
enum Place {
    /// On a thread that serves others.
    Here,
    /// On one that may wait.
    Aside,
}

/// The connections, and who has one.
pub(crate) struct Readers {
    path: PathBuf,
    state: Mutex<State>,
    turns: Arc<Semaphore>,
    returned: Notify,
}

#[derive(Default)]
struct State {
    idle: Vec<Connection>,
    lent: usize,
    closed: bool,
}

impl Readers {
    /// Of this file; so many long reads at once.
    pub(crate) fn new(path: &Path, long: u32) -> Self {
        Self {
            path: path.to_owned(),
            state: Mutex::default(),
            turns: Arc::new(Semaphore::new(long.max(1) as usize)),
            returned: Notify::new(),
        }
    }

    /// Reads on this thread. `None`: it is not to be had at once; [`Readers::aside`] gets it, or says why not.
    pub(crate) fn here<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        match self.with(Place::Here, read) {
            Err(StoreError::Unavailable(_)) => Ok(None),
            read => read.map(Some),
        }
    }

    /// Reads on a thread that may wait.
    pub(crate) async fn aside<T: Send + 'static>(
        self: &Arc<Self>,
        read: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let turn = self.turn().await?;
        let readers = self.clone();
        let work = move || {
            let _turn = turn;
            readers.with(Place::Aside, read)
        };
        blocking::run(work).await.unwrap_or(Err(StoreError::Closed))
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit, StoreError> {
        if let Ok(turn) = self.turns.clone().try_acquire_owned() {
            return Ok(turn);
        }
        match timeout(TURN, self.turns.clone().acquire_owned()).await {
            Ok(turn) => turn.map_err(|_| StoreError::Closed),
            Err(_) => Err(StoreError::Unavailable(format!(
                "the database does not answer (no read ended within {} s)",
                TURN.as_secs()
            ))),
        }
    }

    fn with<T>(
        &self,
        place: Place,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        // Given back after the connection is, or is closed.
        let (_lent, idle) = self.lend()?;
        let mut connection = match idle {
            Some(connection) => connection,
            None => reader(&self.path)?,
        };
        match place {
            Place::Here => {
                connection.busy_timeout(Duration::ZERO)?;
                connection.progress_handler(STEPS, Some(|| true))?;
            }
            Place::Aside => {
                connection.busy_timeout(LOCKED)?;
                connection.progress_handler(0, None::<fn() -> bool>)?;
            }
        }
        let outcome = read(&connection);
        let mut state = self.state();
        if !state.closed {
            state.idle.push(connection);
        }
        outcome
    }

    fn lend(&self) -> Result<(Lent<'_>, Option<Connection>), StoreError> {
        let mut state = self.state();
        if state.closed {
            return Err(StoreError::Closed);
        }
        state.lent += 1;
        // That which was used last has its pages still.
        Ok((Lent(self), state.idle.pop()))
    }

    /// Returns once every connection is closed.
    pub(crate) async fn close(&self) {
        let idle = {
            let mut state = self.state();
            state.closed = true;
            std::mem::take(&mut state.idle)
        };
        self.turns.close();
        drop(idle);
        loop {
            // Asked for first, so that what is given back in between is not missed.
            let returned = self.returned.notified();
            if self.state().lent == 0 {
                return;
            }
            returned.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here can panic half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection is out.
struct Lent<'a>(&'a Readers);

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.lent = state.lent.saturating_sub(1);
        if state.closed {
            self.0.returned.notify_waiters();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::connect::writer;
    use crate::open::Durability;

    fn readers(long: u32) -> (tempfile::TempDir, Connection, Arc<Readers>) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("db");
        let writer = writer(&file, Durability::Process).unwrap();
        writer.execute_batch("CREATE TABLE t (n)").unwrap();
        let readers = Arc::new(Readers::new(&file, long));
        (folder, writer, readers)
    }

    fn rows(connection: &Connection) -> Result<i64, StoreError> {
        let text = "SELECT COUNT(*) FROM t";
        Ok(connection.query_row(text, (), |row| row.get(0))?)
    }

    #[tokio::test]
    async fn a_long_read_holds_up_neither_the_runtime_nor_a_short_one() {
        let (_folder, _writer, readers) = readers(1);
        let slow = tokio::spawn({
            let readers = readers.clone();
            async move {
                let slow = |connection: &Connection| {
                    std::thread::sleep(Duration::from_millis(300));
                    rows(connection)
                };
                readers.aside(slow).await
            }
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(readers.here(rows), Ok(Some(0)));
        assert!(!slow.is_finished());
        assert_eq!(slow.await.unwrap(), Ok(0));
    }

    #[tokio::test]
    async fn what_takes_long_or_waits_for_a_lock_is_not_to_be_had_here() {
        let (_folder, writer, readers) = readers(1);
        let long = |connection: &Connection| {
            let text =
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
                        SELECT COUNT(*) FROM n";
            Ok(connection.query_row(text, (), |row| row.get::<_, i64>(0))?)
        };
        assert_eq!(readers.here(long), Ok(None));
        assert_eq!(readers.aside(long).await, Ok(100_000));
        assert_eq!(readers.here(rows), Ok(Some(0)));
        let broken = |connection: &Connection| Ok(connection.execute_batch("SELECT nothing")?);
        let refused = readers.here(broken);
        assert!(
            matches!(refused, Err(StoreError::Database(_))),
            "{refused:?}"
        );
        drop(writer);
    }

    #[tokio::test]
    async fn no_more_long_reads_are_under_way_at_once_than_are_to_be() {
        let (_folder, _writer, readers) = readers(2);
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut reads = tokio::task::JoinSet::new();
        for _ in 0..12 {
            let (readers, now, most) = (readers.clone(), now.clone(), most.clone());
            reads.spawn(async move {
                let read = move |connection: &Connection| {
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(5));
                    now.fetch_sub(1, Ordering::SeqCst);
                    rows(connection)
                };
                readers.aside(read).await
            });
        }
        assert!(reads.join_all().await.into_iter().all(|read| read == Ok(0)));
        assert_eq!(most.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn to_close_waits_for_the_reads_under_way_and_refuses_the_next() {
        let (folder, writer, readers) = readers(2);
        let slow = tokio::spawn({
            let readers = readers.clone();
            async move {
                let slow = |connection: &Connection| {
                    std::thread::sleep(Duration::from_millis(100));
                    rows(connection)
                };
                readers.aside(slow).await
            }
        });
        tokio::time::sleep(Duration::from_millis(20)).await;
        readers.close().await;
        assert_eq!(readers.state().lent, 0);
        assert_eq!(readers.here(rows), Err(StoreError::Closed));
        assert_eq!(readers.aside(rows).await, Err(StoreError::Closed));
        assert_eq!(slow.await.unwrap(), Ok(0));
        drop(writer);
        assert!(!folder.path().join("db-wal").exists());
    }

    #[tokio::test]
    async fn a_read_that_panics_gives_its_connection_back() {
        let (_folder, _writer, readers) = readers(1);
        let broken = tokio::spawn({
            let readers = readers.clone();
            async move {
                let broken = |_: &Connection| -> Result<(), StoreError> {
                    std::panic::resume_unwind(Box::new("broken"))
                };
                readers.aside(broken).await
            }
        });
        assert!(broken.await.unwrap_err().is_panic());
        assert_eq!(readers.aside(rows).await, Ok(0));
        readers.close().await;
    }
}
