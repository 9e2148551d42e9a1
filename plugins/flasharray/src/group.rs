//! Consistency groups: a protection group of the array for each, whose snapshots take every member at one point in time.
//!
//! What replicates the members is not this group but the backend's: it sends all of them at one point in time already, so
//! a second schedule would move every byte twice.

use serde_json::json;
use springform_sdk::fail::failure_on;
use springform_sdk::http::Method;
use springform_sdk::interfaces::groups::{Group, SnapshotOutcome};
use springform_sdk::types::{Failure, FailureCode, Outcome, Snapshot, SnapshotPlacement, Volume};

use crate::array::{Array, Trouble, flag, text};
use crate::query::Query;
use crate::volume::{Volumes, array_name};
use crate::{layout, names, pgroup};

impl<'a> Volumes<'a> {
    /// Creates an empty group; says what it is called.
    ///
    /// # Errors
    /// See the contract's `groups.create`.
    pub fn create_group(&self, group: &Group) -> Result<String, Failure> {
        let on = self.holding(group)?;
        let name = self.group_name(group);
        let query = Query::new().name(&name);
        let make = || on.send(Method::Post, "/protection-groups", &query, None);
        let refused = match make() {
            Ok(_) => return Ok(name),
            Err(Trouble::Failed(failure)) => return Err(failure),
            Err(refused @ Trouble::Refused { .. }) => refused,
        };
        match pgroup::read(&on, &name)? {
            Some(found) if !flag(&found, "/destroyed") => Ok(name),
            // A group of this id was deleted and waits for its end: it is empty, and the name is needed now.
            Some(_) => {
                on.send(Method::Delete, "/protection-groups", &query, None)
                    .and_then(|_| make())
                    .map_err(|t| t.into_failure(FailureCode::AlreadyExists, "a deleted protection group of this name waits for its eradication; eradicate it on the array"))?;
                Ok(name)
            }
            None => Err(refused.into_failure(
                FailureCode::Exhausted,
                "the array does not create the protection group (number of groups, pod gone)",
            )),
        }
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
        let on = self.holding(group)?;
        let name = self.group_name(group);
        pgroup::join(&on, &name, &refs(&names_of(add)))?;
        pgroup::leave(&on, &name, &refs(&names_of(remove)))
    }

    /// Takes a snapshot of every member at one point in time.
    ///
    /// # Errors
    /// See the contract's `groups.create-snapshot`; a volume that is no member of the group on the array fails alone.
    pub fn snapshot_group(
        &self,
        group: &Group,
        snapshot_id: &str,
        volumes: &[Volume],
        snapshots: &[Snapshot],
    ) -> Result<Vec<SnapshotOutcome>, Failure> {
        let on = self.holding(group)?;
        let taken = self.taken(group, snapshot_id);
        pgroup::take(
            &on,
            &self.group_name(group),
            &names::group_suffix(snapshot_id),
        )?;
        let there = parts(&on, &taken)?;
        let outcomes = snapshots.iter().zip(volumes).map(|(snapshot, volume)| {
            let part = names::part(&taken, &array_name(volume));
            let result = if there.contains(&part) {
                Ok(placed(&on, part))
            } else {
                Err(failure_on(
                    on.name(),
                    FailureCode::FailedPrecondition,
                    format!("{} is not in the snapshot: it is no member of the group on the array; update the group", array_name(volume)),
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
    pub fn delete_group_snapshot(&self, group: &Group, snapshot_id: &str) -> Result<(), Failure> {
        let on = self.holding(group)?;
        let name = self.taken(group, snapshot_id);
        let there = || pgroup::is_taken(&on, &name);
        self.discard(&on, "/protection-group-snapshots", &name, there)
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
        let on = self.holding(source)?;
        let taken = match snapshot_id {
            Some(id) => self.taken(source, id),
            None => {
                let suffix = format!("{}-tmp", group.id);
                let name = self.group_name(source);
                pgroup::take(&on, &name, &suffix)?;
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
                    result: self.create(&alone, &on, Some(&part)),
                }
            })
            .collect();
        let made: Vec<_> = outcomes
            .iter()
            .filter_map(|o| Some(o.result.as_ref().ok()?.array_name.as_str()))
            .collect();
        pgroup::join(&on, &self.group_name(group), &made)?;
        if snapshot_id.is_none() {
            // Nobody else knows of it. It goes last: until here a repetition finds the same point in time.
            let query = Query::new().name(&taken);
            let path = "/protection-group-snapshots";
            self.discard(&on, path, &taken, || pgroup::is_taken(&on, &taken))?;
            match on.send(Method::Delete, path, &query, None) {
                Ok(_) | Err(Trouble::Refused { .. }) => {}
                Err(Trouble::Failed(failure)) => return Err(failure),
            }
        }
        Ok(outcomes)
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

    fn group_name(&self, group: &Group) -> String {
        group.array_name.clone().unwrap_or_else(|| {
            let layout = self.options.layout();
            let inside = layout.at_home && layout::wants_pod(group.replication.as_ref());
            let pod = inside.then_some(layout.pod);
            names::group(pod, &group.id)
        })
    }

    fn taken(&self, group: &Group, snapshot_id: &str) -> String {
        format!(
            "{}.{}",
            self.group_name(group),
            names::group_suffix(snapshot_id)
        )
    }

    /// Destroys an object, and eradicates it where that is configured.
    fn discard(
        &self,
        on: &Array<'_>,
        path: &str,
        name: &str,
        is_there: impl Fn() -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        let query = Query::new().name(name);
        match on.send(
            Method::Patch,
            path,
            &query,
            Some(&json!({ "destroyed": true })),
        ) {
            Ok(_) => {}
            Err(Trouble::Failed(failure)) => return Err(failure),
            Err(refused @ Trouble::Refused { .. }) => {
                if is_there()? {
                    let sentence = format!("{name} cannot be deleted (a lock or retention)");
                    return Err(refused.into_failure(FailureCode::FailedPrecondition, &sentence));
                }
            }
        }
        if self.options.eradicate() {
            match on.send(Method::Delete, path, &query, None) {
                Ok(_) | Err(Trouble::Refused { .. }) => {}
                Err(Trouble::Failed(failure)) => return Err(failure),
            }
        }
        Ok(())
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
