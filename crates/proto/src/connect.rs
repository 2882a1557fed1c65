//! `CONNECT`: what a client tells the server about itself.

use serde::Serialize;

use crate::json::{self, JsonError};

/// The document of `CONNECT`. Before any arrived, a connection has [`Connect::default`].
// spec: CORE-032
#[derive(Clone, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "the wire's fields, one for one")]
pub struct Connect {
    /// Whether the client wants its own messages.
    pub echo: bool,
    /// Whether every operation is answered with `+OK`.
    pub verbose: bool,
    /// Whether subjects of publishes are checked.
    pub pedantic: bool,
    /// Whether the client insists on TLS.
    pub tls_required: bool,
    /// The public nkey of the user.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub nkey: String,
    /// The claims of the user.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub jwt: String,
    /// The nonce of INFO, signed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sig: String,
    /// A token instead of a user.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub auth_token: String,
    /// The user's name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// The user's password.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub pass: String,
    /// The client's name for itself.
    pub name: String,
    /// The client library's language.
    pub lang: String,
    /// The client library's version.
    pub version: String,
    /// 0, or 1 for clients that take an INFO at any time.
    pub protocol: i64,
    /// Asking for an account by name is refused.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub account: String,
    /// Asking for a new account is refused.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub new_account: bool,
    /// Whether the client takes messages with headers.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub headers: bool,
    /// Whether a request nobody listens for is to be answered at once.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub no_responders: bool,
    /// What a route or leaf node imports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub import: Option<SubjectPermission>,
    /// What a route or leaf node exports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub export: Option<SubjectPermission>,
    /// The leaf node's account on its own side.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub remote_account: String,
    /// The nonce of INFO, signed by the proxy.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub proxy_sig: String,
}

/// Subjects allowed and denied.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SubjectPermission {
    /// Nothing else, if there are any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
    /// Not these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<String>,
}

// spec: CORE-033
impl Default for Connect {
    fn default() -> Self {
        Self {
            echo: true,
            verbose: true,
            pedantic: true,
            tls_required: false,
            nkey: String::new(),
            jwt: String::new(),
            sig: String::new(),
            auth_token: String::new(),
            user: String::new(),
            pass: String::new(),
            name: String::new(),
            lang: String::new(),
            version: String::new(),
            protocol: 0,
            account: String::new(),
            new_account: false,
            headers: false,
            no_responders: false,
            import: None,
            export: None,
            remote_account: String::new(),
            proxy_sig: String::new(),
        }
    }
}

impl Connect {
    /// Reads a first CONNECT.
    pub fn from_json(json: &[u8]) -> Result<Self, JsonError> {
        let mut connect = Self::default();
        connect.update(json)?;
        Ok(connect)
    }

    /// Reads a CONNECT over what earlier ones of the same connection said: fields that it does not name stay as they are.
    /// After an error the fields are a mixture, and the connection is to be closed.
    // spec: CORE-039
    pub fn update(&mut self, json: &[u8]) -> Result<(), JsonError> {
        json::update(self, json)
    }

    /// Appends the document.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        json::write(out, self);
    }
}

json::fields! {
    Connect {
        echo, verbose, pedantic, tls_required, nkey, jwt, sig, auth_token, user, pass, name, lang, version, protocol,
        account, new_account, headers, no_responders, remote_account, proxy_sig
    }
    nested { import, export }
}

json::fields! {
    SubjectPermission {
        allow, deny
    }
}

/// Shows no secrets, so that a CONNECT can stand in a log by accident.
impl std::fmt::Debug for Connect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connect")
            .field("user", &self.user)
            .field("name", &self.name)
            .field("lang", &self.lang)
            .field("version", &self.version)
            .field("protocol", &self.protocol)
            .field("verbose", &self.verbose)
            .field("pedantic", &self.pedantic)
            .field("echo", &self.echo)
            .field("headers", &self.headers)
            .field("no_responders", &self.no_responders)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
