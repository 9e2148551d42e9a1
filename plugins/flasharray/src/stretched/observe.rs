//! What both arrays say of stretched volumes. A few requests for any number of them.

use std::collections::BTreeMap;

use springform_sdk::interfaces::replication::{
    Link, LinkState, Observation, Protection, RecoveryPoint, Role,
};
use springform_sdk::types::{Context, Failure, ReplicationKind, Volume};

use crate::array::Array;
use crate::arrays::Arrays;
use crate::names;
use crate::pod::{self, Pod, Side, Status};
use crate::volume::array_name;

/// One pod as seen from the array which serves.
struct View {
    here: Status,
    problems: Vec<String>,
    present: BTreeMap<String, Option<String>>,
    link: Option<Link>,
    /// The other array serves a pod of this name too, and does not count this one in.
    split: Option<String>,
}

/// One observation for each volume, in order.
///
/// # Errors
/// None for arrays that cannot be reached: that is an observation too.
pub fn observe(
    context: &Context,
    arrays: &Arrays<'_>,
    volumes: &[Volume],
) -> Result<Vec<Observation>, Failure> {
    let mut views: BTreeMap<(String, String), Result<View, Failure>> = BTreeMap::new();
    for volume in volumes {
        if let Some(key) = key(volume)
            && !views.contains_key(&key)
        {
            let view = arrays
                .named(&key.0)
                .and_then(|on| look(context, arrays, &on, &key.1));
            views.insert(key, view);
        }
    }
    // The other array of a pod whose first cannot be asked knows what it has.
    let mut beyond: BTreeMap<&(String, String), Link> = BTreeMap::new();
    for (key, view) in &views {
        if view.is_err()
            && let Some(link) = from_beyond(context, arrays, &key.0, &key.1)
        {
            beyond.insert(key, link);
        }
    }
    Ok(volumes
        .iter()
        .map(|volume| {
            let key = key(volume);
            let view = key.as_ref().and_then(|key| views.get(key));
            let mut seen = judge(volume, view);
            if let Some(link) = key.as_ref().and_then(|key| beyond.get(key)) {
                seen.links.push(link.clone());
            }
            seen
        })
        .collect())
}

/// What the other array says of its side of a pod; none where it cannot be asked, or has none.
fn from_beyond(context: &Context, arrays: &Arrays<'_>, serving: &str, pod: &str) -> Option<Link> {
    let partner = arrays.partner(serving).filter(|p| p.target().reachable)?;
    let own_name = pod::own_name(&partner).ok()?;
    let seen = pod::read(&partner, pod)
        .ok()?
        .filter(|pod| !pod.destroyed)?;
    let side = seen.side(&own_name)?;
    let taken_at = match side.status {
        Status::Online => Some(context.now),
        _ => side.frozen_at,
    };
    Some(Link {
        target: partner.name().to_owned(),
        kind: ReplicationKind::Sync,
        state: LinkState::Down,
        last_point: taken_at.map(|taken_at| RecoveryPoint {
            id: pod.to_owned(),
            taken_at,
        }),
        interval_seconds: None,
        lag_bytes: None,
        percent: None,
        detail: Some(format!("pod {pod} is {} there", side.status.word())),
    })
}

fn key(volume: &Volume) -> Option<(String, String)> {
    let placement = volume.placement.as_ref()?;
    let pod = names::pod_of(&placement.array_name)?;
    Some((placement.target.clone(), pod.to_owned()))
}

fn look(
    context: &Context,
    arrays: &Arrays<'_>,
    on: &Array<'_>,
    pod: &str,
) -> Result<View, Failure> {
    let own_name = pod::own_name(on)?;
    let seen = pod::need(on, pod)?;
    let here = seen.status(&own_name);
    let mut problems = Vec::new();
    for side in seen.sides.iter().filter(|s| s.without_mediator) {
        problems.push(format!("{} cannot reach the mediator", side.array));
    }
    let partner = arrays.partner(on.name());
    let link = match (seen.beyond(&own_name), &partner) {
        (Some(far), Some(partner)) => Some(link(context, partner.name(), pod, here, far)),
        _ => None,
    };
    let split = partner
        .filter(|p| p.target().reachable && here == Status::Online && !seen.in_sync())
        .filter(|p| serves_alone(p, pod, &own_name))
        .map(|p| p.name().to_owned());
    Ok(View {
        here,
        problems,
        present: pod::volumes(on, pod)?,
        link,
        split,
    })
}

/// Whether an array serves its pod of this name and does not believe that the other array does.
fn serves_alone(array: &Array<'_>, pod: &str, other: &str) -> bool {
    let seen = || -> Result<Option<(String, Pod)>, Failure> {
        let Some(seen) = pod::read(array, pod)? else {
            return Ok(None);
        };
        Ok(Some((pod::own_name(array)?, seen)))
    };
    let Ok(Some((own_name, seen))) = seen() else {
        return false;
    };
    !seen.destroyed
        && seen.status(&own_name) == Status::Online
        && !matches!(seen.status(other), Status::Online | Status::Resyncing)
}

fn link(context: &Context, target: &str, pod: &str, here: Status, far: &Side) -> Link {
    let state = match (here, far.status) {
        (Status::Online, Status::Online) => LinkState::Healthy,
        (_, Status::Resyncing) | (Status::Resyncing, _) => LinkState::Resyncing,
        (_, Status::Offline | Status::Unknown | Status::Online) => LinkState::Down,
    };
    let taken_at = match state {
        LinkState::Healthy => Some(context.now),
        _ => far.frozen_at,
    };
    Link {
        target: target.to_owned(),
        kind: ReplicationKind::Sync,
        last_point: taken_at.map(|taken_at| RecoveryPoint {
            id: pod.to_owned(),
            taken_at,
        }),
        interval_seconds: None,
        lag_bytes: (state == LinkState::Healthy).then_some(0),
        percent: far.percent.filter(|_| state == LinkState::Resyncing),
        detail: Some(format!("pod {pod} is {} there", far.status.word())),
        state,
    }
}

fn judge(volume: &Volume, view: Option<&Result<View, Failure>>) -> Observation {
    let mut seen = Observation {
        volume_id: volume.id.clone(),
        target: None,
        role: Role::Unknown,
        protection: Protection::Unknown,
        links: Vec::new(),
        stale_writable: Vec::new(),
        tests: Vec::new(),
        problems: Vec::new(),
    };
    let (Some(placement), Some(view)) = (&volume.placement, view) else {
        seen.problems
            .push("the volume has not been created".to_owned());
        return seen;
    };
    let view = match view {
        Ok(view) => view,
        Err(failure) => {
            seen.problems
                .push(format!("{}: {}", placement.target, failure.message));
            return seen;
        }
    };
    let name = array_name(volume);
    if !view.present.contains_key(&name) {
        seen.problems
            .push(format!("{name} is not on {}", placement.target));
        return seen;
    }
    seen.target = Some(placement.target.clone());
    seen.problems.clone_from(&view.problems);
    seen.links.extend(view.link.clone());
    if let Some(other) = &view.split {
        seen.role = Role::SplitBrain;
        seen.protection = Protection::Unprotected;
        seen.stale_writable.push(other.clone());
        return seen;
    }
    let far = view.link.as_ref().map(|l| &l.state);
    (seen.role, seen.protection) = match (view.here, far) {
        (Status::Online, Some(LinkState::Healthy)) => (Role::Both, Protection::Protected),
        (Status::Online, Some(LinkState::Resyncing)) => (Role::Primary, Protection::Initialising),
        // The promise of a stretched volume is that nothing is lost; it does not hold now.
        (Status::Online, Some(_)) => (Role::Primary, Protection::RpoExceeded),
        (Status::Online, None) => (Role::Primary, Protection::Unprotected),
        (Status::Offline | Status::Resyncing, _) => (Role::Secondary, Protection::Unprotected),
        (Status::Unknown, _) => (Role::Unknown, Protection::Unknown),
    };
    if view.here != Status::Online {
        seen.problems.push(format!(
            "pod is {} on {}, which is to serve the volume; fail over to the other array if it is online there",
            view.here.word(),
            placement.target
        ));
    }
    seen
}
