//! What a driver is told of a volume, a snapshot and a type.

use springform_model::cloud::{Metadata, QosSpecs, Snapshot, Volume, VolumeType};
use springform_model::contract::{Qos, ReplicationKind, SnapshotSpec, TypeSpec, VolumeSpec};
use springform_store::{Changes, Store, StoreError, Stored};

use crate::ControlError;

/// A type with its QoS specs.
#[derive(Debug, Clone)]
pub struct FullType {
    /// The type.
    pub volume_type: VolumeType,
    /// At which it was read.
    pub revision: u64,
    /// QoS specs associated with it.
    pub qos: Option<QosSpecs>,
}

/// Reads a type with its QoS specs.
///
/// # Errors
/// What the store says.
pub async fn full_type(store: &Store, id: Option<&str>) -> Result<Option<FullType>, StoreError> {
    let Some(id) = id else { return Ok(None) };
    let Some(found) = store.get::<VolumeType>(id).await? else {
        return Ok(None);
    };
    Ok(Some(with_qos(store, found).await?))
}

/// A type that is read already, with its QoS specs.
///
/// # Errors
/// What the store says.
pub async fn with_qos(store: &Store, kind: Stored<VolumeType>) -> Result<FullType, StoreError> {
    let qos = match &kind.qos_specs_id {
        Some(id) => store.get::<QosSpecs>(id).await?.map(|stored| stored.record),
        None => None,
    };
    Ok(FullType {
        volume_type: kind.record,
        revision: kind.revision,
        qos,
    })
}

/// Only if the type is still what it was when it was read: nothing is made of a type that is gone or promises something else.
pub(crate) fn as_read(changes: Changes, full: Option<&FullType>) -> Changes {
    match full {
        Some(full) => changes.unchanged::<VolumeType>(&full.volume_type.id, full.revision),
        None => changes,
    }
}

/// What a driver is told of a volume, its type read from the store.
///
/// # Errors
/// What the store says.
pub async fn volume_spec(store: &Store, volume: &Volume) -> Result<VolumeSpec, StoreError> {
    let full = full_type(store, volume.type_id.as_deref()).await?;
    Ok(build(volume, full.as_ref()))
}

/// What a driver is told of a volume.
#[must_use]
pub fn build(volume: &Volume, full: Option<&FullType>) -> VolumeSpec {
    let instances = volume
        .attachments
        .iter()
        .filter_map(|attachment| attachment.server_id.clone());
    VolumeSpec {
        id: volume.id.clone(),
        name: format!("volume-{}", volume.id),
        display_name: volume.name.clone().unwrap_or_default(),
        project: volume.project_id.clone(),
        size: volume.size_bytes(),
        volume_type: full.map(|full| type_spec(full, volume.size)),
        group: volume.group_id.clone(),
        placement: volume.placement.clone(),
        generation: volume.generation,
        instances: instances.collect(),
        boot: volume.bootable,
        extensions: Vec::new(),
    }
}

/// Key of a snapshot's extension that says which array served the volume when it was taken.
pub(crate) const TAKEN_ON: &str = "springform/target";

/// What a driver is told of a snapshot.
#[must_use]
pub fn snapshot_spec(snapshot: &Snapshot) -> SnapshotSpec {
    SnapshotSpec {
        id: snapshot.id.clone(),
        name: format!("snapshot-{}", snapshot.id),
        size: snapshot.size.saturating_mul(1 << 30),
        array_name: snapshot.array_name.clone(),
        group_snapshot: snapshot.group_snapshot_id.clone(),
        extensions: snapshot
            .target
            .iter()
            .map(|target| (TAKEN_ON.to_owned(), target.clone()))
            .collect(),
    }
}

/// What a driver is told of a type, for a volume of so many GiB.
#[must_use]
pub fn type_spec(full: &FullType, gib: u64) -> TypeSpec {
    let kind = &full.volume_type;
    let mut specs: Vec<(String, String)> = kind.extra_specs.clone().into_iter().collect();
    let qos = full.qos.as_ref().filter(|qos| qos.consumer != "front-end");
    if let Some(qos) = qos {
        specs.extend(
            qos.specs
                .iter()
                .map(|(key, value)| (format!("qos:{key}"), value.clone())),
        );
    }
    TypeSpec {
        id: kind.id.clone(),
        name: kind.name.clone(),
        replication: replication_of(kind),
        specs,
        // As Cinder's drivers do: specs of the type itself where no QoS spec is associated.
        qos: limits(qos.map_or(&kind.extra_specs, |qos| &qos.specs), gib),
    }
}

/// Whether a spec says `<is> True`, in any spelling of it.
#[must_use]
pub fn is_true(spec: &str) -> bool {
    let word = spec.trim().to_ascii_lowercase();
    word.trim_start_matches("<is>").trim() == "true"
}

/// Whether volumes of a type may be attached several times: `<is> True` to the letter, as Cinder reads it.
#[must_use]
pub fn is_multiattach(kind: &VolumeType) -> bool {
    let spec = kind.extra_specs.get("multiattach");
    spec.is_some_and(|spec| spec == "<is> True")
}

/// Refuses a type whose volumes the host that attaches them is to encrypt: there is no key manager to have keys from.
pub(crate) fn without_keys(kind: &VolumeType) -> Result<(), ControlError> {
    if kind.encryption.is_none() {
        return Ok(());
    }
    Err(ControlError::input(format!(
        "volumes of type {} are to be encrypted by the host that attaches them, and this service is connected to no key \
         manager; data at rest is encrypted by the array",
        kind.name
    )))
}

/// What a type's extra specs ask for; none: not replicated. Enabled without a kind means asynchronous.
#[must_use]
pub fn replication_of(kind: &VolumeType) -> Option<ReplicationKind> {
    let enabled = kind.extra_specs.get("replication_enabled")?;
    if !is_true(enabled) {
        return None;
    }
    let wanted = kind
        .extra_specs
        .get("replication_type")
        .map_or("async", String::as_str);
    let words = wanted
        .split_whitespace()
        .filter(|word| !word.starts_with('<'));
    for word in words {
        match word.trim_matches(',').to_ascii_lowercase().as_str() {
            "async" => return Some(ReplicationKind::Async),
            "sync" => return Some(ReplicationKind::Sync),
            "trisync" | "tri-sync" => return Some(ReplicationKind::TriSync),
            _ => {}
        }
    }
    Some(ReplicationKind::Async)
}

/// `maxIOPS` and `maxBWS` (MB/s) as they are; where they are not set, for each GiB (`maxIOPS_per_GB`, `maxBWS_per_GB`).
fn limits(specs: &Metadata, gib: u64) -> Qos {
    let number = |name: &str| {
        let found = specs.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.and_then(|(_, value)| value.trim().parse::<u64>().ok())
    };
    let scaled = |whole: &str, each: &str| {
        number(whole).or_else(|| number(each).map(|each| each.saturating_mul(gib)))
    };
    Qos {
        max_iops: scaled("maxIOPS", "maxIOPS_per_GB"),
        max_bytes_per_second: scaled("maxBWS", "maxBWS_per_GB")
            .map(|mb| mb.saturating_mul(1 << 20)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn specs(pairs: &[(&str, &str)]) -> Metadata {
        let pairs = pairs.iter();
        pairs
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn limits_for_each_gib_grow_with_the_volume_and_a_plain_limit_wins() {
        let scaled = specs(&[("maxIOPS_per_GB", "200"), ("maxBWS_per_GB", "2")]);
        assert_eq!(limits(&scaled, 3).max_iops, Some(600));
        assert_eq!(limits(&scaled, 3).max_bytes_per_second, Some(6 << 20));
        let both = specs(&[("maxIOPS", "500"), ("maxIOPS_per_GB", "200")]);
        assert_eq!(limits(&both, 3).max_iops, Some(500));
        assert_eq!(limits(&specs(&[("other", "1")]), 3).max_iops, None);
    }
}
