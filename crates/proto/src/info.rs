//! `INFO`: what a server tells whoever connects, first thing and whenever it changes.
//!
//! One document serves clients, routes, gateways and leaf nodes; which fields are filled in depends on where it is sent.

use serde::Serialize;

use crate::connect::SubjectPermission;
use crate::json::{self, JsonError};

/// The document of `INFO`, its fields in the order they are sent. Empty optional fields are left out.
// spec: CORE-019 CORE-020 CLU-003 CLU-040 CLU-052
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "the wire's fields, one for one")]
pub struct Info {
    /// The server's public nkey; begins with `GW` where one server tells of the gateways of another.
    pub server_id: String,
    /// The server's name.
    pub server_name: String,
    /// The version the other side looks at for features.
    pub version: String,
    /// The protocol's version: 1 to clients; of the protocol between servers, 3 is current.
    pub proto: i64,
    /// The commit the server was built from.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub git_commit: String,
    /// What the server was built with; the name of the field is history.
    pub go: String,
    /// The address of the port this is about.
    pub host: String,
    /// That port.
    pub port: i64,
    /// Whether messages may have headers.
    pub headers: bool,
    /// Whether CONNECT must carry credentials.
    #[serde(skip_serializing_if = "is_default")]
    pub auth_required: bool,
    /// Whether the connection must become TLS.
    #[serde(skip_serializing_if = "is_default")]
    pub tls_required: bool,
    /// Whether the other side must show a certificate.
    #[serde(skip_serializing_if = "is_default")]
    pub tls_verify: bool,
    /// Whether the connection may become TLS.
    #[serde(skip_serializing_if = "is_default")]
    pub tls_available: bool,
    /// The largest message the other side may send.
    pub max_payload: i32,
    /// Whether `JetStream` is on.
    #[serde(skip_serializing_if = "is_default")]
    pub jetstream: bool,
    /// The address of the server as others reach it: a URL from a route, host and port from a leaf node's hub.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub ip: String,
    /// The number of this connection.
    #[serde(skip_serializing_if = "is_default")]
    pub client_id: u64,
    /// Where this connection comes from.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub client_ip: String,
    /// What the other side is to sign; on routes it says that an INFO is the first one.
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
    /// Where clients can connect.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub connect_urls: Vec<String>,
    /// Where clients can connect over WebSocket.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ws_connect_urls: Vec<String>,
    /// Whether the server is about to go.
    #[serde(skip_serializing_if = "is_default")]
    pub ldm: bool,
    /// The compression of this connection between servers, as the one that says so would have it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub compression: String,
    /// Whether this is the answer to CONNECT.
    #[serde(skip_serializing_if = "is_default")]
    pub connect_info: bool,
    /// The account the client or leaf node ended up in.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub remote_account: String,
    /// Whether that is the system account.
    #[serde(skip_serializing_if = "is_default")]
    pub acc_is_sys: bool,
    /// The level of the `JetStream` API.
    #[serde(skip_serializing_if = "is_default")]
    pub api_lvl: i64,
    /// What the other side may send here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub import: Option<SubjectPermission>,
    /// What the other side may ask for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub export: Option<SubjectPermission>,
    /// Whether lines may name the leaf cluster they come from.
    #[serde(skip_serializing_if = "is_default")]
    pub lnoc: bool,
    /// Whether `LS-` may name it too.
    #[serde(skip_serializing_if = "is_default")]
    pub lnocu: bool,
    /// Whether the server knows `ln`, since 2.15.
    #[serde(skip_serializing_if = "is_default")]
    pub ln: bool,
    /// Whether CONNECT is answered with another INFO.
    #[serde(skip_serializing_if = "is_default")]
    pub info_on_connect: bool,
    /// How many routes the server has to every other.
    #[serde(skip_serializing_if = "is_default")]
    pub route_pool_size: i64,
    /// Which of these this is.
    #[serde(skip_serializing_if = "is_default")]
    pub route_pool_idx: i64,
    /// Whose own route this is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub route_account: String,
    /// The request for an account's own route that this belongs to.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub route_acc_add_reqid: String,
    /// Whether and how what this says is to be passed on: 0 as ever, 1 not at all, 2 in any case.
    #[serde(skip_serializing_if = "is_default")]
    pub gossip_mode: u8,
    /// The cluster's name, from a gateway.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub gateway: String,
    /// The gateways of the cluster.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gateway_urls: Vec<String>,
    /// The server's own gateway, from a route.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub gateway_url: String,
    /// What a gateway is to do: a [`GatewayCommand`](crate::GatewayCommand).
    #[serde(skip_serializing_if = "is_default")]
    pub gateway_cmd: u8,
    /// What it is about, normally an account's name.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "json::base64")]
    pub gateway_cmd_payload: Vec<u8>,
    /// Whether replies are mapped with the prefix `_GR_`.
    #[serde(skip_serializing_if = "is_default")]
    pub gateway_nrp: bool,
    /// Whether all accounts are told of by interest alone, at once.
    #[serde(skip_serializing_if = "is_default")]
    pub gateway_iom: bool,
    /// Where leaf nodes can connect.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub leafnode_urls: Vec<String>,
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

json::fields! {
    Info {
        server_id, server_name, version, proto, git_commit, go, host, port, headers, auth_required, tls_required,
        tls_verify, tls_available, max_payload, jetstream, ip, client_id, client_ip, nonce, cluster, cluster_dynamic,
        domain, connect_urls, ws_connect_urls, ldm, compression, connect_info, remote_account, acc_is_sys, api_lvl,
        lnoc, lnocu, ln, info_on_connect, route_pool_size, route_pool_idx, route_account, route_acc_add_reqid,
        gossip_mode, gateway, gateway_urls, gateway_url, gateway_cmd, gateway_cmd_payload, gateway_nrp, gateway_iom,
        leafnode_urls, xkey
    }
    nested { import, export }
}

#[cfg(test)]
mod tests {
    use super::Info;
    use crate::connect::SubjectPermission;

    /// As the reference sent them, keys shortened.
    const ROUTE: &str = r#"{"server_id":"NA","server_name":"r1","version":"2.15.1","proto":3,"go":"go1.27.2","host":"127.0.0.1","port":47311,"headers":true,"max_payload":1048576,"nonce":"1uf5_ZoiCC-CaUc","cluster":"C1","connect_urls":["127.0.0.1:37301"],"compression":"off","import":{"allow":["a.\u003e"]},"export":{"deny":["b","c"]},"lnoc":true,"lnocu":true,"ln":true,"route_pool_size":3,"gateway_url":"127.0.0.1:47312","leafnode_urls":["127.0.0.1:47313"]}"#;
    const GATEWAY: &str = r#"{"server_id":"NA","server_name":"r1","version":"2.15.1","proto":3,"go":"","host":"127.0.0.1","port":47312,"headers":true,"max_payload":1048576,"gateway":"C1","gateway_urls":["127.0.0.1:47312"],"gateway_url":"127.0.0.1:47312","gateway_nrp":true,"gateway_iom":true}"#;
    const LEAF: &str = r#"{"server_id":"NA","server_name":"r1","version":"2.15.1","proto":3,"git_commit":"b2fd3ef","go":"go1.27.2","host":"127.0.0.1","port":47313,"headers":true,"auth_required":true,"max_payload":1048576,"ip":"127.0.0.1:47313","client_id":8,"nonce":"4zNRs-u9KNO4CB0","cluster":"C1","compression":"s2_auto","api_lvl":5,"info_on_connect":true,"leafnode_urls":["127.0.0.1:47313"]}"#;

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

    #[test]
    fn documents_of_the_reference_are_read_and_written_alike() {
        // spec: CLU-003 CLU-040 CLU-052
        for document in [ROUTE, GATEWAY, LEAF] {
            let info = Info::from_json(document.as_bytes()).expect("valid");
            assert_eq!(json(&info), document);
        }
        let info = Info::from_json(ROUTE.as_bytes()).expect("valid");
        assert_eq!((info.proto, info.route_pool_size, info.lnoc, info.lnocu, info.ln), (3, 3, true, true, true));
        assert_eq!(info.import, Some(SubjectPermission { allow: vec!["a.>".into()], deny: vec![] }));
        let info = Info::from_json(GATEWAY.as_bytes()).expect("valid");
        assert!(info.gateway_nrp && info.gateway_iom);
    }

    #[test]
    fn every_field_in_its_order() {
        // spec: CLU-003 CLU-040 CLU-052
        let all = r#"{"server_id":"a","server_name":"b","version":"c","proto":1,"git_commit":"d","go":"e","host":"f","port":2,"headers":true,"auth_required":true,"tls_required":true,"tls_verify":true,"tls_available":true,"max_payload":3,"jetstream":true,"ip":"g","client_id":4,"client_ip":"h","nonce":"i","cluster":"j","cluster_dynamic":true,"domain":"k","connect_urls":["l"],"ws_connect_urls":["m"],"ldm":true,"compression":"n","connect_info":true,"remote_account":"o","acc_is_sys":true,"api_lvl":5,"import":{"deny":["p"]},"export":{"allow":["q"]},"lnoc":true,"lnocu":true,"ln":true,"info_on_connect":true,"route_pool_size":6,"route_pool_idx":7,"route_account":"r","route_acc_add_reqid":"s","gossip_mode":2,"gateway":"t","gateway_urls":["u"],"gateway_url":"v","gateway_cmd":2,"gateway_cmd_payload":"JEc=","gateway_nrp":true,"gateway_iom":true,"leafnode_urls":["w"],"xkey":"x"}"#;
        assert_eq!(json(&Info::from_json(all.as_bytes()).expect("valid")), all);
        let fields =
            all.replace('{', r#"{"later":[{"x":1}],"#).to_uppercase().replace(":TRUE", ":true").replace("JEC=", "JEc=");
        let shouted = Info::from_json(fields.as_bytes()).expect("names match in any case, unknown ones are skipped");
        assert_eq!(json(&shouted).to_lowercase(), all.to_lowercase());
        let least = r#"{"server_id":"","server_name":"","version":"","proto":0,"go":"","host":"","port":0,"headers":false,"max_payload":0}"#;
        assert_eq!(json(&Info::default()), least);
        assert_eq!(Info::from_json(least.as_bytes()), Ok(Info::default()));
    }
}
