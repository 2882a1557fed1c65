//! What this server says of itself to hubs and leaf nodes, and the options in force.

use std::time::Duration;

use martlet_auth::nkey;
use martlet_broker::Broker;
use martlet_broker::driver::WriteRules;
use martlet_broker::keepalive::Policy;
use martlet_broker::peer::Kind;
use martlet_config::Options;
use martlet_config::options::{Compression, LeafNodes};
use martlet_proto::API_LEVEL;
use martlet_proto::Info;
use martlet_proto::link::{LinkKind, encode};

/// Pings on links that are no client's are never further apart.
const LONGEST_PING: Duration = Duration::from_secs(30);
/// The protocol version that servers tell each other.
// spec: CLU-004
const LINK_PROTOCOL: i64 = 3;

/// Where the leaf node listener is, as leaf nodes are to see it.
#[derive(Debug, Clone, Default)]
pub struct Place {
    /// Its host, or the one advertised.
    pub host: String,
    /// Its port.
    pub port: u16,
}

impl Place {
    /// `host:port`, IPv6 in brackets.
    #[must_use]
    pub fn address(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        format!("{host}:{}", self.port)
    }
}

/// What this server says of itself, and the options in force; replaced as a whole by a reload.
#[derive(Debug)]
pub struct Own {
    /// The `leafnodes` block.
    pub options: LeafNodes,
    pub(super) info: Info,
    pub(super) policy: Policy,
    pub(super) write: WriteRules,
    pub(super) max_control_line: usize,
    pub(super) headers: bool,
    /// Where leaf nodes connect to, if they can.
    address: Option<String>,
}

/// What differs from one INFO of the listener to another.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Greeting<'a> {
    pub(super) compression: Option<&'a str>,
    pub(super) cid: u64,
    pub(super) nonce: Option<[u8; 11]>,
}

impl Own {
    /// What `options` make of this server, whose listener, if it has one, is at `place`.
    pub(super) fn new(broker: &Broker, options: &Options, place: Option<&Place>) -> Self {
        let leafnodes = options.leafnodes.clone().unwrap_or_default();
        let identity = broker.identity();
        let (settings, _) = broker.settings();
        let tls = leafnodes.tls.as_ref();
        let address = place.map(Place::address);
        let info = Info {
            proto: LINK_PROTOCOL,
            host: place.map(|place| place.host.clone()).unwrap_or_default(),
            port: place.map_or(0, |place| place.port.into()),
            headers: settings.info.headers,
            auth_required: true,
            tls_required: tls.is_some(),
            tls_verify: tls.is_some_and(|tls| tls.verify),
            max_payload: settings.info.max_payload,
            ip: address.clone().unwrap_or_default(),
            // Whether streams are on here or not.
            api_lvl: API_LEVEL,
            info_on_connect: true,
            ..identity.info()
        };
        let timing = &settings.timing;
        let policy = Policy { interval: timing.ping_interval.min(LONGEST_PING), max_outstanding: timing.ping_max };
        let write = WriteRules {
            deadline: leafnodes.write_deadline.unwrap_or(timing.write_deadline),
            timeout: Kind::Leaf.write_timeout(leafnodes.write_timeout),
        };
        let max_control_line = options.limits.max_control_line as usize;
        let headers = settings.info.headers;
        Self { options: leafnodes, info, policy, write, max_control_line, headers, address }
    }

    /// INFO as it is now.
    // spec: CLU-052 CLU-202
    pub(super) fn info(&self, broker: &Broker, what: Greeting<'_>) -> Info {
        let mut urls: Vec<String> = self.address.clone().into_iter().collect();
        if !self.options.no_advertise {
            for url in broker.leafnode_urls() {
                if !urls.contains(&url) {
                    urls.push(url);
                }
            }
        }
        let nonce = what.nonce.map(nkey::nonce);
        Info {
            client_id: what.cid,
            nonce: nonce.map(|nonce| String::from_utf8_lossy(&nonce).into_owned()).unwrap_or_default(),
            cluster: broker.site().about().cluster.clone().unwrap_or_default(),
            compression: what.compression.unwrap_or_default().to_owned(),
            leafnode_urls: urls,
            ..self.info.clone()
        }
    }

    /// How long whoever connects may take to say CONNECT.
    pub(super) fn patience(&self) -> Duration {
        self.options.authorization.connect_timeout(self.options.tls.as_ref())
    }

    /// How long the other side may be silent before it is given up.
    #[must_use]
    pub fn silence_limit(&self) -> Duration {
        self.policy.interval * (self.policy.max_outstanding + 1)
    }

    /// The pause after a failed attempt to connect.
    // spec: CLU-061
    #[must_use]
    pub fn pause(&self, dice: &mut fastrand::Rng) -> Duration {
        let interval = self.options.reconnect;
        let most = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX).max(1);
        interval + Duration::from_nanos(dice.u64(0..most))
    }
}

/// How compression is named in INFO before anything is agreed on.
pub(super) fn offered(compression: &Compression) -> Option<&'static str> {
    (*compression != Compression::NotSupported).then(|| compression.name())
}

/// An INFO line.
pub(super) fn info_line(info: &Info) -> Vec<u8> {
    let mut line = Vec::new();
    encode::info(&mut line, LinkKind::Leaf, info);
    line
}
