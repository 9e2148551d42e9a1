//! Looks at a component without a running host.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use springform_model::contract::Description;
use springform_sandbox::{Compiler, LoadError, Program, Sandbox, SandboxConfig};

use crate::config::DriverConfig;
use crate::verification::Rules;

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
/// Why it is no driver, or not one that the configuration lets be this driver.
pub async fn describe(driver: &DriverConfig) -> anyhow::Result<Description> {
    let sandbox = sandbox()?;
    let read = sandbox.read(&driver.path).await;
    let file = read.map_err(|refusal| anyhow::anyhow!("{refusal}"))?;
    let rules = Rules::of(driver);
    rules.admit(&file).map_err(anyhow::Error::msg)?;
    let program = in_words(sandbox.load_file(file).await)?;
    rules
        .admit_version(&program.description().version)
        .map_err(anyhow::Error::msg)?;
    Ok(program.description().clone())
}

/// What the component in a file says of itself.
///
/// # Errors
/// Why it is no driver.
pub async fn describe_file(path: &Path) -> anyhow::Result<Description> {
    Ok(load(path).await?.description().clone())
}

async fn load(path: &Path) -> anyhow::Result<Arc<Program>> {
    in_words(sandbox()?.load(path).await)
}

fn sandbox() -> anyhow::Result<Sandbox> {
    Sandbox::new(SandboxConfig {
        compiler: Compiler::this_program(),
        ..SandboxConfig::default()
    })
}

/// The refusal's own sentence names its cause; as a chain it would be said twice.
fn in_words(loaded: Result<Arc<Program>, LoadError>) -> anyhow::Result<Arc<Program>> {
    loaded.map_err(|refusal| anyhow::anyhow!("{refusal}"))
}
