//! Why a `tls` block makes no configuration.

use std::io;
use std::path::PathBuf;

/// A `tls` block that cannot be served. Names the file or the value, and the way out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// Nothing to serve.
    #[error("the tls block names no certificate; set 'cert_file' and 'key_file', or 'certs'")]
    NoCertificate,
    /// A file cannot be read.
    #[error("{what} {}: {source}", path.display())]
    Read {
        /// Which of the files it is.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not PEM.
    #[error("{what} {}: damaged PEM: {reason}", path.display())]
    Pem {
        /// Which of the files it is.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A PEM file without what was looked for.
    #[error("{what} {}: no {wanted} in it", path.display())]
    Missing {
        /// Which of the files it is.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What should be there.
        wanted: &'static str,
    },
    /// A certificate that cannot be read.
    #[error("{what} {}: certificate {position} cannot be used: {reason}", path.display())]
    Certificate {
        /// Which of the files it is.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Which of the certificates in it, from 1.
        position: usize,
        /// What is wrong.
        reason: String,
    },
    /// A key that cannot be used.
    #[error("key file {}: the key cannot be used: {reason}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A key that is another certificate's.
    #[error("the key in {} does not belong to the certificate in {}", key.display(), certificate.display())]
    Mismatch {
        /// The certificate file.
        certificate: PathBuf,
        /// The key file.
        key: PathBuf,
    },
    /// No authorities to check clients against.
    #[error(
        "client certificates are to be verified, but the system has no root certificates ({reason}); set 'ca_file'"
    )]
    SystemRoots {
        /// What was wrong.
        reason: String,
    },
    /// A cipher suite nobody knows.
    #[error("unrecognized cipher {name}; available: {}", names.join(", "))]
    UnknownCipher {
        /// The name given.
        name: String,
        /// The names that would do.
        names: Vec<&'static str>,
    },
    /// A cipher suite that is known to be broken, and not asked for knowingly.
    #[error("insecure cipher suites configured without 'allow_insecure_cipher_suites' option set: {name}")]
    InsecureCipher {
        /// The name given.
        name: String,
    },
    /// A cipher suite that exists but is not spoken here.
    #[error("cipher {name} is not supported (CBC, RC4, 3DES and plain RSA key exchange are left out); available: {}", names.join(", "))]
    UnsupportedCipher {
        /// The name given.
        name: String,
        /// The names that would do.
        names: Vec<&'static str>,
    },
    /// A curve nobody knows.
    #[error("unrecognized curve preference {name}; available: {}", names.join(", "))]
    UnknownCurve {
        /// The name given.
        name: String,
        /// The names that would do.
        names: Vec<&'static str>,
    },
    /// A curve that exists but is not spoken here.
    #[error("curve preference {name} is not supported; available: {}", names.join(", "))]
    UnsupportedCurve {
        /// The name given.
        name: String,
        /// The names that would do.
        names: Vec<&'static str>,
    },
    /// A host that no certificate can be for.
    #[error("no certificate can be made for {name:?}; dial a host name or an IP address")]
    ServerName {
        /// The host.
        name: String,
    },
    /// rustls refuses the whole.
    #[error("the tls block cannot be served: {reason}")]
    Refused {
        /// What it says.
        reason: String,
    },
}
