//! Where the nouns of the model are kept and which of their fields can be asked for.

use springform_model::cloud::{
    Attachment, DefaultType, GoldenImage, Group, GroupSnapshot, GroupType, QosSpecs, QuotaSet,
    Service, Snapshot, Transfer, UserMessage, Volume, VolumeType,
};
use springform_model::operation::Operation;
use springform_model::replication::drill::Drill;
use springform_model::replication::obligation::Obligation;
use springform_model::replication::relation::Relation;

use crate::table::{Record, Table, Value};

macro_rules! record {
    ($type:ty, $table:literal, $id:ident, |$r:ident| { $($column:ident : $value:expr),* $(,)? }) => {
        impl Record for $type {
            const TABLE: Table = Table { name: $table, columns: &[$(stringify!($column)),*] };

            fn id(&self) -> &str {
                &self.$id
            }

            fn columns(&self) -> Vec<(&'static str, Value)> {
                let $r = self;
                vec![$((stringify!($column), Value::from($value))),*]
            }
        }
    };
}

/// What is sorted on is never null, so that one range of an index holds everything behind a marker.
fn text(text: &Option<String>) -> &str {
    text.as_deref().unwrap_or_default()
}

record!(Volume, "volumes", id, |r| {
    project_id: &r.project_id, user_id: &r.user_id, name: text(&r.name), description: &r.description,
    status: r.status.as_str(), size: r.size, type_id: &r.type_id, type_name: &r.type_name, backend: &r.backend,
    host: text(&r.host), availability_zone: &r.availability_zone, group_id: &r.group_id, snapshot_id: &r.snapshot_id,
    source_volid: &r.source_volid, bootable: r.bootable, multiattach: r.multiattach,
    replication_status: r.replication_status.map(|s| s.as_str()), migration_status: &r.migration_status,
    consumes_quota: r.consumes_quota, operation: &r.operation, transfer_id: &r.transfer_id,
    created_at: r.created_at, updated_at: r.updated_at.unwrap_or_default(), launched_at: r.launched_at,
    array_name: r.placement.as_ref().map(|placement| &placement.array_name).or(r.taking_over.as_ref()).cloned(),
    claimed: r.growing_to.map_or(r.size, |size| size.max(r.size)),
});

record!(Snapshot, "snapshots", id, |r| {
    project_id: &r.project_id, user_id: &r.user_id, volume_id: &r.volume_id, name: text(&r.name),
    description: &r.description, status: r.status.as_str(), size: r.size, type_id: &r.type_id,
    group_snapshot_id: &r.group_snapshot_id, backend: &r.backend, consumes_quota: r.consumes_quota,
    operation: &r.operation, created_at: r.created_at, updated_at: r.updated_at.unwrap_or_default(),
    array_name: &r.array_name,
});

record!(Attachment, "attachments", id, |r| {
    project_id: &r.project_id, volume_id: &r.volume_id, instance_id: &r.instance_id, host_name: &r.host_name,
    status: r.status.as_str(), mode: &r.mode, created_at: r.created_at, updated_at: r.updated_at.unwrap_or_default(),
});

record!(Service, "services", backend, |r| {
    host: &r.host, created_at: r.created_at, updated_at: r.updated_at.unwrap_or_default(),
});

record!(VolumeType, "volume_types", id, |r| {
    name: &r.name, description: &r.description, is_public: r.is_public, qos_specs_id: &r.qos_specs_id,
    created_at: r.created_at, updated_at: r.updated_at.unwrap_or_default(),
});

record!(QosSpecs, "qos_specs", id, |r| {
    name: &r.name, created_at: r.created_at, updated_at: r.updated_at.unwrap_or_default(),
});

record!(GroupType, "group_types", id, |r| {
    name: &r.name, description: &r.description, is_public: r.is_public,
    created_at: r.created_at, updated_at: r.updated_at.unwrap_or_default(),
});

record!(Group, "groups", id, |r| {
    project_id: &r.project_id, name: text(&r.name), description: &r.description, status: r.status.as_str(),
    group_type_id: &r.group_type_id, backend: &r.backend, host: &r.host, availability_zone: &r.availability_zone,
    replication_status: r.replication_status.as_str(), group_snapshot_id: &r.group_snapshot_id,
    source_group_id: &r.source_group_id, operation: &r.operation, created_at: r.created_at,
    updated_at: r.updated_at.unwrap_or_default(),
});

record!(GroupSnapshot, "group_snapshots", id, |r| {
    project_id: &r.project_id, group_id: &r.group_id, name: text(&r.name), description: &r.description,
    status: r.status.as_str(), group_type_id: &r.group_type_id, operation: &r.operation,
    created_at: r.created_at, updated_at: r.updated_at.unwrap_or_default(),
});

record!(QuotaSet, "quota_sets", id, |_r| {});

record!(DefaultType, "default_types", project_id, |r| { type_id: &r.type_id });

record!(GoldenImage, "images", id, |r| { volume_id: &r.volume_id });

record!(UserMessage, "messages", id, |r| {
    project_id: &r.project_id, event_id: &r.event_id, level: &r.level, request_id: &r.request_id,
    resource_type: &r.resource_type, resource_uuid: &r.resource_uuid, created_at: r.created_at,
    expires_at: r.expires_at,
});

record!(Transfer, "transfers", id, |r| {
    volume_id: &r.volume_id, source_project_id: &r.source_project_id, name: text(&r.name),
    accepted: r.accepted, created_at: r.created_at, updated_at: r.updated_at.unwrap_or_default(),
});

/// The word of a verb as the journal writes it.
#[must_use]
pub fn verb_word(operation: &Operation) -> String {
    serde_json::to_value(operation.verb)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

record!(Operation, "operations", id, |r| {
    verb: verb_word(r), state: r.state.as_str(), open: !r.state.is_terminal(), backend: &r.backend,
    subject_kind: &r.subject_kind, subject: &r.subject, project_id: &r.project, request_id: &r.request_id,
    created_at: r.created_at, updated_at: r.updated_at, finished_at: r.finished_at,
});

impl Record for Relation {
    const TABLE: Table = Table::documents("relations");

    fn id(&self) -> &str {
        &self.volume_id
    }

    fn columns(&self) -> Vec<(&'static str, Value)> {
        vec![
            (
                "kind",
                Value::from(if self.owed().next().is_some() {
                    "owed"
                } else {
                    "clear"
                }),
            ),
            ("backend", Value::from(&self.backend)),
            ("state", Value::from(self.phase.name())),
            ("created_at", Value::from(self.moved_at.unwrap_or_default())),
        ]
    }
}

impl Record for Drill {
    const TABLE: Table = Table::documents("drills");

    fn id(&self) -> &str {
        &self.id
    }

    fn columns(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("backend", Value::from(&self.backend)),
            ("state", Value::from(self.state.as_str())),
            ("project_id", Value::from(&self.project)),
            ("created_at", Value::from(self.created_at)),
            ("due_at", Value::from(self.ends_at)),
        ]
    }
}

impl Record for Obligation {
    const TABLE: Table = Table::documents("obligations");

    fn id(&self) -> &str {
        &self.id
    }

    fn columns(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("kind", Value::from(self.kind.as_str())),
            ("subject", Value::from(&self.target)),
            ("backend", Value::from(&self.backend)),
            ("state", Value::from(self.state.as_str())),
            ("project_id", Value::from(&self.project)),
            ("created_at", Value::from(self.since)),
        ]
    }
}
