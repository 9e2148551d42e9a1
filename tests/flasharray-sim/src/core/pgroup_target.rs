//! Where protection groups replicate to, and who may send.

use super::error::{ApiError, Res};
use super::key::{ArrayIx, Home, PgKey};
use super::name;
use super::pgroup::{Place, Target, Upstream};
use super::world::World;

impl World {
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
}
