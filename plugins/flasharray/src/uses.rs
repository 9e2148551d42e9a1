//! What tenants made of volumes, held against what the records say: snapshots, and machines that are connected.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use springform_sdk::types::{Failure, Volume};

use crate::array::{Array, text};
use crate::query::Query;
use crate::setup::Setup;
use crate::volume::array_name;
use crate::{json, names, pgroup};

/// Key under which the host names the snapshots of a volume on the array that serves it, as a JSON list.
const SNAPSHOTS: &str = "springform/snapshots";
/// The same for those that were taken on another array, which this one may have or not.
const ELSEWHERE: &str = "springform/snapshots-elsewhere";
/// Begins the last part of the name of a snapshot that was taken for the host.
const TAKEN: &str = "snapshot-";
/// Key under which it says that no attachment leads to a volume.
const UNATTACHED: &str = "springform/unattached";

/// Snapshots and connections of one array.
struct Uses {
    /// Names without pod and volume group.
    snapshots: BTreeSet<String>,
    /// Names of the machines by that of the volume.
    machines: BTreeMap<String, Vec<String>>,
}

impl<'a> Setup<'a> {
    /// Names snapshots that are missing or that no record knows, and machines that are connected although no attachment says
    /// so, or to an array that does not serve the volume. Nothing of it is changed: somebody may need it. Asked only where
    /// the host says what its records have.
    ///
    /// # Errors
    /// When the array cannot be asked.
    pub(crate) fn uses(
        &mut self,
        on: &Array<'a>,
        volumes: &[Volume],
        newer: impl Fn(&Volume, &str) -> bool,
    ) -> Result<(), Failure> {
        if !volumes.iter().any(|v| said(v, SNAPSHOTS).is_some()) {
            return Ok(());
        }
        let uses = seen(on)?;
        let place = on.name();
        for volume in volumes {
            let name = array_name(volume);
            let serves = volume.placement.as_ref().is_some_and(|p| p.target == place);
            if serves {
                self.snapshots(on, &uses, volume, &name)?;
                if let Some(machines) = uses.machines.get(&name)
                    && said(volume, UNATTACHED).is_some()
                {
                    self.warnings.push(format!(
                        "{name} is connected to {} on {place}, and volume {} has no attachment; disconnect it there if nothing \
                         uses it",
                        machines.join(", "),
                        volume.id
                    ));
                }
                continue;
            }
            let base = names::base(&name);
            let both = names::pod_of(&name).is_some();
            let left = uses.machines.iter().filter(|(other, _)| {
                names::base(other) == base && !(both && **other == name) && !newer(volume, other)
            });
            for (other, machines) in left {
                self.warnings.push(format!(
                    "{other} is connected to {} on {place}, which does not serve volume {}; `springform fence --volume {}` \
                     cuts them off",
                    machines.join(", "),
                    volume.id,
                    volume.id
                ));
            }
        }
        Ok(())
    }

    fn snapshots(
        &mut self,
        on: &Array<'a>,
        uses: &Uses,
        volume: &Volume,
        name: &str,
    ) -> Result<(), Failure> {
        let place = on.name();
        let of_it = format!("{}.", names::base(name));
        let (here, elsewhere) = (listed(volume, SNAPSHOTS), listed(volume, ELSEWHERE));
        let ours = format!("{of_it}{TAKEN}");
        for missing in here.iter().filter(|name| name.starts_with(&of_it)) {
            let there = match missing.starts_with(&ours) {
                true => uses.snapshots.contains(missing),
                false => is_there(on, missing)?,
            };
            if there {
                continue;
            }
            self.warnings.push(format!(
                "snapshot {missing} is not on {place}, which serves volume {}; recover it there, or delete the snapshot",
                volume.id
            ));
        }
        let there = uses.snapshots.range(ours.clone()..);
        let there = there.take_while(|name| name.starts_with(&ours));
        for unknown in there.filter(|name| !here.contains(*name) && !elsewhere.contains(*name)) {
            self.warnings.push(format!(
                "snapshot {unknown} is on {place} and no record knows it; it stays: take it over with `cinder snapshot-manage \
                 --id-type source-name {} {unknown}`, or delete it on the array",
                volume.id
            ));
        }
        Ok(())
    }
}

fn said<'v>(volume: &'v Volume, key: &str) -> Option<&'v str> {
    let found = volume.extensions.iter().find(|(k, _)| k == key);
    found.map(|(_, value)| value.as_str())
}

/// Names without pod and volume group.
fn listed(volume: &Volume, key: &str) -> BTreeSet<String> {
    let list = said(volume, key).and_then(|list| json::value(list.as_bytes()));
    let list = list.as_ref().and_then(Value::as_array);
    let names = list.into_iter().flatten().filter_map(Value::as_str);
    names.map(|name| names::base(name).to_owned()).collect()
}

/// What tenants took and connected. The copies of protection groups are left out by the array itself: of each volume there
/// is one for every recovery point that is kept.
fn seen(on: &Array<'_>) -> Result<Uses, Failure> {
    let mut snapshots = BTreeSet::new();
    let live = format!("destroyed='false' and name='*.{TAKEN}*'");
    on.each("/volume-snapshots", &Query::new().filter(&live), &mut |s| {
        snapshots.extend(text(&s, "/name").map(|name| names::base(name).to_owned()));
    })
    .map_err(pgroup::unexpected)?;
    let mut machines: BTreeMap<String, Vec<String>> = BTreeMap::new();
    on.each("/connections", &Query::new(), &mut |connection| {
        if let Some(volume) = text(&connection, "/volume/name") {
            let machine = text(&connection, "/host/name").unwrap_or("a host group");
            let known = machines.entry(volume.to_owned()).or_default();
            known.push(machine.to_owned());
        }
    })
    .map_err(pgroup::unexpected)?;
    Ok(Uses {
        snapshots,
        machines,
    })
}

/// Whether a snapshot is there that was taken over and kept the name that somebody else gave it.
fn is_there(on: &Array<'_>, base: &str) -> Result<bool, Failure> {
    let query = Query::new().filter(&format!("destroyed='false' and name='*{base}'"));
    let mut found = on
        .names("/volume-snapshots", &query)
        .map_err(pgroup::unexpected)?
        .into_iter();
    Ok(found.any(|name| names::base(&name) == base))
}
