//! The one writer: a thread with a queue of changes, each in its own savepoint, many in one commit. One `fsync` then pays for all
//! of them, and a change that is refused harms no other.

use std::sync::Arc;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::apply::apply;
use crate::audit::{Appended, tell};
use crate::changes::Changes;
use crate::connect;
use crate::error::StoreError;
use crate::kept::Shelf;
use crate::outage::{Attempt, Fault, Health};
use crate::park;
use crate::statement::plain;

/// Changes and where their outcome goes.
pub(crate) struct Job {
    pub(crate) changes: Arc<Changes>,
    pub(crate) done: oneshot::Sender<Result<(), StoreError>>,
}

/// The thread that writes.
pub(crate) struct Writer {
    thread: std::thread::JoinHandle<()>,
    ended: oneshot::Receiver<()>,
}

/// How many wait before a caller has to.
pub(crate) const QUEUE: usize = 4096;
/// How many share a commit.
const TOGETHER: usize = 256;

impl Writer {
    /// Starts the thread, which writes until every sender is gone.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(
        connection: Connection,
        jobs: mpsc::Receiver<Job>,
        shelf: Arc<Shelf>,
        health: Arc<Health>,
    ) -> std::io::Result<Self> {
        let (ends, ended) = oneshot::channel();
        let work = move || {
            run(connection, jobs, &shelf, &health);
            // The file is closed now. Nobody waits where the store was not closed but dropped.
            let _ = ends.send(());
        };
        let thread = std::thread::Builder::new().name("store-writer".to_owned());
        let thread = thread.spawn(work)?;
        Ok(Self { thread, ended })
    }

    /// Returns once the thread has written what was queued and closed the file.
    pub(crate) async fn ended(self) {
        // An error means that the thread panicked, which joining it says as well.
        let _ = self.ended.await;
        if self.thread.join().is_err() {
            tracing::warn!("the writer did not end well");
        }
    }
}

fn run(connection: Connection, mut jobs: mpsc::Receiver<Job>, shelf: &Shelf, health: &Health) {
    let mut batch = Vec::with_capacity(TOGETHER);
    loop {
        let more = jobs.recv_many(&mut batch, TOGETHER);
        match park::wait(more, health.next()) {
            None => health.look(&connection),
            Some(0) => break,
            Some(_) => {
                shelf.writes(batch.iter().map(|job| &*job.changes));
                let outcomes = write(&connection, &batch, health);
                let done = batch.iter().zip(&outcomes);
                shelf.written(done.map(|(job, outcome)| (&*job.changes, outcome.is_ok())));
                for (job, outcome) in batch.drain(..).zip(outcomes) {
                    // Nobody waits any more: the commit stands all the same.
                    let _ = job.done.send(outcome);
                }
            }
        }
    }
    if let Err(error) = connect::close(connection) {
        tracing::warn!(%error, "closing the database failed");
    }
}

type Outcomes = Vec<Result<(), StoreError>>;

fn write(connection: &Connection, batch: &[Job], health: &Health) -> Outcomes {
    let bytes = batch.iter().map(|job| job.changes.bytes()).sum();
    let all = |reason: String| -> Outcomes {
        let error = StoreError::Unavailable(reason);
        batch.iter().map(|_| Err(error.clone())).collect()
    };
    let outcomes = match health.fault(Attempt::Commit(bytes)) {
        Fault::None => attempt(connection, batch),
        Fault::Before(reason) => all(reason),
        Fault::After(reason) => {
            attempt(connection, batch);
            all(reason)
        }
    };
    for outcome in &outcomes {
        if let Err(StoreError::Unavailable(reason)) = outcome {
            health.failed(reason, bytes);
            break;
        }
    }
    outcomes
}

fn attempt(connection: &Connection, batch: &[Job]) -> Outcomes {
    let error = match together(connection, batch) {
        Ok(outcomes) => return outcomes,
        Err(error) => error,
    };
    tracing::debug!(%error, "a commit failed");
    // SQLite gives up the transaction by itself where the disk is full.
    if !connection.is_autocommit()
        && let Err(error) = plain(connection, "ROLLBACK")
    {
        tracing::warn!(%error, "a commit that failed cannot be rolled back");
    }
    batch.iter().map(|_| Err(error.clone())).collect()
}

/// One transaction. The error means that all of it is lost.
fn together(connection: &Connection, batch: &[Job]) -> Result<Outcomes, StoreError> {
    plain(connection, "BEGIN IMMEDIATE")?;
    let mut outcomes = Vec::with_capacity(batch.len());
    let mut appended = Vec::new();
    for job in batch {
        let outcome = match batch.len() {
            // The transaction is its savepoint.
            1 => one(connection, &job.changes)?,
            _ => among(connection, &job.changes)?,
        };
        outcomes.push(outcome.map(|more| appended.extend(more)));
    }
    match outcomes.iter().any(Result::is_ok) {
        true => plain(connection, "COMMIT")?,
        false => plain(connection, "ROLLBACK")?,
    }
    tell(&appended);
    Ok(outcomes)
}

/// What became of one set of changes.
type Outcome = Result<Vec<Appended>, StoreError>;

/// One set of changes in a savepoint.
fn among(connection: &Connection, changes: &Changes) -> Result<Outcome, StoreError> {
    plain(connection, "SAVEPOINT one")?;
    let outcome = one(connection, changes)?;
    if outcome.is_err() {
        plain(connection, "ROLLBACK TO one")?;
    }
    plain(connection, "RELEASE one")?;
    Ok(outcome)
}

/// The outer error means that the whole transaction is lost with these changes: what follows would be committed statement by
/// statement, or fail as these did.
fn one(connection: &Connection, changes: &Changes) -> Result<Outcome, StoreError> {
    if let Some(reason) = &changes.broken {
        return Ok(Err(StoreError::Database(reason.clone())));
    }
    match apply(connection, changes) {
        Err(error @ StoreError::Unavailable(_)) => Err(error),
        Err(error) if connection.is_autocommit() => Err(error),
        outcome => Ok(outcome),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use springform_model::cloud::{QosSpecs, QuotaSet};
    use springform_model::time::Timestamp;

    use super::*;
    use crate::changes::Measure;
    use crate::migrate::migrate;
    use crate::open::Durability;
    use crate::query::Query;

    struct Bench {
        connection: Connection,
        health: Health,
        _folder: tempfile::TempDir,
    }

    impl Bench {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("db");
            let connection = connect::writer(&file, Durability::Process).unwrap();
            migrate(&file, &connection).unwrap();
            Self {
                connection,
                health: Health::new(&file),
                _folder: folder,
            }
        }

        fn write(&self, all: impl IntoIterator<Item = Changes>) -> Outcomes {
            let job = |changes| Job {
                changes: Arc::new(changes),
                done: oneshot::channel().0,
            };
            let batch: Vec<Job> = all.into_iter().map(job).collect();
            let outcomes = write(&self.connection, &batch, &self.health);
            assert!(
                self.connection.is_autocommit(),
                "a transaction is left open"
            );
            outcomes
        }

        fn sets(&self) -> Vec<String> {
            let text = "SELECT id FROM quota_sets ORDER BY id";
            let mut statement = self.connection.prepare(text).unwrap();
            let ids = statement.query_map((), |row| row.get(0)).unwrap();
            ids.map(Result::unwrap).collect()
        }
    }

    fn set(id: &str, limits: i64) -> Changes {
        Changes::new().insert(&QuotaSet {
            id: id.to_owned(),
            limits: (0..limits).map(|n| (format!("limit-{n}"), n)).collect(),
        })
    }

    fn specs(id: &str, name: &str) -> QosSpecs {
        QosSpecs {
            id: id.to_owned(),
            name: name.to_owned(),
            consumer: "both".to_owned(),
            specs: Default::default(),
            created_at: Timestamp(1),
            updated_at: None,
        }
    }

    #[test]
    fn a_change_that_is_refused_harms_no_other_of_its_commit() {
        let bench = Bench::new();
        let named = |id: &str| Changes::new().insert(&specs(id, "gold"));
        let broken = Changes {
            broken: Some("no document".to_owned()),
            ..Changes::new()
        };
        let none = Query::new();
        let outcomes = bench.write([
            set("a", 1),
            set("lost", 1).and(set("a", 1)),
            named("one"),
            set("lost", 1).and(named("two")),
            set("lost", 1).at_most::<QuotaSet>("sets", Measure::Count, none.clone(), 1),
            set("lost", 1).at_most::<QuotaSet>("sets", Measure::Sum("size"), none, 1),
            broken,
            set("b", 1),
        ]);
        let (table, id) = ("quota_sets", "a".to_owned());
        let gone = |column: &str| StoreError::Duplicate {
            table: "qos_specs",
            column: column.to_owned(),
        };
        let expected = [
            Ok(()),
            Err(StoreError::Conflict { table, id }),
            Ok(()),
            Err(gone("name")),
            Err(StoreError::Limit {
                name: "sets".to_owned(),
                limit: 1,
                used: 2,
            }),
            Err(StoreError::NoColumn {
                table,
                column: "size".to_owned(),
            }),
            Err(StoreError::Database("no document".to_owned())),
            Ok(()),
        ];
        assert_eq!(outcomes, expected);
        assert_eq!(bench.sets(), ["a", "b"]);
        assert_eq!(bench.write([set("b", 1), set("a", 1)]).len(), 2);
        assert_eq!(bench.write([set("c", 1)]), [Ok(())]);
        assert_eq!(bench.sets(), ["a", "b", "c"]);
    }

    #[test]
    fn where_the_disk_is_full_all_of_a_commit_is_lost_and_each_is_told_so() {
        for batch in [1, 3] {
            let bench = Bench::new();
            let pages = |more: i64| {
                let now: i64 = bench
                    .connection
                    .query_row("PRAGMA page_count", (), |row| row.get(0))
                    .unwrap();
                let most = format!("PRAGMA max_page_count = {}", now + more);
                bench.connection.execute_batch(&most).unwrap();
            };
            pages(4);
            let all = [set("large", 20_000), set("a", 1), set("b", 1)];
            let outcomes = bench.write(all.into_iter().take(batch));
            assert_eq!(outcomes.len(), batch);
            for outcome in outcomes {
                assert!(
                    matches!(outcome, Err(StoreError::Unavailable(_))),
                    "{outcome:?}"
                );
            }
            assert!(bench.health.reason().is_some());
            assert_eq!(bench.sets(), [""; 0]);
            bench.health.look(&bench.connection);
            assert!(bench.health.reason().is_some(), "as much is to fit again");
            pages(10_000);
            bench.health.look(&bench.connection);
            assert_eq!(bench.health.reason(), None);
            let outcomes = bench.write([set("large", 20_000), set("a", 1)]);
            assert_eq!(outcomes, [Ok(()), Ok(())]);
        }
    }

    #[test]
    fn where_the_database_gave_up_the_transaction_nothing_of_it_is_written() {
        let bench = Bench::new();
        let trigger = "CREATE TRIGGER up BEFORE INSERT ON quota_sets WHEN new.id = 'x'
                       BEGIN SELECT RAISE(ROLLBACK, 'no'); END";
        bench.connection.execute_batch(trigger).unwrap();
        for batch in [&["x"][..], &["a", "x", "b"]] {
            let outcomes = bench.write(batch.iter().map(|id| set(id, 1)));
            assert_eq!(outcomes.len(), batch.len());
            for outcome in outcomes {
                assert_eq!(outcome, Err(StoreError::Database("no".to_owned())));
            }
            assert_eq!(bench.sets(), [""; 0]);
        }
        assert_eq!(bench.write([set("a", 1), set("b", 1)]), [Ok(()), Ok(())]);
    }
}
