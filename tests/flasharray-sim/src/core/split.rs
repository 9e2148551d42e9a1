//! The stale copy that a losing array keeps of a pod, and its end.

use std::collections::BTreeMap;

use super::error::Res;
use super::key::{ArrayIx, Home, PgKey, PgSnapKey, PodKey, SnapKey, VgKey, VolumeKey};
use super::pod::{SideStatus, keys_in};
use super::world::World;

impl World {
    /// Gives `loser` its own copy of the pod, as it is at this moment.
    pub(super) fn split_pod(&mut self, key: PodKey, winner: ArrayIx, loser: ArrayIx) -> Res<()> {
        let now = self.now();
        let home = Home::Pod(key);
        let copy_key = PodKey(self.next_key());
        let copy_home = Home::Pod(copy_key);
        let mut copy = self.pod(key)?.clone();
        copy.stale_of = Some((key, winner));
        for side in &mut copy.sides {
            side.status = if side.array == loser {
                SideStatus::Offline
            } else {
                SideStatus::Unknown
            };
            side.resync = None;
            side.frozen_at = (side.array == loser).then_some(now);
        }
        copy.holders.clear();

        let volumes = self.renumber(keys_in(&self.volumes, |o| o.home == home), VolumeKey);
        let vgroups = self.renumber(keys_in(&self.vgroups, |o| o.home == home), VgKey);
        let snaps = self.renumber(keys_in(&self.snaps, |o| o.home == home), SnapKey);
        let pgroups = self.renumber(keys_in(&self.pgroups, |o| o.home == home), PgKey);
        let pgsnaps = self.renumber(keys_in(&self.pgsnaps, |o| o.home == home), PgSnapKey);
        let of = |map: &BTreeMap<PgKey, PgKey>, key: PgKey| map.get(&key).copied().unwrap_or(key);

        for (old, new) in &volumes {
            let mut volume = self.volume(*old)?.clone();
            volume.home = copy_home;
            volume.vgroup = volume.vgroup.and_then(|key| vgroups.get(&key).copied());
            volume.snaps = volume
                .snaps
                .iter()
                .filter_map(|key| snaps.get(key).copied())
                .collect();
            volume.pgroups = volume
                .pgroups
                .iter()
                .map(|key| of(&pgroups, *key))
                .collect();
            self.volumes.insert(*new, volume);
        }
        for (old, new) in &vgroups {
            let mut vgroup = self.vgroup(*old)?.clone();
            vgroup.home = copy_home;
            vgroup.volumes = vgroup
                .volumes
                .iter()
                .filter_map(|key| volumes.get(key).copied())
                .collect();
            self.vgroups.insert(*new, vgroup);
        }
        for (old, new) in &snaps {
            let mut snap = self.snap(*old)?.clone();
            snap.home = copy_home;
            snap.volume = snap.volume.and_then(|key| volumes.get(&key).copied());
            snap.pgsnap = snap.pgsnap.and_then(|key| pgsnaps.get(&key).copied());
            self.snaps.insert(*new, snap);
        }
        for (old, new) in &pgroups {
            let mut group = self.pgroup(*old)?.clone();
            group.home = copy_home;
            group.volumes = group
                .volumes
                .iter()
                .filter_map(|key| volumes.get(key).copied())
                .collect();
            self.pgroups.insert(*new, group);
        }
        for (old, new) in &pgsnaps {
            let mut snap = self.pgsnap(*old)?.clone();
            snap.home = copy_home;
            snap.group = of(&pgroups, snap.group);
            snap.parts = snap
                .parts
                .iter()
                .filter_map(|key| snaps.get(key).copied())
                .collect();
            self.pgsnaps.insert(*new, snap);
        }
        copy.volumes = volumes.values().copied().collect();
        self.pods.insert(copy_key, copy);

        self.hide_pod(key, loser)?;
        self.show_pod(copy_key, loser)?;
        for (old, new) in &volumes {
            self.array_mut(loser)?.connections.rekey(*old, *new);
        }
        if let Some(side) = self.pod_mut(key)?.side_mut(loser) {
            side.status = SideStatus::Offline;
            side.resync = None;
            side.frozen_at.get_or_insert(now);
        }
        Ok(())
    }

    fn renumber<K: Copy + Ord>(&mut self, old: Vec<K>, wrap: fn(u64) -> K) -> BTreeMap<K, K> {
        old.into_iter()
            .map(|key| (key, wrap(self.next_key())))
            .collect()
    }

    /// Ends the stale copy on `ix`: it sees the pod of the survivor again.
    /// Returns the bytes that have to be caught up.
    pub(super) fn rejoin_pod(&mut self, key: PodKey, ix: ArrayIx) -> Res<u64> {
        let stale = self
            .pods
            .iter()
            .find(|(_, pod)| {
                pod.stale_of.is_some_and(|(original, _)| original == key)
                    && pod.holders.contains(&ix)
            })
            .map(|(key, _)| *key);
        let mut bytes = 0;
        if let Some(stale) = stale {
            let home = Home::Pod(stale);
            self.hide_pod(stale, ix)?;
            let survivors: BTreeMap<String, VolumeKey> = self
                .pod(key)?
                .volumes
                .iter()
                .filter_map(|key| self.volumes.get(key).map(|v| (v.id.clone(), *key)))
                .collect();
            for old in self.pod(stale)?.volumes.clone() {
                let copy = self.volume(old)?;
                match survivors.get(&copy.id).copied() {
                    Some(new) => {
                        bytes += self.volume(new)?.image.delta(&copy.image);
                        self.array_mut(ix)?.connections.rekey(old, new);
                    }
                    None => self.array_mut(ix)?.connections.drop_volume(old),
                }
            }
            self.volumes.retain(|_, o| o.home != home);
            self.vgroups.retain(|_, o| o.home != home);
            self.snaps.retain(|_, o| o.home != home);
            self.pgroups.retain(|_, o| o.home != home);
            self.pgsnaps.retain(|_, o| o.home != home);
            self.pods.remove(&stale);
        }
        self.show_pod(key, ix)?;
        Ok(bytes)
    }
}
