//! What a group type asks for, and what a driver is told of a group.

use springform_model::cloud::{Group, GroupStatus, GroupType, VolumeType};
use springform_model::contract::GroupSpec;
use springform_store::{Store, StoreError};

use crate::backends::Backends;
use crate::specs::{is_true, replication_of};

/// Whether snapshots of such groups have to be taken at one point in time.
pub(crate) fn wants_consistent_snapshots(kind: &GroupType) -> bool {
    asks(kind, "consistent_group_snapshot_enabled")
}

/// Whether such groups can be replicated and failed over as one.
pub(crate) fn is_replicated(kind: &GroupType) -> bool {
    asks(kind, "group_replication_enabled") || wants_consistent_replication(kind)
}

/// Whether their copies have to be of one point in time.
pub(crate) fn wants_consistent_replication(kind: &GroupType) -> bool {
    asks(kind, "consistent_group_replication_enabled")
}

fn asks(kind: &GroupType, key: &str) -> bool {
    kind.group_specs.get(key).is_some_and(|spec| is_true(spec))
}

/// State words, as Cinder lists them in its refusals.
pub(crate) fn words(all: &[GroupStatus]) -> String {
    let words: Vec<String> = all.iter().map(|word| format!("'{word}'")).collect();
    format!("({})", words.join(", "))
}

/// Whether the driver of a backend declares an ability now.
pub(crate) fn backend_has(backends: &Backends, backend: &str, feature: &str) -> bool {
    backends
        .generation(backend)
        .is_some_and(|generation| generation.loaded.driver.description().has(feature))
}

/// What a driver is told of a group. Its type's specs come along as extensions, for drivers that tell groups apart.
pub(crate) async fn group_spec(store: &Store, group: &Group) -> Result<GroupSpec, StoreError> {
    let kind = store.get::<GroupType>(&group.group_type_id).await?;
    let specs = kind.map(|kind| kind.record.group_specs).unwrap_or_default();
    // Also while its replication is switched off: where a driver keeps a group follows from what its members are.
    let mut replication = None;
    for volume_type in store.get_many::<VolumeType>(&group.volume_type_ids).await? {
        replication = replication.or_else(|| replication_of(&volume_type.record));
    }
    let extensions = specs
        .into_iter()
        .map(|(key, value)| (format!("springform/group-spec/{key}"), value));
    Ok(GroupSpec {
        id: group.id.clone(),
        name: group.name.clone().unwrap_or_default(),
        project: group.project_id.clone(),
        replication,
        target: group.target.clone(),
        array_name: group.array_name.clone(),
        extensions: extensions.collect(),
    })
}
