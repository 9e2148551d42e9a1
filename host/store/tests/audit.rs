//! The audit log in the database: there with what it tells of or not at all, one chain for each host, and whatever somebody does to
//! its rows is found and named.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::path::{Path, PathBuf};

use springform_model::audit::{
    Action, Checkpoint, Entry, Flaw, Kind, Outcome, Report, Verifier, Who,
};
use springform_model::cloud::QosSpecs;
use springform_model::time::Timestamp;
use springform_store::{
    AuditFileError, AuditRecord, Changes, Direction, Query, Store, StoreError, StoreOptions,
    verify_audit, visit_audit,
};

const DAY: i64 = 86_400 * 1_000_000;

fn specs(name: &str) -> QosSpecs {
    QosSpecs {
        id: name.to_owned(),
        name: name.to_owned(),
        consumer: "both".into(),
        specs: Default::default(),
        created_at: Timestamp(1),
        updated_at: None,
    }
}

fn entry(host: &str, day: i64) -> Entry {
    let who = Who {
        user: Some("ann".into()),
        ..Who::of(Kind::User)
    };
    Entry::new(Timestamp(day * DAY), who, Action::Failover, Outcome::Begun)
        .with("day", day.to_string())
        .by_host(host)
}

async fn verified(database: &Path, anchors: &[&str]) -> Report {
    let mut verifier = Verifier::new();
    for text in anchors {
        let (host, at) = match text.split_once('/') {
            Some((host, at)) => (Some(host.to_owned()), at),
            None => (None, *text),
        };
        verifier.anchor(host, Checkpoint::parse(at).unwrap());
    }
    verify_audit(database, verifier).await.unwrap().finish()
}

/// Somebody who can write the file can do this.
fn sql(database: &Path, statements: &str) {
    let connection = rusqlite::Connection::open(database).unwrap();
    connection.execute_batch(statements).unwrap();
}

/// A database with five entries of `h` and three of `g`.
async fn written(folder: &Path) -> PathBuf {
    let database = folder.join("db");
    let store = Store::open(&database).await.unwrap();
    for (host, days) in [("h", 5), ("g", 3)] {
        for day in 1..=days {
            let changes = Changes::new().audit(entry(host, day));
            store.commit(changes).await.unwrap();
        }
    }
    store.close().await;
    database
}

#[tokio::test]
async fn an_entry_is_there_with_the_change_it_tells_of_and_not_without_it() {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("db");
    let store = Store::open(&database).await.unwrap();
    let change = || Changes::new().insert(&specs("one")).audit(entry("h", 1));
    store.commit(change()).await.unwrap();
    let refused = store.commit(change()).await.unwrap_err();
    let is_refused = matches!(
        refused,
        StoreError::Conflict { .. } | StoreError::Duplicate { .. }
    );
    assert!(is_refused, "{refused}");
    let found = store.list::<AuditRecord>(&Query::new()).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].entry, entry("h", 1));
    // An entry that cannot be written takes its change with it.
    sql(
        &database,
        "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no'); END",
    );
    let change = Changes::new().insert(&specs("two")).audit(entry("h", 2));
    store.commit(change).await.unwrap_err();
    assert!(store.get::<QosSpecs>("two").await.unwrap().is_none());
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_commits_at_once_make_one_chain_for_each_host() {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("db");
    let store = Store::open(&database).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..300 {
        let store = store.clone();
        tasks.spawn(async move {
            // A third of them is refused.
            let id = format!("{}", n - i32::from(n % 3 == 2));
            let host = ["a", "b", "c"][n as usize % 3];
            let host = if n % 3 == 2 { "b" } else { host };
            let changes = Changes::new().insert(&specs(&id));
            store.commit(changes.audit(entry(host, n.into()))).await
        });
    }
    let done = tasks.join_all().await;
    let done = done.into_iter().filter(Result::is_ok).count() as u64;
    assert_eq!(done, 200);
    // While the host runs.
    let report = verified(&database, &[]).await;
    assert!(report.faults.is_empty(), "{report:?}");
    let lasts: Vec<u64> = report.heads.iter().map(|head| head.last.seq).collect();
    assert_eq!(lasts, [100, 100]);
    let mut lines = 0;
    let ends = visit_audit(&database, None, |_| {
        lines += 1;
        Ok::<(), AuditFileError>(())
    });
    let ends = ends.await.unwrap();
    assert_eq!((lines, ends.len()), (200, 2));
    assert_eq!(ends[1].1, report.heads[1].last);
    store.close().await;
}

#[tokio::test]
async fn nobody_changes_or_removes_an_entry_by_mistake() {
    let dir = tempfile::tempdir().unwrap();
    let database = written(dir.path()).await;
    let connection = rusqlite::Connection::open(&database).unwrap();
    for statement in ["UPDATE audit SET doc = '{}'", "DELETE FROM audit"] {
        let refused = connection.execute(statement, ());
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("append-only"), "{refused}");
    }
}

#[tokio::test]
async fn whatever_somebody_does_to_the_rows_is_found_and_the_entry_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let whole = written(dir.path()).await;
    let sound = verified(&whole, &[]).await;
    assert!(sound.faults.is_empty(), "{sound:?}");
    let anchor = sound.heads[1].last.to_string();
    let ours = format!("h/{anchor}");
    let drop = "DROP TRIGGER audit_no_update; DROP TRIGGER audit_no_delete;";
    let h = "host = 'h' AND seq";
    let cut = |last| Flaw::Cut {
        last,
        seen_by: format!("the anchor {anchor}"),
    };
    let cases: Vec<(&str, String, u64, Flaw)> = vec![
        (
            "a word of an entry",
            format!("UPDATE audit SET doc = replace(doc, 'ann', 'bob') WHERE {h} = 3"),
            3,
            Flaw::Edited,
        ),
        (
            "a word beside an entry, by which it is found",
            format!("UPDATE audit SET user = 'bob' WHERE {h} = 3"),
            3,
            Flaw::Edited,
        ),
        (
            "the time beside an entry, by which it is pruned",
            format!("UPDATE audit SET created_at = 0 WHERE {h} = 2"),
            2,
            Flaw::Edited,
        ),
        (
            "what is no entry at all",
            format!("UPDATE audit SET doc = 'x' WHERE {h} = 4"),
            4,
            Flaw::Edited,
        ),
        (
            "an entry that is gone",
            format!("DELETE FROM audit WHERE {h} = 3"),
            3,
            Flaw::Missing { through: 3 },
        ),
        (
            "the first entries that are gone",
            format!("DELETE FROM audit WHERE {h} < 3"),
            1,
            Flaw::Missing { through: 2 },
        ),
        (
            "two that changed places",
            format!(
                "UPDATE audit SET seq = 99 WHERE {h} = 2; UPDATE audit SET seq = 2 WHERE {h} = 4; UPDATE audit SET seq = 4 WHERE {h} = 99"
            ),
            2,
            Flaw::Reordered { was: 4 },
        ),
        (
            "a cut end",
            format!("DELETE FROM audit WHERE {h} > 3"),
            4,
            cut(3),
        ),
        (
            "a chain that is gone",
            "DELETE FROM audit WHERE host = 'h'".to_owned(),
            5,
            cut(0),
        ),
    ];
    for (what, statements, seq, flaw) in cases {
        let copy = dir.path().join(what.replace(' ', "-"));
        std::fs::copy(&whole, &copy).unwrap();
        sql(&copy, &format!("{drop} {statements}"));
        let report = verified(&copy, &[&ours]).await;
        assert_eq!(report.faults.len(), 1, "{what}: {report:?}");
        let fault = &report.faults[0];
        assert_eq!(
            (fault.host.as_str(), fault.seq, &fault.flaw),
            ("h", seq, &flaw),
            "{what}"
        );
    }
}

#[tokio::test]
async fn the_start_of_a_host_holds_the_chains_of_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let database = written(dir.path()).await;
    let store = Store::open(&database).await.unwrap();
    let mut started = entry("g", 9);
    started.action = Action::HostStarted;
    let changes = Changes::new().audit_witness(started);
    store.commit(changes).await.unwrap();
    store.close().await;
    assert!(verified(&database, &[]).await.faults.is_empty());
    sql(
        &database,
        "DROP TRIGGER audit_no_delete; DELETE FROM audit WHERE host = 'h' AND seq = 5",
    );
    let faults = verified(&database, &[]).await.faults;
    let seen_by = "entry 4 of g".to_owned();
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert_eq!((faults[0].host.as_str(), faults[0].seq), ("h", 5));
    assert_eq!(faults[0].flaw, Flaw::Cut { last: 4, seen_by });
}

#[tokio::test]
async fn old_entries_go_and_what_is_left_of_every_chain_is_still_proven() {
    let dir = tempfile::tempdir().unwrap();
    let database = written(dir.path()).await;
    let before = verified(&database, &[]).await;
    let unknown = "1:".to_owned() + &"ab".repeat(32);
    let faults = verified(&database, &[&unknown]).await.faults;
    assert!(matches!(faults[0].flaw, Flaw::Unknown { .. }), "{faults:?}");
    let store = Store::open(&database).await.unwrap();
    let prune = async |day: i64, now: i64| {
        let mut said = entry("h", now);
        said.action = Action::AuditPruned;
        let changes = Changes::new().audit_prune(Timestamp(day * DAY), said);
        store.commit(changes).await.unwrap();
        let report = verified(&database, &[]).await;
        assert!(report.faults.is_empty(), "{report:?}");
        let kept = report.heads.iter();
        kept.map(|head| (head.host.clone(), head.first, head.last.seq))
            .collect::<Vec<_>>()
    };
    let kept = |chains: &[(&str, u64, u64)]| -> Vec<(String, u64, u64)> {
        let chains = chains.iter();
        chains.map(|(h, a, b)| ((*h).to_owned(), *a, *b)).collect()
    };
    // Nothing is old enough: nothing is written either.
    assert_eq!(prune(1, 6).await, kept(&[("g", 1, 3), ("h", 1, 5)]));
    assert_eq!(prune(3, 6).await, kept(&[("g", 3, 3), ("h", 3, 6)]));
    let later = Changes::new().audit(entry("g", 50)).audit(entry("h", 50));
    store.commit(later).await.unwrap();
    assert_eq!(prune(20, 60).await, kept(&[("g", 4, 4), ("h", 7, 8)]));
    let later = Changes::new().audit(entry("g", 100));
    store.commit(later).await.unwrap();
    assert_eq!(prune(51, 70).await, kept(&[("g", 5, 5), ("h", 8, 9)]));
    let later = Changes::new().audit(entry("h", 100));
    store.commit(later).await.unwrap();
    // The entry that says where the chain of `g` begins goes, and that chain has nothing to prune: it is said again.
    assert_eq!(prune(80, 120).await, kept(&[("g", 5, 5), ("h", 10, 11)]));
    // An anchor on what was pruned says that it proves nothing; one on the last that was pruned still holds.
    let old = before.heads[1].last.to_string();
    let report = verified(&database, &[&format!("h/{old}")]).await;
    assert!(report.faults.is_empty(), "{report:?}");
    assert!(report.notes[0].contains("pruned"), "{report:?}");
    store.close().await;
}

#[tokio::test]
async fn a_list_of_entries_reads_no_more_than_it_shows() {
    let dir = tempfile::tempdir().unwrap();
    let database = written(dir.path()).await;
    let options = StoreOptions {
        explain: true,
        ..StoreOptions::default()
    };
    let store = Store::open_with(&database, options).await.unwrap();
    for column in ["host", "action", "outcome", "backend", "driver", "user"] {
        let query = Query::new()
            .eq(column, "h")
            .sort("created_at", Direction::Desc)
            .sort("seq", Direction::Desc)
            .limit(2);
        let found = store.list::<AuditRecord>(&query).await.unwrap();
        if let Some(last) = found.last() {
            let next = query.marker(last.hash.clone());
            assert_eq!(store.list::<AuditRecord>(&next).await.unwrap().len(), 2);
        }
    }
    assert_eq!(store.scans(), Vec::<String>::new());
    store.close().await;
}
