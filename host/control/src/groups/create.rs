//! Making an empty group: a backend that suits its type and all of its volume types is chosen first.

use serde_json::json;
use springform_model::cloud::{
    Group, GroupStatus, GroupType, Metadata, ReplicationStatus, VolumeType,
};
use springform_model::operation::Verb;
use springform_store::{Changes, Measure, Query, StoreError, Stored};
use uuid::Uuid;

use super::Groups;
use crate::edit::{TxError, is_conflict, retry_on_conflict};
use crate::engine::{NewOperation, Operations};
use crate::error::ErrorKind;
use crate::group_types::GroupTypes;
use crate::quotas::Quotas;
use crate::scheduler::Request;
use crate::types::Types;
use crate::{Caller, ControlError};

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct CreateGroup {
    /// Name.
    pub name: Option<String>,
    /// Description.
    pub description: Option<String>,
    /// Name or id of the group type.
    pub group_type: String,
    /// Names or ids of the volume types its members may have.
    pub volume_types: Vec<String>,
    /// Availability zone; none: the usual one.
    pub availability_zone: Option<String>,
}

impl Groups<'_> {
    /// Makes an empty group. It is `creating` in the answer; a failure shows as `error` and as a message.
    ///
    /// # Errors
    /// `Invalid`, `NotFound`, `OverLimit`: then there is no group.
    pub async fn create(
        &self,
        caller: &Caller,
        wanted: CreateGroup,
    ) -> Result<Group, ControlError> {
        retry_on_conflict(|| self.begin_empty(caller, wanted.clone())).await
    }

    async fn begin_empty(&self, caller: &Caller, wanted: CreateGroup) -> Result<Group, TxError> {
        let operations = self.operations;
        let kind = GroupTypes::new(operations)
            .stored(caller, &wanted.group_type)
            .await?;
        let mut types = Vec::with_capacity(wanted.volume_types.len());
        for name in &wanted.volume_types {
            types.push(Types::new(operations).stored(caller, name).await?);
        }
        if types.is_empty() {
            return Err(ControlError::input("a group needs at least one volume type").into());
        }
        let zone = self.zone(wanted.availability_zone)?;
        let mut group = new_group(operations, caller, &kind.id, zone);
        group.name = wanted.name;
        group.description = wanted.description;
        group.volume_type_ids = ids(&types);
        let new = NewOperation::new(Verb::CreateGroup, "group", &group.id);
        let new = match crate::scheduler::schedule_all(
            operations,
            &requests(&kind, &types, &group.availability_zone),
        )
        .await
        {
            Ok(chosen) => {
                group.backend = Some(chosen.backend.name().to_owned());
                group.host = Some(chosen.host());
                new.on(chosen.backend.name())
            }
            Err(why) => new.input(json!({ "refused": why.message })),
        };
        let operation = operations.prepare(caller, new)?;
        group.operation = Some(operation.id.clone());
        let mut changes = limit(operations, caller)
            .await?
            .insert(&group)
            .unchanged::<GroupType>(&kind.id, kind.revision);
        for kind in &types {
            changes = changes.unchanged::<VolumeType>(&kind.id, kind.revision);
        }
        match operations.submit(changes, operation).await {
            Ok(()) => Ok(group),
            Err(error) if is_conflict(&error) => Err(TxError::Conflict),
            Err(error) => Err(over_groups(error).into()),
        }
    }

    fn zone(&self, wanted: Option<String>) -> Result<String, ControlError> {
        let usual = &self.operations.config().availability_zone;
        let Some(zone) = wanted else {
            return Ok(usual.clone());
        };
        if crate::volumes::zone_exists(self.operations, &zone) {
            return Ok(zone);
        }
        Err(ControlError::input(format!(
            "Availability zone '{zone}' is invalid."
        )))
    }
}

fn ids(types: &[Stored<VolumeType>]) -> Vec<String> {
    let mut ids: Vec<String> = Vec::with_capacity(types.len());
    for kind in types {
        if !ids.contains(&kind.id) {
            ids.push(kind.id.clone());
        }
    }
    ids
}

/// Specs of a group type that a backend has to meet. Others are for the driver: as in Cinder, no backend has to report them.
const REQUIRED: &[&str] = &[
    "consistent_group_snapshot_enabled",
    "consistent_group_replication_enabled",
    "group_replication_enabled",
];

/// One request for the group's own type, one for each volume type.
fn requests(kind: &GroupType, types: &[Stored<VolumeType>], zone: &str) -> Vec<Request> {
    let own = kind.group_specs.iter();
    let own = own.filter(|(key, _)| REQUIRED.contains(&key.as_str()));
    let own: Metadata = own.map(|(key, spec)| (key.clone(), spec.clone())).collect();
    std::iter::once(own)
        .chain(types.iter().map(|kind| kind.extra_specs.clone()))
        .map(|specs| Request {
            extra_specs: specs,
            availability_zone: Some(zone.to_owned()),
            ..Request::default()
        })
        .collect()
}

pub(super) fn new_group(
    operations: &Operations,
    caller: &Caller,
    kind: &str,
    zone: String,
) -> Group {
    Group {
        id: Uuid::now_v7().to_string(),
        project_id: caller.project_id.clone(),
        user_id: caller.user_id.clone(),
        name: None,
        description: None,
        status: GroupStatus::Creating,
        group_type_id: kind.to_owned(),
        volume_type_ids: Vec::new(),
        availability_zone: zone,
        backend: None,
        host: None,
        array_name: None,
        target: None,
        group_snapshot_id: None,
        source_group_id: None,
        replication_status: ReplicationStatus::Disabled,
        generation: 0,
        operation: None,
        created_at: operations.now(),
        updated_at: None,
    }
}

/// The limit a new group has to keep.
pub(super) async fn limit(
    operations: &Operations,
    caller: &Caller,
) -> Result<Changes, ControlError> {
    let limits = Quotas::new(operations)
        .limits_of(&caller.project_id)
        .await?;
    let mine = Query::new().eq("project_id", &caller.project_id);
    Ok(match limits.get("groups").copied() {
        Some(limit) if limit >= 0 => {
            Changes::new().at_most::<Group>("groups", Measure::Count, mine, limit)
        }
        _ => Changes::new(),
    })
}

pub(super) fn over_groups(error: StoreError) -> ControlError {
    match error {
        StoreError::Limit { name, limit, .. } if name == "groups" => ControlError::new(
            ErrorKind::OverLimit,
            format!("GroupLimitExceeded: Maximum number of groups allowed ({limit}) exceeded"),
        ),
        other => other.into(),
    }
}
