//! What happens on a socket before the session speaks: the proxy's line and the TLS handshake.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use martlet_broker::driver;
use martlet_broker::peer::{Kind, TlsDescription};
use martlet_config::options::HandshakeFirst;
use martlet_events::Time;
use martlet_proto::proxy_protocol::{self, Preamble};
use parking_lot::Mutex;
use rustls::pki_types::ServerName;
use rustls::{AlertDescription, CertificateError, ClientConnection, Connection, InvalidMessage, ServerConnection};
use thiserror::Error;
use tokio::time::timeout;

use crate::socket::{Raw, Socket};
use crate::tls::{Client, PeerCertificate, RateLimiter, Server};

/// The first byte of every TLS handshake.
const TLS_HANDSHAKE: u8 = 0x16;

/// TLS on the client listener.
#[derive(Debug)]
pub struct TlsPolicy {
    /// How: handshakes keep what they began with, and connections that are up never notice a change.
    pub server: Arc<Server>,
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
            Self::Tls(error) => format!("TLS {of}handshake error: {}", explained(error)),
            error => format!("TLS {of}handshake error: {error}"),
        }
    }
}

/// An error in the words of whoever has to set it right.
fn explained(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "the peer's certificate is signed by an unknown authority".into()
        }
        rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext { expected, presented }) => {
            let names = if presented.is_empty() { "nobody".into() } else { presented.join(", ") };
            format!("the peer's certificate is not for {}, but for {names}", expected.to_str())
        }
        rustls::Error::NoCertificatesPresented => "the peer shows no certificate".into(),
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => "the peer does not speak TLS".into(),
        rustls::Error::AlertReceived(alert) => match refusal(*alert) {
            Some(why) => format!("the peer refuses this server's certificate: {why}"),
            None => format!("the peer gives up: {alert:?}"),
        },
        error => error.to_string(),
    }
}

/// What a peer that refuses a certificate has against it; `None` if it complains of something else.
fn refusal(alert: AlertDescription) -> Option<&'static str> {
    Some(match alert {
        AlertDescription::UnknownCA => "signed by an unknown authority",
        AlertDescription::BadCertificate | AlertDescription::CertificateUnknown => "not acceptable",
        AlertDescription::CertificateExpired => "expired",
        AlertDescription::CertificateRevoked => "revoked",
        AlertDescription::UnsupportedCertificate => "of an unsupported kind",
        AlertDescription::NoCertificate | AlertDescription::CertificateRequired => "none was shown",
        AlertDescription::AccessDenied => "access denied",
        _ => return None,
    })
}

/// What is worth a line in the log about a read that failed, if anything is. Who dialled may be refused only when it thinks
/// its handshake is over.
pub(crate) fn late_refusal(error: &io::Error) -> Option<HandshakeError> {
    let inner = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    match inner {
        rustls::Error::AlertReceived(alert) => refusal(*alert).map(|_| inner.clone().into()),
        _ => None,
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

/// Whether TLS comes before the first word on `socket`, which may be for the peer to say.
pub(crate) async fn comes_first(socket: &Socket, first: HandshakeFirst) -> bool {
    match first {
        HandshakeFirst::Off => false,
        HandshakeFirst::On => true,
        HandshakeFirst::Fallback(patience) => begins_tls(socket, patience).await,
    }
}

/// Encrypts `socket`, or gives the reason it cannot be.
pub(crate) async fn secure(socket: &Socket, side: &Side) -> Result<Secured, HandshakeError> {
    socket.start_tls(side.begin()?);
    let shaken = timeout(side.timeout(), shake_hands(socket)).await.map_err(|_| HandshakeError::Late)?;
    if let Err(HandshakeError::Tls(error)) = &shaken
        && !matches!(error, rustls::Error::AlertReceived(_))
    {
        see_out(socket).await;
    }
    shaken?;
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

/// How long whoever is turned away has to hear why.
const FAREWELL: Duration = Duration::from_millis(500);

/// Waits until the peer has closed its end. Closing before everything that it sent was read would reset the connection, and
/// what was said to it last might be lost.
async fn see_out(socket: &Socket) {
    socket.end_writing();
    let gone = async {
        let mut unheard = [0; 1024];
        while poll_fn(|cx| socket.poll_read_ready(cx)).await.is_ok() {
            match socket.try_read_raw(&mut unheard) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(1..) => {}
                Ok(0) | Err(_) => return,
            }
        }
    };
    // Nobody waits longer for who does not go.
    let _ = timeout(FAREWELL, gone).await;
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
                    // The alert that says why.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_to_be_set_right_is_said() {
        let name = ServerName::try_from("n1").expect("a name");
        let other = |presented: &[&str]| CertificateError::NotValidForNameContext {
            expected: name.clone(),
            presented: presented.iter().map(ToString::to_string).collect(),
        };
        let alert = rustls::Error::AlertReceived;
        for (error, text) in [
            (CertificateError::UnknownIssuer.into(), "the peer's certificate is signed by an unknown authority"),
            (other(&["n2", "n3"]).into(), "the peer's certificate is not for n1, but for n2, n3"),
            (other(&[]).into(), "the peer's certificate is not for n1, but for nobody"),
            (rustls::Error::NoCertificatesPresented, "the peer shows no certificate"),
            (InvalidMessage::InvalidContentType.into(), "the peer does not speak TLS"),
            (alert(AlertDescription::CertificateExpired), "the peer refuses this server's certificate: expired"),
            (alert(AlertDescription::ProtocolVersion), "the peer gives up: ProtocolVersion"),
        ] {
            let told = HandshakeError::from(error).told(Kind::Route);
            assert_eq!(told, format!("TLS route handshake error: {text}"));
        }
    }

    #[test]
    fn only_a_refusal_is_worth_a_line_later() {
        let told = |error: io::Error| late_refusal(&error).map(|error| error.told(Kind::Leaf));
        let alert = |what| io::Error::other(rustls::Error::AlertReceived(what));
        let unknown = "the peer refuses this server's certificate: signed by an unknown authority";
        assert_eq!(told(alert(AlertDescription::UnknownCA)), Some(format!("TLS leafnode handshake error: {unknown}")));
        assert_eq!(told(alert(AlertDescription::InternalError)), None);
        assert_eq!(told(io::ErrorKind::ConnectionReset.into()), None);
    }
}
