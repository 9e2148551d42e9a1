//! What the pages on security say is tested is tested: each name of a test that they give is one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn page(name: &str) -> String {
    std::fs::read_to_string(root().join("docs").join(name)).unwrap()
}

/// Names of tests in a text: in backticks, small letters, three underscores at least.
fn named(text: &str) -> BTreeSet<String> {
    let quoted = text.split('`').skip(1).step_by(2);
    let is_test = |word: &&str| {
        word.matches('_').count() >= 3
            && word
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            && !word.starts_with("springform_")
    };
    quoted.filter(is_test).map(str::to_owned).collect()
}

/// Every function of the tree that stands behind `#[test]` or `#[tokio::test…]`.
fn tests(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if path.is_dir() {
            if !name.starts_with('.') && name != "target" && name != "node_modules" {
                tests(&path, found);
            }
            continue;
        }
        if !name.ends_with(".rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let mut is_test = false;
        for line in text.lines().map(str::trim) {
            is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
            let line = line.strip_prefix("async ").unwrap_or(line);
            if let (true, Some(rest)) = (is_test, line.strip_prefix("fn ")) {
                let name = rest.split(['(', '<']).next().unwrap();
                found.insert(name.to_owned());
                is_test = false;
            }
        }
    }
}

#[test]
fn every_test_that_the_pages_on_security_name_is_there() {
    let mut known = BTreeSet::new();
    for folder in ["host", "plugins", "sdk", "tests"] {
        tests(&root().join(folder), &mut known);
    }
    let threats = page("threat-model.md");
    let mut wanted = named(&threats);
    wanted.extend(named(&page("security.md")));
    assert!(wanted.len() > 45, "{}", wanted.len());
    let missing: Vec<_> = wanted.difference(&known).collect();
    assert!(missing.is_empty(), "no such tests: {missing:?}");

    let rows = threats.lines().filter(|line| {
        let number = line.split('|').nth(1).map(str::trim);
        number.is_some_and(|number| number.parse::<u32>().is_ok())
    });
    let mut count = 0;
    for row in rows {
        count += 1;
        let number = row.split('|').nth(1).unwrap().trim();
        assert_eq!(number, count.to_string(), "threats are numbered in order");
        assert!(!named(row).is_empty(), "threat {number} names no test");
    }
    assert!(count >= 25, "{count}");
}
