//! User messages: why something asynchronous failed, in words for whoever asked for it.

use springform_model::cloud::UserMessage;
use springform_store::{Changes, Query, Store};

use crate::ownership::of_caller;
use crate::{Caller, Control, ControlError};

/// Messages, read and deleted. Whatever fails writes one in the commit that records the failure.
#[derive(Debug, Clone, Copy)]
pub struct Messages<'a> {
    store: &'a Store,
}

impl Control {
    /// User messages.
    #[must_use]
    pub fn messages(&self) -> Messages<'_> {
        Messages {
            store: self.store(),
        }
    }
}

impl Messages<'_> {
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
