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
use springform_control::replication::{Ask, Request, Scope};
use springform_control::types::CreateType;
use springform_control::volumes::CreateVolume;
use springform_model::cloud::{Volume, VolumeStatus};
use springform_model::contract::FailoverMode;
use springform_model::operation::{Operation, OperationState};

async fn created(control: &Control) -> (Volume, Operation) {
    created_of(control, None).await
}

async fn created_of(control: &Control, kind: Option<&str>) -> (Volume, Operation) {
    let wanted = CreateVolume {
        size: 1,
        volume_type: kind.map(str::to_owned),
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

#[tokio::test(flavor = "multi_thread")]
async fn of_volumes_that_are_placed_at_the_same_moment_one_has_the_place() {
    for _ in 0..5 {
        let dir = tempfile::tempdir().unwrap();
        let array = Arc::new(Array::default());
        let control = start(&dir.path().join("db"), &array, 1).await;
        up(&control).await;
        *array.answers.lock().unwrap() = Some("the-same".to_owned());
        let made = futures_util::future::join_all((0..8).map(|_| created(&control))).await;
        let placed = made.iter().filter(|(volume, _)| volume.placement.is_some());
        assert_eq!(placed.count(), 1, "{made:?}");
        for (volume, ended) in made {
            let code = ended.error.map(|error| error.code);
            match volume.placement {
                Some(_) => assert_eq!(code, None),
                None => assert_eq!(code.as_deref(), Some("wrong-reply")),
            }
        }
    }
}

#[tokio::test]
async fn a_failover_takes_no_volume_to_where_another_one_is() {
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
    control.types().create(&admin(), mirrored).await.unwrap();
    let (first, _) = created_of(&control, Some("mirrored")).await;
    let (second, _) = created_of(&control, Some("mirrored")).await;
    assert_eq!(moved(&control, &first).await.error, None);
    let there = control.volumes().get(&admin(), &first.id).await.unwrap();
    let place = there.placement.clone().unwrap();
    assert_eq!(place.target, "b");

    *array.answers.lock().unwrap() = Some(place.array_name.clone());
    let ended = moved(&control, &second).await;
    assert_eq!(ended.state, OperationState::Failed);
    let error = ended.error.unwrap();
    assert_eq!(error.code, "wrong-reply");
    assert!(error.message.contains(&first.id), "{}", error.message);
    let stayed = control.volumes().get(&admin(), &second.id).await.unwrap();
    assert_eq!(stayed.placement, second.placement);
    let unchanged = control.volumes().get(&admin(), &first.id).await.unwrap();
    assert_eq!(unchanged, there);
    *array.answers.lock().unwrap() = None;
    assert_eq!(moved(&control, &second).await.error, None);
}

#[tokio::test]
async fn a_name_may_be_had_once_on_each_array() {
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
    control.types().create(&admin(), mirrored).await.unwrap();
    let (first, _) = created_of(&control, Some("mirrored")).await;
    assert_eq!(moved(&control, &first).await.error, None);
    let there = control.volumes().get(&admin(), &first.id).await.unwrap();
    let away = there.placement.unwrap();
    *array.answers.lock().unwrap() = Some(away.array_name.clone());
    let (second, ended) = created(&control).await;
    assert_eq!(ended.error, None);
    let here = second.placement.unwrap();
    assert_eq!(here.array_name, away.array_name);
    assert_ne!(here.target, away.target);
    let (third, ended) = created(&control).await;
    assert_eq!(third.placement, None);
    assert_eq!(ended.error.unwrap().code, "wrong-reply");
}

/// Fails it over to the second array; the operation when it has ended.
async fn moved(control: &Control, volume: &Volume) -> Operation {
    let mut ask = Ask::about(Scope::Volumes(vec![volume.id.clone()]));
    ask.to = Some("b".into());
    ask.mode = Some(FailoverMode::Unplanned);
    let replication = control.replication();
    let begun = replication.submit(&admin(), Request::Failover(ask)).await;
    let operation = begun.unwrap().id;
    control.operations().wait(&operation).await.unwrap()
}
