//! Test programs that have to notice mutants.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr;
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;

use super::CHOICE;
use crate::shell::{cargo, target};

/// How often it is looked whether the tests of one mutant ended. A mutant that hangs was noticed.
const LOOKS: u32 = 9_000;
/// Between two looks whether they ended: 180 s in all.
const LOOK: Duration = Duration::from_millis(20);

/// A test program: the word of the table, package, folder, and the test in it; none: tests beside the library's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Suite {
    word: &'static str,
    package: &'static str,
    folder: &'static str,
    test: Option<&'static str>,
}

const fn suite(
    word: &'static str,
    package: &'static str,
    folder: &'static str,
    test: Option<&'static str>,
) -> Suite {
    Suite {
        word,
        package,
        folder,
        test,
    }
}

const API: (&str, &str) = ("springform-api", "host/api");

const SUITES: [Suite; 8] = [
    suite("ownership", API.0, API.1, Some("ownership")),
    suite("cinder", API.0, API.1, Some("cinder")),
    suite("groups", API.0, API.1, Some("groups")),
    suite("routes", API.0, API.1, Some("every_route")),
    suite("protocol", API.0, API.1, Some("protocol")),
    suite(
        "callers",
        "springform-control",
        "host/control",
        Some("callers"),
    ),
    suite("springform", "springform", "host/springform", None),
    suite(
        "flasharray",
        "flasharray",
        "plugins/flasharray",
        Some("simulated"),
    ),
];

impl FromStr for Suite {
    type Err = anyhow::Error;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let found = SUITES.into_iter().find(|suite| suite.word == word);
        found.with_context(|| format!("there is no suite `{word}`"))
    }
}

/// A built test program.
pub(super) struct Program {
    path: PathBuf,
    folder: PathBuf,
}

impl Suite {
    /// The word of the table.
    pub(super) fn word(self) -> &'static str {
        self.word
    }

    /// Whether this line of cargo's, an artifact, is its program.
    fn is(self, artifact: &Value) -> bool {
        let text = |pointer| artifact.pointer(pointer).and_then(Value::as_str);
        let manifest = format!("/{}/Cargo.toml", self.folder);
        let name = self
            .test
            .map_or_else(|| self.package.replace('-', "_"), ToOwned::to_owned);
        text("/manifest_path").is_some_and(|path| path.ends_with(&manifest))
            && text("/target/name") == Some(&name)
            && artifact.pointer("/profile/test") == Some(&Value::Bool(true))
    }
}

/// Builds suites in a copy of the repository. Of the whole workspace, as everything else is: with the features of one package
/// alone half of its dependencies would be built once more.
pub(super) fn build(
    tree: &Path,
    suites: &BTreeSet<Suite>,
) -> anyhow::Result<BTreeMap<Suite, Program>> {
    let mut build = cargo();
    build
        .current_dir(tree)
        .env("CARGO_TARGET_DIR", target())
        .args(["test", "--workspace", "--no-run", "--message-format=json"])
        .stderr(Stdio::null());
    let tests: BTreeSet<&str> = suites.iter().filter_map(|suite| suite.test).collect();
    for test in tests {
        build.args(["--test", test]);
    }
    if suites.iter().any(|suite| suite.test.is_none()) {
        build.arg("--lib");
    }
    let built = build.output().context("cannot start cargo")?;
    let said = String::from_utf8_lossy(&built.stdout);
    let said: Vec<Value> = said
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    if !built.status.success() {
        // Mutants make much superfluous, and rustc says so.
        let errors = said
            .iter()
            .filter(|line| line.pointer("/message/level") == Some(&"error".into()))
            .filter_map(|line| line.pointer("/message/rendered")?.as_str());
        let errors: Vec<&str> = errors.collect();
        bail!("the mutants cannot be built:\n{}", errors.join("\n"));
    }
    let program = |suite: Suite| {
        let artifact = said.iter().find(|line| suite.is(line));
        let path = artifact.and_then(|artifact| artifact.get("executable")?.as_str());
        let path = path.with_context(|| format!("cargo does not say where {} is", suite.word))?;
        let program = Program {
            path: path.into(),
            folder: tree.join(suite.folder),
        };
        Ok((suite, program))
    };
    suites.iter().copied().map(program).collect()
}

impl Program {
    /// Whether tests with this beginning fail when a mutant is chosen.
    pub(super) fn fails(&self, beginning: &str, mutant: impl AsRef<OsStr>) -> anyhow::Result<bool> {
        let mut running = Command::new(&self.path)
            .current_dir(&self.folder)
            .env("CARGO_MANIFEST_DIR", &self.folder)
            .env(CHOICE, mutant)
            .arg(beginning)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", self.path.display()))?;
        for _ in 0..LOOKS {
            if let Some(status) = running.try_wait()? {
                return Ok(!status.success());
            }
            thread::sleep(LOOK);
        }
        running.kill()?;
        running.wait()?;
        Ok(true)
    }
}
