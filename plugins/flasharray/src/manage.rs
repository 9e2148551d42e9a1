//! Taking over volumes and snapshots that exist, and giving them back.

use serde_json::{Value, json};
use springform_sdk::fail::failure_on;
use springform_sdk::http::Method;
use springform_sdk::interfaces::volumes::{
    Adopted, AdoptedSnapshot, Manageable, ManageablePage, Reference,
};
use springform_sdk::types::{
    Context, Error, Failure, FailureCode, ReplicationKind, Snapshot, SnapshotPlacement, Volume,
};

use crate::array::{Array, ArrayError, flag, number, text};
use crate::query::Query;
use crate::snapshot::name_of;
use crate::stretched::pod_migration::PodMigration;
use crate::vgroup::{self, Vgroup};
use crate::volume::{Volumes, array_name, read};
use crate::{layout, limits, names, pgroup, tags};

impl Volumes<'_> {
    /// Size of a volume that could be managed.
    ///
    /// # Errors
    /// See the contract's `volumes.inspect`.
    pub fn inspect(&self, reference: &Reference) -> Result<u64, Failure> {
        let on = self.arrays.landing()?;
        let name = source_name(&on, reference)?;
        let path = if name.contains('.') {
            "/volume-snapshots"
        } else {
            "/volumes"
        };
        let found = on
            .find(path, &Query::new().name(&name))
            .map_err(pgroup::unexpected)?;
        found
            .iter()
            .find(|v| !flag(v, "/destroyed"))
            .and_then(|v| number(v, "/provisioned"))
            .ok_or_else(|| absent(&on, &name))
    }

    /// Takes a volume over.
    ///
    /// # Errors
    /// See the contract's `volumes.manage`.
    pub fn manage(
        &self,
        context: &Context,
        volume: &Volume,
        reference: &Reference,
        keep_name: bool,
    ) -> Result<Adopted, Error> {
        let layout = self.options.layout();
        layout.supports(layout::wanted(volume))?;
        Vgroup::of(volume)?;
        let into = layout.at_home && layout::wants_pod(layout::wanted(volume));
        let on = self.arrays.landing()?;
        let old = source_name(&on, reference)?;
        let inside = names::pod_of(&old);
        if inside.is_some() != into && inside.is_some() {
            return Err(failure_on(
                on.name(),
                FailureCode::FailedPrecondition,
                format!("{old} is in a pod; manage it with a type that replicates synchronously"),
            )
            .into());
        }
        let renamed = if keep_name {
            old.clone()
        } else {
            names::beside(&old, &names::volume(&volume.name))
        };
        let found = match read(&on, &old)? {
            Some(found) => found,
            // Renamed by an earlier attempt of this operation, perhaps on its way into a pod or a volume group.
            None => self
                .further(&on, volume, &renamed, into)?
                .ok_or_else(|| absent(&on, &old))?,
        };
        if flag(&found, "/destroyed") {
            return Err(absent(&on, &old).into());
        }
        if !keep_name && number(&found, "/connection_count").unwrap_or(0) > 0 {
            return Err(failure_on(
                on.name(),
                FailureCode::FailedPrecondition,
                "the volume is connected to a machine; disconnect it first",
            )
            .into());
        }
        let mut name = match text(&found, "/name") {
            Some(further) if further != old => further.to_owned(),
            _ => renamed,
        };
        if text(&found, "/name") == Some(&old) && old != name {
            rename(&on, "/volumes", &old, &name)?;
        }
        if inside.is_none() && names::pod_of(&name).is_some() {
            // An earlier attempt was on its way into the pod.
            name = names::base(&name).to_owned();
        } else if !keep_name {
            limits::change(&on, &name, limits::are_set(&found), limits::wanted(volume))?;
            name = self.regroup(&on, volume, &old, &name)?;
        }
        let serial = text(&found, "/serial");
        let placement = if into {
            if inside.is_none() {
                name =
                    PodMigration::new(context, &self.arrays, self.options, on, &name, &volume.id)?
                        .enter()?;
            }
            let kind = self.third_leg(&on, &name, layout::wanted(volume))?;
            self.placement(&on, &name, serial, Some(kind))?
        } else if layout::wanted(volume).is_some() {
            pgroup::join(&on, self.options.pgroup(), &[&name])?;
            self.placement(&on, &name, serial, Some(ReplicationKind::Async))?
        } else {
            self.placement(&on, &name, serial, None)?
        };
        if !keep_name {
            tags::write(&on, &placement.array_name, volume);
        }
        Ok(Adopted {
            placement,
            size: number(&found, "/provisioned").unwrap_or(0),
        })
    }

    /// A volume that is no longer where the operator said.
    fn further(
        &self,
        on: &Array<'_>,
        volume: &Volume,
        renamed: &str,
        into: bool,
    ) -> Result<Option<Value>, Failure> {
        let mut places = vec![renamed.to_owned(), self.options.layout().name(volume)];
        if into {
            let ghost = names::ghost_pod(self.options.ghost_pod(), &volume.id);
            places.push(names::base(renamed).to_owned());
            places.push(names::in_pod(&ghost, names::base(renamed)));
        }
        for name in places {
            if let Some(found) = read(on, &name)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Brings a volume that is taken over into the volume group of its type, or out of one that its type does not ask for.
    /// Gives back its name there.
    fn regroup(
        &self,
        on: &Array<'_>,
        volume: &Volume,
        old: &str,
        name: &str,
    ) -> Result<String, Failure> {
        let group = Vgroup::of(volume)?;
        let wanted = group.as_ref().map(|group| group.name.as_str());
        if let Some(group) = &group {
            group.ensure(on)?;
        }
        let mut there = name.to_owned();
        if names::vgroup_of(name) != wanted {
            there = vgroup::carry(on, name, wanted)?;
        }
        match names::vgroup_of(old) {
            Some(emptied) if Some(emptied) != wanted => {
                vgroup::tidy(on, emptied, self.options.eradicate())?;
            }
            _ => {}
        }
        Ok(there)
    }

    /// Gives a volume back under a name that says so.
    ///
    /// # Errors
    /// When it cannot be renamed.
    pub fn unmanage(&self, volume: &Volume) -> Result<(), Failure> {
        let on = self.serving(volume)?;
        let old = array_name(volume);
        tags::erase(&on, &old);
        give_back(&on, "/volumes", &old, &format!("{old}-unmanaged"))
    }

    /// Takes a snapshot over.
    ///
    /// # Errors
    /// See the contract's `volumes.manage-snapshot`.
    pub fn manage_snapshot(
        &self,
        volume: &Volume,
        snapshot: &Snapshot,
        reference: &Reference,
        keep_name: bool,
    ) -> Result<AdoptedSnapshot, Failure> {
        let on = self.serving(volume)?;
        let old = source_name(&on, reference)?;
        let new = if keep_name {
            old.clone()
        } else {
            names::snapshot(&array_name(volume), &snapshot.name)
        };
        let look = |name: &str| -> Result<Option<Value>, Failure> {
            let found = on
                .find("/volume-snapshots", &Query::new().name(name))
                .map_err(pgroup::unexpected)?;
            Ok(found.into_iter().find(|s| !flag(s, "/destroyed")))
        };
        let found = match look(&old)? {
            Some(found) => {
                if old != new {
                    rename(&on, "/volume-snapshots", &old, &new)?;
                }
                found
            }
            None => look(&new)?.ok_or_else(|| absent(&on, &old))?,
        };
        let metadata = vec![
            ("array_snapshot_name".to_owned(), new.clone()),
            (
                "array_name".to_owned(),
                on.known_name().unwrap_or_else(|| on.name().to_owned()),
            ),
        ];
        Ok(AdoptedSnapshot {
            placement: SnapshotPlacement {
                array_name: new,
                metadata,
                extensions: Vec::new(),
            },
            size: number(&found, "/provisioned").unwrap_or(0),
        })
    }

    /// Gives a snapshot back under a name that says so.
    ///
    /// # Errors
    /// When it cannot be renamed.
    pub fn unmanage_snapshot(&self, volume: &Volume, snapshot: &Snapshot) -> Result<(), Failure> {
        let on = self.serving(volume)?;
        let old = name_of(volume, snapshot);
        give_back(&on, "/volume-snapshots", &old, &format!("{old}-unmanaged"))
    }

    /// Lists volumes or snapshots that could be managed, a page at a time.
    ///
    /// # Errors
    /// When the array cannot be asked.
    pub fn manageable(
        &self,
        path: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<ManageablePage, Failure> {
        let on = self.arrays.landing()?;
        let found = on
            .list(
                path,
                &Query::new().one("sort", "name").filter("destroyed='false'"),
            )
            .map_err(pgroup::unexpected)?;
        let limit = usize::try_from(limit.max(1)).unwrap_or(usize::MAX);
        let mut rest = found
            .iter()
            .filter(|v| after.is_none_or(|after| text(v, "/name").is_some_and(|n| n > after)));
        let items: Vec<_> = rest.by_ref().filter_map(describe).take(limit).collect();
        let next = rest
            .next()
            .and_then(|_| items.last())
            .and_then(|m| m.reference.keys.first())
            .map(|(_, name)| name.clone());
        Ok(ManageablePage { items, next })
    }
}

fn describe(item: &Value) -> Option<Manageable> {
    // The mark of a deleted volume is nobody's to manage.
    let name = text(item, "/name").filter(|name| names::marked(name).is_none())?;
    let reason = if number(item, "/connection_count").unwrap_or(0) > 0 {
        Some("connected to a machine".to_owned())
    } else {
        None
    };
    Some(Manageable {
        reference: named(name),
        size: number(item, "/provisioned").unwrap_or(0),
        safe_to_manage: reason.is_none(),
        reason_not_safe: reason,
        source: text(item, "/source/name").map(named),
        extensions: Vec::new(),
    })
}

fn named(name: &str) -> Reference {
    Reference {
        keys: vec![("source-name".to_owned(), name.to_owned())],
    }
}

fn source_name(on: &Array<'_>, reference: &Reference) -> Result<String, Failure> {
    reference
        .keys
        .iter()
        .find(|(key, _)| key == "source-name")
        .map(|(_, name)| name.clone())
        .ok_or_else(|| {
            failure_on(
                on.name(),
                FailureCode::InvalidArgument,
                "the reference needs the key source-name: the object's name on the array",
            )
        })
}

fn absent(on: &Array<'_>, name: &str) -> Failure {
    failure_on(
        on.name(),
        FailureCode::NotFound,
        format!("{name} is not on the array"),
    )
}

fn rename(on: &Array<'_>, path: &str, old: &str, new: &str) -> Result<(), Failure> {
    pgroup::must(
        on.send(
            Method::Patch,
            path,
            &Query::new().name(old),
            Some(&json!({ "name": new })),
        ),
        "the array does not rename the object",
    )
    .map(drop)
}

fn give_back(on: &Array<'_>, path: &str, old: &str, new: &str) -> Result<(), Failure> {
    match on.send(
        Method::Patch,
        path,
        &Query::new().name(old),
        Some(&json!({ "name": new })),
    ) {
        Ok(_) => Ok(()),
        Err(ArrayError::Failed(failure)) => Err(failure),
        Err(refused @ ArrayError::Refused { .. }) => {
            let there = on
                .find(path, &Query::new().name(new))
                .map_err(pgroup::unexpected)?;
            if there.iter().any(|v| text(v, "/name") == Some(new)) {
                Ok(())
            } else {
                Err(refused.into_failure(FailureCode::NotFound, "the object is not on the array"))
            }
        }
    }
}
