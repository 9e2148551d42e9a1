//! How operations end that are operation_changed: the reasons of what failed, turns that are taken and given back, cancel.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::sync::Arc;
use std::time::Duration;

use springform_control::replication::{self, Ask, Request, Scope, Who};
use springform_model::cloud::ReplicationStatus;
use springform_model::contract::{FailoverMode, Role};
use springform_model::operation::{Operation, OperationState};
use springform_model::replication::cancel::takes_effect;
use springform_model::replication::relation::{Acknowledge, Phase};
use springform_sim_tests::memory::Memory;
use springform_sim_tests::nouns::{self, BACKEND};
use springform_sim_tests::world::ARRAYS;

fn env(volumes: usize, latency: u64) -> Arc<Memory> {
    let env = Memory::new(1, latency);
    for i in 0..volumes {
        let id = format!("v{i:04}");
        env.world().create(&id, true);
        let volume = nouns::volume(&id, ARRAYS[0], true);
        env.rows().volumes.insert(id, (volume, 1));
    }
    env.rows().service = Some((nouns::service(), 1));
    Arc::new(env)
}

fn everything() -> Ask {
    Ask::about(Scope::Backend(BACKEND.into()))
}

fn over_the_old_primary() -> Ask {
    Ask {
        to: Some(ARRAYS[0].into()),
        acknowledge: Some(Acknowledge {
            target: ARRAYS[0].into(),
            role: Role::Primary,
            generation: 2,
        })
        .into(),
        ..everything()
    }
}

async fn begin(env: &Arc<Memory>, request: Request) -> Operation {
    replication::begin(env.as_ref(), BACKEND, request, Who::default())
        .await
        .unwrap()
}

async fn done(env: &Arc<Memory>, request: Request) -> Operation {
    let operation = begin(env, request).await;
    replication::run(env.as_ref(), operation).await.unwrap()
}

/// Carries a verb out and cancels it as soon as the journal fulfils a condition; gives what `cancel` says at that time.
async fn cancelled(
    env: &Arc<Memory>,
    request: Request,
    when: impl Fn(&Operation) -> bool,
) -> (Operation, String) {
    let operation = begin(env, request).await;
    let id = operation.id.clone();
    let running = tokio::spawn({
        let env = Arc::clone(env);
        async move { replication::run(env.as_ref(), operation).await.unwrap() }
    });
    let deadline = tokio::time::Instant::now() + Duration::from_secs(600);
    let word = loop {
        let now = env.rows().operations[&id].clone();
        if when(&now) {
            env.rows().cancelled.push(id);
            break takes_effect(&now);
        }
        assert!(tokio::time::Instant::now() < deadline, "{now:?}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    };
    (running.await.unwrap(), word)
}

fn at(operation: &Operation, step: &str) -> bool {
    let running = |s: &springform_model::operation::Step| s.state == OperationState::Running;
    operation.steps.iter().any(|s| s.name == step && running(s))
}

/// Nobody is held, nobody is half-way; gives how many `target` serves.
fn at_rest(env: &Memory, target: &str) -> usize {
    let rows = env.rows();
    assert!(rows.service.as_ref().unwrap().0.operation.is_none());
    for (id, (volume, _)) in &rows.volumes {
        assert_eq!(volume.operation, None, "{id}");
        if let Some((relation, _)) = rows.relations.get(id) {
            assert_eq!(relation.phase, Phase::Settled, "{id}");
            let placed = &volume.placement.as_ref().unwrap().target;
            assert_eq!(relation.serving.as_ref(), Some(placed), "{id}");
        }
        assert_ne!(
            volume.replication_status,
            Some(ReplicationStatus::FailingOver),
            "{id}"
        );
    }
    let placed = rows.volumes.values().map(|(v, _)| v.placement.as_ref());
    placed.filter(|p| p.unwrap().target == target).count()
}

/// Lines of the history that begin a call or end it, by what they are about.
fn order(env: &Memory, of: &[&str]) -> Vec<String> {
    let told = env.told();
    let called = told
        .lines()
        .filter_map(|line| Some(line.split_once(": ")?.1));
    let mine = called.filter(|call| of.iter().any(|word| call.starts_with(word)));
    mine.filter_map(|call| call.split(':').next())
        .map(str::to_owned)
        .collect()
}

#[tokio::test(start_paused = true)]
async fn an_old_array_that_takes_long_to_be_fenced_keeps_nobody_waiting() {
    let env = env(3, 0);
    *env.shape.lock().unwrap() = (1, 1);
    *env.slow_fence.lock().unwrap() = Duration::from_secs(300);
    let ended = done(&env, Request::Failover(everything())).await;
    assert_eq!(ended.state, OperationState::Succeeded);
    let words = ["promote", "replication.finish", "demote"];
    let expected = [
        "promote on b v0000",
        "promote on b v0001",
        "promote on b v0002",
        "replication.finish-failover",
        "demote on a v0000",
        "demote on a v0001",
        "demote on a v0002",
    ];
    assert_eq!(order(&env, &words), expected);
    assert_eq!(at_rest(&env, ARRAYS[1]), 3);
}

#[tokio::test(start_paused = true)]
async fn an_old_array_that_answers_is_fenced_while_others_are_still_promoted() {
    let env = env(3, 0);
    *env.shape.lock().unwrap() = (1, 1);
    let ended = done(&env, Request::Failover(everything())).await;
    assert_eq!(ended.state, OperationState::Succeeded);
    let calls = order(&env, &["promote", "demote"]);
    let place = |call: &str| calls.iter().position(|c| c == call).unwrap();
    for volume in ["v0000", "v0001", "v0002"] {
        let promoted = place(&format!("promote on b {volume}"));
        assert!(promoted < place(&format!("demote on a {volume}")));
    }
    assert!(place("demote on a v0000") < place("promote on b v0002"));
}

#[tokio::test(start_paused = true)]
async fn a_partly_failed_reprotect_says_which_volume_failed_and_why() {
    let env = env(3, 0);
    done(&env, Request::Failover(everything())).await;
    // Its copy on the serving array is gone: there is nothing to copy from.
    let lost = "v0001";
    env.world()
        .arrays
        .get_mut(ARRAYS[1])
        .unwrap()
        .copies
        .remove(lost);
    let ended = done(&env, Request::Reprotect(over_the_old_primary())).await;
    assert_eq!(ended.state, OperationState::PartlyFailed);
    let error = ended.error.expect("why");
    assert!(
        error.message.contains(lost) && error.message.contains("holds no copy"),
        "{error:?}"
    );
    let kept = ended.result["failures"].as_object().unwrap();
    assert_eq!(kept.keys().collect::<Vec<_>>(), [lost]);
}

#[tokio::test(start_paused = true)]
async fn a_reprotect_fences_an_array_that_nobody_has_seen_to_answer_again() {
    let env = env(3, 0);
    let up = |up| env.world().arrays.get_mut(ARRAYS[0]).unwrap().up = up;
    up(false);
    done(&env, Request::Failover(everything())).await;
    let over_all = Ask {
        to: None,
        ..over_the_old_primary()
    };
    let ended = done(&env, Request::Reprotect(over_all.clone())).await;
    assert_eq!(ended.state, OperationState::Failed, "it is dark");
    up(true);
    env.unseen.lock().unwrap().insert(ARRAYS[0].to_owned());
    let ended = done(&env, Request::Reprotect(over_all)).await;
    assert_eq!(ended.state, OperationState::Succeeded, "{:?}", ended.error);
    for (id, (relation, _)) in &env.rows().relations {
        assert!(relation.debt(ARRAYS[0]).is_none(), "{id}: {relation:?}");
    }
    assert_eq!(at_rest(&env, ARRAYS[1]), 3);
}

#[tokio::test(start_paused = true)]
async fn a_reprotect_waits_a_little_for_volumes_that_the_host_fences_just_then() {
    let env = env(3, 0);
    done(&env, Request::Failover(everything())).await;
    let hold = |env: &Memory, holder: Option<&str>| {
        let mut rows = env.rows();
        let (volume, revision) = rows.volumes.get_mut("v0001").unwrap();
        volume.operation = holder.map(str::to_owned);
        *revision += 1;
    };
    hold(&env, Some("a fence"));
    let fencing = env.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(3)).await;
        hold(&fencing, None);
    });
    let ended = done(&env, Request::Reprotect(over_the_old_primary())).await;
    assert_eq!(ended.state, OperationState::Succeeded, "{:?}", ended.error);

    hold(&env, Some("somebody who goes on for ever"));
    let ended = done(&env, Request::Reprotect(over_the_old_primary())).await;
    assert_eq!(ended.state, OperationState::PartlyFailed);
    let error = ended.error.expect("why");
    assert!(
        error.retryable && error.message.contains("for ever"),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn volumes_of_which_replication_cannot_be_switched_say_why() {
    let env = env(2, 0);
    let holder = Some("another".to_owned());
    env.rows()
        .volumes
        .get_mut("v0001")
        .unwrap()
        .0
        .operation
        .clone_from(&holder);
    let ended = done(&env, Request::Disable(everything())).await;
    assert_eq!(ended.state, OperationState::PartlyFailed);
    let error = ended.error.expect("why");
    assert!(
        error.retryable && error.message.contains("another"),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn reconcile_takes_the_turn_of_every_volume_it_asks_about_and_leaves_out_those_others_hold() {
    let env = env(3, 2_000);
    let hold = |holder: Option<&str>| {
        let mut rows = env.rows();
        let volume = &mut rows.volumes.get_mut("v0001").unwrap().0;
        volume.operation = holder.map(str::to_owned);
    };
    hold(Some("another"));
    let operation = begin(&env, Request::Reconcile(everything())).await;
    let id = operation.id.clone();
    let running = tokio::spawn({
        let env = Arc::clone(&env);
        async move { replication::run(env.as_ref(), operation).await.unwrap() }
    });
    let deadline = tokio::time::Instant::now() + Duration::from_secs(600);
    loop {
        let holders: Vec<Option<String>> = {
            let rows = env.rows();
            rows.volumes
                .values()
                .map(|v| v.0.operation.clone())
                .collect()
        };
        if holders == [Some(id.clone()), Some("another".into()), Some(id.clone())] {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "{holders:?}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let ended = running.await.unwrap();
    assert_eq!(ended.state, OperationState::PartlyFailed);
    assert!(ended.result["failures"]["v0001"]["message"].is_string());
    hold(None);
    assert_eq!(at_rest(&env, ARRAYS[0]), 3);
    let ended = done(&env, Request::Reconcile(everything())).await;
    assert_eq!(
        (ended.state, ended.progress.done),
        (OperationState::Succeeded, 3)
    );
}

#[tokio::test(start_paused = true)]
async fn an_unplanned_failover_that_is_cancelled_stops_between_batches() {
    let env = env(600, 500);
    let (ended, word) = cancelled(&env, Request::Failover(everything()), |o| {
        at(o, "promote") && o.progress.done > 0
    })
    .await;
    assert_eq!(ended.state, OperationState::Cancelled);
    let moved = at_rest(&env, ARRAYS[1]);
    assert!(moved > 0 && moved < 600, "{moved} of 600 moved");
    assert_eq!(ended.progress.done, moved as u64);
    assert_eq!(ended.progress.failed, 0, "nothing failed");
    assert!(word.contains("of all others stay where they are"), "{word}");
    // The way on is open: the rest follows.
    let rest = Ask {
        to: Some(ARRAYS[1].into()),
        ..everything()
    };
    let ended = done(&env, Request::Failover(rest)).await;
    assert_eq!(ended.state, OperationState::Succeeded, "{:?}", ended.error);
    assert_eq!(at_rest(&env, ARRAYS[1]), 600);
}

#[tokio::test(start_paused = true)]
async fn a_planned_failover_is_cancelled_before_the_sources_give_their_role_up_and_not_after() {
    let planned = || {
        Request::Failover(Ask {
            mode: Some(FailoverMode::Planned),
            ..everything()
        })
    };
    let early = env(200, 500);
    let (ended, word) = cancelled(&early, planned(), |o| at(o, "final sync")).await;
    assert_eq!(ended.state, OperationState::Cancelled);
    assert_eq!((ended.progress.done, ended.progress.failed), (0, 0));
    assert_eq!(at_rest(&early, ARRAYS[0]), 200);
    assert!(word.contains("before any further volume moves"), "{word}");

    let late = env(200, 500);
    let (ended, word) = cancelled(&late, planned(), |o| at(o, "demote")).await;
    assert_eq!(ended.state, OperationState::Succeeded, "{:?}", ended.error);
    assert_eq!(at_rest(&late, ARRAYS[1]), 200);
    assert!(
        word.contains("not for the volumes that are under way")
            && word.contains("giving its role up"),
        "{word}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_reprotect_that_is_cancelled_stops_between_batches() {
    let env = env(300, 0);
    done(&env, Request::Failover(everything())).await;
    *env.faults.lock().unwrap() = springform_sim_tests::memory::Faults {
        pending: 50,
        ..Default::default()
    };
    let (ended, word) = cancelled(&env, Request::Reprotect(over_the_old_primary()), |o| {
        o.progress.done > 0
    })
    .await;
    assert_eq!(ended.state, OperationState::Cancelled);
    assert!(
        ended.progress.done >= 64 && ended.progress.done < 300,
        "{:?}",
        ended.progress
    );
    at_rest(&env, ARRAYS[1]);
    assert!(word.contains("before its next batch"), "{word}");
}

#[tokio::test(start_paused = true)]
async fn a_reprotect_copies_several_batches_at_once_and_never_more_than_the_backend_allows() {
    let env = env(20 * 64, 100);
    done(&env, Request::Failover(everything())).await;
    env.calls.lock().unwrap().1 = 0;
    let ended = done(&env, Request::Reprotect(over_the_old_primary())).await;
    assert_eq!(ended.state, OperationState::Succeeded, "{:?}", ended.error);
    assert_eq!(ended.progress.done, 20 * 64);
    let most = env.calls.lock().unwrap().1;
    assert!((8..=16).contains(&most), "{most} calls at one time");
}

#[tokio::test(start_paused = true)]
async fn a_failback_copies_several_batches_at_once_and_counts_what_failed_in_any_of_them() {
    let env = env(200, 100);
    done(&env, Request::Failover(everything())).await;
    // Its copy on the serving array is gone: there is nothing to copy from, and the volume is of the first batch.
    {
        let mut world = env.world();
        let serving = world.arrays.get_mut(ARRAYS[1]).unwrap();
        serving.copies.remove("v0001");
    }
    env.calls.lock().unwrap().1 = 0;
    let ask = Ask {
        to: None,
        ..over_the_old_primary()
    };
    let ended = done(&env, Request::Failback(ask)).await;
    assert_eq!(
        ended.state,
        OperationState::PartlyFailed,
        "{:?}",
        ended.error
    );
    assert_eq!((ended.progress.done, ended.progress.failed), (199, 1));
    assert!(env.calls.lock().unwrap().1 > 1);
}

#[tokio::test(start_paused = true)]
async fn a_promotion_writes_off_what_an_array_owes_that_is_not_configured_any_more_and_says_so() {
    let env = env(3, 0);
    env.world().arrays.get_mut(ARRAYS[0]).unwrap().up = false;
    done(&env, Request::Failover(everything())).await;
    let owed = || {
        let rows = env.rows();
        let owed = rows.relations.values().map(|(r, _)| r.owed().count());
        owed.sum::<usize>()
    };
    assert_eq!(owed(), 3, "the array does not answer and is not fenced");
    *env.dropped.lock().unwrap() = vec![ARRAYS[0].into()];
    let ended = done(&env, Request::Promote(everything())).await;
    assert_eq!(ended.state, OperationState::Succeeded, "{:?}", ended.error);
    assert_eq!(owed(), 0);
    let told: Vec<_> = env.rows().events.values().cloned().collect();
    let told: Vec<_> = told
        .iter()
        .filter(|e| e.kind == "org.springform.replication.array-written-off")
        .collect();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].data["target"], ARRAYS[0]);
    assert_eq!(told[0].data["volumes"].as_array().unwrap().len(), 3);

    // Should it be named again, it is owed a fence again: what it holds is old.
    env.dropped.lock().unwrap().clear();
    done(&env, Request::Reconcile(everything())).await;
    assert_eq!(owed(), 3);
}
