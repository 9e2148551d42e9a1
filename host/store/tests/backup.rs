//! Backup and restore: consistent while a host writes, nothing overwritten, nothing put in a place it does not fit.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use springform_model::cloud::QuotaSet;
use springform_model::time::Timestamp;
use springform_store::{BackupError, Changes, OpenError, Query, Store, backup, restore};

const MADE: Timestamp = Timestamp(1_000_000);
const RESTORED: Timestamp = Timestamp(2_000_000);

fn set(id: &str, limit: i64) -> QuotaSet {
    QuotaSet {
        id: id.to_owned(),
        limits: [("volumes".to_owned(), limit)].into(),
    }
}

async fn write(store: &Store, id: &str, limit: i64) {
    let changes = Changes::new().put(&set(id, limit));
    store.commit(changes).await.unwrap();
}

async fn limit(store: &Store, id: &str) -> Option<i64> {
    let stored = store.get::<QuotaSet>(id).await.unwrap();
    stored.map(|stored| stored.limits["volumes"])
}

fn sql(file: &Path, statement: &str) {
    let connection = rusqlite::Connection::open(file).unwrap();
    connection.execute(statement, ()).unwrap();
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_backup_of_a_running_host_is_one_moment_of_its_database() {
    let dir = tempfile::tempdir().unwrap();
    let (database, copy) = (dir.path().join("db"), dir.path().join("copy"));
    let store = Store::open(&database).await.unwrap();
    // Both rows are written together, so a copy holds both at one value or it is torn.
    let writer = tokio::spawn({
        let store = store.clone();
        async move {
            for n in 0.. {
                let both = Changes::new().put(&set("a", n)).put(&set("b", n));
                if store.commit(both).await.is_err() {
                    return;
                }
            }
        }
    });
    while limit(&store, "b").await.is_none() {
        tokio::task::yield_now().await;
    }
    backup(&database, &copy, MADE).await.unwrap();
    let mode = std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    store.close().await;
    writer.await.unwrap();
    assert_eq!(names(dir.path()), ["copy", "db", "db.lock"]);

    let copied = Store::open(&copy).await.unwrap();
    let (a, b) = (limit(&copied, "a").await, limit(&copied, "b").await);
    assert!(a.is_some() && a == b, "{a:?} {b:?}");
    assert_eq!(copied.restored().await.unwrap(), None);
}

#[tokio::test]
async fn a_store_that_is_closed_while_a_reader_comes_back_leaves_no_journal() {
    for turns in 0..20 {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("db")).await.unwrap();
        write(&store, "a", 1).await;
        let found = store.list::<QuotaSet>(&Query::new()).await.unwrap();
        assert_eq!(found.len(), 1);
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        store.close().await;
        assert_eq!(names(dir.path()), ["db", "db.lock"], "after {turns} turns");
    }
}

#[tokio::test]
async fn a_backup_overwrites_nothing_and_leaves_nothing_behind_when_it_fails() {
    let dir = tempfile::tempdir().unwrap();
    let (database, copy) = (dir.path().join("db"), dir.path().join("copy"));
    let missing = backup(&database, &copy, MADE).await;
    assert!(
        matches!(missing, Err(BackupError::NoDatabase(_))),
        "{missing:?}"
    );
    let store = Store::open(&database).await.unwrap();
    std::fs::write(&copy, "precious").unwrap();
    let exists = backup(&database, &copy, MADE).await;
    assert!(matches!(exists, Err(BackupError::Exists(_))), "{exists:?}");
    assert_eq!(std::fs::read(&copy).unwrap(), b"precious");
    let nowhere = backup(&database, &dir.path().join("no/where"), MADE).await;
    assert!(
        matches!(nowhere, Err(BackupError::Other { .. })),
        "{nowhere:?}"
    );
    store.close().await;

    let foreign = dir.path().join("foreign");
    sql(&foreign, "CREATE TABLE letters (text TEXT)");
    let refused = backup(&foreign, &dir.path().join("second"), MADE).await;
    assert!(
        matches!(refused, Err(BackupError::NotOurs { .. })),
        "{refused:?}"
    );
    assert_eq!(names(dir.path()), ["copy", "db", "db.lock", "foreign"]);
}

#[tokio::test]
async fn a_restored_database_is_the_one_of_the_backup_and_says_so_until_somebody_takes_the_mark_away()
 {
    let dir = tempfile::tempdir().unwrap();
    let (database, copy) = (dir.path().join("db"), dir.path().join("copy"));
    let store = Store::open(&database).await.unwrap();
    write(&store, "a", 1).await;
    backup(&database, &copy, MADE).await.unwrap();
    write(&store, "a", 2).await;

    let running = restore(&database, &copy, None, RESTORED, None).await;
    assert!(matches!(running, Err(BackupError::InUse(_))), "{running:?}");
    store.close().await;
    let before = std::fs::read(&copy).unwrap();
    let restored = restore(&database, &copy, None, RESTORED, None)
        .await
        .unwrap();
    assert_eq!(restored.backup_made_at, Some(MADE));
    assert_eq!(std::fs::read(&copy).unwrap(), before);

    let store = Store::open(&database).await.unwrap();
    assert_eq!(limit(&store, "a").await, Some(1));
    let mark = store.restored().await.unwrap().unwrap();
    assert_eq!(
        (mark.restored_at, mark.backup_made_at),
        (RESTORED, Some(MADE))
    );
    store.close().await;

    let aside = Store::open(&restored.replaced.unwrap()).await.unwrap();
    assert_eq!(limit(&aside, "a").await, Some(2));
    assert_eq!(aside.restored().await.unwrap(), None);
}

#[tokio::test]
async fn what_a_killed_host_left_in_its_journal_is_kept_aside_too() {
    let dir = tempfile::tempdir().unwrap();
    let (database, copy) = (dir.path().join("db"), dir.path().join("copy"));
    let store = Store::open(&database).await.unwrap();
    write(&store, "a", 1).await;
    backup(&database, &copy, MADE).await.unwrap();
    write(&store, "a", 2).await;
    // As after `kill -9`: what was written last is in the journal beside the file, and nobody has it open.
    let killed = dir.path().join("killed");
    for suffix in ["", "-wal"] {
        let name = |base: &Path| format!("{}{suffix}", base.display());
        std::fs::copy(name(&database), name(&killed)).unwrap();
    }
    let restored = restore(&killed, &copy, None, RESTORED, None).await.unwrap();
    let aside = Store::open(&restored.replaced.unwrap()).await.unwrap();
    assert_eq!(limit(&aside, "a").await, Some(2));
    let store = Store::open(&killed).await.unwrap();
    assert_eq!(limit(&store, "a").await, Some(1));
}

#[tokio::test]
async fn what_is_no_backup_is_not_put_in_the_place_of_a_database() {
    let dir = tempfile::tempdir().unwrap();
    let (database, copy) = (dir.path().join("db"), dir.path().join("copy"));
    let store = Store::open(&database).await.unwrap();
    write(&store, "a", 1).await;
    backup(&database, &copy, MADE).await.unwrap();
    store.close().await;

    let letter = dir.path().join("letter");
    std::fs::write(&letter, "this is a letter to the operator ".repeat(400)).unwrap();
    let empty = dir.path().join("empty");
    std::fs::write(&empty, "").unwrap();
    let foreign = dir.path().join("foreign");
    sql(&foreign, "CREATE TABLE letters (text TEXT)");
    let torn = dir.path().join("torn");
    let mut bytes = std::fs::read(&copy).unwrap();
    for byte in &mut bytes[16 * 1024..24 * 1024] {
        *byte = 0x5a;
    }
    std::fs::write(&torn, bytes).unwrap();
    for file in [&letter, &empty, &foreign, &torn] {
        let refused = restore(&database, file, None, RESTORED, None).await;
        let ours = matches!(refused, Err(BackupError::NotOurs { .. }));
        assert!(ours, "{}: {refused:?}", file.display());
    }
    let newer = dir.path().join("newer");
    std::fs::copy(&copy, &newer).unwrap();
    sql(
        &newer,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'later', 1, x'00', 1)",
    );
    let refused = restore(&database, &newer, None, RESTORED, None).await;
    assert!(
        matches!(refused, Err(BackupError::NewerSchema { found: 9999, .. })),
        "{refused:?}"
    );
    let missing = restore(&database, &dir.path().join("none"), None, RESTORED, None).await;
    assert!(
        matches!(missing, Err(BackupError::NoDatabase(_))),
        "{missing:?}"
    );
    let itself = restore(&database, &database, None, RESTORED, None).await;
    assert!(
        matches!(itself, Err(BackupError::Other { .. })),
        "{itself:?}"
    );

    let store = Store::open(&database).await.unwrap();
    assert_eq!(limit(&store, "a").await, Some(1));
    assert_eq!(store.restored().await.unwrap(), None);
    let left: Vec<_> = names(dir.path());
    assert!(
        !left
            .iter()
            .any(|name| name.contains("restoring") || name.contains("replaced")),
        "{left:?}"
    );
}

#[tokio::test]
async fn a_backup_is_restored_where_there_is_no_database_yet() {
    let dir = tempfile::tempdir().unwrap();
    let (database, copy) = (dir.path().join("db"), dir.path().join("copy"));
    let store = Store::open(&database).await.unwrap();
    write(&store, "a", 1).await;
    backup(&database, &copy, MADE).await.unwrap();
    store.close().await;
    let other = dir.path().join("other");
    // The journal of a database that was deleted belongs to nobody.
    std::fs::write(dir.path().join("other-wal"), "stale").unwrap();
    let restored = restore(&other, &copy, None, RESTORED, None).await.unwrap();
    assert_eq!(restored.replaced, None);
    let store = Store::open(&other).await.unwrap();
    assert_eq!(limit(&store, "a").await, Some(1));
}

#[tokio::test]
async fn a_second_host_is_refused_by_whatever_name_it_opens_the_database() {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("db");
    let store = Store::open(&database).await.unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let soft = elsewhere.path().join("soft");
    std::os::unix::fs::symlink(&database, &soft).unwrap();
    let hard = dir.path().join("hard");
    std::fs::hard_link(&database, &hard).unwrap();
    let folder = elsewhere.path().join("folder");
    std::os::unix::fs::symlink(dir.path(), &folder).unwrap();
    for name in [
        soft.clone(),
        hard.clone(),
        folder.join("db"),
        dir.path().join("./db"),
    ] {
        let refused = Store::open(&name).await;
        assert!(
            matches!(refused, Err(OpenError::InUse { .. })),
            "{}: {refused:?}",
            name.display()
        );
    }
    write(&store, "a", 1).await;
    store.close().await;
    let store = Store::open(&soft).await.unwrap();
    assert_eq!(limit(&store, "a").await, Some(1));
}

#[tokio::test]
async fn a_damaged_database_is_refused_before_anything_is_read_from_it() {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("db");
    let store = Store::open(&database).await.unwrap();
    for n in 0..200 {
        write(&store, &format!("{n}"), n).await;
    }
    store.close().await;
    let mut bytes = std::fs::read(&database).unwrap();
    let last = bytes.len() - 8192;
    for byte in &mut bytes[last..] {
        *byte = 0x5a;
    }
    std::fs::write(&database, bytes).unwrap();
    let refused = Store::open(&database).await;
    assert!(
        matches!(refused, Err(OpenError::Corrupt { .. })),
        "{refused:?}"
    );
}
