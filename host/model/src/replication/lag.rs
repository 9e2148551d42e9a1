//! How far behind a copy is, and from when that is alarming.

use serde::{Deserialize, Serialize};

use crate::contract::{CLOCK_BOUND_SECONDS, Link, LinkState, ReplicationKind};
use crate::time::Timestamp;

/// From this ratio of lag to schedule on, an operator should look.
pub const WARN_ABOVE_PERMILLE: u64 = 2000;
/// From this ratio on, the copy is not what was promised.
pub const CRITICAL_FROM_PERMILLE: u64 = 3000;

/// How alarming a lag is.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Within the schedule.
    #[default]
    Fine,
    /// Over twice the schedule.
    Warning,
    /// Three times the schedule, or no copy at all.
    Critical,
}

impl Severity {
    /// How alarming this ratio of lag to schedule is, thousandths.
    #[must_use]
    pub fn of(permille: u64) -> Self {
        match permille {
            CRITICAL_FROM_PERMILLE.. => Self::Critical,
            ratio if ratio > WARN_ABOVE_PERMILLE => Self::Warning,
            _ => Self::Fine,
        }
    }

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// As a number for metrics: 0, 1, 2.
    #[must_use]
    pub fn rank(self) -> i64 {
        match self {
            Self::Fine => 0,
            Self::Warning => 1,
            Self::Critical => 2,
        }
    }
}

/// The lag of one link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lag {
    /// Seconds since the newest complete point; none where there is none, or nobody knows.
    pub seconds: Option<u64>,
    /// Lag over schedule, in thousandths; none where either is unknown.
    pub ratio_permille: Option<u64>,
    /// How alarming.
    pub severity: Severity,
}

/// Seconds since a point was taken, milliseconds since the epoch; none where it lies in the future, beyond what clocks may
/// differ by: then nobody knows.
#[must_use]
pub fn age(taken_at: u64, now: Timestamp) -> Option<u64> {
    let ahead = taken_at.saturating_sub(now.as_millis()) / 1000;
    (ahead <= CLOCK_BOUND_SECONDS).then(|| now.as_millis().saturating_sub(taken_at) / 1000)
}

/// The lag of a link at a point in time.
#[must_use]
pub fn of(link: &Link, now: Timestamp) -> Lag {
    if link.kind == ReplicationKind::Sync && link.state == LinkState::Healthy {
        return Lag {
            seconds: Some(0),
            ratio_permille: Some(0),
            severity: Severity::Fine,
        };
    }
    let seconds = link.last_point.as_ref().and_then(|p| age(p.taken_at, now));
    let ratio_permille = match (seconds, link.interval_seconds) {
        (Some(seconds), Some(interval)) if interval > 0 => {
            Some(seconds.saturating_mul(1000) / interval)
        }
        _ => None,
    };
    let severity = match ratio_permille {
        Some(ratio) => Severity::of(ratio),
        None if link.state == LinkState::Down => Severity::Critical,
        None if link.state == LinkState::Resyncing => Severity::Warning,
        None => Severity::Fine,
    };
    Lag {
        seconds,
        ratio_permille,
        severity,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::RecoveryPoint;

    fn lag(seconds: u64) -> Severity {
        let now = Timestamp::from_millis(10_000_000);
        let link = Link {
            target: "pure2".into(),
            kind: ReplicationKind::Async,
            state: LinkState::Healthy,
            last_point: Some(RecoveryPoint {
                id: "p".into(),
                taken_at: 10_000_000 - seconds * 1000,
            }),
            interval_seconds: Some(100),
            lag_bytes: None,
            percent: None,
            detail: None,
        };
        of(&link, now).severity
    }

    #[test]
    fn a_lag_over_twice_the_schedule_warns_and_one_of_three_times_is_critical() {
        assert_eq!(lag(200), Severity::Fine);
        assert_eq!(lag(201), Severity::Warning);
        assert_eq!(lag(299), Severity::Warning);
        assert_eq!(lag(300), Severity::Critical);
    }
}
