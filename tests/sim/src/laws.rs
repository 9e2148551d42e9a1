//! What must hold after every step, whatever was asked and whatever broke.

use std::collections::BTreeMap;

use springform_model::operation::Operation;
use springform_model::replication::check;
use springform_model::replication::relation::{DebtState, Phase, Relation};

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
