//! What was decided of a volume that has moved since is decided again where the volume is then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use springform_control::Clock;
use springform_model::cloud::{Snapshot, SnapshotStatus, VolumeStatus};
use springform_model::contract::FailoverMode;
use springform_model::operation::{Operation, OperationState};
use springform_model::time::Timestamp;
use tokio::time::Instant;

use crate::common::until;
use crate::lock::followed;
use crate::verbs::Verb::{self, *};
use crate::verbs::Who;
use crate::world::{Place, Rig, World};

/// A failover that nobody planned does not wait for an array that never answers. What it overtook is done where the volume
/// is then.
async fn overtaken(place: Place, verb: Verb, call: &'static str) {
    let rig = Rig::new().await;
    let world = rig.world(place).await;
    rig.replicated(&world).await;
    rig.array.told.lock().unwrap().clear();
    rig.array.log.lock().unwrap().clear();
    rig.hold(call);
    let asking = verb.ask(&rig, &world, Who::First);
    let moving = async {
        rig.asked(call).await;
        let failover = rig.fail_over(&world, "b", FailoverMode::Unplanned).await;
        rig.asked("replication.finish-failover").await;
        rig.let_run(call);
        rig.done(&failover).await;
    };
    let (outcome, ()) = tokio::join!(asking, moving);
    outcome.unwrap_or_else(|error| panic!("{verb:?}: {error:?}"));
    done_where_it_is(&rig, &world, verb, call).await;
}

async fn done_where_it_is(rig: &Rig, world: &World, verb: Verb, call: &'static str) {
    rig.quiet().await;
    let told = rig.array.told.lock().unwrap().clone();
    let last = told.iter().rfind(|(name, ..)| *name == call);
    assert_eq!(last.map(|(.., to)| to.as_str()), Some("b"), "{told:?}");
    for operation in rig.all::<Operation>().await {
        assert_eq!(operation.state, OperationState::Succeeded, "{operation:?}");
    }
    if let Some(volume) = rig.volume(&world.volume).await {
        assert_eq!(volume.operation, None);
        let restful = [
            VolumeStatus::Available,
            VolumeStatus::Attaching,
            VolumeStatus::InUse,
        ];
        assert!(restful.contains(&volume.status), "{volume:?}");
    }
    for snapshot in rig.all::<Snapshot>().await {
        let made = verb == Snapshot;
        assert_eq!(snapshot.status, SnapshotStatus::Available);
        assert_eq!(
            snapshot.target.as_deref(),
            Some(if made { "b" } else { "a" })
        );
    }
    followed(rig, &format!("{verb:?}")).await;
}

/// A clock that holds up its nth reader. Between an array's answer and the commit of what came of it an operation reads it
/// several times: each reading is a moment at which the operation can be overtaken.
#[derive(Default)]
struct Gate {
    nth: AtomicUsize,
    read: AtomicUsize,
    reached: AtomicBool,
    open: AtomicBool,
}

impl Gate {
    fn clock(gate: &Arc<Self>) -> Clock {
        let gate = Arc::clone(gate);
        Clock::reading(move || {
            gate.pass();
            Timestamp::now()
        })
    }

    fn pass(&self) {
        let nth = self.nth.load(Ordering::SeqCst);
        if nth == 0 || self.read.fetch_add(1, Ordering::SeqCst) + 1 != nth {
            return;
        }
        self.reached.store(true, Ordering::SeqCst);
        tokio::task::block_in_place(|| {
            // A failed test drops its runtime, and that waits for this thread: without an end it would hang.
            let end = Instant::now() + Duration::from_secs(60);
            while !self.open.load(Ordering::SeqCst) && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(1));
            }
        });
    }
}

/// A failover takes the lock after the array has answered: what it answered was of the array that the volume has left.
/// Gives whether it came before the operation was over.
async fn overtaken_late(nth: usize, place: Place, verb: Verb, call: &'static str) -> bool {
    let gate = Arc::new(Gate::default());
    let rig = Rig::with(Gate::clock(&gate)).await;
    let world = rig.world(place).await;
    rig.replicated(&world).await;
    rig.array.told.lock().unwrap().clear();
    rig.array.log.lock().unwrap().clear();
    rig.hold(call);
    let asking = verb.ask(&rig, &world, Who::First);
    let moving = async {
        rig.asked(call).await;
        gate.nth.store(nth, Ordering::SeqCst);
        rig.let_run(call);
        until(|| async { gate.reached.load(Ordering::SeqCst) }).await;
        let lock = rig.volume(&world.volume).await;
        let lock = lock.and_then(|volume| volume.operation);
        if lock.is_none() {
            // It is over already.
            gate.open.store(true, Ordering::SeqCst);
            return false;
        }
        let failover = rig.fail_over(&world, "b", FailoverMode::Unplanned).await;
        rig.asked("replication.finish-failover").await;
        assert_ne!(rig.volume(&world.volume).await.unwrap().operation, lock);
        gate.open.store(true, Ordering::SeqCst);
        rig.done(&failover).await;
        true
    };
    let (outcome, overtaken) = tokio::join!(asking, moving);
    outcome.unwrap_or_else(|error| panic!("{verb:?}: {error:?}"));
    if overtaken {
        done_where_it_is(&rig, &world, verb, call).await;
    }
    overtaken
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_a_failover_overtakes_after_the_array_answered_is_done_where_the_volume_is_then() {
    let verbs = [
        (Place::Bare, Snapshot, "volumes.create-snapshot"),
        (Place::Snapped, Revert, "volumes.revert"),
        (Place::Bare, Extend, "volumes.extend"),
        (Place::Bare, Retype, "volumes.retype"),
        (Place::Bare, Delete, "volumes.delete"),
        (Place::Bare, Clone, "volumes.clone"),
    ];
    let mut caught = [0; 6];
    // Later ones are read after the commit.
    for nth in 1..=4 {
        let all = verbs.map(|(place, verb, call)| overtaken_late(nth, place, verb, call));
        let all = futures_util::future::join_all(all).await;
        for (caught, overtaken) in caught.iter_mut().zip(all) {
            *caught += usize::from(overtaken);
        }
    }
    assert!(caught.iter().all(|times| *times > 0), "{caught:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_failover_overtakes_is_done_where_the_volume_is_then() {
    tokio::join!(
        overtaken(Place::Bare, Attach, "connections.connect"),
        overtaken(Place::Used, Detach, "connections.disconnect"),
        overtaken(Place::Bare, Snapshot, "volumes.create-snapshot"),
        overtaken(Place::Snapped, DeleteSnapshot, "volumes.delete-snapshot"),
        overtaken(Place::Snapped, Revert, "volumes.revert"),
        overtaken(Place::Bare, Extend, "volumes.extend"),
        overtaken(Place::Bare, Delete, "volumes.delete"),
        overtaken(Place::Bare, Clone, "volumes.clone"),
        overtaken(Place::Snapped, CopySnapshot, "volumes.create-from-snapshot"),
    );
}

/// Whoever overtakes an operation is an operator who moves the volume: that is no failure of the operation, however often it happens.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operation_that_is_overtaken_again_and_again_is_done_where_the_volume_is_at_last() {
    const CALL: &str = "volumes.extend";
    let rig = Rig::new().await;
    let world = rig.world(Place::Bare).await;
    rig.replicated(&world).await;
    rig.array.told.lock().unwrap().clear();
    rig.hold(CALL);
    Extend.ask(&rig, &world, Who::First).await.unwrap();
    for (n, to) in ["b", "a", "b", "a", "b", "a", "b"].into_iter().enumerate() {
        until(|| async {
            let told = rig.array.told.lock().unwrap();
            told.iter().filter(|(name, ..)| *name == CALL).count() == n + 1
        })
        .await;
        let failover = rig.fail_over(&world, to, FailoverMode::Unplanned).await;
        rig.done(&failover).await;
    }
    rig.let_run(CALL);
    done_where_it_is(&rig, &world, Extend, CALL).await;
}
