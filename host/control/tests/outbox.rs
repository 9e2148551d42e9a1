//! Delivery of events: in order for each subject, nobody held up by a receiver that is dead, nothing lost by a restart.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use common::{Array, Loader, admin, config, open, until};
use serde_json::json;
use springform_control::outbox::{CloudEvent, Delivery, DeliveryError, DeliveryState, EventSender};
use springform_control::query::Query;
use springform_control::{Clock, Control, ControlConfig};
use springform_model::audit::{Action, Entry, Kind, Occurrence, Outcome, Sink, Subject, Who};
use springform_model::time::Timestamp;
use springform_store::{Attempt, Changes, Fault, Query as StoreQuery};

/// Takes what it is told to take, and remembers what it was brought.
#[derive(Default)]
struct Door {
    /// Receiver and event id.
    taken: Mutex<Vec<(String, String)>>,
    /// Receivers that never answer.
    dead: Mutex<Vec<String>>,
    /// Event ids that are refused.
    refused: Mutex<Vec<String>>,
    /// Receivers that want no more.
    gone: Mutex<Vec<String>>,
}

impl Door {
    fn taken(&self, receiver: &str) -> Vec<String> {
        let taken = self.taken.lock().unwrap();
        let of = taken.iter().filter(|(name, _)| name == receiver);
        of.map(|(_, id)| id.clone()).collect()
    }
}

#[async_trait]
impl EventSender for Door {
    async fn send(&self, receiver: &str, event: &CloudEvent) -> Result<(), DeliveryError> {
        tokio::task::yield_now().await;
        if self.dead.lock().unwrap().contains(&receiver.to_owned()) {
            std::future::pending::<()>().await;
        }
        if self.gone.lock().unwrap().contains(&receiver.to_owned()) {
            let gone = true;
            return Err(DeliveryError {
                gone,
                ..DeliveryError::passing("410 Gone")
            });
        }
        if self.refused.lock().unwrap().contains(&event.id) {
            return Err(DeliveryError::passing("500 Internal Server Error"));
        }
        let mut taken = self.taken.lock().unwrap();
        taken.push((receiver.to_owned(), event.id.clone()));
        Ok(())
    }
}

async fn start(path: &Path, receivers: &[&str]) -> Control {
    let config = ControlConfig {
        receivers: receivers.iter().map(|r| (*r).to_owned()).collect(),
        ..config(0)
    };
    let loader = Arc::new(Loader(Arc::new(Array::default())));
    Control::start(config, open(path).await, loader, Clock::system())
        .await
        .unwrap()
}

/// Events `<subject>-0`, `<subject>-1`, …, for these receivers.
async fn put(control: &Control, subject: &str, events: i64, receivers: &[&str]) {
    let now = control.now();
    let mut changes = Changes::new();
    for n in 0..events {
        let id = format!("{subject}-{n}");
        let event = CloudEvent::new("test", "pure1", subject, id, json!({}), now);
        for receiver in receivers {
            let at = Timestamp(now.0 - 1_000_000 + n);
            changes = changes.put(&Delivery::new(event.clone(), receiver, at));
        }
    }
    control.store().commit(changes).await.unwrap();
}

fn ids(subject: &str, events: i64) -> Vec<String> {
    (0..events).map(|n| format!("{subject}-{n}")).collect()
}

async fn state(control: &Control, id: &str) -> (DeliveryState, u32) {
    let found = control.store().get::<Delivery>(id).await.unwrap().unwrap();
    (found.record.state, found.record.attempts)
}

#[tokio::test]
async fn a_dead_receiver_holds_up_nobody_and_each_subject_arrives_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let control = start(&folder.path().join("db"), &["well", "dead"]).await;
    let door = Arc::new(Door::default());
    door.dead.lock().unwrap().push("dead".into());
    put(&control, "v1", 40, &["well", "dead"]).await;
    put(&control, "v2", 40, &["well", "dead"]).await;
    control.deliver_with(door.clone());
    until(|| async { door.taken("well").len() == 80 }).await;
    let of = |subject: &str| -> Vec<String> {
        let taken = door.taken("well").into_iter();
        taken.filter(|id| id.starts_with(subject)).collect()
    };
    assert_eq!(of("v1-"), ids("v1", 40));
    assert_eq!(of("v2-"), ids("v2", 40));
    assert!(door.taken("dead").is_empty());
}

#[tokio::test]
async fn an_event_that_is_refused_holds_up_its_own_subject_only() {
    let folder = tempfile::tempdir().unwrap();
    let control = start(&folder.path().join("db"), &["hook"]).await;
    let door = Arc::new(Door::default());
    door.refused.lock().unwrap().push("v1-1".into());
    put(&control, "v1", 3, &["hook"]).await;
    put(&control, "v2", 3, &["hook"]).await;
    control.deliver_with(door.clone());
    until(|| async { door.taken("hook").len() == 4 && state(&control, "v1-1/hook").await.1 > 0 })
        .await;
    let mut taken = door.taken("hook");
    taken.sort();
    assert_eq!(taken, ["v1-0", "v2-0", "v2-1", "v2-2"]);
    assert_eq!(state(&control, "v1-2/hook").await.1, 0, "it waits its turn");
    door.refused.lock().unwrap().clear();
    control.outbox().retry(&admin(), "v1-1/hook").await.unwrap();
    until(|| async { door.taken("hook").len() == 6 }).await;
    assert_eq!(door.taken("hook")[4..], ["v1-1", "v1-2"]);
}

#[tokio::test]
async fn what_was_not_delivered_before_a_restart_is_delivered_after_it_and_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let door = Arc::new(Door::default());
    let control = start(&path, &["hook"]).await;
    door.dead.lock().unwrap().push("hook".into());
    control.deliver_with(door.clone());
    put(&control, "v1", 5, &["hook"]).await;
    control.shutdown(std::time::Duration::ZERO).await;
    drop(control);
    door.dead.lock().unwrap().clear();
    let control = start(&path, &["hook"]).await;
    control.deliver_with(door.clone());
    until(|| async { state(&control, "v1-4/hook").await.0 == DeliveryState::Delivered }).await;
    assert_eq!(door.taken("hook"), ids("v1", 5));
}

#[tokio::test]
async fn what_a_receiver_wants_no_more_is_given_up_in_sight_and_can_be_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    let control = start(&folder.path().join("db"), &["hook"]).await;
    let door = Arc::new(Door::default());
    door.gone.lock().unwrap().push("hook".into());
    put(&control, "v1", 1, &["hook"]).await;
    control.deliver_with(door.clone());
    until(|| async { state(&control, "v1-0/hook").await.0 == DeliveryState::Dead }).await;
    let dead = Query::new().eq("state", "dead");
    let listed = control.outbox().list(&admin(), dead).await.unwrap();
    assert_eq!(listed[0].last_error.as_deref(), Some("410 Gone"));
    door.gone.lock().unwrap().clear();
    control.outbox().retry(&admin(), "v1-0/hook").await.unwrap();
    until(|| async { door.taken("hook").len() == 1 }).await;
    until(|| async { state(&control, "v1-0/hook").await.0 == DeliveryState::Delivered }).await;
    let again = control.outbox().retry(&admin(), "v1-0/hook").await;
    assert!(again.unwrap_err().message.contains("has been taken"));
    let unknown = control.outbox().retry(&admin(), "nothing").await;
    assert!(unknown.is_err());
}

#[tokio::test]
async fn what_is_for_a_receiver_that_is_not_configured_any_more_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let control = start(&folder.path().join("db"), &["hook"]).await;
    put(&control, "v1", 1, &["former"]).await;
    control.deliver_with(Arc::new(Door::default()));
    until(|| async { state(&control, "v1-0/former").await.0 == DeliveryState::Dead }).await;
    let again = control.outbox().retry(&admin(), "v1-0/former").await;
    assert!(again.unwrap_err().message.contains("[[webhook]]"));
}

#[tokio::test]
async fn what_was_sent_while_the_disk_is_full_is_not_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    let control = start(&folder.path().join("db"), &["well"]).await;
    put(&control, "v1", 1, &["well"]).await;
    let looks = Arc::new(AtomicUsize::new(0));
    control.store().fail_with(Some(Arc::new({
        let looks = looks.clone();
        move |attempt| match attempt {
            Attempt::Probe => {
                looks.fetch_add(1, Ordering::SeqCst);
                Fault::Before("the disk is full".to_owned())
            }
            Attempt::Commit(_) => Fault::Before("the disk is full".to_owned()),
        }
    })));
    let door = Arc::new(Door::default());
    control.deliver_with(door.clone());
    // Longer than the outbox rests after an error.
    until(|| async { looks.load(Ordering::SeqCst) > 12 }).await;
    control.store().fail_with(None);
    let delivery = "v1-0/well";
    until(|| async { state(&control, delivery).await.0 == DeliveryState::Delivered }).await;
    assert_eq!(door.taken("well"), ids("v1", 1));
}

fn of_driver(action: Action) -> Occurrence {
    let on = Subject {
        backend: Some("pure1".into()),
        driver: Some("pure".into()),
        ..Subject::default()
    };
    let entry = Entry::new(
        Timestamp::now(),
        Who::of(Kind::Host),
        action,
        Outcome::Succeeded,
    );
    Occurrence {
        key: "pure pure1".into(),
        entry: entry.on(on),
    }
}

#[tokio::test]
async fn receivers_are_told_of_a_driver_that_is_quarantined_and_of_its_return() {
    let folder = tempfile::tempdir().unwrap();
    let control = start(&folder.path().join("db"), &["ops"]).await;
    let door = Arc::new(Door::default());
    control.deliver_with(door.clone());
    let recorder = control.audit().recorder().clone();
    recorder.note(of_driver(Action::DriverQuarantined));
    // It happens again at once, and is counted: nobody is told a hundred times.
    for _ in 0..100 {
        recorder.note(of_driver(Action::DriverQuarantined));
    }
    recorder.note(of_driver(Action::DriverReleased));
    until(|| async { door.taken("ops").len() == 2 }).await;
    control.shutdown(Duration::from_secs(5)).await;
    let kept = open(&folder.path().join("db")).await;
    let all = kept.list::<Delivery>(&StoreQuery::new()).await.unwrap();
    let of = |kind: &str| -> Vec<serde_json::Value> {
        let kind = format!("org.springform.driver.{kind}");
        let all = all.iter().map(|stored| &stored.event);
        let of = all.filter(|event| event.kind == kind);
        of.map(|event| event.data.clone()).collect()
    };
    let once = json!({"driver": "pure", "backend": "pure1", "times": 1});
    let again = json!({"driver": "pure", "backend": "pure1", "times": 100});
    assert_eq!(of("released"), std::slice::from_ref(&once));
    assert_eq!(of("quarantined"), [once, again]);
}
