//! The volumes themselves, held against the arrays that serve them: what differs and can be put right is, the rest is said.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use springform_sdk::types::{Error, Failure, ReplicationKind, Volume};

use crate::array::{Array, flag, number, text};
use crate::evidence::{self, Act};
use crate::layout;
use crate::query::Query;
use crate::setup::Setup;
use crate::stretched::pod_migration::PodMigration;
use crate::volume::array_name;
use crate::{collections, limits, names, pgroup, state};

/// Begins what the host is told of an object that none of the volumes is; JSON with `name` and `id` follows.
pub const UNKNOWN: &str = "springform/unknown";
/// On the first volume of a page: the last id of the page before.
const AFTER: &str = "springform/after";
/// On the last volume of a page: there is no further one.
const LAST: &str = "springform/last";

/// What is compared of a volume that is there. An array may have many thousands, and the driver's memory is small.
struct Live {
    size: Option<u64>,
    serial: Option<String>,
    iops: Option<u64>,
    bandwidth: Option<u64>,
}

impl Live {
    fn read(found: &Value) -> Self {
        Self {
            size: number(found, "/provisioned"),
            serial: text(found, "/serial").map(str::to_owned),
            iops: number(found, "/qos/iops_limit"),
            bandwidth: number(found, "/qos/bandwidth_limit"),
        }
    }
}

/// What an array says of its volumes.
struct Side {
    live: BTreeMap<String, Live>,
    groups: BTreeMap<String, BTreeSet<String>>,
    marks: evidence::Marks,
}

/// The name that a volume has now on the array that serves it and has none of the recorded name.
fn renamed<'s>(side: &'s Side, volume: &Volume, name: &str) -> Option<&'s str> {
    let serial = volume.placement.as_ref().and_then(|p| p.serial.as_deref());
    let same = |(now, found): &(&String, &Live)| match serial {
        Some(serial) => found.serial.as_deref() == Some(serial),
        None => names::base(now) == names::base(name),
    };
    let found = side.live.iter().find(same);
    found.map(|(now, _)| now.as_str())
}

impl<'a> Setup<'a> {
    /// Holds volumes against the arrays. Those of which an array knows a newer promotion are left alone.
    ///
    /// # Errors
    /// When an array that answers does not take a change; `pending` while a volume is on its way back to its place.
    pub(crate) fn volumes(&mut self, volumes: &[Volume]) -> Result<(), Error> {
        for on in self.arrays.all() {
            let side = match self.side(&on) {
                Ok(side) => side,
                Err(failure) => {
                    self.warnings.push(format!(
                        "{}: {}; it was not compared",
                        on.name(),
                        failure.message
                    ));
                    continue;
                }
            };
            let here = |v: &&Volume| v.placement.as_ref().is_some_and(|p| p.target == on.name());
            let mut current = Vec::new();
            for volume in volumes.iter().filter(here) {
                if self.compare(&on, &side, volume)? {
                    current.push(volume);
                }
            }
            self.memberships(&on, &side, &current)?;
            let (context, place) = (self.context, on.name());
            self.uses(&on, volumes, |volume, name| {
                let mark = side.marks.get(name);
                mark.is_some_and(|mark| evidence::is_newer(context, place, volume, mark, Act::Take))
            })?;
            self.unknown(&on, &side, volumes);
        }
        Ok(())
    }

    fn side(&self, on: &Array<'a>) -> Result<Side, Failure> {
        let mut live = BTreeMap::new();
        let query = Query::new().filter("destroyed='false'");
        on.each("/volumes", &query, &mut |volume| {
            if let Some(name) = text(&volume, "/name") {
                live.insert(name.to_owned(), Live::read(&volume));
            }
        })
        .map_err(pgroup::unexpected)?;
        let mut groups: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        on.each("/protection-groups/volumes", &Query::new(), &mut |member| {
            if let (Some(volume), Some(group)) =
                (text(&member, "/member/name"), text(&member, "/group/name"))
            {
                let known = groups.entry(volume.to_owned()).or_default();
                known.insert(group.to_owned());
            }
        })
        .map_err(pgroup::unexpected)?;
        let marks = match evidence::host(self.context) {
            Some(_) => evidence::all(on)?,
            None => evidence::Marks::new(),
        };
        Ok(Side {
            live,
            groups,
            marks,
        })
    }

    /// Size, limits and mark of one volume. Says whether it is there and the record is not older.
    fn compare(&mut self, on: &Array<'a>, side: &Side, volume: &Volume) -> Result<bool, Error> {
        let name = array_name(volume);
        let place = on.name();
        let Some(found) = side.live.get(&name) else {
            if let Some(now) = renamed(side, volume, &name) {
                return self.back(on, volume, now, &name);
            }
            self.warnings.push(format!(
                "{name} is not on {place}, which is recorded to serve volume {}; recover it there, or delete the volume",
                volume.id
            ));
            return Ok(false);
        };
        let mark = side.marks.get(&name);
        if let Some(mark) = mark
            && evidence::is_newer(self.context, place, volume, mark, Act::Take)
        {
            let said = evidence::refusal(on, volume, &name, mark).message;
            self.warnings.push(said);
            return Ok(false);
        }
        if let Some(size) = found.size.filter(|size| *size != volume.size) {
            self.warnings.push(format!(
                "{name} has {size} bytes on {place} and {} in the record of volume {}; `springform reconcile --adopt` records \
                 what the array has",
                volume.size, volume.id
            ));
        }
        if let Some(wanted) = limits::wanted(volume) {
            let same = found.iops == number(&wanted, "/iops_limit")
                && found.bandwidth == number(&wanted, "/bandwidth_limit");
            if !same {
                if !self.dry {
                    limits::change(on, &name, true, Some(wanted))?;
                }
                self.did(on, format!("given {name} the limits of its type"));
            }
        } else if limits::limited(found.iops, found.bandwidth) && names::vgroup_of(&name).is_none()
        {
            self.warnings.push(format!(
                "{name} has limits on {place} that its type does not ask for; take them away there, or retype volume {}",
                volume.id
            ));
        }
        if mark.is_none()
            && volume.generation > 0
            && let Some(placement) = &volume.placement
            && evidence::host(self.context).is_some()
        {
            if !self.dry {
                evidence::write(self.context, on, &[(volume, placement)]);
            }
            self.did(
                on,
                format!(
                    "marked {name} as promoted under generation {}",
                    volume.generation
                ),
            );
        }
        Ok(true)
    }

    /// A volume that is there under another name: where a switch of its replication was refused half-way it is in a pod, or
    /// out of one, against the record, and is brought back to where that has it.
    fn back(
        &mut self,
        on: &Array<'a>,
        volume: &Volume,
        now: &str,
        name: &str,
    ) -> Result<bool, Error> {
        let place = on.name();
        let pod = self.options.layout().pod;
        if names::without_pod(now) != names::without_pod(name)
            || names::pod_of(name).is_some_and(|recorded| recorded != pod)
        {
            self.warnings.push(format!(
                "volume {} is {now} on {place} and {name} in the record; rename it there",
                volume.id
            ));
            return Ok(false);
        }
        if !self.dry {
            let (arrays, id) = (&self.arrays, &volume.id);
            let journey = PodMigration::new(self.context, arrays, self.options, *on, name, id)?;
            match names::pod_of(name) {
                Some(_) => journey.enter()?,
                None => journey.leave(names::pod_of(now).unwrap_or(pod))?,
            };
        }
        let text = format!(
            "moved {now} back to {name}, which a switch of its replication had left half-way"
        );
        self.did(on, text);
        Ok(true)
    }

    /// The group that is to send a volume, as the record has it; none where nothing is.
    fn group_of(&self, on: &Array<'a>, volume: &Volume) -> Option<String> {
        let recorded = volume.placement.as_ref()?.replication.as_ref()?;
        layout::wanted(volume)?;
        match (names::pod_of(&array_name(volume)), recorded) {
            (Some(_), ReplicationKind::TriSync) => Some(self.options.third_group()),
            (None, ReplicationKind::Async) => {
                self.arrays.others(on.name()).next()?;
                Some(self.options.pgroup().to_owned())
            }
            _ => None,
        }
    }

    /// Volumes come into the group of the configuration, and out of those that it named before; a group that is empty then
    /// sends no more.
    fn memberships(
        &mut self,
        on: &Array<'a>,
        side: &Side,
        volumes: &[&Volume],
    ) -> Result<(), Failure> {
        let mut before = state::groups(self.arrays.state());
        let current = [self.options.pgroup().to_owned(), self.options.third_group()];
        before.retain(|group| !current.contains(group));
        let mut joins: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut leaves: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let none = BTreeSet::new();
        for volume in volumes {
            let name = array_name(volume);
            let member_of = side.groups.get(&name).unwrap_or(&none);
            if let Some(group) = self.group_of(on, volume).filter(|g| !member_of.contains(g)) {
                joins.entry(group).or_default().push(name.clone());
            }
            for old in before.iter().filter(|old| member_of.contains(*old)) {
                leaves.entry(old.clone()).or_default().push(name.clone());
            }
        }
        for (group, names) in joins {
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            if !self.dry {
                pgroup::join(on, &group, &names)?;
            }
            for name in names {
                self.did(on, format!("put {name} into protection group {group}"));
            }
        }
        for (group, names) in &leaves {
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            if !self.dry {
                pgroup::leave(on, group, &names)?;
            }
            for name in names {
                self.did(on, format!("taken {name} out of protection group {group}"));
            }
        }
        for group in before {
            let left = leaves.get(&group).map_or(&[][..], Vec::as_slice);
            let stays = |(name, groups): (&String, &BTreeSet<String>)| {
                groups.contains(&group) && !left.contains(name)
            };
            if !side.groups.iter().any(stays) {
                self.stop(on, &group)?;
            }
        }
        Ok(())
    }

    fn stop(&mut self, on: &Array<'a>, group: &str) -> Result<(), Failure> {
        let Some(found) = pgroup::read(on, group)? else {
            return Ok(());
        };
        if flag(&found, "/destroyed") || !flag(&found, "/replication_schedule/enabled") {
            return Ok(());
        }
        self.patch(
            on,
            group,
            json!({ "replication_schedule": { "enabled": false } }),
            "the schedule of a protection group that is not used any more cannot be stopped",
            format!("stopped protection group {group}, which nothing is in any more"),
        )
    }

    /// Objects with the name of a volume, in the part of the alphabet that these volumes are, that is none of them.
    fn unknown(&mut self, on: &Array<'a>, side: &Side, volumes: &[Volume]) {
        let said = |volume: Option<&Volume>, key: &str| {
            let extensions = &volume?.extensions;
            extensions
                .iter()
                .find(|(k, _)| k == key)
                .map(|(_, v)| v.clone())
        };
        let first = volumes.first();
        let after = said(first, AFTER);
        let last = volumes.last().filter(|v| said(Some(v), LAST).is_none());
        let ids = collections::set(volumes.iter().map(|v| v.id.as_str()));
        for name in side.live.keys() {
            let Some(id) = names::volume_id(name) else {
                continue;
            };
            let inside = after.as_deref().is_none_or(|after| id > after)
                && last.is_none_or(|last| id <= last.id.as_str());
            if inside && !ids.contains(id) {
                let what = json!({ "name": name, "id": id });
                self.changes
                    .push(springform_sdk::interfaces::backend::Change {
                        target: on.name().to_owned(),
                        text: format!("{UNKNOWN} {what}"),
                    });
            }
        }
    }
}
