//! Calls that make and change things, for tests that look at what they answer.

use serde_json::{Value, json};

use super::furnished::Things;

/// A call that makes or changes something: method, path in the document, body.
pub type Write = (&'static str, &'static str, Value);

/// One of each, in an order in which they can be done.
pub fn writes(things: &Things) -> Vec<Write> {
    let (volume, snapshot) = (things.id("volume_id"), things.id("snapshot_id"));
    let map = |key: &str| json!({key: {"k": "w"}});
    vec![
        (
            "POST",
            "/v3/volumes",
            json!({"volume": {"size": 1, "name": "n"}}),
        ),
        (
            "PUT",
            "/v3/volumes/{volume_id}",
            json!({"volume": {"name": "m"}}),
        ),
        ("POST", "/v3/volumes/{volume_id}/metadata", map("metadata")),
        ("PUT", "/v3/volumes/{volume_id}/metadata", map("metadata")),
        ("PUT", "/v3/volumes/{volume_id}/metadata/{key}", map("meta")),
        (
            "POST",
            "/v3/volumes/{volume_id}/action",
            json!({"os-set_image_metadata": {"metadata": {"a": "b"}}}),
        ),
        (
            "POST",
            "/v3/volumes/{volume_id}/action",
            json!({"os-show_image_metadata": null}),
        ),
        (
            "POST",
            "/v3/volumes/{volume_id}/action",
            json!({"os-set_bootable": {"bootable": true}}),
        ),
        ("GET", "/v3/volumes/{volume_id}", Value::Null),
        (
            "POST",
            "/v3/snapshots",
            json!({"snapshot": {"volume_id": volume, "force": true}}),
        ),
        (
            "PUT",
            "/v3/snapshots/{snapshot_id}",
            json!({"snapshot": {"name": "m"}}),
        ),
        (
            "PUT",
            "/v3/snapshots/{snapshot_id}/metadata",
            map("metadata"),
        ),
        (
            "PUT",
            "/v3/attachments/{attachment_id}",
            json!({"attachment": {"connector": {"host": "h", "initiator": "iqn.h"}}}),
        ),
        ("GET", "/v3/attachments/{attachment_id}", Value::Null),
        (
            "POST",
            "/v3/attachments/{attachment_id}/action",
            json!({"os-complete": null}),
        ),
        ("GET", "/v3/volumes/{volume_id}", Value::Null),
        ("GET", "/v3/volumes/detail", Value::Null),
        ("DELETE", "/v3/attachments/{attachment_id}", Value::Null),
        (
            "POST",
            "/v3/groups",
            json!({"group": {"group_type": "g", "volume_types": ["t"]}}),
        ),
        (
            "POST",
            "/v3/groups/action",
            json!({"create-from-src": {"group_snapshot_id": things.id("group_snapshot_id")}}),
        ),
        (
            "POST",
            "/v3/groups/{group_id}/action",
            json!({"list_replication_targets": {}}),
        ),
        (
            "POST",
            "/v3/group_snapshots",
            json!({"group_snapshot": {"group_id": things.id("group_id")}}),
        ),
        (
            "POST",
            "/v3/os-volume-transfer",
            json!({"transfer": {"volume_id": things.id("volume_id")}}),
        ),
        (
            "POST",
            "/v3/volumes/{volume_id}/action",
            json!({"os-initialize_connection": {"connector": {"host": "h", "initiator": "iqn.h", "multipath": true}}}),
        ),
        ("POST", "/v3/types", json!({"volume_type": {"name": "new"}})),
        (
            "PUT",
            "/v3/types/{type_id}",
            json!({"volume_type": {"description": "d"}}),
        ),
        (
            "POST",
            "/v3/types/{private_id}/extra_specs",
            map("extra_specs"),
        ),
        (
            "PUT",
            "/v3/types/{private_id}/extra_specs/{key}",
            json!({"k": "w"}),
        ),
        (
            "PUT",
            "/v3/types/{private_id}/encryption/{encryption_id}",
            json!({"encryption": {"cipher": "x"}}),
        ),
        (
            "POST",
            "/v3/group_types",
            json!({"group_type": {"name": "new"}}),
        ),
        (
            "PUT",
            "/v3/group_types/{group_type_id}",
            json!({"group_type": {"description": "d"}}),
        ),
        (
            "POST",
            "/v3/group_types/{group_type_id}/group_specs",
            map("group_specs"),
        ),
        (
            "PUT",
            "/v3/group_types/{group_type_id}/group_specs/{key}",
            json!({"k": "w"}),
        ),
        (
            "POST",
            "/v3/qos-specs",
            json!({"qos_specs": {"name": "new", "consumer": "back-end"}}),
        ),
        ("PUT", "/v3/qos-specs/{qos_id}", map("qos_specs")),
        (
            "PUT",
            "/v3/os-quota-sets/{project}",
            json!({"quota_set": {"volumes": 20}}),
        ),
        (
            "PUT",
            "/v3/os-quota-class-sets/{class}",
            json!({"quota_class_set": {"volumes": 30}}),
        ),
        (
            "PUT",
            "/v3/default-types/{project}",
            json!({"default_type": {"volume_type": "t"}}),
        ),
        (
            "PUT",
            "/v3/os-services/disable",
            json!({"host": "springform@pure", "binary": "cinder-volume"}),
        ),
        (
            "PUT",
            "/v3/os-services/disable-log-reason",
            json!({"host": "springform@pure", "binary": "cinder-volume", "disabled_reason": "r"}),
        ),
        (
            "PUT",
            "/v3/os-services/enable",
            json!({"host": "springform@pure", "binary": "cinder-volume"}),
        ),
        ("PUT", "/v3/os-services/get-log", json!({})),
        ("POST", "/v3/workers/cleanup", json!({})),
        (
            "POST",
            "/v3/manageable_volumes",
            json!({"volume": {"host": "springform@pure#pure", "ref": {"source-name": "x"}}}),
        ),
        (
            "POST",
            "/v3/manageable_snapshots",
            json!({"snapshot": {"volume_id": volume, "ref": {"source-name": "x"}}}),
        ),
        (
            "DELETE",
            "/v3/snapshots/{snapshot_id}",
            json!({"nothing": snapshot}),
        ),
        (
            "POST",
            "/admin/v1/backends/{backend_name}/freeze",
            Value::Null,
        ),
        (
            "POST",
            "/admin/v1/backends/{backend_name}/thaw",
            Value::Null,
        ),
        (
            "POST",
            "/admin/v1/plans",
            json!({"scope": {"backend": "pure"}}),
        ),
        (
            "POST",
            "/admin/v1/enable",
            json!({"scope": {"volumes": [volume]}}),
        ),
        (
            "POST",
            "/admin/v1/reconcile",
            json!({"scope": {"backend": "pure"}, "dry_run": true}),
        ),
        (
            "POST",
            "/admin/v1/drills",
            json!({"scope": {"volumes": [volume]}}),
        ),
        (
            "POST",
            "/admin/v1/operations/{operation_id}/cancel",
            Value::Null,
        ),
        (
            "POST",
            "/admin/v1/attachments/repair",
            json!({"dry_run": true}),
        ),
        (
            "POST",
            "/admin/v1/configuration/reload",
            json!({"dry_run": true}),
        ),
    ]
}
