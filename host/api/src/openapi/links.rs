//! What can be done with an answer: links from the call that makes or lists a thing to the calls that take its id.
//!
//! They follow from the paths, so a new route is linked without being told: `POST /volumes` leads to `/volumes/{volume_id}`
//! and all below it. Readers of the document see how calls belong together, and a tester can walk along them.

use http::Method;
use serde_json::{Map, Value, json};

use super::operation_id;
use super::parameters::parts;
use crate::http::{Route, Routes};

/// Bodies that name a thing made before: the collection it comes from, the call, and where its id stands in the body.
const IN_BODIES: &[(&str, &str, &str, &str)] = &[
    ("/volumes", "/snapshots", "snapshot", "volume_id"),
    ("/volumes", "/attachments", "attachment", "volume_uuid"),
    ("/volumes", "/os-volume-transfer", "transfer", "volume_id"),
    ("/volumes", "/volume-transfers", "transfer", "volume_id"),
    ("/snapshots", "/volumes", "volume", "snapshot_id"),
];

/// Links of the answer of one route, by name.
pub(super) fn from(route: &Route, routes: &Routes) -> Map<String, Value> {
    let mut links = Map::new();
    let Some(id) = identity(route) else {
        return links;
    };
    for other in routes.list() {
        let below = other.path.strip_prefix(route.path);
        let below = below.and_then(|rest| rest.strip_prefix("/{"));
        if let Some(name) = below.and_then(|_| parts(other.path).next()) {
            let operation = operation_id(other);
            links.insert(
                operation.clone(),
                json!({"operationId": operation, "parameters": {name: id}}),
            );
        }
    }
    for (from, to, key, field) in IN_BODIES {
        let made = route.method == Method::POST && route.path == *from;
        let takes = |other: &&Route| other.method == Method::POST && other.path == *to;
        if let Some(other) = routes.list().iter().find(takes).filter(|_| made) {
            let operation = operation_id(other);
            links.insert(
                operation.clone(),
                json!({"operationId": operation, "requestBody": {*key: {*field: id}}}),
            );
        }
    }
    links
}

/// Where the id of the thing stands in the answer: of a POST in it or under its one key, of a list in its first item.
fn identity(route: &Route) -> Option<String> {
    if parts(route.path).next().is_some() {
        return None;
    }
    let schema = route.returned.first()?.body?.schema();
    let properties = schema.get("properties")?.as_object()?;
    match route.method {
        Method::POST if properties.contains_key("id") => Some("$response.body#/id".to_owned()),
        Method::POST => {
            let noun = route.path.trim_start_matches('/').trim_end_matches('s');
            let (key, schema) = properties
                .iter()
                .find(|(key, schema)| *key == noun || schema.get("$ref").is_some())?;
            let within = if schema.get("$ref").is_some() {
                "/id"
            } else {
                ""
            };
            Some(format!("$response.body#/{key}{within}"))
        }
        Method::GET => {
            let is_list = |schema: &Value| schema.get("items").is_some();
            let (key, _) = properties
                .iter()
                .find(|(key, schema)| is_list(schema) && !key.ends_with("_links"))?;
            Some(format!("$response.body#/{key}/0/id"))
        }
        _ => None,
    }
}
