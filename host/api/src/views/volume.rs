//! A volume as JSON.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use springform_model::cloud::{Metadata, Volume, VolumeAttachment};

use super::{AnswerTo, Links, Time, time};
use crate::http::{Shape, Version};

/// Form of a volume at the newest microversion.
pub const VOLUME: Shape = "{id:text, status:text, size:count, availability_zone:text, created_at:text, updated_at:text?, \
    name:text?, description:text?, volume_type:text?, snapshot_id:text?, source_volid:text?, metadata:map, links:[@link], \
    user_id:text, bootable:'true'|'false', encrypted:bool, replication_status:text?, consistencygroup_id:text?, multiattach:bool, \
    attachments:[{id:text, attachment_id:text, volume_id:text, server_id:text?, host_name:text?, device:text?, attached_at:text?}], migration_status?:text?, group_id?:text?, provider_id?:text?, shared_targets?:bool?, \
    service_uuid?:text?, cluster_name?:text?, volume_type_id?:text?, consumes_quota?:bool, volume_image_metadata?:map, \
    os-vol-tenant-attr:tenant_id?:text, os-vol-mig-status-attr:migstat?:text?, os-vol-mig-status-attr:name_id?:text?, \
    os-vol-host-attr:host?:text?}";

/// A volume for one caller.
#[derive(Debug)]
pub struct VolumeView<'a> {
    /// The record.
    pub volume: &'a Volume,
    /// Asked shape.
    pub version: Version,
    /// Whether the reader is an administrator.
    pub admin: bool,
    /// What it answers.
    pub to: AnswerTo,
    /// `http://host:port`.
    pub base: &'a str,
    /// Project in the path of the request.
    pub project: Option<&'a str>,
}

impl Serialize for VolumeView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let volume = self.volume;
        let version = match self.to {
            AnswerTo::Manage => Version::MIN,
            _ => self.version,
        };
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &volume.id)?;
        map.serialize_entry("status", shown_status(volume))?;
        map.serialize_entry("size", &volume.size)?;
        map.serialize_entry("availability_zone", &volume.availability_zone)?;
        map.serialize_entry("created_at", &Time(volume.created_at))?;
        map.serialize_entry("updated_at", &time(volume.updated_at))?;
        map.serialize_entry("name", &volume.name)?;
        map.serialize_entry("description", &volume.description)?;
        map.serialize_entry("volume_type", &volume.type_name)?;
        map.serialize_entry("snapshot_id", &volume.snapshot_id)?;
        map.serialize_entry("source_volid", &volume.source_volid)?;
        map.serialize_entry("metadata", &Shown(volume))?;
        map.serialize_entry(
            "links",
            &Links {
                base: self.base,
                project: self.project,
                collection: "volumes",
                id: &volume.id,
            },
        )?;
        map.serialize_entry("user_id", &volume.user_id)?;
        map.serialize_entry("bootable", if volume.bootable { "true" } else { "false" })?;
        map.serialize_entry("encrypted", &false)?;
        map.serialize_entry(
            "replication_status",
            &volume.replication_status.map(|status| status.as_str()),
        )?;
        map.serialize_entry("consistencygroup_id", &None::<&str>)?;
        map.serialize_entry("multiattach", &volume.multiattach)?;
        map.serialize_entry(
            "attachments",
            &Attachments {
                volume,
                admin: self.admin,
            },
        )?;
        if self.admin {
            map.serialize_entry("migration_status", &volume.migration_status)?;
        }
        if version.has(13) {
            map.serialize_entry("group_id", &volume.group_id)?;
        }
        if version.has(21) && self.admin {
            map.serialize_entry("provider_id", &None::<&str>)?;
        }
        if version.has(48) {
            map.serialize_entry("shared_targets", &true)?;
            map.serialize_entry("service_uuid", &None::<&str>)?;
        }
        if version.has(61) && self.admin {
            map.serialize_entry("cluster_name", &None::<&str>)?;
        }
        if version.has(63) {
            map.serialize_entry("volume_type_id", &volume.type_id)?;
        }
        if version.has(65) {
            map.serialize_entry("consumes_quota", &volume.consumes_quota)?;
        }
        if self.to == AnswerTo::Show {
            if !volume.image_metadata.is_empty() {
                map.serialize_entry("volume_image_metadata", &volume.image_metadata)?;
            }
            map.serialize_entry("os-vol-tenant-attr:tenant_id", &volume.project_id)?;
            if self.admin {
                map.serialize_entry("os-vol-mig-status-attr:migstat", &volume.migration_status)?;
                map.serialize_entry("os-vol-mig-status-attr:name_id", &None::<&str>)?;
                map.serialize_entry("os-vol-host-attr:host", &volume.host)?;
            }
        }
        map.end()
    }
}

/// What a volume that could not be taken over shows: clients know nothing of `error_managing`.
fn shown_status(volume: &Volume) -> &'static str {
    use springform_model::cloud::VolumeStatus::{ErrorManaging, Managing, Reverting};
    match volume.status {
        ErrorManaging => "error",
        Managing => "creating",
        Reverting => "reverting",
        other => other.as_str(),
    }
}

/// User metadata, then what an attachment and the driver add to it.
#[derive(Debug)]
struct Shown<'a>(&'a Volume);

impl Serialize for Shown<'_> {
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

#[derive(Debug)]
struct Attachments<'a> {
    volume: &'a Volume,
    admin: bool,
}

#[derive(Debug, Serialize)]
struct Attached<'a> {
    id: &'a str,
    attachment_id: &'a str,
    volume_id: &'a str,
    server_id: Option<&'a str>,
    host_name: Option<&'a str>,
    device: Option<&'a str>,
    attached_at: Option<Time>,
}

impl Serialize for Attachments<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let id = self.volume.id.as_str();
        serializer.collect_seq(self.volume.attachments.iter().map(
            |attachment: &VolumeAttachment| Attached {
                id,
                attachment_id: &attachment.attachment_id,
                volume_id: id,
                server_id: attachment.server_id.as_deref(),
                host_name: attachment.host_name.as_deref().filter(|_| self.admin),
                device: attachment.device.as_deref(),
                attached_at: time(attachment.attached_at),
            },
        ))
    }
}
