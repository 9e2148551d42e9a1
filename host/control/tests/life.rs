//! The life of volumes over a simulated driver: what happens, what is refused, what survives a crash.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code
)]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::{Array, admin, start, until, up};
use springform_control::snapshots::CreateSnapshot;
use springform_control::volumes::{CreateVolume, UpdateVolume};
use springform_control::{Control, ErrorKind};
use springform_model::cloud::{SnapshotStatus, Volume, VolumeStatus};
use springform_model::contract::Connector;
use springform_model::operation::{Operation, OperationState};
use springform_store::Query;

fn gib(size: u64) -> CreateVolume {
    CreateVolume {
        size,
        ..CreateVolume::default()
    }
}

async fn settled(control: &Control, id: &str) -> Volume {
    let volume = control.volumes().get(&admin(), id).await.unwrap();
    if let Some(operation) = volume.operation {
        control.operations().wait(&operation).await.unwrap();
    }
    control.volumes().get(&admin(), id).await.unwrap()
}

#[tokio::test]
async fn a_volume_is_created_extended_snapshotted_attached_and_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let array = Arc::new(Array::default());
    let control = start(&dir.path().join("db"), &array, 1).await;
    up(&control).await;
    let caller = admin();
    let made = control.volumes().create(&caller, gib(1)).await.unwrap();
    assert_eq!(made.status, VolumeStatus::Creating);
    let volume = settled(&control, &made.id).await;
    assert_eq!(volume.status, VolumeStatus::Available);
    assert_eq!(volume.host.as_deref(), Some("springform@pure1#pool"));
    assert_eq!(volume.metadata["array"], "pure1");

    control
        .volumes()
        .extend(&caller, &made.id, 3)
        .await
        .unwrap();
    assert_eq!(settled(&control, &made.id).await.size, 3);
    let refused = control
        .volumes()
        .extend(&caller, &made.id, 2)
        .await
        .unwrap_err();
    assert_eq!(
        refused.message,
        "Invalid input received: New size for extend must be greater than current size. (current: 3, extended: 2)."
    );

    let wanted = CreateSnapshot {
        volume_id: made.id.clone(),
        ..CreateSnapshot::default()
    };
    let snapshot = control.snapshots().create(&caller, wanted).await.unwrap();
    control
        .operations()
        .wait(snapshot.operation.as_deref().unwrap())
        .await
        .unwrap();
    assert_eq!(
        control
            .snapshots()
            .get(&caller, &snapshot.id)
            .await
            .unwrap()
            .status,
        SnapshotStatus::Available
    );
    let refused = control
        .volumes()
        .delete(&caller, &made.id, false, false)
        .await
        .unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Invalid);

    let connector = Connector {
        host: "h1".into(),
        initiator: Some("iqn.1".into()),
        ..Connector::default()
    };
    let connection = control
        .volumes()
        .initialize_connection(&caller, &made.id, connector.clone())
        .await
        .unwrap();
    assert_eq!(connection.chap.unwrap().password.len(), 16);
    control
        .volumes()
        .attach(
            &caller,
            &made.id,
            Some("vm".into()),
            Some("h1".into()),
            Some("/dev/vdb".into()),
            None,
        )
        .await
        .unwrap();
    let attached = control.volumes().get(&caller, &made.id).await.unwrap();
    assert_eq!(
        (attached.status, attached.attachments.len()),
        (VolumeStatus::InUse, 1)
    );
    control
        .volumes()
        .begin_detaching(&caller, &made.id)
        .await
        .unwrap();
    let mut nova = caller.clone();
    nova.is_service = true;
    control
        .volumes()
        .terminate_connection(&nova, &made.id, Some(connector))
        .await
        .unwrap();
    control
        .volumes()
        .detach(&nova, &made.id, None)
        .await
        .unwrap();
    assert_eq!(
        control
            .volumes()
            .get(&caller, &made.id)
            .await
            .unwrap()
            .status,
        VolumeStatus::Available
    );

    control
        .volumes()
        .delete(&caller, &made.id, true, false)
        .await
        .unwrap();
    until(|| async { control.volumes().get(&admin(), &made.id).await.is_err() }).await;
    assert!(array.volumes.lock().unwrap().is_empty());
    assert!(
        control
            .metrics_text()
            .await
            .contains("springform_driver_calls_total")
    );
    control.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn no_chap_password_is_in_the_journal_or_in_an_attachment() {
    let dir = tempfile::tempdir().unwrap();
    let control = start(&dir.path().join("db"), &Arc::new(Array::default()), 1).await;
    up(&control).await;
    let made = control.volumes().create(&admin(), gib(1)).await.unwrap();
    settled(&control, &made.id).await;
    let connector = Connector {
        host: "h1".into(),
        initiator: Some("iqn.1".into()),
        ..Connector::default()
    };
    let connection = control
        .volumes()
        .initialize_connection(&admin(), &made.id, connector)
        .await
        .unwrap();
    let password = connection.chap.unwrap().password.to_string();
    let journal = control
        .operations()
        .list(&admin(), Query::new())
        .await
        .unwrap();
    let attachments = control
        .attachments()
        .list(&admin(), Query::new(), true)
        .await
        .unwrap();
    assert_eq!(attachments.len(), 1);
    let shown = serde_json::to_string(&(journal, attachments)).unwrap();
    assert!(!shown.contains(&password));
    control.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn enable_really_enables_and_frozen_refuses_deletes() {
    let dir = tempfile::tempdir().unwrap();
    let control = start(&dir.path().join("db"), &Arc::new(Array::default()), 1).await;
    up(&control).await;
    let made = control.volumes().create(&admin(), gib(1)).await.unwrap();
    settled(&control, &made.id).await;
    control
        .services()
        .disable(&admin(), "springform@pure1", Some("why not".into()))
        .await
        .unwrap();
    assert!(
        control
            .schedule(&springform_control::scheduler::Request {
                size: 1,
                ..Default::default()
            })
            .await
            .is_err()
    );
    control
        .services()
        .enable(&admin(), "springform@pure1")
        .await
        .unwrap();
    assert!(
        control
            .schedule(&springform_control::scheduler::Request {
                size: 1,
                ..Default::default()
            })
            .await
            .is_ok()
    );
    control
        .services()
        .freeze(&admin(), "springform@pure1")
        .await
        .unwrap();
    let refused = control
        .volumes()
        .delete(&admin(), &made.id, false, false)
        .await
        .unwrap_err();
    assert_eq!(
        refused.message,
        "Invalid input received: Modification operations are not allowed on frozen storage backends."
    );
    control
        .services()
        .thaw(&admin(), "springform@pure1")
        .await
        .unwrap();
    control
        .volumes()
        .delete(&admin(), &made.id, false, false)
        .await
        .unwrap();
    control.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_creation_that_was_interrupted_after_the_array_acted_is_finished_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let array = Arc::new(Array::default());
    array.hang.store(true, Ordering::SeqCst);
    let control = start(&path, &array, 1).await;
    up(&control).await;
    let made = control.volumes().create(&admin(), gib(1)).await.unwrap();
    until(|| async { !array.volumes.lock().unwrap().is_empty() }).await;
    control.shutdown(Duration::ZERO).await;

    array.hang.store(false, Ordering::SeqCst);
    let control = start(&path, &array, 1).await;
    assert_eq!(
        settled(&control, &made.id).await.status,
        VolumeStatus::Available
    );
    assert_eq!(array.volumes.lock().unwrap().len(), 1);
    let open = control
        .store()
        .count::<Operation>(&Query::new().eq("open", true))
        .await
        .unwrap();
    assert_eq!(open, 0);
    control.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_second_request_names_the_operation_that_holds_the_volume() {
    let dir = tempfile::tempdir().unwrap();
    let array = Arc::new(Array::default());
    array.hang.store(true, Ordering::SeqCst);
    let control = start(&dir.path().join("db"), &array, 1).await;
    up(&control).await;
    let made = control.volumes().create(&admin(), gib(1)).await.unwrap();
    let refused = control
        .volumes()
        .extend(&admin(), &made.id, 5)
        .await
        .unwrap_err();
    assert_eq!(
        (refused.kind, refused.operation),
        (ErrorKind::Conflict, made.operation)
    );
    let name = UpdateVolume {
        name: Some(Some("n".into())),
        ..UpdateVolume::default()
    };
    assert_eq!(
        control
            .volumes()
            .update(&admin(), &made.id, name)
            .await
            .unwrap()
            .name
            .as_deref(),
        Some("n")
    );
    control.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn the_quota_holds_under_concurrent_creations() {
    let dir = tempfile::tempdir().unwrap();
    let control = start(&dir.path().join("db"), &Arc::new(Array::default()), 1).await;
    up(&control).await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..30 {
        let control = control.clone();
        tasks.spawn(async move { control.volumes().create(&admin(), gib(1)).await });
    }
    let outcomes = tasks.join_all().await;
    let refused: Vec<_> = outcomes
        .iter()
        .filter_map(|outcome| outcome.as_ref().err())
        .collect();
    assert_eq!(refused.len(), 20);
    assert!(
        refused
            .iter()
            .all(|error| error.kind == ErrorKind::OverLimit)
    );
    control.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_backend_whose_array_is_away_at_start_recovers_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let array = Arc::new(Array::default());
    array.away.store(true, Ordering::SeqCst);
    let control = start(&dir.path().join("db"), &array, 1).await;
    let backend = control.backend("pure1").unwrap().clone();
    until(|| async {
        backend
            .status()
            .reason
            .is_some_and(|reason| reason.contains("does not answer"))
    })
    .await;
    assert!(!backend.status().is_up());
    array.away.store(false, Ordering::SeqCst);
    until(|| async { backend.status().is_up() }).await;
    control.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn creations_of_sixteen_clients_all_become_available() {
    let dir = tempfile::tempdir().unwrap();
    let control = start(&dir.path().join("db"), &Arc::new(Array::default()), 1).await;
    up(&control).await;
    control
        .quotas()
        .set(
            "p",
            BTreeMap::from([("volumes".to_owned(), -1), ("gigabytes".to_owned(), -1)]),
        )
        .await
        .unwrap();
    let begun = tokio::time::Instant::now();
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let control = control.clone();
        clients.spawn(async move {
            for _ in 0..25 {
                let made = control.volumes().create(&admin(), gib(1)).await.unwrap();
                let ended = control
                    .operations()
                    .wait(made.operation.as_deref().unwrap())
                    .await
                    .unwrap();
                assert_eq!(ended.state, OperationState::Succeeded);
            }
        });
    }
    clients.join_all().await;
    println!(
        "{:.0} creations a second",
        400.0 / begun.elapsed().as_secs_f64()
    );
    let available = control
        .volumes()
        .summary(&admin(), Query::new().eq("status", "available"), true)
        .await
        .unwrap();
    assert_eq!(available, (400, 400));
    control.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_host_is_ready_while_its_database_answers_and_until_it_stops() {
    let folder = tempfile::tempdir().unwrap();
    let array = Arc::new(Array::default());
    let control = start(&folder.path().join("c.db"), &array, 1).await;
    assert_eq!(control.ready().await, Ok(()));
    control.store().close().await;
    let reason = control.ready().await.unwrap_err();
    assert!(reason.contains("the database cannot be read"), "{reason}");
    control.shutdown(Duration::ZERO).await;
    assert_eq!(
        control.ready().await,
        Err("the host is stopping".to_owned())
    );
}

#[tokio::test]
async fn an_offered_volume_is_not_accepted_into_a_project_that_has_no_room_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let array = Arc::new(Array::default());
    let control = start(&dir.path().join("db"), &array, 1).await;
    up(&control).await;
    let caller = admin();
    let made = control.volumes().create(&caller, gib(3)).await.unwrap();
    settled(&control, &made.id).await;
    let transfers = control.transfers();
    let (offer, key) = transfers
        .create(&caller, &made.id, None, false)
        .await
        .unwrap();
    let other = springform_control::Caller::new("s", "small", Vec::new());
    let limit = |gib: i64| BTreeMap::from([("gigabytes".to_owned(), gib)]);
    control.quotas().set("small", limit(2)).await.unwrap();
    let refused = transfers.accept(&other, &offer.id, &key).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::OverLimit, "{refused}");
    let still = control.volumes().get(&caller, &made.id).await.unwrap();
    assert_eq!(still.project_id, "p");
    control.quotas().set("small", limit(3)).await.unwrap();
    assert!(
        transfers
            .accept(&other, &offer.id, &key)
            .await
            .unwrap()
            .accepted
    );
}
