//! Answers are what the document says of them: of every route that shows something, to administrators and members, at
//! microversions on both sides of each change, and of the calls that make and change things.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use serde_json::{Value, json};
use support::form::Document;
use support::furnished::{ADMIN, MEMBER, Things, call, furnished, routes};
use support::written::writes;
use support::{Api, Got};

const VERSIONS: [&str; 9] = [
    "3.0", "3.12", "3.27", "3.38", "3.48", "3.57", "3.61", "3.65", "3.71",
];

/// One answer, held against the document.
struct Check<'a> {
    api: &'a Api,
    document: Document,
    faults: Vec<String>,
    answered: usize,
}

impl Check<'_> {
    /// Calls a route of the document; the parts of its path are written as the client would.
    async fn call(
        &mut self,
        token: &str,
        version: &str,
        route: (&str, &str),
        path: &str,
        body: Value,
    ) -> Got {
        let (method, template) = route;
        let body = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        let got = call(self.api, token, method, path, version, &body).await;
        if !got.status.is_success()
            || got
                .headers
                .get("content-type")
                .is_none_or(|kind| kind != "application/json")
        {
            return got;
        }
        let named = format!("{method} {path} at {version}");
        match self.document.answer(method, template, got.status.as_u16()) {
            Some(schema) => {
                let faults = self.document.faults(schema, &got.body, &named);
                self.faults.extend(faults);
                self.answered += 1;
            }
            None => self.faults.push(format!(
                "{named}: the document promises no body: {}",
                got.text
            )),
        }
        got
    }

    fn verdict(&self) {
        assert!(self.faults.is_empty(), "{:#?}", self.faults);
    }
}

async fn check(api: &Api) -> Check<'_> {
    let document = Document(api.get("/openapi.json").await.body);
    Check {
        api,
        document,
        faults: Vec::new(),
        answered: 0,
    }
}

/// Everything that is named in a path, beside what a project has.
async fn more(api: &Api, mut things: Things) -> Things {
    let id = |got: &Got, key: &str| {
        got.body[key]["id"]
            .as_str()
            .unwrap_or_else(|| panic!("{}", got.text))
            .to_owned()
    };
    let made = async |path: &str, body: Value| {
        call(api, ADMIN, "POST", path, "3.71", &body.to_string()).await
    };
    let types = call(api, ADMIN, "GET", "/v3/types?name=t", "3.71", "").await;
    let kind = types.body["volume_types"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let groups = call(api, ADMIN, "GET", "/v3/group_types?name=g", "3.71", "").await;
    let group_kind = groups.body["group_types"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let qos = made(
        "/v3/qos-specs",
        json!({"qos_specs": {"name": "q", "maxIOPS": "9"}}),
    )
    .await;
    let qos = id(&qos, "qos_specs");
    let associate = format!("/v3/qos-specs/{qos}/associate?vol_type_id={kind}");
    assert_eq!(
        call(api, ADMIN, "GET", &associate, "3.71", "").await.status,
        202
    );
    let private = json!({"volume_type": {"name": "p", "os-volume-type-access:is_public": false}});
    let private = id(&made("/v3/types", private).await, "volume_type");
    let access = json!({"addProjectAccess": {"project": "bb"}});
    assert_eq!(
        made(&format!("/v3/types/{private}/action"), access)
            .await
            .status,
        202
    );
    for (path, body) in [
        (
            format!("/v3/types/{private}/extra_specs"),
            json!({"extra_specs": {"k": "v"}}),
        ),
        (
            format!("/v3/group_types/{group_kind}/group_specs"),
            json!({"group_specs": {"k": "v"}}),
        ),
        (
            format!("/v3/types/{private}/encryption"),
            json!({"encryption": {"provider": "luks", "control_location": "front-end"}}),
        ),
    ] {
        let got = made(&path, body).await;
        assert!(got.status.is_success(), "{path}: {}", got.text);
    }
    let gone = json!({"default_type": {"volume_type": "t"}}).to_string();
    let set = call(api, ADMIN, "PUT", "/v3/default-types/bb", "3.71", &gone).await;
    assert_eq!(set.status, 200, "{}", set.text);
    let volume = things.id("volume_id").to_owned();
    let image =
        json!({"image": {"id": "6f1c0000-0000-4000-8000-000000000001", "volume_id": volume}});
    let image = call(
        api,
        ADMIN,
        "POST",
        "/admin/v1/images",
        "3.71",
        &image.to_string(),
    )
    .await;
    assert!(!image.status.is_server_error(), "{}", image.text);
    let operations = call(api, ADMIN, "GET", "/admin/v1/operations", "3.71", "").await;
    let operation = operations.body["operations"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let plan = json!({"scope": {"backend": "pure"}, "to": "b"});
    let plan = made("/admin/v1/plans", plan).await;
    things.0.extend([
        ("type_id", kind),
        ("group_type_id", group_kind),
        ("private_id", private),
        ("qos_id", qos),
        ("host", "springform@pure".to_owned()),
        ("alias", "os-hosts".to_owned()),
        ("backend_name", "pure".to_owned()),
        ("name", "simulated".to_owned()),
        ("operation_id", operation),
        (
            "plan_id",
            plan.body["id"].as_str().unwrap_or_default().to_owned(),
        ),
    ]);
    things
}

/// Paths of a route: with what is there, and with what is there of another kind.
fn paths(things: &Things, path: &str) -> Vec<String> {
    let mut filled = vec![things.fill(path)];
    if path.starts_with("/v3/group_types/") {
        filled = vec![things.fill(&path.replace("{type_id}", "{group_type_id}"))];
    } else if path.contains("/{type_id}/") {
        filled.push(things.fill(&path.replace("{type_id}", "{private_id}")));
    }
    filled
}

#[tokio::test]
async fn what_is_shown_has_the_form_that_the_document_gives_it() {
    let (api, things) = furnished().await;
    let things = more(&api, things).await;
    let mut check = check(&api).await;
    let queries = [
        "",
        "?with_count=true&limit=1",
        "?usage=true",
        "?detail=true",
        "?list_volume=true",
    ];
    for route in routes(&api)
        .await
        .iter()
        .filter(|route| route.method == "GET")
    {
        if route.path.ends_with("/events")
            || route.summary.contains("from a volume type")
            || route.summary.contains("from every volume")
            || route.summary.contains("to a volume type")
        {
            continue;
        }
        let template = ("GET", route.path.as_str());
        for path in paths(&things, &route.path) {
            for token in [ADMIN, MEMBER] {
                for version in VERSIONS {
                    check
                        .call(token, version, template, &path, Value::Null)
                        .await;
                }
                for query in &queries[1..] {
                    check
                        .call(
                            token,
                            "3.71",
                            template,
                            &format!("{path}{query}"),
                            Value::Null,
                        )
                        .await;
                }
            }
        }
    }
    check.verdict();
    assert!(check.answered > 1000, "{}", check.answered);
}

#[tokio::test]
async fn what_is_made_and_changed_has_the_form_that_the_document_gives_it() {
    for version in ["3.27", "3.71"] {
        let (api, things) = furnished().await;
        let things = more(&api, things).await;
        let mut check = check(&api).await;
        for (method, template, body) in writes(&things) {
            let token =
                if template.starts_with("/v3/volumes") || template.starts_with("/v3/snapshots") {
                    MEMBER
                } else {
                    ADMIN
                };
            let path = things.fill(template);
            let template = template
                .replace("{group_type_id}", "{type_id}")
                .replace("{private_id}", "{type_id}");
            check
                .call(token, version, (method, &template), &path, body)
                .await;
        }
        check.verdict();
        assert!(check.answered > 30, "{}", check.answered);
    }
}
