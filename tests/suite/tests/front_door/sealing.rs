//! Secrets in the database are sealed with a key that the host makes, keeps apart, and exchanges on demand; nothing is served
//! where it is missing, damaged or another one.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use memchr::memmem;
use springform_model::cloud::Transfer;
use springform_model::time::Timestamp;
use springform_store::{Changes, Keyring, Query, SealingKey, Store, StoreOptions, sealed_with};
use tokio::process::Command;

use springform_suite::guests;

use crate::house::{House, chmod, mode};

const KEY: &str = "springform-state/sealing.key";
const ROWS: usize = 2_000;

fn key(house: &House) -> Keyring {
    let text = std::fs::read_to_string(house.path(KEY)).unwrap();
    Keyring::parse(&text).unwrap()
}

fn transfer(id: usize) -> Transfer {
    Transfer {
        id: id.to_string(),
        volume_id: "volume".to_owned(),
        source_project_id: "project".to_owned(),
        destination_project_id: None,
        name: None,
        salt: "salt".to_owned(),
        key_hash: format!("canary-of-{id}"),
        no_snapshots: false,
        accepted: false,
        created_at: Timestamp(1),
        updated_at: None,
    }
}

async fn open(database: &Path, keys: Option<Keyring>) -> Store {
    let options = StoreOptions {
        keys,
        ..StoreOptions::default()
    };
    Store::open_with(database, options).await.unwrap()
}

async fn fill(store: &Store) {
    let rows = (0..ROWS).map(transfer);
    let changes = rows.fold(Changes::new(), |changes, row| changes.insert(&row));
    store.commit(changes).await.unwrap();
    store.close().await;
}

async fn is_whole(house: &House) {
    let store = open(&house.path("springform.db"), Some(key(house))).await;
    let found = store.list::<Transfer>(&Query::new()).await.unwrap();
    assert_eq!(found.len(), ROWS);
    for row in found {
        assert_eq!(row.record, transfer(row.record.id.parse().unwrap()));
    }
    store.close().await;
}

fn holds(file: &Path, text: &str) -> bool {
    let bytes = std::fs::read(file).unwrap();
    memmem::find(&bytes, text.as_bytes()).is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_start_makes_a_key_and_seals_what_an_older_release_left_in_clear() {
    let house = House::new("", "");
    let database = house.path("springform.db");
    fill(&open(&database, None).await).await;
    assert!(holds(&database, "canary-of-77"));
    let mut host = house.runs().await;
    assert_eq!(mode(&house.path(KEY)), 0o600);
    for name in ["springform.db", "springform.db-wal"] {
        assert!(!holds(&house.path(name), "canary-of-"), "{name}");
    }
    let made = key(&house);
    assert_eq!(
        sealed_with(&database).await.unwrap(),
        Some(made.first().id())
    );
    host.kill().await.unwrap();
    house.runs().await.kill().await.unwrap();
    assert_eq!(key(&house).first().id(), made.first().id(), "kept");
    is_whole(&house).await;
    let line = made.first().line();
    let log = std::fs::read_to_string(house.path("log")).unwrap();
    assert!(log.contains(&made.first().id()) && !log.contains(line.as_str()));
    assert!(!holds(&database, &line), "the key is kept apart");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_served_with_a_key_that_is_another_damaged_missing_or_open_to_all() {
    let house = House::new("", "");
    house.runs().await.kill().await.unwrap();
    let file = house.path(KEY);
    let right = std::fs::read_to_string(&file).unwrap();
    let id = key(&house).first().id();
    let other = SealingKey::generate().unwrap();
    let cases = [
        (
            format!("{}\n", *other.line()),
            "put back the key that belongs",
        ),
        (right[..40].to_owned(), "line 1 is not a key"),
        (String::new(), "there is no key in it"),
    ];
    for (text, words) in cases {
        house.write(KEY, &text, 0o600);
        let error = house.does_not_start().await;
        assert!(error.contains(words), "{error}");
        assert!(!error.contains(right.trim()), "{error}");
    }
    std::fs::remove_file(&file).unwrap();
    let error = house.does_not_start().await;
    assert!(error.contains("put it back from its copy"), "{error}");
    assert!(error.contains(&id), "{error}");
    assert!(!file.exists(), "no other key is made");
    house.write(KEY, &right, 0o644);
    let error = house.does_not_start().await;
    assert!(error.contains("chmod 600"), "{error}");
    chmod(&file, 0o600);
    house.runs().await.kill().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_rotated_while_no_host_runs_and_a_kill_in_the_middle_loses_nothing() {
    let house = House::new("", "");
    let mut host = house.runs().await;
    let refused = house.run(&["db", "rotate-key"], Stdio::piped()).await;
    assert!(!refused.status.success());
    let words = String::from_utf8(refused.stderr).unwrap();
    assert!(
        words.contains("in use by another Springform process"),
        "{words}"
    );
    host.kill().await.unwrap();
    let before = key(&house);
    fill(&open(&house.path("springform.db"), Some(before.clone())).await).await;

    let (mut killed, mut ended) = (0, 0);
    for n in 0..25 {
        let mut rotation = Command::new(guests::springform().unwrap())
            .args(["db", "rotate-key", "--config"])
            .arg(house.config())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let until = Duration::from_millis(n * 16);
        match tokio::time::timeout(until, rotation.wait()).await {
            Ok(status) => {
                assert!(status.unwrap().success());
                ended += 1;
            }
            Err(_) => {
                rotation.kill().await.unwrap();
                killed += 1;
            }
        }
        is_whole(&house).await;
    }
    let rotated = house.run(&["db", "rotate-key"], Stdio::piped()).await;
    assert!(rotated.status.success(), "{killed} {ended}");
    let now = key(&house);
    assert_eq!(now.all().count(), 1, "the old keys are forgotten");
    assert_ne!(now.first().id(), before.first().id());
    let said = String::from_utf8(rotated.stdout).unwrap();
    assert!(said.contains(&now.first().id()), "{said}");
    is_whole(&house).await;
    house.runs().await.kill().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_needs_the_key_it_was_made_with_and_does_not_have_it() {
    let house = House::new("", "");
    house.runs().await.kill().await.unwrap();
    let old = std::fs::read_to_string(house.path(KEY)).unwrap();
    fill(&open(&house.path("springform.db"), Some(key(&house))).await).await;
    let backup = house.path("backup.db");
    let named = backup.to_str().unwrap();
    assert!(
        house
            .run(&["db", "backup", named], Stdio::null())
            .await
            .status
            .success()
    );
    assert!(!holds(&backup, old.trim()) && !holds(&backup, "canary-of-"));

    assert!(
        house
            .run(&["db", "rotate-key"], Stdio::null())
            .await
            .status
            .success()
    );
    let before = std::fs::read(house.path("springform.db")).unwrap();
    let refused = house.run(&["db", "restore", named], Stdio::null()).await;
    let words = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success());
    assert!(words.contains("nothing was changed"), "{words}");
    assert_eq!(std::fs::read(house.path("springform.db")).unwrap(), before);

    let both = format!("{}{old}", std::fs::read_to_string(house.path(KEY)).unwrap());
    house.write(KEY, &both, 0o600);
    let restored = house.run(&["db", "restore", named], Stdio::null()).await;
    assert!(restored.status.success());
    is_whole(&house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_may_come_from_the_environment_or_as_a_credential_of_systemd() {
    let key = SealingKey::generate().unwrap();
    for (line, place) in [
        ("sealing_key_env = \"TEST_SEALING_KEY\"", "TEST_SEALING_KEY"),
        ("sealing_key_credential = \"sealing\"", "sealing"),
    ] {
        let house = House::new(line, "");
        let error = house.does_not_start().await;
        assert!(error.contains(place), "{error}");
        let credentials = house.path("credentials");
        std::fs::create_dir(&credentials).unwrap();
        house.write("credentials/sealing", &key.line(), 0o400);
        let before = format!(
            "export CREDENTIALS_DIRECTORY={} TEST_SEALING_KEY={}; exec",
            credentials.display(),
            *key.line()
        );
        let mut host = house.serve(&before, Stdio::null());
        house
            .is_ready(&mut host, &reqwest::Client::new(), &house.url())
            .await;
        let sealed = sealed_with(&house.path("springform.db")).await.unwrap();
        assert_eq!(sealed, Some(key.id()));
        assert!(!house.path(KEY).exists());
        host.kill().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_file_of_a_secret_is_taken_that_every_user_can_read() {
    let guest = guests::guest("pure_async").unwrap();
    let array = format!(
        "[driver.d]\npath = \"{}\"\n[[backend]]\nvolume_backend_name = \"b\"\ndriver = \"d\"\nsan_ip = \"127.0.0.1:1\"\npure_api_token_file",
        guest.display()
    );
    let hook = "[[webhook]]\nname = \"h\"\nurl = \"http://localhost:1\"\nsecret_file";
    let keystone = "[auth]\nmode = \"keystone\"\nkeystone_url = \"http://localhost:1\"\nkeystone_user = \"u\"\nkeystone_password_file";
    let cases = [
        ("sealing_key_file", String::new()),
        (
            "tls_certificate_file = \"cert.pem\"\ntls_key_file",
            String::new(),
        ),
        ("", "[auth]\nmode = \"tokens\"\ntokens_file".to_owned()),
        ("", keystone.to_owned()),
        ("", hook.to_owned()),
        ("", array),
    ];
    for (service, sections) in cases {
        let named = |text: &str| match text.is_empty() {
            true => String::new(),
            false => format!("{text} = \"secret\""),
        };
        let house = House::new(&named(service), &named(&sections));
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        house.write("cert.pem", &made.cert.pem(), 0o644);
        let key = made.signing_key.serialize_pem();
        let text = match (service, sections.contains("tokens_file")) {
            ("sealing_key_file", _) => SealingKey::generate().unwrap().line().to_string(),
            (tls, _) if !tls.is_empty() => key,
            (_, true) => String::new(),
            _ => "0123456789abcdef0123456789abcdef".to_owned(),
        };
        for exposed in [0o604, 0o644, 0o602] {
            house.write("secret", &text, exposed);
            let checked = house.run(&["config", "check"], Stdio::null()).await;
            let words = String::from_utf8(checked.stderr).unwrap();
            assert!(!checked.status.success(), "{service}{sections}");
            let command = format!("chmod 600 {}", house.path("secret").display());
            assert!(words.contains(&command), "{words}");
        }
        for private in [0o600, 0o640] {
            house.write("secret", &text, private);
            let checked = house.run(&["config", "check"], Stdio::null()).await;
            let words = String::from_utf8(checked.stderr).unwrap();
            assert!(checked.status.success(), "{words}");
        }
    }
}
