//! Another configuration in a running host: read again, held against what serves, prepared beside it and published at
//! once. Whatever is wrong with it leaves exactly what served before.

mod change;
mod difference;
mod guard;
mod prepare;
mod publish;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;
use springform_model::audit::{Action, Outcome, Subject, Who};
use tokio::time::timeout;

use crate::audit::Audit;
use crate::backend::BackendHandle;
use crate::engine::Operations;
use crate::error::ErrorKind;
use crate::registry::Drivers;
use crate::{Caller, ControlError};

pub use change::{BackendChange, Candidate, Change, DriverChange};
use difference::Difference;

/// How long an answer waits for the set-up of what was changed; it goes on by itself afterwards.
const SET_UP: Duration = Duration::from_secs(20);

/// Where the configuration of this host comes from.
#[async_trait]
pub trait Source: Send + Sync + 'static {
    /// Reads it again; nothing is changed. `serving` has the component files that drivers serve from, where that is known.
    ///
    /// # Errors
    /// Everything that is wrong with it, one sentence each, with lines where there are some; never a secret.
    async fn read(&self, serving: &BTreeMap<String, PathBuf>) -> Result<Candidate, Vec<String>>;
}

/// What a reload came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Reloaded {
    /// Whether it was only said what would be done.
    pub dry_run: bool,
    /// Backends that are configured otherwise.
    pub backends: Vec<BackendChange>,
    /// Drivers that are configured otherwise.
    pub drivers: Vec<DriverChange>,
    /// What differs of the host itself, in the operator's words.
    pub host: Vec<String>,
    /// How many backends are configured as before; nothing was done to them.
    pub unchanged: usize,
}

/// Reloads of the configuration.
#[derive(Clone, Copy)]
pub struct Reload<'a> {
    operations: &'a Operations,
    /// Where the configuration is read again; none in a host that was given it by hand.
    source: Option<&'a Arc<dyn Source>>,
}

impl std::fmt::Debug for Reload<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reload").finish_non_exhaustive()
    }
}

impl<'a> Reload<'a> {
    pub(crate) fn new(operations: &'a Operations, source: Option<&'a Arc<dyn Source>>) -> Self {
        Self { operations, source }
    }

    /// Reads the configuration again and lets it serve, all of it or nothing. Whoever asks may go away meanwhile.
    ///
    /// # Errors
    /// `Forbidden`; `Invalid` with everything that is wrong with it; `Conflict` with the operation in the way; `Unavailable`
    /// in a host that was given its configuration by hand.
    pub async fn run(&self, caller: &Caller, dry_run: bool) -> Result<Reloaded, ControlError> {
        if !caller.is_admin {
            return Err(ControlError::new(
                ErrorKind::Forbidden,
                "Only an administrator may reload the configuration.",
            ));
        }
        let source = self.source.cloned().ok_or_else(|| {
            ControlError::unavailable(
                "This host was not given a configuration that it could read again.",
            )
        })?;
        let operations = self.operations.clone();
        let who = Who::from(caller);
        let whole = async move { run(&operations, source.as_ref(), dry_run, who).await };
        let outcome = match self.operations.tasks().whole(whole).await {
            Some(Ok((mut reloaded, fresh))) => {
                await_set_up(&fresh, &mut reloaded).await;
                Ok(reloaded)
            }
            Some(Err(error)) => Err(error),
            None => Err(ControlError::new(
                ErrorKind::Internal,
                "The reload broke off; the log has the reason.",
            )),
        };
        match &outcome {
            Ok(reloaded) => tell(reloaded, caller),
            Err(error) => {
                tracing::warn!(user = %caller.user_id, "a reload was refused: {}", error.message);
                if !dry_run {
                    let audit = Audit::new(self.operations);
                    let done = Action::ConfigurationReloaded;
                    let on = Subject::default();
                    audit.refused(caller.into(), done, on, &error.message).await;
                }
            }
        }
        outcome
    }
}

async fn run(
    operations: &Operations,
    source: &dyn Source,
    dry_run: bool,
    who: Who,
) -> Result<(Reloaded, Vec<Arc<BackendHandle>>), ControlError> {
    // The same lock as that of a driver's swap: each is prepared on what the other one left.
    let _swap = operations.driver_lock().lock().await;
    let serving = Drivers::new(operations).serving().await?;
    let read = source.read(&serving).await;
    let mut candidate = read.map_err(|problems| refused(&problems))?;
    let difference = Difference::between(operations, &candidate);
    let unchanged = difference.unchanged;
    let host = std::mem::take(&mut candidate.host);
    if difference.is_empty() {
        if !dry_run {
            (candidate.adopt)();
            // A file that says the same is read again by every tool that distributes it.
            if !host.is_empty() {
                let audit = Audit::new(operations);
                let done = Action::ConfigurationReloaded;
                let entry = audit.entry(who, done, Outcome::Succeeded);
                audit.write(entry.with("host", host.join("; "))).await;
            }
        }
        let reloaded = Reloaded {
            dry_run,
            host,
            unchanged,
            ..Reloaded::default()
        };
        return Ok((reloaded, Vec::new()));
    }
    guard::free(operations, &difference).await?;
    let prepared = prepare::all(operations, &candidate, &difference)
        .await
        .map_err(|problems| refused(&problems))?;
    let mut reloaded = Reloaded {
        dry_run,
        backends: difference.described(|backend| prepared.generation_of(backend)),
        drivers: difference.drivers.clone(),
        host,
        unchanged,
    };
    if dry_run {
        for backend in &mut reloaded.backends {
            backend.generation = None;
        }
        return Ok((reloaded, Vec::new()));
    }
    let fresh = publish::all(
        operations,
        &mut candidate,
        &difference,
        prepared,
        &reloaded.host,
        &who,
    )
    .await?;
    (candidate.adopt)();
    Ok((reloaded, fresh))
}

/// Waits for the set-up of what was changed, and says how it stands.
async fn await_set_up(fresh: &[Arc<BackendHandle>], reloaded: &mut Reloaded) {
    let all = futures_util::future::join_all(fresh.iter().map(|handle| handle.tried()));
    if timeout(SET_UP, all).await.is_err() {
        tracing::warn!("a backend that was reloaded is still being set up");
    }
    for change in &mut reloaded.backends {
        if let Some(handle) = fresh.iter().find(|handle| handle.name() == change.name) {
            let status = handle.status();
            change.ready = status.is_up();
            change.reason = status.reason.or(status.statistics_error);
        }
    }
}

fn refused(problems: &[String]) -> ControlError {
    ControlError::invalid(format!(
        "the configuration was not reloaded, and what served before still serves:\n{}",
        problems.join("\n")
    ))
}

fn tell(reloaded: &Reloaded, caller: &Caller) {
    let user = &caller.user_id;
    let nothing = reloaded.backends.is_empty() && reloaded.drivers.is_empty();
    if nothing && reloaded.host.is_empty() {
        tracing::info!(%user, "the configuration was read again: nothing has changed");
    }
    if !reloaded.host.is_empty() && !reloaded.dry_run {
        tracing::info!(%user, what = %reloaded.host.join("; "), "the configuration was reloaded");
    }
    for backend in reloaded.backends.iter().filter(|_| !reloaded.dry_run) {
        tracing::info!(
            %user, backend = %backend.name, change = ?backend.change, what = %backend.what.join("; "),
            generation = backend.generation, ready = backend.ready, reason = backend.reason,
            "the configuration was reloaded"
        );
    }
}
