//! Leaf nodes and hubs: the listener that leaf nodes connect to, and connecting to the configured remotes.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use martlet_broker::peer::Kind;
use martlet_broker::{Broker, Peer};
use martlet_cluster::leaf::{Dialled, Facts, Place, Remote};
use martlet_cluster::orders::Attempts;
use martlet_cluster::{LeafDial, LeafDriver, Leafs, Order, Orders};
use martlet_config::options::{LeafNodes, LinkUrl, Tls};
use martlet_config::{Options, advertise};
use martlet_net::tls::{self, Client, Server, TlsError};
use martlet_net::{LinkFacts, Links, Origin, Terms, clock};
use parking_lot::RwLock;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::addresses;
use crate::server::{StartError, bind};

/// Where leaf nodes connect that name no port.
const PORT: u16 = 7422;

/// The leaf node links of a running server.
#[derive(Debug)]
pub(crate) struct LeafLinks {
    pub(crate) leafs: Arc<Leafs>,
    broker: Arc<Broker>,
    links: Arc<Links>,
    /// The port of the listener, if there is one.
    pub(crate) port: Option<u16>,
    tls: RwLock<LeafTls>,
    /// For remotes that have no `tls` block, but whose server asks for TLS.
    plain: OnceLock<Option<Arc<Client>>>,
    max_pending: usize,
}

/// TLS of the listener and of remotes, as the files were that the options name.
#[derive(Debug, Default)]
struct LeafTls {
    server: Option<Arc<Server>>,
    /// Remotes have blocks of their own, many of them the same one.
    clients: Vec<(Tls, Arc<Client>)>,
}

impl LeafTls {
    fn load(leafnodes: &LeafNodes) -> Result<Self, TlsError> {
        let server = leafnodes.tls.as_ref().map(Server::load).transpose()?.map(Arc::new);
        let mut found = Self { server, clients: Vec::new() };
        for block in leafnodes.remotes.iter().filter_map(|remote| remote.tls.as_ref()) {
            if found.client(block).is_none() {
                found.clients.push((block.clone(), Arc::new(Client::load(block)?)));
            }
        }
        Ok(found)
    }

    fn client(&self, block: &Tls) -> Option<Arc<Client>> {
        self.clients.iter().find(|(of, _)| of == block).map(|(_, client)| client.clone())
    }
}

/// Leaf node links that are prepared: bound, and with orders to take.
pub(crate) struct Prepared {
    leaf_links: Arc<LeafLinks>,
    listener: Option<TcpListener>,
    orders: UnboundedReceiver<Order>,
    /// Where leaf nodes of other members may connect to.
    pub(crate) url: Option<String>,
}

impl LeafLinks {
    /// Binds the listener, if there is to be one. Nobody is accepted and nobody dialled before [`Prepared::open`].
    // spec: CFG-168
    pub(crate) fn prepare(options: &Options, broker: &Arc<Broker>, links: &Arc<Links>) -> Result<Prepared, StartError> {
        let leafnodes = options.leafnodes.clone().unwrap_or_default();
        let listener = if leafnodes.port == 0 {
            None
        } else {
            Some(bind(&leafnodes.host, leafnodes.port).map_err(StartError::Leafs)?)
        };
        let address = listener.as_ref().map(TcpListener::local_addr).transpose().map_err(StartError::Loops)?;
        let place = address.map(|address| place(&leafnodes, address)).transpose()?;
        let tls = LeafTls::load(&leafnodes)?;
        // A server with remotes and no cluster is a cluster of its own.
        if options.clustered().is_none() && options.cluster_name.is_none() && !leafnodes.remotes.is_empty() {
            broker.set_cluster_name(&broker.identity().name.clone());
        }
        if leafnodes.remotes.iter().filter_map(|remote| remote.tls.as_ref()).any(|tls| tls.insecure) {
            log::warn!("{INSECURE}");
        }
        let url = place.as_ref().map(Place::address).filter(|_| !leafnodes.no_advertise);
        let (give, orders) = unbounded_channel();
        // The receiver lives as long as the server: nobody else would do what is ordered.
        let give = Orders::new(Box::new(move |order| drop(give.send(order))));
        let leafs = Arc::new(Leafs::new(broker.clone(), give, options, place, fastrand::u64(..)));
        let max_pending = super::max_pending(options);
        let (broker, links) = (broker.clone(), links.clone());
        let (tls, plain, port) = (RwLock::new(tls), OnceLock::new(), address.map(|address| address.port()));
        let leaf_links = Arc::new(Self { leafs, broker, links, port, tls, plain, max_pending });
        Ok(Prepared { leaf_links, listener, orders, url })
    }

    fn accepting(&self) -> Terms {
        let origin = Origin::Accepted(self.tls.read().server.clone());
        Terms { kind: Kind::Leaf, max_pending: self.max_pending, origin }
    }

    fn dialling(&self, remote: &Remote, url: &LinkUrl) -> Result<Terms, TlsError> {
        let client = match &remote.options().tls {
            Some(block) => {
                let known = self.tls.read().client(block);
                // A reload that is under way may have changed the remote and not yet this, or the other way round.
                Some(known.map_or_else(|| Client::load(block).map(Arc::new), Ok)?)
            }
            None => self.plain.get_or_init(without_block).clone(),
        };
        let name = || tls::server_name(&remote.server_name(url), None);
        let client = client.map(|client| Ok((client, name()?))).transpose()?;
        Ok(Terms { kind: Kind::Leaf, max_pending: self.max_pending, origin: Origin::Dialled(client) })
    }

    /// Makes drivers of connections dialled like that.
    fn maker(
        self: &Arc<Self>,
        dialled: Option<Dialled>,
    ) -> impl Fn(Arc<Peer>, LinkFacts) -> LeafDriver + Clone + Send + use<> {
        let this = self.clone();
        move |peer, facts| {
            let facts = Facts { dialled: dialled.clone(), seed: fastrand::u64(..), nonce: facts.nonce };
            this.leafs.drive(&this.broker, peer, facts, clock::now())
        }
    }

    /// Connects as ordered, for as long as it takes.
    // spec: CLU-061
    async fn connect(self: Arc<Self>, order: LeafDial) {
        let LeafDial { remote, after, again } = order;
        tokio::time::sleep(after).await;
        let mut attempts = Attempts::new(None, false);
        while self.leafs.is_wanted(&remote) {
            let own = self.leafs.own();
            let url = remote.next_url();
            let whom = martlet_net::Dial {
                host: url.host.clone(),
                port: url.port.unwrap_or(PORT),
                shuffled: true,
                avoid: Vec::new(),
                timeout: remote.options().dial_timeout.unwrap_or(own.options.dial_timeout),
                user_timeout: Some(own.silence_limit()),
            };
            log::debug!("Trying to connect as leafnode to remote server on {:?}", url.address());
            let error = match martlet_net::dial(&whom).await {
                Ok((stream, address)) => match self.dialling(&remote, &url) {
                    Ok(terms) => {
                        let make = self.maker(Some(Dialled { remote, url }));
                        drop(self.links.run(stream, address, terms, make));
                        return;
                    }
                    Err(error) => error.to_string(),
                },
                Err(error) => error.to_string(),
            };
            // Configured remotes are never given up.
            attempts.failed();
            let every = self.broker.settings().0.timing.error_reports(again);
            let level = if attempts.is_worth_telling(every) { log::Level::Error } else { log::Level::Debug };
            let (to, made) = (url.address(), attempts.made());
            log::log!(level, "Error trying to connect as leafnode to remote server {to:?} (attempt {made}): {error}");
            tokio::time::sleep(own.pause(&mut fastrand::Rng::new())).await;
        }
        remote.rest();
    }

    /// Looks whether new options can be put in force, which [`LeafLinks::reload`] then does.
    pub(crate) fn check(options: &Options) -> Result<Fresh, TlsError> {
        Ok(Fresh(options.leafnodes.as_ref().map(LeafTls::load).transpose()?.unwrap_or_default()))
    }

    /// When the certificate runs out that leaf nodes are shown.
    // spec: SEC-073
    pub(crate) fn cert_not_after(&self) -> Option<SystemTime> {
        self.tls.read().server.as_ref().map(|server| server.not_after)
    }

    /// Puts new options in force.
    // spec: CFG-171
    pub(crate) fn reload(&self, options: &Options, fresh: Fresh) {
        *self.tls.write() = fresh.0;
        if options.leafnodes.is_some() {
            self.broker.accounts.open_ledgers(true);
        }
        self.leafs.reload(options);
    }
}

/// What was read of the files that new options name.
pub(crate) struct Fresh(LeafTls);

impl Prepared {
    /// The links themselves, for whoever watches them.
    pub(crate) fn links(&self) -> Arc<LeafLinks> {
        self.leaf_links.clone()
    }

    /// Accepts leaf nodes, and connects to the configured remotes.
    pub(crate) fn open(self, runtime: &Handle) {
        let Self { leaf_links, listener, mut orders, .. } = self;
        if let Some(listener) = listener {
            let accepting = leaf_links.clone();
            runtime.spawn(async move {
                match tokio::net::TcpListener::from_std(listener) {
                    Ok(listener) => {
                        let make = accepting.maker(None);
                        let terms = || accepting.accepting();
                        martlet_net::listen_links(listener, accepting.links.clone(), terms, make).await;
                    }
                    Err(error) => log::error!("leaf nodes cannot be accepted: {error}"),
                }
            });
        }
        let dialling = leaf_links.clone();
        runtime.spawn(async move {
            while let Some(order) = orders.recv().await {
                if let Order::Leaf(dial) = order {
                    tokio::spawn(dialling.clone().connect(dial));
                }
            }
        });
        leaf_links.leafs.solicit();
    }
}

const INSECURE: &str =
    "TLS certificate chain and hostname of solicited leafnodes will not be verified. DO NOT USE IN PRODUCTION!";

fn without_block() -> Option<Arc<Client>> {
    match Client::load(&Tls::default()) {
        Ok(client) => Some(Arc::new(client)),
        Err(error) => {
            log::debug!("Remotes without tls cannot be encrypted: {error}");
            None
        }
    }
}

/// Where the listener is, as leaf nodes are to see it.
// spec: CFG-168 CLU-052
fn place(leafnodes: &LeafNodes, address: SocketAddr) -> Result<Place, StartError> {
    log::info!("Listening for leafnode connections on {}", addresses::join(&leafnodes.host, address.port().into()));
    let Some(value) = &leafnodes.advertise else {
        return Ok(Place { host: addresses::told_host(&leafnodes.host), port: address.port() });
    };
    let (host, port) = advertise::parse(value, address.port()).map_err(|reason| StartError::Advertise {
        block: "leafnodes",
        value: value.clone(),
        reason,
    })?;
    let place = Place { host: host.to_owned(), port: u16::try_from(port).unwrap_or(address.port()) };
    log::info!("Advertise address for leafnode is set to {}", place.address());
    Ok(place)
}
