//! Facts about the database itself, kept in it: they go where it is copied to.

use serde::{Deserialize, Serialize};
use springform_model::time::Timestamp;

use crate::table::{Record, Table, Value};

/// This file is a backup: written into the copy, never into the database it was made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupMark {
    /// Always [`BackupMark::ID`].
    pub id: String,
    /// When it was made.
    pub made_at: Timestamp,
}

/// This database is an older state of itself that was put back. Until the records were brought up to the arrays they
/// must not be believed over them: who did that removes the mark, in the commit that does it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreMark {
    /// Always [`RestoreMark::ID`].
    pub id: String,
    /// When it was restored.
    pub restored_at: Timestamp,
    /// When the backup was made; `None` where it is a plain copy of a database.
    pub backup_made_at: Option<Timestamp>,
}

impl BackupMark {
    /// The id of the one row.
    pub const ID: &'static str = "backup";

    /// Made at this time.
    #[must_use]
    pub fn new(made_at: Timestamp) -> Self {
        Self {
            id: Self::ID.to_owned(),
            made_at,
        }
    }
}

impl RestoreMark {
    /// The id of the one row.
    pub const ID: &'static str = "restored";

    /// Restored at this time.
    #[must_use]
    pub fn new(restored_at: Timestamp, backup_made_at: Option<Timestamp>) -> Self {
        Self {
            id: Self::ID.to_owned(),
            restored_at,
            backup_made_at,
        }
    }
}

const MARKS: Table = Table {
    name: "marks",
    columns: &[],
};

impl Record for BackupMark {
    const TABLE: Table = MARKS;

    fn id(&self) -> &str {
        &self.id
    }

    fn columns(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }
}

impl Record for RestoreMark {
    const TABLE: Table = MARKS;

    fn id(&self) -> &str {
        &self.id
    }

    fn columns(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }
}
