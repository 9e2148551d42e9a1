//! Looks at what a driver says of itself before its options become keys of the operator's file and its name a label.

use springform_model::contract::{CredentialScheme, Description, OptionSchema};

use crate::broker::credential;
use crate::error::LoadError;
use crate::grant::{self, PROPOSAL, Rule};

/// Options of a backend, or of a target. FlashArray's drivers have about 40.
const MOST_OPTIONS: usize = 500;
/// Rules for requests that one may propose. FlashArray's drivers have about 20.
const MOST_RULES: usize = 256;
/// Longest text about the driver.
const TEXT_BYTES: usize = 4096;

/// Keys of a backend or a replication device that the host reads itself: a driver that declared one would be given what is
/// the host's, addresses among it, or take it away from the host.
const HOSTS_KEYS: [&str; 16] = [
    "san_ip",
    "backend_id",
    "primary_id",
    "volume_backend_name",
    "driver",
    "type",
    "ca_file",
    "fingerprint",
    "driver_ssl_cert_path",
    "driver_ssl_cert_verify",
    "ssl_cert_path",
    "ssl_cert_verify",
    "backend_host",
    "backend_availability_zone",
    "failback_discards_old_primary",
    "replication_device",
];

/// Refuses what cannot be served.
///
/// # Errors
/// [`LoadError::Description`] with what is wrong.
pub fn validate(description: &Description) -> Result<(), LoadError> {
    check(description).map_err(LoadError::Description)
}

/// The requests that a driver proposes to be granted.
///
/// # Errors
/// [`LoadError::Description`] where one of them is no rule, or there are too many.
pub fn proposal(description: &Description) -> Result<Vec<Rule>, LoadError> {
    let proposed = description.extensions.iter();
    let proposed = proposed.filter(|(key, _)| key == PROPOSAL);
    let rules: Result<Vec<Rule>, String> = proposed.map(|(_, text)| Rule::parse(text)).collect();
    match rules {
        Ok(rules) if rules.len() > MOST_RULES => Err(LoadError::Description(format!(
            "it proposes more than {MOST_RULES} rules for requests"
        ))),
        Ok(rules) => Ok(rules),
        Err(reason) => Err(LoadError::Description(reason)),
    }
}

fn check(description: &Description) -> Result<(), String> {
    if !is_name(&description.name, b"-_.") {
        return Err(
            "its name must be 1 to 64 letters, digits, dots, dashes or underscores, and begin with a letter or digit".to_owned(),
        );
    }
    for (what, text) in [
        ("vendor", &description.vendor),
        ("version", &description.version),
        ("summary", &description.summary),
    ] {
        if text.len() > TEXT_BYTES || text.chars().any(char::is_control) {
            return Err(format!(
                "its {what} is longer than {TEXT_BYTES} bytes or holds control characters"
            ));
        }
    }
    options("option", &description.options)?;
    options("target option", &description.target_options)?;
    secret(&description.secret_option, &description.options)?;
    secret(
        &description.target_secret_option,
        &description.target_options,
    )?;
    credentials(&description.credentials)
}

/// A name that is no path, no option of a command line and no label that needs quoting.
fn is_name(name: &str, also: &[u8]) -> bool {
    name.len() <= 64
        && name
            .as_bytes()
            .first()
            .is_some_and(u8::is_ascii_alphanumeric)
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || also.contains(&b))
}

fn options(what: &str, options: &[OptionSchema]) -> Result<(), String> {
    if options.len() > MOST_OPTIONS {
        return Err(format!("it has more than {MOST_OPTIONS} {what}s"));
    }
    for (at, option) in options.iter().enumerate() {
        let name = &option.name;
        if !is_name(name, b"_-") {
            return Err(format!(
                "its {what} {name:.64?} is no name: 1 to 64 letters, digits, underscores or dashes"
            ));
        }
        if HOSTS_KEYS.contains(&name.as_str()) {
            return Err(format!("its {what} {name:?} is a key of the host's own"));
        }
        if options.iter().take(at).any(|known| known.name == *name) {
            return Err(format!("it has the {what} {name:?} twice"));
        }
        if option.doc.len() > TEXT_BYTES
            || option
                .default
                .as_ref()
                .is_some_and(|d| d.len() > TEXT_BYTES)
        {
            return Err(format!(
                "the default or the text of its {what} {name:?} is longer than {TEXT_BYTES} bytes"
            ));
        }
    }
    Ok(())
}

/// An option that holds the secret is one that is kept from the driver: else every call would be given the password.
fn secret(named: &Option<String>, options: &[OptionSchema]) -> Result<(), String> {
    let open = |name: &&String| options.iter().any(|o| o.name == **name && !o.secret);
    match named.as_ref().filter(open) {
        Some(name) => Err(format!(
            "its option {name:?} holds the secret and is not declared secret"
        )),
        None => Ok(()),
    }
}

fn credentials(scheme: &CredentialScheme) -> Result<(), String> {
    match scheme {
        CredentialScheme::Other(scheme) => Err(format!(
            "it asks for the credential scheme {scheme:.64?}, which this host does not know; a newer host may"
        )),
        CredentialScheme::Session(session)
            if session.token_response_header.is_none() && session.token_pointer.is_none() =>
        {
            Err(
                "its session scheme names neither token-response-header nor token-pointer"
                    .to_owned(),
            )
        }
        CredentialScheme::Session(session) => credential::login_method(&session.login_method)
            .and_then(|_| credential::carrier(&session.secret_header))
            .and_then(|_| credential::carrier(&session.token_header))
            .and_then(|_| session_path(&session.login_path))
            .and_then(|()| session.logout_path.as_deref().map_or(Ok(()), session_path))
            .and_then(|()| session.version_path.as_deref().map_or(Ok(()), plain_path))
            .map_err(|reason| format!("of its session scheme, {reason}")),
        CredentialScheme::Header(name) => credential::carrier(name).map(drop),
        CredentialScheme::None | CredentialScheme::Basic | CredentialScheme::Bearer => Ok(()),
    }
}

/// What paths of logins and logouts end with. A closed set, because these requests carry the secret, are no driver's to be granted, and
/// leave in calls that only read: with a path of its choice a driver could have the host make or destroy something.
const SESSION_PATHS: [&str; 8] = [
    "login", "logout", "auth", "session", "sessions", "token", "tokens", "signin",
];

fn session_path(path: &str) -> Result<(), String> {
    plain_path(path)?;
    let last = path.trim_end_matches('/').rsplit('/').next();
    match last.is_some_and(|last| SESSION_PATHS.contains(&last)) {
        true => Ok(()),
        false => Err(format!(
            "the path {path:.80?} is none of a login; its last segment must be one of {}",
            SESSION_PATHS.join(", ")
        )),
    }
}

fn plain_path(path: &str) -> Result<(), String> {
    match grant::is_plain(&path.replace("{version}", "1")) {
        true => Ok(()),
        false => Err(format!("{path:.80?} is no plain path without a query")),
    }
}

#[cfg(test)]
mod tests {
    use springform_model::contract::{OptionType, SessionScheme};

    use super::*;

    fn option(name: &str) -> OptionSchema {
        OptionSchema {
            name: name.to_owned(),
            kind: OptionType::Text,
            default: None,
            required: false,
            secret: false,
            doc: String::new(),
        }
    }

    fn description() -> Description {
        Description {
            name: "pure-async".to_owned(),
            vendor: "Pure Storage".to_owned(),
            version: "1.0.0".to_owned(),
            summary: "Replicates.".to_owned(),
            replication: Vec::new(),
            protocols: Vec::new(),
            options: vec![option("pure_replica_interval_default")],
            target_options: Vec::new(),
            credentials: CredentialScheme::Bearer,
            secret_option: None,
            target_secret_option: None,
            features: Vec::new(),
            extensions: Vec::new(),
        }
    }

    fn session(change: fn(&mut SessionScheme)) -> CredentialScheme {
        let mut scheme = SessionScheme {
            login_path: "/login".to_owned(),
            login_method: "POST".to_owned(),
            secret_header: "api-token".to_owned(),
            token_response_header: Some("x-auth-token".to_owned()),
            token_pointer: None,
            token_header: "x-auth-token".to_owned(),
            logout_path: None,
            version_path: None,
            version_pointer: None,
            versions: Vec::new(),
            expired_statuses: Vec::new(),
        };
        change(&mut scheme);
        CredentialScheme::Session(scheme)
    }

    #[track_caller]
    fn refused(change: impl FnOnce(&mut Description), words: &str) {
        let mut lies = description();
        change(&mut lies);
        let reason = check(&lies).unwrap_err();
        assert!(reason.contains(words), "{reason:?} does not say {words:?}");
    }

    #[test]
    fn a_description_in_order_is_taken() {
        assert_eq!(check(&description()), Ok(()));
        let mut with_login = description();
        with_login.credentials = session(|_| ());
        assert_eq!(check(&with_login), Ok(()));
    }

    #[test]
    fn proposals_are_rules_and_not_too_many() {
        let proposing = |texts: Vec<&str>| {
            let mut description = description();
            let pair = |text: &str| (PROPOSAL.to_owned(), text.to_owned());
            description.extensions = texts.into_iter().map(pair).collect();
            proposal(&description).map(|rules| rules.len())
        };
        assert_eq!(proposing(vec!["GET /volumes", "* /api/**"]).unwrap(), 2);
        for bad in [vec!["TRACE /"], vec!["GET /a/../b"], vec!["GET /"; 257]] {
            assert!(matches!(proposing(bad), Err(LoadError::Description(_))));
        }
    }

    #[test]
    fn a_name_is_no_path_and_no_option_of_a_command() {
        for name in ["", "..", ".", "-rf", "a/b", "a b", "ä", &"x".repeat(65)] {
            refused(|d| name.clone_into(&mut d.name), "its name must be");
        }
    }

    #[test]
    fn options_have_one_name_each_and_none_of_the_hosts() {
        refused(|d| d.options.push(option("san_ip")), "of the host's own");
        refused(
            |d| d.target_options.push(option("backend_id")),
            "of the host's own",
        );
        refused(|d| d.options = vec![option("a"), option("a")], "twice");
        refused(|d| d.options = vec![option("a]\nb")], "is no name");
        refused(|d| d.options = vec![option("o"); 501], "more than 500");
        refused(
            |d| {
                d.options
                    .iter_mut()
                    .for_each(|o| o.doc = "x".repeat(1 << 20))
            },
            "longer than",
        );
        refused(|d| d.summary = "x".repeat(46 << 20), "its summary");
    }

    #[test]
    fn the_secret_is_in_an_option_that_is_kept_from_the_driver() {
        refused(
            |d| d.secret_option = Some("pure_replica_interval_default".to_owned()),
            "not declared secret",
        );
    }

    #[test]
    fn a_login_changes_nothing_and_its_headers_mean_nothing_else() {
        type Change = fn(&mut SessionScheme);
        let cases: [(Change, &str); 10] = [
            (
                |s| s.login_path = "/api/2.26/volumes".to_owned(),
                "none of a login",
            ),
            (
                |s| s.login_path = "/volumes?names=a&x=/login".to_owned(),
                "plain path",
            ),
            (
                |s| s.logout_path = Some("/api/../volumes/login".to_owned()),
                "plain path",
            ),
            (
                |s| s.version_path = Some("/api?expose_api_token=true".to_owned()),
                "plain path",
            ),
            (
                |s| s.login_method = "DELETE".to_owned(),
                "\"DELETE\" is not made",
            ),
            (|s| s.login_method = "TRACE".to_owned(), "is not made"),
            (
                |s| s.secret_header = "x-request-id".to_owned(),
                "cannot carry",
            ),
            (|s| s.secret_header = "Host".to_owned(), "cannot carry"),
            (
                |s| s.token_header = "X-HTTP-Method-Override".to_owned(),
                "cannot carry",
            ),
            (
                |s| s.token_header = "a b".to_owned(),
                "is not the name of a header",
            ),
        ];
        for (change, words) in cases {
            refused(|d| d.credentials = session(change), words);
        }
        refused(
            |d| d.credentials = CredentialScheme::Header("user-agent".to_owned()),
            "cannot carry",
        );
    }
}
