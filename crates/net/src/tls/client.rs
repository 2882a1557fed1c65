//! Options and files to the configuration of those who dial.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use martlet_config::options::{HandshakeFirst, Tls};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};

use super::config::{self, Pinned};
use super::{PeerCertificate, TlsError, files};

/// TLS of what is dialled for one block, as the block and the files it names were when it was built.
#[derive(Debug)]
pub struct Client {
    /// For rustls.
    pub config: Arc<ClientConfig>,
    /// How long a handshake may take.
    pub timeout: Duration,
    /// Whether TLS starts before anything is said.
    pub first: bool,
    pinned: Pinned,
}

impl Client {
    /// Reads the files and builds the configuration. A block without certificates shows none.
    // spec: CFG-132 CFG-134 CFG-135
    pub fn load(tls: &Tls) -> Result<Self, TlsError> {
        let refused = |error: rustls::Error| TlsError::Refused { reason: error.to_string() };
        let provider = config::provider(tls)?;
        let keys = config::keys(tls, &provider)?;
        let verifier: Arc<dyn ServerCertVerifier> = if tls.insecure {
            Arc::new(Anyone(provider.clone()))
        } else {
            WebPkiServerVerifier::builder_with_provider(files::authorities(tls.ca_file.as_ref())?, provider.clone())
                .build()
                .map_err(|error| TlsError::Refused { reason: error.to_string() })?
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(config::versions(tls.min_version))
            .map_err(refused)?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match keys.first() {
            Some(key) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(key.clone()))),
            None => builder.with_no_client_auth(),
        };
        // Links are dialled rarely: each shows and checks certificates anew.
        config.resumption = Resumption::disabled();
        Ok(Self {
            config: Arc::new(config),
            timeout: tls.timeout,
            first: tls.handshake_first != HandshakeFirst::Off,
            pinned: Pinned::of(tls),
        })
    }

    /// Whether a server with this certificate may stay after the handshake.
    // spec: CFG-137
    #[must_use]
    pub fn admits(&self, peer: Option<&PeerCertificate>) -> bool {
        self.pinned.admits(peer)
    }
}

/// The name that a server's certificate has to be for: the host that is dialled, or where that is an address and not the
/// name it was first known by, that name.
pub fn server_name(host: &str, known_as: Option<&str>) -> Result<ServerName<'static>, TlsError> {
    let name = match known_as {
        Some(name) if host.parse::<IpAddr>().is_ok() => name,
        _ => host,
    };
    ServerName::try_from(name.to_owned()).map_err(|_| TlsError::ServerName { name: name.to_owned() })
}

/// Accepts every certificate (`insecure`); who shows one still has to hold its key.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
