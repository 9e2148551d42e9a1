//! `springform config check`: everything that can be known about a configuration without touching an array.

use std::path::Path;
use std::process::ExitCode;

use super::{Config, ConfigError};
use crate::sealing;
use crate::serve::{access, inspect};

/// Checks a file, its secrets, and each backend's options against its driver.
///
/// # Errors
/// Everything that is wrong with it.
pub async fn run(path: &Path, offline: bool) -> anyhow::Result<ExitCode> {
    let config = Config::load(path)?;
    let mut problems = Vec::new();
    if let Err(problem) = access::certificate(&config.service) {
        problems.push(problem);
    }
    // Files that the host reads when it starts.
    let said = |error: anyhow::Error| super::Problem::general(format!("{error:#}"));
    problems.extend(sealing::find(&config.service.sealing_key).err().map(said));
    problems.extend(access::auth(&config.auth).err().map(said));
    if !offline {
        for driver in config.drivers.values() {
            match inspect::describe(driver).await {
                Ok(description) => {
                    let backends = config
                        .backends
                        .iter()
                        .filter(|backend| backend.driver == driver.name);
                    for refused in
                        backends.filter_map(|backend| backend.resolve(&description).err())
                    {
                        problems.extend(refused);
                    }
                }
                Err(error) => problems.push(super::Problem::at(
                    driver.line,
                    format!("[driver.{}] cannot be used: {error:#}", driver.name),
                )),
            }
        }
    }
    if !problems.is_empty() {
        problems.sort_by_key(|problem| problem.line);
        let path = config.path;
        return Err(ConfigError { path, problems }.into());
    }
    let replicas: usize = config
        .backends
        .iter()
        .map(|backend| backend.replicas.len())
        .sum();
    crate::out::line(format_args!(
        "{}: {} backend(s) with {} array(s), {} driver(s){}",
        path.display(),
        config.backends.len(),
        config.backends.len() + replicas,
        config.drivers.len(),
        if offline {
            "; options of drivers not checked"
        } else {
            ""
        }
    ))?;
    Ok(ExitCode::SUCCESS)
}
