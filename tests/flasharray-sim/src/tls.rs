//! The certificate of the arrays and the authority that signed it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Where the files are; a directory of our own is removed with this.
#[derive(Debug)]
pub struct CertDir {
    path: PathBuf,
    ca: PathBuf,
    ours: bool,
}

impl CertDir {
    /// The authority's certificate.
    pub fn ca(&self) -> &Path {
        &self.ca
    }
}

impl Drop for CertDir {
    fn drop(&mut self) {
        if self.ours {
            // Nothing depends on it; the system cleans up what we cannot.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

static NEXT: AtomicU64 = AtomicU64::new(0);

/// Finds or makes the certificates.
pub fn prepare(dir: Option<&Path>) -> anyhow::Result<(CertDir, Arc<ServerConfig>)> {
    let path = match dir {
        Some(dir) => dir.to_owned(),
        None => std::env::temp_dir().join(format!(
            "flasharray-sim-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        )),
    };
    std::fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
    let certs = CertDir {
        ca: path.join("ca.pem"),
        ours: dir.is_none(),
        path,
    };
    let (cert, key) = (certs.path.join("server.pem"), certs.path.join("server.key"));
    if !(certs.ca.exists() && cert.exists() && key.exists()) {
        generate(&certs.ca, &cert, &key)?;
    }
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&cert)?
        .collect::<Result<_, _>>()
        .with_context(|| format!("cannot read {}", cert.display()))?;
    let key = PrivateKeyDer::from_pem_file(&key)
        .with_context(|| format!("cannot read {}", key.display()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((certs, Arc::new(config)))
}

fn generate(ca: &Path, cert: &Path, key: &Path) -> anyhow::Result<()> {
    let mut authority = CertificateParams::new(Vec::<String>::new())?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    authority
        .distinguished_name
        .push(DnType::CommonName, "Simulated FlashArray authority");
    let authority_key = KeyPair::generate()?;
    let authority_pem = authority.self_signed(&authority_key)?.pem();
    let issuer = Issuer::new(authority, authority_key);
    let names = ["localhost", "127.0.0.1", "::1"]
        .map(str::to_owned)
        .to_vec();
    let mut server = CertificateParams::new(names)?;
    server
        .distinguished_name
        .push(DnType::CommonName, "Simulated FlashArray");
    server.use_authority_key_identifier_extension = true;
    let server_key = KeyPair::generate()?;
    let server_pem = server.signed_by(&server_key, &issuer)?.pem();
    std::fs::write(ca, &authority_pem)?;
    std::fs::write(cert, server_pem + &authority_pem)?;
    std::fs::write(key, server_key.serialize_pem())?;
    Ok(())
}
