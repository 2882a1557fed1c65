//! What this server says of itself to other members, and the options in force.

use std::sync::Arc;
use std::time::Duration;

use martlet_auth::nkey;
use martlet_broker::Broker;
use martlet_broker::driver::WriteRules;
use martlet_broker::keepalive::Policy;
use martlet_broker::peer::Kind;
use martlet_config::Options;
use martlet_config::options::{Cluster, Compression, LinkPermissions, SubjectPermission};
use martlet_proto as proto;
use martlet_proto::Info;
use martlet_proto::link::{LinkConnect, LinkKind, encode};

use crate::compression;

/// Pings on routes are never further apart.
const LONGEST_PING: Duration = Duration::from_secs(30);

/// Where this server is, as the others are to see it.
#[derive(Debug, Clone, Default)]
pub struct Member {
    /// The host of the route listener, or the one advertised.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether host and port are advertised instead of what the connection shows.
    pub advertised: bool,
    /// `host:port` of this server's client listener.
    pub connect_urls: Vec<String>,
    /// `host:port` of its gateway listener.
    pub gateway_url: String,
    /// `host:port` of its leaf node listener.
    pub leafnode_url: String,
}

/// What this server says of itself to other members, and the options in force; replaced as a whole by a reload.
#[derive(Debug, Clone)]
pub struct Own {
    /// The `cluster` block.
    pub options: Cluster,
    /// Accounts with connections of their own.
    pub pinned: Vec<Arc<str>>,
    /// INFO without what differs from connection to connection.
    pub(crate) info: Info,
    pub(crate) policy: Policy,
    pub(crate) write: WriteRules,
    pub(crate) max_control_line: usize,
}

impl Own {
    /// What `options` make of this server; `name` is its cluster's, made up if `dynamic`.
    pub(crate) fn new(broker: &Broker, options: &Options, member: &Member, (name, dynamic): (&str, bool)) -> Self {
        let cluster = options.cluster.clone().unwrap_or_default();
        let identity = broker.identity();
        let (settings, _) = broker.settings();
        let tls = cluster.tls.is_some();
        let info = Info {
            proto: LINK_PROTOCOL,
            host: member.host.clone(),
            port: member.port.into(),
            headers: settings.info.headers,
            auth_required: cluster.login.user.is_some(),
            tls_required: tls,
            tls_verify: tls,
            max_payload: settings.info.max_payload,
            jetstream: false,
            ip: if member.advertised { route_url(&member.host, member.port.into()) } else { String::new() },
            cluster: name.to_owned(),
            cluster_dynamic: dynamic,
            connect_urls: if cluster.no_advertise { Vec::new() } else { member.connect_urls.clone() },
            import: cluster.permissions.as_ref().map(|p| told(&p.import)),
            export: cluster.permissions.as_ref().map(|p| told(&p.export)),
            lnoc: true,
            lnocu: true,
            ln: true,
            route_pool_size: i64::from(cluster.pool_size.max(0)),
            gateway_url: member.gateway_url.clone(),
            leafnode_urls: Some(member.leafnode_url.clone()).filter(|url| !url.is_empty()).into_iter().collect(),
            ..identity.info()
        };
        let timing = &settings.timing;
        let policy = Policy {
            interval: cluster.ping_interval.unwrap_or(timing.ping_interval).min(LONGEST_PING),
            max_outstanding: cluster.ping_max.unwrap_or(timing.ping_max),
        };
        let write = WriteRules {
            deadline: cluster.write_deadline.unwrap_or(timing.write_deadline),
            timeout: Kind::Route.write_timeout(cluster.write_timeout),
        };
        let pinned = options.pinned_accounts().into_iter().map(Arc::from).collect();
        let max_control_line = options.limits.max_control_line as usize;
        Self { options: cluster, pinned, info, policy, write, max_control_line }
    }

    /// How long another member may be silent.
    // spec: CLU-031
    pub fn silence_limit(&self) -> Duration {
        self.policy.interval * (self.policy.max_outstanding + 1)
    }

    /// The cluster's name, and whether it is made up.
    pub fn name(&self) -> (&str, bool) {
        (&self.info.cluster, self.info.cluster_dynamic)
    }

    /// How many connections to each other member there are to be for the accounts that share them; none in one that
    /// knows no pools.
    pub(crate) fn pool_size(&self) -> usize {
        usize::try_from(self.options.pool_size).unwrap_or(0)
    }

    /// Whether an account has connections of its own.
    pub(crate) fn is_pinned(&self, account: &str) -> bool {
        self.options.pool_size >= 0 && self.pinned.iter().any(|pinned| **pinned == *account)
    }

    /// Whether whoever dials waits for INFO before it sends its own.
    pub(crate) fn delays_info(&self, account: Option<&str>) -> bool {
        compression::is_negotiated(&self.options.compression) || account.is_none() && self.options.pool_size >= 1
    }

    /// What interest this server asks for and takes.
    pub(crate) fn permissions(&self) -> Option<&LinkPermissions> {
        self.options.permissions.as_ref()
    }

    /// INFO as it begins.
    pub(crate) fn greeting(&self, what: &Greeting<'_>) -> Info {
        // The other side reads `s2_auto` there, whatever level is in use.
        let compression = match (&self.options.compression, what.compression) {
            (Compression::S2Auto(_), _) => "s2_auto",
            (Compression::NotSupported, _) => "",
            (own, None) => own.name(),
            (_, Some(agreed)) => agreed,
        };
        Info {
            nonce: String::from_utf8_lossy(&nkey::nonce(what.nonce)).into_owned(),
            route_account: what.account.unwrap_or_default().to_owned(),
            route_pool_idx: i64::try_from(what.index).unwrap_or(0),
            compression: compression.to_owned(),
            gossip_mode: what.gossip,
            ..self.info.clone()
        }
    }

    /// CONNECT, to a server whose URL names this user and password.
    pub(crate) fn connect(&self, user: Option<&str>, password: Option<&str>) -> LinkConnect {
        LinkConnect {
            echo: true,
            user: user.unwrap_or_default().to_owned(),
            pass: password.unwrap_or_default().to_owned(),
            tls_required: self.options.tls.is_some(),
            headers: self.info.headers,
            name: self.info.server_id.clone(),
            cluster: self.info.cluster.clone(),
            cluster_dynamic: self.info.cluster_dynamic,
            lnoc: true,
            ln: true,
            ..LinkConnect::default()
        }
    }
}

/// The protocol version that servers tell each other: messages are traced.
// spec: CLU-004
pub(super) const LINK_PROTOCOL: i64 = 3;

/// What differs from one INFO to another.
pub(crate) struct Greeting<'a> {
    pub(crate) account: Option<&'a str>,
    pub(crate) compression: Option<&'a str>,
    pub(crate) index: usize,
    pub(crate) gossip: u8,
    pub(crate) nonce: [u8; 11],
}

/// An INFO line.
pub(crate) fn info_line(info: &Info) -> Vec<u8> {
    let mut line = Vec::new();
    encode::info(&mut line, LinkKind::Route, info);
    line
}

/// The URL of a member.
pub(crate) fn route_url(host: &str, port: i64) -> String {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    format!("nats-route://{host}:{port}/")
}

fn told(permission: &SubjectPermission) -> proto::SubjectPermission {
    let texts = |list: &[martlet_config::options::PermissionSubject]| list.iter().map(|s| s.subject.clone()).collect();
    proto::SubjectPermission {
        allow: permission.allow.as_deref().map(texts).unwrap_or_default(),
        deny: texts(&permission.deny),
    }
}
