//! Who serves a stretched pod when its arrays lose sight of each other, and
//! how the other one catches up.
//!
//! With the mediator in reach, the preferred array that is alive goes on. If
//! the mediator was lost earlier, the array that was pre-elected then goes on.
//! Otherwise nobody does. An array that was not in sync never takes over.

use super::clock::Timer;
use super::error::{ApiError, Res};
use super::key::{ArrayIx, Home, PodKey};
use super::pod::SideStatus;
use super::world::World;

enum Verdict {
    /// Nothing to decide.
    Keep,
    /// This array goes on, that one goes offline.
    Goes(ArrayIx, ArrayIx),
    /// Nobody goes on.
    Nobody,
}

impl World {
    /// Brings every pod in line with what is reachable now.
    pub(super) fn settle_pods(&mut self) {
        let keys: Vec<PodKey> = self.pods.keys().copied().collect();
        for key in keys {
            // A pod that vanished while another one was settled needs nothing.
            let _ = self.settle_pod(key);
        }
    }

    fn settle_pod(&mut self, key: PodKey) -> Res<()> {
        let pod = self.pod(key)?;
        if let Some((original, winner)) = pod.stale_of {
            let here = pod.holders.clone();
            let wanted = self
                .pods
                .get(&original)
                .is_some_and(|pod| here.iter().any(|ix| pod.has_side(*ix)));
            if !wanted && here.iter().all(|ix| self.reaches(*ix, winner)) {
                self.drop_pod(key)?;
            }
            return Ok(());
        }
        let [a, b] = match pod.sides.as_slice() {
            [a, b] => [a.array, b.array],
            _ => return Ok(()),
        };
        if self.reaches(a, b) {
            return self.settle_together(key, a, b);
        }
        if self.pod(key)?.holders.len() < 2 {
            return Ok(());
        }
        match self.verdict(key, a, b)? {
            Verdict::Keep => Ok(()),
            Verdict::Goes(winner, loser) => {
                let pod = self.pod_mut(key)?;
                if let Some(side) = pod.side_mut(winner) {
                    side.status = SideStatus::Online;
                    side.frozen_at = None;
                }
                self.split_pod(key, winner, loser)
            }
            Verdict::Nobody => {
                let now = self.now();
                for side in &mut self.pod_mut(key)?.sides {
                    side.status = SideStatus::Offline;
                    side.frozen_at.get_or_insert(now);
                }
                Ok(())
            }
        }
    }

    fn settle_together(&mut self, key: PodKey, a: ArrayIx, b: ArrayIx) -> Res<()> {
        for (here, there) in [(a, b), (b, a)] {
            if !self.pod(key)?.holders.contains(&there) && self.pod(key)?.holders.contains(&here) {
                self.begin_resync(key, there)?;
            }
        }
        let blind = [a, b]
            .iter()
            .all(|ix| self.mediator.unreachable_from.contains(ix));
        let pod = self.pod_mut(key)?;
        let in_sync = pod
            .sides
            .iter()
            .all(|side| side.status != SideStatus::Resyncing);
        if in_sync {
            for side in &mut pod.sides {
                side.status = SideStatus::Online;
                side.frozen_at = None;
            }
        }
        if !blind {
            pod.pre_elected = None;
        } else if pod.pre_elected.is_none() {
            let best = pod.preferences.first().copied().unwrap_or(a);
            pod.pre_elected = Some(best);
        }
        Ok(())
    }

    fn verdict(&self, key: PodKey, a: ArrayIx, b: ArrayIx) -> Res<Verdict> {
        let pod = self.pod(key)?;
        let other = |ix| if ix == a { b } else { a };
        let lagging: Vec<ArrayIx> = pod
            .sides
            .iter()
            .filter(|side| side.status == SideStatus::Resyncing)
            .map(|side| side.array)
            .collect();
        if let Some(loser) = lagging.first() {
            return Ok(Verdict::Goes(other(*loser), *loser));
        }
        let alive: Vec<ArrayIx> = [a, b].into_iter().filter(|ix| self.powered(*ix)).collect();
        if alive.is_empty() {
            return Ok(Verdict::Keep);
        }
        if let Some(chosen) = pod.pre_elected {
            return Ok(if alive.contains(&chosen) {
                Verdict::Goes(chosen, other(chosen))
            } else {
                Verdict::Nobody
            });
        }
        let asks =
            |ix: &ArrayIx| alive.contains(ix) && !self.mediator.unreachable_from.contains(ix);
        let order = pod.preferences.iter().chain([&a, &b]);
        Ok(match order.copied().find(|ix| asks(ix)) {
            Some(winner) => Verdict::Goes(winner, other(winner)),
            None => Verdict::Nobody,
        })
    }

    fn begin_resync(&mut self, key: PodKey, ix: ArrayIx) -> Res<()> {
        let bytes = self.rejoin_pod(key, ix)?;
        let now = self.now();
        let rate = self.settings.bandwidth.max(1);
        let until = now + self.settings.resync_ms + bytes.saturating_mul(1000) / rate;
        if let Some(side) = self.pod_mut(key)?.side_mut(ix) {
            side.status = SideStatus::Resyncing;
            side.resync = Some((now, until));
        }
        self.clock.set(until, Timer::Resync(key));
        Ok(())
    }

    pub(super) fn resync_due(&mut self, key: PodKey) -> Res<()> {
        let now = self.now();
        let pod = self.pod(key)?;
        if self.mediator.stuck_pods.contains(&pod.name) {
            return Ok(());
        }
        let sides: Vec<ArrayIx> = pod.sides.iter().map(|side| side.array).collect();
        if let [a, b] = sides.as_slice()
            && !self.reaches(*a, *b)
        {
            return Ok(());
        }
        for side in &mut self.pod_mut(key)?.sides {
            if side.resync.is_some_and(|(_, until)| until <= now) {
                side.status = SideStatus::Online;
                side.frozen_at = None;
                side.resync = None;
            }
        }
        Ok(())
    }

    /// Makes the mediator reachable or unreachable for some arrays (all if none
    /// are given). Without `pre_elect`, it is lost at the very moment the arrays
    /// lose each other, so that nobody has been pre-elected.
    pub fn set_mediator(&mut self, arrays: &[ArrayIx], reachable: bool, pre_elect: bool) {
        let all: Vec<ArrayIx> = self.arrays.iter().map(|array| array.ix).collect();
        for ix in if arrays.is_empty() { &all } else { arrays } {
            if reachable {
                self.mediator.unreachable_from.remove(ix);
            } else {
                self.mediator.unreachable_from.insert(*ix);
            }
        }
        if pre_elect || reachable {
            self.connectivity_changed();
        }
    }

    /// Whether an array reaches the mediator.
    pub fn mediator_reachable(&self, ix: ArrayIx) -> bool {
        !self.mediator.unreachable_from.contains(&ix)
    }

    /// Keeps a pod from ever finishing to resync, or lets it finish. With an
    /// array, that side of an online pod starts resyncing now.
    pub fn set_pod_stuck(&mut self, label: &str, stuck: bool, array: Option<ArrayIx>) -> Res<()> {
        let now = self.now();
        let keys: Vec<PodKey> = self
            .pods
            .iter()
            .filter(|(_, pod)| pod.name == label && pod.stale_of.is_none())
            .map(|(key, _)| *key)
            .collect();
        if stuck {
            self.mediator.stuck_pods.insert(label.to_owned());
            for key in keys {
                let pod = self.pod_mut(key)?;
                let Some(ix) = array else { continue };
                let side = pod
                    .side_mut(ix)
                    .ok_or_else(|| ApiError::refuse(label, "Pod is not on this array."))?;
                side.status = SideStatus::Resyncing;
                side.resync = Some((now, now));
            }
        } else {
            self.mediator.stuck_pods.remove(label);
            for key in keys {
                self.clock.set(now, Timer::Resync(key));
                self.resync_due(key)?;
            }
        }
        Ok(())
    }

    /// Lets the array that lost the vote serve its stale copy all the same: from then on both sides are written.
    pub fn force_online(&mut self, ix: ArrayIx, name: &str) -> Res<()> {
        let key = self.live_pod(ix, name)?;
        let pod = self.pod_mut(key)?;
        if pod.stale_of.is_none() {
            return Err(ApiError::refuse(
                name,
                "The array has no stale copy of the pod.",
            ));
        }
        if let Some(side) = pod.side_mut(ix) {
            side.status = SideStatus::Online;
            side.frozen_at = None;
        }
        Ok(())
    }

    /// How a pod is doing on `side` as seen from `from`.
    pub fn status_seen(&self, key: PodKey, from: ArrayIx, side: ArrayIx) -> Res<SideStatus> {
        let pod = self.pod(key)?;
        let status = |ix| pod.side(ix).map_or(SideStatus::Unknown, |side| side.status);
        let blind =
            from != side && status(from) == SideStatus::Offline && !self.reaches(from, side);
        Ok(if blind {
            SideStatus::Unknown
        } else {
            status(side)
        })
    }

    /// Whether a host may do I/O through this array, as far as pods are concerned.
    pub fn serves(&self, ix: ArrayIx, home: Home) -> bool {
        match home {
            Home::Array(at) => at == ix,
            Home::Pod(key) => self
                .pods
                .get(&key)
                .and_then(|pod| pod.side(ix))
                .is_some_and(|side| side.status == SideStatus::Online),
        }
    }
}
