//! Which requests leave the sandbox: what the component proposes, what the operator's file says, what the host keeps.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::collections::BTreeMap;

use springform_model::contract::{Call, CallError, Driver};
use springform_sandbox::{BoundDriver, Grant, Origin, Rule, TargetBinding, TlsTrust};
use support::array::Array;
use support::{context, driver, volume};

fn rule(text: &str, origin: Origin) -> (Rule, Origin) {
    (Rule::parse(text).unwrap(), origin)
}

fn only(rules: &[&str]) -> Grant {
    Grant {
        allow: rules
            .iter()
            .map(|text| rule(text, Origin::Driver))
            .collect(),
        deny: Vec::new(),
        refuse_proposal: true,
    }
}

async fn bound(guest: &str, array: &Array, grant: Grant) -> BoundDriver {
    let target = TargetBinding::new("a", &array.address, TlsTrust::PlainHttp);
    driver(guest, vec![target.with_grant(grant)]).await
}

/// What the hostile driver reports of one request.
async fn ask(driver: &BoundDriver, url: &str) -> BTreeMap<String, String> {
    let call = driver.call(context("get", url), Call::Stats);
    let stats = call.await.unwrap().into_stats().unwrap();
    stats.pools[0].capabilities.iter().cloned().collect()
}

const DENIED: &str = "ErrorCode::HttpRequestDenied";

#[tokio::test]
async fn a_request_that_is_not_granted_never_leaves_and_the_audit_names_the_line_that_would_allow_it()
 {
    let log = support::log::Captured::default();
    let _guard = tracing::subscriber::set_default(log.subscriber());
    let array = Array::plain().await;
    let driver = bound("hostile", &array, only(&["GET /volumes"])).await;
    assert_eq!(
        ask(&driver, "https://a/volumes?limit=1").await["status"],
        "200"
    );
    for path in [
        "hosts",
        "volumes/tags",
        "Volumes",
        "volumes/../hosts",
        "volumes/%2e%2e/hosts",
        "/volumes",
    ] {
        assert_eq!(
            ask(&driver, &format!("https://a/{path}")).await["error"],
            DENIED,
            "{path}"
        );
    }
    assert_eq!(driver.denied_requests(), 6);
    let seen = array.facts.seen.lock().unwrap().clone();
    assert!(
        seen.starts_with("get /volumes?limit=1 "),
        "nothing came after it: {seen}"
    );
    let audit = log.text();
    assert!(
        audit.contains("egress-denied")
            && audit.contains("allow = [\"GET /hosts\"]  # in [driver.pure.grant]"),
        "{audit}"
    );
}

#[tokio::test]
async fn a_call_that_fails_because_of_a_denial_says_what_was_denied_and_what_would_allow_it() {
    let array = Array::plain().await;
    let driver = bound("noop", &array, only(&["GET /volumes"])).await;
    let mut context = context("", "");
    context
        .options
        .push(("bench".to_owned(), "request".to_owned()));
    let (volume, new_size) = (volume("v"), 2 << 30);
    let failed = driver
        .call(context, Call::ExtendVolume { volume, new_size })
        .await;
    let Err(CallError::Failed(failure)) = failed else {
        panic!("{failed:?}");
    };
    assert!(
        failure
            .message
            .contains("GET /api/2.52/arrays on a is not granted")
            && failure
                .message
                .ends_with("allow = [\"GET /api/2.52/arrays\"]  # in [driver.pure.grant]"),
        "{}",
        failure.message
    );
}

#[tokio::test]
async fn the_arrays_answer_with_its_api_token_is_kept_from_every_driver_until_the_operator_allows_it()
 {
    let array = Array::plain().await;
    let url = "https://a/api/2.26/admins/api-tokens?expose_api_token=true";
    let driver = bound("hostile", &array, Grant::default()).await;
    assert_eq!(
        ask(&driver, "https://a/volumes").await["status"],
        "200",
        "it proposed nothing: all the rest"
    );
    assert_eq!(ask(&driver, url).await["error"], DENIED);
    let granted = Grant {
        allow: vec![rule("GET /api/*/admins/api-tokens", Origin::Target)],
        ..Grant::default()
    };
    let driver = bound("hostile", &array, granted).await;
    assert_eq!(ask(&driver, url).await["status"], "200");
}

#[tokio::test]
async fn what_the_file_denies_is_denied_with_the_table_it_stands_in() {
    let log = support::log::Captured::default();
    let _guard = tracing::subscriber::set_default(log.subscriber());
    let array = Array::plain().await;
    let grant = Grant {
        deny: vec![rule("* /volumes/**", Origin::Target)],
        ..Grant::default()
    };
    let driver = bound("hostile", &array, grant).await;
    assert_eq!(ask(&driver, "https://a/VOLUMES").await["error"], DENIED);
    let audit = log.text();
    assert!(
        audit.contains("without \"* /volumes/**\", in [driver.pure.grant.target.a]"),
        "{audit}"
    );
    let (target, lines) = &driver.grants()[0];
    assert_eq!(target, "a");
    assert_eq!(lines[0], ("deny  * /volumes/**".to_owned(), Origin::Target));
    assert!(lines.contains(&("allow * /**".to_owned(), Origin::Component)));
}
