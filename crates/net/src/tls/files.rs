//! PEM files: chains, keys, authorities.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use martlet_config::options::CertificatePair;
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::TlsError;

const CERT_FILE: &str = "certificate file";
const KEY_FILE: &str = "key file";
const CA_FILE: &str = "ca_file";

/// A chain with its key, checked to belong together. Keys are PKCS#8, PKCS#1 or SEC1.
// spec: SEC-068
pub(super) fn certified_key(pair: &CertificatePair, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
    let chain = certificates(CERT_FILE, &pair.cert_file)?;
    let path = &pair.key_file;
    let key = PrivateKeyDer::from_pem_slice(&read(KEY_FILE, path)?).map_err(|error| match error {
        pem::Error::NoItemsFound => TlsError::Missing { what: KEY_FILE, path: path.clone(), wanted: "private key" },
        other => TlsError::Pem { what: KEY_FILE, path: path.clone(), reason: other.to_string() },
    })?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            TlsError::Mismatch { certificate: pair.cert_file.clone(), key: path.clone() }
        }
        rustls::Error::InvalidCertificate(reason) => TlsError::Certificate {
            what: CERT_FILE,
            path: pair.cert_file.clone(),
            position: 1,
            reason: format!("{reason:?}"),
        },
        other => TlsError::Key { path: path.clone(), reason: other.to_string() },
    })
}

/// The authorities that clients' certificates are checked against: those of `ca_file`, or else the system's.
// spec: SEC-064 SEC-068
pub(super) fn authorities(ca_file: Option<&PathBuf>) -> Result<Arc<RootCertStore>, TlsError> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = ca_file {
        for (at, certificate) in certificates(CA_FILE, path)?.into_iter().enumerate() {
            roots.add(certificate).map_err(|error| TlsError::Certificate {
                what: CA_FILE,
                path: path.clone(),
                position: at + 1,
                reason: error.to_string(),
            })?;
        }
    } else {
        let found = rustls_native_certs::load_native_certs();
        // Systems carry roots that cannot be used; one that can is enough to begin with.
        let (usable, _) = roots.add_parsable_certificates(found.certs);
        if usable == 0 {
            let reason = found.errors.first().map_or_else(|| "none found".into(), ToString::to_string);
            return Err(TlsError::SystemRoots { reason });
        }
    }
    Ok(Arc::new(roots))
}

fn certificates(what: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&read(what, path)?)
        .collect::<Result<_, _>>()
        .map_err(|error: pem::Error| TlsError::Pem { what, path: path.into(), reason: error.to_string() })?;
    if chain.is_empty() {
        return Err(TlsError::Missing { what, path: path.into(), wanted: "certificate" });
    }
    Ok(chain)
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source: io::Error| TlsError::Read { what, path: path.into(), source })
}
