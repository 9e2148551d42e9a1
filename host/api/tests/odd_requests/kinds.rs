//! Types of volumes and of groups, QoS specs, encryption, quotas, default types.

use crate::{ADMIN, MEMBER, World};

/// cinder/api/schemas/volume_types.py, types_extra_specs.py, volume_type_access.py; cinder/api/v3/types.py.
#[tokio::test]
async fn types() {
    let world = World::new().await;
    world
        .holds(
            ADMIN,
            "3.71",
            &[
                ("POST", "/types", r#"{"volume_type":{"name":""}}"#, 400),
                ("POST", "/types", r#"{"volume_type":{"name":"  "}}"#, 400),
                (
                    "POST",
                    "/types",
                    r#"{"volume_type":{"name":"unused"}}"#,
                    409,
                ),
                (
                    "POST",
                    "/types",
                    r#"{"volume_type":{"name":" unused"}}"#,
                    200,
                ),
                (
                    "POST",
                    "/types",
                    r#"{"volume_type":{"name":"x","os-volume-type-access:is_public":null}}"#,
                    400,
                ),
                (
                    "POST",
                    "/types",
                    r#"{"volume_type":{"name":"x","os-volume-type-access:is_public":"x"}}"#,
                    400,
                ),
                (
                    "POST",
                    "/types",
                    r#"{"volume_type":{"name":"x","extra_specs":null}}"#,
                    400,
                ),
                (
                    "POST",
                    "/types",
                    r#"{"volume_type":{"name":"x","extra_specs":{"k":1}}}"#,
                    400,
                ),
                (
                    "POST",
                    "/types",
                    r#"{"volume_type":{"name":"x","description":"a\u0000b"}}"#,
                    400,
                ),
                ("PUT", "/types/{type_id}", r#"{"volume_type":{}}"#, 400),
                (
                    "PUT",
                    "/types/{type_id}",
                    r#"{"volume_type":{"name":""}}"#,
                    400,
                ),
                (
                    "PUT",
                    "/types/{type_id}",
                    r#"{"volume_type":{"name":"private"}}"#,
                    409,
                ),
                (
                    "PUT",
                    "/types/{type_id}",
                    r#"{"volume_type":{"is_public":null}}"#,
                    400,
                ),
                (
                    "POST",
                    "/types/{type_id}/extra_specs",
                    r#"{"extra_specs":{"a b":"x"}}"#,
                    400,
                ),
                (
                    "POST",
                    "/types/{type_id}/extra_specs",
                    r#"{"extra_specs":{"a/b":"x"}}"#,
                    400,
                ),
                (
                    "POST",
                    "/types/{type_id}/extra_specs",
                    r#"{"extra_specs":{"a":true}}"#,
                    400,
                ),
                ("PUT", "/types/{type_id}/extra_specs/key", "{}", 400),
                (
                    "PUT",
                    "/types/{type_id}/extra_specs/key",
                    r#"{"other":"x"}"#,
                    400,
                ),
                (
                    "PUT",
                    "/types/{type_id}/extra_specs/key",
                    r#"{"key":"x","other":"x"}"#,
                    400,
                ),
                (
                    "POST",
                    "/types/{type_id}/action",
                    r#"{"addProjectAccess":{"project":"x"}}"#,
                    400,
                ),
                (
                    "POST",
                    "/types/{private_id}/action",
                    r#"{"addProjectAccess":{"project":"bb"}}"#,
                    202,
                ),
                (
                    "POST",
                    "/types/{private_id}/action",
                    r#"{"addProjectAccess":{"project":"bb"}}"#,
                    409,
                ),
                (
                    "POST",
                    "/types/{private_id}/action",
                    r#"{"addProjectAccess":{"project":""}}"#,
                    400,
                ),
                (
                    "POST",
                    "/types/{private_id}/action",
                    r#"{"removeProjectAccess":{"project":"x"}}"#,
                    404,
                ),
                ("GET", "/types/unused", "", 404),
                ("GET", "/types?extra_specs=x", "", 400),
                ("GET", "/types?is_public=x", "", 400),
                (
                    "POST",
                    "/types/{type_id}/encryption",
                    r#"{"encryption":{"provider":null,"control_location":"front-end"}}"#,
                    400,
                ),
                (
                    "POST",
                    "/types/{type_id}/encryption",
                    r#"{"encryption":{"provider":"p","control_location":"x"}}"#,
                    400,
                ),
                (
                    "PUT",
                    "/default-types/{project}",
                    r#"{"default_type":{"volume_type":"  "}}"#,
                    400,
                ),
                (
                    "PUT",
                    "/default-types/{project}",
                    r#"{"default_type":{"volume_type":7}}"#,
                    400,
                ),
            ],
        )
        .await;
    let members = [("GET", "/types?is_public=x", "", 200)];
    world.holds(MEMBER, "3.71", &members).await;
    let kinds = world.many(ADMIN, "/types").await;
    assert_eq!(
        world.many(ADMIN, "/types?is_public=None").await,
        kinds + 1,
        "the private one"
    );
    assert_eq!(world.many(ADMIN, "/types?is_public=false").await, 1);
    assert_eq!(world.many(ADMIN, "/types?extra_specs={'key':1}").await, 0);
    assert_eq!(
        world.many(MEMBER, "/types").await,
        kinds + 1,
        "the private one is the project's"
    );
    assert_eq!(world.many(MEMBER, "/types?limit=2").await, 2);
    assert_eq!(world.many(MEMBER, "/types?offset=1").await, kinds);
    assert_eq!(world.many(ADMIN, "/types?offset=1").await, kinds - 1);
}

/// cinder/api/schemas/group_types.py, group_specs.py, qos_specs.py.
#[tokio::test]
async fn group_types_and_qos_specs() {
    let world = World::new().await;
    world
        .holds(
            ADMIN,
            "3.71",
            &[
                (
                    "POST",
                    "/group_types",
                    r#"{"group_type":{"name":"x","is_public":null}}"#,
                    400,
                ),
                (
                    "POST",
                    "/group_types",
                    r#"{"group_type":{"name":"x","group_specs":{"k":null}}}"#,
                    400,
                ),
                (
                    "POST",
                    "/group_types",
                    r#"{"group_type":{"name":"x","group_specs":null}}"#,
                    202,
                ),
                (
                    "PUT",
                    "/group_types/{group_type_id}",
                    r#"{"group_type":{"name":" "}}"#,
                    400,
                ),
                (
                    "PUT",
                    "/group_types/{group_type_id}",
                    r#"{"group_type":{}}"#,
                    400,
                ),
                ("GET", "/group_types/free", "", 404),
                (
                    "POST",
                    "/group_types/{group_type_id}/group_specs",
                    r#"{"group_specs":{"a b":"x"}}"#,
                    400,
                ),
                (
                    "PUT",
                    "/group_types/{group_type_id}/group_specs/key",
                    r#"{"key":7}"#,
                    400,
                ),
                ("POST", "/qos-specs", r#"{"qos_specs":{"name":"  "}}"#, 400),
                (
                    "POST",
                    "/qos-specs",
                    r#"{"qos_specs":{"name":" qos "}}"#,
                    409,
                ),
                (
                    "POST",
                    "/qos-specs",
                    r#"{"qos_specs":{"name":"n","key":5}}"#,
                    400,
                ),
                (
                    "POST",
                    "/qos-specs",
                    r#"{"qos_specs":{"name":"m","consumer":"x"}}"#,
                    400,
                ),
                (
                    "PUT",
                    "/qos-specs/{qos_id}",
                    r#"{"qos_specs":{"key":5}}"#,
                    400,
                ),
                (
                    "PUT",
                    "/qos-specs/{qos_id}/delete_keys",
                    r#"{"keys":["key","key"]}"#,
                    400,
                ),
                (
                    "PUT",
                    "/qos-specs/{qos_id}/delete_keys",
                    r#"{"keys":[""]}"#,
                    400,
                ),
                (
                    "PUT",
                    "/qos-specs/{qos_id}/delete_keys",
                    r#"{"keys":["nobody"]}"#,
                    404,
                ),
                (
                    "GET",
                    "/qos-specs/{qos_id}/associate?vol_type_id={nothing}",
                    "",
                    404,
                ),
                ("GET", "/qos-specs/{qos_id}/associate", "", 400),
            ],
        )
        .await;
}

/// cinder/api/schemas/quotas.py, quota_classes.py; cinder/api/validation/validators.py `quota_set`.
#[tokio::test]
async fn quotas() {
    let world = World::new().await;
    let set = |body, status| ("PUT", "/os-quota-sets/{project}", body, status);
    world
        .holds(
            ADMIN,
            "3.71",
            &[
                set(r#"{"quota_set":{}}"#, 400),
                set(r#"{"quota_set":{"volumes":null}}"#, 400),
                set(r#"{"quota_set":{"volumes":1.5}}"#, 400),
                set(r#"{"quota_set":{"volumes":true}}"#, 400),
                set(r#"{"quota_set":{"volumes":"abc"}}"#, 400),
                set(r#"{"quota_set":{"volumes":"50"}}"#, 400),
                set(r#"{"quota_set":{"volumes":"-1"}}"#, 400),
                set(r#"{"quota_set":{"volumes":-2}}"#, 400),
                set(r#"{"quota_set":{"volumes":2147483648}}"#, 400),
                set(r#"{"quota_set":{"colour":1}}"#, 400),
                set(r#"{"quota_set":{"force":true,"volumes":50}}"#, 400),
                set(r#"{"quota_set":{"tenant_id":"x"}}"#, 200),
                set(r#"{"quota_set":{"volumes_t":50}}"#, 200),
                set(r#"{"quota_set":{"volumes_nobody":50}}"#, 400),
                (
                    "PUT",
                    "/os-quota-class-sets/default",
                    r#"{"quota_class_set":{"class_name":"x"}}"#,
                    400,
                ),
                (
                    "PUT",
                    "/os-quota-class-sets/default",
                    r#"{"quota_class_set":{"tenant_id":"x"}}"#,
                    400,
                ),
                (
                    "PUT",
                    "/os-quota-class-sets/default",
                    r#"{"quota_class_set":{"volumes":"50"}}"#,
                    200,
                ),
                ("GET", "/os-quota-sets/{project}?usage=maybe", "", 400),
            ],
        )
        .await;
}
