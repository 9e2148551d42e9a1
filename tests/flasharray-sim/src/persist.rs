//! Keeping the world in a file between runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio_util::sync::CancellationToken;

use crate::config::SimConfig;
use crate::core::world::World;
use crate::shared::Shared;

/// Reads a saved world; it must have the configured arrays.
pub fn load(path: &Path, config: &SimConfig) -> anyhow::Result<World> {
    let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let world: World = serde_json::from_slice(&text)
        .with_context(|| format!("{} is not a saved simulation", path.display()))?;
    let saved: Vec<&str> = world
        .arrays()
        .iter()
        .map(|array| array.name.as_str())
        .collect();
    let wanted: Vec<&str> = config
        .arrays
        .iter()
        .map(|array| array.name.as_str())
        .collect();
    if saved != wanted {
        bail!(
            "{} holds the arrays {}, not {}",
            path.display(),
            saved.join(", "),
            wanted.join(", ")
        );
    }
    Ok(world)
}

/// Writes the world, in place of what the file held.
pub fn save(world: &World, path: &Path) -> anyhow::Result<()> {
    let text = serde_json::to_vec(world)?;
    let beside = path.with_extension("new");
    std::fs::write(&beside, text)
        .and_then(|()| std::fs::rename(&beside, path))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Saves every few seconds until `stop`.
pub async fn keep(shared: Arc<Shared>, path: PathBuf, stop: CancellationToken) {
    let mut tick = tokio::time::interval(Duration::from_secs(5));
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        // Copying is cheap; writing must not hold up the arrays.
        let world = shared.world().clone();
        if let Err(error) = save(&world, &path) {
            tracing::error!("{error:#}");
        }
    }
}
