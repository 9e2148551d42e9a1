//! What is in a protection group.

use super::error::{ApiError, Res};
use super::key::{ArrayIx, PgKey, VolumeKey};
use super::world::World;

impl World {
    /// Adds a volume of the same home to a group.
    pub(super) fn join_group(&mut self, group: PgKey, volume: VolumeKey) -> Res<()> {
        if self.pgroup(group)?.home != self.volume(volume)?.home {
            let name = self.volume(volume)?.name.clone();
            return Err(ApiError::refuse(
                name,
                "Volume and protection group must be in the same pod.",
            ));
        }
        self.pgroup_mut(group)?.volumes.insert(volume);
        self.volume_mut(volume)?.pgroups.insert(group);
        Ok(())
    }

    /// Takes a volume out of a group.
    pub(super) fn leave_group(&mut self, group: PgKey, volume: VolumeKey) -> Res<()> {
        if let Some(group) = self.pgroups.get_mut(&group) {
            group.volumes.remove(&volume);
        }
        self.volume_mut(volume)?.pgroups.remove(&group);
        Ok(())
    }

    /// Refuses what [`World::add_member`] would refuse.
    pub fn check_add_member(&self, ix: ArrayIx, group: &str, volume: &str) -> Res<()> {
        let group_key = self.changeable_pgroup(ix, group)?;
        let key = self.changeable_volume(ix, volume)?;
        if self.pgroup(group_key)?.home != self.volume(key)?.home {
            return Err(ApiError::refuse(
                volume,
                "Volume and protection group must be in the same pod.",
            ));
        }
        if self.pgroup(group_key)?.volumes.contains(&key) {
            return Err(ApiError::refuse(
                volume,
                format!("Protection group {group} already includes this volume."),
            ));
        }
        Ok(())
    }

    /// Adds a volume to a group.
    pub fn add_member(&mut self, ix: ArrayIx, group: &str, volume: &str) -> Res<()> {
        self.check_add_member(ix, group, volume)?;
        let group = self.find_pgroup(ix, group)?;
        let volume = self.find_volume(ix, volume)?;
        self.join_group(group, volume)
    }

    /// Refuses what [`World::remove_member`] would refuse.
    pub fn check_remove_member(&self, ix: ArrayIx, group: &str, volume: &str) -> Res<()> {
        let group = self.changeable_pgroup(ix, group)?;
        let key = self.find_volume(ix, volume)?;
        if self.pgroup(group)?.volumes.contains(&key) {
            Ok(())
        } else {
            Err(ApiError::refuse(
                volume,
                "Protection group member could not be found.",
            ))
        }
    }

    /// Takes a volume out of a group.
    pub fn remove_member(&mut self, ix: ArrayIx, group: &str, volume: &str) -> Res<()> {
        self.check_remove_member(ix, group, volume)?;
        let group = self.find_pgroup(ix, group)?;
        let volume = self.find_volume(ix, volume)?;
        self.leave_group(group, volume)
    }

    /// Adds a host or host group to a group, or takes it out.
    pub fn change_named_member(
        &mut self,
        ix: ArrayIx,
        group: &str,
        member: &str,
        host: bool,
        add: bool,
    ) -> Res<()> {
        let key = self.changeable_pgroup(ix, group)?;
        let found = self.pgroup_mut(key)?;
        let members = if host {
            &mut found.hosts
        } else {
            &mut found.host_groups
        };
        if add && !members.insert(member.to_owned()) {
            return Err(ApiError::refuse(
                member,
                format!("Protection group {group} already includes it."),
            ));
        }
        if !add && !members.remove(member) {
            return Err(ApiError::refuse(
                member,
                "Protection group member could not be found.",
            ));
        }
        Ok(())
    }
}
