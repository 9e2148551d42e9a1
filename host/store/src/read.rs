//! Reading: one record, lists, numbers.

use std::sync::Arc;

use futures_util::TryStreamExt as _;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, TypeInfo as _, ValueRef as _};

use crate::Store;
use crate::apply::arguments;
use crate::changes::{Measure, Total};
use crate::error::StoreError;
use crate::kept::{Document, Shelf};
use crate::query::{Query, Sql, conditions, measured, order};
use crate::seal::secret_fields;
use crate::table::{Record, Stored, Value};

impl Store {
    /// One record.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Database`] when it cannot be read.
    pub async fn get<T: Record>(&self, id: &str) -> Result<Option<Stored<T>>, StoreError> {
        self.reading(|| self.get_once(id)).await
    }

    async fn get_once<T: Record>(&self, id: &str) -> Result<Option<Stored<T>>, StoreError> {
        let table = T::TABLE.name;
        if !Shelf::holds(table) {
            return self
                .fetch::<T>(id)
                .await?
                .map(|row| self.decode(id, &row))
                .transpose();
        }
        let since = match self.inner.shelf.find(table, id) {
            Ok(kept) => {
                return kept.map(|kept| self.kept(id, &kept)).transpose();
            }
            Err(since) => since,
        };
        let read = match self.fetch::<T>(id).await? {
            Some(row) => Some(Arc::new(Document::new(revision(&row)?, row.try_get(1)?))),
            None => None,
        };
        if let Some(since) = since {
            self.inner.shelf.keep(since, table, id, read.clone());
        }
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
        self.reading(|| self.list_once(query)).await
    }

    async fn list_once<T: Record>(&self, query: &Query) -> Result<Vec<Stored<T>>, StoreError> {
        let after = match &query.marker {
            Some(marker) => Some(self.position::<T>(query, marker).await?),
            None => None,
        };
        let table = T::TABLE.name;
        // What is sealed is bound to the id of its row.
        let sealed = !secret_fields(table).is_empty();
        let id = if sealed { ", id" } else { "" };
        let mut sql = Sql::new(format!("SELECT revision, doc{id} FROM \"{table}\""));
        conditions(&mut sql, &T::TABLE, query, after.as_deref())?;
        order(&mut sql, &T::TABLE, query)?;
        self.look(&sql).await?;
        // Row by row, so that no list is in memory twice.
        let mut rows =
            sqlx::query_with(&sql.text, arguments(sql.binds)?).fetch(&self.inner.readers);
        let mut found = Vec::with_capacity(query.limit.map_or(0, |limit| limit.min(1000) as usize));
        while let Some(row) = rows.try_next().await? {
            let id = if sealed { row.try_get(2)? } else { "" };
            found.push(self.decode(id, &row)?);
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
        let count = self.number(&sql).await?;
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
        self.number(&sql).await
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
            used = used.saturating_add(self.number(&sql).await?);
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
        let rows = self.reading(async || {
            let rows = sqlx::query_with(&sql.text, arguments(sql.binds.clone())?);
            Ok(rows.fetch_all(&self.inner.readers).await?)
        });
        rows.await?
            .iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .collect()
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
        if !T::TABLE.has(column) {
            return Err(StoreError::NoColumn {
                table,
                column: column.to_owned(),
            });
        }
        let mut sql = Sql::new(format!("SELECT DISTINCT {column} FROM \"{table}\""));
        conditions(&mut sql, &T::TABLE, query, None)?;
        self.reading(async || {
            let found = sqlx::query_scalar_with(&sql.text, arguments(sql.binds.clone())?);
            Ok(found.fetch_all(&self.inner.readers).await?)
        })
        .await
    }

    /// The one number that a statement reads.
    pub(crate) async fn number(&self, sql: &Sql) -> Result<i64, StoreError> {
        self.reading(async || {
            let found = sqlx::query_scalar_with(&sql.text, arguments(sql.binds.clone())?);
            Ok(found.fetch_one(&self.inner.readers).await?)
        })
        .await
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

    fn decode<T: Record>(&self, id: &str, row: &SqliteRow) -> Result<Stored<T>, StoreError> {
        self.record(id, revision(row)?, row.try_get(1)?)
    }

    /// A record of its document, which is opened where it has secrets.
    fn record<T: Record>(
        &self,
        id: &str,
        revision: u64,
        doc: &str,
    ) -> Result<Stored<T>, StoreError> {
        let table = T::TABLE.name;
        match &self.inner.cipher {
            Some(cipher) if !secret_fields(table).is_empty() => {
                record(revision, &cipher.open_document(table, id, doc)?)
            }
            _ => record(revision, doc),
        }
    }
}

pub(crate) fn value(row: &SqliteRow, index: usize) -> Result<Value, StoreError> {
    let raw = row.try_get_raw(index)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    if raw.type_info().name() == "INTEGER" {
        return Ok(Value::Int(row.try_get(index)?));
    }
    Ok(Value::Text(row.try_get(index)?))
}

fn revision(row: &SqliteRow) -> Result<u64, StoreError> {
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
