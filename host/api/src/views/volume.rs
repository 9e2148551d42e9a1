//! A volume as JSON.

use std::collections::BTreeMap;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use springform_model::cloud::{Metadata, Volume, VolumeAttachment, VolumeStatus};
use utoipa::ToSchema;

use super::{AnswerTo, Link, Plural, Reader, Single, Time, time};

/// A volume.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Volume)]
pub struct VolumeView<'a> {
    id: &'a str,
    status: &'static str,
    /// GiB.
    size: u64,
    availability_zone: &'a str,
    created_at: Time,
    #[schema(required)]
    updated_at: Option<Time>,
    #[schema(required)]
    name: Option<&'a str>,
    #[schema(required)]
    description: Option<&'a str>,
    /// Name of its type.
    #[schema(required)]
    volume_type: Option<&'a str>,
    #[schema(required)]
    snapshot_id: Option<&'a str>,
    #[schema(required)]
    source_volid: Option<&'a str>,
    #[schema(value_type = BTreeMap<String, String>)]
    metadata: ShownMetadata<'a>,
    links: [Link<'a>; 2],
    user_id: &'a str,
    bootable: BoolText,
    encrypted: bool,
    #[schema(required)]
    replication_status: Option<&'static str>,
    #[schema(required)]
    consistencygroup_id: Option<&'a str>,
    multiattach: bool,
    attachments: Vec<VolumeAttachmentView<'a>>,
    /// For administrators.
    #[serde(skip_serializing_if = "Option::is_none")]
    migration_status: Option<Option<&'a str>>,
    /// From 3.13.
    #[serde(skip_serializing_if = "Option::is_none")]
    group_id: Option<Option<&'a str>>,
    /// From 3.21, for administrators.
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_id: Option<Option<&'a str>>,
    /// From 3.48.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    shared_targets: Option<bool>,
    /// From 3.48.
    #[serde(skip_serializing_if = "Option::is_none")]
    service_uuid: Option<Option<&'a str>>,
    /// From 3.61, for administrators.
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster_name: Option<Option<&'a str>>,
    /// From 3.63.
    #[serde(skip_serializing_if = "Option::is_none")]
    volume_type_id: Option<Option<&'a str>>,
    /// From 3.65.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    consumes_quota: Option<bool>,
    /// Where the volume was made of an image.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    volume_image_metadata: Option<&'a BTreeMap<String, String>>,
    #[serde(rename = "os-vol-tenant-attr:tenant_id")]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    tenant_id: Option<&'a str>,
    /// For administrators.
    #[serde(rename = "os-vol-mig-status-attr:migstat")]
    #[serde(skip_serializing_if = "Option::is_none")]
    migstat: Option<Option<&'a str>>,
    /// For administrators.
    #[serde(rename = "os-vol-mig-status-attr:name_id")]
    #[serde(skip_serializing_if = "Option::is_none")]
    name_id: Option<Option<&'a str>>,
    /// For administrators.
    #[serde(rename = "os-vol-host-attr:host")]
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<Option<&'a str>>,
}

impl Single for VolumeView<'_> {
    const KEY: &'static str = "volume";
}

impl Plural for VolumeView<'_> {
    const KEY: &'static str = "volumes";
    const LINKS: Option<&'static str> = Some("volumes_links");
    const COUNTED: bool = true;
}

impl<'a> VolumeView<'a> {
    /// A volume for one reader.
    #[must_use]
    pub fn new(volume: &'a Volume, reader: &Reader<'a>, to: AnswerTo) -> Self {
        let (version, admin) = (reader.version_to(to), reader.admin);
        let shown = to == AnswerTo::Show;
        let migration_status = volume.migration_status.as_deref();
        let image = Some(&volume.image_metadata).filter(|image| shown && !image.is_empty());
        Self {
            id: &volume.id,
            status: shown_status(volume),
            size: volume.size,
            availability_zone: &volume.availability_zone,
            created_at: Time(volume.created_at),
            updated_at: time(volume.updated_at),
            name: volume.name.as_deref(),
            description: volume.description.as_deref(),
            volume_type: volume.type_name.as_deref(),
            snapshot_id: volume.snapshot_id.as_deref(),
            source_volid: volume.source_volid.as_deref(),
            metadata: ShownMetadata(volume),
            links: reader.links("volumes", &volume.id),
            user_id: &volume.user_id,
            bootable: BoolText::from(volume.bootable),
            encrypted: false,
            replication_status: volume.replication_status.map(|status| status.as_str()),
            consistencygroup_id: None,
            multiattach: volume.multiattach,
            attachments: attachments(volume, admin),
            migration_status: admin.then_some(migration_status),
            group_id: version.has(13).then_some(volume.group_id.as_deref()),
            provider_id: (version.has(21) && admin).then_some(None),
            shared_targets: version.has(48).then_some(true),
            service_uuid: version.has(48).then_some(None),
            cluster_name: (version.has(61) && admin).then_some(None),
            volume_type_id: version.has(63).then_some(volume.type_id.as_deref()),
            consumes_quota: version.has(65).then_some(volume.consumes_quota),
            volume_image_metadata: image,
            tenant_id: shown.then_some(&volume.project_id),
            migstat: (shown && admin).then_some(migration_status),
            name_id: (shown && admin).then_some(None),
            host: (shown && admin).then_some(volume.host.as_deref()),
        }
    }
}

/// What a volume that could not be taken over shows: clients know nothing of `error_managing`.
fn shown_status(volume: &Volume) -> &'static str {
    match volume.status {
        VolumeStatus::ErrorManaging => "error",
        VolumeStatus::Managing => "creating",
        other => other.as_str(),
    }
}

/// A truth as Cinder writes this one: text.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum BoolText {
    True,
    False,
}

impl From<bool> for BoolText {
    fn from(truth: bool) -> Self {
        if truth { Self::True } else { Self::False }
    }
}

/// User metadata, then what an attachment and the driver add to it.
#[derive(Debug)]
struct ShownMetadata<'a>(&'a Volume);

impl Serialize for ShownMetadata<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Volume {
            metadata,
            admin_metadata,
            ..
        } = self.0;
        if admin_metadata.is_empty() {
            return metadata.serialize(serializer);
        }
        let added = |map: &Metadata| {
            admin_metadata
                .iter()
                .filter(|(key, _)| !map.contains_key(*key))
                .count()
        };
        let mut map = serializer.serialize_map(Some(metadata.len() + added(metadata)))?;
        for (key, value) in metadata {
            map.serialize_entry(key, value)?;
        }
        for (key, value) in admin_metadata
            .iter()
            .filter(|(key, _)| !metadata.contains_key(*key))
        {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// A place where a volume is attached.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VolumeAttachment)]
pub struct VolumeAttachmentView<'a> {
    /// Id of the volume.
    id: &'a str,
    attachment_id: &'a str,
    volume_id: &'a str,
    #[schema(required)]
    server_id: Option<&'a str>,
    /// Null to those who are no administrators.
    #[schema(required)]
    host_name: Option<&'a str>,
    #[schema(required)]
    device: Option<&'a str>,
    #[schema(required)]
    attached_at: Option<Time>,
}

fn attachments<'a>(volume: &'a Volume, admin: bool) -> Vec<VolumeAttachmentView<'a>> {
    let view = |attachment: &'a VolumeAttachment| VolumeAttachmentView {
        id: &volume.id,
        attachment_id: &attachment.attachment_id,
        volume_id: &volume.id,
        server_id: attachment.server_id.as_deref(),
        host_name: attachment.host_name.as_deref().filter(|_| admin),
        device: attachment.device.as_deref(),
        attached_at: time(attachment.attached_at),
    };
    volume.attachments.iter().map(view).collect()
}

/// A volume in a list without detail.
#[derive(Debug, Serialize, ToSchema)]
pub struct VolumeBrief<'a> {
    id: &'a str,
    #[schema(required)]
    name: Option<&'a str>,
    links: [Link<'a>; 2],
}

impl Plural for VolumeBrief<'_> {
    const KEY: &'static str = "volumes";
    const LINKS: Option<&'static str> = Some("volumes_links");
    const COUNTED: bool = true;
}

impl<'a> VolumeBrief<'a> {
    /// The same for every reader but for the links.
    #[must_use]
    pub fn new(volume: &'a Volume, reader: &Reader<'a>) -> Self {
        Self {
            id: &volume.id,
            name: volume.name.as_deref(),
            links: reader.links("volumes", &volume.id),
        }
    }
}

/// How many volumes there are, and of which size.
#[derive(Debug, Serialize, ToSchema)]
pub struct VolumeSummary {
    /// Every key of metadata with the values it has (from 3.36).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub metadata: Option<BTreeMap<String, Vec<String>>>,
    /// Volumes.
    pub total_count: u64,
    /// GiB.
    pub total_size: u64,
}

impl Single for VolumeSummary {
    const KEY: &'static str = "volume-summary";
}
