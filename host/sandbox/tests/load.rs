//! What is refused at load, in which words, and what the cache believes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use springform_sandbox::{LoadError, Sandbox, SandboxConfig, World};
use support::{guest, sandbox};

fn refusal(name: &str) -> LoadError {
    sandbox().inspect(&guest(name)).unwrap_err()
}

fn file(dir: &Path, bytes: &[u8]) -> PathBuf {
    let path = dir.join("driver.wasm");
    std::fs::write(&path, bytes).unwrap();
    path
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    let all = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path());
    all.filter(|p| p.extension().is_some_and(|e| e == "cwasm"))
        .collect()
}

fn caching(dir: &Path) -> Sandbox {
    Sandbox::new(SandboxConfig {
        cache_dir: Some(dir.to_owned()),
        ..SandboxConfig::default()
    })
    .unwrap()
}

#[test]
fn an_inspection_tells_imports_exports_and_worlds_without_running_anything() {
    let (inspection, counts) = sandbox().inspect(&guest("noop")).unwrap();
    assert_eq!(inspection.contract, "0.1.0");
    assert!(
        inspection
            .producers
            .iter()
            .any(|tool| tool.starts_with("wit-component ")),
        "{:?}",
        inspection.producers
    );
    assert!(counts.parts > 1 && counts.functions > 100 && counts.code_bytes < inspection.size);
    assert_eq!(
        inspection.worlds,
        [World::Full, World::Replicating, World::Driver]
    );
    assert!(
        inspection
            .exports
            .iter()
            .any(|e| e == "springform:driver/volumes@0.1.0")
    );
    assert_eq!(
        inspection.size,
        std::fs::metadata(guest("noop")).unwrap().len()
    );
}

#[tokio::test]
async fn a_file_that_is_not_there_is_named() {
    let error = sandbox()
        .load(Path::new("/nowhere/driver.wasm"))
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("/nowhere/driver.wasm"),
        "{error}"
    );
}

#[test]
fn what_is_not_wasm_a_core_module_or_truncated_is_each_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let inspect = |bytes: &[u8]| sandbox().inspect(&file(dir.path(), bytes)).unwrap_err();
    assert!(matches!(inspect(b"#!/bin/sh"), LoadError::NotWasm));
    assert!(matches!(inspect(b"\0asm\x01\0\0\0"), LoadError::CoreModule));
    let whole = std::fs::read(guest("noop")).unwrap();
    assert!(matches!(
        inspect(&whole[..whole.len() / 2]),
        LoadError::Malformed { .. }
    ));
    let mut damaged = whole;
    let middle = damaged.len() / 2;
    damaged[middle..middle + 64].fill(0xff);
    assert!(matches!(inspect(&damaged), LoadError::Malformed { .. }));
    assert!(matches!(
        inspect(b"\0asm\x0d\0\x01\0"),
        LoadError::WrongWorld { .. }
    ));
}

#[test]
fn a_missing_export_a_forbidden_import_and_a_foreign_version_are_named() {
    let missing = refusal("missing_export").to_string();
    assert!(
        missing.contains("springform:driver/backend@0.1.0"),
        "{missing}"
    );
    let forbidden = refusal("forbidden_import").to_string();
    assert!(
        forbidden.contains("wasi:filesystem/") && forbidden.contains("drivers have no files"),
        "{forbidden}"
    );
    let version = refusal("wrong_version").to_string();
    assert!(
        version.contains("@0.9.0") && version.contains("springform:driver@0.1.0"),
        "{version}"
    );
}

#[tokio::test]
async fn a_file_over_the_size_cap_is_not_even_read() {
    let sandbox = Sandbox::new(SandboxConfig {
        compile_max_bytes: 1000,
        ..SandboxConfig::default()
    })
    .unwrap();
    assert!(matches!(
        sandbox.load(&guest("noop")).await,
        Err(LoadError::TooLarge { limit: 1000, .. })
    ));
}

#[tokio::test]
async fn a_compilation_over_its_time_is_given_up() {
    let config = SandboxConfig {
        compile_timeout: Duration::ZERO,
        ..SandboxConfig::default()
    };
    let error = Sandbox::new(config).unwrap().load(&guest("noop")).await;
    assert!(matches!(error, Err(LoadError::CompileTimeout(_))));
}

#[tokio::test]
async fn the_second_load_comes_from_a_private_cache() {
    let dir = tempfile::tempdir().unwrap();
    assert!(
        !caching(dir.path())
            .load(&guest("noop"))
            .await
            .unwrap()
            .compiled_from_cache()
    );
    assert!(
        caching(dir.path())
            .load(&guest("noop"))
            .await
            .unwrap()
            .compiled_from_cache()
    );
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(dir.path()), 0o700);
    assert_eq!(mode(&entries(dir.path())[0]), 0o600);
}

#[tokio::test]
async fn a_tampered_or_foreign_cache_entry_is_compiled_again() {
    let dir = tempfile::tempdir().unwrap();
    caching(dir.path()).load(&guest("noop")).await.unwrap();
    let entry = entries(dir.path()).remove(0);
    let sound = std::fs::read(&entry).unwrap();
    let flipped = |at: usize| {
        let mut bytes = sound.clone();
        bytes[at] ^= 1;
        bytes
    };
    for (what, bytes) in [
        ("the code", flipped(sound.len() / 2)),
        ("the MAC", flipped(sound.len() - 1)),
        ("cut short", sound[..sound.len() - 1].to_vec()),
        ("all but nothing", sound[..9].to_vec()),
        ("empty", Vec::new()),
    ] {
        std::fs::write(&entry, &bytes).unwrap();
        let program = caching(dir.path()).load(&guest("noop")).await.unwrap();
        assert!(!program.compiled_from_cache(), "{what}");
    }
    assert!(
        caching(dir.path())
            .load(&guest("noop"))
            .await
            .unwrap()
            .compiled_from_cache(),
        "healed"
    );

    let elsewhere = tempfile::tempdir().unwrap();
    caching(elsewhere.path());
    std::fs::copy(&entry, elsewhere.path().join(entry.file_name().unwrap())).unwrap();
    let program = caching(elsewhere.path())
        .load(&guest("noop"))
        .await
        .unwrap();
    assert!(!program.compiled_from_cache(), "another host's key");
}

#[tokio::test]
async fn a_cache_entry_of_one_driver_does_not_pass_for_another() {
    let dir = tempfile::tempdir().unwrap();
    caching(dir.path()).load(&guest("noop")).await.unwrap();
    let noop = entries(dir.path()).remove(0);
    caching(dir.path()).load(&guest("hostile")).await.unwrap();
    let hostile = entries(dir.path())
        .into_iter()
        .find(|p| *p != noop)
        .unwrap();
    std::fs::copy(&noop, &hostile).unwrap();
    let program = caching(dir.path()).load(&guest("hostile")).await.unwrap();
    assert!(!program.compiled_from_cache());
    assert_eq!(program.description().name, "hostile");
}

#[tokio::test]
async fn the_cache_keeps_what_was_used_last_and_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::new(SandboxConfig {
        cache_dir: Some(dir.path().to_owned()),
        cache_entries: 2,
        ..SandboxConfig::default()
    })
    .unwrap();
    for name in ["noop", "session", "noop", "hostile"] {
        sandbox.load(&guest(name)).await.unwrap();
    }
    assert_eq!(entries(dir.path()).len(), 2);
    let again = sandbox.load(&guest("noop")).await.unwrap();
    assert!(again.compiled_from_cache(), "it was used after session");
}
