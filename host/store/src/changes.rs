//! A change as data: what to write, at which revisions, under which limits. Computed purely, committed at once.

use springform_model::audit::Entry;
use springform_model::time::Timestamp;

use crate::audit::AuditStep;
use crate::error::StoreError;
use crate::query::Query;
use crate::table::{Record, Stored, Table, Value};

/// What a limit counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Measure {
    /// Records.
    Count,
    /// The sum of a column.
    Sum(&'static str),
}

/// A limit that has to hold after the commit.
#[derive(Debug, Clone)]
pub(crate) struct Guard {
    pub(crate) name: String,
    pub(crate) total: Total,
    pub(crate) limit: i64,
}

impl Guard {
    /// Refuses what is more than the limit.
    pub(crate) fn check(&self, used: i64) -> Result<(), StoreError> {
        if used <= self.limit {
            return Ok(());
        }
        Err(StoreError::Limit {
            name: self.name.clone(),
            limit: self.limit,
            used,
        })
    }
}

/// What is added up for a limit, over one table or several.
#[derive(Debug, Clone, Default)]
pub struct Total {
    pub(crate) terms: Vec<(Table, Measure, Query)>,
}

impl Total {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// And the measure over this query.
    #[must_use]
    pub fn and<T: Record>(mut self, measure: Measure, query: Query) -> Self {
        self.terms.push((T::TABLE, measure, query));
        self
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) table: Table,
    pub(crate) id: String,
    pub(crate) doc: String,
    pub(crate) columns: Vec<(&'static str, Value)>,
}

#[derive(Debug, Clone)]
pub(crate) enum Change {
    Insert(Row),
    Put(Row),
    Update(Row, u64),
    Delete {
        table: Table,
        id: String,
        revision: Option<u64>,
    },
    Unchanged {
        table: Table,
        id: String,
        revision: u64,
    },
}

/// Changes that are made together or not at all.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    pub(crate) changes: Vec<Change>,
    pub(crate) guards: Vec<Guard>,
    pub(crate) audit: Vec<AuditStep>,
    pub(crate) broken: Option<String>,
}

impl Changes {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
            && self.guards.is_empty()
            && self.audit.is_empty()
            && self.broken.is_none()
    }

    /// About how much is written.
    pub(crate) fn bytes(&self) -> usize {
        let rows = self.changes.iter().map(|change| match change {
            Change::Insert(row) | Change::Put(row) | Change::Update(row, _) => row.doc.len(),
            Change::Delete { .. } | Change::Unchanged { .. } => 0,
        });
        rows.sum()
    }

    /// A new record at revision 1; `Conflict` if its id is taken.
    #[must_use]
    pub fn insert<T: Record>(mut self, record: &T) -> Self {
        if let Some(row) = self.row(record) {
            self.changes.push(Change::Insert(row));
        }
        self
    }

    /// A record whatever is there: inserted, or replaced without regard to its revision.
    #[must_use]
    pub fn put<T: Record>(mut self, record: &T) -> Self {
        if let Some(row) = self.row(record) {
            self.changes.push(Change::Put(row));
        }
        self
    }

    /// The record in place of the one that was read at `stored.revision`.
    #[must_use]
    pub fn update<T: Record>(self, stored: &Stored<T>) -> Self {
        self.replace(&stored.record, stored.revision)
    }

    /// The record in place of the one that was read at this revision.
    #[must_use]
    pub fn replace<T: Record>(mut self, record: &T, revision: u64) -> Self {
        if let Some(row) = self.row(record) {
            self.changes.push(Change::Update(row, revision));
        }
        self
    }

    /// Without the record that was read at this revision.
    #[must_use]
    pub fn delete<T: Record>(mut self, id: &str, revision: u64) -> Self {
        self.changes.push(Change::Delete {
            table: T::TABLE,
            id: id.to_owned(),
            revision: Some(revision),
        });
        self
    }

    /// Without the record, if there is one.
    #[must_use]
    pub fn remove<T: Record>(mut self, id: &str) -> Self {
        self.changes.push(Change::Delete {
            table: T::TABLE,
            id: id.to_owned(),
            revision: None,
        });
        self
    }

    /// Only if a record that is not changed itself is still at the revision that was read.
    #[must_use]
    pub fn unchanged<T: Record>(mut self, id: &str, revision: u64) -> Self {
        self.changes.push(Change::Unchanged {
            table: T::TABLE,
            id: id.to_owned(),
            revision,
        });
        self
    }

    /// Only if the measure over the query is at most `limit` once everything else of this commit is done.
    #[must_use]
    pub fn at_most<T: Record>(
        self,
        name: impl Into<String>,
        measure: Measure,
        query: Query,
        limit: i64,
    ) -> Self {
        self.within(name, Total::new().and::<T>(measure, query), limit)
    }

    /// Only if a total is at most `limit` once everything else of this commit is done.
    #[must_use]
    pub fn within(mut self, name: impl Into<String>, total: Total, limit: i64) -> Self {
        self.guards.push(Guard {
            name: name.into(),
            total,
            limit,
        });
        self
    }

    /// With an entry in the audit log.
    #[must_use]
    pub fn audit(mut self, entry: Entry) -> Self {
        self.audit.push(AuditStep::Append(entry));
        self
    }

    /// With an entry in the audit log that names the ends of the chains of all other hosts.
    #[must_use]
    pub fn audit_witness(mut self, entry: Entry) -> Self {
        self.audit.push(AuditStep::Witness(entry));
        self
    }

    /// Without the entries of the audit log that are older; this one says so. Nothing happens where there are none.
    #[must_use]
    pub fn audit_prune(mut self, before: Timestamp, entry: Entry) -> Self {
        self.audit.push(AuditStep::Prune { before, entry });
        self
    }

    /// These and those.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.changes.extend(other.changes);
        self.guards.extend(other.guards);
        self.audit.extend(other.audit);
        self.broken = self.broken.or(other.broken);
        self
    }

    fn row<T: Record>(&mut self, record: &T) -> Option<Row> {
        match document(record) {
            Ok(doc) => Some(Row {
                table: T::TABLE,
                id: record.id().to_owned(),
                doc,
                columns: record.columns(),
            }),
            Err(error) => {
                self.broken = Some(error.to_string());
                None
            }
        }
    }
}

/// Bytes that most documents fit into: one that grows is copied, and wiped where it was.
const USUAL: usize = 2 << 10;

fn document<T: Record>(record: &T) -> Result<String, serde_json::Error> {
    let mut bytes = Vec::with_capacity(USUAL);
    serde_json::to_writer(&mut bytes, record)?;
    String::from_utf8(bytes).map_err(serde::ser::Error::custom)
}
