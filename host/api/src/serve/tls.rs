//! TLS of the API: a certificate and its key, which can be exchanged while connections are open.

use std::io;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use springform_model::time::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use webpki::{EndEntityCert, KeyUsage};

use crate::secret_file::{SecretFileError, read_secret_file};

/// Why a certificate and its key cannot be used. Each says what to do.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum TlsError {
    #[error("`tls_certificate_file` {path} cannot be read: {source}")]
    Unreadable { path: String, source: io::Error },
    #[error("takes its key from `tls_key_file` {path}, which {source}")]
    Key {
        path: String,
        source: SecretFileError,
    },
    #[error("`tls_certificate_file` {path} holds no certificate in PEM form")]
    NoCertificate { path: String },
    #[error("`tls_key_file` {path} holds no private key in PEM form that can be used: {reason}")]
    NoKey { path: String, reason: String },
    #[error(
        "the key in `tls_key_file` {path} does not belong to the first certificate in `tls_certificate_file`; the server's own certificate comes first, those of its authorities after it"
    )]
    KeyOfAnother { path: String },
    #[error(
        "the certificate in `tls_certificate_file` {path} ended on {ended}; put a renewed one in its place"
    )]
    Expired { path: String, ended: String },
    #[error(
        "the certificate in `tls_certificate_file` {path} is valid from {begins} on; is this machine's clock right?"
    )]
    NotYetValid { path: String, begins: String },
    #[error("TLS cannot be prepared: {0}")]
    Other(String),
}

/// The certificate that is shown, and how TLS is spoken. Clones share it.
#[derive(Clone, Debug)]
pub struct Tls {
    config: Arc<ServerConfig>,
    shown: Arc<Shown>,
}

#[derive(Debug)]
struct Shown(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(
            &self.0.read().unwrap_or_else(PoisonError::into_inner),
        ))
    }
}

/// A certificate with its key, read and found good.
#[derive(Debug, Clone)]
pub struct Certificate(Arc<CertifiedKey>);

impl Certificate {
    /// Reads both files and holds them against each other and against the clock.
    ///
    /// # Errors
    /// [`TlsError`], in words for the operator; never with the key.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let path = certificate.display().to_string();
        let pem = std::fs::read(certificate).map_err(|source| TlsError::Unreadable {
            path: path.clone(),
            source,
        })?;
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&pem)
            .collect::<Result<_, _>>()
            .unwrap_or_default();
        let Some(own) = chain.first() else {
            return Err(TlsError::NoCertificate { path });
        };
        in_its_time(own, &path)?;
        let key_path = key.display().to_string();
        let unusable = |reason: String| TlsError::NoKey {
            path: key_path.clone(),
            reason,
        };
        let pem = read_secret_file(key).map_err(|source| TlsError::Key {
            path: key_path.clone(),
            source,
        })?;
        let secret =
            PrivateKeyDer::from_pem_slice(&pem).map_err(|error| unusable(error.to_string()))?;
        let signer =
            ring::sign::any_supported_type(&secret).map_err(|error| unusable(error.to_string()))?;
        let certified = CertifiedKey::new(chain, signer);
        match certified.keys_match() {
            Ok(()) => Ok(Self(Arc::new(certified))),
            Err(_) => Err(TlsError::KeyOfAnother { path: key_path }),
        }
    }
}

/// Holds a certificate against the clock, as a client would before it looks for an authority that it trusts: here there is none.
fn in_its_time(own: &CertificateDer<'_>, path: &str) -> Result<(), TlsError> {
    let path = path.to_owned();
    let Ok(certificate) = EndEntityCert::try_from(own) else {
        return Err(TlsError::NoCertificate { path });
    };
    let algorithms = ring::default_provider()
        .signature_verification_algorithms
        .all;
    let looked = certificate.verify_for_usage(
        algorithms,
        &[],
        &[],
        UnixTime::now(),
        KeyUsage::server_auth(),
        None,
        None,
    );
    let day = |time: UnixTime| {
        let micros = i64::try_from(time.as_secs()).unwrap_or(0) * 1_000_000;
        Timestamp(micros).to_cinder()
    };
    match looked.err() {
        Some(webpki::Error::CertExpired { not_after, .. }) => Err(TlsError::Expired {
            path,
            ended: day(not_after),
        }),
        Some(webpki::Error::CertNotValidYet { not_before, .. }) => Err(TlsError::NotYetValid {
            path,
            begins: day(not_before),
        }),
        _ => Ok(()),
    }
}

impl Tls {
    /// TLS 1.2 and 1.3 with this certificate.
    ///
    /// # Errors
    /// [`TlsError::Other`].
    pub fn new(certificate: Certificate) -> Result<Self, TlsError> {
        let shown = Arc::new(Shown(RwLock::new(certificate.0)));
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::Other(error.to_string()))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&shown) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            config: Arc::new(config),
            shown,
        })
    }

    /// Shows another certificate from the next connection on.
    pub fn show(&self, certificate: Certificate) {
        *self.shown.0.write().unwrap_or_else(PoisonError::into_inner) = certificate.0;
    }

    pub(super) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
    ) -> io::Result<TlsStream<S>> {
        TlsAcceptor::from(Arc::clone(&self.config))
            .accept(stream)
            .await
    }
}
