//! What may be said of *now* from what was observed then. An age grows by itself; what an operation changed since, and what
//! could not be looked at again in time, is unknown.

use std::time::Duration;

use springform_model::contract::{LinkState, Protection};
use springform_model::replication::lag::{self, Severity};
use springform_model::time::Timestamp;

use super::tally::{Tally, TargetTally, Watched};

/// After so many intervals without a look nothing is said of now any more: while all is well there is one in each.
const INTERVALS: u32 = 3;

/// What an observation is held against.
#[derive(Debug, Clone, Copy)]
pub struct Since {
    /// When an operation of replication ended last on the backend.
    pub ended: Option<Timestamp>,
    /// How often it is observed while all is well.
    pub interval: Duration,
}

/// Why what was observed is not what is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outdated {
    /// Nothing was observed yet.
    Never,
    /// An operation has ended since.
    Changed,
    /// It could not be observed again.
    Old,
}

impl Watched {
    /// Why this is not known to be so now; none where it is.
    #[must_use]
    pub fn outdated(&self, now: Timestamp, since: Since) -> Option<Outdated> {
        let Some(at) = self.at else {
            return Some(Outdated::Never);
        };
        let patience = since.interval.saturating_mul(INTERVALS).as_secs().max(1);
        if since.ended.is_some_and(|ended| at < ended) {
            Some(Outdated::Changed)
        } else if self.failures > 0 || now.seconds_since(at) > patience {
            Some(Outdated::Old)
        } else {
            None
        }
    }

    /// What is known now.
    #[must_use]
    pub fn as_of(&self, now: Timestamp, since: Since) -> Tally {
        let mut tally = self.tally.clone();
        let outdated = self.outdated(now, since);
        if outdated.is_some() {
            let unknown = Protection::Unknown.as_str().to_owned();
            tally.protection = match tally.volumes {
                0 => tally.protection,
                volumes => [(unknown, volumes)].into(),
            };
        }
        for target in tally.targets.values_mut() {
            target.bring_up_to(now, outdated, self.at);
        }
        tally
    }
}

impl TargetTally {
    fn bring_up_to(&mut self, now: Timestamp, outdated: Option<Outdated>, at: Option<Timestamp>) {
        if outdated.is_some() {
            let volumes: u64 = self.links.values().sum();
            if volumes > 0 {
                let unknown = LinkState::Unknown;
                self.links = [(unknown.as_str().to_owned(), volumes)].into();
                self.worst = Some(unknown);
            }
        }
        if outdated == Some(Outdated::Changed) {
            // The copies may lie the other way now.
            self.lag_seconds = None;
            self.ratio_permille = None;
            self.severity = Severity::Fine;
            return;
        }
        let grown = self.oldest_point.and_then(|point| lag::age(point, now));
        self.lag_seconds = self.lag_seconds.max(grown);
        if outdated.is_some() && self.lag_seconds == Some(0) {
            // It was in step when it was seen, and that is all that is known.
            self.lag_seconds = at.map(|at| now.seconds_since(at));
        }
        let ratio = self.latest_for.and_then(|(point, interval)| {
            let age = lag::age(point, now)?;
            age.saturating_mul(1000).checked_div(interval)
        });
        self.ratio_permille = self.ratio_permille.max(ratio);
        if let Some(ratio) = self.ratio_permille {
            self.severity = self.severity.max(Severity::of(ratio));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000_000);
    const MINUTE: Duration = Duration::from_secs(60);

    fn later(seconds: i64) -> Timestamp {
        NOW.plus_micros(seconds * 1_000_000)
    }

    fn since(ended: Option<Timestamp>) -> Since {
        Since {
            ended,
            interval: MINUTE,
        }
    }

    /// Ten volumes whose points are 100 s old, on a schedule of 300 s.
    fn watched() -> Watched {
        let taken = NOW.as_millis() - 100_000;
        let target = TargetTally {
            links: [("healthy".to_owned(), 10)].into(),
            worst: Some(LinkState::Healthy),
            lag_seconds: Some(100),
            ratio_permille: Some(333),
            oldest_point: Some(taken),
            latest_for: Some((taken, 300)),
            ..TargetTally::default()
        };
        Watched {
            backend: "pure1".to_owned(),
            at: Some(NOW),
            tally: Tally {
                volumes: 10,
                protection: [("protected".to_owned(), 10)].into(),
                targets: [("sec2".to_owned(), target)].into(),
                ..Tally::default()
            },
            ..Watched::default()
        }
    }

    fn of(tally: &Tally) -> (u64, u64, Option<u64>, Severity) {
        let target = &tally.targets["sec2"];
        (
            tally.protected_as(&Protection::Protected),
            tally.protected_as(&Protection::Unknown),
            target.lag_seconds,
            target.severity,
        )
    }

    #[test]
    fn a_lag_grows_between_two_looks() {
        let tally = watched().as_of(later(50), since(None));
        assert_eq!(of(&tally), (10, 0, Some(150), Severity::Fine));
    }

    #[test]
    fn what_could_not_be_looked_at_again_is_unknown_and_its_lag_grows_on() {
        let mut failing = watched();
        failing.failures = 1;
        let tally = failing.as_of(later(50), since(None));
        assert_eq!(of(&tally), (0, 10, Some(150), Severity::Fine));
        assert_eq!(
            tally.targets["sec2"].links,
            [("unknown".to_owned(), 10)].into()
        );
        let old = watched();
        assert_eq!(old.outdated(later(180), since(None)), None);
        assert_eq!(old.outdated(later(181), since(None)), Some(Outdated::Old));
        let tally = old.as_of(later(800), since(None));
        assert_eq!(of(&tally), (0, 10, Some(900), Severity::Critical));
    }

    #[test]
    fn what_was_in_step_when_nobody_could_look_any_more_is_behind_from_then_on() {
        let mut failing = watched();
        failing.failures = 1;
        let target = failing.tally.targets.get_mut("sec2");
        if let Some(target) = target {
            *target = TargetTally {
                lag_seconds: Some(0),
                links: target.links.clone(),
                ..TargetTally::default()
            };
        }
        let tally = failing.as_of(later(70), since(None));
        assert_eq!(of(&tally).2, Some(70));
    }

    #[test]
    fn what_was_seen_before_an_operation_ended_says_nothing_of_what_it_left() {
        let seen = watched();
        let tally = seen.as_of(later(3), since(Some(later(2))));
        assert_eq!(of(&tally), (0, 10, None, Severity::Fine));
        assert_eq!(seen.outdated(later(3), since(Some(NOW))), None);
        assert_eq!(
            Watched::default().outdated(NOW, since(None)),
            Some(Outdated::Never)
        );
    }
}
