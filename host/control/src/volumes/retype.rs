//! Retyping: a volume gets another type where it is. Asked of the scheduler and of the quotas before the journal, as a
//! create is.

use serde_json::json;
use springform_model::cloud::{QosSpecs, Volume, VolumeStatus};
use springform_model::operation::Verb;
use springform_store::Stored;

use super::Volumes;
use super::destroy::must_be;
use super::turn::try_lock;
use super::zone::zone_of;
use crate::edit::{TxError, retry_on_conflict};
use crate::quotas::Adds;
use crate::scheduler::Request;
use crate::specs::{FullType, full_type, is_multiattach, with_qos, without_keys};
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
        let store = self.control.store();
        let volume = self.stored(caller, id).await?;
        let kind = self.control.types().stored(caller, name_or_id).await?;
        without_keys(&kind)?;
        let before = full_type(store, volume.type_id.as_deref()).await?;
        let after = with_qos(store, kind.clone()).await?;
        let decide = |volume: &mut Volume| {
            allowed(volume, before.as_ref(), &after)?;
            volume.status = VolumeStatus::Retyping;
            Ok(())
        };
        // What the volume's state refuses is said before what the pool or the quota refuses.
        if volume.operation.is_none() {
            decide(&mut volume.record.clone())?;
            self.suits(&volume, &after, migration).await?;
        }
        let adds = Adds::Type(volume.size);
        let quotas = self.control.quotas();
        let guards = quotas
            .guards(&volume.project_id, adds, Some(&after.volume_type))
            .await?;
        let guards = guards.unchanged::<Volume>(id, volume.revision);
        try_lock(
            self.control,
            caller,
            id,
            Verb::RetypeVolume,
            &json!({ "type": kind.id }),
            decide,
            // Written and not only looked at: whoever deletes or changes the type meanwhile has to look again, and finds this.
            |_| guards.clone().update(&kind),
        )
        .await
        .map(drop)
    }

    /// Asks the filters that a create goes through about the pool where the volume is.
    async fn suits(
        &self,
        volume: &Stored<Volume>,
        after: &FullType,
        migration: Migration,
    ) -> Result<(), ControlError> {
        let kind = &after.volume_type;
        zone_of(
            self.control,
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
        let Err(why) = self.control.may_stay(&host, &request).await? else {
            return Ok(());
        };
        let then = match migration {
            Migration::Never => "migration_policy is 'never', so it is not moved",
            Migration::OnDemand => {
                "its driver cannot migrate volumes, so migration_policy 'on-demand' does not help: make a volume of the \
                 other type and copy the data"
            }
        };
        Err(ControlError::invalid(format!(
            "Invalid volume: Volume {} cannot have type {} where it is ({why}); {then}.",
            volume.id, kind.name
        )))
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
