//! The order of one failover over many volumes, and until when it can be called off.

use serde::{Deserialize, Serialize};

use super::Refusal;
use crate::contract::FailoverMode;

/// Phases, in order. A planned failover passes all of them; an unplanned one has nothing to transfer and demotes last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The plan is made and checked against what it was made from.
    Planning,
    /// The last writes are transferred.
    FinalSync,
    /// The source gives its role up.
    Demoting,
    /// Batches take the role.
    Promoting,
    /// What is done once after all batches.
    Finishing,
    /// Sources that were left behind are fenced where they answer.
    Fencing,
    /// Records, announcements, connection information.
    Settling,
    /// Over.
    Done,
}

impl Phase {
    /// In order.
    pub const ALL: [Self; 8] = [
        Self::Planning,
        Self::FinalSync,
        Self::Demoting,
        Self::Promoting,
        Self::Finishing,
        Self::Fencing,
        Self::Settling,
        Self::Done,
    ];

    /// The word for it; also the name of its steps in the journal.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planning => "plan",
            Self::FinalSync => "final sync",
            Self::Demoting => "demote",
            Self::Promoting => "promote",
            Self::Finishing => "finish",
            Self::Fencing => "fence",
            Self::Settling => "settle",
            Self::Done => "done",
        }
    }

    /// The phase that follows.
    #[must_use]
    pub fn next(self, mode: &FailoverMode) -> Self {
        let planned = *mode == FailoverMode::Planned;
        match self {
            Self::Planning if planned => Self::FinalSync,
            Self::Planning | Self::Demoting => Self::Promoting,
            Self::FinalSync => Self::Demoting,
            Self::Promoting => Self::Finishing,
            // Planned: the source was demoted before. Unplanned: whatever was left behind comes last.
            Self::Finishing if planned => Self::Settling,
            Self::Finishing => Self::Fencing,
            Self::Fencing => Self::Settling,
            Self::Settling | Self::Done => Self::Done,
        }
    }

    /// Whether it can be called off here with nothing changed on any array.
    ///
    /// # Errors
    /// [`Refusal::TooLate`] with the reason.
    pub fn cancel(self) -> Result<(), Refusal> {
        let why = match self {
            Self::Planning | Self::FinalSync => return Ok(()),
            Self::Demoting => {
                "the source is giving its role up; let it finish, then fail over back"
            }
            Self::Promoting => {
                "some volumes are served by the target already; let it finish, then fail over back"
            }
            Self::Finishing | Self::Fencing | Self::Settling => {
                "the volumes are served by the target; fail over back instead"
            }
            Self::Done => "it is over",
        };
        Err(Refusal::TooLate { why })
    }
}

/// Volumes that a driver works on at one time within a call: smaller batches make more calls without being done sooner.
const AT_ONCE: usize = 16;

/// The database writes rows by the eight.
const ROWS: usize = 8;

/// How volumes are cut into batches: enough of them to keep `parallel` calls busy twice, none larger than `most`, and
/// none smaller than what a call does at one time, as long as every call has a batch.
#[must_use]
pub fn batch_size(volumes: u64, parallel: usize, most: usize) -> usize {
    let calls = u64::try_from(parallel.max(1)).unwrap_or(1);
    let each = |calls: u64| usize::try_from(volumes.div_ceil(calls)).unwrap_or(most);
    let twice = each(calls.saturating_mul(2));
    let size = match twice.max(AT_ONCE.min(each(calls))) {
        few @ 0..ROWS => few,
        many => many.next_multiple_of(ROWS),
    };
    size.clamp(1, most.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(mode: &FailoverMode) -> Vec<Phase> {
        let mut phases = vec![Phase::Planning];
        while let Some(last) = phases.last()
            && *last != Phase::Done
        {
            phases.push(last.next(mode));
        }
        phases
    }

    #[test]
    fn a_planned_failover_demotes_before_it_promotes() {
        use Phase::*;
        let expected = [
            Planning, FinalSync, Demoting, Promoting, Finishing, Settling, Done,
        ];
        assert_eq!(way(&FailoverMode::Planned), expected);
    }

    #[test]
    fn an_unplanned_failover_promotes_first_and_fences_last() {
        use Phase::*;
        let expected = [Planning, Promoting, Finishing, Fencing, Settling, Done];
        assert_eq!(way(&FailoverMode::Unplanned), expected);
    }

    #[test]
    fn it_can_be_called_off_exactly_as_long_as_no_array_was_changed() {
        for phase in Phase::ALL {
            assert_eq!(
                phase.cancel().is_ok(),
                phase < Phase::Demoting,
                "{}",
                phase.as_str()
            );
        }
    }

    #[test]
    fn batches_keep_every_call_busy_and_stay_below_the_limit() {
        assert_eq!(batch_size(1, 16, 64), 1);
        assert_eq!(batch_size(1000, 16, 64), 32);
        assert_eq!(batch_size(1000, 8, 64), 64);
        assert_eq!(batch_size(2_000, 8, 128), 128);
        assert_eq!(batch_size(20_000, 16, 128), 128);
        // Every call has what it can do at one time; fewer volumes than calls are one each.
        assert_eq!(batch_size(1000, 64, 64), 16);
        assert_eq!(batch_size(10, 64, 64), 1);
        assert_eq!(batch_size(0, 0, 0), 1);
    }
}
