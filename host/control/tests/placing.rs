//! Where the scheduler puts a volume: beside others, apart from them, by the weighers that the operator chose.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{Array, Loader, admin, config, open, up};
use springform_control::scheduler::{Hints, Weigher, Weighers};
use springform_control::types::CreateType;
use springform_control::volumes::CreateVolume;
use springform_control::{Caller, Clock, Control};
use springform_model::cloud::{UserMessage, Volume, VolumeStatus};
use springform_store::Query;

/// Backends that have the same room, of which the operator speaks better and better.
async fn start(path: &std::path::Path, weighers: Weighers) -> Control {
    let mut config = config(3);
    for (backend, goodness) in config.backends.iter_mut().zip([10, 90, 50]) {
        backend.goodness = goodness;
    }
    config.weighers = weighers;
    let loader = Arc::new(Loader(Arc::new(Array::default())));
    let control = Control::start(config, open(path).await, loader, Clock::system())
        .await
        .unwrap();
    up(&control).await;
    control
}

fn gib() -> CreateVolume {
    CreateVolume {
        size: 1,
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

async fn place(control: &Control, caller: &Caller, hints: Hints) -> Volume {
    let wanted = CreateVolume {
        size: 1,
        hints,
        ..CreateVolume::default()
    };
    let made = control.volumes().create(caller, wanted).await.unwrap();
    let operation = made.operation.unwrap();
    control.operations().wait(&operation).await.unwrap();
    control.volumes().get(&admin(), &made.id).await.unwrap()
}

fn apart(volumes: &[&Volume]) -> Hints {
    Hints {
        different_host: volumes.iter().map(|volume| volume.id.clone()).collect(),
        ..Hints::default()
    }
}

fn beside(volume: &str) -> Hints {
    Hints {
        same_host: vec![volume.to_owned()],
        ..Hints::default()
    }
}

#[tokio::test]
async fn hints_put_volumes_apart_and_beside_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let control = start(&dir.path().join("db"), Weighers::default()).await;
    let one = place(&control, &admin(), Hints::default()).await;
    let two = place(&control, &admin(), apart(&[&one])).await;
    let three = place(&control, &admin(), apart(&[&one, &two])).await;
    let mut used = [&one, &two, &three].map(|volume| volume.backend.clone().unwrap());
    used.sort();
    assert_eq!(used, ["pure1", "pure2", "pure3"]);
    for volume in [&one, &two, &three] {
        let near = place(&control, &admin(), beside(&volume.id)).await;
        assert_eq!(near.backend, volume.backend);
    }
    let nowhere = place(&control, &admin(), apart(&[&one, &two, &three])).await;
    assert_eq!(nowhere.status, VolumeStatus::Error);
    let stranger = Caller::new("s", "stranger", vec!["member".into()]);
    let hidden = place(&control, &stranger, beside(&one.id)).await;
    assert_eq!(
        hidden.status,
        VolumeStatus::Error,
        "another project's volume is nowhere"
    );
}

#[tokio::test]
async fn a_hint_that_means_nothing_here_is_told_and_does_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    let control = start(&dir.path().join("db"), Weighers::default()).await;
    let hints = Hints {
        local_to_instance: Some("a-server".into()),
        ..Hints::default()
    };
    let made = place(&control, &admin(), hints).await;
    assert_eq!(made.status, VolumeStatus::Available);
    let about = Query::new().eq("resource_uuid", &made.id);
    let told = control.store().list::<UserMessage>(&about).await.unwrap();
    assert_eq!(told.len(), 1);
    assert!(
        told[0]
            .user_message
            .contains("local_to_instance was ignored")
    );
}

#[tokio::test]
async fn the_weighers_of_the_operator_decide_among_what_fits() {
    let best = async |weighers: Vec<(Weigher, f64)>| {
        let dir = tempfile::tempdir().unwrap();
        let control = start(&dir.path().join("db"), Weighers(weighers)).await;
        let made = place(&control, &admin(), Hints::default()).await;
        made.backend.unwrap()
    };
    assert_eq!(best(vec![(Weigher::Goodness, 1.0)]).await, "pure2");
    assert_eq!(
        best(vec![(Weigher::Goodness, -1.0)]).await,
        "pure1",
        "the least good"
    );
}

#[tokio::test]
async fn a_full_backend_is_left_for_the_next_one() {
    let dir = tempfile::tempdir().unwrap();
    let array = Arc::new(Array::default());
    array.full.lock().unwrap().push("pure1".into());
    let control = common::start(&dir.path().join("db"), &array, 2).await;
    up(&control).await;
    let made = control.volumes().create(&admin(), gib()).await.unwrap();
    assert_eq!(made.backend.as_deref(), Some("pure1"));
    let volume = settled(&control, &made.id).await;
    assert_eq!(
        (volume.status, volume.backend.as_deref()),
        (VolumeStatus::Available, Some("pure2"))
    );
    control.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn no_valid_backend_says_which_filter_refused_which_backend() {
    let dir = tempfile::tempdir().unwrap();
    let control = common::start(&dir.path().join("db"), &Arc::new(Array::default()), 2).await;
    up(&control).await;
    control
        .services()
        .freeze(&admin(), "springform@pure1")
        .await
        .unwrap();
    let spec = ("volume_backend_name".to_owned(), "mars".to_owned());
    let kind = CreateType {
        name: "far".to_owned(),
        is_public: true,
        extra_specs: [spec].into(),
        ..CreateType::default()
    };
    control.types().create(&admin(), kind).await.unwrap();
    let wanted = CreateVolume {
        volume_type: Some("far".to_owned()),
        ..gib()
    };
    let made = control.volumes().create(&admin(), wanted).await.unwrap();
    assert_eq!(
        settled(&control, &made.id).await.status,
        VolumeStatus::Error
    );
    let message = control
        .store()
        .first::<UserMessage>(&Query::new())
        .await
        .unwrap()
        .unwrap()
        .record;
    assert!(
        message
            .user_message
            .contains("pure1: ServiceFilter: it is frozen"),
        "{}",
        message.user_message
    );
    assert!(
        message.user_message.contains(
            "pure2#pool: CapabilitiesFilter: its volume_backend_name is pure2, which has to be mars"
        ),
        "{}",
        message.user_message
    );
    assert_eq!(message.resource_uuid, Some(made.id));
    control.shutdown(Duration::from_secs(5)).await;
}
