//! Records that are read again soon, kept as they were read or written last: the way to the database's thread and back is
//! most of what reading one costs.
//!
//! Everything that is written passes the one writer of the one process that holds the file's lock. It says so here before
//! its commit and after it, so that nothing is found here that the database does not hold any more.

use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::changes::{Change, Changes};

/// Tables whose records are kept: what nearly every call reads and hardly any changes, and volumes, which clients look at again
/// and again until they are available.
const TABLES: &[&str] = &[
    "volumes",
    "services",
    "volume_types",
    "qos_specs",
    "quota_sets",
    "default_types",
];
/// Records kept: as many as were used last, and as many that were used before those.
const MOST: usize = 256;

/// A record as it is stored, and as it was read of that.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) revision: u64,
    doc: Box<str>,
    record: OnceLock<Box<dyn Any + Send + Sync>>,
}

impl Document {
    pub(crate) fn new(revision: u64, doc: &str) -> Self {
        Self {
            revision,
            doc: doc.into(),
            record: OnceLock::new(),
        }
    }

    /// The record; only the first of those who ask reads the document.
    ///
    /// # Errors
    /// What `read` fails with.
    pub(crate) fn record<T: Clone + Send + Sync + 'static, E>(
        &self,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, E> {
        let known = self
            .record
            .get()
            .and_then(|known| known.downcast_ref::<T>());
        if let Some(known) = known {
            return Ok(known.clone());
        }
        let record = read(&self.doc)?;
        // Of two who read it at once, one is enough.
        let _ = self.record.set(Box::new(record.clone()));
        Ok(record)
    }
}

/// None: there is no such record.
pub(crate) type Kept = Option<Arc<Document>>;
type Key = (&'static str, String);

/// The records that are kept.
#[derive(Debug, Default)]
pub(crate) struct Shelf(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    recent: HashMap<Key, Kept>,
    older: HashMap<Key, Kept>,
    /// Ids by a unique column's value. Only a hint: whoever follows it looks whether the record still has that value.
    ids: HashMap<(&'static str, &'static str, String), String>,
    /// What a commit under way changes: what is read of it may be from before or after.
    writing: HashSet<Key>,
    /// Grows with every commit.
    commits: u64,
}

/// When something was looked for and not found: what is then read may be kept if nothing was written since.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Since(u64);

impl Inner {
    fn put(&mut self, key: Key, kept: Kept) {
        if self.recent.len() >= MOST {
            self.older = std::mem::take(&mut self.recent);
        }
        self.recent.insert(key, kept);
    }

    fn forget(&mut self, key: &Key) {
        self.recent.remove(key);
        self.older.remove(key);
    }
}

impl Shelf {
    /// Whether records of a table are kept.
    pub(crate) fn holds(table: &str) -> bool {
        TABLES.contains(&table)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Nothing in here can panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A record, or the right to keep it once it is read; neither of one that is being written.
    pub(crate) fn find(&self, table: &'static str, id: &str) -> Result<Kept, Option<Since>> {
        let mut inner = self.inner();
        let key = (table, id.to_owned());
        if inner.writing.contains(&key) {
            return Err(None);
        }
        if let Some(kept) = inner.recent.get(&key) {
            return Ok(kept.clone());
        }
        match inner.older.remove(&key) {
            Some(kept) => {
                inner.put(key, kept.clone());
                Ok(kept)
            }
            None => Err(Some(Since(inner.commits))),
        }
    }

    /// Keeps what was read.
    pub(crate) fn keep(&self, since: Since, table: &'static str, id: &str, kept: Kept) {
        let mut inner = self.inner();
        if inner.commits == since.0 {
            inner.put((table, id.to_owned()), kept);
        }
    }

    /// Which record had this value when it was last looked for.
    pub(crate) fn id_of(
        &self,
        table: &'static str,
        column: &'static str,
        value: &str,
    ) -> Option<String> {
        let key = (table, column, value.to_owned());
        self.inner().ids.get(&key).cloned()
    }

    /// Which record has this value.
    pub(crate) fn point(&self, table: &'static str, column: &'static str, value: &str, id: &str) {
        let mut inner = self.inner();
        if inner.ids.len() >= MOST {
            inner.ids.clear();
        }
        inner
            .ids
            .insert((table, column, value.to_owned()), id.to_owned());
    }

    /// Before a commit: forgets what it changes, until [`Shelf::written`].
    pub(crate) fn writes<'a>(&self, all: impl Iterator<Item = &'a Changes>) {
        let mut inner = self.inner();
        // What was looked for before now is not kept any more, whether it is read before the commit or after it.
        inner.commits += 1;
        for (table, id) in all.flat_map(|changes| &changes.changes).filter_map(touched) {
            let key = (table, id.to_owned());
            inner.forget(&key);
            inner.writing.insert(key);
        }
    }

    /// After it: what was changed is found again, as it is now where that is known.
    pub(crate) fn written<'a>(&self, done: impl Iterator<Item = (&'a Changes, bool)>) {
        let mut inner = self.inner();
        inner.commits += 1;
        inner.writing.clear();
        let mut twice = HashSet::new();
        for (changes, stands) in done {
            for change in &changes.changes {
                let Some((table, id)) = touched(change) else {
                    continue;
                };
                let key = (table, id.to_owned());
                inner.forget(&key);
                // Which of two writers was first is known, but not worth knowing.
                if !twice.insert(key.clone()) || !stands {
                    continue;
                }
                if let Some(now) = outcome(change) {
                    inner.put(key, Some(Arc::new(now)));
                }
            }
        }
    }
}

/// What a change that stands has made of its record, where its own content says so.
fn outcome(change: &Change) -> Option<Document> {
    match change {
        Change::Insert(row) => Some(Document::new(1, &row.doc)),
        Change::Update(row, revision) => Some(Document::new(revision + 1, &row.doc)),
        Change::Put(_) | Change::Delete { .. } | Change::Unchanged { .. } => None,
    }
}

fn touched(change: &Change) -> Option<(&'static str, &str)> {
    let (table, id) = match change {
        Change::Insert(row) | Change::Put(row) | Change::Update(row, _) => {
            (row.table.name, &row.id)
        }
        Change::Delete { table, id, .. } => (table.name, id),
        Change::Unchanged { .. } => return None,
    };
    Shelf::holds(table).then_some((table, id.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::changes::Row;

    const ROWS: &str = "services";

    fn row(id: &str, doc: &str) -> Row {
        Row {
            table: crate::Table {
                name: ROWS,
                columns: &[],
            },
            id: id.to_owned(),
            doc: doc.to_owned(),
            columns: Vec::new(),
        }
    }

    fn changes(change: Change) -> Changes {
        let mut changes = Changes::new();
        changes.changes.push(change);
        changes
    }

    fn document(revision: u64, doc: &str) -> Kept {
        Some(Arc::new(Document::new(revision, doc)))
    }

    /// What is found of a record.
    fn found(shelf: &Shelf, id: &str) -> Option<(u64, String)> {
        let kept = shelf.find(ROWS, id).unwrap();
        let read = |doc: &str| Ok::<_, ()>(doc.to_owned());
        kept.map(|kept| (kept.revision, kept.record(read).unwrap()))
    }

    fn looked_for(shelf: &Shelf, id: &str) -> Since {
        shelf.find(ROWS, id).unwrap_err().unwrap()
    }

    #[test]
    fn what_was_read_before_a_commit_is_not_kept_after_it() {
        let shelf = Shelf::default();
        let since = looked_for(&shelf, "a");
        let other = changes(Change::Put(row("b", "b")));
        shelf.writes([&other].into_iter());
        shelf.keep(since, ROWS, "a", document(1, "old"));
        let during = looked_for(&shelf, "a");
        assert!(shelf.find(ROWS, "b").unwrap_err().is_none());
        shelf.written([(&other, true)].into_iter());
        for since in [since, during] {
            shelf.keep(since, ROWS, "a", document(1, "old"));
        }
        let since = looked_for(&shelf, "a");
        shelf.keep(since, ROWS, "a", document(2, "new"));
        assert_eq!(found(&shelf, "a"), Some((2, "new".into())));
        looked_for(&shelf, "b");
    }

    #[test]
    fn what_was_written_is_found_as_it_was_written_and_what_was_refused_is_not() {
        let shelf = Shelf::default();
        let first = changes(Change::Insert(row("a", "one")));
        let refused = changes(Change::Insert(row("b", "never")));
        shelf.writes([&first, &refused].into_iter());
        shelf.written([(&first, true), (&refused, false)].into_iter());
        assert_eq!(found(&shelf, "a"), Some((1, "one".into())));
        looked_for(&shelf, "b");
        let (winner, loser) = (
            changes(Change::Update(row("a", "two"), 1)),
            changes(Change::Update(row("a", "three"), 1)),
        );
        shelf.writes([&winner, &loser].into_iter());
        shelf.written([(&winner, true), (&loser, false)].into_iter());
        let since = looked_for(&shelf, "a");
        shelf.keep(since, ROWS, "a", document(2, "two"));
        let gone = changes(Change::Delete {
            table: row("a", "").table,
            id: "a".to_owned(),
            revision: None,
        });
        shelf.writes([&gone].into_iter());
        shelf.written([(&gone, true)].into_iter());
        looked_for(&shelf, "a");
    }

    #[test]
    fn a_document_is_read_once() {
        let document = Document::new(1, "7");
        let read = |doc: &str| doc.parse::<u32>();
        assert_eq!(document.record(read), Ok(7));
        let again = |_: &str| -> Result<u32, ()> { panic!("read again") };
        assert_eq!(document.record(again), Ok(7));
        let broken = Document::new(1, "seven");
        assert!(broken.record(read).is_err() && broken.record(read).is_err());
    }

    #[test]
    fn what_is_looked_at_again_outlives_what_is_not() {
        let shelf = Shelf::default();
        for n in 0..MOST * 3 {
            let id = n.to_string();
            let since = looked_for(&shelf, &id);
            shelf.keep(since, ROWS, &id, None);
            assert_eq!(found(&shelf, "0"), None);
        }
        looked_for(&shelf, "1");
    }
}
