//! Generic groups and their snapshots.

use std::collections::BTreeMap;

use springform_control::specs::{is_true, replication_of};
use springform_model::cloud::{Group, GroupSnapshot, GroupStatus, ReplicationStatus};
use springform_model::contract::ReplicationKind;

use super::names;
use super::records::{Reader, Records, state};

const COLUMNS: &[&str] = &[
    "id",
    "user_id",
    "project_id",
    "host",
    "availability_zone",
    "name",
    "description",
    "status",
    "group_type_id",
    "group_snapshot_id",
    "source_group_id",
    "replication_status",
    "created_at",
    "updated_at",
];

const SNAPSHOTS: &[&str] = &[
    "id",
    "group_id",
    "user_id",
    "project_id",
    "name",
    "description",
    "status",
    "group_type_id",
    "created_at",
    "updated_at",
];

/// Reads them.
///
/// # Errors
/// What the database says.
pub async fn read(reader: &mut Reader<'_>, records: &mut Records) -> anyhow::Result<()> {
    let mut types: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in reader
        .source
        .live("group_volume_type_mapping", &["group_id", "volume_type_id"])
        .await?
    {
        types
            .entry(row.text("group_id"))
            .or_default()
            .push(row.text("volume_type_id"));
    }
    for row in reader.source.live("groups", COLUMNS).await? {
        let id = row.text("id");
        let host = row.text("host");
        let Some(at) = reader.backend(&host, "group", &id) else {
            continue;
        };
        let Some(status) = at_rest(reader, &row, "group") else {
            continue;
        };
        let group_type_id = row.text("group_type_id");
        let kind = records
            .group_types
            .iter()
            .find(|kind| kind.id == group_type_id);
        let asks = |spec: &str| {
            kind.and_then(|kind| kind.group_specs.get(spec))
                .is_some_and(|word| is_true(word))
        };
        let consistent = asks("consistent_group_snapshot_enabled")
            || asks("consistent_group_replication_enabled");
        let volume_type_ids = types.remove(&id).unwrap_or_default();
        let in_pod = records
            .types
            .iter()
            .filter(|kind| volume_type_ids.contains(&kind.id))
            .any(|kind| {
                matches!(
                    replication_of(kind),
                    Some(ReplicationKind::Sync | ReplicationKind::TriSync)
                )
            });
        let Some(backend) = reader.backends.get(at) else {
            continue;
        };
        let word = row.text("replication_status");
        let replication = word.parse().unwrap_or(ReplicationStatus::Disabled);
        if replication == ReplicationStatus::FailedOver {
            reader.report.refuse(
                "groups that failed over by themselves are not taken over; fail them back in Cinder first",
                format!("group {id}"),
            );
        }
        records.groups.push(Group {
            project_id: row.text("project_id"),
            user_id: row.text("user_id"),
            name: row.owned("name"),
            description: row.owned("description"),
            status,
            group_type_id,
            volume_type_ids,
            availability_zone: row.text("availability_zone"),
            backend: Some(backend.name.clone()),
            host: Some(host),
            array_name: consistent.then(|| names::group(backend, &id, in_pod)),
            target: Some(backend.primary.clone()),
            group_snapshot_id: row.owned("group_snapshot_id"),
            source_group_id: row.owned("source_group_id"),
            replication_status: replication,
            generation: 0,
            operation: None,
            created_at: row.created(),
            updated_at: row.time("updated_at"),
            id,
        });
    }
    for row in reader.source.live("group_snapshots", SNAPSHOTS).await? {
        let group_id = row.text("group_id");
        let Some(group) = records.groups.iter().find(|group| group.id == group_id) else {
            continue;
        };
        let Some(status) = at_rest(reader, &row, "group snapshot") else {
            continue;
        };
        records.group_snapshots.push(GroupSnapshot {
            id: row.text("id"),
            project_id: row.text("project_id"),
            user_id: row.text("user_id"),
            group_id,
            name: row.owned("name"),
            description: row.owned("description"),
            status,
            group_type_id: row.text("group_type_id"),
            consistent: group.array_name.is_some(),
            operation: None,
            created_at: row.created(),
            updated_at: row.time("updated_at"),
        });
    }
    Ok(())
}

fn at_rest(reader: &mut Reader<'_>, row: &super::row::Row, what: &str) -> Option<GroupStatus> {
    let status: GroupStatus = state(reader.report, row, "status", what)?;
    if matches!(
        status,
        GroupStatus::Creating | GroupStatus::Deleting | GroupStatus::Updating
    ) {
        reader.report.refuse(
            "Cinder has begun something with them that nobody would end; let it end, or reset their state",
            format!("{what} {} is {status}", row.text("id")),
        );
    }
    Some(status)
}
