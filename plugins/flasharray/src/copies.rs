//! What a target has of volumes that a group sends it: of each volume the newest complete point that holds it.

use std::collections::BTreeSet;

use springform_sdk::interfaces::replication::RecoveryPoint;
use springform_sdk::types::Failure;

use crate::array::Array;
use crate::pgroup::Arrival;
use crate::plan::{Contents, contents};
use crate::query::Query;
use crate::{names, pgroup};

/// Points that are read as a whole before volumes are asked for by name.
const WHOLE: usize = 4;
/// Volumes that one filter names: its URL stays below 4 KiB.
const NAMED: usize = 32;

/// A complete point on a target, and what it holds.
pub struct Point {
    /// When it was taken.
    pub at: RecoveryPoint,
    /// Volumes without their pod.
    pub holds: Contents,
}

impl Point {
    /// Bytes of a volume in it, where the array tells; none where it is not in it.
    #[must_use]
    pub fn size(&self, name: &str) -> Option<Option<u64>> {
        self.holds.get(names::without_pod(name)).copied()
    }
}

/// What one target has.
pub struct Copies {
    /// The newest complete point first; of volumes that are not in the newest, those that hold them.
    points: Vec<Point>,
    /// Progress of a transfer under way, 0 to 100.
    pub percent: Option<u8>,
}

impl Copies {
    /// Asks a target for the copies of these volumes, by their names on the array.
    ///
    /// A volume that joined the group again, or left it for a move that was called off, is in none of the newest points: it
    /// is looked for in all of them.
    ///
    /// # Errors
    /// When the target cannot be asked.
    pub fn read<'n>(
        target: &Array<'_>,
        group_there: &str,
        volumes: impl Iterator<Item = &'n str>,
    ) -> Result<Self, Failure> {
        let arrivals = pgroup::arrivals(target, group_there)?;
        let under_way = arrivals.first().filter(|a| !a.complete);
        let percent = under_way.map(|a| u8::try_from(a.permille / 10).unwrap_or(100));
        let complete: Vec<_> = arrivals.into_iter().filter(|a| a.complete).collect();
        let mut missing: BTreeSet<&str> = volumes.map(names::without_pod).collect();
        let mut points: Vec<Point> = Vec::new();
        let newest = complete.first().map(|a| a.taken_at);
        for (index, arrival) in complete.iter().enumerate() {
            // Batches of a reprotection join the group while others send it: several points of one moment each lack some.
            let near = index < WHOLE || Some(arrival.taken_at) == newest;
            if !near || (missing.is_empty() && !points.is_empty()) {
                break;
            }
            let holds = contents(target, &arrival.name)?;
            missing.retain(|name| !holds.contains_key(*name));
            points.push(Point {
                at: recovery_point(arrival),
                holds,
            });
        }
        if complete.len() > points.len() {
            let missing: Vec<_> = missing.into_iter().collect();
            points.extend(older(target, group_there, &complete, &missing)?);
        }
        Ok(Self { points, percent })
    }

    /// Only the point that was asked for, if it is there and complete.
    ///
    /// # Errors
    /// When the target cannot be asked.
    pub fn at(target: &Array<'_>, group_there: &str, wanted: &str) -> Result<Self, Failure> {
        let arrivals = pgroup::arrivals(target, group_there)?;
        let found = arrivals.iter().find(|a| a.complete && a.name == wanted);
        let mut points = Vec::new();
        if let Some(arrival) = found {
            points.push(Point {
                at: recovery_point(arrival),
                holds: contents(target, &arrival.name)?,
            });
        }
        Ok(Self {
            points,
            percent: None,
        })
    }

    /// The newest point, whatever it holds.
    #[must_use]
    pub fn newest(&self) -> Option<&Point> {
        self.points.first()
    }

    /// The newest point that holds a volume.
    #[must_use]
    pub fn holding(&self, name: &str) -> Option<&Point> {
        self.points.iter().find(|point| point.size(name).is_some())
    }

    /// When that was taken.
    #[must_use]
    pub fn of(&self, name: &str) -> Option<RecoveryPoint> {
        self.holding(name).map(|point| point.at.clone())
    }
}

/// The points, newest first, that hold any of these volumes, each with no others than these.
fn older(
    target: &Array<'_>,
    group_there: &str,
    complete: &[Arrival],
    missing: &[&str],
) -> Result<Vec<Point>, Failure> {
    let mut points: Vec<Point> = complete
        .iter()
        .map(|arrival| Point {
            at: recovery_point(arrival),
            holds: Contents::new(),
        })
        .collect();
    for chunk in missing.chunks(NAMED) {
        let one = |name: &&str| format!("name='{group_there}.*.{name}'");
        let filter: Vec<_> = chunk.iter().map(one).collect();
        let query = Query::new().filter(&filter.join(" or "));
        let found = target
            .sizes("/volume-snapshots", &query)
            .map_err(pgroup::unexpected)?;
        for (snapshot, size) in found {
            let inside = points.iter_mut().find_map(|point| {
                let name = snapshot.strip_prefix(point.at.id.as_str())?;
                Some((point, name.strip_prefix('.')?))
            });
            if let Some((point, name)) = inside {
                point.holds.insert(name.to_owned(), size);
            }
        }
    }
    points.retain(|point| !point.holds.is_empty());
    Ok(points)
}

fn recovery_point(arrival: &Arrival) -> RecoveryPoint {
    RecoveryPoint {
        id: arrival.name.clone(),
        taken_at: arrival.taken_at,
    }
}
