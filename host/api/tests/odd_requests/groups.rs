//! Groups, their snapshots, and what there is none of: backups, clusters.

use crate::{ADMIN, MEMBER, World};

/// cinder/api/schemas/groups.py, group_snapshots.py.
#[tokio::test]
async fn groups() {
    let world = World::new().await;
    world
        .holds(
            MEMBER,
            "3.71",
            &[
                ("POST", "/groups", r#"{"group":{"group_type":"  ","volume_types":["t"]}}"#, 400),
                ("POST", "/groups", r#"{"group":{"group_type":7,"volume_types":["t"]}}"#, 400),
                ("POST", "/groups", r#"{"group":{"group_type":"g","volume_types":[]}}"#, 400),
                ("POST", "/groups", r#"{"group":{"group_type":"g","volume_types":["t","t"]}}"#, 400),
                ("POST", "/groups", r#"{"group":{"group_type":"g","volume_types":["t"],"availability_zone":" "}}"#, 400),
                ("PUT", "/groups/{group_id}", r#"{"group":{}}"#, 400),
                ("PUT", "/groups/{group_id}", r#"{"group":{"colour":"red"}}"#, 400),
                ("PUT", "/groups/{nothing}", r#"{"group":{"name":"x"}}"#, 404),
                ("POST", "/groups/action", r#"{"create-from-src":{"source_group_id":null}}"#, 400),
                (
                    "POST",
                    "/groups/action",
                    r#"{"create-from-src":{"source_group_id":"<group_id>","group_snapshot_id":"<group_snapshot_id>"}}"#,
                    400,
                ),
                ("POST", "/groups/{group_id}/action", r#"{"delete":{"delete-volumes":null}}"#, 400),
                ("POST", "/groups/{group_id}/action", r#"{"delete":{"delete-volumes":1}}"#, 400),
                ("POST", "/groups/{group_id}/action", r#"{"nothing":{}}"#, 400),
                ("POST", "/group_snapshots", r#"{"group_snapshot":{"group_id":null}}"#, 400),
                ("POST", "/group_snapshots", r#"{"group_snapshot":{"group_id":"<group_id>","description":"a\tb"}}"#, 400),
            ],
        )
        .await;
}

/// cinder/api/schemas/backups.py, services.py, workers.py, volume_manage.py; cinder/api/v3/clusters.py.
#[tokio::test]
async fn what_there_is_none_of() {
    let world = World::new().await;
    world
        .holds(
            ADMIN,
            "3.71",
            &[
                ("PUT", "/backups/{nothing}", r#"{"backup":{"name":7}}"#, 400),
                (
                    "PUT",
                    "/backups/{nothing}",
                    r#"{"backup":{"name":"x"}}"#,
                    404,
                ),
                (
                    "POST",
                    "/backups/{nothing}/restore",
                    r#"{"restore":{"volume_id":"abc"}}"#,
                    400,
                ),
                (
                    "POST",
                    "/backups/{nothing}/restore",
                    r#"{"restore":{}}"#,
                    404,
                ),
                (
                    "POST",
                    "/backups/{nothing}/action",
                    r#"{"os-nothing":{}}"#,
                    400,
                ),
                (
                    "POST",
                    "/backups/{nothing}/action",
                    r#"{"os-reset_status":{"status":"creating"}}"#,
                    400,
                ),
                (
                    "POST",
                    "/backups/{nothing}/action",
                    r#"{"os-force_delete":null}"#,
                    404,
                ),
                ("GET", "/backups?marker=abc", "", 404),
                ("GET", "/clusters?colour=red", "", 400),
                ("GET", "/clusters?is_up=maybe", "", 400),
                ("GET", "/clusters?name=x&is_up=true", "", 200),
                ("POST", "/workers/cleanup", r#"{"host":7}"#, 400),
                ("POST", "/workers/cleanup", r#"{"binary":"x"}"#, 400),
                (
                    "POST",
                    "/workers/cleanup",
                    r#"{"service_id":"12","host":null}"#,
                    202,
                ),
                ("PUT", "/os-services/get-log", r#"{"binary":"x"}"#, 400),
                (
                    "PUT",
                    "/os-services/get-log",
                    r#"{"binary":"*","server":null}"#,
                    200,
                ),
                (
                    "PUT",
                    "/os-services/disable",
                    r#"{"host":"springform@pure"}"#,
                    400,
                ),
                (
                    "PUT",
                    "/os-services/disable",
                    r#"{"host":"spring form","binary":"cinder-volume"}"#,
                    400,
                ),
                (
                    "PUT",
                    "/os-services/disable",
                    r#"{"binary":"cinder-volume"}"#,
                    400,
                ),
                (
                    "PUT",
                    "/os-services/disable",
                    r#"{"host":"nobody","binary":"cinder-volume"}"#,
                    404,
                ),
                (
                    "PUT",
                    "/os-services/enable",
                    r#"{"host":"springform@pure","service":"cinder-volume"}"#,
                    200,
                ),
                (
                    "PUT",
                    "/os-services/disable-log-reason",
                    r#"{"host":"springform@pure","binary":"cinder-volume","disabled_reason":" "}"#,
                    400,
                ),
                ("PUT", "/os-services/freeze", r#"{"host":"nobody"}"#, 400),
                (
                    "PUT",
                    "/os-services/freeze",
                    r#"{"host":"nobody","cluster":"x"}"#,
                    400,
                ),
                (
                    "POST",
                    "/manageable_volumes",
                    r#"{"volume":{"host":"nobody","ref":{"source-name":"x"}}}"#,
                    400,
                ),
                (
                    "POST",
                    "/manageable_volumes",
                    r#"{"volume":{"ref":{"source-name":"x"}}}"#,
                    400,
                ),
                ("GET", "/manageable_volumes?cluster=x", "", 404),
                ("GET", "/scheduler-stats/get_pools?colour=red", "", 400),
                ("GET", "/scheduler-stats/get_pools?detail=maybe", "", 400),
                (
                    "GET",
                    "/scheduler-stats/get_pools?volume_type=nobody",
                    "",
                    404,
                ),
            ],
        )
        .await;
    let early = [("GET", "/scheduler-stats/get_pools?colour=red", "", 200)];
    world.holds(ADMIN, "3.30", &early).await;
    assert_eq!(
        world
            .many(ADMIN, "/scheduler-stats/get_pools?name=&volume_type=")
            .await,
        1
    );
    assert_eq!(world.many(ADMIN, "/os-services?host=").await, 2);
    assert_eq!(world.many(ADMIN, "/resource_filters?resource=").await, 9);
}
