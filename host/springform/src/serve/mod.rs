//! Runs the host: wiring of store, control, sandbox and API. The order matters: what can be wrong for good is found
//! first, the address is taken before the journal is resumed, and until that is done clients hear that the host is starting.

pub mod access;
pub mod inspect;
mod loader;
mod plan;
pub(crate) mod private;
mod reload;
mod signals;
mod telemetry;
pub mod webhooks;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use springform_api::{ApiState, Tls};
use springform_control::audit::Recorder;
use springform_control::{Clock, Control};
use springform_store::{Store, StoreOptions};
use tokio::net::TcpListener;

use crate::config::{AuthMode, Config, ConfigError, Problem};
use crate::sealing;
pub(crate) use loader::Loader;

/// Runs the host until it is told to stop.
///
/// # Errors
/// Why it cannot start.
pub async fn run(path: &Path) -> anyhow::Result<ExitCode> {
    let config = Config::load(path)?;
    let _log = telemetry::start(&config.service)?;
    let auth = access::auth(&config.auth)?;
    let policy = access::policy(&config.auth)?;
    let nova = access::nova(config.nova.as_ref())?;
    let certificate = access::certificate(&config.service).map_err(|problem| ConfigError {
        path: config.path.clone(),
        problems: vec![problem],
    })?;
    let tls = certificate.map(Tls::new).transpose()?;
    private::prepare(&config.service)?;
    let listener = TcpListener::bind(config.service.listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.service.listen))?;
    signals::outlive_file_limits()?;
    let options = StoreOptions {
        keys: Some(sealing::find_or_make(&config.service).await?),
        ..StoreOptions::default()
    };
    let store = Store::open_with(&config.service.database, options).await?;
    if let Some(mark) = store.restored().await? {
        tracing::warn!(
            restored_at = %mark.restored_at.to_cinder(),
            "the database was restored: it is older than the arrays, see docs/backup.md"
        );
    }
    let webhooks = webhooks::Webhooks::new(&config.webhooks)?;
    let recorder = Recorder::default();
    let loader = Arc::new(Loader::new(&config, Some(Arc::new(recorder.clone())))?);
    let stop = signals::stop_on_signal()?;
    let hangup = signals::hangup()?;

    let mut limits = access::limits(&config.limits);
    private::fit_to_descriptors(&mut limits);
    announce(&config, &listener);
    let (front, opening) = springform_api::starting();
    let grace = config.service.shutdown_grace;
    let serving = tokio::spawn({
        let (limits, tls, stop) = (limits.clone(), tls.clone(), stop.clone());
        async move { springform_api::serve_tls(listener, front, &limits, tls, stop, grace).await }
    });

    let started = async {
        let mut settings = plan::control(&config, &loader).await;
        settings.audit = recorder;
        Control::start(settings, store, loader.clone(), Clock::system()).await
    };
    let control = tokio::select! {
        started = started => started.map_err(|error| anyhow::anyhow!("cannot start: {}", error.message))?,
        // Nothing is under way yet that the journal would not take up.
        () = stop.cancelled() => return Ok(ExitCode::SUCCESS),
    };
    control.deliver_with(Arc::new(webhooks));
    let backends = config.backends.len();
    let service = config.service.clone();
    // Who reloads is the only one to keep the configuration: it has secrets that may be exchanged.
    let file = reload::File::new(config, &loader, tls);
    drop(loader);
    control.reload_from(Arc::new(file));
    control.spawn(signals::reload_on(hangup, control.clone()));
    opening.open(springform_api::router(ApiState {
        control: control.clone(),
        auth,
        policy,
        limits,
        public_endpoint: service.public_endpoint,
        nova,
        drivers_dir: service.state_dir.join("drivers"),
    }));
    tracing::info!(backends, "serving");
    serving.await.context("the server failed")??;
    tracing::info!(
        "stopping: what is still open stays in the journal and is taken up at the next start"
    );
    control.shutdown(grace).await;
    Ok(ExitCode::SUCCESS)
}

/// Backends as control knows them, and what their drivers say is wrong with them, for a program that serves none of them.
pub(crate) async fn backends(
    config: &Config,
    loader: &Loader,
) -> (Vec<springform_control::BackendConfig>, Vec<Problem>) {
    plan::backends(config, loader, &BTreeMap::new()).await
}

fn announce(config: &Config, listener: &TcpListener) {
    if config.auth.mode == AuthMode::NoAuth {
        tracing::warn!(
            "the API asks nobody who they are: every client on this machine is an administrator"
        );
    }
    let address = listener.local_addr().unwrap_or(config.service.listen);
    tracing::info!(%address, "listening; the drivers are loaded");
}
