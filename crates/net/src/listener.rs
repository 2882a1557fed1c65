//! Listening sockets: where they listen, who is accepted, and what happens when nobody can be.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};
use std::time::Duration;

use martlet_events::Time;
use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

use crate::clock;

/// How long to wait before accepting again when the process has no file descriptor left.
const OUT_OF_FILES: Duration = Duration::from_millis(50);
/// How long that is not said again.
const SAID: Duration = Duration::from_mins(1);

/// Connections that may wait to be accepted, as far as the system allows: many come at once when a server is back.
const BACKLOG: i32 = 4096;

/// A socket that listens on `host`; port -1 is a free one. Every address of the machine means those of both kinds, whichever
/// is written.
// spec: CFG-024
pub fn bind(host: &str, port: i32) -> io::Result<std::net::TcpListener> {
    let port = u16::try_from(port.max(0)).unwrap_or(0);
    let mut failed = io::Error::from(io::ErrorKind::AddrNotAvailable);
    let mut addresses: Vec<_> = (host, port).to_socket_addrs()?.collect();
    // A name of both kinds stands for the older one, where everybody looks.
    addresses.sort_by_key(SocketAddr::is_ipv6);
    for address in addresses {
        let bound = if address.ip().is_unspecified() { bind_everywhere(port) } else { bind_to(address) };
        match bound {
            Ok(listener) => return Ok(listener),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

fn bind_everywhere(port: u16) -> io::Result<std::net::TcpListener> {
    use io::ErrorKind::{AddrInUse, PermissionDenied};
    bind_to((Ipv6Addr::UNSPECIFIED, port).into()).or_else(|error| match error.kind() {
        AddrInUse | PermissionDenied => Err(error),
        // There is no IPv6 here.
        _ => bind_to((Ipv4Addr::UNSPECIFIED, port).into()),
    })
}

fn bind_to(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // Who starts again need not wait until the system has forgotten the connections before.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Gives every accepted socket to `take`, until the task is dropped.
pub(crate) async fn each(listener: TcpListener, mut take: impl FnMut(std::net::TcpStream, SocketAddr)) {
    let mut quiet_until = Time::ORIGIN;
    loop {
        match listener.accept().await.and_then(prepare) {
            Ok((stream, from)) => take(stream, from),
            Err(e) if is_of_one_connection(&e) => {}
            Err(e) => {
                let now = clock::now();
                if quiet_until <= now {
                    quiet_until = now + SAID;
                    log::error!("no connection can be accepted: {e}; trying again");
                }
                tokio::time::sleep(OUT_OF_FILES).await;
            }
        }
    }
}

fn prepare((stream, from): (TcpStream, SocketAddr)) -> io::Result<(std::net::TcpStream, SocketAddr)> {
    stream.set_nodelay(true)?;
    // On a socket for both kinds of addresses those of the older kind come in the clothes of the newer.
    Ok((stream.into_std()?, SocketAddr::new(from.ip().to_canonical(), from.port())))
}

fn is_of_one_connection(e: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, InvalidInput};
    matches!(e.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | InvalidInput)
}
