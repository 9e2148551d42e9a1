//! A component is loaded as a driver only where those have signed it whom the operator named, whichever way it comes in; and it
//! is not even parsed before.

use std::process::Stdio;

use minisign::KeyPair;
use serde_json::{Value, json};

use springform_suite::guests;

use crate::house::House;

/// Whether a command succeeded, and what it said.
async fn said(house: &House, arguments: &[&str]) -> (bool, String) {
    let ended = house.run(arguments, Stdio::piped()).await;
    let words = [ended.stdout, ended.stderr].concat();
    (ended.status.success(), String::from_utf8(words).unwrap())
}

async fn refused(house: &House, arguments: &[&str], why: &str) {
    let (done, words) = said(house, arguments).await;
    assert!(!done && words.contains(why), "{arguments:?}: {words}");
}

async fn done(house: &House, arguments: &[&str]) -> String {
    let (done, words) = said(house, arguments).await;
    assert!(done, "{arguments:?}: {words}");
    words
}

async fn driver(house: &House) -> Value {
    let url = format!("{}/admin/v1/drivers/d", house.url());
    reqwest::get(url).await.unwrap().json().await.unwrap()
}

/// The configuration, with these lines in `[verification]`.
fn sections(key: &KeyPair, general: &str) -> String {
    let key = key.pk.to_base64();
    format!(
        "[verification]\n{general}\n[verification.keys]\nvendor = \"{key}\"\n[driver.d]\npath = \"first.wasm\"\n\
         [driver.d.verification]\nall_of = [\"vendor\"]\n\
         [[backend]]\nvolume_backend_name = \"b\"\ndriver = \"d\"\nsan_ip = \"127.0.0.1:9\"\n"
    )
}

/// Two components that differ in a section which nobody reads, one that is none, and the vendor's secret key.
fn furnished() -> (House, KeyPair) {
    let key = KeyPair::generate_unencrypted_keypair().unwrap();
    let house = House::new("", &sections(&key, ""));
    let noop = std::fs::read(guests::guest("noop").unwrap()).unwrap();
    std::fs::write(house.path("first.wasm"), &noop).unwrap();
    let second = [&noop[..], &[0, 2, 1, b'n']].concat();
    std::fs::write(house.path("second.wasm"), second).unwrap();
    std::fs::write(house.path("bomb.wasm"), "no component").unwrap();
    let secret = key.sk.to_box(None).unwrap().into_string();
    house.write("vendor.key", &secret, 0o600);
    (house, key)
}

fn path(house: &House, name: &str) -> String {
    house.path(name).display().to_string()
}

async fn sign(house: &House, name: &str) {
    let (file, key) = (path(house, name), path(house, "vendor.key"));
    done(house, &["driver", "sign", &file, "--secret-key", &key]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_serves_only_with_the_signatures_that_are_asked_for_whichever_way_it_comes_in()
{
    let (house, _key) = furnished();
    let unsigned = "is not signed by \"vendor\"";
    let mut host = house.runs().await;
    let seen = driver(&house).await;
    let why = seen["backends"][0]["reason"].as_str().unwrap();
    assert!(why.contains(unsigned), "{seen}");
    assert_eq!(seen["running"], Value::Null, "{seen}");
    host.kill().await.unwrap();
    refused(&house, &["config", "check"], unsigned).await;
    sign(&house, "first.wasm").await;
    done(&house, &["config", "check"]).await;
    let mut host = house.runs().await;
    let first = driver(&house).await["running"]["digest"].clone();

    let (second, bomb) = (path(&house, "second.wasm"), path(&house, "bomb.wasm"));
    refused(
        &house,
        &["driver", "verify", &second, "--driver", "d"],
        unsigned,
    )
    .await;
    refused(&house, &["driver", "install", "d", &second], unsigned).await;
    // What is not signed is not looked into: that it is no component is never found out.
    refused(&house, &["driver", "install", "d", &bomb], unsigned).await;
    sign(&house, "second.wasm").await;
    let words = done(&house, &["driver", "verify", &second, "--driver", "d"]).await;
    assert!(words.contains("signed by vendor"), "{words}");
    done(&house, &["driver", "install", "d", &second]).await;
    done(&house, &["driver", "activate", "d"]).await;
    let seen = driver(&house).await;
    assert_eq!(
        seen["generations"][0]["signers"],
        json!(["vendor"]),
        "{seen}"
    );
    assert_ne!(seen["running"]["digest"], first, "{seen}");

    done(&house, &["driver", "rollback", "d"]).await;
    let installed = seen["generations"][0]["path"].as_str().unwrap();
    std::fs::remove_file(format!("{installed}.minisig")).unwrap();
    refused(&house, &["driver", "activate", "d"], unsigned).await;
    assert_eq!(driver(&house).await["running"]["digest"], first);
    host.kill().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_digest_is_served_no_more_after_a_reload_and_never_again() {
    let (house, key) = furnished();
    sign(&house, "first.wasm").await;
    sign(&house, "second.wasm").await;
    let mut host = house.runs().await;
    let second = path(&house, "second.wasm");
    done(&house, &["driver", "install", "d", &second]).await;
    done(&house, &["driver", "activate", "d"]).await;
    let digest = driver(&house).await["running"]["digest"].clone();
    let digest = digest.as_str().unwrap();

    let before = std::fs::read_to_string(house.config()).unwrap();
    let denied = sections(&key, &format!("denied_digests = [\"{digest}\"]"));
    let denied = before.replace(&sections(&key, ""), &denied);
    assert_ne!(denied, before);
    house.write("springform.toml", &denied, 0o644);
    // All of a reload or nothing: while it serves, another one has to be put into service first, and the reason says which.
    refused(&house, &["config", "reload"], digest).await;
    assert_eq!(driver(&house).await["running"]["digest"], *digest);
    done(&house, &["driver", "rollback", "d"]).await;
    done(&house, &["config", "reload"]).await;
    refused(
        &house,
        &["driver", "activate", "d", "--digest", digest],
        "denied_digests",
    )
    .await;
    refused(
        &house,
        &["driver", "install", "d", &second],
        "denied_digests",
    )
    .await;
    host.kill().await.unwrap();
    let mut host = house.runs().await;
    assert_ne!(driver(&house).await["running"]["digest"], *digest);
    host.kill().await.unwrap();
}
