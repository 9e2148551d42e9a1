//! Which executor carries out operations of which kind. Only who starts the host knows them all.

use std::sync::Arc;

use springform_model::operation::Verb;

use crate::attachments::AttachmentExecutor;
use crate::engine::Executors;
use crate::group_snapshots::GroupSnapshotExecutor;
use crate::groups::{GroupExecutor, GroupFromExecutor};
use crate::snapshots::SnapshotExecutor;
use crate::volumes::{CreateExecutor, ManageExecutor, VolumeExecutor};

/// Every executor of this release.
pub(crate) fn all() -> Executors {
    let mut all = Executors::default();
    all.add(&[Verb::CreateVolume], Arc::new(CreateExecutor));
    let verbs = [
        Verb::DeleteVolume,
        Verb::ExtendVolume,
        Verb::RevertVolume,
        Verb::UnmanageVolume,
        Verb::RetypeVolume,
    ];
    all.add(&verbs, Arc::new(VolumeExecutor));
    all.add(&[Verb::ManageVolume], Arc::new(ManageExecutor));
    let verbs = [
        Verb::CreateSnapshot,
        Verb::DeleteSnapshot,
        Verb::UnmanageSnapshot,
        Verb::ManageSnapshot,
    ];
    all.add(&verbs, Arc::new(SnapshotExecutor));
    let verbs = [Verb::Connect, Verb::Disconnect];
    all.add(&verbs, Arc::new(AttachmentExecutor));
    let verbs = [Verb::CreateGroup, Verb::UpdateGroup, Verb::DeleteGroup];
    all.add(&verbs, Arc::new(GroupExecutor));
    all.add(&[Verb::CreateGroupFrom], Arc::new(GroupFromExecutor));
    let verbs = [Verb::CreateGroupSnapshot, Verb::DeleteGroupSnapshot];
    all.add(&verbs, Arc::new(GroupSnapshotExecutor));
    crate::replication::register(&mut all);
    all
}
