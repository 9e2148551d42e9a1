//! Volumes that a tenant takes out of replication while a verb of replication is under way.

use std::time::Duration;

use springform_control::replication::{Ask, Request, Scope};
use springform_model::cloud::{ReplicationStatus, VolumeStatus};
use springform_model::contract::FailoverMode;
use springform_model::replication::relation::{Phase, Relation};

use crate::common::{admin, until};
use crate::verbs::Verb::Retype;
use crate::verbs::Who;
use crate::world::{Place, Rig};

/// A volume that its tenant takes out of replication, after the plan has seen it and before the failover has its lock, has no copy
/// to be promoted: it stays where it is, and nobody says that no array serves it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_volume_that_leaves_replication_before_a_failover_has_its_lock_stays_where_it_is() {
    for mode in [FailoverMode::Planned, FailoverMode::Unplanned] {
        let rig = Rig::new().await;
        let world = rig.world(Place::Bare).await;
        rig.replicated(&world).await;
        rig.hold("volumes.retype");
        Retype.ask(&rig, &world, Who::First).await.unwrap();
        rig.asked("volumes.retype").await;
        rig.hold("replication.plan-failover");
        let failover = rig.fail_over(&world, "b", mode.clone()).await;
        rig.asked("replication.plan-failover").await;
        rig.let_run("volumes.retype");
        rig.ended(Who::First).await;
        rig.let_run("replication.plan-failover");
        rig.done(&failover).await;
        let volume = rig.volume(&world.volume).await.unwrap();
        assert_eq!(volume.placement.unwrap().target, "a", "{mode:?}");
        assert_eq!(
            (volume.operation, volume.status),
            (None, VolumeStatus::Available)
        );
        let store = rig.control.store();
        let relation = store.get::<Relation>(&world.volume).await.unwrap();
        let settled = |relation: &Relation| relation.phase == Phase::Settled;
        assert!(
            relation.is_none_or(|relation| settled(&relation)),
            "{mode:?}"
        );
        let log = rig.array.log.lock().unwrap().clone();
        assert!(!log.contains(&"replication.fail-over"), "{mode:?}: {log:?}");
    }
}

/// The same for the verbs that copy, or stop copying: each listed the volume while it was replicated, and has its lock after it
/// is not any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_verb_copies_a_volume_that_left_replication_before_it_had_the_lock() {
    type Make = fn(Ask) -> Request;
    let verbs: [(Make, &'static str); 4] = [
        (Request::Reprotect, "replication.reprotect"),
        (Request::Resync, "replication.resync"),
        (Request::Disable, "replication.disable"),
        (Request::StartDrill, "replication.start-test"),
    ];
    let all = verbs.map(async |(make, call)| {
        let rig = Rig::new().await;
        let world = rig.world(Place::Bare).await;
        rig.replicated(&world).await;
        let whole = || Ask::about(Scope::Volumes(vec![world.volume.clone()]));
        let enabled = rig.begin(Request::Enable(whole())).await;
        rig.done(&enabled).await;
        rig.array.log.lock().unwrap().clear();
        rig.hold("volumes.retype");
        Retype.ask(&rig, &world, Who::First).await.unwrap();
        rig.asked("volumes.retype").await;
        let mut ask = whole();
        ask.to = (call != "replication.disable").then(|| "b".into());
        let begun = rig.begin(make(ask)).await;
        let operations = rig.control.operations();
        until(|| async {
            let now = operations.get(&admin(), &begun.id).await.unwrap();
            assert!(!now.state.is_terminal(), "{call}: {now:?}");
            !now.steps.is_empty()
        })
        .await;
        // It lists its volumes next, which nothing shows; were this too short the verb would find nothing to do.
        tokio::time::sleep(Duration::from_millis(200)).await;
        rig.let_run("volumes.retype");
        rig.ended(Who::First).await;
        let ended = operations.wait(&begun.id).await.unwrap();
        let busy = ended.error.as_ref().is_some_and(|why| why.code == "busy");
        assert!(!busy, "{call}: {ended:?}");
        let log = rig.array.log.lock().unwrap().clone();
        assert!(!log.contains(&call), "{call}: {log:?}");
        let volume = rig.volume(&world.volume).await.unwrap();
        assert_eq!(volume.operation, None, "{call}");
        assert_ne!(
            volume.replication_status,
            Some(ReplicationStatus::Enabled),
            "{call}"
        );
        let store = rig.control.store();
        let relation = store.get::<Relation>(&world.volume).await.unwrap();
        let bare = |relation: &Relation| !relation.wanted && relation.drill.is_none();
        assert!(relation.is_none_or(|relation| bare(&relation)), "{call}");
    });
    futures_util::future::join_all(all).await;
}
