//! Whose a record is, asked in this one place: a caller finds, changes or names as a source only what is of their project. What
//! is another's is answered like what does not exist, so that nobody learns of it by asking.

use springform_model::cloud::{
    Attachment, Group, GroupSnapshot, Snapshot, Transfer, UserMessage, Volume,
};
use springform_model::operation::Operation;
use springform_store::{Record, Store, Stored};

use crate::edit::{edit, missing};
use crate::{Caller, ControlError};

/// A record that belongs to a project.
pub(crate) trait Owned: Record {
    /// Its project.
    fn project(&self) -> &str;

    /// The refusal where there is none, in Cinder's sentence for the noun.
    fn unknown(id: &str) -> ControlError;
}

/// Whether it is the caller's to see and to change.
pub(crate) fn is_visible<T: Owned>(caller: &Caller, record: &T) -> bool {
    caller.may_see(record.project())
}

/// One record, if it is the caller's.
///
/// # Errors
/// `NotFound`, or what the store says.
pub(crate) async fn of_caller<T: Owned>(
    store: &Store,
    caller: &Caller,
    id: &str,
) -> Result<Stored<T>, ControlError> {
    let found = store.get::<T>(id).await?;
    found
        .filter(|found| is_visible(caller, &found.record))
        .ok_or_else(|| T::unknown(id))
}

/// Changes one record, if it is the caller's.
///
/// # Errors
/// `NotFound`, whatever `decide` refuses with, and what the store says.
pub(crate) async fn edit_of_caller<T: Owned>(
    store: &Store,
    caller: &Caller,
    id: &str,
    mut decide: impl FnMut(&mut T) -> Result<(), ControlError>,
) -> Result<T, ControlError> {
    let unknown = || T::unknown(id);
    edit(store, id, unknown, |record: &mut T| {
        match is_visible(caller, record) {
            true => decide(record),
            false => Err(T::unknown(id)),
        }
    })
    .await
}

macro_rules! owned {
    ($($record:ty: $project:ident, $sentence:literal;)*) => {$(
        impl Owned for $record {
            fn project(&self) -> &str {
                &self.$project
            }

            fn unknown(id: &str) -> ControlError {
                let mut error = missing(format!($sentence, id = id));
                error.resource = Some(id.to_owned());
                error
            }
        }
    )*};
}

owned! {
    Volume: project_id, "Volume {id} could not be found.";
    Snapshot: project_id, "Snapshot {id} could not be found.";
    Attachment: project_id, "Volume attachment {id} could not be found.";
    Group: project_id, "Group {id} could not be found.";
    GroupSnapshot: project_id, "GroupSnapshot {id} could not be found.";
    Transfer: source_project_id, "Transfer {id} could not be found.";
    UserMessage: project_id, "message {id} could not be found.";
    Operation: project, "Operation {id} could not be found.";
}
