//! Read, decide, commit, and again when somebody else was faster: the loop of every change that needs no driver.

use springform_store::{Changes, Measure, Query, Record, Store, StoreError};

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

/// Name of the guards that refuse a commit because there is more than was read.
const READ: &str = "what was read";

/// Only if a query finds no more than the `read` records that were read, once everything else of this commit is done.
/// What was read and is gone since is for the revisions to tell.
pub(crate) fn no_more<T: Record>(changes: Changes, query: Query, read: usize) -> Changes {
    let most = i64::try_from(read).unwrap_or(i64::MAX);
    changes.at_most::<T>(READ, Measure::Count, query, most)
}

/// Whether a commit was refused because something it was decided from is not so any more.
pub(crate) fn is_conflict(error: &StoreError) -> bool {
    error.is_conflict() || matches!(error, StoreError::Limit { name, .. } if name == READ)
}

/// Why a round of [`retry_on_conflict`] did not end well.
pub(crate) enum TxError {
    /// Something that was read is not so any more.
    Conflict,
    /// Another round would end in the same way.
    Refused(ControlError),
}

impl From<ControlError> for TxError {
    fn from(error: ControlError) -> Self {
        Self::Refused(error)
    }
}

impl From<StoreError> for TxError {
    fn from(error: StoreError) -> Self {
        if is_conflict(&error) {
            Self::Conflict
        } else {
            Self::Refused(error.into())
        }
    }
}

/// Carries out rounds that read, decide and commit, until one of them was not overtaken.
///
/// # Errors
/// Whatever a round refuses with.
pub(crate) async fn retry_on_conflict<T, F>(round: impl Fn() -> F) -> Result<T, ControlError>
where
    F: Future<Output = Result<T, TxError>>,
{
    for _ in 0..ROUNDS {
        match round().await {
            Ok(done) => return Ok(done),
            Err(TxError::Conflict) => {}
            Err(TxError::Refused(error)) => return Err(error),
        }
    }
    Err(contended())
}

fn contended() -> ControlError {
    ControlError::conflict("The record is being changed by many at once. Try again.")
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
    Err(contended())
}
