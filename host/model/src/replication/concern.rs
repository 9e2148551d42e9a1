//! What is not well with one volume's replication, in the operator's words; nothing where it is as it shall be.

use super::evidence;
use super::lag::{self, Severity};
use super::relation::{DebtState, Observed, Phase, Relation};
use crate::contract::{Link, LinkState, Protection, Role};
use crate::time::Timestamp;

/// Everything an operator should look at, the worst first; its copies only where it shall have some. `now` is what lags are
/// counted to.
///
/// A drill that is open is no concern, nor is a link that somebody paused.
#[must_use]
pub fn of(relation: &Relation, replicated: bool, now: Timestamp) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(newer) = relation.overtaken() {
        found.push(format!(
            "{}: nothing is changed on any array until `springform reconcile --backend {} --adopt`",
            evidence::words(newer),
            relation.backend
        ));
    }
    match &relation.phase {
        Phase::Settled => {}
        Phase::Moving(to) => found.push(format!("on its way to {}", to.to)),
        Phase::Stranded(to) => found.push(format!(
            "stopped on its way to {}: fail it over again, there or elsewhere",
            to.to
        )),
    }
    let current = relation.current();
    if let Some(Observed { what, .. }) = current {
        if what.role == Role::SplitBrain {
            found.push("written on two arrays".to_owned());
        }
        let writable = what.stale_writable.iter();
        found.extend(writable.map(|target| format!("can still be written on {target}")));
    }
    for debt in &relation.debts {
        found.push(match debt.state {
            DebtState::Owed => format!("{} was left behind and is not fenced yet", debt.target),
            DebtState::Fenced => format!("{} was left behind: reprotect or fail back", debt.target),
            DebtState::WrittenOff => format!("{} was left behind and never fenced", debt.target),
        });
    }
    if !replicated {
        return found;
    }
    match current {
        None if relation.observed.is_some() => {
            found.push("its copies have not been looked at since its last move began".to_owned());
        }
        None => found.push("its copies have not been looked at yet".to_owned()),
        Some(Observed { what, clock, .. }) => {
            found.extend(protection(&what.protection));
            // Without a common clock nobody can say that a copy is late, only that a link is not as it shall be.
            let now = if clock.is_some() { Timestamp(0) } else { now };
            found.extend(what.links.iter().filter_map(|link| behind(link, now)));
            found.extend(clock.clone());
            found.extend(what.problems.iter().cloned());
        }
    }
    found
}

fn protection(state: &Protection) -> Option<String> {
    match state {
        Protection::Protected | Protection::TestActive => None,
        Protection::Unprotected => Some("has no copy".to_owned()),
        Protection::Initialising => Some("its first copy is under way".to_owned()),
        Protection::RpoExceeded => Some("its copies are older than promised".to_owned()),
        Protection::Unknown => Some("nothing is known of its copies".to_owned()),
        Protection::Other(word) => Some(word.clone()),
    }
}

/// A link that is not as it shall be, or a copy that is late.
fn behind(link: &Link, now: Timestamp) -> Option<String> {
    let lag = lag::of(link, now);
    let late = match (lag.severity, lag.ratio_permille) {
        (Severity::Fine, _) | (_, None) => None,
        (_, Some(ratio)) => Some(format!(
            "{}.{} times the schedule behind",
            ratio / 1000,
            ratio % 1000 / 100
        )),
    };
    match (&link.state, late) {
        (LinkState::Healthy | LinkState::Paused, None) => None,
        (LinkState::Healthy | LinkState::Paused, Some(late)) => {
            Some(format!("{} is {late}", link.target))
        }
        (state, None) => Some(format!("the link to {} is {}", link.target, state.as_str())),
        (state, Some(late)) => Some(format!(
            "the link to {} is {}, {late}",
            link.target,
            state.as_str()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{FailoverMode, Observation, RecoveryPoint, ReplicationKind};
    use crate::replication::relation::{Debt, Event};

    const NOW: Timestamp = Timestamp(1_700_000_000_000_000);

    fn seen(protection: Protection, state: LinkState, behind: u64) -> Observation {
        Observation {
            volume_id: "v".into(),
            target: Some("pure1".into()),
            role: Role::Primary,
            protection,
            links: vec![Link {
                target: "sec2".into(),
                kind: ReplicationKind::Async,
                state,
                last_point: Some(RecoveryPoint {
                    id: "p".into(),
                    taken_at: NOW.as_millis() - behind * 1000,
                }),
                interval_seconds: Some(100),
                lag_bytes: None,
                percent: None,
                detail: None,
            }],
            stale_writable: Vec::new(),
            tests: Vec::new(),
            problems: Vec::new(),
        }
    }

    fn relation(observation: Option<Observation>) -> Relation {
        let mut relation = Relation::new("v", "pure1", "pure1", 0, true);
        relation.observed = observation.map(|what| Observed {
            at: NOW,
            what,
            generation: 0,
            points: std::collections::BTreeMap::new(),
            clock: None,
        });
        relation
    }

    #[test]
    fn a_volume_with_a_copy_in_time_concerns_nobody() {
        let well = seen(Protection::Protected, LinkState::Healthy, 60);
        assert_eq!(of(&relation(Some(well)), true, NOW), Vec::<String>::new());
        let paused = seen(Protection::Protected, LinkState::Paused, 60);
        assert_eq!(of(&relation(Some(paused)), true, NOW), Vec::<String>::new());
    }

    #[test]
    fn what_nobody_has_looked_at_is_not_said_to_be_well() {
        assert_eq!(
            of(&relation(None), true, NOW),
            ["its copies have not been looked at yet"]
        );
    }

    #[test]
    fn a_late_copy_and_a_broken_link_are_named_with_their_target() {
        let late = seen(Protection::RpoExceeded, LinkState::Healthy, 320);
        assert_eq!(
            of(&relation(Some(late)), true, NOW),
            [
                "its copies are older than promised",
                "sec2 is 3.2 times the schedule behind"
            ]
        );
        let down = seen(Protection::Unprotected, LinkState::Down, 50);
        assert_eq!(
            of(&relation(Some(down)), true, NOW),
            ["has no copy", "the link to sec2 is down"]
        );
    }

    #[test]
    fn clocks_that_disagree_are_named_and_no_copy_is_called_late() {
        let mut relation = relation(Some(seen(Protection::Unknown, LinkState::Healthy, 900)));
        let said = "the clock of pure1 is 2 days ahead of this host's".to_owned();
        if let Some(observed) = &mut relation.observed {
            observed.clock = Some(said.clone());
        }
        assert_eq!(
            of(&relation, true, NOW),
            ["nothing is known of its copies".to_owned(), said]
        );
    }

    #[test]
    fn what_was_seen_before_a_move_is_not_said_as_if_it_were_now() {
        let well = seen(Protection::Protected, LinkState::Healthy, 60);
        let mut relation = relation(Some(well));
        relation.generation = 1;
        assert_eq!(
            of(&relation, true, NOW),
            ["its copies have not been looked at since its last move began"]
        );
    }

    #[test]
    fn whoever_was_left_behind_is_named_until_it_was_overwritten() {
        let well = seen(Protection::Protected, LinkState::Healthy, 60);
        let mut relation = relation(Some(well));
        for (state, words) in [
            (
                DebtState::Owed,
                "pure1 was left behind and is not fenced yet",
            ),
            (
                DebtState::Fenced,
                "pure1 was left behind: reprotect or fail back",
            ),
            (
                DebtState::WrittenOff,
                "pure1 was left behind and never fenced",
            ),
        ] {
            relation.debts = vec![Debt {
                target: "pure1".into(),
                generation: 0,
                state,
                since: NOW,
            }];
            assert_eq!(of(&relation, true, NOW), [words]);
        }
    }

    #[test]
    fn a_move_says_where_to_and_one_that_stopped_says_what_to_do() {
        let well = seen(Protection::Protected, LinkState::Healthy, 60);
        let begin = Event::Begin {
            operation: "o".into(),
            to: "sec2".into(),
            mode: FailoverMode::Unplanned,
            expected: None,
            acknowledge: None,
            drill: None,
        };
        let moving = relation(Some(well)).step(begin, NOW).map(|(next, _)| next);
        let Ok(moving) = moving else {
            unreachable!("a settled relation can be moved")
        };
        assert!(of(&moving, true, NOW).contains(&"on its way to sec2".to_owned()));
        let failed = moving.step(Event::Failed("o".into()), NOW);
        let Ok((stranded, _)) = failed else {
            unreachable!("a moving relation can fail")
        };
        assert!(
            of(&stranded, true, NOW)
                .iter()
                .any(|said| said.starts_with("stopped on its way to sec2: fail it over again"))
        );
    }

    #[test]
    fn a_volume_that_shall_have_no_copy_is_not_said_to_lack_one() {
        let none = seen(Protection::Unprotected, LinkState::Unknown, 0);
        assert_eq!(of(&relation(Some(none)), false, NOW), Vec::<String>::new());
    }
}
