//! Memory at rest: a process of its own that loads compiled drivers from the cache, calls each once, and looks at itself.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::Context as _;
use springform_sandbox::Allocation;

use crate::process;
use crate::sandboxed::{INSTALLED, Sandboxed, copies, sandbox};

/// Compiles the drivers, lets a fresh process load them, and prints what they hold there as a ratio to the plugin process.
///
/// # Errors
/// When the process cannot be started or a driver cannot be loaded.
pub async fn report(component: &Path, folder: &Path, plugin: u64) -> anyhow::Result<()> {
    let folder = folder.join("rest");
    std::fs::create_dir_all(&folder)?;
    let compiler = sandbox(&folder, Allocation::default())?;
    for copy in copies(component, &folder)? {
        compiler.load(&copy).await?;
    }
    let text = folder.to_str().context("the folder's path")?;
    let (_child, line) = process::respawn(&["rest", text]).await?;
    let (first, each) = line.split_once(' ').context("the child's answer")?;
    let kib = |bytes: f64| bytes / 1024.0;
    let (first, each, plugin): (f64, f64, f64) = (first.parse()?, each.parse()?, plugin as f64);
    println!("\nmemory at rest, KiB  (ratios: to the gRPC plugin process)");
    println!("gRPC plugin process, for each driver {:.0}", kib(plugin));
    println!(
        "sandbox, for each further driver {:.0} ({:.2}×)",
        kib(each),
        each / plugin
    );
    println!(
        "sandbox, once for the process with the first driver {:.0} ({:.1}×)",
        kib(first),
        first / plugin
    );
    Ok(())
}

/// The child: prints the bytes of the process with one driver, and what each further one added.
///
/// # Errors
/// When a driver cannot be loaded.
pub async fn hold(folder: &Path) -> anyhow::Result<()> {
    let pid = std::process::id();
    let sandbox = sandbox(folder, Allocation::default())?;
    let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
    let mut held = Vec::new();
    let mut first = 0;
    for n in 0..INSTALLED {
        let copy = folder.join(format!("copy-{n}.wasm"));
        let program = sandbox.load(&copy).await?;
        anyhow::ensure!(program.compiled_from_cache(), "the cache has no copy {n}");
        let driver = Sandboxed::bind(&sandbox, program, nobody)?;
        driver.extend(2 << 30, false).await?;
        held.push(driver);
        if n == 0 {
            first = process::memory(pid)?;
        }
    }
    let each = process::memory(pid)?.saturating_sub(first) / (INSTALLED as u64 - 1);
    println!("{first} {each}");
    Ok(())
}
