//! Carries out an operation on the simulator and on the model.

mod compare;

use std::collections::{BTreeMap, BTreeSet};

use flasharray_sim::ArrayConfig;
use flasharray_sim::core::array::ArraySpec;
use flasharray_sim::core::connection::Owner;
use flasharray_sim::core::host::HostChange;
use flasharray_sim::core::key::ArrayIx;
use flasharray_sim::core::link::LinkKind;
use flasharray_sim::core::pgsnap::NewPgSnap;
use flasharray_sim::core::schedule::ScheduleChange;
use flasharray_sim::core::volume::NewVolume;
use flasharray_sim::core::world::{Settings, World};

use crate::history::{Cells, History, Moment};
use crate::pod::{BLOCK, Contents, PodModel};

const A: ArrayIx = ArrayIx(0);
const B: ArrayIx = ArrayIx(1);
const SIDES: [ArrayIx; 2] = [A, B];
const FREQUENCY: u64 = 60_000;
const SIZE: u64 = 1 << 20;

#[derive(Debug, Clone)]
pub enum Op {
    Create(usize),
    Write(usize, usize, u8),
    Snapshot(usize),
    Revert(usize),
    Clone(usize),
    Destroy(usize),
    Rename(usize),
    Join(usize),
    Leave(usize),
    Enable(bool),
    ReplicateNow,
    Advance(u64),
    Failover,
    CreateInPod(usize),
    WriteInPod(bool, usize, usize, u8),
    DestroyInPod(bool, usize),
    Link(bool),
    Power(bool, bool),
}

pub struct Run {
    world: World,
    /// Volumes of array a outside the pod.
    local: Contents,
    members: BTreeSet<String>,
    /// Newest snapshot of each volume.
    snaps: BTreeMap<String, (String, Cells)>,
    history: History,
    pod: PodModel,
    power: [bool; 2],
    link: bool,
    enabled: bool,
    /// Since when replication could run without being disturbed.
    calm_since: u64,
    count: u64,
}

fn spec(name: &str) -> ArraySpec {
    let config = ArrayConfig::named(name);
    ArraySpec {
        name: name.to_owned(),
        api_token: config.token(),
        purity: config.purity_version,
        rest_versions: vec!["2.26".to_owned()],
        capacity: config.capacity_bytes,
    }
}

fn new_volume() -> NewVolume {
    NewVolume {
        size: Some(SIZE),
        ..NewVolume::default()
    }
}

fn copy_of(source: &str, overwrite: bool) -> NewVolume {
    NewVolume {
        source: Some(source.to_owned()),
        overwrite,
        ..NewVolume::default()
    }
}

impl Run {
    pub fn new() -> Self {
        let settings = Settings {
            // One block each second, so that writes happen during transfers.
            bandwidth: BLOCK,
            ..Settings::default()
        };
        let start = 1_000_000_000_000;
        let pod = PodModel {
            state: crate::pod::State::InSync,
            truth: Contents::new(),
            stale: Contents::new(),
            resync_ms: settings.resync_ms,
            bandwidth: settings.bandwidth,
        };
        let mut world = World::new(vec![spec("a"), spec("b")], settings, start);
        world.connect_arrays(A, B, LinkKind::Sync);
        for ix in SIDES {
            world.create_host(ix, "h", &HostChange::default()).unwrap();
        }
        world.create_pod(A, "p").unwrap();
        world.stretch_pod(A, "p", "b").unwrap();
        world.create_pgroup(A, "g").unwrap();
        let every_minute = ScheduleChange {
            frequency: Some(FREQUENCY),
            ..ScheduleChange::default()
        };
        world.set_replication(A, "g", every_minute).unwrap();
        world.add_target(A, "g", "b").unwrap();
        world.allow_target(B, "a:g", true).unwrap();
        Self {
            world,
            local: Contents::new(),
            members: BTreeSet::new(),
            snaps: BTreeMap::new(),
            history: History::default(),
            pod,
            power: [true, true],
            link: true,
            enabled: false,
            calm_since: start,
            count: 0,
        }
    }

    pub fn step(&mut self, op: Op) {
        self.pass(1);
        // Nobody can ask a dark array for anything.
        let here = self.power[0];
        match op {
            Op::Create(v) if here => self.create(&format!("v{v}")),
            Op::Write(v, cell, byte) if here => self.write(&format!("v{v}"), cell, byte),
            Op::Snapshot(v) if here => self.snapshot(&format!("v{v}")),
            Op::Revert(v) if here => self.revert(&format!("v{v}")),
            Op::Clone(v) if here => self.clone_volume(&format!("v{v}")),
            Op::Destroy(v) if here => self.destroy(&format!("v{v}")),
            Op::Rename(v) if here => self.rename(&format!("v{v}")),
            Op::Join(v) if here => {
                let name = format!("v{v}");
                let fits = self.local.contains_key(&name) && !self.members.contains(&name);
                assert_eq!(self.world.add_member(A, "g", &name).is_ok(), fits);
                if fits {
                    self.members.insert(name);
                }
            }
            Op::Leave(v) if here => {
                let name = format!("v{v}");
                let was = self.members.remove(&name);
                assert_eq!(self.world.remove_member(A, "g", &name).is_ok(), was);
            }
            Op::Enable(on) if here => {
                let change = ScheduleChange {
                    enabled: Some(on),
                    ..ScheduleChange::default()
                };
                self.world.set_replication(A, "g", change).unwrap();
                if on != self.enabled {
                    self.calm_since = self.world.now();
                }
                self.enabled = on;
            }
            Op::ReplicateNow if here => {
                let new = NewPgSnap {
                    replicate: true,
                    ..NewPgSnap::default()
                };
                self.world.create_pgsnap(A, "g", &new).unwrap();
            }
            Op::Advance(seconds) => self.pass(seconds * 1000),
            Op::Failover => self.failover(),
            Op::CreateInPod(v) => self.create_in_pod(&format!("p::w{v}")),
            Op::WriteInPod(a, v, cell, byte) => {
                self.write_in_pod(usize::from(!a), &format!("p::w{v}"), cell, byte);
            }
            Op::DestroyInPod(a, v) => self.destroy_in_pod(usize::from(!a), &format!("p::w{v}")),
            Op::Link(up) => {
                self.world.set_link(A, B, up).unwrap();
                self.link = up;
                self.contact();
            }
            Op::Power(a, on) => {
                let side = usize::from(!a);
                self.world.set_power(SIDES[side], on).unwrap();
                self.power[side] = on;
                self.contact();
            }
            _ => {}
        }
        let now = self.world.now();
        self.history.note(now, self.moment());
        self.compare();
    }

    fn pass(&mut self, ms: u64) {
        let to = self.world.now() + ms;
        self.world.advance(to);
        self.pod.at(to);
    }

    fn contact(&mut self) {
        let now = self.world.now();
        self.pod.contact(now, self.power, self.link);
        self.calm_since = now;
    }

    fn moment(&self) -> Moment {
        self.members
            .iter()
            .map(|name| (name.clone(), self.local[name]))
            .collect()
    }

    fn create(&mut self, name: &str) {
        let fits = !self.local.contains_key(name);
        assert_eq!(
            self.world.create_volume(A, name, &new_volume()).is_ok(),
            fits
        );
        if fits {
            self.local.insert(name.to_owned(), Cells::default());
            self.see(A, name);
        }
    }

    fn see(&mut self, ix: ArrayIx, name: &str) {
        // Already connected is just as good.
        let _ = self
            .world
            .connect(ix, &Owner::Host("h".to_owned()), name, None);
    }

    fn write(&mut self, name: &str, cell: usize, byte: u8) {
        let offset = cell as u64 * BLOCK + 17;
        let done = self.world.io_write(A, "h", name, offset, &[byte]).is_ok();
        assert_eq!(done, self.local.contains_key(name));
        if let Some(cells) = self.local.get_mut(name) {
            cells[cell] = byte;
        }
    }

    fn snapshot(&mut self, name: &str) {
        self.count += 1;
        let suffix = format!("s{}", self.count);
        let done = self.world.create_snap(A, name, Some(&suffix)).is_ok();
        assert_eq!(done, self.local.contains_key(name));
        if done {
            self.snaps
                .insert(name.to_owned(), (suffix, self.local[name]));
        }
    }

    fn revert(&mut self, name: &str) {
        if let Some((suffix, cells)) = self.snaps.get(name) {
            let source = format!("{name}.{suffix}");
            self.world
                .create_volume(A, name, &copy_of(&source, true))
                .unwrap();
            self.local.insert(name.to_owned(), *cells);
        }
    }

    fn clone_volume(&mut self, name: &str) {
        self.count += 1;
        let copy = format!("c{}", self.count);
        let done = self
            .world
            .create_volume(A, &copy, &copy_of(name, false))
            .is_ok();
        assert_eq!(done, self.local.contains_key(name));
        if done {
            self.local.insert(copy.clone(), self.local[name]);
            self.see(A, &copy);
        }
    }

    fn destroy(&mut self, name: &str) {
        if self.local.remove(name).is_none() {
            assert!(self.world.destroy_volume(A, name).is_err());
            return;
        }
        assert!(
            self.world.destroy_volume(A, name).is_err(),
            "it is connected"
        );
        self.world
            .disconnect(A, &Owner::Host("h".to_owned()), name)
            .unwrap();
        self.world.destroy_volume(A, name).unwrap();
        self.world.eradicate_volume(A, name).unwrap();
        self.members.remove(name);
        self.snaps.remove(name);
    }

    fn rename(&mut self, name: &str) {
        self.count += 1;
        let new = format!("r{}", self.count);
        let done = self.world.rename_volume(A, name, &new).is_ok();
        assert_eq!(done, self.local.contains_key(name));
        if let Some(cells) = self.local.remove(name) {
            self.local.insert(new.clone(), cells);
            if self.members.remove(name) {
                self.members.insert(new.clone());
            }
            if let Some(snap) = self.snaps.remove(name) {
                self.snaps.insert(new, snap);
            }
        }
    }

    fn create_in_pod(&mut self, name: &str) {
        let Some(side) = (0..2).find(|side| self.power[*side] && self.pod.serves(*side)) else {
            return;
        };
        let fits = !self.pod.truth.contains_key(name);
        let done = self.world.create_volume(SIDES[side], name, &new_volume());
        assert_eq!(done.is_ok(), fits, "{done:?}");
        if fits {
            self.pod.truth.insert(name.to_owned(), Cells::default());
        }
    }

    fn write_in_pod(&mut self, side: usize, name: &str, cell: usize, byte: u8) {
        let ix = SIDES[side];
        self.see(ix, name);
        let offset = cell as u64 * BLOCK + 17;
        let done = self.world.io_write(ix, "h", name, offset, &[byte]).is_ok();
        let may = self.power[side] && self.pod.serves(side) && self.pod.truth.contains_key(name);
        assert_eq!(done, may);
        if may {
            self.pod.truth.get_mut(name).unwrap()[cell] = byte;
        }
    }

    fn destroy_in_pod(&mut self, side: usize, name: &str) {
        if !self.power[side] {
            return;
        }
        for ix in SIDES {
            let _ = self
                .world
                .disconnect(ix, &Owner::Host("h".to_owned()), name);
        }
        let done = self.world.destroy_volume(SIDES[side], name).is_ok();
        let may = self.pod.serves(side) && self.pod.truth.contains_key(name);
        assert_eq!(done, may);
        if may {
            self.world.eradicate_volume(SIDES[side], name).unwrap();
            self.pod.truth.remove(name);
        }
    }

    /// Makes volumes on b from the newest complete snapshot, as a driver would.
    fn failover(&mut self) {
        if !self.power[1] {
            return;
        }
        let group = self.world.find_pgroup(B, "a:g").unwrap();
        let newest = self
            .world
            .array(B)
            .unwrap()
            .pgsnaps
            .values()
            .map(|key| self.world.pgsnap(*key).unwrap())
            .filter(|snap| snap.group == group && snap.complete() && snap.doom.is_none())
            .max_by_key(|snap| snap.created)
            .cloned();
        let now = self.world.now();
        let calm = now - self.calm_since;
        let running = self.enabled && self.link && self.power == [true, true];
        let Some(newest) = newest else {
            assert!(!running || calm < 20 * FREQUENCY, "nothing was replicated");
            return;
        };
        if running && calm > 20 * FREQUENCY {
            assert!(
                now - newest.created <= 5 * FREQUENCY,
                "the newest snapshot is too old"
            );
        }
        let expected = self.history.before(newest.created);
        let mut restored = Moment::new();
        for part in &newest.parts {
            let source = self.world.snap(*part).unwrap().name.clone();
            let name = source.rsplit_once('.').unwrap().1.to_owned();
            let copy = format!("restored-{name}");
            self.world
                .create_volume(B, &copy, &copy_of(&source, true))
                .unwrap();
            self.see(B, &copy);
            restored.insert(name, self.cells(B, &copy).unwrap());
        }
        assert_eq!(restored, expected, "snapshot {}", newest.name);
    }

    /// Mends everything, waits, and compares once more: all sides must agree.
    pub fn settle_and_compare(&mut self) {
        self.step(Op::Power(true, true));
        self.step(Op::Power(false, true));
        self.step(Op::Link(true));
        self.step(Op::Advance(3600));
        assert_eq!(self.pod.state, crate::pod::State::InSync);
        self.step(Op::Failover);
        // Saving and loading changes nothing.
        let text = serde_json::to_string(&self.world).unwrap();
        self.world = serde_json::from_str(&text).unwrap();
        self.compare();
        self.step(Op::Failover);
    }
}
