//! The outbox as an operator sees it: what is on its way, what was given up, and send that again.

use springform_model::time::Timestamp;
use springform_store::{Direction, Query};

use super::delivery::{Delivery, DeliveryState};
use crate::edit::edit;
use crate::{Caller, Control, ControlError, ErrorKind};

/// The outbox.
#[derive(Debug, Clone, Copy)]
pub struct Outbox<'a> {
    control: &'a Control,
}

impl Control {
    /// Events on their way.
    #[must_use]
    pub fn outbox(&self) -> Outbox<'_> {
        Outbox { control: self }
    }
}

impl Outbox<'_> {
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
        let found = self.control.store().list::<Delivery>(&query).await?;
        Ok(found.into_iter().map(|stored| stored.record).collect())
    }

    /// Sends one again from the beginning: one that was given up, or one that waits for its next attempt.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` where it was delivered.
    pub async fn retry(&self, caller: &Caller, id: &str) -> Result<Delivery, ControlError> {
        Self::admin(caller)?;
        let now: Timestamp = self.control.now();
        let missing = || ControlError::not_found("Delivery", id);
        let configured = &self.control.config().receivers;
        let revived = edit(self.control.store(), id, missing, |delivery: &mut Delivery| {
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
        self.control.outbox_notify().notify();
        Ok(revived)
    }
}
