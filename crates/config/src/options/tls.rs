//! The `tls` block, as every listener has it (CFG-129 …).

use std::path::PathBuf;
use std::time::Duration;

/// A `tls` block.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "these are switches")]
pub struct Tls {
    /// `cert_file` and `key_file`, or `certs`.
    pub certificates: Vec<CertificatePair>,
    /// `ca_file`.
    pub ca_file: Option<PathBuf>,
    /// `verify`: ask for a client certificate and check it.
    pub verify: bool,
    /// `verify_and_map`: and take the user from it.
    pub map: bool,
    /// `verify_cert_and_check_known_urls`: and take only peers whose certificate names a host of a configured URL
    /// (cluster and gateway only).
    pub check_known_urls: bool,
    /// `insecure`.
    pub insecure: bool,
    /// `timeout` of the handshake.
    pub timeout: Duration,
    /// `cipher_suites` by name; `martlet-net` knows which it can speak; empty for the defaults.
    pub cipher_suites: Vec<String>,
    /// `allow_insecure_cipher_suites`.
    pub allow_insecure_cipher_suites: bool,
    /// `curve_preferences` by name; `martlet-net` knows which it can speak; empty for the defaults.
    pub curve_preferences: Vec<String>,
    /// `min_version`.
    pub min_version: TlsVersion,
    /// `connection_rate_limit`: handshakes begun per second; 0 is no limit.
    pub connection_rate_limit: u32,
    /// `pinned_certs`: SHA-256 of the peer's `SubjectPublicKeyInfo`, lower-case hex; empty accepts any.
    pub pinned_certs: Vec<String>,
    /// `handshake_first`.
    pub handshake_first: HandshakeFirst,
}

/// A certificate chain and its key, both PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificatePair {
    /// The chain.
    pub cert_file: PathBuf,
    /// The key.
    pub key_file: PathBuf,
}

/// The lowest protocol version spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsVersion {
    /// TLS 1.2
    #[default]
    V1_2,
    /// TLS 1.3
    V1_3,
}

/// Whether TLS starts before INFO is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HandshakeFirst {
    /// INFO first, then TLS.
    #[default]
    Off,
    /// TLS first, always.
    On,
    /// TLS first if the client begins within this time, INFO otherwise (`auto` is 50 ms).
    Fallback(Duration),
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            certificates: Vec::new(),
            ca_file: None,
            verify: false,
            map: false,
            check_known_urls: false,
            insecure: false,
            timeout: Duration::from_secs(2),
            cipher_suites: Vec::new(),
            allow_insecure_cipher_suites: false,
            curve_preferences: Vec::new(),
            min_version: TlsVersion::V1_2,
            connection_rate_limit: 0,
            pinned_certs: Vec::new(),
            handshake_first: HandshakeFirst::Off,
        }
    }
}
