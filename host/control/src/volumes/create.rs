//! Creating a volume: two commits, one before the array is asked and one after it answered.

use serde_json::json;
use springform_model::cloud::{
    GoldenImage, Group, Metadata, Snapshot, SnapshotStatus, Volume, VolumeStatus,
};
use springform_model::operation::{Operation, Verb};
use springform_store::{Changes, StoreError, Stored};
use uuid::Uuid;

use super::Volumes;
use super::turn::report;
use crate::default_types::DefaultTypes;
use crate::edit::{TxError, is_conflict, retry_on_conflict};
use crate::engine::{NewOperation, Operations, failure};
use crate::images::Images;
use crate::ownership::of_caller;
use crate::quotas::{Adds, Quotas, over};
use crate::scheduler::{Affinity, Hints, Request};
use crate::specs::{FullType, as_read, is_multiattach, with_qos, without_keys};
use crate::types::Types;
use crate::{Caller, ControlError};

/// Key of the golden volume that it is cloned from.
pub(super) const GOLDEN: &str = "golden";

/// Name of the step that makes a volume on a backend.
pub(super) fn step_name(backend: &str) -> String {
    format!("volumes.create on {backend}")
}

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct CreateVolume {
    /// GiB; 0 with a source: that of the source.
    pub size: u64,
    /// Name.
    pub name: Option<String>,
    /// Description.
    pub description: Option<String>,
    /// Name or id of the type.
    pub volume_type: Option<String>,
    /// Availability zone.
    pub availability_zone: Option<String>,
    /// Metadata.
    pub metadata: Metadata,
    /// From this snapshot.
    pub snapshot_id: Option<String>,
    /// From this volume.
    pub source_volid: Option<String>,
    /// From the golden volume of this image.
    pub image_id: Option<String>,
    /// Into this group.
    pub group_id: Option<String>,
    /// Apart from other volumes, or beside them.
    pub hints: Hints,
}

/// What a volume is made from, as it was read.
pub(super) struct Source {
    snapshot: Option<Stored<Snapshot>>,
    volume: Stored<Volume>,
}

impl Source {
    /// What the image of the new volume says: of a snapshot, what the image said when that was taken. Nothing where the
    /// volume it comes from is not bootable, as in Cinder.
    fn image(&self) -> Metadata {
        let kept = self.snapshot.as_ref();
        match kept.and_then(|snapshot| snapshot.image_metadata.as_ref()) {
            Some(kept) if self.volume.bootable => kept.clone(),
            _ => self.volume.image_to_inherit(),
        }
    }

    /// Only if it is still as it was read: nothing is made from what is about to go.
    fn as_read(&self, changes: Changes) -> Changes {
        let volume = &self.volume;
        let changes = changes.unchanged::<Volume>(&volume.id, volume.revision);
        match &self.snapshot {
            Some(snapshot) => changes.unchanged::<Snapshot>(&snapshot.id, snapshot.revision),
            None => changes,
        }
    }
}

impl Volumes<'_> {
    /// Creates a volume. It is `creating` in the answer; a failure shows as `error` and as a message.
    ///
    /// # Errors
    /// `Invalid`, `NotFound`, `OverLimit`, `Unavailable`: then there is no volume.
    pub async fn create(
        &self,
        caller: &Caller,
        wanted: CreateVolume,
    ) -> Result<Volume, ControlError> {
        retry_on_conflict(|| self.begin(caller, wanted.clone())).await
    }

    async fn begin(&self, caller: &Caller, wanted: CreateVolume) -> Result<Volume, TxError> {
        let operations = self.operations;
        let from = [&wanted.snapshot_id, &wanted.source_volid, &wanted.image_id];
        if from.into_iter().flatten().count() > 1 {
            return Err(ControlError::input(
                "May specify only one of snapshot, imageRef or source volume",
            )
            .into());
        }
        let golden = self.golden(&wanted).await?;
        let source = match &golden {
            Some((_, volume)) => Some(Source {
                snapshot: None,
                volume: volume.clone(),
            }),
            None => self.source(caller, &wanted).await?,
        };
        // What an operator made the golden volume of says nothing of what its creator wants.
        let like = source.as_ref().filter(|_| golden.is_none());
        let full = self.type_of(caller, &wanted, like).await?;
        let group = self.group_of(caller, &wanted, full.as_ref()).await?;
        let mut wanted = wanted;
        if let Some(group) = &group {
            wanted.availability_zone = Some(group.availability_zone.clone());
        }
        // As in Cinder: what is made of something is made where that is, unless another zone is asked for.
        let asked = wanted.availability_zone.or_else(|| {
            let source = source.as_ref()?;
            Some(source.volume.availability_zone.clone())
        });
        wanted.availability_zone = super::zone::zone_of(operations, asked, full.as_ref())?;
        let hints = wanted.hints.clone();
        let affinity = hints.resolve(operations, caller).await?;
        let volume = new_volume(operations, caller, wanted, source.as_ref(), full.as_ref())?;
        let mut volume = volume;
        if let Some((image, _)) = &golden {
            volume.image_metadata.clone_from(&image.metadata);
            volume.bootable = true;
        }
        let mut request = request(&volume, full.as_ref(), source.as_ref(), Vec::new());
        if let Some(group) = &group {
            request.backend.clone_from(&group.backend);
        }
        request.affinity = affinity.clone();
        let kind = full.as_ref().map(|full| &full.volume_type);
        let limits = Quotas::new(operations)
            .guards(&volume.project_id, Adds::Volume(volume.size), kind)
            .await?;
        let scheduled = crate::scheduler::schedule(operations, &request).await;
        let placed = scheduled.as_ref().ok().map(|chosen| chosen.backend.clone());
        let golden = golden.map(|(_, volume)| volume.record.id);
        let mut new = NewOperation::new(Verb::CreateVolume, "volume", &volume.id)
            .input(json!({ "tried": [], "affinity": affinity, GOLDEN: golden }));
        if let Ok(chosen) = &scheduled {
            volume.backend = Some(chosen.backend.name().to_owned());
            volume.host = Some(chosen.host());
            new = new
                .on(chosen.backend.name())
                .step(step_name(chosen.backend.name()));
        } else {
            new = new.input(json!({ "refused": scheduled.err().map(|error| error.message) }));
        }
        let operation = operations.prepare(caller, new).inspect_err(|_| {
            if let Some(placed) = &placed {
                placed.reservations.dropped(&volume.id);
            }
        })?;
        volume.operation = Some(operation.id.clone());
        let mut changes = as_read(limits.insert(&volume), full.as_ref());
        if let Some(server) = &hints.local_to_instance {
            changes = changes.and(not_local(operations, &operation, server));
        }
        if let Some(source) = &source {
            changes = source.as_read(changes);
        }
        if let Some(group) = &group {
            changes = changes.unchanged::<Group>(&group.id, group.revision);
        }
        let submitted = operations.submit(changes, operation).await;
        if let (Err(_), Some(placed)) = (&submitted, &placed) {
            placed.reservations.dropped(&volume.id);
        }
        match submitted {
            Ok(()) => Ok(volume),
            Err(error) if is_conflict(&error) => Err(TxError::Conflict),
            Err(StoreError::Limit { name, limit, used }) => {
                Err(over(&name, limit, used, volume.size).into())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// A volume as it will be stored, the limits it has to keep and what must not change meanwhile, for a verb that makes several in one commit.
    pub(crate) async fn draft(
        &self,
        caller: &Caller,
        wanted: CreateVolume,
    ) -> Result<(Volume, Changes), ControlError> {
        let source = self.source(caller, &wanted).await?;
        let full = self.type_of(caller, &wanted, source.as_ref()).await?;
        let volume = new_volume(
            self.operations,
            caller,
            wanted,
            source.as_ref(),
            full.as_ref(),
        )?;
        let kind = full.as_ref().map(|full| &full.volume_type);
        let limits = Quotas::new(self.operations)
            .guards(&volume.project_id, Adds::Volume(volume.size), kind)
            .await?;
        let limits = as_read(limits, full.as_ref());
        let limits = match &source {
            Some(source) => source.as_read(limits),
            None => limits,
        };
        Ok((volume, limits))
    }

    /// The golden volume of the image that is asked for.
    async fn golden(
        &self,
        wanted: &CreateVolume,
    ) -> Result<Option<(GoldenImage, Stored<Volume>)>, ControlError> {
        let Some(id) = &wanted.image_id else {
            return Ok(None);
        };
        let (image, volume) = Images::new(self.operations).golden(id).await?;
        if !matches!(volume.status, VolumeStatus::Available | VolumeStatus::InUse) {
            return Err(ControlError::invalid(format!(
                "Invalid volume: the volume of image {id} is {}; try again when it is available.",
                volume.status
            )));
        }
        if wanted.size < volume.size && wanted.size > 0 {
            return Err(ControlError::input(format!(
                "Size of specified image {}GB is larger than volume size {}GB.",
                volume.size, wanted.size
            )));
        }
        Ok(Some((image, volume)))
    }

    async fn source(
        &self,
        caller: &Caller,
        wanted: &CreateVolume,
    ) -> Result<Option<Source>, ControlError> {
        if let Some(id) = &wanted.snapshot_id {
            let snapshot = of_caller::<Snapshot>(self.operations.store(), caller, id).await?;
            if snapshot.status != SnapshotStatus::Available {
                return Err(ControlError::invalid(format!(
                    "Invalid snapshot: Originating snapshot status must be one of 'available' values, but it is {}",
                    snapshot.status
                )));
            }
            let volume = self
                .stored(&Caller::internal(), &snapshot.volume_id)
                .await?;
            return Ok(Some(Source {
                snapshot: Some(snapshot),
                volume,
            }));
        }
        let Some(id) = &wanted.source_volid else {
            return Ok(None);
        };
        let volume = self.stored(caller, id).await?;
        if !matches!(volume.status, VolumeStatus::Available | VolumeStatus::InUse) {
            return Err(ControlError::invalid(format!(
                "Invalid volume: Originating volume status must be one of 'available', 'in-use' values, but it is {}",
                volume.status
            )));
        }
        Ok(Some(Source {
            snapshot: None,
            volume,
        }))
    }

    async fn type_of(
        &self,
        caller: &Caller,
        wanted: &CreateVolume,
        source: Option<&Source>,
    ) -> Result<Option<FullType>, ControlError> {
        let name = wanted.volume_type.clone();
        let name = name.or_else(|| source.and_then(|source| source.volume.type_id.clone()));
        let found = match name {
            Some(name) => Some(Types::new(self.operations).stored(caller, &name).await?),
            None => DefaultTypes::new(self.operations).stored(caller).await?,
        };
        if let Some(found) = &found {
            without_keys(found)?;
        }
        match found {
            Some(found) => Ok(Some(with_qos(self.operations.store(), found).await?)),
            None => Ok(None),
        }
    }
}

pub(super) fn new_volume(
    operations: &Operations,
    caller: &Caller,
    wanted: CreateVolume,
    source: Option<&Source>,
    full: Option<&FullType>,
) -> Result<Volume, ControlError> {
    let least = source.map_or(1, |source| {
        source
            .snapshot
            .as_ref()
            .map_or(source.volume.size, |snapshot| snapshot.size)
    });
    let size = if wanted.size == 0 && source.is_some() {
        least
    } else {
        wanted.size
    };
    if size < least {
        return Err(ControlError::input(match source {
            Some(_) => format!(
                "Volume size '{size}'GB cannot be smaller than original volume size  {least}GB. They must be >= original volume size."
            ),
            None => "Volume size '0' must be an integer and greater than 0".to_owned(),
        }));
    }
    Ok(Volume {
        id: Uuid::now_v7().to_string(),
        project_id: caller.project_id.clone(),
        user_id: caller.user_id.clone(),
        name: wanted.name,
        description: wanted.description,
        size,
        status: VolumeStatus::Creating,
        previous_status: None,
        migration_status: None,
        availability_zone: wanted
            .availability_zone
            .unwrap_or_else(|| operations.config().availability_zone.clone()),
        type_id: full.map(|full| full.volume_type.id.clone()),
        type_name: full.map(|full| full.volume_type.name.clone()),
        snapshot_id: wanted.snapshot_id,
        source_volid: wanted.source_volid,
        group_id: wanted.group_id,
        metadata: wanted.metadata,
        admin_metadata: Metadata::new(),
        image_metadata: source.map(Source::image).unwrap_or_default(),
        bootable: source.is_some_and(|source| source.volume.bootable),
        multiattach: full.is_some_and(|full| is_multiattach(&full.volume_type)),
        consumes_quota: true,
        backend: None,
        host: None,
        placement: None,
        replication_status: None,
        generation: 0,
        attachments: Vec::new(),
        operation: None,
        transfer_id: None,
        growing_to: None,
        taking_over: None,
        created_at: operations.now(),
        updated_at: None,
        launched_at: None,
    })
}

pub(super) fn request(
    volume: &Volume,
    full: Option<&FullType>,
    source: Option<&Source>,
    not: Vec<String>,
) -> Request {
    Request {
        volume: Some(volume.id.clone()),
        size: volume.size,
        extra_specs: full
            .map(|full| full.volume_type.extra_specs.clone())
            .unwrap_or_default(),
        availability_zone: Some(volume.availability_zone.clone()),
        backend: source.and_then(|source| source.volume.backend.clone()),
        not,
        multiattach: volume.multiattach,
        affinity: Affinity::default(),
        leaving: None,
    }
}

/// Tells the creator that a hint means nothing here.
fn not_local(operations: &Operations, operation: &Operation, server: &str) -> Changes {
    let why = failure(
        "ignored",
        format!(
            "The hint local_to_instance was ignored: no backend is on the machine of server {server}."
        ),
    );
    report(operation, operations, "001", "001", &why)
}
