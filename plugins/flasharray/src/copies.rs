//! What a target has of volumes that a group sends it: of each volume the newest complete point that holds it.

use std::collections::BTreeSet;

use springform_sdk::interfaces::replication::RecoveryPoint;
use springform_sdk::types::Failure;

use crate::array::Array;
use crate::{names, pgroup, plan};

/// Points that are searched for a volume: one that joined the group since, or again, is in none of the newest.
const SEARCHED: usize = 4;

/// What one target has.
pub struct Copies {
    points: Vec<(RecoveryPoint, plan::Contents)>,
    /// Progress of a transfer under way, 0 to 100.
    pub percent: Option<u8>,
}

impl Copies {
    /// Asks a target for the copies of these volumes, by their names on the array.
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
        let mut missing: BTreeSet<&str> = volumes.map(names::without_pod).collect();
        let mut points = Vec::new();
        for arrival in arrivals.into_iter().filter(|a| a.complete).take(SEARCHED) {
            if missing.is_empty() {
                break;
            }
            let holds = plan::contents(target, &arrival.name)?;
            missing.retain(|name| !holds.contains_key(*name));
            let point = RecoveryPoint {
                id: arrival.name,
                taken_at: arrival.taken_at,
            };
            points.push((point, holds));
        }
        Ok(Self { points, percent })
    }

    /// The newest point that holds a volume.
    #[must_use]
    pub fn of(&self, name: &str) -> Option<RecoveryPoint> {
        let bare = names::without_pod(name);
        let holding = self
            .points
            .iter()
            .find(|(_, holds)| holds.contains_key(bare));
        holding.map(|(point, _)| point.clone())
    }
}
