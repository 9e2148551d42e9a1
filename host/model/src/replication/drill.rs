//! One test failover: writable copies at a target while replication goes on. It ends by its timer if nobody ends it.

use serde::{Deserialize, Serialize};

use super::Refusal;
use crate::contract::{Failure, Placement, RecoveryPoint};
use crate::time::Timestamp;

/// Where a drill stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DrillState {
    /// Copies are being made.
    Starting,
    /// Copies can be used.
    Open,
    /// Copies are being thrown away.
    Stopping,
    /// Copies are becoming the volumes.
    Committing,
    /// Over, nothing left.
    Stopped,
    /// Over, the copies are the volumes.
    Committed,
}

impl DrillState {
    /// Every state.
    pub const ALL: [Self; 6] = [
        Self::Starting,
        Self::Open,
        Self::Stopping,
        Self::Committing,
        Self::Stopped,
        Self::Committed,
    ];

    /// Whether it is over.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Stopped | Self::Committed)
    }

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Open => "open",
            Self::Stopping => "stopping",
            Self::Committing => "committing",
            Self::Stopped => "stopped",
            Self::Committed => "committed",
        }
    }
}

/// A drill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drill {
    /// UUID; the driver's `test-id`.
    pub id: String,
    /// Backend.
    pub backend: String,
    /// Project of whoever asked.
    pub project: String,
    /// Where the copies are.
    pub target: String,
    /// Whether it is about the whole backend: then that follows its copies when they become the volumes.
    #[serde(default)]
    pub whole_backend: bool,
    /// State.
    pub state: DrillState,
    /// Volumes and their copies.
    pub members: Vec<DrillMember>,
    /// Operation that works on it.
    pub operation: Option<String>,
    /// When it began.
    pub created_at: Timestamp,
    /// When it is ended by itself.
    pub ends_at: Timestamp,
    /// Why it could not be started or stopped, when that was tried last.
    #[serde(default)]
    pub problem: Option<String>,
}

/// One volume of a drill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrillMember {
    /// Where the volume was when the drill began: its copy is found by that once the volume itself is deleted.
    #[serde(default)]
    pub origin: Option<Placement>,
    /// Volume.
    pub volume_id: String,
    /// Its copy, or why there is none; none: not made yet.
    pub copy: Option<Result<Placement, Failure>>,
    /// The point in time it shows.
    pub point: Option<RecoveryPoint>,
}

/// What happens to a drill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DrillEvent {
    /// The copies are there.
    Made,
    /// Somebody ends it, its making failed, or its time is over.
    Stop,
    /// The copies are gone.
    Gone,
    /// Somebody makes it the real thing.
    Commit,
    /// The copies are the volumes.
    Taken,
    /// Making them the volumes failed; they are still copies.
    NotTaken,
}

impl DrillEvent {
    /// Every event.
    pub const ALL: [Self; 6] = [
        Self::Made,
        Self::Stop,
        Self::Gone,
        Self::Commit,
        Self::Taken,
        Self::NotTaken,
    ];
}

/// Takes one event. Repeating the event that led to a state changes nothing.
///
/// # Errors
/// [`Refusal::OutOfOrder`].
pub fn step(state: DrillState, event: DrillEvent) -> Result<DrillState, Refusal> {
    use DrillEvent as E;
    use DrillState as S;
    Ok(match (state, event) {
        (S::Starting | S::Open, E::Made) | (S::Committing, E::NotTaken) => S::Open,
        (S::Starting | S::Open | S::Stopping, E::Stop) => S::Stopping,
        (S::Stopping | S::Stopped, E::Gone) | (S::Stopped, E::Stop) => S::Stopped,
        (S::Open | S::Committing, E::Commit) => S::Committing,
        (S::Committing | S::Committed, E::Taken) => S::Committed,
        (state, event) => {
            return Err(Refusal::OutOfOrder {
                event: match event {
                    E::Made => "the copies being made",
                    E::Stop => "stop",
                    E::Gone => "the copies being gone",
                    E::Commit => "commit",
                    E::Taken => "the copies being taken",
                    E::NotTaken => "the copies not being taken",
                },
                phase: state.as_str(),
            });
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_drills_is_as_written_here() {
        use DrillState::*;
        // Rows: states in the order of ALL; columns: made, stop, gone, commit, taken, not taken.
        let table = [
            [Some(Open), Some(Stopping), None, None, None, None],
            [
                Some(Open),
                Some(Stopping),
                None,
                Some(Committing),
                None,
                None,
            ],
            [None, Some(Stopping), Some(Stopped), None, None, None],
            [
                None,
                None,
                None,
                Some(Committing),
                Some(Committed),
                Some(Open),
            ],
            [None, Some(Stopped), Some(Stopped), None, None, None],
            [None, None, None, None, Some(Committed), None],
        ];
        for (state, row) in DrillState::ALL.into_iter().zip(table) {
            for (event, expected) in DrillEvent::ALL.into_iter().zip(row) {
                assert_eq!(step(state, event).ok(), expected, "{state:?} {event:?}");
            }
        }
    }

    #[test]
    fn every_drill_that_is_not_over_can_be_brought_to_an_end() {
        for state in DrillState::ALL.into_iter().filter(|s| !s.is_over()) {
            let ended = DrillEvent::ALL
                .into_iter()
                .filter_map(|e| step(state, e).ok())
                .any(|s| s.is_over() || s == DrillState::Stopping || s == DrillState::Open);
            assert!(ended, "{state:?}");
        }
    }
}
