//! The OpenAPI document, made from the table of routes that the router is made from: answers from their types, requests from
//! their shapes.

mod links;
mod parameters;
mod returned;
mod shape;

use http::Method;
use serde_json::{Map, Value, json};

use crate::http::{Route, Routes};

/// How the initiator of a host is described; requests share it.
const CONNECTOR: &str = "{host?:text?, ip?:text?, initiator?:text?, wwpns?:[text]?, wwnns?:[text]?, nqn?:text?, multipath?:bool}";

/// Statuses that any call may end with, and when.
const REFUSALS: &[(&str, &str)] = &[
    ("400", "The request is not valid; the message says why."),
    ("401", "The token is missing or not valid."),
    ("403", "The policy does not allow it."),
    ("404", "There is no such thing, or not for this project."),
    ("405", "The path does not know this method."),
    ("406", "The microversion is not served."),
    ("408", "The body did not arrive in time."),
    ("409", "It conflicts with what is there or under way."),
    ("413", "The body is too large, or a quota is exceeded."),
    (
        "415",
        "Without authentication: a web page may have sent it.",
    ),
    (
        "422",
        "As things stand it cannot be done; the message says what has to change first.",
    ),
    (
        "429",
        "Too many requests of one client, or too many guesses.",
    ),
    ("500", "A defect of the server."),
    ("503", "The server or a backend is busy or away; try again."),
];

/// The document for the two faces of the API.
#[must_use]
pub fn document(cinder: &Routes, admin: &Routes) -> Value {
    let mut schemas = returned::components([cinder, admin]);
    schemas.insert("Connector".into(), shape::open(CONNECTOR));
    let mut paths = Map::new();
    for (prefix, face, routes) in [("/v3", "cinder", cinder), ("/admin/v1", "admin", admin)] {
        for route in routes.list() {
            let path = format!("{prefix}{}", route.path);
            let item = paths.entry(path).or_insert_with(|| json!({}));
            if let Some(item) = item.as_object_mut() {
                item.insert(
                    route.method.as_str().to_ascii_lowercase(),
                    operation(route, face, routes, &schemas),
                );
            }
        }
    }
    schemas.extend(errors());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Springform",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "OpenStack block storage (Cinder v3) and the administration of storage drivers and operations. \
                Every path below /v3 may carry the project's id after /v3.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"}},
            "schemas": schemas,
        },
        "security": [{"token": []}],
    })
}

/// Bodies of refusals, of both faces.
fn errors() -> Map<String, Value> {
    let mut schemas = Map::new();
    schemas.insert(
        "cinder-error".into(),
        json!({
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {
                "type": "object",
                "required": ["code", "message"],
                "properties": {"code": {"type": "integer"}, "message": {"type": "string"}},
            },
        }),
    );
    schemas.insert(
        "admin-error".into(),
        json!({
            "type": "object",
            "required": ["error"],
            "properties": {"error": {
                "type": "object",
                "required": ["code", "message", "retryable"],
                "properties": {
                    "code": {"type": "integer"}, "message": {"type": "string"},
                    "retryable": {"type": "boolean"}, "operation": {"type": ["string", "null"]},
                },
            }},
        }),
    );
    schemas
}

/// `get_volumes__volume_id_`: the name by which links refer to an operation.
fn operation_id(route: &Route) -> String {
    format!(
        "{}{}",
        route.method.as_str().to_ascii_lowercase(),
        route.path.replace(['/', '{', '}', '-'], "_")
    )
}

fn operation(route: &Route, face: &str, routes: &Routes, components: &Map<String, Value>) -> Value {
    let mut responses = returned::responses(route, components);
    let links = links::from(route, routes);
    let usual = route.returned.first().map(|one| one.status.to_string());
    let usual = usual.and_then(|status| responses.get_mut(&status)?.as_object_mut());
    if let Some(fields) = usual.filter(|_| !links.is_empty()) {
        fields.insert("links".into(), Value::Object(links));
    }
    for (status, text) in REFUSALS {
        responses.entry((*status).to_owned()).or_insert_with(|| {
            let schema = json!({"$ref": format!("#/components/schemas/{face}-error")});
            json!({"description": text, "content": {"application/json": {"schema": schema}}})
        });
    }
    let mut operation = json!({
        "operationId": operation_id(route),
        "summary": route.summary,
        "description": format!("Policy rule `{}`: {}.", route.rule, route.access),
        "parameters": parameters::of(route, face),
        "responses": responses,
    });
    if let (Some(request), Some(fields)) = (route.request, operation.as_object_mut()) {
        let content = if request == "wasm" {
            json!({"application/wasm": {"schema": {"type": "string", "format": "binary"}}})
        } else {
            json!({"application/json": {"schema": shape::schema(request)}})
        };
        fields.insert(
            "requestBody".into(),
            json!({"required": route.method != Method::DELETE, "content": content}),
        );
    }
    operation
}
