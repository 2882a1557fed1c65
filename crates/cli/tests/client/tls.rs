//! TLS as the client commands make it: authorities, client certificates, and TLS before the greeting.

use std::path::{Path, PathBuf};

use crate::support::{Server, martlet, run};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

/// An authority, and a certificate for `localhost` that serves both sides.
struct Certificates {
    folder: PathBuf,
}

impl Certificates {
    fn make(test: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("martlet-cli-tls-{}-{test}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let leaf = CertificateParams::new(names).unwrap().signed_by(&key, &authority).unwrap();
        for (name, text) in [("ca.pem", authority.pem()), ("cert.pem", leaf.pem()), ("key.pem", key.serialize_pem())] {
            std::fs::write(folder.join(name), text).unwrap();
        }
        Self { folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// A server's `tls` block with `more` options.
    fn config(&self, more: &str) -> String {
        let (ca, cert, key) = (self.path("ca.pem"), self.path("cert.pem"), self.path("key.pem"));
        format!("tls {{ cert_file: {cert:?}, key_file: {key:?}, ca_file: {ca:?}, {more} }}")
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        std::fs::remove_dir_all(Path::new(&self.folder)).ok();
    }
}

#[test]
fn an_authority_is_trusted_when_it_is_given() {
    let certificates = Certificates::make("authority");
    let server = Server::start(&certificates.config(""));
    server.run(&["rtt", "--tlsca", &certificates.path("ca.pem")]).ok();
    server.run(&["rtt"]).failed(1, &["TLS with", "UnknownIssuer", "--tlsca"]);
    server.run(&["rtt", "--tlsca", "/no/such.pem"]).failed(1, &["--tlsca", "/no/such.pem"]);
}

#[test]
fn a_client_certificate_is_shown_when_it_is_given() {
    let certificates = Certificates::make("client");
    let server = Server::start(&certificates.config("verify: true"));
    let [ca, cert, key] = ["ca.pem", "cert.pem", "key.pem"].map(|name| certificates.path(name));
    server.run(&["rtt", "--tlsca", &ca, "--tlscert", &cert, "--tlskey", &key]).ok();
    let mut by_environment = server.martlet(&["rtt"]);
    by_environment.env("NATS_CA", &ca).env("NATS_CERT", &cert).env("NATS_KEY", &key);
    run(by_environment).ok();
    server.run(&["rtt", "--tlsca", &ca]).failed(1, &["TLS with", "--tlscert"]);
}

#[test]
fn nothing_is_sent_in_the_clear_to_a_server_without_tls() {
    let certificates = Certificates::make("clear");
    let server = Server::start("");
    let ca = certificates.path("ca.pem");
    server.run(&["rtt", "--tlsca", &ca, "--timeout", "2s"]).failed(1, &["TLS with"]);
    let url = server.url.replace("nats://", "tls://");
    let mut by_scheme = martlet(&["rtt", "-s", &url, "--timeout", "2s"]);
    by_scheme.env("SSL_CERT_FILE", &ca);
    run(by_scheme).failed(1, &["TLS with"]);
}

#[test]
fn tls_may_come_before_the_greeting() {
    let certificates = Certificates::make("first");
    let server = Server::start(&certificates.config("handshake_first: true"));
    server.run(&["rtt", "--tlsca", &certificates.path("ca.pem"), "--tlsfirst"]).ok();
    let late = server.run(&["rtt", "--tlsca", &certificates.path("ca.pem"), "--timeout", "500ms"]);
    late.failed(1, &["no answer", "--tlsfirst"]);
}
