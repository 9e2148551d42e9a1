//! Replication of a group as one, as Cinder's API has it: its checks, then the verbs of replication with the group as
//! their scope. Its owner may do this, so the verb is journalled in their name but not refused for their role.

use springform_model::cloud::{
    Group, GroupStatus, GroupType, ReplicationStatus, Volume, VolumeStatus,
};
use springform_model::operation::Operation;

use super::rules::is_replicated;
use super::{Groups, invalid};
use crate::replication::{Ask, Replication, Request, Scope};
use crate::specs::replication_of;
use crate::{Caller, ControlError, ErrorKind};

/// Where a group is failed over to.
#[derive(Debug, Clone, Default)]
pub struct FailoverGroup {
    /// A target, `default` for the primary, none: the best one.
    pub to: Option<String>,
    /// Whether volumes in use may be moved.
    pub allow_attached: bool,
}

/// What a verb asks of the group and its members.
struct Needs {
    group: &'static [GroupStatus],
    replication: &'static [ReplicationStatus],
    volumes: &'static [VolumeStatus],
    what: &'static str,
}

const ENABLE: Needs = Needs {
    group: &[GroupStatus::Available],
    replication: &[ReplicationStatus::Disabled, ReplicationStatus::Enabled],
    volumes: &[VolumeStatus::Available, VolumeStatus::InUse],
    what: "enable replication",
};
const DISABLE: Needs = Needs {
    group: &[GroupStatus::Available, GroupStatus::Error],
    replication: &[ReplicationStatus::Enabled, ReplicationStatus::Error],
    volumes: &[],
    what: "disable replication",
};
const FAILOVER: Needs = Needs {
    group: &[GroupStatus::Available],
    // The last two are the way out of a failover that did not work; Cinder has none.
    replication: &[
        ReplicationStatus::Enabled,
        ReplicationStatus::FailedOver,
        ReplicationStatus::FailoverError,
    ],
    volumes: &[
        VolumeStatus::Available,
        VolumeStatus::InUse,
        VolumeStatus::Error,
    ],
    what: "failover replication",
};

/// The verb in the owner's name, not refused for their role.
fn owner(caller: &Caller) -> Caller {
    Caller {
        is_admin: true,
        ..caller.clone()
    }
}

/// What the operator's API calls refused is an invalid request to clients of Cinder.
fn refused(error: ControlError) -> ControlError {
    match error.kind {
        ErrorKind::Refused => ControlError {
            kind: ErrorKind::Invalid,
            message: format!("Invalid Group: {}", error.message),
            ..error
        },
        _ => error,
    }
}

impl Groups<'_> {
    /// Switches replication of the whole group on.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` where its types do not replicate or it is in another state; `Conflict`.
    pub async fn enable_replication(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<Operation, ControlError> {
        self.checked(caller, id, &ENABLE).await?;
        self.submit(caller, Request::Enable(ask(id))).await
    }

    /// Switches it off.
    ///
    /// # Errors
    /// As [`Groups::enable_replication`].
    pub async fn disable_replication(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<Operation, ControlError> {
        self.checked(caller, id, &DISABLE).await?;
        self.submit(caller, Request::Disable(ask(id))).await
    }

    /// Fails the group over, or back to the primary with `default`. What is outside the group stays where it is.
    ///
    /// # Errors
    /// As [`Groups::enable_replication`]; also for a volume in use unless that is allowed.
    pub async fn failover_replication(
        &self,
        caller: &Caller,
        id: &str,
        wanted: FailoverGroup,
    ) -> Result<Operation, ControlError> {
        for member in self.checked(caller, id, &FAILOVER).await? {
            if member.status == VolumeStatus::InUse && !wanted.allow_attached {
                return Err(ControlError::invalid(format!(
                    "Invalid volume: Volume {} is attached but allow_attached_volume flag is False. Cannot failover replication.",
                    member.id
                )));
            }
        }
        let backend = self.get(caller, id).await?.backend.unwrap_or_default();
        let ask = Ask {
            allow_attached: wanted.allow_attached,
            ..ask(id)
        };
        let replication = Replication::new(self.operations);
        replication
            .failover_of(&owner(caller), &backend, ask, wanted.to.as_deref())
            .await
            .map_err(refused)
    }

    /// The arrays the group's backend replicates to: names only.
    ///
    /// # Errors
    /// `NotFound`, `Invalid` where its types do not replicate.
    pub async fn replication_targets(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<Vec<String>, ControlError> {
        let group = self.get(caller, id).await?;
        self.replicates(&group).await?;
        let backend = group
            .backend
            .as_deref()
            .and_then(|name| self.operations.backend(name));
        let config = backend.map(|backend| backend.config());
        let targets = config.iter().flat_map(|config| &config.targets);
        Ok(targets
            .filter(|target| !target.primary)
            .map(|target| target.name.clone())
            .collect())
    }

    async fn submit(&self, caller: &Caller, request: Request) -> Result<Operation, ControlError> {
        let replication = Replication::new(self.operations);
        let begun = replication.submit(&owner(caller), request).await;
        begun.map_err(refused)
    }

    async fn replicates(&self, group: &Group) -> Result<(), ControlError> {
        let store = self.operations.store();
        let kind = store.get::<GroupType>(&group.group_type_id).await?;
        if !kind.is_some_and(|kind| is_replicated(&kind)) {
            return Err(ControlError::invalid(format!(
                "Invalid group type: Group {} is not a replication group type.",
                group.id
            )));
        }
        let types = &group.volume_type_ids;
        for kind in store
            .get_many::<springform_model::cloud::VolumeType>(types)
            .await?
        {
            if replication_of(&kind).is_none() {
                return Err(ControlError::invalid(format!(
                    "Invalid volume type: Volume type {} does not have 'replication_enabled' spec key set to '<is> True'.",
                    kind.id
                )));
            }
        }
        Ok(())
    }

    async fn checked(
        &self,
        caller: &Caller,
        id: &str,
        needs: &Needs,
    ) -> Result<Vec<Volume>, ControlError> {
        let group = self.get(caller, id).await?;
        self.replicates(&group).await?;
        let refuse = |what: &str, valid: String, current: &str| {
            format!(
                "{what} must be {valid}, but current status is: {current}. Cannot {}.",
                needs.what
            )
        };
        if let Some(holder) = &group.operation {
            return Err(ControlError::busy(&format!("Group {id}"), holder));
        }
        if !needs.group.contains(&group.status) {
            let valid = list(needs.group.iter().map(|word| word.as_str()));
            let what = format!("Group {id} status");
            return Err(invalid(refuse(&what, valid, group.status.as_str())));
        }
        let valid = list(needs.replication.iter().map(|word| word.as_str()));
        if !needs.replication.contains(&group.replication_status) {
            let what = format!("Group {id} replication status");
            let current = group.replication_status.as_str();
            return Err(invalid(refuse(&what, valid, current)));
        }
        let members = self.volumes(id).await?;
        for member in &members {
            let volume =
                |message: String| ControlError::invalid(format!("Invalid volume: {message}"));
            if !needs.volumes.is_empty() && !needs.volumes.contains(&member.status) {
                let valid = list(needs.volumes.iter().map(|word| word.as_str()));
                let what = format!("Volume {} status", member.id);
                return Err(volume(refuse(&what, valid, member.status.as_str())));
            }
            let current = member.replication_status;
            if !current.is_some_and(|current| needs.replication.contains(&current)) {
                let what = format!("Volume {} replication status", member.id);
                let current = current.map_or("None", ReplicationStatus::as_str);
                return Err(volume(refuse(&what, valid, current)));
            }
        }
        Ok(members)
    }
}

fn ask(id: &str) -> Ask {
    Ask::about(Scope::Group(id.to_owned()))
}

fn list<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.map(|word| format!("'{word}'")).collect();
    format!("[{}]", words.join(", "))
}
