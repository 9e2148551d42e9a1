//! What a target wants to be shown with each request, and where it comes from.

use base64::Engine as _;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Response, header};
use springform_model::contract::{CredentialScheme, SessionScheme};
use zeroize::Zeroizing;

use crate::account::PaidBody;
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
        Ok(match scheme {
            CredentialScheme::None => Self::None,
            CredentialScheme::Header(header) => {
                Self::Fixed(carrier(header)?, sensitive(need()?.expose().as_bytes())?)
            }
            CredentialScheme::Bearer => Self::Fixed(
                header::AUTHORIZATION,
                sensitive(Zeroizing::new(format!("Bearer {}", need()?.expose())).as_bytes())?,
            ),
            CredentialScheme::Basic => {
                let encoded = base64::engine::general_purpose::STANDARD.encode(need()?.expose());
                let encoded = Zeroizing::new(encoded);
                Self::Fixed(
                    header::AUTHORIZATION,
                    sensitive(Zeroizing::new(format!("Basic {}", *encoded)).as_bytes())?,
                )
            }
            CredentialScheme::Session(scheme) => Self::Session(Box::new(Session {
                login_method: login_method(&scheme.login_method)?,
                secret_header: carrier(&scheme.secret_header)?,
                secret: sensitive(need()?.expose().as_bytes())?,
                token_header: carrier(&scheme.token_header)?,
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

impl Session {
    /// The token of an answer to a login, in bytes of its own: those of the answer belong to buffers that nobody wipes.
    pub fn token_of(&self, answer: &Response<PaidBody>) -> Option<HeaderValue> {
        let scheme = &self.scheme;
        if let Some(value) = scheme
            .token_response_header
            .as_ref()
            .and_then(|name| answer.headers().get(name))
        {
            return sensitive(value.as_bytes()).ok();
        }
        let mut body: serde_json::Value = serde_json::from_slice(answer.body().bytes()).ok()?;
        match body.pointer_mut(scheme.token_pointer.as_ref()?)?.take() {
            serde_json::Value::String(token) => sensitive(Zeroizing::new(token).as_bytes()).ok(),
            _ => None,
        }
    }
}

/// The method of a login. Closed, because the request carries the secret and leaves in calls that only read: with DELETE a
/// driver could have the host destroy something.
///
/// # Errors
/// A sentence that names what is allowed.
pub fn login_method(text: &str) -> Result<Method, String> {
    match text {
        "POST" => Ok(Method::POST),
        "GET" => Ok(Method::GET),
        other => Err(format!(
            "a login with the method {other:?} is not made; POST and GET are"
        )),
    }
}

/// A header that may carry a credential.
///
/// # Errors
/// Where it is none, or has a meaning of its own: what arrays and proxies log, echo or act on is no place for a secret.
pub fn carrier(text: &str) -> Result<HeaderName, String> {
    let name =
        HeaderName::try_from(text).map_err(|_| format!("{text:?} is not the name of a header"))?;
    const MEANT: [&str; 27] = [
        "accept",
        "accept-encoding",
        "accept-language",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "date",
        "expect",
        "forwarded",
        "from",
        "host",
        "keep-alive",
        "location",
        "origin",
        "proxy-connection",
        "referer",
        "te",
        "trailer",
        "traceparent",
        "tracestate",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "via",
        "x-request-id",
        "x-correlation-id",
    ];
    if MEANT.contains(&name.as_str())
        || overrides_method(&name)
        || name.as_str().starts_with("x-forwarded-")
    {
        return Err(format!(
            "the header {text:?} has a meaning of its own and cannot carry a credential"
        ));
    }
    Ok(name)
}

/// Headers that make an array treat a request as one of another method, path or host.
#[must_use]
pub fn overrides_method(name: &HeaderName) -> bool {
    const NAMES: [&str; 8] = [
        "x-http-method-override",
        "x-http-method",
        "x-method-override",
        "x-original-url",
        "x-rewrite-url",
        "x-original-method",
        "x-override-url",
        "x-host",
    ];
    NAMES.contains(&name.as_str())
}

/// A header value that no `Debug` prints; its bytes are wiped when the last copy of it is dropped.
///
/// # Errors
/// A sentence for the operator that does not show the secret.
pub fn sensitive(secret: &[u8]) -> Result<HeaderValue, String> {
    let bytes = Bytes::from_owner(Zeroizing::new(secret.to_vec()));
    let mut value = HeaderValue::from_maybe_shared(bytes)
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
