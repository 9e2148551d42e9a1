//! Volumes, and what their replication stands at.

use springform_control::specs::replication_of;
use springform_model::cloud::{ReplicationStatus, Volume, VolumeStatus};
use springform_model::contract::Placement;
use springform_model::replication::relation::{Debt, DebtState, Relation};

use super::records::{Reader, Records, state};
use super::row::Row;

const COLUMNS: &[&str] = &[
    "id",
    "use_quota",
    "user_id",
    "project_id",
    "snapshot_id",
    "cluster_name",
    "host",
    "size",
    "availability_zone",
    "status",
    "migration_status",
    "launched_at",
    "display_name",
    "display_description",
    "provider_id",
    "volume_type_id",
    "source_volid",
    "encryption_key_id",
    "group_id",
    "bootable",
    "multiattach",
    "replication_status",
    "replication_driver_data",
    "previous_status",
    "created_at",
    "updated_at",
];

/// States in which Cinder has begun something that nobody would end.
const UNDER_WAY: &[VolumeStatus] = &[
    VolumeStatus::Creating,
    VolumeStatus::Deleting,
    VolumeStatus::Managing,
    VolumeStatus::RestoringBackup,
    VolumeStatus::BackingUp,
    VolumeStatus::Downloading,
    VolumeStatus::Uploading,
    VolumeStatus::Retyping,
    VolumeStatus::Reverting,
    VolumeStatus::Extending,
    VolumeStatus::Unmanaging,
];

/// Reads them.
///
/// # Errors
/// What the database says.
pub async fn read(reader: &mut Reader<'_>, records: &mut Records) -> anyhow::Result<()> {
    let owned = &["volume_id", "key", "value"];
    let mut metadata = reader.pairs("volume_metadata", owned).await?;
    let mut admin = reader.pairs("volume_admin_metadata", owned).await?;
    let mut image = reader.pairs("volume_glance_metadata", owned).await?;
    let mut rows = reader.source.live("volumes", COLUMNS).await?;
    rows.sort_by_cached_key(|row| row.text("id"));
    for row in &rows {
        let id = row.text("id");
        let Some(mut volume) = volume(reader, records, row) else {
            continue;
        };
        volume.metadata = metadata.remove(&id).unwrap_or_default();
        volume.admin_metadata = admin.remove(&id).unwrap_or_default();
        volume.image_metadata = image.remove(&id).unwrap_or_default();
        records.relations.extend(relation(reader, &volume, row));
        records.volumes.push(volume);
    }
    Ok(())
}

fn volume(reader: &mut Reader<'_>, records: &Records, row: &Row) -> Option<Volume> {
    let id = row.text("id");
    let host = row.owned("host").filter(|host| !host.is_empty());
    let at = match &host {
        Some(host) => Some(reader.backend(host, "volume", &id)?),
        None if reader.only => {
            reader.report.leave("volume on other backends", &id);
            return None;
        }
        None => None,
    };
    let status: VolumeStatus = state(reader.report, row, "status", "volume")?;
    if UNDER_WAY.contains(&status) {
        reader.report.refuse(
            "Cinder has begun something with them that nobody would end; let it end, or reset their state",
            format!("volume {id} is {status}"),
        );
    }
    if row.opt("encryption_key_id").is_some() {
        reader.report.refuse(
            "volumes that their hosts encrypt need the id of their key, which is not kept here; retype them, or leave their backend out",
            format!("volume {id}"),
        );
    }
    let migration = row
        .owned("migration_status")
        .filter(|word| !word.is_empty());
    if migration
        .as_deref()
        .is_some_and(|word| !matches!(word, "success" | "error" | "none"))
    {
        reader.report.refuse(
            "a migration is under way",
            format!(
                "volume {id} is {}",
                migration.as_deref().unwrap_or_default()
            ),
        );
    }
    let type_id = row.owned("volume_type_id");
    let kind = records
        .types
        .iter()
        .find(|kind| Some(&kind.id) == type_id.as_ref());
    let backend = at.and_then(|at| reader.backends.get(at));
    let name = row.owned("provider_id").filter(|name| !name.is_empty());
    if name.is_none() && backend.is_some() && status != VolumeStatus::Error {
        reader.report.refuse(
            "Cinder does not say what they are called on the array (provider_id); start cinder-volume of Cinder 27 or newer once, which writes it",
            format!("volume {id}"),
        );
    }
    let serving = backend.map(|backend| serving(records, &backend.name, &backend.primary, row));
    let placement = name.zip(serving).map(|(array_name, target)| Placement {
        array_name,
        target,
        serial: None,
        metadata: Vec::new(),
        replication: kind.and_then(replication_of),
        extensions: Vec::new(),
    });
    Some(Volume {
        project_id: row.text("project_id"),
        user_id: row.text("user_id"),
        name: row.owned("display_name"),
        description: row.owned("display_description"),
        size: row.number("size").unwrap_or(0),
        status,
        previous_status: row
            .opt("previous_status")
            .and_then(|word| word.parse().ok()),
        migration_status: migration,
        availability_zone: row.text("availability_zone"),
        type_name: kind.map(|kind| kind.name.clone()),
        type_id,
        snapshot_id: row.owned("snapshot_id"),
        source_volid: row.owned("source_volid"),
        group_id: row.owned("group_id"),
        metadata: Default::default(),
        admin_metadata: Default::default(),
        image_metadata: Default::default(),
        bootable: row.flag("bootable"),
        multiattach: row.flag("multiattach"),
        consumes_quota: row.flag("use_quota"),
        backend: backend.map(|backend| backend.name.clone()),
        host,
        placement,
        replication_status: row
            .opt("replication_status")
            .and_then(|word| word.parse().ok()),
        generation: 0,
        attachments: Vec::new(),
        operation: None,
        transfer_id: None,
        growing_to: None,
        taking_over: None,
        created_at: row.created(),
        updated_at: row.time("updated_at"),
        launched_at: row.time("launched_at"),
        id,
    })
}

fn is_failed_over(row: &Row) -> bool {
    row.opt("replication_status") == Some(ReplicationStatus::FailedOver.as_str())
}

/// The array that serves a volume. One whose group failed over says so itself; else it is where its backend is.
fn serving(records: &Records, backend: &str, primary: &str, row: &Row) -> String {
    let own = row
        .owned("replication_driver_data")
        .filter(|id| !id.is_empty());
    let service = records
        .services
        .iter()
        .find(|service| service.backend == backend);
    let active = service.and_then(|service| service.active_target.clone());
    let elsewhere = own.or(active.filter(|_| is_failed_over(row)));
    elsewhere.unwrap_or_else(|| primary.to_owned())
}

/// The relation of a volume that failed over: the array that was left behind may still be written to, so it is owed a fence.
/// That of a volume at home needs no record.
fn relation(reader: &Reader<'_>, volume: &Volume, row: &Row) -> Option<Relation> {
    let placement = volume.placement.as_ref()?;
    let mut backends = reader.backends.iter();
    let backend = backends.find(|backend| Some(&backend.name) == volume.backend.as_ref())?;
    if placement.target == backend.primary {
        return None;
    }
    let since = row.time("updated_at").unwrap_or_default();
    let wanted = placement.replication.is_some();
    let mut relation = Relation::new(&volume.id, &backend.name, &placement.target, 1, wanted);
    relation.debts.push(Debt {
        target: backend.primary.clone(),
        generation: 0,
        state: DebtState::Owed,
        since,
    });
    relation.moved_at = Some(since);
    Some(relation)
}
