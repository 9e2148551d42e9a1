//! A store that cannot write: new commits are refused at once, begun ones are made later, exactly once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use springform_model::cloud::QuotaSet;
use springform_store::{Attempt, Changes, Fault, Store, StoreError};

fn set(id: &str, limit: i64) -> QuotaSet {
    QuotaSet {
        id: id.to_owned(),
        limits: [("volumes".to_owned(), limit)].into(),
    }
}

fn large(id: &str) -> QuotaSet {
    QuotaSet {
        id: id.to_owned(),
        limits: (0..2000).map(|n| (format!("limit-{n}"), n)).collect(),
    }
}

async fn open() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("db")).await.unwrap();
    (dir, store)
}

/// Fails every write as long as the flag is set.
fn fail_while(store: &Store, failing: &Arc<AtomicBool>, fault: Fault) {
    let failing = failing.clone();
    store.fail_with(Some(Arc::new(move |_| {
        match failing.load(Ordering::SeqCst) {
            true => fault.clone(),
            false => Fault::None,
        }
    })));
}

fn full() -> Fault {
    Fault::Before("the disk is full".to_owned())
}

#[tokio::test]
async fn while_nothing_can_be_written_new_commits_are_refused_and_begun_ones_wait() {
    let (_dir, store) = open().await;
    let failing = Arc::new(AtomicBool::new(true));
    fail_while(&store, &failing, full());
    let refused = store.commit(Changes::new().insert(&set("a", 1))).await;
    assert_eq!(
        refused,
        Err(StoreError::Unavailable("the disk is full".into()))
    );
    assert_eq!(store.outage().as_deref(), Some("the disk is full"));

    let begun = tokio::spawn({
        let store = store.patient();
        async move { store.commit(Changes::new().insert(&set("b", 1))).await }
    });
    let refused = store.commit(Changes::new().insert(&set("c", 1))).await;
    assert!(
        matches!(refused, Err(StoreError::Unavailable(_))),
        "{refused:?}"
    );
    assert!(!begun.is_finished());

    failing.store(false, Ordering::SeqCst);
    begun.await.unwrap().unwrap();
    assert_eq!(store.outage(), None);
    let ids = store
        .values::<QuotaSet>("id", &Default::default())
        .await
        .unwrap();
    assert_eq!(ids, ["b"]);
}

#[tokio::test]
async fn a_commit_that_was_written_but_said_to_have_failed_is_not_made_twice_nor_taken_for_a_conflict()
 {
    let (_dir, store) = open().await;
    store
        .commit(Changes::new().insert(&set("a", 1)))
        .await
        .unwrap();
    let first = Arc::new(AtomicUsize::new(0));
    store.fail_with(Some(Arc::new({
        let first = first.clone();
        move |attempt| match attempt {
            Attempt::Commit(_) if first.fetch_add(1, Ordering::SeqCst) == 0 => {
                Fault::After("the answer was lost".into())
            }
            _ => Fault::None,
        }
    })));
    let patient = store.patient();
    let mut read = store.get::<QuotaSet>("a").await.unwrap().unwrap();
    read.record = set("a", 2);
    let both = Changes::new().update(&read).insert(&set("b", 1));
    patient.commit(both).await.unwrap();
    let now = store.get::<QuotaSet>("a").await.unwrap().unwrap();
    assert_eq!((now.limits["volumes"], now.revision), (2, 2));

    // What somebody else has written is still a conflict.
    first.store(0, Ordering::SeqCst);
    read.record = set("a", 3);
    let stale = Changes::new().update(&read);
    let refused = patient.commit(stale).await;
    assert!(
        refused.as_ref().is_err_and(StoreError::is_conflict),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_nearly_full_disk_takes_nothing_until_it_takes_what_it_refused() {
    let (_dir, store) = open().await;
    let room = Arc::new(AtomicUsize::new(4 << 10));
    store.fail_with(Some(Arc::new({
        let room = room.clone();
        move |attempt| match attempt {
            Attempt::Commit(bytes) if bytes > room.load(Ordering::SeqCst) => {
                Fault::Before("the disk is full".into())
            }
            // The look writes as much as was refused.
            Attempt::Probe if room.load(Ordering::SeqCst) < 30 << 10 => {
                Fault::Before("the disk is full".into())
            }
            _ => Fault::None,
        }
    })));
    store
        .commit(Changes::new().insert(&set("small", 1)))
        .await
        .unwrap();
    let begun = tokio::spawn({
        let store = store.patient();
        async move { store.commit(Changes::new().insert(&large("large"))).await }
    });
    while store.outage().is_none() {
        tokio::task::yield_now().await;
    }
    let refused = store
        .commit(Changes::new().insert(&set("small too", 1)))
        .await;
    assert!(
        matches!(refused, Err(StoreError::Unavailable(_))),
        "{refused:?}"
    );
    room.store(1 << 20, Ordering::SeqCst);
    begun.await.unwrap().unwrap();
    store
        .commit(Changes::new().insert(&set("small too", 1)))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_database_that_another_process_locks_is_written_once_it_lets_go() {
    let (dir, store) = open().await;
    let other = rusqlite::Connection::open(dir.path().join("db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let begun = tokio::spawn({
        let store = store.patient();
        async move { store.commit(Changes::new().insert(&set("a", 1))).await }
    });
    while store.outage().is_none() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let why = store.outage().unwrap();
    assert!(
        why.contains("another process has locked the database"),
        "{why}"
    );
    assert!(store.get::<QuotaSet>("a").await.unwrap().is_none());
    other.close().unwrap();
    begun.await.unwrap().unwrap();
    assert_eq!(store.outage(), None);
}

#[tokio::test]
async fn a_store_that_is_closed_ends_those_who_wait() {
    let (_dir, store) = open().await;
    let failing = Arc::new(AtomicBool::new(true));
    fail_while(&store, &failing, full());
    let begun = tokio::spawn({
        let store = store.patient();
        async move { store.commit(Changes::new().insert(&set("a", 1))).await }
    });
    while store.outage().is_none() {
        tokio::task::yield_now().await;
    }
    store.close().await;
    assert_eq!(begun.await.unwrap(), Err(StoreError::Closed));
}
