//! The laws of a relation, as a check that simulation and property tests run after every step.

use super::relation::{MoveStep, Phase, Relation};
use crate::contract::FailoverMode;

/// A broken law. Never seen by a user; a test that finds one prints it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("volume {volume_id}, generation {generation}: {law}")]
pub struct Violation {
    /// Volume.
    pub volume_id: String,
    /// Generation.
    pub generation: u64,
    /// The law.
    pub law: &'static str,
}

/// Checks one relation, and the step from `before` where that is known.
///
/// # Errors
/// The first law that does not hold.
pub fn check(before: Option<&Relation>, now: &Relation) -> Result<(), Violation> {
    let broken = |law| {
        Err(Violation {
            volume_id: now.volume_id.clone(),
            generation: now.generation,
            law,
        })
    };
    if let Some(serving) = &now.serving
        && now.debt(serving).is_some()
    {
        return broken("the side that serves is owed nothing");
    }
    if now
        .debts
        .iter()
        .any(|d| d.generation >= now.generation && now.generation > 0)
    {
        return broken("what was left behind is older than the relation");
    }
    for (i, debt) in now.debts.iter().enumerate() {
        if now
            .debts
            .iter()
            .skip(i + 1)
            .any(|d| d.target == debt.target)
        {
            return broken("one target has one debt");
        }
    }
    match &now.phase {
        Phase::Settled if now.serving.as_deref() != Some(now.desired.as_str()) => {
            return broken("a settled relation is served where it shall be");
        }
        Phase::Moving(m)
            if m.mode == FailoverMode::Planned
                && m.step == MoveStep::Promoting
                && now.serving.is_some() =>
        {
            return broken("a planned move demotes before it promotes");
        }
        Phase::Moving(m) if m.mode != FailoverMode::Planned && m.step != MoveStep::Promoting => {
            return broken("an unplanned move promotes first");
        }
        _ => {}
    }
    let Some(before) = before else { return Ok(()) };
    if now.generation < before.generation {
        return broken("a generation is never lowered");
    }
    if now.serving != before.serving
        && now.serving.is_some()
        && before.serving.is_some()
        && !matches!(before.phase, Phase::Moving(_))
        && before.overtaken().is_none()
    {
        return broken("only a move, or what the arrays say of one, changes who serves");
    }
    if now.overtaken().is_some()
        && before.phase == Phase::Settled
        && (now.phase != Phase::Settled || now.owed().count() > before.owed().count())
    {
        return broken("a record that is older than the arrays begins nothing");
    }
    if let (Some(old), Some(new)) = (&before.serving, &now.serving)
        && old != new
        && now.debt(old).is_none()
    {
        return broken("whoever was left writable is owed a fence");
    }
    Ok(())
}
