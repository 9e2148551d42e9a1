//! Whoever asks for something is not told that a record was changed by somebody else, as long as reading it again and
//! deciding again would do.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use springform_control::replication::{
    Arrays, Ask, BackendView, ReplicationError, Request, Scope, StoreEnv, Who, begin,
    reset_active_backend,
};
use springform_model::audit;
use springform_model::cloud::{ReplicationStatus, Service, Volume};
use springform_model::contract::{Call, CallError, ReplicationKind, Reply, Target, VolumeSpec};
use springform_model::operation::{Operation, Verb};
use springform_model::replication::drill::{Drill, DrillMember, DrillState};
use springform_model::time::Timestamp;
use springform_store::{Changes, Store, StoreOptions};

const BACKEND: &str = "pure1";

/// Arrays of a host whose watcher writes the service's row in the very moment in which somebody else is between reading
/// and writing it: the clock is read there.
struct Watched {
    store: Store,
    /// How often it still does.
    left: Arc<AtomicU32>,
}

impl Watched {
    async fn bump(store: &Store) {
        loop {
            let seen = store.get::<Service>(BACKEND).await.unwrap().unwrap();
            match store.commit(Changes::new().update(&seen)).await {
                Err(error) if error.is_conflict() => {}
                other => return other.unwrap(),
            }
        }
    }
}

#[async_trait]
impl Arrays for Watched {
    fn now(&self) -> Timestamp {
        let one_less = |left: u32| left.checked_sub(1);
        let order = Ordering::SeqCst;
        if self.left.fetch_update(order, order, one_less).is_ok() {
            let bumped = Self::bump(&self.store);
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(bumped));
        }
        Timestamp::now()
    }

    async fn backend(&self, name: &str) -> Result<BackendView, ReplicationError> {
        let target = |name: &str, primary| Target {
            name: name.to_owned(),
            primary,
            kind: (!primary).then_some(ReplicationKind::Async),
            options: Vec::new(),
            reachable: true,
            extensions: Vec::new(),
        };
        Ok(BackendView {
            clocks: std::collections::BTreeMap::new(),
            distrusted: Vec::new(),
            name: name.to_owned(),
            targets: vec![target("a", true), target("b", false)],
            fingerprint: String::new(),
            parallel: 1,
            batch: 1,
        })
    }

    async fn specs(&self, _: &[Volume]) -> Result<Vec<VolumeSpec>, ReplicationError> {
        Ok(Vec::new())
    }

    async fn call(&self, _: &str, _: &str, _: Vec<u8>, _: Call) -> Result<Reply, CallError> {
        panic!("no array is asked before the operation runs");
    }

    fn cancelled(&self, _: &str) -> bool {
        false
    }

    fn receivers(&self) -> Vec<String> {
        Vec::new()
    }

    fn shown(&self, _: &Operation) {}
}

struct Rig {
    store: Store,
    rows: StoreEnv,
    left: Arc<AtomicU32>,
}

impl Rig {
    async fn new(folder: &Path) -> Self {
        let file = folder.join("db");
        let store = Store::open_with(&file, StoreOptions::default());
        let store = store.await.unwrap();
        let left = Arc::new(AtomicU32::new(0));
        let arrays = Watched {
            store: store.clone(),
            left: left.clone(),
        };
        let rows = StoreEnv::new(store.clone(), Arc::new(arrays));
        let rig = Self { store, rows, left };
        let made = Changes::new().insert(&service());
        rig.store.commit(made).await.unwrap();
        rig
    }

    /// From now on the watcher writes so many times more.
    fn disturb(&self, times: u32) {
        self.left.store(times, Ordering::SeqCst);
    }

    async fn service(&self) -> Service {
        let found = self.store.get::<Service>(BACKEND).await.unwrap();
        found.unwrap().record
    }

    /// Gives the turn back and makes the row what `change` says.
    async fn write(&self, change: impl Fn(&mut Service)) {
        let found = self.store.get::<Service>(BACKEND).await.unwrap();
        let mut found = found.unwrap();
        found.record.operation = None;
        change(&mut found.record);
        let changes = Changes::new().update(&found);
        self.store.commit(changes).await.unwrap();
    }
}

fn service() -> Service {
    let now = Timestamp::now();
    Service {
        backend: BACKEND.to_owned(),
        host: format!("springform@{BACKEND}"),
        availability_zone: "nova".to_owned(),
        disabled: false,
        disabled_reason: None,
        frozen: false,
        replication_status: ReplicationStatus::Enabled,
        active_target: None,
        driver_state: Vec::new(),
        ready: true,
        not_ready_reason: None,
        statistics: None,
        statistics_at: None,
        targets: Vec::new(),
        identity: "host".to_owned(),
        look_only_since: None,
        adopted: None,
        operation: None,
        created_at: now,
        updated_at: Some(now),
    }
}

fn ask() -> Ask {
    Ask {
        to: Some("b".to_owned()),
        ..Ask::about(Scope::Backend(BACKEND.to_owned()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verb_of_replication_takes_its_turn_whoever_else_writes_the_service_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let rig = Rig::new(folder.path()).await;
    let about = || Ask::about(Scope::Backend(BACKEND.to_owned()));
    for request in [
        Request::Failover(ask()),
        Request::Promote(about()),
        Request::Reconcile(about()),
        Request::Fence(about()),
        Request::Reprotect(ask()),
        Request::Enable(about()),
    ] {
        rig.write(|service| service.replication_status = ReplicationStatus::Enabled)
            .await;
        rig.disturb(7);
        let begun = begin(&rig.rows, BACKEND, request.clone(), Who::default()).await;
        let begun = begun.unwrap_or_else(|problem| panic!("{request:?}: {problem}"));
        assert_eq!(rig.service().await.operation, Some(begun.id.clone()));
        let journalled = rig.store.get::<Operation>(&begun.id).await.unwrap();
        assert_eq!(journalled.unwrap().record.verb, begun.verb);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_decided_again_is_decided_from_what_was_written_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let rig = Rig::new(folder.path()).await;
    rig.disturb(3);
    let first = begin(&rig.rows, BACKEND, Request::Failover(ask()), Who::default());
    let first = first.await.unwrap();
    assert_eq!(first.verb, Verb::Failover);
    rig.disturb(3);
    let second = begin(&rig.rows, BACKEND, Request::Failover(ask()), Who::default());
    let Err(ReplicationError::Conflict { operation, .. }) = second.await else {
        panic!("two failovers of one backend at once");
    };
    assert_eq!(operation, Some(first.id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_of_the_active_backend_is_written_whoever_else_writes_the_service_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let rig = Rig::new(folder.path()).await;
    rig.write(|service| (service.disabled, service.frozen) = (true, true))
        .await;
    rig.disturb(7);
    let repaired = reset_active_backend(
        &rig.rows,
        BACKEND,
        Some("b"),
        audit::Who::of(audit::Kind::Host),
    )
    .await;
    let repaired = repaired.unwrap();
    assert_eq!(repaired.active_target.as_deref(), Some("b"));
    assert_eq!(rig.service().await.active_target.as_deref(), Some("b"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reads_again_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let rig = Rig::new(folder.path()).await;
    rig.disturb(u32::MAX);
    let request = Request::Failover(ask());
    let given_up = begin(&rig.rows, BACKEND, request, Who::default()).await;
    assert!(matches!(given_up, Err(ReplicationError::Moved(_))));
    rig.disturb(0);
    assert_eq!(rig.service().await.operation, None);
}

/// The operator commits a drill in the moment in which its time is over.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_that_want_the_same_drill_one_gets_it() {
    let folder = tempfile::tempdir().unwrap();
    let rig = Rig::new(folder.path()).await;
    let rows = Arc::new(rig.rows);
    for round in 0..30 {
        let drill = Drill {
            whole_backend: false,
            id: format!("drill-{round}"),
            backend: BACKEND.to_owned(),
            project: "p".to_owned(),
            target: "b".to_owned(),
            state: DrillState::Open,
            members: vec![DrillMember {
                origin: None,
                volume_id: "v".to_owned(),
                copy: None,
                point: None,
            }],
            operation: None,
            created_at: Timestamp::now(),
            ends_at: Timestamp::now(),
            problem: None,
        };
        let made = Changes::new().insert(&drill);
        rig.store.commit(made).await.unwrap();
        let wanted = [Request::StopDrill, Request::CommitDrill].map(|request| {
            let (rows, request) = (rows.clone(), request(drill.id.clone()));
            tokio::spawn(async move { begin(&*rows, BACKEND, request, Who::default()).await })
        });
        let mut got = Vec::new();
        for one in wanted {
            match one.await.unwrap() {
                Ok(operation) => got.push(operation.id),
                Err(ReplicationError::Conflict { .. }) => {}
                Err(other) => panic!("{other}"),
            }
        }
        let held = rig.store.get::<Drill>(&drill.id).await.unwrap().unwrap();
        assert_eq!(got, Vec::from_iter(held.record.operation), "round {round}");
    }
}
