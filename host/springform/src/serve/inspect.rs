//! Looks at a component without a running host.

use std::path::Path;
use std::sync::Arc;

use anyhow::bail;
use serde_json::{Value, json};
use springform_model::contract::Description;
use springform_sandbox::{Program, SERVED, Sandbox, SandboxConfig};

use crate::config::DriverConfig;

/// What a component says and wants, as the API would show it.
///
/// # Errors
/// Why it is no driver.
pub async fn file(path: &Path) -> anyhow::Result<Value> {
    let program = load(path).await?;
    let seen = program.inspection();
    Ok(json!({
        "digest": seen.digest,
        "size": seen.size,
        "world": format!("springform:driver@{SERVED}"),
        "imports": seen.imports,
        "exports": seen.exports,
        "description": program.description(),
    }))
}

/// What a configured driver says of itself.
///
/// # Errors
/// Why it is no driver, or not the one that the configuration asks for.
pub async fn describe(driver: &DriverConfig) -> anyhow::Result<Description> {
    let program = load(&driver.path).await?;
    match &driver.sha256 {
        Some(pinned) if pinned != program.digest() => {
            bail!(
                "it has the digest {} and the configuration asks for {pinned}",
                program.digest()
            )
        }
        _ => Ok(program.description().clone()),
    }
}

/// The refusal's own sentence names its cause; as a chain it would be said twice.
async fn load(path: &Path) -> anyhow::Result<Arc<Program>> {
    let loaded = Sandbox::new(SandboxConfig::default())?.load(path).await;
    loaded.map_err(|refusal| anyhow::anyhow!("{refusal}"))
}
