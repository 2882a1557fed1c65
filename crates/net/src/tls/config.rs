//! Options and files to a configuration, for those who are dialled and those who dial.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use martlet_config::options::{HandshakeFirst, Tls, TlsVersion};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{ALL_VERSIONS, ServerConfig, SupportedProtocolVersion};

use super::peer::{self, PeerCertificate};
use super::resolver::Resolver;
use super::{TlsError, files, names};

/// TLS of one listener, as its `tls` block and the files it names were when it was built.
#[derive(Debug)]
pub struct Server {
    /// For rustls.
    pub config: Arc<ServerConfig>,
    /// How long a handshake may take.
    pub timeout: Duration,
    /// Whether TLS starts before INFO.
    pub handshake_first: HandshakeFirst,
    /// Whether clients have to show a certificate.
    pub verifies: bool,
    /// When the (first) certificate runs out (`tls_cert_not_after`).
    // spec: SEC-073
    pub not_after: SystemTime,
    pinned: Pinned,
}

impl Server {
    /// Reads the files and builds the configuration.
    pub fn load(tls: &Tls) -> Result<Self, TlsError> {
        let provider = provider(tls)?;
        let keys = keys(tls, &provider)?;
        let not_after = first_not_after(tls, &keys)?;
        let asks = tls.verify || tls.map;
        let verifier = if asks { Some(client_verifier(tls, &provider)?) } else { None };
        if !asks && tls.ca_file.is_some() {
            // Nobody is judged by it, and it is to be right all the same: whoever dials with this block will ask for it.
            files::authorities(tls.ca_file.as_ref())?;
        }
        let config = server_config(tls.min_version, provider, verifier, keys)?;
        Ok(Self {
            config: Arc::new(config),
            timeout: tls.timeout,
            handshake_first: tls.handshake_first,
            verifies: asks,
            not_after,
            pinned: Pinned::of(tls),
        })
    }

    /// Whether a client with this certificate, or with none, may stay after the handshake.
    // spec: SEC-065
    #[must_use]
    pub fn admits(&self, peer: Option<&PeerCertificate>) -> bool {
        self.pinned.admits(peer)
    }
}

/// The keys that peers' certificates have to be made for, if any are named.
// spec: CFG-137
#[derive(Debug)]
pub(super) struct Pinned(HashSet<[u8; 32]>);

impl Pinned {
    pub(super) fn of(tls: &Tls) -> Self {
        Self(tls.pinned_certs.iter().filter_map(|hex| peer::parse_digest(hex)).collect())
    }

    pub(super) fn admits(&self, peer: Option<&PeerCertificate>) -> bool {
        self.0.is_empty() || peer.is_some_and(|peer| self.0.contains(&peer.spki_sha256))
    }
}

/// What a block allows to be spoken.
pub(super) fn provider(tls: &Tls) -> Result<Arc<CryptoProvider>, TlsError> {
    Ok(Arc::new(CryptoProvider {
        cipher_suites: names::cipher_suites(&tls.cipher_suites, tls.allow_insecure_cipher_suites)?,
        kx_groups: names::curves(&tls.curve_preferences)?,
        ..aws_lc_rs::default_provider()
    }))
}

/// TLS 1.3 alone.
static ONLY_1_3: &[&SupportedProtocolVersion] = &[&TLS13];

/// The versions that are not below the lowest.
// spec: CFG-135
pub(super) fn versions(lowest: TlsVersion) -> &'static [&'static SupportedProtocolVersion] {
    match lowest {
        TlsVersion::V1_2 => ALL_VERSIONS,
        TlsVersion::V1_3 => ONLY_1_3,
    }
}

/// The certificates of a block with their keys.
pub(super) fn keys(tls: &Tls, provider: &CryptoProvider) -> Result<Vec<Arc<CertifiedKey>>, TlsError> {
    tls.certificates.iter().map(|pair| files::certified_key(pair, provider).map(Arc::new)).collect()
}

/// The block of a listener for links as it is served: who dials always has to show a certificate.
// spec: CFG-142
#[must_use]
pub fn mutual(tls: &Tls) -> Tls {
    Tls { verify: true, ..tls.clone() }
}

fn first_not_after(tls: &Tls, keys: &[Arc<CertifiedKey>]) -> Result<SystemTime, TlsError> {
    let (Some(pair), Some(leaf)) = (tls.certificates.first(), keys.first().and_then(|key| key.cert.first())) else {
        return Err(TlsError::NoCertificate);
    };
    peer::not_after(leaf).map_err(|error| TlsError::Certificate {
        what: "certificate file",
        path: pair.cert_file.clone(),
        position: 1,
        reason: error.to_string(),
    })
}

// spec: SEC-064
fn client_verifier(tls: &Tls, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let roots = files::authorities(tls.ca_file.as_ref())?;
    WebPkiClientVerifier::builder_with_provider(roots, provider.clone())
        .build()
        .map_err(|error| TlsError::Refused { reason: error.to_string() })
}

fn server_config(
    min_version: TlsVersion,
    provider: Arc<CryptoProvider>,
    verifier: Option<Arc<dyn ClientCertVerifier>>,
    keys: Vec<Arc<CertifiedKey>>,
) -> Result<ServerConfig, TlsError> {
    let refused = |error: rustls::Error| TlsError::Refused { reason: error.to_string() };
    let builder =
        ServerConfig::builder_with_provider(provider).with_protocol_versions(versions(min_version)).map_err(refused)?;
    let builder = match verifier {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(Resolver::new(keys)));
    // The server's order decides, as on the reference: AES-128-GCM is the cheapest where there is hardware for it.
    config.ignore_client_order = true;
    // Tickets hold a session on the client's side. Their key is this configuration's own, so that a reload
    // with other authorities leaves no session resumable that the old ones let in.
    config.ticketer = aws_lc_rs::Ticketer::new().map_err(refused)?;
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    config.send_tls13_tickets = 1;
    Ok(config)
}
