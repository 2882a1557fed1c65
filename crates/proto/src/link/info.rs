//! `INFO` between servers: what a server tells another about itself, its cluster and itself as a gateway or hub.
//!
//! One document serves routes, gateways and leaf nodes, and later changes as well as the handshake; which fields are filled in
//! depends on where it is sent.

use serde::Serialize;
use serde::de::MapAccess;

use crate::connect::SubjectPermission;
use crate::json::{self, JsonError, take, take_nested};

/// The document, its fields in the order they are sent. Empty optional fields are left out.
// spec: CLU-003 CLU-040 CLU-052
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "the wire's fields, one for one")]
pub struct LinkInfo {
    /// The server's public nkey; begins with `GW` where one server tells of the gateways of another.
    pub server_id: String,
    /// The server's name.
    pub server_name: String,
    /// The server's version.
    pub version: String,
    /// What the server understands of the protocol between servers: 3 is current.
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
    /// Whether the dialler must show a certificate.
    #[serde(skip_serializing_if = "is_default")]
    pub tls_verify: bool,
    /// Whether the connection may become TLS.
    #[serde(skip_serializing_if = "is_default")]
    pub tls_available: bool,
    /// The largest message.
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
    /// What the dialler is to sign; on routes it says that an INFO is the first one.
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
    /// The compression of this connection, as the server would have it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub compression: String,
    /// Whether this is the answer to CONNECT.
    #[serde(skip_serializing_if = "is_default")]
    pub connect_info: bool,
    /// The account the leaf node ended up in.
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
    /// What a gateway is to do: a [`GatewayCommand`].
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

/// What one gateway asks of another.
// spec: CLU-042
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GatewayCommand {
    /// Pass on what this says of gateways.
    Gossip,
    /// All interest of an account follows.
    AllSubsStart,
    /// All interest of an account was told.
    AllSubsComplete,
}

impl GatewayCommand {
    /// The command as `gateway_cmd` has it.
    pub const fn code(self) -> u8 {
        match self {
            Self::Gossip => 1,
            Self::AllSubsStart => 2,
            Self::AllSubsComplete => 3,
        }
    }

    /// The command of this code.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Gossip),
            2 => Some(Self::AllSubsStart),
            3 => Some(Self::AllSubsComplete),
            _ => None,
        }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl LinkInfo {
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

impl json::Fields for LinkInfo {
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
            "import" => take_nested(map, &mut self.import),
            "export" => take_nested(map, &mut self.export),
            "lnoc" => take(map, &mut self.lnoc),
            "lnocu" => take(map, &mut self.lnocu),
            "ln" => take(map, &mut self.ln),
            "info_on_connect" => take(map, &mut self.info_on_connect),
            "route_pool_size" => take(map, &mut self.route_pool_size),
            "route_pool_idx" => take(map, &mut self.route_pool_idx),
            "route_account" => take(map, &mut self.route_account),
            "route_acc_add_reqid" => take(map, &mut self.route_acc_add_reqid),
            "gossip_mode" => take(map, &mut self.gossip_mode),
            "gateway" => take(map, &mut self.gateway),
            "gateway_urls" => take(map, &mut self.gateway_urls),
            "gateway_url" => take(map, &mut self.gateway_url),
            "gateway_cmd" => take(map, &mut self.gateway_cmd),
            "gateway_cmd_payload" => take(map, &mut self.gateway_cmd_payload),
            "gateway_nrp" => take(map, &mut self.gateway_nrp),
            "gateway_iom" => take(map, &mut self.gateway_iom),
            "leafnode_urls" => take(map, &mut self.leafnode_urls),
            "xkey" => take(map, &mut self.xkey),
            _ => Ok(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{GatewayCommand, LinkInfo};
    use crate::connect::SubjectPermission;

    /// As the reference sent them, keys shortened.
    const ROUTE: &str = r#"{"server_id":"NA","server_name":"r1","version":"2.15.1","proto":3,"go":"go1.27.2","host":"127.0.0.1","port":47311,"headers":true,"max_payload":1048576,"nonce":"1uf5_ZoiCC-CaUc","cluster":"C1","connect_urls":["127.0.0.1:37301"],"compression":"off","import":{"allow":["a.\u003e"]},"export":{"deny":["b","c"]},"lnoc":true,"lnocu":true,"ln":true,"route_pool_size":3,"gateway_url":"127.0.0.1:47312","leafnode_urls":["127.0.0.1:47313"]}"#;
    const GATEWAY: &str = r#"{"server_id":"NA","server_name":"r1","version":"2.15.1","proto":3,"go":"","host":"127.0.0.1","port":47312,"headers":true,"max_payload":1048576,"gateway":"C1","gateway_urls":["127.0.0.1:47312"],"gateway_url":"127.0.0.1:47312","gateway_nrp":true,"gateway_iom":true}"#;
    const LEAF: &str = r#"{"server_id":"NA","server_name":"r1","version":"2.15.1","proto":3,"git_commit":"b2fd3ef","go":"go1.27.2","host":"127.0.0.1","port":47313,"headers":true,"auth_required":true,"max_payload":1048576,"ip":"127.0.0.1:47313","client_id":8,"nonce":"4zNRs-u9KNO4CB0","cluster":"C1","compression":"s2_auto","api_lvl":5,"info_on_connect":true,"leafnode_urls":["127.0.0.1:47313"]}"#;

    fn written(info: &LinkInfo) -> String {
        let mut out = Vec::new();
        info.write_json(&mut out);
        String::from_utf8(out).expect("JSON is text")
    }

    #[test]
    fn documents_of_the_reference_are_read_and_written_alike() {
        // spec: CLU-003 CLU-040 CLU-052
        for document in [ROUTE, GATEWAY, LEAF] {
            let info = LinkInfo::from_json(document.as_bytes()).expect("valid");
            assert_eq!(written(&info), document);
        }
        let info = LinkInfo::from_json(ROUTE.as_bytes()).expect("valid");
        assert_eq!((info.proto, info.route_pool_size, info.lnoc, info.lnocu, info.ln), (3, 3, true, true, true));
        assert_eq!(info.import, Some(SubjectPermission { allow: vec!["a.>".into()], deny: vec![] }));
        let info = LinkInfo::from_json(GATEWAY.as_bytes()).expect("valid");
        assert!(info.gateway_nrp && info.gateway_iom);
    }

    #[test]
    fn every_field_in_its_order() {
        // spec: CLU-003 CLU-040 CLU-052
        let all = r#"{"server_id":"a","server_name":"b","version":"c","proto":1,"git_commit":"d","go":"e","host":"f","port":2,"headers":true,"auth_required":true,"tls_required":true,"tls_verify":true,"tls_available":true,"max_payload":3,"jetstream":true,"ip":"g","client_id":4,"client_ip":"h","nonce":"i","cluster":"j","cluster_dynamic":true,"domain":"k","connect_urls":["l"],"ws_connect_urls":["m"],"ldm":true,"compression":"n","connect_info":true,"remote_account":"o","acc_is_sys":true,"api_lvl":5,"import":{"deny":["p"]},"export":{"allow":["q"]},"lnoc":true,"lnocu":true,"ln":true,"info_on_connect":true,"route_pool_size":6,"route_pool_idx":7,"route_account":"r","route_acc_add_reqid":"s","gossip_mode":2,"gateway":"t","gateway_urls":["u"],"gateway_url":"v","gateway_cmd":2,"gateway_cmd_payload":"JEc=","gateway_nrp":true,"gateway_iom":true,"leafnode_urls":["w"],"xkey":"x"}"#;
        assert_eq!(written(&LinkInfo::from_json(all.as_bytes()).expect("valid")), all);
        let fields =
            all.replace('{', r#"{"later":[{"x":1}],"#).to_uppercase().replace(":TRUE", ":true").replace("JEC=", "JEc=");
        let shouted =
            LinkInfo::from_json(fields.as_bytes()).expect("names match in any case, unknown ones are skipped");
        assert_eq!(written(&shouted).to_lowercase(), all.to_lowercase());
        let least = r#"{"server_id":"","server_name":"","version":"","proto":0,"go":"","host":"","port":0,"headers":false,"max_payload":0}"#;
        assert_eq!(written(&LinkInfo::default()), least);
        assert_eq!(LinkInfo::from_json(least.as_bytes()), Ok(LinkInfo::default()));
    }

    #[test]
    fn commands_between_gateways() {
        // spec: CLU-042
        for (code, command) in
            [(1, GatewayCommand::Gossip), (2, GatewayCommand::AllSubsStart), (3, GatewayCommand::AllSubsComplete)]
        {
            assert_eq!((command.code(), GatewayCommand::from_code(code)), (code, Some(command)));
        }
        assert_eq!((GatewayCommand::from_code(0), GatewayCommand::from_code(4)), (None, None));
        let info = LinkInfo { gateway_cmd: 3, gateway_cmd_payload: b"A".to_vec(), ..LinkInfo::default() };
        assert!(written(&info).ends_with(r#","gateway_cmd":3,"gateway_cmd_payload":"QQ=="}"#));
        assert_eq!(LinkInfo::from_json(written(&info).as_bytes()), Ok(info));
        for bad in [r#"{"gateway_cmd_payload":"Q"}"#, r#"{"gateway_cmd":300}"#, r#"{"lnoc":1}"#, "[]", "{"] {
            assert!(LinkInfo::from_json(bad.as_bytes()).is_err(), "{bad}");
        }
        assert_eq!(LinkInfo::from_json(br#"{"gateway_cmd_payload":null}"#), Ok(LinkInfo::default()));
    }
}
