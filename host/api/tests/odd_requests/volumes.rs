//! Volumes, snapshots, their metadata, attachments.

use crate::{ADMIN, MEMBER, STRANGER, World};

/// cinder/api/schemas/volumes.py `create`, `update_v353`; cinder/api/schemas/scheduler_hints.py.
#[tokio::test]
async fn volumes() {
    let world = World::new().await;
    world
        .holds(
            ADMIN,
            "3.71",
            &[
                ("POST", "/volumes", r#"{"volume":{}}"#, 400),
                ("POST", "/volumes", r#"{"volume":{"size":"1","volume_type":"t"}}"#, 202),
                ("POST", "/volumes", r#"{"volume":{"size":" 1"}}"#, 400),
                ("POST", "/volumes", r#"{"volume":{"size":"+1"}}"#, 400),
                ("POST", "/volumes", r#"{"volume":{"size":1.0}}"#, 400),
                ("POST", "/volumes", r#"{"volume":{"size":true}}"#, 400),
                ("POST", "/volumes", r#"{"volume":{"size":0}}"#, 400),
                ("POST", "/volumes", r#"{"volume":{"size":-1}}"#, 400),
                ("POST", "/volumes", r#"{"volume":{"size":2147483648}}"#, 400),
                ("POST", "/volumes", r#"{"volume":{"size":1,"name":"  <255>  "}}"#, 202),
                ("POST", "/volumes", r#"{"volume":{"size":1,"name":"<256>"}}"#, 400),
                ("POST", "/volumes", r#"{"volume":{"size":1,"name":7}}"#, 400),
                ("POST", "/volumes", r#"{"volume":{"size":1,"name":null,"metadata":null}}"#, 202),
                ("POST", "/volumes", r#"{"volume":{"size":1,"description":"a\nb"}}"#, 202),
                ("POST", "/volumes", r#"{"volume":{"size":1,"availability_zone":""}}"#, 400),
                ("POST", "/volumes", r#"{"volume":{"size":1,"availability_zone":"<256>"}}"#, 400),
                ("POST", "/volumes", r#"{"volume":{"size":1,"metadata":{"k":1}}}"#, 400),
                ("POST", "/volumes", r#"{"volume":{"size":1,"metadata":{"k":null}}}"#, 400),
                ("POST", "/volumes", r#"{"volume":{"size":1,"metadata":{"":"x"}}}"#, 400),
                ("POST", "/volumes", r#"{"volume":{"size":1,"metadata":{"ä":"x"}}}"#, 400),
                ("POST", "/volumes", r#"{"volume":{"size":1,"metadata":{"a/b c":"x"}}}"#, 202),
                ("POST", "/volumes", r#"{"volume":{"size":1,"metadata":{"k":"<256>"}}}"#, 400),
                ("POST", "/volumes", r#"{"volume":{"size":1,"multiattach":"tRue"}}"#, 400),
                ("POST", "/volumes", r#"{"volume":{"size":1,"multiattach":0}}"#, 400),
                ("POST", "/volumes", r#"{"volume":{"size":1,"snapshot_id":"abc"}}"#, 400),
                ("POST", "/volumes", r#"{"volume":{"size":1,"colour":"red"}}"#, 400),
                ("POST", "/volumes", r#"{"volume":{"size":1},"colour":1}"#, 400),
                ("POST", "/volumes", r#"{"volume":{"size":1},"OS-SCH-HNT:scheduler_hints":{"query":1}}"#, 400),
                (
                    "POST",
                    "/volumes",
                    r#"{"volume":{"size":1},"OS-SCH-HNT:scheduler_hints":{"same_host":["<volume_id>","<volume_id>"]}}"#,
                    400,
                ),
                (
                    "POST",
                    "/volumes",
                    r#"{"volume":{"size":1,"consistencygroup_id":"11111111-2222-4333-8444-555555555555","backup_id":null}}"#,
                    404,
                ),
                (
                    "POST",
                    "/volumes",
                    r#"{"volume":{"size":1,"consistencygroup_id":"11111111-2222-4333-8444-555555555555","colour":1}}"#,
                    400,
                ),
                ("PUT", "/volumes/{volume_id}", r#"{"volume":{}}"#, 400),
                ("PUT", "/volumes/{volume_id}", r#"{"volume":{"metadata":null}}"#, 400),
                ("PUT", "/volumes/{volume_id}", r#"{"volume":{"name":null}}"#, 200),
                ("PUT", "/volumes/{volume_id}", r#"{"volume":{"name":7}}"#, 400),
            ],
        )
        .await;
    let old = [
        (
            "POST",
            "/volumes",
            r#"{"volume":{"size":1,"source_replica":"x","backup_id":[]}}"#,
            202,
        ),
        (
            "POST",
            "/volumes",
            r#"{"volume":{"size":-1,"backup_id":"x"}}"#,
            400,
        ),
        (
            "POST",
            "/volumes",
            r#"{"volume":{"size":1,"backup_id":"x"}}"#,
            404,
        ),
        ("PUT", "/volumes/{volume_id}", r#"{"volume":{}}"#, 200),
    ];
    world.holds(ADMIN, "3.12", &old).await;
    let long = "x".repeat(256);
    let group = format!(r#"{{"volume":{{"size":1,"group_id":"{long}","backup_id":-1}}}}"#).leak();
    let grouped = [("POST", "/volumes", &*group, 404)];
    world.holds(ADMIN, "3.12", &grouped).await;
    let detach = format!(r#"{{"os-force_detach":{{"attachment_id":"{long}"}}}}"#).leak();
    let detached = [("POST", "/volumes/{nothing}/action", &*detach, 404)];
    world.holds(ADMIN, "3.71", &detached).await;
    let force = [
        ("DELETE", "/volumes/{nothing}?force=true", "", 404),
        ("DELETE", "/volumes/{volume_id}?force=true", "", 403),
        ("DELETE", "/volumes/{volume_id}?cascade=maybe", "", 400),
    ];
    world.holds(MEMBER, "3.71", &force).await;
}

/// cinder/api/schemas/volume_actions.py, admin_actions.py, volume_image_metadata.py.
#[tokio::test]
async fn actions_of_volumes() {
    let world = World::new().await;
    let act = |body| ("POST", "/volumes/{volume_id}/action", body, 400);
    let no_volume = |body| ("POST", "/volumes/{nothing}/action", body, 404);
    world
        .holds(
            ADMIN,
            "3.71",
            &[
                act(r#"{"os-extend":{"new_size":null}}"#),
                act(r#"{"os-extend":{"new_size":"2 "}}"#),
                act(r#"{"os-extend":{"new_size":2,"colour":1}}"#),
                act(r#"{"os-extend":[]}"#),
                act(r#"{"os-retype":{"new_type":7}}"#),
                act(r#"{"os-retype":{"new_type":"t","migration_policy":null}}"#),
                act(r#"{"os-retype":{"new_type":"t","migration_policy":"maybe"}}"#),
                act(r#"{"os-set_bootable":{"bootable":null}}"#),
                act(r#"{"os-set_bootable":{"bootable":1}}"#),
                act(r#"{"os-set_bootable":{"bootable":"tRUE"}}"#),
                act(r#"{"os-update_readonly_flag":{}}"#),
                act(r#"{"os-attach":{"host_name":"h"}}"#),
                act(r#"{"os-attach":{"mountpoint":"/dev/vdb"}}"#),
                act(r#"{"os-attach":{"mountpoint":"/dev/vdb","instance_uuid":"abc"}}"#),
                act(r#"{"os-attach":{"mountpoint":"/dev/vdb","host_name":"h","mode":"rx"}}"#),
                act(r#"{"os-detach":{"attachment_id":"abc"}}"#),
                act(r#"{"os-detach":"x"}"#),
                act(r#"{"os-detach":{"connector":{}}}"#),
                act(r#"{"os-initialize_connection":{}}"#),
                act(r#"{"os-initialize_connection":{"connector":{"host":"h"},"colour":1}}"#),
                act(r#"{"os-terminate_connection":{}}"#),
                act(r#"{"os-reset_status":{}}"#),
                act(r#"{"os-reset_status":{"status":""}}"#),
                act(r#"{"os-reset_status":{"status":"nothing"}}"#),
                act(r#"{"os-extend_volume_completion":{"error":1}}"#),
                act(r#"{"os-nothing":{}}"#),
                act(r#"{"os-reserve":{},"os-unreserve":{}}"#),
                act("{}"),
                act("[]"),
                act(r#"{"os-set_image_metadata":{"metadata":null}}"#),
                act(r#"{"os-set_image_metadata":{"metadata":{"k":1}}}"#),
                act(r#"{"os-unset_image_metadata":{"key":""}}"#),
                (
                    "POST",
                    "/volumes/{volume_id}/action",
                    r#"{"os-show_image_metadata":{}}"#,
                    404,
                ),
                (
                    "POST",
                    "/volumes/{volume_id}/action",
                    r#"{"os-unset_image_metadata":{"key":"k"}}"#,
                    404,
                ),
                no_volume(r#"{"os-reserve":"whatever"}"#),
                no_volume(r#"{"os-force_delete":[1]}"#),
                no_volume(r#"{"os-show_image_metadata":7}"#),
                no_volume(r#"{"revert":{}}"#),
                no_volume(r#"{"os-terminate_connection":{"connector":{}}}"#),
                no_volume(r#"{"os-initialize_connection":{"connector":{}}}"#),
            ],
        )
        .await;
}

/// cinder/api/schemas/snapshots.py, snapshot_actions.py, snapshot_metadata.py, volume_metadata.py.
#[tokio::test]
async fn snapshots_and_metadata() {
    let world = World::new().await;
    world
        .holds(
            ADMIN,
            "3.71",
            &[
                (
                    "POST",
                    "/snapshots",
                    r#"{"snapshot":{"volume_id":null}}"#,
                    404,
                ),
                (
                    "POST",
                    "/snapshots",
                    r#"{"snapshot":{"volume_id":"abc"}}"#,
                    400,
                ),
                (
                    "POST",
                    "/snapshots",
                    r#"{"snapshot":{"volume_id":"<volume_id>","force":null}}"#,
                    400,
                ),
                (
                    "POST",
                    "/snapshots",
                    r#"{"snapshot":{"volume_id":"<volume_id>","force":"maybe"}}"#,
                    400,
                ),
                (
                    "POST",
                    "/snapshots",
                    r#"{"snapshot":{"volume_id":"<volume_id>","display_description":"d"}}"#,
                    400,
                ),
                (
                    "POST",
                    "/snapshots",
                    r#"{"snapshot":{"volume_id":"<volume_id>","description":"a\nb"}}"#,
                    400,
                ),
                (
                    "POST",
                    "/snapshots",
                    r#"{"snapshot":{"volume_id":"<grouped_volume_id>","description":"☃"}}"#,
                    202,
                ),
                (
                    "POST",
                    "/snapshots",
                    r#"{"snapshot":{"volume_id":"<volume_id>","description":"😀"}}"#,
                    400,
                ),
                ("PUT", "/snapshots/{snapshot_id}", r#"{"snapshot":{}}"#, 400),
                ("PUT", "/snapshots/{snapshot_id}", "", 400),
                (
                    "PUT",
                    "/snapshots/{snapshot_id}",
                    r#"{"snapshot":{"metadata":{}}}"#,
                    400,
                ),
                (
                    "PUT",
                    "/snapshots/{snapshot_id}",
                    r#"{"snapshot":{"name":null}}"#,
                    200,
                ),
                (
                    "POST",
                    "/snapshots/{snapshot_id}/action",
                    r#"{"os-reset_status":{"status":null}}"#,
                    400,
                ),
                (
                    "POST",
                    "/snapshots/{snapshot_id}/action",
                    r#"{"os-reset_status":{"status":"available","x":1}}"#,
                    400,
                ),
                (
                    "POST",
                    "/snapshots/{nothing}/action",
                    r#"{"os-update_snapshot_status":{"status":"available","progress":"101%"}}"#,
                    400,
                ),
                (
                    "POST",
                    "/snapshots/{nothing}/action",
                    r#"{"os-nothing":{}}"#,
                    400,
                ),
                (
                    "POST",
                    "/volumes/{volume_id}/metadata",
                    r#"{"metadata":{"k":"v"},"colour":{}}"#,
                    400,
                ),
                (
                    "POST",
                    "/snapshots/{snapshot_id}/metadata",
                    r#"{"metadata":{"k":"v"},"colour":{}}"#,
                    200,
                ),
                (
                    "POST",
                    "/volumes/{volume_id}/metadata",
                    r#"{"metadata":{"a/b":"v"}}"#,
                    200,
                ),
                (
                    "POST",
                    "/snapshots/{snapshot_id}/metadata",
                    r#"{"metadata":{"a/b":"v"}}"#,
                    400,
                ),
                (
                    "PUT",
                    "/volumes/{volume_id}/metadata",
                    r#"{"metadata":null}"#,
                    400,
                ),
                (
                    "PUT",
                    "/volumes/{volume_id}/metadata/k",
                    r#"{"meta":{}}"#,
                    400,
                ),
                (
                    "PUT",
                    "/volumes/{volume_id}/metadata/k",
                    r#"{"meta":{"k":"a","l":"b"}}"#,
                    400,
                ),
                (
                    "PUT",
                    "/volumes/{volume_id}/metadata/k",
                    r#"{"meta":{"l":"b"}}"#,
                    400,
                ),
                (
                    "PUT",
                    "/volumes/{volume_id}/metadata/k",
                    r#"{"meta":{"k":7}}"#,
                    400,
                ),
            ],
        )
        .await;
}

/// cinder/api/schemas/attachments.py, volume_transfer.py; cinder/transfer/api.py.
#[tokio::test]
async fn attachments_and_transfers() {
    let world = World::new().await;
    world
        .holds(
            MEMBER,
            "3.71",
            &[
                (
                    "POST",
                    "/attachments",
                    r#"{"attachment":{"volume_uuid":"abc"}}"#,
                    400,
                ),
                (
                    "POST",
                    "/attachments",
                    r#"{"attachment":{"volume_uuid":"<volume_id>","instance_uuid":null}}"#,
                    400,
                ),
                (
                    "POST",
                    "/attachments",
                    r#"{"attachment":{"volume_uuid":"<volume_id>","instance_uuid":"abc"}}"#,
                    400,
                ),
                (
                    "POST",
                    "/attachments",
                    r#"{"attachment":{"volume_uuid":"<volume_id>","connector":"x"}}"#,
                    400,
                ),
                (
                    "POST",
                    "/attachments",
                    r#"{"attachment":{"volume_uuid":"<volume_id>","mode":"null"}}"#,
                    400,
                ),
                (
                    "POST",
                    "/attachments",
                    r#"{"attachment":{"volume_uuid":"<volume_id>","mode":null}}"#,
                    400,
                ),
                (
                    "PUT",
                    "/attachments/{attachment_id}",
                    r#"{"attachment":{"connector":{}}}"#,
                    400,
                ),
                (
                    "PUT",
                    "/attachments/{attachment_id}",
                    r#"{"attachment":{"connector":null}}"#,
                    400,
                ),
                (
                    "POST",
                    "/volume-transfers",
                    r#"{"transfer":{"volume_id":"<volume_id>","name":""}}"#,
                    400,
                ),
                (
                    "POST",
                    "/volume-transfers",
                    r#"{"transfer":{"volume_id":"<volume_id>","name":"<256>"}}"#,
                    400,
                ),
                (
                    "POST",
                    "/volume-transfers",
                    r#"{"transfer":{"volume_id":"<volume_id>","no_snapshots":null}}"#,
                    400,
                ),
                (
                    "POST",
                    "/os-volume-transfer",
                    r#"{"transfer":{"volume_id":"<volume_id>","no_snapshots":true}}"#,
                    400,
                ),
                (
                    "POST",
                    "/volume-transfers",
                    r#"{"transfer":{"volume_id":"abc"}}"#,
                    400,
                ),
                (
                    "POST",
                    "/volume-transfers/{transfer_id}/accept",
                    r#"{"accept":{"auth_key":null}}"#,
                    400,
                ),
                (
                    "POST",
                    "/volume-transfers/{nothing}/accept",
                    r#"{"accept":{"auth_key":7}}"#,
                    404,
                ),
            ],
        )
        .await;
    let early = [
        (
            "POST",
            "/attachments",
            r#"{"attachment":{"volume_uuid":"<volume_id>","mode":"rw"}}"#,
            400,
        ),
        (
            "POST",
            "/volume-transfers",
            r#"{"transfer":{"volume_id":"<volume_id>","no_snapshots":true}}"#,
            400,
        ),
    ];
    world.holds(MEMBER, "3.53", &early).await;
    let wrong = [
        (
            "POST",
            "/volume-transfers/{transfer_id}/accept",
            r#"{"accept":{"auth_key":"wrong"}}"#,
            400,
        ),
        (
            "POST",
            "/volume-transfers/{transfer_id}/accept",
            r#"{"accept":{"auth_key":7}}"#,
            400,
        ),
    ];
    world.holds(STRANGER, "3.71", &wrong).await;
}
