//! The outbox as an operator sees it: what is on its way, what was given up, and send that again.

use std::sync::Arc;

use springform_model::time::Timestamp;
use springform_store::{Direction, Query};
use tokio::sync::watch;

use super::delivery::{Delivery, DeliveryState};
use crate::context::Context;
use crate::edit::edit;
use crate::{Caller, ControlError, ErrorKind};

/// Wakes every task that delivers.
#[derive(Debug)]
struct OutboxNotify(watch::Sender<u64>);

impl Default for OutboxNotify {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

impl OutboxNotify {
    fn notify(&self) {
        self.0.send_modify(|rung| *rung = rung.wrapping_add(1));
    }

    fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}

/// The outbox.
#[derive(Debug, Clone)]
pub struct Outbox {
    context: Context,
    notify: Arc<OutboxNotify>,
}

impl Outbox {
    pub(crate) fn new(context: Context) -> Self {
        Self {
            context,
            notify: Arc::default(),
        }
    }

    /// The same outbox, written as [`Context::patient`] says.
    pub(crate) fn patient(&self) -> Self {
        Self {
            context: self.context.patient(),
            notify: self.notify.clone(),
        }
    }

    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    /// Wakes every task that delivers: there is something to deliver.
    pub(crate) fn notify(&self) {
        self.notify.notify();
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.notify.subscribe()
    }

    fn admin(caller: &Caller) -> Result<(), ControlError> {
        if caller.is_admin {
            return Ok(());
        }
        Err(ControlError::new(
            ErrorKind::Forbidden,
            "The outbox is the administrator's.",
        ))
    }

    /// One page of deliveries, newest first.
    ///
    /// # Errors
    /// `NotFound` for a marker that is none, `Invalid` for a column that is none.
    pub async fn list(&self, caller: &Caller, query: Query) -> Result<Vec<Delivery>, ControlError> {
        Self::admin(caller)?;
        let query = query.sort("created_at", Direction::Desc);
        let found = self.context.store().list::<Delivery>(&query).await?;
        Ok(found.into_iter().map(|stored| stored.record).collect())
    }

    /// Sends one again from the beginning: one that was given up, or one that waits for its next attempt.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` where it was delivered.
    pub async fn retry(&self, caller: &Caller, id: &str) -> Result<Delivery, ControlError> {
        Self::admin(caller)?;
        let now: Timestamp = self.context.now();
        let missing = || ControlError::not_found("Delivery", id);
        let configured = &self.context.config().receivers;
        let revived = edit(self.context.store(), id, missing, |delivery: &mut Delivery| {
            if delivery.state == DeliveryState::Delivered {
                return Err(ControlError::conflict(format!(
                    "Delivery {id} has been taken by {}; an event is not sent twice on purpose.",
                    delivery.receiver
                )));
            }
            if !configured.contains(&delivery.receiver) {
                return Err(ControlError::conflict(format!(
                    "Delivery {id} is for {}, which is not configured any more; add a [[webhook]] of that name first.",
                    delivery.receiver
                )));
            }
            delivery.revive(now);
            Ok(())
        })
        .await?;
        self.notify();
        Ok(revived)
    }
}
