//! What is true of the records and of the array once everything has ended, whatever was asked for.

use std::collections::{BTreeMap, BTreeSet};

use springform_model::cloud::{
    AttachStatus, Attachment, DefaultType, Group, GroupSnapshot, GroupStatus, GroupType, QosSpecs,
    Snapshot, SnapshotStatus, Transfer, Volume, VolumeStatus, VolumeType,
};

use crate::world::Rig;

fn ids<T>(all: &[T], id: impl Fn(&T) -> &String) -> BTreeSet<String> {
    all.iter().map(|one| id(one).clone()).collect()
}

pub async fn check(rig: &Rig, told: &str) {
    let volumes = rig.all::<Volume>().await;
    let snapshots = rig.all::<Snapshot>().await;
    let attachments = rig.all::<Attachment>().await;
    let groups = rig.all::<Group>().await;
    let taken = rig.all::<GroupSnapshot>().await;
    let volume_ids = ids(&volumes, |one| &one.id);
    let group_ids = ids(&groups, |one| &one.id);
    let type_ids = ids(&rig.all::<VolumeType>().await, |one| &one.id);

    for volume in &volumes {
        let told = format!("{told}\n{volume:?}");
        assert_eq!(volume.operation, None, "{told}");
        let used = match volume.attachments.is_empty() {
            false => volume.status == VolumeStatus::InUse,
            true => matches!(
                volume.status,
                VolumeStatus::Available
                    | VolumeStatus::Reserved
                    | VolumeStatus::Attaching
                    | VolumeStatus::AwaitingTransfer
                    // What it was to be made from was gone.
                    | VolumeStatus::Error
                    | VolumeStatus::ErrorManaging
            ),
        };
        assert!(used, "{told}");
        assert!(
            volume.status != VolumeStatus::Error || copy(volume),
            "{told}"
        );
        let kind = volume.type_id.as_ref();
        assert!(kind.is_none_or(|kind| type_ids.contains(kind)), "{told}");
        let group = volume.group_id.as_ref();
        assert!(group.is_none_or(|id| group_ids.contains(id)), "{told}");
        let waiting = attachments
            .iter()
            .filter(|one| one.volume_id == volume.id)
            .count();
        let free = volume.status == VolumeStatus::Available;
        assert!(!free || waiting == 0, "{told}\n{attachments:?}");
    }
    for snapshot in &snapshots {
        let told = format!("{told}\n{snapshot:?}");
        assert!(volume_ids.contains(&snapshot.volume_id), "{told}");
        assert_eq!(snapshot.operation, None, "{told}");
        assert!(
            matches!(
                snapshot.status,
                SnapshotStatus::Available | SnapshotStatus::Error
            ),
            "{told}"
        );
        let of = volumes.iter().find(|one| one.id == snapshot.volume_id);
        let project = of.map(|volume| &volume.project_id);
        assert_eq!(project, Some(&snapshot.project_id), "{told}");
    }
    for group in &groups {
        let told = format!("{told}\n{group:?}");
        assert_eq!(group.operation, None, "{told}");
        let whole = group.status == GroupStatus::Available;
        assert!(whole || group.source_group_id.is_some(), "{told}");
        let kinds = ids(&rig.all::<GroupType>().await, |one| &one.id);
        assert!(kinds.contains(&group.group_type_id), "{told}");
    }
    for taken in &taken {
        let told = format!("{told}\n{taken:?}");
        assert_eq!(taken.operation, None, "{told}");
        assert_eq!(taken.status, GroupStatus::Available, "{told}");
        assert!(group_ids.contains(&taken.group_id), "{told}");
        for snapshot in &snapshots {
            let of = volumes.iter().find(|one| one.id == snapshot.volume_id);
            assert!(of.is_some_and(|of| of.size >= snapshot.size), "{told}");
        }
    }
    for transfer in rig.all::<Transfer>().await {
        let of = volumes.iter().find(|one| one.id == transfer.volume_id);
        let told = format!("{told}\n{transfer:?}\n{of:?}");
        let offered = of.is_some_and(|of| of.transfer_id.as_ref() == Some(&transfer.id));
        assert_eq!(offered, !transfer.accepted && of.is_some(), "{told}");
        assert!(of.is_some() || transfer.accepted, "{told}");
    }
    for set in rig.all::<DefaultType>().await {
        assert!(type_ids.contains(&set.type_id), "{told}\n{set:?}");
    }
    let qos = ids(&rig.all::<QosSpecs>().await, |one| &one.id);
    for kind in rig.all::<VolumeType>().await {
        let told = format!("{told}\n{kind:?}");
        assert!(
            kind.qos_specs_id.as_ref().is_none_or(|id| qos.contains(id)),
            "{told}"
        );
        let before = |volume: &&Volume| volume.type_id.as_ref() == Some(&kind.id);
        let changed = kind.extra_specs.contains_key("them:changed");
        // A volume may be made of the type as it is now, never of the type as it was.
        for volume in volumes.iter().filter(before).filter(|_| changed) {
            assert!(
                kind.updated_at.is_some_and(|at| at <= volume.created_at) || retyped(volume, &kind),
                "{told}\n{volume:?}"
            );
        }
    }
    array(rig, &volumes, &snapshots, &attachments, told);
}

fn copy(volume: &Volume) -> bool {
    volume.source_volid.is_some() || volume.snapshot_id.is_some() || volume.group_id.is_some()
}

fn retyped(volume: &Volume, kind: &VolumeType) -> bool {
    volume.updated_at >= kind.updated_at
}

fn array(
    rig: &Rig,
    volumes: &[Volume],
    snapshots: &[Snapshot],
    attachments: &[Attachment],
    told: &str,
) {
    let kept = rig.array.volumes.lock().unwrap().clone();
    let rows: BTreeMap<&String, &Volume> = volumes.iter().map(|one| (&one.id, one)).collect();
    for id in kept.keys() {
        assert!(rows.contains_key(id), "{told}\nonly the array has {id}");
    }
    for volume in volumes.iter().filter(|one| one.placement.is_some()) {
        assert!(
            kept.contains_key(&volume.id),
            "{told}\nthe array lacks {volume:?}"
        );
    }
    let kept = rig.array.snapshots.lock().unwrap().clone();
    let known = ids(snapshots, |one| &one.id);
    for id in kept.keys() {
        assert!(
            known.contains(id),
            "{told}\nonly the array has snapshot {id}"
        );
    }
    for snapshot in snapshots
        .iter()
        .filter(|one| one.status == SnapshotStatus::Available)
    {
        assert!(
            kept.contains_key(&snapshot.id),
            "{told}\nthe array lacks {snapshot:?}"
        );
    }
    let connected: BTreeSet<(String, String)> = attachments
        .iter()
        .filter(|one| matches!(one.status, AttachStatus::Attached | AttachStatus::Attaching))
        .filter_map(|one| Some((one.volume_id.clone(), one.connector.as_ref()?.host.clone())))
        .collect();
    let kept = rig.array.connections.lock().unwrap().clone();
    assert_eq!(kept, connected, "{told}\n{attachments:?}");
}
