//! Bodies that are none: cinder/api/openstack/wsgi.py `Resource._process_stack`.

use axum::body::Body;

use crate::support::furnished::{ADMIN, routes};
use crate::{MEMBER, World, call};

#[tokio::test]
async fn a_body_that_is_no_object_is_refused_everywhere() {
    let world = World::new().await;
    let mut asked = 0;
    for route in routes(&world.api).await {
        if !route.has_body || !route.path.starts_with("/v3/") {
            continue;
        }
        for body in ["", "{", "[]", "7", "null", "\"x\"", "[1]"] {
            let path = world.things.fill(&route.path);
            let got = call(&world.api, ADMIN, &route.method, &path, "3.71", body).await;
            assert_eq!(got.status, 400, "{} {body}: {}", route.named(), got.text);
            asked += 1;
        }
    }
    assert!(asked > 300, "{asked}");
}

#[tokio::test]
async fn a_body_that_says_it_is_no_json_is_refused() {
    let world = World::new().await;
    let body = r#"{"volume":{"size":1,"volume_type":"t"}}"#;
    for (kind, status) in [
        ("application/json; charset=utf-8", 202),
        ("application/vnd.openstack.volume+json", 202),
        ("application/x-www-form-urlencoded", 202),
        ("text/plain", 415),
        ("application/xml", 415),
        ("application/jsonx", 415),
    ] {
        let headers = [("x-auth-token", MEMBER), ("content-type", kind)];
        let got = world.api.send("POST", "/v3/volumes", &headers, body).await;
        assert_eq!(got.status, status, "{kind}: {}", got.text);
        let got = world
            .api
            .send("GET", "/v3/volumes", &headers, Body::empty())
            .await;
        assert_eq!(got.status, 200, "{kind}");
    }
}
