//! Bytes of volumes on three sites: both arrays of the pod are lost, one after the other or together, and the third has
//! exactly the blocks of the recovery point that the plan named; or they are left in good order, and it has all of them.
//! Then everything that was written out there comes home into the pod.

use springform_sdk::interfaces::replication::{FailoverMode, FailoverPlan, Role};
use springform_sdk::types::{ReplicationKind, Volume};

use crate::bytes::{Run, seeds, taken, workload};
use crate::rig::leaving;

/// What the host does for a planned failover of everything.
fn move_to(run: &mut Run, from: &str, to: &str) {
    let volumes = run.volumes();
    let plan = run.plan(Some(to), FailoverMode::Planned).unwrap();
    assert!(
        plan.volumes.iter().all(|p| p.possible),
        "{:?}",
        plan.volumes
    );
    let sync = |run: &Run, plan: &FailoverPlan| {
        let synced = run.memory.call("move", |d| d.final_sync(plan, &volumes));
        synced.unwrap()
    };
    let plan = sync(run, &plan);
    for _ in 0..run.dice.roll(5) {
        run.write();
    }
    let demoted: Vec<Volume> = volumes.iter().map(|v| leaving(v, to)).collect();
    let outcomes = run.memory.call("move", |d| d.demote(from, &demoted));
    assert!(outcomes.unwrap().iter().all(|o| o.result.is_ok()));
    let plan = sync(run, &plan);
    run.switch(&plan);
    run.complete(to);
}

/// Both arrays of the pod go dark. What is left of the journals is what the recovery point holds. Says whether the pod's
/// second array led in between.
fn lose_the_pod(run: &mut Run) -> bool {
    let mut between = false;
    run.go_dark("a");
    if run.dice.one_in(2) && !run.disks.is_empty() {
        let near = run.plan(None, FailoverMode::Unplanned);
        if let Ok(near) = near
            && near.target == "b"
            && near.volumes.iter().all(|p| p.possible)
        {
            run.switch(&near);
            run.complete("b");
            between = true;
            for _ in 0..run.dice.roll(30) {
                run.write();
                if run.dice.one_in(8) {
                    let ms = run.dice.roll(100_000);
                    run.memory.pass(ms);
                }
            }
        }
    }
    run.go_dark("b");
    between
}

fn recover(run: &mut Run) -> usize {
    let plan = run.plan(Some("c"), FailoverMode::Unplanned).unwrap();
    run.switch(&plan);
    for disk in &mut run.disks {
        let planned = plan.volumes.iter().find(|p| p.volume_id == disk.volume.id);
        let point = planned.unwrap().point.clone().unwrap();
        let taken = taken(&run.memory, "c", &point.id);
        assert!(
            point.taken_at <= taken || point.taken_at - taken < 1000,
            "{} holds what was there at {taken}, the plan promises {}",
            point.id,
            point.taken_at
        );
        disk.journal.retain(|(when, ..)| *when < taken);
    }
    run.complete("c");
    plan.volumes.iter().filter(|p| !p.possible).count()
}

fn come_home(run: &mut Run) {
    for _ in 0..run.dice.roll(20) {
        run.write();
        if run.dice.one_in(6) {
            run.create();
        }
    }
    for array in ["a", "b"] {
        run.memory.power(array, true);
    }
    for (one, other) in [("a", "b"), ("a", "c"), ("b", "c")] {
        run.memory.link(one, other, true);
    }
    let volumes = run.volumes();
    if volumes.is_empty() {
        return;
    }
    for array in ["a", "b"] {
        let fenced = run.memory.call("fence", |d| d.demote(array, &volumes));
        assert!(fenced.unwrap().iter().all(|o| o.result.is_ok()));
    }
    let home = if run.dice.one_in(2) { "a" } else { "b" };
    let protected = run.memory.call("reprotect", |d| {
        d.reprotect(&volumes, Some(home), false, true)
    });
    protected.unwrap();
    for _ in 0..run.dice.roll(10) {
        run.write();
    }
    move_to(run, "c", home);
    let again = run
        .memory
        .call("protect", |d| d.reprotect(&run.volumes(), None, true, true));
    assert!(again.unwrap().iter().all(|o| o.result.is_ok()));
    let seen = run.memory.call("observe", |d| d.observe(&run.volumes()));
    for seen in seen.unwrap() {
        assert_eq!(seen.role, Role::Both, "{seen:?}");
        assert!(seen.stale_writable.is_empty(), "{seen:?}");
        assert_eq!(seen.links.len(), 2, "{seen:?}");
    }
}

#[test]
fn three_sites_lose_nothing_in_good_order_and_no_more_than_the_plan_says_otherwise() {
    let (mut lost, mut moved, mut between, mut without) = (0, 0, 0, 0);
    for seed in 0..seeds() {
        let mut run = workload(seed, ReplicationKind::TriSync);
        if run.dice.one_in(4) {
            for (one, other) in [("a", "b"), ("a", "c"), ("b", "c")] {
                run.memory.link(one, other, true);
            }
            // A first copy of everything, however far behind it is.
            run.memory.pass(400_000);
            move_to(&mut run, "a", "c");
            moved += 1;
        } else {
            between += usize::from(lose_the_pod(&mut run));
            if run.disks.is_empty() {
                continue;
            }
            without += recover(&mut run);
            lost += 1;
        }
        come_home(&mut run);
    }
    println!(
        "{lost} times lost ({between} after the second array had led, {without} volumes in no point), {moved} times left"
    );
    let tried = [lost, moved, between, without];
    assert!(
        tried.iter().all(|n| *n > 0),
        "the seeds try everything: {tried:?}"
    );
}
