//! Dialling other servers: their names, their addresses, a socket.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use martlet_broker::{Driver, Peer};
use martlet_proto::ClosedReason;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::links::{LinkFacts, Links, Terms};

/// How long a name may take to become addresses.
const RESOLVE: Duration = Duration::from_secs(10);

/// Whom to dial, and how.
#[derive(Debug, Clone)]
pub struct Dial {
    /// A name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Try the addresses of the name in any order instead of the resolver's.
    pub shuffled: bool,
    /// Addresses not to try: this server's own, where it must not reach itself.
    pub avoid: Vec<SocketAddr>,
    /// How long each address may take to answer.
    pub timeout: Duration,
    /// How long what is sent may go unacknowledged before the connection counts as broken (`TCP_USER_TIMEOUT`), where the
    /// system knows that.
    pub user_timeout: Option<Duration>,
}

/// Why nobody was reached.
#[derive(Debug, Error)]
pub enum DialError {
    /// The name has no address.
    #[error("lookup {host}: {source}")]
    Lookup {
        /// The name.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// The name has no address that may be tried.
    #[error("lookup {host}: none of its addresses may be tried, all are this server's own")]
    Avoided {
        /// The name.
        host: String,
    },
    /// The last address tried did not answer as it should.
    #[error("dial tcp {address}: {}", told(source))]
    Connect {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// In the words that operators know.
fn told(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connect: connection refused".into(),
        io::ErrorKind::TimedOut => "i/o timeout".into(),
        io::ErrorKind::HostUnreachable => "connect: no route to host".into(),
        io::ErrorKind::NetworkUnreachable => "connect: network is unreachable".into(),
        _ => error.to_string(),
    }
}

/// Connects to the first address that answers.
pub async fn dial(whom: &Dial) -> Result<(std::net::TcpStream, SocketAddr), DialError> {
    let mut failed = DialError::Avoided { host: whom.host.clone() };
    for address in resolve(whom).await? {
        match connect(address, whom).await {
            Ok(stream) => return Ok((stream, address)),
            Err(source) => failed = DialError::Connect { address, source },
        }
    }
    Err(failed)
}

/// Dials and runs the link that comes of it to its end.
pub async fn dial_and_run<D: Driver>(
    links: &Links,
    whom: &Dial,
    terms: Terms,
    make: impl FnOnce(Arc<Peer>, LinkFacts) -> D + Send + 'static,
) -> Result<ClosedReason, DialError> {
    let (stream, remote) = dial(whom).await?;
    Ok(links.run(stream, remote, terms, make).await)
}

async fn resolve(whom: &Dial) -> Result<Vec<SocketAddr>, DialError> {
    let lookup = |source| DialError::Lookup { host: whom.host.clone(), source };
    let found = timeout(RESOLVE, tokio::net::lookup_host((&*whom.host, whom.port)))
        .await
        .map_err(|_| lookup(io::ErrorKind::TimedOut.into()))?
        .map_err(lookup)?;
    let mut addresses: Vec<_> = found.filter(|address| !whom.avoid.contains(address)).collect();
    if whom.shuffled {
        fastrand::shuffle(&mut addresses);
    }
    Ok(addresses)
}

async fn connect(address: SocketAddr, whom: &Dial) -> io::Result<std::net::TcpStream> {
    let stream = timeout(whom.timeout, TcpStream::connect(address)).await.map_err(|_| io::ErrorKind::TimedOut)??;
    stream.set_nodelay(true)?;
    #[cfg(target_os = "linux")]
    if whom.user_timeout.is_some() {
        socket2::SockRef::from(&stream).set_tcp_user_timeout(whom.user_timeout)?;
    }
    stream.into_std()
}
