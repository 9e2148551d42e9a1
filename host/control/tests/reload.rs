//! The configuration is exchanged in a running control plane, all of it or nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code
)]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use common::{Array, Loader, admin, config, second, start, target, until, up};
use springform_control::reload::{Candidate, Change, Source};
use springform_control::replication::{Ask, Request, Scope};
use springform_control::services::ServiceView;
use springform_control::{BackendConfig, Caller, Control, ControlConfig, DriverConfig, ErrorKind};
use springform_model::cloud::Service;
use springform_model::contract::{Call, Target};
use springform_model::operation::{Operation, OperationState, Verb};
use springform_store::Changes;

/// A file that the test writes.
struct Text {
    array: Arc<Array>,
    says: Mutex<Result<ControlConfig, Vec<String>>>,
    changed: Mutex<BTreeMap<String, Vec<String>>>,
    adopted: Arc<AtomicU64>,
}

#[async_trait]
impl Source for Text {
    async fn read(&self, _serving: &BTreeMap<String, PathBuf>) -> Result<Candidate, Vec<String>> {
        let config = self.says.lock().unwrap().clone()?;
        let adopted = self.adopted.clone();
        Ok(Candidate {
            host: Vec::new(),
            drivers: config.drivers,
            backends: config.backends,
            changed: self.changed.lock().unwrap().clone(),
            places: BTreeMap::from([("pure1".to_owned(), "file.toml:7".to_owned())]),
            loader: Arc::new(Loader(self.array.clone())),
            adopt: Box::new(move || {
                adopted.fetch_add(1, Ordering::SeqCst);
            }),
        })
    }
}

struct House {
    control: Control,
    text: Arc<Text>,
    folder: tempfile::TempDir,
}

impl House {
    async fn new(backends: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let array = Arc::new(Array::default());
        let control = start(&folder.path().join("db"), &array, backends).await;
        up(&control).await;
        let text = Arc::new(Text {
            array,
            says: Mutex::new(Ok(config(backends))),
            changed: Mutex::default(),
            adopted: Arc::default(),
        });
        control.reload_from(text.clone());
        Self {
            control,
            text,
            folder,
        }
    }

    fn write(&self, change: impl FnOnce(&mut ControlConfig)) {
        let mut says = self.text.says.lock().unwrap();
        change(says.as_mut().unwrap());
    }

    fn targets(&self, backend: &str) -> Vec<String> {
        let config = self.control.backend(backend).unwrap().config();
        config.targets.iter().map(|t| t.name.clone()).collect()
    }

    async fn refused(&self) -> springform_control::ControlError {
        let before = self.control.generation("pure1").unwrap();
        let adopted = self.text.adopted.load(Ordering::SeqCst);
        let error = self
            .control
            .reload()
            .run(&admin(), false)
            .await
            .unwrap_err();
        let after = self.control.generation("pure1").unwrap();
        assert!(Arc::ptr_eq(&before, &after), "something else serves");
        assert_eq!(self.targets("pure1"), ["a", "b"]);
        assert_eq!(self.text.adopted.load(Ordering::SeqCst), adopted);
        error
    }
}

fn third() -> Target {
    Target {
        name: "c".into(),
        ..second()
    }
}

#[tokio::test]
async fn a_changed_backend_is_served_by_the_next_generation_and_the_others_are_left_alone() {
    let house = House::new(2).await;
    let other = house.control.generation("pure2").unwrap();
    let old = house.control.generation("pure1").unwrap();
    house.write(|c| c.backends[0].targets[1] = third());
    let done = house.control.reload().run(&admin(), false).await.unwrap();
    assert_eq!(done.unchanged, 1);
    let [backend] = &done.backends[..] else {
        panic!("{done:?}")
    };
    assert_eq!(backend.what, ["targets a, c"]);
    assert_eq!((backend.generation, backend.ready), (Some(2), true));
    assert_eq!(house.targets("pure1"), ["a", "c"]);
    assert!(Arc::ptr_eq(
        &other,
        &house.control.generation("pure2").unwrap()
    ));
    let names: Vec<_> = old.config.targets.iter().map(|t| t.name.as_str()).collect();
    assert_eq!(names, ["a", "b"], "whoever began with it ends with it");

    // After a restart the same generation serves, and there is still no other component to go back to.
    let status = house.control.drivers().get(&admin(), "simulated").await;
    let status = status.unwrap();
    assert_eq!(status.running.unwrap().number, 2);
    assert_eq!(status.rollback, None);
    let again = house.control.reload().run(&admin(), false).await.unwrap();
    assert!(again.backends.is_empty() && again.drivers.is_empty());
    assert_eq!(house.control.generation("pure1").unwrap().number, 2);
    house.control.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_new_component_that_waits_is_still_what_activate_takes_after_a_reload() {
    let house = House::new(1).await;
    let drivers = house.control.drivers();
    let two = Path::new("two");
    drivers.install(&admin(), "simulated", two).await.unwrap();
    house.write(|c| c.backends[0].parallel = 3);
    house.control.reload().run(&admin(), false).await.unwrap();
    let active = drivers.activate(&admin(), "simulated", None).await.unwrap();
    assert_eq!(active.running.unwrap().digest, "two");
    let back = drivers.rollback(&admin(), "simulated").await.unwrap();
    assert_eq!(back.running.unwrap().digest, "one");
    house.control.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn no_call_fails_while_the_configuration_is_exchanged_again_and_again() {
    let house = House::new(1).await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (control, stop) = (house.control.clone(), stop.clone());
        callers.spawn(async move {
            while !stop.load(Ordering::SeqCst) {
                let patience = Duration::from_secs(30);
                let call = control.call_once("pure1", "op", Vec::new(), patience, Call::Check);
                call.await.unwrap();
            }
        });
    }
    for round in 0..30 {
        house.write(|c| {
            c.backends[0].targets[1] = if round % 2 == 0 { third() } else { second() };
            c.backends[0].parallel = 1 + round % 5;
        });
        let done = house.control.reload().run(&admin(), false).await.unwrap();
        assert_eq!(done.backends.len(), 1);
    }
    stop.store(true, Ordering::SeqCst);
    while let Some(ended) = callers.join_next().await {
        ended.unwrap();
    }
    house.control.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn whatever_is_wrong_leaves_what_served_before_and_is_named() {
    let house = House::new(1).await;
    // A driver that cannot be loaded.
    house.write(|c| {
        c.backends[0].targets[1] = third();
        c.backends[0].driver = "other".into();
        c.drivers.push(DriverConfig {
            name: "other".into(),
            path: "unloadable".into(),
        });
    });
    let error = house.refused().await;
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert!(
        error.message.contains(
            "file.toml:7: backend pure1 was refused at the stage validate: option colour is required"
        ),
        "{error}"
    );
    assert_eq!(
        house.control.drivers().list(&admin()).await.unwrap().len(),
        1
    );
    // A file that is wrong.
    let problems = vec!["file.toml:3: has no san_ip".into(), "file.toml:9: x".into()];
    *house.text.says.lock().unwrap() = Err(problems);
    let error = house.refused().await;
    assert!(
        error
            .message
            .ends_with("\nfile.toml:3: has no san_ip\nfile.toml:9: x")
    );
    // Somebody who may not.
    let reader = Caller::new("r", "p", vec!["reader".into()]);
    let error = house.control.reload().run(&reader, false).await;
    assert_eq!(error.unwrap_err().kind, ErrorKind::Forbidden);
    house.control.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn an_operation_that_holds_the_backend_is_in_the_way_and_its_id_is_said() {
    let house = House::new(2).await;
    let store = house.control.store();
    // Its statistics are written down in the same row now and then.
    until(|| async {
        let mut held = store.get::<Service>("pure1").await.unwrap().unwrap();
        held.record.operation = Some("op-1".into());
        store.commit(Changes::new().update(&held)).await.is_ok()
    })
    .await;
    house.write(|c| c.backends[0].targets[1] = third());
    let error = house.refused().await;
    assert_eq!(error.kind, ErrorKind::Conflict);
    assert_eq!(error.operation.as_deref(), Some("op-1"));
    // The backend that is not held may change.
    house.write(|c| {
        c.backends[0].targets[1] = second();
        c.backends[1].targets[1] = third();
    });
    let done = house.control.reload().run(&admin(), false).await.unwrap();
    assert_eq!(done.backends[0].name, "pure2");
    house.control.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_dry_run_says_what_would_change_and_changes_nothing() {
    let house = House::new(1).await;
    let before = house.control.generation("pure1").unwrap();
    let words = vec!["credential of a".to_owned()];
    let words = BTreeMap::from([("pure1".to_owned(), words)]);
    *house.text.changed.lock().unwrap() = words;
    let said = house.control.reload().run(&admin(), true).await.unwrap();
    assert!(said.dry_run);
    assert_eq!(said.backends[0].what, ["credential of a"]);
    assert_eq!(said.backends[0].generation, None);
    let after = house.control.generation("pure1").unwrap();
    assert!(Arc::ptr_eq(&before, &after));
    assert_eq!(house.text.adopted.load(Ordering::SeqCst), 0);
    house.control.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_backend_that_is_added_can_be_given_work_and_one_that_is_empty_can_go() {
    let house = House::new(1).await;
    house.write(|c| {
        let targets = vec![target(), second()];
        c.backends
            .push(BackendConfig::new("pure2", "simulated", targets));
    });
    let done = house.control.reload().run(&admin(), false).await.unwrap();
    assert_eq!(done.backends[0].change, Change::Added);
    assert!(done.backends[0].ready, "{done:?}");
    let (candidates, _) = house.control.candidates().await.unwrap();
    assert!(candidates.iter().any(|c| c.backend.name() == "pure2"));

    house.write(|c| drop(c.backends.pop()));
    let error = house
        .control
        .reload()
        .run(&admin(), false)
        .await
        .unwrap_err();
    assert!(
        error.message.contains("service-disable springform@pure2"),
        "{error}"
    );
    let services = house.control.services();
    services
        .disable(&admin(), "springform@pure2", None)
        .await
        .unwrap();
    let done = house.control.reload().run(&admin(), false).await.unwrap();
    assert_eq!(done.backends[0].change, Change::Removed);
    assert!(house.control.backend("pure2").is_none());
    assert!(house.control.generation("pure2").is_none());
    let listed: Vec<ServiceView> = services.list().await.unwrap();
    assert_eq!(listed.len(), 1);
    let numbers = house.control.metrics_text().await;
    assert!(!numbers.contains("pure2\"} 1"));
    house.control.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn an_open_operation_of_replication_is_in_the_way_whatever_its_scope() {
    let house = House::new(1).await;
    let asked = Ask::about(Scope::Backend("pure1".into()));
    let replication = house.control.replication();
    let begun = replication
        .submit(&admin(), Request::Reconcile(asked))
        .await;
    let begun = begun.unwrap();
    house.control.operations().wait(&begun.id).await.unwrap();
    let store = house.control.store();
    let mut open = store.get::<Operation>(&begun.id).await.unwrap().unwrap();
    assert_eq!(open.record.verb, Verb::Reconcile);
    // As it is while it runs.
    open.record.state = OperationState::Running;
    open.record.finished_at = None;
    store.commit(Changes::new().update(&open)).await.unwrap();
    house.write(|c| c.backends[0].targets[1] = third());
    let error = house.refused().await;
    assert_eq!(error.operation.as_deref(), Some(begun.id.as_str()));
    house.control.shutdown(Duration::from_secs(5)).await;
}
