//! Pods: containers that can be stretched over two arrays.
//!
//! A stretched pod is *one* object on both arrays, and so is what it contains.
//! `election` decides who serves it when they lose sight of each other, and
//! `split` makes the loser's stale copy.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::clock::Timer;
use super::error::{ApiError, Res};
use super::key::{ArrayIx, Doom, Home, PgKey, PodKey, VgKey, VolumeKey};
use super::name;
use super::totals::Totals;
use super::world::World;

/// How a pod is doing on one of its arrays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SideStatus {
    /// Serves I/O, and may go on alone.
    Online,
    /// Does not serve I/O.
    Offline,
    /// Catches up; does not serve I/O.
    Resyncing,
    /// Cannot be known from the array that was asked.
    Unknown,
}

impl SideStatus {
    /// The word the REST interface uses.
    pub fn word(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Offline => "offline",
            Self::Resyncing => "resyncing",
            Self::Unknown => "unknown",
        }
    }
}

/// One array of a pod.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Side {
    /// The array.
    pub array: ArrayIx,
    /// How it is doing.
    pub status: SideStatus,
    /// Since when its data stands still, in milliseconds.
    pub frozen_at: Option<u64>,
    /// From when until when it resyncs, in milliseconds.
    pub resync: Option<(u64, u64)>,
}

/// Whether arrays reach the mediator.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Mediator {
    /// Arrays that do not.
    pub unreachable_from: BTreeSet<ArrayIx>,
    /// Pods that never finish resyncing, by name.
    pub stuck_pods: BTreeSet<String>,
}

/// A pod.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: String,
    /// When it was made, in milliseconds.
    pub created: u64,
    /// The arrays that see this object. After a split the other side sees its own copy.
    pub holders: Vec<ArrayIx>,
    /// The arrays it is stretched over.
    pub sides: Vec<Side>,
    /// Arrays to keep online first.
    pub preferences: Vec<ArrayIx>,
    /// Who goes on if the mediator cannot be asked.
    pub pre_elected: Option<ArrayIx>,
    /// Set on the stale copy of a split pod: the pod it was, and the array that went on.
    pub stale_of: Option<(PodKey, ArrayIx)>,
    /// Its volumes.
    pub volumes: BTreeSet<VolumeKey>,
    /// What they have together.
    pub totals: Totals,
    /// Most bytes its volumes may have together.
    pub quota: Option<u64>,
    /// Set while destroyed.
    pub doom: Option<Doom>,
}

impl Pod {
    /// Whether the pod is stretched to an array.
    pub fn has_side(&self, ix: ArrayIx) -> bool {
        self.sides.iter().any(|side| side.array == ix)
    }

    /// The side of an array.
    pub fn side(&self, ix: ArrayIx) -> Option<&Side> {
        self.sides.iter().find(|side| side.array == ix)
    }

    pub(super) fn side_mut(&mut self, ix: ArrayIx) -> Option<&mut Side> {
        self.sides.iter_mut().find(|side| side.array == ix)
    }
}

impl World {
    /// The pod of a name, destroyed or not.
    pub fn find_pod(&self, ix: ArrayIx, name: &str) -> Res<PodKey> {
        self.array(ix)?
            .pods
            .get(name)
            .copied()
            .ok_or_else(|| ApiError::absent("Pod", name))
    }

    /// The pod of a name, unless destroyed.
    pub fn live_pod(&self, ix: ArrayIx, name: &str) -> Res<PodKey> {
        let key = self.find_pod(ix, name)?;
        match self.pod(key)?.doom {
            Some(_) => Err(ApiError::destroyed("Pod", name)),
            None => Ok(key),
        }
    }

    /// Where a new object with this pod in its name lives; the pod must take it.
    pub(super) fn home_for(&self, ix: ArrayIx, pod: Option<&str>) -> Res<Home> {
        match pod {
            None => Ok(Home::Array(ix)),
            Some(name) => {
                let home = Home::Pod(self.live_pod(ix, name)?);
                self.writable(ix, home, name)?;
                Ok(home)
            }
        }
    }

    /// Refuses to change something in a pod that is not online on this array.
    pub(super) fn writable(&self, ix: ArrayIx, home: Home, name: &str) -> Res<()> {
        let Home::Pod(pod) = home else { return Ok(()) };
        match self.pod(pod)?.side(ix).map(|side| side.status) {
            Some(SideStatus::Online) => Ok(()),
            Some(status) => Err(ApiError::refuse(
                name,
                format!(
                    "Pod is not online on this array (status: {}).",
                    status.word()
                ),
            )),
            None => Err(ApiError::refuse(name, "Pod is not on this array.")),
        }
    }

    /// Refuses to copy from a pod that is not online on this array.
    pub(super) fn readable(&self, ix: ArrayIx, home: Home, name: &str) -> Res<()> {
        self.writable(ix, home, name)
    }

    /// The arrays an object is on, those that are out of touch included.
    pub fn sides(&self, home: Home) -> Vec<ArrayIx> {
        match home {
            Home::Array(ix) => vec![ix],
            Home::Pod(pod) => self
                .pods
                .get(&pod)
                .map(|pod| pod.sides.iter().map(|side| side.array).collect())
                .unwrap_or_default(),
        }
    }

    /// Makes a pod on one array.
    pub fn create_pod(&mut self, ix: ArrayIx, label: &str) -> Res<PodKey> {
        name::check("Pod", label)?;
        if self.array(ix)?.pods.contains_key(label) {
            return Err(ApiError::exists("Pod", label));
        }
        let key = PodKey(self.next_key());
        let pod = Pod {
            name: label.to_owned(),
            id: self.next_id(),
            created: self.now(),
            holders: vec![ix],
            sides: vec![Side {
                array: ix,
                status: SideStatus::Online,
                frozen_at: None,
                resync: None,
            }],
            preferences: Vec::new(),
            pre_elected: None,
            stale_of: None,
            volumes: BTreeSet::new(),
            totals: Totals::default(),
            quota: None,
            doom: None,
        };
        self.pods.insert(key, pod);
        self.array_mut(ix)?.pods.insert(label.to_owned(), key);
        Ok(key)
    }

    /// Makes a pod with copies of the volumes of another pod.
    pub fn clone_pod(&mut self, ix: ArrayIx, source: &str, label: &str) -> Res<PodKey> {
        let from = self.live_pod(ix, source)?;
        self.writable(ix, Home::Pod(from), source)?;
        let volumes = self.live_names(self.pod(from)?.volumes.iter());
        let key = self.create_pod(ix, label)?;
        for volume in volumes {
            let parts = name::parts(&volume);
            let new = super::volume::NewVolume {
                source: Some(volume.clone()),
                ..Default::default()
            };
            if let Some(vgroup) = parts.vgroup {
                let group = name::compose(Some(label), None, vgroup);
                if !self.array(ix)?.vgroups.contains_key(&group) {
                    self.create_vgroup(ix, &group, Default::default())?;
                }
            }
            self.create_volume(
                ix,
                &name::compose(Some(label), parts.vgroup, parts.base),
                &new,
            )?;
        }
        Ok(key)
    }

    /// Renames a pod and everything in it.
    pub fn rename_pod(&mut self, ix: ArrayIx, label: &str, to: &str) -> Res<PodKey> {
        let key = self.live_pod(ix, label)?;
        self.writable(ix, Home::Pod(key), label)?;
        name::check("Pod", to)?;
        let holders = self.pod(key)?.holders.clone();
        for holder in &holders {
            if self.array(*holder)?.pods.contains_key(to) {
                return Err(ApiError::exists("Pod", to));
            }
        }
        for holder in &holders {
            self.hide_pod(key, *holder)?;
        }
        let home = Home::Pod(key);
        let renamed = |old: &str| name::compose(Some(to), None, name::without_pod(old));
        macro_rules! rename {
            ($($table:ident),*) => {$(
                for object in self.$table.values_mut().filter(|o| o.home == home) {
                    object.name = renamed(&object.name);
                }
            )*};
        }
        rename!(volumes, vgroups, snaps, pgroups, pgsnaps);
        self.pod_mut(key)?.name = to.to_owned();
        for holder in holders {
            self.show_pod(key, holder)?;
        }
        Ok(key)
    }

    /// Destroys a pod; with `contents` also what is in it.
    pub fn destroy_pod(&mut self, ix: ArrayIx, label: &str, contents: bool) -> Res<PodKey> {
        let key = self.live_pod(ix, label)?;
        let home = Home::Pod(key);
        self.writable(ix, home, label)?;
        if self.pod(key)?.sides.len() > 1 {
            return Err(ApiError::refuse(label, "Cannot destroy a stretched pod."));
        }
        let volumes = self.live_names(self.pod(key)?.volumes.iter());
        let groups: Vec<String> = self
            .pgroups
            .values()
            .filter(|group| group.home == home && group.doom.is_none())
            .map(|group| group.name.clone())
            .collect();
        let filled = !volumes.is_empty() || !groups.is_empty();
        if filled && !contents {
            return Err(ApiError::refuse(label, "Pod is not empty."));
        }
        for volume in volumes {
            self.destroy_volume(ix, &volume)?;
        }
        for group in groups {
            self.destroy_pgroup(ix, &group)?;
        }
        let doom = self.doom(false);
        self.pod_mut(key)?.doom = Some(doom);
        self.clock.set(doom.eradicate_at, Timer::EradicatePod(key));
        Ok(key)
    }

    /// Recovers a destroyed pod (not what was in it).
    pub fn recover_pod(&mut self, ix: ArrayIx, label: &str) -> Res<PodKey> {
        let key = self.find_pod(ix, label)?;
        if self.pod_mut(key)?.doom.take().is_none() {
            return Err(ApiError::refuse(label, "Pod is not destroyed."));
        }
        Ok(key)
    }

    /// Eradicates a destroyed pod; with `contents` also what is in it.
    pub fn eradicate_pod(&mut self, ix: ArrayIx, label: &str, contents: bool) -> Res<()> {
        let key = self.find_pod(ix, label)?;
        let home = Home::Pod(key);
        if self.pod(key)?.doom.is_none() {
            return Err(ApiError::refuse(label, "Pod is not destroyed."));
        }
        let filled = !self.pod(key)?.volumes.is_empty()
            || self.pgroups.values().any(|group| group.home == home);
        if filled && !contents {
            return Err(ApiError::refuse(
                label,
                "Pod is not empty: eradicate its contents first.",
            ));
        }
        self.drop_pod(key)
    }

    /// Removes a pod and everything in it from the world.
    pub(super) fn drop_pod(&mut self, key: PodKey) -> Res<()> {
        let home = Home::Pod(key);
        let volumes: Vec<VolumeKey> = self.pod(key)?.volumes.iter().copied().collect();
        for volume in volumes {
            self.drop_volume(volume)?;
        }
        let groups: Vec<PgKey> = keys_in(&self.pgroups, |o| o.home == home);
        for group in groups {
            self.drop_pgroup(group)?;
        }
        let vgroups: Vec<VgKey> = keys_in(&self.vgroups, |o| o.home == home);
        for vgroup in vgroups {
            self.drop_vgroup(vgroup)?;
        }
        for snap in keys_in(&self.pgsnaps, |o| o.home == home) {
            self.drop_pgsnap(snap)?;
        }
        for holder in self.pod(key)?.holders.clone() {
            self.hide_pod(key, holder)?;
        }
        self.snaps.retain(|_, snap| snap.home != home);
        self.pods.remove(&key);
        Ok(())
    }

    pub(super) fn eradicate_pod_if_due(&mut self, key: PodKey) -> Res<()> {
        match self.pod(key)?.doom {
            Some(doom) if doom.eradicate_at <= self.now() => self.drop_pod(key),
            _ => Ok(()),
        }
    }

    /// Limits what the volumes of a pod may have together, in bytes.
    pub fn set_pod_quota(&mut self, ix: ArrayIx, label: &str, quota: Option<u64>) -> Res<PodKey> {
        let key = self.live_pod(ix, label)?;
        self.pod_mut(key)?.quota = quota;
        Ok(key)
    }

    /// Sets which arrays should keep a pod online, by name.
    pub fn prefer(&mut self, ix: ArrayIx, label: &str, arrays: &[String]) -> Res<PodKey> {
        let key = self.live_pod(ix, label)?;
        let mut preferences = Vec::new();
        for array in arrays {
            let found = self
                .find_array(array)
                .filter(|ix| self.pods.get(&key).is_some_and(|pod| pod.has_side(*ix)))
                .ok_or_else(|| ApiError::absent("Array", array))?;
            preferences.push(found);
        }
        self.pod_mut(key)?.preferences = preferences;
        self.settle_pods();
        Ok(key)
    }
}

/// The keys of those objects for which `wanted` holds.
pub(super) fn keys_in<K: Copy, V>(
    table: &std::collections::BTreeMap<K, V>,
    wanted: impl Fn(&V) -> bool,
) -> Vec<K> {
    table
        .iter()
        .filter(|(_, object)| wanted(object))
        .map(|(key, _)| *key)
        .collect()
}
