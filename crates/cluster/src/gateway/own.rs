//! What this server says of itself to other clusters, and the options in force.

use std::time::Duration;

use martlet_broker::Broker;
use martlet_broker::driver::WriteRules;
use martlet_broker::keepalive::Policy;
use martlet_broker::peer::Kind;
use martlet_config::Options;
use martlet_config::options::{Gateway, LinkUrl};
use martlet_proto::Info;
use martlet_proto::link::{GatewayCommand, LinkConnect, LinkKind, encode};

/// Pings between clusters are never further apart.
const LONGEST_PING: Duration = Duration::from_secs(15);

/// The protocol version that servers tell each other: messages are traced.
// spec: CLU-004
pub(super) const LINK_PROTOCOL: i64 = 3;

/// Where this server is, as other clusters are to see it.
#[derive(Debug, Clone, Default)]
pub struct Place {
    /// The host of the gateway listener, or the one advertised.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// What this server says of itself to other clusters, and the options in force.
#[derive(Debug)]
pub struct Own {
    /// The `gateway` block.
    pub options: Gateway,
    /// INFO without the addresses of the cluster's other servers.
    pub(crate) info: Info,
    pub(crate) policy: Policy,
    pub(crate) write: WriteRules,
    pub(crate) max_control_line: usize,
}

impl Own {
    /// What `options` make of this server.
    // spec: CLU-040 CLU-049
    pub(crate) fn new(broker: &Broker, options: &Options, place: &Place) -> Self {
        let gateway = options.gateway.clone().unwrap_or_default();
        let identity = broker.identity();
        let (settings, _) = broker.settings();
        let tls = gateway.tls.is_some();
        let info = Info {
            server_id: identity.id.clone(),
            server_name: identity.name.clone(),
            version: identity.version.into(),
            proto: LINK_PROTOCOL,
            host: place.host.clone(),
            port: place.port.into(),
            headers: settings.info.headers,
            auth_required: gateway.login.user.is_some(),
            tls_required: tls,
            tls_verify: tls,
            max_payload: settings.info.max_payload,
            gateway: gateway.name.clone(),
            gateway_url: address(&place.host, place.port),
            gateway_nrp: true,
            gateway_iom: true,
            ..Info::default()
        };
        let timing = &settings.timing;
        let policy = Policy { interval: timing.ping_interval.min(LONGEST_PING), max_outstanding: timing.ping_max };
        let write = WriteRules {
            deadline: gateway.write_deadline.unwrap_or(timing.write_deadline),
            timeout: Kind::Gateway.write_timeout(gateway.write_timeout),
        };
        let max_control_line = options.limits.max_control_line as usize;
        Self { options: gateway, info, policy, write, max_control_line }
    }

    /// This cluster's name.
    pub fn name(&self) -> &str {
        &self.options.name
    }

    /// Where this server is, as other clusters are told.
    pub fn place(&self) -> (&str, u16) {
        (&self.info.host, u16::try_from(self.info.port).unwrap_or_default())
    }

    /// Where this server's gateway is.
    pub fn url(&self) -> &str {
        &self.info.gateway_url
    }

    /// How long another cluster's server may be silent.
    pub fn silence_limit(&self) -> Duration {
        self.policy.interval * (self.policy.max_outstanding + 1)
    }

    /// CONNECT to a server that is known by `url`, encrypted or not.
    // spec: CLU-041 CLU-198
    pub(crate) fn connect(&self, url: &LinkUrl, tls_required: bool) -> LinkConnect {
        let login = &self.options.login;
        let (user, password) = match &url.user {
            Some(user) => (Some(user), url.password.as_ref()),
            None => (login.user.as_ref(), login.password.as_ref()),
        };
        LinkConnect {
            user: user.cloned().unwrap_or_default(),
            pass: password.map(|password| password.expose().to_owned()).unwrap_or_default(),
            tls_required,
            name: self.info.server_id.clone(),
            gateway: self.options.name.clone(),
            ..LinkConnect::default()
        }
    }

    /// What is said before and after all interest of an account.
    // spec: CLU-042 CLU-199
    pub(crate) fn command(&self, command: GatewayCommand, account: &str) -> Vec<u8> {
        info_line(&Info {
            gateway: self.options.name.clone(),
            gateway_cmd: command.code(),
            gateway_cmd_payload: account.into(),
            ..Info::default()
        })
    }

    /// What is passed on of a cluster, within this one or to others.
    // spec: CLU-042 CLU-197
    pub(crate) fn gossip(&self, within: bool, cluster: &str, urls: Vec<String>) -> Vec<u8> {
        let id = &self.info.server_id;
        info_line(&Info {
            server_id: if within { format!("GW{id}") } else { id.clone() },
            gateway: cluster.to_owned(),
            gateway_urls: urls,
            gateway_cmd: GatewayCommand::Gossip.code(),
            ..Info::default()
        })
    }
}

/// An INFO line.
pub(crate) fn info_line(info: &Info) -> Vec<u8> {
    let mut line = Vec::new();
    encode::info(&mut line, LinkKind::Gateway, info);
    line
}

/// `host:port`, IPv6 in brackets.
pub(crate) fn address(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}
