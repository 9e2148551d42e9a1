//! Which volume has which name on an array. No answer is believed that gives a volume the place of another one: whoever
//! deleted the one, or handed it to a tenant, would do so to the other.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use springform_model::cloud::Volume;
use springform_model::contract::{Call, CallError, Fault, FaultKind, Placement, Reply, VolumeSpec};
use springform_model::operation::OperationError;
use springform_store::{Changes, Measure, Query, Store};

/// Fewer claims than this are kept whether or not their operations have ended.
const MANY: usize = 1024;

/// Array and name there.
pub(super) type Place = (String, String);

/// Where answers have placed volumes whose operations have not ended: the records may not say so yet.
#[derive(Debug, Default)]
pub(crate) struct ArrayNames(Mutex<Claims>);

#[derive(Debug, Default)]
struct Claims {
    claims: BTreeMap<Place, Claim>,
    /// How many there were after the last clearing: the next one is due at twice as many, or each claim would cost one.
    kept: usize,
}

#[derive(Debug)]
struct Claim {
    volume: String,
    operation: String,
}

impl ArrayNames {
    /// Takes a place for a volume until the operation has ended. Gives the volume that has it.
    fn claim(
        &self,
        place: &Place,
        volume: &str,
        operation: &str,
        runs: impl Fn(&str) -> bool,
    ) -> Result<(), String> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Claims { claims, kept } = &mut *kept;
        if claims.len() >= MANY.max(2 * *kept) {
            claims.retain(|_, claim| runs(&claim.operation));
            *kept = claims.len();
        }
        match claims.get(place) {
            Some(other) if other.volume != volume && runs(&other.operation) => {
                Err(other.volume.clone())
            }
            _ => {
                let (volume, operation) = (volume.to_owned(), operation.to_owned());
                claims.insert(place.clone(), Claim { volume, operation });
                Ok(())
            }
        }
    }
}

/// Where the volumes are that a call may place, as far as that is known.
#[derive(Debug)]
pub(super) struct Before(BTreeMap<String, Option<Place>>);

impl Before {
    /// What the driver is told.
    pub(super) fn of(call: &Call) -> Self {
        let volumes: &[VolumeSpec] = match call {
            Call::CreateVolume { volume }
            | Call::CreateFromSnapshot { volume, .. }
            | Call::CloneVolume { volume, .. }
            | Call::Retype { volume, .. }
            | Call::Manage { volume, .. }
            | Call::ReceiveVolume { volume, .. } => std::slice::from_ref(volume),
            Call::Demote { volumes, .. }
            | Call::FailOver { volumes, .. }
            | Call::Reprotect { volumes, .. }
            | Call::Resync { volumes, .. }
            | Call::Enable { volumes }
            | Call::Disable { volumes }
            | Call::CommitTest { volumes, .. }
            | Call::CreateGroupFrom { volumes, .. } => volumes,
            _ => &[],
        };
        let place = |spec: &VolumeSpec| (spec.id.clone(), spec.placement.as_ref().map(place));
        Self(volumes.iter().map(place).collect())
    }

    /// The places in an answer at which its volumes were not before.
    fn new_in(&self, reply: &Reply) -> Vec<(String, Place)> {
        let only = self.0.keys().next();
        let placed: Vec<(&String, &Placement)> = match reply {
            Reply::Placement(placement) => only.map(|id| (id, placement)).into_iter().collect(),
            Reply::Adopted(adopted) => {
                let placed = only.map(|id| (id, &adopted.placement));
                placed.into_iter().collect()
            }
            Reply::Outcomes(all) => {
                let placed = all
                    .iter()
                    .map(|one| Some((&one.id, one.result.as_ref().ok()?)));
                placed.flatten().collect()
            }
            _ => Vec::new(),
        };
        let placed = placed.into_iter().map(|(id, at)| (id.clone(), place(at)));
        placed
            .filter(|(id, at)| {
                self.0
                    .get(id)
                    .is_none_or(|known| known.as_ref() != Some(at))
            })
            .collect()
    }
}

fn place(placement: &Placement) -> Place {
    (placement.target.clone(), placement.array_name.clone())
}

/// How an answer that places a volume is held against the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PlaceCheck {
    /// They are read before the answer is believed.
    #[default]
    AtOnce,
    /// By the commit that writes the answer down, with [`only_there`]: of a volume that is made, so that a create does not wait for
    /// the database once more.
    InCommit,
}

/// The places that an answer gives to volumes, claimed until the operation has ended.
///
/// # Errors
/// [`FaultKind::WrongReply`] with both volumes, where a call under way has just placed another one there.
pub(super) fn claim(
    names: &ArrayNames,
    operation: &str,
    before: &Before,
    reply: &Reply,
    runs: impl Fn(&str) -> bool,
) -> Result<Vec<(String, Place)>, CallError> {
    let placed = before.new_in(reply);
    for (id, place) in &placed {
        if let Err(other) = names.claim(place, id, operation, &runs) {
            return Err(refused(id, place, &other));
        }
    }
    Ok(placed)
}

/// Refuses places that the records give to other volumes.
///
/// # Errors
/// [`FaultKind::WrongReply`] with both volumes; `Gone`, to be tried again, where the records cannot be read.
pub(super) async fn alone(
    store: &Store,
    backend: &str,
    placed: &[(String, Place)],
) -> Result<(), CallError> {
    if placed.is_empty() {
        return Ok(());
    }
    let names = placed.iter().map(|(_, (_, name))| name.clone());
    let query = Query::new()
        .eq("backend", backend)
        .is_in("array_name", names);
    let found = store.list::<Volume>(&query).await;
    let found = found.map_err(|error| {
        let why = format!("the answer could not be held against the records: {error}");
        CallError::Fault(Fault::new(FaultKind::Gone, why))
    })?;
    for (id, place) in placed {
        let there = |other: &Volume| {
            let target = other.placement.as_ref().map(|known| &known.target);
            let name = other.placement.as_ref().map(|known| &known.array_name);
            other.id != *id
                && name.is_none_or(|name| *name == place.1)
                && target.is_none_or(|target| *target == place.0)
        };
        if let Some(other) = found.iter().find(|other| there(other)) {
            return Err(refused(id, place, &other.id));
        }
    }
    Ok(())
}

/// Name of the limit that [`only_there`] sets.
const PLACE: &str = "place";

/// Lets a commit that places a volume fail where the records have another one of its name on the backend.
pub(crate) fn only_there(changes: Changes, backend: &str, placement: &Placement) -> Changes {
    let there = Query::new()
        .eq("backend", backend)
        .eq("array_name", placement.array_name.clone());
    changes.at_most::<Volume>(PLACE, Measure::Count, there, 1)
}

/// Whether that is why a commit failed.
pub(crate) fn is_taken(error: &OperationError) -> bool {
    error.code == PLACE
}

/// Why the volume cannot be there. None: the other one has its name on another array, and the claim holds until it is written.
pub(crate) async fn taken(
    store: &Store,
    backend: &str,
    volume: &str,
    placement: &Placement,
) -> Option<CallError> {
    let placed = [(volume.to_owned(), place(placement))];
    alone(store, backend, &placed).await.err()
}

fn refused(id: &str, (target, name): &Place, other: &str) -> CallError {
    CallError::Fault(Fault::new(
        FaultKind::WrongReply,
        format!(
            "the driver says that volume {id} is {name} on {target}, which is volume {other}; its answer is not believed, and nothing of that volume was changed in the records"
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_one_volumes_until_its_operation_has_ended() {
        let names = ArrayNames::default();
        let place = ("a".to_owned(), "vol".to_owned());
        let elsewhere = ("b".to_owned(), "vol".to_owned());
        let runs = |_: &str| true;
        assert_eq!(names.claim(&place, "one", "first", runs), Ok(()));
        assert_eq!(names.claim(&place, "one", "again", runs), Ok(()));
        assert_eq!(names.claim(&elsewhere, "two", "second", runs), Ok(()));
        let taken = Err("one".to_owned());
        assert_eq!(names.claim(&place, "two", "second", runs), taken);
        let ended = |_: &str| false;
        assert_eq!(names.claim(&place, "two", "second", ended), Ok(()));
    }

    #[test]
    fn claims_of_ended_operations_are_cleared_away() {
        let names = ArrayNames::default();
        for n in 0..3 * MANY {
            let place = ("a".to_owned(), format!("vol{n}"));
            let claimed = names.claim(&place, &format!("v{n}"), "op", |_| false);
            assert_eq!(claimed, Ok(()));
        }
        let kept = names.0.lock().map(|kept| kept.claims.len());
        assert!(kept.is_ok_and(|kept| kept <= MANY));
    }
}
