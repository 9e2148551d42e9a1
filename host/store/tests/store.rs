//! What the store promises: all or nothing, no lost update, pages without overlap, clear words at opening.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use springform_model::cloud::{QosSpecs, QuotaSet, Snapshot, Volume};
use springform_model::time::Timestamp;
use springform_store::{
    Changes, Direction, Measure, OpenError, Query, Store, StoreError, StoreOptions,
};

fn specs(id: usize, at: i64) -> QosSpecs {
    QosSpecs {
        id: format!("{id:04}"),
        name: format!("n{id}"),
        consumer: "both".into(),
        specs: Default::default(),
        created_at: Timestamp(at),
        updated_at: None,
    }
}

#[tokio::test]
async fn no_update_is_lost_when_many_change_one_record() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("db")).await.unwrap();
    let set = QuotaSet {
        id: "p".into(),
        limits: Default::default(),
    };
    store.commit(Changes::new().insert(&set)).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..8 {
        let store = store.clone();
        tasks.spawn(async move {
            for round in 0..10 {
                loop {
                    let mut read = store.get::<QuotaSet>("p").await.unwrap().unwrap();
                    read.record.limits.insert(format!("{task}-{round}"), 1);
                    match store.commit(Changes::new().update(&read)).await {
                        Ok(()) => break,
                        Err(error) => assert!(error.is_conflict(), "{error}"),
                    }
                }
            }
        });
    }
    tasks.join_all().await;
    let read = store.get::<QuotaSet>("p").await.unwrap().unwrap();
    assert_eq!((read.limits.len(), read.revision), (80, 81));
}

#[tokio::test]
async fn many_rows_are_written_at_once_and_the_one_in_the_way_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("db")).await.unwrap();
    let all = |changes: Changes, at: i64| {
        (0..150).fold(changes, |changes, id| changes.insert(&specs(id, at)))
    };
    store.commit(all(Changes::new(), 1)).await.unwrap();
    let read = || async {
        let query = Query::new().sort("id", Direction::Asc);
        store.list::<QosSpecs>(&query).await.unwrap()
    };
    let rename = |rows: &[springform_store::Stored<QosSpecs>], name: &str| {
        rows.iter().fold(Changes::new(), |changes, row| {
            let mut row = row.clone();
            row.record.name = format!("{name}{}", row.record.id);
            changes.update(&row)
        })
    };
    let rows = read().await;
    store.commit(rename(&rows, "new-")).await.unwrap();
    let now = read().await;
    assert_eq!(now.len(), 150);
    assert!(
        now.iter()
            .all(|r| r.revision == 2 && r.name == format!("new-{}", r.id))
    );

    // One of them was changed by somebody else since: nothing is written, and it is named.
    let mut other = now[97].clone();
    other.record.consumer = "front-end".into();
    store.commit(Changes::new().update(&other)).await.unwrap();
    let refused = store.commit(rename(&now, "late-")).await.unwrap_err();
    assert!(
        matches!(&refused, StoreError::Conflict { id, .. } if id == "0097"),
        "{refused}"
    );
    assert!(read().await.iter().all(|r| r.name.starts_with("new-")));

    let mut twice = specs(200, 1);
    twice.name = "new-0003".into();
    let taken = Changes::new().insert(&specs(199, 1)).insert(&twice);
    let taken = (201..220).fold(taken, |changes, id| changes.insert(&specs(id, 1)));
    let refused = store.commit(taken).await.unwrap_err();
    assert!(
        matches!(&refused, StoreError::Duplicate { column, .. } if column == "name"),
        "{refused}"
    );
    let again = all(Changes::new(), 1);
    let refused = store.commit(again).await.unwrap_err();
    assert!(
        matches!(&refused, StoreError::Conflict { id, .. } if id == "0000"),
        "{refused}"
    );
    assert_eq!(read().await.len(), 150);
}

#[tokio::test]
async fn the_same_row_changed_twice_in_one_commit_ends_as_the_second_change_says() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("db")).await.unwrap();
    let rows: Vec<_> = (0..20).map(|id| specs(id, 1)).collect();
    let insert = rows.iter().fold(Changes::new(), |c, row| c.insert(row));
    store.commit(insert).await.unwrap();
    let read = store.list::<QosSpecs>(&Query::new()).await.unwrap();
    let mut changes = Changes::new();
    for round in 0..2 {
        for row in &read {
            let mut row = row.clone();
            row.revision += round;
            row.record.name = format!("{round}-{}", row.record.id);
            changes = changes.update(&row);
        }
    }
    store.commit(changes).await.unwrap();
    let now = store.list::<QosSpecs>(&Query::new()).await.unwrap();
    assert!(
        now.iter()
            .all(|r| r.revision == 3 && r.name.starts_with("1-"))
    );
}

#[tokio::test]
async fn a_refused_change_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("db")).await.unwrap();
    store
        .commit(Changes::new().insert(&specs(1, 1)))
        .await
        .unwrap();
    let mut same_name = specs(2, 2);
    same_name.name = "n1".into();
    let both = Changes::new().insert(&specs(3, 3)).insert(&same_name);
    let refused = store.commit(both).await.unwrap_err();
    assert_eq!(
        refused,
        StoreError::Duplicate {
            table: "qos_specs",
            column: "name".into()
        }
    );
    let guarded = Changes::new().insert(&specs(4, 4)).at_most::<QosSpecs>(
        "specs",
        Measure::Count,
        Query::new(),
        1,
    );
    assert!(matches!(
        store.commit(guarded).await,
        Err(StoreError::Limit { used: 2, .. })
    ));
    assert_eq!(store.count::<QosSpecs>(&Query::new()).await.unwrap(), 1);
}

#[tokio::test]
async fn pages_cover_everything_once_even_where_the_sort_key_is_equal() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("db")).await.unwrap();
    let all = (0..50).fold(Changes::new(), |all, id| {
        all.insert(&specs(id, (id % 3) as i64))
    });
    store.commit(all).await.unwrap();
    for direction in [Direction::Asc, Direction::Desc] {
        let whole = Query::new().sort("created_at", direction);
        let expected: Vec<String> = store
            .list::<QosSpecs>(&whole)
            .await
            .unwrap()
            .into_iter()
            .map(|s| s.record.id)
            .collect();
        let mut seen: Vec<String> = Vec::new();
        loop {
            let mut page = whole.clone().limit(7);
            if let Some(last) = seen.last() {
                page = page.marker(last);
            }
            let found = store.list::<QosSpecs>(&page).await.unwrap();
            if found.is_empty() {
                break;
            }
            seen.extend(found.into_iter().map(|s| s.record.id));
        }
        assert_eq!(seen, expected);
    }
    let lost = store
        .list::<QosSpecs>(&Query::new().marker("nobody"))
        .await
        .unwrap_err();
    assert_eq!(lost, StoreError::NoMarker("nobody".into()));
}

#[tokio::test]
async fn a_file_that_is_no_database_read_only_or_in_use_is_refused_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    std::fs::write(
        &path,
        "this is certainly not a database, it is a letter to the operator".repeat(40),
    )
    .unwrap();
    assert!(matches!(
        Store::open(&path).await,
        Err(OpenError::Corrupt { .. })
    ));
    let path = dir.path().join("other");
    let store = Store::open(&path).await.unwrap();
    assert!(matches!(
        Store::open(&path).await,
        Err(OpenError::InUse { .. })
    ));
    store.close().await;
    let mut permissions = std::fs::metadata(&path).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&path, permissions).unwrap();
    assert!(matches!(
        Store::open(&path).await,
        Err(OpenError::ReadOnly { .. })
    ));
}

#[tokio::test]
async fn a_database_that_takes_no_write_says_why_and_takes_the_next_one() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("db");
    let store = Store::open(&file).await.unwrap();
    let other = rusqlite::Connection::open(&file).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = store.commit(Changes::new().insert(&specs(1, 1))).await;
    let Err(StoreError::Unavailable(why)) = refused else {
        panic!("{refused:?}");
    };
    assert!(why.contains("locked"), "{why}");
    other.close().unwrap();
    let patient = store.patient();
    let written = patient.commit(Changes::new().insert(&specs(1, 1)));
    written.await.unwrap();
}

#[tokio::test]
async fn those_of_a_list_of_names_are_found_without_looking_through_their_backend() {
    let dir = tempfile::tempdir().unwrap();
    let options = StoreOptions {
        explain: true,
        ..StoreOptions::default()
    };
    let store = Store::open_with(&dir.path().join("db"), options)
        .await
        .unwrap();
    let query = Query::new()
        .eq("backend", "pure1")
        .is_in("array_name", ["a", "b"]);
    assert!(store.list::<Volume>(&query).await.unwrap().is_empty());
    assert!(store.list::<Snapshot>(&query).await.unwrap().is_empty());
    assert_eq!(store.scans(), Vec::<String>::new());
}
