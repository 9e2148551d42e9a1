//! Consistency groups: a protection group of the array for each, whose snapshots take every member at one point in time.
//!
//! What replicates the members is not this group but the backend's: it sends all of them at one point in time already, so
//! a second schedule would move every byte twice.

use serde_json::json;
use springform_sdk::fail::failure_on;
use springform_sdk::http::Method;
use springform_sdk::interfaces::groups::{Group, SnapshotOutcome};
use springform_sdk::types::{Failure, FailureCode, Outcome, Snapshot, SnapshotPlacement, Volume};

use crate::array::{Array, ArrayError, flag, text};
use crate::query::Query;
use crate::volume::{Volumes, array_name};
use crate::{async_leg, layout, names, pgroup};

impl<'a> Volumes<'a> {
    /// Creates an empty group; says what it is called.
    ///
    /// # Errors
    /// See the contract's `groups.create`.
    pub fn create_group(&self, group: &Group) -> Result<String, Failure> {
        let seat = self.seat(group, &[])?;
        seat.make()?;
        Ok(seat.name)
    }

    /// Deletes a group, not its volumes. Gone is success.
    ///
    /// # Errors
    /// See the contract's `groups.delete`.
    pub fn delete_group(&self, group: &Group) -> Result<(), Failure> {
        let on = self.holding(group)?;
        let name = self.group_name(group);
        let there = || Ok(pgroup::read(&on, &name)?.is_some_and(|g| !flag(&g, "/destroyed")));
        self.discard(&on, "/protection-groups", &name, there)
            .map(drop)
    }

    /// Makes the membership what is asked for.
    ///
    /// # Errors
    /// See the contract's `groups.update`.
    pub fn update_group(
        &self,
        group: &Group,
        add: &[Volume],
        remove: &[Volume],
    ) -> Result<(), Failure> {
        let seat = self.seat(group, if add.is_empty() { remove } else { add })?;
        let Seat { on, name } = &seat;
        let joining = names_of(add);
        if !joining.is_empty() {
            seat.with(&joining, &|| pgroup::join(on, name, &refs(&joining)))?;
        }
        pgroup::leave(on, name, &refs(&names_of(remove)))
    }

    /// Takes a snapshot of every member at one point in time.
    ///
    /// # Errors
    /// See the contract's `groups.create-snapshot`; a volume that cannot be made a member of the group on the array fails alone.
    pub fn snapshot_group(
        &self,
        group: &Group,
        snapshot_id: &str,
        volumes: &[Volume],
        snapshots: &[Snapshot],
    ) -> Result<Vec<SnapshotOutcome>, Failure> {
        let seat = self.seat(group, volumes)?;
        let Seat { on, name } = &seat;
        let suffix = names::group_suffix(snapshot_id);
        let taken = format!("{name}.{suffix}");
        let members = names_of(volumes);
        let take = || pgroup::take(on, name, &suffix);
        seat.with(&members, &take)?;
        let mut there = parts(on, &taken)?;
        let missing: Vec<&str> = members
            .iter()
            .filter(|volume| !there.contains(&names::part(&taken, volume)))
            .map(String::as_str)
            .collect();
        // Who joined while another array led is no member here yet. One point in time is wanted: it is taken once more.
        if !missing.is_empty() && seat.admits(&missing)? {
            self.forget(on, &taken)?;
            take()?;
            there = parts(on, &taken)?;
        }
        let outcomes = snapshots.iter().zip(volumes).map(|(snapshot, volume)| {
            let part = names::part(&taken, &array_name(volume));
            let result = if there.contains(&part) {
                Ok(placed(on, part))
            } else {
                Err(failure_on(
                    on.name(),
                    FailureCode::FailedPrecondition,
                    format!(
                        "{} is not in the snapshot: the array does not let it join the group",
                        array_name(volume)
                    ),
                ))
            };
            SnapshotOutcome {
                id: snapshot.id.clone(),
                result,
            }
        });
        Ok(outcomes.collect())
    }

    /// Deletes a snapshot of a group. Gone is success.
    ///
    /// # Errors
    /// See the contract's `groups.delete-snapshot`.
    pub fn delete_group_snapshot(
        &self,
        group: &Group,
        snapshot_id: &str,
        snapshots: &[Snapshot],
    ) -> Result<(), Failure> {
        let first = self.holding(group)?;
        let suffix = names::group_suffix(snapshot_id);
        // It stays where it was taken, and its parts tell of which group.
        let stored = snapshots.iter().find_map(|snapshot| {
            let part = snapshot.array_name.as_deref()?;
            let (group, _) = part.split_once(&format!(".{suffix}."))?;
            Some(format!("{group}.{suffix}"))
        });
        let name = stored.unwrap_or_else(|| format!("{}.{suffix}", self.group_name(group)));
        let path = "/protection-group-snapshots";
        let others = self
            .arrays
            .others(first.name())
            .filter(|a| a.target().reachable);
        for on in std::iter::once(first).chain(others) {
            if self.discard(&on, path, &name, || pgroup::is_taken(&on, &name))? {
                break;
            }
        }
        Ok(())
    }

    /// Fills a new group from a snapshot of another group, or from its members as they are at this moment.
    ///
    /// # Errors
    /// See the contract's `groups.create-from`; a volume that cannot be made fails alone.
    pub fn fill_group(
        &self,
        group: &Group,
        volumes: &[Volume],
        source: &Group,
        snapshot_id: Option<&str>,
        source_volumes: &[Volume],
    ) -> Result<Vec<Outcome>, Failure> {
        let seat = self.seat(source, source_volumes)?;
        let Seat { on, name } = &seat;
        let taken = match snapshot_id {
            Some(id) => format!("{name}.{}", names::group_suffix(id)),
            None => {
                let suffix = format!("{}-tmp", group.id);
                seat.with(&names_of(source_volumes), &|| {
                    pgroup::take(on, name, &suffix)
                })?;
                format!("{name}.{suffix}")
            }
        };
        let outcomes: Vec<_> = volumes
            .iter()
            .zip(source_volumes)
            .map(|(volume, from)| {
                // All of them join at once, below.
                let alone = Volume {
                    group: None,
                    ..volume.clone()
                };
                let part = names::part(&taken, &array_name(from));
                Outcome {
                    id: volume.id.clone(),
                    result: self.create(&alone, on, Some(&part)),
                }
            })
            .collect();
        let made: Vec<_> = outcomes
            .iter()
            .filter_map(|o| Some(o.result.as_ref().ok()?.array_name.as_str()))
            .collect();
        pgroup::join(on, &self.group_name(group), &made)?;
        if snapshot_id.is_none() {
            // It goes last: until here a repetition finds the same point in time.
            self.forget(on, &taken)?;
        }
        Ok(outcomes)
    }

    /// Takes away a snapshot of which nobody else knows; where the array lets it, its name can be used again at once.
    fn forget(&self, on: &Array<'_>, taken: &str) -> Result<(), Failure> {
        let path = "/protection-group-snapshots";
        self.discard(on, path, taken, || pgroup::is_taken(on, taken))?;
        match on.send(Method::Delete, path, &Query::new().name(taken), None) {
            Ok(_) | Err(ArrayError::Refused { .. }) => Ok(()),
            Err(ArrayError::Failed(failure)) => Err(failure),
        }
    }

    /// Puts a new volume into its group. A group that the array does not know is one of the cloud alone.
    ///
    /// # Errors
    /// When it cannot join.
    pub fn join_group(&self, on: &Array<'a>, volume: &Volume, name: &str) -> Result<(), Failure> {
        let Some(id) = &volume.group else {
            return Ok(());
        };
        let group = names::group(names::pod_of(name), id);
        match pgroup::join(on, &group, &[name]) {
            Err(failure) if failure.code == FailureCode::FailedPrecondition => {
                match pgroup::read(on, &group)? {
                    Some(found) if !flag(&found, "/destroyed") => Err(failure),
                    _ => Ok(()),
                }
            }
            other => other,
        }
    }

    fn holding(&self, group: &Group) -> Result<Array<'a>, Failure> {
        match &group.target {
            Some(target) => self.arrays.named(target),
            None => self.arrays.landing(),
        }
    }

    /// A group is where its members are: after a failover of the backend on another array, and beyond a pod without its name.
    fn seat(&self, group: &Group, members: &[Volume]) -> Result<Seat<'a>, Failure> {
        let placed = members.iter().find_map(|volume| volume.placement.as_ref());
        let on = match placed {
            Some(placement) => self.arrays.named(&placement.target)?,
            None => self.holding(group)?,
        };
        let stored = self.group_name(group);
        let away = async_leg::is_beyond(&self.arrays, &self.options, on.name());
        let home = placed.and_then(|placement| names::pod_of(&placement.array_name));
        let name = match home {
            _ if away => names::without_pod(&stored).to_owned(),
            Some(pod) if names::pod_of(&stored).is_none() => names::in_pod(pod, &stored),
            _ => stored,
        };
        Ok(Seat { on, name })
    }

    fn group_name(&self, group: &Group) -> String {
        group.array_name.clone().unwrap_or_else(|| {
            let layout = self.options.layout();
            let inside = layout.at_home && layout::wants_pod(group.replication.as_ref());
            let pod = inside.then_some(layout.pod);
            names::group(pod, &group.id)
        })
    }

    /// Destroys an object, and eradicates it where that is configured. Says whether it was there.
    fn discard(
        &self,
        on: &Array<'_>,
        path: &str,
        name: &str,
        is_there: impl Fn() -> Result<bool, Failure>,
    ) -> Result<bool, Failure> {
        let query = Query::new().name(name);
        let mut found = true;
        match on.send(
            Method::Patch,
            path,
            &query,
            Some(&json!({ "destroyed": true })),
        ) {
            Ok(_) => {}
            Err(ArrayError::Failed(failure)) => return Err(failure),
            Err(refused @ ArrayError::Refused { .. }) => {
                if is_there()? {
                    let sentence = format!("{name} cannot be deleted (a lock or retention)");
                    return Err(refused.into_failure(FailureCode::FailedPrecondition, &sentence));
                }
                found = false;
            }
        }
        if self.options.eradicate() {
            match on.send(Method::Delete, path, &query, None) {
                Ok(_) | Err(ArrayError::Refused { .. }) => {}
                Err(ArrayError::Failed(failure)) => return Err(failure),
            }
        }
        Ok(found)
    }
}

/// Where a group is.
struct Seat<'a> {
    on: Array<'a>,
    name: String,
}

impl Seat<'_> {
    /// Makes the group. There already: success.
    fn make(&self) -> Result<(), Failure> {
        let Self { on, name } = self;
        let query = Query::new().name(name);
        let make = || on.send(Method::Post, "/protection-groups", &query, None);
        let refused = match make() {
            Ok(_) => return Ok(()),
            Err(ArrayError::Failed(failure)) => return Err(failure),
            Err(refused @ ArrayError::Refused { .. }) => refused,
        };
        match pgroup::read(on, name)? {
            Some(found) if !flag(&found, "/destroyed") => Ok(()),
            // A group of this id was deleted and waits for its end: it is empty, and the name is needed now.
            Some(_) => {
                on.send(Method::Delete, "/protection-groups", &query, None)
                    .and_then(|_| make())
                    .map_err(|t| t.into_failure(FailureCode::AlreadyExists, "a deleted protection group of this name waits for its eradication; eradicate it on the array"))
                    .map(drop)
            }
            None => Err(refused.into_failure(
                FailureCode::Exhausted,
                "the array does not create the protection group (number of groups, pod gone)",
            )),
        }
    }

    /// Does something with the group and these members. Where they have been failed over to, nobody has made their group yet.
    fn with(
        &self,
        members: &[String],
        act: &dyn Fn() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let refused = match act() {
            Err(refused) if refused.code == FailureCode::FailedPrecondition => refused,
            done => return done,
        };
        if pgroup::read(&self.on, &self.name)?.is_some_and(|found| !flag(&found, "/destroyed")) {
            return Err(refused);
        }
        self.make()?;
        pgroup::join(&self.on, &self.name, &refs(members))?;
        act()
    }

    /// Makes volumes members; whether the array lets them be.
    fn admits(&self, volumes: &[&str]) -> Result<bool, Failure> {
        match pgroup::join(&self.on, &self.name, volumes) {
            Ok(()) => Ok(true),
            Err(refused) if refused.code == FailureCode::FailedPrecondition => Ok(false),
            Err(failure) => Err(failure),
        }
    }
}

/// Volume snapshots that a snapshot of a group holds.
fn parts(on: &Array<'_>, taken: &str) -> Result<Vec<String>, Failure> {
    let query = Query::new().filter(&format!("name='{taken}.*'"));
    let found = on
        .list("/volume-snapshots", &query)
        .map_err(pgroup::unexpected)?;
    Ok(found
        .iter()
        .filter(|s| !flag(s, "/destroyed"))
        .filter_map(|s| text(s, "/name").map(str::to_owned))
        .collect())
}

fn placed(on: &Array<'_>, name: String) -> SnapshotPlacement {
    let array = on.known_name().unwrap_or_else(|| on.name().to_owned());
    SnapshotPlacement {
        metadata: vec![
            ("array_snapshot_name".to_owned(), name.clone()),
            ("array_name".to_owned(), array),
        ],
        array_name: name,
        extensions: Vec::new(),
    }
}

fn names_of(volumes: &[Volume]) -> Vec<String> {
    volumes.iter().map(array_name).collect()
}

fn refs(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}
