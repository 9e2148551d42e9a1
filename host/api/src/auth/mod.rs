//! Who asks: nobody in particular, a token of a file, or a token of Keystone.

mod keystone;
mod policy;
mod tokens;

use http::HeaderMap;
use springform_control::Caller;

use crate::http::ApiError;
use keystone::Life;

pub use keystone::{Keystone, KeystoneConfig, KeystoneError};
pub use policy::{Policy, PolicyError};
pub use tokens::{TokenFileError, Tokens};

/// Project of a caller who names none, where there is no identity service.
pub const DEFAULT_PROJECT: &str = "00000000000000000000000000000001";

/// How callers are known.
#[derive(Debug)]
pub enum Auth {
    /// Everybody is an administrator of the project they name. For loopback addresses only.
    NoAuth,
    /// Tokens from a file.
    Tokens(Tokens),
    /// Tokens of Keystone.
    Keystone(Box<Keystone>),
}

/// Somebody, once known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// User id.
    pub user: String,
    /// Project id.
    pub project: String,
    /// Roles, in lower case.
    pub roles: Vec<String>,
}

/// What the tokens of a request say.
#[derive(Debug)]
pub struct Identified {
    /// Who asks: 401 for a token nobody knows; 503 where the identity service does not answer.
    pub caller: Result<Caller, ApiError>,
    /// Whether the service's token, where there is one, is known: as above. One that is not vouches for nobody.
    pub service_token: Result<(), ApiError>,
}

impl Auth {
    /// Finds out who asks, and whether somebody vouches for them.
    pub async fn identify(&self, headers: &HeaderMap) -> Identified {
        let token = text_of(headers, "x-auth-token");
        let service_token = text_of(headers, "x-service-token").filter(|token| !token.is_empty());
        if matches!(self, Self::NoAuth) {
            return Identified {
                caller: Ok(self.caller(noauth(token), service_token.is_some())),
                service_token: Ok(()),
            };
        }
        let service = match service_token {
            None => Ok(None),
            Some(_) => self.known(service_token, Life::Needed).await.map(Some),
        };
        let has_role = |service: &Identity| service.roles.iter().any(|role| role == "service");
        let by_service = matches!(&service, Ok(Some(service)) if has_role(service));
        let life = match by_service {
            true => Life::MayHaveEnded,
            false => Life::Needed,
        };
        let identity = self.known(token, life).await;
        Identified {
            caller: identity.map(|identity| self.caller(identity, by_service)),
            service_token: service.map(drop),
        }
    }

    async fn known(&self, token: Option<&str>, life: Life) -> Result<Identity, ApiError> {
        match self {
            Self::NoAuth => Ok(noauth(token)),
            Self::Tokens(tokens) => tokens.identify(token),
            Self::Keystone(keystone) => keystone.identify(token, life).await,
        }
    }

    fn caller(&self, identity: Identity, by_service: bool) -> Caller {
        let is_admin = identity.roles.iter().any(|role| role == "admin");
        let mut caller = Caller::new(identity.user, identity.project, identity.roles);
        caller.is_admin = is_admin;
        caller.is_service = by_service;
        caller
    }

    /// Checks the project of a path against the caller's own. Without an identity service a caller who named no
    /// project enters the one in the path.
    ///
    /// # Errors
    /// 400 where they differ.
    pub fn enter_project(&self, caller: &mut Caller, project: &str) -> Result<(), ApiError> {
        if caller.project_id == project {
            return Ok(());
        }
        if matches!(self, Self::NoAuth) && caller.project_id == DEFAULT_PROJECT {
            project.clone_into(&mut caller.project_id);
            return Ok(());
        }
        Err(ApiError::invalid("Malformed request url"))
    }

    /// The token by which Nova knows the caller: that of Keystone, or `user:project` where nobody is asked who they are, as
    /// Nova's own noauth has it. A token of a file is nobody's business but ours.
    #[must_use]
    pub fn token_for_nova(&self, caller: &Caller, headers: &HeaderMap) -> Option<String> {
        match self {
            Self::NoAuth => Some(format!("{}:{}", caller.user_id, caller.project_id)),
            Self::Tokens(_) => None,
            Self::Keystone(_) => text_of(headers, "x-auth-token").map(str::to_owned),
        }
    }

    /// URI for `WWW-Authenticate`, and whether a call without a token has a chance.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self, Self::NoAuth)
    }
}

fn text_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// `user:project`, or the default for no token and for words such as `notused` that clients send for want of one.
fn noauth(token: Option<&str>) -> Identity {
    let (user, project) = match token.and_then(|token| token.split_once(':')) {
        Some((user, project))
            if !project.is_empty() && project.len() <= 255 && user.len() <= 255 =>
        {
            (user, project)
        }
        _ => ("admin", DEFAULT_PROJECT),
    };
    Identity {
        user: user.to_owned(),
        project: project.to_owned(),
        roles: vec!["admin".into(), "member".into(), "reader".into()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_an_identity_service_a_token_names_user_and_project() {
        assert_eq!(noauth(Some("ann:abc")).project, "abc");
        assert_eq!(noauth(Some("ann:abc")).user, "ann");
        assert_eq!(noauth(Some("notused")).project, DEFAULT_PROJECT);
        assert_eq!(noauth(None).project, DEFAULT_PROJECT);
    }
}
