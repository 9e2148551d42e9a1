//! Replication of a group as one: what is checked, which calls the driver gets, what the records say afterwards.
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

use common::{Array, admin, start, up};
use springform_control::groups::{CreateGroup, FailoverGroup};
use springform_control::replication::{Ask, Consent, Request, Scope};
use springform_control::types::CreateType;
use springform_control::volumes::CreateVolume;
use springform_control::{Caller, Control, ErrorKind};
use springform_model::cloud::{Group, Metadata, ReplicationStatus, Volume};
use springform_model::contract::Role;
use springform_model::operation::{Operation, OperationState};
use springform_model::replication::relation::Acknowledge;

fn pairs(specs: &[(&str, &str)]) -> Metadata {
    let pairs = specs.iter();
    pairs
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

/// The owner of the group is no administrator.
fn owner() -> Caller {
    Caller::new("u", "p", vec!["member".into()])
}

struct Rig {
    control: Control,
    array: Arc<Array>,
    group: Group,
    members: Vec<String>,
    outside: String,
    _dir: tempfile::TempDir,
}

impl Rig {
    /// A group of two replicated volumes beside a third one.
    async fn new(grouping: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let array = Arc::new(Array::default());
        array.grouping.store(grouping, Ordering::SeqCst);
        let control = start(&dir.path().join("db"), &array, 1).await;
        up(&control).await;
        let mirrored = CreateType {
            name: "mirrored".into(),
            is_public: true,
            extra_specs: pairs(&[("replication_enabled", "<is> True")]),
            ..CreateType::default()
        };
        control.types().create(&admin(), mirrored).await.unwrap();
        let specs = pairs(&[("group_replication_enabled", "<is> True")]);
        let kinds = control.group_types();
        kinds
            .create("tiramisu".into(), None, true, specs)
            .await
            .unwrap();
        kinds
            .create("plain".into(), None, true, Metadata::new())
            .await
            .unwrap();
        let group = make(&control, "tiramisu").await;
        let mut members = Vec::new();
        for _ in 0..2 {
            members.push(volume(&control, Some(&group.id)).await);
        }
        let outside = volume(&control, None).await;
        Self {
            control,
            array,
            group,
            members,
            outside,
            _dir: dir,
        }
    }

    async fn ended(&self, operation: &Operation) -> OperationState {
        let operations = self.control.operations();
        operations.wait(&operation.id).await.unwrap().state
    }

    async fn enable(&self) {
        let groups = self.control.groups();
        let begun = groups.enable_replication(&owner(), &self.group.id).await;
        assert_eq!(self.ended(&begun.unwrap()).await, OperationState::Succeeded);
    }

    async fn failover(&self, to: Option<&str>) -> OperationState {
        let wanted = FailoverGroup {
            to: to.map(str::to_owned),
            allow_attached: false,
        };
        let groups = self.control.groups();
        let begun = groups
            .failover_replication(&owner(), &self.group.id, wanted)
            .await
            .unwrap();
        let operations = self.control.operations();
        let ended = operations.wait(&begun.id).await.unwrap();
        ended.state
    }

    async fn group(&self) -> Group {
        let groups = self.control.groups();
        groups.get(&admin(), &self.group.id).await.unwrap()
    }

    async fn volume(&self, id: &str) -> Volume {
        self.control.volumes().get(&admin(), id).await.unwrap()
    }

    async fn served_by(&self, id: &str) -> String {
        self.volume(id).await.placement.unwrap().target
    }

    fn calls(&self, name: &str) -> usize {
        let log = self.array.log.lock().unwrap();
        log.iter().filter(|called| **called == name).count()
    }
}

async fn make(control: &Control, kind: &str) -> Group {
    let wanted = CreateGroup {
        group_type: kind.into(),
        volume_types: vec!["mirrored".into()],
        ..CreateGroup::default()
    };
    let made = control.groups().create(&owner(), wanted).await.unwrap();
    let operation = made.operation.as_deref().unwrap();
    control.operations().wait(operation).await.unwrap();
    control.groups().get(&admin(), &made.id).await.unwrap()
}

async fn volume(control: &Control, group: Option<&str>) -> String {
    let wanted = CreateVolume {
        size: 1,
        volume_type: Some("mirrored".into()),
        group_id: group.map(str::to_owned),
        ..CreateVolume::default()
    };
    let made = control.volumes().create(&owner(), wanted).await.unwrap();
    let operation = made.operation.as_deref().unwrap();
    let ended = control.operations().wait(operation).await.unwrap();
    assert_eq!(ended.state, OperationState::Succeeded);
    made.id
}

#[tokio::test]
async fn a_group_is_enabled_failed_over_and_brought_back_while_the_rest_stays_where_it_is() {
    for grouping in [true, false] {
        let rig = Rig::new(grouping).await;
        assert_eq!(
            rig.group().await.replication_status,
            ReplicationStatus::Disabled
        );
        rig.enable().await;
        assert_eq!(
            rig.calls("groups.enable-replication"),
            usize::from(grouping)
        );
        assert_eq!(rig.calls("replication.enable"), usize::from(!grouping));
        let enabled = rig.group().await;
        assert_eq!(enabled.replication_status, ReplicationStatus::Enabled);
        assert_eq!(enabled.operation, None);

        assert_eq!(rig.failover(Some("b")).await, OperationState::Succeeded);
        let away = rig.group().await;
        assert_eq!(away.replication_status, ReplicationStatus::FailedOver);
        assert_eq!((away.target.as_deref(), away.generation), (Some("b"), 1));
        for id in &rig.members {
            assert_eq!(rig.served_by(id).await, "b");
        }
        assert_eq!(rig.served_by(&rig.outside).await, "a");

        // What the array it left may have written since is not thrown away without a word.
        let back = FailoverGroup {
            to: Some("default".into()),
            allow_attached: false,
        };
        let refused = rig
            .control
            .groups()
            .failover_replication(&owner(), &rig.group.id, back)
            .await
            .unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Invalid);
        assert!(refused.message.contains("--discard"), "{refused}");
        assert_eq!(
            rig.group().await.replication_status,
            ReplicationStatus::FailedOver
        );
        let ask = Ask {
            acknowledge: Consent(vec![Acknowledge {
                target: "a".into(),
                role: Role::Primary,
                generation: 1,
            }]),
            ..Ask::about(Scope::Group(rig.group.id.clone()))
        };
        let replication = rig.control.replication();
        let begun = replication
            .submit(&admin(), Request::Failback(ask))
            .await
            .unwrap();
        assert_eq!(rig.ended(&begun).await, OperationState::Succeeded);
        let back = rig.group().await;
        assert_eq!(back.replication_status, ReplicationStatus::Enabled);
        assert_eq!((back.target, back.operation), (None, None));
        for id in &rig.members {
            assert_eq!(rig.served_by(id).await, "a");
        }

        let groups = rig.control.groups();
        let begun = groups.disable_replication(&owner(), &rig.group.id).await;
        rig.ended(&begun.unwrap()).await;
        assert_eq!(
            rig.group().await.replication_status,
            ReplicationStatus::Disabled
        );
        let member = rig.volume(&rig.members[0]).await;
        assert_eq!(member.replication_status, Some(ReplicationStatus::Disabled));
        assert_eq!(member.placement.unwrap().replication, None);
    }
}

#[tokio::test]
async fn what_cinder_refuses_of_a_replicated_group_is_refused_in_its_words() {
    let rig = Rig::new(true).await;
    let groups = rig.control.groups();
    let id = &rig.group.id;
    let early = groups
        .failover_replication(&owner(), id, FailoverGroup::default())
        .await
        .unwrap_err();
    assert_eq!(
        (early.kind, early.message),
        (
            ErrorKind::Invalid,
            format!(
                "Invalid Group: Group {id} replication status must be ['enabled', 'failed-over', 'failover-error'], but current status is: disabled. Cannot failover replication."
            )
        )
    );
    let plain = make(&rig.control, "plain").await;
    let refused = groups
        .enable_replication(&owner(), &plain.id)
        .await
        .unwrap_err();
    assert_eq!(
        refused.message,
        format!(
            "Invalid group type: Group {} is not a replication group type.",
            plain.id
        )
    );
    assert_eq!(
        groups.replication_targets(&owner(), id).await.unwrap(),
        ["b"]
    );
    let stranger = Caller::new("u", "q", vec!["member".into()]);
    let refused = groups.enable_replication(&stranger, id).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn a_group_as_one_is_switched_with_all_its_members_or_with_none() {
    let rig = Rig::new(true).await;
    rig.array
        .sick
        .lock()
        .unwrap()
        .insert(rig.members[1].clone());
    let groups = rig.control.groups();
    let begun = groups
        .enable_replication(&owner(), &rig.group.id)
        .await
        .unwrap();
    assert_eq!(rig.ended(&begun).await, OperationState::Failed);
    let broken = rig.group().await;
    assert_eq!(broken.replication_status, ReplicationStatus::Error);
    assert_eq!(broken.operation, None);
    // Disabling is the way out, as in Cinder.
    rig.array.sick.lock().unwrap().clear();
    let begun = groups.disable_replication(&owner(), &rig.group.id).await;
    assert_eq!(rig.ended(&begun.unwrap()).await, OperationState::Succeeded);
    assert_eq!(
        rig.group().await.replication_status,
        ReplicationStatus::Disabled
    );
}

#[tokio::test]
async fn a_failover_that_failed_can_be_asked_for_again() {
    let rig = Rig::new(true).await;
    rig.enable().await;
    let sick = rig.members[0].clone();
    rig.array.sick.lock().unwrap().insert(sick);
    assert_ne!(rig.failover(Some("b")).await, OperationState::Succeeded);
    let broken = rig.group().await;
    assert_eq!(broken.replication_status, ReplicationStatus::FailoverError);
    assert_eq!(broken.operation, None);
    rig.array.sick.lock().unwrap().clear();
    assert_eq!(rig.failover(Some("b")).await, OperationState::Succeeded);
    assert_eq!(
        rig.group().await.replication_status,
        ReplicationStatus::FailedOver
    );
    for id in &rig.members {
        assert_eq!(rig.served_by(id).await, "b");
    }
}

#[tokio::test]
async fn the_scope_of_an_operators_verb_may_be_a_group_and_then_holds_it() {
    let rig = Rig::new(false).await;
    let ask = Ask {
        to: Some("b".into()),
        ..Ask::about(Scope::Group(rig.group.id.clone()))
    };
    let replication = rig.control.replication();
    let begun = replication
        .submit(&admin(), Request::Failover(ask.clone()))
        .await
        .unwrap();
    assert_eq!(
        (begun.subject_kind.as_str(), &begun.subject),
        ("group", &rig.group.id)
    );
    let second = replication
        .submit(&admin(), Request::Failover(ask))
        .await
        .err();
    if let Some(second) = second {
        assert_eq!(second.operation.as_ref(), Some(&begun.id));
    }
    assert_eq!(rig.ended(&begun).await, OperationState::Succeeded);
    let moved = rig.group().await;
    assert_eq!(moved.target.as_deref(), Some("b"));
    // Its replication as one was never switched on, so nothing is said of it.
    assert_eq!(moved.replication_status, ReplicationStatus::Disabled);
    assert_eq!(rig.served_by(&rig.outside).await, "a");
}
