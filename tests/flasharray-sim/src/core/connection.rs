//! Which host or host group sees which volume, and as which LUN.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::error::{ApiError, Res};
use super::key::{ArrayIx, VolumeKey, pairs};
use super::world::World;

/// One end of a connection.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Owner {
    /// A host.
    Host(String),
    /// A host group.
    Group(String),
}

/// A connection: the number the volume is seen as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// LUN, from 1.
    pub lun: u32,
    /// NVMe namespace, from 1.
    pub nsid: u32,
}

/// The connections of one array.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Connections {
    #[serde(with = "pairs")]
    all: BTreeMap<(Owner, VolumeKey), Connection>,
    #[serde(with = "pairs")]
    by_volume: BTreeMap<VolumeKey, BTreeSet<Owner>>,
}

impl Connections {
    /// The connections of a host or group.
    pub fn of<'a>(
        &'a self,
        owner: &'a Owner,
    ) -> impl Iterator<Item = (VolumeKey, Connection)> + 'a {
        self.all
            .range((owner.clone(), VolumeKey(0))..)
            .take_while(move |((found, _), _)| found == owner)
            .map(|((_, volume), connection)| (*volume, *connection))
    }

    /// All connections, ordered by owner.
    pub fn all(&self) -> impl Iterator<Item = (&Owner, VolumeKey, Connection)> {
        self.all
            .iter()
            .map(|((owner, volume), connection)| (owner, *volume, *connection))
    }

    /// The owners of the connections of a volume.
    pub fn owners(&self, volume: VolumeKey) -> impl Iterator<Item = &Owner> {
        self.by_volume.get(&volume).into_iter().flatten()
    }

    /// How many connections a volume has.
    pub fn count_of(&self, volume: VolumeKey) -> usize {
        self.by_volume.get(&volume).map_or(0, BTreeSet::len)
    }

    /// The connection of a pair.
    pub fn get(&self, owner: &Owner, volume: VolumeKey) -> Option<Connection> {
        self.all.get(&(owner.clone(), volume)).copied()
    }

    fn insert(&mut self, owner: Owner, volume: VolumeKey, connection: Connection) {
        self.by_volume
            .entry(volume)
            .or_default()
            .insert(owner.clone());
        self.all.insert((owner, volume), connection);
    }

    fn remove(&mut self, owner: &Owner, volume: VolumeKey) -> Option<Connection> {
        if let Some(owners) = self.by_volume.get_mut(&volume) {
            owners.remove(owner);
            if owners.is_empty() {
                self.by_volume.remove(&volume);
            }
        }
        self.all.remove(&(owner.clone(), volume))
    }

    /// Removes all connections of a volume.
    pub fn drop_volume(&mut self, volume: VolumeKey) {
        for owner in self.by_volume.remove(&volume).into_iter().flatten() {
            self.all.remove(&(owner, volume));
        }
    }

    /// Moves the connections of a volume to another key.
    pub(super) fn rekey(&mut self, old: VolumeKey, new: VolumeKey) {
        let owners: Vec<Owner> = self.owners(old).cloned().collect();
        for owner in owners {
            if let Some(connection) = self.remove(&owner, old) {
                self.insert(owner, new, connection);
            }
        }
    }

    /// Moves all connections of an owner to another name.
    pub(super) fn rename(&mut self, old: &Owner, new: &Owner) {
        let mine: Vec<(VolumeKey, Connection)> = self.of(old).collect();
        for (volume, connection) in mine {
            self.remove(old, volume);
            self.insert(new.clone(), volume, connection);
        }
    }
}

impl World {
    fn check_owner(&self, ix: ArrayIx, owner: &Owner) -> Res<()> {
        let array = self.array(ix)?;
        match owner {
            Owner::Host(name) if !array.hosts.contains_key(name) => {
                Err(ApiError::absent("Host", name))
            }
            Owner::Group(name) if !array.host_groups.contains_key(name) => {
                Err(ApiError::absent("Host group", name))
            }
            _ => Ok(()),
        }
    }

    /// Refuses what [`World::connect`] would refuse.
    pub fn check_connect(&self, ix: ArrayIx, owner: &Owner, volume: &str) -> Res<VolumeKey> {
        self.check_owner(ix, owner)?;
        let key = self.live_volume(ix, volume)?;
        if self.array(ix)?.connections.get(owner, key).is_some() {
            return Err(ApiError::refuse(volume, "Connection already exists."));
        }
        Ok(key)
    }

    /// Connects a volume to a host or host group. Private LUNs count up from 1,
    /// those of groups down from 254.
    pub fn connect(
        &mut self,
        ix: ArrayIx,
        owner: &Owner,
        volume: &str,
        lun: Option<u32>,
    ) -> Res<Connection> {
        let key = self.check_connect(ix, owner, volume)?;
        let array = self.array_mut(ix)?;
        let mut used: BTreeSet<u32> = array.connections.of(owner).map(|(_, c)| c.lun).collect();
        match owner {
            Owner::Host(name) => {
                if let Some(group) = array.hosts.get(name).and_then(|host| host.group.clone()) {
                    let group = Owner::Group(group);
                    used.extend(array.connections.of(&group).map(|(_, c)| c.lun));
                }
            }
            Owner::Group(name) => {
                let hosts = array.host_groups.get(name).map(|group| group.hosts.clone());
                for host in hosts.into_iter().flatten() {
                    let host = Owner::Host(host);
                    used.extend(array.connections.of(&host).map(|(_, c)| c.lun));
                }
            }
        }
        let free = |n: &u32| !used.contains(n);
        let lun = match (lun, owner) {
            (Some(lun), _) if !(1..=16_383).contains(&lun) => {
                return Err(ApiError::refuse(volume, "Invalid LUN."));
            }
            (Some(lun), _) if used.contains(&lun) => {
                return Err(ApiError::refuse(volume, "LUN already in use."));
            }
            (Some(lun), _) => Some(lun),
            (None, Owner::Host(_)) => (1..=16_383).find(free),
            (None, Owner::Group(_)) => (1..=254)
                .rev()
                .find(free)
                .or_else(|| (255..=16_383).find(free)),
        };
        let lun = lun.ok_or_else(|| ApiError::refuse(volume, "LUN limit reached."))?;
        let connection = Connection { lun, nsid: lun };
        array.connections.insert(owner.clone(), key, connection);
        Ok(connection)
    }

    /// Refuses what [`World::disconnect`] would refuse.
    pub fn check_disconnect(&self, ix: ArrayIx, owner: &Owner, volume: &str) -> Res<VolumeKey> {
        self.check_owner(ix, owner)?;
        let key = self.find_volume(ix, volume)?;
        match self.array(ix)?.connections.get(owner, key) {
            Some(_) => Ok(key),
            None => Err(ApiError::absent("Connection", volume)),
        }
    }

    /// Removes a connection.
    pub fn disconnect(&mut self, ix: ArrayIx, owner: &Owner, volume: &str) -> Res<()> {
        let key = self.check_disconnect(ix, owner, volume)?;
        self.array_mut(ix)?.connections.remove(owner, key);
        Ok(())
    }

    /// How many connections a volume has on an array, counting each host of a group.
    pub fn connection_count(&self, ix: ArrayIx, volume: VolumeKey) -> usize {
        let Ok(array) = self.array(ix) else { return 0 };
        array
            .connections
            .owners(volume)
            .map(|owner| match owner {
                Owner::Host(_) => 1,
                Owner::Group(name) => array
                    .host_groups
                    .get(name)
                    .map_or(0, |group| group.hosts.len()),
            })
            .sum()
    }

    /// Whether a host sees a volume, directly or through its group.
    pub fn sees(&self, ix: ArrayIx, host: &str, volume: VolumeKey) -> bool {
        let Ok(array) = self.array(ix) else {
            return false;
        };
        let direct = Owner::Host(host.to_owned());
        array.connections.get(&direct, volume).is_some()
            || array
                .hosts
                .get(host)
                .and_then(|host| host.group.clone())
                .is_some_and(|group| {
                    array
                        .connections
                        .get(&Owner::Group(group), volume)
                        .is_some()
                })
    }
}
