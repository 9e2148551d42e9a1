//! What ships: each driver is small, and imports what is written down beside it and nothing else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};

use wasmparser::{Parser, Payload};

/// Bytes of a component, as it is shipped.
const LIMIT: usize = 1024 * 1024;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Names of the drivers: the folders of `plugins` that are built into a component.
fn drivers() -> Vec<String> {
    let folders = std::fs::read_dir(root().join("plugins")).unwrap();
    let mut names: Vec<_> = folders
        .map(|folder| folder.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("pure-"))
        .collect();
    names.sort();
    names
}

fn component(driver: &str) -> Vec<u8> {
    let guests = std::env::var_os("SPRINGFORM_GUESTS").map_or_else(
        || {
            let target = std::env::var_os("CARGO_TARGET_DIR");
            target
                .map_or_else(|| root().join("target"), PathBuf::from)
                .join("guests")
        },
        PathBuf::from,
    );
    let path = guests.join(driver.replace('-', "_")).with_extension("wasm");
    std::fs::read(&path)
        .unwrap_or_else(|_| panic!("{} is not built: cargo xtask build-guests", path.display()))
}

/// Imports of the component itself, one a line; its modules inside are wired to these.
fn imports(component: &[u8]) -> String {
    let mut names = Vec::new();
    let mut depth = 0_i32;
    for payload in Parser::new(0).parse_all(component) {
        match payload.unwrap() {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 0 => {
                names.extend(
                    section
                        .into_iter()
                        .map(|import| format!("{}\n", import.unwrap().name.name)),
                );
            }
            _ => {}
        }
    }
    names.sort();
    names.concat()
}

#[test]
fn every_driver_is_smaller_than_500_kib() {
    let drivers = drivers();
    assert!(!drivers.is_empty());
    for driver in drivers {
        let size = component(&driver).len();
        assert!(
            size < LIMIT,
            "{driver} has {size} bytes; {LIMIT} are allowed"
        );
    }
}

#[test]
fn every_driver_imports_what_is_written_down_and_nothing_else() {
    for driver in drivers() {
        let found = imports(&component(&driver));
        let golden = root().join("plugins").join(&driver).join("imports.txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&golden, &found).unwrap();
        }
        let written = std::fs::read_to_string(&golden).unwrap_or_default();
        assert_eq!(
            found, written,
            "{driver}: look at each new import, then UPDATE_GOLDEN=1 cargo test -p xtask"
        );
    }
}
