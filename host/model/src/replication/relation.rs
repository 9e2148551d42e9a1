//! The replication relation of one volume.
//!
//! Desired and observed are two facts: [`Relation::desired`] is a wish, [`Relation::serving`] is what a driver confirmed,
//! [`Relation::observed`] is what was last seen, with its time. Whoever was left behind writable, or may have been, is a
//! [`Debt`] until it has been fenced and overwritten.

mod adopt;
mod known;
mod moves;
mod upkeep;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Refusal;
use super::evidence::Evidence;
use crate::contract::{FailoverMode, Observation, Role};
use crate::time::Timestamp;

/// What one volume's replication stands at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relation {
    /// Volume.
    pub volume_id: String,
    /// Backend.
    pub backend: String,
    /// Bumped by each failover, never lowered.
    pub generation: u64,
    /// Target that shall serve it.
    pub desired: String,
    /// Target that serves it, as a driver confirmed; none between demotion and promotion.
    pub serving: Option<String>,
    /// Whether it shall have a copy.
    pub wanted: bool,
    /// What is being done to it.
    pub phase: Phase,
    /// Arrays left behind.
    #[serde(default)]
    pub debts: Vec<Debt>,
    /// Open drill.
    pub drill: Option<DrillRef>,
    /// Operation that moved it last; its repetition changes nothing.
    pub moved_by: Option<String>,
    /// When it was moved last.
    pub moved_at: Option<Timestamp>,
    /// What was last seen.
    pub observed: Option<Observed>,
    /// What the arrays said that the record does not know: nothing is fenced, overwritten or deleted until it is adopted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub newer: Vec<Evidence>,
}

/// What is being done to a relation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "kebab-case")]
pub enum Phase {
    /// Nothing.
    Settled,
    /// It is under way from one target to another.
    Moving(Move),
    /// The move stopped half-way; a retry or a move elsewhere gets it out.
    Stranded(Move),
}

/// A move between two targets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// Operation that holds it.
    pub operation: String,
    /// From; none where nobody served it.
    pub from: Option<String>,
    /// To.
    pub to: String,
    /// How.
    pub mode: FailoverMode,
    /// The step it is at.
    pub step: MoveStep,
    /// Whether an earlier attempt may have promoted the target already.
    #[serde(default)]
    pub half_there: bool,
    /// Whether an earlier attempt may have taken the source's role already.
    #[serde(default)]
    pub source_in_doubt: bool,
    /// The array that gave its role up for this move, or for one before it that stopped half-way: the last writes may be
    /// nowhere else.
    #[serde(default)]
    pub silenced: Option<String>,
    /// Whether that array was asked to take its role back: it may serve, whatever was heard of it.
    #[serde(default)]
    pub returning: bool,
}

/// Steps of a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MoveStep {
    /// The last writes are transferred (planned only).
    Syncing,
    /// The source gives its role up (planned only).
    Demoting,
    /// The target takes it.
    Promoting,
}

/// An array that was left behind: what it holds is older than the relation, and it may still be writable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Debt {
    /// Which.
    pub target: String,
    /// What it holds.
    pub generation: u64,
    /// How much is owed.
    pub state: DebtState,
    /// Since when.
    pub since: Timestamp,
}

/// How much is owed to an array that was left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DebtState {
    /// It must be fenced or demoted before anybody writes to it.
    Owed,
    /// It is not writable any more, but what it holds must be overwritten before it may serve.
    Fenced,
    /// The configuration does not name it any more, so nobody here can fence it. Should it come back, it is owed again.
    WrittenOff,
}

/// An open drill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrillRef {
    /// Its id.
    pub id: String,
    /// Where its copy is.
    pub target: String,
}

/// What was seen, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// When.
    pub at: Timestamp,
    /// What. The newest point of a link that cannot be asked now is the one that was known before.
    pub what: Observation,
    /// Generation of the relation that it speaks of.
    #[serde(default)]
    pub generation: u64,
    /// Who vouched for the newest point on each target, and when.
    #[serde(default)]
    pub points: BTreeMap<String, PointSeen>,
    /// Why nobody can tell how old the points are: the clocks of array and host disagree.
    #[serde(default)]
    pub clock: Option<String>,
}

/// Who vouched for a recovery point, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointSeen {
    /// The array that said so.
    pub source: String,
    /// When it did.
    pub at: Timestamp,
}

/// The typed acknowledgement without which data is never discarded: the role and the generation the operator saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledge {
    /// The array whose content is stale.
    pub target: String,
    /// The role it is believed to have: `primary` while it may be written, `secondary` once fenced.
    pub role: Role,
    /// The generation the relation is believed to be at.
    pub generation: u64,
}

/// What happens to a relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An operation wants to move it.
    Begin {
        /// Operation.
        operation: String,
        /// Where to.
        to: String,
        /// How.
        mode: FailoverMode,
        /// The generation the plan was made at.
        expected: Option<u64>,
        /// Needed where `to` holds an older generation.
        acknowledge: Option<Acknowledge>,
        /// The drill whose copy becomes the volume.
        drill: Option<String>,
    },
    /// The last writes have arrived.
    Synced(String),
    /// The source gave its role up.
    Demoted(String),
    /// The target has it.
    Promoted(String),
    /// The step failed.
    Failed(String),
    /// The operation gives up before any array was asked to promote; whoever says so must know that none was.
    Withdrawn(String),
    /// The array that gave its role up is about to be asked to take it back.
    Returning(String),
    /// The array that gave its role up has it again; whoever says so must know that no other was asked to promote.
    Returned {
        /// Operation.
        operation: String,
        /// Which array.
        target: String,
    },
    /// A left-behind array is fenced.
    Fenced {
        /// Which.
        target: String,
    },
    /// These are the arrays of the backend: what is owed by others is written off, and owed again by those that came back.
    Known(Vec<String>),
    /// A left-behind array was overwritten from the serving side.
    Resynced {
        /// Which.
        target: String,
    },
    /// Somebody wants it protected again, towards one target or all.
    Reprotect {
        /// The side believed to serve; none where the caller leaves it to us.
        from: Option<String>,
        /// Where to.
        to: String,
        /// Needed where `to` may hold writes of its own.
        acknowledge: Option<Acknowledge>,
    },
    /// Replication is wanted, or not.
    Want(bool),
    /// A drill opened.
    DrillStarted(DrillRef),
    /// A drill ended.
    DrillStopped(String),
    /// It was looked at.
    Seen(Observation),
    /// The same while clocks disagree: no date in it tells what came later.
    SeenUndated(Observation),
    /// The record is brought up to what an array says of its promotion.
    Adopt(Box<Evidence>),
}

/// What must be done now that the new state is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Transfer the last writes.
    FinalSync {
        /// Source.
        from: String,
        /// Target.
        to: String,
    },
    /// Take the role away.
    Demote {
        /// From whom.
        target: String,
    },
    /// Give the role.
    Promote {
        /// To whom.
        target: String,
        /// Under which generation.
        generation: u64,
    },
    /// Fence an array that was left behind, as soon as it answers.
    Fence {
        /// Which.
        target: String,
        /// What it holds.
        generation: u64,
    },
    /// Copy from the serving side.
    Copy {
        /// To whom.
        to: String,
        /// Whether what it wrote on its own goes.
        discard: bool,
    },
    /// Tell whoever uses the volume that it moved.
    Announce {
        /// From.
        from: Option<String>,
        /// To.
        to: String,
        /// The new generation.
        generation: u64,
    },
    /// Tell the operator.
    Alarm(String),
}

impl Relation {
    /// A relation of a volume that was just found on `target`.
    #[must_use]
    pub fn new(
        volume_id: impl Into<String>,
        backend: impl Into<String>,
        target: impl Into<String>,
        generation: u64,
        wanted: bool,
    ) -> Self {
        let target = target.into();
        Self {
            volume_id: volume_id.into(),
            backend: backend.into(),
            generation,
            desired: target.clone(),
            serving: Some(target),
            wanted,
            phase: Phase::Settled,
            debts: Vec::new(),
            drill: None,
            moved_by: None,
            moved_at: None,
            observed: None,
            newer: Vec::new(),
        }
    }

    /// The debt of a target.
    #[must_use]
    pub fn debt(&self, target: &str) -> Option<&Debt> {
        self.debts.iter().find(|d| d.target == target)
    }

    /// Targets that must be fenced.
    pub fn owed(&self) -> impl Iterator<Item = &Debt> {
        self.debts.iter().filter(|d| d.state == DebtState::Owed)
    }

    /// Takes one event. On a refusal nothing has changed.
    ///
    /// # Errors
    /// A [`Refusal`] that says why the event is not taken.
    pub fn step(&self, event: Event, now: Timestamp) -> Result<(Self, Vec<Effect>), Refusal> {
        let mut next = self.clone();
        let effects = match event {
            Event::Begin {
                operation,
                to,
                mode,
                expected,
                acknowledge,
                drill,
            } => next.begin(operation, to, mode, expected, acknowledge.as_ref(), drill)?,
            Event::Synced(operation) => next.synced(&operation)?,
            Event::Demoted(operation) => next.demoted(&operation)?,
            Event::Promoted(operation) => next.promoted(&operation, now)?,
            Event::Failed(operation) => next.failed(&operation, true)?,
            Event::Withdrawn(operation) => next.failed(&operation, false)?,
            Event::Returning(operation) => next.returning(&operation)?,
            Event::Returned { operation, target } => next.returned(&operation, &target)?,
            Event::Fenced { target } => {
                if let Some(debt) = next.debts.iter_mut().find(|d| d.target == target) {
                    debt.state = DebtState::Fenced;
                }
                Vec::new()
            }
            Event::Resynced { target } => {
                // Only what is fenced can have been overwritten; a writable copy would diverge again at once.
                next.debts
                    .retain(|d| d.target != target || d.state != DebtState::Fenced);
                Vec::new()
            }
            Event::Known(targets) => {
                for debt in &mut next.debts {
                    let known = targets.contains(&debt.target);
                    debt.state = match debt.state {
                        DebtState::Owed if !known => DebtState::WrittenOff,
                        DebtState::WrittenOff if known => DebtState::Owed,
                        state => state,
                    };
                }
                Vec::new()
            }
            Event::Reprotect {
                from,
                to,
                acknowledge,
            } => next.reprotect(from, to, acknowledge.as_ref())?,
            Event::Want(wanted) => next.want(wanted)?,
            Event::DrillStarted(drill) => next.drill_started(drill)?,
            Event::DrillStopped(id) => next.drill_stopped(&id)?,
            Event::Seen(what) => next.seen(what, now, true),
            Event::SeenUndated(what) => next.seen(what, now, false),
            Event::Adopt(evidence) => next.adopt(&evidence, now)?,
        };
        Ok((next, effects))
    }
}

impl Phase {
    /// The word for it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Settled => "settled",
            Self::Moving(_) => "moving",
            Self::Stranded(_) => "stranded",
        }
    }
}
