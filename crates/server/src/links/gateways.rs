//! Other clusters: the listener they connect to, and connecting to them.

use std::collections::HashMap;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use martlet_broker::peer::{Control, Kind};
use martlet_broker::{Broker, Peer};
use martlet_cluster::gateway::{Facts, Outward, Place};
use martlet_cluster::orders::Attempts;
use martlet_cluster::{GatewayDial, GatewayDriver, Gateways, Order, Orders};
use martlet_config::options::{Gateway, LinkUrl};
use martlet_config::reload::Change;
use martlet_config::{Options, advertise};
use martlet_net::tls::{self, Client, Server, TlsError};
use martlet_net::{DialError, LinkFacts, Links, Origin, Terms, clock};
use martlet_proto::ClosedReason;
use parking_lot::RwLock;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::routes::DIAL;
use super::{RouteLinks, addresses};
use crate::running::is_pinned;
use crate::server::{StartError, bind};

/// The gateways of a running server.
#[derive(Debug)]
pub(crate) struct GatewayLinks {
    pub(crate) gateways: Arc<Gateways>,
    broker: Arc<Broker>,
    links: Arc<Links>,
    tls: RwLock<GatewayTls>,
    max_pending: usize,
}

/// TLS of both directions.
#[derive(Debug, Clone, Default)]
struct GatewayTls {
    server: Option<Arc<Server>>,
    client: Option<Arc<Client>>,
    /// Towards clusters with a block of their own.
    clients: HashMap<String, Arc<Client>>,
}

impl GatewayTls {
    // spec: CFG-165 CFG-166
    fn load(gateway: &Gateway) -> Result<Self, TlsError> {
        let block = gateway.tls.as_ref();
        let server = block.map(|block| Server::load(&tls::mutual(block))).transpose()?.map(Arc::new);
        let client = block.map(Client::load).transpose()?.map(Arc::new);
        let mut clients = HashMap::new();
        for remote in &gateway.remotes {
            if let Some(block) = &remote.tls {
                clients.insert(remote.name.clone(), Arc::new(Client::load(block)?));
            }
        }
        Ok(Self { server, client, clients })
    }
}

/// TLS of gateways as read for a reload.
pub(crate) struct Fresh(GatewayTls);

/// Gateways that are prepared: bound, and with orders to take.
pub(crate) struct PreparedGateways {
    gateway_links: Arc<GatewayLinks>,
    listener: TcpListener,
    orders: UnboundedReceiver<Order>,
}

impl GatewayLinks {
    /// Binds the listener, if there are to be gateways. Nobody is accepted and nobody dialled before
    /// [`PreparedGateways::open`].
    pub(crate) fn prepare(
        options: &Options,
        broker: &Arc<Broker>,
        links: &Arc<Links>,
    ) -> Result<Option<PreparedGateways>, StartError> {
        let Some(gateway) = &options.gateway else { return Ok(None) };
        let listener = bind(&gateway.host, gateway.port).map_err(StartError::Gateways)?;
        let address = listener.local_addr().map_err(StartError::Loops)?;
        log::info!("Gateway name is {}", gateway.name);
        broker.set_cluster_name(&gateway.name);
        let shown = addresses::join(&gateway.host, address.port().into());
        log::info!("Listening for gateways connections on {shown}");
        let tls = GatewayTls::load(gateway)?;
        let blocks = gateway.tls.iter().chain(gateway.remotes.iter().filter_map(|remote| remote.tls.as_ref()));
        if blocks.into_iter().any(|block| block.insecure) {
            log::warn!("{INSECURE}");
        }
        let place = place(gateway, address.port())?;
        let (give, orders) = unbounded_channel();
        // The receiver lives as long as the server: nobody else would do what is ordered.
        let give = Orders::new(Box::new(move |order| drop(give.send(order))));
        let gateways = Arc::new(Gateways::new(broker.clone(), give, options, &place));
        let max_pending = super::max_pending(options);
        let (broker, links) = (broker.clone(), links.clone());
        let gateway_links = Arc::new(Self { gateways, broker, links, tls: RwLock::new(tls), max_pending });
        Ok(Some(PreparedGateways { gateway_links, listener, orders }))
    }

    /// Reads what TLS of gateways is to be after a reload; nothing changes yet.
    pub(crate) fn check(options: &Options) -> Result<Fresh, TlsError> {
        Ok(Fresh(options.gateway.as_ref().map(GatewayTls::load).transpose()?.unwrap_or_default()))
    }

    /// Puts other certificates in force for connections to come; those that are no longer pinned go.
    // spec: CFG-022
    pub(crate) fn reload(&self, options: &Options, fresh: Fresh, changes: &[Change]) {
        *self.tls.write() = fresh.0;
        let tls = options.gateway.as_ref().and_then(|gateway| gateway.tls.as_ref());
        let pinned = tls.map(|tls| tls.pinned_certs.as_slice()).unwrap_or_default();
        if pinned.is_empty()
            || !changes.iter().any(|change| matches!(change, Change::GatewayTls { pinned_certs: true }))
        {
            return;
        }
        let outbound = self.gateways.outbound().into_iter().map(|of| of.link);
        for link in outbound.chain(self.gateways.inbound().into_iter().map(|of| of.link)) {
            if !is_pinned(&link.peer, pinned) {
                link.peer.request(Control::Close(ClosedReason::TlsHandshakeError, None));
            }
        }
    }

    /// When the certificate runs out that other clusters are shown.
    // spec: SEC-073
    pub(crate) fn cert_not_after(&self) -> Option<SystemTime> {
        self.tls.read().server.as_ref().map(|server| server.not_after)
    }

    fn accepted(&self) -> Terms {
        self.terms(Origin::Accepted(self.tls.read().server.clone()))
    }

    fn dialled(&self, cluster: &str, url: &LinkUrl) -> Result<Terms, TlsError> {
        let tls = self.tls.read().clone();
        let encrypted = match tls.clients.get(cluster).cloned().or(tls.client) {
            Some(client) => {
                let known_as = self.gateways.host_name(cluster);
                Some((client, tls::server_name(&url.host, known_as.as_deref())?))
            }
            None => None,
        };
        Ok(self.terms(Origin::Dialled(encrypted)))
    }

    fn terms(&self, origin: Origin) -> Terms {
        Terms { kind: Kind::Gateway, max_pending: self.max_pending, origin }
    }

    /// Makes drivers of connections dialled like that.
    fn maker(
        self: &Arc<Self>,
        dialled: Option<Outward>,
    ) -> impl Fn(Arc<Peer>, LinkFacts) -> GatewayDriver + Clone + Send + use<> {
        let this = self.clone();
        move |peer, _| {
            let facts = Facts { dialled: dialled.clone(), seed: fastrand::u64(..) };
            this.gateways.drive(&this.broker, peer, facts, clock::now())
        }
    }

    /// Connects as ordered, as often as it takes or is allowed.
    // spec: CLU-043
    async fn connect(self: Arc<Self>, order: GatewayDial) {
        tokio::time::sleep(order.after).await;
        let options = &self.gateways.own().options;
        let configured = self.gateways.is_configured(&order.cluster);
        let mut attempts = Attempts::new(None, options.connect_backoff);
        let kind = if configured { "explicit" } else { "implicit" };
        loop {
            let urls = self.gateways.urls(&order.cluster, &mut fastrand::Rng::new());
            if urls.is_empty() {
                return;
            }
            let attempt = attempts.made() + 1;
            let pause = attempts.failed().unwrap_or(PAUSE);
            let every = self.broker.settings().0.timing.error_reports(order.again);
            let level = if attempts.is_worth_telling(every) { log::Level::Error } else { log::Level::Debug };
            for url in urls {
                let (cluster, at) = (&order.cluster, url.address());
                log::debug!("Connecting to {kind} gateway {cluster:?} ({at}) (attempt {attempt})");
                match self.try_one(&order.cluster, &url).await {
                    Ok(()) => return,
                    Err(error) => {
                        log::log!(
                            level,
                            "Error connecting to {kind} gateway {cluster:?} ({at}) (attempt {attempt}): {error}"
                        );
                    }
                }
            }
            let given_up = !configured && attempt > options.connect_retries;
            if given_up && self.gateways.give_up(&order.cluster) {
                return;
            }
            tokio::time::sleep(pause).await;
        }
    }

    async fn try_one(self: &Arc<Self>, cluster: &Arc<str>, url: &LinkUrl) -> Result<(), ConnectError> {
        let whom = martlet_net::Dial {
            host: url.host.clone(),
            port: url.port.unwrap_or(0),
            shuffled: true,
            avoid: Vec::new(),
            timeout: DIAL,
            user_timeout: Some(self.gateways.own().silence_limit()),
        };
        let (stream, remote) = martlet_net::dial(&whom).await?;
        let terms = self.dialled(cluster, url)?;
        let make = self.maker(Some(Outward { cluster: cluster.clone(), url: url.clone() }));
        drop(self.links.run(stream, remote, terms, make));
        Ok(())
    }
}

/// Why a server of another cluster was not reached.
#[derive(Debug, thiserror::Error)]
enum ConnectError {
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl PreparedGateways {
    /// The other clusters.
    pub(crate) fn links(&self) -> Arc<GatewayLinks> {
        self.gateway_links.clone()
    }

    /// How other members of the cluster tell of this server's gateway.
    pub(crate) fn url(&self) -> &str {
        self.gateway_links.gateways.own().url()
    }

    /// Accepts other clusters, and connects to those that are configured.
    pub(crate) fn open(self, runtime: &Handle, routes: Option<&RouteLinks>) {
        let Self { gateway_links, listener, mut orders } = self;
        if let Some(routes) = routes {
            gateway_links.gateways.join(&routes.routes);
        }
        let accepting = gateway_links.clone();
        runtime.spawn(async move {
            match tokio::net::TcpListener::from_std(listener) {
                Ok(listener) => {
                    let make = accepting.maker(None);
                    let terms = || accepting.accepted();
                    martlet_net::listen_links(listener, accepting.links.clone(), terms, make).await;
                }
                Err(error) => log::error!("gateways cannot be accepted: {error}"),
            }
        });
        let dialling = gateway_links.clone();
        runtime.spawn(async move {
            while let Some(order) = orders.recv().await {
                if let Order::Gateway(dial) = order {
                    tokio::spawn(dialling.clone().connect(dial));
                }
            }
        });
        gateway_links.gateways.solicit();
    }
}

/// The pause where there is nothing else to go by.
const PAUSE: Duration = Duration::from_secs(1);

const INSECURE: &str =
    "TLS certificate chain and hostname of solicited gateways will not be verified. DO NOT USE IN PRODUCTION!";

/// Where this server is, as other clusters are to see it.
fn place(gateway: &Gateway, port: u16) -> Result<Place, StartError> {
    if let Some(value) = &gateway.advertise {
        let (host, port) = advertise::parse(value, port).map_err(|reason| StartError::Advertise {
            block: "gateway",
            value: value.clone(),
            reason,
        })?;
        return Ok(Place { host: host.to_owned(), port: u16::try_from(port).unwrap_or_default() });
    }
    Ok(Place { host: addresses::one(&gateway.host), port })
}
