#![allow(clippy::unwrap_used)]

use super::*;

fn rules(texts: &[&str]) -> Vec<Rule> {
    texts
        .iter()
        .map(|text| Rule::parse(text).unwrap())
        .collect()
}

fn from_file(texts: &[&str]) -> Vec<(Rule, Origin)> {
    rules(texts)
        .into_iter()
        .map(|rule| (rule, Origin::Driver))
        .collect()
}

#[test]
fn a_rule_covers_its_methods_and_the_paths_of_its_pattern() {
    for (rule, method, path, covered) in [
        ("GET /api/*/volumes", "GET", "/api/2.26/volumes", true),
        ("GET /api/*/volumes", "GET", "/api/2.26/volumes/", true),
        ("GET /api/*/volumes", "POST", "/api/2.26/volumes", false),
        ("GET,POST /api/*/volumes", "POST", "/api/2.26/volumes", true),
        ("GET /api/*/volumes", "GET", "/api/2.26/volumes/tags", false),
        ("GET /api/*/volumes", "GET", "/api/volumes", false),
        ("GET /api/*/volumes", "GET", "/API/2.26/volumes", false),
        ("* /api/2.*/volumes/**", "DELETE", "/api/2.26/volumes", true),
        (
            "* /api/2.*/volumes/**",
            "DELETE",
            "/api/2.26/volumes/a/b",
            true,
        ),
        (
            "* /api/2.*/volumes/**",
            "DELETE",
            "/api/1.19/volumes",
            false,
        ),
        ("* /**", "PATCH", "/", true),
        ("* /", "GET", "/", true),
        ("* /", "GET", "/api", false),
        ("* /a*a", "GET", "/a", false),
    ] {
        let read = Rule::parse(rule).unwrap();
        assert_eq!(
            read.allows(&method.parse().unwrap(), path),
            covered,
            "{rule} {method} {path}"
        );
    }
}

#[test]
fn what_is_no_rule_is_refused_with_the_reason() {
    for text in [
        "",
        "GET",
        "/api",
        "get /api",
        "TRACE /api",
        "CONNECT /",
        "GET,, /api",
        "GET api",
        "GET //api",
        "GET /api/../x",
        "GET /a?b",
        "GET /a%2fb",
        "GET /a**b",
        "GET /*a*",
        "GET /**/a",
        "GET /a b",
    ] {
        assert!(Rule::parse(text).is_err(), "{text:?}");
    }
    assert!(Rule::parse(&format!("GET /{}", "a".repeat(600))).is_err());
}

#[test]
fn a_path_with_two_readings_is_not_plain() {
    for path in [
        "/",
        "/api/2.26/volumes",
        "/api/",
        "/a%20b",
        "/a-b_c~d:e,f(1)",
        "/v%C3%A4",
    ] {
        assert!(is_plain(path), "{path}");
    }
    for path in [
        "",
        "api",
        "//",
        "//api",
        "/api//volumes",
        "/./api",
        "/api/..",
        "/api/../admins",
        "/api/%2e%2e/admins",
        "/api%2Fadmins",
        "/a%5Cb",
        "/a\\b",
        "/a;b=c/x",
        "/a%3Bb",
        "/a%00",
        "/a%0a",
        "/a%",
        "/a%2",
        "/a%zz",
        "/a%252e",
        "/a%3fb",
        "/a\u{e9}",
        "/a b",
    ] {
        assert!(!is_plain(path), "{path:?}");
    }
    assert!(!is_plain(&format!("/{}", "a".repeat(3000))));
}

#[test]
fn the_array_call_that_shows_its_own_api_token_is_the_hosts_to_keep_whatever_a_component_proposes()
{
    let path = "/api/2.26/admins/api-tokens";
    for proposal in [&["* /**"][..], &["GET /api/*/admins/api-tokens"], &[]] {
        let grant = EffectiveGrant::new(Grant::default(), &rules(proposal));
        for path in [path, "/API/2.26/Admins/api-tokens/"] {
            let refused = grant.decide(&Method::GET, path);
            assert_eq!(
                refused,
                Err(Ungranted::Reserved("* /api/*/admins/**")),
                "{proposal:?}"
            );
        }
    }
    let allow = from_file(&["GET /api/2.26/admins/api-tokens"]);
    let grant = EffectiveGrant::new(
        Grant {
            allow,
            ..Grant::default()
        },
        &[],
    );
    assert_eq!(
        grant.decide(&Method::GET, path),
        Ok(()),
        "the operator decides"
    );
    assert!(grant.decide(&Method::POST, path).is_err());
}

#[test]
fn the_file_adds_to_what_is_proposed_and_takes_away_from_both() {
    let proposal = rules(&["GET /volumes", "POST /volumes"]);
    let grant = |allow: &[&str], deny: &[&str], refuse_proposal| {
        let (allow, deny) = (from_file(allow), from_file(deny));
        EffectiveGrant::new(
            Grant {
                allow,
                deny,
                refuse_proposal,
            },
            &proposal,
        )
    };
    let plain = grant(&[], &[], false);
    assert_eq!(plain.decide(&Method::GET, "/volumes"), Ok(()));
    assert_eq!(
        plain.decide(&Method::GET, "/hosts"),
        Err(Ungranted::NotAllowed)
    );
    assert_eq!(
        grant(&["GET /hosts"], &[], false).decide(&Method::GET, "/hosts"),
        Ok(())
    );
    let denied = Err(Ungranted::Denied("POST /**".to_owned(), Origin::Driver));
    let read_only = grant(&["POST /volumes"], &["POST /**"], false);
    assert_eq!(
        read_only.decide(&Method::POST, "/volumes"),
        denied,
        "deny is stronger than both"
    );
    assert_eq!(read_only.decide(&Method::POST, "/VOLUMES/"), denied);
    assert_eq!(read_only.decide(&Method::GET, "/volumes"), Ok(()));
    let own = grant(&["GET /hosts"], &[], true);
    assert_eq!(
        own.decide(&Method::GET, "/volumes"),
        Err(Ungranted::NotAllowed)
    );
    assert_eq!(own.decide(&Method::GET, "/hosts"), Ok(()));
}

#[test]
fn every_line_says_where_it_comes_from() {
    let (allow, deny) = (from_file(&["GET /hosts"]), from_file(&["DELETE /**"]));
    let grant = Grant {
        allow,
        deny,
        refuse_proposal: false,
    };
    let lines: Vec<_> = EffectiveGrant::new(grant, &rules(&["GET /volumes"]))
        .lines()
        .collect();
    let at = |text: &str| {
        lines
            .iter()
            .find(|(line, _)| line == text)
            .map(|(_, origin)| *origin)
    };
    assert_eq!(at("deny  DELETE /**"), Some(Origin::Driver));
    assert_eq!(at("allow GET /hosts"), Some(Origin::Driver));
    assert_eq!(at("deny  * /api/*/admins/**"), Some(Origin::Host));
    assert_eq!(at("allow GET /volumes"), Some(Origin::Component));
    assert_eq!(lines.len(), 3 + RESERVED.len());
}
