//! Records that nearly every call reads and hardly any call writes, kept as they were read last: the way to the database's
//! thread and back is most of what reading one costs.
//!
//! Everything that is written passes the one writer of the one process that holds the file's lock. It says so here before
//! its commit and after it, so that nothing is found here that the database does not hold any more.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::changes::{Change, Changes};

/// Tables of which records are kept: those of the installation, not those of its users.
const TABLES: &[&str] = &[
    "services",
    "volume_types",
    "qos_specs",
    "quota_sets",
    "default_types",
];
/// Records kept; one more, and all are forgotten.
const MOST: usize = 1024;

/// Revision and document of a record; none: there is no such record.
pub(crate) type Kept = Option<(u64, std::sync::Arc<str>)>;

/// The records that are kept.
#[derive(Debug, Default)]
pub(crate) struct Shelf(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    records: HashMap<(&'static str, String), Kept>,
    /// Grows with every commit that changes one of the tables.
    commits: u64,
    /// Such a commit is under way: what is read meanwhile may be either.
    writing: bool,
}

/// When something was looked for and not found: what is then read may be kept if nothing was written since.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Since(u64);

impl Shelf {
    /// Whether records of a table are kept.
    pub(crate) fn holds(table: &str) -> bool {
        TABLES.contains(&table)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Nothing in here can panic half-way; if it did, what is kept would still be what was read.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A record, or the right to keep it once it is read; neither while a commit is under way.
    pub(crate) fn find(&self, table: &'static str, id: &str) -> Result<Kept, Option<Since>> {
        let inner = self.inner();
        if inner.writing {
            return Err(None);
        }
        let found = inner.records.get(&(table, id.to_owned()));
        found.cloned().ok_or(Some(Since(inner.commits)))
    }

    /// Keeps what was read.
    pub(crate) fn keep(&self, since: Since, table: &'static str, id: &str, kept: Kept) {
        let mut inner = self.inner();
        if inner.writing || inner.commits != since.0 {
            return;
        }
        if inner.records.len() >= MOST {
            inner.records.clear();
        }
        inner.records.insert((table, id.to_owned()), kept);
    }

    /// Before a commit: forgets what it changes. Gives back whether [`Shelf::written`] has to be called after it.
    pub(crate) fn writes<'a>(&self, all: impl Iterator<Item = &'a Changes>) -> bool {
        let touched = all
            .flat_map(|changes| &changes.changes)
            .filter_map(touched)
            .filter(|(table, _)| Self::holds(table));
        let mut inner = None;
        for (table, id) in touched {
            let inner = inner.get_or_insert_with(|| self.inner());
            inner.writing = true;
            inner.records.remove(&(table, id.to_owned()));
        }
        inner.is_some()
    }

    /// After it, whatever came of it.
    pub(crate) fn written(&self) {
        let mut inner = self.inner();
        inner.writing = false;
        inner.commits += 1;
    }
}

fn touched(change: &Change) -> Option<(&'static str, &str)> {
    match change {
        Change::Insert(row) | Change::Put(row) | Change::Update(row, _) => {
            Some((row.table.name, &row.id))
        }
        Change::Delete { table, id, .. } => Some((table.name, id)),
        Change::Unchanged { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: &str = "services";

    fn removal(id: &str) -> Changes {
        let mut changes = Changes::new();
        changes.changes.push(Change::Delete {
            table: crate::Table {
                name: ROWS,
                columns: &[],
            },
            id: id.to_owned(),
            revision: None,
        });
        changes
    }

    fn looked_for(shelf: &Shelf, id: &str) -> Since {
        shelf.find(ROWS, id).unwrap_err().unwrap()
    }

    #[test]
    fn what_was_read_before_a_commit_is_not_kept_after_it() {
        let shelf = Shelf::default();
        let since = looked_for(&shelf, "a");
        assert!(shelf.writes([removal("b")].iter()));
        assert!(
            shelf.find(ROWS, "a").unwrap_err().is_none(),
            "a commit is under way"
        );
        shelf.keep(since, ROWS, "a", Some((1, "old".into())));
        shelf.written();
        shelf.keep(since, ROWS, "a", Some((1, "old".into())));
        let since = looked_for(&shelf, "a");
        shelf.keep(since, ROWS, "a", Some((2, "new".into())));
        assert_eq!(shelf.find(ROWS, "a").unwrap(), Some((2, "new".into())));
    }

    #[test]
    fn a_commit_forgets_what_it_changes_and_nothing_else() {
        let shelf = Shelf::default();
        for id in ["a", "b"] {
            let since = looked_for(&shelf, id);
            shelf.keep(since, ROWS, id, None);
        }
        assert!(shelf.writes([removal("a")].iter()));
        shelf.written();
        looked_for(&shelf, "a");
        assert_eq!(shelf.find(ROWS, "b").unwrap(), None);
        assert!(!shelf.writes([Changes::new()].iter()));
    }
}
