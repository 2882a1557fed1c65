//! From an accepted socket to a running connection: proxy line, TLS, INFO.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use martlet_broker::{Broker, Facts, Next, Peer, Session};
use martlet_config::options::ConnectionType;
use martlet_proto::ClosedReason;
use tokio::net::TcpStream;

use crate::clock;
use crate::connection::Connection;
use crate::loops::{Loops, Place, with_scratch};
use crate::pipe::{PipeEnd, pipe};
use crate::socket::{Io, Outward, Socket};

/// What every client connection of a server begins with.
#[derive(Debug)]
pub struct Clients {
    broker: Arc<Broker>,
    loops: Arc<Loops>,
}

impl Clients {
    /// Connections of `broker` on `loops`.
    pub fn new(broker: Arc<Broker>, loops: Arc<Loops>) -> Self {
        Self { broker, loops }
    }

    /// Takes care of an accepted socket.
    pub(crate) fn accepted(&self, stream: std::net::TcpStream, from: SocketAddr) {
        let broker = self.broker.clone();
        self.loops.spawn(|place| async move {
            match TcpStream::from_std(stream) {
                Ok(tcp) => serve(broker, Io::Tcp(tcp), Some(from), place).await,
                Err(e) => log::warn!("connection from {from} cannot be watched: {e}"),
            }
        });
    }

    /// A client in the same process: its end of a pipe (CORE-030).
    pub fn connect(&self) -> PipeEnd {
        let (ours, theirs) = pipe();
        let broker = self.broker.clone();
        self.loops.spawn(|place| serve(broker, Io::Pipe(ours), None, place));
        theirs
    }
}

async fn serve(broker: Arc<Broker>, io: Io, from: Option<SocketAddr>, place: Place) {
    let socket = Arc::new(Socket::new(io));
    let kind = if from.is_some() { ConnectionType::Standard } else { ConnectionType::InProcess };
    let now = clock::now();
    let (settings, _) = broker.settings();
    let max_pending = usize::try_from(settings.limits.max_pending).unwrap_or(usize::MAX);
    let (peer, admitted) = broker.registry.enter(settings.limits.max_connections, |cid, slot| {
        Peer::new(cid, slot, Box::new(Outward(socket.clone())), max_pending, now)
    });
    if let Some(from) = from {
        peer.describe(|d| {
            d.ip = from.ip().to_string();
            d.port = from.port();
        });
    }
    let facts = Facts { kind, nonce: std::array::from_fn(|_| fastrand::u8(..)), jitter: fastrand::f32() };
    let session = Session::new(broker.clone(), peer, &facts, now);
    let mut connection = Connection::new(broker, session, socket);
    let greeted = connection.greet(admitted);
    connection.run(greeted).await;
    drop(place);
}

impl Connection {
    fn greet(&mut self, admitted: bool) -> Next {
        with_scratch(|s| {
            let next = self.session().open(admitted, &mut s.batch);
            s.batch.finish(Some(self.session().peer()));
            next
        })
    }
}

/// Why a connection did not come to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused(pub ClosedReason);

/// How long to wait before accepting again when the process has no file descriptor left.
const OUT_OF_FILES: Duration = Duration::from_millis(50);

/// Accepts clients until `listener` is dropped or the task is.
pub async fn listen(listener: tokio::net::TcpListener, clients: Arc<Clients>) {
    let mut complained = false;
    loop {
        match listener.accept().await.and_then(prepare) {
            Ok((stream, from)) => {
                complained = false;
                clients.accepted(stream, from);
            }
            Err(e) if is_of_one_connection(&e) => {}
            Err(e) => {
                if !std::mem::replace(&mut complained, true) {
                    log::error!("no connection can be accepted: {e}; trying again");
                }
                tokio::time::sleep(OUT_OF_FILES).await;
            }
        }
    }
}

fn prepare((stream, from): (TcpStream, SocketAddr)) -> io::Result<(std::net::TcpStream, SocketAddr)> {
    stream.set_nodelay(true)?;
    Ok((stream.into_std()?, from))
}

fn is_of_one_connection(e: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, InvalidInput};
    matches!(e.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | InvalidInput)
}
