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
use springform_control::attachments::CreateAttachment;
use springform_control::types::CreateType;
use springform_control::volumes::CreateVolume;
use springform_model::cloud::{AttachStatus, Attachment};
use springform_model::contract::{Connector, FailoverMode};
use springform_model::replication::relation::{Move, MoveStep, Phase, Relation};
use springform_store::Changes;

const CONNECT: &str = "connections.connect";

#[tokio::test]
async fn no_machine_is_connected_to_a_volume_that_no_array_serves() {
    let dir = tempfile::tempdir().unwrap();
    let array = Arc::new(Array::default());
    let control = start(&dir.path().join("db"), &array, 1).await;
    up(&control).await;
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
    let attachments = control.attachments();
    let reserved = CreateAttachment {
        volume_id: made.id.clone(),
        ..CreateAttachment::default()
    };
    let reserved = attachments.create(&caller, reserved).await.unwrap();

    let mut relation = Relation::new(made.id.clone(), "pure1", "a", 2, true);
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
