//! A volume moves to the array of another backend, over the replication connection of the two arrays: a protection group of
//! its own sends one snapshot of it, the other array makes a volume of that, and then the group and what it sent go.
//!
//! The driver of either side sees its own arrays alone. What both sides make is named after the move, so each finds it
//! without being told; the volume that arrives is made under such a name, marked, and only then given its own: what has that
//! name and not the mark is somebody else's.

use serde_json::{Value, json};
use springform_sdk::fail::{failure_on, pending};
use springform_sdk::http::Method;
use springform_sdk::interfaces::migrating::{Migration, Side};
use springform_sdk::types::{Error, Failure, FailureCode, Placement, ReplicationKind, Volume};

use crate::array::{Array, ArrayError, flag, text};
use crate::evidence::NAMESPACE;
use crate::layout::{Layout, wanted};
use crate::query::Query;
use crate::vgroup::{self, Vgroup};
use crate::volume::{Volumes, array_name, read};
use crate::{json as text_of, names, pgroup, setup};

/// Suffix of the one snapshot that is sent.
const SUFFIX: &str = "move";
/// Key of the tag that says by which move a volume came.
const ARRIVAL: &str = "arrival";
/// How long to wait before looking again at what is on its way, in milliseconds.
const LOOK: u32 = 1000;

impl<'a> Volumes<'a> {
    /// Makes the group that will send a volume, with the other array as its target.
    ///
    /// # Errors
    /// See the contract's `migrating.offer`.
    pub fn offer(&self, volume: &Volume, migration: &Migration) -> Result<Vec<u8>, Error> {
        let on = self.serving(volume)?;
        let name = array_name(volume);
        if let Some(pod) = names::pod_of(&name) {
            let why = format!("{name} is in pod {pod}, and only a volume outside pods is sent");
            return Err(failure_on(on.name(), FailureCode::Unsupported, why).into());
        }
        let to = connected(&on, &migration.destination)?;
        let group = names::moving(&migration.id);
        make(&on, &group)?;
        pgroup::join(&on, &group, &[&name])?;
        if !targets(&on, &group)?.contains(&to) {
            let query = Query::new()
                .one("group_names", &group)
                .one("member_names", &to);
            let added = on.send(Method::Post, "/protection-groups/targets", &query, None);
            if let Err(trouble) = added
                && (matches!(trouble, ArrayError::Failed(_))
                    || !targets(&on, &group)?.contains(&to))
            {
                let sentence =
                    format!("the array does not take {to} as the target of a protection group");
                return Err(trouble
                    .into_failure(FailureCode::FailedPrecondition, &sentence)
                    .into());
            }
        }
        let own = setup::identify(&on)?;
        Ok(text_of::bytes(&json!({ "array": own, "volume": name })))
    }

    /// Lets the group send to this array, unless the volume cannot be made here.
    ///
    /// # Errors
    /// As [`Volumes::receive`]; `pending` while the group has not appeared here.
    pub fn accept(
        &self,
        volume: &Volume,
        migration: &Migration,
        offer: Vec<u8>,
    ) -> Result<Vec<u8>, Error> {
        let on = self.arrays.named(&migration.destination.target)?;
        // Said before the content travels, and not after.
        self.options.layout().supports(wanted(volume))?;
        Vgroup::of(volume)?;
        let name = self.name_on(&on, volume);
        if let Some(found) = read(&on, &name)?
            && !is_marked(&on, &name, &names::moving(&migration.id))?
        {
            return Err(in_the_way(&on, &name, &found).into());
        }
        let there = Parcel::read(&on, &offer)?.group_here(migration);
        if pgroup::read(&on, &there)?.is_none() {
            let what = format!("protection group {there} to appear on {}", on.name());
            return Err(pending(what, None, LOOK));
        }
        let query = Query::new().one("group_names", &there);
        let body = json!({ "allowed": true });
        let path = "/protection-groups/targets";
        match on.send(Method::Patch, path, &query, Some(&body)) {
            Ok(_) => Ok(offer),
            Err(ArrayError::Failed(failure)) => Err(failure.into()),
            Err(_) if allows(&on, &there)? => Ok(offer),
            Err(refused) => {
                let sentence = format!("the array does not allow protection group {there}");
                let failure = refused.into_failure(FailureCode::FailedPrecondition, &sentence);
                Err(failure.into())
            }
        }
    }

    /// Takes the snapshot and sends it.
    ///
    /// # Errors
    /// See the contract's `migrating.send`.
    pub fn send(
        &self,
        volume: &Volume,
        migration: &Migration,
        acceptance: Vec<u8>,
    ) -> Result<Vec<u8>, Error> {
        let on = self.serving(volume)?;
        pgroup::send_once(&on, &names::moving(&migration.id), SUFFIX)?;
        Ok(acceptance)
    }

    /// Makes the volume of the snapshot once that is complete.
    ///
    /// # Errors
    /// See the contract's `migrating.receive`.
    pub fn receive(
        &self,
        volume: &Volume,
        migration: &Migration,
        parcel: &[u8],
    ) -> Result<Placement, Error> {
        let on = self.arrays.named(&migration.destination.target)?;
        let parcel = Parcel::read(&on, parcel)?;
        let there = parcel.group_here(migration);
        let group = names::moving(&migration.id);
        let (name, made) = (
            self.name_on(&on, volume),
            self.name_on(&on, &made_as(volume, &group)),
        );
        if let Some(found) = read(&on, &name)? {
            if flag(&found, "/destroyed") || !is_marked(&on, &name, &group)? {
                return Err(in_the_way(&on, &name, &found).into());
            }
            let replication = self.protected(&on, volume, &name)?;
            return Ok(self.placement(&on, &name, text(&found, "/serial"), replication)?);
        }
        let taken = format!("{there}.{SUFFIX}");
        let arrivals = pgroup::arrivals(&on, &there)?;
        let arrival = arrivals.iter().find(|arrival| arrival.name == taken);
        let Some(arrival) = arrival.filter(|arrival| arrival.complete) else {
            let percent = arrival.and_then(|a| u8::try_from(a.permille / 10).ok());
            let what = format!(
                "the content of volume {} to arrive on {}",
                volume.id,
                on.name()
            );
            return Err(pending(what, percent, LOOK));
        };
        let source = names::part(&arrival.name, &parcel.volume);
        let placement = self.create(&made_as(volume, &group), &on, Some(&source))?;
        mark(&on, &made, &group)?;
        let query = Query::new().name(&made);
        let body = json!({ "name": name });
        match on.send(Method::Patch, "/volumes", &query, Some(&body)) {
            Ok(_) => {}
            Err(ArrayError::Failed(failure)) => return Err(failure.into()),
            Err(refused) => match read(&on, &name)? {
                Some(found) if !is_marked(&on, &name, &group)? => {
                    return Err(in_the_way(&on, &name, &found).into());
                }
                Some(_) => {}
                None => {
                    let sentence = format!("the array does not give {made} the name {name}");
                    let failure = refused.into_failure(FailureCode::FailedPrecondition, &sentence);
                    return Err(failure.into());
                }
            },
        }
        let serial = placement.serial.as_deref();
        Ok(self.placement(&on, &name, serial, placement.replication.clone())?)
    }

    /// What replicates a volume that has arrived already: it joined the group before it was named.
    fn protected(
        &self,
        on: &Array<'a>,
        volume: &Volume,
        name: &str,
    ) -> Result<Option<ReplicationKind>, Failure> {
        let wanted = wanted(volume);
        if names::pod_of(name).is_some() {
            return self.third_leg(on, name, wanted).map(Some);
        }
        match wanted {
            Some(_) => self.join_backend(on, name),
            None => Ok(None),
        }
    }

    /// Takes away what sent the volume and, where it has moved, the volume.
    ///
    /// # Errors
    /// When the array keeps one of them.
    pub fn release(
        &self,
        volume: &Volume,
        migration: &Migration,
        moved: bool,
    ) -> Result<(), Failure> {
        let on = self.serving(volume)?;
        clear(&on, &names::moving(&migration.id), self.options.eradicate())?;
        if !moved {
            return Ok(());
        }
        let name = array_name(volume);
        let aside = names::left_behind(&name, &migration.id);
        let serial = volume.placement.as_ref().and_then(|p| p.serial.as_deref());
        let same = |found: &Value| serial.is_none() || text(found, "/serial") == serial;
        if let Some(found) = read(&on, &name)?
            && !flag(&found, "/destroyed")
            && same(&found)
        {
            rename(&on, &name, &aside)?;
        }
        self.erase(&on, &aside, self.options.eradicate())?;
        match names::vgroup_of(&name) {
            Some(emptied) => vgroup::tidy(&on, emptied, self.options.eradicate()),
            None => Ok(()),
        }
    }

    /// Takes away what arrived and, where the volume has not moved, what was made of it.
    ///
    /// # Errors
    /// When the array keeps one of them.
    pub fn settle(
        &self,
        volume: &Volume,
        migration: &Migration,
        moved: bool,
    ) -> Result<(), Failure> {
        let on = self.arrays.named(&migration.destination.target)?;
        let group = names::moving(&migration.id);
        let sent = Query::new().filter(&format!("name='*:{group}'"));
        let sent = on.list("/protection-groups", &sent);
        for there in sent.map_err(pgroup::unexpected)? {
            // Only a group that another array sent has a colon in its name.
            if let Some(there) = text(&there, "/name").filter(|name| name.ends_with(&group)) {
                let query = Query::new().one("group_names", there);
                let body = json!({ "allowed": false });
                let path = "/protection-groups/targets";
                if let Err(ArrayError::Failed(failure)) =
                    on.send(Method::Patch, path, &query, Some(&body))
                {
                    return Err(failure);
                }
                clear(&on, there, self.options.eradicate())?;
            }
        }
        let name = self.name_on(&on, volume);
        if moved {
            return unmark(&on, &name);
        }
        let made = self.name_on(&on, &made_as(volume, &group));
        if let Some(found) = read(&on, &name)?
            && !flag(&found, "/destroyed")
            && is_marked(&on, &name, &group)?
        {
            // Its name is free for the next attempt.
            rename(&on, &name, &made)?;
        }
        if read(&on, &made)?.is_some() {
            self.erase(&on, &made, self.options.eradicate())?;
        }
        match names::vgroup_of(&made) {
            Some(emptied) => vgroup::tidy(&on, emptied, self.options.eradicate()),
            None => Ok(()),
        }
    }

    /// What a new volume is called on an array, wherever the record says that it is now.
    fn name_on(&self, on: &Array<'a>, volume: &Volume) -> String {
        let layout = Layout {
            at_home: self.stretches(on),
            ..self.options.layout()
        };
        layout.name(&Volume {
            placement: None,
            ..volume.clone()
        })
    }
}

/// The volume under the name by which it is made.
fn made_as(volume: &Volume, group: &str) -> Volume {
    Volume {
        name: group.to_owned(),
        placement: None,
        ..volume.clone()
    }
}

/// What the source says of what it sends.
struct Parcel {
    array: String,
    volume: String,
}

impl Parcel {
    fn read(on: &Array<'_>, bytes: &[u8]) -> Result<Self, Failure> {
        let value = text_of::value(bytes).unwrap_or_default();
        let part = |key: &str| text(&value, key).filter(|text| !text.is_empty());
        match (part("/array"), part("/volume")) {
            (Some(array), Some(volume)) => Ok(Self {
                array: array.to_owned(),
                volume: volume.to_owned(),
            }),
            _ => Err(failure_on(
                on.name(),
                FailureCode::Unsupported,
                "the driver of the other backend sends nothing that this one understands; both have to be drivers of FlashArray",
            )),
        }
    }

    /// What the group that sends is called on this array.
    fn group_here(&self, migration: &Migration) -> String {
        pgroup::name_on_target(&self.array, &names::moving(&migration.id))
    }
}

/// The name by which an array knows another one, if it can send it something.
fn connected(on: &Array<'_>, to: &Side) -> Result<String, Failure> {
    let refuse = |why: String| failure_on(on.name(), FailureCode::FailedPrecondition, why);
    let Some(wanted) = &to.array_name else {
        return Err(refuse(format!(
            "the array of backend {} has not told its name yet; try again when that backend is up",
            to.backend
        )));
    };
    let own = on.send(Method::Get, "/arrays", &Query::new(), None);
    let own = own.map_err(pgroup::unexpected)?;
    let own = own.first().and_then(|array| text(array, "/id"));
    if own.is_some() && own == to.array_id.as_deref() {
        return Err(refuse(format!(
            "backend {} is on this array too, and nothing is sent to itself: unmanage the volume and manage it there",
            to.backend
        )));
    }
    let links = on.list("/array-connections", &Query::new());
    let links = links.map_err(pgroup::unexpected)?;
    let known = |link: &Value| {
        text(link, "/remote/name")
            .or(text(link, "/name"))
            .map(str::to_owned)
    };
    let is_it = |link: &&Value| match (&to.array_id, text(link, "/remote/id")) {
        (Some(id), Some(remote)) => id == remote,
        _ => known(link).as_ref() == Some(wanted),
    };
    let Some(link) = links.iter().find(is_it) else {
        return Err(refuse(format!(
            "the array has no replication connection to {wanted}, the array of backend {}; connect the two arrays for \
             asynchronous replication",
            to.backend
        )));
    };
    match text(link, "/status") {
        Some("connected") => Ok(known(link).unwrap_or_else(|| wanted.clone())),
        status => Err(refuse(format!(
            "the replication connection to {wanted} is {}; mend it first",
            status.unwrap_or("in no known state")
        ))),
    }
}

/// Makes the group that sends. Made already: success.
fn make(on: &Array<'_>, group: &str) -> Result<(), Failure> {
    let query = Query::new().name(group);
    let refused = match on.send(Method::Post, "/protection-groups", &query, None) {
        Ok(_) => return Ok(()),
        Err(ArrayError::Failed(failure)) => return Err(failure),
        Err(refused) => refused,
    };
    match pgroup::read(on, group)? {
        Some(found) if !flag(&found, "/destroyed") => Ok(()),
        _ => Err(refused.into_failure(
            FailureCode::Exhausted,
            "the array does not make a protection group (number of groups)",
        )),
    }
}

/// Destroys a group with its snapshots. Gone is success.
fn clear(on: &Array<'_>, group: &str, eradicate: bool) -> Result<(), Failure> {
    let Some(found) = pgroup::read(on, group)? else {
        return Ok(());
    };
    let query = Query::new().name(group);
    let path = "/protection-groups";
    if !flag(&found, "/destroyed") {
        let body = json!({ "destroyed": true });
        let sentence = format!("protection group {group} cannot be destroyed (a lock, retention)");
        pgroup::must(on.send(Method::Patch, path, &query, Some(&body)), &sentence)?;
    }
    if eradicate
        && let Err(ArrayError::Failed(failure)) = on.send(Method::Delete, path, &query, None)
    {
        return Err(failure);
    }
    Ok(())
}

fn targets(on: &Array<'_>, group: &str) -> Result<Vec<String>, Failure> {
    let found = pgroup::targets(on, group)?;
    Ok(found.into_iter().map(|(name, _)| name).collect())
}

fn allows(on: &Array<'_>, group: &str) -> Result<bool, Failure> {
    let found = pgroup::targets(on, group)?;
    Ok(found.iter().any(|(_, allowed)| *allowed))
}

fn in_the_way(on: &Array<'_>, name: &str, found: &Value) -> Failure {
    let why = if flag(found, "/destroyed") {
        format!(
            "{name} was deleted and waits for its eradication; eradicate or recover it on the array"
        )
    } else {
        format!(
            "{name} is on the array already and is not what was sent; rename or delete it there"
        )
    };
    failure_on(on.name(), FailureCode::AlreadyExists, why)
}

/// Renames a volume. Has that name already: success.
fn rename(on: &Array<'_>, from: &str, to: &str) -> Result<(), Failure> {
    let query = Query::new().name(from);
    let body = json!({ "name": to });
    match on.send(Method::Patch, "/volumes", &query, Some(&body)) {
        Ok(_) => Ok(()),
        Err(ArrayError::Failed(failure)) => Err(failure),
        Err(_) if read(on, from)?.is_none() && read(on, to)?.is_some() => Ok(()),
        Err(refused) => {
            let sentence = format!("the array does not rename {from} to {to}");
            Err(refused.into_failure(FailureCode::FailedPrecondition, &sentence))
        }
    }
}

/// Writes down by which move a volume came.
fn mark(on: &Array<'_>, name: &str, group: &str) -> Result<(), Failure> {
    let tag =
        json!([{ "namespace": NAMESPACE, "key": ARRIVAL, "value": group, "copyable": false }]);
    let query = Query::new().one("resource_names", name);
    let sentence = "the array does not take the tag by which a volume that arrives is known";
    let path = "/volumes/tags/batch";
    pgroup::must(on.send(Method::Put, path, &query, Some(&tag)), sentence).map(drop)
}

/// Whether a volume came by this move.
fn is_marked(on: &Array<'_>, name: &str, group: &str) -> Result<bool, Failure> {
    let query = Query::new()
        .one("namespaces", NAMESPACE)
        .one("resource_names", name);
    let tags = on.find("/volumes/tags", &query);
    let ours =
        |tag: &Value| text(tag, "/key") == Some(ARRIVAL) && text(tag, "/value") == Some(group);
    Ok(tags.map_err(pgroup::unexpected)?.iter().any(ours))
}

/// Takes that note away. Gone already, also with the volume: success.
fn unmark(on: &Array<'_>, name: &str) -> Result<(), Failure> {
    let query = Query::new()
        .one("namespaces", NAMESPACE)
        .one("keys", ARRIVAL)
        .one("resource_names", name);
    match on.send(Method::Delete, "/volumes/tags", &query, None) {
        Err(ArrayError::Failed(failure)) => Err(failure),
        _ => Ok(()),
    }
}
