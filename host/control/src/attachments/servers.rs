//! Whether a disk may be taken away from a server, as Cinder decides it since OSSA-2023-003 (CVE-2023-2088): a service may; for
//! anybody else Nova has to say that the server does not have it. A hypervisor that is not told goes on using the path, which
//! then leads to whatever volume gets it next.

use springform_model::cloud::Attachment;

use super::Attachments;
use crate::compute::ComputeError;
use crate::ownership::of_caller;
use crate::{Caller, ControlError};

impl Attachments<'_> {
    /// Refuses to take an attachment away that a server uses.
    ///
    /// # Errors
    /// `Conflict` where Nova says so or cannot be asked, `Unavailable` where it does not answer.
    pub(crate) async fn may_take_away(
        &self,
        caller: &Caller,
        attachment: &Attachment,
    ) -> Result<(), ControlError> {
        if caller.is_service {
            return Ok(());
        }
        // A reservation leads no machine to the volume, and what no server uses is not Nova's to say.
        let (Some(server), Some(_)) = (&attachment.instance_id, &attachment.connection) else {
            return Ok(());
        };
        let Some(nova) = &caller.nova else {
            return Err(used(
                server,
                "This host knows no Nova to ask whether the server still has it: set [nova] url, or let Nova \
                 send its service token.",
            ));
        };
        let asked = nova.attachment(server, &attachment.volume_id).await;
        // To whom a server is not shown, Nova says that there is none.
        let hidden = match &asked {
            Ok(None) if may_be_anothers(caller, attachment) => {
                nova.shows(server).await.map(|shown| !shown)
            }
            _ => Ok(false),
        };
        match hidden.and_then(|hidden| Ok((asked?, hidden))) {
            Ok((None, true)) => Err(used(
                server,
                "An administrator of another project attached it, whose servers Nova does not show to you: let an \
                 administrator do this.",
            )),
            Ok((None, false)) => Ok(()),
            Ok((Some(other), _)) if other != attachment.id => Ok(()),
            Ok((Some(_), _)) => Err(used(server, "Nova says that the server has it.")),
            Err(error @ ComputeError::Unavailable(_)) => Err(ControlError::unavailable(format!(
                "Attachment {} stays, for whether instance {server} uses it cannot be found out. {error}. Try again.",
                attachment.id
            ))),
            Err(error) => Err(used(server, &format!("{error}."))),
        }
    }

    /// The same for a volume, of which one attachment is named or the only one is meant. Of several, a service says which.
    ///
    /// # Errors
    /// As of [`Self::may_take_away`]; `Invalid` for the attachment of another volume.
    pub(crate) async fn may_detach(
        &self,
        caller: &Caller,
        volume: &str,
        named: Option<&str>,
    ) -> Result<(), ControlError> {
        if caller.is_service {
            return Ok(());
        }
        let all = self.of(volume).await?;
        let meant = match (named, all.as_slice()) {
            (None, []) => return Ok(()),
            (None, [only]) => Some(only),
            (None, _) => None,
            (Some(id), all) => all.iter().find(|known| known.id == id),
        };
        if let Some(meant) = meant {
            return self.may_take_away(caller, meant).await;
        }
        if let Some(id) = named
            && of_caller::<Attachment>(self.operations.store(), caller, id)
                .await
                .is_ok()
        {
            return Err(ControlError::input("Mismatched volume and attachment"));
        }
        Err(used(
            "",
            "Only a service may leave open which of several attachments goes, or name one that is none of this volume.",
        ))
    }

    /// The same for everything that leads a server to a volume.
    ///
    /// # Errors
    /// As of [`Self::may_take_away`].
    pub(crate) async fn may_take_all(
        &self,
        caller: &Caller,
        volume: &str,
    ) -> Result<(), ControlError> {
        for attachment in self.of(volume).await? {
            self.may_take_away(caller, &attachment).await?;
        }
        Ok(())
    }
}

/// Whether the server may be of a project that the caller is not in: the attachment, which is of the caller's project,
/// was made by somebody of another one.
fn may_be_anothers(caller: &Caller, attachment: &Attachment) -> bool {
    !caller.is_admin && attachment.made_by.is_some()
}

/// Cinder's `ConflictNovaUsingAttachment`, and what to do.
fn used(server: &str, why: &str) -> ControlError {
    ControlError::conflict(format!(
        "Detach volume from instance {server} using the Compute API. {why}"
    ))
}
