//! `CONNECT` between servers: who dials, and as whom.
//!
//! Routes and gateways share one document; leaf nodes, which log in like clients, have another.

use std::fmt;

use serde::Serialize;

use crate::json::{self, JsonError};

/// What the dialler of a route or gateway says, its fields in the order they are sent.
// spec: CLU-002 CLU-190 CLU-198
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "the wire's fields, one for one")]
pub struct LinkConnect {
    /// True on routes and false on gateways; means nothing.
    pub echo: bool,
    /// Whether every operation is answered with `+OK`.
    pub verbose: bool,
    /// Means nothing.
    pub pedantic: bool,
    /// The user's name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// The user's password.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub pass: String,
    /// Whether the dialler insists on TLS.
    pub tls_required: bool,
    /// Whether the dialler takes messages with headers; false on gateways, whose INFO says so.
    pub headers: bool,
    /// The dialler's server id.
    pub name: String,
    /// The dialler's cluster; empty on gateways.
    pub cluster: String,
    /// Whether the cluster's name was made up.
    #[serde(skip_serializing_if = "is_default")]
    pub cluster_dynamic: bool,
    /// Whether lines may name the leaf cluster they come from.
    #[serde(skip_serializing_if = "is_default")]
    pub lnoc: bool,
    /// Whether `LS-` may name it too.
    #[serde(skip_serializing_if = "is_default")]
    pub lnocu: bool,
    /// Whether the dialler knows `ln`, since 2.15.
    #[serde(skip_serializing_if = "is_default")]
    pub ln: bool,
    /// The dialler's cluster, on gateways.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub gateway: String,
    /// Never sent by servers: a client took the port for another.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub lang: String,
}

impl LinkConnect {
    /// Reads the document; fields that are absent keep their empty value.
    pub fn from_json(json: &[u8]) -> Result<Self, JsonError> {
        let mut connect = Self::default();
        json::update(&mut connect, json)?;
        Ok(connect)
    }

    /// Appends the document.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        json::write(out, self);
    }
}

json::fields! {
    LinkConnect {
        echo, verbose, pedantic, user, pass, tls_required, headers, name, cluster, cluster_dynamic, lnoc, lnocu, ln,
        gateway, lang
    }
}

/// Shows no secrets, so that a CONNECT can stand in a log by accident.
impl fmt::Debug for LinkConnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkConnect")
            .field("user", &self.user)
            .field("tls_required", &self.tls_required)
            .field("headers", &self.headers)
            .field("name", &self.name)
            .field("cluster", &self.cluster)
            .field("cluster_dynamic", &self.cluster_dynamic)
            .field("lnoc", &self.lnoc)
            .field("lnocu", &self.lnocu)
            .field("ln", &self.ln)
            .field("gateway", &self.gateway)
            .field("lang", &self.lang)
            .finish_non_exhaustive()
    }
}

/// What the dialler of a leaf link says, its fields in the order they are sent.
// spec: CLU-051 CLU-202
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "the wire's fields, one for one")]
pub struct LeafConnect {
    /// The leaf node's version.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// The public nkey of the user.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub nkey: String,
    /// The claims of the user.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub jwt: String,
    /// The nonce of INFO, signed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sig: String,
    /// The user's name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// The user's password.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub pass: String,
    /// A token; also a name that came without a password.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub auth_token: String,
    /// The leaf node's server id.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub server_id: String,
    /// Its `JetStream` domain.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub domain: String,
    /// Its name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Whether the dialler is the hub.
    #[serde(skip_serializing_if = "is_default")]
    pub is_hub: bool,
    /// Its cluster; its name if it is not clustered.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cluster: String,
    /// Whether it takes messages with headers.
    #[serde(skip_serializing_if = "is_default")]
    pub headers: bool,
    /// Whether its account has `JetStream`.
    #[serde(skip_serializing_if = "is_default")]
    pub jetstream: bool,
    /// What is not to be sent to it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deny_pub: Vec<String>,
    /// Whether it wants no interest of other leaf nodes.
    #[serde(skip_serializing_if = "is_default")]
    pub isolate: bool,
    /// The compression as it would have it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub compress_mode: String,
    /// Sent by a gateway that took the port for another.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub gateway: String,
    /// The account on its own side.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub remote_account: String,
    /// What it understands of the protocol between servers.
    #[serde(skip_serializing_if = "is_default")]
    pub protocol: i64,
    /// The nonce of INFO, signed by a proxy on the way.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub proxy_sig: String,
    /// Never sent by servers: a client took the port for another.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub lang: String,
}

impl LeafConnect {
    /// Reads the document; fields that are absent keep their empty value.
    pub fn from_json(json: &[u8]) -> Result<Self, JsonError> {
        let mut connect = Self::default();
        json::update(&mut connect, json)?;
        Ok(connect)
    }

    /// Appends the document.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        json::write(out, self);
    }
}

json::fields! {
    LeafConnect {
        version, nkey, jwt, sig, user, pass, auth_token, server_id, domain, name, is_hub, cluster, headers, jetstream,
        deny_pub, isolate, compress_mode, gateway, remote_account, protocol, proxy_sig, lang
    }
}

/// Shows no secrets, so that a CONNECT can stand in a log by accident.
impl fmt::Debug for LeafConnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeafConnect")
            .field("version", &self.version)
            .field("user", &self.user)
            .field("server_id", &self.server_id)
            .field("domain", &self.domain)
            .field("name", &self.name)
            .field("is_hub", &self.is_hub)
            .field("cluster", &self.cluster)
            .field("headers", &self.headers)
            .field("jetstream", &self.jetstream)
            .field("deny_pub", &self.deny_pub)
            .field("isolate", &self.isolate)
            .field("compress_mode", &self.compress_mode)
            .field("gateway", &self.gateway)
            .field("remote_account", &self.remote_account)
            .field("protocol", &self.protocol)
            .field("lang", &self.lang)
            .finish_non_exhaustive()
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::{LeafConnect, LinkConnect};

    fn route(json: &str) -> (LinkConnect, String) {
        let connect = LinkConnect::from_json(json.as_bytes()).expect("valid");
        let mut out = Vec::new();
        connect.write_json(&mut out);
        (connect, String::from_utf8(out).expect("JSON is text"))
    }

    fn leaf(json: &str) -> (LeafConnect, String) {
        let connect = LeafConnect::from_json(json.as_bytes()).expect("valid");
        let mut out = Vec::new();
        connect.write_json(&mut out);
        (connect, String::from_utf8(out).expect("JSON is text"))
    }

    #[test]
    fn documents_of_routes_and_gateways() {
        // spec: CLU-002 CLU-190 CLU-198
        for json in [
            r#"{"echo":true,"verbose":false,"pedantic":false,"user":"u","pass":"pw","tls_required":false,"headers":true,"name":"NA","cluster":"G2","lnoc":true,"ln":true}"#,
            r#"{"echo":false,"verbose":false,"pedantic":false,"user":"gu","pass":"gp","tls_required":false,"headers":false,"name":"NA","cluster":"","gateway":"G2"}"#,
            r#"{"echo":true,"verbose":true,"pedantic":true,"user":"a","pass":"b","tls_required":true,"headers":true,"name":"c","cluster":"d","cluster_dynamic":true,"lnoc":true,"lnocu":true,"ln":true,"gateway":"e","lang":"f"}"#,
        ] {
            assert_eq!(route(json).1, json);
        }
        assert_eq!(route(r#"{"lang":"go","protocol":1,"no_responders":true}"#).0.lang, "go");
        assert!(LinkConnect::from_json(br#"{"name":1}"#).is_err());
    }

    #[test]
    fn documents_of_leaf_nodes() {
        // spec: CLU-051 CLU-202
        for json in [
            r#"{"version":"2.15.1","user":"a","pass":"b","server_id":"NB","name":"d1","cluster":"G2","headers":true,"deny_pub":["x.\u003e"],"compress_mode":"off","remote_account":"A","protocol":3}"#,
            r#"{"version":"2.15.1","server_id":"NB","name":"d1","is_hub":true,"cluster":"G2","headers":true,"isolate":true,"compress_mode":"off","remote_account":"B","protocol":3}"#,
            r#"{"version":"a","nkey":"b","jwt":"c","sig":"d","user":"e","pass":"f","auth_token":"g","server_id":"h","domain":"i","name":"j","is_hub":true,"cluster":"k","headers":true,"jetstream":true,"deny_pub":["l"],"isolate":true,"compress_mode":"m","gateway":"n","remote_account":"o","protocol":3,"proxy_sig":"p","lang":"q"}"#,
        ] {
            assert_eq!(leaf(json).1, json);
        }
        assert_eq!(leaf("{}"), (LeafConnect::default(), "{}".to_owned()));
        assert!(LeafConnect::from_json(br#"{"deny_pub":"x"}"#).is_err());
    }

    #[test]
    fn secrets_do_not_show() {
        let secret = r#"{"user":"u","pass":"s1","auth_token":"s2","sig":"s3","jwt":"s4","nkey":"s5","proxy_sig":"s6"}"#;
        for shown in [format!("{:?}", route(secret).0), format!("{:?}", leaf(secret).0)] {
            assert!(shown.contains("\"u\"") && !(1..7).any(|n| shown.contains(&format!("s{n}"))), "{shown}");
        }
    }
}
