//! Volume groups.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::clock::Timer;
use super::error::{ApiError, Res};
use super::key::{ArrayIx, Doom, Home, VgKey, VolumeKey};
use super::name;
use super::volume::Qos;
use super::world::World;

/// A volume group.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Vgroup {
    /// Its name, with the pod.
    pub name: String,
    /// Its id.
    pub id: String,
    /// Where it lives.
    pub home: Home,
    /// Its volumes.
    pub volumes: BTreeSet<VolumeKey>,
    /// Its limits.
    pub qos: Qos,
    /// Set while destroyed.
    pub doom: Option<Doom>,
}

impl World {
    /// The volume group of a name, destroyed or not.
    pub fn find_vgroup(&self, ix: ArrayIx, name: &str) -> Res<VgKey> {
        self.array(ix)?
            .vgroups
            .get(name)
            .copied()
            .ok_or_else(|| ApiError::absent("Volume group", name))
    }

    pub(super) fn live_vgroup(&self, ix: ArrayIx, name: &str) -> Res<VgKey> {
        let key = self.find_vgroup(ix, name)?;
        match self.vgroup(key)?.doom {
            Some(_) => Err(ApiError::destroyed("Volume group", name)),
            None => Ok(key),
        }
    }

    /// Makes a volume group.
    pub fn create_vgroup(&mut self, ix: ArrayIx, full: &str, qos: Qos) -> Res<VgKey> {
        let parts = name::parts(full);
        let home = self.home_for(ix, parts.pod)?;
        if parts.vgroup.is_some() {
            return Err(ApiError::refuse(full, "Volume group name is invalid."));
        }
        name::check("Volume group", parts.base)?;
        if self.array(ix)?.vgroups.contains_key(full) {
            return Err(ApiError::exists("Volume group", full));
        }
        let key = VgKey(self.next_key());
        let vgroup = Vgroup {
            name: full.to_owned(),
            id: self.next_id(),
            home,
            volumes: BTreeSet::new(),
            qos,
            doom: None,
        };
        self.vgroups.insert(key, vgroup);
        for ix in self.holders(home) {
            self.array_mut(ix)?.vgroups.insert(full.to_owned(), key);
        }
        Ok(key)
    }

    /// Changes the limits of a volume group.
    pub fn limit_vgroup(&mut self, ix: ArrayIx, name: &str, qos: Qos) -> Res<VgKey> {
        let key = self.live_vgroup(ix, name)?;
        self.writable(ix, self.vgroup(key)?.home, name)?;
        self.vgroup_mut(key)?.qos.merge(qos);
        Ok(key)
    }

    /// Renames a volume group and with it its volumes.
    pub fn rename_vgroup(&mut self, ix: ArrayIx, name: &str, to: &str) -> Res<VgKey> {
        let key = self.live_vgroup(ix, name)?;
        let home = self.vgroup(key)?.home;
        self.writable(ix, home, name)?;
        let parts = name::parts(name);
        let base = name::parts(to).base;
        name::check("Volume group", base)?;
        let full = name::compose(parts.pod, None, base);
        if self.array(ix)?.vgroups.contains_key(&full) {
            return Err(ApiError::exists("Volume group", full));
        }
        for ix in self.holders(home) {
            let array = self.array_mut(ix)?;
            array.vgroups.remove(name);
            array.vgroups.insert(full.clone(), key);
        }
        self.vgroup_mut(key)?.name.clone_from(&full);
        let volumes: Vec<VolumeKey> = self.vgroup(key)?.volumes.iter().copied().collect();
        for volume in volumes {
            let base = name::parts(&self.volume(volume)?.name).base.to_owned();
            let new = name::compose(parts.pod, Some(name::without_pod(&full)), &base);
            self.reindex_volume(volume, new)?;
        }
        Ok(key)
    }

    /// Destroys a volume group and the volumes in it.
    pub fn destroy_vgroup(&mut self, ix: ArrayIx, name: &str, contents: bool) -> Res<VgKey> {
        let key = self.live_vgroup(ix, name)?;
        self.writable(ix, self.vgroup(key)?.home, name)?;
        let live: Vec<String> = self.live_names(self.vgroup(key)?.volumes.iter());
        if !live.is_empty() && !contents {
            return Err(ApiError::refuse(name, "Volume group is not empty."));
        }
        for volume in live {
            self.destroy_volume(ix, &volume)?;
        }
        let doom = self.doom(false);
        self.vgroup_mut(key)?.doom = Some(doom);
        self.clock
            .set(doom.eradicate_at, Timer::EradicateVolumeGroup(key));
        Ok(key)
    }

    /// Recovers a destroyed volume group (not its volumes).
    pub fn recover_vgroup(&mut self, ix: ArrayIx, name: &str) -> Res<VgKey> {
        let key = self.find_vgroup(ix, name)?;
        self.writable(ix, self.vgroup(key)?.home, name)?;
        if self.vgroup_mut(key)?.doom.take().is_none() {
            return Err(ApiError::refuse(name, "Volume group is not destroyed."));
        }
        Ok(key)
    }

    /// Eradicates a destroyed volume group.
    pub fn eradicate_vgroup(&mut self, ix: ArrayIx, name: &str) -> Res<()> {
        let key = self.find_vgroup(ix, name)?;
        self.writable(ix, self.vgroup(key)?.home, name)?;
        if self.vgroup(key)?.doom.is_none() {
            return Err(ApiError::refuse(name, "Volume group is not destroyed."));
        }
        self.drop_vgroup(key)
    }

    pub(super) fn drop_vgroup(&mut self, key: VgKey) -> Res<()> {
        let volumes: Vec<VolumeKey> = self.vgroup(key)?.volumes.iter().copied().collect();
        for volume in volumes {
            self.drop_volume(volume)?;
        }
        let Some(vgroup) = self.vgroups.remove(&key) else {
            return Ok(());
        };
        for ix in self.holders(vgroup.home) {
            self.array_mut(ix)?.vgroups.remove(&vgroup.name);
        }
        Ok(())
    }

    pub(super) fn eradicate_vgroup_if_due(&mut self, key: VgKey) -> Res<()> {
        match self.vgroup(key)?.doom {
            Some(doom) if doom.eradicate_at <= self.now() => self.drop_vgroup(key),
            _ => Ok(()),
        }
    }

    /// Names of those volumes that are not destroyed.
    pub(super) fn live_names<'a>(&self, keys: impl Iterator<Item = &'a VolumeKey>) -> Vec<String> {
        keys.filter_map(|key| self.volumes.get(key))
            .filter(|volume| volume.doom.is_none())
            .map(|volume| volume.name.clone())
            .collect()
    }
}
