//! Snapshots.

use springform_model::cloud::{Snapshot, SnapshotStatus};

use super::names;
use super::records::{Reader, Records, state};

const COLUMNS: &[&str] = &[
    "id",
    "use_quota",
    "user_id",
    "project_id",
    "volume_id",
    "group_snapshot_id",
    "status",
    "progress",
    "volume_size",
    "display_name",
    "display_description",
    "volume_type_id",
    "created_at",
    "updated_at",
];

/// States of a snapshot with which nothing is under way.
const AT_REST: &[SnapshotStatus] = &[
    SnapshotStatus::Available,
    SnapshotStatus::Error,
    SnapshotStatus::ErrorDeleting,
    SnapshotStatus::ErrorManaging,
];

/// Reads them.
///
/// # Errors
/// What the database says.
pub async fn read(reader: &mut Reader<'_>, records: &mut Records) -> anyhow::Result<()> {
    let mut metadata = reader
        .pairs("snapshot_metadata", &["snapshot_id", "key", "value"])
        .await?;
    let mut image = reader
        .pairs("volume_glance_metadata", &["snapshot_id", "key", "value"])
        .await?;
    for row in reader.source.live("snapshots", COLUMNS).await? {
        let id = row.text("id");
        let Some(volume) = records.volume(&row.text("volume_id")) else {
            // Its volume was reported.
            continue;
        };
        let Some(status) = state::<SnapshotStatus>(reader.report, &row, "status", "snapshot")
        else {
            continue;
        };
        if !AT_REST.contains(&status) {
            reader.report.refuse(
                "Cinder has begun something with them that nobody would end; let it end, or reset their state",
                format!("snapshot {id} is {status}"),
            );
        }
        let group_snapshot_id = row.owned("group_snapshot_id");
        let group = group_snapshot_id.as_ref().and_then(|taken| {
            let taken = records
                .group_snapshots
                .iter()
                .find(|one| one.id == *taken)?;
            let group = records
                .groups
                .iter()
                .find(|group| group.id == taken.group_id)?;
            Some((group.array_name.clone()?, taken.id.clone()))
        });
        let array_name = volume.placement.as_ref().map(|placement| match group {
            Some((group, taken)) => names::part(&group, &taken, &placement.array_name),
            None => names::snapshot(&placement.array_name, &id),
        });
        let mut backends = reader.backends.iter();
        let home = backends.find(|backend| Some(&backend.name) == volume.backend.as_ref());
        records.snapshots.push(Snapshot {
            project_id: row.text("project_id"),
            user_id: row.text("user_id"),
            volume_id: volume.id.clone(),
            name: row.owned("display_name"),
            description: row.owned("display_description"),
            size: row.number("volume_size").unwrap_or(0),
            status,
            progress: row.owned("progress").unwrap_or_else(|| "100%".to_owned()),
            metadata: metadata.remove(&id).unwrap_or_default(),
            image_metadata: Some(image.remove(&id).unwrap_or_default()),
            group_snapshot_id,
            type_id: row.owned("volume_type_id"),
            consumes_quota: row.flag("use_quota"),
            backend: volume.backend.clone(),
            array_name: array_name.filter(|_| status != SnapshotStatus::Error),
            // Cinder takes none while it is failed over, and does not copy those that there are.
            target: home.map(|backend| backend.primary.clone()),
            operation: None,
            created_at: row.created(),
            updated_at: row.time("updated_at"),
            id,
        });
    }
    Ok(())
}
