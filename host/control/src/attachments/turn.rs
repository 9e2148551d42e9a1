//! An attachment's own lock, taken before that of its volume. Connections are a host's, not an attachment's: of the attachments by which one host uses one volume
//! one is connected or disconnected at a time, so that none of them takes away what another relies on, or leaves it behind.

use std::time::Duration;

use serde_json::json;
use springform_model::cloud::{AttachStatus, Attachment, Volume, VolumeStatus};
use springform_model::operation::{OperationState, Verb};
use springform_store::{Changes, Query, Store, StoreError, Stored};
use tokio::time::Instant;

use super::{Attachments, Wanted, leads};
use crate::edit::{TxError, no_more, retry_on_conflict};
use crate::engine::NewOperation;
use crate::{Caller, ControlError, lock};

/// How long an operation in the way is waited for before the records are looked at again.
const LOOK: Duration = Duration::from_millis(20);

/// What a round came to.
enum Turn {
    /// The operation is journalled.
    Taken(String),
    /// Another one has the turn.
    Of(String),
}

impl Attachments<'_> {
    /// Takes the turn, journals, carries out and waits: Nova needs the answer.
    pub(super) async fn carry_out(
        &self,
        caller: &Caller,
        id: &str,
        wanted: Wanted<'_>,
    ) -> Result<(), ControlError> {
        let until = Instant::now() + self.operations.config().operation_deadline;
        let operation = loop {
            match retry_on_conflict(|| self.take(caller, id, wanted)).await? {
                Turn::Taken(operation) => break operation,
                Turn::Of(holder) if Instant::now() > until => {
                    return Err(ControlError::busy(
                        &format!("Volume attachment {id}"),
                        &holder,
                    ));
                }
                Turn::Of(holder) => lock::pause(self.operations, &holder, LOOK).await,
            }
        };
        let ended = self.operations.wait(&operation).await?;
        match (ended.state, ended.error) {
            (OperationState::Succeeded, _) => Ok(()),
            (_, Some(error)) => {
                let mut refused = ControlError::from(error);
                refused.operation = Some(operation);
                Err(refused)
            }
            _ => Err(ControlError::unavailable(format!(
                "Operation {operation} has not ended yet: the host is stopping."
            ))),
        }
    }

    async fn take(&self, caller: &Caller, id: &str, wanted: Wanted<'_>) -> Result<Turn, TxError> {
        let store = self.operations.store();
        let mut attachment = self.stored(caller, id).await?;
        let internal = Caller::internal();
        let volume = self.volume(&internal, &attachment.volume_id).await?;
        let beside = Query::new()
            .eq("volume_id", &volume.id)
            .ne("id", &attachment.id);
        let others = store.list::<Attachment>(&beside).await?;
        let told = wanted.connector();
        let host = match told {
            Some(connector) => Some(connector.host.clone()),
            None => attachment.connector.as_ref().map(|told| told.host.clone()),
        };
        let in_the_way = others
            .iter()
            .filter(|other| host.as_ref().is_some_and(|host| leads(other, host)));
        for held in std::iter::once(&attachment).chain(in_the_way) {
            if let Some(holder) = holder(store, held).await? {
                return Ok(Turn::Of(holder));
            }
        }
        crate::volumes::up_to_date(self.operations, &volume).await?;
        if told.is_none() {
            // Here, where nobody can connect it any more before this is committed.
            self.may_take_away(caller, &attachment).await?;
        }
        if matches!(wanted, Wanted::Connect(_)) {
            alone(&volume, &attachment, &others)?;
        }
        let (verb, input) = match told {
            Some(connector) => (Verb::Connect, json!({ "connector": connector })),
            None => (Verb::Disconnect, json!({})),
        };
        let new = NewOperation::new(verb, "attachment", id)
            .input(input)
            .on(volume.backend.clone().unwrap_or_default())
            .step("array");
        let operation = self.operations.prepare(caller, new)?;
        let mut changes = no_more::<Attachment>(Changes::new(), beside, others.len());
        for other in &others {
            changes = changes.unchanged::<Attachment>(&other.id, other.revision);
        }
        if let Some(connector) = told {
            may_connect(&volume)?;
            // Before the array is asked: whatever becomes of it, there is a connection to be taken away.
            attachment.record.host_name = Some(connector.host.clone());
            attachment
                .record
                .connector
                .get_or_insert_with(|| connector.clone());
        }
        attachment.record.operation = Some(operation.id.clone());
        let taken = Turn::Taken(operation.id.clone());
        let changes = lock::at_once(changes, &volume, &operation.id).update(&attachment);
        self.operations.submit(changes, operation).await?;
        Ok(taken)
    }
}

/// The operation that has an attachment's turn, as long as it has not ended.
pub(super) async fn holder(
    store: &Store,
    attachment: &Stored<Attachment>,
) -> Result<Option<String>, StoreError> {
    let held = lock::holder(store, attachment.operation.as_ref()).await?;
    Ok(held.map(|held| held.id))
}

/// Refuses to connect a second reservation while another host reaches a volume that is not shared: it has to let go first.
fn alone(
    volume: &Volume,
    attachment: &Attachment,
    others: &[Stored<Attachment>],
) -> Result<(), ControlError> {
    let reaches = |other: &Attachment| {
        other.connector.is_some() && other.status != AttachStatus::ErrorAttaching
    };
    if attachment.legacy || volume.multiattach || !others.iter().any(|other| reaches(other)) {
        return Ok(());
    }
    Err(ControlError::conflict(format!(
        "Resource conflict: duplicate connectors detected on volume {}",
        volume.id
    )))
}

/// Refuses a volume that is about to go.
fn may_connect(volume: &Volume) -> Result<(), ControlError> {
    let goes = [VolumeStatus::Deleting, VolumeStatus::Unmanaging];
    match &volume.operation {
        Some(holder) if goes.contains(&volume.status) => {
            Err(ControlError::busy(&format!("Volume {}", volume.id), holder))
        }
        _ => Ok(()),
    }
}
