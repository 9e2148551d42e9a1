//! Every change that takes more than one record is decided again where somebody else writes one of them meanwhile.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code
)]

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::{Array, admin, start, until, up};
use springform_control::Control;
use springform_control::attachments::CreateAttachment;
use springform_control::groups::{CreateGroup, GroupSource};
use springform_control::snapshots::CreateSnapshot;
use springform_control::types::CreateType;
use springform_control::volumes::CreateVolume;
use springform_model::cloud::{
    Group, GroupStatus, GroupType, Metadata, QosSpecs, Snapshot, SnapshotStatus, Transfer, Volume,
    VolumeStatus, VolumeType,
};
use springform_store::{Changes, Record};

/// How often somebody else writes: less often than anything is decided again, so that no luck is needed.
const WRITES: usize = 40;

/// Carries out `asked` while somebody else writes a record over and over.
async fn while_written<T: Record, R>(
    control: &Control,
    id: &str,
    asked: impl Future<Output = R>,
) -> R {
    let store = control.store();
    let writer = async {
        for _ in 0..WRITES {
            let Some(seen) = store.get::<T>(id).await.unwrap() else {
                return;
            };
            match store.commit(Changes::new().update(&seen)).await {
                Err(error) if !error.is_conflict() => panic!("{error}"),
                _ => {}
            }
        }
    };
    tokio::join!(writer, asked).1
}

struct Rig {
    control: Control,
    _folder: tempfile::TempDir,
}

impl Rig {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let array = Arc::new(Array::default());
        array.grouping.store(true, Ordering::SeqCst);
        let control = start(&folder.path().join("db"), &array, 1).await;
        up(&control).await;
        Self {
            control,
            _folder: folder,
        }
    }

    async fn volume(&self, wanted: CreateVolume) -> String {
        let wanted = CreateVolume { size: 1, ..wanted };
        let made = self.control.volumes().create(&admin(), wanted).await;
        let id = made.unwrap().id;
        self.is(&id, VolumeStatus::Available).await;
        id
    }

    async fn is(&self, id: &str, status: VolumeStatus) {
        until(|| async {
            let found = self.control.volumes().get(&admin(), id).await.unwrap();
            found.status == status && found.operation.is_none()
        })
        .await;
    }

    async fn kind(&self, name: &str) -> VolumeType {
        let wanted = CreateType {
            name: name.into(),
            is_public: true,
            ..CreateType::default()
        };
        let made = self.control.types().create(&admin(), wanted).await;
        made.unwrap()
    }

    async fn group_kind(&self, name: &str) -> GroupType {
        let kinds = self.control.group_types();
        let made = kinds.create(name.into(), None, true, Metadata::new()).await;
        made.unwrap()
    }

    /// A group of one volume type.
    async fn group(&self, kind: &VolumeType) -> String {
        let wanted = CreateGroup {
            group_type: self.group_kind("plain").await.id,
            volume_types: vec![kind.id.clone()],
            ..CreateGroup::default()
        };
        let made = self.control.groups().create(&admin(), wanted).await;
        let id = made.unwrap().id;
        self.stands(&id).await;
        id
    }

    async fn stands(&self, group: &str) {
        until(|| async {
            let found = self.control.groups().get(&admin(), group).await.unwrap();
            found.status == GroupStatus::Available && found.operation.is_none()
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_is_offered_withdrawn_and_accepted_though_its_row_is_written_meanwhile() {
    let rig = Rig::new().await;
    let transfers = rig.control.transfers();
    let caller = admin();
    for _ in 0..5 {
        let volume = rig.volume(CreateVolume::default()).await;
        let offered = transfers.create(&caller, &volume, None, false);
        let offered = while_written::<Volume, _>(&rig.control, &volume, offered).await;
        let (offer, _) = offered.unwrap();
        let withdrawn = transfers.delete(&caller, &offer.id);
        while_written::<Volume, _>(&rig.control, &volume, withdrawn)
            .await
            .unwrap();
        let (offer, key) = transfers
            .create(&caller, &volume, None, false)
            .await
            .unwrap();
        let accepted = transfers.accept(&caller, &offer.id, &key);
        let accepted = while_written::<Transfer, _>(&rig.control, &offer.id, accepted).await;
        assert!(accepted.unwrap().accepted);
        let volumes = rig.control.volumes();
        volumes
            .delete(&caller, &volume, false, false)
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn types_and_qos_specs_are_deleted_though_they_are_written_meanwhile() {
    let rig = Rig::new().await;
    let control = &rig.control;
    for _ in 0..5 {
        let kind = rig.kind("gold").await;
        let qos = control.qos();
        let specs = qos.create("fast".into(), "both".into(), Metadata::new());
        let specs = specs.await.unwrap();
        qos.associate(&specs.id, &kind.id).await.unwrap();
        let gone = qos.delete(&specs.id, true);
        while_written::<VolumeType, _>(control, &kind.id, gone)
            .await
            .unwrap();
        let types = control.types();
        let gone = types.delete(&kind.id);
        while_written::<VolumeType, _>(control, &kind.id, gone)
            .await
            .unwrap();
        let kind = rig.group_kind("together").await;
        let kinds = control.group_types();
        let gone = kinds.delete(&kind.id);
        while_written::<GroupType, _>(control, &kind.id, gone)
            .await
            .unwrap();
        let left = control.store().get::<QosSpecs>(&specs.id).await.unwrap();
        assert!(left.is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn volumes_and_groups_come_from_a_group_that_is_written_meanwhile() {
    let rig = Rig::new().await;
    let control = &rig.control;
    let kind = rig.kind("gold").await;
    let group = rig.group(&kind).await;
    for _ in 0..3 {
        let wanted = CreateVolume {
            size: 1,
            volume_type: Some(kind.id.clone()),
            group_id: Some(group.clone()),
            ..CreateVolume::default()
        };
        let volumes = control.volumes();
        let caller = admin();
        let made = volumes.create(&caller, wanted);
        let made = while_written::<Group, _>(control, &group, made).await;
        rig.is(&made.unwrap().id, VolumeStatus::Available).await;
    }
    let groups = control.groups();
    let source = GroupSource::Group(group.clone());
    let caller = admin();
    let copied = groups.create_from(&caller, None, None, source);
    let copied = while_written::<Group, _>(control, &group, copied).await;
    rig.stands(&copied.unwrap().id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_is_put_back_to_a_snapshot_that_is_written_meanwhile() {
    let rig = Rig::new().await;
    let control = &rig.control;
    let volume = rig.volume(CreateVolume::default()).await;
    let wanted = CreateSnapshot {
        volume_id: volume.clone(),
        ..CreateSnapshot::default()
    };
    let taken = control.snapshots().create(&admin(), wanted).await.unwrap();
    for _ in 0..10 {
        until(|| async {
            let found = control.snapshots().get(&admin(), &taken.id).await.unwrap();
            found.status == SnapshotStatus::Available && found.operation.is_none()
        })
        .await;
        rig.is(&volume, VolumeStatus::Available).await;
        let (volumes, caller) = (control.volumes(), admin());
        let reverted = volumes.revert(&caller, &volume, &taken.id);
        while_written::<Snapshot, _>(control, &taken.id, reverted)
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_is_reserved_though_its_row_is_written_meanwhile() {
    let rig = Rig::new().await;
    let volume = rig.volume(CreateVolume::default()).await;
    let wanted = CreateAttachment {
        volume_id: volume.clone(),
        ..CreateAttachment::default()
    };
    let (attachments, caller) = (rig.control.attachments(), admin());
    let reserved = attachments.create(&caller, wanted);
    let reserved = while_written::<Volume, _>(&rig.control, &volume, reserved).await;
    assert_eq!(reserved.unwrap().volume_id, volume);
}
