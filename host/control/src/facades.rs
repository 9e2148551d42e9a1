//! What the API asks of the control plane, by noun: `control.volumes()`.

use std::sync::Arc;

use crate::attachments::Attachments;
use crate::audit::Audit;
use crate::default_types::DefaultTypes;
use crate::group_snapshots::GroupSnapshots;
use crate::group_types::GroupTypes;
use crate::groups::Groups;
use crate::images::Images;
use crate::limits::Limits;
use crate::manageable::{Ask, Entry, What};
use crate::messages::Messages;
use crate::outbox::{self, EventSender};
use crate::qos::Qos;
use crate::quotas::Quotas;
use crate::registry::Drivers;
use crate::replication::Replication;
use crate::scheduler::{Candidate, Request};
use crate::services::Services;
use crate::snapshots::Snapshots;
use crate::transfers::Transfers;
use crate::types::Types;
use crate::volumes::Volumes;
use crate::{Control, ControlError, exposition, manageable, scheduler};

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

    /// Types of groups, and what they ask of an array.
    #[must_use]
    pub fn group_types(&self) -> GroupTypes<'_> {
        GroupTypes::new(self.context())
    }

    /// What a project may have at most, and has now.
    #[must_use]
    pub fn limits(&self) -> Limits<'_> {
        Limits::new(self.context())
    }

    /// Messages that tell a tenant why something failed.
    #[must_use]
    pub fn messages(&self) -> Messages<'_> {
        Messages::new(self.context())
    }

    /// Limits of throughput that types are bound to.
    #[must_use]
    pub fn qos(&self) -> Qos<'_> {
        Qos::new(self.context())
    }

    /// Quotas of projects, and what counts against them.
    #[must_use]
    pub fn quotas(&self) -> Quotas<'_> {
        Quotas::new(self.context())
    }

    /// Volumes on their way from one project to another.
    #[must_use]
    pub fn transfers(&self) -> Transfers<'_> {
        Transfers::new(self.context())
    }

    /// Types of volumes, and who may use them.
    #[must_use]
    pub fn types(&self) -> Types<'_> {
        Types::new(self.context())
    }

    /// Machines that use volumes.
    #[must_use]
    pub fn attachments(&self) -> Attachments<'_> {
        Attachments::new(self.operations())
    }

    /// Drivers and their generations.
    #[must_use]
    pub fn drivers(&self) -> Drivers<'_> {
        Drivers::new(self.operations())
    }

    /// Snapshots of whole groups, of one moment.
    #[must_use]
    pub fn group_snapshots(&self) -> GroupSnapshots<'_> {
        GroupSnapshots::new(self.operations())
    }

    /// Groups of volumes that are treated as one.
    #[must_use]
    pub fn groups(&self) -> Groups<'_> {
        Groups::new(self.operations())
    }

    /// Golden volumes, from which images are cloned.
    #[must_use]
    pub fn images(&self) -> Images<'_> {
        Images::new(self.context())
    }

    /// Failover and everything about it.
    #[must_use]
    pub fn replication(&self) -> Replication<'_> {
        Replication::new(self.operations())
    }

    /// Services of backends.
    #[must_use]
    pub fn services(&self) -> Services<'_> {
        Services::new(self.operations())
    }

    /// Snapshots of single volumes.
    #[must_use]
    pub fn snapshots(&self) -> Snapshots<'_> {
        Snapshots::new(self.operations())
    }

    /// Volumes, from create to delete.
    #[must_use]
    pub fn volumes(&self) -> Volumes<'_> {
        Volumes::new(self.operations())
    }

    /// Every pool of every backend that is known now, with the reason of those that cannot be used at all.
    ///
    /// # Errors
    /// What the store says.
    pub async fn candidates(&self) -> Result<(Vec<Candidate>, Vec<String>), ControlError> {
        scheduler::candidates(self.operations()).await
    }

    /// The best pool.
    ///
    /// # Errors
    /// `Unavailable`; the sentence says which filter refused which backend and why.
    pub async fn schedule(&self, request: &Request) -> Result<Candidate, ControlError> {
        scheduler::schedule(self.operations(), request).await
    }

    /// A page of what could be taken over on `host@backend`. No more of the array's list is kept than the page, unless
    /// it has to be sorted.
    ///
    /// # Errors
    /// `NotFound` for the host, `Invalid` for a marker that is none, and what the array refuses.
    pub async fn manageable(
        &self,
        host: &str,
        what: What,
        ask: &Ask,
    ) -> Result<Vec<Entry>, ControlError> {
        manageable::list(self.operations(), host, what, ask).await
    }

    /// Metrics as OpenMetrics text, without its end mark. What the database does not tell now is what it told last.
    pub async fn metrics_text(&self) -> String {
        exposition::text(self.operations()).await
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
