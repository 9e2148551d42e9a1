//! What is told to whoever watches operations is so by then.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::sync::Arc;

use common::{Array, admin, start, up};
use springform_control::volumes::CreateVolume;
use springform_model::cloud::{Volume, VolumeStatus};
use springform_model::operation::{Operation, OperationState};

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_told_that_an_operation_is_over_finds_the_volume_as_it_left_it() {
    let folder = tempfile::tempdir().unwrap();
    let array = Arc::new(Array::default());
    let control = start(&folder.path().join("db"), &array, 1).await;
    up(&control).await;
    let (volumes, caller) = (control.volumes(), admin());
    for _ in 0..50 {
        let mut events = control.operations().events();
        let wanted = CreateVolume {
            size: 1,
            ..CreateVolume::default()
        };
        let made = volumes.create(&caller, wanted).await.unwrap();
        let over = loop {
            let told = events.recv().await.unwrap();
            if told.subject == made.id && told.state.is_terminal() {
                break told;
            }
        };
        assert_eq!(over.state, OperationState::Succeeded);
        let volume = control.store().get::<Volume>(&made.id).await.unwrap();
        let volume = volume.unwrap().record;
        assert_eq!(
            (volume.status, volume.operation),
            (VolumeStatus::Available, None)
        );
        let journalled = control.store().get::<Operation>(&over.id).await.unwrap();
        assert_eq!(journalled.unwrap().record.state, over.state);
        let deleted = volumes.delete(&caller, &made.id, false, false).await;
        deleted.expect("nobody holds it");
    }
}
