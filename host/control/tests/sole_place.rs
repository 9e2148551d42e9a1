//! A driver that says that a volume is where another one is.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code
)]

mod common;

use std::sync::Arc;

use common::{Array, admin, start, up};
use springform_control::Control;
use springform_control::volumes::CreateVolume;
use springform_model::cloud::{Volume, VolumeStatus};
use springform_model::operation::Operation;

async fn created(control: &Control) -> (Volume, Operation) {
    let wanted = CreateVolume {
        size: 1,
        ..CreateVolume::default()
    };
    let made = control.volumes().create(&admin(), wanted).await.unwrap();
    let operation = made.operation.unwrap();
    let ended = control.operations().wait(&operation).await.unwrap();
    let volume = control.volumes().get(&admin(), &made.id).await.unwrap();
    (volume, ended)
}

#[tokio::test]
async fn a_volume_is_never_recorded_where_another_one_is() {
    let dir = tempfile::tempdir().unwrap();
    let array = Arc::new(Array::default());
    let control = start(&dir.path().join("db"), &array, 1).await;
    up(&control).await;
    let (first, _) = created(&control).await;
    let name = first.placement.clone().unwrap().array_name;

    *array.answers.lock().unwrap() = Some(name.clone());
    let (second, ended) = created(&control).await;
    assert_eq!(
        (second.status, second.placement),
        (VolumeStatus::Error, None)
    );
    let error = ended.error.unwrap();
    assert_eq!(error.code, "wrong-reply");
    assert!(
        error.message.contains(&name) && error.message.contains(&first.id),
        "{}",
        error.message
    );

    let unchanged = control.volumes().get(&admin(), &first.id).await.unwrap();
    assert_eq!(unchanged, first);
    *array.answers.lock().unwrap() = None;
    assert_eq!(created(&control).await.0.status, VolumeStatus::Available);
}
