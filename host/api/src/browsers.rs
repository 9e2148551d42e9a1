//! Keeps web pages out where nobody is asked who they are: a page that an operator looks at may send requests to this machine,
//! and its browser sends them without asking anybody as long as they look like a form.
//!
//! Clients that are no browsers send no `Origin` and no `Sec-Fetch-Site`, and are not affected.

use std::net::IpAddr;

use http::uri::Authority;
use http::{HeaderMap, Method, StatusCode, Uri, header};

use crate::http::ApiError;

/// What a client without a browser says that it sends. Everything else is sent by web pages without asking.
const BODIES: &[&str] = &[
    "application/json",
    "application/wasm",
    "application/octet-stream",
    // `curl --data` and Python's urllib say so of every body. Pages say it too, but never without an `Origin`.
    "application/x-www-form-urlencoded",
];

/// Refuses what a web page may have sent.
///
/// # Errors
/// 403 for a foreign `Host`, `Origin` or `Sec-Fetch-Site`, 415 for a `Content-Type` that only pages send.
pub(crate) fn check(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    public_endpoint: Option<&str>,
) -> Result<(), ApiError> {
    let public = public_endpoint.and_then(|text| text.parse::<Uri>().ok());
    let host = match headers.get(header::HOST) {
        Some(host) => Some(host.to_str().unwrap_or("?")),
        None => uri.authority().map(Authority::as_str),
    };
    if let Some(host) = host
        && !is_ours(host, public.as_ref())
    {
        return Err(forbidden(format!(
            "Without authentication the API answers to addresses, to localhost and to the name in [service] public_endpoint \
             only, and this request was sent to \"{}\".",
            shown(host)
        )));
    }
    if let Some(site) = headers.get("sec-fetch-site")
        && site != "same-origin"
        && site != "none"
    {
        return Err(forbidden(
            "Without authentication the API takes no requests from web pages of other sites (Sec-Fetch-Site).".to_owned(),
        ));
    }
    if let Some(origin) = headers.get(header::ORIGIN) {
        let origin = origin.to_str().unwrap_or("?");
        if !same_origin(origin, host, public.as_ref()) {
            return Err(forbidden(format!(
                "Without authentication the API takes no requests from web pages of other sites (Origin: {}).",
                shown(origin)
            )));
        }
    }
    let reads = [Method::GET, Method::HEAD, Method::OPTIONS].contains(method);
    match headers.get(header::CONTENT_TYPE) {
        Some(said) if !reads && !is_a_body(said.to_str().unwrap_or("?")) => Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "Send the body as Content-Type: application/json. Other types are what web pages can send without asking.",
        )),
        _ => Ok(()),
    }
}

fn forbidden(message: String) -> ApiError {
    ApiError::new(StatusCode::FORBIDDEN, message)
}

/// What somebody sent, short and without what a terminal would obey.
fn shown(text: &str) -> String {
    let harmless = |c: &char| c.is_ascii_graphic();
    text.chars().filter(harmless).take(100).collect()
}

fn is_a_body(said: &str) -> bool {
    let essence = said.split(';').next().unwrap_or_default().trim();
    let is = |known: &&str| essence.eq_ignore_ascii_case(known);
    BODIES.iter().any(is)
}

/// Whether a host is no name that a stranger's name server may have given to this machine.
fn is_ours(host: &str, public: Option<&Uri>) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    let name = authority.host().trim_end_matches('.');
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || public
            .and_then(Uri::host)
            .is_some_and(|public| public.eq_ignore_ascii_case(name))
}

fn same_origin(origin: &str, host: Option<&str>, public: Option<&Uri>) -> bool {
    let Ok(origin) = origin.parse::<Uri>() else {
        return false;
    };
    let Some(authority) = origin.authority() else {
        return false;
    };
    let is = |other: &str| authority.as_str().eq_ignore_ascii_case(other);
    host.is_some_and(is)
        || public
            .and_then(Uri::authority)
            .is_some_and(|public| is(public.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(method: Method, headers: &[(&'static str, &'static str)]) -> u16 {
        let pairs = headers.iter().map(|(name, value)| {
            (
                http::HeaderName::from_static(name),
                http::HeaderValue::from_static(value),
            )
        });
        let headers: HeaderMap = pairs.collect();
        let public = Some("https://cinder.example:8776/volume");
        match check(&method, &Uri::from_static("/v3/volumes"), &headers, public) {
            Ok(()) => 200,
            Err(refusal) => refusal.status.as_u16(),
        }
    }

    #[test]
    fn names_that_strangers_may_give_to_this_machine_are_refused() {
        for ours in [
            "127.0.0.1:8776",
            "[::1]:8776",
            "localhost",
            "LOCALHOST:1",
            "192.0.2.7",
            "cinder.example",
        ] {
            assert_eq!(status(Method::GET, &[("host", ours)]), 200, "{ours}");
        }
        for foreign in [
            "evil.example:8776",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "evil.example/@localhost",
            "",
        ] {
            assert_eq!(status(Method::GET, &[("host", foreign)]), 403, "{foreign}");
        }
        assert_eq!(status(Method::GET, &[]), 200);
    }

    #[test]
    fn web_pages_of_other_sites_are_refused_and_our_own_are_not() {
        let host = ("host", "127.0.0.1:8776");
        for (header, foreign) in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("origin", "http://127.0.0.1:9999"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            for method in [Method::POST, Method::GET, Method::DELETE] {
                assert_eq!(status(method, &[host, (header, foreign)]), 403, "{foreign}");
            }
        }
        for (header, own) in [
            ("origin", "http://127.0.0.1:8776"),
            ("origin", "https://cinder.example:8776"),
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-site", "none"),
        ] {
            assert_eq!(status(Method::POST, &[host, (header, own)]), 200, "{own}");
        }
    }

    #[test]
    fn what_only_pages_send_is_no_body_of_this_api() {
        let host = ("host", "127.0.0.1:8776");
        for form in [
            "text/plain",
            "multipart/form-data; boundary=x",
            "text/plain; application/json",
            "",
        ] {
            assert_eq!(
                status(Method::POST, &[host, ("content-type", form)]),
                415,
                "{form}"
            );
        }
        for body in [
            "application/json",
            "Application/JSON; charset=utf-8",
            "application/wasm",
            "application/x-www-form-urlencoded",
        ] {
            assert_eq!(
                status(Method::POST, &[host, ("content-type", body)]),
                200,
                "{body}"
            );
        }
        assert_eq!(status(Method::POST, &[host]), 200);
        let read = [host, ("content-type", "text/plain")];
        assert_eq!(status(Method::GET, &read), 200);
    }
}
