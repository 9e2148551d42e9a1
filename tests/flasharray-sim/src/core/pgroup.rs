//! Protection groups: what is snapshotted together, when, and where to.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::clock::Timer;
use super::error::{ApiError, Res};
use super::key::{ArrayIx, Doom, Home, PgKey, PgSnapKey, VolumeKey};
use super::name;
use super::retention::Retention;
use super::schedule::Schedule;
use super::world::World;

/// Where a group replicates to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// Another array.
    Array(ArrayIx),
    /// An offload target of the array, by name.
    Offload(String),
}

/// A replication target of a group.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Target {
    /// Where to.
    pub place: Place,
    /// The group's counterpart there (arrays only).
    pub remote: Option<PgKey>,
}

/// What a group on a target array is the counterpart of.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Upstream {
    /// Name of the source: an array, or the pod of the group.
    pub source: String,
    /// The group on the source.
    pub group: PgKey,
    /// Whether the target accepts snapshots.
    pub allowed: bool,
}

/// A protection group.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Pgroup {
    /// Its full name.
    pub name: String,
    /// Its id.
    pub id: String,
    /// Where it lives.
    pub home: Home,
    /// When it was made, in milliseconds.
    pub created: u64,
    /// Set while destroyed.
    pub doom: Option<Doom>,
    /// Volumes in it.
    pub volumes: BTreeSet<VolumeKey>,
    /// Hosts in it, by name.
    pub hosts: BTreeSet<String>,
    /// Host groups in it, by name.
    pub host_groups: BTreeSet<String>,
    /// Where it replicates to.
    pub targets: Vec<Target>,
    /// When to take local snapshots.
    pub snapshots: Schedule,
    /// When to replicate.
    pub replication: Schedule,
    /// What to keep of local snapshots.
    pub source_retention: Retention,
    /// What targets keep.
    pub target_retention: Retention,
    /// `ratcheted` once locked.
    pub ratcheted: bool,
    /// Set on a target.
    pub upstream: Option<Upstream>,
    /// The number of the next snapshot without a suffix.
    pub next_snap: u64,
}

impl World {
    /// The group of a name, destroyed or not.
    pub fn find_pgroup(&self, ix: ArrayIx, name: &str) -> Res<PgKey> {
        self.array(ix)?
            .pgroups
            .get(name)
            .copied()
            .ok_or_else(|| ApiError::absent("Protection group", name))
    }

    /// The group of a name, unless destroyed.
    pub fn live_pgroup(&self, ix: ArrayIx, name: &str) -> Res<PgKey> {
        let key = self.find_pgroup(ix, name)?;
        match self.pgroup(key)?.doom {
            Some(_) => Err(ApiError::destroyed("Protection group", name)),
            None => Ok(key),
        }
    }

    /// A group that may be changed through this array now. Groups on a target
    /// belong to their source.
    pub(super) fn changeable_pgroup(&self, ix: ArrayIx, name: &str) -> Res<PgKey> {
        let key = self.live_pgroup(ix, name)?;
        let group = self.pgroup(key)?;
        if group.upstream.is_some() {
            return Err(ApiError::refuse(
                name,
                "Protection group is not local and cannot be changed here.",
            ));
        }
        self.writable(ix, group.home, name)?;
        Ok(key)
    }

    pub(super) fn blank_pgroup(&mut self, name: String, home: Home) -> Pgroup {
        Pgroup {
            name,
            id: self.next_id(),
            home,
            created: self.now(),
            doom: None,
            volumes: BTreeSet::new(),
            hosts: BTreeSet::new(),
            host_groups: BTreeSet::new(),
            targets: Vec::new(),
            snapshots: Schedule::hourly(),
            replication: Schedule::four_hourly(),
            source_retention: Retention::one_day(),
            target_retention: Retention::one_day(),
            ratcheted: false,
            upstream: None,
            next_snap: 1,
        }
    }

    /// Makes a group.
    pub fn create_pgroup(&mut self, ix: ArrayIx, full: &str) -> Res<PgKey> {
        let parts = name::parts(full);
        let home = self.home_for(ix, parts.pod)?;
        if parts.vgroup.is_some() {
            return Err(ApiError::refuse(full, "Protection group name is invalid."));
        }
        name::check("Protection group", parts.base)?;
        if self.array(ix)?.pgroups.contains_key(full) {
            return Err(ApiError::exists("Protection group", full));
        }
        let key = PgKey(self.next_key());
        let group = self.blank_pgroup(full.to_owned(), home);
        self.pgroups.insert(key, group);
        for ix in self.holders(home) {
            self.array_mut(ix)?.pgroups.insert(full.to_owned(), key);
        }
        Ok(key)
    }

    /// Renames a group; its snapshots and its counterparts follow.
    pub fn rename_pgroup(&mut self, ix: ArrayIx, name: &str, to: &str) -> Res<PgKey> {
        let key = self.changeable_pgroup(ix, name)?;
        let base = name::parts(to).base;
        name::check("Protection group", base)?;
        let full = name::compose(name::parts(name).pod, None, base);
        if full != name && self.array(ix)?.pgroups.contains_key(&full) {
            return Err(ApiError::exists("Protection group", full));
        }
        self.reindex_pgroup(key, full)?;
        let remotes: Vec<PgKey> = self
            .pgroup(key)?
            .targets
            .iter()
            .filter_map(|target| target.remote)
            .collect();
        for remote in remotes {
            let source = match &self.pgroup(remote)?.upstream {
                Some(upstream) => upstream.source.clone(),
                None => continue,
            };
            self.reindex_pgroup(remote, format!("{source}:{base}"))?;
        }
        Ok(key)
    }

    fn reindex_pgroup(&mut self, key: PgKey, full: String) -> Res<()> {
        let home = self.pgroup(key)?.home;
        let old = std::mem::replace(&mut self.pgroup_mut(key)?.name, full.clone());
        let holders = self.holders(home);
        for ix in &holders {
            let array = self.array_mut(*ix)?;
            array.pgroups.remove(&old);
            array.pgroups.insert(full.clone(), key);
        }
        let snaps = super::pod::keys_in(&self.pgsnaps, |snap| snap.group == key);
        for snap in snaps {
            self.rename_pgsnap_prefix(snap, &full)?;
        }
        Ok(())
    }

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

    /// The name of a group's counterpart on a target.
    fn remote_name(&self, ix: ArrayIx, key: PgKey) -> Res<(String, String)> {
        let group = self.pgroup(key)?;
        let source = match group.home {
            Home::Pod(pod) => self.pod(pod)?.name.clone(),
            Home::Array(_) => self.array(ix)?.name.clone(),
        };
        let full = format!("{source}:{}", name::without_pod(&group.name));
        Ok((source, full))
    }

    /// Adds a replication target; on an array it appears there, not yet allowed.
    pub fn add_target(&mut self, ix: ArrayIx, name: &str, to: &str) -> Res<()> {
        let key = self.changeable_pgroup(ix, name)?;
        let group = self.pgroup(key)?;
        let Some(target) = self.find_array(to) else {
            if !self.array(ix)?.offloads.contains_key(to) {
                return Err(ApiError::absent("Target", to));
            }
            let place = Place::Offload(to.to_owned());
            if group.targets.iter().any(|target| target.place == place) {
                return Err(ApiError::refuse(
                    to,
                    format!("Protection group {name} already includes this target."),
                ));
            }
            self.pgroup_mut(key)?.targets.push(Target {
                place,
                remote: None,
            });
            return Ok(());
        };
        let place = Place::Array(target);
        if group.targets.iter().any(|target| target.place == place) {
            return Err(ApiError::refuse(
                to,
                format!("Protection group {name} already includes this target."),
            ));
        }
        if self.sides(group.home).contains(&target) {
            return Err(ApiError::refuse(
                to,
                "Target is one of the arrays of the protection group.",
            ));
        }
        if self.link(ix, target).is_none() {
            return Err(ApiError::refuse(to, "Array is not connected."));
        }
        if !self.reaches(ix, target) {
            return Err(ApiError::refuse(to, "Array cannot be reached."));
        }
        let (source, full) = self.remote_name(ix, key)?;
        let remote = match self.array(target)?.pgroups.get(&full).copied() {
            Some(old) => old,
            None => {
                let remote = PgKey(self.next_key());
                let group = self.blank_pgroup(full.clone(), Home::Array(target));
                self.pgroups.insert(remote, group);
                self.array_mut(target)?.pgroups.insert(full, remote);
                remote
            }
        };
        let retention = self.pgroup(key)?.target_retention;
        let counterpart = self.pgroup_mut(remote)?;
        counterpart.doom = None;
        counterpart.target_retention = retention;
        counterpart.upstream = Some(Upstream {
            source,
            group: key,
            allowed: false,
        });
        self.pgroup_mut(key)?.targets.push(Target {
            place,
            remote: Some(remote),
        });
        Ok(())
    }

    /// Removes a replication target. What it has stays there.
    pub fn remove_target(&mut self, ix: ArrayIx, name: &str, to: &str) -> Res<()> {
        let key = self.changeable_pgroup(ix, name)?;
        let place = match self.find_array(to) {
            Some(target) => Place::Array(target),
            None => Place::Offload(to.to_owned()),
        };
        let group = self.pgroup_mut(key)?;
        let Some(at) = group
            .targets
            .iter()
            .position(|target| target.place == place)
        else {
            return Err(ApiError::refuse(
                to,
                "Protection group target could not be found.",
            ));
        };
        group.targets.remove(at);
        Ok(())
    }

    /// On the target: accepts or refuses the group's snapshots.
    pub fn allow_target(&mut self, ix: ArrayIx, name: &str, allowed: bool) -> Res<()> {
        let key = self.live_pgroup(ix, name)?;
        let label = self.array(ix)?.name.clone();
        let Some(upstream) = self.pgroup_mut(key)?.upstream.as_mut() else {
            return Err(ApiError::refuse(
                name,
                "Protection group is local: only its targets can allow it.",
            ));
        };
        if upstream.allowed == allowed {
            let word = if allowed { "allowed" } else { "disallowed" };
            return Err(ApiError::refuse(
                name,
                format!("Protection group is already {word} on {label}."),
            ));
        }
        upstream.allowed = allowed;
        let source = upstream.group;
        if allowed {
            self.replicate_if_enabled(source)?;
        }
        Ok(())
    }

    /// Whether a target accepts snapshots.
    pub fn target_allowed(&self, target: &Target) -> bool {
        match &target.place {
            Place::Offload(_) => true,
            Place::Array(_) => target
                .remote
                .and_then(|remote| self.pgroups.get(&remote))
                .is_some_and(|group| {
                    group.doom.is_none()
                        && group
                            .upstream
                            .as_ref()
                            .is_some_and(|upstream| upstream.allowed)
                }),
        }
    }

    /// Changes what is kept; a ratcheted group stays so.
    pub fn set_retention(
        &mut self,
        ix: ArrayIx,
        name: &str,
        source: Option<Retention>,
        target: Option<Retention>,
        ratchet: bool,
    ) -> Res<PgKey> {
        let key = self.changeable_pgroup(ix, name)?;
        let group = self.pgroup_mut(key)?;
        group.source_retention = source.unwrap_or(group.source_retention);
        group.target_retention = target.unwrap_or(group.target_retention);
        group.ratcheted |= ratchet;
        let keep = group.target_retention;
        let remotes: Vec<PgKey> = group.targets.iter().filter_map(|t| t.remote).collect();
        for remote in remotes {
            self.pgroup_mut(remote)?.target_retention = keep;
        }
        Ok(key)
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

    /// Destroys a group; its snapshots go with it.
    pub fn destroy_pgroup(&mut self, ix: ArrayIx, name: &str) -> Res<PgKey> {
        let key = self.live_pgroup(ix, name)?;
        self.writable(ix, self.pgroup(key)?.home, name)?;
        let doom = self.doom(false);
        self.pgroup_mut(key)?.doom = Some(doom);
        self.clock
            .set(doom.eradicate_at, Timer::EradicateGroup(key));
        let with_it = self.doom(true);
        for snap in super::pod::keys_in(&self.pgsnaps, |s| s.group == key && s.doom.is_none()) {
            self.set_pgsnap_doom(snap, Some(with_it))?;
        }
        Ok(key)
    }

    /// Recovers a destroyed group and the snapshots that went with it.
    pub fn recover_pgroup(&mut self, ix: ArrayIx, name: &str) -> Res<PgKey> {
        let key = self.find_pgroup(ix, name)?;
        self.writable(ix, self.pgroup(key)?.home, name)?;
        if self.pgroup_mut(key)?.doom.take().is_none() {
            return Err(ApiError::refuse(name, "Protection group is not destroyed."));
        }
        let with_it = |doom: Option<Doom>| doom.is_some_and(|doom| doom.with_parent);
        for snap in super::pod::keys_in(&self.pgsnaps, |s| s.group == key && with_it(s.doom)) {
            self.set_pgsnap_doom(snap, None)?;
        }
        self.replicate_if_enabled(key)?;
        Ok(key)
    }

    /// Eradicates a destroyed group and its snapshots.
    pub fn eradicate_pgroup(&mut self, ix: ArrayIx, name: &str) -> Res<()> {
        let key = self.find_pgroup(ix, name)?;
        self.writable(ix, self.pgroup(key)?.home, name)?;
        if self.pgroup(key)?.doom.is_none() {
            return Err(ApiError::refuse(name, "Protection group is not destroyed."));
        }
        self.drop_pgroup(key)
    }

    pub(super) fn drop_pgroup(&mut self, key: PgKey) -> Res<()> {
        let snaps: Vec<PgSnapKey> = super::pod::keys_in(&self.pgsnaps, |snap| snap.group == key);
        for snap in snaps {
            self.drop_pgsnap(snap)?;
        }
        let Some(group) = self.pgroups.remove(&key) else {
            return Ok(());
        };
        for volume in &group.volumes {
            if let Some(volume) = self.volumes.get_mut(volume) {
                volume.pgroups.remove(&key);
            }
        }
        for ix in self.holders(group.home) {
            let array = self.array_mut(ix)?;
            array.pgroups.remove(&group.name);
            for list in array.default_protections.values_mut() {
                list.retain(|name| *name != group.name);
            }
        }
        // The source forgets a target whose counterpart is gone.
        if let Some(source) = group
            .upstream
            .and_then(|up| self.pgroups.get_mut(&up.group))
        {
            source.targets.retain(|target| target.remote != Some(key));
        }
        Ok(())
    }

    pub(super) fn eradicate_pgroup_if_due(&mut self, key: PgKey) -> Res<()> {
        match self.pgroup(key)?.doom {
            Some(doom) if doom.eradicate_at <= self.now() => self.drop_pgroup(key),
            _ => Ok(()),
        }
    }
}
