//! Pods on a second array, and off it again.

use super::clock::Timer;
use super::error::{ApiError, Res};
use super::key::{ArrayIx, Home, PodKey, VolumeKey};
use super::link::LinkKind;
use super::pod::{Side, SideStatus};
use super::world::World;

impl World {
    /// Stretches a pod to a second array.
    pub fn stretch_pod(&mut self, ix: ArrayIx, label: &str, array: &str) -> Res<PodKey> {
        let key = self.live_pod(ix, label)?;
        self.writable(ix, Home::Pod(key), label)?;
        let target = self
            .find_array(array)
            .ok_or_else(|| ApiError::absent("Array", array))?;
        let pod = self.pod(key)?;
        if pod.has_side(target) {
            return Err(ApiError::refuse(
                label,
                format!("Pod already exists on array {array}."),
            ));
        }
        if pod.sides.len() >= 2 {
            return Err(ApiError::refuse(label, "Array limit reached for this pod."));
        }
        match self.link(ix, target) {
            Some(link) if link.kind == LinkKind::Sync => {}
            Some(_) => {
                return Err(ApiError::refuse(
                    array,
                    "Array is not connected for synchronous replication.",
                ));
            }
            None => return Err(ApiError::refuse(array, "Array is not connected.")),
        }
        if !self.reaches(ix, target) {
            return Err(ApiError::refuse(array, "Array cannot be reached."));
        }
        if self.array(target)?.pods.contains_key(label) {
            return Err(ApiError::refuse(
                label,
                "A pod of this name already exists on the other array.",
            ));
        }
        let now = self.now();
        let until = now + self.settings.stretch_ms;
        let stuck = self.mediator.stuck_pods.contains(label);
        let waits = stuck || self.settings.stretch_ms > 0;
        let pod = self.pod_mut(key)?;
        pod.sides.push(Side {
            array: target,
            status: if waits {
                SideStatus::Resyncing
            } else {
                SideStatus::Online
            },
            frozen_at: None,
            resync: waits.then_some((now, until)),
        });
        if waits {
            self.clock.set(until, Timer::Resync(key));
        }
        self.show_pod(key, target)?;
        self.settle_pods();
        Ok(key)
    }

    /// Makes a pod and what it contains visible on an array.
    pub(super) fn show_pod(&mut self, key: PodKey, ix: ArrayIx) -> Res<()> {
        let home = Home::Pod(key);
        let pod = self.pod_mut(key)?;
        if !pod.holders.contains(&ix) {
            pod.holders.push(ix);
        }
        let name = pod.name.clone();
        let array = self
            .arrays
            .get_mut(ix.0)
            .ok_or_else(|| ApiError::inconsistent("array"))?;
        array.pods.insert(name, key);
        macro_rules! index {
            ($($table:ident),*) => {$(
                for (key, object) in self.$table.iter().filter(|(_, o)| o.home == home) {
                    array.$table.insert(object.name.clone(), *key);
                }
            )*};
        }
        index!(volumes, vgroups, snaps, pgroups, pgsnaps);
        Ok(())
    }

    /// Hides a pod and what it contains from an array.
    pub(super) fn hide_pod(&mut self, key: PodKey, ix: ArrayIx) -> Res<()> {
        let home = Home::Pod(key);
        let pod = self.pod_mut(key)?;
        pod.holders.retain(|holder| *holder != ix);
        let name = pod.name.clone();
        let array = self
            .arrays
            .get_mut(ix.0)
            .ok_or_else(|| ApiError::inconsistent("array"))?;
        array.pods.remove(&name);
        macro_rules! unindex {
            ($($table:ident),*) => {$(
                for object in self.$table.values().filter(|o| o.home == home) {
                    array.$table.remove(&object.name);
                }
            )*};
        }
        unindex!(volumes, vgroups, snaps, pgroups, pgsnaps);
        Ok(())
    }

    /// Takes an array out of a stretched pod. `with_unknown` also takes out one
    /// that cannot be reached.
    pub fn unstretch_pod(
        &mut self,
        ix: ArrayIx,
        label: &str,
        array: &str,
        with_unknown: bool,
    ) -> Res<PodKey> {
        let key = self.live_pod(ix, label)?;
        let target = self
            .find_array(array)
            .ok_or_else(|| ApiError::absent("Array", array))?;
        let pod = self.pod(key)?;
        if !pod.has_side(target) {
            return Err(ApiError::refuse(
                array,
                "Pod is not stretched to this array: it does not exist there.",
            ));
        }
        if pod.sides.len() < 2 {
            return Err(ApiError::refuse(
                label,
                "Pod cannot be removed from its only array.",
            ));
        }
        let remaining = pod
            .sides
            .iter()
            .map(|side| side.array)
            .find(|side| *side != target)
            .unwrap_or(ix);
        self.writable(remaining, Home::Pod(key), label)?;
        if !self.reaches(remaining, target) && !with_unknown {
            return Err(ApiError::refuse(array, "Array cannot be reached."));
        }
        if self.pod(key)?.holders.contains(&target) {
            let gone: Vec<VolumeKey> = self.pod(key)?.volumes.iter().copied().collect();
            for volume in gone {
                self.array_mut(target)?.connections.drop_volume(volume);
            }
            self.hide_pod(key, target)?;
        }
        let pod = self.pod_mut(key)?;
        pod.sides.retain(|side| side.array != target);
        pod.pre_elected = None;
        self.settle_pods();
        Ok(key)
    }
}
