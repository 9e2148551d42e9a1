//! A host with groups, and what the tests ask of it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use springform_control::Control;
use springform_control::group_snapshots::CreateGroupSnapshot;
use springform_control::groups::{CreateGroup, UpdateGroup};
use springform_control::volumes::CreateVolume;
use springform_model::cloud::{Group, GroupSnapshot, GroupStatus, Metadata, UserMessage, Volume};
use springform_model::operation::OperationState;
use springform_store::Query;

use crate::common::{Array, admin, start, until, up};

pub struct Rig {
    pub control: Control,
    pub array: Arc<Array>,
    pub dir: tempfile::TempDir,
}

impl Rig {
    /// A driver that keeps groups, or one that does not; volume type `gold`; group types `plain` and `consistent`.
    pub async fn new(grouping: bool) -> Self {
        Self::with(grouping, 1).await
    }

    pub async fn with(grouping: bool, backends: usize) -> Self {
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

    pub async fn volume_type(&self, name: &str, specs: &[(&str, &str)]) {
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

    pub async fn group_type(&self, name: &str, specs: &[(&str, &str)]) {
        self.control
            .group_types()
            .create(name.into(), None, true, pairs(specs))
            .await
            .unwrap();
    }

    pub async fn ask(&self, kind: &str) -> Result<Group, springform_control::ControlError> {
        let wanted = CreateGroup {
            name: Some("g".into()),
            group_type: kind.into(),
            volume_types: vec!["gold".into()],
            ..CreateGroup::default()
        };
        self.control.groups().create(&admin(), wanted).await
    }

    pub async fn group(&self, kind: &str) -> Group {
        let made = self.ask(kind).await.unwrap();
        self.ended(&made.operation).await;
        self.seen(&made.id).await
    }

    pub async fn ended(&self, operation: &Option<String>) -> OperationState {
        let id = operation.as_deref().unwrap();
        self.control.operations().wait(id).await.unwrap().state
    }

    pub async fn seen(&self, id: &str) -> Group {
        self.control.groups().get(&admin(), id).await.unwrap()
    }

    pub async fn volume(&self, group: Option<&str>) -> Volume {
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

    pub async fn update(&self, group: &str, add: &[&str], remove: &[&str]) -> Group {
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

    pub async fn take(&self, group: &str) -> GroupSnapshot {
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

    pub async fn calls(&self, name: &str) -> usize {
        let log = self.array.log.lock().unwrap();
        log.iter().filter(|called| **called == name).count()
    }

    pub async fn group_is_gone(&self, id: &str) {
        until(|| async { self.control.groups().get(&admin(), id).await.is_err() }).await;
    }

    pub async fn complaint(&self) -> String {
        let found = self
            .control
            .store()
            .list::<UserMessage>(&Query::new())
            .await
            .unwrap();
        found.last().unwrap().user_message.clone()
    }

    pub async fn restart(self) -> Self {
        self.control.shutdown(Duration::ZERO).await;
        self.array.hang.store(false, Ordering::SeqCst);
        let control = start(&self.dir.path().join("db"), &self.array, 1).await;
        Self { control, ..self }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }
}

pub fn pairs(specs: &[(&str, &str)]) -> Metadata {
    specs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}
