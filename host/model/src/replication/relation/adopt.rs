//! Bringing a record up to what the arrays say of its promotion.

use super::{Debt, DebtState, Effect, Phase, Relation};
use crate::replication::Refusal;
use crate::replication::evidence::{self, Evidence, Mark};
use crate::time::Timestamp;

impl Relation {
    /// The array that was promoted serves it, under that generation; whom the record had for it was left behind and is
    /// owed a fence. Known already: nothing changes.
    pub(super) fn adopt(
        &mut self,
        evidence: &Evidence,
        now: Timestamp,
    ) -> Result<Vec<Effect>, Refusal> {
        let not = |why| {
            Err(Refusal::NotAdoptable {
                said: evidence::words(evidence),
                why,
            })
        };
        let Mark::Promoted(promotion) = &evidence.mark else {
            return not(
                "remove the tag `promotion` of namespace `springform` from the volume there, if you know that it means nothing",
            );
        };
        if !evidence::is_newer(self, evidence) {
            return Ok(Vec::new());
        }
        if promotion.target != evidence.target {
            return not("the array that was promoted does not hold the volume, or cannot be asked");
        }
        if promotion.generation < self.generation {
            return not("the record is newer");
        }
        let before = self.serving.replace(promotion.target.clone());
        self.desired.clone_from(&promotion.target);
        self.generation = promotion.generation;
        let mut behind: Vec<String> = before.into_iter().collect();
        if let Phase::Moving(m) | Phase::Stranded(m) = &self.phase {
            behind.extend(m.from.iter().chain([&m.to]).cloned());
        }
        self.phase = Phase::Settled;
        self.moved_by = Some(promotion.operation.clone());
        self.moved_at = Some(now);
        let serving = promotion.target.as_str();
        self.debts.retain(|d| d.target != serving);
        for target in behind {
            if target != serving && self.debt(&target).is_none() {
                self.debts.push(Debt {
                    target,
                    generation: self.generation.saturating_sub(1),
                    state: DebtState::Owed,
                    since: now,
                });
            }
        }
        for debt in &mut self.debts {
            debt.generation = debt.generation.min(self.generation.saturating_sub(1));
        }
        if self.drill.as_ref().is_some_and(|d| d.target == serving) {
            self.drill = None;
        }
        let mut newer = std::mem::take(&mut self.newer);
        newer.retain(|e| evidence::is_newer(self, e));
        self.newer = newer;
        Ok(vec![Effect::Announce {
            from: None,
            to: promotion.target.clone(),
            generation: self.generation,
        }])
    }
}
