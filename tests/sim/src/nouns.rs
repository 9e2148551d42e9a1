//! Volumes and services as the simulation makes them.

use springform_model::cloud::{
    Group, GroupStatus, GroupType, Metadata, ReplicationStatus, Service, Volume, VolumeStatus,
};
use springform_model::contract::{Placement, ReplicationKind, TypeSpec, VolumeSpec};
use springform_model::time::Timestamp;

/// The one backend.
pub const BACKEND: &str = "pure1";

/// A volume that `target` serves.
#[must_use]
pub fn volume(id: &str, target: &str, replicated: bool) -> Volume {
    Volume {
        id: id.into(),
        project_id: "p".into(),
        user_id: "u".into(),
        name: None,
        description: None,
        size: 1,
        status: VolumeStatus::Available,
        previous_status: None,
        migration_status: None,
        availability_zone: "nova".into(),
        type_id: Some("t".into()),
        type_name: Some("t".into()),
        snapshot_id: None,
        source_volid: None,
        group_id: None,
        metadata: Metadata::new(),
        admin_metadata: Metadata::new(),
        image_metadata: Metadata::new(),
        bootable: false,
        multiattach: false,
        consumes_quota: true,
        backend: Some(BACKEND.into()),
        host: Some(format!("springform@{BACKEND}#pool")),
        placement: Some(placement(id, target, replicated)),
        replication_status: Some(if replicated {
            ReplicationStatus::Enabled
        } else {
            ReplicationStatus::NotCapable
        }),
        generation: 1,
        attachments: Vec::new(),
        operation: None,
        transfer_id: None,
        growing_to: None,
        taking_over: None,
        created_at: Timestamp(0),
        updated_at: None,
        launched_at: Some(Timestamp(0)),
    }
}

/// Name of a volume on an array: each has one of its own, as a pod and an array beyond it have.
#[must_use]
pub fn name_on(target: &str, id: &str) -> String {
    format!("{target}::volume-{id}")
}

/// Where a volume is.
#[must_use]
pub fn placement(id: &str, target: &str, replicated: bool) -> Placement {
    Placement {
        array_name: name_on(target, id),
        target: target.into(),
        serial: None,
        metadata: Vec::new(),
        replication: replicated.then_some(ReplicationKind::Async),
        extensions: Vec::new(),
    }
}

/// What a driver is told of a volume.
#[must_use]
pub fn spec(volume: &Volume) -> VolumeSpec {
    let replication = volume
        .placement
        .as_ref()
        .and_then(|p| p.replication.clone());
    VolumeSpec {
        id: volume.id.clone(),
        name: format!("volume-{}", volume.id),
        display_name: String::new(),
        project: volume.project_id.clone(),
        size: volume.size_bytes(),
        volume_type: Some(TypeSpec {
            id: "t".into(),
            name: "t".into(),
            replication,
            specs: Vec::new(),
            qos: springform_model::contract::Qos::default(),
        }),
        group: None,
        placement: volume.placement.clone(),
        generation: volume.generation,
        instances: Vec::new(),
        boot: false,
        extensions: Vec::new(),
    }
}

/// The backend's service.
#[must_use]
pub fn service() -> Service {
    Service {
        backend: BACKEND.into(),
        host: format!("springform@{BACKEND}"),
        availability_zone: "nova".into(),
        disabled: false,
        disabled_reason: None,
        frozen: false,
        replication_status: ReplicationStatus::Enabled,
        active_target: None,
        driver_state: Vec::new(),
        ready: true,
        not_ready_reason: None,
        statistics: None,
        statistics_at: None,
        targets: Vec::new(),
        identity: "host".to_owned(),
        look_only_since: None,
        adopted: None,
        operation: None,
        created_at: Timestamp(0),
        updated_at: None,
    }
}

/// The type of replicated groups.
#[must_use]
pub fn group_type() -> GroupType {
    GroupType {
        id: "gt".into(),
        name: "replicated".into(),
        description: None,
        is_public: true,
        group_specs: Metadata::from([("group_replication_enabled".into(), "<is> True".into())]),
        created_at: Timestamp(0),
        updated_at: None,
    }
}

/// A replicated group; kept by the array, or by the records alone.
#[must_use]
pub fn group(id: &str, on_the_array: bool) -> Group {
    Group {
        id: id.into(),
        project_id: "p".into(),
        user_id: "u".into(),
        name: None,
        description: None,
        status: GroupStatus::Available,
        group_type_id: "gt".into(),
        volume_type_ids: vec!["t".into()],
        availability_zone: "nova".into(),
        backend: Some(BACKEND.into()),
        host: Some(format!("springform@{BACKEND}#pool")),
        array_name: on_the_array.then(|| format!("group-{id}")),
        target: None,
        group_snapshot_id: None,
        source_group_id: None,
        replication_status: ReplicationStatus::Enabled,
        generation: 1,
        operation: None,
        created_at: Timestamp(0),
        updated_at: None,
    }
}
