//! Requests that are not to leave: each is denied, counted, and reaches no array.

use springform_model::contract::{Call, Driver};
use springform_sandbox::{BoundDriver, TargetBinding, TlsTrust};

use crate::support::array::Array;
use crate::support::{context, driver};

/// Name, behaviour of the hostile guest, its argument. All in a call that only reads.
pub const ATTACKS: &[(&str, &str, &str)] = &[
    ("a target that is not configured", "get", "https://other/"),
    ("the loopback address", "get", "https://127.0.0.1/"),
    (
        "the loopback address as a number",
        "get",
        "https://2130706433/",
    ),
    ("the loopback address of IPv6", "get", "https://[::1]/"),
    ("localhost", "get", "https://localhost:8776/"),
    (
        "a cloud's metadata",
        "get",
        "https://169.254.169.254/latest/meta-data/",
    ),
    ("a port at the name of a target", "get", "https://a:443/"),
    ("a user at the name of a target", "get", "https://root@a/"),
    ("a dot behind the name of a target", "get", "https://a./"),
    ("plain HTTP", "get", "http://a/"),
    ("another scheme", "get", "gopher://a/"),
    ("TRACE", "method", "TRACE"),
    ("CONNECT", "method", "CONNECT"),
    ("PROPFIND", "method", "PROPFIND"),
    ("a method in small letters", "method", "get"),
    ("POST in a call that reads", "method", "POST"),
    ("PUT in a call that reads", "method", "PUT"),
    ("PATCH in a call that reads", "method", "PATCH"),
    ("DELETE in a call that reads", "method", "DELETE"),
    (
        "dot segments",
        "get",
        "https://a/api/2.26/volumes/../admins",
    ),
    (
        "dot segments, encoded",
        "get",
        "https://a/api/2.26/volumes/%2e%2e/admins",
    ),
    (
        "dot segments, half encoded",
        "get",
        "https://a/api/2.26/volumes/.%2E/admins",
    ),
    (
        "dot segments, encoded twice",
        "get",
        "https://a/api/2.26/volumes/%252e%252e/admins",
    ),
    ("a slash, encoded", "get", "https://a/api/2.26%2fadmins"),
    ("a backslash, encoded", "get", "https://a/api/2.26%5cadmins"),
    ("an empty segment", "get", "https://a/api//2.26/admins"),
    (
        "a parameter of a segment",
        "get",
        "https://a/api/2.26;x=y/volumes",
    ),
    ("a NUL, encoded", "get", "https://a/volumes%00"),
    (
        "a line break, encoded",
        "get",
        "https://a/volumes%0d%0aHost:%20b",
    ),
    (
        "a question mark, encoded",
        "get",
        "https://a/volumes%3fnames=a",
    ),
    (
        "the array's own API token",
        "get",
        "https://a/api/2.26/admins/api-tokens?expose_api_token=true",
    ),
    (
        "the array's own API token in other letters",
        "get",
        "https://a/API/2.26/Admins/API-tokens?expose_api_token=true",
    ),
    (
        "the array's clients",
        "get",
        "https://a/api/2.26/api-clients",
    ),
    (
        "the array's directory",
        "get",
        "https://a/api/2.26/directory-services",
    ),
    (
        "the array's certificates",
        "get",
        "https://a/api/2.26/certificates",
    ),
];

pub async fn bound(array: &Array) -> BoundDriver {
    let target = TargetBinding::new("a", &array.address, TlsTrust::PlainHttp);
    driver("hostile", vec![target]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_hostile_request_is_denied_counted_and_reaches_no_array() {
    let array = Array::plain().await;
    let driver = bound(&array).await;
    let mut wrong = Vec::new();
    for (name, behaviour, argument) in ATTACKS {
        let before = driver.denied_requests();
        let stats = driver.call(context(behaviour, argument), Call::Stats).await;
        let report = stats.map(|reply| reply.into_stats().unwrap().pools[0].capabilities.clone());
        // Some are refused by the guest's own library or by the interface already: they are no requests.
        let sent = report
            .as_ref()
            .is_ok_and(|report| report.iter().any(|(key, _)| key == "status"));
        let denied = report.as_ref().is_ok_and(|report| {
            report
                .iter()
                .any(|(_, value)| value.contains("HttpRequestDenied"))
        });
        if sent {
            wrong.push(format!("{name}: it was answered"));
        }
        if denied && driver.denied_requests() != before + 1 {
            wrong.push(format!("{name}: it was not counted"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let seen = array.facts.seen.lock().unwrap().clone();
    assert!(seen.is_empty(), "the array heard {seen}");
    assert!(
        driver.denied_requests() >= 25,
        "{}",
        driver.denied_requests()
    );
}
