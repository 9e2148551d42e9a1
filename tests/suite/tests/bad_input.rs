//! What the real program says to input that cannot work: a status, and one sentence an operator can act on.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::path::Path;
use std::process::{Command, Output};

use springform_suite::guests;
use springform_suite::site::Site;
use tempfile::TempDir;

fn springform(arguments: &[&str], folder: &Path) -> Output {
    Command::new(guests::springform().unwrap())
        .args(arguments)
        .current_dir(folder)
        .env_remove("SPRINGFORM_CONFIG")
        .output()
        .unwrap()
}

fn refused(arguments: &[&str], folder: &Path) -> String {
    let output = springform(arguments, folder);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn folder(config: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("springform.toml"), config).unwrap();
    folder
}

fn with_driver(bytes: &[u8]) -> TempDir {
    let folder = folder("[driver.pure-async]\npath = \"driver.wasm\"\n");
    std::fs::write(folder.path().join("driver.wasm"), bytes).unwrap();
    folder
}

#[test]
fn without_a_configuration_the_file_is_named_and_where_to_find_an_example() {
    let folder = tempfile::tempdir().unwrap();
    for command in [["serve"].as_slice(), &["config", "check"]] {
        let said = refused(command, folder.path());
        assert!(
            said.contains("springform.toml: there is no such file"),
            "{said}"
        );
        assert!(said.contains("examples/springform.toml"), "{said}");
    }
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_what_was_meant() {
    let folder = folder("[service]\nlisen = \"127.0.0.1:0\"\n");
    let said = refused(&["serve"], folder.path());
    assert!(
        said.contains(
            "springform.toml:2: [service] has the unknown key `lisen`; did you mean `listen`?"
        ),
        "{said}"
    );
}

#[test]
fn a_missing_secret_is_named_before_anything_is_started() {
    let folder = folder(
        "[driver.d]\npath = \"d.wasm\"\n[[backend]]\nvolume_backend_name = \"b\"\ndriver = \"d\"\nsan_ip = \"192.0.2.1\"\npure_api_token_env = \"SPRINGFORM_SUITE_NOT_SET\"\n",
    );
    let said = refused(&["serve"], folder.path());
    assert!(
        said.contains("environment variable SPRINGFORM_SUITE_NOT_SET, which is not set"),
        "{said}"
    );
}

#[test]
fn a_driver_file_that_is_not_there_is_named() {
    let folder = folder("[driver.pure-async]\npath = \"driver.wasm\"\n");
    let said = refused(&["config", "check"], folder.path());
    assert!(
        said.contains(
            "springform.toml:1: [driver.pure-async] cannot be used: cannot read the driver file"
        ),
        "{said}"
    );
}

#[test]
fn a_driver_file_that_is_no_webassembly_is_called_so() {
    let folder = with_driver(b"#!/bin/sh\necho driver\n");
    let said = refused(&["config", "check"], folder.path());
    assert!(said.contains("the file is not WebAssembly"), "{said}");
    let said = refused(&["driver", "inspect", "driver.wasm"], folder.path());
    assert!(said.contains("the file is not WebAssembly"), "{said}");
}

#[test]
fn a_core_module_is_called_so_with_the_way_to_make_a_component() {
    let folder = with_driver(b"\0asm\x01\0\0\0");
    let said = refused(&["config", "check"], folder.path());
    assert!(
        said.contains("a core WebAssembly module, not a component"),
        "{said}"
    );
    assert!(said.contains("wasm32-wasip2"), "{said}");
}

#[test]
fn a_truncated_component_is_called_so() {
    let whole = std::fs::read(guests::guest("noop").unwrap()).unwrap();
    let folder = with_driver(&whole[..whole.len() / 2]);
    let said = refused(&["driver", "inspect", "driver.wasm"], folder.path());
    assert!(said.contains("truncated or damaged"), "{said}");
}

#[test]
fn a_component_that_is_no_driver_is_called_so() {
    let folder = with_driver(b"\0asm\x0d\0\x01\0");
    let said = refused(&["driver", "inspect", "driver.wasm"], folder.path());
    assert!(
        said.contains("exports nothing of springform:driver"),
        "{said}"
    );
}

#[test]
fn a_driver_that_does_not_fit_the_contract_is_refused_with_what_is_wrong() {
    for (fixture, wanted) in [
        ("wrong_version", "0.1"),
        ("missing_export", "backend"),
        ("forbidden_import", "wasi:filesystem"),
    ] {
        let bytes = std::fs::read(guests::guest(fixture).unwrap()).unwrap();
        let folder = with_driver(&bytes);
        let said = refused(&["config", "check"], folder.path());
        assert!(
            said.contains("[driver.pure-async] cannot be used") && said.contains(wanted),
            "{fixture}: {said}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_cannot_be_written_is_named_and_left_alone() {
    let site = Site::new().unwrap();
    site.host().await.unwrap().stop().await.unwrap();
    let database = std::fs::read_dir(site.folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|e| e == "db"))
        .unwrap();
    let before = std::fs::read(&database).unwrap();
    let mut permissions = std::fs::metadata(&database).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&database, permissions).unwrap();

    let said = refused(&["serve"], site.folder());
    assert!(
        said.contains(database.file_name().unwrap().to_str().unwrap())
            && said.contains("read-only"),
        "{said}"
    );
    assert_eq!(std::fs::read(&database).unwrap(), before);
}

#[test]
fn a_driver_can_be_looked_at_without_a_host() {
    let driver = guests::guest("noop").unwrap();
    let output = springform(
        &["driver", "inspect", driver.to_str().unwrap()],
        Path::new("/"),
    );
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success()
            && said.contains("springform:driver/identity@0.1.0")
            && said.contains("made by     wit-")
            && !said.contains("protocols"),
        "{said}"
    );
    let describe = ["driver", "inspect", "--describe", driver.to_str().unwrap()];
    let said = springform(&describe, Path::new("/")).stdout;
    let said = String::from_utf8(said).unwrap();
    assert!(
        said.starts_with("noop ") && said.contains("protocols"),
        "{said}"
    );
}

#[test]
fn a_command_without_a_host_to_talk_to_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let said = refused(
        &["--url", "http://127.0.0.1:9", "driver", "list"],
        folder.path(),
    );
    assert!(said.contains("is `springform serve` running?"), "{said}");
}
