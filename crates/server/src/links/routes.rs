//! Members of this cluster: the listener they connect to, and connecting to them.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use martlet_broker::peer::{Control, Kind};
use martlet_broker::{Broker, Peer};
use martlet_cluster::orders::Attempts;
use martlet_cluster::route::{Facts, Member};
use martlet_cluster::{Dial, Dialled, Order, Orders, RouteDriver, Routes};
use martlet_config::options::Tls;
use martlet_config::reload::{Change, ClusterChange};
use martlet_config::{Options, advertise};
use martlet_net::tls::{self, Client, Server, TlsError};
use martlet_net::{DialError, LinkFacts, Links, Origin, Terms, clock};
use martlet_proto::ClosedReason;
use parking_lot::RwLock;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{addresses, cluster_name};
use crate::running::is_pinned;
use crate::server::{StartError, bind};

/// How long a member may take to accept a connection.
pub(super) const DIAL: Duration = Duration::from_secs(1);

/// Why a server does not connect to itself.
const DUPLICATE: ClosedReason = ClosedReason::DuplicateRoute;

/// The routes of a running server.
#[derive(Debug)]
pub(crate) struct RouteLinks {
    pub(crate) routes: Arc<Routes>,
    pub(crate) address: SocketAddr,
    broker: Arc<Broker>,
    links: Arc<Links>,
    tls: RwLock<Option<RouteTls>>,
    max_pending: usize,
}

/// TLS of both directions.
#[derive(Debug, Clone)]
struct RouteTls {
    server: Arc<Server>,
    client: Arc<Client>,
}

impl RouteTls {
    fn new(block: &Tls) -> Result<Self, TlsError> {
        Ok(Self { server: Arc::new(Server::load(&tls::mutual(block))?), client: Arc::new(Client::load(block)?) })
    }
}

/// TLS of routes as read for a reload.
pub(crate) struct Fresh(Option<RouteTls>);

/// Routes that are prepared: bound, and with orders to take.
pub(crate) struct Prepared {
    route_links: Arc<RouteLinks>,
    listener: TcpListener,
    orders: UnboundedReceiver<Order>,
}

impl RouteLinks {
    /// Binds the listener, if there is to be a cluster. Nobody is accepted and nobody dialled before [`Prepared::open`].
    pub(crate) fn prepare(
        options: &Options,
        broker: &Arc<Broker>,
        links: &Arc<Links>,
        client_port: u16,
        (leafnode_url, gateway_url): (Option<String>, Option<String>),
    ) -> Result<Option<Prepared>, StartError> {
        let Some(cluster) = options.clustered() else { return Ok(None) };
        let (name, dynamic) = cluster_name(options);
        log::info!("Cluster name is {name}");
        if dynamic {
            log::warn!("Cluster name was dynamically generated, consider setting one");
        }
        let listener = bind(&cluster.host, cluster.port).map_err(StartError::Routes)?;
        let address = listener.local_addr().map_err(StartError::Loops)?;
        log::info!("Listening for route connections on {}", addresses::join(&cluster.host, address.port().into()));
        let tls = cluster.tls.as_ref().map(RouteTls::new).transpose()?;
        if cluster.tls.as_ref().is_some_and(|tls| tls.insecure) {
            log::warn!("{INSECURE}");
        }
        let (leafnode_url, gateway_url) = (leafnode_url.unwrap_or_default(), gateway_url.unwrap_or_default());
        let member = Member { leafnode_url, gateway_url, ..member(options, address.port(), client_port)? };
        let (give, orders) = unbounded_channel();
        // The receiver lives as long as the server: nobody else would do what is ordered.
        let give = Orders::new(Box::new(move |order| drop(give.send(order))));
        let routes = Arc::new(Routes::new(broker.clone(), give, options, member, (&name, dynamic)));
        let max_pending = super::max_pending(options);
        let (broker, links) = (broker.clone(), links.clone());
        let route_links = Arc::new(Self { routes, address, broker, links, tls: RwLock::new(tls), max_pending });
        Ok(Some(Prepared { route_links, listener, orders }))
    }

    /// Reads what TLS of routes is to be after a reload; nothing changes yet.
    pub(crate) fn check(options: &Options) -> Result<Fresh, TlsError> {
        let tls = options.clustered().and_then(|cluster| cluster.tls.as_ref());
        Ok(Fresh(tls.map(RouteTls::new).transpose()?))
    }

    /// Puts new options in force, which the broker has taken on.
    // spec: CFG-151
    pub(crate) fn reload(&self, options: &Options, fresh: Fresh, changes: &[Change], client_port: u16) {
        *self.tls.write() = fresh.0;
        let own = options.clustered();
        let has_changed = |what: fn(&ClusterChange) -> bool| {
            changes.iter().any(|change| matches!(change, Change::Cluster(cluster) if what(cluster)))
        };
        if has_changed(|cluster| cluster.tls) && own.and_then(|own| own.tls.as_ref()).is_some_and(|tls| tls.insecure) {
            log::warn!("{INSECURE}");
        }
        match member(options, self.address.port(), client_port) {
            Ok(member) => {
                let request: String = (0..22).map(|_| fastrand::alphanumeric()).collect();
                self.routes.reload(options, member, changes, &request);
            }
            // The comparison with the options before has looked at it.
            Err(error) => log::error!("{error}"),
        }
        let pinned = own.and_then(|own| own.tls.as_ref()).map(|tls| tls.pinned_certs.as_slice()).unwrap_or_default();
        if has_changed(|cluster| cluster.pinned_certs) && !pinned.is_empty() {
            for route in self.routes.list() {
                if !is_pinned(&route.link.peer, pinned) {
                    route.link.peer.request(Control::Close(ClosedReason::TlsHandshakeError, None));
                }
            }
        }
    }

    /// When the certificate runs out that members are shown.
    // spec: SEC-073
    pub(crate) fn cert_not_after(&self) -> Option<SystemTime> {
        self.tls.read().as_ref().map(|tls| tls.server.not_after)
    }

    fn terms(&self, dialled: Option<&Dialled>) -> Result<Terms, TlsError> {
        let tls = self.tls.read().clone();
        let origin = match (dialled, tls) {
            (None, tls) => Origin::Accepted(tls.map(|tls| tls.server)),
            (Some(_), None) => Origin::Dialled(None),
            (Some(dialled), Some(tls)) => {
                let own = self.routes.own();
                let is_name = |host: &&str| host.parse::<IpAddr>().is_err();
                let known_as = own.options.routes.iter().map(|url| url.host.as_str()).find(is_name);
                let name = tls::server_name(&dialled.url.host, known_as)?;
                Origin::Dialled(Some((tls.client, name)))
            }
        };
        Ok(Terms { kind: Kind::Route, max_pending: self.max_pending, origin })
    }

    /// Makes drivers of connections dialled like that.
    fn maker(
        self: &Arc<Self>,
        dialled: Option<Dialled>,
    ) -> impl Fn(Arc<Peer>, LinkFacts) -> RouteDriver + Clone + Send + use<> {
        let this = self.clone();
        move |peer, facts| {
            let facts = Facts {
                dialled: dialled.clone(),
                remote_ip: facts.remote.ip().to_string(),
                seed: fastrand::u64(..),
                nonce: facts.nonce,
            };
            this.routes.drive(&this.broker, peer, facts, clock::now())
        }
    }

    /// Connects as ordered, as often as it takes or is allowed.
    // spec: CLU-021
    async fn connect(self: Arc<Self>, order: Dial) {
        tokio::time::sleep(order.after).await;
        let own = self.routes.own();
        let Dialled { url, explicit, .. } = &order.as_;
        let retries = (!explicit).then_some(own.options.connect_retries);
        let mut attempts = Attempts::new(retries, own.options.connect_backoff);
        let whom = martlet_net::Dial {
            host: url.host.clone(),
            port: url.port.unwrap_or(0),
            shuffled: true,
            avoid: addresses::own(self.address.port()),
            timeout: DIAL,
            user_timeout: Some(own.silence_limit()),
        };
        while self.routes.is_wanted(&order.as_) {
            log::debug!("Trying to connect to route on {}", url.address());
            let error = match martlet_net::dial(&whom).await {
                Ok((stream, remote)) => match self.terms(Some(&order.as_)) {
                    Ok(terms) => {
                        let make = self.maker(Some(order.as_.clone()));
                        drop(self.links.run(stream, remote, terms, make));
                        return;
                    }
                    Err(error) => return log::error!("route {} cannot be encrypted: {error}", order.as_.url),
                },
                Err(DialError::Avoided { .. }) => {
                    // spec: CLU-008
                    log::info!("Route {} leads to this server itself: {}", url.address(), DUPLICATE.as_str());
                    return;
                }
                Err(error) => error,
            };
            let pause = attempts.failed();
            let every = self.broker.settings().0.timing.error_reports(order.again);
            let level = if attempts.is_worth_telling(every) { log::Level::Error } else { log::Level::Debug };
            log::log!(level, "Error trying to connect to route (attempt {}): {error}", attempts.made());
            match pause {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return,
            }
        }
    }
}

impl Prepared {
    /// The routes.
    pub(crate) fn links(&self) -> Arc<RouteLinks> {
        self.route_links.clone()
    }

    /// Accepts members, and connects to those that are configured.
    pub(crate) fn open(self, runtime: &Handle) {
        let Self { route_links, listener, mut orders } = self;
        let accepting = route_links.clone();
        runtime.spawn(async move {
            match tokio::net::TcpListener::from_std(listener) {
                Ok(listener) => {
                    let make = accepting.maker(None);
                    let terms = || accepting.terms(None).expect("whoever accepts looks for no name");
                    martlet_net::listen_links(listener, accepting.links.clone(), terms, make).await;
                }
                Err(error) => log::error!("routes cannot be accepted: {error}"),
            }
        });
        let dialling = route_links.clone();
        runtime.spawn(async move {
            while let Some(Order::Route(dial)) = orders.recv().await {
                tokio::spawn(dialling.clone().connect(dial));
            }
        });
        route_links.routes.solicit();
    }
}

const INSECURE: &str =
    "TLS certificate chain and hostname of solicited routes will not be verified. DO NOT USE IN PRODUCTION!";

/// Where this server is, as other members are to see it.
fn member(options: &Options, port: u16, client_port: u16) -> Result<Member, StartError> {
    let cluster = options.clustered().cloned().unwrap_or_default();
    let (host, told, advertised) = match &cluster.advertise {
        Some(value) => {
            let (host, port) = advertise::parse(value, port).map_err(|reason| StartError::Advertise {
                block: "cluster",
                value: value.clone(),
                reason,
            })?;
            (host.to_owned(), port, true)
        }
        None => (cluster.host.clone(), port.into(), false),
    };
    Ok(Member {
        host,
        port: u16::try_from(told).unwrap_or(port),
        advertised,
        connect_urls: addresses::connect_urls(options, client_port),
        ..Member::default()
    })
}
