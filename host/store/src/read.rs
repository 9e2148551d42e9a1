//! Reading: one record, lists, numbers.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, Row};

use crate::changes::{Measure, Total};
use crate::error::StoreError;
use crate::kept::{Document, Shelf, Since};
use crate::query::{Query, Sql, conditions, measured, order};
use crate::seal::secret_fields;
use crate::table::{Record, Stored, Table, Value};
use crate::{Inner, Store};

/// Records that are read where they are asked for; to read more of them takes longer than another thread is away.
const FEW: usize = 64;

impl Store {
    /// One record.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Database`] when it cannot be read.
    pub async fn get<T: Record>(&self, id: &str) -> Result<Option<Stored<T>>, StoreError> {
        let table = T::TABLE.name;
        let since = match Shelf::holds(table) {
            false => None,
            true => match self.inner.shelf.find(table, id) {
                Ok(kept) => return kept.map(|kept| self.inner.kept(id, &kept)).transpose(),
                Err(since) => since,
            },
        };
        let id = id.to_owned();
        self.short(move |inner, connection| match since {
            Some(since) => inner.get_and_keep(connection, &id, since),
            None => inner.get(connection, &id),
        })
        .await
    }

    /// The records of these ids that exist, in no particular order.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Database`] when they cannot be read.
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
        if query.limit.is_none_or(|limit| limit as usize <= FEW) {
            let read = |connection: &Connection| self.inner.list(connection, query, FEW);
            if let Some(found) = self.inner.readers.here(read)? {
                return Ok(found);
            }
        }
        let query = query.clone();
        self.long(move |inner, connection| inner.list(connection, &query, usize::MAX))
            .await
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
        let count = self.number(sql).await?;
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
        self.number(sql).await
    }

    /// A total as it is now, over every table it names.
    ///
    /// # Errors
    /// [`StoreError::NoColumn`], [`StoreError::Database`].
    pub async fn total(&self, total: &Total) -> Result<i64, StoreError> {
        let mut used = 0_i64;
        for (table, measure, query) in &total.terms {
            let sql = measured(table, measure, query)?;
            used = used.saturating_add(self.number(sql).await?);
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
        self.rows(sql, |row| Ok((row.get(0)?, row.get(1)?))).await
    }

    /// The different values that a text column has over what a query finds, in order.
    ///
    /// # Errors
    /// [`StoreError::NoColumn`], [`StoreError::Unavailable`], [`StoreError::Database`].
    pub async fn values<T: Record>(
        &self,
        column: &'static str,
        query: &Query,
    ) -> Result<Vec<String>, StoreError> {
        let table = T::TABLE.name;
        known(&T::TABLE, column)?;
        let mut sql = Sql::new(format!("SELECT DISTINCT {column} FROM \"{table}\""));
        conditions(&mut sql, &T::TABLE, query, None)?;
        self.rows(sql, |row| row.get(0)).await
    }

    async fn rows<T: Send + 'static>(
        &self,
        sql: Sql,
        read: fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        self.long(move |_, connection| {
            let mut found = Vec::new();
            sql.each(connection, |row| {
                found.push(read(row)?);
                Ok::<_, StoreError>(())
            })?;
            Ok(found)
        })
        .await
    }

    /// The one number that a statement reads.
    pub(crate) async fn number(&self, sql: Sql) -> Result<i64, StoreError> {
        self.short(move |inner, connection| {
            inner.look(connection, &sql)?;
            Ok(sql.number(connection)?)
        })
        .await
    }

    /// Reads on this thread what is to be had at once, and the rest on another.
    async fn short<T, F>(&self, read: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&Inner, &Connection) -> Result<T, StoreError> + Send + Sync + 'static,
    {
        let here = |connection: &Connection| read(&self.inner, connection);
        match self.inner.readers.here(here)? {
            Some(found) => Ok(found),
            None => self.long(read).await,
        }
    }

    /// Reads what may take its time, on a thread that may.
    async fn long<T, F>(&self, read: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&Inner, &Connection) -> Result<T, StoreError> + Send + Sync + 'static,
    {
        let read = Arc::new(read);
        self.reading(|| {
            let (inner, read) = (self.inner.clone(), read.clone());
            let aside = move |connection: &Connection| read(&inner, connection);
            self.inner.readers.aside(aside)
        })
        .await
    }
}

impl Inner {
    fn get<T: Record>(
        &self,
        connection: &Connection,
        id: &str,
    ) -> Result<Option<Stored<T>>, StoreError> {
        let mut statement = connection.prepare_cached(&by_id(&T::TABLE, "revision, doc"))?;
        let mut rows = statement.query((id,))?;
        match rows.next()? {
            Some(row) => self.decode(id, row).map(Some),
            None => Ok(None),
        }
    }

    fn get_and_keep<T: Record>(
        &self,
        connection: &Connection,
        id: &str,
        since: Since,
    ) -> Result<Option<Stored<T>>, StoreError> {
        let mut statement = connection.prepare_cached(&by_id(&T::TABLE, "revision, doc"))?;
        let read = statement.query_row((id,), |row| {
            Ok(Arc::new(Document::new(revision(row)?, text(row, 1)?)))
        });
        let read = read.optional()?;
        self.shelf.keep(since, T::TABLE.name, id, read.clone());
        read.map(|read| self.kept(id, &read)).transpose()
    }

    fn kept<T: Record>(&self, id: &str, kept: &Document) -> Result<Stored<T>, StoreError> {
        let revision = kept.revision;
        let record = kept.record(|doc| {
            let read = self.record::<T>(id, revision, doc)?;
            Ok::<_, StoreError>(read.record)
        })?;
        Ok(Stored { record, revision })
    }

    /// `most`: how many rows are read at most; where there are more, none is given.
    fn list<T: Record>(
        &self,
        connection: &Connection,
        query: &Query,
        most: usize,
    ) -> Result<Vec<Stored<T>>, StoreError> {
        let after = match &query.marker {
            Some(marker) => Some(position(connection, &T::TABLE, query, marker)?),
            None => None,
        };
        let table = T::TABLE.name;
        // What is sealed is bound to the id of its row.
        let sealed = !secret_fields(table).is_empty();
        let id = if sealed { ", id" } else { "" };
        let mut sql = Sql::new(format!("SELECT revision, doc{id} FROM \"{table}\""));
        conditions(&mut sql, &T::TABLE, query, after.as_deref())?;
        order(&mut sql, &T::TABLE, query)?;
        self.look(connection, &sql)?;
        let mut found = Vec::with_capacity(query.limit.map_or(0, |limit| limit.min(1000) as usize));
        sql.each(connection, |row| {
            if found.len() == most {
                return Err(StoreError::Unavailable("there are more rows".to_owned()));
            }
            let id = if sealed { text(row, 2)? } else { "" };
            found.push(self.decode(id, row)?);
            Ok::<_, StoreError>(())
        })?;
        Ok(found)
    }

    fn decode<T: Record>(&self, id: &str, row: &Row<'_>) -> Result<Stored<T>, StoreError> {
        self.record(id, revision(row)?, text(row, 1)?)
    }

    /// A record of its document, which is opened where it has secrets.
    fn record<T: Record>(
        &self,
        id: &str,
        revision: u64,
        doc: &str,
    ) -> Result<Stored<T>, StoreError> {
        let table = T::TABLE.name;
        match &self.cipher {
            Some(cipher) if !secret_fields(table).is_empty() => {
                record(revision, &cipher.open_document(table, id, doc)?)
            }
            _ => record(revision, doc),
        }
    }
}

fn by_id(table: &Table, columns: &str) -> String {
    format!("SELECT {columns} FROM \"{}\" WHERE id = ?", table.name)
}

/// The values of a query's keys at its marker.
fn position(
    connection: &Connection,
    table: &Table,
    query: &Query,
    marker: &str,
) -> Result<Vec<Value>, StoreError> {
    let keys = query.keys();
    let mut columns = Vec::with_capacity(keys.len());
    for (column, _) in &keys {
        known(table, column)?;
        columns.push(column.as_str());
    }
    let mut statement = connection.prepare_cached(&by_id(table, &columns.join(", ")))?;
    let values = statement.query_row((marker,), |row| {
        (0..columns.len()).map(|index| row.get(index)).collect()
    });
    let values: Option<Vec<Value>> = values.optional()?;
    values.ok_or_else(|| StoreError::NoMarker(marker.to_owned()))
}

fn known(table: &Table, column: &str) -> Result<(), StoreError> {
    if table.has(column) {
        return Ok(());
    }
    Err(StoreError::NoColumn {
        table: table.name,
        column: column.to_owned(),
    })
}

fn text<'a>(row: &'a Row<'_>, index: usize) -> rusqlite::Result<&'a str> {
    Ok(row.get_ref(index)?.as_str()?)
}

fn revision(row: &Row<'_>) -> rusqlite::Result<u64> {
    let revision: i64 = row.get(0)?;
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
