//! Volumes: made, copied, resized, renamed, destroyed, recovered, eradicated.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::clock::Timer;
use super::error::{ApiError, Res};
use super::image::Image;
use super::key::{ArrayIx, Doom, Home, PgKey, SnapKey, VgKey, VolumeKey};
use super::name;
use super::tag::Tag;
use super::totals::Totals;
use super::world::World;

/// The smallest volume, in bytes.
pub const MIN_SIZE: u64 = 1 << 20;
/// The largest volume, in bytes.
pub const MAX_SIZE: u64 = 4 << 50;

/// Limits of a volume or volume group; none means unlimited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Qos {
    /// Operations per second.
    pub iops_limit: Option<u64>,
    /// Bytes per second.
    pub bandwidth_limit: Option<u64>,
}

impl Qos {
    /// The maximum, which clients send to mean "no limit".
    pub const MAX_IOPS: u64 = 100_000_000;
    /// The maximum, which clients send to mean "no limit".
    pub const MAX_BANDWIDTH: u64 = 549_755_813_888;

    /// Takes over what `newer` sets.
    pub fn merge(&mut self, newer: Self) {
        if newer.iops_limit.is_some() {
            self.iops_limit = newer.iops_limit;
        }
        if newer.bandwidth_limit.is_some() {
            self.bandwidth_limit = newer.bandwidth_limit;
        }
    }

    /// Checks the ranges the array accepts.
    pub fn check(self, name: &str) -> Res<Self> {
        let iops = self
            .iops_limit
            .is_none_or(|n| (100..=Self::MAX_IOPS).contains(&n));
        let bandwidth = self
            .bandwidth_limit
            .is_none_or(|n| (1 << 20..=Self::MAX_BANDWIDTH).contains(&n));
        if !iops {
            return Err(ApiError::refuse(name, "Invalid value for IOPS limit."));
        }
        if !bandwidth {
            return Err(ApiError::refuse(name, "Invalid value for bandwidth limit."));
        }
        Ok(self)
    }
}

/// What a volume or snapshot was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Name at that time.
    pub name: String,
    /// Id of the volume, if it was one.
    pub id: Option<String>,
}

/// A volume.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Volume {
    /// Its full name.
    pub name: String,
    /// Its id.
    pub id: String,
    /// Its serial number, 24 upper-case hexadecimal digits.
    pub serial: String,
    /// Where it lives.
    pub home: Home,
    /// The volume group it is in.
    pub vgroup: Option<VgKey>,
    /// When it was made, in milliseconds.
    pub created: u64,
    /// Set while destroyed.
    pub doom: Option<Doom>,
    /// Provisioned bytes.
    pub size: u64,
    /// Its bytes.
    pub image: Image,
    /// Its limits.
    pub qos: Qos,
    /// What it was made from.
    pub source: Option<Origin>,
    /// Its snapshots, those of protection groups excluded.
    pub snaps: BTreeSet<SnapKey>,
    /// The protection groups it is in.
    pub pgroups: BTreeSet<PgKey>,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// The number of the next snapshot without a suffix.
    pub next_snap: u64,
}

/// How to make a volume.
#[derive(Debug, Clone, Default)]
pub struct NewVolume {
    /// Bytes; needed without a source.
    pub size: Option<u64>,
    /// A volume or snapshot to copy.
    pub source: Option<String>,
    /// Limits.
    pub qos: Qos,
    /// Replace the contents if the name is taken.
    pub overwrite: bool,
    /// Protection groups to join.
    pub groups: Vec<String>,
}

impl World {
    /// The volume of a name, destroyed or not.
    pub fn find_volume(&self, ix: ArrayIx, name: &str) -> Res<VolumeKey> {
        self.array(ix)?
            .volumes
            .get(name)
            .copied()
            .ok_or_else(|| ApiError::absent("Volume", name))
    }

    /// The volume of a name, unless destroyed.
    pub fn live_volume(&self, ix: ArrayIx, name: &str) -> Res<VolumeKey> {
        let key = self.find_volume(ix, name)?;
        match self.volume(key)?.doom {
            Some(_) => Err(ApiError::destroyed("Volume", name)),
            None => Ok(key),
        }
    }

    /// A volume that may be changed through this array now.
    pub(super) fn changeable_volume(&self, ix: ArrayIx, name: &str) -> Res<VolumeKey> {
        let key = self.live_volume(ix, name)?;
        self.writable(ix, self.volume(key)?.home, name)?;
        Ok(key)
    }

    /// The contents to copy from a volume or a snapshot of that name.
    fn find_source(&self, ix: ArrayIx, name: &str) -> Res<(Image, u64, Origin)> {
        let array = self.array(ix)?;
        if let Some(key) = array.volumes.get(name) {
            let volume = self.volume(*key)?;
            if volume.doom.is_some() {
                return Err(ApiError::destroyed("Source volume", name));
            }
            self.readable(ix, volume.home, name)?;
            let origin = Origin {
                name: name.to_owned(),
                id: Some(volume.id.clone()),
            };
            return Ok((volume.image.clone(), volume.size, origin));
        }
        match array.snaps.get(name) {
            Some(key) => {
                let snap = self.snap(*key)?;
                if snap.doom.is_some() {
                    return Err(ApiError::destroyed("Source snapshot", name));
                }
                self.readable(ix, snap.home, name)?;
                let origin = Origin {
                    name: snap.source.name.clone(),
                    id: snap.source.id.clone(),
                };
                Ok((snap.image.clone(), snap.size, origin))
            }
            None => Err(ApiError::absent("Source", name)),
        }
    }

    /// Refuses what [`World::create_volume`] would refuse, without doing it.
    pub fn check_new_volume(&self, ix: ArrayIx, full: &str, new: &NewVolume) -> Res<()> {
        let parts = name::parts(full);
        let home = self.home_for(ix, parts.pod)?;
        if let Some(vgroup) = parts.vgroup {
            self.live_vgroup(ix, &name::compose(parts.pod, None, vgroup))?;
        }
        name::check("Volume", parts.base)?;
        self.room(ix)?;
        match self.array(ix)?.volumes.get(full) {
            Some(key) if new.overwrite && new.source.is_some() => {
                if self.volume(*key)?.doom.is_some() {
                    return Err(ApiError::destroyed("Volume", full));
                }
            }
            Some(_) => return Err(ApiError::exists("Volume", full)),
            None => self.volume_allowed(ix, 1)?,
        }
        match (&new.source, new.size) {
            (Some(source), _) => {
                self.find_source(ix, source)?;
            }
            (None, Some(size)) => check_size(full, size)?,
            (None, None) => {
                return Err(ApiError::refuse(
                    full,
                    "Missing required field: provisioned.",
                ));
            }
        }
        for group in &new.groups {
            let key = self.live_pgroup(ix, group)?;
            if self.pgroup(key)?.home != home {
                return Err(ApiError::refuse(
                    group.as_str(),
                    "Protection group and volume must be in the same pod.",
                ));
            }
        }
        Ok(())
    }

    /// Makes a volume, or replaces the contents of one.
    pub fn create_volume(&mut self, ix: ArrayIx, full: &str, new: &NewVolume) -> Res<VolumeKey> {
        self.check_new_volume(ix, full, new)?;
        let (image, size, source) = match &new.source {
            Some(source) => {
                let (image, size, origin) = self.find_source(ix, source)?;
                (image, size, Some(origin))
            }
            None => (Image::default(), new.size.unwrap_or(MIN_SIZE), None),
        };
        if let Some(key) = self.array(ix)?.volumes.get(full).copied() {
            self.change_volume(key, |volume| {
                volume.image = image;
                volume.size = size;
                volume.source = source;
            })?;
            return Ok(key);
        }
        let parts = name::parts(full);
        let home = self.home_for(ix, parts.pod)?;
        let vgroup = match parts.vgroup {
            Some(vgroup) => Some(self.find_vgroup(ix, &name::compose(parts.pod, None, vgroup))?),
            None => None,
        };
        let key = VolumeKey(self.next_key());
        let mut volume = Volume {
            name: full.to_owned(),
            id: self.next_id(),
            serial: self.array_mut(ix)?.next_serial(),
            home,
            vgroup,
            created: self.now(),
            doom: None,
            size,
            image,
            qos: new.qos,
            source,
            snaps: BTreeSet::new(),
            pgroups: BTreeSet::new(),
            tags: Vec::new(),
            next_snap: 1,
        };
        if let Some(size) = new.size.filter(|size| *size > volume.size) {
            volume.size = size;
        }
        self.volumes.insert(key, volume);
        self.link_volume(key)?;
        for group in &new.groups {
            let group = self.live_pgroup(ix, group)?;
            self.join_group(group, key)?;
        }
        Ok(key)
    }

    /// Enters a volume into the indexes of its holders, its pod and its group.
    pub(super) fn link_volume(&mut self, key: VolumeKey) -> Res<()> {
        let volume = self.volume(key)?;
        let (name, home, vgroup) = (volume.name.clone(), volume.home, volume.vgroup);
        for ix in self.holders(home) {
            self.array_mut(ix)?.volumes.insert(name.clone(), key);
        }
        let weight = Totals::of(self.volume(key)?);
        self.recount(home, Totals::default(), weight);
        if let Home::Pod(pod) = home {
            self.pod_mut(pod)?.volumes.insert(key);
        }
        if let Some(vgroup) = vgroup {
            self.vgroup_mut(vgroup)?.volumes.insert(key);
        }
        Ok(())
    }

    pub(super) fn unlink_volume(&mut self, key: VolumeKey) -> Res<()> {
        let volume = self.volume(key)?;
        let (name, home, vgroup) = (volume.name.clone(), volume.home, volume.vgroup);
        for ix in self.holders(home) {
            self.array_mut(ix)?.volumes.remove(&name);
        }
        let weight = Totals::of(self.volume(key)?);
        self.recount(home, weight, Totals::default());
        if let Home::Pod(pod) = home {
            self.pod_mut(pod)?.volumes.remove(&key);
        }
        if let Some(vgroup) = vgroup.and_then(|vgroup| self.vgroups.get_mut(&vgroup)) {
            vgroup.volumes.remove(&key);
        }
        Ok(())
    }

    /// Changes the size. Shrinking needs `truncate`.
    pub fn resize_volume(
        &mut self,
        ix: ArrayIx,
        name: &str,
        size: u64,
        truncate: bool,
    ) -> Res<VolumeKey> {
        let key = self.changeable_volume(ix, name)?;
        check_size(name, size)?;
        if size < self.volume(key)?.size && !truncate {
            return Err(ApiError::refuse(
                name,
                "Implicit truncation not permitted: the new size is smaller than the current size.",
            ));
        }
        self.change_volume(key, |volume| {
            if size < volume.size {
                volume.image.truncate(size);
            }
            volume.size = size;
        })?;
        Ok(key)
    }

    /// Changes the limits.
    pub fn limit_volume(&mut self, ix: ArrayIx, name: &str, qos: Qos) -> Res<VolumeKey> {
        let key = self.changeable_volume(ix, name)?;
        self.volume_mut(key)?.qos.merge(qos.check(name)?);
        Ok(key)
    }

    /// Destroys a volume: it leaves its groups and can be recovered for a while.
    pub fn destroy_volume(&mut self, ix: ArrayIx, name: &str) -> Res<VolumeKey> {
        let key = self.changeable_volume(ix, name)?;
        for holder in self.holders(self.volume(key)?.home) {
            if self.array(holder)?.connections.count_of(key) > 0 {
                return Err(ApiError::refuse(
                    name,
                    "Volume cannot be deleted due to existing connections.",
                ));
            }
        }
        let groups: Vec<PgKey> = self.volume(key)?.pgroups.iter().copied().collect();
        for group in groups {
            self.leave_group(group, key)?;
        }
        let doom = self.doom(false);
        let snaps: Vec<SnapKey> = self.volume(key)?.snaps.iter().copied().collect();
        for snap in snaps {
            let with_it = self.doom(true);
            self.snap_mut(snap)?.doom.get_or_insert(with_it);
        }
        self.change_volume(key, |volume| volume.doom = Some(doom))?;
        self.clock
            .set(doom.eradicate_at, Timer::EradicateVolume(key));
        Ok(key)
    }

    /// Recovers a destroyed volume, and the snapshots that went with it.
    pub fn recover_volume(&mut self, ix: ArrayIx, name: &str) -> Res<VolumeKey> {
        let key = self.find_volume(ix, name)?;
        self.writable(ix, self.volume(key)?.home, name)?;
        if self
            .change_volume(key, |volume| volume.doom.take())?
            .is_none()
        {
            return Err(ApiError::refuse(name, "Volume is not destroyed."));
        }
        let snaps: Vec<SnapKey> = self.volume(key)?.snaps.iter().copied().collect();
        for snap in snaps {
            let snap = self.snap_mut(snap)?;
            if snap.doom.is_some_and(|doom| doom.with_parent) {
                snap.doom = None;
            }
        }
        Ok(key)
    }

    /// Refuses what [`World::eradicate_volume`] would refuse.
    pub fn check_eradicate_volume(&self, ix: ArrayIx, name: &str) -> Res<VolumeKey> {
        let key = self.find_volume(ix, name)?;
        self.writable(ix, self.volume(key)?.home, name)?;
        if self.volume(key)?.doom.is_none() {
            return Err(ApiError::refuse(name, "Volume is not destroyed."));
        }
        Ok(key)
    }

    /// Eradicates a destroyed volume and its snapshots.
    pub fn eradicate_volume(&mut self, ix: ArrayIx, name: &str) -> Res<()> {
        let key = self.check_eradicate_volume(ix, name)?;
        self.drop_volume(key)
    }

    pub(super) fn drop_volume(&mut self, key: VolumeKey) -> Res<()> {
        for ix in self.holders(self.volume(key)?.home) {
            self.array_mut(ix)?.connections.drop_volume(key);
        }
        let groups: Vec<PgKey> = self.volume(key)?.pgroups.iter().copied().collect();
        for group in groups {
            self.leave_group(group, key)?;
        }
        let snaps: Vec<SnapKey> = self.volume(key)?.snaps.iter().copied().collect();
        for snap in snaps {
            self.drop_snap(snap)?;
        }
        self.unlink_volume(key)?;
        self.volumes.remove(&key);
        Ok(())
    }

    pub(super) fn eradicate_volume_if_due(&mut self, key: VolumeKey) -> Res<()> {
        match self.volume(key)?.doom {
            Some(doom) if doom.eradicate_at <= self.now() => self.drop_volume(key),
            _ => Ok(()),
        }
    }
}

fn check_size(name: &str, size: u64) -> Res<()> {
    if (MIN_SIZE..=MAX_SIZE).contains(&size) && size.is_multiple_of(512) {
        Ok(())
    } else {
        Err(ApiError::refuse(
            name,
            "Invalid size: must be a multiple of 512 between 1 MiB and 4 PiB.",
        ))
    }
}
