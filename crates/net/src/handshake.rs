//! What happens on a socket before the session speaks: the proxy's line and the TLS handshake.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use martlet_broker::driver;
use martlet_broker::peer::{Kind, TlsDescription};
use martlet_events::Time;
use martlet_proto::proxy_protocol::{self, Preamble};
use parking_lot::Mutex;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, Connection, ServerConnection};
use thiserror::Error;
use tokio::time::timeout;

use crate::socket::{Raw, Socket};
use crate::tls::{Client, PeerCertificate, RateLimiter, Reloadable, Server};

/// The first byte of every TLS handshake.
const TLS_HANDSHAKE: u8 = 0x16;

/// TLS on the client listener.
#[derive(Debug)]
pub struct TlsPolicy {
    /// The configuration in force.
    pub tls: Reloadable,
    /// Clients may stay without TLS (`allow_non_tls`).
    pub allow_plain: bool,
    /// Handshakes begun per second.
    pub limiter: Option<Mutex<RateLimiter>>,
}

impl TlsPolicy {
    /// Whether one more handshake may begin.
    // spec: SEC-066 CORE-137
    pub(crate) fn admits(&self, now: Time) -> bool {
        self.limiter.as_ref().is_none_or(|limiter| limiter.lock().admit(now))
    }
}

/// Why a connection ended before its session began.
#[derive(Debug, Error)]
pub(crate) enum HandshakeError {
    #[error("{0}")]
    Tls(#[from] rustls::Error),
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("timeout")]
    Late,
    #[error("certificate not pinned")]
    NotPinned,
    #[error("bytes in the clear where TLS was to begin")]
    TooEarly,
    #[error("no TLS is configured")]
    NoTls,
    #[error("certificate: {0}")]
    Certificate(#[from] crate::tls::PeerError),
    #[error("{0}")]
    Proxy(#[from] proxy_protocol::ProxyError),
}

impl HandshakeError {
    /// As the log has it for a connection of `kind`.
    pub(crate) fn told(&self, kind: Kind) -> String {
        let of = match kind {
            Kind::Client => "",
            Kind::Route => "route ",
            Kind::Gateway => "gateway ",
            Kind::Leaf => "leafnode ",
        };
        match self {
            Self::Late => "TLS handshake timeout".into(),
            error => format!("TLS {of}handshake error: {error}"),
        }
    }
}

/// What one end begins a handshake with.
#[derive(Debug)]
pub(crate) enum Side {
    /// The one that was dialled.
    Server(Arc<Server>),
    /// The one that dialled, and the name it dialled.
    Client(Arc<Client>, ServerName<'static>),
}

impl Side {
    fn begin(&self) -> Result<Connection, rustls::Error> {
        Ok(match self {
            Self::Server(server) => ServerConnection::new(server.config.clone())?.into(),
            Self::Client(client, name) => ClientConnection::new(client.config.clone(), name.clone())?.into(),
        })
    }

    fn timeout(&self) -> Duration {
        match self {
            Self::Server(server) => server.timeout,
            Self::Client(client, _) => client.timeout,
        }
    }

    fn admits(&self, peer: Option<&PeerCertificate>) -> bool {
        match self {
            Self::Server(server) => server.admits(peer),
            Self::Client(client, _) => client.admits(peer),
        }
    }
}

/// What a handshake found out.
#[derive(Debug)]
pub(crate) struct Secured {
    pub(crate) version: String,
    pub(crate) cipher: String,
    pub(crate) peers: Vec<PeerCertificate>,
}

impl Secured {
    /// As drivers are told; `first` if nothing was said before.
    pub(crate) fn told(self, first: bool) -> driver::Secured {
        let certificates = self.peers.iter().map(|p| (p.subject.clone(), p.spki_hex(), p.cert_hex())).collect();
        let tls = TlsDescription { version: self.version, cipher: self.cipher, first, peer_certs: certificates };
        driver::Secured { tls, names: self.peers.into_iter().next().map(|leaf| leaf.names) }
    }
}

/// Whether the peer begins a TLS handshake within `patience`.
pub(crate) async fn begins_tls(socket: &Socket, patience: Duration) -> bool {
    matches!(timeout(patience, socket.peek()).await, Ok(Ok(Some(TLS_HANDSHAKE))))
}

/// Encrypts `socket`, or gives the reason it cannot be.
pub(crate) async fn secure(socket: &Socket, side: &Side) -> Result<Secured, HandshakeError> {
    socket.start_tls(side.begin()?);
    timeout(side.timeout(), shake_hands(socket)).await.map_err(|_| HandshakeError::Late)??;
    let (version, cipher, chain) = {
        let tls = socket.tls().expect("TLS has just started").lock();
        (
            tls.protocol_version().map(crate::tls::version_name).unwrap_or_default(),
            tls.negotiated_cipher_suite().map(|s| crate::tls::cipher_name(s.suite())).unwrap_or_default(),
            tls.peer_certificates().unwrap_or_default().to_vec(),
        )
    };
    let peers = chain.iter().map(PeerCertificate::read).collect::<Result<Vec<_>, _>>()?;
    if !side.admits(peers.first()) {
        return Err(HandshakeError::NotPinned);
    }
    Ok(Secured { version: version.clone(), cipher, peers })
}

async fn shake_hands(socket: &Socket) -> Result<(), HandshakeError> {
    loop {
        if socket.flush_records()? {
            poll_fn(|cx| socket.poll_write_ready(cx)).await?;
            continue;
        }
        if !socket.tls().expect("TLS has started").lock().is_handshaking() {
            return Ok(());
        }
        poll_fn(|cx| socket.poll_read_ready(cx)).await?;
        let mut tls = socket.tls().expect("TLS has started").lock();
        match tls.read_tls(&mut Raw(socket)) {
            Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            Ok(_) => {
                let outcome = tls.process_new_packets();
                drop(tls);
                if let Err(error) = outcome {
                    // The alert that says why; whether it arrives is the peer's affair.
                    let _ = socket.flush_records();
                    return Err(error.into());
                }
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            Err(e) => return Err(e.into()),
        }
    }
}

/// Reads what a proxy says about the client; `None` if it says nothing.
// spec: CORE-136
pub(crate) async fn proxied(socket: &Socket) -> Result<Option<SocketAddr>, HandshakeError> {
    let preamble = async {
        let mut seen = 0;
        loop {
            let bytes = socket.peek_many(proxy_protocol::MAX_LEN).await?;
            match proxy_protocol::decode(&bytes)? {
                Preamble::Incomplete if bytes.len() > seen => seen = bytes.len(),
                // Peeking is ready at once while nothing more has come.
                Preamble::Incomplete => tokio::time::sleep(Duration::from_millis(5)).await,
                Preamble::Absent => return Ok(None),
                Preamble::Local { used } => {
                    socket.skip(used).await?;
                    return Ok(None);
                }
                Preamble::Proxied { used, source, .. } => {
                    socket.skip(used).await?;
                    return Ok(Some(source));
                }
            }
        }
    };
    timeout(proxy_protocol::READ_TIMEOUT, preamble).await.unwrap_or(Err(HandshakeError::Late))
}
