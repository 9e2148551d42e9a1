//! What must hold after every step, whatever was asked and whatever broke.

use std::collections::BTreeMap;

use springform_control::replication::Plan;
use springform_model::contract::{CLOCK_BOUND_SECONDS, FailoverMode};
use springform_model::operation::Operation;
use springform_model::replication::check;
use springform_model::replication::relation::{DebtState, Phase, Relation};

use crate::nouns::name_on;
use crate::rows::Rows;
use crate::world::World;

/// Checks every relation and the arrays against each other.
///
/// # Errors
/// The broken law, in words.
pub fn hold(
    before: &BTreeMap<String, Relation>,
    now: &BTreeMap<String, Relation>,
    world: &World,
) -> Result<(), String> {
    if let Some(text) = world.violations.first() {
        return Err(text.clone());
    }
    for (id, relation) in now {
        // Many steps may lie between two looks; the law about one step is checked by the model's own tests.
        check(None, relation).map_err(|v| v.to_string())?;
        if before
            .get(id)
            .is_some_and(|b| b.generation > relation.generation)
        {
            return Err(format!("{id}: its generation was lowered"));
        }
        let writable: Vec<_> = world
            .arrays
            .iter()
            .filter_map(|(name, a)| a.copies.get(id).filter(|c| c.writable).map(|c| (name, c)))
            .collect();
        for (i, (name, copy)) in writable.iter().enumerate() {
            if writable
                .iter()
                .skip(i + 1)
                .any(|(_, other)| other.generation == copy.generation)
            {
                return Err(format!(
                    "{id}: two primaries under generation {}: {writable:?}",
                    copy.generation
                ));
            }
            let mut known = relation.serving.as_ref() == Some(*name)
                || relation
                    .debt(name)
                    .is_some_and(|d| d.state == DebtState::Owed);
            if let Phase::Moving(m) | Phase::Stranded(m) = &relation.phase {
                known |= m.to == **name || m.from.as_ref() == Some(*name);
                // Asked to take back what it gave up.
                known |= m.returning && m.silenced.as_ref() == Some(*name);
            }
            if !known {
                return Err(format!(
                    "{id}: {name} can be written and nobody knows: {relation:?}"
                ));
            }
        }
    }
    Ok(())
}

/// Volumes that nobody works on have the name and the size on the array that serves them that their records say.
///
/// # Errors
/// Where they differ, in words.
pub fn records_say_what_arrays_have(rows: &Rows, world: &World) -> Result<(), String> {
    for (id, (volume, _)) in &rows.volumes {
        let settled = rows.relations.get(id);
        let settled = settled.is_none_or(|(relation, _)| relation.phase == Phase::Settled);
        let (true, None, Some(placed)) = (settled, &volume.operation, &volume.placement) else {
            continue;
        };
        let Some(copy) = world
            .arrays
            .get(&placed.target)
            .and_then(|a| a.copies.get(id))
        else {
            return Err(format!("{id}: {} serves it and has none", placed.target));
        };
        let name = name_on(&placed.target, id);
        if placed.array_name != name || volume.size_bytes() != copy.size {
            return Err(format!(
                "{id} is {name} on {} and has {} bytes; its record says {} and {}",
                placed.target,
                copy.size,
                placed.array_name,
                volume.size_bytes()
            ));
        }
    }
    Ok(())
}

/// What a plan claims and cannot know: how old a copy is where the clock that dates it is not the host's.
#[must_use]
pub fn of_plan(plan: &Plan, skews: &BTreeMap<String, i64>) -> Option<String> {
    let wrong = |name: &String| {
        let skew = skews.get(name).copied().unwrap_or(0).unsigned_abs();
        skew > CLOCK_BOUND_SECONDS
    };
    let told = plan.volumes.iter().find(|volume| {
        let skewed = wrong(&plan.target) || volume.source.as_ref().is_some_and(wrong);
        let knows = volume.loss_seconds.is_some() && plan.order.mode != FailoverMode::Planned;
        volume.possible && knows && skewed
    })?;
    Some(format!(
        "{told:?}: clocks disagree ({skews:?}), and a loss is told"
    ))
}

/// Checks that nothing is left in between.
///
/// # Errors
/// What is.
pub fn at_rest(operations: &[Operation], held: &[String]) -> Result<(), String> {
    if let Some(open) = operations.iter().find(|o| !o.state.is_terminal()) {
        return Err(format!(
            "operation {} ({:?}) is still {}",
            open.id,
            open.verb,
            open.state.as_str()
        ));
    }
    match held.first() {
        Some(who) => Err(format!("{who} is held by an operation that is over")),
        None => Ok(()),
    }
}
