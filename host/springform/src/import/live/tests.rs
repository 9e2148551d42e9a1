use super::*;

#[test]
fn a_database_is_named_as_cinder_names_it() {
    let mysql = |url: &str| Address::MySql(url.to_owned());
    let postgres = |url: &str| Address::Postgres(url.to_owned());
    let sqlite = |file: &str| Address::Sqlite(file.to_owned());
    for (url, expected) in [
        (
            "mysql+pymysql://c:p@db/cinder?charset=utf8",
            mysql("mysql://c:p@db/cinder?charset=utf8"),
        ),
        (
            "postgresql+psycopg2://c:p@db/cinder",
            postgres("postgres://c:p@db/cinder"),
        ),
        (
            "sqlite:////var/lib/cinder.sqlite",
            sqlite("/var/lib/cinder.sqlite"),
        ),
        ("sqlite:///cinder.sqlite", sqlite("cinder.sqlite")),
    ] {
        assert_eq!(address(url).unwrap(), expected);
    }
    assert!(address("oracle://db").is_err() && address("cinder.sqlite").is_err());
}

#[tokio::test]
async fn what_a_file_of_sqlite_holds_is_read_as_text_and_as_it_was_at_the_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cinder.sqlite");
    let cinder = Sqlite::open(&file).unwrap();
    let made = "CREATE TABLE volumes (id TEXT, size INTEGER, deleted BOOLEAN);
                    INSERT INTO volumes VALUES ('a', 7, 0), (NULL, 8, 1);";
    cinder.execute_batch(made).unwrap();
    let mut live = Live::open(&format!("sqlite:///{}", file.display()))
        .await
        .unwrap();
    let rows = live.rows("volumes", &["id", "size"], "").await.unwrap();
    assert_eq!(rows[0].opt("id"), Some("a"));
    assert_eq!(rows[1].opt("id"), None);
    assert_eq!(rows[1].number::<u64>("size"), Some(8));
    let only = format!(" WHERE {} = '0'", live.text("deleted"));
    assert_eq!(live.rows("volumes", &["id"], &only).await.unwrap().len(), 1);
    assert!(live.rows("snapshots", &["id"], "").await.is_err());
    assert!(
        Live::open("sqlite:////nowhere/cinder.sqlite")
            .await
            .is_err()
    );
}
