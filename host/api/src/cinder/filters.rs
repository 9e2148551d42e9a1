//! Who may filter which list by what: Cinder's `resource_filters.json` as it is shipped.

use super::listing::Known;
use crate::http::{ApiError, Call};

/// Resources and the filters that members may use, as `GET /resource_filters` shows them.
pub const FILTERS: [(&str, &[&str]); 9] = [
    (
        "volume",
        &[
            "name",
            "status",
            "metadata",
            "bootable",
            "migration_status",
            "availability_zone",
            "group_id",
            "size",
            "created_at",
            "updated_at",
            "consumes_quota",
        ],
    ),
    ("backup", &["name", "status", "volume_id"]),
    (
        "snapshot",
        &[
            "name",
            "status",
            "volume_id",
            "metadata",
            "availability_zone",
            "consumes_quota",
        ],
    ),
    ("group", &["name"]),
    ("group_snapshot", &["name", "status", "group_id"]),
    (
        "attachment",
        &["volume_id", "status", "instance_id", "attach_status"],
    ),
    (
        "message",
        &[
            "resource_uuid",
            "resource_type",
            "event_id",
            "request_id",
            "message_level",
        ],
    ),
    ("pool", &["name", "volume_type"]),
    ("volume_type", &["is_public", "extra_specs"]),
];

/// Parameters of every list.
const PAGING: &[&str] = &[
    "limit",
    "marker",
    "offset",
    "sort",
    "sort_key",
    "sort_dir",
    "all_tenants",
    "with_count",
];

/// Parameters that a list reads by itself.
fn own(resource: &str) -> &'static [&'static str] {
    match resource {
        "volume" => &[
            "project_id",
            "metadata",
            "glance_metadata",
            "created_at",
            "updated_at",
        ],
        "snapshot" => &[
            "project_id",
            "metadata",
            "host",
            "availability_zone",
            "created_at",
            "updated_at",
        ],
        "group" => &["list_volume", "created_at", "updated_at"],
        "volume_type" => &["is_public", "extra_specs"],
        _ => &["created_at", "updated_at"],
    }
}

/// A list, by what it is a list of; none: one whose filters Cinder does not watch.
#[derive(Debug, Clone, Copy)]
pub struct List(Option<&'static (&'static str, &'static [&'static str])>);

/// What a request's filters come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// They are compared.
    Compares,
    /// One of them is no property of what is listed.
    FindsNothing,
}

impl List {
    /// The list at this path.
    pub fn of(path: &str) -> Self {
        let path = path.trim_end_matches('/');
        let path = path.strip_suffix("/detail").unwrap_or(path);
        let resource = match path.rsplit('/').next().unwrap_or_default() {
            "volumes" => "volume",
            "backups" => "backup",
            "snapshots" => "snapshot",
            "groups" => "group",
            "group_snapshots" => "group_snapshot",
            "attachments" => "attachment",
            "messages" => "message",
            "types" => "volume_type",
            _ => return Self(None),
        };
        Self(FILTERS.iter().find(|(name, _)| *name == resource))
    }

    /// Whether this caller may filter by it. Members may by what the installation allows.
    pub fn may(self, call: &Call, name: &str) -> bool {
        match self.0 {
            Some((_, allowed)) if !call.caller.is_admin => allowed.contains(&name),
            _ => true,
        }
    }

    /// Judges every parameter of a request.
    ///
    /// # Errors
    /// 400 for a filter that members may not use, from the version that refuses it.
    pub fn judge(self, call: &Call, known: &[Known]) -> Result<Verdict, ApiError> {
        let Some((resource, _)) = self.0 else {
            return Ok(Verdict::Compares);
        };
        let like = call.version.has(34);
        let names = call.query.iter().map(|(name, _)| name);
        let mut unknown = names.filter(|name| {
            let plain = name.strip_suffix('~').filter(|_| like).unwrap_or(name);
            let read =
                own(resource).contains(name) || known.iter().any(|(known, _, _)| *known == plain);
            let usable = PAGING.contains(name) || (read && self.may(call, plain));
            !usable
        });
        if call.caller.is_admin {
            return Ok(match unknown.next() {
                Some(_) => Verdict::FindsNothing,
                None => Verdict::Compares,
            });
        }
        let refused_from = if *resource == "volume_type" { 52 } else { 31 };
        let unknown: Vec<&str> = match call.version.has(refused_from) {
            // What a list takes beside its filters, Cinder reads before it looks at them.
            true => unknown.filter(|name| *name != "list_volume").collect(),
            false => Vec::new(),
        };
        if unknown.is_empty() {
            return Ok(Verdict::Compares);
        }
        let unknown = unknown.join(",");
        Err(ApiError::invalid(format!(
            "Invalid filters {unknown} are found in query options."
        )))
    }
}
