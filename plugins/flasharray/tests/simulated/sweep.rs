//! Every request of every verb goes wrong once, in every way; the same operation is then tried again. What is on the
//! arrays afterwards is what would be there had nothing gone wrong.

use flasharray::layout::Kind;
use springform_sdk::interfaces::replication::{FailoverMode, PlanRequest};
use springform_sdk::types::{Error, ReplicationKind, Snapshot, Volume};

use crate::memory::{Glitch, Memory};
use crate::rig::{MIB, connector, replicated, stretched, target};

const WAYS: [Glitch; 5] = [
    Glitch::Unheard,
    Glitch::Unanswered,
    Glitch::Status(403),
    Glitch::Status(500),
    Glitch::Status(503),
];

/// Verbs that disconnect machines.
const ENDS_CONNECTIONS: [&str; 6] = [
    "delete",
    "demote",
    "to the third site",
    "to the third site, unplanned",
    "home",
    "a drill made real",
];

fn site() -> Memory {
    let mut targets = vec![
        target("a", true, None),
        target("b", false, Some(ReplicationKind::Sync)),
    ];
    targets[1].options = vec![("uniform".to_owned(), "true".to_owned())];
    Memory::new(Kind::ActiveCluster, targets)
}

pub fn made(memory: &Memory, mut volume: Volume) -> Volume {
    volume.placement = Some(memory.call("create", |d| d.create(&volume, None)).unwrap());
    volume
}

pub fn connected(memory: &Memory, volume: Volume) -> Volume {
    let volume = made(memory, volume);
    memory
        .call("connect", |d| {
            Ok(d.volumes().connect(&volume, &connector())?)
        })
        .unwrap();
    volume
}

fn inside() -> Volume {
    stretched("40000000-0000-0000-0000-000000000001")
}

fn outside() -> Volume {
    let mut volume = replicated("40000000-0000-0000-0000-000000000002");
    volume.volume_type.as_mut().unwrap().replication = None;
    volume
}

/// What `verb` leaves behind, whatever goes wrong in it.
fn sweep<T>(
    what: &str,
    prepare: impl Fn(&Memory) -> T,
    verb: impl Fn(&Memory, &T) -> Result<(), Error>,
) {
    sweep_on(site, what, prepare, verb);
}

pub fn sweep_on<T>(
    site: fn() -> Memory,
    what: &str,
    prepare: impl Fn(&Memory) -> T,
    verb: impl Fn(&Memory, &T) -> Result<(), Error>,
) {
    let calm = site();
    let given = prepare(&calm);
    verb(&calm, &given).unwrap_or_else(|e| panic!("{what}: {e:?}"));
    let expected = calm.inventory();
    for way in WAYS {
        for nth in 0.. {
            let memory = site();
            let given = prepare(&memory);
            memory.glitch(nth, way);
            let first = verb(&memory, &given);
            let struck = memory.struck();
            if first.is_err() {
                verb(&memory, &given)
                    .unwrap_or_else(|e| panic!("{what}, {way:?} at request {nth}, again: {e:?}"));
            }
            // A volume that is gone names no host any more: an empty host object waits for its machine's next disconnect.
            let left = |lines: Vec<String>| -> Vec<String> {
                let hosts = ENDS_CONNECTIONS.contains(&what);
                lines
                    .into_iter()
                    .filter(|l| !hosts || !l.starts_with("host"))
                    // Groups take snapshots by the clock, and a transfer that is tried again is another one.
                    .filter(|l| !l.starts_with("snapshot") || !l.contains(".volume-"))
                    .collect()
            };
            let (found, expected) = (left(memory.inventory()), left(expected.clone()));
            assert_eq!(found, expected, "{what}, {way:?} at request {nth}");
            if !struck {
                assert!(nth > 0, "{what} asks nobody");
                break;
            }
        }
    }
}

#[test]
fn set_up() {
    sweep(
        "set-up",
        |_| (),
        |m, ()| {
            // An array that cannot be reached is a warning: whoever sees it sets up again.
            let report = m.call("setup", |d| d.setup())?;
            if report.warnings.is_empty() {
                Ok(())
            } else {
                m.call("setup", |d| d.setup()).map(drop)
            }
        },
    );
}

#[test]
fn the_life_of_a_volume() {
    sweep(
        "create",
        |m| m.set_up(),
        |m, ()| m.call("op", |d| d.create(&inside(), None)).map(drop),
    );
    let ready = |m: &Memory| {
        m.set_up();
        connected(m, inside())
    };
    sweep("extend", ready, |m, v| {
        m.call("op", |d| Ok(d.volumes().extend(v, 4 * MIB)?))
    });
    sweep("delete", ready, |m, v| {
        m.call("op", |d| Ok(d.volumes().delete(v)?))
    });
    sweep("disconnect", ready, |m, v| {
        m.call("op", |d| {
            Ok(d.volumes().disconnect(v, Some(&connector()), false)?)
        })
        .map(drop)
    });
    sweep("clone out", ready, |m, v| {
        m.call("op", |d| d.create(&outside(), Some((v, None))))
            .map(drop)
    });
    let taken = Snapshot {
        id: "s".to_owned(),
        name: "snapshot-s".to_owned(),
        size: MIB,
        array_name: None,
        group_snapshot: None,
        extensions: Vec::new(),
    };
    sweep("snapshot", ready, |m, v| {
        m.call("op", |d| Ok(d.volumes().snapshot(v, &taken)?))
            .map(drop)
    });
    sweep(
        "connect",
        |m| {
            m.set_up();
            made(m, inside())
        },
        |m, v| {
            // Fewer paths are no error; the machine asks again for the rest.
            let paths = m
                .call("op", |d| Ok(d.volumes().connect(v, &connector())?))?
                .paths;
            let arrays: std::collections::BTreeSet<_> = paths.iter().map(|p| &p.target).collect();
            if arrays.len() > 1 {
                return Ok(());
            }
            m.call("op", |d| Ok(d.volumes().connect(v, &connector())?))
                .map(drop)
        },
    );
}

#[test]
fn journeys() {
    let plain = |m: &Memory| {
        m.set_up();
        let mut volume = connected(m, outside());
        volume.volume_type = inside().volume_type;
        volume
    };
    let each = |outcomes: Vec<springform_sdk::types::Outcome>| {
        outcomes
            .into_iter()
            .try_for_each(|o| o.result.map(drop).map_err(Error::from))
    };
    sweep("enable", plain, |m, v| {
        each(m.call("op", |d| d.switch(std::slice::from_ref(v), true))?)
    });
    let stretched = |m: &Memory| {
        m.set_up();
        connected(m, inside())
    };
    sweep("disable", stretched, |m, v| {
        each(m.call("op", |d| d.switch(std::slice::from_ref(v), false))?)
    });
    let wanted = inside().volume_type;
    sweep("retype in", plain, |m, v| {
        m.call("op", |d| d.retype(v, wanted.as_ref())).map(drop)
    });
    sweep("retype out", stretched, |m, v| {
        m.call("op", |d| d.retype(v, None)).map(drop)
    });
}

#[test]
fn failovers_and_drills() {
    let ready = |m: &Memory| {
        m.set_up();
        connected(m, inside())
    };
    let switch = |m: &Memory, v: &Volume| {
        let one = std::slice::from_ref(v);
        let request = PlanRequest {
            volumes: one.to_vec(),
            to: None,
            mode: FailoverMode::Planned,
            point: None,
        };
        let plan = m.call("op", |d| d.plan(&request))?;
        let plan = m.call("op", |d| d.final_sync(&plan, one))?;
        m.call("op", |d| d.demote("a", one))?;
        m.call("op", |d| d.fail_over(&plan, one)).map(drop)
    };
    sweep("failover", ready, switch);
    sweep("reprotect", ready, |m, v| {
        m.call("op", |d| {
            d.reprotect(std::slice::from_ref(v), None, false, true)
        })
        .map(drop)
    });
    let start = |m: &Memory, v: &Volume| {
        let copies = m.call("op", |d| {
            d.start_test("7", "b", None, std::slice::from_ref(v))
        })?;
        copies
            .into_iter()
            .try_for_each(|c| c.result.map(drop).map_err(Error::from))
    };
    sweep("drill", ready, start);
    sweep(
        "end of a drill",
        |m| {
            let volume = ready(m);
            start(m, &volume).unwrap();
            volume
        },
        |m, v| m.call("op", |d| d.stop_test("7", "b", std::slice::from_ref(v))),
    );
}

fn copied() -> Memory {
    let targets = vec![
        target("a", true, None),
        target("b", false, Some(ReplicationKind::Async)),
    ];
    Memory::new(Kind::Asynchronous, targets)
}

#[test]
fn verbs_of_volumes_that_are_copied() {
    let plain = || replicated("40000000-0000-0000-0000-000000000003");
    sweep_on(
        copied,
        "create",
        |m| m.set_up(),
        |m, ()| m.call("op", |d| d.create(&plain(), None)).map(drop),
    );
    let arrived = |m: &Memory| {
        m.set_up();
        let volume = connected(m, plain());
        m.pass(300_000);
        volume
    };
    sweep_on(copied, "delete", arrived, |m, v| {
        m.call("op", |d| Ok(d.volumes().delete(v)?))
    });
    sweep_on(copied, "demote", arrived, |m, v| {
        let outcomes = m.call("op", |d| d.demote("a", std::slice::from_ref(v)))?;
        outcomes
            .into_iter()
            .try_for_each(|o| o.result.map(drop).map_err(Error::from))
    });
    sweep_on(copied, "disable", arrived, |m, v| {
        let outcomes = m.call("op", |d| d.switch(std::slice::from_ref(v), false))?;
        outcomes
            .into_iter()
            .try_for_each(|o| o.result.map(drop).map_err(Error::from))
    });
    sweep_on(copied, "failover", arrived, |m, v| {
        let request = PlanRequest {
            volumes: vec![v.clone()],
            to: Some("b".to_owned()),
            mode: FailoverMode::Unplanned,
            point: None,
        };
        let plan = m.call("op", |d| d.plan(&request))?;
        let outcomes = m.call("op", |d| d.fail_over(&plan, std::slice::from_ref(v)))?;
        outcomes
            .into_iter()
            .try_for_each(|o| o.result.map(drop).map_err(Error::from))
    });
    let start = |m: &Memory, v: &Volume| {
        let copies = m.call("op", |d| {
            d.start_test("7", "b", None, std::slice::from_ref(v))
        })?;
        copies
            .into_iter()
            .try_for_each(|c| c.result.map(drop).map_err(Error::from))
    };
    sweep_on(copied, "drill", arrived, start);
    sweep_on(
        copied,
        "end of a drill",
        |m| {
            let volume = arrived(m);
            start(m, &volume).unwrap();
            volume
        },
        |m, v| m.call("op", |d| d.stop_test("7", "b", std::slice::from_ref(v))),
    );
}
