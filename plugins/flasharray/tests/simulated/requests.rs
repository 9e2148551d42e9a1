//! How many requests each verb costs. `tests/requests.json` is what we say of ourselves; the judges in `tests/upstream`
//! measure the upstream driver on the same simulator and compare.

use std::collections::BTreeMap;
use std::path::Path;

use springform_sdk::interfaces::groups::Group;
use springform_sdk::interfaces::replication::FailoverMode;
use springform_sdk::types::{Failure, ReplicationKind, Snapshot, Volume};

use crate::rig::{HOUR, MIB, Rig, connector, replicated, request};

/// Volumes of the failover that is measured, and how the host cuts it: batches of so many, so many at a time.
const MANY: usize = 1000;
const BATCH: usize = 32;
const AT_A_TIME: usize = 16;

type Table = BTreeMap<String, usize>;

/// Counts what the driver sends.
struct Meter {
    rig: Rig,
    kind: ReplicationKind,
    table: Table,
}

impl Meter {
    fn count<T>(&mut self, verb: &str, act: impl FnOnce(&Rig) -> T) -> T {
        let (before, _) = self.rig.sent.get();
        let done = act(&self.rig);
        let (after, _) = self.rig.sent.get();
        self.table.insert(verb.to_owned(), after - before);
        done
    }

    fn volume(&self, id: &str) -> Volume {
        let mut volume = replicated(id);
        volume.volume_type.as_mut().unwrap().replication = Some(self.kind.clone());
        volume
    }

    fn made(
        &mut self,
        verb: &str,
        mut volume: Volume,
        from: Option<(&Volume, Option<&Snapshot>)>,
    ) -> Volume {
        let placement = self.count(verb, |rig| rig.call("create", |d| d.create(&volume, from)));
        volume.placement = Some(placement.unwrap());
        volume
    }

    fn volumes<T>(
        &mut self,
        verb: &str,
        act: impl Fn(&flasharray::volume::Volumes<'_>) -> Result<T, Failure>,
    ) -> T {
        self.count(verb, |rig| {
            rig.call(verb, |d| Ok(act(&d.volumes())?)).unwrap()
        })
    }

    fn life(&mut self) {
        self.count("setup", Rig::set_up);
        let mut volume = self.made("create", self.volume("v1"), None);
        self.volumes("extend", |v| v.extend(&volume, 2 * MIB));
        volume.size = 2 * MIB;
        let mut taken = snapshot("s1");
        let placed = self.volumes("snapshot", |v| v.snapshot(&volume, &taken));
        taken.array_name = Some(placed.array_name);
        let mut wanted = self.volume("v2");
        wanted.size = volume.size;
        let mut copy = self.made(
            "create from snapshot",
            wanted.clone(),
            Some((&volume, Some(&taken))),
        );
        wanted.id = "v3".to_owned();
        wanted.name = "volume-v3".to_owned();
        let clone = self.made("clone", wanted, Some((&volume, None)));
        self.volumes("revert", |v| v.revert(&volume, &taken));
        self.volumes("delete snapshot", |v| v.delete_snapshot(&volume, &taken));
        self.volumes("attach", |v| v.connect(&volume, &connector()));
        self.volumes("attach again", |v| v.connect(&clone, &connector()));
        self.volumes("detach", |v| {
            v.disconnect(&clone, Some(&connector()), false)
        });
        self.volumes("detach last", |v| {
            v.disconnect(&volume, Some(&connector()), false)
        });
        self.volumes("delete", |v| v.delete(&clone));
        for (verb, wanted) in [
            ("retype to none", None),
            ("retype from none", volume.volume_type.clone()),
        ] {
            let placement = self.count(verb, |rig| {
                rig.call(verb, |d| d.retype(&copy, wanted.as_ref()))
            });
            copy.placement = Some(placement.unwrap());
            copy.volume_type = wanted;
        }
        self.group();
        self.count("stats", |rig| rig.call("stats", |d| d.stats()).unwrap());
        self.rig.advance(HOUR);
        self.count("failover of one volume", |rig| {
            let wanted = request(&volume, Some("b"), FailoverMode::Unplanned);
            let plan = rig.call("plan", |d| d.plan(&wanted)).unwrap();
            let moved = rig.call("switch", |d| {
                d.fail_over(&plan, std::slice::from_ref(&volume))
            });
            assert!(moved.unwrap().remove(0).result.is_ok());
        });
    }

    fn group(&mut self) {
        let mut group = Group {
            id: "g1".to_owned(),
            name: "databases".to_owned(),
            project: "p".to_owned(),
            replication: Some(self.kind.clone()),
            target: None,
            array_name: None,
            extensions: Vec::new(),
        };
        group.array_name = Some(self.volumes("create group", |v| v.create_group(&group)));
        let inside = Volume {
            group: Some(group.id.clone()),
            ..self.volume("v4")
        };
        let member = self.made("create in group", inside, None);
        self.volumes("group snapshot", |v| {
            v.snapshot_group(
                &group,
                "cg",
                std::slice::from_ref(&member),
                &[snapshot("s2")],
            )
        });
        self.volumes("delete group snapshot", |v| {
            v.delete_group_snapshot(&group, "cg", &[])
        });
        // Cinder deletes the members in the same breath.
        self.count("delete group", |rig| {
            rig.call("delete", |d| Ok(d.volumes().delete(&member)?))
                .unwrap();
            rig.call("delete", |d| Ok(d.volumes().delete_group(&group)?))
                .unwrap();
        });
    }

    /// Round trips one after another, when the host cuts the failover into batches.
    fn many(&mut self) {
        let mut volumes: Vec<_> = (0..MANY)
            .map(|n| self.volume(&format!("m{n:04}")))
            .collect();
        let pod = match self.kind {
            ReplicationKind::Async => "",
            _ => "cinder-pod::",
        };
        for chunk in volumes.chunks_mut(250) {
            for volume in chunk.iter_mut() {
                volume.placement = Some(springform_sdk::types::Placement {
                    array_name: format!("{pod}{}-cinder", volume.name),
                    target: "a".to_owned(),
                    serial: None,
                    metadata: Vec::new(),
                    replication: Some(self.kind.clone()),
                    extensions: Vec::new(),
                });
            }
            let names: Vec<_> = chunk
                .iter()
                .map(|v| v.placement.as_ref().unwrap().array_name.replace(':', "%3A"))
                .collect();
            let names = names.join(",");
            let made = self.rig.post(
                "a",
                &format!("/volumes?names={names}"),
                &format!(r#"{{"provisioned":{MIB}}}"#),
            );
            for (volume, made) in chunk.iter_mut().zip(made.as_array().unwrap()) {
                let serial = made["serial"].as_str().unwrap().to_owned();
                volume.placement.as_mut().unwrap().serial = Some(serial);
            }
            if pod.is_empty() {
                let query = format!("group_names=cinder-group&member_names={names}");
                self.rig
                    .post("a", &format!("/protection-groups/volumes?{query}"), "");
            }
        }
        self.rig.advance(HOUR);
        let mut wanted = request(&volumes[0], Some("b"), FailoverMode::Unplanned);
        wanted.volumes.clone_from(&volumes);
        let (_, before) = self.rig.sent.get();
        let plan = self.rig.call("plan", |d| d.plan(&wanted)).unwrap();
        let (_, planned) = self.rig.sent.get();
        let mut longest = 0;
        for batch in volumes.chunks(BATCH) {
            let (_, began) = self.rig.sent.get();
            let outcomes = self
                .rig
                .call("switch", |d| d.fail_over(&plan, batch))
                .unwrap();
            assert!(outcomes.iter().all(|outcome| outcome.result.is_ok()));
            longest = longest.max(self.rig.sent.get().1 - began);
        }
        let waves = MANY.div_ceil(BATCH).div_ceil(AT_A_TIME);
        let rounds = planned - before + waves * longest;
        self.table.insert(
            "failover of 1000 volumes, round trips in sequence".to_owned(),
            rounds,
        );
    }
}

fn snapshot(id: &str) -> Snapshot {
    Snapshot {
        id: id.to_owned(),
        name: format!("snapshot-{id}"),
        size: MIB,
        array_name: None,
        group_snapshot: None,
        extensions: Vec::new(),
    }
}

fn measured(rig: Rig, kind: ReplicationKind) -> Table {
    let mut meter = Meter {
        rig,
        kind,
        table: Table::new(),
    };
    meter.life();
    meter.many();
    meter.table
}

#[test]
fn every_verb_costs_what_is_written_down() {
    let found = BTreeMap::from([
        ("async", measured(Rig::pair(), ReplicationKind::Async)),
        ("sync", measured(Rig::uniform(), ReplicationKind::Sync)),
        ("trisync", measured(Rig::three(), ReplicationKind::TriSync)),
    ]);
    let found = serde_json::to_string_pretty(&found).unwrap() + "\n";
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/requests.json");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &found).unwrap();
    }
    let written = std::fs::read_to_string(&golden).unwrap_or_default();
    assert_eq!(
        found, written,
        "UPDATE_GOLDEN=1 cargo test -p flasharray requests"
    );
}

#[test]
fn the_number_of_volumes_does_not_multiply_what_observation_and_statistics_cost() {
    let rig = Rig::pair();
    rig.set_up();
    let mut volumes = Vec::new();
    let mut cost = Vec::new();
    for round in 0..2 {
        for n in 0..5 {
            let mut volume = replicated(&format!("v{round}{n}"));
            volume.placement = Some(rig.call("create", |d| d.create(&volume, None)).unwrap());
            volumes.push(volume);
        }
        let (before, _) = rig.sent.get();
        rig.call("observe", |d| d.observe(&volumes)).unwrap();
        rig.call("stats", |d| d.stats()).unwrap();
        cost.push(rig.sent.get().0 - before);
    }
    assert_eq!(cost[0], cost[1]);
}
