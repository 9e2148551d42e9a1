//! The crates of the workspace, as cargo tells them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Deserialize;

use crate::shell::{cargo, output};

/// A crate of the workspace.
#[derive(Debug, Default)]
pub struct Package {
    pub name: String,
    /// From the root of the repository.
    pub folder: PathBuf,
    /// The first files of its library and its programs, the library first, from the root of the repository.
    pub roots: Vec<PathBuf>,
    /// Crates of the workspace that it is built with.
    pub needs: BTreeSet<String>,
    /// Crates of the workspace that only its tests are built with.
    pub tests_need: BTreeSet<String>,
}

impl Package {
    /// Whether it stands below this folder.
    pub fn is_below(&self, folder: &str) -> bool {
        self.folder.starts_with(folder)
    }
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Described>,
}

#[derive(Deserialize)]
struct Described {
    name: String,
    manifest_path: PathBuf,
    targets: Vec<Target>,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
    src_path: PathBuf,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
    path: Option<PathBuf>,
}

/// Asks cargo.
pub fn packages(root: &Path) -> anyhow::Result<Vec<Package>> {
    let text = output(cargo().current_dir(root).args([
        "metadata",
        "--no-deps",
        "--format-version",
        "1",
        "--locked",
        "--offline",
    ]))?;
    let metadata: Metadata = serde_json::from_str(&text).context("what cargo metadata printed")?;
    let root = root.canonicalize()?;
    metadata
        .packages
        .into_iter()
        .map(|described| package(described, &root))
        .collect()
}

fn package(described: Described, root: &Path) -> anyhow::Result<Package> {
    let folder = described.manifest_path.parent().unwrap_or(root);
    let folder = folder.canonicalize()?.strip_prefix(root)?.to_owned();
    let mut package = Package {
        name: described.name,
        folder,
        ..Package::default()
    };
    for dependency in described.dependencies {
        let of = match dependency.kind.as_deref() {
            _ if dependency.path.is_none() => continue,
            Some("dev") => &mut package.tests_need,
            _ => &mut package.needs,
        };
        of.insert(dependency.name);
    }
    let is = |target: &Target, kinds: &[&str]| {
        let mut of = target.kind.iter();
        of.any(|kind| kinds.contains(&kind.as_str()))
    };
    let libraries = ["lib", "rlib", "dylib", "cdylib", "staticlib", "proc-macro"];
    for kinds in [libraries.as_slice(), &["bin"]] {
        for target in described.targets.iter().filter(|target| is(target, kinds)) {
            let file = target.src_path.canonicalize()?;
            package.roots.push(file.strip_prefix(root)?.to_owned());
        }
    }
    Ok(package)
}
