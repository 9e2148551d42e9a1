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
