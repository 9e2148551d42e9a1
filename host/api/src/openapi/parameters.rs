//! Parameters of an operation: the parts of its path, what its query knows, the microversion.

use serde_json::{Value, json};

use crate::http::{Route, Version};

/// Every parameter.
pub(super) fn of(route: &Route, face: &str) -> Vec<Value> {
    let mut parameters: Vec<Value> = parts(route.path)
        .map(|name| {
            json!({"name": name, "in": "path", "required": true, "schema": {"type": "string", "minLength": 1, "maxLength": 255}})
        })
        .collect();
    parameters.extend(route.query.iter().map(
        |name| json!({"name": name, "in": "query", "required": false, "schema": query(name)}),
    ));
    if face == "cinder" {
        parameters.push(json!({
            "name": "OpenStack-API-Version", "in": "header", "required": false,
            "description": "The microversion; none: the oldest.",
            "schema": {"type": "string", "pattern": versions()}, "example": format!("volume 3.{}", Version::MAX.0),
        }));
    }
    parameters
}

/// What the value of a query parameter looks like; the same name means the same everywhere.
fn query(name: &str) -> Value {
    match name {
        "limit" | "offset" => json!({"type": "integer", "minimum": 0, "maximum": 0x7fff_ffff}),
        "size" => json!({"type": "integer", "minimum": 0}),
        "all_tenants" | "with_count" | "cascade" | "force" | "bootable" => {
            json!({"type": "string", "enum": ["true", "false", "1", "0"]})
        }
        "sort_dir" => json!({"type": "string", "enum": ["asc", "desc"]}),
        "sort" => {
            json!({"type": "string", "pattern": "^[a-z_]+(:(asc|desc))?(,[a-z_]+(:(asc|desc))?)*$"})
        }
        "metadata" | "glance_metadata" | "extra_specs" => {
            json!({"type": "string", "description": "Pairs, as JSON or as Python writes them."})
        }
        _ => json!({"type": "string"}),
    }
}

/// The versions there are: `volume 3.0` to the newest, and `volume latest`.
fn versions() -> String {
    let (tens, ones) = (Version::MAX.0 / 10, Version::MAX.0 % 10);
    format!(
        r"^volume (3\.([0-9]|[1-{}][0-9]|{tens}[0-{ones}])|latest)$",
        tens - 1
    )
}

/// Names of the `{parts}` of a path.
pub(super) fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
}
