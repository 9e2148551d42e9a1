//! Two requests at once: one of them is stopped wherever it waits for anything, and the other happens there as a whole. However
//! they meet, what the records say afterwards is true of the array and of each other.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code
)]

mod audit;
#[path = "../common/mod.rs"]
mod common;
mod left;
mod lock;
mod overtaken;
mod verbs;
mod world;

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use verbs::Verb::{self, *};
use verbs::Who;
use world::{Place, Rig};

/// Carries out `first`, stopped when it waits for the `at`th time until `second` has happened. The last: whether it was.
async fn within<A, B>(
    first: impl Future<Output = A>,
    at: usize,
    second: impl Future<Output = B>,
) -> (A, B, bool) {
    let mut first = pin!(first);
    let mut waits = 0;
    let ended = poll_fn(|cx| match first.as_mut().poll(cx) {
        Poll::Ready(ended) => Poll::Ready(Some(ended)),
        Poll::Pending if waits == at => Poll::Ready(None),
        Poll::Pending => {
            waits += 1;
            Poll::Pending
        }
    });
    match ended.await {
        Some(ended) => (ended, second.await, false),
        None => {
            let second = second.await;
            (first.await, second, true)
        }
    }
}

/// Every way in which `second` can happen while `first` is asked for.
async fn meet(rig: &Rig, place: Place, first: Verb, second: Verb) {
    for at in 0.. {
        let world = rig.world(place).await;
        let whole = async {
            let outcome = second.ask(rig, &world, Who::Second).await;
            rig.ended(Who::Second).await;
            outcome
        };
        let (one, other, stopped) = within(first.ask(rig, &world, Who::First), at, whole).await;
        rig.quiet().await;
        let told = format!("{first:?}, stopped at {at} for {second:?}: {one:?}, {other:?}");
        verbs::answered(&one, &told);
        verbs::answered(&other, &told);
        audit::check(rig, &told).await;
        rig.clear().await;
        if !stopped {
            return;
        }
        assert!(at < 200, "{told}: it never ends");
    }
}

/// Stops carrying `asked` out when it waits for the `at`th time. Whether it got that far.
async fn given_up<A>(asked: impl Future<Output = A>, at: usize) -> bool {
    let mut asked = pin!(asked);
    let mut waits = 0;
    let stopped = poll_fn(|cx| match asked.as_mut().poll(cx) {
        Poll::Ready(_) => Poll::Ready(false),
        Poll::Pending if waits == at => Poll::Ready(true),
        Poll::Pending => {
            waits += 1;
            Poll::Pending
        }
    });
    stopped.await
}

async fn all(place: Place, firsts: &[Verb], seconds: &[Verb]) {
    let rig = Rig::new().await;
    for first in firsts {
        for second in seconds {
            meet(&rig, place, *first, *second).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_made_of_a_volume_that_goes() {
    let makes = [
        Snapshot,
        Clone,
        Offer,
        Attach,
        Extend,
        Retype,
        Join,
        AdoptSnapshot,
    ];
    all(Place::Bare, &makes, &[Delete, Unmanage]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_volume_goes_of_which_something_is_made() {
    let makes = [Snapshot, Clone, Offer, Attach, Join, AdoptSnapshot];
    all(Place::Bare, &[Delete, Unmanage], &makes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_volume_goes_with_all_its_snapshots_or_not_at_all() {
    let others = [
        Snapshot,
        CopySnapshot,
        DeleteSnapshot,
        Revert,
        AdoptSnapshot,
    ];
    all(Place::Snapped, &[Cascade], &others).await;
    all(Place::Snapped, &others, &[Cascade]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_copy_is_begun_of_a_snapshot_that_goes() {
    all(
        Place::Snapped,
        &[CopySnapshot, Revert, Accept],
        &[DeleteSnapshot],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_and_its_members_are_taken_as_they_are() {
    let others = [
        Snapshot,
        MakeMember,
        Leave,
        Extend,
        Attach,
        GroupSnapshot,
        CopyGroup,
        DeleteGroup,
    ];
    let groups = [DeleteGroup, GroupSnapshot, CopyGroup, Leave];
    all(Place::Grouped, &groups, &others).await;
    all(Place::Grouped, &others, &groups).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_type_promises_holds_for_every_volume_of_it() {
    let uses = [Clone, Make, Retype, MakeGroup, MakeDefault, Adopt];
    let changes = [DeleteType, ChangeType, RenameType, DeleteGroupType];
    all(Place::Bare, &uses, &changes).await;
    all(Place::Bare, &changes, &uses).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_volume_changes_its_project_as_a_whole() {
    let others = [Withdraw, Accept, Snapshot, Delete];
    all(Place::Offered, &[Accept, Withdraw], &others).await;
    all(Place::Offered, &others, &[Accept, Withdraw]).await;
    all(Place::Bare, &[Extend, Snapshot], &[OfferAndAccept]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_reaches_what_it_is_attached_to_and_nothing_else() {
    let verbs = [
        Attach,
        Connect,
        Complete,
        Detach,
        DetachOther,
        DetachWaiting,
    ];
    all(Place::Used, &verbs, &verbs).await;
}

#[tokio::test]
async fn whoever_asks_may_hang_up_at_any_moment() {
    let rig = Rig::new().await;
    let asked = [
        (Place::Bare, Make),
        (Place::Bare, Snapshot),
        (Place::Snapped, Cascade),
        (Place::Bare, Retype),
        (Place::Used, Detach),
        (Place::Grouped, CopyGroup),
    ];
    for (place, verb) in asked {
        for at in 0..200 {
            let world = rig.world(place).await;
            let stopped = given_up(verb.ask(&rig, &world, Who::First), at).await;
            rig.settled().await;
            audit::check(&rig, &format!("{verb:?}, given up at {at}")).await;
            rig.clear().await;
            if !stopped {
                break;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn qos_specs_that_go_are_no_type_s() {
    all(Place::Bare, &[Associate], &[DeleteQos]).await;
    all(Place::Bare, &[DeleteQos], &[Associate]).await;
}
