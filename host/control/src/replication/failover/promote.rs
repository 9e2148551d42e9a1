//! The target takes the role, in parallel batches, whoever they leave behind is fenced, and what comes after the switch.
// The error is stored as it is; a box would be taken off again at once.
#![allow(clippy::result_large_err)]

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use springform_model::cloud::{ReplicationStatus, Volume, VolumeStatus};
use springform_model::contract::{
    Call, FailoverMode, FailoverPlan, FailureCode, Outcome, Placement, Reply, VolumePlan,
    VolumeSpec,
};
use springform_model::operation::OperationError;
use springform_model::replication::failover::{Phase, batch_size};
use springform_model::replication::relation::{Effect, Event};
use tokio::sync::mpsc;

use super::{Failover, size};
use crate::messages::size_changed;
use crate::outbox::CloudEvent;
use crate::replication::env::{Lead, Member, ReplicationError};
use crate::replication::members::{Change, Told};
use crate::replication::operation_run::journalled;
use crate::replication::{fence, members};

/// Warnings that an operation keeps; what is beyond is in the events.
const WARNINGS: usize = 256;

/// Whether a driver says that it did nothing because something is not as it has to be. Whatever else failed may have
/// happened all the same.
fn is_refusal(why: &OperationError) -> bool {
    why.code == FailureCode::FailedPrecondition.as_str()
}

impl Failover<'_> {
    /// Promotes, finishes, and fences whoever was left behind; all of it may be repeated for `before`, which moved earlier.
    ///
    /// Fencing begins with the first batch that has moved and goes on beside the others: each volume is promoted before it is
    /// fenced, and an old array that takes its time, or never answers, keeps no batch waiting.
    pub(super) async fn switch(
        &self,
        made: &FailoverPlan,
        before: Vec<Member>,
        members: Vec<Member>,
    ) -> Result<(), ReplicationError> {
        let (left, behind) = mpsc::unbounded_channel();
        let promoting = self.promote_and_finish(made, before, members, left);
        let (used, fenced) = tokio::join!(promoting, self.fence_behind(behind));
        fenced?;
        // Also what was not completed yet: its host was told a way that leads nowhere now.
        let used = self.run.env().followed(used?).await?;
        if !used.is_empty() {
            // A run before a restart may have left them locked, and an attachment is locked before its volume: whoever
            // detaches a host waits for the volume, and would be waited for here.
            let used = members::release(&self.run, used).await?;
            let waits = "hosts to be connected to the array that serves now".to_owned();
            self.run.enter("reconnecting", Some(waits)).await?;
            // An array that was overwritten may be a new one, on which nobody is connected.
            let whom = match self.input.overwrite_first {
                true => Lead::All,
                false => Lead::Moved,
            };
            self.run
                .env()
                .reconnect(&self.view.name, self.run.id(), &used, whom)
                .await;
        }
        Ok(())
    }

    /// Promotes in parallel batches and hands each on to be fenced; returns what moved.
    async fn promote_and_finish(
        &self,
        made: &FailoverPlan,
        before: Vec<Member>,
        members: Vec<Member>,
        left: mpsc::UnboundedSender<Vec<Member>>,
    ) -> Result<Vec<Member>, ReplicationError> {
        let fences = made.mode != FailoverMode::Planned;
        let size = batch_size(members.len() as u64, self.view.parallel, self.view.batch);
        let batches = members::chunks(members, size);
        let mut running = stream::iter(batches.into_iter().map(|b| self.promote_batch(made, b)))
            .buffer_unordered(self.view.parallel.max(1));
        let (mut moved, mut all) = (Vec::new(), Vec::new());
        let mut next = Some(before);
        while let Some(batch) = next {
            all.extend(batch.iter().cloned());
            moved.extend(batch.iter().map(|m| (*m.spec).clone()));
            if fences && !batch.is_empty() {
                // Whoever fences has stopped only where the database did; it says so itself.
                let _ = left.send(batch);
            }
            next = running.next().await.transpose()?;
        }
        if moved.is_empty() {
            return Ok(all);
        }
        moved.sort_by(|a, b| a.id.cmp(&b.id));
        self.finish(made, moved).await?;
        if fences {
            self.run.enter(Phase::Fencing.as_str(), None).await?;
        }
        Ok(all)
    }

    /// What the driver does once after all batches.
    async fn finish(
        &self,
        made: &FailoverPlan,
        volumes: Vec<VolumeSpec>,
    ) -> Result<(), ReplicationError> {
        let env = self.run.env();
        self.run.enter(Phase::Finishing.as_str(), None).await?;
        let call = Call::FinishFailover {
            plan: made.clone(),
            volumes,
        };
        match self
            .run
            .call(&self.view.name, &call)
            .await
            .and_then(Reply::into_state)
        {
            Ok(state) => members::keep_state(env, &self.view.name, state).await?,
            Err(error) => {
                // The volumes have moved all the same: it is the step that failed.
                let why = journalled(&self.view.name, &error);
                self.run.fail_step(why).await;
            }
        }
        Ok(())
    }

    /// Fences batches as they come.
    async fn fence_behind(
        &self,
        behind: mpsc::UnboundedReceiver<Vec<Member>>,
    ) -> Result<(), ReplicationError> {
        let batches = stream::unfold(behind, async |mut behind| {
            let batch = behind.recv().await?;
            Some((Ok(batch), behind))
        });
        batches
            .try_for_each_concurrent(self.view.parallel.max(1), |batch| self.fence(batch))
            .await
    }

    pub(super) async fn fence(&self, moved: Vec<Member>) -> Result<(), ReplicationError> {
        fence::pay(&self.run, &self.view, moved, false).await?;
        Ok(())
    }

    pub(super) fn result(&self, outcome: Outcome) -> Result<Placement, OperationError> {
        outcome.result.map_err(|f| {
            journalled(
                &self.view.name,
                &springform_model::contract::CallError::Failed(f),
            )
        })
    }

    /// What is still to be promoted once the operation was cancelled: all of it where the sources have given their role up;
    /// else only what an array may have been asked for before a restart.
    async fn unless_cancelled(
        &self,
        made: &FailoverPlan,
        batch: Vec<Member>,
    ) -> Result<Vec<Member>, ReplicationError> {
        if made.mode == FailoverMode::Planned || self.run.stopped(&self.view.name).await.is_none() {
            return Ok(batch);
        }
        let asked = |m: &Member| {
            let resumed = self.resumed.lock();
            resumed.map_or(true, |resumed| resumed.contains_key(&m.volume.id))
        };
        let (go_on, stay): (Vec<_>, Vec<_>) = batch.into_iter().partition(asked);
        self.withdraw(stay).await?;
        Ok(go_on)
    }

    async fn promote_batch(
        &self,
        made: &FailoverPlan,
        batch: Vec<Member>,
    ) -> Result<Vec<Member>, ReplicationError> {
        let env = self.run.env();
        let batch = match self.planned() {
            true => batch,
            // Batch by batch: the first one is with the array while the turns of the others are taken.
            false => self.take(batch, made).await?,
        };
        let batch = self.unless_cancelled(made, batch).await?;
        if batch.is_empty() {
            return Ok(batch);
        }
        // The driver is given the part of the plan that is about its batch: the plan of a page is large.
        let inside = |p: &&VolumePlan| {
            let found = batch.binary_search_by(|m| m.volume.id.cmp(&p.volume_id));
            found.is_ok()
        };
        let part = made.of(made.volumes.iter().filter(inside).cloned().collect());
        let volumes = batch.iter().map(|m| (*m.spec).clone()).collect();
        let call = match &self.input.drill {
            Some(drill) => Call::CommitTest {
                test_id: drill.clone(),
                plan: part,
                volumes,
            },
            None => Call::FailOver {
                plan: part,
                volumes,
            },
        };
        let outcomes = self.run.batch(&self.view.name, &call, &batch).await;
        let mut good = Vec::with_capacity(batch.len());
        let (mut placements, mut sizes) = (BTreeMap::new(), BTreeMap::new());
        let mut refused = Vec::new();
        for (member, outcome) in batch.into_iter().zip(outcomes) {
            match outcome
                .map_err(|e| journalled(&self.view.name, &e))
                .and_then(|o| self.result(o))
            {
                Ok(mut placement) => {
                    let id = member.volume.id.clone();
                    if let Some(size) = size::taken(&mut placement) {
                        sizes.insert(id.clone(), size);
                    }
                    placements.insert(id, placement);
                    good.push(member);
                }
                // The source has given its role up for nothing: nobody would serve the volume.
                Err(why) if self.planned() && self.input.drill.is_none() && is_refusal(&why) => {
                    refused.push((member, why));
                }
                Err(why) => self.lost(member, why).await?,
            }
        }
        self.give_back_refused(made, refused).await?;
        let home = self.view.primary().map(|t| t.name.clone());
        let moved_home = home.as_deref() == Some(made.target.as_str());
        let id = self.run.id().to_owned();
        let now = env.now();
        let count = good.len() as u64;
        let before = good.iter().map(|m| (m.volume.id.clone(), m.volume.size));
        let before: BTreeMap<String, u64> = before.collect();
        let told = std::sync::Mutex::new(Told::default());
        self.run.note(|o| o.progress.done += count).await;
        let (moved, _) = members::change_with(&self.run, good, &told, |member| {
            let (relation, effects) = member.relation.step(Event::Promoted(id.clone()), now)?;
            *member.relation = relation;
            if let Some(placement) = placements.get(&member.volume.id) {
                member.volume.place(placement);
                member.spec.placement = Some(placement.clone());
            }
            let resized = sizes.get(&member.volume.id);
            let resized = resized.and_then(|size| size::follow(member, *size));
            if let (Some(was), Ok(mut told)) = (resized, told.lock()) {
                let volume = &member.volume;
                let resized = CloudEvent::resized(volume, &id, was, &made.target, now);
                told.events.push(resized);
                let before = Volume {
                    size: was,
                    ..(**volume).clone()
                };
                told.messages.push(size_changed(&before, volume.size, now));
            }
            // Whoever was left behind and answers is fenced next: until then nobody may move the volume back there.
            let fence = made.mode != FailoverMode::Planned
                && fence::due(&self.view, member).next().is_some();
            if !fence {
                member.volume.operation = None;
            }
            member.volume.updated_at = Some(now);
            member.volume.replication_status = Some(if moved_home {
                ReplicationStatus::Enabled
            } else {
                ReplicationStatus::FailedOver
            });
            if member.volume.status == VolumeStatus::Error
                && let Some(previous) = member.volume.previous_status.take()
            {
                member.volume.status = previous;
            }
            for effect in effects {
                if let (
                    Effect::Announce {
                        from,
                        to,
                        generation,
                    },
                    Ok(mut told),
                ) = (effect, told.lock())
                {
                    told.events.push(CloudEvent::moved(
                        &member.volume,
                        &id,
                        from.as_deref(),
                        &to,
                        generation,
                        now,
                    ));
                }
            }
            Ok(Change::Write)
        })
        .await?;
        self.warn_of_sizes(&made.target, &moved, &before);
        Ok(moved)
    }

    /// The operation says which volumes are smaller, or larger, than they were.
    fn warn_of_sizes(&self, target: &str, moved: &[Member], before: &BTreeMap<String, u64>) {
        let Ok(mut warnings) = self.warnings.lock() else {
            return;
        };
        for member in moved {
            let now = member.volume.size;
            let was = before.get(&member.volume.id).copied().unwrap_or(now);
            if was != now && warnings.len() < WARNINGS {
                warnings.push(format!(
                    "volume {} has {now} GiB on {target} and had {was} GiB: its size was changed after the recovery point",
                    member.volume.id
                ));
            }
        }
    }
}
