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
