//! Memory of a call in flight: many calls that wait for a slow array, each kind alone.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use springform_sandbox::Allocation;

use crate::{native, plugin, process, sandboxed};

/// Calls in flight.
const CALLS: usize = 64;
/// Milliseconds that the array takes: long enough to look at all calls waiting.
const DELAY: u64 = 1500;

/// Measures and prints, as a ratio to the same call without sandbox and process.
///
/// # Errors
/// When a call fails or a process cannot be started.
pub async fn report(component: &Path, folder: &Path) -> anyhow::Result<()> {
    let (_array, address) = process::respawn(&["array", &DELAY.to_string()]).await?;
    let array: SocketAddr = address.parse().context("the array's address")?;
    let socket = folder.join("slow.sock");
    let text = socket.to_str().context("the socket's path")?.to_owned();
    let (plugin, _) = process::respawn(&["plugin", &text, &address]).await?;
    let plugin_pid = plugin.id().context("the plugin ended")?;
    let own = std::process::id();

    let native = native::Native::new(array);
    let native = each(&[own], move || {
        let native = native.clone();
        async move { native.extend(2 << 30, true).await }
    })
    .await?;
    let remote = plugin::Remote::connect(socket).await?;
    let remote = each(&[own, plugin_pid], move || {
        let remote = remote.clone();
        async move { remote.extend(2 << 30, true).await }
    })
    .await?;
    println!("\nmemory of one call in flight of {CALLS}, KiB  (ratios: to native Rust)");
    println!("native Rust {native:.0}");
    println!("gRPC plugin process {remote:.0} ({:.1}×)", remote / native);
    for (name, allocation) in [
        ("pooled", Allocation::Pooling),
        ("mapped for each call", Allocation::OnDemand),
    ] {
        let folder = folder.join(format!("flight-{}", name.len()));
        std::fs::create_dir_all(&folder)?;
        let loaded = sandboxed::Sandboxed::load(component, array, &folder, allocation).await?;
        let driver = loaded.driver;
        let kib = each(&[own], move || {
            let driver = driver.clone();
            async move { driver.extend(2 << 30, true).await }
        })
        .await?;
        println!("sandboxed, {name} {kib:.0} ({:.1}×)", kib / native);
    }
    Ok(())
}

/// KiB that each of the calls adds while all of them wait for the array. One round before it opens the connections.
async fn each<F, Fut>(pids: &[u32], call: F) -> anyhow::Result<f64>
where
    F: Fn() -> Fut,
    Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let total = || -> anyhow::Result<u64> { pids.iter().map(|pid| process::memory(*pid)).sum() };
    let mut added = 0;
    for _ in 0..2 {
        let before = total()?;
        let calls: Vec<_> = (0..CALLS).map(|_| tokio::spawn(call())).collect();
        tokio::time::sleep(Duration::from_millis(DELAY / 2)).await;
        added = total()?.saturating_sub(before);
        for call in calls {
            call.await.context("a caller died")??;
        }
    }
    Ok(added as f64 / 1024.0 / CALLS as f64)
}
