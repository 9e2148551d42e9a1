//! When protection groups act by themselves.

use serde::{Deserialize, Serialize};

use super::clock::Timer;
use super::error::{ApiError, Res};
use super::key::{ArrayIx, Home, PgKey};
use super::pgsnap::NewPgSnap;
use super::world::World;

/// A schedule of snapshots or of replications.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Whether it runs.
    pub enabled: bool,
    /// Milliseconds between two runs.
    pub frequency: u64,
    /// Preferred time of day, in milliseconds after midnight.
    pub at: Option<u64>,
    /// Times of day without runs, in milliseconds after midnight.
    pub blackout: Option<(u64, u64)>,
    /// When the next run is due, in milliseconds since the epoch.
    pub next: Option<u64>,
    /// A run was due while the one before had not finished.
    pub overdue: bool,
}

impl Schedule {
    fn every(frequency: u64) -> Self {
        Self {
            enabled: false,
            frequency,
            at: None,
            blackout: None,
            next: None,
            overdue: false,
        }
    }

    /// The default of local snapshots.
    pub fn hourly() -> Self {
        Self::every(3_600_000)
    }

    /// The default of replication.
    pub fn four_hourly() -> Self {
        Self::every(4 * 3_600_000)
    }

    fn blacked_out(&self, now: u64) -> bool {
        let time = now % 86_400_000;
        self.blackout.is_some_and(|(start, end)| {
            if start <= end {
                (start..end).contains(&time)
            } else {
                time >= start || time < end
            }
        })
    }
}

/// What to change of a schedule.
#[derive(Debug, Clone, Copy, Default)]
pub struct ScheduleChange {
    /// Switches it on or off.
    pub enabled: Option<bool>,
    /// Milliseconds between two runs.
    pub frequency: Option<u64>,
    /// Preferred time of day, in milliseconds.
    pub at: Option<u64>,
    /// Times of day without runs; `Some(None)` removes them.
    pub blackout: Option<Option<(u64, u64)>>,
}

impl ScheduleChange {
    fn apply(self, schedule: &mut Schedule, name: &str) -> Res<()> {
        if let Some(frequency) = self.frequency {
            if frequency < 1000 {
                return Err(ApiError::refuse(name, "Invalid frequency."));
            }
            schedule.frequency = frequency;
        }
        if let Some(enabled) = self.enabled {
            schedule.enabled = enabled;
        }
        if self.at.is_some() {
            schedule.at = self.at;
        }
        if let Some(blackout) = self.blackout {
            schedule.blackout = blackout;
        }
        Ok(())
    }
}

impl World {
    /// Changes the replication schedule. Switching it on replicates at once.
    pub fn set_replication(
        &mut self,
        ix: ArrayIx,
        name: &str,
        change: ScheduleChange,
    ) -> Res<PgKey> {
        let key = self.changeable_pgroup(ix, name)?;
        let schedule = &mut self.pgroup_mut(key)?.replication;
        let before = *schedule;
        change.apply(schedule, name)?;
        let after = *schedule;
        if !after.enabled {
            let schedule = &mut self.pgroup_mut(key)?.replication;
            schedule.next = None;
            schedule.overdue = false;
        } else if !before.enabled {
            self.replicate_if_enabled(key)?;
        } else if before.frequency != after.frequency {
            self.plan_replication(key)?;
        }
        Ok(key)
    }

    /// Changes the snapshot schedule. Switching it on takes one at once.
    pub fn set_snapshots(&mut self, ix: ArrayIx, name: &str, change: ScheduleChange) -> Res<PgKey> {
        let key = self.changeable_pgroup(ix, name)?;
        let now = self.now();
        let schedule = &mut self.pgroup_mut(key)?.snapshots;
        let before = *schedule;
        change.apply(schedule, name)?;
        if !schedule.enabled {
            schedule.next = None;
        } else if !before.enabled || before.frequency != schedule.frequency {
            schedule.next = Some(now);
            self.clock.set(now, Timer::Snapshot(key));
            self.snapshot_due(key)?;
        }
        Ok(key)
    }

    /// Replicates now if the schedule is on.
    pub(super) fn replicate_if_enabled(&mut self, key: PgKey) -> Res<()> {
        let now = self.now();
        match self.pgroups.get_mut(&key) {
            Some(group) if group.replication.enabled => {
                group.replication.next = Some(now);
                self.replication_due(key)
            }
            _ => Ok(()),
        }
    }

    fn plan_replication(&mut self, key: PgKey) -> Res<()> {
        let now = self.now();
        let schedule = &mut self.pgroup_mut(key)?.replication;
        let at = now + schedule.frequency;
        schedule.next = Some(at);
        self.clock.set(at, Timer::Replicate(key));
        Ok(())
    }

    /// An array that can act for a group now.
    pub(super) fn acting_array(&self, home: Home) -> Option<ArrayIx> {
        if let Home::Pod(pod) = home
            && self.pods.get(&pod).is_none_or(|pod| pod.stale_of.is_some())
        {
            return None;
        }
        self.holders(home)
            .into_iter()
            .find(|ix| self.powered(*ix) && self.serves(*ix, home))
    }

    pub(super) fn replication_due(&mut self, key: PgKey) -> Res<()> {
        let now = self.now();
        let group = self.pgroup(key)?;
        let schedule = group.replication;
        if !schedule.enabled || group.doom.is_some() || schedule.next.is_none_or(|at| at > now) {
            return Ok(());
        }
        let home = group.home;
        let wanted = group
            .targets
            .iter()
            .any(|target| self.target_allowed(target));
        let busy = self
            .transfers
            .values()
            .any(|transfer| transfer.group == key);
        self.plan_replication(key)?;
        if !wanted || schedule.blacked_out(now) {
            return Ok(());
        }
        let Some(ix) = self.acting_array(home) else {
            return Ok(());
        };
        if busy {
            self.pgroup_mut(key)?.replication.overdue = true;
            return Ok(());
        }
        let new = NewPgSnap {
            suffix: None,
            replicate: true,
            scheduled: true,
        };
        self.take_pgsnap(ix, key, &new)?;
        Ok(())
    }

    pub(super) fn snapshot_due(&mut self, key: PgKey) -> Res<()> {
        let now = self.now();
        let group = self.pgroup(key)?;
        let schedule = group.snapshots;
        if !schedule.enabled || group.doom.is_some() || schedule.next.is_none_or(|at| at > now) {
            return Ok(());
        }
        let home = group.home;
        let at = now + schedule.frequency;
        self.pgroup_mut(key)?.snapshots.next = Some(at);
        self.clock.set(at, Timer::Snapshot(key));
        if let Some(ix) = self.acting_array(home) {
            let new = NewPgSnap {
                suffix: None,
                replicate: false,
                scheduled: true,
            };
            self.take_pgsnap(ix, key, &new)?;
            let keep = self.pgroup(key)?.source_retention;
            self.expire(key, keep, |snap| {
                snap.arrival.is_none() && !snap.for_replication
            })?;
        }
        Ok(())
    }
}
