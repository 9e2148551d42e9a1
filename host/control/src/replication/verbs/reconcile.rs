//! Arrays are made to match the records; a changed configuration takes over.

use std::collections::BTreeMap;

use springform_model::cloud::{ReplicationStatus, Service};
use springform_model::contract::{Call, Reply};
use springform_model::operation::{Progress, Verb};
use springform_model::replication::relation::{Event, Phase};

use super::{Outcome, Work};
use crate::outbox::CloudEvent;
use crate::replication::difference;
use crate::replication::env::{BackendView, Member, ReplicationError, Writes};
use crate::replication::members::{self, Change, Told};
use crate::replication::operation_run::{journalled, problem};
use crate::replication::plan::PAGE;

impl Work<'_, '_> {
    pub(super) async fn reconcile(&self) -> Result<Outcome, ReplicationError> {
        let env = self.run.env();
        self.run.enter("reconcile", None).await?;
        let dry_run = self.input.ask.dry_run;
        self.run.note(|o| o.progress = Progress::default()).await;
        let mut after: Option<String> = None;
        let mut report = (Vec::new(), Vec::new());
        loop {
            let page = self.page(after.as_deref()).await?;
            // A backend without volumes has a configuration to be made all the same.
            if page.is_empty() && after.is_some() {
                break;
            }
            if let Some(stopped) = self.run.stopped(&self.view.name).await {
                return Ok(Err(stopped));
            }
            let last = page.last().map(|m| m.volume.id.clone());
            let total = page.len() as u64;
            let page = if dry_run {
                page
            } else {
                self.turns(page).await?
            };
            let done = page.len() as u64;
            let call = Call::Reconcile {
                volumes: difference::range(env, &page, after.as_deref(), total < PAGE as u64)
                    .await?,
                dry_run,
            };
            match self
                .run
                .call(&self.view.name, &call)
                .await
                .and_then(Reply::into_setup)
            {
                Ok(answer) => {
                    let (changes, objects) = difference::objects(answer.changes);
                    report.0.extend(changes);
                    report.1.extend(answer.warnings);
                    let unknown = difference::unknown(env, &self.view.name, objects);
                    report.1.extend(unknown.await?);
                    if !dry_run {
                        members::keep_state(env, &self.view.name, answer.state).await?;
                    }
                }
                Err(error) => return Ok(Err(journalled(&self.view.name, &error))),
            }
            if !dry_run {
                self.settled(page).await?;
            }
            self.run
                .note(|o| {
                    o.progress.total += total;
                    o.progress.done += done;
                })
                .await;
            let Some(last) = last else { break };
            after = Some(last);
        }
        self.run
            .note(|o| o.result = serde_json::json!({ "changes": report.0, "warnings": report.1 }))
            .await;
        if !dry_run {
            self.write_off().await?;
        }
        if self.verb == Verb::Promote && !dry_run {
            return self.primary_moved().await;
        }
        Ok(Ok(()))
    }

    /// Takes the turns of a page, so that nobody moves, grows or deletes a volume while its array is asked what it should be.
    /// Volumes that another operation holds are left out, and said to be.
    pub(super) async fn turns(&self, page: Vec<Member>) -> Result<Vec<Member>, ReplicationError> {
        let (held, busy) = members::hold_soon(self.run, &self.view.name, page).await?;
        let lost = busy.len() as u64;
        for (member, refusal) in busy {
            let mut why = problem("busy", refusal.to_string(), &self.view.name);
            why.retryable = true;
            self.run.keep_failure(&member.volume.id, why).await;
        }
        self.run.note(|o| o.progress.failed += lost).await;
        Ok(held)
    }

    /// Gives the turns back. Whoever is promoted is at home where it serves.
    async fn settled(&self, page: Vec<Member>) -> Result<(), ReplicationError> {
        let home = self.view.primary().map(|t| t.name.clone());
        let promoted = self.verb == Verb::Promote;
        let now = self.run.env().now();
        let known: Vec<String> = self.view.targets.iter().map(|t| t.name.clone()).collect();
        let told = self.written_off(&page, &known);
        let said = std::sync::Mutex::new(Told::default());
        members::change_with(self.run, page, &said, |m| {
            *m.relation = m.relation.step(Event::Known(known.clone()), now)?.0;
            if let Ok(mut said) = said.lock() {
                said.events.clone_from(&told);
            }
            let at_home = m.relation.phase == Phase::Settled && m.relation.serving == home;
            if promoted
                && at_home
                && m.volume.replication_status == Some(ReplicationStatus::FailedOver)
            {
                m.volume.replication_status = Some(ReplicationStatus::Enabled);
            }
            members::unlock(self.run, m);
            Ok(Change::Write)
        })
        .await?;
        Ok(())
    }

    /// What is said of arrays that are owed a fence and are not configured any more: nobody will fence them.
    fn written_off(&self, page: &[Member], known: &[String]) -> Vec<CloudEvent> {
        let mut gone: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for member in page {
            for debt in member.relation.owed() {
                if !known.contains(&debt.target) {
                    let volumes = gone.entry(&debt.target).or_default();
                    volumes.push(&member.volume.id);
                }
            }
        }
        let (backend, operation) = (&self.view.name, self.run.id());
        let told = gone.into_iter().map(|(target, volumes)| {
            tracing::warn!(
                backend = %backend, array = target, volumes = volumes.len(), operation,
                "an array that was left behind is not configured any more: it is not fenced, and must not be brought back as it is"
            );
            let now = self.run.env().now();
            CloudEvent::written_off(backend, target, &volumes, operation, now)
        });
        told.collect()
    }

    /// After a promotion the configured primary is the array that serves: the backend is not failed over any more.
    pub(super) async fn primary_moved(&self) -> Result<Outcome, ReplicationError> {
        let env = self.run.env();
        let (mut service, revision) = env.service(&self.view.name).await?;
        if let Err(why) = promotable(&self.view, &service) {
            return Ok(Err(problem("failed-precondition", why, &self.view.name)));
        }
        service.active_target = None;
        service.replication_status = ReplicationStatus::Enabled;
        service.disabled = service.frozen;
        service.disabled_reason = service.frozen.then(|| "frozen".to_owned());
        env.commit(Writes {
            services: vec![(service, revision)],
            ..Writes::default()
        })
        .await?;
        Ok(Ok(()))
    }
}

/// Whether the configured primary is the array that serves the backend.
///
/// # Errors
/// What to configure first.
pub fn promotable(view: &BackendView, service: &Service) -> Result<(), String> {
    let home = view.primary().map(|t| t.name.as_str());
    match service.active_target.as_deref() {
        Some(active) if Some(active) != home => Err(format!(
            "backend {} is served by {active}, which its configuration does not name as primary; set san_ip to that array \
             and primary_id = \"{active}\" in the file, run `springform config reload`, and promote again",
            view.name
        )),
        _ => Ok(()),
    }
}
