//! Why an array is not believed to be the array, and what an operator does about it.

use std::fmt;

use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, OtherError};
use sha2::{Digest, Sha256};
use springform_model::time::Timestamp;
use wasmtime_wasi_http::Error;

/// What is wrong with the answer to a TLS handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DistrustKind {
    /// The certificate is not good any more.
    Expired,
    /// The certificate is not good yet.
    NotYetValid,
    /// Nobody who is trusted signed it.
    UnknownIssuer,
    /// It signed itself, and is not trusted.
    SelfSigned,
    /// It is another array's, or names it otherwise.
    WrongName,
    /// It is not the one whose fingerprint is configured.
    OtherFingerprint,
    /// It is an authority's certificate, and only its fingerprint can vouch for it.
    Authority,
    /// Anything else about the certificate.
    Certificate,
    /// What answers does not speak TLS as it must.
    Protocol,
}

/// An array that answers and is not believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distrust {
    /// What is wrong, for decisions.
    pub kind: DistrustKind,
    text: String,
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Distrust {}

/// `2026-11-29T12:00:00Z`.
fn moment(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let text = Timestamp(seconds.saturating_mul(1_000_000)).to_cinder();
    let whole = text.split('.').next().unwrap_or_default();
    format!("{whole}Z")
}

/// SHA-256 of a certificate as `fingerprint` takes it.
fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    hex::encode(Sha256::digest(certificate))
}

impl Distrust {
    /// A certificate that is not the pinned one.
    pub(super) fn other_fingerprint(presented: &CertificateDer<'_>) -> Self {
        Self {
            kind: DistrustKind::OtherFingerprint,
            text: format!(
                "its certificate is not the one of `fingerprint`; it presents {}",
                fingerprint(presented)
            ),
        }
    }

    /// Why a handshake failed.
    pub(super) fn from_handshake(error: &rustls::Error) -> Self {
        let ours = match error {
            rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(why))) => {
                why.downcast_ref::<Self>()
            }
            _ => None,
        };
        let kind = match error {
            rustls::Error::InvalidCertificate(_) => DistrustKind::Certificate,
            _ => DistrustKind::Protocol,
        };
        ours.cloned().unwrap_or_else(|| Self {
            kind,
            text: format!("TLS with it failed: {error}"),
        })
    }

    /// As `wasi:http` names it: a guest is not told whom the array resembled.
    pub(super) fn for_guest(&self) -> Error {
        match self.kind {
            DistrustKind::Protocol => Error::TlsProtocolError,
            _ => Error::TlsCertificateError,
        }
    }

    /// What rustls has against a certificate.
    pub(super) fn of(
        error: &CertificateError,
        presented: &CertificateDer<'_>,
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Self {
        let signed_itself = || {
            webpki::EndEntityCert::try_from(presented)
                .is_ok_and(|certificate| certificate.issuer() == certificate.subject())
        };
        let pin = || {
            format!(
                "or, once compared with what the array itself shows, set `fingerprint` to {}",
                fingerprint(presented)
            )
        };
        let clock = || format!("this host's clock says {}", moment(now));
        let (kind, text) = match error {
            CertificateError::ExpiredContext { not_after, .. } => (
                DistrustKind::Expired,
                format!(
                    "its certificate expired on {} ({}); renew it on the array",
                    moment(*not_after),
                    clock()
                ),
            ),
            CertificateError::Expired => (
                DistrustKind::Expired,
                format!(
                    "its certificate has expired ({}); renew it on the array",
                    clock()
                ),
            ),
            CertificateError::NotValidYetContext { not_before, .. } => (
                DistrustKind::NotYetValid,
                format!(
                    "its certificate is valid only from {} on ({}); compare the clocks of array and host",
                    moment(*not_before),
                    clock()
                ),
            ),
            CertificateError::NotValidYet => (
                DistrustKind::NotYetValid,
                format!(
                    "its certificate is not valid yet ({}); compare the clocks of array and host",
                    clock()
                ),
            ),
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                let presented = match error {
                    CertificateError::NotValidForNameContext { presented, .. }
                        if !presented.is_empty() =>
                    {
                        format!("is for {}", presented.join(", "))
                    }
                    _ => "names nobody".to_owned(),
                };
                (
                    DistrustKind::WrongName,
                    format!(
                        "its certificate {presented}, and the configured address is {}; \
                         configure a name that it is for, {}",
                        name.to_str(),
                        pin()
                    ),
                )
            }
            error if bad_signature(error) && !signed_itself() => (
                DistrustKind::UnknownIssuer,
                format!(
                    "its certificate was signed by an authority that has the name of one in `ca_file` and another key; \
                     name the authority that signed it, {}",
                    pin()
                ),
            ),
            error
                if signed_itself()
                    && (bad_signature(error) || *error == CertificateError::UnknownIssuer) =>
            {
                (
                    DistrustKind::SelfSigned,
                    format!(
                        "its certificate signed itself and is not in `ca_file`; name it there, {}",
                        pin()
                    ),
                )
            }
            CertificateError::UnknownIssuer => (
                DistrustKind::UnknownIssuer,
                format!(
                    "its certificate was signed by nobody who is trusted; name its authority in `ca_file`, {}",
                    pin()
                ),
            ),
            error if is_authority(error) => (
                DistrustKind::Authority,
                format!(
                    "its certificate is an authority's (CA:TRUE) and not in `ca_file` itself; name it there, {}",
                    pin()
                ),
            ),
            other => (
                DistrustKind::Certificate,
                format!("its certificate is not accepted: {other}"),
            ),
        };
        Self { kind, text }
    }
}

/// Whether somebody of the name of a trusted authority signed it, with another key or in another way.
fn bad_signature(error: &CertificateError) -> bool {
    matches!(
        error,
        CertificateError::BadSignature
            | CertificateError::UnsupportedSignatureAlgorithmContext { .. }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. }
    )
}

/// Whether all that is wrong is that an authority's certificate serves: what arrays make for themselves is often so marked.
pub(super) fn is_authority(error: &CertificateError) -> bool {
    let CertificateError::Other(OtherError(inner)) = error else {
        return false;
    };
    matches!(
        inner.downcast_ref::<webpki::Error>(),
        Some(webpki::Error::CaUsedAsEndEntity)
    )
}

impl From<Distrust> for rustls::Error {
    fn from(why: Distrust) -> Self {
        Self::InvalidCertificate(CertificateError::Other(OtherError(std::sync::Arc::new(
            why,
        ))))
    }
}
