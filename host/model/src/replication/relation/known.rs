//! What is known of a volume's copies once it was looked at again: what an array cannot be asked now is what was known
//! before, and goes on growing old.

use super::{Observed, PointSeen, Relation};
use crate::contract::{Link, LinkState, Observation, Protection, ReplicationKind, Role};
use crate::time::Timestamp;

impl Relation {
    /// What was last seen, where it speaks of the relation as it is now.
    #[must_use]
    pub fn current(&self) -> Option<&Observed> {
        let seen = self.observed.as_ref()?;
        (seen.generation == self.generation).then_some(seen)
    }

    /// What was seen of the copies since the volume moved last: points from before lie the other way.
    fn since_it_moved(&self) -> Option<&Observed> {
        let seen = self.observed.as_ref()?;
        self.moved_at
            .is_none_or(|moved| seen.at > moved)
            .then_some(seen)
    }

    /// What is known now that this was seen.
    pub(super) fn learned(&self, mut what: Observation, now: Timestamp) -> Observed {
        let mut points = std::collections::BTreeMap::new();
        let speaker = what.target.clone();
        for link in what.links.iter().filter(|link| link.last_point.is_some()) {
            // A copy of a moment is counted where it lies; one that is kept in step, by the array that keeps it so.
            let source = match (&link.kind, &speaker) {
                (ReplicationKind::Sync, Some(serving)) => serving,
                _ => &link.target,
            };
            let source = source.clone();
            points.insert(link.target.clone(), PointSeen { source, at: now });
        }
        let before = self.since_it_moved();
        let known = before.into_iter().flat_map(|before| {
            let seen = |link: &&Link| link.last_point.is_some();
            before.what.links.iter().filter(seen).filter_map(|link| {
                let point = before.points.get(&link.target)?;
                Some((link, point))
            })
        });
        for (was, point) in known {
            if !cannot_tell(&what, &was.target) {
                continue;
            }
            match what.links.iter_mut().find(|l| l.target == was.target) {
                Some(link) => {
                    link.last_point.clone_from(&was.last_point);
                    link.interval_seconds = link.interval_seconds.or(was.interval_seconds);
                }
                None => what.links.push(Link {
                    state: LinkState::Unknown,
                    lag_bytes: None,
                    percent: None,
                    detail: None,
                    ..was.clone()
                }),
            }
            points.insert(was.target.clone(), point.clone());
        }
        Observed {
            at: now,
            what,
            generation: self.generation,
            points,
            clock: None,
        }
    }
}

/// Whether an observation leaves open which copy a target has.
fn cannot_tell(what: &Observation, target: &str) -> bool {
    match what.links.iter().find(|link| link.target == target) {
        Some(link) => {
            link.last_point.is_none() && matches!(link.state, LinkState::Down | LinkState::Unknown)
        }
        None => what.role == Role::Unknown && what.protection == Protection::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Event;
    use super::*;
    use crate::contract::RecoveryPoint;

    fn link(state: LinkState, taken_at: Option<u64>) -> Link {
        Link {
            target: "sec2".into(),
            kind: ReplicationKind::Async,
            state,
            last_point: taken_at.map(|taken_at| RecoveryPoint {
                id: "p".into(),
                taken_at,
            }),
            interval_seconds: Some(300),
            lag_bytes: None,
            percent: None,
            detail: None,
        }
    }

    fn observation(protection: Protection, links: Vec<Link>) -> Observation {
        let known = protection != Protection::Unknown;
        Observation {
            volume_id: "v".into(),
            target: known.then(|| "pure1".into()),
            role: if known { Role::Primary } else { Role::Unknown },
            protection,
            links,
            stale_writable: Vec::new(),
            tests: Vec::new(),
            problems: Vec::new(),
        }
    }

    fn well() -> Observation {
        observation(
            Protection::Protected,
            vec![link(LinkState::Healthy, Some(1000))],
        )
    }

    fn seen(relation: &Relation, what: Observation, at: i64) -> Relation {
        match relation.step(Event::Seen(what), Timestamp(at)) {
            Ok((next, _)) => next,
            Err(refusal) => unreachable!("an observation is never refused: {refusal}"),
        }
    }

    fn points(relation: &Relation) -> Vec<(LinkState, Option<u64>, i64)> {
        let Some(seen) = relation.current() else {
            return Vec::new();
        };
        let links = seen.what.links.iter();
        links
            .map(|l| {
                let at = seen.points.get(&l.target).map_or(0, |p| p.at.0);
                (
                    l.state.clone(),
                    l.last_point.as_ref().map(|p| p.taken_at),
                    at,
                )
            })
            .collect()
    }

    #[test]
    fn the_last_point_of_an_array_that_cannot_be_asked_stays_known_with_the_time_of_whoever_knew() {
        let new = Relation::new("v", "pure1", "pure1", 0, true);
        let first = seen(&new, well(), 1);
        assert_eq!(points(&first), [(LinkState::Healthy, Some(1000), 1)]);
        // The target is dark; then both are.
        let dark = observation(Protection::Unknown, vec![link(LinkState::Down, None)]);
        let second = seen(&first, dark, 2);
        assert_eq!(points(&second), [(LinkState::Down, Some(1000), 1)]);
        let third = seen(&second, observation(Protection::Unknown, Vec::new()), 3);
        assert_eq!(points(&third), [(LinkState::Unknown, Some(1000), 1)]);
    }

    #[test]
    fn an_array_that_answers_and_has_no_copy_is_believed() {
        let new = Relation::new("v", "pure1", "pure1", 0, true);
        let first = seen(&new, well(), 1);
        for (protection, links) in [
            (
                Protection::Initialising,
                vec![link(LinkState::Healthy, None)],
            ),
            (Protection::Unprotected, Vec::new()),
        ] {
            let next = seen(&first, observation(protection, links.clone()), 2);
            let none: Vec<_> = links.iter().map(|l| (l.state.clone(), None, 0)).collect();
            assert_eq!(points(&next), none);
        }
    }

    #[test]
    fn what_was_seen_before_a_move_is_neither_current_nor_known_after_it() {
        let new = Relation::new("v", "pure1", "pure1", 0, true);
        let first = seen(&new, well(), 1);
        let begin = Event::Begin {
            operation: "o".into(),
            to: "sec2".into(),
            mode: crate::contract::FailoverMode::Unplanned,
            expected: None,
            acknowledge: None,
            drill: None,
        };
        let Ok((moving, _)) = first.step(begin, Timestamp(2)) else {
            unreachable!("it can be moved")
        };
        assert!(moving.current().is_none());
        let Ok((moved, _)) = moving.step(Event::Promoted("o".into()), Timestamp(3)) else {
            unreachable!("it was promoted")
        };
        assert!(moved.current().is_none());
        let after = seen(&moved, observation(Protection::Unknown, Vec::new()), 4);
        assert_eq!(points(&after), []);
    }

    #[test]
    fn a_volume_that_shall_have_no_copy_any_more_has_none() {
        let first = seen(&Relation::new("v", "pure1", "pure1", 0, true), well(), 1);
        let Ok((off, _)) = first.step(Event::Want(false), Timestamp(2)) else {
            unreachable!("replication can be switched off")
        };
        assert!(off.current().is_none());
        let Ok((same, _)) = first.step(Event::Want(true), Timestamp(2)) else {
            unreachable!("nothing changes")
        };
        assert!(same.current().is_some());
    }
}
