//! What the API asks of the control plane, by noun: `control.volumes()`.

use std::sync::Arc;

use crate::Control;
use crate::audit::Audit;
use crate::default_types::DefaultTypes;
use crate::group_types::GroupTypes;
use crate::limits::Limits;
use crate::messages::Messages;
use crate::outbox::{self, EventSender};
use crate::qos::Qos;
use crate::quotas::Quotas;
use crate::transfers::Transfers;
use crate::types::Types;

impl Control {
    /// The audit log.
    #[must_use]
    pub fn audit(&self) -> Audit<'_> {
        Audit::new(self.context())
    }

    /// Default types of projects.
    #[must_use]
    pub fn default_types(&self) -> DefaultTypes<'_> {
        DefaultTypes::new(self.context())
    }

    /// Group types.
    #[must_use]
    pub fn group_types(&self) -> GroupTypes<'_> {
        GroupTypes::new(self.context())
    }

    /// Absolute limits.
    #[must_use]
    pub fn limits(&self) -> Limits<'_> {
        Limits::new(self.context())
    }

    /// User messages.
    #[must_use]
    pub fn messages(&self) -> Messages<'_> {
        Messages::new(self.context())
    }

    /// QoS specs.
    #[must_use]
    pub fn qos(&self) -> Qos<'_> {
        Qos::new(self.context())
    }

    /// Quotas.
    #[must_use]
    pub fn quotas(&self) -> Quotas<'_> {
        Quotas::new(self.context())
    }

    /// Transfers.
    #[must_use]
    pub fn transfers(&self) -> Transfers<'_> {
        Transfers::new(self.context())
    }

    /// Volume types.
    #[must_use]
    pub fn types(&self) -> Types<'_> {
        Types::new(self.context())
    }

    /// Begins to deliver events to the configured receivers, for as long as the host runs.
    pub fn deliver_with(&self, sender: Arc<dyn EventSender>) {
        for receiver in self.config().receivers.clone() {
            // What was sent and cannot be written down yet must not be sent again and again meanwhile.
            let (outbox, sender) = (self.outbox().patient(), sender.clone());
            self.spawn(outbox::send_to(outbox, sender, receiver));
        }
        self.spawn(outbox::sweep(self.context().clone()));
    }
}
