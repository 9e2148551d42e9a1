//! Time, and what has been promised to happen at a later time.
//!
//! Timers are hints: whoever set one checks on firing that it still applies,
//! so nothing ever has to be cancelled.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::key::{PgKey, PgSnapKey, PodKey, SnapKey, VgKey, VolumeKey, pairs};

/// Something that happens by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Timer {
    /// The replication schedule of a group is due.
    Replicate(PgKey),
    /// The snapshot schedule of a group is due.
    Snapshot(PgKey),
    /// A transfer may have finished.
    Transfers,
    /// A pod may have finished resyncing.
    Resync(PodKey),
    /// The eradication timer of a volume ran out.
    EradicateVolume(VolumeKey),
    /// The eradication timer of a volume snapshot ran out.
    EradicateSnap(SnapKey),
    /// The eradication timer of a group ran out.
    EradicateGroup(PgKey),
    /// The eradication timer of a group snapshot ran out.
    EradicateGroupSnap(PgSnapKey),
    /// The eradication timer of a pod ran out.
    EradicatePod(PodKey),
    /// The eradication timer of a volume group ran out.
    EradicateVolumeGroup(VgKey),
}

/// The world's clock, in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Clock {
    now: u64,
    order: u64,
    #[serde(with = "pairs")]
    timers: BTreeMap<(u64, u64), Timer>,
}

impl Clock {
    /// A clock that shows `now`.
    pub fn at(now: u64) -> Self {
        Self {
            now,
            ..Self::default()
        }
    }

    /// Milliseconds since the epoch.
    pub fn now(&self) -> u64 {
        self.now
    }

    /// Promises `timer` at `at`; a time in the past means at the next advance.
    pub fn set(&mut self, at: u64, timer: Timer) {
        self.order += 1;
        self.timers.insert((at.max(self.now), self.order), timer);
    }

    /// Moves to the next promise not later than `limit` and takes it.
    pub fn next_until(&mut self, limit: u64) -> Option<Timer> {
        let entry = self.timers.first_entry()?;
        let (at, _) = *entry.key();
        if at > limit {
            return None;
        }
        let timer = entry.remove();
        self.now = self.now.max(at);
        Some(timer)
    }

    /// Moves forward; the clock never goes back.
    pub fn move_to(&mut self, to: u64) {
        self.now = self.now.max(to);
    }
}
