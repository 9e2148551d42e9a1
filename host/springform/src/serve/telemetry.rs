//! The log: standard error, for people or as JSON.

use std::io::IsTerminal as _;

use anyhow::Context;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, ServiceConfig};

/// Lines that wait to be written while standard error takes none; more are lost, because a request must not wait for them.
const WAITING: usize = 16_384;

/// Starts the log of this process. `SPRINGFORM_LOG` wins over the file. Dropping the guard writes what still waits.
///
/// A thread of its own writes, so that a reader of standard error who stops, or goes away, harms no request.
///
/// # Errors
/// The filter is none.
pub fn start(service: &ServiceConfig) -> anyhow::Result<WorkerGuard> {
    let wanted = std::env::var("SPRINGFORM_LOG").unwrap_or_else(|_| service.log_filter.clone());
    let filter =
        EnvFilter::try_new(&wanted).with_context(|| format!("`{wanted}` is no log filter"))?;
    let (writer, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(WAITING)
        .thread_name("log")
        .finish(std::io::stderr());
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        // It would be reported with `eprintln!`, which panics once nobody reads standard error.
        .log_internal_errors(false)
        .with_writer(writer);
    let started = match service.log {
        LogFormat::Plain => log.with_target(false).try_init(),
        LogFormat::Json => log.json().try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("cannot start the log: {error}"))?;
    Ok(guard)
}
