//! The database: one document table for each noun, optimistic commits, one writer with group commit, many readers.
//!
//! Law 4 needs that a noun and the operation that changes it are written together; [`Changes`] is that "together".
//! Nothing here knows what a volume does: decisions are made by the control crate on what it read, and a commit is
//! refused when that is no longer true ([`StoreError::Conflict`]).
#![deny(missing_docs)]

mod apply;
mod changes;
mod error;
mod kept;
mod open;
mod plans;
mod query;
mod records;
mod script;
mod table;
mod writer;

use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex};

use futures_util::TryStreamExt;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqlitePool, TypeInfo, ValueRef};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

pub use changes::{Changes, Measure, Total};
pub use error::{OpenError, StoreError};
pub use open::{Durability, StoreOptions};
pub use query::{Direction, Filter, Order, Query};
pub use records::verb_word;
pub use table::{DOCUMENT_COLUMNS, Record, Stored, Table, Value};

use apply::arguments;
use kept::Shelf;
use plans::Plans;
use query::{Sql, conditions, measured, order};
use writer::Job;

/// The database. Cheap to clone; the last clone that goes ends the writer after what is queued.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    readers: SqlitePool,
    shelf: Arc<Shelf>,
    plans: Option<Plans>,
    writer: Mutex<Option<JoinHandle<()>>>,
    lock: Mutex<Option<File>>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    /// Opens or makes the database and brings its schema up to date.
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
        open::open(path, options).await
    }

    fn assemble(
        sender: mpsc::Sender<Job>,
        readers: SqlitePool,
        shelf: Arc<Shelf>,
        plans: Option<Plans>,
        writer: JoinHandle<()>,
        lock: File,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                jobs: Mutex::new(Some(sender)),
                readers,
                shelf,
                plans,
                writer: Mutex::new(Some(writer)),
                lock: Mutex::new(Some(lock)),
            }),
        }
    }

    /// Writes what is queued and closes the file. Whatever is asked of the store later is refused with [`StoreError::Closed`].
    pub async fn close(&self) {
        drop(take(&self.inner.jobs));
        let writer = take(&self.inner.writer);
        if let Some(writer) = writer
            && let Err(error) = writer.await
        {
            tracing::warn!(%error, "the writer did not end well");
        }
        self.inner.readers.close().await;
        drop(take(&self.inner.lock));
    }

    /// One record.
    ///
    /// # Errors
    /// [`StoreError::Database`] when it cannot be read.
    pub async fn get<T: Record>(&self, id: &str) -> Result<Option<Stored<T>>, StoreError> {
        let table = T::TABLE.name;
        if !Shelf::holds(table) {
            return self
                .fetch::<T>(id)
                .await?
                .map(|row| decode(&row))
                .transpose();
        }
        let since = match self.inner.shelf.find(table, id) {
            Ok(kept) => {
                return kept
                    .map(|(revision, doc)| record(revision, &doc))
                    .transpose();
            }
            Err(since) => since,
        };
        let row = match self.fetch::<T>(id).await? {
            Some(row) => Some((number(&row)?, row.try_get::<&str, _>(1)?.into())),
            None => None,
        };
        if let Some(since) = since {
            self.inner.shelf.keep(since, table, id, row.clone());
        }
        row.map(|(revision, doc)| record(revision, &doc))
            .transpose()
    }

    async fn fetch<T: Record>(&self, id: &str) -> Result<Option<SqliteRow>, StoreError> {
        let sql = format!(
            "SELECT revision, doc FROM \"{}\" WHERE id = ?",
            T::TABLE.name
        );
        let row = sqlx::query(&sql)
            .bind(id)
            .fetch_optional(&self.inner.readers);
        Ok(row.await?)
    }

    /// The records of these ids that exist, in no particular order.
    ///
    /// # Errors
    /// [`StoreError::Database`] when they cannot be read.
    pub async fn get_many<T: Record>(&self, ids: &[String]) -> Result<Vec<Stored<T>>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        self.list(&Query::new().is_in("id", ids.iter().cloned()))
            .await
    }

    /// The records that a query finds, in its order.
    ///
    /// # Errors
    /// [`StoreError::NoColumn`], [`StoreError::NoMarker`], [`StoreError::Database`].
    pub async fn list<T: Record>(&self, query: &Query) -> Result<Vec<Stored<T>>, StoreError> {
        let after = match &query.marker {
            Some(marker) => Some(self.position::<T>(query, marker).await?),
            None => None,
        };
        let mut sql = Sql::new(format!("SELECT revision, doc FROM \"{}\"", T::TABLE.name));
        conditions(&mut sql, &T::TABLE, query, after.as_deref())?;
        order(&mut sql, &T::TABLE, query)?;
        self.look(&sql).await?;
        // Row by row, so that no list is in memory twice.
        let mut rows =
            sqlx::query_with(&sql.text, arguments(sql.binds)?).fetch(&self.inner.readers);
        let mut found = Vec::with_capacity(query.limit.map_or(0, |limit| limit.min(1000) as usize));
        while let Some(row) = rows.try_next().await? {
            found.push(decode(&row)?);
        }
        Ok(found)
    }

    /// The first record that a query finds.
    ///
    /// # Errors
    /// As [`Store::list`].
    pub async fn first<T: Record>(&self, query: &Query) -> Result<Option<Stored<T>>, StoreError> {
        let query = query.clone().limit(1);
        Ok(self.list(&query).await?.into_iter().next())
    }

    /// The record that has a value in a unique column.
    ///
    /// # Errors
    /// As [`Store::list`].
    pub async fn find<T: Record>(
        &self,
        column: &'static str,
        value: &str,
    ) -> Result<Option<Stored<T>>, StoreError> {
        let (table, shelf) = (T::TABLE.name, &self.inner.shelf);
        if let Some(id) = shelf.id_of(table, column, value)
            && let Some(found) = self.get::<T>(&id).await?
            && found.columns().contains(&(column, Value::from(value)))
        {
            return Ok(Some(found));
        }
        let found = self.first::<T>(&Query::new().eq(column, value)).await?;
        if let Some(found) = &found {
            shelf.point(table, column, value, found.id());
        }
        Ok(found)
    }

    /// How many records a query finds, without regard to limit, offset and marker.
    ///
    /// # Errors
    /// [`StoreError::NoColumn`], [`StoreError::Database`].
    pub async fn count<T: Record>(&self, query: &Query) -> Result<u64, StoreError> {
        let sql = measured(&T::TABLE, &Measure::Count, query)?;
        self.look(&sql).await?;
        let count: i64 = sqlx::query_scalar_with(&sql.text, arguments(sql.binds)?)
            .fetch_one(&self.inner.readers)
            .await?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// The sum of a column over what a query finds; 0 where it finds nothing.
    ///
    /// # Errors
    /// [`StoreError::NoColumn`], [`StoreError::Database`].
    pub async fn sum<T: Record>(
        &self,
        column: &'static str,
        query: &Query,
    ) -> Result<i64, StoreError> {
        let sql = measured(&T::TABLE, &Measure::Sum(column), query)?;
        self.look(&sql).await?;
        Ok(sqlx::query_scalar_with(&sql.text, arguments(sql.binds)?)
            .fetch_one(&self.inner.readers)
            .await?)
    }

    /// A total as it is now, over every table it names.
    ///
    /// # Errors
    /// [`StoreError::NoColumn`], [`StoreError::Database`].
    pub async fn total(&self, total: &Total) -> Result<i64, StoreError> {
        let mut used = 0_i64;
        for (table, measure, query) in &total.terms {
            let sql = measured(table, measure, query)?;
            self.look(&sql).await?;
            let found: i64 = sqlx::query_scalar_with(&sql.text, arguments(sql.binds)?)
                .fetch_one(&self.inner.readers)
                .await?;
            used = used.saturating_add(found);
        }
        Ok(used)
    }

    /// The different entries that a map of the document (`metadata`) has over what a query finds, in order.
    ///
    /// # Errors
    /// [`StoreError::NoColumn`], [`StoreError::Database`].
    pub async fn entries<T: Record>(
        &self,
        field: &'static str,
        query: &Query,
    ) -> Result<Vec<(String, String)>, StoreError> {
        let table = T::TABLE.name;
        let mut sql = Sql::new(format!(
            "SELECT DISTINCT entry.key, entry.value FROM (SELECT doc FROM \"{table}\""
        ));
        conditions(&mut sql, &T::TABLE, query, None)?;
        sql.push(") AS found, json_each(found.doc, '$.")
            .push(field)
            .push("') AS entry ORDER BY 1, 2");
        let rows = sqlx::query_with(&sql.text, arguments(sql.binds)?)
            .fetch_all(&self.inner.readers)
            .await?;
        rows.iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .collect()
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

    async fn look(&self, sql: &Sql) -> Result<(), StoreError> {
        match &self.inner.plans {
            Some(plans) => plans.look(&self.inner.readers, sql).await,
            None => Ok(()),
        }
    }

    /// Makes all changes or none. When it returns, they are as durable as [`Durability`] says.
    ///
    /// # Errors
    /// [`StoreError::Conflict`], [`StoreError::Duplicate`], [`StoreError::Limit`]: nothing was changed.
    /// [`StoreError::Database`]: nothing was changed either.
    pub async fn commit(&self, changes: Changes) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        let sender = self
            .inner
            .jobs
            .lock()
            .ok()
            .and_then(|jobs| jobs.clone())
            .ok_or(StoreError::Closed)?;
        let (done, outcome) = oneshot::channel();
        sender
            .send(Job { changes, done })
            .await
            .map_err(|_| StoreError::Closed)?;
        drop(sender);
        outcome.await.map_err(|_| StoreError::Closed)?
    }

    async fn position<T: Record>(
        &self,
        query: &Query,
        marker: &str,
    ) -> Result<Vec<Value>, StoreError> {
        let keys = query.keys();
        for (column, _) in &keys {
            if !T::TABLE.has(column) {
                return Err(StoreError::NoColumn {
                    table: T::TABLE.name,
                    column: column.clone(),
                });
            }
        }
        let columns = keys
            .iter()
            .map(|(column, _)| column.as_str())
            .collect::<Vec<_>>()
            .join(", ");
        let sql = format!("SELECT {columns} FROM \"{}\" WHERE id = ?", T::TABLE.name);
        let row = sqlx::query(&sql)
            .bind(marker)
            .fetch_optional(&self.inner.readers)
            .await?;
        let row = row.ok_or_else(|| StoreError::NoMarker(marker.to_owned()))?;
        (0..keys.len()).map(|index| value(&row, index)).collect()
    }
}

fn take<T>(slot: &Mutex<Option<T>>) -> Option<T> {
    slot.lock().ok().and_then(|mut slot| slot.take())
}

fn value(row: &SqliteRow, index: usize) -> Result<Value, StoreError> {
    let raw = row.try_get_raw(index)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    if raw.type_info().name() == "INTEGER" {
        return Ok(Value::Int(row.try_get(index)?));
    }
    Ok(Value::Text(row.try_get(index)?))
}

fn decode<T: Record>(row: &SqliteRow) -> Result<Stored<T>, StoreError> {
    record(number(row)?, row.try_get(1)?)
}

fn number(row: &SqliteRow) -> Result<u64, StoreError> {
    let revision: i64 = row.try_get(0)?;
    Ok(u64::try_from(revision).unwrap_or(0))
}

fn record<T: Record>(revision: u64, doc: &str) -> Result<Stored<T>, StoreError> {
    let record = serde_json::from_str(doc).map_err(|error| {
        StoreError::Database(format!(
            "a record of {} cannot be read: {error}",
            T::TABLE.name
        ))
    })?;
    Ok(Stored { record, revision })
}
