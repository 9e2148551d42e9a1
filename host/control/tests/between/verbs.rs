//! What the two ask for.

use springform_control::attachments::CreateAttachment;
use springform_control::group_snapshots::CreateGroupSnapshot;
use springform_control::groups::{CreateGroup, GroupSource, UpdateGroup};
use springform_control::snapshots::{CreateSnapshot, ManageSnapshot};
use springform_control::types::UpdateType;
use springform_control::volumes::{CreateVolume, ManageVolume, Migration};
use springform_control::{Caller, ControlError, ErrorKind};
use springform_model::cloud::Metadata;

use crate::common::admin;
use crate::world::{Rig, World, connector};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Make,
    MakeMember,
    Clone,
    CopySnapshot,
    Adopt,
    Delete,
    Cascade,
    Unmanage,
    Extend,
    Retype,
    Revert,
    Snapshot,
    AdoptSnapshot,
    DeleteSnapshot,
    Offer,
    OfferAndAccept,
    Accept,
    Withdraw,
    Attach,
    Connect,
    Complete,
    Detach,
    DetachOther,
    DetachWaiting,
    Join,
    Leave,
    GroupSnapshot,
    CopyGroup,
    DeleteGroup,
    MakeGroup,
    MakeDefault,
    DeleteType,
    ChangeType,
    RenameType,
    DeleteGroupType,
    Associate,
    DeleteQos,
}

/// A request is carried out or refused with a reason: that others were faster is none.
pub fn answered(outcome: &Result<(), ControlError>, told: &str) {
    if let Err(error) = outcome {
        let known = matches!(
            error.kind,
            ErrorKind::Invalid | ErrorKind::NotFound | ErrorKind::Conflict
        );
        assert!(known && !error.message.contains("many at once"), "{told}");
    }
}

/// Of another project, which has what it needs to accept an offer.
fn stranger(who: Who) -> Caller {
    Caller {
        request_id: Some(who.word().to_owned()),
        ..Caller::new("s", "q", Vec::new())
    }
}

/// Which of the two asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    First,
    Second,
}

impl Who {
    pub fn word(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Second => "second",
        }
    }
}

impl Verb {
    #[allow(clippy::too_many_lines)]
    pub async fn ask(self, rig: &Rig, world: &World, who: Who) -> Result<(), ControlError> {
        let control = &rig.control;
        let caller = &Caller {
            request_id: Some(who.word().to_owned()),
            ..admin()
        };
        let (volumes, snapshots) = (control.volumes(), control.snapshots());
        let (attachments, transfers) = (control.attachments(), control.transfers());
        let (groups, types) = (control.groups(), control.types());
        let volume = world.volume.as_str();
        let new = CreateVolume {
            size: 1,
            volume_type: Some(world.kind.clone()),
            ..CreateVolume::default()
        };
        let attachment = |n: usize| world.attachments[n].as_str();
        let update = |add: &[&str], remove: &[&str]| UpdateGroup {
            add: add.iter().map(|id| (*id).to_owned()).collect(),
            remove: remove.iter().map(|id| (*id).to_owned()).collect(),
            ..UpdateGroup::default()
        };
        match self {
            Self::Make => volumes.create(caller, new).await.map(drop),
            Self::MakeMember => {
                let group_id = Some(world.group.clone());
                let wanted = CreateVolume { group_id, ..new };
                volumes.create(caller, wanted).await.map(drop)
            }
            Self::Clone => {
                let source_volid = Some(volume.to_owned());
                let wanted = CreateVolume {
                    source_volid,
                    ..new
                };
                volumes.create(caller, wanted).await.map(drop)
            }
            Self::CopySnapshot => {
                let snapshot_id = Some(world.snapshot.clone());
                let wanted = CreateVolume { snapshot_id, ..new };
                volumes.create(caller, wanted).await.map(drop)
            }
            Self::Adopt => {
                let wanted = ManageVolume {
                    host: "springform@pure1#pool".into(),
                    reference: vec![("source-name".into(), "theirs".into())],
                    volume_type: Some(world.kind.clone()),
                    ..ManageVolume::default()
                };
                volumes.manage(caller, wanted).await.map(drop)
            }
            Self::Delete => volumes.delete(caller, volume, false, false).await,
            Self::Cascade => volumes.delete(caller, volume, true, false).await,
            Self::Unmanage => volumes.unmanage(caller, volume).await,
            Self::Extend => volumes.extend(caller, volume, 2).await,
            Self::Retype => {
                let stay = Migration::Never;
                volumes.retype(caller, volume, &world.other, stay).await
            }
            Self::Revert => volumes.revert(caller, volume, &world.snapshot).await,
            Self::Snapshot => {
                let wanted = CreateSnapshot {
                    volume_id: volume.to_owned(),
                    ..CreateSnapshot::default()
                };
                // Whatever an administrator makes is of their own project.
                let owner = Caller {
                    is_admin: false,
                    ..caller.clone()
                };
                snapshots.create(&owner, wanted).await.map(drop)
            }
            Self::AdoptSnapshot => {
                let wanted = ManageSnapshot {
                    volume_id: volume.to_owned(),
                    reference: vec![("source-name".into(), "theirs".into())],
                    ..ManageSnapshot::default()
                };
                snapshots.manage(caller, wanted).await.map(drop)
            }
            Self::DeleteSnapshot => snapshots.delete(caller, &world.snapshot, false).await,
            Self::Offer => transfers
                .create(caller, volume, None, false)
                .await
                .map(drop),
            Self::OfferAndAccept => {
                let (offer, key) = transfers.create(caller, volume, None, false).await?;
                transfers
                    .accept(&stranger(who), &offer.id, &key)
                    .await
                    .map(drop)
            }
            Self::Accept => {
                let (offer, key) = &world.offer;
                transfers.accept(&stranger(who), offer, key).await.map(drop)
            }
            Self::Withdraw => transfers.delete(caller, &world.offer.0).await,
            Self::Attach => {
                let wanted = CreateAttachment {
                    volume_id: volume.to_owned(),
                    connector: Some(connector()),
                    ..CreateAttachment::default()
                };
                attachments.create(caller, wanted).await.map(drop)
            }
            Self::Connect => attachments
                .update(caller, attachment(2), connector())
                .await
                .map(drop),
            Self::Complete => attachments.complete(caller, attachment(1)).await,
            Self::Detach => attachments.delete(caller, attachment(0)).await.map(drop),
            Self::DetachOther => attachments.delete(caller, attachment(1)).await.map(drop),
            Self::DetachWaiting => attachments.delete(caller, attachment(2)).await.map(drop),
            Self::Join => groups
                .update(caller, &world.group, update(&[volume], &[]))
                .await
                .map(drop),
            Self::Leave => groups
                .update(caller, &world.group, update(&[], &[volume]))
                .await
                .map(drop),
            Self::GroupSnapshot => {
                let wanted = CreateGroupSnapshot {
                    group_id: world.group.clone(),
                    ..CreateGroupSnapshot::default()
                };
                let group_snapshots = control.group_snapshots();
                group_snapshots.create(caller, wanted).await.map(drop)
            }
            Self::CopyGroup => {
                let source = GroupSource::Group(world.group.clone());
                let copied = groups.create_from(caller, None, None, source);
                copied.await.map(drop)
            }
            Self::DeleteGroup => groups.delete(caller, &world.group, true).await,
            Self::MakeGroup => {
                let wanted = CreateGroup {
                    group_type: world.group_kind.clone(),
                    volume_types: vec![world.kind.clone(), world.other.clone()],
                    ..CreateGroup::default()
                };
                groups.create(caller, wanted).await.map(drop)
            }
            Self::MakeDefault => {
                let defaults = control.default_types();
                defaults.set(caller, "p", &world.other).await.map(drop)
            }
            Self::DeleteType => types.delete(&world.other).await,
            Self::ChangeType => {
                let specs = Metadata::from([("them:changed".into(), "yes".into())]);
                types.set_specs(&world.other, specs).await.map(drop)
            }
            Self::RenameType => {
                let wanted = UpdateType {
                    name: Some("bronze".into()),
                    ..UpdateType::default()
                };
                types.update(&world.other, wanted).await.map(drop)
            }
            Self::DeleteGroupType => control.group_types().delete(&world.group_kind).await,
            Self::Associate => control.qos().associate(&world.qos, &world.kind).await,
            Self::DeleteQos => control.qos().delete(&world.qos, true).await,
        }
    }
}
