//! What is an administrator's: a member does it neither to what is their own nor to what is another project's.

use serde_json::{Value, json};

use crate::support::furnished::{ADMIN, MEMBER, READER, call, furnished, ready};
use crate::support::{Api, Got};

async fn ask(api: &Api, token: &str, method: &str, path: &str, body: Value) -> Got {
    let body = match body {
        Value::Null => String::new(),
        body => body.to_string(),
    };
    call(api, token, method, path, "3.71", &body).await
}

async fn done(api: &Api, token: &str, method: &str, path: &str, body: Value) -> Value {
    let got = ask(api, token, method, path, body).await;
    assert!(got.status.is_success(), "{path}: {}", got.text);
    got.body
}

#[tokio::test]
async fn a_member_does_nothing_to_their_own_volume_that_is_an_administrators() {
    let (api, _) = furnished().await;
    let wanted = json!({"volume": {"size": 1, "volume_type": "t"}});
    let made = done(&api, MEMBER, "POST", "/v3/volumes", wanted).await;
    let path = format!("/v3/volumes/{}", made["volume"]["id"].as_str().unwrap());
    ready(&api, &path, "volume").await;
    let before = done(&api, MEMBER, "GET", &path, Value::Null).await;
    let action = format!("{path}/action");
    for (body, rule) in [
        (
            json!({"os-reset_status": {"status": "error"}}),
            "reset_status",
        ),
        (json!({"os-force_delete": {}}), "force_delete"),
        (json!({"os-force_detach": {}}), "force_detach"),
        (json!({"os-unmanage": {}}), "unmanage"),
        (
            json!({"os-migrate_volume": {"host": "x"}}),
            "migrate_volume",
        ),
        (
            json!({"os-migrate_volume_completion": {"new_volume": "x"}}),
            "migrate_volume_completion",
        ),
        (
            json!({"os-extend_volume_completion": {"error": false}}),
            "extend_volume_completion",
        ),
    ] {
        let refused = ask(&api, MEMBER, "POST", &action, body.clone()).await;
        assert_eq!(refused.status, 403, "{body}: {}", refused.text);
        let rule = format!("volume_extension:volume_admin_actions:{rule} ");
        assert!(refused.message().contains(&rule), "{}", refused.text);
    }
    for query in ["force=true", "force=true&cascade=true"] {
        let forced = format!("{path}?{query}");
        let refused = ask(&api, MEMBER, "DELETE", &forced, Value::Null).await;
        assert_eq!(refused.status, 403, "{query}: {}", refused.text);
        assert_eq!(
            refused.message(),
            "Policy doesn't allow volume:force_delete to be performed."
        );
    }
    let now = done(&api, MEMBER, "GET", &path, Value::Null).await;
    assert_eq!(now, before);
}

#[tokio::test]
async fn a_volume_that_was_never_placed_is_deleted_by_force_by_administrators_only() {
    let (api, _) = furnished().await;
    // No backend takes it.
    let wanted = json!({"volume": {"size": 1, "volume_type": "nowhere"}});
    let made = done(&api, MEMBER, "POST", "/v3/volumes", wanted).await;
    let path = format!("/v3/volumes/{}", made["volume"]["id"].as_str().unwrap());
    api.wait_for(|| async {
        done(&api, MEMBER, "GET", &path, Value::Null).await["volume"]["status"] == "error"
    })
    .await;
    let forced = format!("{path}?force=true");
    let refused = ask(&api, MEMBER, "DELETE", &forced, Value::Null).await;
    assert_eq!(refused.status, 403, "{}", refused.text);
    done(&api, ADMIN, "DELETE", &forced, Value::Null).await;
}

#[tokio::test]
async fn quotas_and_limits_of_another_project_are_told_to_administrators_only() {
    let api = Api::with_tokens("").await;
    for (project, volumes) in [("bb", 11), ("cc", 12)] {
        let path = format!("/v3/os-quota-sets/{project}");
        let quota = json!({"quota_set": {"volumes": volumes}});
        done(&api, ADMIN, "PUT", &path, quota).await;
    }
    for path in [
        "/v3/os-quota-sets/cc",
        "/v3/os-quota-sets/cc?usage=true",
        "/v3/os-quota-sets/cc/defaults",
    ] {
        done(&api, ADMIN, "GET", path, Value::Null).await;
        for token in [MEMBER, READER] {
            let refused = ask(&api, token, "GET", path, Value::Null).await;
            assert_eq!(refused.status, 403, "{path}: {}", refused.text);
            let own = path.replace("cc", "bb");
            done(&api, token, "GET", &own, Value::Null).await;
        }
    }
    for query in ["project_id=cc", "tenant_id=cc"] {
        let path = format!("/v3/limits?{query}");
        for (token, volumes) in [(ADMIN, 12), (MEMBER, 11), (READER, 11)] {
            let shown = done(&api, token, "GET", &path, Value::Null).await;
            let limit = &shown["limits"]["absolute"]["maxTotalVolumes"];
            assert_eq!(*limit, json!(volumes), "{path} as {token}");
        }
    }
}

#[tokio::test]
async fn a_group_type_that_is_not_public_is_an_administrators() {
    let (api, _) = furnished().await;
    let kind = json!({"group_type": {"name": "secret", "is_public": false}});
    let made = done(&api, ADMIN, "POST", "/v3/group_types", kind).await;
    let id = made["group_type"]["id"].as_str().unwrap().to_owned();
    let path = format!("/v3/group_types/{id}");
    done(&api, ADMIN, "GET", &path, Value::Null).await;
    let hidden = ask(&api, MEMBER, "GET", &path, Value::Null).await;
    assert_eq!(hidden.status, 404, "{}", hidden.text);
    for list in [
        "/v3/group_types",
        "/v3/group_types?is_public=false",
        "/v3/group_types?is_public=None",
    ] {
        let shown = done(&api, MEMBER, "GET", list, Value::Null).await;
        assert!(!shown.to_string().contains(&id), "{list}: {shown}");
        assert!(shown.to_string().contains("\"g\""), "{list}: {shown}");
    }
    let all = done(
        &api,
        ADMIN,
        "GET",
        "/v3/group_types?is_public=None",
        Value::Null,
    );
    assert!(all.await.to_string().contains(&id));
    for kind in [id.as_str(), "secret"] {
        let group = json!({"group": {"group_type": kind, "volume_types": ["t"]}});
        let refused = ask(&api, MEMBER, "POST", "/v3/groups", group).await;
        assert_eq!(refused.status, 404, "{kind}: {}", refused.text);
    }
}
