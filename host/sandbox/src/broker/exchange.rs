//! One request and its whole answer.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, header};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use wasmtime_wasi_http::Error;

use super::connector::{Connector, DialError};
use super::distrust::Distrust;
use crate::account::{Account, BodyError, PaidBody};

/// Longest answer to a request of the host's own, such as a login.
const OWN_RESPONSE_BYTES: usize = 1 << 20;
/// What one such request may hold, its headers included.
const OWN_ACCOUNT_BYTES: usize = 2 << 20;

/// Why there is no answer.
#[derive(Debug)]
pub enum NoAnswer {
    /// As `wasi:http` names it.
    Error(Error),
    /// Somebody answers who is not believed to be the array.
    Distrusted(Distrust),
}

impl From<Error> for NoAnswer {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl NoAnswer {
    /// The error as a guest may see it: what happened, and not where.
    pub fn for_guest(self) -> Error {
        match self {
            Self::Error(error) => error,
            Self::Distrusted(distrust) => distrust.for_guest(),
        }
    }
}

/// A request that can be sent again.
#[derive(Clone)]
pub struct Exchange {
    /// Method.
    pub method: Method,
    /// Path and query.
    pub path: http::uri::PathAndQuery,
    /// Headers, without the credential.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
    /// Bytes of answer that are still accepted.
    pub max_response: usize,
    /// Pays for the answer.
    pub account: Account,
}

impl Exchange {
    /// A request to a path of a target.
    ///
    /// # Errors
    /// When the path is none.
    pub fn new(method: Method, path: &str, headers: HeaderMap, body: Bytes) -> Result<Self, Error> {
        Ok(Self {
            method,
            path: path.parse().map_err(|_| Error::HttpRequestUriInvalid)?,
            headers,
            body,
            max_response: OWN_RESPONSE_BYTES,
            account: Account::new(OWN_ACCOUNT_BYTES),
        })
    }

    /// Sends it once, or twice where that is safe: a read whose pooled connection the array had just closed.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn send(
        &self,
        client: &Client<Connector, Full<Bytes>>,
        origin: &Uri,
        credential: Option<(&http::HeaderName, &HeaderValue)>,
    ) -> Result<Response<PaidBody>, NoAnswer> {
        match self.send_once(client, origin, credential).await {
            Err(NoAnswer::Error(Error::ConnectionTerminated)) if self.method.is_safe() => {
                self.send_once(client, origin, credential).await
            }
            other => other,
        }
    }

    async fn send_once(
        &self,
        client: &Client<Connector, Full<Bytes>>,
        origin: &Uri,
        credential: Option<(&http::HeaderName, &HeaderValue)>,
    ) -> Result<Response<PaidBody>, NoAnswer> {
        let mut parts = origin.clone().into_parts();
        parts.path_and_query = Some(self.path.clone());
        let uri = Uri::from_parts(parts).map_err(|_| Error::HttpRequestUriInvalid)?;
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = self.headers.clone();
        // Arrays want to be told that nothing follows.
        if self.body.is_empty() && !self.method.is_safe() {
            request
                .headers_mut()
                .insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        if let Some((name, value)) = credential {
            request.headers_mut().insert(name.clone(), value.clone());
        }
        let response = client.request(request).await.map_err(|e| explain(&e))?;
        let (parts, body) = response.into_parts();
        let too_large = || Error::HttpResponseBodySize(Some(self.max_response as u64));
        let headers = self.account.hold_headers(&parts.headers);
        let headers = headers.ok_or_else(too_large)?;
        let (bytes, held) = self
            .account
            .collect(body, self.max_response)
            .await
            .map_err(|error| match error {
                BodyError::TooLarge => too_large(),
                BodyError::Broken(_) => Error::HttpResponseIncomplete,
            })?;
        let body = PaidBody::new(bytes, held).holding(headers);
        Ok(Response::from_parts(parts, body))
    }
}

fn explain(error: &hyper_util::client::legacy::Error) -> NoAnswer {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = source {
        if let Some(dial) = current.downcast_ref::<DialError>() {
            return match dial {
                DialError::Refused(_) => Error::ConnectionRefused.into(),
                DialError::Timeout => Error::ConnectionTimeout.into(),
                DialError::Tls(error) => match error
                    .get_ref()
                    .and_then(|e| e.downcast_ref::<rustls::Error>())
                {
                    Some(error) => NoAnswer::Distrusted(Distrust::from_handshake(error)),
                    // The connection ended in the middle of the handshake: that says nothing of whom it was with.
                    None => Error::ConnectionTerminated.into(),
                },
            };
        }
        if let Some(hyper) = current.downcast_ref::<hyper::Error>() {
            return if hyper.is_parse() {
                Error::HttpProtocolError.into()
            } else {
                Error::ConnectionTerminated.into()
            };
        }
        source = current.source();
    }
    Error::ConnectionTerminated.into()
}
