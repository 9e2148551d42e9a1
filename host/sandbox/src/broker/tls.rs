//! Whom to believe that it is the array. Never nobody: without TLS only loopback is spoken to.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use sha2::{Digest, Sha256};

use super::distrust::{Distrust, is_authority};
use crate::binding::TlsTrust;

/// The TLS settings of a target; none for plain HTTP on loopback.
///
/// # Errors
/// A sentence that names the file or key at fault.
pub fn configure(trust: &TlsTrust, host: &str) -> Result<Option<Arc<ClientConfig>>, String> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?;
    let config = match trust {
        TlsTrust::PlainHttp => {
            let loopback = host == "localhost"
                || host
                    .parse::<std::net::IpAddr>()
                    .is_ok_and(|ip| ip.is_loopback());
            return if loopback {
                Ok(None)
            } else {
                Err(format!(
                    "plain HTTP is accepted for loopback addresses only, and {host} is none; choose ca_file, fingerprint or system"
                ))
            };
        }
        TlsTrust::System => {
            let mut roots = RootCertStore::empty();
            for certificate in rustls_native_certs::load_native_certs().certs {
                // One odd certificate in the system's store is no reason to trust none.
                drop(roots.add(certificate));
            }
            verify(builder, Signed::new(roots, Vec::new(), provider)?)
        }
        TlsTrust::CaFile(path) => {
            let bad = |e: String| format!("cannot use {} as ca_file: {e}", path.display());
            let (mut roots, mut named) = (RootCertStore::empty(), Vec::new());
            for certificate in
                CertificateDer::pem_file_iter(path).map_err(|e| bad(e.to_string()))?
            {
                let certificate = certificate.map_err(|e| bad(e.to_string()))?;
                roots
                    .add(certificate.clone())
                    .map_err(|e| bad(e.to_string()))?;
                named.push(certificate);
            }
            if roots.is_empty() {
                return Err(bad("it holds no certificate".to_owned()));
            }
            verify(builder, Signed::new(roots, named, provider)?)
        }
        TlsTrust::Fingerprint(text) => verify(
            builder,
            Pinned {
                fingerprint: parse_fingerprint(text)?,
                provider,
            },
        ),
    };
    Ok(Some(Arc::new(config.with_no_client_auth())))
}

type Builder = rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>;
type Verified = rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>;

fn verify(builder: Builder, verifier: impl ServerCertVerifier + 'static) -> Verified {
    builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
}

fn parse_fingerprint(text: &str) -> Result<[u8; 32], String> {
    let bare: String = text
        .chars()
        .filter(|c| *c != ':' && !c.is_whitespace())
        .collect();
    hex::decode(&bare)
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| {
            "the fingerprint must be a SHA-256 in hex: 64 digits, colons allowed".to_owned()
        })
}

/// The handshake still proves that the peer holds the certificate's key.
macro_rules! signatures {
    () => {
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            verify_tls12_signature(
                message,
                cert,
                dss,
                &self.provider.signature_verification_algorithms,
            )
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            verify_tls13_signature(
                message,
                cert,
                dss,
                &self.provider.signature_verification_algorithms,
            )
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.provider
                .signature_verification_algorithms
                .supported_schemes()
        }
    };
}

/// Believes whom an authority vouches for, and says what is wrong with everybody else.
#[derive(Debug)]
struct Signed {
    /// None where no authority is known, so nobody is believed.
    authorities: Option<Arc<WebPkiServerVerifier>>,
    /// The certificates that the operator's file names.
    named: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl Signed {
    fn new(
        roots: RootCertStore,
        named: Vec<CertificateDer<'static>>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, String> {
        let authorities = if roots.is_empty() {
            None
        } else {
            let builder =
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone());
            Some(builder.build().map_err(|e| e.to_string())?)
        };
        Ok(Self {
            authorities,
            named,
            provider,
        })
    }
}

impl ServerCertVerifier for Signed {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let judged = match &self.authorities {
            None => Err(CertificateError::UnknownIssuer.into()),
            Some(authorities) => authorities.verify_server_cert(
                end_entity,
                intermediates,
                server_name,
                ocsp_response,
                now,
            ),
        };
        // An array's own certificate is often marked as an authority's. Where the operator's file holds this very one,
        // nobody else can present it; its dates have been found good before its mark was looked at.
        let judged = match judged {
            Err(rustls::Error::InvalidCertificate(error))
                if is_authority(&error) && self.named.iter().any(|own| own == end_entity) =>
            {
                ParsedCertificate::try_from(end_entity)
                    .and_then(|own| rustls::client::verify_server_name(&own, server_name))
                    .map(|()| ServerCertVerified::assertion())
            }
            judged => judged,
        };
        judged.map_err(|error| match error {
            rustls::Error::InvalidCertificate(error) => {
                Distrust::of(&error, end_entity, server_name, now).into()
            }
            other => other,
        })
    }

    signatures!();
}

/// Believes exactly one certificate.
#[derive(Debug)]
struct Pinned {
    fingerprint: [u8; 32],
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if Sha256::digest(end_entity).as_slice() == self.fingerprint {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(Distrust::other_fingerprint(end_entity).into())
        }
    }

    signatures!();
}
