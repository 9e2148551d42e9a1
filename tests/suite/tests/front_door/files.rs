//! What the host writes belongs to its user alone, and what was cut short does not keep it from starting.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::house::{House, chmod, mode};

fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(below(&path));
        }
        found.push(path);
    }
    found
}

/// What the host made, besides the test's own files.
fn made(house: &House) -> Vec<PathBuf> {
    let ours = ["springform.toml", "tokens.toml", "log"];
    let mut made = below(house.folder.path());
    made.retain(|path| !ours.iter().any(|name| path.ends_with(name)));
    made
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_the_host_writes_is_private_whatever_the_umask() {
    let house = House::new("", "");
    let mut child = house.serve("umask 0; exec", Stdio::null());
    house
        .is_ready(&mut child, &reqwest::Client::new(), &house.url())
        .await;
    let made = made(&house);
    for name in ["springform.db", "springform.db-wal", "cache.key"] {
        assert!(made.iter().any(|path| path.ends_with(name)), "no {name}");
    }
    for path in made {
        let wanted = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(&path), wanted, "{}", path.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_an_older_release_are_taken_from_other_users() {
    let house = House::new("", "");
    house.runs().await.kill().await.unwrap();
    let mut files = made(&house);
    // A key that others could read is no secret any more, and is refused.
    files.retain(|path| !path.ends_with("sealing.key"));
    for path in &files {
        chmod(path, if path.is_dir() { 0o755 } else { 0o644 });
    }
    let _host = house.runs().await;
    for path in files.iter().filter(|path| path.exists()) {
        assert_eq!(mode(path) & 0o077, 0, "{}", path.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_in_a_directory_that_others_may_write_to_is_refused_with_the_command() {
    let house = House::new("database = \"open/springform.db\"", "");
    let open = house.path("open");
    std::fs::create_dir(&open).unwrap();
    chmod(&open, 0o777);
    let error = house.does_not_start().await;
    assert!(
        error.contains(&format!("chmod go-w {}", open.display())),
        "{error}"
    );
    chmod(&open, 0o755);
    let _host = house.runs().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_the_cache_that_a_loss_of_power_cut_short_is_replaced() {
    let house = House::new("", "");
    house.runs().await.kill().await.unwrap();
    let key = house.path("springform-state/cache/cache.key");
    for cut in [0, 31] {
        let whole = std::fs::read(&key).unwrap();
        std::fs::write(&key, &whole[..cut]).unwrap();
        house.runs().await.kill().await.unwrap();
        assert_eq!(std::fs::read(&key).unwrap().len(), 32);
    }
    let log = std::fs::read_to_string(house.path("log")).unwrap();
    assert!(
        log.contains("the key of the compiled drivers is replaced"),
        "{log}"
    );
}
