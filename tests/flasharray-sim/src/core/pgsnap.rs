//! Snapshots of protection groups, taken here or replicated from elsewhere.

use serde::{Deserialize, Serialize};

use super::clock::Timer;
use super::error::{ApiError, Res};
use super::key::{ArrayIx, Doom, Home, PgKey, PgSnapKey, SnapKey};
use super::name;
use super::snapshot::Snap;
use super::world::World;

/// How a replicated snapshot came here.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Arrival {
    /// When its transfer was started, in milliseconds.
    pub started: u64,
    /// When it was complete, in milliseconds.
    pub completed: Option<u64>,
    /// Bytes transferred (all of them once complete).
    pub bytes: u64,
    /// Its parts, which become visible once complete.
    pub pending: Vec<Snap>,
}

/// A snapshot of a protection group.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PgSnap {
    /// Its full name.
    pub name: String,
    /// Its id.
    pub id: String,
    /// Where it lives.
    pub home: Home,
    /// Its group.
    pub group: PgKey,
    /// The part of the name after the group.
    pub suffix: String,
    /// When it was taken, in milliseconds.
    pub created: u64,
    /// Set while destroyed.
    pub doom: Option<Doom>,
    /// The volume snapshots it consists of.
    pub parts: Vec<SnapKey>,
    /// Whether retention applies to it.
    pub scheduled: bool,
    /// Whether it was taken to be replicated.
    pub for_replication: bool,
    /// Set on a target.
    pub arrival: Option<Arrival>,
}

impl PgSnap {
    /// Whether all of it is here.
    pub fn complete(&self) -> bool {
        self.arrival
            .as_ref()
            .is_none_or(|arrival| arrival.completed.is_some())
    }
}

/// How to take a snapshot of a group.
#[derive(Debug, Clone, Default)]
pub struct NewPgSnap {
    /// End of its name; the next number if none.
    pub suffix: Option<String>,
    /// Replicate it to all allowed targets now.
    pub replicate: bool,
    /// Whether retention applies to it.
    pub scheduled: bool,
}

impl World {
    /// The group snapshot of a name, destroyed or not.
    pub fn find_pgsnap(&self, ix: ArrayIx, name: &str) -> Res<PgSnapKey> {
        self.array(ix)?
            .pgsnaps
            .get(name)
            .copied()
            .ok_or_else(|| ApiError::absent("Protection group snapshot", name))
    }

    /// Refuses what [`World::create_pgsnap`] would refuse.
    pub fn check_new_pgsnap(&self, ix: ArrayIx, group: &str, suffix: Option<&str>) -> Res<()> {
        self.changeable_pgroup(ix, group)?;
        self.room(ix)?;
        if let Some(suffix) = suffix {
            name::check_suffix(suffix)?;
            let full = format!("{group}.{suffix}");
            if self.array(ix)?.pgsnaps.contains_key(&full) {
                return Err(ApiError::exists("Protection group snapshot", full));
            }
        }
        Ok(())
    }

    /// Takes a snapshot of a group.
    pub fn create_pgsnap(&mut self, ix: ArrayIx, group: &str, new: &NewPgSnap) -> Res<PgSnapKey> {
        self.check_new_pgsnap(ix, group, new.suffix.as_deref())?;
        let key = self.changeable_pgroup(ix, group)?;
        self.take_pgsnap(ix, key, new)
    }

    pub(super) fn take_pgsnap(
        &mut self,
        ix: ArrayIx,
        key: PgKey,
        new: &NewPgSnap,
    ) -> Res<PgSnapKey> {
        let suffix = match &new.suffix {
            Some(suffix) => suffix.clone(),
            None => {
                let group = self.pgroup_mut(key)?;
                group.next_snap += 1;
                (group.next_snap - 1).to_string()
            }
        };
        let group = self.pgroup(key)?;
        let (home, full) = (group.home, format!("{}.{suffix}", group.name));
        let volumes: Vec<_> = group.volumes.iter().copied().collect();
        let snap_key = PgSnapKey(self.next_key());
        let mut parts = Vec::new();
        for volume in volumes {
            let base = name::without_pod(&self.volume(volume)?.name).to_owned();
            let part = self.snap_of(ix, volume, format!("{full}.{base}"), base, None)?;
            self.snap_mut(part)?.pgsnap = Some(snap_key);
            parts.push(part);
        }
        let snap = PgSnap {
            name: full.clone(),
            id: self.next_id(),
            home,
            group: key,
            suffix,
            created: self.now(),
            doom: None,
            parts,
            scheduled: new.scheduled,
            for_replication: new.replicate,
            arrival: None,
        };
        self.pgsnaps.insert(snap_key, snap);
        for ix in self.holders(home) {
            self.array_mut(ix)?.pgsnaps.insert(full.clone(), snap_key);
        }
        if new.replicate {
            self.start_transfers(snap_key)?;
        }
        Ok(snap_key)
    }

    /// Follows a renamed group.
    pub(super) fn rename_pgsnap_prefix(&mut self, key: PgSnapKey, group: &str) -> Res<()> {
        let snap = self.pgsnap(key)?;
        let (home, parts) = (snap.home, snap.parts.clone());
        let full = format!("{group}.{}", snap.suffix);
        let old = std::mem::replace(&mut self.pgsnap_mut(key)?.name, full.clone());
        for ix in self.holders(home) {
            let array = self.array_mut(ix)?;
            array.pgsnaps.remove(&old);
            array.pgsnaps.insert(full.clone(), key);
        }
        for part in parts {
            let name = format!("{full}.{}", self.snap(part)?.suffix);
            self.reindex_snap(part, name)?;
        }
        if let Some(arrival) = &mut self.pgsnap_mut(key)?.arrival {
            for part in &mut arrival.pending {
                part.name = format!("{full}.{}", part.suffix);
            }
        }
        Ok(())
    }

    fn changeable_pgsnap(&self, ix: ArrayIx, name: &str) -> Res<PgSnapKey> {
        let key = self.find_pgsnap(ix, name)?;
        self.writable(ix, self.pgsnap(key)?.home, name)?;
        Ok(key)
    }

    /// Gives a group snapshot another suffix; `to` is a suffix or a full name.
    pub fn rename_pgsnap(&mut self, ix: ArrayIx, name: &str, to: &str) -> Res<PgSnapKey> {
        let key = self.changeable_pgsnap(ix, name)?;
        let group = self.pgroup(self.pgsnap(key)?.group)?.name.clone();
        let suffix = to.strip_prefix(&format!("{group}.")).unwrap_or(to);
        name::check_suffix(suffix)?;
        let full = format!("{group}.{suffix}");
        if full != name && self.array(ix)?.pgsnaps.contains_key(&full) {
            return Err(ApiError::exists("Protection group snapshot", full));
        }
        self.pgsnap_mut(key)?.suffix = suffix.to_owned();
        self.rename_pgsnap_prefix(key, &group)?;
        Ok(key)
    }

    /// Destroys a group snapshot with its parts.
    pub fn destroy_pgsnap(&mut self, ix: ArrayIx, name: &str) -> Res<PgSnapKey> {
        let key = self.changeable_pgsnap(ix, name)?;
        if self.pgsnap(key)?.doom.is_some() {
            return Err(ApiError::destroyed("Protection group snapshot", name));
        }
        let doom = self.doom(false);
        self.set_pgsnap_doom(key, Some(doom))?;
        self.clock
            .set(doom.eradicate_at, Timer::EradicateGroupSnap(key));
        Ok(key)
    }

    /// Recovers a destroyed group snapshot.
    pub fn recover_pgsnap(&mut self, ix: ArrayIx, name: &str) -> Res<PgSnapKey> {
        let key = self.changeable_pgsnap(ix, name)?;
        if self.pgsnap(key)?.doom.is_none() {
            return Err(ApiError::refuse(
                name,
                "Protection group snapshot is not destroyed.",
            ));
        }
        self.set_pgsnap_doom(key, None)?;
        Ok(key)
    }

    /// Destroys or recovers a group snapshot and its parts.
    pub(super) fn set_pgsnap_doom(&mut self, key: PgSnapKey, doom: Option<Doom>) -> Res<()> {
        let snap = self.pgsnap_mut(key)?;
        snap.doom = doom;
        for part in snap.parts.clone() {
            self.snap_mut(part)?.doom = doom.map(|doom| Doom {
                with_parent: true,
                ..doom
            });
        }
        Ok(())
    }

    /// Eradicates a destroyed group snapshot.
    pub fn eradicate_pgsnap(&mut self, ix: ArrayIx, name: &str) -> Res<()> {
        let key = self.changeable_pgsnap(ix, name)?;
        if self.pgsnap(key)?.doom.is_none() {
            return Err(ApiError::refuse(
                name,
                "Protection group snapshot is not destroyed.",
            ));
        }
        self.drop_pgsnap(key)
    }

    pub(super) fn drop_pgsnap(&mut self, key: PgSnapKey) -> Res<()> {
        let Some(snap) = self.pgsnaps.remove(&key) else {
            return Ok(());
        };
        for part in &snap.parts {
            self.drop_snap(*part)?;
        }
        for ix in self.holders(snap.home) {
            self.array_mut(ix)?.pgsnaps.remove(&snap.name);
        }
        self.cancel_transfers(key)
    }

    pub(super) fn eradicate_pgsnap_if_due(&mut self, key: PgSnapKey) -> Res<()> {
        match self.pgsnap(key)?.doom {
            Some(doom) if doom.eradicate_at <= self.now() => self.drop_pgsnap(key),
            _ => Ok(()),
        }
    }
}
