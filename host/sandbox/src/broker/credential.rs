//! What a target wants to be shown with each request, and where it comes from.

use base64::Engine as _;
use http::{HeaderName, HeaderValue, Method, header};
use springform_model::contract::{CredentialScheme, SessionScheme};

use crate::binding::Secret;

/// The scheme of a driver with the secret of a target.
pub enum Credential {
    /// Nothing.
    None,
    /// The same header each time.
    Fixed(HeaderName, HeaderValue),
    /// A token that a login gives.
    Session(Box<Session>),
}

/// A session scheme, checked and with its secret.
pub struct Session {
    /// As declared.
    pub scheme: SessionScheme,
    /// Method of the login.
    pub login_method: Method,
    /// Header that carries the secret.
    pub secret_header: HeaderName,
    /// The secret.
    pub secret: HeaderValue,
    /// Header that carries the token.
    pub token_header: HeaderName,
}

impl Credential {
    /// Puts scheme and secret together.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn new(scheme: &CredentialScheme, secret: Option<&Secret>) -> Result<Self, String> {
        let need = || {
            secret.ok_or_else(|| "the driver's arrays want a credential and no secret is configured; set its environment variable or file".to_owned())
        };
        let name = |text: &str| {
            HeaderName::try_from(text).map_err(|_| format!("{text:?} is not the name of a header"))
        };
        Ok(match scheme {
            CredentialScheme::None => Self::None,
            CredentialScheme::Header(header) => {
                Self::Fixed(name(header)?, sensitive(need()?.expose())?)
            }
            CredentialScheme::Bearer => Self::Fixed(
                header::AUTHORIZATION,
                sensitive(&format!("Bearer {}", need()?.expose()))?,
            ),
            CredentialScheme::Basic => {
                let encoded = base64::engine::general_purpose::STANDARD.encode(need()?.expose());
                Self::Fixed(
                    header::AUTHORIZATION,
                    sensitive(&format!("Basic {encoded}"))?,
                )
            }
            CredentialScheme::Session(scheme) => Self::Session(Box::new(Session {
                login_method: Method::from_bytes(scheme.login_method.as_bytes())
                    .map_err(|_| "the login method is none".to_owned())?,
                secret_header: name(&scheme.secret_header)?,
                secret: sensitive(need()?.expose())?,
                token_header: name(&scheme.token_header)?,
                scheme: scheme.clone(),
            })),
            CredentialScheme::Other(other) => {
                return Err(format!(
                    "this host does not know the credential scheme {other:?}"
                ));
            }
        })
    }
}

/// A header value that no `Debug` prints.
pub fn sensitive(text: &str) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| "the secret holds characters that cannot be sent in a header; a line break at its end, perhaps".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(scheme: &CredentialScheme, secret: &str) -> (String, String) {
        match Credential::new(scheme, Some(&Secret::new(secret))) {
            Ok(Credential::Fixed(name, value)) => {
                assert!(value.is_sensitive());
                assert!(!format!("{value:?}").contains(secret));
                let text = value.to_str().map(str::to_owned);
                (name.to_string(), text.unwrap_or_default())
            }
            Ok(_) => panic!("not a fixed header"),
            Err(reason) => panic!("{reason}"),
        }
    }

    #[test]
    fn each_scheme_shows_the_secret_in_its_own_way() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            shown(&CredentialScheme::Header("x-api-key".to_owned()), "s3cret"),
            pair("x-api-key", "s3cret")
        );
        assert_eq!(
            shown(&CredentialScheme::Bearer, "s3cret"),
            pair("authorization", "Bearer s3cret")
        );
        // The example of RFC 7617, section 2.
        assert_eq!(
            shown(&CredentialScheme::Basic, "Aladdin:open sesame"),
            pair("authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
        );
    }

    #[test]
    fn a_scheme_without_its_secret_says_where_to_put_one() {
        for scheme in [
            CredentialScheme::Bearer,
            CredentialScheme::Basic,
            CredentialScheme::Header("x-api-key".to_owned()),
        ] {
            let reason = Credential::new(&scheme, None).err().unwrap_or_default();
            assert!(
                reason.contains("set its environment variable or file"),
                "{reason}"
            );
        }
    }

    #[test]
    fn a_secret_with_a_line_break_is_refused_without_being_shown() {
        let secret = Secret::new("s3cret\n");
        let reason = Credential::new(&CredentialScheme::Bearer, Some(&secret))
            .err()
            .unwrap_or_default();
        assert!(
            reason.contains("line break") && !reason.contains("s3cret"),
            "{reason}"
        );
    }
}
