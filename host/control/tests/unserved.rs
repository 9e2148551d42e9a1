//! A volume that no array serves: its move has stopped half-way, and the last writes are on an array that gave its role up.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::sync::Arc;

use common::{Array, admin, start, up};
use springform_control::Control;
use springform_control::attachments::CreateAttachment;
use springform_control::replication::{Ask, Request, Scope};
use springform_control::types::CreateType;
use springform_control::volumes::CreateVolume;
use springform_model::cloud::{AttachStatus, Attachment};
use springform_model::contract::{Connector, FailoverMode};
use springform_model::operation::OperationState;
use springform_model::replication::relation::{Move, MoveStep, Phase, Relation};
use springform_store::Changes;

const CONNECT: &str = "connections.connect";

/// A volume that is replicated; its id.
async fn mirrored(control: &Control) -> String {
    let mirrored = CreateType {
        name: "mirrored".into(),
        is_public: true,
        extra_specs: [("replication_enabled".to_owned(), "<is> True".to_owned())].into(),
        ..CreateType::default()
    };
    let caller = admin();
    control.types().create(&caller, mirrored).await.unwrap();
    let wanted = CreateVolume {
        size: 1,
        volume_type: Some("mirrored".to_owned()),
        ..CreateVolume::default()
    };
    let made = control.volumes().create(&caller, wanted).await.unwrap();
    let operation = made.operation.unwrap();
    control.operations().wait(&operation).await.unwrap();
    made.id
}

#[tokio::test]
async fn no_machine_is_connected_to_a_volume_that_no_array_serves() {
    let dir = tempfile::tempdir().unwrap();
    let array = Arc::new(Array::default());
    let control = start(&dir.path().join("db"), &array, 1).await;
    up(&control).await;
    let caller = admin();
    let id = mirrored(&control).await;
    let attachments = control.attachments();
    let reserved = CreateAttachment {
        volume_id: id.clone(),
        ..CreateAttachment::default()
    };
    let reserved = attachments.create(&caller, reserved).await.unwrap();

    let mut relation = Relation::new(id.clone(), "pure1", "a", 2, true);
    relation.serving = None;
    relation.phase = Phase::Stranded(Move {
        operation: "gone".into(),
        from: Some("a".into()),
        to: "b".into(),
        mode: FailoverMode::Planned,
        step: MoveStep::Promoting,
        half_there: false,
        source_in_doubt: false,
        silenced: Some("a".into()),
        returning: false,
    });
    let changes = Changes::new().insert(&relation);
    control.store().commit(changes).await.unwrap();
    let connector = Connector {
        host: "compute1".into(),
        initiator: Some("iqn.1993-08.org.debian:01:compute1".into()),
        ..Connector::default()
    };
    let refused = attachments.update(&caller, &reserved.id, connector).await;
    let said = refused.unwrap_err().message;
    assert!(said.contains("no array serves"), "{said}");
    assert!(said.contains("fail it over again"), "{said}");
    assert!(!array.log.lock().unwrap().contains(&CONNECT));
    let stored = control.store().get::<Attachment>(&reserved.id).await;
    let stored = stored.unwrap().unwrap().record;
    assert_eq!(
        (stored.status, stored.operation),
        (AttachStatus::ErrorAttaching, None)
    );
}

#[tokio::test]
async fn a_planned_move_whose_goal_refuses_the_role_leaves_the_volume_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let array = Arc::new(Array::default());
    let control = start(&dir.path().join("db"), &array, 1).await;
    up(&control).await;
    let caller = admin();
    let volume = mirrored(&control).await;
    let moved = async || {
        let mut ask = Ask::about(Scope::Volumes(vec![volume.clone()]));
        ask.to = Some("b".into());
        ask.mode = Some(FailoverMode::Planned);
        let replication = control.replication();
        let begun = replication.submit(&caller, Request::Failover(ask)).await;
        let ended = control.operations().wait(&begun.unwrap().id).await;
        ended.unwrap()
    };
    array.refusing.lock().unwrap().insert("b".into());
    let ended = moved().await;
    assert_eq!(ended.state, OperationState::Failed);
    let said = ended.error.unwrap().message;
    assert!(said.contains("a machine is connected"), "{said}");
    assert!(said.contains("a serves it"), "{said}");
    let relation = control.store().get::<Relation>(&volume).await;
    let relation = relation.unwrap().unwrap().record;
    assert_eq!(relation.serving.as_deref(), Some("a"));
    assert_eq!(relation.phase, Phase::Settled);
    let stayed = control.volumes().get(&caller, &volume).await.unwrap();
    assert_eq!(stayed.operation, None);
    assert_eq!(stayed.placement.unwrap().target, "a");
    // The goal was told not to serve it after it had been asked to, and before the source was.
    let log = array.log.lock().unwrap().clone();
    let role = |call: &&&str| ["replication.demote", "replication.fail-over"].contains(*call);
    let asked: Vec<&str> = log.iter().filter(role).copied().collect();
    let (demote, promote) = ("replication.demote", "replication.fail-over");
    assert_eq!(asked, [demote, promote, demote, promote]);

    array.refusing.lock().unwrap().clear();
    assert_eq!(moved().await.error, None);
    let there = control.volumes().get(&caller, &volume).await.unwrap();
    assert_eq!(there.placement.unwrap().target, "b");
}
