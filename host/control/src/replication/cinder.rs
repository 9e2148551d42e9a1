//! Failover and failback as Cinder's calls have them: no room for an acknowledgement (decision 5).

use springform_model::operation::Operation;
use springform_model::replication::service::PRIMARY;

use super::env::{ReplicationEnv, ReplicationError};
use super::live_arrays::store_env;
use super::request::Request;
use super::{Ask, Consent, Replication, Scope, consent, plan};
use crate::{Caller, ControlError};

impl Replication<'_> {
    /// Cinder's `failover_host`: to a target, to the best one (none), or back to the primary (`default`).
    ///
    /// # Errors
    /// As [`Replication::submit`].
    pub async fn failover_host(
        &self,
        caller: &Caller,
        backend: &str,
        to: Option<&str>,
    ) -> Result<Operation, ControlError> {
        let ask = Ask::about(Scope::Backend(backend.to_owned()));
        self.failover_of(caller, backend, ask, to).await
    }

    /// The same for what `ask` is about, all of it on one backend.
    pub(crate) async fn failover_of(
        &self,
        caller: &Caller,
        backend: &str,
        mut ask: Ask,
        to: Option<&str>,
    ) -> Result<Operation, ControlError> {
        ask.to = to.filter(|t| !t.is_empty()).map(str::to_owned);
        if ask.to.as_deref() != Some(PRIMARY) {
            return self.submit(caller, Request::Failover(ask)).await;
        }
        let standing = self
            .control
            .backend(backend)
            .is_some_and(|handle| handle.config().failback_discards_old_primary);
        // The configuration may have agreed beforehand; then that is written down here for each generation as if it had
        // been sent.
        let env = store_env(self.control);
        let view = env.backend(backend).await?;
        let home = plan::resolve(&view, ask.to.as_deref())?;
        let owed = consent::owed(&env, &view, &ask.scope, home.as_deref()).await?;
        if let Some(first) = owed.first().filter(|_| !standing) {
            let scope = match &ask.scope {
                Scope::Group(id) => format!("--group {id}"),
                _ => format!("--backend {backend}"),
            };
            return Err(ReplicationError::Refused(format!(
                "{array} was left behind in an unplanned failover and may hold writes that no other array has; a failback \
                 overwrites them, and this call cannot agree to that. Run `springform failback {scope} --discard`, or set \
                 failback_discards_old_primary = true for the backend",
                array = first.target
            ))
            .into());
        }
        ask.acknowledge = Consent(owed);
        self.submit(caller, Request::Failback(ask)).await
    }
}
