//! One connection as `/connz` shows it.

use std::time::SystemTime;

use serde::Serialize;

use super::ConnzOptions;
use crate::snapshot::{ClosedConn, ConnDetail, ConnKind, ConnStats, ConnType, PeerCert};
use crate::views::format::{Timestamp, between, is_default, is_false, round_trip, uptime};
use crate::views::{GLOBAL_ACCOUNT, SubDetail};

/// One connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ConnInfo {
    pub(crate) cid: u64,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) kind: &'static str,
    #[serde(rename = "type", skip_serializing_if = "str::is_empty")]
    pub(crate) conn_type: &'static str,
    pub(crate) ip: String,
    pub(crate) port: u16,
    pub(crate) start: Timestamp,
    pub(crate) last_activity: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stop: Option<Timestamp>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) reason: String,
    pub(crate) rtt: String,
    pub(crate) uptime: String,
    pub(crate) idle: String,
    pub(crate) pending_bytes: u64,
    pub(crate) in_msgs: u64,
    pub(crate) out_msgs: u64,
    pub(crate) in_bytes: u64,
    pub(crate) out_bytes: u64,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) stalls: u64,
    pub(crate) subscriptions: u32,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) lang: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) version: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) tls_version: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) tls_cipher_suite: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) tls_peer_certs: Vec<TlsPeerCert>,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) tls_first: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) authorized_user: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) account: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) subscriptions_list: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) subscriptions_list_detail: Vec<SubDetail>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) jwt: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) issuer_key: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) name_tag: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) tags: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) mqtt_client: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) proxy: Option<ProxyInfo>,
}

/// One certificate of a peer.
// spec: SEC-072
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct TlsPeerCert {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) subject: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) spki_sha256: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) cert_sha256: String,
}

impl From<PeerCert> for TlsPeerCert {
    fn from(cert: PeerCert) -> Self {
        Self { subject: cert.subject, spki_sha256: cert.spki_sha256, cert_sha256: cert.cert_sha256 }
    }
}

/// The proxy a connection came through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ProxyInfo {
    /// Its public key.
    pub(crate) key: String,
}

/// As it is now.
pub(super) fn open_info(stats: &ConnStats, detail: ConnDetail, now: SystemTime, options: &ConnzOptions) -> ConnInfo {
    let certs = detail.tls.as_ref().map(|tls| tls.peer_certs.clone()).unwrap_or_default();
    let (jwt, issuer_key, name_tag, tags) =
        (detail.jwt.clone(), detail.issuer_key.clone(), detail.name_tag.clone(), detail.tags.clone());
    let mut info = common_info(stats, detail, now, options);
    if options.auth {
        info.tls_peer_certs = certs.into_iter().map(Into::into).collect();
        (info.jwt, info.issuer_key, info.name_tag, info.tags) = (jwt, issuer_key, name_tag, tags);
    }
    info
}

/// What is remembered of a closed connection's credentials is shown whether it is asked for or not.
pub(super) fn closed_info(conn: &ClosedConn, options: &ConnzOptions) -> ConnInfo {
    let detail = &conn.detail;
    let mut info = common_info(&conn.stats, detail.clone(), conn.stop, options);
    info.stop = Some(Timestamp(conn.stop));
    info.reason.clone_from(&conn.reason);
    info.jwt.clone_from(&detail.jwt);
    info.issuer_key.clone_from(&detail.issuer_key);
    info.tags.clone_from(&detail.tags);
    if options.subscriptions_detail {
        let subscriptions = detail.subscriptions.iter().cloned();
        info.subscriptions_list_detail = subscriptions.map(|sub| SubDetail::of_closed(sub, info.cid)).collect();
    }
    if !info.account.is_empty() {
        info.name_tag.clone_from(&detail.name_tag);
    }
    info
}

fn common_info(stats: &ConnStats, detail: ConnDetail, now: SystemTime, options: &ConnzOptions) -> ConnInfo {
    let tls = detail.tls.unwrap_or_default();
    let subjects = options.subscriptions && !options.subscriptions_detail;
    let (user, account) = if options.auth { (detail.user, detail.account) } else { Default::default() };
    ConnInfo {
        cid: stats.cid,
        kind: kind_name(detail.kind),
        conn_type: type_name(detail.conn_type),
        ip: detail.ip,
        port: detail.port,
        start: Timestamp(stats.start),
        last_activity: Timestamp(stats.last_activity),
        stop: None,
        reason: String::new(),
        rtt: round_trip(stats.rtt),
        uptime: uptime(between(stats.start, now)),
        idle: uptime(between(stats.last_activity, now)),
        pending_bytes: stats.pending_bytes,
        in_msgs: stats.in_msgs,
        out_msgs: stats.out_msgs,
        in_bytes: stats.in_bytes,
        out_bytes: stats.out_bytes,
        stalls: stats.stalls,
        subscriptions: stats.subscriptions,
        name: detail.name,
        lang: detail.lang,
        version: detail.version,
        tls_version: tls.version,
        tls_cipher_suite: tls.cipher_suite,
        tls_peer_certs: Vec::new(),
        tls_first: tls.first,
        authorized_user: user,
        account: if account == GLOBAL_ACCOUNT { String::new() } else { account },
        subscriptions_list: if subjects {
            detail.subscriptions.iter().map(|sub| sub.subject.clone()).collect()
        } else {
            Vec::new()
        },
        subscriptions_list_detail: if options.subscriptions_detail {
            detail.subscriptions.into_iter().map(|sub| SubDetail::of_open(sub, stats.cid)).collect()
        } else {
            Vec::new()
        },
        jwt: String::new(),
        issuer_key: String::new(),
        name_tag: String::new(),
        tags: Vec::new(),
        mqtt_client: detail.mqtt_client,
        proxy: detail.proxy_key.map(|key| ProxyInfo { key }),
    }
}

fn kind_name(kind: ConnKind) -> &'static str {
    match kind {
        ConnKind::Client => "Client",
        ConnKind::Leafnode => "Leafnode",
    }
}

fn type_name(conn_type: Option<ConnType>) -> &'static str {
    match conn_type {
        None => "",
        Some(ConnType::Nats) => "nats",
        Some(ConnType::Websocket) => "websocket",
        Some(ConnType::Mqtt) => "mqtt",
    }
}
