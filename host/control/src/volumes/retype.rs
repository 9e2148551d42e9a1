//! Retyping: a volume gets another type where it is, or in another pool where it has to be moved and can be. Asked of the
//! scheduler and of the quotas before the journal, as a create is.

use serde_json::json;
use springform_model::cloud::{
    Attachment, QosSpecs, ReplicationStatus, Service, Snapshot, Volume, VolumeStatus,
};
use springform_model::contract::MIGRATE;
use springform_model::operation::Verb;
use springform_model::replication::relation::{Phase, Relation};
use springform_store::{Query, Stored};

use super::Volumes;
use super::destroy::must_be;
use super::migrate::{MIGRATING, TO, TO_HOST, is_moving};
use super::turn::{not_frozen, try_lock};
use super::zone::zone_of;
use crate::edit::{TxError, no_more, retry_on_conflict};
use crate::quotas::{Adds, Quotas};
use crate::scheduler::{Candidate, Leaving, Request};
use crate::specs::{FullType, full_type, is_multiattach, with_qos, without_keys};
use crate::types::Types;
use crate::{Caller, ControlError};

/// Whether data may be moved for a type that needs another pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Migration {
    /// No.
    #[default]
    Never,
    /// Where it has to be.
    OnDemand,
}

impl Volumes<'_> {
    /// Makes a volume what another type asks for.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` in another state, and for a type that the pool of the volume does not suit; `OverLimit`;
    /// `Conflict`.
    pub async fn retype(
        &self,
        caller: &Caller,
        id: &str,
        name_or_id: &str,
        migration: Migration,
    ) -> Result<(), ControlError> {
        retry_on_conflict(|| self.try_retype(caller, id, name_or_id, migration)).await
    }

    async fn try_retype(
        &self,
        caller: &Caller,
        id: &str,
        name_or_id: &str,
        migration: Migration,
    ) -> Result<(), TxError> {
        let store = self.operations.store();
        let volume = self.stored(caller, id).await?;
        let kind = Types::new(self.operations)
            .stored(caller, name_or_id)
            .await?;
        without_keys(&kind)?;
        let before = full_type(store, volume.type_id.as_deref()).await?;
        let after = with_qos(store, kind.clone()).await?;
        let decide = |volume: &mut Volume| -> Result<(), ControlError> {
            allowed(volume, before.as_ref(), &after)?;
            volume.status = VolumeStatus::Retyping;
            Ok(())
        };
        // What the volume's state refuses is said before what the pool or the quota refuses.
        let mut goal = None;
        if volume.operation.is_none() {
            decide(&mut volume.record.clone())?;
            goal = self.suits(&volume, &after, migration).await?;
        }
        let adds = Adds::Type(volume.size);
        let quotas = Quotas::new(self.operations);
        let guards = quotas
            .guards(&volume.project_id, adds, Some(&after.volume_type))
            .await;
        let locked = match (guards, &goal) {
            (Err(refused), _) => Err(refused.into()),
            (Ok(guards), goal) => {
                let (input, guards) = match goal {
                    Some(goal) => (
                        json!({ "type": kind.id, TO: goal.backend.name(), TO_HOST: goal.host() }),
                        no_more::<Snapshot>(guards, Query::new().eq("volume_id", id), 0),
                    ),
                    None => (json!({ "type": kind.id }), guards),
                };
                let decide = |volume: &mut Volume| -> Result<(), ControlError> {
                    decide(volume)?;
                    if goal.is_some() {
                        volume.migration_status = Some(MIGRATING.to_owned());
                    }
                    Ok(())
                };
                let verb = Verb::RetypeVolume;
                // Written and not only looked at: whoever deletes or changes the type meanwhile has to look again, and finds this.
                let more = |_: &Volume| guards.clone().update(&kind);
                try_lock(self.operations, caller, volume, verb, &input, decide, more).await
            }
        };
        if let (Err(_), Some(goal)) = (&locked, &goal) {
            goal.backend.reservations.dropped(id);
        }
        locked.map(drop)
    }

    /// Asks the filters that a create goes through about the pool where the volume is. Where they refuse it and the volume may be
    /// moved, asks for another one: that takes room in it.
    async fn suits(
        &self,
        volume: &Stored<Volume>,
        after: &FullType,
        migration: Migration,
    ) -> Result<Option<Candidate>, ControlError> {
        let kind = &after.volume_type;
        zone_of(
            self.operations,
            Some(volume.availability_zone.clone()),
            Some(after),
        )?;
        let request = Request {
            volume: None,
            size: volume.size,
            extra_specs: kind.extra_specs.clone(),
            availability_zone: Some(volume.availability_zone.clone()),
            backend: volume.backend.clone(),
            not: Vec::new(),
            multiattach: is_multiattach(kind),
            ..Request::default()
        };
        let host = volume.host.clone().unwrap_or_default();
        let Err(why) = crate::scheduler::may_stay(self.operations, &host, &request).await? else {
            return Ok(None);
        };
        let refuse = |then: String| {
            ControlError::invalid(format!(
                "Invalid volume: Volume {} cannot have type {} where it is ({why}); {then}.",
                volume.id, kind.name
            ))
        };
        if migration == Migration::Never {
            return Err(refuse(
                "migration_policy is 'never', so it is not moved".to_owned(),
            ));
        }
        let leaving = self.leaves(volume).await?.map_err(refuse)?;
        let request = Request {
            volume: Some(volume.id.clone()),
            backend: None,
            leaving: Some(leaving),
            ..request
        };
        let goal = crate::scheduler::schedule(self.operations, &request).await;
        let goal = goal.map_err(|refused| {
            refuse(format!(
                "it cannot be moved either: {}",
                refused.message.trim_end_matches('.')
            ))
        })?;
        Ok(Some(goal))
    }

    /// What a volume leaves that is to be moved; else why it cannot be, with what to do.
    async fn leaves(
        &self,
        volume: &Stored<Volume>,
    ) -> Result<Result<Leaving, String>, ControlError> {
        let store = self.operations.store();
        let name = volume.backend.clone().unwrap_or_default();
        let generation = self.operations.generation(&name);
        let driver = generation.as_ref().map(|g| g.loaded.driver.description());
        let Some(driver) = driver.filter(|driver| driver.has(MIGRATE)) else {
            return Ok(Err(
                "its driver cannot migrate volumes, so migration_policy 'on-demand' does not help: make a volume of the \
                 other type and copy the data"
                    .to_owned(),
            ));
        };
        not_frozen(self.operations, Some(&name)).await?;
        let status = self
            .operations
            .backend(&name)
            .map(|backend| backend.status());
        if !status.is_some_and(|status| status.is_up()) {
            return Ok(Err(format!(
                "backend {name} is down, and nothing is moved off it until its arrays answer"
            )));
        }
        let of_it = || Query::new().eq("volume_id", &volume.id);
        if volume.status != VolumeStatus::Available
            || store.count::<Attachment>(&of_it()).await? > 0
        {
            return Ok(Err(format!(
                "a volume is moved only while nothing is attached to it, and it is {}: detach it first",
                volume.status
            )));
        }
        if store.count::<Snapshot>(&of_it()).await? > 0 {
            return Ok(Err(
                "a volume that has snapshots is not moved: delete them first".to_owned(),
            ));
        }
        if self.is_replicated(volume).await? {
            return Ok(Err(
                "a replicated volume is not moved: retype it to a type without replication first"
                    .to_owned(),
            ));
        }
        let target = volume.placement.as_ref().map(|at| at.target.clone());
        let service = store.get::<Service>(&name).await?;
        let mut health = service.into_iter().flat_map(|s| s.record.targets);
        Ok(Ok(Leaving {
            backend: name,
            vendor: driver.vendor.clone(),
            array: health
                .find(|health| Some(&health.target) == target.as_ref())
                .and_then(|health| health.array_id),
        }))
    }

    /// Whether another array of the backend has something of a volume.
    async fn is_replicated(&self, volume: &Volume) -> Result<bool, ControlError> {
        use ReplicationStatus::{Disabled, NotCapable};
        let shown = volume.replication_status;
        let copied = volume.placement.as_ref();
        if !matches!(shown, None | Some(Disabled | NotCapable))
            || copied.is_some_and(|placement| placement.replication.is_some())
            || volume.generation > 0
        {
            return Ok(true);
        }
        let relation = self.operations.store().get::<Relation>(&volume.id).await?;
        Ok(relation.is_some_and(|relation| {
            relation.generation > 0
                || relation.wanted
                || relation.drill.is_some()
                || !relation.debts.is_empty()
                || relation.phase != Phase::Settled
        }))
    }
}

fn allowed(
    volume: &Volume,
    before: Option<&FullType>,
    after: &FullType,
) -> Result<(), ControlError> {
    let kind = &after.volume_type;
    must_be(
        volume,
        &[VolumeStatus::Available, VolumeStatus::InUse],
        "retype",
    )?;
    if let Some(group) = &volume.group_id {
        return Err(ControlError::invalid(format!(
            "Invalid volume: Volume {} must not be part of a group to retype; it is in group {group}.",
            volume.id
        )));
    }
    if is_moving(volume) {
        return Err(ControlError::invalid(format!(
            "Invalid volume: Volume {} must not be part of an active migration to retype; its migration status is {}.",
            volume.id,
            volume.migration_status.as_deref().unwrap_or_default()
        )));
    }
    if volume.type_id.as_deref() == Some(&kind.id) {
        return Err(ControlError::input(format!(
            "New volume_type same as original: {}.",
            kind.id
        )));
    }
    if volume.status == VolumeStatus::Available {
        return Ok(());
    }
    // Both are the business of the hosts that use it, and nobody tells them.
    if volume.multiattach != is_multiattach(kind) {
        return Err(ControlError::input(format!(
            "Invalid volume_type passed, retypes affecting multiattach are only allowed on available volumes, the specified volume however currently has a status of: {}.",
            volume.status
        )));
    }
    if before.and_then(in_front) != in_front(after) {
        return Err(ControlError::invalid(format!(
            "Invalid volume: Volume {} is in use, and type {} has other front-end QoS specs.",
            volume.id, kind.name
        )));
    }
    Ok(())
}

/// Id of the QoS specs that the host enforces which uses a volume.
fn in_front(full: &FullType) -> Option<&str> {
    let qos: &QosSpecs = full.qos.as_ref().filter(|qos| qos.consumer != "back-end")?;
    Some(&qos.id)
}
