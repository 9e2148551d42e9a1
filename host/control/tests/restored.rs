//! Records are brought up to what the arrays say: after a restore nothing is done before that, and nothing is in its way that
//! will be over in a moment.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::{Array, admin, start, until, up};
use springform_control::Control;
use springform_control::replication::{Ask, Request, Scope};
use springform_control::types::CreateType;
use springform_control::volumes::CreateVolume;
use springform_model::operation::{Operation, OperationState, Verb};
use springform_model::time::Timestamp;
use springform_store::{Changes, Query, RestoreMark};

const EXTEND: &str = "volumes.extend";

/// A host with a replicated volume.
async fn host(path: &Path, array: &Arc<Array>) -> (Control, String) {
    let control = start(path, array, 1).await;
    up(&control).await;
    let mirrored = CreateType {
        name: "mirrored".into(),
        is_public: true,
        extra_specs: [("replication_enabled".to_owned(), "<is> True".to_owned())].into(),
        ..CreateType::default()
    };
    control.types().create(&admin(), mirrored).await.unwrap();
    let wanted = CreateVolume {
        size: 1,
        volume_type: Some("mirrored".to_owned()),
        ..CreateVolume::default()
    };
    let made = control.volumes().create(&admin(), wanted).await.unwrap();
    let operation = made.operation.unwrap();
    control.operations().wait(&operation).await.unwrap();
    (control, made.id)
}

fn calls(array: &Array, name: &str) -> usize {
    let log = array.log.lock().unwrap();
    log.iter().filter(|call| **call == name).count()
}

/// Grows the volume on an array that takes its time.
async fn grows(control: &Control, array: &Array, volume: &str) -> String {
    array.held.lock().unwrap().insert(EXTEND);
    let volumes = control.volumes();
    volumes.extend(&admin(), volume, 2).await.unwrap();
    until(|| async { calls(array, EXTEND) > 0 }).await;
    let query = Query::new().eq("open", true);
    let open = control.store().list::<Operation>(&query).await.unwrap();
    let open = open.into_iter().find(|o| o.verb == Verb::ExtendVolume);
    open.unwrap().record.id
}

async fn adopt(control: &Control, dry_run: bool) -> Operation {
    let mut ask = Ask::about(Scope::Backend("pure1".into()));
    (ask.adopt, ask.dry_run) = (true, dry_run);
    let replication = control.replication();
    let begun = replication.submit(&admin(), Request::Reconcile(ask)).await;
    begun.unwrap()
}

async fn ended(control: &Control, operation: &str) -> Operation {
    control.operations().wait(operation).await.unwrap()
}

#[tokio::test]
async fn an_open_operation_of_a_restored_database_waits_until_what_the_arrays_say_was_adopted() {
    let dir = tempfile::tempdir().unwrap();
    let (path, array) = (dir.path().join("db"), Arc::new(Array::default()));
    let (control, volume) = host(&path, &array).await;
    let grows = grows(&control, &array, &volume).await;
    let mark = RestoreMark::new(Timestamp::now(), None);
    control
        .store()
        .commit(Changes::new().put(&mark))
        .await
        .unwrap();
    control.shutdown(Duration::ZERO).await;
    drop(control);
    array.held.lock().unwrap().clear();
    array.log.lock().unwrap().clear();

    let control = start(&path, &array, 1).await;
    up(&control).await;
    let looked = adopt(&control, true).await;
    let looked = ended(&control, &looked.id).await;
    assert_eq!(looked.state, OperationState::Succeeded, "{looked:?}");
    let open = control.operations().get(&admin(), &grows).await.unwrap();
    assert!(!open.state.is_terminal(), "{open:?}");
    assert_eq!(calls(&array, EXTEND), 0);

    let adopted = adopt(&control, false).await;
    let adopted = ended(&control, &adopted.id).await;
    assert_eq!(adopted.state, OperationState::Succeeded, "{adopted:?}");
    until(|| async {
        let grown = control.operations().get(&admin(), &grows).await;
        grown.is_ok_and(|o| o.state == OperationState::Succeeded)
    })
    .await;
    let grown = control.volumes().get(&admin(), &volume).await.unwrap();
    assert_eq!((grown.size, grown.operation), (2, None));
}

#[tokio::test]
async fn an_adoption_waits_for_an_operation_that_holds_a_volume() {
    let dir = tempfile::tempdir().unwrap();
    let (path, array) = (dir.path().join("db"), Arc::new(Array::default()));
    let (control, volume) = host(&path, &array).await;
    let grows = grows(&control, &array, &volume).await;
    let adopts = adopt(&control, false).await;
    until(|| async {
        let begun = control.operations().get(&admin(), &adopts.id).await;
        begun.is_ok_and(|o| !o.steps.is_empty())
    })
    .await;
    array.held.lock().unwrap().clear();
    let adopted = ended(&control, &adopts.id).await;
    assert_eq!(adopted.state, OperationState::Succeeded, "{adopted:?}");
    ended(&control, &grows).await;
    let grown = control.volumes().get(&admin(), &volume).await.unwrap();
    assert_eq!((grown.size, grown.operation), (2, None));
}
