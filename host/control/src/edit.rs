//! Read, decide, commit, and again when somebody else was faster: the loop of every change that needs no driver.

use springform_store::{Changes, Record, Store, StoreError};

use crate::{ControlError, ErrorKind};

/// How often a change is decided again. Each round means that another commit went through, so this is never reached
/// unless a record is fought over by dozens.
const ROUNDS: u32 = 50;

/// What a refusal is about when a unique column was taken.
const DUPLICATE: &str = "duplicate";

/// Whether [`edit`] ended because a unique column has the value already.
pub(crate) fn is_duplicate(error: &ControlError) -> bool {
    error.kind == ErrorKind::Conflict && error.resource.as_deref() == Some(DUPLICATE)
}

/// Not found, in Cinder's own sentence for the noun.
pub(crate) fn missing(message: impl Into<String>) -> ControlError {
    ControlError::new(ErrorKind::NotFound, message)
}

/// Changes one record.
///
/// # Errors
/// `missing()` where there is none, whatever `decide` refuses with, and what the store says.
pub(crate) async fn edit<T, M, D>(
    store: &Store,
    id: &str,
    missing: M,
    mut decide: D,
) -> Result<T, ControlError>
where
    T: Record,
    M: Fn() -> ControlError,
    D: FnMut(&mut T) -> Result<(), ControlError>,
{
    for _ in 0..ROUNDS {
        let mut stored = store.get::<T>(id).await?.ok_or_else(&missing)?;
        decide(&mut stored.record)?;
        match store.commit(Changes::new().update(&stored)).await {
            Ok(()) => return Ok(stored.record),
            Err(StoreError::Conflict { .. }) => {}
            Err(StoreError::Duplicate { column, table }) => {
                let mut error = ControlError::conflict(format!(
                    "Another record of {table} has the same {column}."
                ));
                error.resource = Some(DUPLICATE.to_owned());
                return Err(error);
            }
            Err(other) => return Err(other.into()),
        }
    }
    Err(ControlError::conflict(
        "The record is being changed by many at once. Try again.",
    ))
}
