//! A store that fails: no operation is lost, none ends without what it is about, nothing stays held.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code
)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use common::{Array, admin, open, start, until, up};
use springform_control::attachments::CreateAttachment;
use springform_control::snapshots::CreateSnapshot;
use springform_control::types::CreateType;
use springform_control::volumes::CreateVolume;
use springform_control::{Control, ControlError, ErrorKind};
use springform_model::cloud::{
    Attachment, ReplicationStatus, Service, Snapshot, SnapshotStatus, Volume, VolumeStatus,
};
use springform_model::contract::Connector;
use springform_model::operation::{Operation, OperationState};
use springform_store::{Attempt, Changes, Fault, Query};

const FULL: &str = "the disk is full";

fn mirrored(size: u64) -> CreateVolume {
    CreateVolume {
        size,
        volume_type: Some("mirrored".to_owned()),
        ..CreateVolume::default()
    }
}

async fn make_type(control: &Control) {
    let mirrored = CreateType {
        name: "mirrored".into(),
        is_public: true,
        extra_specs: [("replication_enabled".to_owned(), "<is> True".to_owned())].into(),
        ..CreateType::default()
    };
    control.types().create(&admin(), mirrored).await.unwrap();
}

/// As a client does that is told to come back: asks again until neither the store refuses nor another operation is in the way.
async fn asked<T, F>(request: impl Fn() -> F) -> Result<T, ControlError>
where
    F: Future<Output = Result<T, ControlError>>,
{
    loop {
        match request().await {
            Err(error) if error.message.contains(FULL) || error.operation.is_some() => {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            other => return other,
        }
    }
}

async fn ended(control: &Control, id: &str) -> Operation {
    let operations = control.operations();
    asked(|| operations.wait(id)).await.unwrap()
}

async fn all_ended(control: &Control) {
    until(|| async {
        let open = Query::new().eq("open", true);
        matches!(control.store().count::<Operation>(&open).await, Ok(0))
            && control.store().outage().is_none()
    })
    .await;
}

fn is_gone<T>(found: &Result<T, ControlError>) -> bool {
    matches!(found, Err(error) if error.kind == ErrorKind::NotFound)
}

/// What a tenant and an operator do with one volume, one after the other; each step must come to its end.
async fn journey(control: &Control) {
    let caller = admin();
    let volumes = control.volumes();
    let made = asked(|| volumes.create(&caller, mirrored(1)))
        .await
        .unwrap();
    all_ended(control).await;
    // What is asked again although it was done is refused for that.
    let grown = asked(|| volumes.extend(&caller, &made.id, 2)).await;
    all_ended(control).await;
    let volume = volumes.get(&caller, &made.id).await.unwrap();
    let first = Query::new().eq("subject", &made.id);
    let first = control.store().first::<Operation>(&first).await.unwrap();
    let first = first.and_then(|first| first.record.error);
    assert_eq!(volume.size, 2, "{grown:?} {first:?}");
    let wanted = CreateSnapshot {
        volume_id: made.id.clone(),
        force: true,
        ..CreateSnapshot::default()
    };
    let snapshots = control.snapshots();
    let taken = asked(|| snapshots.create(&caller, wanted.clone()))
        .await
        .unwrap();
    all_ended(control).await;
    let wanted = CreateAttachment {
        volume_id: made.id.clone(),
        connector: Some(Connector {
            host: "compute1".into(),
            initiator: Some("iqn.1993-08.org.debian:01:compute1".into()),
            ..Connector::default()
        }),
        ..CreateAttachment::default()
    };
    let attachments = control.attachments();
    let attached = asked(|| attachments.create(&caller, wanted.clone())).await;
    all_ended(control).await;
    let query = Query::new().eq("volume_id", &made.id);
    let known = control.store().list::<Attachment>(&query).await.unwrap();
    // One that was refused for the store may be there all the same; a client lists and removes it.
    assert!(attached.is_err() || !known.is_empty());
    for attachment in known {
        let asked_again = asked(|| attachments.delete(&caller, &attachment.id)).await;
        all_ended(control).await;
        let left = attachments.get(&caller, &attachment.id).await;
        assert!(is_gone(&left), "{asked_again:?} {left:?}");
    }
    let replication = control.replication();
    let moved = asked(|| replication.failover_host(&caller, "pure1", Some("b"))).await;
    all_ended(control).await;
    if let Ok(moved) = moved {
        let state = ended(control, &moved.id).await.state;
        assert_eq!(state, OperationState::Succeeded);
    }
    let service = control
        .store()
        .get::<Service>("pure1")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(service.replication_status, ReplicationStatus::FailedOver);
    // As above: what is being deleted already is refused, or is gone.
    let asked_again = asked(|| snapshots.delete(&caller, &taken.id, false)).await;
    all_ended(control).await;
    let left = snapshots.get(&caller, &taken.id).await;
    assert!(is_gone(&left), "{asked_again:?} {left:?}");
    let asked_again = asked(|| volumes.delete(&caller, &made.id, true, false)).await;
    all_ended(control).await;
    let left = volumes.get(&caller, &made.id).await;
    assert!(is_gone(&left), "{asked_again:?} {left:?}");
}

/// No record is held, and records and arrays agree.
async fn audit(control: &Control, array: &Array, told: &str) {
    let store = control.store();
    let volumes = store.list::<Volume>(&Query::new()).await.unwrap();
    let snapshots = store.list::<Snapshot>(&Query::new()).await.unwrap();
    for volume in &volumes {
        assert_eq!(volume.operation, None, "{told}");
        assert_eq!(volume.status, VolumeStatus::Available, "{told}");
    }
    for snapshot in &snapshots {
        assert_eq!(snapshot.operation, None, "{told}");
        assert_eq!(snapshot.status, SnapshotStatus::Available, "{told}");
    }
    for service in store.list::<Service>(&Query::new()).await.unwrap() {
        assert_eq!(service.operation, None, "{told}");
    }
    let mut recorded: Vec<String> = volumes.iter().map(|v| v.id.clone()).collect();
    recorded.sort();
    let held: Vec<String> = array.volumes.lock().unwrap().keys().cloned().collect();
    assert_eq!(held, recorded, "{told}");
    assert_eq!(
        array.snapshots.lock().unwrap().len(),
        snapshots.len(),
        "{told}"
    );
    assert!(array.connections.lock().unwrap().is_empty(), "{told}");
    for operation in store.list::<Operation>(&Query::new()).await.unwrap() {
        let state = operation.state;
        assert_eq!(
            state,
            OperationState::Succeeded,
            "{told}: {:?}",
            operation.error
        );
    }
}

/// The journey with an outage that begins at the `nth` commit. Gives how many commits there were.
async fn with_outage_at(nth: usize, fault: Fault) -> usize {
    let dir = tempfile::tempdir().unwrap();
    let array = Arc::new(Array::default());
    let control = start(&dir.path().join("db"), &array, 1).await;
    up(&control).await;
    make_type(&control).await;
    let commits = Arc::new(AtomicUsize::new(0));
    // Longer than an operation is run again for another reason.
    let looks = AtomicUsize::new(0);
    control.store().fail_with(Some(Arc::new({
        let commits = commits.clone();
        move |attempt| match attempt {
            Attempt::Commit(_) if commits.fetch_add(1, Ordering::SeqCst) == nth => fault.clone(),
            Attempt::Probe if looks.fetch_add(1, Ordering::SeqCst) < 3 => {
                Fault::Before(FULL.to_owned())
            }
            _ => Fault::None,
        }
    })));
    journey(&control).await;
    audit(&control, &array, &format!("outage at commit {nth}")).await;
    control.shutdown(std::time::Duration::from_secs(5)).await;
    commits.load(Ordering::SeqCst)
}

async fn at_every_commit(fault: Fault) {
    let commits = with_outage_at(usize::MAX, Fault::None).await;
    assert!(commits > 10, "the journey makes {commits} commits only");
    let mut all = tokio::task::JoinSet::new();
    for nth in 0..commits {
        all.spawn(with_outage_at(nth, fault.clone()));
    }
    all.join_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_whatever_commit_the_disk_is_full_everything_comes_to_its_end() {
    at_every_commit(Fault::Before(FULL.to_owned())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_whatever_commit_the_answer_of_the_disk_is_lost_everything_comes_to_its_end() {
    at_every_commit(Fault::After(FULL.to_owned())).await;
}

#[tokio::test]
async fn while_the_store_fails_requests_are_refused_readiness_says_why_and_what_is_begun_ends_afterwards()
 {
    let dir = tempfile::tempdir().unwrap();
    let array = Arc::new(Array::default());
    let control = start(&dir.path().join("db"), &array, 1).await;
    up(&control).await;
    make_type(&control).await;
    let caller = admin();
    let failing = Arc::new(AtomicBool::new(false));
    control.store().fail_with(Some(Arc::new({
        let failing = failing.clone();
        move |_| match failing.load(Ordering::SeqCst) {
            true => Fault::Before(FULL.to_owned()),
            false => Fault::None,
        }
    })));
    array.held.lock().unwrap().insert("volumes.create");
    let made = control
        .volumes()
        .create(&caller, mirrored(1))
        .await
        .unwrap();
    failing.store(true, Ordering::SeqCst);
    array.held.lock().unwrap().clear();
    until(|| async { control.store().outage().is_some() }).await;

    let refused = control
        .volumes()
        .create(&caller, mirrored(1))
        .await
        .unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Unavailable);
    assert!(refused.message.contains(FULL), "{refused}");
    let unready = control.ready().await.unwrap_err();
    assert!(unready.contains(FULL), "{unready}");
    let operation = made.operation.unwrap();
    let told = control
        .operations()
        .cancel(&caller, &operation)
        .await
        .unwrap_err();
    assert!(
        told.message.contains(&operation) && told.message.contains(FULL),
        "{told}"
    );

    failing.store(false, Ordering::SeqCst);
    let ended = ended(&control, &operation).await;
    assert_eq!(ended.state, OperationState::Succeeded);
    control.ready().await.unwrap();
    let volume = control.volumes().get(&caller, &made.id).await.unwrap();
    assert_eq!(
        (volume.status, volume.operation),
        (VolumeStatus::Available, None)
    );
}

/// As a release left them that ended operations without what they were about.
async fn leave_held(control: &Control, ids: &[String]) {
    for (n, id) in ids.iter().enumerate() {
        let mut volume = control.store().get::<Volume>(id).await.unwrap().unwrap();
        let ended = Query::new().eq("subject", id);
        let ended = control
            .store()
            .first::<Operation>(&ended)
            .await
            .unwrap()
            .unwrap();
        (volume.status, volume.operation) = match n {
            0 => (VolumeStatus::Creating, Some(ended.id.clone())),
            1 => (
                VolumeStatus::Deleting,
                Some("an operation that is gone".to_owned()),
            ),
            _ => (VolumeStatus::Available, Some(ended.id.clone())),
        };
        control
            .store()
            .commit(Changes::new().update(&volume))
            .await
            .unwrap();
    }
    let mut service = control
        .store()
        .get::<Service>("pure1")
        .await
        .unwrap()
        .unwrap();
    service.operation = Some("an operation that is gone".to_owned());
    service.replication_status = ReplicationStatus::FailingOver;
    control
        .store()
        .commit(Changes::new().update(&service))
        .await
        .unwrap();
}

async fn three(control: &Control) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..3 {
        let made = control
            .volumes()
            .create(&admin(), mirrored(1))
            .await
            .unwrap();
        ids.push(made.id);
    }
    all_ended(control).await;
    ids
}

async fn statuses(control: &Control, ids: &[String]) -> Vec<VolumeStatus> {
    let mut found = Vec::new();
    for id in ids {
        let volume = control.store().get::<Volume>(id).await.unwrap().unwrap();
        assert_eq!(volume.operation, None);
        found.push(volume.status);
    }
    found
}

const RELEASED: [VolumeStatus; 3] = [
    VolumeStatus::Error,
    VolumeStatus::ErrorDeleting,
    VolumeStatus::Available,
];

#[tokio::test]
async fn what_an_operation_holds_that_has_ended_or_is_gone_is_released_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let (file, array) = (dir.path().join("db"), Arc::new(Array::default()));
    let control = start(&file, &array, 1).await;
    up(&control).await;
    make_type(&control).await;
    let ids = three(&control).await;
    leave_held(&control, &ids).await;
    control.shutdown(std::time::Duration::from_secs(5)).await;

    let control = start(&file, &array, 1).await;
    assert_eq!(statuses(&control, &ids).await, RELEASED);
    let service = control
        .store()
        .get::<Service>("pure1")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(service.operation, None);
    assert_eq!(service.replication_status, ReplicationStatus::FailoverError);
}

#[tokio::test]
async fn what_an_operation_holds_that_has_ended_is_released_while_the_host_runs() {
    let dir = tempfile::tempdir().unwrap();
    let array = Arc::new(Array::default());
    let control = start(&dir.path().join("db"), &array, 1).await;
    up(&control).await;
    make_type(&control).await;
    let ids = three(&control).await;
    leave_held(&control, &ids).await;
    until(|| async {
        let held = Query::new().not_null("operation");
        matches!(control.store().count::<Volume>(&held).await, Ok(0))
    })
    .await;
    assert_eq!(statuses(&control, &ids).await, RELEASED);
}

#[tokio::test]
async fn an_operation_that_is_open_and_runs_nowhere_is_gone_on_with() {
    let dir = tempfile::tempdir().unwrap();
    let array = Arc::new(Array::default());
    let control = start(&dir.path().join("db"), &array, 1).await;
    up(&control).await;
    make_type(&control).await;
    let none = Query::new();
    while control.store().count::<Volume>(&none).await.unwrap() == 0 {
        until(|| async { control.store().outage().is_none() }).await;
        // The commit that begins the creation is made, and whoever asked is told that it failed. What the host writes by
        // itself may meet the fault first; then nothing is begun.
        control
            .store()
            .fail_with(Some(Arc::new(|attempt| match attempt {
                Attempt::Commit(_) => Fault::After(FULL.to_owned()),
                Attempt::Probe => Fault::None,
            })));
        let refused = control.volumes().create(&admin(), mirrored(1)).await;
        assert_eq!(refused.unwrap_err().kind, ErrorKind::Unavailable);
        control.store().fail_with(None);
    }
    all_ended(&control).await;
    let volumes = control.store().list::<Volume>(&none).await.unwrap();
    assert_eq!(volumes[0].status, VolumeStatus::Available);
}

#[tokio::test]
async fn an_operation_on_which_the_host_itself_fails_ends_with_what_it_is_about() {
    let dir = tempfile::tempdir().unwrap();
    let array = Arc::new(Array::default());
    let control = start(&dir.path().join("db"), &array, 1).await;
    up(&control).await;
    make_type(&control).await;
    array.panics.store(true, Ordering::SeqCst);
    let made = control
        .volumes()
        .create(&admin(), mirrored(1))
        .await
        .unwrap();
    let operation = made.operation.unwrap();
    let ended = ended(&control, &operation).await;
    assert_eq!(ended.state, OperationState::Failed);
    assert_eq!(ended.error.unwrap().code, "internal");
    let volume = control.volumes().get(&admin(), &made.id).await.unwrap();
    assert_eq!(
        (volume.status, volume.operation),
        (VolumeStatus::Error, None)
    );

    array.panics.store(false, Ordering::SeqCst);
    control
        .volumes()
        .delete(&admin(), &made.id, false, false)
        .await
        .unwrap();
    all_ended(&control).await;
}

#[tokio::test]
async fn a_volume_that_is_asked_for_before_its_backend_is_set_up_is_made_once_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let array = Arc::new(Array::default());
    array.held.lock().unwrap().insert("backend.setup");
    let store = open(&dir.path().join("db")).await;
    let control = Control::start(
        common::config(1),
        store,
        Arc::new(common::Loader(array.clone())),
        springform_control::Clock::system(),
    );
    let control = control.await.unwrap();
    control.ready().await.unwrap();
    make_type(&control).await;
    let asked = tokio::spawn({
        let control = control.clone();
        async move { control.volumes().create(&admin(), mirrored(1)).await }
    });
    until(|| async { array.log.lock().unwrap().contains(&"backend.setup") }).await;
    assert!(!asked.is_finished());
    array.held.lock().unwrap().clear();
    let made = asked.await.unwrap().unwrap();
    all_ended(&control).await;
    let volume = control.volumes().get(&admin(), &made.id).await.unwrap();
    assert_eq!(volume.status, VolumeStatus::Available);
}
