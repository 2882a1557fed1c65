//! Which of several certificates a client is shown.

use std::sync::Arc;

use rustls::client::verify_server_name;
use rustls::pki_types::{DnsName, ServerName};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// Shows the first certificate that suits the name and the signatures a client knows, and otherwise the first.
// spec: SEC-068
#[derive(Debug)]
pub(super) struct Resolver {
    keys: Vec<Arc<CertifiedKey>>,
}

impl Resolver {
    /// `keys` must not be empty.
    pub(super) fn new(keys: Vec<Arc<CertifiedKey>>) -> Self {
        Self { keys }
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let suits = |key: &&Arc<CertifiedKey>| {
            hello.server_name().is_none_or(|name| is_for(key, name))
                && key.key.choose_scheme(hello.signature_schemes()).is_some()
        };
        match self.keys.as_slice() {
            [only] => Some(only.clone()),
            several => several.iter().find(suits).or(several.first()).cloned(),
        }
    }
}

fn is_for(key: &CertifiedKey, name: &str) -> bool {
    let (Some(leaf), Ok(name)) = (key.cert.first(), DnsName::try_from(name)) else {
        return false;
    };
    ParsedCertificate::try_from(leaf).is_ok_and(|leaf| verify_server_name(&leaf, &ServerName::DnsName(name)).is_ok())
}
