//! Syslog: this machine's, or one elsewhere over UDP, TCP or a Unix socket.
//!
//! Invariant: a syslog that does not answer costs at most [`PATIENCE`] every [`PAUSE`], not every entry.

use std::io::{self, Write};
use std::net::{TcpStream, ToSocketAddrs, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::time::{Duration, Instant};

use jiff::Zoned;

use super::LogError;
use super::line::{Label, offset};

/// How long a connection or a write may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long a syslog that failed is left alone.
const PAUSE: Duration = Duration::from_secs(5);

/// Where a machine's own syslog listens.
const LOCAL: [&str; 3] = ["/dev/log", "/var/run/syslog", "/var/run/log"];

/// `daemon`, for the local syslog.
const DAEMON: u8 = 3 << 3;

enum Address {
    Local,
    Unix(String),
    Udp(String),
    Tcp(String),
}

enum Connection {
    Datagram(UnixDatagram),
    Stream(UnixStream),
    Udp(UdpSocket),
    Tcp(TcpStream),
}

pub(super) struct Syslog {
    address: Address,
    connection: Option<Connection>,
    retry_at: Option<Instant>,
    tag: String,
    host: String,
}

impl Syslog {
    pub(super) fn local(tag: &str) -> Result<Self, LogError> {
        Self::connected(Address::Local, "the local syslog", tag)
    }

    /// `udp://host:port`, `tcp://host:port` or `unix://path`.
    // spec: CORE-165
    pub(super) fn remote(url: &str, tag: &str) -> Result<Self, LogError> {
        let address = match url.split_once("://") {
            Some(("udp", host)) => Address::Udp(host.trim_end_matches('/').to_owned()),
            Some(("tcp", host)) => Address::Tcp(host.trim_end_matches('/').to_owned()),
            Some(("unix", path)) => Address::Unix(path.to_owned()),
            _ => return Err(LogError::SyslogAddress(url.to_owned())),
        };
        Self::connected(address, url, tag)
    }

    fn connected(address: Address, shown: &str, tag: &str) -> Result<Self, LogError> {
        let connection = address.connect().map_err(|source| LogError::Syslog { address: shown.to_owned(), source })?;
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Ok(Self { address, connection: Some(connection), retry_at: None, tag: tag.to_owned(), host })
    }

    /// Sends an entry, over a new connection if the one there is broken.
    pub(super) fn write(&mut self, label: Label, message: &str) -> io::Result<()> {
        if self.retry_at.is_some_and(|at| Instant::now() < at) {
            return Err(io::Error::new(io::ErrorKind::NotConnected, "the syslog does not answer"));
        }
        let packet = self.packet(label, message.trim_end_matches('\n'), &Zoned::now());
        let sent = match &mut self.connection {
            Some(connection) => connection.send(packet.as_bytes()).or_else(|_| self.send_anew(&packet)),
            None => self.send_anew(&packet),
        };
        self.retry_at = sent.is_err().then(|| Instant::now() + PAUSE);
        sent
    }

    fn send_anew(&mut self, packet: &str) -> io::Result<()> {
        self.connection = None;
        let mut connection = self.address.connect()?;
        connection.send(packet.as_bytes())?;
        self.connection = Some(connection);
        Ok(())
    }

    /// `<PRIORITY>TIME HOST TAG[PID]: TEXT`, locally with the short time and without the host.
    fn packet(&self, label: Label, message: &str, now: &Zoned) -> String {
        let severity = severity(label);
        let (tag, pid) = (&self.tag, std::process::id());
        match self.address {
            Address::Local => {
                let stamp = now.strftime("%b %e %H:%M:%S");
                format!("<{}>{stamp} {tag}[{pid}]: {message}\n", DAEMON | severity)
            }
            Address::Unix(_) => {
                let stamp = now.strftime("%b %e %H:%M:%S");
                format!("<{severity}>{stamp} {tag}[{pid}]: {message}\n")
            }
            Address::Udp(_) | Address::Tcp(_) => {
                let stamp = now.strftime("%Y-%m-%dT%H:%M:%S");
                format!("<{severity}>{stamp}{} {} {tag}[{pid}]: {message}\n", offset(now), self.host)
            }
        }
    }
}

/// As the reference maps its levels: ordinary entries and traces are notices.
fn severity(label: Label) -> u8 {
    match label {
        Label::Fatal => 2,
        Label::Error => 3,
        Label::Warn => 4,
        Label::Info | Label::Trace => 5,
        Label::Debug => 7,
    }
}

impl Address {
    fn connect(&self) -> io::Result<Connection> {
        match self {
            Self::Local => {
                let mut last = io::ErrorKind::NotFound.into();
                for path in LOCAL {
                    match unix(path) {
                        Ok(connection) => return Ok(connection),
                        Err(error) => last = error,
                    }
                }
                Err(last)
            }
            Self::Unix(path) => unix(path),
            Self::Udp(host) => {
                let address = resolve(host)?;
                let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                let socket = UdpSocket::bind(any)?;
                socket.connect(address)?;
                Ok(Connection::Udp(socket))
            }
            Self::Tcp(host) => {
                let stream = TcpStream::connect_timeout(&resolve(host)?, PATIENCE)?;
                stream.set_write_timeout(Some(PATIENCE))?;
                Ok(Connection::Tcp(stream))
            }
        }
    }
}

fn resolve(host: &str) -> io::Result<std::net::SocketAddr> {
    let nothing = || io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    host.to_socket_addrs()?.next().ok_or_else(nothing)
}

/// Syslogs listen for datagrams mostly, for streams rarely.
fn unix(path: &str) -> io::Result<Connection> {
    let socket = UnixDatagram::unbound()?;
    if socket.connect(path).is_ok() {
        socket.set_write_timeout(Some(PATIENCE))?;
        return Ok(Connection::Datagram(socket));
    }
    let stream = UnixStream::connect(path)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(Connection::Stream(stream))
}

impl Connection {
    fn send(&mut self, packet: &[u8]) -> io::Result<()> {
        match self {
            Self::Datagram(socket) => socket.send(packet).map(drop),
            Self::Udp(socket) => socket.send(packet).map(drop),
            Self::Stream(stream) => stream.write_all(packet),
            Self::Tcp(stream) => stream.write_all(packet),
        }
    }
}
