//! `xtask/house.toml`: the order of the crates, and what is owed today.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use serde::Deserialize;

/// The file, from the root of the repository.
pub const FILE: &str = "xtask/house.toml";

/// Lines above which a file is too long.
pub const TOO_LONG: usize = 500;

/// What the sources are compared with.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Plan {
    /// Folders whose crates are the product.
    pub product: Vec<String>,
    /// Crates of the host from top to bottom; those of one level do not know each other.
    pub order: Vec<Vec<String>>,
    /// Modules in circles, by crate.
    pub circles: BTreeMap<String, usize>,
    /// Lines of the crates that are too large, rounded up.
    pub lines: BTreeMap<String, usize>,
    /// Tests' files that are too long, by folder.
    pub long_tests: BTreeMap<String, usize>,
}

impl Plan {
    /// Reads it.
    pub fn read(root: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(root.join(FILE)).context(FILE)?;
        toml::from_str(&text).context(FILE)
    }

    /// How far down a crate stands; `None` for a crate that is not in the list.
    pub fn level(&self, name: &str) -> Option<usize> {
        let has = |level: &Vec<String>| level.iter().any(|one| one == name);
        self.order.iter().position(has)
    }
}
