//! Which headers pass the wall, in either direction.

use std::sync::Arc;

use http::header::{self, HeaderMap, HeaderName};
use wasmtime_wasi_http::{DEFAULT_FORBIDDEN_HEADERS, ForbiddenHeaderFilter};

use super::credential::overrides_method;

/// Credentials and routing belong to the host: a driver that could set these could speak as somebody else, or to
/// somebody else.
fn belongs_to_host(name: &HeaderName) -> bool {
    const OWN: [HeaderName; 6] = [
        header::AUTHORIZATION,
        header::COOKIE,
        header::SET_COOKIE,
        header::FORWARDED,
        header::HOST,
        header::EXPECT,
    ];
    const NAMES: [&str; 6] = [
        "x-auth-token",
        "api-token",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-real-ip",
    ];
    OWN.contains(name) || NAMES.contains(&name.as_str()) || overrides_method(name)
}

/// The filter that `wasi:http` applies to what a guest sets: refused with `header-error.forbidden`.
pub fn guest_filter() -> ForbiddenHeaderFilter {
    static FILTER: std::sync::OnceLock<ForbiddenHeaderFilter> = std::sync::OnceLock::new();
    FILTER
        .get_or_init(|| {
            Arc::new(|name: &HeaderName| {
                belongs_to_host(name) || DEFAULT_FORBIDDEN_HEADERS.contains(name)
            })
        })
        .clone()
}

/// A second look at what leaves, in case a header found another way in.
pub fn clean_request(headers: &mut HeaderMap) {
    remove_matching(headers, |name| {
        belongs_to_host(name) || DEFAULT_FORBIDDEN_HEADERS.contains(name)
    });
    headers.remove(header::CONTENT_LENGTH);
}

/// Takes out what a guest must not learn: tokens, cookies, and where the array really is.
pub fn clean_response(headers: &mut HeaderMap, credential: Option<&HeaderName>) {
    remove_matching(headers, |name| {
        belongs_to_host(name)
            || DEFAULT_FORBIDDEN_HEADERS.contains(name)
            || *name == header::LOCATION
            || *name == header::WWW_AUTHENTICATE
            || credential == Some(name)
    });
}

fn remove_matching(headers: &mut HeaderMap, matches: impl Fn(&HeaderName) -> bool) {
    let names: Vec<HeaderName> = headers.keys().filter(|n| matches(n)).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}
