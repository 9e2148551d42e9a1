//! Hosts that come and go at the same time: each reaches what it is attached to, and nothing is left behind.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code
)]

mod common;

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use common::{Array, admin, start, until, up};
use springform_control::attachments::CreateAttachment;
use springform_control::types::CreateType;
use springform_control::volumes::{CreateVolume, Migration};
use springform_control::{Control, ErrorKind};
use springform_model::cloud::{AttachStatus, Attachment, VolumeStatus};
use springform_model::contract::Connector;

struct Rig {
    control: Control,
    array: Arc<Array>,
    _folder: tempfile::TempDir,
}

fn host(name: &str) -> Option<Connector> {
    Some(Connector {
        host: name.into(),
        initiator: Some(format!("iqn.{name}")),
        ..Connector::default()
    })
}

/// A type of volumes that several hosts may use.
fn shared(name: &str) -> CreateType {
    let spec = ("multiattach".to_owned(), "<is> True".to_owned());
    CreateType {
        name: name.to_owned(),
        is_public: true,
        extra_specs: [spec].into(),
        ..CreateType::default()
    }
}

impl Rig {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let array = Arc::new(Array::default());
        let control = start(&folder.path().join("db"), &array, 1).await;
        up(&control).await;
        control
            .types()
            .create(&admin(), shared("shared"))
            .await
            .unwrap();
        Self {
            control,
            array,
            _folder: folder,
        }
    }

    async fn volume(&self) -> String {
        let wanted = CreateVolume {
            size: 1,
            volume_type: Some("shared".to_owned()),
            ..CreateVolume::default()
        };
        let made = self.control.volumes().create(&admin(), wanted).await;
        let id = made.unwrap().id;
        until(|| async { self.status(&id).await == VolumeStatus::Available }).await;
        id
    }

    async fn status(&self, volume: &str) -> VolumeStatus {
        let found = self.control.volumes().get(&admin(), volume).await;
        found.unwrap().status
    }

    async fn attach(&self, volume: &str, connector: Option<Connector>) -> String {
        let used = connector.is_some();
        let wanted = CreateAttachment {
            volume_id: volume.to_owned(),
            connector,
            ..CreateAttachment::default()
        };
        let attachments = self.control.attachments();
        let id = attachments.create(&admin(), wanted).await.unwrap().id;
        if used {
            attachments.complete(&admin(), &id).await.unwrap();
        }
        id
    }

    async fn detach(&self, id: &str) {
        let attachments = self.control.attachments();
        attachments.delete(&admin(), id).await.unwrap();
    }

    fn hold(&self, call: &'static str) {
        self.array.held.lock().unwrap().insert(call);
    }

    fn let_go(&self) {
        self.array.held.lock().unwrap().clear();
    }

    fn asked(&self, call: &str) -> usize {
        let log = self.array.log.lock().unwrap();
        log.iter().filter(|name| **name == call).count()
    }

    fn connected(&self) -> BTreeSet<(String, String)> {
        self.array.connections.lock().unwrap().clone()
    }
}

/// Carries out `first` until the array is asked, then `second` as far as it gets beside it, then both.
async fn beside(rig: &Rig, call: &'static str, first: impl Future, second: impl Future) {
    rig.hold(call);
    let before = rig.asked(call);
    let (mut first, mut second) = (pin!(first), pin!(second));
    let mut looks = 0;
    poll_fn(|cx| {
        let _ = first.as_mut().poll(cx).is_ready();
        match rig.asked(call) > before {
            true => Poll::Ready(()),
            false => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    })
    .await;
    let mut done = false;
    poll_fn(|cx| {
        looks += 1;
        done = second.as_mut().poll(cx).is_ready();
        match done || looks > 15 {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
    rig.let_go();
    first.await;
    if !done {
        second.await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_of_a_host_s_attachments_takes_its_connection_away() {
    let rig = Rig::new().await;
    let volume = rig.volume().await;
    let one = rig.attach(&volume, host("h1")).await;
    let other = rig.attach(&volume, host("h1")).await;
    beside(
        &rig,
        "connections.disconnect",
        rig.detach(&one),
        rig.detach(&other),
    )
    .await;
    assert!(rig.connected().is_empty(), "{:?}", rig.connected());
    assert_eq!(rig.status(&volume).await, VolumeStatus::Available);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_comes_while_its_other_attachment_goes_reaches_the_volume() {
    let rig = Rig::new().await;
    let volume = rig.volume().await;
    let old = rig.attach(&volume, host("h1")).await;
    let comes = async { rig.attach(&volume, host("h1")).await };
    beside(&rig, "connections.disconnect", rig.detach(&old), comes).await;
    assert_eq!(rig.connected().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attachment_that_goes_while_it_is_connected_leaves_no_connection() {
    let rig = Rig::new().await;
    let volume = rig.volume().await;
    let waiting = rig.attach(&volume, None).await;
    let attachments = rig.control.attachments();
    let caller = admin();
    let connected = attachments.update(&caller, &waiting, host("h1").unwrap());
    beside(&rig, "connections.connect", connected, rig.detach(&waiting)).await;
    assert!(rig.connected().is_empty(), "{:?}", rig.connected());
    assert_eq!(rig.status(&volume).await, VolumeStatus::Available);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_failed_attempt_may_have_connected_is_disconnected() {
    let rig = Rig::new().await;
    let volume = rig.volume().await;
    let waiting = rig.attach(&volume, None).await;
    // It acts, and says that it did not.
    rig.array
        .deaf
        .store(true, std::sync::atomic::Ordering::SeqCst);
    let attachments = rig.control.attachments();
    let caller = admin();
    let refused = attachments.update(&caller, &waiting, host("h1").unwrap());
    assert_eq!(refused.await.unwrap_err().kind, ErrorKind::Unavailable);
    rig.array
        .deaf
        .store(false, std::sync::atomic::Ordering::SeqCst);
    let left = attachments.get(&admin(), &waiting).await.unwrap();
    assert_eq!(left.status, AttachStatus::ErrorAttaching);
    rig.detach(&waiting).await;
    assert!(rig.connected().is_empty(), "{:?}", rig.connected());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_volume_that_its_last_two_hosts_leave_at_once_is_free() {
    let rig = Rig::new().await;
    for _ in 0..40 {
        let volume = rig.volume().await;
        let used = rig.attach(&volume, host("h1")).await;
        let waits = rig.attach(&volume, None).await;
        tokio::join!(rig.detach(&used), rig.detach(&waits));
        assert_eq!(rig.status(&volume).await, VolumeStatus::Available);
        let volumes = rig.control.volumes();
        volumes
            .delete(&admin(), &volume, false, false)
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_is_free_once_its_host_left_while_it_was_retyped() {
    let rig = Rig::new().await;
    let volume = rig.volume().await;
    let used = rig.attach(&volume, host("h1")).await;
    let kind = rig.control.types().create(&admin(), shared("gold")).await;
    let kind = kind.unwrap();
    rig.hold("volumes.retype");
    let volumes = rig.control.volumes();
    volumes
        .retype(&admin(), &volume, &kind.id, Migration::Never)
        .await
        .unwrap();
    until(|| async { rig.asked("volumes.retype") == 1 }).await;
    // It has to wait: the array may be renaming the volume.
    let leaving = async {
        until(|| async {
            let held = rig.control.store().get::<Attachment>(&used).await.unwrap();
            held.is_some_and(|held| held.operation.is_some())
        })
        .await;
        assert_eq!(rig.asked("connections.disconnect"), 0);
        rig.let_go();
    };
    tokio::join!(rig.detach(&used), leaving);
    until(|| async { rig.status(&volume).await != VolumeStatus::Retyping }).await;
    assert_eq!(rig.status(&volume).await, VolumeStatus::Available);
}

#[tokio::test]
async fn a_type_that_a_volume_is_on_its_way_to_is_neither_deleted_nor_changed() {
    let rig = Rig::new().await;
    let types = rig.control.types();
    let wanted = CreateType {
        name: "gold".to_owned(),
        is_public: true,
        ..CreateType::default()
    };
    let gold = types.create(&admin(), wanted).await.unwrap().id;
    let volume = rig.volume().await;
    rig.hold("volumes.retype");
    let volumes = rig.control.volumes();
    volumes
        .retype(&admin(), &volume, &gold, Migration::Never)
        .await
        .unwrap();
    until(|| async { rig.asked("volumes.retype") > 0 }).await;
    let deleted = types.delete(&gold).await.unwrap_err();
    assert!(deleted.message.contains("still in use"), "{deleted:?}");
    let specs = [("key".to_owned(), "value".to_owned())].into();
    let changed = types.set_specs(&gold, specs).await.unwrap_err();
    assert!(changed.message.contains("currently in use"), "{changed:?}");
    rig.let_go();
    until(|| async { rig.status(&volume).await == VolumeStatus::Available }).await;
    let retyped = volumes.get(&admin(), &volume).await.unwrap();
    assert_eq!(retyped.type_id.as_deref(), Some(gold.as_str()));
}
