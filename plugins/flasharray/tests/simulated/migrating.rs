//! A volume moves to the array of another backend: the two drivers see one array each, the bytes arrive, and nothing else stays.

use flasharray::layout::Kind;
use flasharray_sim::SimConfig;
use springform_sdk::interfaces::migrating::{Migration, Side};
use springform_sdk::types::{Error, Failure, FailureCode, Placement, ReplicationKind, Volume};

use crate::memory::Memory;
use crate::rig::{MIB, Rig, connector, replicated, target};
use crate::sweep::{connected, made, sweep_on};

const ID: &str = "50000000-0000-0000-0000-000000000001";
const NAME: &str = "volume-50000000-0000-0000-0000-000000000001-cinder";
const MOVE: &str = "019ad000-0000-7000-8000-0000000000a1";
const OTHER: &str = "019ad000-0000-7000-8000-0000000000b2";

fn plain() -> Volume {
    let mut volume = replicated(ID);
    volume.volume_type.as_mut().unwrap().replication = None;
    volume
}

fn side(name: &str, id: Option<String>) -> Side {
    Side {
        backend: name.to_owned(),
        target: name.to_owned(),
        array_id: id,
        array_name: Some(name.to_owned()),
        extensions: Vec::new(),
    }
}

fn migration(id: &str, from: &str, to: &str) -> Migration {
    Migration {
        id: id.to_owned(),
        source: side(from, None),
        destination: side(to, None),
        extensions: Vec::new(),
    }
}

fn refused<T: std::fmt::Debug>(result: Result<T, Error>) -> Failure {
    match result.unwrap_err() {
        Error::Failed(failure) => failure,
        Error::Pending(pending) => panic!("still waiting for {}", pending.waiting_for),
    }
}

/// Two backends with one array each, which are connected or not.
struct Two(Rig);

impl Two {
    fn new(arrays: SimConfig) -> Self {
        Self(Rig::with(Kind::Asynchronous, arrays, Vec::new()))
    }

    /// As the driver of this backend, which sees its own array alone.
    fn on(&mut self, array: &str) -> &Rig {
        self.0.targets = vec![target(array, true, None)];
        &self.0
    }

    fn written(&mut self, array: &str, mut volume: Volume, bytes: &[u8]) -> Volume {
        let rig = self.on(array);
        volume.placement = Some(rig.call("create", |d| d.create(&volume, None)).unwrap());
        self.uses(array, &volume, |rig| {
            rig.write(array, &volume.placement.as_ref().unwrap().array_name, bytes);
        });
        volume
    }

    /// While a machine is connected to a volume.
    fn uses<T>(&mut self, array: &str, volume: &Volume, work: impl FnOnce(&Rig) -> T) -> T {
        let rig = self.on(array);
        let connect =
            |d: &flasharray::driver::Driver<'_>| Ok(d.volumes().connect(volume, &connector())?);
        rig.call("connect", connect).unwrap();
        let done = work(rig);
        let disconnect = |d: &flasharray::driver::Driver<'_>| {
            Ok(d.volumes().disconnect(volume, Some(&connector()), false)?)
        };
        rig.call("disconnect", disconnect).unwrap();
        done
    }

    /// Until the volume is there, with each call made twice.
    fn moves(&mut self, old: &Volume, new: &Volume, m: &Migration) -> Result<Placement, Error> {
        let (from, to) = (m.source.target.clone(), m.destination.target.clone());
        let rig = self.on(&from);
        let offer = rig.call(&m.id, |d| d.volumes().offer(old, m))?;
        assert_eq!(rig.call(&m.id, |d| d.volumes().offer(old, m))?, offer);
        let rig = self.on(&to);
        let accept = |d: &flasharray::driver::Driver<'_>| d.volumes().accept(new, m, offer.clone());
        let acceptance = rig.call(&m.id, accept)?;
        assert_eq!(rig.call(&m.id, accept)?, acceptance);
        let rig = self.on(&from);
        let send =
            |d: &flasharray::driver::Driver<'_>| d.volumes().send(old, m, acceptance.clone());
        let parcel = rig.call(&m.id, send)?;
        assert_eq!(rig.call(&m.id, send)?, parcel);
        let rig = self.on(&to);
        let receive = |d: &flasharray::driver::Driver<'_>| d.volumes().receive(new, m, &parcel);
        let placement = rig.call(&m.id, receive)?;
        assert_eq!(rig.call(&m.id, receive)?, placement);
        Ok(placement)
    }

    fn ends(&mut self, old: &Volume, new: &Volume, m: &Migration, moved: bool) {
        // Twice, and under other operations, as when an array has been away.
        for operation in ["now", "later"] {
            let rig = self.on(&m.source.target);
            let release =
                |d: &flasharray::driver::Driver<'_>| Ok(d.volumes().release(old, m, moved)?);
            rig.call(operation, release).unwrap();
            let rig = self.on(&m.destination.target);
            let settle =
                |d: &flasharray::driver::Driver<'_>| Ok(d.volumes().settle(new, m, moved)?);
            rig.call(operation, settle).unwrap();
        }
    }

    /// What an array holds and has not destroyed.
    fn live(&self, array: &str) -> Vec<String> {
        let state = self.0.state();
        let kinds = [
            "volumes",
            "protection_groups",
            "volume_snapshots",
            "protection_group_snapshots",
        ];
        let all = kinds.iter().flat_map(|kind| {
            let all = state["arrays"][array][kind].as_array().unwrap().clone();
            all.into_iter()
        });
        let live = all.filter(|item| item["destroyed"] != true);
        live.map(|item| item["name"].as_str().unwrap().to_owned())
            .collect()
    }

    fn tags(&self, array: &str) -> serde_json::Value {
        let path = format!("/volumes/tags?namespaces=springform&resource_names={NAME}");
        self.0.get(array, &path)
    }
}

#[test]
fn a_volume_arrives_with_its_bytes_and_its_type_and_nothing_else_stays_anywhere() {
    let mut two = Two::new(SimConfig::pair("a", "b"));
    let bytes = b"what the tenant wrote".repeat(1000);
    let old = two.written("a", plain(), &bytes);
    let mut new = Volume {
        placement: None,
        ..old.clone()
    };
    new.volume_type.as_mut().unwrap().qos.max_iops = Some(500);
    let m = migration(MOVE, "a", "b");
    let placement = two.moves(&old, &new, &m).unwrap();
    assert_eq!(
        (placement.array_name.as_str(), placement.target.as_str()),
        (NAME, "b")
    );
    assert_ne!(placement.serial, old.placement.as_ref().unwrap().serial);
    new.placement = Some(placement);
    two.ends(&old, &new, &m, true);
    assert_eq!(two.live("a"), Vec::<String>::new());
    assert_eq!(two.live("b"), [NAME]);
    assert_eq!(two.tags("b"), serde_json::json!([]));
    let found = two.0.get("b", &format!("/volumes?names={NAME}"));
    assert_eq!(found[0]["qos"]["iops_limit"], 500);
    assert_eq!(found[0]["provisioned"], MIB);
    let read = two.uses("b", &new, |rig| rig.read("b", NAME, bytes.len()));
    assert_eq!(read, bytes);

    // And home again, although the array has not eradicated what it left there.
    let back = migration(OTHER, "b", "a");
    let mut home = Volume {
        placement: None,
        ..plain()
    };
    home.placement = Some(two.moves(&new, &home, &back).unwrap());
    two.ends(&new, &home, &back, true);
    assert_eq!(two.live("a"), [NAME]);
    assert_eq!(two.live("b"), Vec::<String>::new());
    let read = two.uses("a", &home, |rig| rig.read("a", NAME, bytes.len()));
    assert_eq!(read, bytes);
    // Whoever is late with the first move finds another volume of that name, and leaves it.
    two.ends(&old, &new, &m, true);
    assert_eq!(two.live("a"), [NAME]);
}

#[test]
fn a_move_that_is_given_up_leaves_the_volume_where_it_is_and_nothing_else() {
    let mut two = Two::new(SimConfig::pair("a", "b"));
    let old = two.written("a", plain(), b"data");
    let new = Volume {
        placement: None,
        ..old.clone()
    };
    let m = migration(MOVE, "a", "b");
    two.ends(&old, &new, &m, false);
    assert_eq!(two.live("a"), [NAME]);
    two.moves(&old, &new, &m).unwrap();
    two.ends(&old, &new, &m, false);
    assert_eq!(two.live("a"), [NAME]);
    assert_eq!(two.live("b"), Vec::<String>::new());
    // The name is free for the next attempt.
    let again = migration(OTHER, "a", "b");
    two.moves(&old, &new, &again).unwrap();
}

#[test]
fn somebody_elses_volume_of_that_name_stays_and_refuses_the_move_before_anything_is_sent() {
    let mut two = Two::new(SimConfig::pair("a", "b"));
    let theirs = two.written("b", plain(), b"theirs");
    let old = two.written("a", plain(), b"ours");
    let new = Volume {
        placement: None,
        ..old.clone()
    };
    let m = migration(MOVE, "a", "b");
    let why = refused(two.moves(&old, &new, &m));
    assert_eq!(why.code, FailureCode::AlreadyExists, "{why:?}");
    assert!(why.message.contains(NAME), "{why:?}");
    let sent = two.live("a");
    assert!(!sent.iter().any(|name| name.ends_with(".move")), "{sent:?}");
    two.ends(&old, &new, &m, false);
    assert_eq!(two.live("b"), [NAME]);
    let read = two.uses("b", &theirs, |rig| rig.read("b", NAME, 6));
    assert_eq!(read, b"theirs");
}

#[test]
fn arrays_without_a_working_connection_move_nothing_and_the_reason_says_what_to_do() {
    let mut arrays = SimConfig::single("a");
    arrays.arrays.extend(SimConfig::single("b").arrays);
    let mut two = Two::new(arrays);
    let old = two.written("a", plain(), b"data");
    let m = migration(MOVE, "a", "b");
    let rig = two.on("a");
    let why = refused(rig.call("op", |d| d.volumes().offer(&old, &m)));
    assert_eq!(why.code, FailureCode::FailedPrecondition);
    assert!(why.message.contains("connect the two arrays"), "{why:?}");
    assert_eq!(two.live("a"), [NAME]);

    let mut two = Two::new(SimConfig::pair("a", "b"));
    let old = two.written("a", plain(), b"data");
    two.0.control("POST", "/links/a/b", r#"{"up":false}"#);
    let rig = two.on("a");
    let why = refused(rig.call("op", |d| d.volumes().offer(&old, &m)));
    assert!(why.message.contains("connecting"), "{why:?}");
    let own = two.0.get("a", "/arrays")[0]["id"].clone();
    let mut here = migration(MOVE, "a", "a");
    here.destination.array_id = own.as_str().map(str::to_owned);
    let rig = two.on("a");
    let why = refused(rig.call("op", |d| d.volumes().offer(&old, &here)));
    assert!(why.message.contains("on this array too"), "{why:?}");
    let mut unknown = migration(MOVE, "a", "b");
    unknown.destination.array_name = None;
    let why = refused(rig.call("op", |d| d.volumes().offer(&old, &unknown)));
    assert!(why.message.contains("has not told its name"), "{why:?}");
}

#[test]
fn a_type_that_asks_for_a_copy_gets_it_from_the_backend_where_the_volume_arrives() {
    let mut two = Two::new(SimConfig::trio("a", "b", "c"));
    let old = two.written("a", plain(), b"data");
    two.0.targets = vec![
        target("b", true, None),
        target("c", false, Some(ReplicationKind::Async)),
    ];
    two.0.set_up();
    let m = migration(MOVE, "a", "b");
    let new = replicated(ID);
    let rig = two.on("a");
    let offer = rig.call(MOVE, |d| d.volumes().offer(&old, &m)).unwrap();
    two.0.targets = vec![
        target("b", true, None),
        target("c", false, Some(ReplicationKind::Async)),
    ];
    let rig = &two.0;
    rig.call(MOVE, |d| d.volumes().accept(&new, &m, offer.clone()))
        .unwrap();
    let rig = two.on("a");
    let send = rig.call(MOVE, |d| d.volumes().send(&old, &m, offer.clone()));
    send.unwrap();
    two.0.targets = vec![
        target("b", true, None),
        target("c", false, Some(ReplicationKind::Async)),
    ];
    let rig = &two.0;
    for _ in 0..2 {
        let placed = rig.call(MOVE, |d| d.volumes().receive(&new, &m, &offer));
        assert_eq!(placed.unwrap().replication, Some(ReplicationKind::Async));
    }
    let path = "/protection-groups/volumes?group_names=cinder-group";
    assert_eq!(rig.get("b", path)[0]["member"]["name"], NAME);
}

#[test]
fn what_the_other_driver_says_is_not_believed() {
    let mut two = Two::new(SimConfig::pair("a", "b"));
    let kept = two.written("b", replicated(OTHER), b"kept");
    let m = migration(MOVE, "a", "b");
    let new = plain();
    let rig = two.on("b");
    for nonsense in ["", "no JSON", "{}", r#"{"array":"","volume":"x"}"#] {
        let offer = nonsense.as_bytes().to_vec();
        let why = refused(rig.call("op", |d| d.volumes().accept(&new, &m, offer.clone())));
        assert_eq!(why.code, FailureCode::Unsupported, "{nonsense}");
    }
    let name = kept.placement.unwrap().array_name;
    assert_eq!(two.live("b"), [name]);
}

fn pair() -> Memory {
    let targets = vec![
        target("a", true, None),
        target("b", false, Some(ReplicationKind::Async)),
    ];
    Memory::new(Kind::Asynchronous, targets)
}

/// A move that has come so far.
struct Way {
    old: Volume,
    new: Volume,
    parcel: Vec<u8>,
}

fn so_far(memory: &Memory, steps: usize) -> Way {
    memory.set_up();
    let old = connected(memory, plain());
    memory
        .call("disconnect", |d| {
            Ok(d.volumes().disconnect(&old, Some(&connector()), false)?)
        })
        .unwrap();
    let mut way = Way {
        new: Volume {
            placement: None,
            ..old.clone()
        },
        old,
        parcel: Vec::new(),
    };
    for at in 0..steps {
        step(memory, &mut way, at).unwrap();
    }
    way
}

fn step(memory: &Memory, way: &mut Way, at: usize) -> Result<(), Error> {
    let m = migration(MOVE, "a", "b");
    let (old, new, parcel) = (&way.old, &way.new, way.parcel.clone());
    match at {
        0 => way.parcel = memory.call("op", |d| d.volumes().offer(old, &m))?,
        1 => way.parcel = memory.call("op", |d| d.volumes().accept(new, &m, parcel.clone()))?,
        2 => way.parcel = memory.call("op", |d| d.volumes().send(old, &m, parcel.clone()))?,
        3 => {
            let placed = memory.call("op", |d| d.volumes().receive(new, &m, &parcel))?;
            way.new.placement = Some(placed);
        }
        4 => memory.call("op", |d| Ok(d.volumes().release(old, &m, true)?))?,
        5 => memory.call("op", |d| Ok(d.volumes().settle(new, &m, true)?))?,
        6 => memory.call("op", |d| Ok(d.volumes().release(old, &m, false)?))?,
        _ => memory.call("op", |d| Ok(d.volumes().settle(new, &m, false)?))?,
    }
    Ok(())
}

#[test]
fn whatever_goes_wrong_in_a_step_of_a_move_its_repetition_leaves_what_would_be_there() {
    for (at, before, what) in [
        (0, 0, "offer"),
        (1, 1, "accept"),
        (2, 2, "send"),
        (3, 3, "receive"),
        (4, 4, "release"),
        (5, 4, "settle"),
        (6, 4, "release, given up"),
        (7, 4, "settle, given up"),
    ] {
        let again = |memory: &Memory, way: &Way| {
            let mut way = Way {
                old: way.old.clone(),
                new: way.new.clone(),
                parcel: way.parcel.clone(),
            };
            step(memory, &mut way, at)
        };
        sweep_on(pair, what, |memory| so_far(memory, before), again);
    }
}

#[test]
fn a_volume_in_a_volume_group_leaves_it_and_the_group_goes_with_its_last_volume() {
    let memory = pair();
    memory.set_up();
    let mut old = plain();
    let specs = vec![("flasharray:vg_name".to_owned(), "gold".to_owned())];
    old.volume_type.as_mut().unwrap().specs = specs;
    let mut way = Way {
        old: made(&memory, old.clone()),
        new: old,
        parcel: Vec::new(),
    };
    for at in 0..6 {
        step(&memory, &mut way, at).unwrap_or_else(|e| panic!("{at}: {e:?}"));
    }
    let lines = memory.inventory();
    let live = |what: &str| lines.iter().any(|line| line.starts_with(what));
    assert!(live(&format!("volume b gold/{NAME} ")), "{lines:#?}");
    assert!(live("volume group a gold destroyed"), "{lines:#?}");
    assert!(live("volume group b gold 1"), "{lines:#?}");
}
