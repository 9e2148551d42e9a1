//! The host as a process that can be killed: store and arrays on disk, one verb to carry out, everything open resumed first.

use std::path::Path;
use std::sync::Arc;

use springform_control::outbox::Delivery;
use springform_control::replication::{
    self, Ask, Consent, ReplicationEnv, Request, Scope, StoreEnv, Who,
};
use springform_model::cloud::{Group, Service, Volume};
use springform_model::contract::{Call, FailoverMode, Role};
use springform_model::operation::Operation;
use springform_model::replication::drill::Drill;
use springform_model::replication::obligation::{Cause, Obligation, ObligationKind};
use springform_model::replication::relation::{Acknowledge, Relation};
use springform_model::time::Timestamp;
use springform_store::{Changes, Query, Store};

use crate::arrays::{self, Kind, Simulated};
use crate::nouns::{self, BACKEND};
use crate::world::{ARRAYS, World};

/// Volumes of a crash test.
const VOLUMES: usize = 6;

/// The group of verbs that begin with `group-`; kept by the array where their name ends in `-as-one`.
const GROUP: &str = "g";

/// Verbs, each with what must have happened before.
pub const VERBS: [&str; 21] = [
    "unplanned",
    "planned",
    "failback",
    "reprotect",
    "resync",
    "fence",
    "start-drill",
    "stop-drill",
    "commit-drill",
    "enable",
    "disable",
    "two-volumes",
    "reconcile",
    "promote",
    "settle",
    "group-failover",
    "group-failback",
    "group-enable",
    "group-disable",
    "group-enable-as-one",
    "group-disable-as-one",
];

async fn open(dir: &Path) -> (Store, StoreEnv) {
    let store = Store::open(&dir.join("springform.db")).await.unwrap();
    let simulated = Simulated::new(Kind::Disk(dir.join("world.json")), 2);
    let rows = StoreEnv::new(store.clone(), Arc::new(simulated));
    (store, rows)
}

fn everything() -> Ask {
    Ask::about(Scope::Backend(BACKEND.into()))
}

fn of_group() -> Ask {
    Ask::about(Scope::Group(GROUP.into()))
}

async fn request(store: &Store, verb: &str) -> Request {
    let left_behind = |role| {
        Consent(vec![Acknowledge {
            target: ARRAYS[0].into(),
            role,
            generation: 2,
        }])
    };
    match verb {
        "planned" => Request::Failover(Ask {
            mode: Some(FailoverMode::Planned),
            ..everything()
        }),
        "failback" => Request::Failback(Ask {
            acknowledge: left_behind(Role::Primary),
            ..everything()
        }),
        "reprotect" => Request::Reprotect(Ask {
            to: Some(ARRAYS[0].into()),
            acknowledge: left_behind(Role::Primary),
            ..everything()
        }),
        "resync" => Request::Resync(Ask {
            to: Some(ARRAYS[2].into()),
            ..everything()
        }),
        "fence" => Request::Fence(everything()),
        "start-drill" => Request::StartDrill(everything()),
        "enable" => Request::Enable(everything()),
        "disable" => Request::Disable(everything()),
        "reconcile" => Request::Reconcile(everything()),
        "promote" => Request::Promote(everything()),
        "settle" => {
            let owed = store.list::<Obligation>(&Query::new()).await.unwrap();
            Request::Settle(owed.into_iter().map(|o| o.record.id).collect())
        }
        "group-failover" => Request::Failover(of_group()),
        "group-failback" => Request::Failback(Ask {
            acknowledge: left_behind(Role::Primary),
            ..of_group()
        }),
        "group-enable" | "group-enable-as-one" => Request::Enable(of_group()),
        "group-disable" | "group-disable-as-one" => Request::Disable(of_group()),
        "two-volumes" => {
            Request::Failover(Ask::about(Scope::Volumes(vec!["v0".into(), "v3".into()])))
        }
        "stop-drill" | "commit-drill" => {
            let drill = store
                .first::<Drill>(&Query::new())
                .await
                .unwrap()
                .unwrap()
                .record
                .id;
            if verb == "stop-drill" {
                Request::StopDrill(drill)
            } else {
                Request::CommitDrill(drill)
            }
        }
        _ => Request::Failover(everything()),
    }
}

async fn finish(rows: &StoreEnv, operation: Operation) {
    let ended = replication::run(rows, operation).await.unwrap();
    assert!(ended.state.is_terminal());
}

/// Makes the directory in which a verb can be tried.
pub async fn prepare(dir: &Path, verb: &str) {
    let mut world = World::new();
    let (store, rows) = {
        for i in 0..VOLUMES {
            world.create(&format!("v{i}"), true);
        }
        arrays::write(&dir.join("world.json"), &world);
        open(dir).await
    };
    let mut changes = Changes::new().insert(&nouns::service());
    let grouped = verb.starts_with("group-");
    for i in 0..VOLUMES {
        let mut volume = nouns::volume(&format!("v{i}"), ARRAYS[0], true);
        volume.group_id = (grouped && i % 2 == 0).then(|| GROUP.to_owned());
        changes = changes.insert(&volume);
    }
    if grouped {
        changes = changes
            .insert(&nouns::group_type())
            .insert(&nouns::group(GROUP, verb.ends_with("-as-one")));
    }
    store.commit(changes).await.unwrap();
    let before = match verb {
        "failback" | "reprotect" | "fence" | "resync" | "settle" => Some("unplanned"),
        "stop-drill" | "commit-drill" => Some("start-drill"),
        "group-failback" => Some("group-failover"),
        "group-enable" => Some("group-disable"),
        "group-enable-as-one" => Some("group-disable-as-one"),
        _ => None,
    };
    if let Some(before) = before {
        let away = matches!(
            verb,
            "failback" | "reprotect" | "fence" | "group-failback" | "settle"
        );
        let down = |up: bool| {
            let mut world = arrays::read(&dir.join("world.json"));
            world.arrays.get_mut(ARRAYS[0]).unwrap().up = up;
            arrays::write(&dir.join("world.json"), &world);
        };
        if away {
            down(false);
        }
        let asked = request(&store, before).await;
        let operation = replication::begin(&rows, BACKEND, asked, Who::default())
            .await
            .unwrap();
        finish(&rows, operation).await;
        down(true);
    }
    if verb == "settle" {
        owe(dir, &store).await;
    }
    store.close().await;
}

/// Volumes that were deleted or given up while the first array was away: what is owed of them is all that is left in the records.
async fn owe(dir: &Path, store: &Store) {
    let path = dir.join("world.json");
    let mut world = arrays::read(&path);
    let targets = ARRAYS.map(str::to_owned);
    let cause = Cause {
        backend: BACKEND,
        targets: &targets,
        operation: "a deletion",
        at: Timestamp(1),
    };
    let mut changes = Changes::new();
    for i in 0..3 {
        let id = format!("gone{i}");
        world.create(&id, true);
        // The array that serves it has been told.
        world.arrays.get_mut(ARRAYS[1]).unwrap().copies.remove(&id);
        let volume = nouns::spec(&nouns::volume(&id, ARRAYS[1], true));
        for mut owed in cause.volume_deleted(&volume, None) {
            if i == 2 {
                owed.kind = ObligationKind::Fence;
                owed.call = Call::Demote {
                    target: owed.target.clone(),
                    volumes: vec![volume.clone()],
                };
            }
            changes = changes.insert(&owed);
        }
    }
    arrays::write(&path, &world);
    store.commit(changes).await.unwrap();
}

/// Resumes what is open; then asks for the verb, unless that was done before the last death. Says what has come of it.
pub async fn carry_out(dir: &Path, verb: &str) -> String {
    let (store, rows) = open(dir).await;
    let all = store.list::<Operation>(&Query::new()).await.unwrap();
    let asked = all
        .iter()
        .any(|o| o.record.request_id.as_deref() == Some("crash"));
    for operation in all {
        if !operation.record.state.is_terminal() {
            finish(&rows, operation.record).await;
        }
    }
    if !asked {
        let who = Who {
            request_id: Some("crash".into()),
            ..Who::default()
        };
        let asked = request(&store, verb).await;
        let operation = replication::begin(&rows, BACKEND, asked, who)
            .await
            .unwrap();
        finish(&rows, operation).await;
    }
    let told = outcome(dir, &store, &rows).await;
    store.close().await;
    told
}

/// Everything that must be the same whether the host died in between or not.
async fn outcome(dir: &Path, store: &Store, rows: &StoreEnv) -> String {
    let world = arrays::read(&dir.join("world.json"));
    assert!(world.violations.is_empty(), "{:?}", world.violations);
    let mut lines = Vec::new();
    let volumes = store.list::<Volume>(&Query::new()).await.unwrap();
    assert_eq!(volumes.len(), VOLUMES);
    for volume in volumes {
        let v = volume.record;
        assert_eq!(v.operation, None, "volume {} is still held", v.id);
        let shown = v.placement.as_ref().unwrap().target.clone();
        let relation = store
            .get::<Relation>(&v.id)
            .await
            .unwrap()
            .map(|r| r.record);
        let writable: Vec<&String> = world
            .arrays
            .iter()
            .filter(|(_, a)| a.copies.get(&v.id).is_some_and(|c| c.writable))
            .map(|(n, _)| n)
            .collect();
        assert!(
            writable.contains(&&shown),
            "{}: the API says {shown}, but {writable:?}",
            v.id
        );
        let copies: Vec<String> = world
            .arrays
            .iter()
            .filter_map(|(n, a)| {
                a.copies
                    .get(&v.id)
                    .map(|c| format!("{n}:{}:{}:{}", c.content, c.writable, c.generation))
            })
            .collect();
        assert_eq!(copies.len(), ARRAYS.len(), "a replica of {} was lost", v.id);
        let debts: Vec<String> = relation
            .iter()
            .flat_map(|r| &r.debts)
            .map(|d| format!("{}:{}:{:?}", d.target, d.generation, d.state))
            .collect();
        let (phase, drill) = relation
            .as_ref()
            .map_or(("none", false), |r| (r.phase.name(), r.drill.is_some()));
        lines.push(format!(
            "{} at {shown} {:?} {:?} generation {} {phase} drill {drill} debts {debts:?} copies {copies:?}",
            v.id, v.status, v.replication_status, v.generation
        ));
    }
    let owed = store.list::<Obligation>(&Query::new()).await.unwrap();
    for owed in &owed {
        lines.push(format!("owed {} {:?}", owed.record.id, owed.record.error));
    }
    for (name, array) in &world.arrays {
        let left = array.copies.iter().filter(|(id, _)| id.starts_with("gone"));
        let left: Vec<String> = left.map(|(id, c)| format!("{id} {}", c.writable)).collect();
        lines.push(format!("of what is gone {name} has {left:?}"));
    }
    for group in store.list::<Group>(&Query::new()).await.unwrap() {
        let g = group.record;
        assert_eq!(g.operation, None, "group {} is still held", g.id);
        lines.push(format!(
            "group {:?} {:?} generation {}",
            g.replication_status, g.target, g.generation
        ));
    }
    let (service, _): (Service, u64) = rows.service(BACKEND).await.unwrap();
    assert_eq!(service.operation, None);
    lines.push(format!(
        "{:?} {:?} {:?}",
        service.replication_status, service.active_target, service.disabled_reason
    ));
    let mut operations = store.list::<Operation>(&Query::new()).await.unwrap();
    operations.sort_by_key(|o| o.record.created_at);
    for operation in operations {
        let o = operation.record;
        assert!(
            o.state.is_terminal(),
            "{:?} is {}",
            o.verb,
            o.state.as_str()
        );
        lines.push(format!(
            "{:?} {} {:?}",
            o.verb,
            o.state.as_str(),
            o.progress
        ));
    }
    for drill in store.list::<Drill>(&Query::new()).await.unwrap() {
        let left: usize = world.arrays.values().map(|a| a.tests.len()).sum();
        lines.push(format!(
            "drill {} {:?} copies {left}",
            drill.record.state.as_str(),
            drill.record.operation
        ));
    }
    lines.push(format!(
        "{} deliveries",
        store.count::<Delivery>(&Query::new()).await.unwrap()
    ));
    lines.join("\n")
}
