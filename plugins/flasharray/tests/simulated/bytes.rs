//! Bytes: machines write numbered blocks, the array is lost at a random moment, the backend fails over, and what is read
//! back is complete. Sync: every block that was acknowledged. Async: exactly the blocks of the recovery point that the
//! plan named. Then the array comes back, and the way home loses nothing either.
//!
//! Seeded: the last seed that a failing test prints is the one to look at; `FLASHARRAY_SEEDS=1000` tries more.

use std::collections::BTreeMap;

use flasharray::layout::Kind;
use springform_sdk::interfaces::replication::{FailoverMode, FailoverPlan, PlanRequest, Role};
use springform_sdk::types::{Error, FailureCode, ReplicationKind, Volume};

use crate::memory::Memory;
use crate::rig::{connector, replicated, stretched, target, three_sites};

const BLOCK: u64 = 512;
const BLOCKS: u64 = 16;

/// Blocks of one volume by position.
type Content = BTreeMap<u64, u64>;

/// Random numbers that a seed decides (splitmix64).
pub struct Dice(u64);

impl Dice {
    pub fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.roll(n) == 0
    }
}

/// One volume with everything that was ever acknowledged on it: when, where, what.
pub struct Disk {
    pub volume: Volume,
    pub journal: Vec<(u64, u64, u64)>,
}

impl Disk {
    fn name(&self) -> &str {
        &self.volume.placement.as_ref().unwrap().array_name
    }

    fn on(&self) -> &str {
        &self.volume.placement.as_ref().unwrap().target
    }

    /// What it held before a moment.
    pub fn at(&self, moment: u64) -> Content {
        let before = self.journal.iter().filter(|(when, ..)| *when < moment);
        before.map(|(_, block, number)| (*block, *number)).collect()
    }
}

/// A site, its machines, and what they know.
pub struct Run {
    pub memory: Memory,
    pub dice: Dice,
    pub disks: Vec<Disk>,
    made: u64,
    number: u64,
    kind: ReplicationKind,
}

impl Run {
    fn new(seed: u64, kind: ReplicationKind) -> Self {
        let mut dice = Dice(seed);
        let mut targets = vec![
            target("a", true, None),
            target("b", false, Some(kind.clone())),
        ];
        if dice.one_in(2) {
            targets[1].options = vec![("uniform".to_owned(), "true".to_owned())];
        }
        let driver = match kind {
            ReplicationKind::Sync => Kind::ActiveCluster,
            ReplicationKind::TriSync => {
                targets.push(target("c", false, Some(ReplicationKind::Async)));
                Kind::TriSync
            }
            _ => Kind::Asynchronous,
        };
        let memory = Memory::new(driver, targets);
        memory.set_up();
        let mut run = Self {
            memory,
            dice,
            disks: Vec::new(),
            made: 0,
            number: 0,
            kind,
        };
        for _ in 0..=run.dice.roll(3) {
            run.create();
        }
        run
    }

    /// A volume, connected. What the loss of the array prevents is no volume.
    pub fn create(&mut self) {
        self.made += 1;
        let id = format!("b{:07}-0000-0000-0000-000000000000", self.made);
        let mut volume = match self.kind {
            ReplicationKind::Sync => stretched(&id),
            ReplicationKind::TriSync => three_sites(&id),
            _ => replicated(&id),
        };
        let Ok(placement) = self.memory.call(&id, |d| d.create(&volume, None)) else {
            return;
        };
        volume.placement = Some(placement);
        if self.connect(&volume).is_ok() {
            self.disks.push(Disk {
                volume,
                journal: Vec::new(),
            });
        }
    }

    pub fn connect(&self, volume: &Volume) -> Result<(), Error> {
        self.memory.call("connect", |d| {
            d.volumes().connect(volume, &connector())?;
            Ok(())
        })
    }

    /// One block; it counts when it was acknowledged.
    pub fn write(&mut self) {
        if self.disks.is_empty() {
            return;
        }
        let at = self.dice.roll(self.disks.len() as u64) as usize;
        let block = self.dice.roll(BLOCKS);
        self.number += 1;
        self.memory.pass(1);
        let when = self.memory.world.borrow().now();
        let disk = &mut self.disks[at];
        let bytes = self.number.to_be_bytes().repeat(64);
        let (on, name) = (disk.on().to_owned(), disk.name().to_owned());
        if self.memory.write(&on, &name, block * BLOCK, &bytes) {
            disk.journal.push((when, block, self.number));
        }
        // Whatever the arrays do next, they do after it.
        self.memory.pass(1);
    }

    fn step(&mut self) {
        match self.dice.roll(20) {
            0 => self.create(),
            1 => {
                let ms = self.dice.roll(200_000);
                self.memory.pass(ms);
            }
            2..=4 => {
                let ms = self.dice.roll(3_000);
                self.memory.pass(ms);
            }
            5 if self.kind == ReplicationKind::Sync => {
                let up = !self.dice.one_in(3);
                self.memory.link("a", "b", up);
            }
            5..=6 if self.kind == ReplicationKind::TriSync => {
                let up = !self.dice.one_in(3);
                let (one, other) = [("a", "b"), ("a", "c"), ("b", "c")][self.dice.roll(3) as usize];
                self.memory.link(one, other, up);
            }
            _ => self.write(),
        }
    }

    fn lose(&mut self) {
        self.go_dark("a");
    }

    /// An array is lost, perhaps in the middle of a call.
    pub fn go_dark(&mut self, array: &str) {
        if self.dice.one_in(3) {
            let (left, acts) = (self.dice.roll(6), self.dice.one_in(2));
            self.memory.burn(array, left, acts);
            self.create();
        }
        self.memory.power(array, false);
    }

    pub fn volumes(&self) -> Vec<Volume> {
        self.disks.iter().map(|d| d.volume.clone()).collect()
    }

    pub fn plan(&self, to: Option<&str>, mode: FailoverMode) -> Result<FailoverPlan, Error> {
        let request = PlanRequest {
            volumes: self.volumes(),
            to: to.map(str::to_owned),
            mode,
            point: None,
        };
        self.memory.call("plan", |d| d.plan(&request))
    }

    /// Carries a plan out and connects the machines again.
    pub fn switch(&mut self, plan: &FailoverPlan) {
        let volumes = self.volumes();
        let outcomes = self
            .memory
            .call("switch", |d| d.fail_over(plan, &volumes))
            .unwrap();
        let landed: BTreeMap<_, _> = outcomes.into_iter().map(|o| (o.id, o.result)).collect();
        for disk in &mut self.disks {
            let planned = plan
                .volumes
                .iter()
                .find(|p| p.volume_id == disk.volume.id)
                .unwrap();
            if planned.possible {
                disk.volume.placement = Some(landed[&disk.volume.id].clone().unwrap());
                disk.volume.generation += 1;
            }
        }
        let gone: Vec<_> = plan.volumes.iter().filter(|p| !p.possible).collect();
        self.disks
            .retain(|d| gone.iter().all(|p| p.volume_id != d.volume.id));
        self.memory.landing.replace(Some(plan.target.clone()));
        for disk in &self.disks {
            self.connect(&disk.volume).unwrap();
        }
    }

    fn content(&self, disk: &Disk, on: &str) -> Content {
        let bytes = self
            .memory
            .read(on, disk.name(), 0, (BLOCKS * BLOCK) as usize);
        let blocks = bytes.chunks(BLOCK as usize).enumerate();
        let read = blocks.filter_map(|(at, block)| {
            let number = u64::from_be_bytes(block[..8].try_into().unwrap());
            assert!(
                block.chunks(8).all(|w| w == &block[..8]),
                "a torn block in {}",
                disk.name()
            );
            (number > 0).then_some((at as u64, number))
        });
        read.collect()
    }

    /// Everything acknowledged until now is on an array.
    pub fn complete(&self, on: &str) {
        for disk in &self.disks {
            assert_eq!(
                self.content(disk, on),
                disk.at(u64::MAX),
                "{} on {on}",
                disk.name()
            );
        }
    }

    /// Goes on where it is, and home again when the array is back.
    fn come_home(&mut self) {
        for _ in 0..self.dice.roll(20) {
            self.write();
            if self.dice.one_in(6) {
                self.create();
            }
        }
        self.memory.power("a", true);
        self.memory.link("a", "b", true);
        let volumes = self.volumes();
        if volumes.is_empty() {
            return;
        }
        self.memory
            .call("fence", |d| d.demote("a", &volumes))
            .unwrap();
        self.memory
            .call("reprotect", |d| {
                d.reprotect(&volumes, Some("a"), true, true)
            })
            .unwrap();
        for _ in 0..self.dice.roll(10) {
            self.write();
        }
        let plan = self.plan(Some("a"), FailoverMode::Planned).unwrap();
        assert!(
            plan.volumes.iter().all(|p| p.possible),
            "{:?}",
            plan.volumes
        );
        let sync = |run: &Self, plan: &FailoverPlan| {
            let synced = run.memory.call("home", |d| d.final_sync(plan, &volumes));
            synced.unwrap()
        };
        let plan = sync(self, &plan);
        for _ in 0..self.dice.roll(5) {
            self.write();
        }
        self.memory
            .call("home", |d| d.demote("b", &volumes))
            .unwrap();
        let plan = sync(self, &plan);
        self.switch(&plan);
        self.complete("a");
        self.memory
            .call("protect", |d| {
                d.reprotect(&self.volumes(), None, true, true)
            })
            .unwrap();
        let seen = self
            .memory
            .call("observe", |d| d.observe(&self.volumes()))
            .unwrap();
        let role = match self.kind {
            ReplicationKind::Sync => Role::Both,
            _ => Role::Primary,
        };
        assert!(
            seen.iter()
                .all(|o| o.role == role && o.stale_writable.is_empty()),
            "{seen:?}"
        );
    }
}

pub fn seeds() -> u64 {
    let more = std::env::var("FLASHARRAY_SEEDS").ok();
    more.and_then(|n| n.parse().ok()).unwrap_or(200)
}

pub fn workload(seed: u64, kind: ReplicationKind) -> Run {
    println!("seed {seed}");
    let mut run = Run::new(seed, kind);
    for _ in 0..run.dice.roll(80) {
        run.step();
    }
    run
}

#[test]
fn stretched_every_acknowledged_block_is_there_after_the_loss_of_an_array() {
    let (mut moved, mut refused) = (0, 0);
    for seed in 0..seeds() {
        let mut run = workload(seed, ReplicationKind::Sync);
        let in_sync = {
            let world = run.memory.world.borrow();
            let b = world.find_array("b").unwrap();
            let pod = world.find_pod(b, "cinder-pod").unwrap();
            world.serves(b, flasharray_sim::core::key::Home::Pod(pod))
        };
        run.lose();
        if run.disks.is_empty() {
            continue;
        }
        let to = if run.dice.one_in(2) { Some("b") } else { None };
        let plan = run.plan(to, FailoverMode::Unplanned).unwrap();
        for planned in &plan.volumes {
            assert_eq!(planned.possible, in_sync, "{:?}", planned.reason);
        }
        if !in_sync {
            // What was written since is on the lost array only: nothing may serve without it.
            let volumes = run.volumes();
            match run.memory.call("switch", |d| d.fail_over(&plan, &volumes)) {
                Err(Error::Failed(why)) => assert_eq!(why.code, FailureCode::FailedPrecondition),
                other => panic!("{other:?}"),
            }
            run.memory.power("a", true);
            for disk in &run.disks {
                run.connect(&disk.volume).unwrap();
            }
            run.complete("a");
            refused += 1;
            continue;
        }
        run.switch(&plan);
        run.complete("b");
        run.come_home();
        moved += 1;
    }
    println!("{moved} failed over, {refused} refused");
    assert!(
        moved > refused && refused > 0,
        "the seeds try both: {moved} and {refused}"
    );
}

#[test]
fn copied_exactly_the_blocks_of_the_named_recovery_point_are_there() {
    let (mut moved, mut without) = (0, 0);
    for seed in 0..seeds() {
        let mut run = workload(seed, ReplicationKind::Async);
        run.lose();
        if run.disks.is_empty() {
            continue;
        }
        let plan = match run.plan(Some("b"), FailoverMode::Unplanned) {
            Ok(plan) => plan,
            Err(error) => panic!("seed {seed}: {error:?}"),
        };
        run.switch(&plan);
        without += plan.volumes.iter().filter(|p| !p.possible).count();
        for disk in &mut run.disks {
            let planned = plan
                .volumes
                .iter()
                .find(|p| p.volume_id == disk.volume.id)
                .unwrap();
            let point = planned.point.clone().unwrap();
            let taken = taken(&run.memory, "b", &point.id);
            assert!(
                point.taken_at <= taken,
                "the plan promises more than the point holds"
            );
            // What came after the point is lost, as the plan said.
            disk.journal.retain(|(when, ..)| *when < taken);
        }
        run.complete("b");
        moved += run.disks.len();
        run.come_home();
    }
    println!("{moved} volumes failed over, {without} were in no recovery point");
    assert!(
        moved > 0 && without > 0,
        "the seeds try both: {moved} and {without}"
    );
}

/// When the array took the snapshot, by its own account.
pub fn taken(memory: &Memory, on: &str, point: &str) -> u64 {
    let world = memory.world.borrow();
    let array = world.find_array(on).unwrap();
    let key = world.array(array).unwrap().pgsnaps[point];
    world.pgsnap(key).unwrap().created
}
