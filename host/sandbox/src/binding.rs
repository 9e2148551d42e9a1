//! What an operator's configuration says of one backend, as the sandbox needs it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

use crate::grant::Grant;
use crate::limits::Limits;

/// A secret: it can be used, and neither printed nor logged; it is wiped from memory when it is dropped.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes a secret.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// The secret itself; for the broker alone.
    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Whom to believe that it is the array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsTrust {
    /// The system's roots.
    System,
    /// Only the authorities in this PEM file.
    CaFile(PathBuf),
    /// Only the certificate with this SHA-256 (hex, colons allowed), whatever its name or issuer.
    Fingerprint(String),
    /// No TLS; accepted for loopback addresses only.
    PlainHttp,
}

/// One array, as the host knows it.
#[derive(Debug, Clone)]
pub struct TargetBinding {
    /// Configured name, as drivers say it.
    pub name: String,
    /// `host:port`.
    pub address: String,
    /// What the credential scheme asks for.
    pub secret: Option<Secret>,
    /// TLS trust.
    pub tls: TlsTrust,
    /// Requests to this target at one time.
    pub max_connections: usize,
    /// Time to connect, TLS included.
    pub connect_timeout: Duration,
    /// Time for one exchange, from the first byte sent to the last one received.
    pub request_timeout: Duration,
    /// What the operator's file says of the driver's requests to it.
    pub grant: Grant,
}

impl TargetBinding {
    /// A target with the usual bounds: 32 connections, 5 s to connect, 30 s for an exchange.
    #[must_use]
    pub fn new(name: impl Into<String>, address: impl Into<String>, tls: TlsTrust) -> Self {
        Self {
            name: name.into(),
            address: address.into(),
            secret: None,
            tls,
            max_connections: 32,
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(30),
            grant: Grant::default(),
        }
    }

    /// The same with a secret.
    #[must_use]
    pub fn with_secret(mut self, secret: Secret) -> Self {
        self.secret = Some(secret);
        self
    }

    /// The same with another grant than what the component proposes.
    #[must_use]
    pub fn with_grant(mut self, grant: Grant) -> Self {
        self.grant = grant;
        self
    }
}

/// One backend of one generation.
#[derive(Debug, Clone)]
pub struct Binding {
    /// Name of the driver in the operator's file.
    pub driver: String,
    /// Backend name.
    pub backend: String,
    /// Generation, for logs; 0 until `Driver::serve_as` says which it became.
    pub generation: u64,
    /// Its arrays. Requests to anything else are denied.
    pub targets: Vec<TargetBinding>,
    /// Limits of its calls; none: the sandbox's.
    pub limits: Option<Limits>,
}
