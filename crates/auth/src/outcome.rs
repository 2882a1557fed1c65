//! The answer to a [`crate::Request`].

use std::fmt;
use std::sync::Arc;

use crate::directory::Entry;
use crate::permissions::Permissions;
use crate::request::Label;

/// What the directory says.
#[derive(Debug)]
#[must_use]
pub enum Outcome {
    /// Welcome.
    Accepted(Identity),
    /// Refused; the client is told [`Reason::CLIENT_TEXT`] whatever the reason (SEC-005).
    Denied(Reason),
    /// The answer takes tens of milliseconds of CPU: run [`Check::verify`] where nobody waits behind it.
    Costly(Check),
}

/// Who a connection turned out to be.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Its account.
    pub account: Arc<str>,
    /// How it is shown to people.
    pub label: Label,
    /// The public nkey it proved to hold, or that `no_auth_user` lends it.
    pub nkey: Option<Arc<str>>,
    /// What it may do; everything if `None`.
    pub permissions: Option<Arc<Permissions>>,
    /// The public key of the trusted proxy that vouched for it.
    pub proxy: Option<Arc<str>>,
    /// Where it came from, for a reload ([`crate::Directory::renew`]).
    pub(crate) origin: Origin,
}

/// What part of the directory an identity rests on.
#[derive(Debug, Clone)]
pub(crate) enum Origin {
    /// Nobody is asked.
    Open,
    /// The single user or the token.
    Simple,
    /// A user.
    Entry(Arc<Entry>),
}

/// Why a request was refused: for the log and for events, never for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// It gave no credentials.
    #[error("no credentials")]
    NoCredentials,
    /// The user is not known.
    #[error("unknown user")]
    UnknownUser,
    /// The nkey is not known.
    #[error("unknown nkey")]
    UnknownNkey,
    /// Wrong password.
    #[error("wrong password")]
    WrongPassword,
    /// Wrong token.
    #[error("wrong token")]
    WrongToken,
    /// An nkey without a signature.
    #[error("signature missing")]
    SignatureMissing,
    /// The signature is not base64 of 64 bytes.
    #[error("signature not valid base64")]
    SignatureMalformed,
    /// The signature does not fit nonce and key.
    #[error("signature not verified")]
    SignatureWrong,
    /// The user may not connect this way.
    #[error("connection type not allowed")]
    ConnectionType,
    /// The user must be taken from a certificate, and none was shown.
    #[error("user required in cert, no peer certificates found")]
    CertificateMissing,
    /// No name in the certificate is a user's.
    #[error("user in cert not found")]
    CertificateUnmapped,
    /// A user without a password is known by certificate only.
    #[error("user requires a client certificate")]
    CertificateRequired,
    /// `no_auth_user` has a bcrypt password, which nobody can lend.
    #[error("no_auth_user has a bcrypt password; give it a plain one or none")]
    NoAuthUserBcrypt,
    /// A proxy vouched whose key is not trusted.
    #[error("proxy is not trusted")]
    ProxyNotTrusted,
    /// The user must come through a proxy.
    #[error("proxy connection required")]
    ProxyRequired,
    /// CONNECT asked for an account of its own.
    #[error("account designation is not supported")]
    AccountDesignation,
}

impl Reason {
    /// What the client is told, always.
    // spec: SEC-005
    pub const CLIENT_TEXT: &'static str = "Authorization Violation";
}

/// A bcrypt comparison that somebody has to run. Owned, so that it can go to another thread.
pub struct Check {
    pub(crate) hash: Arc<str>,
    pub(crate) offered: Box<[u8]>,
    pub(crate) refusal: Reason,
    pub(crate) identity: Identity,
}

impl Check {
    /// Compares: tens of milliseconds to seconds, as the hash says.
    // spec: SEC-002
    pub fn verify(self) -> Result<Identity, Reason> {
        match bcrypt::verify(&*self.offered, &self.hash) {
            Ok(true) => Ok(self.identity),
            // A hash that is no hash matches nothing.
            Ok(false) | Err(_) => Err(self.refusal),
        }
    }
}

// Neither the hash nor what was offered belongs in a log.
impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check").field("label", &self.identity.label).finish_non_exhaustive()
    }
}
