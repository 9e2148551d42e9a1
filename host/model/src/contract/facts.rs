//! What the host finds out about arrays by itself, whatever their driver says.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// Clocks that are further apart than this make every age unknown, seconds. The shortest schedule of an array is five
/// minutes: within a minute a copy is not called late that is in time.
pub const CLOCK_BOUND_SECONDS: u64 = 60;

/// One array's clock against this host's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockSkew {
    /// How far the array is ahead at least, seconds; negative where it is behind.
    pub seconds: i64,
    /// When it was measured, by this host's clock.
    pub measured_at: Timestamp,
}

impl ClockSkew {
    /// What an array's `Date` of whole seconds says that came with an answer between these moments of our own.
    #[must_use]
    pub fn measured(date: Timestamp, asked: Timestamp, answered: Timestamp) -> Self {
        // The array wrote the date somewhere in between, and up to a second after it.
        let least = date.0.saturating_sub(answered.0);
        let most = date.0.saturating_add(1_000_000).saturating_sub(asked.0);
        let micros = if least > 0 { least } else { most.min(0) };
        Self {
            seconds: micros / 1_000_000,
            measured_at: answered,
        }
    }

    /// Whether the ages of what this array dated can be told.
    #[must_use]
    pub fn within_bound(&self) -> bool {
        self.seconds.unsigned_abs() <= CLOCK_BOUND_SECONDS
    }

    /// `2 days ahead of`, for a sentence.
    #[must_use]
    pub fn in_words(&self) -> String {
        let seconds = self.seconds.unsigned_abs();
        let (count, unit) = match seconds {
            0..=119 => (seconds, "seconds"),
            120..=7199 => (seconds / 60, "minutes"),
            7200..=172_799 => (seconds / 3600, "hours"),
            _ => (seconds / 86_400, "days"),
        };
        let side = if self.seconds < 0 {
            "behind"
        } else {
            "ahead of"
        };
        format!("{count} {unit} {side}")
    }
}

/// What the host knows of a target without its driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetFacts {
    /// Target.
    pub target: String,
    /// Why whoever answers at its address is not believed to be the array; none while it is, or while nobody answers.
    pub distrust: Option<String>,
    /// Its clock; none before it answered with a date.
    pub clock: Option<ClockSkew>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    fn skew(date: i64, asked: i64, answered: i64) -> i64 {
        let at = |seconds: i64| Timestamp(seconds * SECOND);
        ClockSkew::measured(at(date), at(asked), at(answered)).seconds
    }

    #[test]
    fn what_an_answer_took_is_never_counted_as_skew() {
        assert_eq!(skew(1000, 1000, 1000), 0);
        assert_eq!(skew(1000, 1000, 1030), 0, "it may have been dated at once");
        assert_eq!(skew(1030, 1000, 1030), 0, "or at the end");
        assert_eq!(skew(1100, 1000, 1030), 70, "ahead by this at least");
        assert_eq!(skew(900, 1000, 1030), -99, "behind by this at least");
        assert_eq!(skew(1000 + 172_800, 1000, 1001), 172_799);
    }

    #[test]
    fn a_minute_is_within_the_bound_and_more_is_not() {
        let of = |seconds| ClockSkew {
            seconds,
            measured_at: Timestamp(0),
        };
        assert!(of(60).within_bound() && of(-60).within_bound());
        assert!(!of(61).within_bound() && !of(-61).within_bound());
        assert_eq!(of(-172_800).in_words(), "2 days behind");
        assert_eq!(of(90).in_words(), "90 seconds ahead of");
    }
}
