//! Quotas and transfers.

use std::collections::BTreeMap;

use springform_model::cloud::{QuotaSet, Transfer};

use super::records::{Reader, Records};

/// Resources that are limited here; others of Cinder's database limit nothing any more.
const LIMITED: &[&str] = &[
    "volumes",
    "snapshots",
    "gigabytes",
    "backups",
    "backup_gigabytes",
    "per_volume_gigabytes",
    "groups",
];

/// Reads them.
///
/// # Errors
/// What the database says.
pub async fn read(reader: &mut Reader<'_>, records: &mut Records) -> anyhow::Result<()> {
    let mut sets: BTreeMap<String, BTreeMap<String, i64>> = BTreeMap::new();
    let mut found = Vec::new();
    for row in reader
        .source
        .live("quotas", &["project_id", "resource", "hard_limit"])
        .await?
    {
        found.push((row.text("project_id"), row));
    }
    for row in reader
        .source
        .live("quota_classes", &["class_name", "resource", "hard_limit"])
        .await?
    {
        let name = row.text("class_name");
        if name == "default" {
            found.push((format!("class:{name}"), row));
        } else {
            reader
                .report
                .leave("quotas of classes that no project is in", name);
        }
    }
    let names: Vec<&str> = records
        .types
        .iter()
        .map(|kind| kind.name.as_str())
        .collect();
    for (id, row) in found {
        let resource = row.text("resource");
        let of_type = resource.split_once('_').is_some_and(|(word, kind)| {
            matches!(word, "volumes" | "snapshots" | "gigabytes") && names.contains(&kind)
        });
        match row.number("hard_limit") {
            Some(limit) if of_type || LIMITED.contains(&resource.as_str()) => {
                sets.entry(id).or_default().insert(resource, limit);
            }
            Some(_) => reader
                .report
                .leave("quotas of what is not here", format!("{resource} of {id}")),
            None => {}
        }
    }
    let sets = sets.into_iter();
    records
        .quotas
        .extend(sets.map(|(id, limits)| QuotaSet { id, limits }));
    transfers(reader, records).await
}

async fn transfers(reader: &mut Reader<'_>, records: &mut Records) -> anyhow::Result<()> {
    let columns = &[
        "id",
        "volume_id",
        "display_name",
        "salt",
        "crypt_hash",
        "no_snapshots",
        "source_project_id",
        "accepted",
        "created_at",
        "updated_at",
    ];
    for row in reader.source.live("transfers", columns).await? {
        let (id, volume_id) = (row.text("id"), row.text("volume_id"));
        let found = records.volumes.binary_search_by(|v| v.id.cmp(&volume_id));
        let volume = found.ok().and_then(|at| records.volumes.get_mut(at));
        let Some(volume) = volume.filter(|_| !row.flag("accepted")) else {
            continue;
        };
        volume.transfer_id = Some(id.clone());
        records.transfers.push(Transfer {
            id,
            volume_id,
            source_project_id: row
                .owned("source_project_id")
                .unwrap_or_else(|| volume.project_id.clone()),
            destination_project_id: None,
            name: row.owned("display_name"),
            salt: row.text("salt"),
            key_hash: row.text("crypt_hash"),
            no_snapshots: row.flag("no_snapshots"),
            accepted: false,
            created_at: row.created(),
            updated_at: row.time("updated_at"),
        });
    }
    Ok(())
}
