//! `cargo xtask house`: whether the sources have the structure that they are meant to have.
//!
//! Crates depend downwards, modules name each other in no circle, files and crates stay small. What is not so yet is recorded in
//! `xtask/house.toml`, as numbers that may only fall.

mod arrows;
mod cfg;
mod circles;
mod compare;
mod mentions;
mod order;
mod past;
mod plan;
mod resolve;
mod scope;
mod show;
mod source;
mod survey;
mod tokens;
mod workspace;

#[cfg(test)]
mod tests;

use anyhow::{Context, bail};
use clap::Args;

use crate::shell::root;
use plan::{FILE, Plan};
use survey::Survey;

/// Compares the structure of the sources with the plan.
#[derive(Debug, Default, Args)]
pub struct House {
    /// Only show the crates and the long files.
    #[arg(long)]
    plan: bool,
    /// Only show the circles of this crate, and where to cut them.
    #[arg(long = "crate", value_name = "CRATE")]
    of: Option<String>,
}

impl House {
    /// Shows the plan, and fails on what is not as recorded.
    pub fn run(&self) -> anyhow::Result<()> {
        let root = root().canonicalize()?;
        let plan = Plan::read(&root)?;
        let survey = Survey::take(&root, &plan)?;
        if let Some(name) = &self.of {
            let one = survey.crates.iter().find(|one| one.name == *name);
            show::circles(one.with_context(|| format!("`{name}` is no crate of the product"))?);
            return Ok(());
        }
        show::crates(&survey);
        if self.plan {
            show::files(&survey);
            return Ok(());
        }
        let past = |name: &str| {
            let package = survey
                .packages
                .iter()
                .find(|package| package.name == name)?;
            past::arrows(package).ok()
        };
        let mut failures = order::failures(&plan, &survey.packages);
        failures.extend(compare::failures(&plan, &survey, &past));
        for failure in &failures {
            eprintln!("\n{failure}");
        }
        match failures.len() {
            0 => Ok(()),
            many => bail!("the sources are not as {FILE} has them: {many} above"),
        }
    }
}
