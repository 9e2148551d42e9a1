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
const PAGING: &[&str] = &["limit", "marker", "offset", "sort", "sort_key", "sort_dir"];

/// What sort of list it is: who may filter by what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Watch {
    /// Members may by what the installation allows. Other filters are refused from the microversion on, and ignored before.
    Ignored(u16),
    /// The same, but before the microversion other filters find nothing.
    Compared(u16),
    /// Everybody may by what is known; other filters find nothing.
    Everybody,
}

/// Lists whose filters Cinder watches: the end of the path, the resource, how.
const LISTS: [(&str, &str, Watch); 11] = [
    ("volumes", "volume", Watch::Ignored(31)),
    ("backups", "backup", Watch::Ignored(31)),
    ("snapshots", "snapshot", Watch::Ignored(31)),
    ("groups", "group", Watch::Compared(31)),
    ("group_snapshots", "group_snapshot", Watch::Compared(31)),
    ("attachments", "attachment", Watch::Ignored(31)),
    ("messages", "message", Watch::Compared(31)),
    ("types", "volume_type", Watch::Ignored(52)),
    ("os-volume-transfer", "transfer", Watch::Everybody),
    ("volume-transfers", "transfer", Watch::Everybody),
    ("qos-specs", "qos_specs", Watch::Everybody),
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
            "all_tenants",
            // No volume is the temporary target of a migration.
            "no_migration_targets",
        ],
        "snapshot" => &[
            "project_id",
            "metadata",
            "host",
            "availability_zone",
            "created_at",
            "updated_at",
            "all_tenants",
        ],
        "group" => &["list_volume", "created_at", "updated_at", "all_tenants"],
        "volume_type" => &["is_public", "extra_specs", "created_at", "updated_at"],
        "message" | "qos_specs" => &["created_at", "updated_at"],
        "transfer" => &["created_at", "updated_at", "all_tenants", "project_id"],
        _ => &["created_at", "updated_at", "all_tenants"],
    }
}

/// Lists that say how many there are where they are asked (from 3.45).
const COUNTED: [&str; 3] = ["volume", "snapshot", "backup"];

/// A list, by what it is a list of; none: one whose filters Cinder does not watch.
#[derive(Debug, Clone, Copy)]
pub struct List(Option<(&'static str, Watch)>);

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
        let last = path.rsplit('/').next().unwrap_or_default();
        let found = LISTS.iter().find(|(end, _, _)| *end == last);
        Self(found.map(|(_, resource, watch)| (*resource, *watch)))
    }

    /// Whether this caller may filter by it.
    pub fn may(self, call: &Call, name: &str) -> bool {
        match self.0 {
            None | Some((_, Watch::Everybody)) => true,
            Some((resource, _)) => {
                let mut allowed = FILTERS.iter().filter(|(known, _)| *known == resource);
                call.caller.is_admin || allowed.any(|(_, allowed)| allowed.contains(&name))
            }
        }
    }

    /// Judges every parameter of a request.
    ///
    /// # Errors
    /// 400 for a filter that members may not use, from the version that refuses it.
    pub fn judge(self, call: &Call, known: &[Known]) -> Result<Verdict, ApiError> {
        let Some((resource, watch)) = self.0 else {
            return Ok(Verdict::Compares);
        };
        let like = call.version.has(34) && watch != Watch::Everybody;
        let counted = call.version.has(45) && COUNTED.contains(&resource);
        let usable = |name: &str| {
            let plain = name.strip_suffix('~').filter(|_| like).unwrap_or(name);
            let read =
                own(resource).contains(&name) || known.iter().any(|(known, _, _)| *known == plain);
            PAGING.contains(&name)
                || (counted && name == "with_count")
                || (read && self.may(call, plain))
        };
        let names = call.query.iter().map(|(name, _)| name);
        let unknown: Vec<&str> = names.filter(|name| !usable(name)).collect();
        // cinderclient sends `all_tenants` for everybody; what a list takes beside its filters, Cinder reads before it
        // looks at them.
        let spared = |name: &&str| !matches!(*name, "all_tenants" | "list_volume");
        let refused_from = match watch {
            _ if call.caller.is_admin => None,
            Watch::Ignored(minor) | Watch::Compared(minor) => Some(minor),
            Watch::Everybody => None,
        };
        match refused_from {
            None if unknown.is_empty() => Ok(Verdict::Compares),
            None => Ok(Verdict::FindsNothing),
            Some(_) if !unknown.iter().any(spared) => Ok(Verdict::Compares),
            Some(minor) if call.version.has(minor) => {
                let unknown: Vec<&str> = unknown.into_iter().filter(spared).collect();
                Err(ApiError::invalid(format!(
                    "Invalid filters {} are found in query options.",
                    unknown.join(",")
                )))
            }
            Some(_) if matches!(watch, Watch::Ignored(_)) => Ok(Verdict::Compares),
            Some(_) => Ok(Verdict::FindsNothing),
        }
    }
}
