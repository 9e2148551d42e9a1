//! Which scheduled snapshots of a protection group are kept.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::clock::Timer;
use super::error::Res;
use super::key::{PgKey, PgSnapKey};
use super::pgsnap::PgSnap;
use super::world::World;

const DAY: u64 = 86_400_000;

/// Keep everything for a while, then some of each day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// Seconds for which all are kept.
    pub all_for_sec: u64,
    /// How many of each day are kept after that.
    pub per_day: u64,
    /// For how many days.
    pub days: u64,
}

impl Retention {
    /// The default.
    pub fn one_day() -> Self {
        Self {
            all_for_sec: 86_400,
            per_day: 4,
            days: 7,
        }
    }

    /// Those of `snaps` (time taken in milliseconds, key; newest first) that
    /// are not kept. The newest is always kept.
    pub fn expired<K: Copy>(&self, now: u64, snaps: &[(u64, K)]) -> Vec<K> {
        let mut of_day: BTreeMap<u64, u64> = BTreeMap::new();
        let mut gone = Vec::new();
        for (taken, key) in snaps.iter().skip(1) {
            let age = now.saturating_sub(*taken);
            if age <= self.all_for_sec * 1000 {
                continue;
            }
            let count = of_day.entry(taken / DAY).or_default();
            if age <= self.all_for_sec * 1000 + self.days * DAY && *count < self.per_day {
                *count += 1;
            } else {
                gone.push(*key);
            }
        }
        gone
    }
}

impl World {
    /// Destroys the scheduled snapshots of a group that are no longer kept.
    pub(super) fn expire(
        &mut self,
        group: PgKey,
        keep: Retention,
        concerned: impl Fn(&PgSnap) -> bool,
    ) -> Res<()> {
        let mut snaps: Vec<(u64, PgSnapKey)> = self
            .pgsnaps
            .iter()
            .filter(|(_, s)| s.group == group && s.scheduled && s.doom.is_none())
            .filter(|(_, snap)| snap.complete() && concerned(snap))
            .map(|(key, snap)| (snap.created, *key))
            .collect();
        snaps.sort_unstable_by(|a, b| b.cmp(a));
        for key in keep.expired(self.now(), &snaps) {
            let doom = self.doom(false);
            self.set_pgsnap_doom(key, Some(doom))?;
            self.clock
                .set(doom.eradicate_at, Timer::EradicateGroupSnap(key));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_recent_and_some_of_each_day_is_kept() {
        let keep = Retention {
            all_for_sec: 3600,
            per_day: 2,
            days: 2,
        };
        let now = 10 * DAY;
        let snaps: Vec<(u64, u64)> = (0..200).map(|n| (now - n * 1_800_000, n)).collect();
        let gone = keep.expired(now, &snaps);
        // Recent: ages 0, 30 and 60 minutes. Then two for each started day.
        let kept: Vec<u64> = (0..200).filter(|n| !gone.contains(n)).collect();
        assert_eq!(kept, vec![0, 1, 2, 3, 4, 49, 50, 97, 98]);
    }

    #[test]
    fn the_newest_is_kept_however_old() {
        let keep = Retention {
            all_for_sec: 1,
            per_day: 0,
            days: 0,
        };
        assert_eq!(keep.expired(100 * DAY, &[(DAY, 'a'), (0, 'b')]), vec!['b']);
    }
}
