//! Hosts, their initiators, and host groups.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::connection::Owner;
use super::error::{ApiError, Res};
use super::key::ArrayIx;
use super::name::{self, normal_initiator, printed_wwn};
use super::world::World;

/// CHAP names and passwords of a host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chap {
    /// Name the host logs in with.
    #[serde(default)]
    pub host_user: Option<String>,
    /// Password the host logs in with.
    #[serde(default)]
    pub host_password: Option<String>,
    /// Name the array logs in with.
    #[serde(default)]
    pub target_user: Option<String>,
    /// Password the array logs in with.
    #[serde(default)]
    pub target_password: Option<String>,
}

/// A host.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Host {
    /// iSCSI names.
    pub iqns: Vec<String>,
    /// NVMe names.
    pub nqns: Vec<String>,
    /// Fibre Channel names, with colons.
    pub wwns: Vec<String>,
    /// Operating system, which changes how LUNs are presented.
    pub personality: Option<String>,
    /// Authentication.
    pub chap: Chap,
    /// Host group it is in.
    pub group: Option<String>,
    /// Arrays it is near to.
    pub preferred_arrays: Vec<String>,
    /// VLAN it is on.
    pub vlan: Option<String>,
}

/// Several hosts that see the same volumes.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct HostGroup {
    /// Its hosts.
    pub hosts: BTreeSet<String>,
}

/// What to set on a host; none leaves a field as it is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct HostChange {
    /// A new name.
    pub name: Option<String>,
    /// All iSCSI names.
    pub iqns: Option<Vec<String>>,
    /// All NVMe names.
    pub nqns: Option<Vec<String>>,
    /// All Fibre Channel names.
    pub wwns: Option<Vec<String>>,
    /// More iSCSI names.
    pub add_iqns: Option<Vec<String>>,
    /// More NVMe names.
    pub add_nqns: Option<Vec<String>>,
    /// More Fibre Channel names.
    pub add_wwns: Option<Vec<String>>,
    /// iSCSI names to take away.
    pub remove_iqns: Option<Vec<String>>,
    /// NVMe names to take away.
    pub remove_nqns: Option<Vec<String>>,
    /// Fibre Channel names to take away.
    pub remove_wwns: Option<Vec<String>>,
    /// Operating system; empty for none.
    pub personality: Option<String>,
    /// Authentication.
    pub chap: Option<Chap>,
    /// Arrays it is near to, by name.
    #[serde(skip)]
    pub preferred_arrays: Option<Vec<String>>,
    /// Host group to join; empty to leave.
    #[serde(skip)]
    pub host_group: Option<String>,
    /// VLAN.
    pub vlan: Option<String>,
}

fn changed(
    old: &[String],
    all: Option<&Vec<String>>,
    add: Option<&Vec<String>>,
    remove: Option<&Vec<String>>,
) -> Vec<String> {
    let mut list: Vec<String> = all.map_or_else(|| old.to_vec(), Clone::clone);
    list.extend(add.into_iter().flatten().cloned());
    if let Some(remove) = remove {
        let gone: Vec<String> = remove.iter().map(|i| normal_initiator(i)).collect();
        list.retain(|i| !gone.contains(&normal_initiator(i)));
    }
    let mut seen = BTreeSet::new();
    list.retain(|i| seen.insert(normal_initiator(i)));
    list
}

const PERSONALITIES: [&str; 8] = [
    "",
    "aix",
    "esxi",
    "hitachi-vsp",
    "hpux",
    "oracle-vm-server",
    "solaris",
    "vms",
];

impl World {
    /// The host of a name.
    pub fn host(&self, ix: ArrayIx, name: &str) -> Res<&Host> {
        self.array(ix)?
            .hosts
            .get(name)
            .ok_or_else(|| ApiError::absent("Host", name))
    }

    /// Makes a host.
    pub fn create_host(&mut self, ix: ArrayIx, label: &str, change: &HostChange) -> Res<()> {
        name::check("Host", label)?;
        if self.array(ix)?.hosts.contains_key(label) {
            return Err(ApiError::exists("Host", label));
        }
        self.array_mut(ix)?
            .hosts
            .insert(label.to_owned(), Host::default());
        self.change_host(ix, label, change).inspect_err(|_| {
            if let Ok(array) = self.array_mut(ix) {
                array.hosts.remove(label);
            }
        })?;
        Ok(())
    }

    /// Changes a host; returns its name afterwards.
    pub fn change_host(&mut self, ix: ArrayIx, label: &str, change: &HostChange) -> Res<String> {
        let mut host = self.host(ix, label)?.clone();
        host.iqns = changed(
            &host.iqns,
            change.iqns.as_ref(),
            change.add_iqns.as_ref(),
            change.remove_iqns.as_ref(),
        );
        host.nqns = changed(
            &host.nqns,
            change.nqns.as_ref(),
            change.add_nqns.as_ref(),
            change.remove_nqns.as_ref(),
        );
        host.wwns = changed(
            &host.wwns,
            change.wwns.as_ref(),
            change.add_wwns.as_ref(),
            change.remove_wwns.as_ref(),
        )
        .iter()
        .map(|wwn| printed_wwn(wwn))
        .collect();
        let array = self.array(ix)?;
        for initiator in host.iqns.iter().chain(&host.nqns).chain(&host.wwns) {
            match array.initiators.get(&normal_initiator(initiator)) {
                Some(other) if other != label => {
                    return Err(ApiError::refuse(
                        initiator.as_str(),
                        format!("The specified initiator is already in use by host {other}."),
                    ));
                }
                _ => {}
            }
        }
        if let Some(personality) = &change.personality {
            if !PERSONALITIES.contains(&personality.as_str()) {
                return Err(ApiError::refuse(label, "Invalid personality."));
            }
            host.personality = Some(personality.clone()).filter(|p| !p.is_empty());
        }
        if let Some(chap) = &change.chap {
            for (slot, new) in [
                (&mut host.chap.host_user, &chap.host_user),
                (&mut host.chap.host_password, &chap.host_password),
                (&mut host.chap.target_user, &chap.target_user),
                (&mut host.chap.target_password, &chap.target_password),
            ] {
                if let Some(new) = new {
                    *slot = Some(new.clone()).filter(|text| !text.is_empty());
                }
            }
        }
        if let Some(arrays) = &change.preferred_arrays {
            host.preferred_arrays.clone_from(arrays);
        }
        if let Some(vlan) = &change.vlan {
            host.vlan = Some(vlan.clone());
        }
        if let Some(to) = change.name.as_deref().filter(|to| *to != label) {
            name::check("Host", to)?;
            if array.hosts.contains_key(to) {
                return Err(ApiError::exists("Host", to));
            }
        }
        if let Some(group) = change.host_group.as_deref().filter(|g| !g.is_empty())
            && !array.host_groups.contains_key(group)
        {
            return Err(ApiError::absent("Host group", group));
        }
        let array = self.array_mut(ix)?;
        array.initiators.retain(|_, owner| owner != label);
        for initiator in host.iqns.iter().chain(&host.nqns).chain(&host.wwns) {
            array
                .initiators
                .insert(normal_initiator(initiator), label.to_owned());
        }
        array.hosts.insert(label.to_owned(), host);
        if let Some(group) = &change.host_group {
            self.leave_host_group(ix, label)?;
            if !group.is_empty() {
                self.join_host_group(ix, group, label)?;
            }
        }
        match change.name.as_deref() {
            Some(to) if to != label => {
                self.rename_host(ix, label, to)?;
                Ok(to.to_owned())
            }
            _ => Ok(label.to_owned()),
        }
    }

    fn rename_host(&mut self, ix: ArrayIx, label: &str, to: &str) -> Res<()> {
        let array = self.array_mut(ix)?;
        if let Some(host) = array.hosts.remove(label) {
            if let Some(group) = host
                .group
                .as_ref()
                .and_then(|g| array.host_groups.get_mut(g))
            {
                group.hosts.remove(label);
                group.hosts.insert(to.to_owned());
            }
            array.hosts.insert(to.to_owned(), host);
        }
        for owner in array
            .initiators
            .values_mut()
            .filter(|owner| *owner == label)
        {
            to.clone_into(owner);
        }
        array
            .connections
            .rename(&Owner::Host(label.to_owned()), &Owner::Host(to.to_owned()));
        Ok(())
    }

    /// Deletes a host that has no connections.
    pub fn delete_host(&mut self, ix: ArrayIx, label: &str) -> Res<()> {
        self.host(ix, label)?;
        let owner = Owner::Host(label.to_owned());
        let array = self.array_mut(ix)?;
        if array.connections.of(&owner).next().is_some() {
            return Err(ApiError::refuse(
                label,
                "Host cannot be deleted due to existing connections.",
            ));
        }
        if array
            .hosts
            .get(label)
            .is_some_and(|host| host.group.is_some())
        {
            return Err(ApiError::refuse(
                label,
                "Host cannot be deleted: it is in a host group.",
            ));
        }
        array.hosts.remove(label);
        array.initiators.retain(|_, owner| owner != label);
        Ok(())
    }

    /// The name of the host that is meant by a name or an initiator.
    pub fn host_meant<'a>(&'a self, ix: ArrayIx, text: &'a str) -> Option<&'a str> {
        let array = self.array(ix).ok()?;
        if array.hosts.contains_key(text) {
            return Some(text);
        }
        array
            .initiators
            .get(&normal_initiator(text))
            .map(String::as_str)
    }

    /// Makes a host group.
    pub fn create_host_group(&mut self, ix: ArrayIx, label: &str) -> Res<()> {
        name::check("Host group", label)?;
        let array = self.array_mut(ix)?;
        if array.host_groups.contains_key(label) {
            return Err(ApiError::exists("Host group", label));
        }
        array
            .host_groups
            .insert(label.to_owned(), HostGroup::default());
        Ok(())
    }

    /// Renames a host group.
    pub fn rename_host_group(&mut self, ix: ArrayIx, label: &str, to: &str) -> Res<()> {
        name::check("Host group", to)?;
        let array = self.array_mut(ix)?;
        if array.host_groups.contains_key(to) {
            return Err(ApiError::exists("Host group", to));
        }
        let group = array
            .host_groups
            .remove(label)
            .ok_or_else(|| ApiError::absent("Host group", label))?;
        for host in &group.hosts {
            if let Some(host) = array.hosts.get_mut(host) {
                host.group = Some(to.to_owned());
            }
        }
        array.host_groups.insert(to.to_owned(), group);
        array.connections.rename(
            &Owner::Group(label.to_owned()),
            &Owner::Group(to.to_owned()),
        );
        Ok(())
    }

    /// Deletes an empty host group without connections.
    pub fn delete_host_group(&mut self, ix: ArrayIx, label: &str) -> Res<()> {
        let array = self.array_mut(ix)?;
        let group = array
            .host_groups
            .get(label)
            .ok_or_else(|| ApiError::absent("Host group", label))?;
        if !group.hosts.is_empty() {
            return Err(ApiError::refuse(label, "Host group is not empty."));
        }
        if array
            .connections
            .of(&Owner::Group(label.to_owned()))
            .next()
            .is_some()
        {
            return Err(ApiError::refuse(
                label,
                "Host group cannot be deleted due to existing connections.",
            ));
        }
        array.host_groups.remove(label);
        Ok(())
    }

    /// Puts a host into a host group.
    pub fn join_host_group(&mut self, ix: ArrayIx, group: &str, host: &str) -> Res<()> {
        let array = self.array_mut(ix)?;
        let Some(found) = array.host_groups.get_mut(group) else {
            return Err(ApiError::absent("Host group", group));
        };
        let Some(member) = array.hosts.get_mut(host) else {
            return Err(ApiError::absent("Host", host));
        };
        if member.group.is_some() {
            return Err(ApiError::refuse(
                host,
                "Host already belongs to a host group.",
            ));
        }
        member.group = Some(group.to_owned());
        found.hosts.insert(host.to_owned());
        Ok(())
    }

    /// Takes a host out of its host group, if it is in one.
    pub fn leave_host_group(&mut self, ix: ArrayIx, host: &str) -> Res<()> {
        let array = self.array_mut(ix)?;
        let Some(member) = array.hosts.get_mut(host) else {
            return Err(ApiError::absent("Host", host));
        };
        if let Some(group) = member
            .group
            .take()
            .and_then(|g| array.host_groups.get_mut(&g))
        {
            group.hosts.remove(host);
        }
        Ok(())
    }
}
