//! Looks at a component without a running host.

use std::path::Path;
use std::sync::Arc;

use anyhow::bail;
use serde_json::{Value, json};
use springform_model::contract::Description;
use springform_sandbox::{Compiler, Program, Sandbox, SandboxConfig};

use crate::config::DriverConfig;

/// What can be known of a component without compiling or running it.
///
/// # Errors
/// Why it is no driver.
pub fn file(path: &Path) -> anyhow::Result<Value> {
    let sandbox = Sandbox::new(SandboxConfig::default())?;
    let looked = sandbox.inspect(path);
    let (seen, counts) = looked.map_err(|refusal| anyhow::anyhow!("{refusal}"))?;
    Ok(json!({
        "digest": seen.digest,
        "size": seen.size,
        "world": format!("springform:driver@{}", seen.contract),
        "producers": seen.producers,
        "modules": counts.parts,
        "functions": counts.functions,
        "code_bytes": counts.code_bytes,
        "imports": seen.imports,
        "exports": seen.exports,
    }))
}

/// The same, with what the component says of itself: for that it is compiled, and run without network and configuration.
///
/// # Errors
/// Why it is no driver.
pub async fn file_described(path: &Path) -> anyhow::Result<Value> {
    let mut answer = file(path)?;
    let program = load(path).await?;
    if let Some(fields) = answer.as_object_mut() {
        fields.insert("description".to_owned(), json!(program.description()));
    }
    Ok(answer)
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

/// What the component in a file says of itself.
///
/// # Errors
/// Why it is no driver.
pub async fn describe_file(path: &Path) -> anyhow::Result<Description> {
    Ok(load(path).await?.description().clone())
}

/// The refusal's own sentence names its cause; as a chain it would be said twice.
async fn load(path: &Path) -> anyhow::Result<Arc<Program>> {
    let sandbox = Sandbox::new(SandboxConfig {
        compiler: Compiler::this_program(),
        ..SandboxConfig::default()
    })?;
    let loaded = sandbox.load(path).await;
    loaded.map_err(|refusal| anyhow::anyhow!("{refusal}"))
}
