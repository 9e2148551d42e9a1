//! The actions of before attachments: `os-initialize_connection`, `os-attach`, `os-detach`, `os-terminate_connection`.

use springform_model::cloud::{AttachStatus, Attachment, VolumeStatus};
use springform_model::contract::{Connection, Connector};

use super::{CreateAttachment, read_only};
use crate::attachments::Attachments;
use crate::edit::edit;
use crate::ownership::Owned as _;
use crate::volumes::Volumes;
use crate::{Caller, ControlError};

impl Volumes<'_> {
    /// Connects a host and says how it reaches the volume.
    ///
    /// # Errors
    /// `NotFound`, and what the array refuses.
    pub async fn initialize_connection(
        &self,
        caller: &Caller,
        id: &str,
        connector: Connector,
    ) -> Result<Connection, ControlError> {
        let volume = self.get(caller, id).await?;
        let attachments = Attachments::new(self.operations);
        let known = attachments
            .of(id)
            .await?
            .into_iter()
            .find(|known| known.legacy && known.host_name.as_ref() == Some(&connector.host));
        let made = match known {
            Some(known)
                if known.status == AttachStatus::Attached
                    && super::elsewhere(&known, &volume).is_none() =>
            {
                attachments.get(caller, &known.id).await?
            }
            Some(known) => attachments.update(caller, &known.id, connector).await?,
            None => {
                let wanted = CreateAttachment {
                    volume_id: id.to_owned(),
                    connector: Some(connector),
                    ..CreateAttachment::default()
                };
                attachments.make(caller, wanted, true).await?
            }
        };
        made.connection
            .ok_or_else(|| ControlError::internal("the driver named no way to reach the volume"))
    }

    /// Disconnects a host; with no connector, every host.
    ///
    /// # Errors
    /// `NotFound`, and what the array refuses.
    pub async fn terminate_connection(
        &self,
        caller: &Caller,
        id: &str,
        connector: Option<Connector>,
    ) -> Result<(), ControlError> {
        self.get(caller, id).await?;
        Attachments::new(self.operations)
            .may_detach(caller, id, None)
            .await?;
        let host = connector.map(|connector| connector.host);
        for known in Attachments::new(self.operations).of(id).await? {
            if known.legacy && (host.is_none() || known.host_name == host) {
                Attachments::new(self.operations)
                    .delete(caller, &known.id)
                    .await?;
            }
        }
        Ok(())
    }

    /// Says that an instance or a host uses the volume now.
    ///
    /// # Errors
    /// `NotFound`, `Invalid`.
    pub async fn attach(
        &self,
        caller: &Caller,
        id: &str,
        instance: Option<String>,
        host: Option<String>,
        device: Option<String>,
        mode: Option<String>,
    ) -> Result<(), ControlError> {
        let volume = self.get(caller, id).await?;
        if let Some(mode) = mode.as_deref().filter(|mode| *mode != "ro")
            && read_only(&volume)
        {
            return Err(ControlError::invalid(format!(
                "Invalid attaching mode '{mode}' for volume {id}."
            )));
        }
        let attachments = Attachments::new(self.operations);
        let all = attachments.of(id).await?;
        if volume.status == VolumeStatus::InUse && !volume.multiattach {
            let by_this_one = |known: &Attachment| match &instance {
                Some(_) => known.instance_id == instance,
                None => known.instance_id.is_none() && known.host_name == host,
            };
            // Who uses it already is told so again; to anybody else it is not shared.
            return match all.iter().any(by_this_one) {
                true => Ok(()),
                false => Err(ControlError::invalid(format!(
                    "Invalid volume: volume {id} is already attached"
                ))),
            };
        }
        let connected = all.into_iter().find(|known| {
            known.legacy
                && known.status != AttachStatus::Attached
                && (host.is_none() || known.host_name == host)
        });
        let made = match connected {
            Some(known) => known,
            None => {
                let wanted = CreateAttachment {
                    volume_id: id.to_owned(),
                    ..CreateAttachment::default()
                };
                attachments.make(caller, wanted, true).await?
            }
        };
        // It is of the volume, which is the caller's, so nobody asks again whose it is.
        let gone = || Attachment::unknown(&made.id);
        let store = self.operations.store();
        edit(store, &made.id, gone, |known: &mut Attachment| {
            known.instance_id.clone_from(&instance);
            known.device.clone_from(&device);
            known.mode = mode.clone().or_else(|| known.mode.clone());
            known.host_name = host.clone().or_else(|| known.host_name.clone());
            known.made_by = super::stranger(caller, &known.project_id);
            Ok(())
        })
        .await?;
        attachments.complete(caller, &made.id).await
    }

    /// Says that it is not used any more. The host is disconnected too where it still is.
    ///
    /// # Errors
    /// `NotFound`, `Invalid` when several attachments exist and none is named.
    pub async fn detach(
        &self,
        caller: &Caller,
        id: &str,
        attachment: Option<&str>,
    ) -> Result<(), ControlError> {
        let volume = self.get(caller, id).await?;
        Attachments::new(self.operations)
            .may_detach(caller, id, attachment)
            .await?;
        let all = Attachments::new(self.operations).of(id).await?;
        let chosen = match (attachment, all.as_slice()) {
            (Some(wanted), all) => all.iter().find(|known| known.id == wanted),
            (None, [only]) => Some(only),
            (None, []) => None,
            (None, _) => {
                return Err(ControlError::invalid(format!(
                    "Invalid volume: Volume {id} has several attachments. Detach volume failed: More than one attachment, but no attachment_id provided."
                )));
            }
        };
        match chosen {
            Some(known) => Attachments::new(self.operations)
                .delete(caller, &known.id)
                .await
                .map(drop),
            None if attachment.is_none()
                && matches!(volume.status, VolumeStatus::InUse | VolumeStatus::Detaching) =>
            {
                self.edit(caller, id, |volume| {
                    volume.status = VolumeStatus::Available;
                    volume.attachments.clear();
                    Ok(())
                })
                .await
                .map(drop)
            }
            None => Ok(()),
        }
    }
}
