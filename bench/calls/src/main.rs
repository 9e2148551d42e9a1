//! What one driver call costs: sandboxed, raw, native, and behind gRPC in another process.
//!
//! Run it with `cargo xtask bench calls`. Every figure is printed beside its ratio to a baseline of the same run, because
//! absolute times say more about the machine than about the code.

mod array;
mod flight;
mod measure;
mod native;
mod plugin;
mod process;
mod raw;
mod report;
mod rest;
mod sandboxed;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use springform_sandbox::Allocation;

use crate::measure::run;
use crate::report::Row;

/// The host's own, for every row: allocations are a large part of a request.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What one driver call costs.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    role: Option<Role>,
    /// Component to call; it must be the `noop` fixture.
    #[arg(long, env = "SPRINGFORM_GUESTS", default_value = "target/guests")]
    guests: PathBuf,
    /// Calls without a request for each row; a fifth of it with one.
    #[arg(long, default_value_t = 20_000)]
    calls: u64,
}

/// The child processes of a measurement.
#[derive(Debug, Subcommand)]
enum Role {
    /// A loopback array.
    #[command(hide = true)]
    Array { delay_ms: u64 },
    /// The sandboxed call alone, again and again, for a profiler to look at.
    Profile {
        /// Callers at one time.
        #[arg(long, default_value_t = 64)]
        callers: usize,
        /// With a request to a loopback array in each call.
        #[arg(long)]
        request: bool,
        /// Map memory for each call instead of taking it from the pool.
        #[arg(long)]
        mapped: bool,
    },
    /// A sandbox at rest.
    #[command(hide = true)]
    Rest { folder: PathBuf },
    /// The plugin behind gRPC.
    #[command(hide = true)]
    Plugin { socket: PathBuf, array: SocketAddr },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    match cli.role {
        Some(Role::Array { delay_ms }) => array::serve(Duration::from_millis(delay_ms)).await,
        Some(Role::Plugin { socket, array }) => plugin::serve(&socket, array).await,
        Some(Role::Rest { folder }) => rest::hold(&folder).await,
        Some(Role::Profile {
            callers,
            request,
            mapped,
        }) => {
            let allocation = if mapped {
                Allocation::OnDemand
            } else {
                Allocation::Pooling
            };
            let component = cli.guests.join("noop.wasm");
            profile(&component, cli.calls, callers, request, allocation).await
        }
        None => compare(&cli.guests.join("noop.wasm"), cli.calls).await,
    }
}

async fn profile(
    component: &std::path::Path,
    calls: u64,
    callers: usize,
    request: bool,
    allocation: Allocation,
) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (_array, address) = process::respawn(&["array", "0"]).await?;
    let array: SocketAddr = address.parse().context("the array's address")?;
    let loaded = sandboxed::Sandboxed::load(component, array, folder.path(), allocation).await?;
    let call = move || {
        let driver = loaded.driver.clone();
        async move { driver.extend(2 << 30, request).await }
    };
    let figures = run(callers, calls, &[std::process::id()], call).await?;
    let row = Row {
        name: "sandboxed",
        callers,
        figures,
    };
    report::print("one row", "sandboxed", &[row]);
    Ok(())
}

async fn compare(component: &std::path::Path, calls: u64) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (_array, address) = process::respawn(&["array", "0"]).await?;
    let array: SocketAddr = address.parse().context("the array's address")?;
    let socket = folder.path().join("plugin.sock");
    let socket_text = socket.to_str().context("the socket's path")?.to_owned();
    let (plugin_process, _) = process::respawn(&["plugin", &socket_text, &address]).await?;
    let plugin_pid = plugin_process.id().context("the plugin ended")?;
    let own_pid = std::process::id();

    let mapped_folder = folder.path().join("mapped");
    std::fs::create_dir_all(&mapped_folder)?;
    let pooled =
        sandboxed::Sandboxed::load(component, array, folder.path(), Allocation::Pooling).await?;
    let mapped =
        sandboxed::Sandboxed::load(component, array, &mapped_folder, Allocation::OnDemand).await?;
    let raw = raw::Raw::load(component)?;
    let native = native::Native::new(array);
    let remote = plugin::Remote::connect(socket).await?;
    let arguments = Arc::new(raw::arguments());
    let both = [own_pid, plugin_pid];

    let mut without = Vec::new();
    let mut with = Vec::new();
    for callers in [1, 64] {
        let call = {
            let (raw, arguments) = (raw.clone(), Arc::clone(&arguments));
            move || {
                let (raw, arguments) = (raw.clone(), Arc::clone(&arguments));
                async move { raw.extend(&arguments.0, &arguments.1, 2 << 30).await }
            }
        };
        without.push(Row {
            name: "raw wasmtime",
            callers,
            figures: run(callers, calls, &[own_pid], call).await?,
        });
        for (request, rows, count) in [(false, &mut without, calls), (true, &mut with, calls / 5)] {
            for (name, driver) in [
                ("sandboxed, pooled", &pooled.driver),
                ("sandboxed, mapped for each call", &mapped.driver),
            ] {
                let call = {
                    let driver = driver.clone();
                    move || {
                        let driver = driver.clone();
                        async move { driver.extend(2 << 30, request).await }
                    }
                };
                rows.push(Row {
                    name,
                    callers,
                    figures: run(callers, count, &[own_pid], call).await?,
                });
            }
            let each = remote.clone();
            let call = move || {
                let each = each.clone();
                async move { each.extend(2 << 30, request).await }
            };
            rows.push(Row {
                name: "gRPC plugin process",
                callers,
                figures: run(callers, count, &both, call).await?,
            });
            let each = native.clone();
            let call = move || {
                let each = each.clone();
                async move { each.extend(2 << 30, request).await }
            };
            rows.push(Row {
                name: "native Rust",
                callers,
                figures: run(callers, count, &[own_pid], call).await?,
            });
        }
    }
    report::print("a call without a request", "raw wasmtime", &without);
    report::print(
        "a call with one request to a loopback array",
        "gRPC plugin process",
        &with,
    );

    rest::report(component, folder.path(), process::memory(plugin_pid)?).await?;
    println!(
        "\nload: compiled {:.1} ms, from the cache {:.2} ms ({:.0}×)",
        pooled.compiled,
        pooled.cached,
        pooled.compiled / pooled.cached
    );
    flight::report(component, folder.path()).await
}
