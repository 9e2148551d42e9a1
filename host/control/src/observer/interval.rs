//! When to look again: seldom while all is well, often while something happens, less and less while nobody answers.

use std::time::Duration;

/// How often is looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PollInterval {
    /// While all is well.
    pub steady: Duration,
    /// While something happens.
    pub quick: Duration,
    /// At the most, while looking fails.
    pub longest: Duration,
}

/// What the last look came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PollOutcome {
    /// Looks that failed, one after the other.
    pub failures: u32,
    /// An operation of replication is open on the backend.
    pub busy: bool,
    /// A link is not in sync, a copy falls further behind, or an array must be fenced.
    pub unsettled: bool,
}

/// How much more often is looked while something happens.
const QUICKER: u32 = 6;
/// How much less often, at the most, while looking fails.
const SLOWER: u32 = 5;

impl PollInterval {
    /// A pace whose steady interval is `steady`; never quicker than a tenth of a second.
    #[must_use]
    pub fn steady(steady: Duration) -> Self {
        let least = Duration::from_millis(100);
        let steady = steady.max(least);
        Self {
            steady,
            quick: (steady / QUICKER).max(least),
            longest: steady * SLOWER,
        }
    }

    /// The pause until the next look.
    #[must_use]
    pub fn next(&self, mood: PollOutcome) -> Duration {
        match mood {
            PollOutcome { failures: 1.., .. } => {
                let doubled = 1_u32 << mood.failures.saturating_sub(1).min(16);
                self.quick.saturating_mul(doubled).min(self.longest)
            }
            PollOutcome { busy: true, .. }
            | PollOutcome {
                unsettled: true, ..
            } => self.quick,
            PollOutcome { .. } => self.steady,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(mood: PollOutcome) -> u64 {
        PollInterval::steady(Duration::from_secs(60))
            .next(mood)
            .as_secs()
    }

    #[test]
    fn it_is_looked_seldom_while_all_is_well_and_often_while_something_happens() {
        let well = PollOutcome::default();
        assert_eq!(seconds(well), 60);
        assert_eq!(seconds(PollOutcome { busy: true, ..well }), 10);
        assert_eq!(
            seconds(PollOutcome {
                unsettled: true,
                ..well
            }),
            10
        );
    }

    #[test]
    fn it_is_looked_less_and_less_while_looking_fails_whatever_else_happens() {
        let failing = |failures| PollOutcome {
            failures,
            busy: true,
            unsettled: true,
        };
        let pauses: Vec<u64> = (1..9).map(|f| seconds(failing(f))).collect();
        assert_eq!(pauses, [10, 20, 40, 80, 160, 300, 300, 300]);
        assert_eq!(seconds(failing(u32::MAX)), 300);
    }
}
