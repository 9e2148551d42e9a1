//! How a relation moves from one target to another.

use super::{Acknowledge, Debt, DebtState, Effect, Move, MoveStep, Phase, Relation};
use crate::contract::FailoverMode;
use crate::replication::Refusal;
use crate::time::Timestamp;

impl Relation {
    pub(super) fn begin(
        &mut self,
        operation: String,
        to: String,
        mode: FailoverMode,
        expected: Option<u64>,
        acknowledge: Option<&Acknowledge>,
        drill: Option<String>,
    ) -> Result<Vec<Effect>, Refusal> {
        self.not_overtaken()?;
        match &self.phase {
            Phase::Moving(m) if m.operation == operation && m.to == to => return Ok(self.due()),
            Phase::Moving(m) => {
                return Err(Refusal::Busy {
                    operation: m.operation.clone(),
                });
            }
            Phase::Settled if self.moved_by.as_deref() == Some(operation.as_str()) => {
                return Ok(Vec::new());
            }
            Phase::Settled if self.serving.as_deref() == Some(to.as_str()) => {
                return Err(Refusal::AlreadyThere { target: to });
            }
            Phase::Settled | Phase::Stranded(_) => {}
        }
        if let Some(expected) = expected
            && expected != self.generation
        {
            return Err(Refusal::Generation {
                expected,
                actual: self.generation,
            });
        }
        if let Some(drill) = &drill
            && self.drill.as_ref().map(|d| (&d.id, &d.target)) != Some((drill, &to))
        {
            return Err(Refusal::NoDrill {
                drill: drill.clone(),
            });
        }
        if let Some(debt) = self.debt(&to) {
            self.acknowledged(debt, acknowledge)?
                .then_some(())
                .ok_or_else(|| Refusal::StaleTarget {
                    target: to.clone(),
                    held: debt.generation,
                    current: self.generation,
                })?;
        }
        // The target may have taken the role already without our hearing of it.
        let half_there = matches!(
            &self.phase, Phase::Stranded(m) if m.to == to && (m.half_there || m.step == MoveStep::Promoting));
        // Nor need the source have its role still: a demotion may have been carried out and its answer lost.
        let source_in_doubt = matches!(
            &self.phase, Phase::Stranded(m) if m.source_in_doubt || m.step == MoveStep::Demoting);
        let silenced = self.leave_silenced(&to, &mode);
        let from = self.leave_stranded(&to);
        let mode = if from.is_none() || drill.is_some() {
            FailoverMode::Unplanned
        } else {
            mode
        };
        self.generation = self.generation.saturating_add(1);
        self.desired.clone_from(&to);
        let step = if mode == FailoverMode::Planned {
            MoveStep::Syncing
        } else {
            MoveStep::Promoting
        };
        self.phase = Phase::Moving(Move {
            operation,
            from,
            to,
            mode,
            step,
            half_there,
            source_in_doubt,
            returning: silenced.is_some() && self.may_have_returned(),
            silenced,
        });
        Ok(self.due())
    }

    /// Whoever gave its role up for a move that stopped half-way. A planned move fetches the last writes from there; any
    /// other one leaves them behind, and that is a debt.
    fn leave_silenced(&mut self, to: &str, mode: &FailoverMode) -> Option<String> {
        let Phase::Stranded(m) = &self.phase else {
            return None;
        };
        let silenced = m.silenced.clone().filter(|s| s != to)?;
        if *mode == FailoverMode::Planned {
            return Some(silenced);
        }
        // One that was asked to take its role back may have it.
        let state = match m.returning {
            true => DebtState::Owed,
            false => DebtState::Fenced,
        };
        if self.debt(&silenced).is_none() || m.returning {
            self.debts.retain(|d| d.target != silenced);
            self.debts.push(Debt {
                target: silenced,
                generation: self.generation,
                state,
                since: self.moved_at.unwrap_or_default(),
            });
        }
        None
    }

    fn may_have_returned(&self) -> bool {
        matches!(&self.phase, Phase::Stranded(m) if m.returning)
    }

    /// Written down before the array is asked: its answer may be lost, or the host die meanwhile.
    pub(super) fn returning(&mut self, operation: &str) -> Result<Vec<Effect>, Refusal> {
        match &mut self.phase {
            Phase::Moving(m) if m.operation != operation => Err(Refusal::NotHolder {
                operation: operation.to_owned(),
            }),
            Phase::Moving(m) => {
                m.returning = true;
                Ok(Vec::new())
            }
            other => Err(Refusal::OutOfOrder {
                event: "returning",
                phase: other.name(),
            }),
        }
    }

    /// The source of the next move. A target that a stranded move may have promoted becomes a debt, unless it is the goal.
    fn leave_stranded(&mut self, to: &str) -> Option<String> {
        if let Phase::Stranded(m) = &self.phase
            && (m.half_there || m.step == MoveStep::Promoting)
            && m.to != to
            && self.serving.as_deref() != Some(m.to.as_str())
        {
            let debt = Debt {
                target: m.to.clone(),
                generation: self.generation,
                state: DebtState::Owed,
                since: self.moved_at.unwrap_or_default(),
            };
            self.debts.retain(|d| d.target != debt.target);
            self.debts.push(debt);
        }
        self.serving.clone().filter(|s| s != to)
    }

    /// What the step it is at needs done.
    fn due(&self) -> Vec<Effect> {
        let Phase::Moving(m) = &self.phase else {
            return Vec::new();
        };
        match (m.step, &m.from) {
            (MoveStep::Syncing, Some(from)) => vec![Effect::FinalSync {
                from: from.clone(),
                to: m.to.clone(),
            }],
            (MoveStep::Demoting, Some(from)) => vec![Effect::Demote {
                target: from.clone(),
            }],
            _ => vec![Effect::Promote {
                target: m.to.clone(),
                generation: self.generation,
            }],
        }
    }

    fn moving(
        &mut self,
        operation: &str,
        event: &'static str,
        step: MoveStep,
    ) -> Result<&mut Move, Refusal> {
        let phase = self.phase.name();
        match &mut self.phase {
            Phase::Moving(m) if m.operation != operation => Err(Refusal::NotHolder {
                operation: operation.to_owned(),
            }),
            Phase::Moving(m) if m.step == step => Ok(m),
            _ => Err(Refusal::OutOfOrder { event, phase }),
        }
    }

    pub(super) fn synced(&mut self, operation: &str) -> Result<Vec<Effect>, Refusal> {
        self.moving(operation, "synced", MoveStep::Syncing)?.step = MoveStep::Demoting;
        Ok(self.due())
    }

    pub(super) fn demoted(&mut self, operation: &str) -> Result<Vec<Effect>, Refusal> {
        let m = self.moving(operation, "demoted", MoveStep::Demoting)?;
        m.step = MoveStep::Promoting;
        m.silenced.clone_from(&m.from);
        self.serving = None;
        Ok(self.due())
    }

    pub(super) fn promoted(
        &mut self,
        operation: &str,
        now: Timestamp,
    ) -> Result<Vec<Effect>, Refusal> {
        if self.phase == Phase::Settled && self.moved_by.as_deref() == Some(operation) {
            return Ok(Vec::new());
        }
        let done = self
            .moving(operation, "promoted", MoveStep::Promoting)?
            .clone();
        let left_behind = self.serving.replace(done.to.clone());
        self.debts.retain(|d| d.target != done.to);
        let mut effects = vec![Effect::Announce {
            from: done.from,
            to: done.to.clone(),
            generation: self.generation,
        }];
        if let Some(target) = left_behind.filter(|t| *t != done.to) {
            let held = self.generation.saturating_sub(1);
            self.debts.retain(|d| d.target != target);
            self.debts.push(Debt {
                target: target.clone(),
                generation: held,
                state: DebtState::Owed,
                since: now,
            });
        }
        effects.extend(self.owed().map(|d| Effect::Fence {
            target: d.target.clone(),
            generation: d.generation,
        }));
        if self.drill.as_ref().is_some_and(|d| d.target == done.to) {
            self.drill = None;
        }
        self.phase = Phase::Settled;
        self.moved_by = Some(done.operation);
        self.moved_at = Some(now);
        Ok(effects)
    }

    /// The array that gave its role up for this move serves again. Where the goal may have been promoted already that would
    /// make two primaries.
    pub(super) fn returned(
        &mut self,
        operation: &str,
        target: &str,
    ) -> Result<Vec<Effect>, Refusal> {
        let out_of_order = Refusal::OutOfOrder {
            event: "returned",
            phase: self.phase.name(),
        };
        let m = match &self.phase {
            Phase::Moving(m) if m.operation != operation => {
                return Err(Refusal::NotHolder {
                    operation: operation.to_owned(),
                });
            }
            Phase::Moving(m) => m,
            _ => return Err(out_of_order),
        };
        let planned = m.mode == FailoverMode::Planned;
        let gave_up = m.silenced.as_ref().or(m.from.as_ref().filter(|_| planned));
        if m.half_there || gave_up.is_none_or(|s| s != target) {
            return Err(out_of_order);
        }
        self.debts.retain(|d| d.target != target);
        self.serving = Some(target.to_owned());
        target.clone_into(&mut self.desired);
        self.phase = Phase::Settled;
        Ok(Vec::new())
    }

    /// `asked`: whether an array may have been asked to promote.
    pub(super) fn failed(&mut self, operation: &str, asked: bool) -> Result<Vec<Effect>, Refusal> {
        let m = match &self.phase {
            Phase::Moving(m) if m.operation == operation => m.clone(),
            Phase::Stranded(m) if m.operation == operation => return Ok(Vec::new()),
            Phase::Moving(_) => {
                return Err(Refusal::NotHolder {
                    operation: operation.to_owned(),
                });
            }
            other => {
                return Err(Refusal::OutOfOrder {
                    event: "failed",
                    phase: other.name(),
                });
            }
        };
        // Before the demotion nothing was touched: the source goes on as if nobody had asked. Nor is it before an unplanned
        // promotion that was not asked for.
        let untouched =
            m.step == MoveStep::Syncing || (!asked && m.mode == FailoverMode::Unplanned);
        if untouched
            && !m.half_there
            && !m.source_in_doubt
            && let Some(from) = m.from
        {
            self.desired = from;
            self.phase = Phase::Settled;
        } else {
            self.phase = Phase::Stranded(m);
        }
        Ok(Vec::new())
    }
}
