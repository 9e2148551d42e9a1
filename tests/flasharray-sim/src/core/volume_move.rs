//! Volumes under other names: renamed, moved between pods and volume groups.

use super::error::{ApiError, Res};
use super::key::{ArrayIx, Home, SnapKey, VgKey, VolumeKey};
use super::name;
use super::world::World;

impl World {
    /// Gives a volume another name within its home; its snapshots follow.
    pub(super) fn reindex_volume(&mut self, key: VolumeKey, new: String) -> Res<()> {
        let snaps: Vec<SnapKey> = self.volume(key)?.snaps.iter().copied().collect();
        self.unlink_volume(key)?;
        self.volume_mut(key)?.name.clone_from(&new);
        self.link_volume(key)?;
        for snap in snaps {
            let full = format!("{new}.{}", self.snap(snap)?.suffix);
            self.reindex_snap(snap, full)?;
            self.snap_mut(snap)?.source.name.clone_from(&new);
        }
        Ok(())
    }

    /// Renames a volume. A name without a prefix stays in its pod and group.
    pub fn rename_volume(&mut self, ix: ArrayIx, name: &str, to: &str) -> Res<VolumeKey> {
        let key = self.changeable_volume(ix, name)?;
        let (old, new) = (name::parts(name), name::parts(to));
        if (new.pod.is_some() && new.pod != old.pod)
            || (new.vgroup.is_some() && new.vgroup != old.vgroup)
        {
            return Err(ApiError::refuse(
                to,
                "A volume cannot be moved by renaming it.",
            ));
        }
        name::check("Volume", new.base)?;
        let full = name::compose(old.pod, old.vgroup, new.base);
        if full != name && self.array(ix)?.volumes.contains_key(&full) {
            return Err(ApiError::exists("Volume", full));
        }
        self.reindex_volume(key, full)?;
        Ok(key)
    }

    /// Moves a volume into a pod, or out of its pod with an empty name. The
    /// last component of its name stays. It must leave its protection groups
    /// first, or in the same step: `leaving` names those.
    pub fn move_volume(
        &mut self,
        ix: ArrayIx,
        name: &str,
        pod: &str,
        leaving: &[String],
    ) -> Res<VolumeKey> {
        let key = self.changeable_volume(ix, name)?;
        let target = if pod.is_empty() { None } else { Some(pod) };
        let home = self.home_for(ix, target)?;
        let old = self.volume(key)?.home;
        if home == old {
            return Err(ApiError::refuse(name, "Volume is already in this pod."));
        }
        let (mut from, mut to) = (self.sides(old), self.sides(home));
        from.sort_unstable();
        to.sort_unstable();
        if from != to {
            return Err(ApiError::refuse(
                name,
                "Cannot move a volume between pods that are not on the same arrays, or into or out of a stretched pod.",
            ));
        }
        let full = name::compose(target, None, name::parts(name).base);
        if self.array(ix)?.volumes.contains_key(&full) {
            return Err(ApiError::exists("Volume", full));
        }
        for group in leaving {
            let group = self.find_pgroup(ix, group)?;
            self.leave_group(group, key)?;
        }
        if !self.volume(key)?.pgroups.is_empty() {
            return Err(ApiError::refuse(
                name,
                "Cannot move a volume that is in a protection group.",
            ));
        }
        self.rehome_volume(key, home, None, full)?;
        Ok(key)
    }

    /// Moves a volume into a volume group, or out of it with an empty name.
    pub fn regroup_volume(&mut self, ix: ArrayIx, name: &str, vgroup: &str) -> Res<VolumeKey> {
        let key = self.changeable_volume(ix, name)?;
        let parts = name::parts(name);
        let (vg, full) = if vgroup.is_empty() {
            (None, name::compose(parts.pod, None, parts.base))
        } else {
            let inside = name::without_pod(vgroup);
            let group = name::compose(parts.pod, None, inside);
            let vg = self.live_vgroup(ix, &group)?;
            (Some(vg), name::compose(parts.pod, Some(inside), parts.base))
        };
        if full != name && self.array(ix)?.volumes.contains_key(&full) {
            return Err(ApiError::exists("Volume", full));
        }
        let home = self.volume(key)?.home;
        self.rehome_volume(key, home, vg, full)?;
        Ok(key)
    }

    fn rehome_volume(
        &mut self,
        key: VolumeKey,
        home: Home,
        vgroup: Option<VgKey>,
        full: String,
    ) -> Res<()> {
        let snaps: Vec<SnapKey> = self.volume(key)?.snaps.iter().copied().collect();
        for snap in &snaps {
            self.unlink_snap(*snap)?;
        }
        self.unlink_volume(key)?;
        let volume = self.volume_mut(key)?;
        volume.name.clone_from(&full);
        volume.home = home;
        volume.vgroup = vgroup;
        self.link_volume(key)?;
        for key in snaps {
            let snap = self.snap_mut(key)?;
            snap.name = format!("{full}.{}", snap.suffix);
            snap.source.name.clone_from(&full);
            snap.home = home;
            self.link_snap(key)?;
        }
        Ok(())
    }
}
