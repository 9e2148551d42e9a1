//! `cargo xtask judge mutants`: every check of ownership is taken away once, and a test has to notice.
//!
//! All mutants are built at once into a copy of the repository: each marked piece of code becomes a choice between itself and
//! its mutant, made by an environment variable when it runs. So there is one build, and a mutant costs the time of its tests.

mod checks;
mod suite;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use anyhow::{Context, bail};

use checks::Check;
use suite::{Program, Suite};

/// Tells a built test which mutant it is to be.
const CHOICE: &str = "SPRINGFORM_MUTANT";
/// The names of the only mutants to try, with commas.
const ONLY: &str = "SPRINGFORM_ONLY_MUTANTS";

/// Takes every check away, one at a time.
pub fn run() -> anyhow::Result<()> {
    let mut checks = checks::all()?;
    let tree = tree::plant(&checks)?;
    if let Ok(only) = std::env::var(ONLY) {
        checks.retain(|check| only.split(',').any(|name| name == check.name));
    }
    let asked = || checks.iter().flat_map(|check| &check.tests);
    let programs = suite::build(&tree, &asked().map(|(suite, _)| *suite).collect())?;
    // What fails by itself notices nothing.
    for (suite, beginning) in asked().collect::<BTreeSet<_>>() {
        if fails(&programs, *suite, beginning, "")? {
            bail!(
                "{} {beginning} fails although nothing was taken away",
                suite.word()
            );
        }
    }
    let mut unnoticed = Vec::new();
    for check in &checks {
        let began = SystemTime::now();
        let noticed = notices(&programs, check)?;
        let (name, seconds) = (&check.name, began.elapsed().unwrap_or_default().as_secs());
        match noticed {
            Some(suite) => eprintln!("    {name}: noticed by {} in {seconds} s", suite.word()),
            None => {
                eprintln!("    {name}: NOT NOTICED in {seconds} s ({})", check.file);
                unnoticed.push(name.as_str());
            }
        }
    }
    let noticed = checks.len() - unnoticed.len();
    eprintln!(
        "==> of {} checks that were taken away {noticed} were missed by a test",
        checks.len()
    );
    if unnoticed.is_empty() {
        return Ok(());
    }
    bail!("no test misses these: {}", unnoticed.join(", "))
}

/// The first suite that fails without this check.
fn notices(programs: &BTreeMap<Suite, Program>, check: &Check) -> anyhow::Result<Option<Suite>> {
    for (suite, beginning) in &check.tests {
        if fails(programs, *suite, beginning, &check.name)? {
            return Ok(Some(*suite));
        }
    }
    Ok(None)
}

fn fails(
    programs: &BTreeMap<Suite, Program>,
    suite: Suite,
    beginning: &str,
    mutant: &str,
) -> anyhow::Result<bool> {
    let program = programs.get(&suite).context("a suite was not built")?;
    program.fails(beginning, mutant)
}
