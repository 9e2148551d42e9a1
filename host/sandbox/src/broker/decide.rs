//! May this request leave? One function, in one order: scheme, target, method, path, grant, quota. No effect comes before the answer.

use std::fmt;
use std::sync::Arc;

use http::{Method, Uri};

use super::{Broker, Target};
use crate::grant::{self, Origin, Rule, Ungranted};

/// Why a request may not leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denial {
    /// Not `https`.
    Scheme(String),
    /// Not a configured target.
    UnknownTarget {
        /// What was asked for.
        asked: String,
        /// The backend.
        backend: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A method that no driver needs: TRACE returns the request with its credential, CONNECT opens a tunnel.
    Method(Method),
    /// A path that another server may read differently.
    Path(String),
    /// A request that the driver was not granted.
    NotGranted {
        /// Name of the driver in the operator's file.
        driver: String,
        /// Target.
        target: String,
        /// The rule that would allow it.
        rule: String,
        /// Why not.
        why: Ungranted,
    },
    /// Would change an array in a call that only reads.
    ReadOnly {
        /// Method.
        method: Method,
        /// Verb.
        verb: &'static str,
    },
    /// Too many requests in this call.
    Requests(usize),
    /// Too many at one time.
    OpenRequests(usize),
    /// The call may not use the network at all.
    NoNetwork,
}

impl Denial {
    /// The line of TOML that would allow it, where one could.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::UnknownTarget { asked, backend, .. } => format!(
                "[[backend.replication_device]] backend_id = \"{}\"  # in backend \"{backend}\"",
                asked.escape_default()
            ),
            Self::Requests(limit) => format!(
                "requests_per_call = {}  # in [driver.<name>.limits]",
                limit.saturating_mul(2)
            ),
            Self::OpenRequests(limit) => format!(
                "open_requests = {}  # in [driver.<name>.limits]",
                limit.saturating_mul(2)
            ),
            Self::NotGranted {
                driver,
                target,
                rule,
                why,
            } => match why {
                Ungranted::NotAllowed | Ungranted::Reserved(_) => {
                    format!("allow = [\"{rule}\"]  # in [driver.{driver}.grant]")
                }
                Ungranted::Denied(denied, from) => {
                    let table = match from {
                        Origin::Target => format!("[driver.{driver}.grant.target.{target}]"),
                        _ => format!("[driver.{driver}.grant]"),
                    };
                    format!("deny = []  # without \"{denied}\", in {table}")
                }
            },
            Self::Scheme(_)
            | Self::Method(_)
            | Self::Path(_)
            | Self::ReadOnly { .. }
            | Self::NoNetwork => "nothing in the configuration allows it".to_owned(),
        }
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scheme(scheme) => write!(
                f,
                "the scheme is {scheme}; drivers say https://<target>/, whatever the array speaks"
            ),
            Self::UnknownTarget {
                asked,
                backend,
                known,
            } => write!(
                f,
                "{} is not a target of backend {backend}; its targets are {}",
                asked.escape_default(),
                if known.is_empty() {
                    "none".to_owned()
                } else {
                    known.join(", ")
                }
            ),
            Self::Method(method) => write!(
                f,
                "the method {} is not sent; GET, HEAD, OPTIONS, POST, PUT, PATCH and DELETE are",
                method.as_str().escape_default()
            ),
            Self::Path(path) => write!(
                f,
                "the path {:.200} is not in its plain form: no empty or dot segments, nothing encoded that changes it",
                path.escape_default()
            ),
            Self::NotGranted {
                target, rule, why, ..
            } => match why {
                Ungranted::NotAllowed => {
                    write!(f, "{rule} on {target} is not granted to the driver")
                }
                Ungranted::Reserved(by) => write!(
                    f,
                    "{rule} on {target} is among what drivers get by name only ({by}): it may show a credential"
                ),
                Ungranted::Denied(by, _) => {
                    write!(
                        f,
                        "{rule} on {target} is denied by the configuration ({by})"
                    )
                }
            },
            Self::ReadOnly { method, verb } => {
                write!(f, "{verb} only reads, and {method} could change the array")
            }
            Self::Requests(limit) => write!(f, "the call has made its {limit} requests"),
            Self::OpenRequests(limit) => {
                write!(f, "the call has {limit} requests in flight already")
            }
            Self::NoNetwork => f.write_str("a driver describes itself without the network"),
        }
    }
}

/// What the call has left.
#[derive(Debug, Clone, Copy)]
pub struct Quota {
    /// Requests it has made.
    pub made: usize,
    /// Requests it may make.
    pub limit: usize,
}

/// Decides.
///
/// # Errors
/// The first rule that forbids it.
pub fn decide(
    broker: &Broker,
    method: &Method,
    uri: &Uri,
    verb: &'static str,
    read_only: bool,
    quota: Quota,
) -> Result<Arc<Target>, Denial> {
    match uri.scheme_str() {
        Some("https") => {}
        other => return Err(Denial::Scheme(other.unwrap_or("missing").to_owned())),
    }
    // The whole authority is the name: a port or user information makes it another name, and so an unknown one.
    let asked = uri.authority().map_or("", |a| a.as_str());
    let target = broker
        .targets
        .get(&asked.to_ascii_lowercase())
        .ok_or_else(|| Denial::UnknownTarget {
            asked: asked.to_owned(),
            backend: broker.backend.clone(),
            known: broker
                .targets
                .values()
                .map(|t| t.name().to_owned())
                .collect(),
        })?;
    const SENT: [Method; 7] = [
        Method::GET,
        Method::HEAD,
        Method::OPTIONS,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
    ];
    if !SENT.contains(method) {
        return Err(Denial::Method(method.clone()));
    }
    if !grant::is_plain(uri.path()) {
        return Err(Denial::Path(uri.path().to_owned()));
    }
    if read_only && !(method.is_safe()) {
        return Err(Denial::ReadOnly {
            method: method.clone(),
            verb,
        });
    }
    let grant = broker.grants.get(&asked.to_ascii_lowercase());
    let granted = grant.map_or(Err(Ungranted::NotAllowed), |grant| {
        grant.decide(method, uri.path())
    });
    granted.map_err(|why| Denial::NotGranted {
        driver: broker.driver.clone(),
        target: target.name().to_owned(),
        rule: Rule::exactly(method, uri.path()),
        why,
    })?;
    if quota.made >= quota.limit {
        return Err(Denial::Requests(quota.limit));
    }
    Ok(target.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denial_for_a_limit_names_its_key_and_its_table_in_the_file() {
        assert_eq!(
            Denial::Requests(2000).remedy(),
            "requests_per_call = 4000  # in [driver.<name>.limits]"
        );
        assert_eq!(
            Denial::OpenRequests(16).remedy(),
            "open_requests = 32  # in [driver.<name>.limits]"
        );
    }
}
