//! Requests to arrays as plain values.
//!
//! One trait with two functions: a driver's logic is written against it and tested natively against whatever answers.

use std::fmt;

/// A request method that drivers need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// A request to a target by its configured name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Configured name of the target.
    pub target: String,
    /// Method.
    pub method: Method,
    /// Path and query, percent-encoded.
    pub path: String,
    /// JSON body; none: no body and no content type.
    pub body: Option<Vec<u8>>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// `Retry-After` in seconds, where given.
    pub retry_after: Option<u32>,
    /// Body, complete.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpError {
    /// The host refused the request: an unknown target, a method that is not allowed in this call, a used-up quota.
    Denied,
    /// Somebody answers at the array's address whom the host does not believe to be the array: its certificate, or its TLS.
    /// Nothing was sent.
    Untrusted,
    /// Nothing listens, the connection broke. Whether the array acted is unknown.
    Unreachable,
    /// No answer in time. Whether the array acted is unknown.
    Timeout,
    /// The answer was no HTTP, or larger than allowed.
    Garbled,
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Denied => "the host did not allow the request",
            Self::Untrusted => "the host does not accept the array's certificate",
            Self::Unreachable => "the array could not be reached",
            Self::Timeout => "the array did not answer in time",
            Self::Garbled => "the array's answer could not be read",
        })
    }
}

/// Whatever carries requests to arrays.
pub trait Http {
    /// Sends one request and reads the whole answer.
    ///
    /// # Errors
    /// When there is no answer.
    fn send(&self, request: Request) -> Result<Response, HttpError>;

    /// Sends many requests, several at a time, and returns the answers in the order of the requests.
    fn send_all(&self, requests: Vec<Request>) -> Vec<Result<Response, HttpError>> {
        requests
            .into_iter()
            .map(|request| self.send(request))
            .collect()
    }
}
