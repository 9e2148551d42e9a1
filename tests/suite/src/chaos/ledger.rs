//! What tenants were told: which volumes there are, which blocks were acknowledged, and which of them may be lost because an
//! operator moved a volume to a recovery point that is older.
//!
//! Each write goes to a block of its own, so a block that is not as it was written has been lost, and nothing else can explain it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// Bytes of a block.
pub const BLOCK: usize = 512;

/// Milliseconds since the epoch: arrays and ledger share this machine's clock.
#[must_use]
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

/// Whether a volume is there, as far as its tenant knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existence {
    /// It was asked for, and the answer is not known.
    Asked,
    /// It was available once.
    Made,
    /// Its deletion was asked for, and the answer is not known.
    Doomed,
    /// It was seen to be gone.
    Gone,
}

/// A block that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// Its place, in blocks.
    pub block: u64,
    /// What it says.
    pub label: String,
    /// When the write began; milliseconds since the epoch.
    pub began: u64,
    /// When it was acknowledged. `None`: nobody knows whether it was done.
    pub acknowledged: Option<u64>,
    /// The array that took it.
    pub array: String,
}

impl Write {
    /// The bytes of the block.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{};", self.label).into_bytes().repeat(BLOCK);
        bytes.truncate(BLOCK);
        bytes
    }
}

/// An unplanned move: what was taken after the recovery point may be lost, but for what the target took since the move. What
/// the target took in an earlier time is no exception: it goes back to the point as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Risk {
    /// The array whose recovery point counts.
    pub target: String,
    /// When the recovery point was taken.
    pub since: u64,
    /// When the move was asked for.
    pub moved: u64,
    /// When the target was left again.
    pub until: Option<u64>,
}

impl Risk {
    fn touches(&self, write: &Write, acknowledged: u64) -> bool {
        let taken_there = write.array == self.target && write.began >= self.moved;
        !taken_there
            && acknowledged >= self.since
            && self.until.is_none_or(|until| write.began < until)
    }
}

/// A volume.
#[derive(Debug, Clone)]
pub struct Record {
    /// Id, once it is known.
    pub id: Option<String>,
    /// Backend.
    pub backend: String,
    /// Whether it is there.
    pub existence: Existence,
    /// Blocks.
    pub writes: Vec<Write>,
    /// Unplanned moves.
    pub risks: Vec<Risk>,
}

impl Record {
    /// A volume that was asked for.
    #[must_use]
    pub fn asked(backend: &str) -> Self {
        Self {
            id: None,
            backend: backend.to_owned(),
            existence: Existence::Asked,
            writes: Vec::new(),
            risks: Vec::new(),
        }
    }

    /// Whether a block has to be there.
    #[must_use]
    pub fn must_hold(&self, write: &Write) -> bool {
        let Some(acknowledged) = write.acknowledged else {
            return false;
        };
        !self
            .risks
            .iter()
            .any(|risk| risk.touches(write, acknowledged))
    }

    /// What a copy holds that was asked for at a moment: every block once the copy exists, or perhaps.
    #[must_use]
    pub fn copied(&self, asked_at: u64) -> Vec<Write> {
        let mut copied = self.writes.clone();
        for write in &mut copied {
            let before = write.acknowledged.is_some_and(|at| at < asked_at);
            // A recovery point that holds the copy holds all it was made with.
            write.acknowledged = (before && self.must_hold(write)).then_some(0);
        }
        copied
    }
}

/// An unplanned move of a whole backend that is under way: a volume that is made meanwhile moves with the others, to whatever
/// recovery point there is of it.
#[derive(Debug)]
struct Move {
    backend: String,
    risk: Risk,
}

/// All volumes, by the name that a tenant gave.
#[derive(Debug, Default)]
pub struct Ledger {
    volumes: Mutex<BTreeMap<String, Record>>,
    moves: Mutex<Vec<Move>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ledger {
    /// The volumes.
    pub fn volumes(&self) -> MutexGuard<'_, BTreeMap<String, Record>> {
        lock(&self.volumes)
    }

    /// A volume is asked for.
    pub fn asked(&self, name: &str, backend: &str) {
        let mut record = Record::asked(backend);
        let mut volumes = self.volumes();
        let moves = lock(&self.moves);
        let moves = moves
            .iter()
            .filter(|under_way| under_way.backend == backend);
        record
            .risks
            .extend(moves.map(|under_way| under_way.risk.clone()));
        volumes.insert(name.to_owned(), record);
    }

    /// An unplanned move of a whole backend begins: volumes that its plan does not know have no point in it.
    pub fn begins(&self, backend: &str, target: &str, planned: &BTreeSet<String>, moved: u64) {
        let risk = Risk {
            target: target.to_owned(),
            since: 0,
            moved,
            until: None,
        };
        let mut volumes = self.volumes();
        let unknown = |record: &&mut Record| {
            let planned = record.id.as_ref().is_some_and(|id| planned.contains(id));
            record.backend == backend && !planned
        };
        for record in volumes.values_mut().filter(unknown) {
            record.risks.push(risk.clone());
        }
        lock(&self.moves).push(Move {
            backend: backend.to_owned(),
            risk,
        });
    }

    /// The moves of a backend were seen to be over.
    pub fn ended(&self, backend: &str) {
        lock(&self.moves).retain(|under_way| under_way.backend != backend);
    }

    /// Changes one volume.
    pub fn change<T>(&self, name: &str, change: impl FnOnce(&mut Record) -> T) -> Option<T> {
        self.volumes().get_mut(name).map(change)
    }

    /// An unplanned move begins: of these volumes, by id, each to its recovery point.
    pub fn at_risk(&self, target: &str, points: &BTreeMap<String, u64>, moved: u64) {
        for record in self.volumes().values_mut() {
            let point = record.id.as_ref().and_then(|id| points.get(id));
            if let Some(since) = point {
                record.risks.push(Risk {
                    target: target.to_owned(),
                    since: *since,
                    moved,
                    until: None,
                });
            }
        }
    }

    /// A volume was seen to be served by an array while nothing was under way: risks of a move elsewhere are over.
    pub fn served(&self, id: &str, by: &str, since: u64) {
        for record in self.volumes().values_mut() {
            if record.id.as_deref() == Some(id) {
                for risk in &mut record.risks {
                    if risk.target != by && risk.until.is_none() {
                        risk.until = Some(since);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn write(began: u64, acknowledged: Option<u64>, array: &str) -> Write {
        Write {
            block: began,
            label: format!("v:{began}"),
            began,
            acknowledged,
            array: array.to_owned(),
        }
    }

    fn moved() -> Record {
        let ledger = Ledger::default();
        let mut record = Record::asked("copied");
        record.id = Some("one".into());
        record.writes = vec![
            write(10, Some(11), "a"),
            write(20, Some(21), "a"),
            write(30, None, "a"),
            write(33, Some(34), "b"),
            write(40, Some(41), "b"),
            write(60, Some(61), "a"),
        ];
        ledger.volumes().insert("v".into(), record);
        ledger.at_risk("b", &[("one".to_owned(), 20)].into(), 35);
        ledger.served("one", "b", 45);
        ledger.served("one", "a", 50);
        ledger.change("v", |record| record.clone()).unwrap()
    }

    #[test]
    fn what_was_acknowledged_before_the_recovery_point_or_on_the_target_since_or_at_home_again_must_be_there()
     {
        let moved = moved();
        let must: Vec<bool> = moved.writes.iter().map(|w| moved.must_hold(w)).collect();
        assert_eq!(must, [true, false, false, false, true, true]);
    }

    #[test]
    fn what_is_written_to_a_volume_that_is_made_while_its_backend_moves_may_be_lost_until_it_is_seen_at_home()
     {
        let ledger = Ledger::default();
        ledger.asked("known", "copied");
        ledger.change("known", |record| record.id = Some("one".into()));
        ledger.begins("copied", "b", &["one".to_owned()].into(), 30);
        ledger.asked("made meanwhile", "copied");
        ledger.asked("elsewhere", "stretched");
        ledger.ended("copied");
        ledger.asked("made later", "copied");
        ledger.change("made meanwhile", |record| record.id = Some("two".into()));
        ledger.served("two", "a", 50);
        let may_be_lost = |name: &str, at| {
            let written = write(at, Some(at + 1), "a");
            let hold = ledger.change(name, |record| record.must_hold(&written));
            !hold.unwrap()
        };
        assert!(may_be_lost("made meanwhile", 40) && !may_be_lost("made meanwhile", 60));
        for other in ["known", "elsewhere", "made later"] {
            assert!(!may_be_lost(other, 40), "{other}");
        }
    }

    #[test]
    fn a_copy_holds_what_was_safe_before_it_was_asked_for() {
        let copied = moved().copied(50);
        let safe: Vec<bool> = copied.iter().map(|w| w.acknowledged.is_some()).collect();
        assert_eq!(safe, [true, false, false, false, true, false]);
    }
}
