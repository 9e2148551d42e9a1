//! Volume types with their extra specs, QoS specs and encryption, group types, default types.

use std::collections::BTreeMap;

use springform_model::cloud::{
    DefaultType, GroupType, Metadata, QosSpecs, TypeEncryption, VolumeType,
};

use super::records::{Reader, Records};

/// Root rows of QoS specs carry their name under this key.
const QOS_NAME: &str = "QoS_Specs_Name";

/// Reads them.
///
/// # Errors
/// What the database says.
pub async fn read(reader: &mut Reader<'_>, records: &mut Records) -> anyhow::Result<()> {
    qos(reader, records).await?;
    volume_types(reader, records).await?;
    let defaults = ["project_id", "volume_type_id"];
    for row in reader
        .source
        .live("default_volume_types", &["project_id", "volume_type_id"])
        .await?
    {
        let [project, kind] = defaults;
        records.default_types.push(DefaultType {
            project_id: row.text(project),
            type_id: row.text(kind),
        });
    }
    group_types(reader, records).await
}

async fn qos(reader: &mut Reader<'_>, records: &mut Records) -> anyhow::Result<()> {
    let columns = &["id", "specs_id", "key", "value", "created_at", "updated_at"];
    let rows = reader
        .source
        .live("quality_of_service_specs", columns)
        .await?;
    let mut specs: BTreeMap<String, Metadata> = BTreeMap::new();
    for row in &rows {
        if let Some(owner) = row.owned("specs_id") {
            let specs = specs.entry(owner).or_default();
            specs.insert(row.text("key"), row.text("value"));
        }
    }
    for row in rows.iter().filter(|row| row.opt("key") == Some(QOS_NAME)) {
        let id = row.text("id");
        let mut specs = specs.remove(&id).unwrap_or_default();
        records.qos.push(QosSpecs {
            consumer: specs
                .remove("consumer")
                .unwrap_or_else(|| "back-end".to_owned()),
            name: row.text("value"),
            specs,
            created_at: row.created(),
            updated_at: row.time("updated_at"),
            id,
        });
    }
    Ok(())
}

async fn volume_types(reader: &mut Reader<'_>, records: &mut Records) -> anyhow::Result<()> {
    let mut specs = reader
        .pairs(
            "volume_type_extra_specs",
            &["volume_type_id", "key", "value"],
        )
        .await?;
    let mut projects: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in reader
        .source
        .live("volume_type_projects", &["volume_type_id", "project_id"])
        .await?
    {
        let of = projects.entry(row.text("volume_type_id")).or_default();
        of.push(row.text("project_id"));
    }
    let mut encryption = BTreeMap::new();
    let columns = &[
        "encryption_id",
        "volume_type_id",
        "provider",
        "control_location",
        "cipher",
        "key_size",
        "created_at",
        "updated_at",
    ];
    for row in reader.source.live("encryption", columns).await? {
        encryption.insert(
            row.text("volume_type_id"),
            TypeEncryption {
                id: row.text("encryption_id"),
                provider: row.text("provider"),
                control_location: row.text("control_location"),
                cipher: row.owned("cipher"),
                key_size: row.number("key_size"),
                created_at: row.created(),
                updated_at: row.time("updated_at"),
            },
        );
    }
    let columns = &[
        "id",
        "name",
        "description",
        "qos_specs_id",
        "is_public",
        "created_at",
        "updated_at",
    ];
    for row in reader.source.live("volume_types", columns).await? {
        let id = row.text("id");
        let mut projects = projects.remove(&id).unwrap_or_default();
        projects.sort();
        records.types.push(VolumeType {
            name: row.text("name"),
            description: row.owned("description"),
            is_public: row.flag("is_public"),
            projects,
            extra_specs: specs.remove(&id).unwrap_or_default(),
            qos_specs_id: row.owned("qos_specs_id"),
            encryption: encryption.remove(&id),
            created_at: row.created(),
            updated_at: row.time("updated_at"),
            id,
        });
    }
    Ok(())
}

async fn group_types(reader: &mut Reader<'_>, records: &mut Records) -> anyhow::Result<()> {
    let mut specs = reader
        .pairs("group_type_specs", &["group_type_id", "key", "value"])
        .await?;
    for row in reader
        .source
        .live("group_type_projects", &["group_type_id", "project_id"])
        .await?
    {
        reader.report.leave(
            "who may use a group type that is not public: here administrators only",
            format!(
                "{} of project {}",
                row.text("group_type_id"),
                row.text("project_id")
            ),
        );
    }
    let columns = &[
        "id",
        "name",
        "description",
        "is_public",
        "created_at",
        "updated_at",
    ];
    for row in reader.source.live("group_types", columns).await? {
        let id = row.text("id");
        records.group_types.push(GroupType {
            name: row.text("name"),
            description: row.owned("description"),
            is_public: row.flag("is_public"),
            group_specs: specs.remove(&id).unwrap_or_default(),
            created_at: row.created(),
            updated_at: row.time("updated_at"),
            id,
        });
    }
    Ok(())
}
