//! What a connection shows to prove who it is.
//!
//! Invariant: plain borrowed data. The edge copies nothing to ask, and this room never sees a certificate
//! or a CONNECT line, only what they said.

use std::fmt;
use std::sync::Arc;

use martlet_config::options::ConnectionType;

/// What CONNECT said and what the edge knows about the connection. An empty text is one that was not sent.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// How it is connected.
    pub kind: ConnectionType,
    /// The nonce its INFO carried, as text; empty if there was none.
    pub nonce: &'a [u8],
    /// `user`
    pub user: &'a str,
    /// `pass`
    pub pass: &'a str,
    /// `auth_token`
    pub auth_token: &'a str,
    /// `nkey`
    pub nkey: &'a str,
    /// `sig`: the nkey's signature of the nonce.
    pub sig: &'a str,
    /// `proxy_sig`: a proxy's signature of the nonce.
    pub proxy_sig: &'a str,
    /// `account`: asking for one is an error (CORE-037).
    pub account: &'a str,
    /// `new_account`: likewise.
    pub new_account: bool,
    /// The names in the verified client certificate, if one was shown.
    pub certificate: Option<&'a PeerNames>,
}

impl Request<'_> {
    /// A connection that has said nothing yet.
    #[must_use]
    pub fn new(kind: ConnectionType) -> Self {
        Self {
            kind,
            nonce: b"",
            user: "",
            pass: "",
            auth_token: "",
            nkey: "",
            sig: "",
            proxy_sig: "",
            account: "",
            new_account: false,
            certificate: None,
        }
    }

    /// Who it says it is, whether or not that is true: for the log line of a refusal.
    #[must_use]
    pub fn label(&self) -> Label {
        Label::of(self.nkey, self.user, self.auth_token)
    }
}

// Secrets stay out of logs, also of those that print whole requests.
impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("kind", &self.kind).field("label", &self.label()).finish_non_exhaustive()
    }
}

/// The names in a certificate, in the certificate's order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PeerNames {
    /// Mail addresses among the alternative names.
    pub emails: Vec<String>,
    /// DNS names among them.
    pub dns_names: Vec<String>,
    /// URIs among them.
    pub uris: Vec<String>,
    /// The subject as text, as users are named by it: RFC 2253, of the well-known types only.
    pub subject: String,
    /// The subject's parts, in the order of the certificate; most have one attribute.
    pub rdns: Vec<Vec<Attribute>>,
}

/// One attribute of a distinguished name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// The type as dotted numbers (`2.5.4.3` is the common name).
    pub oid: String,
    /// The value.
    pub value: String,
}

/// Who a connection is, as users see it in logs and in connection lists.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Label {
    /// It gave no name.
    #[default]
    Anonymous,
    /// By public nkey.
    Nkey(Arc<str>),
    /// By name.
    User(Arc<str>),
    /// By token, which is never shown.
    Token,
}

impl Label {
    /// An nkey is shown before a name, a name before a token.
    pub(crate) fn of(nkey: &str, user: &str, token: &str) -> Self {
        if !nkey.is_empty() {
            Self::Nkey(nkey.into())
        } else if !user.is_empty() {
            Self::User(user.into())
        } else if !token.is_empty() {
            Self::Token
        } else {
            Self::Anonymous
        }
    }

    /// As `authorized_user` of a connection list and `user` of events have it; empty for nobody.
    #[must_use]
    pub fn authorized_user(&self) -> &str {
        match self {
            Self::Anonymous => "",
            Self::Nkey(name) | Self::User(name) => name,
            Self::Token => "[REDACTED]",
        }
    }

    /// As the name of a connection in the log has it: `user:a`, `nkey:U…`, `token`; empty for nobody.
    #[must_use]
    pub fn short(&self) -> String {
        match self {
            Self::Anonymous => String::new(),
            Self::Nkey(key) => format!("nkey:{key}"),
            Self::User(name) => format!("user:{name}"),
            Self::Token => "token".into(),
        }
    }
}

/// As a refusal in the log has it: `User "a"`.
impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("User \"N/A\""),
            Self::Nkey(key) => write!(f, "Nkey {key:?}"),
            Self::User(name) => write!(f, "User {name:?}"),
            Self::Token => f.write_str("Token \"[REDACTED]\""),
        }
    }
}
