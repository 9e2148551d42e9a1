//! The database of the real host: backup, restore.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod desk;

use desk::Desk;

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_restored_into_the_place_of_the_database_of_a_stopped_host() {
    let desk = Desk::new().await;
    let copy = desk.site.folder().join("copy.db");
    let copied = desk.database("backup", &copy).await;
    assert_eq!(copied.code, 0, "{}", copied.err);
    let twice = desk.database("backup", &copy).await;
    assert!(
        twice.code == 1 && twice.err.contains("not overwritten"),
        "{}",
        twice.err
    );
    let later = desk
        .cloud
        .create_volume("later", 1, "replicated")
        .await
        .unwrap();
    desk.cloud
        .volume_becomes(&later, "available")
        .await
        .unwrap();
    let running = desk.database("restore", &copy).await;
    assert!(
        running.code == 1 && running.err.contains("stop the host first"),
        "{}",
        running.err
    );

    let Desk {
        site,
        cloud,
        host,
        volume,
        ..
    } = desk;
    assert!(host.stop().await.unwrap());
    let before = std::fs::read(site.folder().join("springform.db")).unwrap();
    let letter = site.folder().join("letter");
    std::fs::write(&letter, "to whom it may concern ".repeat(400)).unwrap();
    let nowhere = site.folder().join("nowhere");
    for (file, why) in [
        (&letter, "is not a sound Springform database"),
        (&nowhere, "there is no file"),
    ] {
        let refused = desk::database(&site, "restore", file).await;
        let said = refused.err;
        assert!(refused.code == 1 && said.contains(why), "{said}");
        let after = std::fs::read(site.folder().join("springform.db")).unwrap();
        assert!(before == after, "the database was touched");
    }
    let restored = desk::database(&site, "restore", &copy).await;
    assert_eq!(restored.code, 0, "{}", restored.err);
    assert!(
        restored.out.contains("the database that was replaced is"),
        "{}",
        restored.out
    );
    let _host = site.host().await.unwrap();
    cloud.volume(&volume).await.unwrap();
    let unknown = cloud.volume(&later).await.unwrap_err();
    assert!(unknown.to_string().contains("404"), "{unknown}");
}
