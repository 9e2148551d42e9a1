//! What the observer sees, how often it looks, what it tells; and that what came back is fenced. On paused time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod rig;

use std::sync::atomic::Ordering;
use std::time::Duration;

use rig::{INTERVAL, Rig};
use springform_control::replication::{self, Ask, Request, Scope, Who};
use springform_model::contract::ClockSkew;
use springform_model::operation::{OperationState, Verb};
use springform_model::replication::drill::DrillState;
use springform_model::replication::lag::Severity;
use springform_model::replication::relation::DebtState;
use springform_model::time::Timestamp;
use springform_sim_tests::nouns::BACKEND;
use tokio::time::{Instant, sleep};

async fn seconds(seconds: u64) {
    sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn while_all_is_well_it_is_looked_once_a_minute_and_what_was_seen_is_kept_with_its_time() {
    let rig = Rig::new(700);
    let began = Instant::now();
    rig.start();
    rig.well_for(600).await;
    assert!(rig.pauses(began).iter().all(|p| *p == 60));
    let rows = rig.env.rows();
    assert_eq!(rows.relations.len(), 700, "every page was looked at");
    let now = replication::ReplicationEnv::now(&rig.env);
    for (relation, _) in rows.relations.values() {
        let seen = relation.observed.as_ref().unwrap();
        assert!(now.seconds_since(seen.at) <= 60);
        assert_eq!(seen.what.volume_id, relation.volume_id);
    }
    drop(rows);
    assert_eq!(rig.known().tally.volumes, 700);
    assert!(rig.events.lock().unwrap().is_empty(), "nothing is new");
}

#[tokio::test(start_paused = true)]
async fn a_link_that_goes_down_is_told_once_and_looked_at_more_often_until_it_is_back() {
    let rig = Rig::new(3);
    rig.start();
    rig.well_for(300).await;
    rig.power("b", false);
    rig.well_for(120).await;
    let down = Instant::now();
    rig.well_for(120).await;
    assert!(rig.pauses(down).iter().all(|p| *p == 10));
    rig.power("b", true);
    rig.well_for(120).await;
    let well = Instant::now();
    rig.well_for(240).await;
    assert!(rig.pauses(well).iter().all(|p| *p == 60));
    let told: Vec<_> = rig
        .told("link")
        .into_iter()
        .map(|e| (e["target"].clone(), e["from"].clone(), e["to"].clone()))
        .collect();
    assert_eq!(
        told,
        [
            ("b".into(), "healthy".into(), "down".into()),
            ("b".into(), "down".into(), "healthy".into())
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn copies_that_fall_behind_their_schedule_are_told_over_twice_and_from_three_times_of_it() {
    let rig = Rig::new(3);
    rig.start();
    rig.well_for(120).await;
    seconds(INTERVAL * 4).await;
    let target = rig.known().tally.targets["b"].clone();
    assert_eq!(target.severity, Severity::Critical);
    assert!(target.lag_seconds.unwrap() >= INTERVAL * 3);
    rig.well_for(120).await;
    let severities: Vec<_> = rig
        .told("lag")
        .into_iter()
        .filter(|e| e["target"] == "b")
        .map(|e| e["to"].clone())
        .collect();
    assert_eq!(severities, ["warning", "critical", "ok"]);
}

#[tokio::test(start_paused = true)]
async fn a_driver_that_cannot_look_is_asked_less_and_less_and_what_is_known_grows_old() {
    let rig = Rig::new(3);
    rig.start();
    rig.well_for(120).await;
    rig.blind.store(true, Ordering::SeqCst);
    let blind = Instant::now();
    rig.well_for(3600).await;
    let pauses = rig.pauses(blind);
    assert!(
        pauses.starts_with(&[10, 20, 40, 80, 160, 300, 300]),
        "{pauses:?}"
    );
    let known = rig.known();
    assert!(known.error.unwrap().contains("no array answers"));
    let now = replication::ReplicationEnv::now(&rig.env);
    assert!(now.seconds_since(known.at.unwrap()) > 3500);
    assert_eq!(known.tally.volumes, 3, "what was seen last is still known");
    rig.blind.store(false, Ordering::SeqCst);
    rig.well_for(600).await;
    assert_eq!(rig.known().failures, 0);
    assert_eq!(
        (rig.told("unobserved").len(), rig.told("observed").len()),
        (1, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn clocks_that_disagree_make_every_age_unknown_until_they_agree() {
    let rig = Rig::new(3);
    let skew = |seconds| ClockSkew {
        seconds,
        measured_at: Timestamp(0),
    };
    rig.start();
    rig.well_for(120).await;
    assert_eq!(rig.known().tally.protection["protected"], 3);
    rig.clocks
        .lock()
        .unwrap()
        .insert("a".to_owned(), skew(-172_800));
    rig.well_for(120).await;
    let known = rig.known().tally;
    assert_eq!(known.protection["unknown"], 3, "{known:?}");
    assert_eq!(known.targets["b"].lag_seconds, None);
    let seen = rig.env.rows().relations["v0000"].0.observed.clone();
    let clock = seen.unwrap().clock.unwrap();
    assert!(clock.contains("a is 2 days behind this host's"), "{clock}");
    rig.clocks.lock().unwrap().insert("a".to_owned(), skew(3));
    rig.well_for(120).await;
    assert_eq!(rig.known().tally.protection["protected"], 3);
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_was_left_behind_has_not_caught_up_on_the_word_of_a_clock_that_is_wrong() {
    let rig = Rig::new(1);
    let skew = |seconds| ClockSkew {
        seconds,
        measured_at: Timestamp(0),
    };
    rig.start();
    rig.well_for(120).await;
    let wrong = skew(172_800);
    rig.clocks.lock().unwrap().insert("b".to_owned(), wrong);
    rig.fail_over("b").await;
    // It is of before the move, and dated two days later.
    let now = replication::ReplicationEnv::now(&rig.env);
    let dated = now.plus_micros(172_000_000_000).as_millis();
    rig.points.lock().unwrap().insert("a".to_owned(), dated);
    seconds(300).await;
    let debts = rig.relation("v0000").debts;
    assert_eq!(debts[0].state, DebtState::Fenced, "{debts:?}");
    rig.clocks.lock().unwrap().insert("b".to_owned(), skew(0));
    rig.well_for(120).await;
    assert_eq!(rig.relation("v0000").debts, []);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_leaves_a_volume_out_is_not_believed() {
    let rig = Rig::new(3);
    rig.forgetful.store(true, Ordering::SeqCst);
    rig.start();
    seconds(5).await;
    assert!(rig.known().error.unwrap().contains("2 observations for 3"));
    assert!(rig.env.rows().relations.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_was_seen_of_a_volume_that_moved_meanwhile_is_dropped() {
    let rig = Rig::new(3);
    rig.overtaken.store(true, Ordering::SeqCst);
    rig.start();
    seconds(5).await;
    for id in ["v0000", "v0001", "v0002"] {
        let relation = rig.relation(id);
        assert_eq!(relation.serving.as_deref(), Some("b"));
        assert_eq!(relation.observed, None, "it was seen where it is not");
    }
    seconds(60).await;
    let seen = rig.relation("v0000").observed.unwrap();
    assert_eq!(seen.what.target.as_deref(), Some("b"));
}

#[tokio::test(start_paused = true)]
async fn an_operation_is_left_alone_for_two_seconds_and_then_looked_at() {
    let rig = Rig::new(3);
    rig.start();
    rig.well_for(120).await;
    seconds(5).await;
    let before = rig.looks.lock().unwrap().len();
    seconds(20).await;
    assert_eq!(rig.looks.lock().unwrap().len(), before);
    rig.operation_changed.notify_one();
    seconds(1).await;
    assert_eq!(rig.looks.lock().unwrap().len(), before);
    // Its end is another disturbance, which puts nothing off.
    rig.operation_changed.notify_one();
    seconds(2).await;
    assert_eq!(rig.looks.lock().unwrap().len(), before + 1);
}

#[tokio::test(start_paused = true)]
async fn the_old_primary_is_fenced_when_it_answers_again() {
    let rig = Rig::new(1200);
    rig.start();
    rig.well_for(120).await;
    rig.power("a", false);
    let moved = rig.fail_over("b").await;
    assert_eq!(moved.state, OperationState::Succeeded);
    seconds(300).await;
    assert_eq!(rig.relation("v0000").debts[0].state, DebtState::Owed);
    assert!(rig.env.world().arrays["a"].copies["v0000"].writable);
    rig.power("a", true);
    seconds(30).await;
    let writable = |array: &str| {
        let world = rig.env.world();
        world.arrays[array]
            .copies
            .values()
            .filter(|c| c.writable)
            .count()
    };
    assert_eq!((writable("a"), writable("b")), (0, 1200));
    seconds(30).await;
    assert_eq!(rig.relation("v0000").debts[0].state, DebtState::Fenced);
    assert_eq!(rig.told("array-returned")[0]["volumes"], 1200);
    assert_eq!(rig.told("array-fenced").len(), 1);
    let fences = rig.env.rows();
    let fences = fences.operations.values();
    assert_eq!(fences.filter(|o| o.verb == Verb::Fence).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn while_a_fence_is_owed_it_is_asked_who_answers_before_each_look() {
    let rig = Rig::new(2);
    rig.start();
    rig.well_for(120).await;
    let asked = || rig.refreshed.load(Ordering::SeqCst);
    assert_eq!(asked(), 0);
    // Away so briefly that nobody but the failover noticed.
    rig.stubborn.store(true, Ordering::SeqCst);
    rig.fail_over("b").await;
    let (before, looks) = (asked(), rig.looks.lock().unwrap().len() as u64);
    seconds(60).await;
    assert_eq!(rig.relation("v0000").debts[0].state, DebtState::Owed);
    let looked = rig.looks.lock().unwrap().len() as u64 - looks;
    assert_eq!(asked() - before, looked);
    assert!(looked > 0);
}

#[tokio::test(start_paused = true)]
async fn a_frozen_backend_is_fenced_all_the_same() {
    let rig = Rig::new(2);
    rig.start();
    rig.power("a", false);
    rig.fail_over("b").await;
    rig.env.rows().service.as_mut().unwrap().0.frozen = true;
    rig.power("a", true);
    seconds(90).await;
    assert!(!rig.env.world().arrays["a"].copies["v0000"].writable);
}

#[tokio::test(start_paused = true)]
async fn an_array_that_does_not_let_itself_be_fenced_is_tried_less_and_less_but_for_ever() {
    let rig = Rig::new(2);
    rig.start();
    rig.power("a", false);
    rig.fail_over("b").await;
    rig.stubborn.store(true, Ordering::SeqCst);
    rig.power("a", true);
    seconds(4 * 3600).await;
    let tried = || {
        let rows = rig.env.rows();
        let all = rows.operations.values();
        all.filter(|o| o.verb == Verb::Fence).count()
    };
    assert!((20..40).contains(&tried()), "{}", tried());
    rig.stubborn.store(false, Ordering::SeqCst);
    seconds(700).await;
    assert!(!rig.env.world().arrays["a"].copies["v0000"].writable);
}

#[tokio::test(start_paused = true)]
async fn a_drill_ends_by_its_timer() {
    let rig = Rig::new(2);
    rig.start();
    let ask = Ask {
        to: Some("b".into()),
        minutes: Some(10),
        ..Ask::about(Scope::Backend(BACKEND.into()))
    };
    let begun = replication::begin(&*rig, BACKEND, Request::StartDrill(ask), Who::default())
        .await
        .unwrap();
    replication::run(&*rig, begun).await.unwrap();
    seconds(60).await;
    assert_eq!(rig.known().tally.drills, 1);
    assert_eq!(rig.env.world().arrays["b"].tests.len(), 2);
    seconds(600).await;
    assert!(rig.env.world().arrays["b"].tests.is_empty());
    let states: Vec<_> = rig
        .env
        .rows()
        .drills
        .values()
        .map(|(d, _)| d.state)
        .collect();
    assert_eq!(states, [DrillState::Stopped]);
    seconds(60).await;
    assert_eq!(rig.known().tally.drills, 0);
}
