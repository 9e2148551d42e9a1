//! A driver whose arrays want a session, as FlashArrays do; it asks what its option `argument` says.

#[path = "../../hostile/src/net.rs"]
#[allow(dead_code)]
mod net;

use guest_kit::identity::{CredentialScheme, Description, SessionScheme};
use guest_kit::types::{Context, Error};
use guest_kit::{Behaviour, option};

/// See the module.
struct Session;

impl Behaviour for Session {
    const NAME: &'static str = "session";

    fn describe() -> Description {
        let mut description = guest_kit::description(Self::NAME);
        description.credentials = CredentialScheme::Session(SessionScheme {
            login_path: "/api/{version}/login".to_owned(),
            login_method: "POST".to_owned(),
            secret_header: "api-token".to_owned(),
            token_response_header: Some("x-auth-token".to_owned()),
            token_pointer: None,
            token_header: "x-auth-token".to_owned(),
            logout_path: Some("/api/{version}/logout".to_owned()),
            version_path: Some("/api/api_version".to_owned()),
            version_pointer: Some("/version".to_owned()),
            versions: vec!["2.2".to_owned(), "2.26".to_owned(), "2.40".to_owned()],
            expired_statuses: vec![401],
        });
        description
    }

    fn capabilities(ctx: &Context) -> Result<Vec<(String, String)>, Error> {
        Ok(match option(ctx, "behaviour") {
            "get" => net::report(net::send("GET", option(ctx, "argument"), None)),
            "targets" => ctx.targets.iter().flat_map(|t| t.extensions.iter().cloned()).collect(),
            _ => Vec::new(),
        })
    }
}

guest_kit::fixture!(Session);
