//! Volume snapshots, on their own or as a part of a protection group snapshot.

use serde::{Deserialize, Serialize};

use super::clock::Timer;
use super::error::{ApiError, Res};
use super::image::Image;
use super::key::{ArrayIx, Doom, Home, PgSnapKey, SnapKey, VolumeKey};
use super::name;
use super::volume::Origin;
use super::world::World;

/// A point-in-time copy of a volume.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Snap {
    /// Its full name.
    pub name: String,
    /// Its id.
    pub id: String,
    /// Its serial number.
    pub serial: String,
    /// The part of the name after the volume, or after the group for a part of a group snapshot.
    pub suffix: String,
    /// Where it lives.
    pub home: Home,
    /// The volume it belongs to: it is renamed and eradicated with it.
    pub volume: Option<VolumeKey>,
    /// The volume it was taken of.
    pub source: Origin,
    /// The group snapshot it is a part of.
    pub pgsnap: Option<PgSnapKey>,
    /// When it was taken, in milliseconds.
    pub created: u64,
    /// Set while destroyed.
    pub doom: Option<Doom>,
    /// Provisioned bytes of the volume.
    pub size: u64,
    /// The bytes.
    pub image: Image,
}

impl World {
    /// The snapshot of a name, destroyed or not.
    pub fn find_snap(&self, ix: ArrayIx, name: &str) -> Res<SnapKey> {
        self.array(ix)?
            .snaps
            .get(name)
            .copied()
            .ok_or_else(|| ApiError::refuse(name, "No such volume or snapshot: it does not exist."))
    }

    /// Refuses what [`World::create_snap`] would refuse.
    pub fn check_new_snap(&self, ix: ArrayIx, volume: &str, suffix: Option<&str>) -> Res<()> {
        self.changeable_volume(ix, volume)?;
        self.room(ix)?;
        if let Some(suffix) = suffix {
            name::check_suffix(suffix)?;
            let full = format!("{volume}.{suffix}");
            if self.array(ix)?.snaps.contains_key(&full) {
                return Err(ApiError::exists("Snapshot", full));
            }
        }
        Ok(())
    }

    /// Takes a snapshot; without a suffix it gets the next number.
    pub fn create_snap(&mut self, ix: ArrayIx, volume: &str, suffix: Option<&str>) -> Res<SnapKey> {
        self.check_new_snap(ix, volume, suffix)?;
        let key = self.changeable_volume(ix, volume)?;
        let suffix = match suffix {
            Some(suffix) => suffix.to_owned(),
            None => {
                let volume = self.volume_mut(key)?;
                volume.next_snap += 1;
                (volume.next_snap - 1).to_string()
            }
        };
        let snap = self.snap_of(ix, key, format!("{volume}.{suffix}"), suffix, Some(key))?;
        self.volume_mut(key)?.snaps.insert(snap);
        Ok(snap)
    }

    /// Copies a volume at this moment into a new snapshot object.
    pub(super) fn snap_of(
        &mut self,
        ix: ArrayIx,
        key: VolumeKey,
        full: String,
        suffix: String,
        owner: Option<VolumeKey>,
    ) -> Res<SnapKey> {
        let snap_key = SnapKey(self.next_key());
        let id = self.next_id();
        let serial = self.array_mut(ix)?.next_serial();
        let volume = self.volume(key)?;
        let snap = Snap {
            name: full,
            id,
            serial,
            suffix,
            home: volume.home,
            volume: owner,
            source: Origin {
                name: volume.name.clone(),
                id: Some(volume.id.clone()),
            },
            pgsnap: None,
            created: self.now(),
            doom: None,
            size: volume.size,
            image: volume.image.clone(),
        };
        self.snaps.insert(snap_key, snap);
        self.link_snap(snap_key)?;
        Ok(snap_key)
    }

    pub(super) fn link_snap(&mut self, key: SnapKey) -> Res<()> {
        let snap = self.snap(key)?;
        let (name, home) = (snap.name.clone(), snap.home);
        for ix in self.holders(home) {
            self.array_mut(ix)?.snaps.insert(name.clone(), key);
        }
        Ok(())
    }

    pub(super) fn unlink_snap(&mut self, key: SnapKey) -> Res<()> {
        let snap = self.snap(key)?;
        let (name, home) = (snap.name.clone(), snap.home);
        for ix in self.holders(home) {
            self.array_mut(ix)?.snaps.remove(&name);
        }
        Ok(())
    }

    pub(super) fn reindex_snap(&mut self, key: SnapKey, full: String) -> Res<()> {
        self.unlink_snap(key)?;
        self.snap_mut(key)?.name = full;
        self.link_snap(key)
    }

    /// A snapshot of its own that may be changed through this array now.
    fn changeable_snap(&self, ix: ArrayIx, name: &str) -> Res<SnapKey> {
        let key = self.find_snap(ix, name)?;
        let snap = self.snap(key)?;
        if snap.pgsnap.is_some() {
            return Err(ApiError::refuse(
                name,
                "Snapshot is part of a protection group snapshot and cannot be changed on its own.",
            ));
        }
        self.writable(ix, snap.home, name)?;
        Ok(key)
    }

    /// Gives a snapshot another suffix; `to` is a suffix or a full name.
    pub fn rename_snap(&mut self, ix: ArrayIx, name: &str, to: &str) -> Res<SnapKey> {
        let key = self.changeable_snap(ix, name)?;
        if self.snap(key)?.doom.is_some() {
            return Err(ApiError::destroyed("Snapshot", name));
        }
        let owner = name.rsplit_once('.').map_or(name, |(volume, _)| volume);
        let suffix = match to.rsplit_once('.') {
            Some((volume, suffix)) if volume == owner => suffix,
            Some(_) => return Err(ApiError::refuse(to, "Snapshot name is invalid.")),
            None => to,
        };
        name::check_suffix(suffix)?;
        let full = format!("{owner}.{suffix}");
        if full != name && self.array(ix)?.snaps.contains_key(&full) {
            return Err(ApiError::exists("Snapshot", full));
        }
        self.reindex_snap(key, full)?;
        self.snap_mut(key)?.suffix = suffix.to_owned();
        Ok(key)
    }

    /// Destroys a snapshot.
    pub fn destroy_snap(&mut self, ix: ArrayIx, name: &str) -> Res<SnapKey> {
        let key = self.changeable_snap(ix, name)?;
        if self.snap(key)?.doom.is_some() {
            return Err(ApiError::destroyed("Snapshot", name));
        }
        let doom = self.doom(false);
        self.snap_mut(key)?.doom = Some(doom);
        self.clock.set(doom.eradicate_at, Timer::EradicateSnap(key));
        Ok(key)
    }

    /// Recovers a destroyed snapshot.
    pub fn recover_snap(&mut self, ix: ArrayIx, name: &str) -> Res<SnapKey> {
        let key = self.changeable_snap(ix, name)?;
        let owner = self
            .snap(key)?
            .volume
            .and_then(|key| self.volumes.get(&key));
        if owner.is_some_and(|volume| volume.doom.is_some()) {
            return Err(ApiError::destroyed("Volume", name));
        }
        if self.snap_mut(key)?.doom.take().is_none() {
            return Err(ApiError::refuse(name, "Snapshot is not destroyed."));
        }
        Ok(key)
    }

    /// Eradicates a destroyed snapshot.
    pub fn eradicate_snap(&mut self, ix: ArrayIx, name: &str) -> Res<()> {
        let key = self.changeable_snap(ix, name)?;
        if self.snap(key)?.doom.is_none() {
            return Err(ApiError::refuse(name, "Snapshot is not destroyed."));
        }
        self.drop_snap(key)
    }

    pub(super) fn drop_snap(&mut self, key: SnapKey) -> Res<()> {
        self.unlink_snap(key)?;
        let Some(snap) = self.snaps.remove(&key) else {
            return Ok(());
        };
        if let Some(volume) = snap.volume.and_then(|key| self.volumes.get_mut(&key)) {
            volume.snaps.remove(&key);
        }
        Ok(())
    }

    pub(super) fn eradicate_snap_if_due(&mut self, key: SnapKey) -> Res<()> {
        match self.snap(key)?.doom {
            Some(doom) if !doom.with_parent && doom.eradicate_at <= self.now() => {
                self.drop_snap(key)
            }
            _ => Ok(()),
        }
    }
}
