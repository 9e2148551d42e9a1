//! Pages, orders and filters of every list: cinder/api/common.py `get_pagination_params`, `get_sort_params`,
//! `reject_invalid_filters`.

use crate::{ADMIN, MEMBER, World};

const LISTS: [&str; 9] = [
    "/volumes",
    "/snapshots/detail",
    "/attachments",
    "/volume-transfers",
    "/groups",
    "/group_snapshots",
    "/messages",
    "/backups",
    "/qos-specs",
];

#[tokio::test]
async fn every_list_reads_its_page_as_cinder_does() {
    let world = World::new().await;
    for list in LISTS {
        for (query, status) in [
            ("limit=0", 200),
            ("limit=-1", 400),
            ("limit=abc", 400),
            ("limit=", 400),
            ("limit=%201", 200),
            ("limit=99999999999999999999", 200),
            ("offset=abc", 400),
            ("offset=-1", 400),
            ("offset=2147483648", 400),
            ("marker=abc", 404),
            ("marker=", 404),
            ("marker=abc&limit=0", 404),
            ("sort=", 400),
            ("sort=colour", 400),
            ("sort=created_at:up", 400),
            ("sort=created_at:", 200),
            ("sort=created_at,created_at:asc", 200),
            ("sort=created_at&sort_key=id", 400),
        ] {
            let path = format!("/v3{list}?{query}");
            let got = crate::call(&world.api, ADMIN, "GET", &path, "3.71", "").await;
            assert_eq!(got.status, status, "{path}: {}", got.text);
        }
    }
}

#[tokio::test]
async fn words_of_filters_that_are_none_are_refused_or_find_nothing() {
    let world = World::new().await;
    world
        .holds(
            ADMIN,
            "3.71",
            &[
                ("GET", "/volumes?all_tenants=maybe", "", 400),
                ("GET", "/volumes/summary?all_tenants=maybe", "", 400),
                ("GET", "/snapshots?all_tenants=maybe", "", 200),
                ("GET", "/volumes?bootable=maybe", "", 400),
                ("GET", "/volumes?multiattach=maybe", "", 400),
                ("GET", "/volumes?created_at=gt:abc", "", 400),
                ("GET", "/volumes?created_at=gt:2020-01-01", "", 200),
                ("GET", "/volumes?created_at=", "", 400),
                ("GET", "/volumes?with_count=maybe", "", 400),
            ],
        )
        .await;
    let members = [
        ("GET", "/volumes?all_tenants=maybe", "", 200),
        ("GET", "/volumes/summary?all_tenants=maybe", "", 200),
        ("GET", "/volumes?colour=red", "", 400),
        ("GET", "/volumes?with_count=maybe", "", 400),
    ];
    world.holds(MEMBER, "3.71", &members).await;
    for path in [
        "/volumes?size=abc",
        "/volumes?metadata=x",
        "/volumes?metadata=[]",
        "/volumes?metadata={'k':1}",
        "/snapshots?metadata=x",
        "/volume-transfers?colour=red",
        "/types?all_tenants=1",
        "/types?with_count=true",
    ] {
        assert_eq!(world.many(ADMIN, path).await, 0, "{path}");
    }
    let all = world.many(MEMBER, "/volumes").await;
    assert!(all > 1);
    for path in [
        "/volumes?metadata={}",
        "/volumes?migration_status=None",
        "/volumes?size=1",
        "/volumes?all_tenants=1",
    ] {
        assert_eq!(world.many(MEMBER, path).await, all, "{path}");
    }
    assert_eq!(
        world
            .many(MEMBER, "/volume-transfers?volume_id=<volume_id>")
            .await,
        0
    );
}
