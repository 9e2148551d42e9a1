//! A store for those who have begun: what it cannot read or write now it reads or writes as soon as it can.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::Store;
use crate::apply::count_sql;
use crate::changes::{Change, Changes};
use crate::error::StoreError;
use crate::outage::FaultHook;
use crate::query::Sql;
use crate::table::{Table, Value};
use crate::writer::Job;

/// Pauses between two attempts: the first, doubled up to the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

impl Store {
    /// The same database for an operation that is under way. Where this one answers [`StoreError::Unavailable`], that one
    /// waits and tries again until the store answers or is closed: an operation neither fails nor is forgotten because
    /// a disk was full.
    #[must_use]
    pub fn patient(&self) -> Self {
        Self {
            patient: true,
            ..self.clone()
        }
    }

    /// Why nothing can be written now; `None` while all is well.
    #[must_use]
    pub fn outage(&self) -> Option<String> {
        self.inner.health.reason()
    }

    /// Lets a test decide on each write from now on.
    pub fn fail_with(&self, hook: Option<FaultHook>) {
        self.inner.health.hook(hook);
    }

    /// Reads once, or until it succeeds.
    pub(crate) async fn reading<T, F>(&self, once: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let mut pause = PAUSES.0;
        loop {
            match once().await {
                Err(StoreError::Unavailable(reason)) if self.patient => {
                    tracing::warn!(reason, "the database cannot be read; trying again");
                    sleep(pause).await;
                    pause = pause.saturating_mul(2).min(PAUSES.1);
                }
                other => return other,
            }
        }
    }

    /// Makes all changes or none. When it returns, they are as durable as [`Durability`](crate::Durability) says.
    ///
    /// # Errors
    /// [`StoreError::Conflict`], [`StoreError::Duplicate`], [`StoreError::Limit`]: nothing was changed.
    /// [`StoreError::Unavailable`]: nothing was changed that could be read, now or after a restart, unless the process
    /// ends before the next commit. [`StoreError::Database`]: nothing was changed either.
    pub async fn commit(&self, mut changes: Changes) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        if let Some(cipher) = &self.inner.cipher {
            cipher.seal_changes(&mut changes)?;
        }
        let changes = Arc::new(changes);
        if self.patient {
            return self.commit_surely(changes).await;
        }
        match self.outage() {
            Some(reason) => Err(StoreError::Unavailable(reason)),
            None => self.commit_once(changes).await,
        }
    }

    async fn commit_surely(&self, changes: Arc<Changes>) -> Result<(), StoreError> {
        let mut pause = PAUSES.0;
        let mut failed = false;
        loop {
            self.inner.health.recovered().await;
            match self.commit_once(changes.clone()).await {
                Err(StoreError::Unavailable(_)) => failed = true,
                // An attempt that was said to have failed may have been written all the same.
                Err(refused) if failed && refused != StoreError::Closed => {
                    return match self.stands(&changes).await? {
                        true => Ok(()),
                        false => Err(refused),
                    };
                }
                other => return other,
            }
            sleep(pause).await;
            pause = pause.saturating_mul(2).min(PAUSES.1);
        }
    }

    async fn commit_once(&self, changes: Arc<Changes>) -> Result<(), StoreError> {
        let jobs = self.inner.jobs.lock().ok();
        let sender = jobs.and_then(|jobs| jobs.clone());
        let sender = sender.ok_or(StoreError::Closed)?;
        let (done, outcome) = oneshot::channel();
        sender
            .send(Job { changes, done })
            .await
            .map_err(|_| StoreError::Closed)?;
        drop(sender);
        outcome.await.map_err(|_| StoreError::Closed)?
    }

    /// Whether the database is as these changes leave it. They are made at once, so each of them tells of all.
    async fn stands(&self, changes: &Changes) -> Result<bool, StoreError> {
        let mut seen = false;
        for change in &changes.changes {
            let (sql, expected) = match change {
                Change::Insert(row) => (holds(&row.table, &row.id, 1, &row.doc), 1),
                Change::Update(row, revision) => {
                    (holds(&row.table, &row.id, revision + 1, &row.doc), 1)
                }
                Change::Delete {
                    table,
                    id,
                    revision: Some(revision),
                } => (count_sql(table, id, *revision), 0),
                Change::Put(_) | Change::Delete { .. } | Change::Unchanged { .. } => continue,
            };
            if self.number(sql).await? != expected {
                return Ok(false);
            }
            seen = true;
        }
        Ok(seen)
    }
}

fn holds(table: &Table, id: &str, revision: u64, doc: &str) -> Sql {
    let mut sql = count_sql(table, id, revision);
    sql.push(" AND doc = ").bind(Value::from(doc));
    sql
}
