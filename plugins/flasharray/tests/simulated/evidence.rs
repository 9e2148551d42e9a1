//! What a promotion writes beside the volume, and what is left alone because of it: the host's record may be older.

use serde_json::{Value, json};
use springform_sdk::http::Method;
use springform_sdk::interfaces::replication::{FailoverMode, LinkState, Observation};
use springform_sdk::types::{Error, Failure, Outcome, ReplicationKind, Volume};

use crate::rig::{HOUR, Rig, filled, replicated, request, stretched, three_sites};

const ID: &str = "a0000000-0000-0000-0000-0000000000e1";

/// A volume that was moved, and the record of it from before.
struct Moved {
    rig: Rig,
    before: Volume,
    now: Volume,
    to: &'static str,
}

fn fail_over(rig: &Rig, operation: &str, volume: &Volume, to: &str) -> Outcome {
    let mode = FailoverMode::Unplanned;
    let plan = rig
        .call("plan", |d| d.plan(&request(volume, Some(to), mode.clone())))
        .unwrap();
    let mut next = volume.clone();
    next.generation += 1;
    rig.call(operation, |d| {
        d.fail_over(&plan, std::slice::from_ref(&next))
    })
    .unwrap()
    .remove(0)
}

fn moved(rig: Rig, volume: Volume, to: &'static str) -> Moved {
    rig.host.replace(Some("host-1".to_owned()));
    rig.set_up();
    let before = filled(&rig, volume, b"written on a");
    rig.advance(HOUR);
    rig.advance(HOUR);
    let mut now = before.clone();
    now.placement = Some(fail_over(&rig, "op-1", &before, to).result.unwrap());
    now.generation = 1;
    Moved {
        rig,
        before,
        now,
        to,
    }
}

fn all_kinds() -> [Moved; 4] {
    [
        moved(Rig::pair(), replicated(ID), "b"),
        moved(Rig::stretched(), stretched(ID), "b"),
        moved(Rig::three(), three_sites(ID), "b"),
        moved(Rig::three(), three_sites(ID), "c"),
    ]
}

fn observed(rig: &Rig, volume: &Volume) -> Observation {
    rig.call("look", |d| d.observe(std::slice::from_ref(volume)))
        .unwrap()
        .remove(0)
}

/// The evidence in an observation, by array.
fn evidence(seen: &Observation) -> Vec<(String, LinkState, Value)> {
    let ours = |kind: &ReplicationKind| matches!(kind, ReplicationKind::Other(k) if k == "springform/evidence");
    let links = seen.links.iter().filter(|l| ours(&l.kind));
    links
        .map(|l| {
            let detail = l.detail.as_deref().unwrap_or("null");
            (
                l.target.clone(),
                l.state.clone(),
                serde_json::from_str(detail).unwrap(),
            )
        })
        .collect()
}

fn refused(outcome: Outcome) -> Failure {
    outcome.result.unwrap_err()
}

/// It says which promotion is in the way, and nothing in words has to be read for it.
fn names_the_promotion(failure: &Failure, generation: u64) {
    let (key, mark) = &failure.extensions[0];
    assert_eq!(key, "springform/evidence");
    let mark: Value = serde_json::from_str(mark).unwrap();
    assert_eq!(mark["generation"], generation);
    assert!(failure.message.contains("reconcile"), "{}", failure.message);
}

#[test]
fn a_promotion_is_read_back_with_all_that_a_record_needs_to_follow_it() {
    for Moved {
        rig,
        before,
        now,
        to,
    } in all_kinds()
    {
        let seen = observed(&rig, &before);
        let found = evidence(&seen);
        let (_, state, detail) = found.iter().find(|(target, ..)| target == to).unwrap();
        assert_eq!(*state, LinkState::Healthy);
        assert_eq!(
            detail["mark"],
            json!({"generation": 1, "host": "host-1", "operation": "op-1", "target": to})
        );
        let placement = now.placement.as_ref().unwrap();
        assert_eq!(detail["placement"]["array_name"], placement.array_name);
        assert_eq!(detail["placement"]["target"], to);
        assert_eq!(detail["placement"]["serial"], json!(placement.serial));
        assert_eq!(detail["size"], before.size);
        // The record that knows of it is told the promotion, and is not told at length.
        let known = evidence(&observed(&rig, &now));
        let (_, _, detail) = known.iter().find(|(target, ..)| target == to).unwrap();
        assert_eq!(detail["mark"]["generation"], 1);
        assert_eq!(detail["placement"], Value::Null);
    }
}

#[test]
fn nobody_who_does_not_say_who_it_is_is_told_or_leaves_anything() {
    let rig = Rig::pair();
    rig.set_up();
    let before = filled(&rig, replicated(ID), b"written on a");
    rig.advance(HOUR);
    fail_over(&rig, "op-1", &before, "b").result.unwrap();
    assert_eq!(evidence(&observed(&rig, &before)), []);
    assert_eq!(
        rig.get("b", "/volumes/tags?namespaces=springform"),
        json!([])
    );
}

#[test]
fn an_array_that_cannot_be_asked_is_said_to_be_so() {
    let Moved { rig, before, .. } = moved(Rig::pair(), replicated(ID), "b");
    rig.power("b", false);
    let found = evidence(&observed(&rig, &before));
    assert_eq!(found, [("b".to_owned(), LinkState::Unknown, Value::Null)]);
}

#[test]
fn an_older_record_fences_overwrites_and_deletes_nothing_where_the_promotion_is() {
    for Moved {
        rig,
        before,
        now,
        to,
    } in all_kinds()
    {
        let state = rig.state()["arrays"][to]["volumes"].clone();
        let one = std::slice::from_ref(&before);
        let fenced = rig.call("fence", |d| d.demote(to, one)).unwrap().remove(0);
        names_the_promotion(&refused(fenced), 1);
        names_the_promotion(&refused(fail_over(&rig, "op-2", &before, to)), 1);
        let over = rig.call("over", |d| d.reprotect(one, Some(to), true, false));
        names_the_promotion(&refused(over.unwrap().remove(0)), 1);
        // As the record has it, but where the volume is in truth.
        let mut here = before.clone();
        here.placement.clone_from(&now.placement);
        match rig.call("delete", |d| d.delete(&here)).unwrap_err() {
            Error::Failed(failure) => names_the_promotion(&failure, 1),
            Error::Pending(_) => panic!("a refusal does not wait"),
        }
        assert_eq!(rig.state()["arrays"][to]["volumes"], state);
    }
}

#[test]
fn the_record_that_knows_of_the_promotion_goes_on() {
    for Moved {
        rig,
        before,
        now,
        to,
    } in all_kinds()
    {
        // The same operation once more, as after a crash.
        let again = fail_over(&rig, "op-1", &before, to);
        assert_eq!(again.result.unwrap().target, to);
        let one = std::slice::from_ref(&now);
        let left = rig.call("fence", |d| d.demote("a", one)).unwrap();
        left.into_iter().next().unwrap().result.unwrap();
        rig.call("delete", |d| d.delete(&now)).unwrap();
    }
}

#[test]
fn the_others_of_a_batch_are_not_held_up() {
    let Moved { rig, before, .. } = moved(Rig::pair(), replicated(ID), "b");
    let other = filled(
        &rig,
        replicated("a0000000-0000-0000-0000-0000000000e2"),
        b"x",
    );
    let third = filled(
        &rig,
        replicated("a0000000-0000-0000-0000-0000000000e3"),
        b"x",
    );
    let batch = [other.clone(), before.clone(), third.clone()];
    let outcomes = rig.call("fence", |d| d.demote("b", &batch)).unwrap();
    let done: Vec<_> = outcomes
        .iter()
        .map(|o| (o.id.as_str(), o.result.is_ok()))
        .collect();
    assert_eq!(
        done,
        [
            (other.id.as_str(), true),
            (before.id.as_str(), false),
            (third.id.as_str(), true)
        ]
    );
}

#[test]
fn a_mark_that_somebody_else_wrote_is_not_overruled() {
    let Moved { rig, now, .. } = moved(Rig::pair(), replicated(ID), "b");
    let name = &now.placement.as_ref().unwrap().array_name;
    let path = format!("/volumes/tags/batch?resource_names={name}");
    let tag = json!([{"namespace": "springform", "key": "promotion", "value": "mine!", "copyable": false}]);
    rig.ask(Method::Put, "b", &path, Some(tag.to_string().into_bytes()));
    let found = evidence(&observed(&rig, &now));
    assert_eq!(found[0].2["mark"], "mine!");
    let one = std::slice::from_ref(&now);
    let fenced = rig.call("fence", |d| d.demote("b", one)).unwrap().remove(0);
    let failure = refused(fenced);
    assert!(
        failure.message.contains("does not understand"),
        "{}",
        failure.message
    );
}

#[test]
fn a_volume_that_is_given_back_takes_no_mark_along() {
    let Moved { rig, now, .. } = moved(Rig::pair(), replicated(ID), "b");
    rig.call("unmanage", |d| Ok(d.volumes().unmanage(&now)?))
        .unwrap();
    assert_eq!(
        rig.get("b", "/volumes/tags?namespaces=springform"),
        json!([])
    );
}
