//! The schemas that operations share: one for each noun, as the newest microversion shows it to an administrator.

use serde_json::{Map, Value};

use super::shape;
use crate::views;

/// Names and forms.
const NAMED: &[(&str, &str)] = &[
    ("link", "{rel:text, href:text}"),
    ("brief", "{id:text, name:text?, links:[@link]}"),
    ("volume", views::VOLUME),
    ("snapshot", views::SNAPSHOT),
    ("attachment", views::ATTACHMENT),
    (
        "connector",
        "{host?:text?, ip?:text?, initiator?:text?, wwpns?:[text]?, wwnns?:[text]?, nqn?:text?, multipath?:bool}",
    ),
    ("volume-type", views::VOLUME_TYPE),
    ("group-type", views::GROUP_TYPE),
    (
        "qos-specs",
        "{id:text, name:text, consumer:text, specs:map}",
    ),
    ("service", views::SERVICE),
    ("pool", "{name:text, capabilities?:object}"),
    (
        "message",
        "{id:text, event_id:text, user_message:text, message_level:text, created_at:text, guaranteed_until:text, \
        request_id:text?, resource_type:text?, resource_uuid:text?, links:[@link]}",
    ),
    (
        "transfer",
        "{id:text, name:text?, volume_id:text, links:[@link], created_at?:text, auth_key?:text, source_project_id?:text, \
        destination_project_id?:text?, accepted?:bool, no_snapshots?:bool}",
    ),
    (
        "driver",
        "{name:text, configured:text?, deployed:object?, running:object?, rollback:object?, backends:[object], generations:[object]}",
    ),
    (
        "image",
        "{id:text, volume_id:text, metadata:map, created_at:int}",
    ),
    (
        "delivery",
        "{id:text, receiver:text, state:text, attempts:int, last_error:text?, due_at:int, created_at:int, event:object}",
    ),
    (
        "repaired",
        "{volume_id:text, server_id:text?, attachment_id:text, backend:text?, outcome:text, reason:text?, commands:[text]}",
    ),
    (
        "operation",
        "{id:text, verb:text, state:text, steps:[object]}",
    ),
];

/// The schemas by name.
pub(super) fn schemas() -> Map<String, Value> {
    let schemas = NAMED
        .iter()
        .map(|(name, form)| ((*name).to_owned(), shape::schema(form, false)));
    schemas.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schema_that_is_referred_to_is_there_and_well_formed() {
        let schemas = schemas();
        assert!(
            !Value::from(schemas.clone())
                .to_string()
                .contains("malformed")
        );
        let document = crate::openapi_document().to_string();
        for reference in document.split("#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap_or_default();
            assert!(
                schemas.contains_key(name) || name.ends_with("-error"),
                "{name} is nowhere"
            );
        }
    }
}
