//! Cold start: from starting the program with three installed, cached drivers to the first answer of `/readyz` that says ready.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use flasharray_sim::SimConfig;
use tokio::time::Instant;

use super::quantile;
use crate::guests;
use crate::site::{PRIMARY, Site};

/// Drivers that are configured, each another file with another digest.
const DRIVERS: usize = 3;

/// Starts the host `rounds` times with compiled drivers, and once without, and prints both.
///
/// # Errors
/// The host does not get ready.
pub async fn report(rounds: usize) -> anyhow::Result<()> {
    let site = Site::with(SimConfig::pair(PRIMARY, crate::site::SECOND).test_clock())?;
    std::fs::write(site.config(), configuration(&site)?)?;

    let compiling = start(&site).await?;
    let mut cached = Vec::new();
    for _ in 0..rounds {
        cached.push(start(&site).await?);
    }
    let (median, worst) = (quantile(&mut cached, 0.5), quantile(&mut cached, 0.99));
    println!(
        "cold start with {DRIVERS} drivers, to /readyz  (ratios: to a start that compiles them)"
    );
    println!("drivers compiled     {compiling:>8.1} ms  1.00×");
    println!(
        "drivers in the cache {median:>8.1} ms  {:.2}×  (p50 of {rounds}; p99 {worst:.1} ms)",
        median / compiling
    );
    Ok(())
}

/// Milliseconds to ready.
async fn start(site: &Site) -> anyhow::Result<f64> {
    let begun = Instant::now();
    let host = site.host().await?;
    let took = begun.elapsed().as_secs_f64() * 1000.0;
    host.stop().await?;
    Ok(took)
}

fn configuration(site: &Site) -> anyhow::Result<String> {
    let driver = guests::guest("pure_async")?;
    let one = site.toml()?;
    let (service, backend) = one
        .split_once("[driver.pure-async]")
        .context("the site's configuration has no driver")?;
    let (_, backend) = backend
        .split_once("[[backend]]")
        .context("the site's configuration has no backend")?;
    let mut text = service.to_owned();
    let mut backends = String::new();
    for n in 0..DRIVERS {
        let file = variant(&driver, site.folder(), u8::try_from(n)?)?;
        text.push_str(&format!("[driver.d{n}]\npath = \"{}\"\n\n", file.display()));
        let of_this = backend
            .replace("\"pure-async\"", &format!("\"d{n}\""))
            .replace(
                &format!("volume_backend_name = \"{PRIMARY}\""),
                &format!("volume_backend_name = \"pure{n}\""),
            );
        backends.push_str(&format!("[[backend]]{of_this}\n"));
    }
    text.push_str(&backends);
    Ok(text)
}

/// The component with a custom section of its own: the same code in another file, as another vendor's would be.
fn variant(component: &Path, folder: &Path, n: u8) -> anyhow::Result<PathBuf> {
    let mut bytes = std::fs::read(component)?;
    // Section 0 (custom), 3 bytes: a name of one byte, and one byte of content.
    bytes.extend([0, 3, 1, b'n', n]);
    let path = folder.join(format!("driver-{n}.wasm"));
    std::fs::write(&path, bytes)?;
    Ok(path)
}
