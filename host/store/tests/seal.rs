//! Secrets at rest: sealed in every file that a store writes, opened by the right key only, each in its own place.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::path::Path;

use serde::{Deserialize, Serialize};
use springform_model::cloud::{AttachStatus, Attachment};
use springform_model::contract::{Chap, Connection, Connector};
use springform_model::time::Timestamp;
use springform_store::{
    BackupError, Changes, KeyError, Keyring, OpenError, Query, Record, SealingKey, Store,
    StoreError, StoreOptions, Table, Value, backup, restore, sealed_with,
};

const CANARY: &str = "canary-5f1e0c";
const NOW: Timestamp = Timestamp(1_000_000);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Password {
    id: String,
    user: String,
    password: String,
}

impl Record for Password {
    const TABLE: Table = Table {
        name: "secrets",
        columns: &[],
    };
    fn id(&self) -> &str {
        &self.id
    }
    fn columns(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }
}

fn password(id: &str) -> Password {
    Password {
        id: id.to_owned(),
        user: "user \"quoted\"".to_owned(),
        password: format!("{CANARY}-\"{id}\"\n"),
    }
}

fn attachment(id: &str) -> Attachment {
    Attachment {
        id: id.to_owned(),
        volume_id: "volume".to_owned(),
        project_id: "project".to_owned(),
        instance_id: None,
        host_name: None,
        device: None,
        status: AttachStatus::Attached,
        mode: None,
        connector: Some(Connector::default()),
        connection: Some(Connection {
            driver_volume_type: "iscsi".to_owned(),
            paths: Vec::new(),
            wwn: None,
            nguid: None,
            discard: false,
            chap: Some(Chap {
                user: "u".to_owned(),
                password: CANARY.to_owned().into(),
            }),
            transport: None,
            data: vec![("key".to_owned(), CANARY.to_owned())],
            extensions: Vec::new(),
        }),
        legacy: false,
        made_by: None,
        outdated: None,
        operation: None,
        attached_at: None,
        detached_at: None,
        created_at: NOW,
        updated_at: None,
    }
}

fn keys() -> Keyring {
    Keyring::new(SealingKey::generate().unwrap())
}

async fn open(file: &Path, keys: &Keyring) -> Result<Store, OpenError> {
    let options = StoreOptions {
        keys: Some(keys.clone()),
        ..StoreOptions::default()
    };
    Store::open_with(file, options).await
}

async fn fill(store: &Store) {
    let mut changes = Changes::new();
    for n in 0..700 {
        changes = changes
            .insert(&password(&format!("s{n}")))
            .insert(&attachment(&format!("a{n}")));
    }
    store.commit(changes).await.unwrap();
    // What was changed and deleted leaves traces in the file that no row shows.
    let mut changes = Changes::new();
    for n in 0..300 {
        changes = changes.remove::<Password>(&format!("s{n}"));
    }
    let mut changed = store.get::<Attachment>("a5").await.unwrap().unwrap();
    changed.record.connection = None;
    store.commit(changes.update(&changed)).await.unwrap();
}

async fn is_whole(store: &Store) {
    let found = store.list::<Password>(&Query::new()).await.unwrap();
    assert_eq!(found.len(), 400);
    for stored in found {
        assert_eq!(stored.record, password(&stored.record.id));
    }
    let one = store.get::<Password>("s650").await.unwrap().unwrap();
    assert_eq!(one.record, password("s650"));
    let attachments = store.list::<Attachment>(&Query::new()).await.unwrap();
    assert_eq!(attachments.len(), 700);
    for stored in attachments {
        match stored.record.id.as_str() {
            "a5" => assert_eq!(stored.record.connection, None),
            id => assert_eq!(stored.record, attachment(id)),
        }
    }
}

/// Names of the files of a folder in which a text stands.
fn holding(folder: &Path, text: &str) -> Vec<String> {
    let finder = |bytes: &[u8]| {
        bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    };
    let files = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    files
        .filter(|file| finder(&std::fs::read(file.path()).unwrap()))
        .map(|file| file.file_name().into_string().unwrap())
        .collect()
}

#[tokio::test]
async fn no_file_that_a_store_writes_holds_a_secret_in_clear() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("db");
    let keys = keys();
    let store = open(&file, &keys).await.unwrap();
    fill(&store).await;
    is_whole(&store).await;
    backup(&file, &dir.path().join("backup"), NOW)
        .await
        .unwrap();
    assert!(holding(dir.path(), CANARY).is_empty());
    store.close().await;
    assert!(holding(dir.path(), CANARY).is_empty());
    is_whole(&open(&file, &keys).await.unwrap()).await;
    assert_eq!(
        sealed_with(&dir.path().join("backup")).await.unwrap(),
        Some(keys.first().id())
    );
}

#[tokio::test]
async fn a_database_in_clear_is_sealed_when_it_is_opened_with_a_key_and_keeps_no_trace() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("db");
    let store = Store::open(&file).await.unwrap();
    fill(&store).await;
    store.close().await;
    assert_eq!(holding(dir.path(), CANARY), ["db"]);
    assert_eq!(sealed_with(&file).await.unwrap(), None);

    let keys = keys();
    let store = open(&file, &keys).await.unwrap();
    assert!(holding(dir.path(), CANARY).is_empty(), "while it is open");
    is_whole(&store).await;
    store.close().await;
    assert!(holding(dir.path(), CANARY).is_empty());
    assert_eq!(sealed_with(&file).await.unwrap(), Some(keys.first().id()));
}

#[tokio::test]
async fn a_sealed_database_opens_with_its_own_key_only_and_is_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("db");
    let (right, wrong) = (keys(), keys());
    let store = open(&file, &right).await.unwrap();
    fill(&store).await;
    store.close().await;
    let before = std::fs::read(&file).unwrap();

    let refused = Store::open(&file).await.unwrap_err();
    assert!(matches!(refused, OpenError::NoKey { .. }), "{refused}");
    assert!(
        refused.to_string().contains("sealing_key_file"),
        "{refused}"
    );
    let refused = open(&file, &wrong).await.unwrap_err();
    assert!(matches!(refused, OpenError::WrongKey { .. }), "{refused}");
    for id in [right.first().id(), wrong.first().id()] {
        assert!(refused.to_string().contains(&id), "{refused}");
    }
    assert_eq!(std::fs::read(&file).unwrap(), before);
    is_whole(&open(&file, &right).await.unwrap()).await;
}

#[tokio::test]
async fn a_new_key_in_front_takes_over_and_the_old_one_opens_nothing_any_more() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("db");
    let old = keys();
    let store = open(&file, &old).await.unwrap();
    fill(&store).await;
    store.close().await;
    let sealed: String = store_doc(&file);

    let both = old.led_by(SealingKey::generate().unwrap());
    // The text that a rotation leaves between its two steps.
    let both = Keyring::parse(&both.text()).unwrap();
    is_whole(&open(&file, &both).await.unwrap()).await;
    assert_eq!(sealed_with(&file).await.unwrap(), Some(both.first().id()));
    assert!(holding(dir.path(), &sealed).is_empty(), "of the old key");
    let refused = open(&file, &old).await.unwrap_err();
    assert!(matches!(refused, OpenError::WrongKey { .. }), "{refused}");
    let new = Keyring::new(both.first().clone());
    is_whole(&open(&file, &new).await.unwrap()).await;
}

fn store_doc(file: &Path) -> String {
    let connection = rusqlite::Connection::open(file).unwrap();
    let text = "SELECT doc FROM secrets WHERE id = 's650'";
    let doc: String = connection.query_row(text, (), |row| row.get(0)).unwrap();
    let doc: serde_json::Value = serde_json::from_str(&doc).unwrap();
    doc["password"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_secret_in_the_place_of_another_and_one_in_clear_are_not_believed() {
    for change in [
        "UPDATE secrets SET doc = json_set(doc, '$.password',
            (SELECT doc ->> '$.password' FROM secrets WHERE id = 's400')) WHERE id = 's650'",
        "UPDATE secrets SET doc = (SELECT doc FROM secrets WHERE id = 's400') WHERE id = 's650'",
        "UPDATE secrets SET doc = json_set(doc, '$.password', 'open') WHERE id = 's650'",
        "UPDATE secrets SET doc = json_set(doc, '$.password', 'sealed:1:') WHERE id = 's650'",
        "UPDATE secrets SET doc = json_set(doc, '$.password', 7) WHERE id = 's650'",
    ] {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("db");
        let keys = keys();
        let store = open(&file, &keys).await.unwrap();
        fill(&store).await;
        store.close().await;
        let connection = rusqlite::Connection::open(&file).unwrap();
        assert_eq!(connection.execute(change, ()).unwrap(), 1);
        drop(connection);
        let store = open(&file, &keys).await.unwrap();
        let refused = store.get::<Password>("s650").await.unwrap_err();
        let StoreError::Database(words) = refused else {
            panic!("{refused}")
        };
        assert!(words.contains("secret password in record s650"), "{words}");
        assert!(!words.contains(CANARY), "{words}");
        assert!(store.list::<Password>(&Query::new()).await.is_err());
        assert!(store.get::<Password>("s400").await.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_backup_under_another_key_replaces_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (file, other) = (dir.path().join("db"), dir.path().join("other"));
    let (mine, theirs) = (keys(), keys());
    let store = open(&file, &mine).await.unwrap();
    fill(&store).await;
    store.close().await;
    open(&other, &theirs).await.unwrap().close().await;
    let before = std::fs::read(&file).unwrap();
    for given in [None, Some(&mine)] {
        let refused = restore(&file, &other, given, NOW, None).await.unwrap_err();
        assert!(matches!(refused, BackupError::WrongKey { .. }), "{refused}");
        assert!(refused.to_string().contains(&theirs.first().id()));
    }
    assert_eq!(std::fs::read(&file).unwrap(), before);

    let saved = dir.path().join("backup");
    backup(&file, &saved, NOW).await.unwrap();
    restore(&file, &saved, Some(&mine), NOW, None)
        .await
        .unwrap();
    is_whole(&open(&file, &mine).await.unwrap()).await;
}

#[test]
fn a_key_that_is_damaged_is_named_by_its_line_and_never_shown() {
    let key = SealingKey::generate().unwrap();
    let line = key.line();
    assert!(!format!("{key:?}").contains(line.as_str()));
    let read = Keyring::parse(&format!("# of the third rack\n\n {} \r\n", *line)).unwrap();
    assert_eq!(read.first().id(), key.id());
    assert_eq!(Keyring::parse("\n# none\n").unwrap_err(), KeyError::Empty);
    for damaged in [&line[..63], &format!("{}0", *line), "0xcafe", "\0\0\0"] {
        let refused = Keyring::parse(&format!("{}\n{damaged}", *line)).unwrap_err();
        assert_eq!(refused, KeyError::Damaged { line: 2 });
        assert!(!refused.to_string().contains(damaged));
    }
}
