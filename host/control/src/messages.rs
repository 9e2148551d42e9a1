//! User messages: why something asynchronous failed, in words for whoever asked for it.

use springform_model::cloud::{UserMessage, Volume};
use springform_model::time::Timestamp;
use springform_store::{Changes, Query, Store};
use uuid::Uuid;

use crate::context::Context;
use crate::ownership::of_caller;
use crate::{Caller, ControlError};

/// Messages, read and deleted. Whatever fails writes one in the commit that records the failure.
#[derive(Debug, Clone, Copy)]
pub struct Messages<'a> {
    store: &'a Store,
}

/// How long a message is kept: 30 days.
pub(crate) const KEEP: i64 = 30 * 86_400 * 1_000_000;

/// A volume has another size since it is served by another array: what was added after the recovery point is not there.
/// The id follows from the volume, its generation and its size, so that a repetition says it once.
pub(crate) fn size_changed(before: &Volume, size: u64, now: Timestamp) -> UserMessage {
    let id = format!("size/{}/{}/{size}", before.id, before.generation);
    UserMessage {
        id: Uuid::new_v5(&Uuid::NAMESPACE_OID, id.as_bytes()).to_string(),
        project_id: before.project_id.clone(),
        event_id: "VOLUME_VOLUME_011_001".to_owned(),
        action_id: "011".to_owned(),
        detail_id: "001".to_owned(),
        user_message: format!(
            "The volume has {size} GiB and had {} GiB: it is served from a copy that was made before its size was changed. \
             Check the file system on it, and extend it again where that is needed.",
            before.size
        ),
        level: "ERROR".to_owned(),
        request_id: None,
        resource_type: "VOLUME".to_owned(),
        resource_uuid: Some(before.id.clone()),
        created_at: now,
        expires_at: now.plus_micros(KEEP),
    }
}

impl<'a> Messages<'a> {
    pub(crate) fn new(context: &'a Context) -> Self {
        Self {
            store: context.store(),
        }
    }

    /// One, by id.
    ///
    /// # Errors
    /// Not found, also for another project's.
    pub async fn get(&self, caller: &Caller, id: &str) -> Result<UserMessage, ControlError> {
        Ok(of_caller::<UserMessage>(self.store, caller, id)
            .await?
            .record)
    }

    /// A page of the caller's project's.
    ///
    /// # Errors
    /// What the store says.
    pub async fn list(
        &self,
        caller: &Caller,
        query: Query,
    ) -> Result<Vec<UserMessage>, ControlError> {
        let query = query.eq("project_id", caller.project_id.as_str());
        Ok(self
            .store
            .list::<UserMessage>(&query)
            .await?
            .into_iter()
            .map(|stored| stored.record)
            .collect())
    }

    /// Deletes one.
    ///
    /// # Errors
    /// Not found.
    pub async fn delete(&self, caller: &Caller, id: &str) -> Result<(), ControlError> {
        self.get(caller, id).await?;
        Ok(self
            .store
            .commit(Changes::new().remove::<UserMessage>(id))
            .await?)
    }
}
