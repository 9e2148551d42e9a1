//! The audit log of the real program: who loaded what, who was turned away; and that no hand on the database goes unseen.

use std::path::Path;
use std::process::Stdio;

use minisign::KeyPair;
use reqwest::StatusCode;
use serde_json::{Value, json};
use springform_suite::guests;

use crate::house::{House, TOKEN};

const MEMBER: &str = "a-member-that-is-long-enough";
const GUESS: &str = "a-guess-that-is-long-enough-too";

/// Whether a command succeeded, and what it said.
async fn said(house: &House, arguments: &[&str]) -> (bool, String) {
    let ended = house.run(arguments, Stdio::piped()).await;
    let words = [ended.stdout, ended.stderr].concat();
    (ended.status.success(), String::from_utf8(words).unwrap())
}

async fn done(house: &House, arguments: &[&str]) -> String {
    let (done, words) = said(house, arguments).await;
    assert!(done, "{arguments:?}: {words}");
    words
}

/// A host that knows an administrator and a member, takes what `vendor` signed, and has the array that nobody answers for.
fn furnished() -> House {
    let key = KeyPair::generate_unencrypted_keypair().unwrap();
    let public = key.pk.to_base64();
    let house = House::new(
        "",
        &format!(
            "[auth]\nmode = \"tokens\"\ntokens_file = \"tokens.toml\"\n\
             [verification]\nall_of = [\"vendor\"]\n[verification.keys]\nvendor = \"{public}\"\n\
             [driver.d]\npath = \"first.wasm\"\n\
             [[backend]]\nvolume_backend_name = \"b\"\ndriver = \"d\"\nsan_ip = \"127.0.0.1:9\"\n"
        ),
    );
    let entry = |token: &str, user: &str, role: &str| {
        format!(
            "[[token]]\ntoken = \"{token}\"\nuser = \"{user}\"\nproject = \"ab\"\nroles = [\"{role}\"]\n"
        )
    };
    let tokens = entry(TOKEN, "ann", "admin") + &entry(MEMBER, "ben", "member");
    house.write("tokens.toml", &tokens, 0o600);
    let noop = std::fs::read(guests::guest("noop").unwrap()).unwrap();
    std::fs::write(house.path("first.wasm"), &noop).unwrap();
    let second = [&noop[..], &[0, 2, 1, b'n']].concat();
    std::fs::write(house.path("second.wasm"), second).unwrap();
    let secret = key.sk.to_box(None).unwrap().into_string();
    house.write("vendor.key", &secret, 0o600);
    house
}

fn path(house: &House, name: &str) -> String {
    house.path(name).display().to_string()
}

async fn sign(house: &House, name: &str) {
    let (file, key) = (path(house, name), path(house, "vendor.key"));
    done(house, &["driver", "sign", &file, "--secret-key", &key]).await;
}

async fn get(house: &House, path: &str, token: &str) -> (StatusCode, Value) {
    let request = reqwest::Client::new().get(format!("{}{path}", house.url()));
    let answer = request.header("X-Auth-Token", token).send().await.unwrap();
    let status = answer.status();
    (status, answer.json().await.unwrap_or_default())
}

/// The entries of an export, and its heads.
async fn exported(house: &House) -> (Vec<Value>, Vec<Value>) {
    let text = done(house, &["audit", "export"]).await;
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.partition(|line: &Value| line.get("entry").is_some())
}

/// `action outcome who`, for each entry.
fn told(entries: &[Value]) -> Vec<String> {
    let word = |entry: &Value, at: &str| entry.pointer(at)?.as_str().map(str::to_owned);
    let words = |line: &Value| {
        let entry = &line["entry"];
        let who = word(entry, "/who/user").or_else(|| word(entry, "/who/kind"));
        let parts = [word(entry, "/action"), word(entry, "/outcome"), who];
        parts.map(Option::unwrap_or_default).join(" ")
    };
    entries.iter().map(words).collect()
}

fn find<'a>(entries: &'a [Value], action: &str) -> &'a Value {
    let found = entries
        .iter()
        .find(|line| line["entry"]["action"] == action);
    &found.unwrap_or_else(|| panic!("no {action}: {entries:#?}"))["entry"]
}

fn sql(database: &Path, statements: &str) {
    let connection = rusqlite::Connection::open(database).unwrap();
    connection.execute_batch(statements).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_tells_who_loaded_and_swapped_drivers_and_who_was_turned_away() {
    let house = furnished();
    sign(&house, "first.wasm").await;
    let mut host = house.runs().await;
    let second = path(&house, "second.wasm");
    let install = ["driver", "install", "d", second.as_str()];
    assert!(!said(&house, &install).await.0);
    sign(&house, "second.wasm").await;
    done(&house, &install).await;
    done(&house, &["driver", "activate", "d"]).await;
    done(&house, &["driver", "rollback", "d"]).await;
    // A flood is two entries: the first, and how many there were.
    for _ in 0..200 {
        let (status, _) = get(&house, "/v3/volumes", GUESS).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
    }
    let (status, _) = get(&house, "/admin/v1/audit", MEMBER).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (_, page) = get(&house, "/admin/v1/audit?driver=d&limit=2", TOKEN).await;
    assert_eq!(page["entries"][0]["action"], "driver-rolled-back", "{page}");
    let next = page["next"].as_str().unwrap();
    let next = format!("/admin/v1/audit?driver=d&limit=2&marker={next}");
    let (_, page) = get(&house, &next, TOKEN).await;
    assert_eq!(page["entries"][0]["action"], "driver-installed", "{page}");
    // It ends in order: what was counted is written.
    let pid = host.id().unwrap().to_string();
    let sent = std::process::Command::new("kill").arg(&pid).status();
    assert!(sent.unwrap().success() && host.wait().await.unwrap().success());
    done(&house, &["db", "rotate-key"]).await;

    let (entries, heads) = exported(&house).await;
    assert_eq!(
        told(&entries),
        [
            "host-started succeeded host",
            "driver-installed succeeded host",
            "driver-loaded succeeded host",
            "verification-refused refused ann",
            "driver-installed succeeded ann",
            "driver-activated succeeded ann",
            "driver-rolled-back succeeded ann",
            "authentication-failed denied unknown",
            "access-denied denied ben",
            "authentication-failed denied unknown",
            "host-stopped succeeded host",
            &format!(
                "key-rotated succeeded uid {}",
                rustix::process::getuid().as_raw()
            ),
        ]
    );
    let activated = find(&entries, "driver-activated");
    assert_eq!(activated["on"]["signers"], json!(["vendor"]));
    assert_eq!(activated["who"]["address"], "127.0.0.1");
    assert!(
        activated["who"]["request"]
            .as_str()
            .unwrap()
            .starts_with("req-")
    );
    let digest = activated["on"]["digest"].as_str().unwrap();
    let refused = find(&entries, "verification-refused")["reason"].as_str();
    let refused = refused.unwrap();
    assert!(
        refused.contains(digest) && refused.contains("vendor"),
        "{refused}"
    );
    let denied = find(&entries, "access-denied");
    assert_eq!(denied["details"]["rule"], "springform:audit:list");
    assert_eq!(entries[9]["entry"]["details"]["times"], "199");

    // The log holds the anchors, and no secret is in any of this.
    let log = std::fs::read_to_string(house.path("log")).unwrap();
    let last = &entries[entries.len() - 2];
    let anchor = format!("{}:{}", last["seq"], last["hash"].as_str().unwrap());
    assert!(log.contains(&anchor), "{anchor}\n{log}");
    let words = done(&house, &["audit", "verify", "--anchor", &anchor]).await;
    assert!(words.contains("entries 1 to 12, sound"), "{words}");
    let text = format!("{entries:?}{heads:?}");
    let key = std::fs::read_to_string(house.path("springform-state/sealing.key")).unwrap();
    for secret in [TOKEN, MEMBER, GUESS, key.trim()] {
        assert!(!text.contains(secret) && !log.contains(secret), "{secret}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_edited_cut_or_reordered_is_found_by_the_command_and_a_kill_breaks_none() {
    let house = furnished();
    sign(&house, "first.wasm").await;
    sign(&house, "second.wasm").await;
    let second = path(&house, "second.wasm");
    for _ in 0..3 {
        let mut host = house.runs().await;
        done(&house, &["driver", "install", "d", &second]).await;
        let activate = ["driver", "activate", "d"];
        let swaps = async {
            loop {
                said(&house, &activate).await;
                said(&house, &["driver", "rollback", "d"]).await;
            }
        };
        let time = std::time::Duration::from_millis(700);
        assert!(tokio::time::timeout(time, swaps).await.is_err());
        host.kill().await.unwrap();
        let words = done(&house, &["audit", "verify"]).await;
        assert!(words.contains("sound"), "{words}");
    }
    let export = done(&house, &["audit", "export"]).await;
    std::fs::write(house.path("export.jsonl"), &export).unwrap();
    let entries = export.lines().filter(|line| line.starts_with("{\"entry\""));
    let length = entries.count();
    assert!(length > 12, "{export}");
    let database = house.path("springform.db");
    let backup = path(&house, "backup.db");
    done(&house, &["db", "backup", &backup]).await;
    let drop = "DROP TRIGGER audit_no_update; DROP TRIGGER audit_no_delete;";
    let swap = "UPDATE audit SET seq = 999 WHERE seq = 5; UPDATE audit SET seq = 5 WHERE seq = 7; UPDATE audit SET seq = 7 WHERE seq = 999";
    let cases = [
        (
            "UPDATE audit SET doc = replace(doc, 'ann', 'eve') WHERE seq = 4".to_owned(),
            "entry 4 is not sound: edited",
        ),
        (
            "DELETE FROM audit WHERE seq = 6".to_owned(),
            "entry 6 is not sound: missing",
        ),
        (
            swap.to_owned(),
            "entry 5 is not sound: re-ordered: it was written as number 7",
        ),
    ];
    let copy = path(&house, "copy.db");
    let verify = ["audit", "verify", "--database", &copy];
    for (statements, why) in &cases {
        std::fs::copy(&backup, &copy).unwrap();
        sql(Path::new(&copy), &format!("{drop}{statements}"));
        let (sound, words) = said(&house, &verify).await;
        assert!(!sound && words.contains(why), "{why}: {words}");
    }
    // Without an anchor a cut end looks like any other.
    std::fs::copy(&backup, &copy).unwrap();
    let cut = format!("{drop}DELETE FROM audit WHERE seq >= {length}");
    sql(Path::new(&copy), &cut);
    done(&house, &verify).await;
    let export = path(&house, "export.jsonl");
    let (sound, words) = said(&house, &[&verify[..], &["--since", &export]].concat()).await;
    let why = format!("entry {length} is not sound: cut");
    assert!(!sound && words.contains(&why), "{words}");
    done(&house, &["audit", "verify", "--since", &export]).await;

    // What was written after a backup is gone with its restore: the log that goes on says so, and the anchor finds it.
    let mut host = house.runs().await;
    host.kill().await.unwrap();
    let text = done(&house, &["audit", "export"]).await;
    std::fs::write(&export, text).unwrap();
    done(&house, &["db", "restore", &backup]).await;
    let (sound, words) = said(&house, &["audit", "verify", "--since", &export]).await;
    assert!(
        !sound && words.contains("a backup was put in the place"),
        "{words}"
    );
    done(&house, &["audit", "verify"]).await;
    assert!(database.exists());
    let (entries, _) = exported(&house).await;
    let restored = &entries.last().unwrap()["entry"];
    assert_eq!(restored["action"], "database-restored");
    assert_eq!(restored["details"]["backup"], backup);
}
