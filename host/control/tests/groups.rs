//! The life of groups and their snapshots over simulated drivers: one that keeps consistency groups, one that does not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code
)]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::{Array, admin, start, until, up};
use springform_control::group_snapshots::CreateGroupSnapshot;
use springform_control::groups::{CreateGroup, GroupSource, UpdateGroup};
use springform_control::volumes::CreateVolume;
use springform_control::{Control, ErrorKind};
use springform_model::cloud::{
    Group, GroupSnapshot, GroupStatus, Metadata, SnapshotStatus, UserMessage, Volume, VolumeStatus,
};
use springform_model::operation::OperationState;
use springform_store::Query;

struct Rig {
    control: Control,
    array: Arc<Array>,
    dir: tempfile::TempDir,
}

impl Rig {
    /// A driver that keeps groups, or one that does not; volume type `gold`; group types `plain` and `consistent`.
    async fn new(grouping: bool) -> Self {
        Self::with(grouping, 1).await
    }

    async fn with(grouping: bool, backends: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let array = Arc::new(Array::default());
        array.grouping.store(grouping, Ordering::SeqCst);
        let control = start(&dir.path().join("db"), &array, backends).await;
        up(&control).await;
        let rig = Self {
            control,
            array,
            dir,
        };
        rig.volume_type("gold", &[]).await;
        rig.group_type("plain", &[]).await;
        rig.group_type(
            "consistent",
            &[("consistent_group_snapshot_enabled", "<is> True")],
        )
        .await;
        rig
    }

    async fn volume_type(&self, name: &str, specs: &[(&str, &str)]) {
        let types = self.control.types();
        let made = types
            .create(
                &admin(),
                springform_control::types::CreateType {
                    name: name.into(),
                    is_public: true,
                    extra_specs: pairs(specs),
                    ..Default::default()
                },
            )
            .await;
        made.unwrap();
    }

    async fn group_type(&self, name: &str, specs: &[(&str, &str)]) {
        self.control
            .group_types()
            .create(name.into(), None, true, pairs(specs))
            .await
            .unwrap();
    }

    async fn ask(&self, kind: &str) -> Result<Group, springform_control::ControlError> {
        let wanted = CreateGroup {
            name: Some("g".into()),
            group_type: kind.into(),
            volume_types: vec!["gold".into()],
            ..CreateGroup::default()
        };
        self.control.groups().create(&admin(), wanted).await
    }

    async fn group(&self, kind: &str) -> Group {
        let made = self.ask(kind).await.unwrap();
        self.ended(&made.operation).await;
        self.seen(&made.id).await
    }

    async fn ended(&self, operation: &Option<String>) -> OperationState {
        let id = operation.as_deref().unwrap();
        self.control.operations().wait(id).await.unwrap().state
    }

    async fn seen(&self, id: &str) -> Group {
        self.control.groups().get(&admin(), id).await.unwrap()
    }

    async fn volume(&self, group: Option<&str>) -> Volume {
        let wanted = CreateVolume {
            size: 1,
            volume_type: Some("gold".into()),
            group_id: group.map(str::to_owned),
            ..CreateVolume::default()
        };
        let volumes = self.control.volumes();
        let made = volumes.create(&admin(), wanted).await.unwrap();
        self.ended(&made.operation).await;
        volumes.get(&admin(), &made.id).await.unwrap()
    }

    async fn update(&self, group: &str, add: &[&str], remove: &[&str]) -> Group {
        let wanted = UpdateGroup {
            add: add.iter().map(|id| (*id).to_owned()).collect(),
            remove: remove.iter().map(|id| (*id).to_owned()).collect(),
            ..UpdateGroup::default()
        };
        let held = self
            .control
            .groups()
            .update(&admin(), group, wanted)
            .await
            .unwrap();
        assert_eq!(held.status, GroupStatus::Updating);
        self.ended(&held.operation).await;
        self.seen(group).await
    }

    async fn take(&self, group: &str) -> GroupSnapshot {
        let wanted = CreateGroupSnapshot {
            group_id: group.into(),
            name: Some("s".into()),
            description: None,
        };
        let snapshots = self.control.group_snapshots();
        let made = snapshots.create(&admin(), wanted).await.unwrap();
        assert_eq!(made.status, GroupStatus::Creating);
        self.ended(&made.operation).await;
        snapshots.get(&admin(), &made.id).await.unwrap()
    }

    async fn calls(&self, name: &str) -> usize {
        let log = self.array.log.lock().unwrap();
        log.iter().filter(|called| **called == name).count()
    }

    async fn group_is_gone(&self, id: &str) {
        until(|| async { self.control.groups().get(&admin(), id).await.is_err() }).await;
    }

    async fn complaint(&self) -> String {
        let found = self
            .control
            .store()
            .list::<UserMessage>(&Query::new())
            .await
            .unwrap();
        found.last().unwrap().user_message.clone()
    }

    async fn restart(self) -> Self {
        self.control.shutdown(Duration::ZERO).await;
        self.array.hang.store(false, Ordering::SeqCst);
        let control = start(&self.dir.path().join("db"), &self.array, 1).await;
        Self { control, ..self }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }
}

fn pairs(specs: &[(&str, &str)]) -> Metadata {
    specs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

#[tokio::test]
async fn a_group_is_kept_on_an_array_whose_driver_keeps_groups_and_dies_with_its_volumes() {
    let rig = Rig::new(true).await;
    let group = rig.group("consistent").await;
    assert_eq!(group.status, GroupStatus::Available);
    assert_eq!(group.array_name, Some(format!("{}.group", group.id)));
    assert_eq!(group.backend.as_deref(), Some("pure1"));
    let inside = rig.volume(Some(&group.id)).await;
    assert_eq!(inside.status, VolumeStatus::Available);
    let outside = rig.volume(None).await;

    let joined = rig.update(&group.id, &[&outside.id], &[]).await;
    assert_eq!(
        (joined.status, joined.operation),
        (GroupStatus::Available, None)
    );
    assert_eq!(
        rig.control.groups().volumes(&group.id).await.unwrap().len(),
        2
    );
    assert!(rig.array.groups.lock().unwrap()[&group.id].contains(&outside.id));
    rig.update(&group.id, &[], &[&outside.id]).await;
    let left = rig
        .control
        .volumes()
        .get(&admin(), &outside.id)
        .await
        .unwrap();
    assert_eq!((left.group_id, left.operation), (None, None));

    let groups = rig.control.groups();
    let refused = groups.delete(&admin(), &group.id, false).await.unwrap_err();
    assert_eq!(
        refused.message,
        format!(
            "Invalid Group: Group {} still contains volumes. The delete-volumes flag is required to delete it.",
            group.id
        )
    );
    groups.delete(&admin(), &group.id, true).await.unwrap();
    rig.group_is_gone(&group.id).await;
    assert!(rig.array.groups.lock().unwrap().is_empty());
    let left: Vec<String> = rig.array.volumes.lock().unwrap().keys().cloned().collect();
    assert_eq!(left, [outside.id]);
}

#[tokio::test]
async fn a_driver_without_groups_gets_one_call_for_each_volume() {
    let rig = Rig::new(false).await;
    let group = rig.group("plain").await;
    assert_eq!(
        (group.status, group.array_name),
        (GroupStatus::Available, None)
    );
    let one = rig.volume(Some(&group.id)).await;
    let two = rig.volume(Some(&group.id)).await;
    let taken = rig.take(&group.id).await;
    assert_eq!(
        (taken.status, taken.consistent),
        (GroupStatus::Available, false)
    );
    assert_eq!(rig.calls("volumes.create-snapshot").await, 2);

    let source = GroupSource::Snapshot(taken.id.clone());
    let groups = rig.control.groups();
    let copy = groups
        .create_from(&admin(), Some("c".into()), None, source)
        .await
        .unwrap();
    assert_eq!(rig.ended(&copy.operation).await, OperationState::Succeeded);
    let members = groups.volumes(&copy.id).await.unwrap();
    assert_eq!(members.len(), 2);
    assert!(
        members
            .iter()
            .all(|member| member.status == VolumeStatus::Available)
    );
    assert_eq!(
        rig.seen(&copy.id).await.group_snapshot_id,
        Some(taken.id.clone())
    );

    let snapshots = rig.control.group_snapshots();
    snapshots.delete(&admin(), &taken.id).await.unwrap();
    until(|| async { snapshots.get(&admin(), &taken.id).await.is_err() }).await;
    assert!(rig.array.snapshots.lock().unwrap().is_empty());
    assert_eq!(
        rig.control
            .snapshots()
            .list(&admin(), Query::new(), true)
            .await
            .unwrap(),
        []
    );
    groups.delete(&admin(), &group.id, true).await.unwrap();
    rig.group_is_gone(&group.id).await;
    let left = rig.array.volumes.lock().unwrap().clone();
    assert!(!left.contains_key(&one.id) && !left.contains_key(&two.id));
    assert!(
        rig.array
            .log
            .lock()
            .unwrap()
            .iter()
            .all(|call| !call.starts_with("groups."))
    );
}

#[tokio::test]
async fn a_consistent_snapshot_is_one_call_and_a_group_is_filled_from_it_by_another() {
    let rig = Rig::new(true).await;
    let group = rig.group("consistent").await;
    for _ in 0..3 {
        rig.volume(Some(&group.id)).await;
    }
    let taken = rig.take(&group.id).await;
    assert_eq!(
        (taken.status, taken.consistent),
        (GroupStatus::Available, true)
    );
    assert_eq!(rig.seen(&group.id).await.operation, None);
    assert_eq!(rig.calls("groups.create-snapshot").await, 1);
    assert_eq!(rig.calls("volumes.create-snapshot").await, 0);
    let each = rig
        .control
        .group_snapshots()
        .snapshots(&taken.id)
        .await
        .unwrap();
    assert_eq!(each.len(), 3);
    assert!(
        each.iter()
            .all(|one| one.status == SnapshotStatus::Available && one.array_name.is_some())
    );

    let refused = rig
        .control
        .snapshots()
        .delete(&admin(), &each[0].id, false)
        .await
        .unwrap_err();
    assert_eq!(
        refused.message,
        format!(
            "Invalid snapshot: Snapshot {} must not be part of a group.",
            each[0].id
        )
    );
    let refused = rig
        .control
        .groups()
        .delete(&admin(), &group.id, true)
        .await
        .unwrap_err();
    assert_eq!(
        refused.message,
        "Invalid Group: Group has existing snapshots."
    );

    for source in [
        GroupSource::Snapshot(taken.id.clone()),
        GroupSource::Group(group.id.clone()),
    ] {
        let copy = rig
            .control
            .groups()
            .create_from(&admin(), None, None, source)
            .await
            .unwrap();
        assert_eq!(rig.ended(&copy.operation).await, OperationState::Succeeded);
        assert_eq!(rig.array.groups.lock().unwrap()[&copy.id].len(), 3);
    }
    assert_eq!(rig.calls("groups.create-from").await, 2);
    rig.control
        .group_snapshots()
        .delete(&admin(), &taken.id)
        .await
        .unwrap();
    until(|| async { rig.array.snapshots.lock().unwrap().is_empty() }).await;
    assert_eq!(rig.calls("groups.delete-snapshot").await, 1);
}

#[tokio::test]
async fn a_type_that_asks_for_consistent_snapshots_finds_no_backend_whose_driver_lacks_them() {
    let rig = Rig::new(false).await;
    let group = rig.group("consistent").await;
    assert_eq!((group.status, &group.backend), (GroupStatus::Error, &None));
    let said = rig.complaint().await;
    assert!(
        said.contains(
            "pure1#pool: CapabilitiesFilter: its consistent_group_snapshot_enabled is False"
        ),
        "{said}"
    );
    // No array has it, so it goes at once.
    rig.control
        .groups()
        .delete(&admin(), &group.id, false)
        .await
        .unwrap();
    assert_eq!(
        rig.control
            .groups()
            .get(&admin(), &group.id)
            .await
            .unwrap_err()
            .kind,
        ErrorKind::NotFound
    );
}

#[tokio::test]
async fn a_group_whose_array_lost_its_driver_for_groups_refuses_a_consistent_snapshot_and_takes_none()
 {
    let rig = Rig::new(true).await;
    let group = rig.group("consistent").await;
    rig.volume(Some(&group.id)).await;
    rig.array.grouping.store(false, Ordering::SeqCst);
    let rig = rig.restart().await;
    up(&rig.control).await;
    let taken = rig.take(&group.id).await;
    assert_eq!(taken.status, GroupStatus::Error);
    assert!(rig.complaint().await.contains("nothing was taken"));
    assert!(rig.array.snapshots.lock().unwrap().is_empty());
    assert_eq!(rig.seen(&group.id).await.operation, None);
    assert!(rig.path().exists());
}

#[tokio::test]
async fn the_backend_of_a_group_suits_its_type_and_every_volume_type() {
    let rig = Rig::with(true, 2).await;
    // Alone, `gold` goes to pure1, which has more room.
    rig.volume_type("second", &[("volume_backend_name", "pure2")])
        .await;
    let wanted = CreateGroup {
        group_type: "plain".into(),
        volume_types: vec!["gold".into(), "second".into()],
        ..CreateGroup::default()
    };
    let made = rig.control.groups().create(&admin(), wanted).await.unwrap();
    rig.ended(&made.operation).await;
    assert_eq!(rig.seen(&made.id).await.backend.as_deref(), Some("pure2"));
    assert_eq!(
        rig.volume(Some(&made.id)).await.backend.as_deref(),
        Some("pure2")
    );

    rig.volume_type("first", &[("volume_backend_name", "pure1")])
        .await;
    let wanted = CreateGroup {
        group_type: "plain".into(),
        volume_types: vec!["first".into(), "second".into()],
        ..CreateGroup::default()
    };
    let made = rig.control.groups().create(&admin(), wanted).await.unwrap();
    rig.ended(&made.operation).await;
    assert_eq!(rig.seen(&made.id).await.status, GroupStatus::Error);
}

#[tokio::test]
async fn a_volume_is_made_in_a_group_only_with_one_of_its_types() {
    let rig = Rig::new(true).await;
    let group = rig.group("plain").await;
    rig.volume_type("lead", &[]).await;
    let ask = |kind: Option<&str>, group: &str| CreateVolume {
        size: 1,
        volume_type: kind.map(str::to_owned),
        group_id: Some(group.to_owned()),
        ..CreateVolume::default()
    };
    let volumes = rig.control.volumes();
    let untyped = volumes
        .create(&admin(), ask(None, &group.id))
        .await
        .unwrap_err();
    assert!(untyped.message.contains("volume_type must be provided"));
    let other = volumes
        .create(&admin(), ask(Some("lead"), &group.id))
        .await
        .unwrap_err();
    assert!(
        other
            .message
            .contains("requested type must be supported by this group")
    );
    let nowhere = volumes
        .create(&admin(), ask(Some("gold"), "nosuch"))
        .await
        .unwrap_err();
    assert_eq!(
        (nowhere.kind, nowhere.message.as_str()),
        (ErrorKind::NotFound, "Group nosuch could not be found.")
    );
    assert_eq!(rig.control.groups().volumes(&group.id).await.unwrap(), []);
}

#[tokio::test]
async fn members_that_cannot_join_or_leave_are_refused_in_cinders_words() {
    let rig = Rig::new(true).await;
    let (group, other) = (rig.group("plain").await, rig.group("plain").await);
    let inside = rig.volume(Some(&other.id)).await;
    let update = |wanted: UpdateGroup| {
        let (control, id) = (rig.control.clone(), group.id.clone());
        async move {
            control
                .groups()
                .update(&admin(), &id, wanted)
                .await
                .unwrap_err()
                .message
        }
    };
    let add = |id: &str| UpdateGroup {
        add: vec![id.to_owned()],
        ..UpdateGroup::default()
    };
    assert_eq!(
        update(add(&inside.id)).await,
        format!(
            "Invalid volume: Cannot add volume {} to group {} because it is already in group {}.",
            inside.id, group.id, other.id
        )
    );
    assert!(
        update(add("nosuch"))
            .await
            .ends_with("because volume cannot be found.")
    );
    let remove = UpdateGroup {
        remove: vec![inside.id.clone()],
        ..UpdateGroup::default()
    };
    assert!(
        update(remove)
            .await
            .ends_with("because it is not in the group.")
    );
    assert!(
        update(UpdateGroup::default())
            .await
            .starts_with("Invalid Group: Cannot update group")
    );
    let both = UpdateGroup {
        add: vec![inside.id.clone()],
        remove: vec![inside.id.clone()],
        ..UpdateGroup::default()
    };
    assert!(
        update(both)
            .await
            .contains("are in both add and remove volume list.")
    );
}

#[tokio::test]
async fn a_volume_that_cannot_be_deleted_leaves_the_group_to_be_deleted_again() {
    let rig = Rig::new(true).await;
    let group = rig.group("plain").await;
    let (good, bad) = (
        rig.volume(Some(&group.id)).await,
        rig.volume(Some(&group.id)).await,
    );
    rig.array.sick.lock().unwrap().insert(bad.id.clone());
    let groups = rig.control.groups();
    groups.delete(&admin(), &group.id, true).await.unwrap();
    until(|| async { rig.seen(&group.id).await.operation.is_none() }).await;
    assert_eq!(rig.seen(&group.id).await.status, GroupStatus::ErrorDeleting);
    let left = groups.volumes(&group.id).await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(
        (&left[0].id, left[0].status),
        (&bad.id, VolumeStatus::ErrorDeleting)
    );
    assert!(!rig.array.volumes.lock().unwrap().contains_key(&good.id));

    rig.array.sick.lock().unwrap().clear();
    groups.delete(&admin(), &group.id, true).await.unwrap();
    rig.group_is_gone(&group.id).await;
    assert!(rig.array.volumes.lock().unwrap().is_empty());
}

#[tokio::test]
async fn one_member_without_a_snapshot_makes_the_group_snapshot_an_error_that_can_be_deleted() {
    for grouping in [true, false] {
        let rig = Rig::new(grouping).await;
        let group = rig.group("plain").await;
        let (_, bad) = (
            rig.volume(Some(&group.id)).await,
            rig.volume(Some(&group.id)).await,
        );
        rig.array.sick.lock().unwrap().insert(bad.id.clone());
        let taken = rig.take(&group.id).await;
        assert_eq!(taken.status, GroupStatus::Error);
        let snapshots = rig.control.group_snapshots();
        let each = snapshots.snapshots(&taken.id).await.unwrap();
        let failed: Vec<_> = each
            .iter()
            .filter(|one| one.status == SnapshotStatus::Error)
            .collect();
        assert_eq!((each.len(), failed.len()), (2, 1));
        assert_eq!(failed[0].volume_id, bad.id);
        snapshots.delete(&admin(), &taken.id).await.unwrap();
        until(|| async { snapshots.get(&admin(), &taken.id).await.is_err() }).await;
        assert!(rig.array.snapshots.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_group_snapshot_that_was_interrupted_after_the_array_acted_is_finished_after_a_restart() {
    let rig = Rig::new(true).await;
    let group = rig.group("consistent").await;
    rig.volume(Some(&group.id)).await;
    rig.array.hang.store(true, Ordering::SeqCst);
    let wanted = CreateGroupSnapshot {
        group_id: group.id.clone(),
        ..CreateGroupSnapshot::default()
    };
    let snapshots = rig.control.group_snapshots();
    let made = snapshots.create(&admin(), wanted.clone()).await.unwrap();
    until(|| async { !rig.array.snapshots.lock().unwrap().is_empty() }).await;
    let second = snapshots.create(&admin(), wanted).await.unwrap_err();
    assert_eq!(
        (second.kind, &second.operation),
        (ErrorKind::Conflict, &made.operation)
    );

    let rig = rig.restart().await;
    assert_eq!(rig.ended(&made.operation).await, OperationState::Succeeded);
    let taken = rig
        .control
        .group_snapshots()
        .get(&admin(), &made.id)
        .await
        .unwrap();
    assert_eq!(
        (taken.status, taken.operation),
        (GroupStatus::Available, None)
    );
    assert_eq!(rig.seen(&group.id).await.operation, None);
    assert_eq!(rig.array.snapshots.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_project_has_no_more_groups_than_its_quota() {
    let rig = Rig::new(true).await;
    let limits = [("groups".to_owned(), 1)].into_iter().collect();
    rig.control.quotas().set("p", limits).await.unwrap();
    rig.group("plain").await;
    let refused = rig.ask("plain").await.unwrap_err();
    assert_eq!(
        (refused.kind, refused.message.as_str()),
        (
            ErrorKind::OverLimit,
            "GroupLimitExceeded: Maximum number of groups allowed (1) exceeded"
        )
    );
    let usage = rig.control.quotas().usage_of("p").await.unwrap();
    assert_eq!(usage["groups"].in_use, 1);
}

#[tokio::test]
async fn an_administrator_resets_states_by_cinders_words_only() {
    let rig = Rig::new(true).await;
    let group = rig.group("plain").await;
    let groups = rig.control.groups();
    let reset = groups
        .reset_status(&admin(), &group.id, "ERROR")
        .await
        .unwrap();
    assert_eq!(reset.status, GroupStatus::Error);
    let refused = groups
        .reset_status(&admin(), &group.id, "blue")
        .await
        .unwrap_err();
    assert!(
        refused
            .message
            .starts_with("Invalid Group Status: Group status: blue is invalid")
    );
    let member = springform_control::Caller::new("u", "p", vec!["member".into()]);
    let refused = groups
        .reset_status(&member, &group.id, "error")
        .await
        .unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Forbidden);
    let stranger = springform_control::Caller::new("u", "q", vec!["member".into()]);
    assert_eq!(
        groups.get(&stranger, &group.id).await.unwrap_err().kind,
        ErrorKind::NotFound
    );
}
