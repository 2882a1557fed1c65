//! The PROXY protocol, versions 1 and 2: where a connection that came through a proxy began.
//!
//! Like the client's parser this one keeps no state: it is given everything read so far and says [`Preamble::Incomplete`]
//! when it wants more. A connection that begins otherwise is an ordinary one, and its bytes belong to the client.
//!
//! Invariant: never asks for more than [`MAX_LEN`] bytes.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use thiserror::Error;

/// How long a proxy may take to send the preamble.
pub const READ_TIMEOUT: core::time::Duration = core::time::Duration::from_secs(5);

/// The longest preamble there is, in bytes: a version 2 header with the longest address block.
pub const MAX_LEN: usize = V2_HEADER_LEN + u16::MAX as usize;

const V1_PREFIX: &[u8; 6] = b"PROXY ";
/// The longest line of version 1, with its CRLF.
const V1_MAX_LINE: usize = 107;
const V2_SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
const V2_HEADER_LEN: usize = 16;

/// What a connection began with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preamble {
    /// More bytes are needed.
    Incomplete,
    /// No preamble: all bytes belong to the client.
    Absent,
    /// The proxy speaks for itself, as in a health check: the connection's own addresses hold.
    Local {
        /// The bytes of the preamble.
        used: usize,
    },
    /// The connection began elsewhere.
    Proxied {
        /// Where the client is.
        source: SocketAddr,
        /// Where the client connected to.
        destination: SocketAddr,
        /// The bytes of the preamble.
        used: usize,
    },
}

/// Why a preamble is refused; the connection is to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ProxyError {
    /// A version 1 line without an end.
    #[error("PROXY protocol line longer than {V1_MAX_LINE} bytes")]
    LineTooLong,
    /// A version 1 line that is not `TCP4|TCP6 source destination source-port destination-port` or `UNKNOWN`.
    #[error("PROXY protocol line that is neither UNKNOWN nor TCP4 or TCP6 with two addresses and two ports")]
    BadLine,
    /// An address that is none, or of the other family.
    #[error("PROXY protocol address that does not fit {protocol}")]
    BadAddress {
        /// `TCP4` or `TCP6`.
        protocol: &'static str,
    },
    /// A port that is no number up to 65535.
    #[error("PROXY protocol port that is not a number from 0 to 65535")]
    BadPort,
    /// The first half of the version 2 signature, then something else.
    #[error("PROXY protocol signature of version 2 is damaged")]
    BadSignature,
    /// A version that is not 2.
    #[error("PROXY protocol version {0} is unknown")]
    BadVersion(u8),
    /// A command that is neither LOCAL nor PROXY.
    #[error("PROXY protocol command {0} is unknown")]
    BadCommand(u8),
    /// Something other than a stream: this server listens on TCP only.
    #[error("PROXY protocol transport {0} is not supported, only streams are")]
    UnsupportedTransport(u8),
    /// Neither IPv4 nor IPv6.
    #[error("PROXY protocol address family {0} is not supported, only IPv4 and IPv6 are")]
    UnsupportedFamily(u8),
    /// Too few bytes for two addresses and two ports.
    #[error("PROXY protocol address block of {len} bytes is too short")]
    ShortAddress {
        /// Its length.
        len: usize,
    },
}

/// Reads the preamble at the front of `input`, which holds everything read from the connection so far.
// spec: CORE-136
pub fn decode(input: &[u8]) -> Result<Preamble, ProxyError> {
    let Some((start, rest)) = input.split_first_chunk::<6>() else { return Ok(Preamble::Incomplete) };
    if start == V1_PREFIX {
        version_1(rest)
    } else if *start == V2_SIGNATURE[..6] {
        version_2(input)
    } else {
        Ok(Preamble::Absent)
    }
}

fn version_1(rest: &[u8]) -> Result<Preamble, ProxyError> {
    const MAX: usize = V1_MAX_LINE - V1_PREFIX.len();
    let line = &rest[..rest.len().min(MAX)];
    let Some(end) = memchr::memmem::find(line, b"\r\n") else {
        return if line.len() < MAX { Ok(Preamble::Incomplete) } else { Err(ProxyError::LineTooLong) };
    };
    let used = V1_PREFIX.len() + end + 2;
    let line = std::str::from_utf8(&line[..end]).map_err(|_| ProxyError::BadLine)?;
    let mut words = line.split_whitespace();
    let protocol = words.next().ok_or(ProxyError::BadLine)?;
    if protocol == "UNKNOWN" {
        return Ok(Preamble::Local { used });
    }
    let words: Vec<&str> = words.collect();
    let &[source, destination, source_port, destination_port] = words.as_slice() else {
        return Err(ProxyError::BadLine);
    };
    let address = match protocol {
        "TCP4" => |text: &str| text.parse().map(IpAddr::V4).map_err(|_| ProxyError::BadAddress { protocol: "TCP4" }),
        "TCP6" => |text: &str| text.parse().map(IpAddr::V6).map_err(|_| ProxyError::BadAddress { protocol: "TCP6" }),
        _ => return Err(ProxyError::BadLine),
    };
    Ok(Preamble::Proxied {
        source: endpoint(address(source)?, port(source_port)?),
        destination: endpoint(address(destination)?, port(destination_port)?),
        used,
    })
}

fn port(text: &str) -> Result<u16, ProxyError> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().map_err(|_| ProxyError::BadPort) } else { Err(ProxyError::BadPort) }
}

fn version_2(input: &[u8]) -> Result<Preamble, ProxyError> {
    const LOCAL: u8 = 0;
    const PROXY: u8 = 1;
    const STREAM: u8 = 1;
    let Some((signature, rest)) = input.split_first_chunk::<12>() else { return Ok(Preamble::Incomplete) };
    if signature != V2_SIGNATURE {
        return Err(ProxyError::BadSignature);
    }
    let Some((&[version_command, family_transport, len_high, len_low], rest)) = rest.split_first_chunk::<4>() else {
        return Ok(Preamble::Incomplete);
    };
    let len = usize::from(u16::from_be_bytes([len_high, len_low]));
    let used = V2_HEADER_LEN + len;
    let (version, command) = nibbles(version_command);
    let (family, transport) = nibbles(family_transport);
    if version != 2 {
        return Err(ProxyError::BadVersion(version));
    }
    let family = match command {
        LOCAL => Family::Unspecified,
        PROXY if transport != STREAM => return Err(ProxyError::UnsupportedTransport(transport)),
        PROXY => Family::new(family, len)?,
        _ => return Err(ProxyError::BadCommand(command)),
    };
    let Some(block) = rest.get(..len) else { return Ok(Preamble::Incomplete) };
    Ok(family.addresses(block).map_or(Preamble::Local { used }, |(source, destination)| Preamble::Proxied {
        source,
        destination,
        used,
    }))
}

const fn nibbles(byte: u8) -> (u8, u8) {
    (byte >> 4, byte & 0x0f)
}

/// How the address block of version 2 is laid out: source, destination, source port, destination port, then extensions.
#[derive(Clone, Copy)]
enum Family {
    Unspecified,
    V4,
    V6,
}

impl Family {
    fn new(number: u8, len: usize) -> Result<Self, ProxyError> {
        let (family, least) = match number {
            0 => (Self::Unspecified, 0),
            1 => (Self::V4, 12),
            2 => (Self::V6, 36),
            _ => return Err(ProxyError::UnsupportedFamily(number)),
        };
        if len < least { Err(ProxyError::ShortAddress { len }) } else { Ok(family) }
    }

    fn addresses(self, block: &[u8]) -> Option<(SocketAddr, SocketAddr)> {
        match self {
            Self::Unspecified => None,
            Self::V4 => {
                let (source, rest) = block.split_first_chunk::<4>()?;
                let (destination, rest) = rest.split_first_chunk::<4>()?;
                ports(rest, Ipv4Addr::from(*source).into(), Ipv4Addr::from(*destination).into())
            }
            Self::V6 => {
                let (source, rest) = block.split_first_chunk::<16>()?;
                let (destination, rest) = rest.split_first_chunk::<16>()?;
                ports(rest, Ipv6Addr::from(*source).into(), Ipv6Addr::from(*destination).into())
            }
        }
    }
}

fn ports(block: &[u8], source: IpAddr, destination: IpAddr) -> Option<(SocketAddr, SocketAddr)> {
    let (&[a, b, c, d], _) = block.split_first_chunk::<4>()?;
    Some((endpoint(source, u16::from_be_bytes([a, b])), endpoint(destination, u16::from_be_bytes([c, d]))))
}

/// An IPv4 address in IPv6 clothes is shown as what it is.
fn endpoint(address: IpAddr, port: u16) -> SocketAddr {
    SocketAddr::new(address.to_canonical(), port)
}

#[cfg(test)]
mod tests;
