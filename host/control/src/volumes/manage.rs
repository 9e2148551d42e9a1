//! Taking over volumes that exist on an array, and giving them back: the checks before the journal.

use serde_json::json;
use springform_model::cloud::{Metadata, Snapshot, Volume, VolumeStatus};
use springform_model::contract::Reference;
use springform_model::operation::Verb;
use springform_store::{Changes, Measure, Query, StoreError};

use super::create::new_volume;
use super::destroy::must_be;
use super::turn::try_lock;
use super::{CreateVolume, Volumes};
use crate::default_types::DefaultTypes;
use crate::edit::{TxError, no_more, retry_on_conflict};
use crate::engine::NewOperation;
use crate::quotas::{Adds, Quotas, over};
use crate::services::{ServiceView, Services};
use crate::specs::{as_read, with_qos};
use crate::types::Types;
use crate::{Caller, ControlError};

/// Guard that one object of an array belongs to one record.
pub(crate) const OWNED: &str = "owner of an object of the array";

/// What is to be taken over.
#[derive(Debug, Clone, Default)]
pub struct ManageVolume {
    /// `host@backend#pool`
    pub host: String,
    /// What it is called on the array.
    pub reference: Vec<(String, String)>,
    /// Whether the array's own name for it stays, and machines that use it go on using it.
    pub keep_name: bool,
    /// Name.
    pub name: Option<String>,
    /// Description.
    pub description: Option<String>,
    /// Name or id of the type.
    pub volume_type: Option<String>,
    /// Availability zone; none: that of the backend.
    pub availability_zone: Option<String>,
    /// Metadata.
    pub metadata: Metadata,
    /// Boots.
    pub bootable: bool,
}

/// The name by which an object of an array is known: `source-name`, or whatever the vendor's only key says.
pub(crate) fn name_of(reference: &Reference) -> Option<&String> {
    let named = reference.keys.iter().find(|(key, _)| key == "source-name");
    named.or(reference.keys.first()).map(|(_, name)| name)
}

/// In Cinder's words, which say the same for volumes and snapshots.
pub(crate) fn owned(what: &str, reference: &Reference) -> ControlError {
    let name = name_of(reference).map_or("", String::as_str);
    ControlError::invalid(format!(
        "Unable to manage existing {what}. {} {name} already managed.",
        if what == "volume" {
            "Volume"
        } else {
            "Snapshot"
        }
    ))
}

/// Refuses a backend that the scheduler would not use either.
pub(crate) fn in_service(view: &ServiceView) -> Result<(), ControlError> {
    let service = &view.service;
    let why = if service.disabled {
        let reason = service.disabled_reason.as_deref().unwrap_or_default();
        format!("it is disabled ({reason})")
    } else if !view.status.is_up() {
        let known = view.status.reason.clone();
        let known = known.or(view.status.statistics_error.clone());
        format!("it is down: {}", known.unwrap_or_default())
    } else {
        return Ok(());
    };
    Err(ControlError::unavailable(format!(
        "Service is unavailable at this time. Backend {}: {why}",
        service.backend
    )))
}

impl Volumes<'_> {
    /// Takes over a volume that exists on an array. It is `managing` in the answer; a failure shows as
    /// `error_managing` and as a message, and then nothing of the array belongs to the cloud.
    ///
    /// # Errors
    /// `NotFound`, `Invalid` for what is managed already, `OverLimit`, `Unavailable`.
    pub async fn manage(
        &self,
        caller: &Caller,
        wanted: ManageVolume,
    ) -> Result<Volume, ControlError> {
        retry_on_conflict(|| self.take_over(caller, wanted.clone())).await
    }

    async fn take_over(&self, caller: &Caller, wanted: ManageVolume) -> Result<Volume, TxError> {
        let operations = self.operations;
        let view = Services::new(operations).get(&wanted.host).await?;
        in_service(&view)?;
        let kind = match &wanted.volume_type {
            Some(name) => Some(Types::new(operations).stored(caller, name).await?),
            None => DefaultTypes::new(operations).stored(caller).await?,
        };
        let full = match kind {
            Some(kind) => Some(with_qos(operations.store(), kind).await?),
            None => None,
        };
        let reference = Reference {
            keys: wanted.reference,
        };
        let blank = CreateVolume {
            size: 1,
            name: wanted.name,
            description: wanted.description,
            availability_zone: wanted
                .availability_zone
                .or(Some(view.service.availability_zone.clone())),
            metadata: wanted.metadata,
            ..CreateVolume::default()
        };
        let mut volume = new_volume(operations, caller, blank, None, full.as_ref())?;
        // The array says how large it is.
        volume.size = 0;
        volume.status = VolumeStatus::Managing;
        volume.bootable = wanted.bootable;
        volume.backend = Some(view.service.backend.clone());
        volume.host = Some(pool_of(&view, &wanted.host));
        volume.taking_over = name_of(&reference).cloned();
        let new = NewOperation::new(Verb::ManageVolume, "volume", &volume.id)
            .on(&view.service.backend)
            .input(json!({ "reference": reference, "keep_name": wanted.keep_name }))
            .step("inspect")
            .step("array");
        let operation = operations.prepare(caller, new)?;
        volume.operation = Some(operation.id.clone());
        let kind = full.as_ref().map(|full| &full.volume_type);
        let guards = Quotas::new(operations).guards(&caller.project_id, Adds::Volume(0), kind);
        let changes = sole_owner::<Volume>(
            as_read(guards.await?.insert(&volume), full.as_ref()),
            &view.service.backend,
            volume.taking_over.as_ref(),
        );
        match operations.submit(changes, operation).await {
            Ok(()) => Ok(volume),
            Err(StoreError::Limit { name, .. }) if name == OWNED => {
                Err(owned("volume", &reference).into())
            }
            Err(StoreError::Limit { name, limit, used }) => Err(over(&name, limit, used, 0).into()),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives a volume back to the array.
    ///
    /// # Errors
    /// `NotFound`, `Invalid`, `Conflict`.
    pub async fn unmanage(&self, caller: &Caller, id: &str) -> Result<(), ControlError> {
        retry_on_conflict(|| self.try_unmanage(caller, id)).await
    }

    async fn try_unmanage(&self, caller: &Caller, id: &str) -> Result<(), TxError> {
        let volume = self.stored(caller, id).await?;
        let snapshots = Query::new().eq("volume_id", id);
        if self
            .operations
            .store()
            .count::<Snapshot>(&snapshots)
            .await?
            > 0
        {
            return Err(ControlError::invalid(format!(
                "Invalid volume: Volume {id} has snapshots and cannot be unmanaged."
            ))
            .into());
        }
        let decide = |volume: &mut Volume| {
            must_be(
                volume,
                &[VolumeStatus::Available, VolumeStatus::Error],
                "unmanage",
            )?;
            if !volume.attachments.is_empty() {
                return Err(ControlError::invalid(format!(
                    "Invalid volume: Volume {} is attached and cannot be unmanaged; detach it first.",
                    volume.id
                )));
            }
            if let Some(group) = &volume.group_id {
                return Err(ControlError::invalid(format!(
                    "Invalid volume: Volume {} is in group {group}; remove it from the group first.",
                    volume.id
                )));
            }
            volume.status = VolumeStatus::Unmanaging;
            Ok(())
        };
        let none = |_: &Volume| no_more::<Snapshot>(Changes::new(), snapshots.clone(), 0);
        try_lock(
            self.operations,
            caller,
            volume,
            Verb::UnmanageVolume,
            &json!({}),
            decide,
            none,
        )
        .await
        .map(drop)
    }
}

/// The changes, only if nobody else has or takes over this object of the array.
pub(crate) fn sole_owner<T: springform_store::Record>(
    changes: Changes,
    backend: &str,
    name: Option<&String>,
) -> Changes {
    match name {
        Some(name) => {
            let same = Query::new().eq("backend", backend).eq("array_name", name);
            changes.at_most::<T>(OWNED, Measure::Count, same, 1)
        }
        None => changes,
    }
}

/// `host@backend#pool`; the pool is added where the backend has only one.
fn pool_of(view: &ServiceView, host: &str) -> String {
    let pools = view.status.statistics.as_ref().map(|known| &known.pools);
    match (host.split_once('#'), pools.map(Vec::as_slice)) {
        (Some((_, pool)), _) => format!("{}#{pool}", view.service.host),
        (None, Some([only])) => format!("{}#{}", view.service.host, only.name),
        _ => view.service.host.clone(),
    }
}
