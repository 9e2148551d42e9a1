//! What is shown of how things stand is what the control plane says: every member of it, under its name.

use serde_json::{Value, json};
use springform_control::attachments::repair::{Outcome, Repaired, Report};
use springform_control::obligations::Owed;
use springform_control::registry::{BackendGeneration, DriverStatus, Version};
use springform_control::reload::{BackendChange, Change, DriverChange, Reloaded};
use springform_control::replication::{
    BackendStanding, Differences, OpenOperation, OutdatedStanding, Plan, TargetStanding,
    VolumeStanding,
};
use springform_model::cloud::ReplicationStatus;
use springform_model::operation::Verb;
use springform_model::replication::obligation::ObligationKind;
use springform_model::time::Timestamp;

use super::*;

fn target(full: bool) -> TargetStanding {
    let some = |value: Value| if full { value } else { Value::Null };
    let links = json!({
        "links": {"healthy": 3}, "worst": some(json!("resyncing")), "lag_seconds": some(json!(5)),
        "ratio_permille": some(json!(6)), "severity": "critical", "oldest_point": some(json!(7)),
        "latest_for": some(json!([8, 9])), "owed": 10, "owed_since": some(json!(11)), "back": 12, "written_off": 13,
    });
    TargetStanding {
        target: "a".into(),
        primary: true,
        active: false,
        reachable: full.then_some(true),
        problems: vec!["p".into()],
        distrust: full.then(|| "d".into()),
        clock_skew_seconds: full.then_some(-3),
        links: serde_json::from_value(links).unwrap(),
    }
}

fn backend(full: bool) -> BackendStanding {
    let text = |text: &str| full.then(|| text.to_owned());
    let owed = Owed {
        target: "a".into(),
        kind: ObligationKind::DeleteGroupSnapshot,
        count: 2,
        since: Timestamp(3),
        objects: vec!["o".into()],
        reason: "r".into(),
        error: text("e"),
    };
    BackendStanding {
        backend: "b".into(),
        host: "h@b".into(),
        driver: "d".into(),
        generation: full.then_some(1),
        up: true,
        reason: text("r"),
        disabled: true,
        disabled_reason: text("dr"),
        frozen: false,
        replication_status: ReplicationStatus::FailedOver,
        active_target: text("a"),
        operation: text("o"),
        operations: vec![OpenOperation {
            id: "i".into(),
            verb: Verb::Failover,
            subject: "backend b".into(),
        }],
        observed_at: full.then_some(Timestamp(4)),
        failures: 5,
        error: text("e"),
        volumes: 6,
        protection: [("protected".to_owned(), 7)].into(),
        outdated: full.then(|| OutdatedStanding {
            reason: "r",
            protection: [("unknown".to_owned(), 8)].into(),
        }),
        split_brain: vec!["v".into()],
        overtaken: 9,
        look_only_since: full.then_some(Timestamp(10)),
        differences: full.then(|| Differences {
            at: Timestamp(11),
            count: 12,
            found: vec!["f".into()],
        }),
        drills: 13,
        obligations: vec![owed],
        targets: vec![target(full)],
    }
}

#[test]
fn a_backend_is_shown_with_everything_that_is_known_of_it() {
    for full in [true, false] {
        let standing = backend(full);
        assert_eq!(json!(BackendView::new(&standing)), json!(standing));
    }
}

#[test]
fn a_volume_is_shown_with_everything_that_is_known_of_it() {
    let observed = json!({
        "at": 1,
        "what": {
            "volume_id": "v", "target": "a", "role": "split-brain", "protection": "rpo-exceeded",
            "links": [{
                "target": "b", "kind": "async", "state": {"other": "new"},
                "last_point": {"id": "p", "taken_at": 2}, "interval_seconds": 3, "lag_bytes": 4, "percent": 5,
                "detail": "d",
            }],
            "stale_writable": ["c"], "tests": ["t"], "problems": ["p"],
        },
        "generation": 6, "points": {"b": {"source": "a", "at": 7}}, "clock": "k",
    });
    let debt = json!({"target": "b", "generation": 8, "state": "written-off", "since": 9});
    for full in [true, false] {
        let text = |text: &str| full.then(|| text.to_owned());
        let standing = VolumeStanding {
            id: "v".into(),
            name: text("n"),
            project_id: "p".into(),
            group_id: text("g"),
            backend: "b".into(),
            replicated: true,
            serving: text("a"),
            desired: "a".into(),
            phase: "moving",
            generation: 10,
            moved_at: full.then_some(Timestamp(11)),
            debts: vec![serde_json::from_value(debt.clone()).unwrap()],
            drill: full.then(|| serde_json::from_value(json!({"id": "d", "target": "b"})).unwrap()),
            operation: text("o"),
            attachments: 12,
            observed: full.then(|| serde_json::from_value(observed.clone()).unwrap()),
            concerns: vec!["c".into()],
        };
        let shown = json!(ReplicatedVolumeView::new(&standing));
        assert_eq!(shown, json!(standing));
    }
}

#[test]
fn a_driver_is_shown_with_everything_that_is_known_of_it() {
    for full in [true, false] {
        let version = |number| {
            full.then(|| Version {
                number,
                digest: "x".into(),
                version: "0.1.0".into(),
            })
        };
        let status = DriverStatus {
            name: "d".into(),
            configured: full.then(|| "/p".into()),
            deployed: version(3),
            running: version(2),
            rollback: version(1),
            backends: vec![BackendGeneration {
                backend: "b".into(),
                generation: full.then_some(2),
                in_flight: 4,
                ready: full,
                reason: (!full).then(|| "r".into()),
            }],
            generations: Vec::new(),
        };
        assert_eq!(json!(DriverView::new(&status)), json!(status));
    }
}

#[test]
fn a_plan_is_shown_with_its_order_beside_what_it_comes_to_and_without_its_fingerprint() {
    for scope in [
        json!({"backend": "b"}),
        json!({"volumes": ["v"]}),
        json!({"group": "g"}),
        json!({"project": "p"}),
        json!({"obligations": ["o"]}),
    ] {
        let order = json!({"scope": scope, "to": "a", "mode": "planned", "point": null});
        let volume = json!({
            "volume_id": "v", "source": "a", "point": {"id": "p", "taken_at": 1}, "possible": true, "reason": null,
            "loss_seconds": 2, "loss_bytes": null, "warnings": ["w"],
        });
        let rest = json!({
            "id": "i", "verb": "failback", "backend": "b", "target": "a", "volumes": [volume], "total": 3,
            "possible": 4, "worst_loss_seconds": 5, "loss_bytes": 6,
            "acknowledge": [{"target": "a", "role": "primary", "generation": 7}], "interrupts": ["i"],
            "created_at": 8, "expires_at": 9,
        });
        let merge = |into: &Value, from: &Value| {
            let both = [into, from]
                .into_iter()
                .flat_map(|value| value.as_object().unwrap());
            Value::Object(
                both.map(|(key, value)| (key.clone(), value.clone()))
                    .collect(),
            )
        };
        let record = merge(&rest, &json!({"order": order, "fingerprint": "secret"}));
        let plan: Plan = serde_json::from_value(record).unwrap();
        assert_eq!(json!(PlanView::new(&plan)), merge(&rest, &order));
    }
}

#[test]
fn reports_are_shown_as_they_are_made() {
    let repaired = |outcome, some: bool| Repaired {
        volume_id: "v".into(),
        server_id: some.then(|| "s".into()),
        attachment_id: "a".into(),
        backend: some.then(|| "b".into()),
        outcome,
        reason: some.then(|| "r".into()),
        commands: vec!["c".into()],
    };
    let report = Report {
        attachments: vec![
            repaired(Outcome::WouldReattach, true),
            repaired(Outcome::ByHand, false),
        ],
        remaining: 3,
    };
    assert_eq!(json!(RepairReport::new(&report)), json!(report));
    let backend = |change, some: bool| BackendChange {
        name: "b".into(),
        change,
        what: vec!["w".into()],
        driver: "d".into(),
        generation: some.then_some(1),
        ready: some,
        reason: (!some).then(|| "r".into()),
    };
    let reloaded = Reloaded {
        dry_run: true,
        backends: vec![
            backend(Change::Added, true),
            backend(Change::Changed, false),
        ],
        drivers: vec![DriverChange {
            name: "d".into(),
            change: Change::Removed,
        }],
        host: vec!["h".into()],
        unchanged: 4,
    };
    assert_eq!(json!(ReloadReport::new(&reloaded)), json!(reloaded));
}
