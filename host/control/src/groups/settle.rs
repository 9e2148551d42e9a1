//! Writing what came of an operation: the noun, its members and the journal in one commit.

use springform_model::operation::OperationError;
use springform_store::{Changes, Record, StoreError, Stored};

use crate::engine::{Run, failure, overtaken};

/// Rounds of a change that others disturb.
pub(crate) const ROUNDS: u32 = 50;

/// What becomes of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WriteDecision {
    /// As it is.
    Leave,
    /// Written.
    Write,
    /// Gone.
    Remove,
    /// Nothing of all this is written: the volume's lock was taken away after the array had answered.
    Overtaken,
}

pub(crate) fn broken(error: StoreError) -> OperationError {
    failure("store", format!("the database refused: {error}"))
}

fn with<T: Record>(changes: Changes, stored: &Stored<T>, fate: WriteDecision) -> Changes {
    match fate {
        WriteDecision::Leave | WriteDecision::Overtaken => changes,
        WriteDecision::Write => changes.update(stored),
        WriteDecision::Remove => changes.delete::<T>(stored.record.id(), stored.revision),
    }
}

/// Reads a record and its members again, lets both be decided, and commits them with the operation and with `more`;
/// decides again when somebody else was faster. What is gone is left gone.
///
/// # Errors
/// What the store says; [`lock::overtaken`] where a decision says so: the operation then runs again.
pub(crate) async fn settle<T: Record, M: Record>(
    run: &mut Run,
    id: &str,
    members: &[String],
    mut decide: impl FnMut(&mut T) -> WriteDecision + Send,
    mut each: impl FnMut(&mut M) -> WriteDecision + Send,
    more: impl Fn() -> Changes + Send,
) -> Result<(), OperationError> {
    for _ in 0..ROUNDS {
        let store = run.operations().store().clone();
        let mut changes = more();
        if let Some(mut stored) = store.get::<T>(id).await.map_err(broken)? {
            let fate = decide(&mut stored.record);
            if fate == WriteDecision::Overtaken {
                return Err(overtaken(id));
            }
            changes = with(changes, &stored, fate);
        }
        for mut member in store.get_many::<M>(members).await.map_err(broken)? {
            let fate = each(&mut member.record);
            if fate == WriteDecision::Overtaken {
                return Err(overtaken(member.record.id()));
            }
            changes = with(changes, &member, fate);
        }
        match run.commit(changes).await {
            Ok(()) => return Ok(()),
            Err(error) if error.is_conflict() => {}
            Err(StoreError::Limit { name, .. }) => {
                return Err(failure(&name, format!("{name} is taken")));
            }
            Err(error) => return Err(broken(error)),
        }
    }
    Err(failure(
        "store",
        format!("{} {id} is being changed by many at once", T::TABLE.name),
    ))
}
