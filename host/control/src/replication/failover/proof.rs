//! What proves that a planned move loses nothing: a recovery point of each volume that was made after its source gave the
//! role up. A driver's word for it is held against what the target had before.

use std::collections::{BTreeMap, BTreeSet};

use springform_model::contract::{FailoverPlan, RecoveryPoint, ReplicationKind, VolumePlan};

use crate::replication::env::{BackendView, Member};

/// Recovery points that were there while hosts could still write, by volume.
#[derive(Debug, Default)]
pub(super) struct Seen(BTreeMap<String, Vec<RecoveryPoint>>);

impl Seen {
    /// Notes the points of a plan.
    pub(super) fn note(&mut self, plan: &FailoverPlan) {
        for volume in &plan.volumes {
            if let Some(point) = &volume.point {
                let known = self.0.entry(volume.volume_id.clone()).or_default();
                if !known.contains(point) {
                    known.push(point.clone());
                }
            }
        }
    }

    /// Whether a point is newer than all of them. The clock of an array may stand still between two points; then they
    /// differ by name.
    fn older_than(&self, volume: &str, point: &RecoveryPoint) -> bool {
        let mut known = self.0.get(volume).into_iter().flatten();
        known.all(|before| {
            point.taken_at > before.taken_at
                || (point.taken_at == before.taken_at && point.id != before.id)
        })
    }
}

/// Takes over what a transfer says of the volumes it was asked for.
///
/// # Errors
/// A plan that leads elsewhere.
pub(super) fn renew(
    made: &mut FailoverPlan,
    synced: FailoverPlan,
    asked: &BTreeSet<&str>,
) -> Result<(), String> {
    if synced.target != made.target || synced.mode != made.mode {
        return Err(format!(
            "the driver answers a transfer to {}, {}, with a plan to {}, {}",
            made.target,
            made.mode.as_str(),
            synced.target,
            synced.mode.as_str()
        ));
    }
    let mut renewed: BTreeMap<String, VolumePlan> = synced
        .volumes
        .into_iter()
        .map(|volume| (volume.volume_id.clone(), volume))
        .collect();
    for volume in &mut made.volumes {
        if !asked.contains(volume.volume_id.as_str()) {
            continue;
        }
        match renewed.remove(&volume.volume_id) {
            Some(now) => *volume = now,
            None => {
                volume.possible = false;
                volume.reason = Some("the driver left it out of the transfer".to_owned());
            }
        }
    }
    made.token = synced.token;
    Ok(())
}

/// What the last transfer says of a volume.
///
/// # Errors
/// Why it was not transferred.
pub(super) fn transferred<'p>(
    made: &'p FailoverPlan,
    volume: &str,
) -> Result<Option<&'p RecoveryPoint>, String> {
    match made.volumes.iter().find(|p| p.volume_id == volume) {
        Some(planned) if planned.possible => Ok(planned.point.as_ref()),
        Some(planned) => Err(planned
            .reason
            .clone()
            .unwrap_or_else(|| "the driver could not transfer it".to_owned())),
        None => Err("the driver left it out of the transfer".to_owned()),
    }
}

/// Whether the target holds every write of a volume whose source is silent.
///
/// # Errors
/// What is missing.
pub(super) fn followed(
    view: &BackendView,
    made: &FailoverPlan,
    seen: &Seen,
    member: &Member,
) -> Result<(), String> {
    let point = transferred(made, &member.volume.id)?;
    if in_step(view, made, member) {
        return Ok(());
    }
    match point {
        Some(point) if seen.older_than(&member.volume.id, point) => Ok(()),
        Some(point) => Err(format!(
            "its last writes have not arrived: after the array gave its role up the driver names recovery point {}, which \
             {} had before",
            point.id, made.target
        )),
        None => Err(format!(
            "its last writes have not arrived: the driver names no recovery point on {} that was made after the array gave \
             its role up",
            made.target
        )),
    }
}

/// Whether both arrays of the move have every acknowledged write by themselves: then nothing has to follow.
fn in_step(view: &BackendView, made: &FailoverPlan, member: &Member) -> bool {
    let asked = member.spec.volume_type.as_ref();
    let placed = member.volume.placement.as_ref();
    let kind = asked
        .and_then(|kind| kind.replication.as_ref())
        .or_else(|| placed.and_then(|p| p.replication.as_ref()));
    let stretched = matches!(kind, Some(ReplicationKind::Sync | ReplicationKind::TriSync));
    let copied_to = |name: &str| {
        let target = view.target(name);
        target.is_none_or(|t| t.kind == Some(ReplicationKind::Async))
    };
    let source = placed.map(|p| p.target.as_str());
    stretched && !copied_to(&made.target) && source.is_some_and(|source| !copied_to(source))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(id: &str, taken_at: u64) -> RecoveryPoint {
        RecoveryPoint {
            id: id.into(),
            taken_at,
        }
    }

    #[test]
    fn a_point_proves_something_only_where_the_target_did_not_have_it_before() {
        let known = vec![point("g.1", 10), point("g.2", 20)];
        let seen = Seen(BTreeMap::from([("v".to_owned(), known)]));
        assert!(seen.older_than("v", &point("g.3", 30)));
        assert!(seen.older_than("v", &point("newest", 30)));
        assert!(
            seen.older_than("v", &point("g.3", 20)),
            "a clock that stands still"
        );
        assert!(!seen.older_than("v", &point("g.2", 20)), "the very same");
        assert!(!seen.older_than("v", &point("g.1", 10)), "one before it");
        assert!(
            !seen.older_than("v", &point("g.9", 15)),
            "an older one by another name"
        );
        assert!(seen.older_than("new", &point("g.1", 10)));
    }
}
