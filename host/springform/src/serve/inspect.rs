//! Looks at a component without a running host.

use std::path::Path;

use serde_json::Value;
use springform_model::contract::Description;

use crate::config::DriverConfig;

/// What a component says and wants, as the API would show it.
///
/// # Errors
/// Why it is no driver.
pub async fn file(path: &Path) -> anyhow::Result<Value> {
    anyhow::bail!("cannot look at {} yet", path.display())
}

/// What a configured driver says of itself.
///
/// # Errors
/// Why it is no driver.
pub async fn describe(driver: &DriverConfig) -> anyhow::Result<Description> {
    anyhow::bail!("cannot load {} yet", driver.path.display())
}
