//! Arrays are made to match the records; a changed configuration takes over.

use springform_model::cloud::ReplicationStatus;
use springform_model::contract::{Call, Reply};
use springform_model::operation::Verb;

use super::{Outcome, Work};
use crate::replication::ground::{Problem, Writes};
use crate::replication::ledger::{journalled, problem};
use crate::replication::members;
use crate::replication::plan::PAGE;

impl Work<'_, '_> {
    pub(super) async fn reconcile(&self) -> Result<Outcome, Problem> {
        let ground = self.ledger.ground();
        self.ledger.enter("reconcile", None).await?;
        let dry_run = self.input.ask.dry_run;
        let mut after: Option<String> = None;
        let mut report = (Vec::new(), Vec::new());
        loop {
            let page = ground
                .members(
                    &self.input.ask.scope,
                    &self.view.name,
                    after.as_deref(),
                    PAGE,
                )
                .await?;
            let first = after.is_none();
            let Some(last) = page
                .last()
                .map(|m| m.volume.id.clone())
                .or_else(|| first.then(String::new))
            else {
                break;
            };
            let call = Call::Reconcile {
                volumes: page.iter().map(|m| m.spec.clone()).collect(),
                dry_run,
            };
            match self
                .ledger
                .call(&self.view.name, &call)
                .await
                .and_then(Reply::into_setup)
            {
                Ok(answer) => {
                    report.0.extend(answer.changes);
                    report.1.extend(answer.warnings);
                    if !dry_run {
                        members::keep_state(ground, &self.view.name, answer.state).await?;
                    }
                }
                Err(error) => return Ok(Err(journalled(&self.view.name, &error))),
            }
            if page.is_empty() {
                break;
            }
            after = Some(last);
        }
        self.ledger
            .note(|o| o.result = serde_json::json!({ "changes": report.0, "warnings": report.1 }))
            .await;
        if self.verb == Verb::Promote && !dry_run {
            return self.primary_moved().await;
        }
        Ok(Ok(()))
    }

    /// After a promotion the configured primary is the array that serves: the backend is not failed over any more.
    pub(super) async fn primary_moved(&self) -> Result<Outcome, Problem> {
        let ground = self.ledger.ground();
        let (mut service, revision) = ground.service(&self.view.name).await?;
        let home = self.view.primary().map(|t| t.name.clone());
        if service.active_target.is_none() || service.active_target == home {
            service.active_target = None;
            service.replication_status = ReplicationStatus::Enabled;
            service.disabled = service.frozen;
            service.disabled_reason = service.frozen.then(|| "frozen".to_owned());
            ground
                .commit(Writes {
                    services: vec![(service, revision)],
                    ..Writes::default()
                })
                .await?;
            return Ok(Ok(()));
        }
        let why = format!(
            "backend {} is served by {}, which its configuration does not name as primary; set san_ip to that array first",
            self.view.name,
            service.active_target.as_deref().unwrap_or("another array")
        );
        Ok(Err(problem("failed-precondition", why, &self.view.name)))
    }
}
