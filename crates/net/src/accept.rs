//! From an accepted socket to a running connection: proxy line, TLS, INFO.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;

use log::Level;
use martlet_broker::peer::Kind;
use martlet_broker::settings::Settings;
use martlet_broker::{Broker, Driver, Facts, Next, Peer, Session};
use martlet_config::options::ConnectionType;
use martlet_proto::ClosedReason;
use parking_lot::RwLock;
use tokio::net::TcpStream;

use crate::clock;
use crate::connection::Connection;
use crate::handshake::{self, HandshakeError, Side, TlsPolicy};
use crate::listener;
use crate::loops::{self, Loops, Place, with_scratch};
use crate::pipe::{PipeEnd, pipe};
use crate::socket::{Io, Outward, Socket};
use crate::tls::Server;

/// What every client connection of a server begins with.
#[derive(Debug)]
pub struct Clients {
    shared: Shared,
    loops: Arc<Loops>,
}

#[derive(Debug, Clone)]
struct Shared {
    broker: Arc<Broker>,
    tls: Arc<RwLock<Option<Arc<TlsPolicy>>>>,
}

impl Clients {
    /// Connections of `broker` on `loops`, encrypted as `tls` says.
    pub fn new(broker: Arc<Broker>, loops: Arc<Loops>, tls: Option<Arc<TlsPolicy>>) -> Self {
        Self { shared: Shared { broker, tls: Arc::new(RwLock::new(tls)) }, loops }
    }

    /// How connections are encrypted.
    pub fn tls(&self) -> Option<Arc<TlsPolicy>> {
        self.shared.tls.read().clone()
    }

    /// How connections are encrypted from now on.
    pub fn set_tls(&self, tls: Option<Arc<TlsPolicy>>) {
        *self.shared.tls.write() = tls;
    }

    /// Takes care of an accepted socket.
    pub(crate) fn accepted(&self, stream: std::net::TcpStream, from: SocketAddr) {
        let shared = self.shared.clone();
        self.loops.spawn(|place| async move {
            match TcpStream::from_std(stream) {
                Ok(tcp) => serve(shared, Io::Tcp(tcp), Some(from), place).await,
                Err(e) => log::warn!("connection from {from} cannot be watched: {e}"),
            }
        });
    }

    /// A client in the same process: its end of a pipe (CORE-030).
    pub fn connect(&self) -> PipeEnd {
        let (ours, theirs) = pipe();
        let shared = self.shared.clone();
        self.loops.spawn(|place| serve(shared, Io::Pipe(ours), None, place));
        theirs
    }
}

async fn serve(clients: Shared, io: Io, from: Option<SocketAddr>, place: Place) {
    let socket = Arc::new(Socket::new(io));
    let kind = if from.is_some() { ConnectionType::Standard } else { ConnectionType::InProcess };
    let (settings, _) = clients.broker.settings();
    let mut source = from;
    if let Some(from) = from.filter(|_| settings.switches.proxy_protocol) {
        match handshake::proxied(&socket).await {
            Ok(said) => source = said.or(source),
            Err(error) => {
                log::warn!("{from} - {error}");
                return socket.shutdown();
            }
        }
    }
    let mut connection = enter(&clients.broker, &settings, kind, source, &socket);
    let tls = clients.tls.read().clone().filter(|_| from.is_some());
    let peer = connection.driver().peer().clone();
    let greeted = tokio::select! {
        greeted = connection.greet(tls.as_deref()) => Some(greeted),
        () = told_to_close(&socket, &peer) => None,
    };
    // What others have asked for meanwhile is looked at now; a request to close among it.
    socket.wake();
    connection.run(greeted.unwrap_or(Next::Read)).await;
    drop(place);
}

/// Waits until somebody asks for the connection to be closed.
pub(crate) async fn told_to_close(socket: &Socket, peer: &Peer) {
    poll_fn(|cx| {
        socket.take_wake(cx);
        if peer.is_closing() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Enters a connection into the registry and gives it a session.
fn enter(
    broker: &Arc<Broker>,
    settings: &Settings,
    kind: ConnectionType,
    source: Option<SocketAddr>,
    socket: &Arc<Socket>,
) -> Connection<Session> {
    let now = clock::now();
    let max_pending = usize::try_from(settings.limits.max_pending).unwrap_or(usize::MAX);
    let (peer, admitted) = broker.registry.enter(settings.limits.max_connections, |cid, slot| {
        Peer::new(cid, slot, Box::new(Outward(socket.clone())), max_pending, now)
    });
    peer.set_home(loops::number());
    if let Some(source) = source {
        peer.describe(|d| {
            d.ip = source.ip().to_string();
            d.port = source.port();
        });
    }
    let facts = Facts { kind, nonce: nonce_bytes(), jitter: fastrand::f32(), admitted };
    let session = Session::new(broker.clone(), peer, &facts, now);
    Connection::new(broker.clone(), session, socket.clone())
}

/// What clients sign: unpredictable, so from the system.
pub(crate) fn nonce_bytes() -> [u8; 11] {
    let mut bytes = [0; 11];
    getrandom::fill(&mut bytes).expect("the system has random bytes");
    bytes
}

impl Connection<Session> {
    /// INFO, and TLS where it is asked for; in which order is the configuration's to say.
    // spec: CORE-135
    async fn greet(&mut self, tls: Option<&TlsPolicy>) -> Next {
        let Some(policy) = tls else { return self.open() };
        let server = policy.server.clone();
        let first = handshake::comes_first(self.socket(), server.handshake_first).await;
        if first {
            if let Err(refused) = self.secure(policy, &server, true).await {
                return refused;
            }
            return self.open();
        }
        let next = self.open();
        if matches!(next, Next::Close(_)) {
            return next;
        }
        // INFO goes out in the clear: TLS begins behind its last byte.
        if let Err(reason) = self.write_out().await {
            return Next::Close(reason);
        }
        // Whoever says nothing for that long speaks in the clear, and has the session's timers to answer to.
        if policy.allow_plain && !handshake::begins_tls(self.socket(), server.timeout).await {
            return next;
        }
        self.secure(policy, &server, false).await.err().unwrap_or(next)
    }

    async fn secure(&mut self, policy: &TlsPolicy, server: &Arc<Server>, first: bool) -> Result<(), Next> {
        if !policy.admits(clock::now()) {
            return Err(with_scratch(|s| {
                let next = self.driver().throttle(&mut s.batch);
                s.batch.finish_turn(Some(self.driver().peer()));
                next
            }));
        }
        match handshake::secure(self.socket(), &Side::Server(server.clone())).await {
            Ok(found) => {
                let found = found.told(first);
                with_scratch(|s| self.driver().on_secured(found, &mut s.batch));
                Ok(())
            }
            Err(error) => {
                // Anyone can be silent, as often as they like: that is not worth a line each time.
                let level = if matches!(error, HandshakeError::Late) { Level::Debug } else { Level::Error };
                log::log!(level, "{} - {}", self.driver().label(), error.told(Kind::Client));
                Err(Next::Close(ClosedReason::TlsHandshakeError))
            }
        }
    }
}

/// Accepts clients until `listener` is dropped or the task is.
pub async fn listen(listener: tokio::net::TcpListener, clients: Arc<Clients>) {
    listener::each(listener, |stream, from| clients.accepted(stream, from)).await;
}
