//! A planned move loses nothing, or nothing moves: drivers that lie about the last transfer, transfers and demotions that
//! fail, and what an operator finds afterwards.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use springform_control::replication::{self, Ask, Order, Request, Scope, Who};
use springform_model::cloud::{ReplicationStatus, Service};
use springform_model::contract::FailoverMode;
use springform_model::operation::{Operation, OperationState, Verb};
use springform_model::replication::relation::Phase;
use springform_sim_tests::memory::Memory;
use springform_sim_tests::nouns::{self, BACKEND};
use springform_sim_tests::otherwise::Otherwise;
use springform_sim_tests::world::ARRAYS;

const VOLUMES: usize = 4;

fn env() -> Memory {
    let env = Memory::new(1, 0);
    for i in 0..VOLUMES {
        let id = format!("v{i}");
        env.world().create(&id, true);
        let volume = nouns::volume(&id, ARRAYS[0], true);
        env.rows().volumes.insert(id, (volume, 1));
    }
    env.rows().service = Some((nouns::service(), 1));
    env
}

fn everything() -> Ask {
    Ask {
        mode: Some(FailoverMode::Planned),
        ..Ask::about(Scope::Backend(BACKEND.into()))
    }
}

async fn done(env: &Memory, request: Request) -> Operation {
    let operation = replication::begin(env, BACKEND, request, Who::default())
        .await
        .unwrap();
    replication::run(env, operation).await.unwrap()
}

fn service(env: &Memory) -> Service {
    env.rows().service.clone().unwrap().0
}

/// Every volume is served by this array and writable there and nowhere else, has every acknowledged write, and is held by
/// nobody.
fn all_on(env: &Memory, target: &str) {
    let (rows, world) = (env.rows(), env.world());
    for (id, (volume, _)) in &rows.volumes {
        let relation = &rows.relations[id].0;
        assert_eq!(relation.phase, Phase::Settled, "{id}");
        assert_eq!(relation.serving.as_deref(), Some(target), "{id}");
        assert_eq!(volume.placement.as_ref().unwrap().target, target, "{id}");
        assert_eq!(volume.operation, None, "{id}");
        let status = match target == ARRAYS[0] {
            true => ReplicationStatus::Enabled,
            false => ReplicationStatus::FailedOver,
        };
        assert_eq!(volume.replication_status, Some(status), "{id}");
        for name in ARRAYS {
            let copy = &world.arrays[name].copies[id];
            assert_eq!(copy.writable, name == target, "{id} on {name}");
        }
        let acknowledged = world.acknowledged.get(id).copied().unwrap_or(0);
        let content = world.arrays[target].copies[id].content;
        assert_eq!(content, acknowledged, "{id}: an acknowledged write is lost");
    }
    assert!(world.violations.is_empty(), "{:?}", world.violations);
}

fn hosts_write(env: &Memory, target: &str) {
    for i in 0..VOLUMES {
        assert!(env.world().write(&format!("v{i}"), target));
    }
}

#[tokio::test(start_paused = true)]
async fn a_driver_that_answers_the_last_transfer_with_the_points_of_before_moves_nothing() {
    for honest in [0, 1] {
        let env = env();
        hosts_write(&env, "a");
        env.world().otherwise = Otherwise {
            lies_after: Some(honest),
            written_at_demotion: true,
            ..Otherwise::default()
        };
        let ended = done(&env, Request::Failover(everything())).await;
        assert_eq!(ended.state, OperationState::Failed, "{ended:?}");
        assert_eq!(ended.progress.failed, VOLUMES as u64);
        let why = ended.error.unwrap().message;
        assert!(why.contains("last writes have not arrived"), "{why}");
        assert!(why.contains("it was not moved, a serves it"), "{why}");
        all_on(&env, "a");
        let backend = service(&env);
        assert_eq!(backend.replication_status, ReplicationStatus::Enabled);
        assert!(!backend.disabled);
        // An honest driver afterwards.
        env.world().otherwise = Otherwise::default();
        hosts_write(&env, "a");
        let moved = done(&env, Request::Failover(everything())).await;
        assert_eq!(moved.state, OperationState::Succeeded, "{moved:?}");
        all_on(&env, "b");
    }
}

#[tokio::test(start_paused = true)]
async fn a_last_transfer_that_fails_gives_the_role_back() {
    let env = env();
    hosts_write(&env, "a");
    env.world().otherwise = Otherwise {
        written_at_demotion: true,
        dark_after_demotion: vec!["b".into()],
        ..Otherwise::default()
    };
    let to_b = Ask {
        to: Some("b".into()),
        ..everything()
    };
    let ended = done(&env, Request::Failover(to_b)).await;
    assert_eq!(ended.state, OperationState::Failed, "{ended:?}");
    let failures = ended.result["failures"].as_object().unwrap();
    assert_eq!(failures.len(), VOLUMES, "{failures:?}");
    all_on(&env, "a");
    assert_eq!(service(&env).replication_status, ReplicationStatus::Enabled);
    hosts_write(&env, "a");
}

#[tokio::test(start_paused = true)]
async fn a_demotion_that_fails_half_way_leaves_the_volume_writable_where_it_is() {
    let env = env();
    env.world().otherwise.half_demoted = ["v1".to_owned()].into();
    let ended = done(&env, Request::Failover(everything())).await;
    assert_eq!(ended.state, OperationState::PartlyFailed, "{ended:?}");
    let (rows, world) = (env.rows(), env.world());
    let relation = &rows.relations["v1"].0;
    assert_eq!(relation.phase, Phase::Settled);
    assert_eq!(relation.serving.as_deref(), Some("a"));
    assert!(world.arrays["a"].copies["v1"].writable);
    assert!(world.arrays["b"].copies["v0"].writable);
}

#[tokio::test(start_paused = true)]
async fn a_failback_whose_last_transfer_is_not_proven_stays_failed_over_and_can_be_tried_again() {
    let env = env();
    let moved = done(&env, Request::Failover(everything())).await;
    assert_eq!(moved.state, OperationState::Succeeded, "{moved:?}");
    hosts_write(&env, "b");
    env.world().otherwise = Otherwise {
        lies_after: Some(1),
        written_at_demotion: true,
        ..Otherwise::default()
    };
    let ended = done(&env, Request::Failback(everything())).await;
    assert_eq!(ended.state, OperationState::Failed, "{ended:?}");
    all_on(&env, "b");
    let backend = service(&env);
    assert_eq!(backend.replication_status, ReplicationStatus::FailedOver);
    assert_eq!(backend.active_target.as_deref(), Some("b"));
    env.world().otherwise = Otherwise::default();
    let back = done(&env, Request::Failback(everything())).await;
    assert_eq!(back.state, OperationState::Succeeded, "{back:?}");
    all_on(&env, "a");
    assert_eq!(service(&env).replication_status, ReplicationStatus::Enabled);
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_given_back_is_planned_truly_and_its_retry_mends_the_backend() {
    let env = env();
    let to_b = Ask {
        to: Some("b".into()),
        ..everything()
    };
    done(&env, Request::Failover(to_b)).await;
    hosts_write(&env, "b");
    // Both arrays go dark when the serving one has given its role up: nobody can take it, and nobody can be given it back.
    env.world().otherwise = Otherwise {
        written_at_demotion: true,
        dark_after_demotion: vec!["a".into(), "b".into()],
        ..Otherwise::default()
    };
    let ended = done(&env, Request::Failback(everything())).await;
    assert_eq!(ended.state, OperationState::Failed, "{ended:?}");
    assert_eq!(
        service(&env).replication_status,
        ReplicationStatus::FailoverError
    );
    for array in env.world().arrays.values_mut() {
        array.up = true;
    }
    let failed: Vec<String> = ended.result["failures"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    assert_eq!(failed.len(), VOLUMES);
    // As `springform operation retry` does it: a plan and the verb for the volumes that failed.
    let order = Order {
        scope: Scope::Volumes(failed.clone()),
        to: None,
        mode: FailoverMode::Planned,
        point: None,
    };
    let plan = replication::make_plan_back(&env, BACKEND, Verb::Failback, order)
        .await
        .unwrap();
    assert_eq!(plan.possible, plan.total, "{plan:?}");
    let again = Ask::about(Scope::Volumes(failed));
    let back = done(&env, Request::Failback(again)).await;
    assert_eq!(back.state, OperationState::Succeeded, "{back:?}");
    all_on(&env, "a");
    let backend = service(&env);
    assert_eq!(backend.replication_status, ReplicationStatus::Enabled);
    assert_eq!((backend.active_target, backend.disabled), (None, false));
}

#[tokio::test(start_paused = true)]
async fn a_failback_ends_with_protection_and_leaves_it_out_where_it_is_told_to() {
    for protect in [true, false] {
        let env = env();
        done(&env, Request::Failover(everything())).await;
        let ask = Ask {
            reprotect: protect,
            ..everything()
        };
        let back = done(&env, Request::Failback(ask)).await;
        assert_eq!(back.state, OperationState::Succeeded, "{back:?}");
        let last = back.steps.iter().find(|s| s.name == "protecting");
        assert_eq!(last.is_some(), protect, "{:?}", back.steps);
        let expected = match protect {
            true => ReplicationStatus::Enabled,
            false => ReplicationStatus::Disabled,
        };
        for (volume, _) in env.rows().volumes.values() {
            assert_eq!(volume.replication_status, Some(expected));
            assert_eq!(volume.operation, None);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_volume_that_was_never_made_holds_up_no_other() {
    let env = env();
    done(&env, Request::Failover(everything())).await;
    {
        let mut rows = env.rows();
        let mut broken = nouns::volume("v9", "b", true);
        broken.status = springform_model::cloud::VolumeStatus::Error;
        broken.placement = None;
        rows.volumes.insert("v9".into(), (broken, 1));
    }
    let back = done(&env, Request::Failback(everything())).await;
    assert_eq!(back.state, OperationState::Succeeded, "{back:?}");
    env.rows().volumes.remove("v9");
    all_on(&env, "a");
}

#[tokio::test(start_paused = true)]
async fn after_single_volumes_were_moved_the_verbs_of_the_backend_work_for_all() {
    let env = env();
    let one = Ask {
        mode: Some(FailoverMode::Planned),
        to: Some("b".into()),
        ..Ask::about(Scope::Volumes(vec!["v0".into()]))
    };
    done(&env, Request::Failover(one)).await;
    for request in [
        Request::Reprotect(everything()),
        Request::Resync(Ask {
            to: Some("c".into()),
            ..everything()
        }),
        Request::StartDrill(everything()),
    ] {
        let ended = done(&env, request).await;
        assert_eq!(ended.state, OperationState::Succeeded, "{ended:?}");
    }
    let drill = env.rows().drills.keys().next().cloned().unwrap();
    done(&env, Request::StopDrill(drill)).await;
    // Towards an array that serves one of them: that one is told why not, the others go.
    let to_b = Ask {
        to: Some("b".into()),
        ..everything()
    };
    for request in [
        Request::Resync(to_b.clone()),
        Request::StartDrill(to_b.clone()),
    ] {
        let ended = done(&env, request).await;
        assert_eq!(ended.state, OperationState::PartlyFailed, "{ended:?}");
        assert_eq!((ended.progress.done, ended.progress.failed), (3, 1));
        let why = &ended.result["failures"]["v0"]["message"];
        assert!(why.as_str().unwrap().contains('b'), "{ended:?}");
        assert!(ended.error.is_some());
    }
    let drill = env.rows().drills.keys().next_back().cloned().unwrap();
    done(&env, Request::StopDrill(drill)).await;
    let gathered = done(&env, Request::Failback(everything())).await;
    assert_eq!(gathered.state, OperationState::Succeeded, "{gathered:?}");
    all_on(&env, "a");
}

#[tokio::test(start_paused = true)]
async fn after_a_drill_became_the_failover_backend_volumes_and_failback_agree() {
    let env = env();
    let to_b = Ask {
        to: Some("b".into()),
        ..Ask::about(Scope::Backend(BACKEND.into()))
    };
    done(&env, Request::StartDrill(to_b)).await;
    let drill = env.rows().drills.keys().next().cloned().unwrap();
    let taken = done(&env, Request::CommitDrill(drill)).await;
    assert_eq!(taken.state, OperationState::Succeeded, "{taken:?}");
    let backend = service(&env);
    assert_eq!(backend.active_target.as_deref(), Some("b"));
    assert_eq!(backend.replication_status, ReplicationStatus::FailedOver);
    assert_eq!((backend.operation, backend.disabled), (None, true));
    // The array that was left behind is overwritten with leave, as after any unplanned failover.
    let order = Order {
        scope: Scope::Backend(BACKEND.into()),
        to: None,
        mode: FailoverMode::Planned,
        point: None,
    };
    let plan = replication::make_plan_back(&env, BACKEND, Verb::Failback, order)
        .await
        .unwrap();
    let leave = Ask {
        acknowledge: replication::Consent(plan.acknowledge),
        ..everything()
    };
    let back = done(&env, Request::Failback(leave)).await;
    assert_eq!(back.state, OperationState::Succeeded, "{back:?}");
    all_on(&env, "a");
    let backend = service(&env);
    assert_eq!(backend.replication_status, ReplicationStatus::Enabled);
    assert_eq!(backend.active_target, None);
}

#[tokio::test(start_paused = true)]
async fn a_plan_of_a_planned_move_loses_nothing() {
    let env = env();
    hosts_write(&env, "a");
    let order = |mode| Order {
        scope: Scope::Backend(BACKEND.into()),
        to: Some("b".into()),
        mode,
        point: None,
    };
    let plan = |mode| replication::make_plan(&env, BACKEND, order(mode));
    let forced = plan(FailoverMode::Unplanned).await.unwrap();
    assert_eq!(forced.worst_loss_seconds, Some(1));
    let planned = plan(FailoverMode::Planned).await.unwrap();
    assert_eq!(planned.worst_loss_seconds, Some(0));
    assert!(planned.volumes.iter().all(|v| v.loss_seconds == Some(0)));
}
