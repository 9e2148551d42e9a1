//! What happens to a relation while it stays where it is: observation, protection, drills, debts.

use super::{Acknowledge, Debt, DebtState, DrillRef, Effect, Phase, Relation};
use crate::contract::{LinkState, Observation, ReplicationKind, Role};
use crate::replication::{Refusal, evidence};
use crate::time::Timestamp;

impl Relation {
    pub(super) fn settled(&self) -> Result<&str, Refusal> {
        self.not_overtaken()?;
        match &self.phase {
            Phase::Moving(m) => Err(Refusal::Busy {
                operation: m.operation.clone(),
            }),
            Phase::Stranded(_) => Err(Refusal::Stranded),
            Phase::Settled => self.serving.as_deref().ok_or(Refusal::Stranded),
        }
    }

    /// A record that is older than what the arrays say of it acts on nothing.
    pub(super) fn not_overtaken(&self) -> Result<(), Refusal> {
        match self.overtaken() {
            None => Ok(()),
            Some(newer) => Err(Refusal::Overtaken {
                known: self.generation,
                said: evidence::words(newer),
            }),
        }
    }

    pub(super) fn acknowledged(
        &self,
        debt: &Debt,
        acknowledge: Option<&Acknowledge>,
    ) -> Result<bool, Refusal> {
        let Some(ack) = acknowledge else {
            return Ok(false);
        };
        // Whoever acknowledged the discard while it could be written meant it for a fenced one too: fencing is part of
        // the same operation, and a restart may come in between.
        let role = ack.role == Role::Primary
            || (debt.state == DebtState::Fenced && ack.role == Role::Secondary);
        if ack.target == debt.target && role && ack.generation == self.generation {
            Ok(true)
        } else {
            Err(Refusal::Acknowledgement {
                target: ack.target.clone(),
                role: ack.role.as_str().to_owned(),
                generation: ack.generation,
            })
        }
    }

    pub(super) fn reprotect(
        &mut self,
        from: Option<String>,
        to: String,
        acknowledge: Option<&Acknowledge>,
    ) -> Result<Vec<Effect>, Refusal> {
        let serving = self.settled()?.to_owned();
        if let Some(from) = from
            && from != serving
        {
            return Err(Refusal::WrongSide {
                named: from,
                serving: Some(serving),
            });
        }
        if to == serving {
            return Err(Refusal::AlreadyThere { target: to });
        }
        let mut discard = false;
        if let Some(debt) = self.debt(&to) {
            discard = self.acknowledged(debt, acknowledge)?;
            if !discard {
                return Err(Refusal::WouldDiscard {
                    target: to,
                    held: debt.generation,
                    current: self.generation,
                });
            }
        }
        self.wanted = true;
        let mut effects = Vec::new();
        // Overwriting an array that hosts still write to is a race; it is fenced first.
        if let Some(debt) = self.debt(&to)
            && debt.state != DebtState::Fenced
        {
            effects.push(Effect::Fence {
                target: to.clone(),
                generation: debt.generation,
            });
        }
        effects.push(Effect::Copy { to, discard });
        Ok(effects)
    }

    pub(super) fn want(&mut self, wanted: bool) -> Result<Vec<Effect>, Refusal> {
        self.settled()?;
        if !wanted && let Some(drill) = &self.drill {
            return Err(Refusal::DrillOpen {
                drill: drill.id.clone(),
            });
        }
        if self.wanted != wanted {
            // What was seen speaks of a volume that had a copy, or had none.
            self.observed = None;
        }
        self.wanted = wanted;
        Ok(Vec::new())
    }

    pub(super) fn drill_started(&mut self, drill: DrillRef) -> Result<Vec<Effect>, Refusal> {
        let serving = self.settled()?;
        if serving == drill.target {
            return Err(Refusal::AlreadyThere {
                target: drill.target,
            });
        }
        match &self.drill {
            Some(open) if open.id != drill.id => {
                return Err(Refusal::DrillOpen {
                    drill: open.id.clone(),
                });
            }
            _ => {}
        }
        if !self.wanted {
            return Err(Refusal::NotReplicated);
        }
        self.drill = Some(drill);
        Ok(Vec::new())
    }

    pub(super) fn drill_stopped(&mut self, id: &str) -> Result<Vec<Effect>, Refusal> {
        if self.drill.as_ref().is_some_and(|d| d.id != id) {
            return Err(Refusal::NoDrill {
                drill: id.to_owned(),
            });
        }
        self.drill = None;
        Ok(Vec::new())
    }

    /// An observation changes what is known, never what is wanted. `dated`: whether its points in time can be compared with
    /// those of this host.
    pub(super) fn seen(
        &mut self,
        mut what: Observation,
        now: Timestamp,
        dated: bool,
    ) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.heard(evidence::take(&mut what));
        if self.overtaken().is_some() {
            // Who serves it, and who was left behind, is not for this record to say.
            self.observed = Some(self.learned(what, now));
            return effects;
        }
        if what.role == Role::SplitBrain {
            effects.push(Effect::Alarm(format!(
                "volume {} was written on two arrays independently",
                self.volume_id
            )));
        }
        let mid_move: Vec<String> = match &self.phase {
            Phase::Moving(m) | Phase::Stranded(m) => {
                m.from.iter().chain([&m.to]).cloned().collect()
            }
            Phase::Settled => Vec::new(),
        };
        for target in &what.stale_writable {
            if self.serving.as_ref() == Some(target) || mid_move.contains(target) {
                continue;
            }
            match self.debts.iter_mut().find(|d| d.target == *target) {
                // It was fenced and is writable again: somebody connected it by hand.
                Some(debt) => debt.state = DebtState::Owed,
                None => self.debts.push(Debt {
                    target: target.clone(),
                    generation: self.generation.saturating_sub(1),
                    state: DebtState::Owed,
                    since: now,
                }),
            }
        }
        for link in &what.links {
            let caught_up = link.state == LinkState::Healthy
                && (link.kind == ReplicationKind::Sync
                    || link.last_point.as_ref().is_some_and(|p| {
                        self.moved_at
                            .is_some_and(|moved| dated && p.taken_at > moved.as_millis())
                    }));
            if caught_up && !what.stale_writable.contains(&link.target) {
                self.debts
                    .retain(|d| d.target != link.target || d.state != DebtState::Fenced);
            }
        }
        if self.phase == Phase::Settled {
            let answers = |target: &str| {
                what.stale_writable.iter().any(|t| t == target)
                    || what.links.iter().any(|l| {
                        l.target == target
                            && !matches!(l.state, LinkState::Down | LinkState::Unknown)
                    })
            };
            effects.extend(
                self.owed()
                    .filter(|d| answers(&d.target))
                    .map(|d| Effect::Fence {
                        target: d.target.clone(),
                        generation: d.generation,
                    }),
            );
        }
        self.observed = Some(self.learned(what, now));
        effects
    }
}
