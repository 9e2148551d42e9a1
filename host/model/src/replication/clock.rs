//! Whether the age of a copy can be told: arrays date their copies by their own clocks.

use std::collections::BTreeMap;

use super::lag;
use crate::contract::{ClockSkew, RecoveryPoint};
use crate::time::Timestamp;

/// Why nobody can tell the age of these points, each on its target; none where it can be told. The array that serves dates
/// them. A clock that was never compared is judged by what it dates: no copy is of the future.
pub fn disagreement<'a>(
    clocks: &BTreeMap<String, ClockSkew>,
    serving: Option<&'a str>,
    points: impl Iterator<Item = (&'a str, Option<&'a RecoveryPoint>)> + Clone,
    now: Timestamp,
) -> Option<String> {
    let named = serving
        .into_iter()
        .chain(points.clone().map(|(target, _)| target));
    for name in named {
        if let Some(clock) = clocks.get(name).filter(|clock| !clock.within_bound()) {
            return Some(format!(
                "the clock of {name} is {} this host's: how old its copies are is unknown",
                clock.in_words()
            ));
        }
    }
    if serving.is_none_or(|source| clocks.contains_key(source)) {
        return None;
    }
    let mut points = points;
    let future = |point: &RecoveryPoint| lag::age(point.taken_at, now).is_none();
    let (target, _) = points.find(|(_, point)| point.is_some_and(future))?;
    Some(format!(
        "the newest copy on {target} is dated later than this host's clock says it is: how old it is is unknown"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000_000);

    fn said(skew: &[(&str, i64)], ahead_seconds: u64) -> Option<String> {
        let clock = |seconds| ClockSkew {
            seconds,
            measured_at: NOW,
        };
        let clocks = skew.iter().map(|(name, s)| ((*name).to_owned(), clock(*s)));
        let point = RecoveryPoint {
            id: "p".into(),
            taken_at: NOW.as_millis() + ahead_seconds * 1000,
        };
        let points = [("sec2", Some(&point))];
        disagreement(&clocks.collect(), Some("pure1"), points.into_iter(), NOW)
    }

    #[test]
    fn a_clock_beyond_the_bound_is_named_whichever_array_has_it() {
        for (name, skew) in [("pure1", 172_800), ("sec2", -172_800)] {
            let said = said(&[(name, skew)], 0);
            assert!(said.is_some_and(|s| s.contains(name) && s.contains("2 days")));
        }
        assert_eq!(said(&[("pure1", 60), ("sec2", -60)], 0), None);
    }

    #[test]
    fn a_copy_of_the_future_is_doubted_where_nobody_compared_the_clock_that_dated_it() {
        assert_eq!(said(&[], 60), None);
        assert!(said(&[], 90).is_some_and(|s| s.contains("dated later")));
        assert_eq!(
            said(&[("pure1", 0)], 90),
            None,
            "it was compared and agrees"
        );
    }
}
