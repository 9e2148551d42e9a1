//! Records are brought up to what the arrays say: after a restore of the database, or where another host promoted.
//!
//! No array is changed. Every array is asked, all there is of each volume; the promotion of the newest generation counts. The
//! volumes' locks are held meanwhile, except in a database that was restored: what holds them there waits for this.
// The error is stored as it is; a box would be taken off again at once.
#![allow(clippy::result_large_err)]

use std::collections::BTreeMap;

use serde_json::json;
use springform_model::cloud::ReplicationStatus;
use springform_model::contract::{Call, CallError, Observation, Placement, Reply, VolumeSpec};
use springform_model::operation::{Operation, OperationError, Progress};
use springform_model::replication::evidence::{self, Evidence, Found};
use springform_model::replication::relation::{Event, Relation};
use springform_model::replication::{Refusal, service};

use super::{Outcome, Work};
use crate::messages::size_changed;
use crate::outbox::CloudEvent;
use crate::replication::env::{Lead, Member, ReplicationError, Writes};
use crate::replication::members::{self, Change, Told};
use crate::replication::operation_run::{journalled, problem};
use crate::replication::request::away_words;

/// Bytes of a GiB.
const GIB: u64 = 1 << 30;

/// What becomes of the records, in words, and where the volumes turned out to be served.
#[derive(Default)]
struct Report {
    changes: Vec<serde_json::Value>,
    warnings: Vec<String>,
    served: BTreeMap<String, u64>,
    moved: Vec<Member>,
    /// Volumes that are where their records say: an adoption before this one may have brought them up and not have told
    /// their machines.
    stayed: Vec<Member>,
    /// Whether there may have been one.
    once_more: bool,
}

impl Report {
    fn keep(&mut self, done: Vec<Member>, moved: bool) {
        match moved {
            true => self.moved.extend(done),
            false if self.once_more => self.stayed.extend(done),
            false => {}
        }
    }
}

/// What one volume's record becomes.
struct Adoption {
    relation: Relation,
    placement: Option<Placement>,
    /// GiB.
    size: u64,
    moved: bool,
}

impl Work<'_, '_> {
    pub(super) async fn adopt(&self) -> Result<Outcome, ReplicationError> {
        self.run.enter("adopt", None).await?;
        self.run.note(|o| o.progress = Progress::default()).await;
        let entered = |o: &mut Operation| o.steps.iter().any(|s| s.attempts > 1);
        let mut report = Report {
            once_more: self.run.note(entered).await || self.look_only().await?,
            ..Report::default()
        };
        let mut after: Option<String> = None;
        loop {
            let page = self.page(after.as_deref()).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.volume.id.clone());
            if let Some(stopped) = self.run.stopped(&self.view.name).await {
                return Ok(Err(stopped));
            }
            let placed = page.into_iter().filter(|m| m.volume.placement.is_some());
            for chunk in members::chunks(placed.collect(), self.view.batch) {
                if let Err(error) = self.adopt_batch(chunk, &mut report).await? {
                    return Ok(Err(error));
                }
            }
        }
        let (changes, warnings) = (report.changes, report.warnings);
        self.run
            .note(|o| o.result = json!({ "changes": changes, "warnings": warnings }))
            .await;
        let failed = self.run.note(|o| o.progress.failed).await;
        if self.input.ask.dry_run || failed > 0 {
            return Ok(Ok(()));
        }
        self.adopted(&report.served, report.moved, report.stayed)
            .await?;
        Ok(Ok(()))
    }

    async fn adopt_batch(
        &self,
        chunk: Vec<Member>,
        report: &mut Report,
    ) -> Result<Outcome, ReplicationError> {
        let total = chunk.len() as u64;
        self.run.note(|o| o.progress.total += total).await;
        let chunk = match self.input.ask.dry_run || self.look_only().await? {
            true => chunk,
            false => self.turns(chunk).await?,
        };
        if chunk.is_empty() {
            return Ok(Ok(()));
        }
        let seen = match self.look_at_all(&chunk).await {
            Ok(seen) => seen,
            Err(error) => return Ok(Err(journalled(&self.view.name, &error))),
        };
        for (member, mut seen) in chunk.into_iter().zip(seen) {
            let raw = seen.clone();
            let found = evidence::take(&mut seen);
            if let Some(dark) = found.dark.first() {
                let why = away_words(&self.view.name, dark);
                return Ok(Err(problem("unavailable", why, &self.view.name)));
            }
            if found.is_silent() && member.replicated() {
                let said = format!(
                    "the driver of {} reports no evidence of promotions: its records are kept as they are; see which array \
                     machines write to, and move what is recorded elsewhere by failover",
                    self.view.name
                );
                if !report.warnings.contains(&said) {
                    report.warnings.push(said);
                }
            }
            match self.adoption(&member, raw, &found) {
                Ok(adoption) => self.adopt_one(member, adoption, report).await?,
                Err(why) => {
                    self.run.keep_failure(&member.volume.id, why).await;
                    self.run.note(|o| o.progress.failed += 1).await;
                    members::release(self.run, vec![member]).await?;
                }
            }
        }
        Ok(Ok(()))
    }

    async fn look_at_all(&self, chunk: &[Member]) -> Result<Vec<Observation>, CallError> {
        let whole = |m: &Member| {
            let mut spec = VolumeSpec::clone(&m.spec);
            spec.extensions
                .push((evidence::WHOLE.to_owned(), "true".to_owned()));
            spec
        };
        let call = Call::Observe {
            volumes: chunk.iter().map(whole).collect(),
        };
        let answer = self.run.call(&self.view.name, &call).await?;
        Reply::into_observations(answer)
    }

    /// What the record of one volume becomes.
    fn adoption(
        &self,
        member: &Member,
        seen: Observation,
        found: &Found,
    ) -> Result<Adoption, OperationError> {
        let now = self.run.env().now();
        let refused =
            |refusal: Refusal| problem("failed-precondition", refusal.to_string(), &self.view.name);
        let (mut relation, _) = member
            .relation
            .step(Event::Seen(seen), now)
            .map_err(refused)?;
        let newest = relation.overtaken().cloned();
        let moved = newest.is_some();
        if let Some(newest) = newest {
            let adopt = Event::Adopt(Box::new(newest));
            (relation, _) = relation.step(adopt, now).map_err(refused)?;
        }
        let serving = relation.serving.as_deref();
        let here = |e: &&Evidence| Some(e.target.as_str()) == serving;
        let there = found.evidence.iter().find(here);
        let placement = there.and_then(|e| e.placement.clone());
        if moved && placement.is_none() {
            let why = format!(
                "{} is said to serve it, and it is not there; look for it on the array, manage it from there or delete its \
                 record",
                serving.unwrap_or("an array")
            );
            return Err(problem("not-found", why, &self.view.name));
        }
        let size = there.and_then(|e| e.size).unwrap_or(0);
        Ok(Adoption {
            relation,
            placement: placement.filter(|_| moved),
            size: match size {
                0 => member.volume.size,
                bytes => bytes.div_ceil(GIB),
            },
            moved,
        })
    }

    async fn adopt_one(
        &self,
        member: Member,
        adoption: Adoption,
        report: &mut Report,
    ) -> Result<(), ReplicationError> {
        let serving = adoption.relation.serving.clone().unwrap_or_default();
        if member.replicated() {
            *report.served.entry(serving.clone()).or_default() += 1;
        }
        self.run.note(|o| o.progress.done += 1).await;
        let said = difference(&member, &adoption);
        let changed = !said.is_empty();
        for text in said {
            let would = if self.input.ask.dry_run {
                "would record "
            } else {
                "recorded "
            };
            report
                .changes
                .push(json!({ "target": serving, "text": format!("{would}{text}") }));
        }
        if self.input.ask.dry_run {
            return Ok(());
        }
        if !changed && *member.relation == adoption.relation {
            let done = members::release(self.run, vec![member]).await?;
            report.keep(done, false);
            return Ok(());
        }
        let (home, now) = (
            self.view.primary().map(|t| t.name.clone()),
            self.run.env().now(),
        );
        let waiting = self.look_only().await?;
        let (id, read) = (self.run.id().to_owned(), member.relation.clone());
        let told = std::sync::Mutex::new(Told::default());
        let (done, refused) = members::change_with(self.run, vec![member], &told, |m| {
            if !waiting {
                members::free(self.run, m)?;
            }
            if m.relation.generation != read.generation || m.relation.phase != read.phase {
                return Err(Refusal::Generation {
                    expected: read.generation,
                    actual: m.relation.generation,
                });
            }
            *m.relation = adoption.relation.clone();
            m.volume.generation = m.relation.generation;
            m.spec.generation = m.relation.generation;
            if m.volume.size != adoption.size
                && let Ok(mut told) = told.lock()
            {
                let message = size_changed(&m.volume, adoption.size, now);
                told.messages.push(message);
            }
            m.volume.size = adoption.size;
            m.spec.size = adoption.size.saturating_mul(GIB);
            if let Some(placement) = &adoption.placement {
                m.volume.place(placement);
                m.spec.placement = Some(placement.clone());
            }
            if adoption.moved {
                let at_home = m.relation.serving == home;
                m.volume.replication_status = Some(match at_home {
                    true => ReplicationStatus::Enabled,
                    false => ReplicationStatus::FailedOver,
                });
                let (from, to) = (read.serving.as_deref(), serving.as_str());
                let moved = CloudEvent::moved(&m.volume, &id, from, to, m.relation.generation, now);
                if let Ok(mut told) = told.lock() {
                    told.events.push(moved);
                }
            }
            m.volume.updated_at = Some(now);
            members::unlock(self.run, m);
            Ok(Change::Write)
        })
        .await?;
        for (member, refusal) in refused {
            let mut why = problem("busy", refusal.to_string(), &self.view.name);
            why.retryable = true;
            self.run.keep_failure(&member.volume.id, why).await;
            members::release(self.run, vec![member]).await?;
            self.run
                .note(|o| {
                    o.progress.done = o.progress.done.saturating_sub(1);
                    o.progress.failed += 1;
                })
                .await;
        }
        report.keep(done, adoption.moved);
        Ok(())
    }

    async fn look_only(&self) -> Result<bool, ReplicationError> {
        let (service, _) = self.run.env().service(&self.view.name).await?;
        Ok(service.look_only_since.is_some())
    }

    /// All records are up to the arrays: the backend is what its volumes are, and what waited for this goes on.
    async fn adopted(
        &self,
        served: &BTreeMap<String, u64>,
        moved: Vec<Member>,
        stayed: Vec<Member>,
    ) -> Result<(), ReplicationError> {
        let env = self.run.env();
        let waiting = env.waiting(&self.view.name, self.run.id()).await?;
        let home = self.view.primary().map(|t| t.name.clone());
        // Volumes that are at home and elsewhere are single ones that were moved: the backend stays what it was.
        let only = match served.keys().collect::<Vec<_>>().as_slice() {
            [one] => Some((*one).clone()),
            _ => None,
        };
        let whole = only.map(|serving| Some(serving).filter(|s| Some(s) != home.as_ref()));
        for _ in 0..members::RACES {
            let (before, revision) = env.service(&self.view.name).await?;
            let target = whole
                .clone()
                .unwrap_or_else(|| before.active_target.clone());
            let mut after = service::step(&before, service::Event::Adopted { target })?;
            after.updated_at = Some(env.now());
            let writes = Writes {
                services: vec![(after, revision)],
                ..Writes::default()
            };
            match env.commit(writes).await {
                Err(ReplicationError::Moved(_)) => {}
                other => {
                    other?;
                    break;
                }
            }
        }
        env.adopted().await?;
        env.resume(waiting).await;
        // One that was detached since the backup is given nothing back as long as its volume stayed where it was.
        for (some, whom) in [(moved, Lead::All), (stayed, Lead::Astray)] {
            let used = env.followed(some).await?;
            env.reconnect(&self.view.name, self.run.id(), &used, whom)
                .await;
        }
        Ok(())
    }
}

/// What is different, in words.
fn difference(member: &Member, adoption: &Adoption) -> Vec<String> {
    let (volume, old, new) = (&member.volume, &member.relation, &adoption.relation);
    let mut said = Vec::new();
    if adoption.moved {
        said.push(format!(
            "volume {}: {} serves it at generation {} (the record said {} at generation {})",
            volume.id,
            new.serving.as_deref().unwrap_or("nobody"),
            new.generation,
            old.serving.as_deref().unwrap_or("nobody"),
            old.generation
        ));
    }
    if adoption.size != volume.size {
        said.push(format!(
            "volume {}: it has {} GiB (the record said {})",
            volume.id, adoption.size, volume.size
        ));
    }
    said
}
