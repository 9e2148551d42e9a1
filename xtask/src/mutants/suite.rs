//! Test programs that have to notice mutants.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr;
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};

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

const SUITES: [Suite; 7] = [
    suite("ownership", API.0, API.1, Some("ownership")),
    suite("cinder", API.0, API.1, Some("cinder")),
    suite("groups", API.0, API.1, Some("groups")),
    suite("routes", API.0, API.1, Some("every_route")),
    suite("api", API.0, API.1, None),
    suite(
        "callers",
        "springform-control",
        "host/control",
        Some("callers"),
    ),
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

    /// Builds it in a copy of the repository.
    pub(super) fn build(self, tree: &Path) -> anyhow::Result<Program> {
        let mut build = cargo();
        build
            .current_dir(tree)
            .env("CARGO_TARGET_DIR", target())
            .args([
                "test",
                "--no-run",
                "--color",
                "never",
                "--message-format",
                "short",
            ])
            .args(["--package", self.package]);
        match self.test {
            Some(test) => build.args(["--test", test]),
            None => build.arg("--lib"),
        };
        let built = build.output().context("cannot start cargo")?;
        let said = String::from_utf8_lossy(&built.stderr);
        if !built.status.success() {
            // Mutants make much superfluous, and rustc says so.
            let errors = said.lines().filter(|line| line.contains("error"));
            let errors: Vec<&str> = errors.collect();
            let package = self.package;
            bail!(
                "{package} with its mutants cannot be built:\n{}",
                errors.join("\n")
            );
        }
        let line = said.lines().find(|line| line.contains("Executable"));
        let path = line
            .and_then(|line| line.rsplit_once('('))
            .map(|(_, path)| tree.join(path.trim_end_matches(')')))
            .with_context(|| format!("cargo does not say where {} is:\n{said}", self.word))?;
        Ok(Program {
            path,
            folder: tree.join(self.folder),
        })
    }
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
