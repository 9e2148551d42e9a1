//! The log: standard error, for people or as JSON.

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, ServiceConfig};

/// Starts the log of this process. `SPRINGFORM_LOG` wins over the file.
///
/// # Errors
/// The filter is none.
pub fn start(service: &ServiceConfig) -> anyhow::Result<()> {
    let wanted = std::env::var("SPRINGFORM_LOG").unwrap_or_else(|_| service.log_filter.clone());
    let filter =
        EnvFilter::try_new(&wanted).with_context(|| format!("`{wanted}` is no log filter"))?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // A line that cannot be written, for a log is often on the disk that is full, must not end whoever writes it.
        .log_internal_errors(false)
        .with_writer(std::io::stderr);
    let started = match service.log {
        LogFormat::Plain => log.with_target(false).try_init(),
        LogFormat::Json => log.json().try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("cannot start the log: {error}"))
}
