//! The records of the simulation.

use std::collections::BTreeMap;

use springform_control::outbox::CloudEvent;
use springform_control::replication::{Member, Plan, ReplicationError, Scope, Writes};
use springform_model::cloud::{Service, Volume};
use springform_model::operation::Operation;
use springform_model::replication::drill::Drill;
use springform_model::replication::relation::Relation;

use crate::machines::Attached;
use crate::nouns::{BACKEND, spec};

/// Rows.
#[derive(Debug, Default, Clone)]
pub struct Rows {
    /// With revisions.
    pub volumes: BTreeMap<String, (Volume, u64)>,
    /// With revisions.
    pub relations: BTreeMap<String, (Relation, u64)>,
    /// With its revision.
    pub service: Option<(Service, u64)>,
    /// In order of their making.
    pub operations: BTreeMap<String, Operation>,
    /// Operations somebody asked to cancel.
    pub cancelled: Vec<String>,
    /// With revisions.
    pub drills: BTreeMap<String, (Drill, u64)>,
    /// Plans.
    pub plans: BTreeMap<String, Plan>,
    /// Events, by id.
    pub events: BTreeMap<String, CloudEvent>,
    /// Machines that use a volume, by volume.
    pub attached: BTreeMap<String, Attached>,
    /// Commits made.
    pub commits: u64,
}

impl Rows {
    /// A volume with its relation, as read.
    #[must_use]
    pub fn member(&self, volume: &Volume, revision: u64) -> Member {
        let stored = self.relations.get(&volume.id);
        let target = volume
            .placement
            .as_ref()
            .map(|p| p.target.clone())
            .unwrap_or_default();
        let replicated = volume
            .placement
            .as_ref()
            .is_some_and(|p| p.replication.is_some());
        Member {
            spec: Box::new(spec(volume)),
            relation: Box::new(stored.map_or_else(
                || {
                    Relation::new(
                        volume.id.clone(),
                        BACKEND,
                        target,
                        volume.generation,
                        replicated,
                    )
                },
                |(r, _)| r.clone(),
            )),
            relation_revision: stored.map(|(_, r)| *r),
            volume: Box::new(volume.clone()),
            revision,
        }
    }

    /// Whether nothing is to be changed on arrays: the records are older than they are.
    #[must_use]
    pub fn look_only(&self) -> bool {
        let service = self.service.as_ref();
        service.is_some_and(|(service, _)| service.look_only_since.is_some())
    }

    /// Writes all of it or nothing.
    ///
    /// # Errors
    /// [`ReplicationError::Moved`] where a revision is not the one read.
    pub fn write(&mut self, writes: Writes) -> Result<(), ReplicationError> {
        for member in &writes.members {
            let stored = self.volumes.get(&member.volume.id).map(|(_, r)| *r);
            let relation = self.relations.get(&member.volume.id).map(|(_, r)| *r);
            if stored != Some(member.revision) || relation != member.relation_revision {
                return Err(ReplicationError::Moved(format!(
                    "volume {}",
                    member.volume.id
                )));
            }
        }
        for (service, revision) in &writes.services {
            if self.service.as_ref().map(|(_, r)| *r) != Some(*revision) {
                return Err(ReplicationError::Moved(format!(
                    "service {}",
                    service.backend
                )));
            }
        }
        for (drill, revision) in &writes.taken {
            if self.drills.get(&drill.id).map(|(_, r)| *r) != Some(*revision) {
                return Err(ReplicationError::Moved(format!("drill {}", drill.id)));
            }
        }
        self.commits += 1;
        for member in writes.members {
            let id = member.volume.id.clone();
            self.volumes
                .insert(id.clone(), (*member.volume, member.revision + 1));
            self.relations.insert(
                id,
                (
                    *member.relation,
                    member.relation_revision.map_or(1, |r| r + 1),
                ),
            );
        }
        for (service, revision) in writes.services {
            self.service = Some((service, revision + 1));
        }
        let taken = writes.taken.into_iter().map(|(drill, _)| drill);
        for drill in writes.drills.into_iter().chain(taken) {
            let revision = self.drills.get(&drill.id).map_or(1, |(_, r)| r + 1);
            self.drills.insert(drill.id.clone(), (drill, revision));
        }
        if let Some(plan) = writes.plan {
            self.plans.insert(plan.id.clone(), plan);
        }
        for event in writes.events {
            self.events.insert(event.id.clone(), event);
        }
        if let Some(operation) = writes.operation {
            self.operations.insert(operation.id.clone(), operation);
        }
        Ok(())
    }
}

pub(crate) fn within(scope: &Scope, volume: &Volume) -> bool {
    match scope {
        Scope::Backend(name) => volume.backend.as_ref() == Some(name),
        Scope::Volumes(ids) => ids.contains(&volume.id),
        Scope::Group(id) => volume.group_id.as_ref() == Some(id),
        Scope::Project(id) => volume.project_id == *id,
        Scope::Obligations(_) => false,
    }
}
