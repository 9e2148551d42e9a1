//! What holds of every route there is, read from the document: who may call it, from which microversion on, and what
//! nonsense it refuses.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::collections::BTreeSet;

use support::Api;
use support::furnished::{ADMIN, MEMBER, READER, Things, call, furnished, routes};

#[tokio::test]
async fn every_route_names_its_rule_to_who_lacks_the_role() {
    let api = Api::with_tokens("").await;
    let nothing = Things(Vec::new());
    for route in routes(&api).await {
        let (rule, role) = (&route.rule.0, route.rule.1.as_str());
        let below = match role {
            "admin" => &[MEMBER, READER][..],
            "member" => &[READER][..],
            _ => &[][..],
        };
        for token in below {
            let got = call(
                &api,
                token,
                &route.method,
                &nothing.fill(&route.path),
                "3.71",
                "{}",
            )
            .await;
            assert_eq!(got.status, 403, "{}: {}", route.named(), got.text);
            assert!(
                got.message().contains(rule.as_str()),
                "{}: {}",
                route.named(),
                got.text
            );
        }
    }
}

#[tokio::test]
async fn a_policy_file_keeps_every_route_from_everybody() {
    let open = Api::with_tokens("").await;
    let rules: BTreeSet<String> = routes(&open).await.into_iter().map(|r| r.rule.0).collect();
    let nobody = |rule: &String| format!("\"{rule}\" = \"nobody\"\n");
    let policy: String = rules.iter().map(nobody).collect();
    let api = Api::with_tokens(&policy).await;
    let nothing = Things(Vec::new());
    for route in routes(&open).await {
        let path = nothing.fill(&route.path);
        for token in [ADMIN, MEMBER, READER] {
            let got = call(&api, token, &route.method, &path, "3.71", "{}").await;
            assert_eq!(got.status, 403, "{}: {}", route.named(), got.text);
            assert!(got.message().contains(&route.rule.0), "{}", got.text);
        }
    }
}

#[tokio::test]
async fn every_route_is_absent_before_its_microversion() {
    let api = Api::with_tokens("").await;
    let nothing = Things(Vec::new());
    let mut checked = 0;
    for route in routes(&api).await {
        let Some((_, rest)) = route.summary.split_once("(from 3.") else {
            continue;
        };
        let since: u16 = rest
            .split(|c: char| !c.is_ascii_digit())
            .next()
            .unwrap()
            .parse()
            .unwrap();
        let version = format!("3.{}", since - 1);
        let body = if route.path.ends_with("/action") {
            r#"{"delete": {}}"#
        } else {
            "{}"
        };
        let got = call(
            &api,
            ADMIN,
            &route.method,
            &nothing.fill(&route.path),
            &version,
            body,
        )
        .await;
        assert_eq!(
            got.status,
            404,
            "{} at {version}: {}",
            route.named(),
            got.text
        );
        assert!(
            got.message().contains("is not supported on this method"),
            "{} at {version}: {}",
            route.named(),
            got.text
        );
        checked += 1;
    }
    assert!(checked > 40, "{checked}");
}

#[tokio::test]
async fn every_route_refuses_a_body_that_makes_no_sense_and_says_why() {
    let (api, things) = furnished().await;
    for route in routes(&api).await.iter().filter(|route| route.has_body) {
        let path = things.fill(&route.path);
        for body in [
            "[1]",
            "{",
            "\"text\"",
            "{\"nonsense\": 1}",
            "{\"nonsense\": {\"a\": [1]}}",
        ] {
            let got = call(&api, ADMIN, &route.method, &path, "3.71", body).await;
            let known = [400, 404].contains(&got.status.as_u16());
            assert!(
                known,
                "{} {body}: {} {}",
                route.named(),
                got.status,
                got.text
            );
            assert!(
                !got.message().is_empty(),
                "{} {body}: {}",
                route.named(),
                got.text
            );
            // What belongs to the project is there, so it is the body that is refused.
            let there = !path.contains("00000000dead");
            assert!(
                !there || got.status == 400,
                "{} {body}: {}",
                route.named(),
                got.text
            );
        }
    }
}
