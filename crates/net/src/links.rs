//! Links between servers: from a socket, accepted or dialled, to a running connection.

use std::net::SocketAddr;
use std::sync::Arc;

use martlet_auth::nkey;
use martlet_broker::peer::Kind;
use martlet_broker::{Broker, Driver, Next, Peer};
use martlet_config::options::HandshakeFirst;
use martlet_proto::ClosedReason;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::accept::{nonce_bytes, told_to_close};
use crate::clock;
use crate::connection::Connection;
use crate::handshake::Side;
use crate::listener;
use crate::loops::{self, Loops};
use crate::socket::{Io, Outward, Socket};
use crate::tls::{Client, Server};

/// The links of a server, which run on the same loops as its clients.
#[derive(Debug)]
pub struct Links {
    broker: Arc<Broker>,
    loops: Arc<Loops>,
}

/// What is settled about a link before its protocol begins.
#[derive(Debug, Clone)]
pub struct Terms {
    /// What is at the other end.
    pub kind: Kind,
    /// Bytes that may wait for it before it is closed.
    pub max_pending: usize,
    /// Who dialled, and how it is encrypted.
    pub origin: Origin,
}

/// Who dialled, and with which TLS where there is to be any.
#[derive(Debug, Clone)]
pub enum Origin {
    /// The peer did.
    Accepted(Option<Arc<Server>>),
    /// This server did, and knows the peer by that name.
    Dialled(Option<(Arc<Client>, ServerName<'static>)>),
}

/// Facts about a link that its driver is made from, beside the connection itself.
#[derive(Debug, Clone, Copy)]
pub struct LinkFacts {
    /// The peer's address.
    pub remote: SocketAddr,
    /// Whether this server dialled.
    pub dialled: bool,
    /// Whether TLS is to be had.
    pub tls: bool,
    /// Random bytes for the nonce.
    pub nonce: [u8; nkey::NONCE_RANDOM_BYTES],
    /// A random number from 0 to 1, to spread what happens at intervals.
    pub jitter: f32,
}

impl Terms {
    fn side(&self) -> Option<Arc<Side>> {
        match self.origin.clone() {
            Origin::Accepted(server) => server.map(|server| Arc::new(Side::Server(server))),
            Origin::Dialled(client) => client.map(|(client, name)| Arc::new(Side::Client(client, name))),
        }
    }

    /// Whether TLS comes before the first word; between other servers than leaf nodes it never does.
    // spec: CFG-138
    fn handshake_first(&self) -> HandshakeFirst {
        match &self.origin {
            _ if self.kind != Kind::Leaf => HandshakeFirst::Off,
            Origin::Accepted(Some(server)) => server.handshake_first,
            Origin::Dialled(Some((client, _))) if client.first => HandshakeFirst::On,
            _ => HandshakeFirst::Off,
        }
    }
}

impl Links {
    /// Links of `broker` on `loops`.
    pub fn new(broker: Arc<Broker>, loops: Arc<Loops>) -> Self {
        Self { broker, loops }
    }

    /// Runs a link over `stream` with the driver that `make` makes, on the loop that has the fewest connections; gives the
    /// reason it ended for. Nobody has to wait for that: it runs as well without.
    pub fn run<D, M>(
        &self,
        stream: std::net::TcpStream,
        remote: SocketAddr,
        terms: Terms,
        make: M,
    ) -> impl Future<Output = ClosedReason> + Send + use<D, M>
    where
        D: Driver,
        M: FnOnce(Arc<Peer>, LinkFacts) -> D + Send + 'static,
    {
        let (ended, end) = oneshot::channel();
        let broker = self.broker.clone();
        self.loops.spawn(|place| async move {
            let reason = match TcpStream::from_std(stream) {
                Ok(tcp) => serve(broker, tcp, remote, terms, make).await,
                Err(e) => {
                    log::warn!("connection with {remote} cannot be watched: {e}");
                    ClosedReason::ReadError
                }
            };
            drop(place);
            // Nobody has to wait for it.
            let _ = ended.send(reason);
        });
        // A loop that ends with its links says nothing.
        async move { end.await.unwrap_or(ClosedReason::ServerShutdown) }
    }
}

/// Accepts links until the task is dropped. `terms` are asked for with each of them, `make` makes their drivers.
pub async fn listen_links<D, M>(
    listener: tokio::net::TcpListener,
    links: Arc<Links>,
    mut terms: impl FnMut() -> Terms,
    make: M,
) where
    D: Driver,
    M: Fn(Arc<Peer>, LinkFacts) -> D + Clone + Send + 'static,
{
    listener::each(listener, |stream, from| drop(links.run(stream, from, terms(), make.clone()))).await;
}

async fn serve<D: Driver>(
    broker: Arc<Broker>,
    tcp: TcpStream,
    remote: SocketAddr,
    terms: Terms,
    make: impl FnOnce(Arc<Peer>, LinkFacts) -> D,
) -> ClosedReason {
    let socket = Arc::new(Socket::new(Io::Tcp(tcp)));
    let peer = broker.registry.enter_link(terms.kind, |cid, slot| {
        Peer::new(cid, slot, Box::new(Outward(socket.clone())), terms.max_pending, clock::now())
    });
    peer.set_home(loops::number());
    peer.describe(|d| {
        d.ip = remote.ip().to_string();
        d.port = remote.port();
    });
    let (side, first) = (terms.side(), terms.handshake_first());
    let facts = LinkFacts {
        remote,
        dialled: matches!(terms.origin, Origin::Dialled(_)),
        tls: side.is_some(),
        nonce: nonce_bytes(),
        jitter: fastrand::f32(),
    };
    let mut connection = Connection::new(broker, make(peer.clone(), facts), socket.clone()).linked(side.clone());
    let greeted = tokio::select! {
        greeted = connection.begin(side.as_deref(), first) => greeted,
        () = told_to_close(&socket, &peer) => Next::Read,
    };
    // What others have asked for meanwhile is looked at now; a request to close among it.
    socket.wake();
    connection.run(greeted).await
}
