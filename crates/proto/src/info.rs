//! `INFO`: what the server tells a client about itself, first thing and whenever it changes.

use serde::Serialize;
use serde::de::MapAccess;

use crate::json::{self, JsonError, take};

/// The document of `INFO`, its fields in the order they are sent. Empty optional fields are left out.
// spec: CORE-019 CORE-020
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "the wire's fields, one for one")]
pub struct Info {
    /// The server's public nkey.
    pub server_id: String,
    /// The server's name.
    pub server_name: String,
    /// The version clients look at for features.
    pub version: String,
    /// The protocol's version: 1.
    pub proto: i64,
    /// The commit the server was built from.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub git_commit: String,
    /// What the server was built with; the name of the field is history.
    pub go: String,
    /// The address clients are to use.
    pub host: String,
    /// The port clients are to use.
    pub port: i64,
    /// Whether messages may have headers.
    pub headers: bool,
    /// Whether CONNECT must carry credentials.
    #[serde(skip_serializing_if = "is_default")]
    pub auth_required: bool,
    /// Whether the connection must become TLS.
    #[serde(skip_serializing_if = "is_default")]
    pub tls_required: bool,
    /// Whether clients must show a certificate.
    #[serde(skip_serializing_if = "is_default")]
    pub tls_verify: bool,
    /// Whether the connection may become TLS.
    #[serde(skip_serializing_if = "is_default")]
    pub tls_available: bool,
    /// The largest message this client may publish.
    pub max_payload: i32,
    /// Whether `JetStream` is on.
    #[serde(skip_serializing_if = "is_default")]
    pub jetstream: bool,
    /// The address of the server as a route or gateway sees it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub ip: String,
    /// The number of this connection.
    #[serde(skip_serializing_if = "is_default")]
    pub client_id: u64,
    /// Where this connection comes from.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub client_ip: String,
    /// What the client is to sign.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub nonce: String,
    /// The cluster's name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cluster: String,
    /// Whether the cluster's name was made up.
    #[serde(skip_serializing_if = "is_default")]
    pub cluster_dynamic: bool,
    /// The `JetStream` domain.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub domain: String,
    /// Other servers to turn to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub connect_urls: Vec<String>,
    /// Other servers to turn to over WebSocket.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ws_connect_urls: Vec<String>,
    /// Whether the server is about to go.
    #[serde(skip_serializing_if = "is_default")]
    pub ldm: bool,
    /// The compression of route and leaf node connections.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub compression: String,
    /// Whether this is the answer to CONNECT.
    #[serde(skip_serializing_if = "is_default")]
    pub connect_info: bool,
    /// The account the client ended up in.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub remote_account: String,
    /// Whether that is the system account.
    #[serde(skip_serializing_if = "is_default")]
    pub acc_is_sys: bool,
    /// The level of the `JetStream` API.
    #[serde(skip_serializing_if = "is_default")]
    pub api_lvl: i64,
    /// The server's public curve key.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub xkey: String,
}

/// What requests to `JetStream` a server knows: the level of the API.
// spec: CORE-022
pub const API_LEVEL: i64 = 5;

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Info {
    /// Reads the document; fields that are absent keep their empty value.
    pub fn from_json(json: &[u8]) -> Result<Self, JsonError> {
        let mut info = Self::default();
        json::update(&mut info, json)?;
        Ok(info)
    }

    /// Appends the document.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        json::write(out, self);
    }
}

impl json::Fields for Info {
    fn take<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match name {
            "server_id" => take(map, &mut self.server_id),
            "server_name" => take(map, &mut self.server_name),
            "version" => take(map, &mut self.version),
            "proto" => take(map, &mut self.proto),
            "git_commit" => take(map, &mut self.git_commit),
            "go" => take(map, &mut self.go),
            "host" => take(map, &mut self.host),
            "port" => take(map, &mut self.port),
            "headers" => take(map, &mut self.headers),
            "auth_required" => take(map, &mut self.auth_required),
            "tls_required" => take(map, &mut self.tls_required),
            "tls_verify" => take(map, &mut self.tls_verify),
            "tls_available" => take(map, &mut self.tls_available),
            "max_payload" => take(map, &mut self.max_payload),
            "jetstream" => take(map, &mut self.jetstream),
            "ip" => take(map, &mut self.ip),
            "client_id" => take(map, &mut self.client_id),
            "client_ip" => take(map, &mut self.client_ip),
            "nonce" => take(map, &mut self.nonce),
            "cluster" => take(map, &mut self.cluster),
            "cluster_dynamic" => take(map, &mut self.cluster_dynamic),
            "domain" => take(map, &mut self.domain),
            "connect_urls" => take(map, &mut self.connect_urls),
            "ws_connect_urls" => take(map, &mut self.ws_connect_urls),
            "ldm" => take(map, &mut self.ldm),
            "compression" => take(map, &mut self.compression),
            "connect_info" => take(map, &mut self.connect_info),
            "remote_account" => take(map, &mut self.remote_account),
            "acc_is_sys" => take(map, &mut self.acc_is_sys),
            "api_lvl" => take(map, &mut self.api_lvl),
            "xkey" => take(map, &mut self.xkey),
            _ => Ok(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Info;

    fn json(info: &Info) -> String {
        let mut out = Vec::new();
        info.write_json(&mut out);
        String::from_utf8(out).expect("JSON is text")
    }

    #[test]
    fn the_fields_that_are_always_there() {
        // spec: CORE-019
        let info = Info {
            server_id: "NA".into(),
            server_name: "a<b>&c".into(),
            version: "2.15.1".into(),
            proto: 1,
            git_commit: "b2fd3ef".into(),
            go: "go1.27.2".into(),
            host: "127.0.0.1".into(),
            port: 24871,
            headers: true,
            max_payload: 1000,
            client_id: 5,
            client_ip: "127.0.0.1".into(),
            api_lvl: 5,
            xkey: "XA".into(),
            ..Info::default()
        };
        // As the reference sent it, keys shortened.
        assert_eq!(
            json(&info),
            r#"{"server_id":"NA","server_name":"a\u003cb\u003e\u0026c","version":"2.15.1","proto":1,"git_commit":"b2fd3ef","go":"go1.27.2","host":"127.0.0.1","port":24871,"headers":true,"max_payload":1000,"client_id":5,"client_ip":"127.0.0.1","api_lvl":5,"xkey":"XA"}"#
        );
        assert_eq!(
            json(&Info::default()),
            r#"{"server_id":"","server_name":"","version":"","proto":0,"go":"","host":"","port":0,"headers":false,"max_payload":0}"#
        );
    }

    #[test]
    fn the_optional_fields_in_their_order() {
        // spec: CORE-020
        let text = r#"{"server_id":"i","server_name":"n","version":"v","proto":1,"git_commit":"c","go":"g","host":"h","port":1,"headers":true,"auth_required":true,"tls_required":true,"tls_verify":true,"tls_available":true,"max_payload":2,"jetstream":true,"ip":"p","client_id":3,"client_ip":"q","nonce":"o","cluster":"u","cluster_dynamic":true,"domain":"d","connect_urls":["x","y"],"ws_connect_urls":["w"],"ldm":true,"compression":"s2","connect_info":true,"remote_account":"$G","acc_is_sys":true,"api_lvl":5,"xkey":"k"}"#;
        let info = Info::from_json(text.as_bytes()).expect("valid");
        assert_eq!(json(&info), text);
        assert!(!text.contains(":null") && info.acc_is_sys && info.connect_urls.len() == 2);
    }
}
