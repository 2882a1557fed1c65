//! Certificates made for the purpose, files in a directory of their own, and handshakes in memory.

mod files;
mod handshakes;
mod peers;

use std::fs;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use martlet_config::options::{CertificatePair, Tls};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, Connection, RootCertStore, ServerConnection};
use tempfile::TempDir;

use super::{PeerCertificate, Server, TlsError};

/// An authority.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key.
struct Leaf {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(vec![]).expect("no names");
    params.distinguished_name = common_name(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate"))
}

fn common_name(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    subject
}

impl Authority {
    fn pem(&self) -> String {
        self.0.pem()
    }

    fn issue(&self, name: &str) -> Leaf {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        params.distinguished_name = common_name(name);
        self.issue_with(&params)
    }

    fn issue_with(&self, params: &CertificateParams) -> Leaf {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        Leaf { certificate, key }
    }
}

impl Leaf {
    fn peer(&self) -> PeerCertificate {
        PeerCertificate::read(self.certificate.der()).expect("a certificate")
    }
}

/// A directory with files, gone with the test.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).expect("a file");
        path
    }

    fn pair(&self, name: &str, leaf: &Leaf) -> CertificatePair {
        CertificatePair {
            cert_file: self.write(&format!("{name}.pem"), &leaf.certificate.pem()),
            key_file: self.write(&format!("{name}.key"), &leaf.key.serialize_pem()),
        }
    }
}

fn tls(certificates: Vec<CertificatePair>) -> Tls {
    Tls { certificates, ..Tls::default() }
}

fn refusal(tls: &Tls) -> String {
    Server::load(tls).err().map(|error: TlsError| error.to_string()).expect("a refusal")
}

/// What a client brings to a handshake.
struct Client<'a> {
    trusts: &'a Authority,
    shows: Option<&'a Leaf>,
    asks_for: &'static str,
    speaks: CryptoProvider,
}

impl<'a> Client<'a> {
    fn trusting(trusts: &'a Authority) -> Self {
        Self { trusts, shows: None, asks_for: "localhost", speaks: aws_lc_rs::default_provider() }
    }

    fn config(self, versions: &[&'static rustls::SupportedProtocolVersion]) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.trusts.0.der().clone()).expect("an authority");
        let builder = ClientConfig::builder_with_provider(Arc::new(self.speaks))
            .with_protocol_versions(versions)
            .expect("versions")
            .with_root_certificates(roots);
        match self.shows {
            None => builder.with_no_client_auth(),
            Some(leaf) => {
                let key = PrivateKeyDer::try_from(leaf.key.serialize_der()).expect("a key");
                builder.with_client_auth_cert(vec![leaf.certificate.der().clone()], key).expect("a pair")
            }
        }
    }

    fn connect(self, server: &Server) -> Result<Pair, rustls::Error> {
        self.connect_speaking(server, rustls::ALL_VERSIONS)
    }

    fn connect_speaking(
        self,
        server: &Server,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> Result<Pair, rustls::Error> {
        let name = ServerName::try_from(self.asks_for).expect("a name");
        Pair::shake(server, Arc::new(self.config(versions)), name)
    }
}

/// The two ends of a connection in memory.
struct Pair {
    client: ClientConnection,
    server: ServerConnection,
}

impl Pair {
    fn shake(server: &Server, client: Arc<ClientConfig>, name: ServerName<'static>) -> Result<Self, rustls::Error> {
        let mut pair = Self {
            client: ClientConnection::new(client, name)?,
            server: ServerConnection::new(server.config.clone())?,
        };
        while pair.client.is_handshaking() || pair.server.is_handshaking() || pair.server.wants_write() {
            pair.exchange()?;
        }
        pair.exchange()?;
        Ok(pair)
    }

    fn exchange(&mut self) -> Result<(), rustls::Error> {
        let mut wire = Vec::new();
        while self.client.wants_write() {
            self.client.write_tls(&mut wire).expect("memory");
        }
        let mut rest = wire.as_slice();
        while !rest.is_empty() {
            self.server.read_tls(&mut rest).expect("memory");
            self.server.process_new_packets()?;
        }
        wire.clear();
        while self.server.wants_write() {
            self.server.write_tls(&mut wire).expect("memory");
        }
        let mut rest = wire.as_slice();
        while !rest.is_empty() {
            self.client.read_tls(&mut rest).expect("memory");
            self.client.process_new_packets()?;
        }
        Ok(())
    }

    /// Sends a line each way.
    fn talks(&mut self) -> bool {
        self.client.writer().write_all(b"ping").expect("memory");
        self.server.writer().write_all(b"pong").expect("memory");
        if self.exchange().is_err() {
            return false;
        }
        let (mut at_server, mut at_client) = ([0; 4], [0; 4]);
        self.server.reader().read_exact(&mut at_server).is_ok()
            && self.client.reader().read_exact(&mut at_client).is_ok()
            && (&at_server, &at_client) == (b"ping", b"pong")
    }

    fn shown_to_client(&self) -> CertificateDer<'static> {
        self.client.peer_certificates().expect("a certificate")[0].clone().into_owned()
    }

    fn shown_to_server(&self) -> Option<PeerCertificate> {
        let leaf = self.server.peer_certificates()?.first()?;
        Some(PeerCertificate::read(leaf).expect("a certificate"))
    }

    /// The version and cipher suite, as connection lists show them.
    fn spoken(self) -> (String, String) {
        let connection = Connection::Server(self.server);
        let version = connection.protocol_version().expect("after the handshake");
        let suite = connection.negotiated_cipher_suite().expect("after the handshake");
        (super::version_name(version), super::cipher_name(suite.suite()))
    }
}
