//! What can be stored: a record is a JSON document with a few key columns beside it.

use serde::{Serialize, de::DeserializeOwned};

/// A table of the schema and the columns beside `id`, `revision` and `doc`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Table {
    /// Name in the schema.
    pub name: &'static str,
    /// Columns that can be filtered and sorted on.
    pub columns: &'static [&'static str],
}

/// Columns of the tables made with [`Table::documents`].
pub const DOCUMENT_COLUMNS: &[&str] = &[
    "kind",
    "subject",
    "backend",
    "state",
    "project_id",
    "created_at",
    "due_at",
];

impl Table {
    /// One of the tables of the common shape: `outbox`, `observations`, `plans`, `drills`, `relations`.
    #[must_use]
    pub const fn documents(name: &'static str) -> Self {
        Self {
            name,
            columns: DOCUMENT_COLUMNS,
        }
    }

    /// Whether a query may name this column.
    #[must_use]
    pub fn has(&self, column: &str) -> bool {
        column == "id" || self.columns.contains(&column)
    }
}

/// A value of a key column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing.
    Null,
    /// Text.
    Text(String),
    /// A whole number; booleans are 0 and 1, points in time are microseconds.
    Int(i64),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Int(i64::from(number))
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Int(i64::from(flag))
    }
}

impl From<springform_model::time::Timestamp> for Value {
    fn from(time: springform_model::time::Timestamp) -> Self {
        Self::Int(time.0)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<T: Into<Value> + Clone> From<&Option<T>> for Value {
    fn from(value: &Option<T>) -> Self {
        value.clone().map_or(Self::Null, Into::into)
    }
}

/// Something that has a table.
pub trait Record: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Where it is kept.
    const TABLE: Table;
    /// Its key.
    fn id(&self) -> &str;
    /// Its key columns, each one of [`Table::columns`].
    fn columns(&self) -> Vec<(&'static str, Value)>;
}

/// A record as it was read, with the revision a change of it has to name.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored<T> {
    /// The record.
    pub record: T,
    /// How often it was changed, counted from 1.
    pub revision: u64,
}

impl<T> Stored<T> {
    /// The record at this revision with another content.
    #[must_use]
    pub fn with(&self, record: T) -> Self {
        Self {
            record,
            revision: self.revision,
        }
    }
}

impl<T> std::ops::Deref for Stored<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.record
    }
}

impl<T> std::ops::DerefMut for Stored<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.record
    }
}
